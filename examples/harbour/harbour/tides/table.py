"""High and low waters of a day."""

from dataclasses import dataclass

from harbour.tides.harmonic import Station


@dataclass(frozen=True)
class Turn:
    """A high or low water."""

    minute: int
    height: float
    high: bool


def turns(station: Station, first: int = 0, last: int = 24 * 60) -> list[Turn]:
    """Each minute whose height no neighbour exceeds, or undercuts."""
    found = []
    for minute in range(first + 1, last):
        before, here, after = (station.height(minute + step) for step in (-1, 0, 1))
        if before < here >= after:
            found.append(Turn(minute, here, high=True))
        elif before > here <= after:
            found.append(Turn(minute, here, high=False))
    return found
