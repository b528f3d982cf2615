"""Gross tonnage from measurements (the 1969 convention)."""

import math

from harbour.vessel import Vessel


def gross_tonnage(volume: float) -> int:
    """Tonnage of so many cubic metres of enclosed space."""
    if volume <= 0:
        raise ValueError(f"a ship encloses something, got {volume} m³")
    return math.floor((0.2 + 0.02 * math.log10(volume)) * volume)


def plausible(vessel: Vessel, *, fullness: float = 2.2, tolerance: float = 0.5) -> bool:
    """Whether the tonnage in the papers fits the hull; `fullness` is enclosed to submerged."""
    expected = gross_tonnage(vessel.block_volume * fullness)
    return abs(vessel.gross_tonnage - expected) <= tolerance * expected
