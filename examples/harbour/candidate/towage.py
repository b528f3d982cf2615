"""Tugs: how many, and how strong."""

from dataclasses import dataclass

from candidate import weather
from harbour.units import metres_per_second
from harbour.vessel import Vessel

AIR = 1.25
"""Kilograms in a cubic metre."""

FREEBOARD = 0.9
"""Height above the water for each metre of draught, superstructure included."""


@dataclass(frozen=True)
class Tug:
    """A tug and its bollard pull in tons."""

    name: str
    pull: float


FLEET = (Tug("Bulldog", 30), Tug("Mastiff", 45), Tug("Newfoundland", 70))


def side_force(vessel: Vessel, knots: float) -> float:
    """Tons with which a wind from abeam pushes the ship."""
    area = vessel.length * vessel.draught * FREEBOARD
    return AIR / 2 * area * metres_per_second(knots) ** 2 / 9806.65


def tugs(vessel: Vessel, knots: float, fleet: tuple[Tug, ...] = FLEET) -> list[Tug]:
    """As few as hold the ship with half their pull to spare; none moves in a gale."""
    if weather.gale_warning(knots):
        raise ValueError(f"{vessel.name} stays where it is: {knots:.0f} knots")
    needed = side_force(vessel, knots) * 1.5
    chosen: list[Tug] = []
    for tug in sorted(fleet, key=lambda t: -t.pull):
        if sum(t.pull for t in chosen) >= needed:
            break
        chosen.append(tug)
    if sum(t.pull for t in chosen) < needed:
        raise ValueError(f"{vessel.name} needs {needed:.0f} t, the fleet has less")
    return chosen
