"""Who is who from one import to the next: a code, with its link and journey, stays with whom it was made for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from softlanding.formats import identity
from softlanding.formats.programme import Person, Programme

NAME_MAX = 300
ALIKE = 0.6  # Tom and Thomas 0.67, Alva and Alma 0.75; Anna and Arne 0.5.


@dataclass(frozen=True)
class Recognised:
    """The programme with each speaker under their code, and what a person should know about it."""

    programme: Programme
    notes: tuple[str, ...] = ()


def recognise(programme: Programme, others: Mapping[str, Sequence[str]], known: Mapping[str, str]) -> Recognised:
    """Whoever is known (code to name, those of earlier imports too) keeps the code; nobody gets another one's.

    `others` are, by the code that the file leads to, the codes that the same person may have been given before.
    """
    reader = _Recogniser(others, known)
    persons = [*programme.persons]
    for stage in (reader.by_name, reader.by_likeness, reader.apart):
        for person in persons:
            stage(person)
    if all(code == new for code, new in reader.codes.items()):
        return Recognised(programme, tuple(reader.notes))
    codes = reader.codes
    return Recognised(
        replace(
            programme,
            persons=tuple(replace(person, code=codes[person.code]) for person in programme.persons),
            talks=tuple(
                replace(talk, persons=tuple(codes.get(code, code) for code in talk.persons)) for talk in programme.talks
            ),
        ),
        tuple(reader.notes),
    )


class _Recogniser:
    """Three rounds: exact names first, so that no similar one takes their code."""

    def __init__(self, others: Mapping[str, Sequence[str]], known: Mapping[str, str]) -> None:
        self.codes: dict[str, str] = {}
        self.notes: list[str] = []
        self._others = others
        self._known = known
        self._named: dict[str, set[str]] = {}
        for code, name in known.items():
            self._named.setdefault(_fold(name), set()).add(code)
        self._taken: set[str] = set()

    def by_name(self, person: Person) -> None:
        namesakes = self._named.get(_fold(person.name), set())
        code = next((code for code in self._free(person) if code in namesakes), None)
        if code is not None:
            self._give(person, code)

    def by_likeness(self, person: Person) -> None:
        """A known name that differs in its spelling alone, unless somebody else is called so."""
        if person.code in self.codes or _fold(person.name) in self._named:
            return
        for code in self._free(person):
            if code in self._known and is_alike(self._known[code], person.name):
                self.notes.append(f"{self._known[code]} is called {person.name} now: taken as one person, {code}")
                self._give(person, code)
                return

    def apart(self, person: Person) -> None:
        """New here, or called otherwise than whoever has the code: then another code."""
        if person.code in self.codes:
            return
        free = [code for code in self._free(person) if code not in self._known]
        code = free[0] if free else identity.unused_code(person.code, self._taken | set(self._known), person.name)
        if person.code in self._known:
            self.notes.append(
                f"{person.name} comes with what was {self._known[person.code]}'s id: kept apart as {code}, and link "
                f"and journey stay with {self._known[person.code]}; if they are one person, "
                f"write the name as it was and import again"
            )
        elif left := sorted(self._named.get(_fold(person.name), set()) - self._taken):
            self.notes.append(
                f"{person.name} comes with another id than {' and '.join(left)} of that name: a new speaker here, "
                f"{code}; the old link and journey stay with {left[0]}"
            )
        self._give(person, code)

    def _free(self, person: Person) -> list[str]:
        """The codes that could be this person's, the file's first; none once they have theirs."""
        if person.code in self.codes:
            return []
        made = identity.code_from(person.code, _fold(person.name))
        choices = (person.code, *self._others.get(person.code, ()), made)
        return [code for code in dict.fromkeys(choices) if code not in self._taken]

    def _give(self, person: Person, code: str) -> None:
        self.codes[person.code] = code
        self._taken.add(code)


def _fold(name: str) -> str:
    """As long as names are kept."""
    return identity.fold_name(name[:NAME_MAX])


def is_alike(one: str, other: str) -> bool:
    """Names of one person in two spellings: each word of the shorter has its like in the longer (Tom Tide,
    Thomas M. Tide)."""
    shorter, longer = sorted((_fold(one).split(), _fold(other).split()), key=len)
    left = list(longer)
    for word in shorter:
        like = next((each for each in left if _is_like(word, each)), None)
        if like is None:
            return False
        left.remove(like)
    return bool(shorter)


def _is_like(one: str, other: str) -> bool:
    one, other = one.strip("."), other.strip(".")
    if one[:1] != other[:1] or not one:
        return False
    return len(one) == 1 or len(other) == 1 or SequenceMatcher(None, one, other).ratio() >= ALIKE
