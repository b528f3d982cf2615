"""Where and when a pilot climbs the ladder."""

from candidate import weather
from candidate.pilots.rest import rested
from candidate.pilots.roster import Pilot
from harbour.clock import Window
from harbour.units import hours_for

BOAT_SPEED = 18.0
STATION_DISTANCE = 5.5
"""Nautical miles from the pilot quay to the boarding ground."""


def leave_at(boarding: int) -> int:
    """Minute at which the boat must leave for a boarding."""
    return boarding - round(hours_for(STATION_DISTANCE, BOAT_SPEED) * 60)


def may_board(pilot: Pilot, draught: float, knots_of_wind: float, work: list[Window]) -> list[str]:
    """Reasons against it; none is a yes."""
    reasons = []
    if draught > pilot.limit:
        reasons.append(f"{pilot.name} is licensed to {pilot.limit} m")
    if weather.gale_warning(knots_of_wind):
        reasons.append(f"wind of force {weather.beaufort(knots_of_wind)}")
    if not rested(work):
        reasons.append(f"{pilot.name} has not rested")
    return reasons
