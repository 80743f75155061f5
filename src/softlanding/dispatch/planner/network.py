"""The times of one vehicle's route as a network of flat lists: the values, and what can be read from them alone."""

from dataclasses import dataclass, field

# The place of a break in `Network.spots`: where the car stands.
HERE = -1

Room = tuple[int, int, int]  # Seats, luggage, wheelchair places.


@dataclass(slots=True)
class Network:
    """The times of a route: nodes are its free stops. `end` is -1 when it may end anywhere. `span` is how long the
    car may be out, FAR if that is not limited or, as the car has left already, part of `end_late`."""

    first: int
    end: int
    ready: int
    end_late: int
    span: int
    driven: int = 0  # Seconds at the wheel by its frozen stops.
    moved: int = 0  # The price of those aboard or to board who were told another car.
    spots: list[int] = field(default_factory=list)
    early: list[int] = field(default_factory=list)
    late: list[int] = field(default_factory=list)
    boarding: list[int] = field(default_factory=list)
    alighting: list[int] = field(default_factory=list)
    waits: list[tuple[int, int, int]] = field(default_factory=list)  # Boards at, when ready, how unsure that is.
    limits: list[tuple[int, int, int, int]] = field(
        default_factory=list
    )  # Boards at, alights at, longest, direct ride.
    told: list[tuple[int, int, int]] = field(default_factory=list)  # Boards at, told when, weight.
    carried: list[tuple[int, int, int]] = field(
        default_factory=list
    )  # Alights at, left at, direct: aboard from the start.


def services(net: Network) -> list[int]:
    """Seconds at each stop: its passengers alight side by side, then board side by side."""
    return [off + on for off, on in zip(net.alighting, net.boarding, strict=True)]


def settled(net: Network) -> list[int]:
    """The places in order, each break where the car then stands."""
    if HERE not in net.spots:
        return net.spots
    here, places = net.first, []
    for place in net.spots:
        here = here if place == HERE else place
        places.append(here)
    return places
