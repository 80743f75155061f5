"""Airports by their IATA codes, from a list that travels with the program. Asks nobody."""

from dataclasses import dataclass
from functools import cache

import airportsdata


@dataclass(frozen=True)
class Airport:
    """Where an airport is and what its clocks show."""

    iata: str
    name: str
    city: str
    latitude: float
    longitude: float
    zone: str


def airport(iata: str) -> Airport | None:
    """The airport with this code, in capitals."""
    return known_airports().get(iata)


def codes_of_city(city: str) -> tuple[str, ...]:
    """The codes of a city's airports, for someone who wrote its name instead."""
    wanted = city.casefold().strip()
    return tuple(sorted(code for code, each in known_airports().items() if wanted and each.city.casefold() == wanted))


@cache
def known_airports() -> dict[str, Airport]:
    """All of them, read once for this process and those forked from it: some 8 000, 3 MB."""
    return {
        code: Airport(
            code, str(each["name"]), str(each["city"]), float(each["lat"]), float(each["lon"]), str(each["tz"])
        )
        for code, each in airportsdata.load("IATA").items()
    }
