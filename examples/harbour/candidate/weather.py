"""Wind and what it means."""

import math

_LIMITS = (1, 4, 7, 11, 17, 22, 28, 34, 41, 48, 56, 64)
"""First knot of each force, from light air to hurricane."""


def beaufort(knots: float) -> int:
    """Force of a wind."""
    return sum(round(knots) >= limit for limit in _LIMITS)


def gale_warning(knots: float) -> bool:
    """Force 8 and above."""
    return beaufort(knots) >= 8


def across(knots: float, wind_from: float, heading: float) -> float:
    """Part of the wind that pushes a ship sideways, in knots."""
    return abs(knots * math.sin(math.radians(wind_from - heading)))
