"""Better plans, in the background: ruin and recreate, anytime, seeded, on a budget.

`improve` never makes a plan worse and never one that the exact check refuses. With a budget of turns the same seed
gives the same plan; with a budget of seconds it is as good as the time allows. It needs numpy, and is quick only with
numba: so it runs in a process of its own (`process.py`), and no service imports it.
"""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol

from softlanding.dispatch.planner.objective import Cost
from softlanding.dispatch.planner.operations import cost_of_plan
from softlanding.dispatch.planner.problem import Plan, Problem
from softlanding.dispatch.planner.search import kernel
from softlanding.dispatch.planner.search.kernel import Array, Desk, Flat, State, Trail
from softlanding.dispatch.planner.search.tables import Sheet, Weights, desk_of, plan_of, sheet_of, weighed
from softlanding.errors import Fault, Invalid

# Comfort, as the objective has it: a level outweighs what is below it.
COMFORT = Weights(stranded=1e13, waiting=1e4, riding=1e2, changes=1e5, hours=1e-3, driving=1.0, unease=1e-3)
# Room first: short drives leave time for those without a place.
PACKED = Weights(stranded=1e9, waiting=1e-3, riding=1e-3, changes=1e3, hours=0.0, driving=1.0, unease=0.02)
# Nobody waits or rides longer for a shorter drive: with comfort's weights a second of waiting may pay for hours of it.
# No larger than they must be: a gain that is lost in the digits of the sum (`kernel.NOISE`) is none.
FIRM = Weights(stranded=1e14, waiting=1e6, riding=1e3, changes=1e5, hours=1e-2, driving=1.0, unease=1e-3)
SHORTEST = Weights(stranded=1e13, waiting=0.0, riding=0.0, changes=0.0, hours=0.0, driving=1.0)
FEWEST = replace(SHORTEST, vehicle=1e9)

HOT, COLD = 2.0, 0.1  # Heat at the beginning and the end, in average direct drives.
PATIENCE = 600  # Turns for each ride that let a search begin so hot; with fewer it begins cooler.
REGRET, BLINK = 0.3, 0.01
OUT_MAX, OUT_FEWER_MAX = 7, 16  # Rides taken out at a turn; and where a vehicle is to be spared.
SLICE_S = 0.02  # Between two looks at the clock.
SLICE_TURNS = 50
# When few vehicles are the goal: of the budget for doing with fewer at first, and for each new way to do with as few.
FEWER_SHARE, ROUND_SHARE = 0.2, 0.1
SPARE_VEHICLE = 2.5  # The price of one more for a while, in average direct drives.
PACKED_SHARE = 0.7  # Of the budget for making room, as long as somebody is without a place.
COMFORT_SHARE = 0.8  # Until then all levels are sought together; then what is below comfort, at nobody's cost,
CHILL = 0.05  # and from there on hardly anything that is dearer is taken, so that the end is never lost to the heat.
SHARED_TIMES = 10  # So often searches side by side take over the best of them.


class Watch(Protocol):
    """Seconds that only ever grow."""

    def monotonic(self) -> float: ...


@dataclass(frozen=True)
class Goal:
    """What is sought: comfort for all (a day's rides), the shortest drive, or the fewest vehicles and then that."""

    weights: Weights = COMFORT
    packs_first: bool = True
    wants_fewer: bool = False
    out_max: int = OUT_MAX

    @classmethod
    def distance(cls) -> "Goal":
        return cls(SHORTEST, packs_first=False)

    @classmethod
    def fewest_vehicles(cls) -> "Goal":
        return cls(FEWEST, packs_first=False, wants_fewer=True, out_max=OUT_FEWER_MAX)


@dataclass(frozen=True)
class Progress:
    """How a search stands: turns taken, the share of the budget used, and how many are without a place."""

    turns: int
    share: float
    unplaced: int


@dataclass(frozen=True)
class Improved:
    """The better plan, or the one it began with; the cost of both; how many turns it took."""

    plan: Plan
    before: Cost
    after: Cost
    turns: int

    @property
    def is_better(self) -> bool:
        return self.after < self.before


@dataclass
class _Budget:
    """Turns or seconds, whichever was given; and whether somebody said stop."""

    clock: Watch
    began: float
    seconds: float | None
    turns: int | None
    should_stop: Callable[[], bool]
    taken: int = 0

    def share(self) -> float:
        if self.should_stop():
            return 1.0
        if self.turns is not None:
            return self.taken / self.turns
        assert self.seconds is not None, "a budget has turns or seconds"
        return (self.clock.monotonic() - self.began) / self.seconds


@dataclass(frozen=True)
class _Cooling:
    """From hot to cold between two shares of the budget. `unit`: the price of an average direct drive."""

    began: float
    until: float
    unit: float
    hot: float

    def at(self, share: float) -> float:
        passed = (share - self.began) / max(self.until - self.began, 1e-9)
        return self.unit * self.hot * float((COLD / self.hot) ** passed)


@dataclass
class _Search:
    """One search on one sheet: where it stands, the best that it met, and its scratch."""

    state: State
    best: State
    desk: Desk
    trail: Trail
    chance: Array
    out_max: int
    slice_turns: int = SLICE_TURNS
    pace: float = 0.0  # Turns a second, lately.


def improve(
    problem: Problem,
    plan: Plan,
    *,
    seed: int = 0,
    budget_s: float | None = None,
    turns: int | None = None,
    clock: Watch,
    goal: Goal = Goal(),
    held: frozenset[str] = frozenset(),
    workers: int = 1,
    on_progress: Callable[[Progress], None] = lambda _progress: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Improved:
    """A plan at least as good, in so many seconds of search, or turns. Rides in `held` keep their vehicles, and so do
    those aboard, frozen or locked. `workers` search side by side in threads.

    Raises `Invalid` for a problem that makes no sense, or without a budget."""
    if (budget_s is None) == (turns is None) or (budget_s or turns or 0) <= 0:
        raise Invalid(Fault("budget", "give budget_s or turns, one of them, above 0"))
    weights = PACKED if goal.packs_first else goal.weights
    sheet = sheet_of(problem, plan, weights, held)
    before = cost_of_plan(problem, plan)
    if not sheet.ride_ids or not sheet.vehicles:
        return Improved(plan, before, before, 0)
    found: list[Plan] = []
    searches = [_begin(sheet, seed + number, goal.out_max) for number in range(workers)]
    flat = sheet.flat
    _warm_up(flat, searches[0])
    budget = _Budget(clock, clock.monotonic(), budget_s, turns, should_stop)
    if goal.wants_fewer:
        _use_fewest(sheet, searches, budget, goal, on_progress)
    if goal.packs_first:
        _anneal(flat, searches, budget, PACKED_SHARE, on_progress, ends_when_served=True)
        _anneal(weighed(sheet, goal.weights), searches, budget, COMFORT_SHARE, on_progress)
        flat = weighed(sheet, FIRM)
        found += _keep_the_better(sheet, flat, searches, before)
    _anneal(flat, searches, budget, 1.0, on_progress, chill=CHILL if goal.packs_first else 1.0)
    best = min((search.best for search in searches), key=lambda state: float(state.total[0]))
    best_plan = min(
        (plan, plan_of(sheet, best), *found), key=lambda one: (_cars(goal, one), cost_of_plan(problem, one))
    )
    return Improved(best_plan, before, cost_of_plan(problem, best_plan), budget.taken)


def _cars(goal: Goal, plan: Plan) -> tuple[int, int]:
    if not goal.wants_fewer:
        return 0, 0
    return len(plan.unplaced), sum(bool(manifest.stops) for manifest in plan.manifests)


def _keep_the_better(sheet: Sheet, flat: Flat, searches: list[_Search], before: Cost) -> list[Plan]:
    """What was found so far and is better on the levels, not only by their weights. Whoever gained on a lower level and
    lost on a higher one goes on from the plan as it was given."""
    better = []
    for search in searches:
        plan = plan_of(sheet, search.best)
        if cost_of_plan(sheet.index.problem, plan) < before:
            better.append(plan)
        else:
            kernel.copy_state(search.best, sheet.state)
            _go_back(flat, search)
    return better


def _begin(sheet: Sheet, seed: int, out_max: int) -> _Search:
    vehicles, nodes = sheet.state.rows.shape
    rides = len(sheet.ride_ids)
    search = _Search(
        state=kernel.make_state(vehicles, nodes - 4, rides),
        best=kernel.make_state(vehicles, nodes - 4, rides),
        desk=desk_of(sheet),
        trail=kernel.make_trail(vehicles, nodes - 4, rides),
        chance=kernel.make_chance(seed + 1),
        out_max=out_max,
    )
    kernel.copy_state(search.best, sheet.state)
    _go_back(sheet.flat, search)
    return search


def _warm_up(flat: Flat, search: _Search) -> None:
    """No turn at all: what compiling or loading the loops takes, seconds at the first time, is no part of a budget."""
    kernel.explore(
        flat, search.desk, search.state, search.best, search.trail, search.chance, 0, 1.0, search.out_max, REGRET, BLINK
    )


def _go_back(flat: Flat, search: _Search) -> None:
    """Search on from the best, by these weights, which may be new."""
    kernel.copy_state(search.state, search.best)
    kernel.renew(search.state)
    kernel.add_up(flat, search.desk, search.state)
    kernel.copy_state(search.best, search.state)
    search.trail.missed[:] = 1


def _anneal(
    flat: Flat,
    searches: list[_Search],
    budget: _Budget,
    until: float,
    on_progress: Callable[[Progress], None],
    *,
    ends_when_served: bool = False,
    chill: float = 1.0,
) -> None:
    """Each search on its own, cooling down; now and then all go on from the best of them."""
    for search in searches:
        _go_back(flat, search)
    cooling = _cooling(flat, searches[0], budget, until, chill)
    rounds = SHARED_TIMES if len(searches) > 1 else 1
    with ThreadPoolExecutor(len(searches)) as pool:
        for number in range(1, rounds + 1):
            end = cooling.began + (until - cooling.began) * number / rounds
            ends = [
                pool.submit(_cool, flat, search, budget, cooling, end, on_progress, ends_when_served)
                for search in searches
            ]
            for one in ends:
                one.result()
            _share_best(flat, searches)


def _cooling(flat: Flat, search: _Search, budget: _Budget, until: float, chill: float = 1.0) -> _Cooling:
    """From now to that share of the budget, as hot at first as there are turns to cool down again: what a few turns for
    each ride undo, they would not make good."""
    began, unit = budget.share(), _warmth(flat) * chill
    if budget.turns is not None:
        turns = budget.turns * (until - began)
    else:
        assert budget.seconds is not None, "a budget has turns or seconds"
        _turn(flat, search, budget, COLD * unit)
        turns = search.pace * budget.seconds * (until - began)
    patience = turns / (PATIENCE * len(search.state.home))
    return _Cooling(began, until, unit, max(COLD, HOT * math.sqrt(min(1.0, max(0.0, patience)))))


def _cool(
    flat: Flat,
    search: _Search,
    budget: _Budget,
    cooling: _Cooling,
    end: float,
    on_progress: Callable[[Progress], None],
    ends_when_served: bool,
) -> None:
    while (share := budget.share()) < end:
        unplaced = int((search.best.home < 0).sum())
        on_progress(Progress(budget.taken, share, unplaced))
        if ends_when_served and unplaced == 0:
            return
        _turn(flat, search, budget, cooling.at(share))


def _turn(flat: Flat, search: _Search, budget: _Budget, heat: float) -> None:
    """A slice of turns, about as long as SLICE_S."""
    count = search.slice_turns if budget.turns is None else min(SLICE_TURNS, max(1, budget.turns - budget.taken))
    began = budget.clock.monotonic()
    kernel.explore(
        flat, search.desk, search.state, search.best, search.trail, search.chance, count, heat, search.out_max, REGRET,
        BLINK,
    )  # fmt: skip
    took = max(budget.clock.monotonic() - began, 1e-6)
    search.pace = count / took
    search.slice_turns = max(1, min(5000, int(count * min(SLICE_S / took, 4))))
    budget.taken += count


def _share_best(flat: Flat, searches: list[_Search]) -> None:
    best = min(searches, key=lambda search: float(search.best.total[0]))
    for search in searches:
        if float(search.best.total[0]) > float(best.best.total[0]):
            kernel.copy_state(search.best, best.best)
            _go_back(flat, search)


def _use_fewest(
    sheet: Sheet, searches: list[_Search], budget: _Budget, goal: Goal, on_progress: Callable[[Progress], None]
) -> None:
    """Each search on its own: few vehicles first, then the shortest drive with so few."""
    direct = float(sheet.flat.rides[:, kernel.DIRECT].mean())
    lax = replace(goal.weights, vehicle=SPARE_VEHICLE * direct * goal.weights.driving)
    with ThreadPoolExecutor(len(searches)) as pool:
        ends = []
        for search in searches:
            may = sheet.flat.may.copy()
            firm, loose = (weighed(sheet, weights)._replace(may=may) for weights in (goal.weights, lax))
            ends.append(pool.submit(_in_rounds, firm, loose, search, budget, on_progress))
        for one in ends:
            one.result()


def _in_rounds(
    firm: Flat, loose: Flat, search: _Search, budget: _Budget, on_progress: Callable[[Progress], None]
) -> None:
    """With so few vehicles each plan is far from the next, and no search gets from one to the other: so for a while it
    may use some more, and must then do without them again. The best of all rounds is kept."""
    _use_fewer(firm, search, budget, FEWER_SHARE, 0)
    _anneal_alone(firm, search, budget, FEWER_SHARE + ROUND_SHARE / 2, on_progress)
    while budget.share() < 1 - ROUND_SHARE:
        kept, began = kernel.make_state(*_sizes(search)), budget.share()
        kernel.copy_state(kept, search.best)
        _anneal_alone(loose, search, budget, began + ROUND_SHARE * 0.5, on_progress)
        _go_back(firm, search)
        _use_fewer(firm, search, budget, began + ROUND_SHARE * 0.8, _used(kept))
        if _used(search.best) <= _used(kept):
            _anneal_alone(firm, search, budget, began + ROUND_SHARE, on_progress)
        _go_back(firm, search)
        if float(search.best.total[0]) > float(kept.total[0]):
            kernel.copy_state(search.best, kept)
            _go_back(firm, search)


def _anneal_alone(
    flat: Flat, search: _Search, budget: _Budget, until: float, on_progress: Callable[[Progress], None]
) -> None:
    _go_back(flat, search)
    cooling = _cooling(flat, search, budget, until)
    _cool(flat, search, budget, cooling, until, on_progress, ends_when_served=False)


def _use_fewer(flat: Flat, search: _Search, budget: _Budget, until: float, target: int) -> None:
    """Give up one vehicle after the other, as long as all whom it served find a place on the rest."""
    may = flat.may.copy()
    heat = _warmth(flat) * 0.3
    _go_back(flat, search)
    while budget.share() < until and _used(search.best) > target:
        goal = kernel.make_state(*_sizes(search))
        kernel.copy_state(goal, search.best)
        _give_up_one(flat, search, may)
        kept, search.best = search.best, goal
        kernel.copy_state(search.best, search.state)
        wanted = int((kept.home < 0).sum())
        while budget.share() < until and int((search.best.home < 0).sum()) > wanted:
            _turn(flat, search, budget, heat)
        if int((search.best.home < 0).sum()) > wanted:
            search.best = kept
            break
    flat.may[:] = may


def _used(state: State) -> int:
    return int((state.length > 0).sum())


def _warmth(flat: Flat) -> float:
    """The price of an average direct drive."""
    return float(flat.rides[:, kernel.DIRECT].mean()) * float(flat.price[kernel.BY_DRIVING])


def _give_up_one(flat: Flat, search: _Search, may: Array) -> None:
    """The vehicle with the fewest stops loses its rides, and all that stand idle stay so."""
    state = search.state
    _go_back(flat, search)
    used = [v for v in range(len(state.length)) if state.length[v] > 0]
    v = min(used, key=lambda car: int(state.length[car]))
    flat.may[:] = may
    flat.may[:, state.length == 0] = False
    flat.may[:, v] = False
    state.home[state.home == v] = -1
    state.length[v] = 0
    kernel.add_up(flat, search.desk, state)


def _sizes(search: _Search) -> tuple[int, int, int]:
    vehicles, nodes = search.state.rows.shape
    return vehicles, nodes - 4, len(search.state.home)
