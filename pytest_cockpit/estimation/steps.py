"""Where the level of a series changed: the best piecewise constant fit, paid for by the piece.

The fit is the Potts functional in the absolute norm, as asv's `step_detect` has it: the sum of
distances to each piece's median, and a price for every piece. Here the minimum is exact, found by
dynamic programming over the number of pieces (Friedrich, Kempe, Liebscher and Winkler 2008).
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from pytest_cockpit.estimation.intervals import Interval, shift

PRICE = 5.0
"""What another piece costs, in units of `log(n)` of the likelihood of Laplace noise.

Constant noise of many kinds is then cut in less than one series of a hundred, whatever its length.
"""

SHORTEST = 3
"""Values that a piece has at least: one or two that stand out are no level."""

_MOST_PIECES = 8
_RESOLUTION = 1e-6


@dataclass(frozen=True, slots=True)
class Step:
    """A change of level: `at` is the index of the first value behind it.

    Parameters
    ----------
    size: the level behind minus the one before.
    interval: of that difference, as of a step known beforehand, so somewhat too narrow for one that
        was looked for; None where the pieces are too short for one.
    """

    at: int
    before: float
    after: float
    interval: Interval | None

    @property
    def size(self) -> float:
        """The level behind minus the level before."""
        return self.after - self.before


def find(values: Sequence[float], price: float = PRICE) -> list[Step]:
    """Every step of a series of at least a few values, in order.

    The unit of the values is free, but what is smaller than a millionth of it counts for nothing.
    """
    cuts = fit(values, price)
    edges = [0, *cuts, len(values)]
    pieces = [values[low:high] for low, high in pairwise(edges)]
    return [
        Step(at, median(before), median(after), shift(before, after))
        for at, (before, after) in zip(cuts, pairwise(pieces), strict=True)
    ]


def fit(values: Sequence[float], price: float = PRICE) -> list[int]:
    """Where the best fit is cut; [] where one level explains as much as its price allows."""
    size = len(values)
    most = min(_MOST_PIECES, size // SHORTEST)
    if most < 2:  # noqa: PLR2004 - one piece has no cut
        return []
    best = _best(_costs(values), size, most)
    floor = size * _RESOLUTION
    paid = [
        size * math.log(max(cost, floor)) + price * math.log(size) * count
        for count, (cost, _) in enumerate(best)
    ]
    return best[paid.index(min(paid))][1]


def _best(costs: Sequence[Sequence[float]], size: int, most: int) -> list[tuple[float, list[int]]]:
    """The least cost with one piece, two and so on, each with its cuts."""
    rows = [[math.inf] * (size + 1)]
    rows[0][SHORTEST:] = costs[0][SHORTEST - 1 :]
    froms: list[list[int]] = [[0] * (size + 1)]
    for count in range(1, most):
        row, origin = [math.inf] * (size + 1), [0] * (size + 1)
        for end in range((count + 1) * SHORTEST, size + 1):
            row[end], origin[end] = min(
                (rows[-1][start] + costs[start][end - start - 1], start)
                for start in range(count * SHORTEST, end - SHORTEST + 1)
            )
        rows.append(row)
        froms.append(origin)
    return [(row[size], _cuts(froms, count, size)) for count, row in enumerate(rows)]


def _cuts(froms: Sequence[Sequence[int]], count: int, end: int) -> list[int]:
    cuts = []
    for row in froms[count:0:-1]:
        end = row[end]
        cuts.append(end)
    return cuts[::-1]


def _costs(values: Sequence[float]) -> list[list[float]]:
    """By start and length, the sum of distances of a piece's values to their median."""
    return [_growing(values[start:]) for start in range(len(values))]


def _growing(values: Sequence[float]) -> list[float]:
    """The cost of the first value, the first two and so on, by two heaps around the median."""
    below: list[float] = []
    above: list[float] = []
    balance, costs = 0.0, []
    for value in values:
        # The half that is not to grow hands its innermost value over.
        if len(below) <= len(above):
            moved = heapq.heappushpop(above, value)
            heapq.heappush(below, -moved)
            balance += value - 2 * moved
        else:
            moved = -heapq.heappushpop(below, -value)
            heapq.heappush(above, moved)
            balance += 2 * moved - value
        # With an odd number, the median is among those below and has no distance.
        odd = len(below) > len(above)
        costs.append(max(0.0, balance - (below[0] if odd else 0.0)))
    return costs
