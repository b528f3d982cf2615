"""Figures as checks judge them: an estimate with its interval, and the bound it is held to.

Tables and plots take what the check has observed, so that one thing has one figure. What no check
holds to anything is worked out in the way in which checks do it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_cockpit.estimation.intervals import Interval
from pytest_cockpit.records.text import one_line
from pytest_cockpit_gates.gemm.strict import checks_policy, levels
from pytest_cockpit_gates.gemm.strict.model import FLOPS
from pytest_cockpit_gates.gemm.strict.names import RATIO
from pytest_cockpit_gates.gemm.strict.subject import spelled

SPEED, P95, COST = "per_kernel_size_slo", "per_kernel_size_p95", "t5_overhead_bound"
_OBSERVED: Mapping[str, str] = {
    SPEED: "gflops",
    P95: "p95_ms",
    COST: "overhead_percent",
    RATIO: "ratio",
}
_LARGEST = 1e9
"""Seconds, and N of N x N matrices, beyond which a number is a mistake."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What is known of one thing.

    Parameters
    ----------
    interval: None where there is too little for one.
    bound: that a check holds it to; None where none does.
    verdict: of that check; empty where there is none.
    count: of what it was worked out from, in words.
    """

    interval: Interval | None
    bound: float | None = None
    verdict: str = ""
    count: str = ""

    def words(self, side: str, digits: int = 4) -> str:
        """As the check says it: `61.9 [58.2, 64], at least 50`; empty where nothing is known.

        Parameters
        ----------
        side: `at least` or `at most`.
        """
        said = [spelled(self.interval, digits=digits)] if self.interval else []
        if self.bound is not None:
            said += (
                [f"{side} {self.bound:.6g}"] if said else [f"no interval; {side} {self.bound:.6g}"]
            )
        return ", ".join(said)


Figures = Mapping[tuple[str, str], Figure]


def of_checks(checks: Iterable[Mapping[str, Any]]) -> Figures:
    """By name of the check and by what it is about."""
    found = {}
    for check in checks:
        name, observed = str(check.get("name")), check.get("observed")
        if name in _OBSERVED and isinstance(observed, Mapping):
            found[name, one_line(str(check.get("key") or ""))] = Figure(
                _interval(observed.get(_OBSERVED[name])),
                _number(observed.get("bound")),
                str(check.get("verdict") or ""),
                _count(observed),
            )
    return found


def speed(size: int, sessions: Sequence[Sequence[float]], attempt: int) -> Figure | None:
    """GFLOPS of sessions of wall times in seconds; None where there are too few."""
    if not 0 < size < _LARGEST:
        return None
    work = math.log(FLOPS * size**3 / 1e9)
    unit = [[work - math.log(wall) for wall in session] for session in sessions]
    found = levels.centre(unit, levels.of_attempt(attempt), levels.SESSION_SPREAD)
    return None if found is None else Figure(levels.exponential(found))


def p95(sessions: Sequence[Sequence[float]], attempt: int) -> Figure | None:
    """The 95th percentile in milliseconds; None where there are too few times."""
    times = [1e3 * wall for session in sessions for wall in session]
    if len(times) < checks_policy.FEWEST:
        return None
    return Figure(checks_policy.p95(times, len(sessions), attempt))


def times(row: Mapping[str, Any]) -> list[list[float]]:
    """The wall times of a row's sessions, those that are some."""
    given = row.get("sessions")
    tables = [it for it in given if isinstance(it, Mapping)] if isinstance(given, list) else []
    found = []
    for table in tables:
        walls = table.get("wall_s")
        numbers = [_number(it) for it in walls] if isinstance(walls, list) else []
        good = [it for it in numbers if it is not None and 1 / _LARGEST < it < _LARGEST]
        found += [good] if good else []
    return found


def significant(value: float, digits: int = 3) -> str:
    """A number to so many digits, never as a power of ten: `0.00213`, `61.9`, `1480`."""
    if not value:
        return "0"
    after = digits - 1 - math.floor(math.log10(abs(value)))
    return f"{value:.{min(max(0, after), 12)}f}"


def _count(observed: Mapping[str, Any]) -> str:
    pairs, sessions, clock = (observed.get(key) for key in ("pairs", "sessions", "clock"))
    if not isinstance(pairs, int) or not isinstance(sessions, int):
        return ""
    return f"{pairs} pairs from {sessions} sessions, by {clock} time"


def _interval(value: Any) -> Interval | None:
    table = value if isinstance(value, Mapping) else {}
    low, middle, high = (_number(table.get(key)) for key in ("low", "estimate", "high"))
    if middle is None:
        return None
    return Interval(-math.inf if low is None else low, middle, math.inf if high is None else high)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None
