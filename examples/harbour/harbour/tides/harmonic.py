"""Tide heights as a sum of harmonic constituents."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Constituent:
    """One partial tide: amplitude in metres, speed in degrees an hour, phase in degrees."""

    name: str
    amplitude: float
    speed: float
    phase: float

    def at(self, minute: int) -> float:
        """Its part of the height."""
        return self.amplitude * math.cos(math.radians(self.speed * minute / 60 - self.phase))


@dataclass(frozen=True)
class Station:
    """A tide gauge: mean level above chart datum, and its constituents."""

    name: str
    mean_level: float
    constituents: Sequence[Constituent]

    def height(self, minute: int) -> float:
        """Metres above chart datum."""
        return self.mean_level + sum(part.at(minute) for part in self.constituents)


HAVEN = Station(
    "Haven",
    mean_level=2.9,
    constituents=(
        Constituent("M2", 1.62, 28.9841042, 114.0),
        Constituent("S2", 0.54, 30.0, 158.0),
        Constituent("K1", 0.11, 15.0410686, 70.0),
        Constituent("O1", 0.08, 13.9430356, 325.0),
    ),
)
