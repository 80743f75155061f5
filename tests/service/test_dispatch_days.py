"""Whole days from a seed: whatever comes in whatever order, every open pickup is in exactly one car or on the list of
the unplaced, every plan is valid, and nothing breaks."""

import random
from dataclasses import replace
from datetime import timedelta

import pytest

from dispatched import CONFERENCE, Dispatched, a_pickup, changed, withdrawn
from softlanding.dispatch import plans, store
from softlanding.dispatch.actions import fleet, taps
from softlanding.dispatch.actions import pickups as hand
from softlanding.errors import Forbidden, Invalid, NotFound, Refused
from softlanding.messaging import dead_letters

PLACES = ("HAM", "venue", "hotel", "Grand Hotel")


class Day:
    """A house of Dispatch and a die."""

    def __init__(self, here, seed):
        self.here, self.rng = here, random.Random(seed)
        self.asked = {}
        self.turns = [self.ask, self.ask, self.change, self.withdraw, self.tap, self.tap, self.tap, self.move]
        self.turns += [
            self.take_back,
            self.unlock,
            self.pass_time,
            self.pass_time,
            self.shrink,
            self.end_shift,
            self.die,
        ]

    def turn(self):
        """One thing happens; a refusal in words is an answer."""
        try:
            self.rng.choice(self.turns)()
        except (Refused, Forbidden, Invalid, NotFound):
            pass
        self.here.house.run()

    def ask(self):
        number = len(self.asked) + 1
        lands = self.here.now + timedelta(minutes=self.rng.randrange(-60, 180))
        fact = a_pickup(
            number,
            landing_at=lands,
            from_place=self.rng.choice(PLACES[:3]),
            to_place=self.rng.choice(PLACES),
            party=self.rng.choice((1, 1, 1, 2, 3, 5)),
            deadline_at=self.rng.choice((None, lands + timedelta(minutes=self.rng.randrange(40, 200)))),
            talk="T1",
        )
        self.asked[number] = fact
        self.here.tell(fact)

    def some(self):
        return self.rng.choice(sorted(self.asked)) if self.asked else 1

    def change(self):
        if not self.asked:
            return
        number = self.some()
        later = self.asked[number].landing_at + timedelta(minutes=self.rng.randrange(-30, 90))
        fact = changed(
            self.asked[number],
            landing_at=later,
            expires_at=later + timedelta(hours=2),
            to_place=self.rng.choice(PLACES),
        )
        self.asked[number] = fact
        self.here.tell(fact)

    def withdraw(self):
        if self.asked and self.rng.random() < 0.4:
            number = self.some()
            self.asked[number] = withdrawn(self.asked[number])
            self.here.tell(self.asked[number])

    def tap(self):
        pickup = self.here.read(store.find_pickup, f"pickup-{self.some()}")
        if pickup is None:
            return
        steps = {"planned": "accepted", "accepted": "arrived", "arrived": "boarded", "boarded": "delivered"}
        what = steps.get(pickup.status, "boarded") if self.rng.random() < 0.8 else self.rng.choice(taps.model.TAPS)
        at = self.here.now - timedelta(minutes=self.rng.choice((0, 0, 0, 5, 30)))
        self.here.act(taps.tap, self.here.desk, CONFERENCE, pickup.code, what, at)

    def move(self):
        car = f"V{self.rng.randrange(1, 4)}"
        self.here.act(hand.assign, self.here.desk, CONFERENCE, f"K7Q{self.some()}", car, reason="x", by="Ana")

    def take_back(self):
        self.here.act(hand.take_back, self.here.desk, CONFERENCE, f"K7Q{self.some()}", reason="x", by="Ana")

    def unlock(self):
        self.here.act(hand.unlock, self.here.desk, CONFERENCE, f"K7Q{self.some()}", reason="x", by="Ana")

    def pass_time(self):
        self.here.house.clock.advance(self.rng.choice((10, 60, 600, 1800, 3600)))

    def shrink(self):
        cars = self.here.read(store.load_vehicles, CONFERENCE)
        if cars and self.rng.random() < 0.3:
            car = cars[self.rng.choice(sorted(cars))]
            self.here.act(fleet.save_vehicle, self.here.desk, replace(car, seats=self.rng.choice((2, 3, 4))))

    def end_shift(self):
        if self.rng.random() < 0.2:
            shift = self.rng.choice(sorted(self.here.read(store.load_shifts, CONFERENCE)) or [""])
            self.here.act(fleet.remove_shift, self.here.desk, CONFERENCE, shift)
        elif self.rng.random() < 0.3:
            number = 10 + len(self.here.shifts)
            self.here.add_car(number)

    def die(self):
        if self.rng.random() < 0.3:
            self.here.house.kill("dispatch")
            self.here.house.start("dispatch")

    def check(self):
        here = self.here
        here.check_places()
        assert [(one.reason, one.subject) for one in here.read(dead_letters.list_parked)] == []
        for number, fact in self.asked.items():
            assert fact.revision in [revision for _, revision in here.said(number)], f"no word about {fact}"
        for pickup in here.read(store.list_pickups, CONFERENCE):
            assert pickup.status == "boarded" or not pickup.is_open or pickup.due_at > here.now
        self.check_plan()

    def check_plan(self):
        """What is loaded from the tables is a plan in which the validator finds no fault."""
        row = self.here.read(store.load_plan, CONFERENCE)
        loaded = self.here.read(plans.load_hand, self.here.now, self.here.desk.settings, row)
        assert [plans.violations_of(loaded, shift) for shift in loaded.shifts] == [[]] * len(loaded.shifts)


@pytest.mark.parametrize("seed", range(6))
def test_a_day_from_a_seed(tmp_path, monkeypatch, seed):
    day = Day(Dispatched(tmp_path, monkeypatch), seed)
    for _ in range(70):
        day.turn()
    day.check()
