"""What people do meanwhile: each request comes by a key through the same actions as at the doors, and may come again.

A request whose answer never came is sent again, as people and programs do; one that was answered is sometimes sent
again too, and must be answered the same.
"""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from softlanding import keys
from softlanding.database import Transaction
from softlanding.dispatch import store as dispatch_store
from softlanding.dispatch.actions import imports, taps
from softlanding.dispatch.actions import pickups as rides
from softlanding.dispatch.plans import Desk
from softlanding.errors import Conflict, Forbidden, Invalid, NotFound, Refused, Unavailable
from softlanding.incidents import Incident, list_incidents, settle_incident
from softlanding.schedule import store as schedule_store
from softlanding.schedule.actions import journeys, programme
from softlanding.schedule.actions import pickups as asking
from softlanding.schedule.model import PROMISE, News
from softlanding.sim import scene
from softlanding.sim.checks import Answer
from softlanding.sim.parts import Killed
from softlanding.sim.process import Process
from softlanding.sim.world import World

CONFERENCE = "softconf"
ANSWERS_NO = (Refused, NotFound, Conflict, Invalid, Forbidden)
BY = "Olga"
PICKUPS_MAX = 24  # Enough for every quarrel, and few enough for a quick look at all of them.
TAPS = ("accepted", "arrived", "boarded", "delivered", "no_show")
NEXT_TAP = dict(pairwise(("planned", *TAPS[:4])))
Action = Callable[..., dict[str, Any]]


@dataclass
class Wish:
    """One request: the same key and the same values each time it is sent."""

    service: str
    door: str
    key: str
    action: Action
    args: tuple[Any, ...]
    kw: dict[str, Any] = field(default_factory=dict)
    needs_desk: bool = False


@dataclass
class Workload:
    """People, and what they remember of their requests."""

    world: World
    rng: random.Random
    sent: int = 0
    unknown: list[Wish] = field(default_factory=list)  # No answer came.
    answered: list[Wish] = field(default_factory=list)
    refused: int = 0

    def set_up(self) -> None:
        """The conference, its places and its fleet, before anything breaks."""
        for wish in (
            self._wish("schedule", "import programme", programme.import_programme, scene.programme()),
            self._wish("schedule", "release", programme.release_draft, CONFERENCE, by=BY),
            self._wish("dispatch", "import places", imports.import_places, CONFERENCE, scene.places(), desk=True),
            self._wish("dispatch", "import fleet", imports.import_fleet, CONFERENCE, scene.fleet(), desk=True),
        ):
            self.send(wish)
            process = self.world.at_work(wish.service)[0]
            while wish.key in process.tasks:
                self.world.advance(process, wish.key)
            assert wish in self.answered, f"{wish.door} failed"

    def step(self) -> None:
        """Somebody does something; or does again what was not answered, or was."""
        chance = self.rng.random()
        if self.unknown and chance < 0.4:
            self.send(self.unknown.pop(self.rng.randrange(len(self.unknown))))
        elif self.answered and chance < 0.5:
            self.send(self.rng.choice(self.answered))
        else:
            wish = self._think()
            if wish is not None:
                self.send(wish)
                if self.rng.random() < 0.1:
                    self.send(wish)  # A double click.

    def send_the_rest(self) -> None:
        """Whoever got no answer asks once more, now that all is calm."""
        waiting, self.unknown = self.unknown, []
        for wish in waiting:
            self.send(wish)

    def send(self, wish: Wish) -> None:
        """To a process of the service that takes requests; nobody there: it is sent again later."""
        takers = self.world.at_work(wish.service)
        if not takers:
            self._remember(wish)
            return
        process = self.rng.choice(takers)
        name = self._free_name(process, wish.key)
        self.world.trace.say(f"ask {process.name} {wish.door} {wish.key}")

        is_repeat = wish.key in self.world.record.answers

        def done(result: Any, error: BaseException | None) -> None:
            self._hear(wish, result, error, is_repeat=is_repeat)

        self.world.on_done[name] = done
        process.start(name, _ask(process, wish))

    def _free_name(self, process: Process, key: str) -> str:
        name = key
        while name in process.tasks or name in self.world.on_done:
            name += "+"
        return name

    def _hear(self, wish: Wish, result: Any, error: BaseException | None, *, is_repeat: bool) -> None:
        if error is not None:
            assert isinstance(error, Killed | Unavailable | Exception)
            self._remember(wish)
            return
        body, said_no = result
        answer = Answer(wish.service, wish.door, wish.key, json.dumps(body, sort_keys=True, default=str))
        record = self.world.record
        self.world.trace.say(f"answer {wish.key} {said_no or answer.body}")
        if said_no is not None:
            self.refused += 1
            if is_repeat:
                self.world.violations.append(f"{wish.door} {wish.key} was answered, and then refused: {said_no}")
            if wish.key not in record.answers:  # Of two clicks at once the first may be refused, and the second not.
                record.refused[wish.key] = answer
            return
        record.refused.pop(wish.key, None)
        self.world.violations += self.world.checker.answered(answer)
        if wish not in self.answered:
            self.answered.append(wish)

    def _remember(self, wish: Wish) -> None:
        if wish not in self.unknown and wish not in self.answered:
            self.unknown.append(wish)

    def _wish(self, service: str, door: str, action: Action, *args: Any, desk: bool = False, **kw: Any) -> Wish:
        self.sent += 1
        return Wish(service, door, f"key-{self.sent}", action, args, kw, desk)

    # What people think of

    def _think(self) -> Wish | None:
        ideas: tuple[tuple[int, Callable[[], Wish | None]], ...] = (
            (6, self._announce),
            (3, self._change),
            (2, self._withdraw),
            (3, self._flight_news),
            (2, self._table),
            (1, self._take_by_hand),
            (2, self._announce_and_fail),
            (3, self._assign),
            (2, self._take_back),
            (2, self._unlock),
            (3, self._settle),
            (6, self._tap),
        )
        ((_, idea),) = self.rng.choices(ideas, [weight for weight, _ in ideas])
        return idea()

    def _announce(self) -> Wish | None:
        if len(self._journeys()) >= PICKUPS_MAX:
            return None
        speaker = self.rng.choice(scene.speakers())
        arrival = self._arrival()
        return self._wish("schedule", "announce", journeys.announce_arrival, CONFERENCE, speaker, arrival, PROMISE)

    def _announce_and_fail(self) -> Wish | None:
        """Two in one request, and the second one is wrong: nothing of it may happen."""
        speaker, arrival = self.rng.choice(scene.speakers()), self._arrival()
        values = (journeys.announce_arrival, CONFERENCE, speaker, arrival, PROMISE)
        return self._wish("schedule", "announce two", _and_then_refuse, *values)

    def _change(self) -> Wish | None:
        journey = self._some(self._journeys())
        if journey is None:
            return None
        return self._wish(
            "schedule", "change", journeys.change_arrival, CONFERENCE, journey.id, self._arrival(), PROMISE
        )

    def _withdraw(self) -> Wish | None:
        journey = self._some(self._journeys())
        if journey is None:
            return None
        values = (journeys.withdraw_arrival, CONFERENCE, journey.id)
        return self._wish("schedule", "withdraw", *values, reason="comes by bicycle")

    def _flight_news(self) -> Wish | None:
        journey = self._some(self._journeys())
        if journey is None:
            return None
        state = self.rng.choice(("on_time", "late", "late", "landed", "cancelled"))
        expected_at = journey.expected_at + timedelta(minutes=self.rng.randint(-20, 90)) if state == "late" else None
        news = News(state, expected_at, self.world.time.wall)
        return self._wish("schedule", "news", journeys.enter_flight_news, CONFERENCE, journey.id, news, PROMISE)

    def _table(self) -> Wish | None:
        chosen = sorted(self.rng.sample(scene.speakers(), 2))
        rows = scene.table(chosen, self._landing(), 100 + self.sent % 800)
        return self._wish("schedule", "table", journeys.import_arrivals, CONFERENCE, rows, PROMISE)

    def _take_by_hand(self) -> Wish | None:
        journey = self._some([one for one in self._journeys() if one.pickup])
        if journey is None:
            return None
        return self._wish(
            "schedule", "by hand", asking.take_by_hand, CONFERENCE, journey.pickup, by=BY, word="Ana's car"
        )

    def _assign(self) -> Wish | None:
        ride = self._some(self._rides())
        if ride is None:
            return None
        vehicle = self.rng.choice(scene.VEHICLES)
        values = (rides.assign, CONFERENCE, ride.code, vehicle)
        return self._wish("dispatch", "assign", *values, desk=True, reason="closer", by=BY)

    def _take_back(self) -> Wish | None:
        ride = self._some(self._rides())
        if ride is None:
            return None
        return self._wish(
            "dispatch", "take back", rides.take_back, CONFERENCE, ride.code, desk=True, reason="no", by=BY
        )

    def _unlock(self) -> Wish | None:
        ride = self._some([one for one in self._rides() if one.is_pinned or one.is_held])
        if ride is None:
            return None
        return self._wish("dispatch", "unlock", rides.unlock, CONFERENCE, ride.code, desk=True, reason="yes", by=BY)

    def _tap(self) -> Wish | None:
        """A driver's word: mostly the next one, sometimes any, sometimes late."""
        ride = self._some(self._rides())
        if ride is None:
            return None
        what = NEXT_TAP.get(ride.status, "accepted") if self.rng.random() < 0.8 else self.rng.choice(TAPS)
        late_s = self.rng.choice((0, 0, 1, 40, 600))
        at = self.world.time.wall - timedelta(seconds=late_s)
        return self._wish("dispatch", "tap", taps.tap, CONFERENCE, ride.code, what, at, desk=True, by=BY)

    def _settle(self) -> Wish | None:
        service = self.rng.choice(("dispatch", "statistics", "schedule"))
        incident = self._some(self._look(service, list_incidents, is_open=True) or [])
        if incident is None:
            return None
        self.world.record.settled.add(incident.id)
        return self._wish(service, "settle", _settle_one, incident.id, by=BY, word=incident.words[0])

    # What they see

    def _arrival(self) -> Any:
        return scene.arrival(
            number=1 + self.sent,
            landing_at=self._landing(),
            to_place=self.rng.choice(scene.HOTELS),
            party=self.rng.choice((1, 1, 1, 2, 3, 9)),
            luggage=self.rng.randint(0, 3),
            wheelchairs=int(self.rng.random() < 0.1),
        )

    def _landing(self) -> datetime:
        return self.world.time.wall + timedelta(minutes=self.rng.choice((-120, -60, -10, 5, 20, 40, 60, 90, 150, 240)))

    def _journeys(self) -> list[Any]:
        return self._look("schedule", schedule_store.journeys.list_open, CONFERENCE) or []

    def _rides(self) -> list[Any]:
        return self._look("dispatch", dispatch_store.list_pickups, CONFERENCE) or []

    def _look(self, service: str, view: Callable[..., Any], *args: Any, **kw: Any) -> Any:
        takers = self.world.at_work(service)
        return takers[0].work.database.read_now(view, *args, **kw) if takers else None  # type: ignore[union-attr]

    def _some(self, things: list[Any]) -> Any:
        return self.rng.choice(things) if things else None


async def _ask(process: Process, wish: Wish) -> tuple[dict[str, Any] | None, str | None]:
    """As a door does it: the answer, or why not."""
    assert process.database is not None
    desk = (Desk(process.settings.dispatch),) if wish.needs_desk else ()
    try:
        body = await process.database.write(
            keys.once, keys.Key(wish.key, wish.door), wish.action, *desk, *wish.args, **wish.kw
        )
    except ANSWERS_NO as error:
        return None, str(error)
    return body, None


def _and_then_refuse(tx: Transaction, now: datetime, action: Action, *args: Any) -> dict[str, Any]:
    action(tx, now, *args)
    raise Refused("the second one cannot be")


def _settle_one(tx: Transaction, now: datetime, identity: str, *, by: str, word: str) -> dict[str, Any]:
    settled: Incident = settle_incident(tx, now, identity, by=by, word=word)
    return {"incident": settled.id, "word": settled.settled_word}
