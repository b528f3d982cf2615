"""How fast the lane drains, and when it will have: numbers in, numbers out.

The forecast is the posterior predictive of weekly drains that are taken for independent and
normal, mean and variance unknown, under the noninformative prior p(mu, sigma^2) ~ 1 / sigma^2
(Gelman et al., *Bayesian Data Analysis*, 3rd ed., section 3.2): a variance is drawn from its scaled
inverse chi-squared distribution, a mean given the variance, and then weeks until nothing is left
to drain. What is not known of the mean after a few weeks is thereby part of the interval, which
resampling those few weeks would leave out. Weeks without a batch count like any other, and what
was added to the lane has been taken off already.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from statistics import fmean, variance

WEEK = timedelta(days=7)
LEAST_WEEKS = 3
"""With fewer weeks nothing is forecast."""
MOST_WEEKS = 26
"""Older weeks say little of how a team works now."""

SHARE = 0.8
"""Probability of the interval."""
_DRAWS = 2000
_HORIZON = 520


@dataclass(frozen=True, slots=True)
class Weeks:
    """Whole weeks up to now, oldest first.

    Parameters
    ----------
    promoted: files that batches took out of the lane, less those that rollbacks put back.
    drained: how much smaller the lane became.
    """

    promoted: tuple[int, ...]
    drained: tuple[int, ...]

    @property
    def grown(self) -> tuple[int, ...]:
        """Files that came into the lane otherwise, less those that left it otherwise."""
        pairs = zip(self.promoted, self.drained, strict=True)
        return tuple(promoted - drained for promoted, drained in pairs)


@dataclass(frozen=True, slots=True)
class Forecast:
    """Weeks until the lane has drained, with an interval; None is beyond ten years.

    Parameters
    ----------
    remaining: files to drain.
    weeks: that it was made from.
    reason: why there is none, or an empty string.
    """

    remaining: int
    weeks: Weeks
    low: float | None = None
    median: float | None = None
    high: float | None = None
    reason: str = ""

    @property
    def rate(self) -> float | None:
        """Files that the lane lost in a week on average."""
        return fmean(self.weeks.drained) if self.weeks.drained else None


def weeks(
    landings: Iterable[tuple[datetime, int]], lane: Sequence[tuple[datetime, int]], now: datetime
) -> Weeks:
    """Whole weeks since the first landing, at most `MOST_WEEKS`.

    Parameters
    ----------
    landings: when batches and rollbacks were merged, and how many files they took out.
    lane: the lane's files after each commit that changed them, oldest first.
    """
    known = [(at, files) for at, files in landings if at <= now]
    if not known:
        return Weeks((), ())
    count = min((now - min(at for at, _ in known)) // WEEK, MOST_WEEKS)
    edges = [now - WEEK * number for number in range(count, -1, -1)]
    sizes = [_size(lane, edge) for edge in edges]
    return Weeks(
        tuple(
            sum(files for at, files in known if start < at <= end) for start, end in pairwise(edges)
        ),
        tuple(before - after for before, after in pairwise(sizes)),
    )


def forecast(remaining: int, history: Weeks) -> Forecast:
    """When `remaining` files will have left the lane; the same input gives the same answer."""
    count = len(history.drained)
    if remaining <= 0:
        return Forecast(0, history, 0.0, 0.0, 0.0)
    if count < LEAST_WEEKS:
        whole = f"{count} whole week{'' if count == 1 else 's'}"
        why = f"{whole} since the first batch was merged; {LEAST_WEEKS} are needed"
        return Forecast(remaining, history, reason=why)
    ends = sorted(_ends(remaining, history.drained))
    tail = (1 - SHARE) / 2
    low, median, high = (_at(ends, share) for share in (tail, 0.5, 1 - tail))
    return Forecast(remaining, history, low, median, high)


def dated(weeks_left: float | None, now: datetime) -> date | None:
    """The day that lies so many weeks ahead."""
    return None if weeks_left is None else (now + WEEK * weeks_left).date()


def _size(lane: Sequence[tuple[datetime, int]], moment: datetime) -> int:
    """The lane's files at a moment; before its first commit, those after it.

    Committers' clocks differ, so that days of commits may go back; the last of those that are
    not after the moment counts.
    """
    known = [files for at, files in lane if at <= moment]
    if known:
        return known[-1]
    return lane[0][1] if lane else 0


def _ends(remaining: int, drained: Sequence[int]) -> Iterable[float]:
    """Weeks until the end in each of the simulated futures."""
    seed = hashlib.sha256(repr((remaining, tuple(drained))).encode()).digest()
    chance = random.Random(seed)  # noqa: S311 - a simulation, no secret
    count, mean = len(drained), fmean(drained)
    # Equal weeks are luck: counts vary at least as those of Poisson do.
    spread = max(variance(drained), abs(mean), 1.0)
    freedom = count - 1
    for _ in range(_DRAWS):
        deviation = math.sqrt(freedom * spread / chance.gammavariate(freedom / 2, 2.0))
        pace = chance.gauss(mean, deviation / math.sqrt(count))
        yield _crossing(remaining, pace, deviation, chance)


def _crossing(remaining: int, pace: float, deviation: float, chance: random.Random) -> float:
    left = float(remaining)
    for week in range(_HORIZON):
        step = chance.gauss(pace, deviation)
        if step >= left:
            return week + left / step
        left -= step
    return math.inf


def _at(ends: Sequence[float], share: float) -> float | None:
    found = ends[min(int(share * len(ends)), len(ends) - 1)]
    return None if math.isinf(found) else round(found, 1)
