"""A speaker's code stays with the person that it was made for, whatever the next file calls it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conferences_made import a_programme, a_talk
from softlanding.formats.identity import fold_name
from softlanding.formats.programme import Person
from softlanding.schedule.model.persons import is_alike, recognise


def of(*persons: tuple[str, str]):
    """A programme whose speakers have these (code, name)."""
    talks = tuple(replace(a_talk(f"T{code}"), persons=(code,)) for code, _ in persons)
    speakers = tuple(Person(code, name, n, f"p-{code}") for n, (code, name) in enumerate(persons, 1))
    return replace(a_programme(), persons=speakers, talks=talks)


def codes(found) -> dict[str, str]:
    names = {person.code: person.name for person in found.programme.persons}
    assert [talk.persons for talk in found.programme.talks] == [(person.code,) for person in found.programme.persons]
    return {name: code for code, name in names.items()}


def test_who_is_known_keeps_the_code_and_nothing_is_said():
    programme = of(("A", "Alva Ahlgren"), ("B", "Zoë  Müller"))
    found = recognise(programme, {}, {"A": "alva ahlgren", "B": "Zoe Muller", "C": "Gone"})
    assert (found.programme, found.notes) == (programme, ())


def test_a_code_never_passes_to_another_known_person():
    known = {"A": "Alva Ahlgren", "B": "Bodo Brandt"}
    found = recognise(of(("A", "Bodo Brandt"), ("X", "Alva Ahlgren")), {"A": ("B",), "X": ("A",)}, known)
    assert codes(found) == {"Bodo Brandt": "B", "Alva Ahlgren": "A"}


def test_a_code_never_passes_to_somebody_new():
    found = recognise(of(("A", "Cleo Clausen")), {}, {"A": "Alva Ahlgren"})
    assert codes(found)["Cleo Clausen"] != "A"
    assert "kept apart" in found.notes[0]
    again = recognise(
        of(("A", "Cleo Clausen")), {}, {"A": "Alva Ahlgren", codes(found)["Cleo Clausen"]: "Cleo Clausen"}
    )
    assert "A" not in codes(again).values()


def test_another_spelling_is_one_person_and_said():
    found = recognise(of(("A", "Thomas M. Tide")), {}, {"A": "Tom Tide"})
    assert codes(found) == {"Thomas M. Tide": "A"}
    assert found.notes == ("Tom Tide is called Thomas M. Tide now: taken as one person, A",)


def test_a_similar_name_that_somebody_else_bears_is_theirs():
    known = {"A": "Jan Jansen", "B": "Jon Jansen"}
    found = recognise(of(("A", "Jon Jansen")), {}, known)
    assert "A" not in codes(found).values()


def test_a_namesake_with_another_id_is_a_new_speaker_and_said():
    found = recognise(of(("N", "Alva Ahlgren")), {}, {"A": "Alva Ahlgren"})
    assert codes(found) == {"Alva Ahlgren": "N"}
    assert "the old link and journey stay with A" in found.notes[0]


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("Tom Tide", "Thomas Tide", True),
        ("J. Doe", "Jane Doe", True),
        ("Alva Ahlgren", "Alva Ahlgren (ACME)", True),
        ("Anna Schmidt", "Arne Schmidt", False),
        ("Eva Maier", "Eva Schulz", False),
        ("Alva Ahlgren", "Bodo Brandt", False),
    ],
)
def test_what_counts_as_a_spelling(one, other, alike):
    assert is_alike(one, other) == is_alike(other, one) == alike


NAMES = st.sampled_from(
    ["Alva Ahlgren", "Bodo Brandt", "Cleo Clausen", "Tom Tide", "Thomas Tide", "alva AHLGREN", "Jan J"]
)
CODES = st.sampled_from("ABCDEF")


@given(st.dictionaries(CODES, NAMES, max_size=6), st.dictionaries(CODES, NAMES, min_size=1), st.randoms())
def test_whatever_the_file_says_each_has_a_code_of_their_own_that_was_nobody_elses(known, given_codes, rng):
    persons = list(given_codes.items())
    rng.shuffle(persons)
    others = {code: tuple(rng.sample("ABCDEF", rng.randint(0, 3))) for code, _ in persons}
    found = recognise(of(*persons), others, known)
    assert len({person.code for person in found.programme.persons}) == len(persons)
    for person in found.programme.persons:
        if person.code in known and fold_name(known[person.code]) != fold_name(person.name):
            assert is_alike(known[person.code], person.name)
            assert any(person.name in note for note in found.notes)
