"""Facts of Schedule: conferences, releases, pickups asked for, people and their roles."""

from datetime import date, datetime
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from softlanding.contracts.fact import Fact, Personal, PersonalText
from softlanding.formats.arrivals_csv import LUGGAGE_MAX, PARTY_MAX, WHEELCHAIRS_MAX

BY_HAND = "by_hand"  # Why a pickup was withdrawn, as a word that may be counted: a person fetches them.


class ConferenceChanged(Fact):
    """A conference was set up, or its name, zone or days changed."""

    TYPE: ClassVar[str] = "conference.changed"
    conference: str
    title: str
    zone: str
    first_on: date
    last_on: date

    @property
    def subject(self) -> str:
        return f"conference/{self.conference}"


class ReleasePublished(Fact):
    """A programme was frozen and shown to everybody, with what changed since the one before (codes of talks)."""

    TYPE: ClassVar[str] = "release.published"
    conference: str
    number: int
    name: str
    note: str = ""
    released_at: datetime
    talks: int
    speakers: int
    rooms: int
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        return f"programme/{self.conference}"


class TalkState(Fact):
    """A talk as the newest release has it."""

    conference: str
    talk: str  # Its code.
    title: str
    room: str | None
    starts_at: datetime
    duration_minutes: int
    release: int

    @property
    def subject(self) -> str:
        return f"talk/{self.conference}/{self.talk}"


class TalkMoved(TalkState):
    """Another time or room than in the release before."""

    TYPE: ClassVar[str] = "talk.moved"
    was_at: datetime
    was_room: str | None


class TalkDelayed(TalkState):
    """It starts later than the release says; the programme itself stays."""

    TYPE: ClassVar[str] = "talk.delayed"
    expected_at: datetime


class TalkCancelled(TalkState):
    """It does not take place."""

    TYPE: ClassVar[str] = "talk.cancelled"


class PickupState(Fact):
    """A pickup as Schedule asks for it: the whole of what a driver and a coordinator need to know."""

    conference: str
    pickup: str
    code: str  # For people: K7QX.
    revision: int = Field(ge=1)
    direction: Literal["arrival", "departure"] = "arrival"
    speaker: PersonalText = ""  # Its code.
    speaker_name: PersonalText = ""
    phone: PersonalText = ""
    travel_number: PersonalText = ""  # Flight or train: "LH 2034".
    from_place: PersonalText = ""
    to_place: PersonalText = ""
    landing_at: datetime  # As now expected.
    party: int = Field(default=1, ge=1, le=PARTY_MAX)
    luggage: int = Field(default=1, ge=0, le=LUGGAGE_MAX)
    wheelchairs: Annotated[int, Personal] = Field(default=0, ge=0, le=WHEELCHAIRS_MAX)
    talk: PersonalText | None = None
    talk_title: PersonalText | None = None
    # The talk begins: to be there well before. Not after `landing_at`: it is lost.
    deadline_at: Annotated[datetime, Personal] | None = None
    note: PersonalText = ""
    news: Literal["", "cancelled", "diverted"] = ""  # Of the flight or train: what nobody but a person can mend.
    reason: PersonalText = ""  # As somebody typed it.
    reason_kind: str = Field(default="", pattern=r"^[a-z_]{0,20}$")  # One word for it, which may be counted.
    requested_at: datetime
    answer_by: datetime  # When Schedule calls for help if Dispatch has said nothing about this revision.
    expires_at: datetime  # From when on fetching is of no more use.

    @property
    def subject(self) -> str:
        return f"pickup/{self.pickup}"

    @property
    def expires(self) -> datetime | None:
        return self.expires_at


class PickupRequested(PickupState):
    TYPE: ClassVar[str] = "pickup.requested"


class PickupChanged(PickupState):
    TYPE: ClassVar[str] = "pickup.changed"


class PickupWithdrawn(PickupState):
    """It is not wanted any more, or a person takes it by hand (`reason_kind` says which, `reason` in their words)."""

    TYPE: ClassVar[str] = "pickup.withdrawn"


class PersonState(Fact):
    """A member of staff and what they may do: roles as (conference or `*`, role)."""

    person: str
    name: PersonalText
    email: PersonalText = ""
    phone: PersonalText = ""
    roles: tuple[tuple[str, str], ...] = ()
    revision: int = 1

    @property
    def subject(self) -> str:
        return f"person/{self.person}"


class PersonGranted(PersonState):
    TYPE: ClassVar[str] = "person.granted"


class PersonRevoked(PersonState):
    TYPE: ClassVar[str] = "person.revoked"


class SignInMade(Fact):
    """A sign-in link was made for somebody, or withdrawn: of all made up to now only this one holds."""

    TYPE: ClassVar[str] = "sign_in.made"
    person: str
    token_hash: str  # "" when none holds.
    made_at: datetime

    @property
    def subject(self) -> str:
        return f"person/{self.person}"


class TokenState(Fact):
    """A program's token; `conference` None: it holds for all."""

    token: str
    token_hash: str
    name: PersonalText = ""  # As a person typed it.
    scopes: tuple[str, ...]
    made_by: PersonalText = ""
    made_at: datetime
    ends_at: datetime
    revoked_at: datetime | None = None
    revoked_by: PersonalText | None = None

    @property
    def subject(self) -> str:
        return f"token/{self.token}"


class TokenGranted(TokenState):
    TYPE: ClassVar[str] = "token.granted"


class TokenRevoked(TokenState):
    TYPE: ClassVar[str] = "token.revoked"


FACTS: tuple[type[Fact], ...] = (
    ConferenceChanged,
    ReleasePublished,
    TalkMoved,
    TalkDelayed,
    TalkCancelled,
    PickupRequested,
    PickupChanged,
    PickupWithdrawn,
    PersonGranted,
    PersonRevoked,
    SignInMade,
    TokenGranted,
    TokenRevoked,
)
