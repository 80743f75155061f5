"""Live pages: who may not see one any more hears nothing more, and no visitor makes work for all."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from sampled import SERVICES, SLUG, Sampled
from softlanding import auth, incidents
from softlanding.dispatch import store as dispatch_store
from softlanding.schedule import store as schedule_store
from softlanding.signing import SESSION_LASTS
from softlanding.web import make_app
from softlanding.web.doors import WRITES_PER_MINUTE
from softlanding.web.pages import Pages
from softlanding.web.stream import BEAT_S, PER_LINK
from streams import live_page
from waiting import until

BOARD = f"/{SLUG}/dispatch/stream"
ARRIVALS = f"/{SLUG}/organise/arrivals/stream"


@pytest.fixture
def sampled(tmp_path):
    made = Sampled(tmp_path)
    for service in SERVICES:
        made.house[service].is_stopping = False
        made.apps[service] = make_app(made.house[service])
    return made


def streams(sampled, service):
    """Every route of the service that is a stream."""
    return [route for route in sampled.apps[service].routes if route.path.endswith("stream")]


def address_of(sampled, route):
    kind = route.path.split("/")[2]
    tokens = sampled.real(f"{kind} token")
    return route.path.format(conference=SLUG, code=sampled.real("pickup")[-1], token=tokens[0] if tokens else "")


def beat(sampled, service):
    """Time enough for a beat has passed, and something was committed."""
    sampled.house.clock.advance(BEAT_S + 1)
    sampled.work(service).commits.fire()


def boss(sampled, name="boss"):
    person = sampled.person(name, *(("*", role) for role in auth.STAFF_ROLES))
    return person, {"Cookie": sampled.session(person)["Cookie"]}


def renew_all_links(sampled):
    for service, kind, found in (("schedule", "speakers", "speaker"), ("dispatch", "drivers", "driver")):
        program = sampled.program(service, "admin")
        for each in sampled.real(found):
            address = f"/api/{service}/{SLUG}/{kind}/{each}/link"
            assert program.post(address, headers={"Idempotency-Key": f"renew {each}"}).status_code == 200


def test_there_are_streams_of_every_service(sampled):
    assert {service: len(streams(sampled, service)) > 0 for service in SERVICES} == dict.fromkeys(SERVICES, True)


@pytest.mark.parametrize("service", SERVICES)
def test_every_stream_ends_quietly_when_its_visitor_may_not_see_it_any_more(sampled, service):
    async def follow(route, session):
        async with live_page(sampled.apps[service], address_of(sampled, route), session) as page:
            assert page.status == 200, route.path
            await until(waits_for_news, what=route.path)
            page.drop_read()
            await asyncio.to_thread(end_rights)
            beat(sampled, service)
            assert await page.rest() == "", route.path

    async def waits_for_news():
        return len(sampled.work(service).commits._waiting) > 0

    def end_rights():
        if route.softlanding_who.is_link:
            renew_all_links(sampled)
        else:
            sampled.person("boss", is_revoked=True)

    for route in streams(sampled, service):
        _, session = boss(sampled)  # Whose sessions were all ended, with the rights before.
        with capture_logs() as logs:
            asyncio.run(follow(route, session))
        assert [line for line in logs if line["log_level"] in ("warning", "error")] == []
        sampled._real = sampled._real_values()


def test_what_happens_after_somebody_was_removed_is_not_told_to_them(sampled):
    _, session = boss(sampled)

    async def follow():
        async with live_page(sampled.apps["schedule"], ARRIVALS, session) as page:
            await page.fragments(3)
            await asyncio.to_thread(sampled.person, "boss", is_revoked=True)
            await asyncio.to_thread(announce, sampled, "LH 4711")
            sampled.work("schedule").commits.fire()
            return await page.rest()

    assert "4711" not in asyncio.run(follow())


def test_a_stream_ends_with_its_session(sampled):
    _, session = boss(sampled)

    async def follow():
        async with live_page(sampled.apps["schedule"], ARRIVALS, session) as page:
            await page.fragments(3)
            sampled.house.clock.advance((SESSION_LASTS + timedelta(minutes=1)).total_seconds())
            sampled.work("schedule").commits.fire()
            return await page.rest()

    assert "event: fragment" not in asyncio.run(follow())


def test_who_gets_another_role_gets_a_page_with_the_rights_of_today(sampled):
    _, session = boss(sampled)

    async def follow():
        async with live_page(sampled.apps["schedule"], ARRIVALS, session) as page:
            await page.fragments(3)
            await asyncio.to_thread(sampled.person, "boss", (SLUG, "coordinator"))
            beat(sampled, "schedule")
            return await page.rest()  # Comes back when the stream has ended: the browser then asks for the page anew.

    assert "event: fragment" not in asyncio.run(follow()), "nothing more was told with the rights of before"


def test_a_link_opens_a_few_streams_and_then_is_told_to_wait(sampled):
    address = f"/{SLUG}/drive/{sampled.real('drive token')[0]}/stream"

    async def follow():
        async with AsyncExitStack() as stack:
            for _ in range(PER_LINK):
                page = await stack.enter_async_context(live_page(sampled.apps["dispatch"], address))
                assert page.status == 200
            refused = await stack.enter_async_context(live_page(sampled.apps["dispatch"], address))
            assert (refused.status, refused.headers["retry-after"]) == (429, "30")
        async with live_page(sampled.apps["dispatch"], address) as again:
            assert again.status == 200, "those that were closed do not count"

    asyncio.run(follow())


def test_equal_streams_are_rendered_once_for_each_commit(sampled, monkeypatch):
    people = [boss(sampled, f"boss {number}") for number in range(20)]
    rendered: Counter[str] = Counter()
    render = Pages.render

    def counted(self, template, page, **context):
        rendered[template] += 1
        return render(self, template, page, **context)

    monkeypatch.setattr(Pages, "render", counted)

    async def follow():
        async with AsyncExitStack() as stack:
            pages = [
                await stack.enter_async_context(live_page(sampled.apps["schedule"], ARRIVALS, headers))
                for _, headers in people
            ]
            for page in pages:
                await page.fragments(3)
            assert set(rendered.values()) == {1}
            await asyncio.to_thread(announce, sampled, "LH 4711")
            sampled.work("schedule").commits.fire()
            return [await page.fragments(1) for page in pages]

    changed = asyncio.run(follow())
    assert all("4711" in each["journeys"] for each in changed)
    assert rendered["_journeys.html"] == 2


def test_forms_in_shared_streams_are_each_visitors_own(sampled):
    people = [boss(sampled, f"boss {number}") for number in range(3)]

    async def follow():
        async with AsyncExitStack() as stack:
            pages = [
                await stack.enter_async_context(live_page(sampled.apps["dispatch"], BOARD, headers))
                for _, headers in people
            ]
            return [(await page.fragments(1))["alarms"] for page in pages]

    shown = asyncio.run(follow())
    for (person, _), html in zip(people, shown, strict=True):
        assert set(values_of(html, "csrf")) == {sampled.session(person)["X-CSRF"]}
    keys = [key for html in shown for key in values_of(html, "key")]
    assert len(set(keys)) == len(keys) > 0


def values_of(html, field):
    return [part.split('"')[0] for part in html.split(f'name="{field}" value="')[1:]]


def test_streams_of_people_with_other_rights_are_not_shared(sampled):
    operator = {"Cookie": sampled.session(sampled.person("operator", ("*", "operator")))["Cookie"]}
    program = {"Authorization": f"Bearer {sampled.token('read')}"}
    sampled.write("statistics", _settled_with_a_note)

    async def follow(*visitors):
        async with AsyncExitStack() as stack:
            pages = [
                await stack.enter_async_context(live_page(sampled.apps["statistics"], "/operations/stream", headers))
                for headers in visitors
            ]
            return [(await page.fragments(5))["incidents"] for page in pages]

    theirs, others = asyncio.run(follow(operator, program))
    assert "her aunt came" in theirs
    assert "Some trouble" in others
    assert "her aunt came" not in others


def _settled_with_a_note(tx, now):
    incident = incidents.open_incident(tx, now, cause="c", kind="other", about="test", sentence="Some trouble")
    incidents.settle_incident(tx, now, incident, by="Sam", word="understood", note="her aunt came")


def test_open_phones_of_a_driver_are_noted_once_a_minute(sampled, monkeypatch):
    address = f"/{SLUG}/drive/{sampled.real('drive token')[0]}/stream"
    work, noted = sampled.work("dispatch"), []
    write = work.database.write

    async def counted(action, *args, **more):
        noted.append(action)
        return await write(action, *args, **more)

    monkeypatch.setattr(work.database, "write", counted)

    async def follow():
        for _ in range(PER_LINK):
            async with live_page(sampled.apps["dispatch"], address) as page:
                await page.fragments(1)
        sampled.house.clock.advance(60)
        async with live_page(sampled.apps["dispatch"], address) as page:
            await page.fragments(1)

    asyncio.run(follow())
    assert noted == [dispatch_store.note_seen] * 2


def test_a_link_changes_so_much_a_minute_and_no_more(sampled):
    client = sampled.client("schedule", Accept="application/json")
    address = f"/{SLUG}/speaker/{sampled.real('speaker token')[0]}/withdraw"
    answers = [client.post(address, data={"key": str(number)}) for number in range(WRITES_PER_MINUTE + 1)]
    assert 429 not in [answer.status_code for answer in answers[:-1]]
    assert answers[-1].status_code == 429
    assert answers[-1].json()["error"].startswith(f"more than {WRITES_PER_MINUTE} changes a minute")
    assert int(answers[-1].headers["Retry-After"]) <= 60
    sampled.house.clock.advance(61)
    assert client.post(address, data={"key": "later"}).status_code != 429


def test_taps_kept_for_a_day_are_all_taken_at_once(sampled):
    client = sampled.client("dispatch", Accept="application/json")
    address = f"/{SLUG}/drive/{sampled.real('drive token')[0]}/taps"
    given = [{"key": str(number), "pickup": "NONE", "tap": "accepted"} for number in range(3 * WRITES_PER_MINUTE)]
    assert 429 not in {client.post(address, data=each).status_code for each in given}


def announce(sampled, number):
    coming = {each.speaker for each in sampled.read("schedule", schedule_store.journeys.list_recent, SLUG)}
    given = {
        "speaker": next(code for code in sampled.real("speaker") if code not in coming),
        "how": "flight",
        "number": number,
        "airport": "HAM",
        "on": f"{sampled.first_day}",
        "time": "09:15",
        "place": sampled.real("place")[0],
        "key": number,
        "form": "arrival",
    }
    headers = sampled.session(sampled.person("desk", ("*", "organiser")))
    answer = sampled.client("schedule", **headers).post(f"/{SLUG}/organise/arrivals", data=given)
    assert answer.status_code == 303, answer.text
