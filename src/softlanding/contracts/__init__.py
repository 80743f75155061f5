"""What services say to each other: facts, in the past tense, each with the whole state of its subject.

One module a producer, and `everyone` for what each service says. A contract changes only by adding optional fields;
anything else is a new type. Fields marked `Personal` never enter Statistics' tables nor feeds without that scope
(docs/adr/0016-personal-is-what-identifies.md), so each has a default: who may not see it does without.
"""

from softlanding.contracts import dispatch, everyone, schedule, statistics
from softlanding.contracts.fact import Fact, Personal, personal_fields

SOURCES = ("schedule", "dispatch", "statistics")

BY_SOURCE: dict[str, dict[str, type[Fact]]] = {
    "schedule": {fact.TYPE: fact for fact in (*schedule.FACTS, *everyone.FACTS)},
    "dispatch": {fact.TYPE: fact for fact in (*dispatch.FACTS, *everyone.FACTS)},
    "statistics": {fact.TYPE: fact for fact in (*statistics.FACTS, *everyone.FACTS)},
}


def full_type(source: str, fact: type[Fact]) -> str:
    """`schedule.pickup.requested`: the type on the envelope."""
    return f"{source}.{fact.TYPE}"


def contract_of(full: str) -> type[Fact] | None:
    """The class of a fact by its full type; None if this release does not know it."""
    source, _, tail = full.partition(".")
    return BY_SOURCE.get(source, {}).get(tail)


def known_types() -> list[str]:
    """Every full type that this release understands, sorted; told in beats."""
    return sorted(f"{source}.{tail}" for source, facts in BY_SOURCE.items() for tail in facts)


__all__ = ["BY_SOURCE", "SOURCES", "Fact", "Personal", "contract_of", "full_type", "known_types", "personal_fields"]
