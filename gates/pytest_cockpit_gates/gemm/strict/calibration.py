"""Bounds of a weekly policy that follow from sessions that were measured.

A bound is where the next session lies beyond with a chance of at most 1 %. What is there already is
tightened by a part of the distance between the two, as the recorded policies were; where the
sessions do not carry what is there, the bound is loosened, and that is said.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from pytest_cockpit.api import JSON
from pytest_cockpit.estimation.prediction import limit
from pytest_cockpit_gates.gemm.strict.checks_drift import drifts
from pytest_cockpit_gates.gemm.strict.checks_policy import FEWEST, p95
from pytest_cockpit_gates.gemm.strict.model import (
    Artifact,
    Run,
    figures,
    grouped,
    percentile,
    sessions_of,
)

LEVEL = 0.01
FRACTION = 0.25
"""Part of the distance by which a bound is tightened; that of the second recorded policy."""
FEWEST_VALUES = 8
_LEAST_SPREAD = 0.005
"""Relative distance from the median that the furthest session is taken to have at least."""
_LEAST_WIDTH = 0.25
"""The same of an interval of a drift: by this much do widths differ between campaigns alike."""
_DIGITS = 6
_MOST_DRIFT = 100.0
"""Percent; a bound beyond holds nothing."""
_GUARDRAILS: Mapping[str, float] = {
    "minimum_snapshots": 6,
    "max_correctness_error": 0.001,
    "max_t3_fallback_rate": 0.08,
    "max_t5_disable_events_total": 0,
    "max_t5_overhead_percent": 3.0,
    "max_abs_throughput_drift_percent": 3.0,
    "max_p95_drift_percent": 8.0,
}
"""Those of the first recorded policy, where nothing is there and nothing was measured."""
_DRIFTS = ("max_abs_throughput_drift_percent", "max_p95_drift_percent")


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is proposed.

    Parameters
    ----------
    slo: the table `weekly_slo`.
    loosened: bounds that became looser, each in words.
    kept: rows and bounds that stay because there is too little to calibrate them from, each in
        words, with what it takes.
    notes: the same of bounds over all rows.
    tightened: how many became tighter, or are new.
    """

    slo: Mapping[str, Any]
    loosened: tuple[str, ...]
    kept: tuple[str, ...]
    notes: tuple[str, ...]
    tightened: int


class _Bounds:
    """Bounds as they are moved, with what is said of it."""

    def __init__(self, fraction: float) -> None:
        self.fraction = fraction
        self.loosened: list[str] = []
        self.kept: list[str] = []
        self.notes: list[str] = []
        self.tightened = 0

    def moved(self, name: str, old: float | None, carried: float, *, upper: bool) -> float:
        """A bound, old and new: never beyond what the sessions carry."""
        if old is None:
            self.tightened += 1
            return round(carried, _DIGITS)
        if (carried > old) if upper else (carried < old):
            self.loosened.append(f"{name}: from {old:g} to {carried:g}")
            return round(carried, _DIGITS)
        moved = round(old + self.fraction * (carried - old), _DIGITS)
        self.tightened += moved != old
        return moved


def propose(
    artifacts: Sequence[Artifact], platform: str, old: JSON | None, fraction: float = FRACTION
) -> Proposal:
    """Bounds for the rows of one platform.

    Parameters
    ----------
    old: the table `weekly_slo` that is there, inheritance resolved; None where there is none.
    fraction: part of the distance to what sessions carry by which bounds are tightened.
    """
    bounds = _Bounds(fraction)
    before: Mapping[str, Any] = (old or {}).get("per_kernel_size", {})
    measured = [
        grouped(run for run in artifact.good if run.platform == platform and run.size)
        for artifact in artifacts
    ]
    names = dict.fromkeys(
        [*before, *(runs[0].row for groups in measured for runs in groups.values())]
    )
    rows = {}
    for name in names:
        groups = [runs for each in measured if (runs := each.get(f"{name}@{platform}"))]
        row = _row(name, groups, before.get(name, {}), bounds)
        if row:
            rows[name] = row
    told: Mapping[str, Any] = (old or {}).get("global_guardrails", {})
    guardrails = {**_GUARDRAILS, **told, **_drift_bounds(artifacts, told, bounds)}
    slo = {"global_guardrails": guardrails, "per_kernel_size": rows}
    return Proposal(
        slo, tuple(bounds.loosened), tuple(bounds.kept), tuple(bounds.notes), bounds.tightened
    )


def _row(name: str, groups: Sequence[list[Run]], old: JSON, bounds: _Bounds) -> dict[str, Any]:
    speeds = [value for runs in groups for value in _speeds(runs)]
    late = [value for runs in groups for value in _lates(runs)]
    if min(len(speeds), len(late)) < FEWEST_VALUES:
        bounds.kept.append(
            f"{name}: {len(speeds)} sessions in {len(late)} rows are too few to calibrate from,"
            f" which takes {FEWEST_VALUES} rows: measure {FEWEST_VALUES} snapshots of it with"
            f" --cockpit-gemm-snapshots {FEWEST_VALUES}, or name more artifacts"
            f"{'; its bounds stay' if old else '; it gets no row'}"
        )
        return dict(old)
    slowest = -_limit([-speed for speed in speeds])
    if round(slowest, _DIGITS) <= 0:
        bounds.kept.append(
            f"{name}: no bound above 0 follows from {len(speeds)} sessions of {min(speeds):.4g} to"
            f" {max(speeds):.4g} GFLOPS: {_remedy(speeds)}"
            f"{'; its bounds stay' if old else '; it gets no row'}"
        )
        return dict(old)
    uppers = [_upper(runs) for runs in groups]
    latest = max(_limit(late), _limit(uppers))
    return {
        **old,
        "min_avg_gflops": bounds.moved(
            f"{name}: min_avg_gflops", old.get("min_avg_gflops"), slowest, upper=False
        ),
        "max_p95_time_ms": bounds.moved(
            f"{name}: max_p95_time_ms", old.get("max_p95_time_ms"), latest, upper=True
        ),
    }


def _remedy(speeds: Sequence[float]) -> str:
    """What it takes for the slowest session to come to be above nothing."""
    middle = median(speeds)
    share = (middle - min(speeds)) / middle
    # The reach beyond what was seen falls with the root of the number of sessions.
    wanted = math.floor(share**2 / LEVEL) + 1
    return (
        f"it takes {wanted} sessions if they go on differing so much, in more artifacts or with"
        " --cockpit-gemm-snapshots, or fewer measured while nothing else runs"
    )


def _limit(values: Sequence[float]) -> float:
    middle = sorted(map(abs, values))[len(values) // 2]
    return limit(values, LEVEL, least_spread=_LEAST_SPREAD * middle)


def _speeds(runs: Sequence[Run]) -> list[float]:
    """GFLOPS of every session; those of rows where there are no raw times."""
    sessions = sessions_of(runs)
    if sessions:
        told = [figures(runs[0].size, [session])["avg_mean_gflops"] for session in sessions]
    else:
        told = [run.metrics.get("avg_mean_gflops") for run in runs]
    return [value for value in told if value]


def _lates(runs: Sequence[Run]) -> list[float]:
    """The 95th percentile of every row in milliseconds."""
    told = [
        1e3 * percentile(run.times) if run.times else run.metrics.get("p95_time_ms") for run in runs
    ]
    return [value for value in told if value]


def _upper(runs: Sequence[Run]) -> float:
    """The upper end of the 95th percentile of all times, which a replay has to keep below."""
    times = [1e3 * time for run in runs for time in run.times]
    if len(times) < FEWEST:
        return 0.0
    return p95(times, len(sessions_of(runs)), 1).high


def _drift_bounds(artifacts: Sequence[Artifact], old: JSON, bounds: _Bounds) -> dict[str, float]:
    """Drift bounds that the intervals of the next campaign lie within.

    It is their ends that a bound has to hold, not the drift: where processes differ by 2 %, eight
    snapshots of two sessions cannot tell a drift of 3 % from none.
    """
    seen: dict[str, list[float]] = {name: [] for name in _DRIFTS}
    for artifact in artifacts:
        groups = grouped(run for run in artifact.good if run.snapshot is not None)
        for runs in groups.values():
            pace, late = drifts(runs, LEVEL)
            if pace is not None and late is not None:
                seen[_DRIFTS[0]].append(max(abs(pace.low), abs(pace.high)))
                seen[_DRIFTS[1]].append(max(0.0, late.high))
    moved = {}
    for name, values in seen.items():
        if values:
            carried = limit(values, LEVEL, least_spread=_LEAST_WIDTH * median(values))
            if carried < _MOST_DRIFT:
                moved[name] = bounds.moved(name, old.get(name), carried, upper=True)
            else:
                bounds.kept.append(
                    f"{name} stays: by these artifacts a drift may be {min(carried, 1e6):.4g} %,"
                    " which is no bound: measure more snapshots with --cockpit-gemm-snapshots, or"
                    " while nothing else runs"
                )
        else:
            bounds.notes.append(f"{name} stays: no artifact has snapshots of raw times enough")
    return moved
