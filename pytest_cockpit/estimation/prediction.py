"""How far the next value of a series may lie above those seen, when nothing has changed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median


def limit(past: Sequence[float], level: float, *, least_spread: float) -> float:
    """The value whose chance of being exceeded is at most `level`; at least the largest seen.

    Among those seen it is their ranks that tell, whatever the distribution: the next of `k` values
    is the largest once in `k + 1`. Beyond them something has to be assumed: that distances from
    the median become rarer at least with their square, as they do far out wherever there is a
    variance. A distance `c` times the largest one seen then has a chance of at most
    `1 / (k + 1) / c²`, which is exact for Pareto's distribution of that index, but for the median
    being an estimate.

    Parameters
    ----------
    least_spread: the largest distance seen is taken to be at least this, so that values that are
        equal by rounding do not make every other one impossible.
    """
    centre = median(past)
    reach = max(max(past) - centre, least_spread)
    return centre + reach * max(1.0, math.sqrt(1 / (len(past) + 1) / level))
