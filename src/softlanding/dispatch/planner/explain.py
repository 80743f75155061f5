"""What differs between two plans, and why a ride is where it is, in words that a coordinator can repeat."""

from dataclasses import dataclass
from typing import NamedTuple

from softlanding.dispatch.planner.shapes import Plan


@dataclass(frozen=True, slots=True)
class Change:
    """A ride that rides otherwise: which vehicle, and when service begins where it boards and alights, before and
    after. None: it has, or had, no place."""

    ride_id: str
    from_vehicle_id: str | None
    to_vehicle_id: str | None
    from_board_s: int | None
    to_board_s: int | None
    from_deliver_s: int | None
    to_deliver_s: int | None


class _Where(NamedTuple):
    vehicle_id: str | None = None
    board_s: int | None = None
    deliver_s: int | None = None


def changes_between(before: Plan, after: Plan) -> tuple[Change, ...]:
    """Every ride that has another vehicle or other times, by id."""
    was, now = _where(before), _where(after)
    found = []
    for ride_id in sorted(was.keys() | now.keys()):
        old, new = was.get(ride_id, _Where()), now.get(ride_id, _Where())
        if old != new:
            cars = old.vehicle_id, new.vehicle_id
            found.append(Change(ride_id, *cars, old.board_s, new.board_s, old.deliver_s, new.deliver_s))
    return tuple(found)


def _where(plan: Plan) -> dict[str, _Where]:
    found: dict[str, _Where] = {}
    for manifest in plan.manifests:
        for stop in manifest.stops:
            for ride_id in stop.boards:
                found[ride_id] = _Where(manifest.vehicle_id, stop.begin_s)
            for ride_id in stop.alights:
                found[ride_id] = found.get(ride_id, _Where(manifest.vehicle_id))._replace(deliver_s=stop.begin_s)
    return found
