"""Believable values for every page, in the shapes that the templates state at their heads.

Pure values, no service: so that a look can be judged, and checked, before anything behind it runs.
"""
# ruff: noqa: E501 - Example sentences are left whole.

from collections import Counter
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace as Value
from typing import Any

from markupsafe import Markup

ZONE = "Europe/Berlin"
NOW = datetime(2026, 11, 22, 13, 12, 40, tzinfo=UTC)  # Sunday, 14:12:40 in Berlin
SLUG = "softconf"
BASE = f"/{SLUG}"
STATES = (
    "planned",
    "accepted",
    "arrived",
    "boarded",
    "unplaced",
    "delivered",
    "no_show",
    "missed",
    "stood_down",
    "refused",
)
STAFF = Value(name="Ana Vidal", roles={"organiser", "coordinator", "operator"})


def at(hour: int, minute: int = 0, second: int = 0, day: int = 22) -> datetime:
    """A moment of the conference, written as its clocks show it: Berlin is an hour ahead of UTC in November."""
    return datetime(2026, 11, day, 0, 0, second, tzinfo=UTC) + timedelta(hours=hour - 1, minutes=minute)


def minutes(count: int) -> timedelta:
    return timedelta(minutes=count)


def page(who: Value | None = STAFF, **more: Any) -> Value:
    values = {
        "title": "Softlanding",
        "conference": Value(slug=SLUG, name="SoftConf 2026"),
        "zone": ZONE,
        "who": who,
        "csrf": "csrf-example",
        "now": NOW,
        "message": None,
        "refused": None,
    }
    return Value(**(values | more))


# --- the public programme

ROOMS = [
    Value(slug=slug, name=name)
    for slug, name in (
        ("main-hall", "Main Hall"),
        ("hangar", "The Hangar"),
        ("tower", "Tower"),
        ("gate-7", "Gate 7"),
        ("workshop", "Workshop"),
    )
]
TRACKS = [
    Value(slug=slug, name=name, number=number)
    for number, (slug, name) in enumerate(
        (
            ("failure", "Failing well"),
            ("queues", "Queues & time"),
            ("data", "Data"),
            ("people", "People"),
            ("edge", "Edge"),
        ),
        start=1,
    )
]
TITLES = [
    ("Failing well", ["Ada Lovelace"]),
    ("Queues everywhere, and how to leave them", ["Grace Hopper"]),
    ("The substitution principle, at three in the morning", ["Barbara Liskov"]),
    ("Landing software on the Moon with 4 KB to spare", ["Margaret Hamilton"]),
    ("What a lease really promises", ["Leslie Nwosu", "Karen Sand"]),
    ("Backpressure is a conversation", ["Ines Moreau"]),
    ("Clocks that lie: a field guide", ["Radoslav Petkov"]),
    ("Post-mortems without the blame, with the details", ["Noor Haddad"]),
    ("The outbox pattern in forty lines", ["Tomasz Zielinski"]),
    ("Rehearsing disasters with forty volunteers and a kettle", ["Mei-Lin Tan"]),
    ("Exactly once is a story you tell afterwards", ["Joana Prates"]),
    ("Small teams, long pagers", ["Oluwaseun Adeyemi"]),
    ("SQLite in production, honestly", ["Frida Lindqvist"]),
    ("How the tower talks: lessons from air traffic control", ["Cpt. Marek Dvořák"]),
    ("Deleting half of the retries", ["Yuki Tanaka"]),
    ("Reading a flame graph to your manager", ["Sofia Rinaldi"]),
]


def talk(number: int, start: datetime, length: int, room: Value, **more: Any) -> Value:
    title, speakers = TITLES[number % len(TITLES)]
    values = {
        "code": f"T{number:03}",
        "title": title,
        "kind": "talk",
        "speakers": speakers,
        "room": room,
        "track": TRACKS[number % len(TRACKS)],
        "start_at": start,
        "duration": minutes(length),
        "language": "en",
        "was": "",
        "is_new": False,
    }
    return Value(**(values | more))


def pause(start: datetime, length: int, title: str) -> Value:
    return talk(0, start, length, ROOMS[0], code="", title=title, kind="break", speakers=[], track=None)


def day(number: int, on: int) -> Value:
    base = (number - 1) * 20
    slots: list[Value] = [
        Value(start_at=at(8, 30, day=on), talks=[pause(at(8, 30, day=on), 30, "Doors, coffee and badges")])
    ]
    slots.append(
        Value(
            start_at=at(9, day=on),
            talks=[
                talk(base + 18, at(9, day=on), 45, ROOMS[0], kind="keynote"),
                talk(base + 17, at(9, day=on), 180, ROOMS[4], kind="workshop"),
            ],
        )
    )
    for index, hour in enumerate((10, 11, 14, 15, 16)):
        start = at(hour, day=on)
        talks = [talk(base + index * 3 + n, start, (45, 45, 30, 50)[n], ROOMS[n]) for n in range(4)]
        if hour == 14:
            talks[1].was = "was 10:00 in Tower"
            talks.append(talk(base + 16, start, 110, ROOMS[4], kind="workshop"))
        slots.append(Value(start_at=start, talks=talks))
        if hour == 11:
            slots.append(Value(start_at=at(12, day=on), talks=[pause(at(12, day=on), 90, "Lunch")]))
            slots.append(
                Value(
                    start_at=at(13, 30, day=on),
                    talks=[talk(base + 19, at(13, 30, day=on), 15, ROOMS[0], kind="lightning", is_new=True)],
                )
            )
    return Value(number=number, on=at(12, day=on), rooms=ROOMS, slots=slots)


RELEASE = Value(number=3, at=at(9, 10, day=20), by="Ana Vidal", note="Two rooms swapped on Sunday.", talks=61)


def programme() -> dict[str, Any]:
    return {
        "page": page(None, csrf=""),
        "release": RELEASE,
        "days": [day(1, 21), day(2, 22), day(3, 23)],
        "rooms": ROOMS,
        "tracks": TRACKS,
        "counts": Value(talks=61, speakers=45, changes=4),
    }


def large_programme() -> dict[str, Any]:
    """As large as FOSDEM: 37 rooms, two days, 1 080 talks."""
    rooms = [Value(slug=f"r{n}", name=f"Room {n // 10 + 1}.{n % 10:03} (Aula {chr(65 + n % 26)})") for n in range(37)]
    days = []
    for number in (1, 2):
        by_start: dict[datetime, list[Value]] = {}
        for index, room in enumerate(rooms):
            start = at(9, (index % 4) * 10, day=20 + number)
            for turn in range(14 + (index < 22)):
                length = (25, 30, 45, 20)[(index + turn) % 4]
                one = talk(index * 15 + turn, start, length, room, code=f"F{number}{index:02}{turn:02}")
                by_start.setdefault(start, []).append(one)
                start += minutes(length + 5)
        slots = [Value(start_at=start, talks=talks) for start, talks in sorted(by_start.items())]
        days.append(Value(number=number, on=at(12, day=20 + number), rooms=rooms, slots=slots))
    counts = Value(talks=sum(len(s.talks) for d in days for s in d.slots), speakers=1198, changes=0)
    return programme() | {"days": days, "rooms": rooms, "counts": counts}


def empty_programme() -> dict[str, Any]:
    return programme() | {"release": None, "days": [], "counts": Value(talks=0, speakers=0, changes=0)}


def one_talk() -> dict[str, Any]:
    shown = talk(0, at(10, 30, day=23), 45, ROOMS[0], was="was 10:00 in Tower")
    shown.subtitle = "What aeroplanes know about going down gently"
    shown.abstract = Markup(
        "<p>Everything fails. The question is who notices, who is told, and what was kept. This talk takes one small system "
        "apart on stage, kills each of its parts, and looks at what people see while it happens.</p>"
        "<p>You will leave with:</p><ul><li>three promises that survive a <code>kill -9</code></li><li>one that does not</li></ul>"
    )
    shown.description = Markup("")
    shown.links = [Value(title="Slides", url="https://example.org/slides")]
    biography = Markup("<p>Ada has written programs since before there was a machine to run them.</p>")
    return {
        "page": page(None, csrf=""),
        "talk": shown,
        "people": [Value(code="ADA", name="Ada Lovelace", biography=biography)],
        "release": RELEASE,
    }


def one_speaker() -> dict[str, Any]:
    biography = Markup("<p>Ada has written programs since before there was a machine to run them.</p>")
    talks = [talk(0, at(10, 30, day=23), 45, ROOMS[0]), talk(16, at(14, day=22), 30, ROOMS[2])]
    person = Value(code="ADA", name="Ada Lovelace", biography=biography)
    return {"page": page(None, csrf=""), "person": person, "talks": talks, "release": RELEASE}


def one_room() -> dict[str, Any]:
    talks = [talk(n, at(9 + n), 45, ROOMS[0]) for n in range(6)]
    room = Value(slug="main-hall", name="Main Hall", seats=420, note="Ground floor, step-free")
    return {"page": page(None, csrf=""), "room": room, "days": [Value(on=at(12), talks=talks)], "release": RELEASE}


def changes() -> list[Value]:
    return [
        Value(kind="moved", code="T001", title=TITLES[1][0], was="Sun 10:00, Tower", now="Sun 14:00, The Hangar"),
        Value(kind="new", code="T007", title=TITLES[7][0], was="", now="Sun 13:30, Main Hall"),
        Value(kind="changed", code="T002", title=TITLES[2][0], was="30 min", now="45 min"),
        Value(kind="removed", code="", title="Microservices for cats", was="Mon 16:00, Gate 7", now=""),
    ]


def what_changed() -> dict[str, Any]:
    releases = [
        Value(number=3, at=RELEASE.at, note=RELEASE.note, changes=changes()),
        Value(number=2, at=at(18, 2, day=12), note="", changes=changes()[:2]),
        Value(number=1, at=at(12, 0, day=1), note="The first programme.", changes=[]),
    ]
    return {"page": page(None, csrf=""), "releases": releases}


# --- Schedule, for staff and speakers

PEERS = [
    Value(
        service="schedule",
        state="ready",
        since=at(8, 1),
        beat_at=NOW - timedelta(seconds=1),
        is_all_here=True,
        as_of=None,
    ),
    Value(
        service="statistics",
        state="ready",
        since=at(8, 1),
        beat_at=NOW - timedelta(seconds=1),
        is_all_here=True,
        as_of=None,
    ),
]
DISPATCH_DOWN = [
    Value(
        service="dispatch",
        state="silent",
        since=at(14, 9, 11),
        beat_at=at(14, 9, 11),
        is_all_here=False,
        as_of=at(14, 9, 11),
    ),
    Value(
        service="statistics",
        state="ready",
        since=at(8, 1),
        beat_at=NOW - timedelta(seconds=1),
        is_all_here=True,
        as_of=None,
    ),
]


def unanswered() -> list[Value]:
    return [
        Value(
            pickup="K7QX",
            passenger="Ada Lovelace",
            arrival="LH2034",
            lands_at=at(14, 40),
            phone="+49 30 5550 117",
            from_place="BER Terminal 1",
            to_place="Hotel Adlon",
            party=2,
            since=at(14, 10),
            late_plan="",
        )
    ]


def organise() -> dict[str, Any]:
    notes = [
        Value(line=212, text="no language; “en” is assumed"),
        Value(line=None, text="3 persons have no guid; they got one"),
    ]
    imported = Value(file="softconf.xml", at=at(8, 40, day=20), added=2, changed=4, removed=1, same=55, notes=notes)
    return {
        "page": page(
            message=Value(
                kind="done", text="Imported: 2 talks are new, 4 changed. The public sees them with the next release."
            )
        ),
        "stream": f"{BASE}/organise/stream",
        "peers": PEERS[1:],
        "unanswered": [],
        "draft": Value(talks=62, speakers=45, rooms=5, changed_at=at(13, 50)),
        "release": RELEASE,
        "changes": changes(),
        "changes_total": 4,
        "faults": [
            Value(blocks=False, text="Ada Lovelace lands 09:05 and speaks 10:30; the drive takes 45 min."),
            Value(blocks=False, text="Gate 7 has two talks at 16:00."),
        ],
        "set_aside": None,
        "left": [],
        "published": Value(
            number=RELEASE.number,
            is_public=True,
            public_at=at(13, 50),
            shown=RELEASE.number,
            waiting_since=None,
            why="",
        ),
        "lost": [
            "Grace Hopper: the landing (Mon 23 Nov 11:40) is after “Ships that stay” begins (Mon 23 Nov 10:00): "
            "that talk is lost."
        ],
        "imported": imported,
        "journeys": Value(count=38, states=[("requested", 3), ("unplaced", 2), ("planned", 33)], earlier=1),
    }


def journey(number: str, name: str, lands: datetime, **more: Any) -> Value:
    values = {
        "id": f"j-{number}",
        "speaker": Value(code=name[:3].upper(), name=name),
        "how": "flight",
        "number": number,
        "airport": "BER",
        "landing_at": lands,
        "expected_at": None,
        "news": "",
        "party": 1,
        "luggage": 1,
        "wheelchair": False,
        "to_place": "Hotel Adlon",
        "phone": "+49 30 5550 117",
        "note": "",
        "pickup": "K7QX",
        "state": "planned",
        "why": "",
        "board_at": lands + minutes(35),
        "vehicle": "Grey van, Dana",
        "revision": 1,
        "talk_at": at(10, 30, day=23),
        "lost": "",
    }
    return Value(**(values | more))


def counts_of(shown: list[Value]) -> Value:
    states = Counter(each.state for each in shown)
    return Value(count=len(shown), states=list(states.items()), earlier=0)


def journeys() -> list[Value]:
    return [
        journey("LH2034", "Ada Lovelace", at(13, 52), news="landed", expected_at=at(13, 49), state="boarded", party=2),
        journey(
            "SK675", "Grace Hopper", at(15, 20), pickup="M2RT", news="late", expected_at=at(16, 5), state="accepted"
        ),
        journey(
            "ICE 1001",
            "Barbara Liskov",
            at(15, 36),
            pickup="P4WD",
            how="train",
            airport="Berlin Hbf",
            board_at=None,
            vehicle="",
            state="unplaced",
            why="No vehicle with a wheelchair place is free before 17:10.",
            wheelchair=True,
        ),
        journey(
            "TP534",
            "Joana Prates",
            at(17, 40),
            pickup="R9HC",
            state="requested",
            board_at=None,
            vehicle="",
            to_place="Guesthouse Spree",
        ),
        journey("AF1734", "Ines Moreau", at(9, 10, day=23), pickup="W3KM", state="planned"),
        journey(
            "LO389",
            "Tomasz Zielinski",
            at(8, 5),
            pickup="B6NE",
            news="cancelled",
            state="withdrawn",
            board_at=None,
            vehicle="",
        ),
    ]


PLACES = [
    Value(slug="adlon", name="Hotel Adlon"),
    Value(slug="spree", name="Guesthouse Spree"),
    Value(slug="venue", name="Kongresshalle"),
]


def arrivals() -> dict[str, Any]:
    faults = [
        Value(row=7, reason="“31.11.2026” is not a day: November has 30. Write 2026-11-30."),
        Value(row=12, reason="Nobody called “Grase Hopper” speaks here. Did you mean Grace Hopper?"),
    ]
    return {
        "page": page(
            refused={
                "name": "arrival",
                "values": {"speaker": "GRA", "number": "SK 67 5", "party": "0"},
                "faults": {
                    "": "The arrival was not added: two fields need another look.",
                    "party": "At least one person must arrive.",
                },
            }
        ),
        "stream": f"{BASE}/organise/arrivals/stream",
        "peers": DISPATCH_DOWN,
        "unanswered": unanswered(),
        "journeys": journeys(),
        "counts": counts_of(journeys()),
        "speakers": [Value(code="ADA", name="Ada Lovelace"), Value(code="GRA", name="Grace Hopper")],
        "places": PLACES,
        "chosen": None,
        "report": Value(file="arrivals.csv", dry_run=True, added=31, changed=2, same=4, faults=faults),
    }


def change_arrival() -> dict[str, Any]:
    chosen = journey(
        "SK675", "Grace Hopper", at(15, 20), pickup="M2RT", on="2026-11-22", time="15:20", place="adlon", news="late"
    )
    return arrivals() | {"page": page(), "chosen": chosen, "report": None, "unanswered": [], "peers": PEERS[1:]}


def no_arrivals() -> dict[str, Any]:
    return arrivals() | {
        "page": page(),
        "journeys": [],
        "counts": counts_of([]),
        "speakers": [],
        "report": None,
        "unanswered": [],
        "peers": PEERS[1:],
    }


def people() -> dict[str, Any]:
    staff = [
        Value(
            id="1",
            name="Ana Vidal",
            email="ana@softconf.example",
            phone="+49 1",
            roles=STAFF.roles,
            is_me=True,
            seen_at=NOW,
        ),
        Value(
            id="2",
            name="Ben Okafor",
            email="ben@softconf.example",
            phone="",
            roles={"coordinator"},
            is_me=False,
            seen_at=at(9, 2),
        ),
        Value(id="3", name="Cleo Park", email="", phone="", roles={"operator"}, is_me=False, seen_at=None),
    ]
    link = Value(name="Cleo Park", url="https://softconf.example/sign-in/9f2c1e7a4b", qr="/qr.svg", until=at(18))
    return {"page": page(), "people": staff, "link": link, "edited": staff[0]}


def speakers() -> dict[str, Any]:
    rows = [
        Value(
            code=j.speaker.code,
            name=j.speaker.name,
            talks=1,
            has_left=False,
            link=f"{BASE}/speaker/abc",
            seen_at=at(11),
            phone=j.phone,
            journey=j,
        )
        for j in journeys()
    ]
    rows.append(
        Value(
            code="YUK",
            name="Yuki Tanaka",
            talks=2,
            has_left=True,
            link=f"{BASE}/speaker/def",
            seen_at=None,
            phone="",
            journey=None,
        )
    )
    return {"page": page(), "speakers": rows}


def speaker_page() -> dict[str, Any]:
    steps = [
        Value(words="Landed", state="done", at=at(13, 49)),
        Value(words="Driver assigned", state="done", at=at(13, 50)),
        Value(words="Dana is at the meeting point", state="now", at=at(14, 4)),
        Value(words="In the car", state="todo", at=None),
        Value(words="Hotel Adlon", state="todo", at=at(14, 55)),
    ]
    ride = Value(
        board_at=at(14, 10),
        deliver_at=at(14, 55),
        source="driver, 14:04",
        is_live=True,
        driver="Dana",
        phone="+49 151 5550 20",
        vehicle="grey van",
        plate="B-SL 26",
        meeting="Terminal 1, gate B, exit 3",
        sign="SOFTCONF",
    )
    way = Value(
        how="flight",
        number="LH2034",
        airport="BER",
        landing_at=at(13, 52),
        expected_at=at(13, 49),
        news="landed",
        to_place="Hotel Adlon",
        pickup="K7QX",
        state="arrived",
        lost=None,
        said="Your driver waits for you.",
        steps=steps,
    )
    edit = Value(
        how="flight",
        number="LH2034",
        on="2026-11-22",
        time="13:52",
        airport="BER",
        place="adlon",
        party=2,
        luggage=2,
        phone="+49 30 5550 117",
        note="",
        wheelchair=False,
    )
    return {
        "page": page(None),
        "stream": f"{BASE}/speaker/token/stream",
        "address": f"{BASE}/speaker/token",
        "speaker": Value(name="Ada Lovelace"),
        "talks": [
            Value(
                code="T000", title="Failing well", room="Main Hall", start_at=at(10, 30, day=23), duration=minutes(45)
            )
        ],
        "journey": way,
        "ride": ride,
        "desk": "+49 30 5550 100",
        "places": PLACES,
        "edit": edit,
    }


def new_speaker() -> dict[str, Any]:
    return speaker_page() | {"journey": None, "ride": None, "edit": None}


# --- Dispatch


def ride(code: str, passenger: str, board: datetime, deliver: datetime, state: str = "planned", **more: Any) -> Value:
    values = {
        "party": 1,
        "from_place": "BER T1",
        "to_place": "Hotel Adlon",
        "is_late": False,
        "is_unseen": False,
        "is_pinned": False,
        "line": 0,
    }
    return Value(code=code, passenger=passenger, board_at=board, deliver_at=deliver, state=state, **(values | more))


def vehicle(code: str, name: str, driver: str | None, state: str, rides: list[Value], **more: Any) -> Value:
    values = {
        "plate": f"B-SL 2{code[-1]}",
        "seats": 6 if "van" in name else 3,
        "driver": Value(name=driver, phone="+49 151 5550 20") if driver else None,
        "seen_at": NOW - timedelta(seconds=8),
        "shift": Value(from_at=at(8), to_at=at(16, 30)),
        "lines": 1,
    }
    return Value(code=code, name=name, state=state, rides=rides, **(values | more))


def vehicles() -> list[Value]:
    late = Value(from_at=at(15), to_at=at(23))
    return [
        vehicle(
            "V1",
            "Grey van",
            "Dana Weiss",
            "driving",
            [
                ride("B6NE", "Tomasz Zielinski", at(12, 40), at(13, 25), "delivered"),
                ride("K7QX", "Ada Lovelace", at(13, 58), at(14, 55), "boarded"),
                ride("N8VG", "Noor Haddad", at(14, 5), at(15, 10), "boarded", line=1),
                ride("M2RT", "Grace Hopper", at(16, 20), at(17, 5), "accepted"),
            ],
            lines=2,
        ),
        vehicle(
            "V2",
            "Blue estate",
            "Ali Demir",
            "silent",
            [
                ride("F5YA", "Radoslav Petkov", at(13, 30), at(14, 20), "boarded", is_late=True),
                ride("W3KM", "Ines Moreau", at(15, 15), at(16, 0)),
            ],
            seen_at=NOW - minutes(6),
        ),
        vehicle(
            "V3",
            "White van",
            "Maja Kovač",
            "driving",
            [
                ride("Z2CJ", "Mei-Lin Tan", at(14, 20), at(15, 0), "arrived"),
                ride("H4DS", "Sofia Rinaldi", at(15, 30), at(16, 30), is_pinned=True),
                ride("Q9UB", "Yuki Tanaka", at(15, 40), at(16, 40), line=1),
            ],
            lines=2,
        ),
        vehicle(
            "V4",
            "Red hatchback",
            "Piotr Nowak",
            "free",
            [ride("E7LT", "Frida Lindqvist", at(16, 50), at(17, 35))],
            shift=Value(from_at=at(10), to_at=at(18)),
        ),
        vehicle(
            "V5",
            "Green van",
            "Chiara Bruno",
            "off",
            [ride("R9HC", "Joana Prates", at(18, 10), at(18, 55))],
            seen_at=None,
            shift=late,
        ),
        vehicle("V6", "Black saloon", None, "off", [], seen_at=None, shift=None),
    ]


def queue() -> list[Value]:
    return [
        Value(
            code="P4WD",
            passenger="Barbara Liskov",
            party=1,
            from_place="Berlin Hbf",
            to_place="Hotel Adlon",
            ready_at=at(15, 50),
            expires_at=at(16, 50),
            state="unplaced",
            why="No vehicle with a wheelchair place is free before 17:10.",
        ),
        Value(
            code="T3XN",
            passenger="Cpt. Marek Dvořák",
            party=2,
            from_place="BER T1",
            to_place="Kongresshalle",
            ready_at=at(18, 5),
            expires_at=at(19, 35),
            state="requested",
            why="",
        ),
    ]


MISSED_WORDS = [("by-taxi", "By taxi"), ("later", "Fetched later"), ("not-needed", "Not needed"), ("other", "Other")]


def alarms() -> list[Value]:
    return [
        Value(
            id="inc-1",
            kind="missed",
            title="K2FD was missed: Leslie Nwosu waited for a car that never came",
            detail="LH187, ready 13:05 at BER T1, to Hotel Adlon. Dispatch was down 12:58–13:36.",
            since=at(13, 36),
            pickup="K2FD",
            phone="+44 20 5550 9",
            to_do="Call the passenger: fetch them by another car or a taxi, and say what was done.",
            state="missed",
            words=MISSED_WORDS,
        ),
        Value(
            id="inc-2",
            kind="no_show",
            title="Ali says: nobody came for F8QA, Karen Sand",
            detail="",
            since=at(14, 6),
            pickup="F8QA",
            phone=None,
            to_do="",
            state="no_show",
            words=[("found", "Found after all"), ("by-taxi", "By taxi"), ("gone", "Left by themselves")],
        ),
    ]


def chosen_pickup() -> Value:
    options = [
        Value(
            code="V3",
            name="White van, Maja",
            board_at=at(15, 5),
            deliver_at=at(15, 50),
            fits=True,
            why="3 seats free, moves nobody",
        ),
        Value(
            code="V1",
            name="Grey van, Dana",
            board_at=at(16, 20),
            deliver_at=at(17, 5),
            fits=True,
            why="moves Noor Haddad 6 min",
        ),
        Value(
            code="V4", name="Red hatchback, Piotr", board_at=None, deliver_at=None, fits=False, why="2 bags too many"
        ),
    ]
    history = [
        Value(at=at(14, 2), words="Dana took the ride", by="Dana, phone"),
        Value(at=at(13, 50), words="Planned onto Grey van: 16:20 to 17:05", by="plan 13"),
        Value(at=at(13, 49), words="SK675 is 45 min late, revision 2", by="Ana Vidal"),
        Value(at=at(9, 12, day=20), words="Asked for by Schedule", by="Grace Hopper"),
    ]
    return Value(
        code="M2RT",
        passenger="Grace Hopper",
        phone="+1 202 5550 14",
        party=1,
        luggage=2,
        wheelchair=False,
        arrival="SK675",
        from_place="BER T1",
        to_place="Hotel Adlon",
        ready_at=at(16, 20),
        expires_at=at(17, 50),
        note="Will wear a red scarf.",
        talk="On compilers",
        talk_at=at(19),
        state="accepted",
        why="",
        revision=2,
        is_pinned=True,
        is_held=False,
        vehicle=Value(code="V1", name="Grey van", driver="Dana Weiss"),
        board_at=at(16, 20),
        deliver_at=at(17, 5),
        told=[Value(driver="Dana Weiss", is_seen=False, is_gone=False, at=at(14, 0))],
        history=history,
        options=options,
    )


def board() -> dict[str, Any]:
    counts = {
        "planned": 6,
        "accepted": 1,
        "arrived": 1,
        "boarded": 3,
        "delivered": 9,
        "unplaced": 1,
        "missed": 1,
        "no_show": 1,
        "refused": 0,
        "stood_down": 0,
        "total": 23,
        "later": 37,
        "to_settle": 2,
    }
    return {
        "page": page(),
        "stream": f"{BASE}/dispatch/stream?pickup=M2RT",
        "counts": counts,
        "plan": Value(number=13, made_at=at(14, 1)),
        "alarms": alarms(),
        "deaths": [Value(sentence="Dispatch died 13:58:11 (SIGKILL), back 13:58:15 after 4 s", recovered=3, expired=1)],
        "peers": PEERS,
        "queue": queue(),
        "vehicles": vehicles(),
        "window": Value(from_at=at(13), to_at=at(19), hours=[at(hour) for hour in range(13, 19)]),
        "chosen": chosen_pickup(),
    }


def empty_board() -> dict[str, Any]:
    counts = dict.fromkeys((*STATES, "total", "later", "to_settle"), 0)
    return board() | {
        "counts": counts,
        "alarms": [],
        "deaths": [],
        "queue": [],
        "vehicles": [],
        "chosen": None,
        "stream": f"{BASE}/dispatch/stream",
    }


def report() -> Value:
    return Value(
        file="fleet.csv",
        dry_run=False,
        added=6,
        changed=0,
        same=2,
        faults=[Value(row=4, reason="A vehicle needs at least one seat; this row says 0.")],
    )


def fleet() -> dict[str, Any]:
    cars = [
        Value(
            code=v.code,
            name=v.name,
            plate=v.plate,
            seats=v.seats,
            luggage=v.seats,
            wheelchair=v.code == "V3",
            starts_at="BER Terminal 1",
        )
        for v in vehicles()
    ]
    drivers = [
        Value(
            id=v.code.lower(),
            name=v.driver.name,
            phone=v.driver.phone,
            link=f"{BASE}/drive/t-{v.code}",
            qr="/qr.svg",
            seen_at=v.seen_at,
        )
        for v in vehicles()
        if v.driver
    ]
    shifts = [
        Value(
            id=f"s-{v.code}",
            driver=v.driver.name,
            vehicle=v.name,
            code=v.code,
            from_at=v.shift.from_at,
            to_at=v.shift.to_at,
            starts_at="BER Terminal 1",
            rides=len(v.rides),
        )
        for v in vehicles()
        if v.driver
    ]
    spots = [("ber-t1", "BER Terminal 1"), ("adlon", "Hotel Adlon")]
    return {
        "page": page(),
        "vehicles": cars,
        "drivers": drivers,
        "shifts": shifts,
        "places": spots,
        "report": report(),
        "edited": None,
    }


def empty_fleet() -> dict[str, Any]:
    return {"page": page(), "vehicles": [], "drivers": [], "shifts": [], "places": [], "report": None, "edited": None}


def places() -> dict[str, Any]:
    rows = [
        Value(
            slug="ber-t1",
            name="BER Terminal 1",
            kind="airport",
            address="Willy-Brandt-Platz, 12529 Schönefeld",
            latitude=52.3667,
            longitude=13.5033,
            note="gate B, exit 3",
            iata="BER",
            exit_international_min=40,
            exit_domestic_min=None,
            zone="Europe/Berlin",
            minutes_to=[Value(name="Hotel Adlon", drive=minutes(42)), Value(name="Kongresshalle", drive=minutes(38))],
        ),
        Value(
            slug="adlon",
            name="Hotel Adlon",
            kind="hotel",
            address="Unter den Linden 77, 10117 Berlin",
            latitude=52.516,
            longitude=13.380,
            note="",
            iata="",
            exit_international_min=None,
            exit_domestic_min=None,
            zone="Europe/Berlin",
            minutes_to=[],
        ),
    ]
    return {"page": page(), "places": rows, "report": None, "edited": rows[0]}


def runsheet() -> dict[str, Any]:
    stops = [
        stop(r.board_at, BER, driven(r.code, r.passenger, r.state, wheelchair=r.code == "K7QX"))
        for r in vehicles()[0].rides
    ]
    sheets = [
        Value(driver=v.driver, vehicle=v, shift=v.shift, qr="/qr.svg", stops=stops if v.code == "V1" else stops[:2])
        for v in vehicles()[:3]
    ]
    return {
        "page": page(),
        "styles": "",
        "plan": Value(number=13, made_at=at(14, 1)),
        "printed_at": at(14, 2),
        "desk": "+49 30 5550 100",
        "sheets": sheets,
    }


BER = Value(name="BER Terminal 1", address="Willy-Brandt-Platz, 12529 Schönefeld", note="Gate B, exit 3")
ADLON = Value(name="Hotel Adlon", address="Unter den Linden 77, 10117 Berlin", note="")
for spot in (BER, ADLON):
    spot.navigate = "https://www.google.com/maps/dir/?api=1&destination=52.36,13.5"


def driven(code: str, passenger: str, state: str, does: str = "board", **more: Any) -> Value:
    values = {
        "phone": "+49 30 5550 117",
        "party": 2,
        "luggage": 2,
        "wheelchair": True,
        "sign": "SOFTCONF",
        "does": does,
        "is_to_do": True,
        "arrival": "LH2034",
        "arrival_news": "landed 13:49",
        "to_place": "Hotel Adlon",
        "note": "",
        "said": "",
        "no_show_from": None,
    }
    return Value(code=code, passenger=passenger, state=state, **(values | more))


def stop(at: datetime, place: Value, *rides: Value) -> Value:
    steps = {"planned": "accepted", "accepted": "arrived", "arrived": "boarded", "boarded": "delivered"}
    taps = [
        Value(tap=tap, codes=[one.code for one in rides if steps.get(one.state) == tap and one.does == does])
        for tap, does in (("delivered", "alight"), ("accepted", "board"), ("arrived", "board"), ("boarded", "board"))
    ]
    return Value(
        key=f"{rides[0].does}-{rides[0].code}",
        place=place,
        at=at,
        leave_at=at - minutes(25),
        drive=minutes(25),
        riding=0 if rides[0].does == "board" else 2,
        rides=list(rides),
        taps=taps,
        next=next((one.tap for one in taps if one.codes), ""),
    )


def drive() -> dict[str, Any]:
    waited = {"said": "you arrived 14:04", "no_show_from": at(14, 25)}
    ada, grace = ("K7QX", "Ada Lovelace", "arrived"), ("M2RT", "Grace Hopper", "planned")
    alone: dict[str, Any] = {"party": 1, "wheelchair": False, "arrival": "SK675", "arrival_news": ""}
    return {
        "page": page(None),
        "stream": f"{BASE}/drive/token/stream",
        "address": f"{BASE}/drive/token",
        "driver": Value(name="Dana Weiss"),
        "vehicle": Value(name="Grey van", plate="B-SL 26"),
        "plan": Value(number=13, made_at=at(14, 1)),
        "desk": "+49 30 5550 100",
        "news": [],
        "stops": [
            stop(at(14, 10), BER, driven(*ada, **waited)),
            stop(at(14, 55), ADLON, driven(*ada, "alight")),
            stop(at(16, 20), BER, driven(*grace, **alone)),
            stop(at(17, 5), ADLON, driven(*grace, "alight", **alone)),
        ],
        "over": [
            Value(code="B6NE", passenger="Tomasz Zielinski", party=1, state="delivered", at=at(13, 25), may_come=False)
        ],
    }


def shared_drive() -> dict[str, Any]:
    """Two at one kerb."""
    ada, bea = ("K7QX", "Ada Lovelace", "accepted"), ("N8VG", "Noor Haddad", "accepted")
    first = stop(at(14, 10), BER, driven(*ada), driven(*bea, party=1, wheelchair=False))
    return drive() | {
        "stops": [first, stop(at(14, 55), ADLON, driven(*ada, "alight"), driven(*bea, "alight"))],
        "over": [],
    }


def changed_drive() -> dict[str, Any]:
    """One ride was given away, another moved."""
    gone = Value(code="F5YA", passenger="Radoslav Petkov", version="v1", since=at(14, 0), is_gone=True, changes=[])
    gone.why = "Ana gave it to Ali Demir, Blue estate"
    times = [Value(what="time", was="15:40", now="16:20")]
    later = Value(code="M2RT", passenger="Grace Hopper", version="v2", since=at(14, 1), is_gone=False, changes=times)
    later.why = ""
    return drive() | {"news": [gone, later]}


def idle_drive() -> dict[str, Any]:
    return drive() | {"stops": [], "over": [], "vehicle": None}


# --- Statistics


def services() -> list[Value]:
    def one(service: str, state: str = "ready", **more: Any) -> Value:
        values = {
            "since": at(8, 1, 4),
            "life": "01a4f7",
            "release": "0.1.0",
            "beat_at": NOW - timedelta(seconds=1),
            "waiting_for": "",
            "lag": timedelta(milliseconds=40),
            "backlog": 0,
            "expired": 0,
            "parked": 0,
            "beats": [True] * 60,
        }
        return Value(service=service, state=state, **(values | more))

    lost = [True] * 44 + [False] * 4 + [True] * 12
    return [
        one("schedule"),
        one(
            "dispatch",
            "silent",
            since=at(14, 12, 11),
            beat_at=at(14, 12, 10),
            life="01a4f9",
            lag=timedelta(seconds=29),
            backlog=5,
            expired=1,
            beats=[*lost[:-3], False, False, False],
        ),
        one("statistics", parked=1),
        one("nats", "degraded", life="", release="2.15.1", lag=None, beats=[]),
        one("front_door", life="", release="2.10", lag=None, beats=[]),
    ]


def operations() -> dict[str, Any]:
    incidents = [
        Value(
            id="d-1",
            title="Dispatch died 14:02:11 (SIGKILL), back 14:02:15 after 4 s; 3 pickups recovered, 1 expired",
            kind="death",
            service="statistics",
            opened_at=at(14, 2, 11),
            details=[
                "Noticed by Schedule 14:02:14, 3 s after the last beat.",
                "Waiting meanwhile: K7QX, M2RT, N8VG, and K2FD, which expired.",
            ],
            conference_name="",
            zone=ZONE,
            pickup=None,
            words=[("seen", "Seen, all is well"), ("look", "Somebody looks into it"), ("planned", "It was planned")],
            settled=None,
        ),
        Value(
            id="m-1",
            title="K2FD was missed: of use until 14:02, back 14:02:15",
            kind="missed",
            service="dispatch",
            opened_at=at(14, 2, 15),
            details=[],
            conference_name="",
            zone=ZONE,
            pickup=Value(conference=SLUG, code="K2FD"),
            words=MISSED_WORDS,
            settled=None,
        ),
        Value(
            id="d-0",
            title="Schedule died 11:40:02 (exit 1), back 11:40:04; nothing waited",
            kind="death",
            service="statistics",
            opened_at=at(11, 40, 2),
            details=[],
            conference_name="",
            zone=ZONE,
            pickup=None,
            words=[],
            settled=Value(by="Cleo Park", word="Somebody looks into it", note="disk was full", at=at(11, 52)),
        ),
    ]
    lives = [
        Value(
            service="dispatch",
            life="01a4f9",
            started_at=at(14, 2, 13),
            ready_at=at(14, 2, 15),
            ended_at=None,
            ending="",
            noticed_by="",
            noticed_at=None,
            recovered=3,
            expired=1,
        ),
        Value(
            service="dispatch",
            life="01a4e2",
            started_at=at(8, 1, 2),
            ready_at=at(8, 1, 4),
            ended_at=at(14, 2, 11),
            ending="SIGKILL",
            noticed_by="schedule",
            noticed_at=at(14, 2, 14),
            recovered=None,
            expired=None,
        ),
        Value(
            service="schedule",
            life="01a4f1",
            started_at=at(8, 1, 1),
            ready_at=at(8, 1, 3),
            ended_at=None,
            ending="",
            noticed_by="",
            noticed_at=None,
            recovered=0,
            expired=0,
        ),
        Value(
            service="statistics",
            life="01a47b",
            started_at=at(22, 1, 1, day=21),
            ready_at=None,
            ended_at=at(22, 3, day=21),
            ending="goodbye",
            noticed_by="",
            noticed_at=None,
            recovered=None,
            expired=None,
        ),
    ]
    letters = [
        Value(
            id="dl-1",
            consumer="dispatch",
            producer="schedule",
            kind="pickup.changed",
            subject="P4WD",
            parked_at=at(13, 58, 9),
            reason="The place “hotel-xyz” is not known here.",
            attempts=5,
            waiting=2,
        )
    ]
    logs = [
        Value(
            at=at(14, 12, 14),
            service="supervisor",
            level="warning",
            text="dispatch ended by SIGKILL; it starts again in 0.2 s",
            details="boot=3 after_s=0.2",
            pickup=None,
        ),
        Value(
            at=at(14, 12, 14),
            service="schedule",
            level="warning",
            text="dispatch is silent for 3 s; its beat and its HTTP beat failed",
            details="",
            pickup=None,
        ),
        Value(
            at=at(14, 12, 9),
            service="dispatch",
            level="info",
            text="planned onto V1, 2 stops moved by 0 min",
            details="",
            pickup="M2RT",
        ),
        Value(
            at=at(14, 11, 58),
            service="statistics",
            level="error",
            text="parked pickup.changed after 5 attempts",
            details="",
            pickup="P4WD",
        ),
    ]
    return {
        "page": page(conference=None, zone=ZONE),
        "stream": "/operations/stream",
        "conferences": [],
        "services": services(),
        "incidents": incidents,
        "lives": lives,
        "dead_letters": letters,
        "logs": logs,
        "log_filter": Value(service="", level="", words=""),
        "lost_logs": 0,
    }


def operations_of_two() -> dict[str, Any]:
    ways = [(f"{BASE}/", "Programme"), (f"{BASE}/dispatch/", "Board"), (f"{BASE}/statistics/", "Statistics")]
    conferences = [Value(**(vars(each) | {"ways": ways})) for each in two_conferences()["conferences"]]
    found = operations() | {"page": page(conference=None, zone="UTC"), "conferences": conferences}
    for incident in found["incidents"][1:]:
        incident.conference_name = "SoftConf: on falling down"
    return found


def two_conferences() -> dict[str, Any]:
    days = {"first_on": at(8), "last_on": at(18)}
    names = (("softconf", "SoftConf: on falling down", ZONE), ("pier", "Pier and Wharf 2026", "Europe/Lisbon"))
    listed = [Value(slug=slug, title=title, zone=zone, **days) for slug, title, zone in names]
    return {"page": page(None, conference=None, zone=None), "conferences": listed}


def calm_operations() -> dict[str, Any]:
    calm = [
        Value(**(vars(s) | {"state": "ready", "expired": 0, "parked": 0, "backlog": 0, "beats": [True] * len(s.beats)}))
        for s in services()
    ]
    return operations() | {
        "services": calm,
        "incidents": [],
        "lives": [],
        "dead_letters": [],
        "logs": [],
        "lost_logs": 12,
    }


def step(number: int, lane: str, kind: str, words: str, happened: datetime, **more: Any) -> Value:
    values = {
        "recorded_at": happened,
        "received_at": happened + timedelta(milliseconds=30),
        "is_late": False,
        "seq": 860 + number,
        "cause": "",
        "attempts": 1,
    }
    return Value(
        id=f"01a4f{number:03}-7c2e", lane=lane, kind=kind, words=words, happened_at=happened, **(values | more)
    )


def follow() -> dict[str, Any]:
    steps = [
        step(1, "schedule", "pickup.requested", "Ada Lovelace entered her arrival: LH2034, 13:52", at(13, 41, 2)),
        step(
            2,
            "dispatch",
            "pickup.planned",
            "planned onto the grey van: 14:10 to 14:55",
            at(13, 41, 2),
            cause="01a4f001-7c2e",
        ),
        step(3, "schedule", "pickup.changed", "flight news: landed 13:49", at(13, 49, 30)),
        step(4, "driver", "pickup.accepted", "Dana took the ride", at(13, 51, 12)),
        step(
            5,
            "driver",
            "pickup.arrived",
            "Dana arrived at gate B, exit 3",
            at(14, 3, 4),
            recorded_at=at(14, 4, 21),
            received_at=at(14, 4, 21),
            is_late=True,
            attempts=3,
        ),
        step(6, "driver", "pickup.boarded", "Ada Lovelace is aboard", at(14, 9, 40)),
        step(7, "statistics", "incident.opened", "Dispatch’s death was noted", at(14, 2, 18)),
    ]
    steps.sort(key=lambda one: one.happened_at)
    gaps = [Value(lane="dispatch", from_at=at(14, 1, 11), to_at=at(14, 4, 15), words="Dispatch was down (SIGKILL)")]
    return {
        "page": page(),
        "stream": f"{BASE}/follow/K7QX/stream",
        "peers": PEERS[:1],
        "pickup": Value(
            code="K7QX",
            passenger="Ada Lovelace",
            what="LH2034 → Hotel Adlon, 2 people",
            state="boarded",
            complete=False,
        ),
        "steps": steps,
        "gaps": gaps,
        "expected": [Value(words="dropped off at Hotel Adlon", by=at(14, 55))],
    }


def statistics() -> dict[str, Any]:
    counts = [
        Value(state=name, count=count)
        for name, count in (
            ("requested", 1),
            ("planned", 6),
            ("accepted", 1),
            ("arrived", 1),
            ("boarded", 3),
            ("delivered", 19),
            ("unplaced", 1),
            ("missed", 1),
            ("withdrawn", 2),
        )
    ]
    bins = [
        Value(label=label, count=count)
        for label, count in (("0–5", 6), ("5–10", 8), ("10–15", 4), ("15–20", 2), ("20–30", 2), ("30+", 0))
    ]
    facts = [
        Value(
            id=s.id,
            recorded_at=s.recorded_at,
            happened_at=s.happened_at,
            service={"driver": "dispatch"}.get(s.lane, s.lane),
            kind=s.kind,
            words=s.words,
            pickup="K7QX",
        )
        for s in reversed(follow()["steps"])
    ]
    return {
        "page": page(),
        "stream": f"{BASE}/statistics/stream",
        "peers": DISPATCH_DOWN[:1],
        "counts": counts,
        "facts_total": 1284,
        "heard_at": NOW - timedelta(seconds=4),
        "waits": Value(count=22, p50=minutes(8), p95=minutes(21), bins=bins),
        "facts": facts,
    }


def empty_statistics() -> dict[str, Any]:
    return statistics() | {
        "counts": [],
        "facts_total": 0,
        "heard_at": None,
        "waits": Value(count=0, p50=None, p95=None, bins=[]),
        "facts": [],
        "peers": PEERS,
    }


# --- the frame


def error() -> dict[str, Any]:
    fault = Value(
        status=409,
        title="This pickup has changed meanwhile",
        happened="Ben Okafor moved K7QX to the white van at 14:11, after you opened it.",
        kept="Your reason was not saved; nothing was moved.",
        todo="Look at the pickup as it is now, and move it again if you still want to.",
        reference="01a4f9-77",
    )
    return {
        "page": page(),
        "error": fault,
        "back": Value(address=f"{BASE}/dispatch/?pickup=K7QX", words="Back to the board"),
    }


def sign_in() -> dict[str, Any]:
    link = Value(address="/sign-in/token", visit="visit", name="Ben Okafor", roles=["coordinator", "operator"])
    return {"page": page(None, conference=None), "link": link, "fault": "", "used_at": None}


def used_sign_in() -> dict[str, Any]:
    return {"page": page(None, conference=None), "link": None, "fault": "", "used_at": at(10, 2)}


PAGES = {
    "programme": ("programme.html", programme),
    "programme-large": ("programme.html", large_programme),
    "programme-empty": ("programme.html", empty_programme),
    "talk": ("talk.html", one_talk),
    "speaker": ("speaker.html", one_speaker),
    "room": ("room.html", one_room),
    "changes": ("changes.html", what_changed),
    "organise": ("organise.html", organise),
    "arrivals": ("arrivals.html", arrivals),
    "arrivals-change": ("arrivals.html", change_arrival),
    "arrivals-empty": ("arrivals.html", no_arrivals),
    "people": ("people.html", people),
    "speakers": ("speakers.html", speakers),
    "speaker-page": ("speaker_page.html", speaker_page),
    "speaker-page-new": ("speaker_page.html", new_speaker),
    "board": ("board.html", board),
    "board-empty": ("board.html", empty_board),
    "fleet": ("fleet.html", fleet),
    "fleet-empty": ("fleet.html", empty_fleet),
    "places": ("places.html", places),
    "runsheet": ("runsheet.html", runsheet),
    "drive": ("drive.html", drive),
    "drive-shared": ("drive.html", shared_drive),
    "drive-changed": ("drive.html", changed_drive),
    "drive-idle": ("drive.html", idle_drive),
    "operations": ("operations.html", operations),
    "operations-calm": ("operations.html", calm_operations),
    "operations-of-two": ("operations.html", operations_of_two),
    "conferences": ("conferences.html", two_conferences),
    "follow": ("follow.html", follow),
    "statistics": ("statistics.html", statistics),
    "statistics-empty": ("statistics.html", empty_statistics),
    "error": ("error.html", error),
    "sign-in": ("sign_in.html", sign_in),
    "sign-in-used": ("sign_in.html", used_sign_in),
}
