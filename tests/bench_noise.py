"""Times as a shared machine gives them, simulated."""

from __future__ import annotations

import math
import random


class Machine:
    """Medians of processes, one after the other.

    A slow drift that everything has in common, heavy tails, now and then a neighbour who takes a
    third of the machine for a while, and a layout that a process has for all of its life.
    """

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self._drift, self._busy = 0.0, 0

    def process(self, *factors: float) -> list[float]:
        """One process: the median of each of its benchmarks, by how much slower it is."""
        chance = self.chance
        self._drift = 0.98 * self._drift + 0.01 * chance.gauss(0, 1)
        self._busy = max(0, self._busy - 1) or (chance.random() < 0.03) * chance.randrange(1, 6)
        common = self._drift + 0.02 * chance.gauss(0, 1) + 0.3 * bool(self._busy)
        return [factor * math.exp(common + self._own()) for factor in factors]

    def _own(self) -> float:
        tail = math.sqrt(self.chance.gammavariate(1.5, 2) / 3)
        return 0.015 * self.chance.gauss(0, 1) / tail

    def pairs(
        self, count: int, factors: list[float]
    ) -> tuple[list[tuple[float, ...]], list[tuple[float, ...]]]:
        """Base and head in turns, the first of two by the toss of a coin; by benchmark."""
        bases: list[list[float]] = []
        heads: list[list[float]] = []
        for _ in range(count):
            head_first = self.chance.random() < 0.5
            for side in (head_first, not head_first):
                times = self.process(*(factors if side else [1.0] * len(factors)))
                (heads if side else bases).append(times)
        return list(zip(*bases, strict=True)), list(zip(*heads, strict=True))
