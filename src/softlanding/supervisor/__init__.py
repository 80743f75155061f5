"""Runs, restarts and stops loops and processes. Nobody else may sleep.

Inside a service: `run_loops`. For `softlanding up`: `start_nursery`, then `supervise`.
"""

from softlanding.supervisor.loops import Loop, LoopDied, Turns, run_loops
from softlanding.supervisor.nursery import Nursery, start_nursery
from softlanding.supervisor.processes import (
    External,
    Forked,
    Happening,
    HttpReady,
    PortReady,
    Process,
    Watching,
    supervise,
)
from softlanding.supervisor.run_folder import End, free_ports, reserved, up_lock

__all__ = [
    "End",
    "External",
    "Forked",
    "Happening",
    "HttpReady",
    "Loop",
    "LoopDied",
    "Nursery",
    "PortReady",
    "Process",
    "Turns",
    "Watching",
    "free_ports",
    "reserved",
    "run_loops",
    "start_nursery",
    "supervise",
    "up_lock",
]
