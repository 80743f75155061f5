"""Makes the pictures of docs/images anew: `PYTHONPATH=tests python tests/browser/screenshots.py`.

They show the sample conference on a day made up for them, so that they do not depend on the hour: eight cars, a dozen
arrivals, taps, a Dispatch that was killed while it was needed, and somebody whose time ended meanwhile.
"""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from functools import partial
from pathlib import Path

from playwright.sync_api import Page, expect

from browser.stage import BASE, BOARD, ENDS_AFTER, Cars, Stage, a_stage, opened
from softlanding.drills.dispatcher_dies import open_missed
from softlanding.sample import sample
from waiting import wait_until

IMAGES = Path(__file__).parents[2] / "docs" / "images"
BYTES_MAX = 300_000
LANDINGS = (-35, -35, -34, 5, 25, 25, 50, 70, 95, 95, 120, 150, 180, 200, 240)  # Minutes from now.
TAPS = (("accepted", "arrived", "boarded", "delivered"), ("accepted", "arrived", "boarded"), ("accepted", "arrived"))
DEAD_FROM = timedelta(seconds=2)  # So long before somebody's time ends Dispatch is killed, and then kept down.


def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    with a_stage(_cars()) as stage:
        driver, chosen = _play_the_morning(stage)
        phone = opened(stage.stranger(360), stage.driver_link(driver))
        _kill_while_needed(stage)
        _take(opened(stage.stranger(), f"{BASE}/"), "programme")
        operations, board = opened(stage.person(), "/operations/"), opened(stage.person(), f"{BOARD}?pickup={chosen}")
        expect(operations.locator(".alarm").filter(has_text="3 pickups recovered, 1 expired")).to_be_visible()
        _take(operations, "operations")
        _take(board, "board")
        _take(phone, "drive")


def _cars() -> Cars:
    """The sample's own, each with the driver of its first shift."""
    rows = {row.vehicle: row for row in reversed(sample(date(2026, 9, 17)).fleet)}
    return tuple(
        (row.vehicle, row.plate, row.seats, row.driver) for row in sorted(rows.values(), key=lambda r: r.plate)
    )


def _play_the_morning(stage: Stage) -> tuple[str, str]:
    """Arrivals and taps; who drives the ride that was tapped last, and a ride to come."""
    pickups = [stage.arrival(stage.here.clock.now() + timedelta(minutes=minutes))[0] for minutes in LANDINGS]
    for pickup in pickups:
        stage.placed(pickup)
    for pickup, taps in zip(pickups, TAPS, strict=False):
        for tap in taps:
            stage.api("POST", f"/api/dispatch{BASE}/pickups/{pickup}/taps", json={"tap": tap})
    found = stage.api("GET", f"/api/dispatch{BASE}/board")["vehicles"]
    last = pickups[len(TAPS) - 1]
    driver = next(car["driver"]["name"] for car in found for ride in car["rides"] if ride["code"] == last)
    return driver, pickups[7]


def _kill_while_needed(stage: Stage) -> None:
    """Four ask in the moment in which Dispatch dies; the time of one of them ends before it is back."""
    clock, ends_at = stage.here.clock, stage.began + ENDS_AFTER
    wait_until(lambda: clock.now() > ends_at - DEAD_FROM, ENDS_AFTER.total_seconds(), "the moment to kill it")
    soon = clock.now() + timedelta(minutes=60)
    kill = stage.here.kill("dispatch")
    with ThreadPoolExecutor(4) as people:
        asked = [people.submit(stage.arrival, landing) for landing in (stage.landed, soon, soon, soon)]
        kills = stage.here.keep_down(kill, lambda: clock.now() > ends_at and all(one.done() for one in asked))
    stage.here.wait_working("dispatch", kills[-1].pid)
    wait_until(partial(open_missed, stage.here), 20, "one is missed")
    stage.here.wait_calm()


def _take(page: Page, name: str) -> None:
    page.wait_for_function("document.fonts.ready.then(() => true)")
    if page.locator("#age").count():
        expect(page.locator("#age")).to_contain_text("live")
    path = IMAGES / f"{name}.png"
    page.screenshot(path=path)
    assert path.stat().st_size < BYTES_MAX, f"{path.name} has {path.stat().st_size} bytes"


if __name__ == "__main__":
    main()
