"""From started to ready; lives and deaths; the table of loops, phases and beats."""

from softlanding.lifecycle.phases import Phases
from softlanding.lifecycle.service import Chore, Service, Timer
from softlanding.lifecycle.standby import Standby
from softlanding.lifecycle.work import Parts, Step, Work, take_up_work

__all__ = ["Chore", "Parts", "Phases", "Service", "Standby", "Step", "Timer", "Work", "take_up_work"]
