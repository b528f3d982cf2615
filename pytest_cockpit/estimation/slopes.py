"""How steeply a series rises or falls, whatever single values stand out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from itertools import combinations
from statistics import NormalDist, median

from pytest_cockpit.estimation.intervals import LEVEL, Interval, skipped

_EXACT = 60
"""Values up to which the distribution is exact; the normal one beyond leaves out slightly fewer."""


def slope(
    places: Sequence[float], values: Sequence[float], level: float = LEVEL
) -> Interval | None:
    """The slope of a series of independent values.

    Theil (1950) and Sen (1968): the median of the slopes between any two values; its interval
    inverts Kendall's test for a trend, whose distribution is exact here.

    Parameters
    ----------
    places: where the values are; no two are equal.

    Returns
    -------
    None where so few values could not reject anything at this level: fewer than 6 at 1 %.
    """
    size = len(values)
    outside = skipped(_inversions(size), level / 2) if size <= _EXACT else _normal(size, level / 2)
    if outside is None:
        return None
    points = sorted(zip(places, values, strict=True))
    slopes = sorted((b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(points, 2))
    return Interval(slopes[outside], median(slopes), slopes[-1 - outside])


@cache
def _inversions(size: int) -> tuple[float, ...]:
    """The distribution of the number of pairs out of order among `size` values in random order."""
    shares = [1.0]
    for count in range(2, size + 1):
        longer = [0.0] * (len(shares) + count - 1)
        window = 0.0
        for total in range(len(longer)):
            window += shares[total] if total < len(shares) else 0.0
            window -= shares[total - count] if total >= count else 0.0
            longer[total] = max(0.0, window) / count
        shares = longer
    # Of no or one value there is no pair at all, so nothing can be out of order.
    return tuple(shares) if size > 1 else ()


def _normal(size: int, level: float) -> int:
    pairs = size * (size - 1) / 2
    spread = math.sqrt(size * (size - 1) * (2 * size + 5) / 72)
    return max(0, math.floor(pairs / 2 + NormalDist().inv_cdf(level) * spread - 1))
