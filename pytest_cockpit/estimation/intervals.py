"""What can be said of a location and of a quantile from few independent values.

What is too little to decide anything gives no interval at all, and the reader makes `unknown` of
that.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations_with_replacement
from statistics import median

LEVEL = 0.01
"""Chance that a two-sided interval misses what it is for."""


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate, and the ends between which the truth lies but for a small chance."""

    low: float
    estimate: float
    high: float

    def at_least(self, bound: float) -> bool | None:
        """Whether the truth is at or above `bound`; None where the interval straddles it."""
        return True if self.low >= bound else False if self.high < bound else None

    def at_most(self, bound: float) -> bool | None:
        """Whether the truth is at or below `bound`; None where the interval straddles it."""
        return True if self.high <= bound else False if self.low > bound else None


def location(values: Sequence[float], level: float = LEVEL) -> Interval | None:
    """The centre of a symmetric distribution from independent values.

    Hodges and Lehmann (1963): the median of all Walsh averages; its interval inverts Wilcoxon's
    signed-rank test, whose distribution is exact here.

    Returns
    -------
    None where so few values could not reject anything at this level: fewer than 8 at 1 %.
    """
    outside = skipped(_signed_ranks(len(values)), level / 2)
    if outside is None:
        return None
    averages = sorted(a / 2 + b / 2 for a, b in combinations_with_replacement(values, 2))
    return Interval(averages[outside], median(averages), averages[-1 - outside])


def values_needed(level: float = LEVEL) -> int:
    """How many values `location` needs at this level."""
    return max(1, math.ceil(1 - math.log2(level)))


def shift(before: Sequence[float], after: Sequence[float], level: float = LEVEL) -> Interval | None:
    """By how much values went up from one sample to another of the same shape.

    Hodges and Lehmann (1963): the median of all differences; its interval inverts the test of Mann
    and Whitney, whose distribution is exact here.

    Returns
    -------
    None where so few values could not reject anything at this level.
    """
    outside = skipped(exceedances(len(before), len(after)), level / 2)
    if outside is None:
        return None
    differences = sorted(new - old for old in before for new in after)
    return Interval(differences[outside], median(differences), differences[-1 - outside])


def quantile(values: Sequence[float], share: float, level: float = LEVEL) -> Interval | None:
    """A quantile from independent values, by order statistics.

    The number of values below the true quantile is binomial, whatever the distribution: the ends
    are the values that this number leaves outside with a chance of at most `level / 2` each. The
    estimate is that of Hyndman and Fan (1996), type 7.

    Parameters
    ----------
    share: between 0 and 1; these two are no quantiles.

    Returns
    -------
    None where not even the extremes hold the quantile often enough.
    """
    found = quantile_ends(values, share, level / 2, level / 2)
    return found if math.isfinite(found.low) and math.isfinite(found.high) else None


def quantile_ends(values: Sequence[float], share: float, below: float, above: float) -> Interval:
    """A quantile from independent values, each end with a chance of its own to be wrong.

    Parameters
    ----------
    share: between 0 and 1; these two are no quantiles.
    below: chance that the truth lies below the lower end, at most.
    above: chance that the truth lies above the upper end, at most.

    Returns
    -------
    An infinite end where there are too few values for one; without any, the estimate is no number.
    """
    ordered, size = sorted(values), len(values)
    if not ordered:
        return Interval(-math.inf, math.nan, math.inf)
    counts = [binomial(size, share, count) for count in range(size + 1)]
    # The k-th value is too high as a lower end when fewer than k values lie below the quantile.
    low, high = skipped(counts[:-1], below), skipped(counts[:0:-1], above)
    place = share * (size - 1)
    at = math.floor(place)
    step = ordered[min(at + 1, size - 1)] - ordered[at]
    return Interval(
        -math.inf if low is None else ordered[low],
        ordered[at] + (place - at) * step,
        math.inf if high is None else ordered[-1 - high],
    )


def skipped(shares: Iterable[float], level: float) -> int | None:
    """How many values lie outside at one end; None when leaving out none is too many.

    Parameters
    ----------
    shares: chances that no value, one value and so on lie beyond the truth at that end.
    """
    chance, outside = 0.0, None
    for rank, share in enumerate(shares):
        chance += share
        if chance > level:
            break
        outside = rank
    return outside


@cache
def _signed_ranks(size: int) -> tuple[float, ...]:
    """The distribution of the sum of those of the ranks 1 to `size` whose sign is positive."""
    shares = [1.0]
    for rank in range(1, size + 1):
        longer = [0.0] * (len(shares) + rank)
        for total, share in enumerate(shares):
            longer[total] += share / 2
            longer[total + rank] += share / 2
        shares = longer
    return tuple(shares)


@cache
def exceedances(first: int, second: int) -> tuple[float, ...]:
    """The distribution of the number of pairs in which the second sample's value is the larger.

    The coefficients of the Gaussian binomial of `first + second` over `first`, by their sum.
    """
    counts = [1] + [0] * (first * second)
    for part in range(1, first + 1):
        for total in range(first * second, second + part - 1, -1):
            counts[total] -= counts[total - second - part]
        for total in range(part, first * second + 1):
            counts[total] += counts[total - part]
    ways = math.comb(first + second, first)
    return tuple(count / ways for count in counts)


def binomial(size: int, share: float, count: int) -> float:
    """The chance of so many successes; that of one, `share`, is between 0 and 1, and neither."""
    # As logarithms: of thousands of values the factors alone are beyond what a float holds.
    ways = math.lgamma(size + 1) - math.lgamma(count + 1) - math.lgamma(size - count + 1)
    return math.exp(ways + count * math.log(share) + (size - count) * math.log1p(-share))
