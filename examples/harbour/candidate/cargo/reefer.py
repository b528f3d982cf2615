"""Power for boxes that must stay cold."""

from collections.abc import Iterable
from dataclasses import dataclass

from harbour.cargo.container import Container

from .stowage import stow

HEAT_LEAK = {20: 24.0, 40: 42.0}
"""Watts through the walls for each degree of difference, by length in feet."""

EFFICIENCY = 1.6


@dataclass(frozen=True)
class Reefer:
    """A box with its set point in degrees Celsius."""

    box: Container
    set_point: float

    def power(self, ambient: float) -> float:
        """Kilowatts at the plug; nothing when it is cold outside anyway."""
        difference = max(0.0, ambient - self.set_point)
        return HEAT_LEAK[self.box.feet] * difference / EFFICIENCY / 1000


def plugs(reefers: Iterable[Reefer], ambient: float) -> tuple[int, float]:
    """Stacks that need a gantry with plugs, and the kilowatts of all."""
    cold = list(reefers)
    stacks = stow(reefer.box for reefer in cold)
    return len(stacks), round(sum(reefer.power(ambient) for reefer in cold), 3)
