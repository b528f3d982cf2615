"""How steeply a series rises or falls, whatever single values stand out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from functools import cache
from itertools import combinations
from statistics import NormalDist, median

from pytest_cockpit.estimation.intervals import LEVEL, Interval, exceedances, skipped

_EXACT = 40
"""Values up to which the distribution is exact; the normal one beyond leaves out slightly fewer, or
gives no interval, where nearly all are at one place."""


def slope(
    places: Sequence[float], values: Sequence[float], level: float = LEVEL
) -> Interval | None:
    """The slope of a series of independent values, some of which may be at one place.

    Theil (1950) and Sen (1968): the median of the slopes between any two places; its interval
    inverts Kendall's test for a trend, whose distribution is exact here. With several values at a
    place it is the test of Jonckheere and Terpstra.

    Returns
    -------
    None where so few values could not reject anything at this level: of single ones, fewer than 6
    at 1 %.
    """
    counts = tuple(count for _, count in sorted(Counter(places).items()))
    outside = (
        skipped(_trend(counts), level / 2) if len(values) <= _EXACT else _normal(counts, level / 2)
    )
    if outside is None:
        return None
    points = sorted(zip(places, values, strict=True))
    slopes = sorted(
        (b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(points, 2) if a[0] < b[0]
    )
    return Interval(slopes[outside], median(slopes), slopes[-1 - outside])


@cache
def _trend(counts: tuple[int, ...]) -> tuple[float, ...]:
    """The distribution of the number of pairs that fall when there is no trend.

    Parameters
    ----------
    counts: of values at each place. How many pairs fall from all places before to the next one says
        nothing of how many fall among those before: the numbers are independent, and add up.
    """
    shares: tuple[float, ...] = (1.0,)
    seen = 0
    for count in counts:
        step = exceedances(seen, count)
        longer = [0.0] * (len(shares) + len(step) - 1)
        for total, share in enumerate(shares):
            for more, part in enumerate(step):
                longer[total + more] += share * part
        shares, seen = tuple(longer), seen + count
    # Of one place there is no pair at all, so nothing can fall.
    return shares if len(counts) > 1 else ()


def _normal(counts: Sequence[int], level: float) -> int | None:
    size = sum(counts)
    pairs = (size**2 - sum(count**2 for count in counts)) / 2
    if not pairs:
        return None
    among = sum(count**2 * (2 * count + 3) for count in counts)
    spread = math.sqrt((size**2 * (2 * size + 3) - among) / 72)
    outside = math.floor(pairs / 2 + NormalDist().inv_cdf(level) * spread - 1)
    return outside if outside >= 0 else None
