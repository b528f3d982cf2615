"""What canary and stress campaigns hold every run to, as the archived decisions did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pytest_cockpit.api import CockpitError
from pytest_cockpit_gates.gemm.compat import rows as reading
from pytest_cockpit_gates.gemm.compat.rows import ABSENT, CLOVER, T3, T5, Check, Run

MAX_ERROR = 1e-3
MAX_FALLBACK = 0.08
MAX_FALSE_POSITIVES = 0.05
SOFT_OVERHEAD, HARD_OVERHEAD = 3.0, 5.0
MIN_THROUGHPUT_DELTA, MAX_P95_DELTA = -8.0, 15.0
"""Percent; what a run may lose against the baseline."""


def success(rows: Sequence[Run]) -> Check:
    """Whether every row has the status ok; not of no rows at all."""
    failed = sum(not row.ok for row in rows)
    return Check(
        "all_runs_success", bool(rows) and not failed, {"runs": len(rows), "failed": failed}
    )


def pressure(records: Any) -> Check:
    """Whether no pulse of pressure beside the runs failed."""
    if not isinstance(records, list):
        raise CockpitError("pressure: expected a list of records")
    failures = 0
    for index, record in enumerate(records):
        if not isinstance(record, Mapping):
            raise CockpitError(f"pressure[{index}]: expected an object")
        failures += int(reading.number_at(record, "failures", f"pressure[{index}]"))
    return Check("pressure_failures_zero", failures == 0, {"observed": failures, "required": 0})


def correctness(rows: Sequence[Run]) -> Check:
    """Whether the largest error of any run is within the absolute bound."""
    error = reading.highest(rows, "max_error_max", ABSENT)
    return Check(
        "correctness_bound_all_runs",
        error <= MAX_ERROR,
        {"observed_max": error, "required_max": MAX_ERROR},
    )


def fallback(rows: Sequence[Run]) -> Check:
    """Whether the selector of T3 fell back seldom, and was never switched off."""
    ours = reading.of_kernel(rows, T3)
    rate = reading.highest(ours, "t3_fallback_rate", 0.0)
    disabled = sum(row.metrics.get("t3_policy_disabled") is True for row in ours)
    return Check(
        "t3_guardrails_all_runs",
        rate <= MAX_FALLBACK and not disabled,
        {
            "observed_fallback_max": rate,
            "required_fallback_max": MAX_FALLBACK,
            "observed_policy_disabled_total": disabled,
        },
    )


def guarded(rows: Sequence[Run], name: str, max_overhead: float) -> Check:
    """Whether the guard of T5 never switched itself off, and cost no more than this in percent."""
    ours = reading.of_kernel(rows, T5)
    disables = reading.total(ours, "t5_disable_events")
    false = reading.highest(ours, "t5_false_positive_rate", 0.0)
    overhead = reading.highest(ours, "t5_overhead_percent", 0.0)
    return Check(
        name,
        disables == 0 and false <= MAX_FALSE_POSITIVES and overhead <= max_overhead,
        {
            "observed_disable_total": disables,
            "observed_fp_max": false,
            "required_fp_max": MAX_FALSE_POSITIVES,
            "observed_overhead_max": overhead,
            "required_overhead_max": max_overhead,
        },
    )


def regressions(rows: Iterable[Run], baseline: Iterable[Run]) -> list[dict[str, Any]]:
    """Change in percent of each group on Clover that the baseline has there too."""
    before = reading.grouped(row for row in baseline if row.ok and row.platform == CLOVER)
    after = reading.grouped(row for row in rows if row.ok and row.platform == CLOVER)
    return [
        {
            "kernel": key[0],
            "size": key[1],
            "throughput_delta_percent": _delta(before[key], group, "avg_mean_gflops"),
            "p95_delta_percent": _delta(before[key], group, "p95_time_ms"),
        }
        for key, group in after.items()
        if key in before
    ]


def no_regression(name: str, found: Iterable[Mapping[str, Any]]) -> Check:
    """Whether no group lost more than permitted; of no groups at all, none did."""
    beyond = [
        f"{row['kernel']}:{row['size']}: throughput {row['throughput_delta_percent']:+.2f} %,"
        f" 95th percentile {row['p95_delta_percent']:+.2f} %"
        for row in found
        if not (
            row["throughput_delta_percent"] >= MIN_THROUGHPUT_DELTA
            and row["p95_delta_percent"] <= MAX_P95_DELTA
        )
    ]
    bounds = {"throughput_at_least": MIN_THROUGHPUT_DELTA, "p95_at_most": MAX_P95_DELTA}
    return Check(name, not beyond, {"beyond": beyond, **bounds})


def _delta(before: Sequence[Run], after: Sequence[Run], metric: str) -> float:
    then, now = (
        reading.mean([row.number_of(metric, 0.0) for row in group]) for group in (before, after)
    )
    return reading.drift(then, now)
