"""Read-only questions, shaped for a page: journeys and what is unanswered, the programme's desk, staff and speakers."""

from softlanding.schedule.views import desk, journeys, speaker, staff

__all__ = ["desk", "journeys", "speaker", "staff"]
