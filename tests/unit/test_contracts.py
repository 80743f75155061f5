"""What contracts promise: personal fields are known as such, whatever their type, and every fact has a subject."""

import pytest

from softlanding.contracts import BY_SOURCE, contract_of, known_types, personal_fields
from softlanding.contracts.dispatch import PickupPlanned
from softlanding.contracts.everyone import IncidentSettled
from softlanding.contracts.schedule import PickupRequested


def test_personal_fields_are_found_also_where_they_are_optional():
    assert {"speaker_name", "phone", "travel_number", "note"} <= personal_fields(PickupRequested)
    assert {"driver_name", "driver_phone"} <= personal_fields(PickupPlanned)
    assert {"settled_by", "settled_note"} <= personal_fields(IncidentSettled)
    assert "code" not in personal_fields(PickupPlanned)


@pytest.mark.parametrize("full", known_types())
def test_a_type_leads_to_its_contract_and_back(full):
    source, _, tail = full.partition(".")
    assert contract_of(full) is BY_SOURCE[source][tail]
    assert contract_of(full).TYPE == tail


def test_a_type_of_another_release_is_not_known():
    assert contract_of("schedule.pickup.teleported") is None
    assert contract_of("nobody.life.began") is None
