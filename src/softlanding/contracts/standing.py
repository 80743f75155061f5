"""Where a pickup stands, read off the last word of each of the two services that speak of it: the one definition by
which every service counts, so that their numbers add up to the same."""

from dataclasses import dataclass

from softlanding.contracts.schedule import BY_HAND

STATES = (
    "requested",
    "unplaced",
    "planned",
    "accepted",
    "arrived",
    "boarded",
    "delivered",
    "no_show",
    "missed",
    "refused",
    "by_hand",
    "withdrawn",
    "stood_down",
)
"""In the order of a pickup's life; each is in one. `requested`: Dispatch has not answered the newest revision.
`withdrawn`: Dispatch has not said that it stood down. What is `by_hand` here is `stood_down` for Dispatch."""

TOOK_PLACE = frozenset({"boarded", "delivered", "no_show"})  # A person saw it: no wish of anybody undoes it.
SEEN = TOOK_PLACE | {"arrived"}  # A newer wish does not undo it.


@dataclass(frozen=True, slots=True)
class Words:
    """The last word of each of the two services about one pickup; None where one has said nothing."""

    asked: str | None = None  # requested, changed, withdrawn
    asked_revision: int | None = None
    asked_kind: str = ""  # Of the reason: by_hand
    ride: str | None = None  # Where the ride stands, as Dispatch spells it.
    ride_revision: int | None = None


def state_of(words: Words) -> str:
    """One of STATES. Dispatch's word counts for the revision that it speaks of, and for no newer one."""
    if words.ride in TOOK_PLACE:
        return words.ride
    if words.asked == "withdrawn" and (words.ride_revision or 0) <= (words.asked_revision or 0):
        if words.asked_kind == BY_HAND:
            return "by_hand"
        return "stood_down" if words.ride == "stood_down" else "withdrawn"
    if words.ride is None:
        return "requested"
    if words.ride not in SEEN and (words.ride_revision or 0) < (words.asked_revision or 0):
        return "requested"
    return words.ride
