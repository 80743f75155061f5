"""The main job as people do it, in a real browser, against the whole system: one installation for all of these."""

import re
import threading
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from browser.stage import ARRIVALS, BASE, BOARD, CHROMIUM, FLEET, SOON, Stage, a_stage, opened
from softlanding.drills.sending import HOTEL

LIVE_MS = 3_000  # "Within a second", on a machine that does other things too; a page that only polls needs 25 s.
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]}}
STAFF_PAGES = (
    f"{BASE}/",
    f"{BASE}/changes",
    f"{BASE}/organise/",
    ARRIVALS,
    f"{BASE}/organise/speakers",
    f"{BASE}/organise/people",
    BOARD,
    FLEET,
    f"{BASE}/dispatch/places",
    f"{BASE}/dispatch/print",
    f"{BASE}/statistics/",
    "/operations/",
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not CHROMIUM.exists(),
        reason="THE MAIN JOB IS NOT CHECKED IN A BROWSER: /usr/bin/chromium is missing (apt-get install chromium)",
    ),
]


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with a_stage() as made:
        made.too_late = made.arrival(made.landed)[0]
        yield made


@pytest.fixture(autouse=True)
def _windows_are_closed(stage: Stage) -> Iterator[None]:
    yield
    for context in stage.browser.contexts:
        context.close()


def test_a_sign_in_link_works_once(stage: Stage) -> None:
    link = f"/sign-in/{stage.here.signing().sign_in_token()}"
    first = opened(stage.stranger(), link)
    first.get_by_role("button", name="Sign in").click()
    expect(first.get_by_role("heading", name="Dispatch", exact=True)).to_be_visible()
    second = opened(stage.stranger(), link)
    if second.get_by_role("button", name="Sign in").count():
        second.get_by_role("button", name="Sign in").click()
    expect(second.get_by_role("heading", name="This link does not sign you in")).to_be_visible()


def test_an_arrival_pressed_twice_is_one_arrival(stage: Stage) -> None:
    _, name = speaker = next(stage.speakers)
    page = opened(stage.person(), ARRIVALS)
    fill_arrival(page, stage, name)
    page.get_by_role("button", name="Add and ask for a pickup").dblclick()
    row = page.locator("#journeys tr", has_text=name).filter(has_text="SL7002")
    expect(row).to_contain_text("planned", timeout=LIVE_MS + 5_000)
    expect(row).to_have_count(1)
    known = stage.api("GET", f"/api/schedule{BASE}/arrivals")
    assert [arrival["number"] for arrival in known if arrival["speaker"]["code"] == speaker[0]].count("SL7002") == 1


def test_an_arrival_is_entered_and_the_programme_read_without_scripts(stage: Stage) -> None:
    _, name = next(stage.speakers)
    without = stage.person(java_script_enabled=False)
    page = opened(without, ARRIVALS)
    fill_arrival(page, stage, name)
    page.get_by_role("button", name="Add and ask for a pickup").click()
    expect(page.get_by_role("status").first).to_contain_text(f"{name} is asked for")
    expect(page.locator("#journeys tr", has_text=name).filter(has_text="SL7002")).to_have_count(1)
    page.goto(f"{BASE}/")
    expect(page.get_by_role("link", name="Everything I know about falling")).to_be_visible()
    page.goto(BOARD)
    expect(page.locator("#vehicles")).to_contain_text("Bus One")


def test_a_table_of_arrivals_is_tried_and_its_faulty_rows_are_named(stage: Stage) -> None:
    (code, _), (other, _) = next(stage.speakers), next(stage.speakers)
    day = stage.began.date().isoformat()
    head = "speaker,number,date,airport,landing time,party,luggage,wheelchair,to"
    rows = [f"{code},SL 7003,{day},HAM,23:50,1,1,no,{HOTEL}", f"{other},SL 7003,{day},HAM,25:99,1,1,no,{HOTEL}"]
    page = opened(stage.person(), ARRIVALS)
    table = {"name": "arrivals.csv", "mimeType": "text/csv", "buffer": "\n".join([head, *rows, ""]).encode()}
    page.get_by_label("File").set_input_files(table)
    page.locator("#import").get_by_role("button", name="Import").click()
    report = page.locator("section", has=page.get_by_role("heading", name="Would happen: arrivals.csv"))
    expect(report).to_contain_text("1 new")
    expect(report).to_contain_text("Row 3")
    expect(report).to_contain_text("Nothing was changed")
    assert not [found for found in stage.api("GET", f"/api/schedule{BASE}/arrivals") if found["number"] == "SL7003"]


def test_a_move_needs_a_reason_and_is_shown(stage: Stage) -> None:
    pickup, name, _ = stage.ride("Bus One")
    known, page = len(stage.history(pickup)), opened(stage.person(), f"{BOARD}?pickup={pickup}")
    detail = page.locator("#detail")
    detail.get_by_role("radio", name="Bus Two").check()
    detail.get_by_role("button", name="Move").click()
    expect(detail.get_by_label("Reason").first).to_be_focused()  # The browser asks for it; nothing was sent.
    assert len(stage.history(pickup)) == known
    detail.get_by_label("Reason").first.fill("Bus One needs fuel")
    detail.get_by_role("button", name="Move").click()
    lane = page.locator("[data-vehicle]", has_text="Bus Two")
    expect(lane.get_by_role("link", name=re.compile(name)).first).to_be_visible()
    expect(detail).to_contain_text("placed by a person")
    expect(detail).to_contain_text("Bus One needs fuel")
    detail.get_by_text("Take the ride back").click()
    taking_back = detail.locator("details", has_text="Take the ride back")
    taking_back.get_by_label("Reason").fill("They take the train")
    taking_back.get_by_role("button", name="Take back").click()
    expect(page.locator("#queue")).to_contain_text(name)


def test_a_tap_is_seen_by_coordinator_speaker_and_statistics_at_once(stage: Stage) -> None:
    pickup, name, code = stage.ride("Bus Two", SOON)
    board, counted = opened(stage.person(), f"{BOARD}?pickup={pickup}"), opened(stage.person(), f"{BASE}/statistics/")
    speaker = opened(stage.stranger(360), stage.speaker_link(code))
    followed = opened(stage.person(), f"{BASE}/follow/{pickup}")
    driver = opened(stage.stranger(360), stage.driver_link("Driver of Bus Two"))
    expect(driver.get_by_role("heading", name=name)).to_be_visible()
    for button, word in (("I take this ride", "accepted"), ("I have arrived", "driver there"), ("Picked up", "aboard")):
        driver.get_by_role("button", name=button).press("Enter")  # By finger, a press that soon after the last is none.
        expect(board.locator("#detail .chip").first).to_contain_text(word, timeout=LIVE_MS)
        expect(speaker.locator("#journey .chip").last).to_contain_text(word, timeout=LIVE_MS)
        expect(counted.locator("#facts li", has_text=pickup).first).to_contain_text("Dispatch", timeout=LIVE_MS)
    expect(followed.locator("#story .chip").first).to_contain_text("aboard", timeout=LIVE_MS)
    expect(counted.locator("#numbers")).to_contain_text("aboard")
    driver.get_by_role("button", name="Dropped off").click()
    expect(board.locator("#detail .chip").first).to_contain_text("delivered", timeout=LIVE_MS)


def test_a_tap_made_offline_is_kept_and_sent_once(stage: Stage) -> None:
    pickup, name, _ = stage.ride("Bus Three", SOON)
    context = stage.stranger(360)
    driver = opened(context, stage.driver_link("Driver of Bus Three"))
    context.set_offline(True)
    driver.get_by_role("button", name="I take this ride").click()
    expect(driver.locator("#outbox")).to_contain_text(f"Taken, {name}: saved")
    expect(driver.locator("[data-step=accepted]").first).not_to_have_class("done")
    assert said(stage, pickup, "the driver took it") == 0
    context.set_offline(False)
    expect(driver.locator("[data-step=accepted]").first).to_have_class("done", timeout=15_000)
    driver.reload()
    expect(driver.get_by_role("button", name="I have arrived")).to_be_visible()
    assert said(stage, pickup, "the driver took it") == 1


@pytest.mark.parametrize("address", [f"{BASE}/", BOARD, "/operations/", ARRIVALS])
def test_axe_finds_nothing_on_real_pages(stage: Stage, address: str) -> None:
    assert violations(opened(stage.person(), address)) == []


def test_axe_finds_nothing_on_a_driver_s_page_and_a_pickup_s_story(stage: Stage) -> None:
    pickup, _, _ = stage.ride("Bus One")
    assert violations(opened(stage.stranger(), stage.driver_link("Driver of Bus One"))) == []
    assert violations(opened(stage.person(), f"{BASE}/follow/{pickup}")) == []


def test_no_page_scrolls_sideways_on_a_phone(stage: Stage) -> None:
    pickup, _, code = stage.ride("Bus One")
    page = stage.person(360).new_page()
    wide = {}
    personal = (stage.driver_link("Driver of Bus One"), stage.speaker_link(code), f"{BASE}/follow/{pickup}")
    for address in (*STAFF_PAGES, f"{BOARD}?pickup={pickup}", *personal):
        page.goto(address)
        wide[address] = page.evaluate("document.documentElement.scrollWidth")
    assert {address: width for address, width in wide.items() if width > 360} == {}


def test_who_asks_while_dispatch_is_down_waits_and_is_planned_when_it_is_back(stage: Stage) -> None:
    page, operations = opened(stage.person(), ARRIVALS), opened(stage.person(), "/operations/")
    _, name = next(stage.speakers)
    fill_arrival(page, stage, name)
    row = page.locator("#journeys tr", has_text=name).filter(has_text="SL7002")
    seen = threading.Event()
    keeper = threading.Thread(target=lambda: stage.here.keep_down(stage.here.kill("dispatch"), seen.is_set))
    keeper.start()
    try:
        page.get_by_role("button", name="Add and ask for a pickup").click()
        expect(row).to_contain_text("waiting")
        expect(page.locator("#peers")).to_contain_text("Dispatch is down since")
    finally:
        seen.set()
        keeper.join()
    expect(row).to_contain_text("planned", timeout=40_000)
    expect(page.locator("#peers")).not_to_contain_text("down since")
    death = operations.locator(".alarm", has_text=re.compile(r"Dispatch (died|was down) .*\d\d:\d\d:\d\d"))
    expect(death.first).to_contain_text("1 pickup recovered", timeout=20_000)


def test_a_missed_pickup_stays_until_a_person_settles_it(stage: Stage) -> None:
    operations, board = opened(stage.person(), "/operations/"), opened(stage.person(), BOARD)
    words = f"{stage.too_late} was missed"  # If Dispatch was dead just then, its death names the pickup too.
    missed = board.locator("#alarms .alarm", has_text=words)
    expect(missed).to_be_visible(timeout=40_000)
    alarm = operations.locator("#incidents .alarm", has_text=words)
    expect(alarm).to_be_visible()
    board.reload()
    expect(missed).to_be_visible()
    missed.get_by_label("Note").fill("Two taxis")
    missed.get_by_role("button", name="Driven by taxi").click()
    expect(missed).to_have_count(0)
    expect(alarm).to_have_count(0, timeout=LIVE_MS)
    operations.locator("#incidents summary").click()
    expect(operations.locator("#incidents .history")).to_contain_text("Driven by taxi")


def fill_arrival(page: Page, stage: Stage, name: str) -> None:
    """The form as an organiser fills it: lands today, late."""
    form = page.locator("#add")
    form.get_by_label("Speaker").select_option(label=name)
    form.get_by_label("Flight or train").fill("SL 7002")
    on, at = stage.soon()
    form.get_by_label("Day it arrives").fill(on)
    form.get_by_label("Time it arrives").fill(at)
    form.get_by_label("Airport or station").fill("HAM")
    form.get_by_label("Where to").select_option(label=HOTEL)


def said(stage: Stage, pickup: str, word: str) -> int:
    """How often the record of a pickup says so."""
    return sum(word in step["words"] for step in stage.history(pickup))


def violations(page: Page) -> list[str]:
    found = Axe().run(page, options=RULES).response["violations"]
    return [f"{page.url} {fault['id']}: {fault['nodes'][0]['html'][:150]}" for fault in found]
