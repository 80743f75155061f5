"""What people can do for a ride without a place: each way tried exactly before it is offered, cheapest first.

Every search here has a stated maximum, for it is on full days that they are asked for.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from softlanding.dispatch.planner.check import KnownRoutes, study
from softlanding.dispatch.planner.explain.sentences import Speech, hours, minutes
from softlanding.dispatch.planner.explain.why_not import Relaxed, fitting_of
from softlanding.dispatch.planner.index import FAR, Asked, Index, asked_of
from softlanding.dispatch.planner.insertion import cheapest
from softlanding.dispatch.planner.problem import Manifest, Ride, Stop, Vehicle, WayOut

# Passengers and shifts nearest in time are tried first; of each kind the best few are offered.
MOVES_TRIED, SHIFTS_TRIED, OFFERED = 20, 12, 3

# What one may ask of a driver.
SHIFT_STEPS_S = (900, 1800, 3600, 7200, 14400)


def ways_out(speech: Speech, asked: Asked, known: Sequence[KnownRoutes], relaxed: Relaxed) -> tuple[WayOut, ...]:
    """The ways out for a ride that none of these vehicles takes, cheapest first; a taxi is always one."""
    fitting = [one for one in fitting_of(speech.index, asked.ride, known) if not one.trouble]
    everybody = [one for one in known if not one.trouble]
    ways = [
        *_longer(speech, asked, relaxed),
        *_best(_shifts(speech, asked, fitting)),
        *_best(_moves(speech, asked, fitting, everybody)),
        _taxi(speech, asked.ride),
    ]
    return tuple(sorted(ways, key=_rank))


def stops_without(stops: Sequence[Stop], ride_id: str, *, keep_emptied: bool = False) -> list[Stop]:
    """These stops without the ride; a stop that nobody needs any more is left out, or stays as a place to pass."""
    left = []
    for stop in stops:
        if ride_id not in stop.boards and ride_id not in stop.alights:
            left.append(stop)
            continue
        boards = tuple(other for other in stop.boards if other != ride_id)
        alights = tuple(other for other in stop.alights if other != ride_id)
        if boards or alights or keep_emptied:
            left.append(replace(stop, boards=boards, alights=alights))
    return left


def _rank(way: WayOut) -> tuple[int, str, str, str]:
    return way.price, way.kind, way.vehicle_id, way.ride_id


def _best(ways: Iterator[WayOut]) -> list[WayOut]:
    return sorted(ways, key=_rank)[:OFFERED]


def _longer(speech: Speech, asked: Asked, relaxed: Relaxed) -> Iterator[WayOut]:
    """The passenger waits, or rides, longer than allowed."""
    prices, ride_id = speech.index.problem.prices, asked.ride.id
    who = speech.name(ride_id)
    if relaxed.wait and relaxed.wait.board_s > asked.late:
        car, extra = relaxed.wait.route.vehicle.id, relaxed.wait.board_s - asked.late
        words = (
            f"{who} waits {minutes(extra)} longer and boards {speech.name(car)} at {speech.time(relaxed.wait.board_s)}"
        )
        yield WayOut("wait", words, prices.wait_per_min * -(-extra // 60), ride_id, car, extra, (ride_id,))
    if relaxed.ride and relaxed.ride.ride_s > asked.limit:
        car, extra = relaxed.ride.route.vehicle.id, relaxed.ride.ride_s - asked.limit
        words = f"{who} rides {minutes(extra)} longer than allowed, aboard {speech.name(car)}"
        yield WayOut("ride", words, prices.ride_per_min * -(-extra // 60), ride_id, car, extra, (ride_id,))


def _shifts(speech: Speech, asked: Asked, fitting: Sequence[KnownRoutes]) -> Iterator[WayOut]:
    """A driver begins earlier or stays longer, by the smallest step that helps."""
    prices = speech.index.problem.prices
    for known in _nearest_shifts(speech.index, asked, fitting):
        vehicle_id = known.manifest.vehicle_id
        for step_s in SHIFT_STEPS_S:
            words = _with_longer_shift(speech, asked, known, step_s)
            if words:
                price = prices.shift + prices.shift_per_min * step_s // 60
                yield WayOut("shift", words, price, asked.ride.id, vehicle_id, step_s, (vehicle_id,))
                break


def _nearest_shifts(index: Index, asked: Asked, fitting: Sequence[KnownRoutes]) -> list[KnownRoutes]:
    done = min(asked.late, FAR) + asked.direct

    def distance(known: KnownRoutes) -> tuple[int, str]:
        vehicle = index.vehicle(known.manifest.vehicle_id)
        return min(abs(asked.early - vehicle.shift_start_s), abs(done - vehicle.shift_end_s)), vehicle.id

    return sorted(fitting, key=distance)[:SHIFTS_TRIED]


def _with_longer_shift(speech: Speech, asked: Asked, known: KnownRoutes, step_s: int) -> str:
    index, vehicle = speech.index, speech.index.vehicle(known.manifest.vehicle_id)
    car = speech.name(vehicle.id)
    longer = replace(vehicle, shift_end_s=vehicle.shift_end_s + step_s)
    if _would_fit(index, asked, longer, known.manifest):
        return f"the driver of {car} stays {minutes(step_s)} longer, until {speech.time(longer.shift_end_s)}"
    if vehicle.span_max_s is not None:
        harder = replace(vehicle, span_max_s=vehicle.span_max_s + step_s)
        if _would_fit(index, asked, harder, known.manifest):
            return f"the driver of {car} is out {minutes(step_s)} longer, {hours(harder.span_max_s or 0)} in all"
    sooner = replace(vehicle, shift_start_s=vehicle.shift_start_s - step_s)
    if sooner.shift_start_s >= index.problem.now_s and _would_fit(index, asked, sooner, known.manifest):
        return f"the driver of {car} begins {minutes(step_s)} earlier, at {speech.time(sooner.shift_start_s)}"
    return ""


def _would_fit(index: Index, asked: Asked, vehicle: Vehicle, manifest: Manifest) -> bool:
    return cheapest(index, asked, [study(index, vehicle, manifest)]) is not None


def _moves(
    speech: Speech, asked: Asked, fitting: Sequence[KnownRoutes], everybody: Sequence[KnownRoutes]
) -> Iterator[WayOut]:
    """Somebody else goes to another vehicle, so that this ride fits where that one was."""
    index, prices = speech.index, speech.index.problem.prices
    for known, other in _movable(index, asked, fitting):
        vehicle = index.vehicle(known.manifest.vehicle_id)
        fewer = Manifest(vehicle.id, tuple(stops_without(known.manifest.stops, other.id)))
        if not _would_fit(index, asked, vehicle, fewer):
            continue
        elsewhere = [one for one in fitting_of(index, other, everybody) if one.manifest.vehicle_id != vehicle.id]
        fit = cheapest(index, asked_of(index, other.id), elsewhere)
        if fit:
            who, car = speech.name(other.id), speech.name(fit.route.vehicle.id)
            words = f"{who} moves from {speech.name(vehicle.id)} to {car} and boards at {speech.time(fit.board_s)}"
            told = (other.id, *sorted({vehicle.id, fit.route.vehicle.id}))
            yield WayOut("move", words, prices.told * 2, other.id, fit.route.vehicle.id, 0, told)


def _movable(index: Index, asked: Asked, fitting: Sequence[KnownRoutes]) -> list[tuple[KnownRoutes, Ride]]:
    """Rides that nothing holds where they are, those boarding nearest in time first."""
    found = []
    for known in fitting:
        frozen = len(index.frozen(known.manifest.vehicle_id))
        for stop in known.manifest.stops[frozen:]:
            for ride_id in stop.boards:
                if ride_id not in index.locked_to:
                    found.append((abs(stop.begin_s - asked.early), ride_id, known))
    found.sort(key=lambda one: one[:2])
    return [(known, index.rides[ride_id]) for _distance, ride_id, known in found[:MOVES_TRIED]]


def _taxi(speech: Speech, ride: Ride) -> WayOut:
    start, end = speech.name(ride.from_place_id), speech.name(ride.to_place_id)
    words = f"a taxi takes {speech.name(ride.id)} from {start} to {end} at {speech.time(ride.earliest_board_s)}"
    return WayOut("taxi", words, speech.index.problem.prices.taxi, ride.id, "", 0, (ride.id,))
