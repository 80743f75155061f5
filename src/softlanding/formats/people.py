"""Who speaks: persons of a file brought together, though generators give no id, or one id to several people."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from softlanding.formats import identity
from softlanding.formats.programme import Person
from softlanding.formats.raw import RawPerson, RawProgramme
from softlanding.formats.report import Report
from softlanding.formats.texts import one_line, safe_html, web_address


def people_of(raw: RawProgramme, acronym: str, report: Report) -> tuple[tuple[Person, ...], dict[tuple[str, str], str]]:
    """Each person once, in order of first appearance; and the code for each (id, name) that the file uses."""
    people = _People(acronym, raw, report)
    for talk in raw.talks:
        for person in talk.persons:
            people.meet(person)
    return tuple(people.persons), people.codes


def key_of(person: RawPerson) -> tuple[str, str]:
    """Under what `people_of` knows a person of the file."""
    ident = (person.number or person.code or person.guid).strip()
    return ident, one_line(person.name)


def _names_by_id(raw: RawProgramme) -> dict[str, set[str]]:
    """Who shares an id is known before anybody gets a code, so that nobody's depends on who comes first."""
    names: dict[str, set[str]] = {}
    for talk in raw.talks:
        for ident, name in map(key_of, talk.persons):
            if ident and name:
                names.setdefault(ident, set()).add(identity.fold_name(name))
    return names


@dataclass(frozen=True)
class _Taken:
    """What must be unique among persons."""

    codes: set[str]
    numbers: set[int]
    guids: set[str]


class _People:
    def __init__(self, acronym: str, raw: RawProgramme, report: Report) -> None:
        self.persons: list[Person] = []
        self.codes: dict[tuple[str, str], str] = {}
        self._acronym = acronym
        self._raw = raw
        self._report = report
        self._names = _names_by_id(raw)
        self._known: dict[tuple[str, str], str] = {}  # By id and folded name.
        self._taken = _Taken(set(), set(), set())

    def meet(self, raw: RawPerson) -> None:
        ident, name = key = key_of(raw)
        if not name:
            self._report.note(raw.line, "a person without a name was left out")
            return
        if key in self.codes:
            return
        one = (ident, identity.fold_name(name) if ident else name)
        if one not in self._known:
            self._known[one] = self._add(raw, ident, name)
        self.codes[key] = self._known[one]

    def _add(self, raw: RawPerson, ident: str, name: str) -> str:
        shared = len(self._names.get(ident, ())) > 1
        if shared:
            self._report.note(raw.line, "one person id for different people, kept apart", f"{ident}, {name}")
        person, others = self._person(raw, ident, name, shared)
        self.persons.append(person)
        self._report.other_codes[person.code] = others
        return person.code

    def _person(self, raw: RawPerson, ident: str, name: str, shared: bool) -> tuple[Person, tuple[str, ...]]:
        """The person, and the codes that they may have been given before: by the id alone while nobody shared it, by
        id and name while somebody did."""
        known = self._extras_of(raw)
        given = str(known.get("code") or raw.code).strip().upper()
        is_given = given.isascii() and given.isalnum() and len(given) <= 20
        parts = (self._acronym, "person", ident) if ident else (self._acronym, "person", "", name)
        by_id = given if is_given else identity.code_from(*parts)
        by_both = identity.code_from(self._acronym, "person", ident, identity.fold_name(name))
        as_spelled = identity.code_from(self._acronym, "person", ident, name)  # Before names were folded.
        if shared:
            known, parts = {}, (self._acronym, "person", ident, identity.fold_name(name))
        code = identity.unused_code(by_both if shared else by_id, self._taken.codes, *parts)
        is_numbered = raw.number.isascii() and raw.number.isdigit() and 0 < int(raw.number[:12]) <= identity.NUMBER_MAX
        number = int(raw.number) if is_numbered and not shared else identity.number_from(*parts)
        person = Person(code, name, identity.unused_number(number, self._taken.numbers), self._guid(raw.guid, parts))
        biography = str(known.get("biography_html") or raw.biography or self._raw.biographies.get(raw.number, ""))
        address = web_address(str(known.get("url") or raw.url))
        person = replace(person, biography_html="" if shared else safe_html(biography), url=address)
        return person, (by_id, by_both, as_spelled) if ident else ()

    def _guid(self, given: str, parts: tuple[str, ...]) -> str:
        guid = given if identity.is_uuid(given) and given not in self._taken.guids else identity.guid_from(*parts)
        self._taken.guids.add(guid)
        return guid

    def _extras_of(self, raw: RawPerson) -> Mapping[str, Any]:
        persons = self._raw.extras.get("persons")
        known = persons.get(raw.number) if isinstance(persons, dict) else None
        return known if isinstance(known, dict) else {}
