"""The berths of the harbour."""

from dataclasses import dataclass

from harbour.vessel import Vessel

MOORING_CLEARANCE = 15.0
"""Metres of quay a ship needs beyond its length, for the lines."""


@dataclass(frozen=True)
class Berth:
    """A stretch of quay: its length, and the depth alongside below chart datum."""

    name: str
    length: float
    depth: float

    def takes(self, vessel: Vessel, tide: float = 0.0) -> bool:
        """Whether the ship fits, with a tenth of its draught under the keel."""
        enough_quay = vessel.length + MOORING_CLEARANCE <= self.length
        return enough_quay and vessel.draught * 1.1 <= self.depth + tide


QUAYS = (
    Berth("Fish quay", 95, 5.5),
    Berth("North 1", 190, 9.5),
    Berth("North 2", 260, 12.0),
    Berth("Deep terminal", 420, 16.5),
)
