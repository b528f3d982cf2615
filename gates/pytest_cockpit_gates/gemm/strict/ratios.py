"""Two platforms compared by interleaved pairs."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from pytest_cockpit.api import Verdict
from pytest_cockpit.estimation.intervals import Interval
from pytest_cockpit_gates.gemm.strict import levels

_BUSY = 0.5
"""CPU time over wall time that a process which does the work itself has at its best moments.

Where others have the processor it is below that most of the time; on a GPU it is so always.
"""
_LEAST_SHARE = 0.25
"""Share of the pairs that each order has at least."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One multiplication on each of two platforms, one right after the other; times in seconds.

    Parameters
    ----------
    order: `ab` when the candidate came first.
    session: pairs of one session share their processes.
    """

    order: str
    session: Hashable
    candidate_wall_s: float
    candidate_cpu_s: float
    fallback_wall_s: float
    fallback_cpu_s: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """What pairs say of the candidate's throughput over that of the fallback.

    Parameters
    ----------
    ratio: with its interval; None where there are too few pairs for one.
    wall: the same by wall time.
    clock: what `ratio` is of: `cpu` or `wall`.
    processes: sessions that the pairs come from.
    reason: why there is no verdict; empty where there is one.
    more: pairs that are worth measuring in addition.
    """

    verdict: Verdict
    ratio: Interval | None
    wall: Interval | None
    clock: str
    pairs: int
    processes: int
    level: float
    reason: str = ""
    more: int = 0


def compare(pairs: Iterable[Pair], bound: float, *, attempt: int = 1) -> Comparison:
    """Hold the ratio against its bound; pairs beyond the 48th do not count.

    The test is Wilcoxon's on log-ratios, exact, as is the interval that inverts it. Its units are
    sessions where there are enough of them. Otherwise they are pairs, and the interval is widened
    by what the processes of few sessions may have for themselves.

    Parameters
    ----------
    bound: throughput of the candidate over that of the fallback, at least.
    """
    taken = list(pairs)[: levels.MOST_PAIRS]
    size = len(taken)
    level = levels.of_pairs(size, attempt)
    clock = "cpu" if _busy(taken) else "wall"
    sessions = [pair.session for pair in taken]
    ratio, wall = (
        _interval([_log(pair, each) for pair in taken], sessions, level) for each in (clock, "wall")
    )
    verdict, reason = _verdict(taken, ratio, wall, bound)
    open_ = verdict is Verdict.UNKNOWN and size < levels.MOST_PAIRS
    return Comparison(
        verdict,
        ratio,
        wall,
        clock,
        size,
        len(set(sessions)),
        level,
        reason,
        min(levels.PORTION, levels.MOST_PAIRS - size) if open_ else 0,
    )


def _verdict(
    pairs: Sequence[Pair], ratio: Interval | None, wall: Interval | None, bound: float
) -> tuple[Verdict, str]:
    if ratio is None:
        return Verdict.UNKNOWN, f"{len(pairs)} pairs are too few to decide anything"
    first = sum(pair.order == "ab" for pair in pairs)
    if min(first, len(pairs) - first) < _LEAST_SHARE * len(pairs):
        return Verdict.UNKNOWN, "the order within pairs does not alternate"
    held, held_by_wall = ratio.at_least(bound), wall.at_least(bound) if wall else None
    if held is None:
        return Verdict.UNKNOWN, "the interval lies on both sides of the bound"
    if held_by_wall is not None and held is not held_by_wall:
        return Verdict.UNKNOWN, "CPU time and wall time contradict each other"
    return (Verdict.PASS if held else Verdict.FAIL), ""


def _busy(pairs: Sequence[Pair]) -> bool:
    """Whether the processes themselves did the work."""
    shares = [
        [pair.candidate_cpu_s / pair.candidate_wall_s for pair in pairs],
        [pair.fallback_cpu_s / pair.fallback_wall_s for pair in pairs],
    ]
    timed = all(pair.candidate_cpu_s > 0 < pair.fallback_cpu_s for pair in pairs)
    return bool(pairs) and timed and all(max(each) >= _BUSY for each in shares)


def _log(pair: Pair, clock: str) -> float:
    if clock == "cpu":
        return math.log(pair.fallback_cpu_s / pair.candidate_cpu_s)
    return math.log(pair.fallback_wall_s / pair.candidate_wall_s)


def _interval(logs: Sequence[float], sessions: Sequence[Hashable], level: float) -> Interval | None:
    groups: dict[Hashable, list[float]] = {}
    for value, session in zip(logs, sessions, strict=True):
        groups.setdefault(session, []).append(value)
    # Two processes take part in a session, each with something of its own.
    found = levels.centre(list(groups.values()), level, levels.SESSION_SPREAD * math.sqrt(2))
    return None if found is None else levels.exponential(found)
