"""Faults planted in our own code, one at a time: whoever checks must be able to fail."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from softlanding.sim.world import World

Plant = Callable[[World], AbstractContextManager[None]]
PLANTS: dict[str, Plant] = {}
