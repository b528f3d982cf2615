"""What times say of a change: verdicts on one benchmark. Pure: numbers in, words out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_cockpit.api import Verdict
from pytest_cockpit.benchmarking.history import is_time
from pytest_cockpit.estimation import intervals, prediction, steps
from pytest_cockpit.estimation.intervals import Interval
from pytest_cockpit.records.text import count

FALSE_ALARMS = 0.01
"""Chance, at most, that a session in which nothing is slower fails."""

SUSPECT = 0.05
"""Level at which a benchmark is measured again beside an older commit.

By chance it happens somewhat more often, in one of ten at most, because runs that stand out are not
among the usual ones. That costs time and no verdict: pairs alone fail a benchmark.
"""

ENOUGH = 10
"""Recorded runs on machines alike without which nothing is said."""

RECENT = 100
"""Recorded runs that are looked at, the newest."""

_LEAST_SPREAD = 0.001
_ODD = 2  # of the first runs, so many may have been slow ones
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Opinion:
    """A verdict on one benchmark.

    Parameters
    ----------
    ratio: head over base, where the two were measured in pairs.
    limit: seconds from which on it would be suspect, where there are recorded runs enough.
    early: whether it is only for want of recorded runs that nothing is said.
    """

    verdict: Verdict
    said: str
    ratio: Interval | None = None
    pairs: int = 0
    limit: float | None = None
    recorded: int = 0
    early: bool = False


def by_pairs(
    base: Sequence[float], head: Sequence[float], *, level: float, threshold: float, against: str
) -> Opinion:
    """Whether head is slower than base by more than the threshold.

    Parameters
    ----------
    base, head: medians of processes, in the order of pairs.
    level: chance, at most, that a benchmark that is not slower fails.
    against: commit of `base`.
    """
    size = len(base)
    if not all(map(is_time, (*base, *head))):
        return Opinion(Verdict.UNKNOWN, "too short to be timed; let it do more", pairs=size)
    logs = [math.log(new / old) for old, new in zip(base, head, strict=True)]
    found = intervals.location(logs, 2 * level)
    if found is None:
        more = count(intervals.values_needed(2 * level) - size, "more pair")
        said = f"{count(size, 'pair')} with {against[:_SHOWN]}: {more} needed"
        return Opinion(Verdict.UNKNOWN, said, pairs=size)
    ratio = Interval(*map(math.exp, (found.low, found.estimate, found.high)))
    verdict, words = _compared(ratio, threshold)
    told = f"{ratio.estimate:.3f} ({ratio.low:.3f} to {ratio.high:.3f}) of {against[:_SHOWN]}"
    return Opinion(verdict, f"{told}, {count(size, 'pair')}: {words}", ratio, size)


def _compared(ratio: Interval, threshold: float) -> tuple[Verdict, str]:
    if ratio.low > 1 + threshold:
        return Verdict.FAIL, f"slower by more than {threshold:.0%}"
    if ratio.low > 1 and ratio.estimate > 1 + threshold:
        return Verdict.WARN, f"slower, perhaps by more than {threshold:.0%}"
    if ratio.low > 1:
        return Verdict.PASS, f"slower, by no more than {ratio.high - 1:.0%}"
    if ratio.high < 1:
        return Verdict.PASS, "faster"
    return Verdict.PASS, "no slower, as far as can be seen"


def by_record(value: float, past: Sequence[float], *, threshold: float) -> Opinion:
    """Whether a run lies above what recorded runs of machines alike let expect.

    Each recorded run is one value: how they differ among each other is all that is known about how
    far one may lie off. A `WARN` is a suspicion.

    Parameters
    ----------
    value: median of this run's processes.
    past: those of recorded runs, the oldest first.
    """
    if len(past) < ENOUGH:
        said = f"{count(ENOUGH - len(past), 'more run')} on a machine like this needed"
        return Opinion(Verdict.UNKNOWN, said, recorded=len(past), early=True)
    known = usual([math.log(seen) for seen in past[-RECENT:]], threshold)
    size = len(known)
    if not is_time(value):
        return Opinion(Verdict.UNKNOWN, "too short to be timed; let it do more", recorded=size)
    limit = math.exp(_edge(known, threshold))
    runs = f"{size} recorded runs"
    if value > limit:
        said = f"above {limit:.3g} s, the most that {runs} let expect and {threshold:.0%}"
        return Opinion(Verdict.WARN, said, limit=limit, recorded=size)
    return Opinion(Verdict.PASS, f"as expected of {runs}", limit=limit, recorded=size)


def usual(past: Sequence[float], threshold: float) -> list[float]:
    """Those of the recorded runs, as logarithms, that tell what to expect of the next.

    A slow run is recorded like any other, and must not make the same slow run of tomorrow a usual
    one: what was above all that could be expected then is left out. A new level counts from when
    enough runs have shown it; then nothing before it does.
    """
    cuts = steps.fit(past)
    since = cuts[-1] if cuts else 0
    recent = past[since:] if len(past) - since >= ENOUGH else past
    known = list(recent[:ENOUGH])
    for _ in range(_ODD):
        rest = list(known)
        rest.remove(max(known))
        if max(known) > _edge(rest, threshold):
            known = rest
    for value in recent[ENOUGH:]:
        if value <= _edge(known, threshold):
            known.append(value)
    return known


def _edge(known: Sequence[float], threshold: float) -> float:
    return prediction.limit(known, SUSPECT, least_spread=_LEAST_SPREAD) + math.log1p(threshold)
