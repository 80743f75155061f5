"""Phones and desks show programmes with real-sized names, and the organisers' pages, without scrolling sideways."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright

from conferences_made import PROMISE, a_programme, a_talk, an_arrival, at, bring
from house import House
from softlanding.formats.programme import Person, Programme, Room, Track
from softlanding.lifecycle import Work
from softlanding.schedule import store, views
from softlanding.schedule.actions.journeys import announce_arrival, enter_flight_news
from softlanding.schedule.actions.people import add_person
from softlanding.schedule.actions.programme import WouldRemove, import_programme, prepare
from softlanding.schedule.actions.set_aside import set_aside
from softlanding.schedule.model import News
from softlanding.web.doors import links_of

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
ROOMS = {"few-rooms": 4, "many-rooms": 12}
HOST = "http://localhost"
UNBROKEN = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaftsversammlung"  # 92 letters.
IN_WORDS = "Ludwig-van-Beethoven lecture hall on the second floor of the east wing, beside the old canteen"

# What stands out of the screen, and is not inside something that scrolls by itself.
OUTSIDE = """width => [...document.querySelectorAll("main *, header *, footer *")].filter(element => {
    const box = element.getBoundingClientRect();
    if (box.width <= 1 || box.right <= width + 1) return false;
    for (let up = element.parentElement; up && up !== document.body; up = up.parentElement)
      if (getComputedStyle(up).overflowX !== "visible") return false;
    return getComputedStyle(element).visibility !== "hidden";
  }).map(element => `${element.localName}.${element.className} ends at ${element.getBoundingClientRect().right}`)"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not CHROMIUM.exists(), reason="NO PHONE IS TRIED: /usr/bin/chromium is missing (apt-get install chromium)"
    ),
]


def a_long_programme(acronym: str, rooms: int, **of_talks: Any) -> Programme:
    """Names as long as real ones, some of them without a blank."""
    names = [f"{UNBROKEN if n % 2 else IN_WORDS} {n}" for n in range(rooms)]
    tracks = (Track(UNBROKEN, "long", "#aa0000"), Track(IN_WORDS, "words", "#00aa00"))
    persons = tuple(Person(f"P{n}", f"{UNBROKEN}{n}", n, f"p-{n}", email="a@example.org") for n in (1, 2))
    long = {"persons": ("P1", "P2"), "subtitle": UNBROKEN, "kind": "workshop"} | of_talks
    talks = tuple(
        a_talk(
            f"T{n}",
            at(9 + n // 2),
            room=names[n % rooms],
            track=tracks[n % 2].name,
            title=f"{UNBROKEN} {n}",
            **long,
        )
        for n in range(rooms + 2)
    )
    made = tuple(Room(name, f"room-{n}", f"r-{n}") for n, name in enumerate(names))
    return replace(a_programme(acronym=acronym), talks=talks, persons=persons, rooms=made, tracks=tracks)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """Two conferences with long names: one whose days are grids, one whose days are lists."""
    house = House(tmp_path_factory.mktemp("phone"), names=["schedule"])
    write = house["schedule"].database.write_now
    for slug, rooms in ROOMS.items():
        bring(house, a_long_programme(slug, rooms))
        arrival = an_arrival(to_place=UNBROKEN, note=UNBROKEN, phone="+49 151 555 020 030")
        journey = write(announce_arrival, slug, "P1", arrival, PROMISE)["journey"]
        late = News("late", at(20), house.clock.now(), note=UNBROKEN)
        write(enter_flight_news, slug, journey, late, PROMISE)
        write(announce_arrival, slug, "P2", an_arrival(kind="train", number="", place=UNBROKEN), PROMISE)
        roles = ((slug, "organiser"),)
        write(partial(add_person, name=UNBROKEN, email=f"{UNBROKEN}@example.org", roles=roles))
    house.run()
    house.clock.advance(40)  # Nobody has answered.
    house.run()
    for slug, rooms in ROOMS.items():
        changed = prepare(a_long_programme(slug, rooms, duration=timedelta(minutes=90)), f"{UNBROKEN}.xml")
        write(import_programme, changed)
        write(set_aside, changed, WouldRemove(changed.filename, "T", 5, 6), UNBROKEN)
    return house


@pytest.fixture(scope="module")
def browser(house: House) -> Iterator[Browser]:
    """After the house: it wants a thread without a loop."""
    assert house["schedule"]
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield launched
        launched.close()


def served(house: House) -> Callable[[Route], None]:
    """What the front door serves: the programme from its files, the rest from the service."""
    client = house.client("schedule", ["organiser"])
    site = house.settings.data_folder / "site"
    tree = site / "trees" / (site / "current.txt").read_text()

    def answer(route: Route) -> None:
        path = urlsplit(route.request.url).path
        named = (tree / f"{path[1:]}.html", tree / path[1:] / "index.html", site / "conferences.html")
        file = next((each for each in named[: 3 if path == "/" else 2] if each.is_file()), None)
        if path.endswith("/stream"):
            route.abort()
        elif file is not None:
            route.fulfill(body=file.read_bytes(), content_type="text/html; charset=utf-8")
        else:
            given = client.get(route.request.url.removeprefix(HOST))
            route.fulfill(status=given.status_code, body=given.content, content_type=given.headers["content-type"])

    return answer


def link_address(work: Work, slug: str) -> Callable[[str], str]:
    """What makes a speaker's address from the link's id."""
    return lambda link: f"/{slug}/speaker/{links_of(work).token('speaker', link)}"


def addresses(house: House, slug: str) -> list[str]:
    """Every page of the programme, and of the people who organise it."""
    read = house["schedule"].database.read_now
    [journey, *_] = read(store.journeys.list_open, slug)
    public = ("", "talks/T1", "speakers/P1", "rooms/room-1", "changes", "now")
    desk = ("", "arrivals", f"arrivals?journey={journey.id}", "speakers", "people")
    link = read(views.staff.speakers, slug, link_address(house["schedule"], slug))[0]["link"]
    return [*(f"/{slug}/{path}" for path in public), *(f"/{slug}/organise/{path}" for path in desk), link, "/"]


def faults_of(page: Page, address: str, width: int) -> list[str]:
    answer = page.goto(f"{HOST}{address}")
    found = [] if answer is not None and answer.ok else [f"answers {answer.status if answer else 'nothing'}"]
    for details in page.locator("details").all():
        details.evaluate("element => element.open = true")
    wide = page.evaluate("document.documentElement.scrollWidth")
    found += [f"scrolls sideways to {wide}"] if wide > width else []
    found += page.evaluate(OUTSIDE, width)[:5]
    return [f"{address} at {width}: {fault}" for fault in found]


@pytest.mark.parametrize("width", [1280, 360, 320])
@pytest.mark.parametrize("slug", ROOMS)
def test_no_page_scrolls_sideways_however_long_its_names(house: House, browser: Browser, slug: str, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 740})
    context.route("**/*", served(house))
    page = context.new_page()
    page.set_default_timeout(10_000)
    found = [fault for address in addresses(house, slug) for fault in faults_of(page, address, width)]
    context.close()
    assert found == [], "\n".join(found)
