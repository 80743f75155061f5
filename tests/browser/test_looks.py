"""Every page, as a person meets it: wide and narrow, light and dark, by keyboard, on paper, without scripts."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from browser.preview import contexts
from browser.preview.render import Preview, render
from softlanding.clock import SystemClock

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]}}
PAGES = sorted(contexts.PAGES)

# Links inside a sentence are exempt (WCAG 2.5.8); everything else that one presses has 24 px each way.
SMALL_TARGETS = """() => [...document.querySelectorAll("a[href], button, input, select, textarea, summary")].filter(
  element => {
    const box = element.getBoundingClientRect();
    const label = element.matches("input[type=checkbox], input[type=radio]") && element.closest("label");
    const target = label ? label.getBoundingClientRect() : box;
    const style = getComputedStyle(element);
    const inLine = element.matches("a") && style.display === "inline";
    const shown = box.width > 1 && box.height > 1 && style.visibility !== "hidden" && element.type !== "hidden";
    return shown && !inLine && !element.closest(".skip, svg") && (target.width < 24 || target.height < 24);
  }).map(element => `${element.localName} ${element.className} ${element.textContent.trim().slice(0, 30)}`)"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not CHROMIUM.exists(), reason="NO LOOKS ARE CHECKED: /usr/bin/chromium is missing (apt-get install chromium)"
    ),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def preview() -> Iterator[Preview]:
    server = Preview().start()
    yield server
    server.shutdown()
    server.server_close()


def visit(browser: Browser, preview: Preview, name: str, width: int = 1400, **more: object) -> Page:
    context = browser.new_context(viewport={"width": width, "height": 900 if width > 900 else 740}, **more)  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(10_000)
    page.faults = []  # type: ignore[attr-defined]
    page.on("console", lambda said: page.faults.append(said.text) if said.type == "error" else None)  # type: ignore[attr-defined]
    page.on("pageerror", lambda error: page.faults.append(str(error)))  # type: ignore[attr-defined]
    page.goto(f"{preview.address}/{name}")
    return page


@pytest.mark.parametrize("name", PAGES)
def test_every_page_fits_reads_and_can_be_pressed(browser: Browser, preview: Preview, name: str) -> None:
    found: list[str] = []
    for scheme, width in (("light", 1400), ("dark", 1400), ("light", 320), ("dark", 360)):
        page = visit(browser, preview, name, width, color_scheme=scheme)
        by_axe = (scheme == "light") == (width > 900)  # Both schemes and both widths, once each.
        found += [f"{scheme} {width}: {fault}" for fault in faults_of(page, width, by_axe=by_axe)]
        page.context.close()
    assert found == []


def faults_of(page: Page, width: int, *, by_axe: bool) -> list[str]:
    """What a person would stumble over. The large programme has the small one's parts, which axe needs 40 s for."""
    faults = list(page.faults)  # type: ignore[attr-defined]
    wide = page.evaluate("document.documentElement.scrollWidth")
    if wide > width:
        faults.append(f"scrolls sideways to {wide}")
    faults += page.evaluate(SMALL_TARGETS)
    if by_axe and not page.url.endswith("programme-large"):
        for violation in Axe().run(page, options=RULES).response["violations"]:
            node = violation["nodes"][0]
            faults.append(f"{violation['id']}: {node['html'][:150]} {node['failureSummary'][:200]}")
    return faults


@pytest.mark.parametrize("name", PAGES)
def test_no_page_needs_inline_styles_or_scripts(name: str) -> None:
    html = render(name)
    assert not re.search(r"<(style|script(?! type=\"module\" src))|\sstyle=|\son[a-z]+=", html)
    elsewhere = r"(src|href)=\"https?://(?!example\.org|softconf\.example|www\.google\.com/maps/dir/\?)"
    assert not re.search(elsewhere, html)  # A map is a link: nothing is asked of others before somebody taps it.


@pytest.mark.parametrize("name", PAGES)
def test_every_form_that_posts_bears_its_key(name: str) -> None:
    for form in re.findall(r"<form method=\"post\".*?</form>", render(name), re.S):
        assert 'name="key" value="key-' in form
        assert 'name="csrf"' in form


def test_the_large_programme_stays_light(browser: Browser, preview: Preview) -> None:
    assert len(render("programme-large").encode()) < 600_000
    page = visit(browser, preview, "programme-large", 360)
    assert page.evaluate("document.querySelectorAll('.talk').length") == 1080
    assert page.evaluate("document.querySelectorAll('*').length") < 20_000


def test_the_programme_is_filtered_and_picked(browser: Browser, preview: Preview) -> None:
    page = visit(browser, preview, "programme")
    page.get_by_label("Room", exact=True).select_option("tower")
    assert set(page.locator(".talk:visible").evaluate_all("all => all.map(talk => talk.dataset.room)")) == {"tower"}
    expect(page.locator("#found")).to_contain_text("of ")
    page.get_by_label("Room", exact=True).select_option("")
    page.locator(".talk .star").first.click()
    page.reload()
    expect(page.locator(".star[aria-pressed=true]").first).to_be_visible()
    page.get_by_label("My picks").check()
    assert page.locator(".talk:visible").count() == 1


def test_the_programme_reads_without_scripts(browser: Browser, preview: Preview) -> None:
    page = visit(browser, preview, "programme", java_script_enabled=False)
    expect(page.get_by_role("link", name="Backpressure is a conversation").first).to_be_visible()
    page.locator(".room-index summary").click()
    expect(page.locator(".room-index").get_by_role("link", name="Tower")).to_be_visible()


def test_my_time_shows_the_reader_s_own_clock(browser: Browser, preview: Preview) -> None:
    page = visit(browser, preview, "programme", timezone_id="Asia/Kolkata")
    page.get_by_label("My time").check()
    expect(page.locator(".slot time").first).to_have_text("13:00")
    page.get_by_label("My time").uncheck()
    expect(page.locator(".slot time").first).to_have_text("08:30")


def test_a_fragment_replaces_its_element_and_keeps_what_is_typed(browser: Browser, preview: Preview) -> None:
    page = visit(browser, preview, "operations")
    note = page.locator("#note-d-1")
    note.fill("Cleo looks at it")
    fresh = fragment("operations", "incidents").replace("K2FD was missed", "K2FD was missed twice")
    preview.fragments.put({"id": "incidents", "html": fresh})
    expect(page.get_by_text("K2FD was missed twice")).to_be_visible()
    expect(note).to_have_value("Cleo looks at it")
    expect(note).to_be_focused()


def test_a_new_alarm_is_announced_and_counted(browser: Browser, preview: Preview) -> None:
    page = visit(browser, preview, "board")
    expect(page).to_have_title(re.compile(r"^\(2\)"))
    alarm = '<article class="alarm" data-alarm="inc-3" data-row><h3>V2 fell silent</h3></article>'
    fresh = (
        fragment("board", "alarms")
        .replace('data-alarms="2"', 'data-alarms="3"')
        .replace("</section>", alarm + "</section>")
    )
    preview.fragments.put({"id": "alarms", "html": fresh})
    expect(page.locator("#announcer")).to_have_text("V2 fell silent")
    expect(page).to_have_title(re.compile(r"^\(3\)"))


def test_a_page_that_hears_nothing_says_so_and_comes_back_by_itself(browser: Browser, preview: Preview) -> None:
    page = visit(browser, preview, "talk")
    page.clock.install()
    page.goto(f"{preview.address}/board")
    expect(page.locator("#age")).to_contain_text("live")
    preview.silent = True
    page.wait_for_event("requestfinished")  # The stream ended.
    page.clock.fast_forward(40_000)
    expect(page.locator("#age")).to_contain_text("no news for")
    page.clock.fast_forward(60_000)
    expect(page.locator("#age")).to_contain_text("not live")
    expect(page.locator("#vehicles")).to_contain_text("Grey van")  # What was known stays.
    preview.silent = False
    page.clock.fast_forward(20_000)
    expect(page.locator("#age")).to_contain_text("live · heard")


def test_a_tap_without_a_net_is_kept_and_sent_later_with_its_key_and_time(browser: Browser, preview: Preview) -> None:
    page = visit(browser, preview, "drive", 360)
    page.context.set_offline(True)
    page.get_by_role("button", name="Picked up").click()
    expect(page.locator("#outbox")).to_contain_text("not sent yet")
    expect(page.get_by_role("button", name="Dropped off")).to_be_visible()  # The next tap does not wait for the net,
    expect(page.locator("[data-step=boarded]").first).not_to_have_class("done")  # and nothing is shown as done.
    page.context.set_offline(False)
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.locator("#outbox")).to_contain_text("sent")
    expect(page.locator("#outbox")).not_to_contain_text("not sent")
    body = preview.posted[-1]["body"]
    assert re.search(r"key=[0-9a-f-]{36}&pickup=K7QX&tap=boarded&tapped_at=20\d\d-", body), body


def test_a_verdict_on_a_tap_is_shown_and_does_not_stop_the_queue(browser: Browser, preview: Preview) -> None:
    preview.answers = 409
    page = visit(browser, preview, "drive", 360)
    page.get_by_role("button", name="Picked up").click()
    expect(page.locator("#outbox")).to_contain_text("not accepted. The desk took this ride back")
    preview.answers = 200
    page.get_by_role("button", name="Picked up").press("Enter")  # A finger that soon would be one press with the first.
    expect(page.locator("#outbox")).to_contain_text("sent")


def test_a_tap_that_meets_a_failing_server_is_sent_again_under_the_same_key(browser: Browser, preview: Preview) -> None:
    preview.answers = 503
    page = visit(browser, preview, "drive", 360)
    with page.expect_response(lambda answer: answer.status == 503):
        page.get_by_role("button", name="Picked up").click()
    expect(page.locator("#outbox")).to_contain_text("not sent yet")
    preview.answers = 200
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(page.locator("#outbox")).not_to_contain_text("not sent yet")
    keys = {re.search(r"key=([^&]+)", post["body"])[1] for post in preview.posted}  # type: ignore[index]
    assert len(preview.posted) >= 2
    assert len(keys) == 1


def test_a_tap_made_while_another_is_on_its_way_follows_at_once(browser: Browser, preview: Preview) -> None:
    page = visit(browser, preview, "drive", 360)
    on_the_way: list[Route] = []
    page.route("**/taps", lambda route: route.continue_() if on_the_way else on_the_way.append(route))
    with slow_hand(page):  # No timer sends it later.
        page.get_by_role("button", name="Picked up").press("Enter")
        expect(page.locator("#outbox li")).to_have_count(1)
        page.get_by_role("button", name="Dropped off").press("Enter")
        expect(page.locator("#outbox li")).to_have_count(2)
        assert preview.posted == []
        on_the_way[0].continue_()
        expect(page.locator("#outbox .sent")).to_have_count(2)
    assert ["tap=boarded" in preview.posted[0]["body"], "tap=delivered" in preview.posted[1]["body"]] == [True, True]


def test_a_form_on_its_way_is_not_sent_again(browser: Browser, preview: Preview) -> None:
    page = visit(browser, preview, "operations")
    on_the_way: list[Route] = []
    page.route("**/-settle/**", lambda route: on_the_way.append(route))
    button = page.locator("[data-alarm=m-1] button").first
    with page.expect_request("**/-settle/**"):
        button.press("Enter")
    button.press("Enter")
    button.dblclick()
    on_the_way[0].continue_()
    expect(page.locator("[data-alarm=m-1] .message")).to_contain_text("Press again")
    assert (len(on_the_way), len(preview.posted)) == (1, 1)


def test_a_form_pressed_twice_is_sent_once(browser: Browser, preview: Preview) -> None:
    page = visit(browser, preview, "operations")
    button = page.locator("[data-alarm=m-1] button").first
    with slow_hand(page) as wait_s:
        button.click()
        expect(page.locator("[data-alarm=m-1] .message")).to_be_visible()  # Answered between the two presses.
        button.click()
        wait_s(1)
        with page.expect_response(lambda answer: answer.request.method == "POST"):
            button.click()
    assert len(preview.posted) == 2


def test_a_driver_who_presses_twice_takes_one_step(browser: Browser, preview: Preview) -> None:
    page = visit(browser, preview, "drive", 360)
    box = page.get_by_role("button", name="Picked up").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    with slow_hand(page) as wait_s:
        page.mouse.click(x, y)
        expect(page.get_by_role("button", name="Dropped off")).to_be_visible()  # In the place of the first.
        page.mouse.click(x + 3, y)
        wait_s(1)
        page.mouse.click(x, y)
        expect(page.locator("#outbox")).to_contain_text("Dropped off")
        expect(page.locator("#outbox")).not_to_contain_text("not sent yet")
    assert [re.search(r"&tap=(\w+)", post["body"])[1] for post in preview.posted] == ["boarded", "delivered"]  # type: ignore[index]


@contextmanager
def slow_hand(page: Page) -> Iterator[Callable[[float], None]]:
    """The page's clock stands, so that all presses are one upon the other, until it is moved by so many seconds."""
    page.clock.install()
    page.reload()  # Timers that were set before would go on.
    page.clock.pause_at(SystemClock().now() + timedelta(seconds=5))
    yield lambda seconds: page.clock.run_for(int(1000 * seconds))
    page.clock.resume()


def test_what_came_while_a_form_was_answered_is_not_hidden_by_the_answer(browser: Browser, preview: Preview) -> None:
    page = visit(browser, preview, "operations")
    rendered_before = page.content()
    page.route("**/-settle/**", lambda route: route.fulfill(body=rendered_before, content_type="text/html"))
    with page.expect_request("**/stream"):  # It begins with everything as it is now.
        page.locator("[data-alarm=m-1] button").first.click()


def test_the_keyboard_finds_help_search_and_rows(browser: Browser, preview: Preview) -> None:
    page = visit(browser, preview, "statistics")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.keyboard.press("j")
    expect(page.locator("#facts li").first.get_by_role("link")).to_be_focused()
    page.keyboard.press("/")
    expect(page.get_by_label("Follow a pickup")).to_be_focused()


def test_the_driver_s_main_button_is_large_and_in_sight(browser: Browser, preview: Preview) -> None:
    page = visit(browser, preview, "drive", 360)
    box = page.get_by_role("button", name="Picked up").bounding_box()
    assert box is not None
    assert box["height"] >= 64
    assert box["y"] + box["height"] < 740


def test_all_who_board_at_a_stop_are_told_of_one_by_one_or_by_one_press(browser: Browser, preview: Preview) -> None:
    page = visit(browser, preview, "drive-shared", 360)
    now = page.locator("[data-stop].is-now")
    expect(now.get_by_role("heading", name="BER Terminal 1")).to_be_visible()
    now.get_by_role("button", name="I have arrived").press("Enter")
    now.get_by_role("button", name="Aboard: Noor Haddad").press("Enter")
    expect(now.get_by_role("button", name="Picked up", exact=True)).to_be_visible()  # Ada alone is still to board.
    now.get_by_role("button", name="Picked up", exact=True).press("Enter")
    expect(now.get_by_role("heading", name="Hotel Adlon", exact=True)).to_be_visible()
    now.get_by_role("button", name="All dropped off").press("Enter")
    expect(page.locator("#outbox .sent")).to_have_count(6)
    told = [re.search(r"key=([^&]+)&pickup=(\w+)&tap=(\w+)", post["body"]).groups() for post in preview.posted]  # type: ignore[union-attr]
    presses = [sorted(f"{what} {code}" for _, code, what in told[begin:end]) for begin, end in ((0, 2), (2, 4), (4, 6))]
    assert presses == [[f"{what} K7QX", f"{what} N8VG"] for what in ("arrived", "boarded", "delivered")]
    assert len({key for key, _, _ in told}) == 6


def test_the_board_stands_on_a_screen_without_scripts(browser: Browser, preview: Preview) -> None:
    page = visit(browser, preview, "board", java_script_enabled=False)
    expect(page.get_by_role("button", name="Move")).to_be_visible()
    expect(page.get_by_role("link", name=re.compile("K7QX Ada Lovelace, 13:58 BER T1"))).to_be_visible()


def test_a_run_sheet_prints_one_driver_a_page(browser: Browser, preview: Preview) -> None:
    page = visit(browser, preview, "runsheet", 1000)
    pdf = page.pdf(format="A4")
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == len(contexts.runsheet()["sheets"])


def fragment(name: str, element: str) -> str:
    """The live element as its page shows it; a section holds no other section."""
    html = render(name)
    start = html.index(f'<section id="{element}"')
    return json.loads(json.dumps(html[start : html.index("</section>", start) + len("</section>")]))
