"""Facts of Dispatch: what became of each pickup, and plans."""

from datetime import datetime
from typing import Annotated, ClassVar

from softlanding.contracts.fact import Fact, Personal, PersonalText


class RideState(Fact):
    """A pickup as Dispatch has it, about one revision of what Schedule asked."""

    conference: str
    pickup: str
    code: str
    revision: int
    status: str
    at: datetime  # When it happened: the driver's tap, not when it was heard.
    vehicle: str | None = None
    driver_name: PersonalText | None = None
    driver_phone: PersonalText | None = None
    plate: PersonalText | None = None
    meeting: PersonalText = ""  # Where the driver waits, as it was typed at the place; of a ride that a vehicle has.
    board_at: datetime | None = None  # As planned.
    deliver_at: datetime | None = None
    boarded_at: datetime | None = None
    delivered_at: datetime | None = None
    plan: int | None = None
    reason: PersonalText = ""  # In words, also what a person typed.
    asked_at: datetime | None = None  # When Schedule asked for this revision. Older releases do not say.
    due_at: datetime | None = None  # Until when it is of use.
    is_late_word: bool = False  # Tapped long before it was heard (a phone without net).

    @property
    def subject(self) -> str:
        return f"pickup/{self.pickup}"


class PickupPlanned(RideState):
    TYPE: ClassVar[str] = "pickup.planned"


class PickupUnplaced(RideState):
    """No vehicle can take it; `reason` says what binds."""

    TYPE: ClassVar[str] = "pickup.unplaced"


class PickupRefused(RideState):
    """It can never be planned as asked; `reason` says why."""

    TYPE: ClassVar[str] = "pickup.refused"


class PickupAccepted(RideState):
    TYPE: ClassVar[str] = "pickup.accepted"


class PickupDriverArrived(RideState):
    TYPE: ClassVar[str] = "pickup.driver_arrived"


class PickupBoarded(RideState):
    TYPE: ClassVar[str] = "pickup.boarded"


class PickupDelivered(RideState):
    TYPE: ClassVar[str] = "pickup.delivered"


class PickupNoShow(RideState):
    TYPE: ClassVar[str] = "pickup.no_show"


class PickupMissed(RideState):
    """Its time passed before anybody was aboard. Only Dispatch says so."""

    TYPE: ClassVar[str] = "pickup.missed"


class PickupStoodDown(RideState):
    """It was withdrawn, and the driver is told not to come."""

    TYPE: ClassVar[str] = "pickup.stood_down"


class TalkAtRisk(Fact):
    """As planned, the speaker arrives too late for the talk."""

    TYPE: ClassVar[str] = "talk.at_risk"
    conference: str
    talk: PersonalText = ""  # Its code: the programme says who speaks, and when.
    pickup: str
    code: str
    starts_at: Annotated[datetime, Personal] | None = None
    deliver_at: datetime | None

    @property
    def subject(self) -> str:
        return f"pickup/{self.pickup}"


class PlanPublished(Fact):
    """A new plan; run sheets follow."""

    TYPE: ClassVar[str] = "plan.published"
    conference: str
    plan: int
    published_at: datetime
    rides: int
    vehicles: int
    unplaced: int
    reason: PersonalText = ""

    @property
    def subject(self) -> str:
        return f"plan/{self.conference}"


class PlacesChanged(Fact):
    """Where somebody can be taken: hotels, venues and what else is no airport, by name."""

    TYPE: ClassVar[str] = "places.changed"
    conference: str
    names: tuple[str, ...]

    @property
    def subject(self) -> str:
        return f"places/{self.conference}"


RIDES: tuple[type[RideState], ...] = (
    PickupPlanned,
    PickupUnplaced,
    PickupRefused,
    PickupAccepted,
    PickupDriverArrived,
    PickupBoarded,
    PickupDelivered,
    PickupNoShow,
    PickupMissed,
    PickupStoodDown,
)
FACTS: tuple[type[Fact], ...] = (*RIDES, TalkAtRisk, PlanPublished, PlacesChanged)
