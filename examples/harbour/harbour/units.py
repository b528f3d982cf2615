"""Conversions between the units that ships, tide tables and bills are written in."""

METRES_PER_FOOT = 0.3048
METRES_PER_NAUTICAL_MILE = 1852
SECONDS_PER_HOUR = 3600


def feet(metres: float) -> float:
    """Length in feet."""
    return metres / METRES_PER_FOOT


def metres_per_second(knots: float) -> float:
    """Speed in metres per second."""
    return knots * METRES_PER_NAUTICAL_MILE / SECONDS_PER_HOUR


def hours_for(nautical_miles: float, knots: float) -> float:
    """Time under way; a ship that does not move never arrives."""
    if knots <= 0:
        raise ValueError(f"speed must be positive, got {knots}")
    return nautical_miles / knots
