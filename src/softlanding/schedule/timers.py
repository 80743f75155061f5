"""What is due in Schedule: unanswered pickups, and personal links for new speakers."""

from softlanding.lifecycle import Timer
from softlanding.schedule import store
from softlanding.schedule.actions.people import give_links
from softlanding.schedule.actions.pickups import has_unanswered, mark_unanswered


def timers() -> tuple[Timer, ...]:
    return (
        Timer("unanswered", has_unanswered, mark_unanswered, pause_s=0.5, is_deadline=True),
        Timer("speaker_links", lambda connection, _now: store.speakers.has_unlinked(connection), give_links),
    )
