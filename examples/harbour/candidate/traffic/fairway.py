"""The fairway, and who is in it when."""

from dataclasses import dataclass

from candidate.traffic import schedule
from harbour.clock import Window
from harbour.units import hours_for
from harbour.vessel import Vessel

LENGTH = 7.0
"""Nautical miles from the bar to the breakwater."""

WIDTH = 130.0
"""Metres between the buoys."""


@dataclass(frozen=True)
class Passage:
    """A ship on its way, in or out."""

    vessel: Vessel
    start: int
    knots: float = 8.0
    inbound: bool = True

    @property
    def window(self) -> Window:
        """Time between the bar and the breakwater."""
        return Window(self.start, self.start + round(hours_for(LENGTH, self.knots) * 60))


def next_free(passages: list[Passage], wanted: Passage) -> int:
    """Earliest minute from which the passage is clear."""
    return schedule.order([*passages, wanted])[wanted.vessel.name]
