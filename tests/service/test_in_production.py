"""What differs where strangers come: nothing made up is public, and the first person comes in by the same command."""

import asyncio

import pytest

from house import House
from softlanding.app.life import ensure_first_person
from softlanding.auth import FIRST_PERSON, STAFF_ROLES, list_people


@pytest.fixture
def house(tmp_path):
    made = House(tmp_path, ["schedule"])
    work = made["schedule"]
    work.settings = work.settings.model_copy(update={"profile": "production"})
    return made


def test_the_first_person_is_there_as_long_as_nobody_else_is(house):
    work = house["schedule"]
    for _ in range(2):
        asyncio.run(ensure_first_person(work))
    [first] = work.database.read_now(list_people)
    assert (first.person, set(first.roles)) == (FIRST_PERSON, {("*", role) for role in STAFF_ROLES})


def test_the_sample_cannot_be_loaded(house):
    client = house.client("schedule", ["organiser"])
    refused = client.post("/api/schedule/sample", json={})
    assert (refused.status_code, "made up" in refused.json()["error"]) == (409, True)
    assert client.get("/api/schedule/conferences").json() == []
