"""Judges a plan before anybody sees it. Written apart from the planner and sharing no code with it: it reads the
JSON form alone and simply walks through every manifest, so that a fault in the planner's cleverness cannot hide
here too.

Facts are not judged: what happened at frozen stops happened. What is planned after them must keep every limit.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

Plain = Mapping[str, Any]

LOADS = (("seats", "seats"), ("luggage", "luggage"), ("wheelchairs", "wheelchair_places"))


def violations(problem: Plain, plan: Plain) -> list[str]:
    """Each way in which this plan breaks this problem's limits, in words; an empty list for a valid plan.

    Both are in the planner's JSON form. A plan too broken to be read is a violation, not an exception."""
    try:
        return list(_violations(_Day(problem), plan))
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        return [f"the plan cannot be read: {type(error).__name__} {error}"]


class _Day:
    """The problem, looked up by id."""

    def __init__(self, problem: Plain) -> None:
        self.now: int = problem["now_s"]
        self.vehicles: dict[str, Plain] = {vehicle["id"]: vehicle for vehicle in problem["vehicles"]}
        self.rides: dict[str, Plain] = {ride["id"]: ride for ride in problem["rides"]}
        self.frozen: dict[str, Sequence[Plain]] = dict(problem["frozen"])
        self.locks: Sequence[Plain] = problem["locks"]
        self.numbers = {place_id: number for number, place_id in enumerate(problem["matrix"]["place_ids"])}
        self.seconds = problem["matrix"]["seconds"]

    def drive(self, start: str, end: str) -> int | None:
        if start == end:
            return 0
        seconds: int | None = self.seconds[self.numbers[start]][self.numbers[end]]
        return seconds


@dataclass
class _Car:
    """A vehicle on its way through its manifest: where and since when, who is aboard and when their ride began."""

    vehicle: Plain
    place: str
    free_s: int
    aboard: dict[str, int] = field(default_factory=dict)
    breaks: list[str] = field(default_factory=list)
    served: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        return str(self.vehicle["id"])


def _violations(day: _Day, plan: Plain) -> Iterator[str]:
    yield from _whole(day, plan)
    for manifest in plan["manifests"]:
        if manifest["vehicle_id"] in day.vehicles:
            yield from _judge(day, manifest)


def _whole(day: _Day, plan: Plain) -> Iterator[str]:
    """Every vehicle once, every ride either on one vehicle or unplaced, every lock kept."""
    cars = [manifest["vehicle_id"] for manifest in plan["manifests"]]
    yield from (f"vehicle {car} has two manifests" for car in sorted({car for car in cars if cars.count(car) > 1}))
    yield from (f"vehicle {car} is unknown" for car in sorted(set(cars) - set(day.vehicles)))
    for car in sorted(set(day.frozen) - set(cars)):
        if day.frozen[car]:
            yield f"vehicle {car} has frozen stops and no manifest"
    where: dict[str, list[str]] = {}
    for manifest in plan["manifests"]:
        for ride_id in {ride_id for stop in manifest["stops"] for ride_id in (*stop["boards"], *stop["alights"])}:
            where.setdefault(ride_id, []).append(manifest["vehicle_id"])
    unplaced = [one["ride_id"] for one in plan["unplaced"]]
    for ride_id in sorted(set(where) | set(unplaced) | set(day.rides)):
        yield from _accounted(day, ride_id, where.get(ride_id, []), unplaced.count(ride_id))
    yield from (f"{one['ride_id']} is unplaced without a reason" for one in plan["unplaced"] if not one["reason"])
    yield from _out_of_order(day, plan)
    facts = {one for stops in day.frozen.values() for stop in stops for one in (*stop["boards"], *stop["alights"])}
    for lock in day.locks:
        if lock["ride_id"] in facts:
            continue
        on = where.get(lock["ride_id"], [])
        named = f"the lock of {lock['author']} on {lock['ride_id']}"
        if lock["kind"] == "to" and any(car != lock["vehicle_id"] for car in on):
            yield f"{named} says {lock['vehicle_id']}, but the ride is on {on[0]}"
        if lock["kind"] == "never" and lock["vehicle_id"] in on:
            yield f"{named} keeps it off {lock['vehicle_id']}, where it is"


def _out_of_order(day: _Day, plan: Plain) -> Iterator[str]:
    """Who boards before somebody that a lock names first. What was boarded at frozen stops is not judged, but what
    boards after is."""
    orders = [lock for lock in day.locks if lock["kind"] == "order"]
    for manifest in plan["manifests"] if orders else []:
        frozen = len(day.frozen.get(manifest["vehicle_id"], []))
        numbers = {ride_id: number for number, stop in enumerate(manifest["stops"]) for ride_id in stop["boards"]}
        for lock in orders:
            aboard = [ride_id for ride_id in lock["ride_ids"] if ride_id in numbers]
            for first, second in combinations(aboard, 2):
                if numbers[first] > numbers[second] and numbers[first] >= frozen:
                    late = f"{second} boards {manifest['vehicle_id']} before {first}"
                    yield f"{late}, against the lock of {lock['author']}"


def _accounted(day: _Day, ride_id: str, cars: list[str], times_unplaced: int) -> Iterator[str]:
    if ride_id not in day.rides:
        yield f"{ride_id} is planned but unknown"
    elif not cars and not times_unplaced:
        yield f"{ride_id} is neither planned nor unplaced"
    if len(cars) > 1:
        yield f"{ride_id} is on several vehicles: {', '.join(sorted(cars))}"
    if cars and times_unplaced:
        yield f"{ride_id} is planned on {cars[0]} and also unplaced"
    if times_unplaced > 1:
        yield f"{ride_id} is unplaced twice"


def _judge(day: _Day, manifest: Plain) -> Iterator[str]:
    """Walk one manifest from the frozen stops to the end of the shift."""
    vehicle, stops = day.vehicles[manifest["vehicle_id"]], manifest["stops"]
    frozen = day.frozen.get(vehicle["id"], [])
    if list(stops[: len(frozen)]) != list(frozen):
        yield f"vehicle {vehicle['id']} does not begin with its frozen stops as they are"
        return
    car = _Car(vehicle, vehicle["start_place_id"], max(vehicle["shift_start_s"], day.now))
    for stop in frozen:
        _follow(car, stop)
        car.free_s = max(car.free_s, stop["depart_s"])
    for stop in stops[len(frozen) :]:
        yield from _drive(day, car, stop)
        yield from (_pause(car, stop) if stop["break_id"] is not None else _halt(day, car, stop))
    yield from _end(day, car, manifest, has_free_stops=len(stops) > len(frozen))


def _follow(car: _Car, stop: Plain) -> None:
    """Take a stop as a fact."""
    for ride_id in stop["alights"]:
        car.aboard.pop(ride_id, None)
    for ride_id in stop["boards"]:
        car.aboard[ride_id] = stop["depart_s"]
        car.served.add(ride_id)
    if stop["break_id"] is not None:
        car.breaks.append(stop["break_id"])
    car.place = stop["place_id"]


def _drive(day: _Day, car: _Car, stop: Plain) -> Iterator[str]:
    place = stop["place_id"]
    if place not in day.numbers:
        yield f"vehicle {car.name} stops at {place}, which is unknown"
    if place not in day.numbers or car.place not in day.numbers:
        return
    seconds = day.drive(car.place, place)
    if seconds is None:
        yield f"vehicle {car.name} drives from {car.place} to {place}, where no way is known"
    elif stop["arrive_s"] < car.free_s + seconds:
        yield f"vehicle {car.name} cannot be at {place} at {stop['arrive_s']}: not before {car.free_s + seconds}"
    if not stop["arrive_s"] <= stop["begin_s"] <= stop["depart_s"]:
        yield f"vehicle {car.name} at {place}: arrival, service and departure are out of order"


def _pause(car: _Car, stop: Plain) -> Iterator[str]:
    pause = next((one for one in car.vehicle["breaks"] if one["id"] == stop["break_id"]), None)
    named = f"vehicle {car.name}: break {stop['break_id']}"
    if pause is None:
        yield f"{named} is unknown"
    else:
        if stop["break_id"] in car.breaks:
            yield f"{named} is taken twice"
        if not pause["earliest_s"] <= stop["begin_s"] <= pause["latest_s"]:
            yield f"{named} begins at {stop['begin_s']}, outside its window"
        if stop["depart_s"] - stop["begin_s"] < pause["duration_s"]:
            yield f"{named} is shorter than {pause['duration_s']} s"
    if car.aboard or stop["boards"] or stop["alights"]:
        yield f"{named} is taken with passengers aboard"
    car.breaks.append(stop["break_id"])
    car.place, car.free_s = stop["place_id"], stop["depart_s"]


def _halt(day: _Day, car: _Car, stop: Plain) -> Iterator[str]:
    """Who alights, then who boards, then whether all fit when the car leaves."""
    for ride_id in stop["alights"]:
        yield from _alight(day, car, stop, ride_id)
    for ride_id in stop["boards"]:
        yield from _board(day, car, stop, ride_id)
    rides = day.rides
    alighting = max((rides[one]["alight_service_s"] for one in stop["alights"] if one in rides), default=0)
    boarding = max((rides[one]["board_service_s"] for one in stop["boards"] if one in rides), default=0)
    if stop["depart_s"] < stop["begin_s"] + alighting + boarding:
        yield f"vehicle {car.name} leaves {stop['place_id']} after less than {alighting + boarding} s of service"
    if stop["boards"]:
        yield from _crowd(day, car, stop)
    car.place, car.free_s = stop["place_id"], stop["depart_s"]


def _alight(day: _Day, car: _Car, stop: Plain, ride_id: str) -> Iterator[str]:
    if ride_id not in car.aboard:
        yield f"{ride_id} alights from {car.name} without being aboard"
        return
    left_s, at = car.aboard.pop(ride_id), stop["begin_s"]
    ride = day.rides.get(ride_id)
    if ride is None:
        return
    if stop["place_id"] != ride["to_place_id"]:
        yield f"{ride_id} alights at {stop['place_id']} instead of {ride['to_place_id']}"
    if ride["latest_deliver_s"] is not None and at > ride["latest_deliver_s"]:
        yield f"{ride_id} is delivered at {at}, after its deadline {ride['latest_deliver_s']}"
    if ride["earliest_deliver_s"] is not None and at < ride["earliest_deliver_s"]:
        yield f"{ride_id} is delivered at {at}, before {ride['earliest_deliver_s']}"
    if ride["ride_max_s"] is not None and at - left_s > ride["ride_max_s"]:
        yield f"{ride_id} rides for {at - left_s} s, longer than {ride['ride_max_s']} s"


def _board(day: _Day, car: _Car, stop: Plain, ride_id: str) -> Iterator[str]:
    if ride_id in car.served:
        yield f"{ride_id} boards {car.name} twice"
    car.served.add(ride_id)
    car.aboard[ride_id] = stop["depart_s"]
    ride, at = day.rides.get(ride_id), stop["begin_s"]
    if ride is None:
        return
    if stop["place_id"] != ride["from_place_id"]:
        yield f"{ride_id} boards at {stop['place_id']} instead of {ride['from_place_id']}"
    if at < ride["earliest_board_s"]:
        yield f"{ride_id} boards at {at}, before being ready at {ride['earliest_board_s']}"
    if at > ride["latest_board_s"]:
        yield f"{ride_id} boards at {at}, later than {ride['latest_board_s']}"
    if ride["expires_s"] is not None and at > ride["expires_s"]:
        yield f"{ride_id} boards at {at}, after it expired at {ride['expires_s']}"
    lacking = sorted(set(ride["needs_skills"]) - set(car.vehicle["skills"]))
    if lacking:
        yield f"{ride_id} needs {', '.join(lacking)}, which vehicle {car.name} lacks"


def _crowd(day: _Day, car: _Car, stop: Plain) -> Iterator[str]:
    rides = [day.rides[ride_id] for ride_id in car.aboard if ride_id in day.rides]
    for needs, has in LOADS:
        load = sum(ride[needs] for ride in rides)
        if load > car.vehicle[has]:
            yield f"vehicle {car.name} leaves {stop['place_id']} with {needs} {load} of {car.vehicle[has]}"
    for ride in rides:
        others = sorted(other["id"] for other in rides if other["id"] != ride["id"])
        if ride["alone"] and others:
            yield f"{ride['id']} rides alone, but meets {', '.join(others)} aboard {car.name}"
        unwanted = sorted(set(ride["not_with"]) & set(others))
        if unwanted:
            yield f"{ride['id']} must not ride with {', '.join(unwanted)}, but does aboard {car.name}"


def _end(day: _Day, car: _Car, manifest: Plain, *, has_free_stops: bool) -> Iterator[str]:
    yield from (f"{ride_id} boards {car.name} and never alights" for ride_id in sorted(car.aboard))
    for pause in car.vehicle["breaks"]:
        if pause["id"] not in car.breaks:
            yield f"vehicle {car.name}: break {pause['id']} is left out"
    if not has_free_stops:
        return
    home, back = car.vehicle["end_place_id"], manifest["back_s"]
    drive = 0 if home is None or car.place not in day.numbers else day.drive(car.place, home)
    if drive is None:
        yield f"vehicle {car.name} has no way from {car.place} to its end at {home}"
        return
    if back is None or back < car.free_s + drive:
        yield f"vehicle {car.name} cannot be back at {back}: not before {car.free_s + drive}"
    if max(car.free_s + drive, back or 0) > car.vehicle["shift_end_s"]:
        yield f"vehicle {car.name} is back after its shift ends at {car.vehicle['shift_end_s']}"
    yield from _hours(day, car, manifest, max(car.free_s + drive, back or 0))


def _hours(day: _Day, car: _Car, manifest: Plain, back: int) -> Iterator[str]:
    """A driver is out from leaving the start place just in time for the first stop (a break there comes before)."""
    allowed = car.vehicle.get("span_max_s")
    first = next((stop for stop in manifest["stops"] if stop["break_id"] is None), None)
    if allowed is None or first is None or first["place_id"] not in day.numbers:
        return
    out = back - first["arrive_s"] + (day.drive(car.vehicle["start_place_id"], first["place_id"]) or 0)
    if out > allowed:
        yield f"the driver of {car.name} is out for {out} s, longer than {allowed} s"
