"""Whether speed drifts within a campaign: a robust slope over the sessions of all its snapshots."""

from __future__ import annotations

import math
from collections.abc import Iterator

from pytest_cockpit.estimation.intervals import Interval
from pytest_cockpit.estimation.slopes import slope
from pytest_cockpit_gates.gemm.strict import levels, needed
from pytest_cockpit_gates.gemm.strict.model import Run, grouped, percentile, sessions_of
from pytest_cockpit_gates.gemm.strict.policies import Weekly
from pytest_cockpit_gates.gemm.strict.subject import UNKNOWN, Subject, as_json, check, verdict_of
from pytest_cockpit_gates.gemm.verdicts import Check

_REMEDY = "find what changes while it runs: heat, other programs, memory that is not given back"
_FURTHEST = 100.0
"""A logarithm that no drift reaches, and that a float still holds the power of."""
_NAMES = {
    "throughput_drift_abs_bound": "max_abs_throughput_drift_percent",
    "p95_drift_bound": "max_p95_drift_percent",
}
"""Checks, and the keys of the policy that set their bounds."""


def checks(subject: Subject) -> Iterator[Check]:
    """All of this module: for every kernel, size and platform, in the policy or not."""
    weekly = subject.policies.weekly
    if weekly is None or subject.artifact.kind != "replay":
        return
    groups = grouped(run for run in subject.artifact.good if run.snapshot is not None)
    if not groups:
        few = needed.snapshots_for_drift(1, subject.level)
        for name, bound in _NAMES.items():
            message, remedy = "there is no run to see a drift in", needed.more_snapshots(few, bound)
            yield check(name, UNKNOWN, message, remedy=remedy)
    for key, runs in groups.items():
        yield from _drifts(subject, weekly, key, runs)


def _drifts(subject: Subject, weekly: Weekly, key: str, runs: list[Run]) -> Iterator[Check]:
    throughput, late = drifts(runs, subject.level)
    snapshots = len({run.snapshot for run in runs if sessions_of([run])})
    least = needed.snapshots_for_drift(max(1, len(sessions_of(runs[:1]))), subject.level)
    most = weekly.max_abs_throughput_drift_percent
    held = None if throughput is None else within(throughput, most)
    more = least if throughput is None else _enough_within(throughput, most, snapshots)
    said = f"at most ±{most:g} %"
    yield _said("throughput_drift_abs_bound", key, throughput, held, said, snapshots, more)
    most = weekly.max_p95_drift_percent
    held = None if late is None else late.at_most(most)
    more = least if late is None else needed.enough(late, most, snapshots)
    yield _said("p95_drift_bound", key, late, held, f"at most {most:+g} %", snapshots, more)


def drifts(runs: list[Run], level: float) -> tuple[Interval | None, Interval | None]:
    """The changes of throughput and of the 95th percentile over all snapshots, in percent."""
    points = [
        (run.snapshot or 0, session) for run in runs for session in run.sessions if session.wall
    ]
    places = [place for place, _ in points]
    pace = [session.pace for _, session in points]
    late = [math.log(percentile(list(session.wall))) for _, session in points]
    return _over_all(places, pace, level), _over_all(places, late, level)


def _over_all(places: list[int], logs: list[float], level: float) -> Interval | None:
    """The change from the first snapshot to the last in percent."""
    found = slope(levels.batches(places), levels.batches(logs), level)
    if found is None:
        return None
    length = max(places) - min(places)
    ends = (min(length * each, _FURTHEST) for each in (found.low, found.estimate, found.high))
    return Interval(*(100 * math.expm1(each) for each in ends))


def within(drift: Interval, most: float) -> bool | None:
    """Whether a drift is at most so many percent either way; None where nobody can tell."""
    above, below = drift.at_most(most), drift.at_least(-most)
    if above is False or below is False:
        return False
    return True if above and below else None


def _enough_within(drift: Interval, most: float, snapshots: int) -> int | None:
    inside = abs(drift.estimate) < most
    bounds = (most, -most) if inside else (math.copysign(most, drift.estimate),)
    wanted = [needed.enough(drift, bound, snapshots) for bound in bounds]
    known = [number for number in wanted if number is not None]
    return max(known) if len(known) == len(wanted) else None


def _said(
    name: str,
    key: str,
    found: Interval | None,
    held: bool | None,
    bound: str,
    snapshots: int,
    more: int | None,
) -> Check:
    if found is None:
        message = f"{snapshots} snapshots with raw times are too few to see a drift in"
        if more:
            message += f", which takes {more}"
    else:
        message = (
            f"{found.estimate:+.2f} % [{found.low:+.2f}, {found.high:+.2f}] over"
            f" {snapshots} snapshots, {bound}"
        )
    return check(
        name,
        verdict_of(held),
        message,
        key=key,
        remedy=needed.more_snapshots(more, _NAMES[name]) if held is None else _REMEDY,
        observed={"drift_percent": as_json(found), "snapshots": snapshots},
    )
