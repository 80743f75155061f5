"""What is written on the outside of a fact: CloudEvents 1.0 in JSON, with our extensions.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md; extension names are lower case
letters only, as the specification asks.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from softlanding.errors import Fault, Invalid

CONTENT_TYPE = "application/cloudevents+json"
BATCH_CONTENT_TYPE = "application/cloudevents-batch+json"


@dataclass(frozen=True, slots=True)
class Envelope:
    """One fact on its way. (source, epoch, sequence) is its number: contiguous within an epoch, in commit order."""

    id: str
    source: str
    type: str  # `schedule.pickup.requested`
    subject: str  # `pickup/0199…`
    conference: str | None
    epoch: str
    sequence: int
    time: datetime
    data: Mapping[str, Any]
    expires_at: datetime | None = None
    traceparent: str | None = None
    causation: str | None = None  # The id of the fact that led to this one.

    @property
    def number(self) -> tuple[str, int]:
        return self.epoch, self.sequence

    def to_mapping(self) -> dict[str, Any]:
        """The CloudEvent as JSON values; absent attributes are left out."""
        event: dict[str, Any] = {
            "specversion": "1.0",
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "subject": self.subject,
            "time": self.time.isoformat(),
            "datacontenttype": "application/json",
            "epoch": self.epoch,
            "sequence": self.sequence,
            "data": self.data,
        }
        if self.conference is not None:
            event["conference"] = self.conference
        if self.expires_at is not None:
            event["expirytime"] = self.expires_at.isoformat()
        if self.traceparent is not None:
            event["traceparent"] = self.traceparent
        if self.causation is not None:
            event["causation"] = self.causation
        return event

    def to_json(self) -> bytes:
        return json.dumps(self.to_mapping(), ensure_ascii=False, separators=(",", ":")).encode()


def envelope_from_mapping(event: Any) -> Envelope:
    """The envelope that `to_mapping` gave. Raises Invalid with every fault when it is none of ours."""
    if not isinstance(event, dict):
        raise Invalid(Fault("", "a CloudEvent is a JSON object"))
    faults = [Fault(name, "is missing or not text") for name in _TEXTS if not isinstance(event.get(name), str)]
    if not isinstance(event.get("sequence"), int) or event["sequence"] < 1:
        faults.append(Fault("sequence", "is missing or not a number from 1"))
    if not isinstance(event.get("data"), dict):
        faults.append(Fault("data", "is missing or not an object"))
    if faults:
        raise Invalid(*faults)
    return Envelope(
        id=event["id"],
        source=event["source"],
        type=event["type"],
        subject=event["subject"],
        conference=event.get("conference"),
        epoch=event["epoch"],
        sequence=event["sequence"],
        time=_moment(event["time"], "time"),
        data=event["data"],
        expires_at=_moment(event["expirytime"], "expirytime") if event.get("expirytime") else None,
        traceparent=event.get("traceparent"),
        causation=event.get("causation"),
    )


def envelope_from_json(body: bytes) -> Envelope:
    """As `envelope_from_mapping`, from bytes."""
    try:
        event = json.loads(body)
    except ValueError as error:
        raise Invalid(Fault("", f"not JSON: {error}")) from error
    return envelope_from_mapping(event)


_TEXTS = ("id", "source", "type", "subject", "epoch", "time")


def _moment(text: str, where: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise Invalid(Fault(where, f"not a time: {text!r}")) from error
    if moment.tzinfo is None:
        raise Invalid(Fault(where, f"a time without zone: {text!r}"))
    return moment
