"""What is due in Schedule: unanswered pickups, personal links for new speakers, pickups that follow a release, and
releases that are not public in time."""

from datetime import datetime

from softlanding.database import Transaction
from softlanding.lifecycle import Timer
from softlanding.schedule import store
from softlanding.schedule.actions.people import give_links, seal_links
from softlanding.schedule.actions.pickups import has_unanswered, mark_unanswered
from softlanding.schedule.actions.programme import follow_talks
from softlanding.schedule.actions.publications import call_for_unpublished, has_unpublished
from softlanding.schedule.model import Promise


def timers(promise: Promise) -> tuple[Timer, ...]:
    """`unanswered` and `unpublished` decide by wall time, and hold while the clock is in doubt."""

    def follow(tx: Transaction, now: datetime) -> bool:
        return follow_talks(tx, now, promise)

    return (
        Timer("unanswered", has_unanswered, mark_unanswered, pause_s=0.5, is_deadline=True),
        Timer("speaker_links", lambda connection, _now: store.speakers.has_unlinked(connection), give_links),
        Timer("sealed_links", lambda connection, _now: store.speakers.has_unsealed(connection), seal_links),
        Timer("unpublished", has_unpublished, call_for_unpublished, is_deadline=True),
        Timer("follow", store.programmes.has_followers, follow),
    )
