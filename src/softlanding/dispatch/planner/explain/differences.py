"""Why a ride is on its vehicle, and what differs between two plans: whom one must tell, and what is gained on each
level of the objective, in words that a coordinator can repeat."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from softlanding.dispatch.planner.check import known_routes
from softlanding.dispatch.planner.explain.sentences import SayTime, Speech, count, hours, minutes, say_utc
from softlanding.dispatch.planner.explain.why_not import open_to
from softlanding.dispatch.planner.index import Index, asked_of, index_of
from softlanding.dispatch.planner.insertion import Fit, cheapest
from softlanding.dispatch.planner.objective import Cost, minus
from softlanding.dispatch.planner.operations import cost_of_plan, manifests_of, take_out, vehicle_of
from softlanding.dispatch.planner.problem import Plan, Problem
from softlanding.errors import NotFound

OTHERS_SAID = 3


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


@dataclass(frozen=True, slots=True)
class Difference:
    """What leads from one plan to another: the rides that change, in words too; the passengers and the vehicles whose
    drivers one must tell; what is gained on each level of the objective (negative: lost), in words where it differs."""

    changes: tuple[Change, ...]
    passengers: tuple[str, ...]
    vehicles: tuple[str, ...]
    gained: Cost
    words: tuple[str, ...]
    gains: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Other:
    """Another vehicle that could take a ride: what the whole plan would cost more, level by level, and that in
    words."""

    vehicle_id: str
    more: Cost
    words: str


@dataclass(frozen=True, slots=True)
class Choice:
    """Why a ride is on its vehicle, in words, and the next best vehicles. `others_fit`: how many could take it."""

    ride_id: str
    vehicle_id: str | None
    words: str
    others: tuple[Other, ...] = ()
    others_fit: int = 0


def why_this_vehicle(problem: Problem, plan: Plan, ride_id: str, *, say_time: SayTime = say_utc) -> Choice:
    """Why the plan has the ride where it has it: a fact, somebody's lock, or what the next best vehicles would cost;
    without a place, its reason. Raises `NotFound` if problem or plan do not know the ride."""
    index, vehicle_id = index_of(problem), vehicle_of(plan, ride_id)
    index.ride(ride_id)
    speech = Speech(index, say_time)
    if vehicle_id is None:
        return _without_place(speech, plan, ride_id)
    who, car = speech.name(ride_id), speech.name(vehicle_id)
    if any(ride_id in stop.boards for stop in index.frozen(vehicle_id)):
        return Choice(ride_id, vehicle_id, f"{who} is aboard {car}, or about to be: that is a fact")
    lock = index.locked_to.get(ride_id)
    if lock is not None:
        return Choice(ride_id, vehicle_id, f"{who} is locked to {car} {speech.by(lock)}")
    rest = take_out(problem, plan, ride_id)
    here = minus(cost_of_plan(problem, plan), cost_of_plan(problem, rest))
    fits = _fits_elsewhere(index, rest, ride_id, vehicle_id)
    place = _where(plan)[ride_id]
    others = tuple(_other(speech, ride_id, place, fit, minus(fit.added, here)) for fit in fits)
    return Choice(
        ride_id, vehicle_id, _in_short(speech, ride_id, vehicle_id, others), others[:OTHERS_SAID], len(others)
    )


def difference(
    problem: Problem, before: Plan, after: Plan, *, was: Problem | None = None, say_time: SayTime = say_utc
) -> Difference:
    """What differs between two plans of this problem. `was`: the problem that the first one answered, if news have
    changed it since."""
    speech, changes = Speech(index_of(problem), say_time), changes_between(before, after)
    old = was or problem
    return Difference(
        changes=changes,
        passengers=tuple(one.ride_id for one in changes if _must_hear(problem, one)),
        vehicles=tuple(sorted({*_cars(changes)})),
        gained=minus(cost_of_plan(old, before), cost_of_plan(problem, after)),
        words=tuple(_say_change(speech, after, one) for one in changes),
        gains=tuple(_gains(_Sums.of(old, before), _Sums.of(problem, after), problem)),
    )


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


class _Where(NamedTuple):
    vehicle_id: str | None = None
    board_s: int | None = None
    deliver_s: int | None = None


def _where(plan: Plan) -> dict[str, _Where]:
    found: dict[str, _Where] = {}
    for manifest in plan.manifests:
        for stop in manifest.stops:
            for ride_id in stop.boards:
                found[ride_id] = _Where(manifest.vehicle_id, stop.begin_s)
            for ride_id in stop.alights:
                found[ride_id] = found.get(ride_id, _Where(manifest.vehicle_id))._replace(deliver_s=stop.begin_s)
    return found


def _without_place(speech: Speech, plan: Plan, ride_id: str) -> Choice:
    for one in plan.unplaced:
        if one.ride_id == ride_id:
            return Choice(ride_id, None, f"{speech.name(ride_id)} has no place: {one.reason}")
    raise NotFound(f"{speech.name(ride_id)} is not part of this plan")


def _fits_elsewhere(index: Index, rest: Plan, ride_id: str, vehicle_id: str) -> list[Fit]:
    """The best fit on each other vehicle, the cheapest first."""
    known = [known_routes(index, one) for one in manifests_of(index, rest, None) if one.vehicle_id != vehicle_id]
    asked = asked_of(index, ride_id)
    fits = (cheapest(index, asked, [one]) for one in open_to(index, asked, known))
    return sorted((fit for fit in fits if fit), key=lambda fit: (fit.added, fit.route.vehicle.id))


def _other(speech: Speech, ride_id: str, place: _Where, fit: Fit, more: Cost) -> Other:
    """In words by the level that decides: the first that differs."""
    who, car = speech.name(ride_id), speech.name(fit.route.vehicle.id)
    level = next((name for name, value in more._asdict().items() if value), "")
    is_worse = more > Cost()
    later = fit.board_s - (place.board_s or 0)
    longer = fit.deliver_s - (place.deliver_s or 0) - later
    told = speech.index.problem.told.get(ride_id)
    said = {
        "": "it would make no difference",
        "waiting": f"{who} would board {_by(later, 'later', 'sooner')}"
        if _same(later, is_worse)
        else _all(is_worse, "wait"),
        "riding": f"{who} would ride {_by(longer, 'longer', 'shorter')}"
        if _same(longer, is_worse)
        else _all(is_worse, "ride"),
        "changes": f"{who} has been told {speech.name(told.vehicle_id)}" if told else "others would get another time",
        "hours": f"its driver would drive {'' if is_worse else 'only '}{hours(fit.route.wheel + fit.added.driving)}",
        "driving": f"it would drive {_by(more.driving, 'more', 'less')}",
        "unease": f"all would wait and ride {_by(more.unease, 'longer', 'shorter')}",
    }[level]
    return Other(fit.route.vehicle.id, more, f"{car} could take {who}, but {said}" if is_worse else f"{car}: {said}")


def _same(seconds: int, is_worse: bool) -> bool:
    """Whether the ride's own time says why it is better or worse."""
    return seconds > 0 if is_worse else seconds < 0


def _all(is_worse: bool, verb: str) -> str:
    return f"others would {verb} {'longer' if is_worse else 'shorter'}"


def _by(seconds: int, more: str, less: str) -> str:
    return f"{minutes(abs(seconds))} {more if seconds > 0 else less}"


def _in_short(speech: Speech, ride_id: str, vehicle_id: str, others: tuple[Other, ...]) -> str:
    who, car = speech.name(ride_id), speech.name(vehicle_id)
    if not others:
        return f"{who} is on {car}: no other vehicle could take it"
    best = others[0]
    if best.more < Cost():
        return f"{who} is on {car}, though another would be better now: {best.words}"
    return f"{who} is on {car}: {best.words}"


def _must_hear(problem: Problem, change: Change) -> bool:
    """Whether the passenger knows, or believes, something else than what now is. Alighting a little later is nothing
    that one calls somebody for."""
    if change.to_vehicle_id is None or change.to_board_s is None or change.from_board_s is None:
        return change.from_vehicle_id != change.to_vehicle_id
    told = problem.told.get(change.ride_id)
    car, at = (told.vehicle_id, told.board_s) if told else (change.from_vehicle_id, change.from_board_s)
    return car != change.to_vehicle_id or abs(at - change.to_board_s) > problem.comfort.told_free_s


def _cars(changes: Iterable[Change]) -> Iterator[str]:
    for one in changes:
        yield from (car for car in (one.from_vehicle_id, one.to_vehicle_id) if car)


def _say_change(speech: Speech, after: Plan, change: Change) -> str:
    who, old, new = speech.name(change.ride_id), change.from_vehicle_id, change.to_vehicle_id
    if new is None:
        reason = next((one.reason for one in after.unplaced if one.ride_id == change.ride_id), "")
        left = f"{who} is no longer on {speech.name(old or '')}"
        return f"{left}: {reason}" if reason else left
    at = f"at {speech.time(change.to_board_s)}" if change.to_board_s is not None else "already"
    if old is None:
        return f"{who} is now on {speech.name(new)} and boards {at}"
    if change.to_board_s != change.from_board_s and change.from_board_s is not None:
        at += f" instead of {speech.time(change.from_board_s)}"
    if old != new:
        return f"{who} moves from {speech.name(old)} to {speech.name(new)} and boards {at}"
    if change.to_board_s != change.from_board_s:
        return f"{who} boards {speech.name(new)} {at}"
    there = [speech.time(one) for one in (change.to_deliver_s, change.from_deliver_s) if one is not None]
    return f"{who}, aboard {speech.name(new)}, arrives at {' instead of '.join(there)}"


class _Sums(NamedTuple):
    """What people feel of a plan's cost: rides without a place; seconds of waiting, detour and time at the wheel beyond
    what nobody counts, in all and the longest; the price of changes; seconds of driving."""

    unplaced: int
    waits: tuple[int, int]
    detours: tuple[int, int]
    changes: int
    wheels: tuple[int, int]
    driving: int

    @classmethod
    def of(cls, problem: Problem, plan: Plan) -> "_Sums":
        index, comfort, cost = index_of(problem), problem.comfort, cost_of_plan(problem, plan)
        waits, detours, left = [0], [0], dict[str, int]()
        for stop in (stop for manifest in plan.manifests for stop in manifest.stops):
            for ride_id in stop.alights:
                extra = stop.begin_s - left.get(ride_id, stop.begin_s) - asked_of(index, ride_id).direct
                detours.append(max(0, extra - comfort.ride_free_s))
            for ride_id in stop.boards:
                left[ride_id] = stop.depart_s
                waits.append(max(0, stop.begin_s - asked_of(index, ride_id).early - comfort.wait_free_s))
        routes = (known_routes(index, manifest).route for manifest in plan.manifests)
        wheels = [0, *(max(0, route.wheel - comfort.wheel_free_s) for route in routes if route)]
        both = (sum(waits), max(waits)), (sum(detours), max(detours))
        return cls(len(plan.unplaced), *both, cost.changes, (sum(wheels), max(wheels)), cost.driving)


def _gains(old: _Sums, new: _Sums, problem: Problem) -> Iterator[str]:
    """A sentence for each level that differs, in the order in which they count."""
    if new.unplaced != old.unplaced:
        yield f"without a place: {count(new.unplaced, 'ride')} instead of {old.unplaced}"
    yield from _beyond("waiting", problem.comfort.wait_free_s, new.waits, old.waits, minutes)
    yield from _beyond("detours", problem.comfort.ride_free_s, new.detours, old.detours, minutes)
    if new.changes != old.changes:
        yield f"changes to what people were told, weighed by how soon: {new.changes} instead of {old.changes}"
    yield from _beyond("drivers at the wheel", problem.comfort.wheel_free_s, new.wheels, old.wheels, hours)
    if new.driving != old.driving:
        yield f"driving: {hours(new.driving)} instead of {hours(old.driving)}"


def _beyond(
    name: str, free_s: int, now: tuple[int, int], was: tuple[int, int], say: Callable[[int], str]
) -> Iterator[str]:
    if now != was:
        beyond = f"{name} beyond {say(free_s)}: {say(now[0])} in all instead of {say(was[0])}"
        yield f"{beyond}, the longest {say(now[1])} instead of {say(was[1])}"
