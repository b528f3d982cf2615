"""Pilots and whom they may bring in."""

from collections.abc import Iterable
from dataclasses import dataclass

from harbour.vessel import Vessel


@dataclass(frozen=True)
class Pilot:
    """A pilot; `limit` is the greatest draught of the licence, in metres."""

    name: str
    limit: float


DUTY_LIST = (Pilot("Okafor", 17.0), Pilot("Lindqvist", 12.5), Pilot("Marques", 8.0))


def assign(vessels: Iterable[Vessel], pilots: Iterable[Pilot] = DUTY_LIST) -> dict[str, Pilot]:
    """One pilot for each ship, the least licence that suffices; ships without one are absent."""
    available = sorted(pilots, key=lambda pilot: pilot.limit)
    assigned = {}
    for vessel in sorted(vessels, key=lambda v: (-v.draught, v.name)):
        pilot = next((p for p in available if p.limit >= vessel.draught), None)
        if pilot is not None:
            available.remove(pilot)
            assigned[vessel.name] = pilot
    return assigned
