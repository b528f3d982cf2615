"""Steps in what was recorded of a benchmark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_cockpit.benchmarking.history import Point
from pytest_cockpit.benchmarking.judging import RECENT
from pytest_cockpit.estimation import steps
from pytest_cockpit.estimation.intervals import Interval
from pytest_cockpit.records.text import one_line

_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Level:
    """A change of level in recorded runs.

    Parameters
    ----------
    date: when it was first seen.
    since, until: the last commit measured before it, and the first one behind it.
    ratio: of the level behind to the one before; its ends are those of `interval`, if there is one.
    age: runs seen on the new level.
    """

    date: str
    since: str
    until: str
    ratio: float
    interval: Interval | None
    age: int

    def __str__(self) -> str:
        where = f"{self.since[:_SHOWN]}..{self.until[:_SHOWN]}"
        ends = f" ({self.interval.low:.3f} to {self.interval.high:.3f})" if self.interval else ""
        # A row of the ledger holds anybody's words.
        return one_line(f"step to {self.ratio:.3f}{ends} on {self.date[:10]}, {where}")


def find(points: Sequence[Point]) -> list[Level]:
    """Every step of one benchmark's rows, the oldest first."""
    recent = points[-RECENT:]
    cuts = steps.find([math.log(point.median) for point in recent])
    edges = [*(step.at for step in cuts), len(recent)]
    return [
        Level(
            recent[step.at].at,
            recent[step.at - 1].commit,
            recent[step.at].commit,
            math.exp(step.size),
            step.interval and _ratio(step.interval),
            end - step.at,
        )
        for step, end in zip(cuts, edges[1:], strict=True)
    ]


def _ratio(found: Interval) -> Interval:
    return Interval(*map(math.exp, (found.low, found.estimate, found.high)))
