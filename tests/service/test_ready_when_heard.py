"""`softlanding up` says ready when a click cannot come too early: everybody has heard of the conference."""

import asyncio

import httpx
import pytest

from browsers import press_sign_in
from clocks import HandClock
from softlanding.app.hearing import WITHIN_S, has_heard, wait_until_heard
from softlanding.drills.counting import run_sql
from softlanding.drills.installation import throw_away
from waiting import wait_until

SCHEDULE = {"life": "b", "number": 7}


def heard(epoch, sequence, halted=None):
    return {"inboxes": {"schedule": {"epoch": epoch, "sequence": sequence, "halted": halted}}}


def test_who_stands_at_schedules_last_number_has_heard():
    assert has_heard(heard("b", 7), SCHEDULE)
    assert has_heard(heard("b", 8), SCHEDULE), "it has told more since it was asked"
    assert not has_heard(heard("b", 6), SCHEDULE)
    assert not has_heard(heard("a", 9), SCHEDULE), "of the life before"
    assert not has_heard(heard(None, None), SCHEDULE)


def test_who_does_not_answer_has_not_heard_and_who_stands_still_is_not_waited_for():
    assert not has_heard({}, SCHEDULE)
    assert not has_heard(heard("b", 7), {})
    assert has_heard(heard("a", 3, halted="the code is broken"), SCHEDULE)


def test_a_service_that_is_down_holds_nobody_for_ever():
    clock, gone = HandClock(), "http://127.0.0.1:1/-/x/state"
    began = clock.monotonic()
    assert not asyncio.run(wait_until_heard(dict.fromkeys(("schedule", "dispatch", "statistics"), gone), clock))
    assert clock.monotonic() - began <= WITHIN_S


def test_a_programme_that_is_yet_to_be_made_is_waited_for():
    clock, looks = HandClock(), iter([False, False, True])
    began = clock.monotonic()
    assert not asyncio.run(wait_until_heard({}, clock, is_served=lambda: False))
    assert clock.monotonic() - began > WITHIN_S / 2, "as long as can be waited for"
    assert asyncio.run(wait_until_heard({}, clock, is_served=lambda: next(looks)))
    assert not list(looks), "asked until it was there"


@pytest.mark.timeout(90)
def test_a_click_right_after_ready_finds_the_conference_everywhere(tmp_path):
    with throw_away(words=("--without-nats",), folder=tmp_path) as here:  # By the feed alone facts take longest.
        ready = here.start()
        with httpx.Client(base_url=ready["address"], timeout=15, trust_env=False) as browser:
            press_sign_in(browser, ready["sign_in"].rpartition("/")[2])
            places = ("/softconf/", "/softconf/dispatch/", "/softconf/statistics/", "/softconf/organise/")
            answers = {place: browser.get(place).status_code for place in places}
        here.stop()
    assert answers == dict.fromkeys(places, 200)


@pytest.mark.timeout(90)
def test_who_says_ready_has_noted_it(tmp_path):
    """Killed right afterwards it was a life that worked, and no attempt of the outage before it."""
    with throw_away(words=("--without-nats",), folder=tmp_path) as here:
        here.start()
        kill = here.kill("dispatch")
        here.wait_working("dispatch", kill.pid)
        noted = [row["life"] for row in run_sql(here.data, "dispatch", "SELECT life FROM readiness")]
        assert here.state("dispatch")["life"] in noted
        here.stop()


SLOW = """
import asyncio, softlanding.app.serve as serve
set_up = serve.ServiceProcess._set_up
async def slow(self, work):
    if (self.settings.data_folder / f"slow-{self.name}").exists():
        await asyncio.Event().wait()
    await set_up(self, work)
serve.ServiceProcess._set_up = slow
"""


@pytest.mark.timeout(120)
def test_a_life_that_is_stopped_while_it_starts_says_goodbye(tmp_path):
    """Whoever presses Ctrl-C during a start finds no death at the next one."""
    with throw_away(words=("--without-nats",), folder=tmp_path, plant=SLOW) as here:
        here.start()
        (here.data / "slow-dispatch").touch()
        lives = "SELECT epoch, ended_at FROM lives ORDER BY began_at"
        before = len(run_sql(here.data, "dispatch", lives))
        here.kill("dispatch")
        wait_until(lambda: len(run_sql(here.data, "dispatch", lives)) > before)
        here.stop()
        assert run_sql(here.data, "dispatch", lives)[before]["ended_at"] is not None
