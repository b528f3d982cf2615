"""How sure a verdict has to be: the chance that an interval misses, and what it is divided among.

One comparison in one run has `LEVEL`, both ends together. Attempt n of a plan has the n²-th part of
it: an attempt can be wrong in favour of the plan at one end only, and the half of 1 % summed over
1/n² stays below 1 % however often somebody runs again until it is green.

Pairs are measured in portions of eight, and one looks at them after each portion. The looks divide
the level among them: most of it goes to the first, where eight pairs that all say the same are just
enough, and the other five have equal parts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist, fmean

from pytest_cockpit.estimation import intervals
from pytest_cockpit.estimation.intervals import LEVEL, Interval

PORTION, MOST_PAIRS = 8, 48
_FIRST_LOOK = 0.8
_OTHER_LOOKS = (1 - _FIRST_LOOK) / (MOST_PAIRS // PORTION - 1)

SESSION_SPREAD = 0.02
"""Relative standard deviation of what a process has for itself, such as where its memory lies.

It is the same for all that the process measures, so that no number of iterations averages it out;
where there are too few processes to estimate it from, this is assumed.
"""

MOST_VALUES = 120
"""Values that a location is computed from; more are averaged in their order first."""


def of_attempt(attempt: int, level: float = LEVEL) -> float:
    """The level at which attempt n of a plan is judged."""
    return level / attempt**2


def of_pairs(pairs: int, attempt: int = 1) -> float:
    """The level at which so many pairs are looked at."""
    share = _FIRST_LOOK if pairs <= PORTION else _OTHER_LOOKS
    return of_attempt(attempt) * share


def batches(values: Sequence[float], most: int = MOST_VALUES) -> list[float]:
    """The values, or means of neighbours where there are more than `most`."""
    width = max(1, math.ceil(len(values) / most))
    return [fmean(values[at : at + width]) for at in range(0, len(values), width)]


def widened(
    interval: Interval, processes: int, spread: float, *, below: float, above: float
) -> Interval:
    """An interval in logarithms, of values that come from few processes only.

    Parameters
    ----------
    spread: standard deviation of what one process has for itself.
    below, above: chance that the truth lies beyond either end.
    """
    low, high = (
        NormalDist().inv_cdf(1 - chance) * spread / math.sqrt(processes)
        for chance in (below, above)
    )
    return Interval(
        interval.estimate - math.hypot(interval.estimate - interval.low, low),
        interval.estimate,
        interval.estimate + math.hypot(interval.high - interval.estimate, high),
    )


def centre(groups: Sequence[Sequence[float]], level: float, spread: float) -> Interval | None:
    """The centre of logarithms that were measured in several processes.

    Processes are the units where there are enough of them. Otherwise single values are, and the
    interval is widened by what few processes may have for themselves.

    Parameters
    ----------
    groups: one for each process, none empty.
    spread: standard deviation of what one process has for itself.

    Returns
    -------
    None where there are too few values to say anything.
    """
    found = intervals.location(batches([fmean(group) for group in groups]), level)
    if found is not None:
        return found
    found = intervals.location(batches([value for group in groups for value in group]), level)
    if found is None:
        return None
    return widened(found, len(groups), spread, below=level / 2, above=level / 2)


def exponential(interval: Interval) -> Interval:
    """An interval of logarithms as one of what they are logarithms of."""
    return Interval(*(math.exp(end) for end in (interval.low, interval.estimate, interval.high)))
