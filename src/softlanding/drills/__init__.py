"""The talk's lessons, one file each, run on a throw-away installation of real processes."""

from softlanding.drills import broker_loses_disk, dispatcher_dies, green_while_dead, leaky_doors
from softlanding.drills.crashes import run_crashes
from softlanding.drills.lessons import Drill, Tell

DRILLS: dict[str, Drill] = {
    "dispatcher-dies": Drill(
        "dispatcher-dies", "kill the dispatcher, send a few pickups, and see what is left", dispatcher_dies.run
    ),
    "broker-loses-disk": Drill(
        "broker-loses-disk", "what the broker acknowledged is gone: its process and its disk", broker_loses_disk.run
    ),
    "green-while-dead": Drill(
        "green-while-dead", "the database is gone, and every light stays green", green_while_dead.run
    ),
    "leaky-doors": Drill(
        "leaky-doors", "doors, files and live pages, tried by whoever they are not for", leaky_doors.run
    ),
}

__all__ = ["DRILLS", "Drill", "Tell", "run_crashes"]
