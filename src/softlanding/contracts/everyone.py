"""Facts that each of the three services tells: its lives, its incidents, sign-ins used."""

from datetime import datetime
from typing import ClassVar, Literal

from softlanding.contracts.fact import Fact, PersonalText

MERGED = "part of another"  # The word that nobody said: another incident, which a person settles, tells of the same.

STOPPED = "was stopped"  # Nobody's word either: a silence between a goodbye and the next life, however long.


class LifeBegan(Fact):
    """A service took up work: the first fact of its epoch. The parent is the life before, with its last number."""

    TYPE: ClassVar[str] = "life.began"
    service: str
    life: str
    parent: str | None
    parent_last: int | None
    parent_said_goodbye: bool
    parent_ready_at: datetime | None = None  # None: it never was, or an older release does not say.
    last_end: str | None = None  # As the supervisor saw it: "SIGKILL", "exit code 1".
    last_end_at: datetime | None = None  # When the supervisor saw it end, or the parent's last sign in the database.
    down_since: datetime | None = None  # The last sign of the last life that was ready, if the parent died.
    attempts: int | None = None  # Starts since then, this one with them.
    began_at: datetime
    release: str

    @property
    def subject(self) -> str:
        return f"life/{self.service}"


class LifeEnded(Fact):
    """A service said goodbye."""

    TYPE: ClassVar[str] = "life.ended"
    service: str
    life: str
    ended_at: datetime

    @property
    def subject(self) -> str:
        return f"life/{self.service}"


class IncidentState(Fact):
    """An incident as its owner has it."""

    incident: str
    kind: Literal[
        "death", "silence", "missed", "unanswered", "poison", "halted", "clock", "fork", "lost", "stranded", "other"
    ]
    about: str  # `dispatch`, `pickup/…`
    code: str | None = None  # The pickup's short code, where it is about one.
    sentence: str  # What people read, without names of persons.
    opened_at: datetime
    times: int = 1  # A service that dies again and again is one growing incident.
    settled_at: datetime | None = None
    settled_by: PersonalText | None = None
    settled_word: str | None = None
    settled_note: PersonalText | None = None

    @property
    def subject(self) -> str:
        return f"incident/{self.incident}"


class IncidentOpened(IncidentState):
    """Something needs a person; said again when it grew."""

    TYPE: ClassVar[str] = "incident.opened"


class IncidentSettled(IncidentState):
    """A person settled it, with a word; or it became a part of another one (`MERGED`)."""

    TYPE: ClassVar[str] = "incident.settled"


class SignInUsed(Fact):
    """A sign-in link was used; no service takes it again."""

    TYPE: ClassVar[str] = "sign_in.used"
    token_hash: str
    used_at: datetime
    person: str | None = None  # Whom it let in.
    made_at: datetime | None = None  # Links that were made for them before are over.

    @property
    def subject(self) -> str:
        return f"sign_in/{self.token_hash}"


class SessionBegan(Fact):
    """Somebody has signed in."""

    TYPE: ClassVar[str] = "session.began"
    session: str
    session_of: str  # The person's id.
    began_at: datetime
    began_in: str  # The service at which it was.
    address: PersonalText = ""
    agent: PersonalText = ""

    @property
    def subject(self) -> str:
        return f"session/{self.session}"


class SessionEnded(Fact):
    """It lets nobody in any more, wherever its cookie is kept."""

    TYPE: ClassVar[str] = "session.ended"
    session: str
    session_of: str
    ended_at: datetime
    by: PersonalText
    why: str  # `signed out`, `ended`, …

    @property
    def subject(self) -> str:
        return f"session/{self.session}"


FACTS: tuple[type[Fact], ...] = (
    LifeBegan,
    LifeEnded,
    IncidentOpened,
    IncidentSettled,
    SignInUsed,
    SessionBegan,
    SessionEnded,
)
