"""The weekly replay: bounds over all snapshots, and drift from the first to the last."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_cockpit_gates.gemm.compat import rows as reading
from pytest_cockpit_gates.gemm.compat.policy import Weekly
from pytest_cockpit_gates.gemm.compat.rows import (
    ABSENT,
    T3,
    T5,
    Check,
    Evaluation,
    at_least,
    at_most,
)


def evaluate(artifact: Mapping[str, Any], policy: Weekly) -> Evaluation:
    """The decision that was made of a canary artifact under a weekly policy: promote or iterate.

    Raises
    ------
    CockpitError: the artifact cannot be read.
    """
    rows = [row for row in reading.runs(artifact) if row.ok]
    seen = {reading.named(key): _of(group) for key, group in reading.grouped(rows).items()}
    missing = sorted(name for name in policy.rows if name not in seen)
    present = [(name, seen[name], bound) for name, bound in policy.rows.items() if name in seen]
    metadata = artifact.get("metadata")
    told = metadata if isinstance(metadata, Mapping) else {}
    executed = reading.whole_at(told, "executed_snapshots", "metadata", 0)
    error = reading.highest(rows, "max_error_max", ABSENT)
    fallback = reading.highest(reading.of_kernel(rows, T3), "t3_fallback_rate", 0.0)
    disables = reading.total(reading.of_kernel(rows, T5), "t5_disable_events")
    overhead = reading.highest(reading.of_kernel(rows, T5), "t5_overhead_percent", 0.0)
    throughput = max(
        (abs(row["throughput_drift_percent"]) for row in seen.values()), default=ABSENT
    )
    p95 = max((row["p95_drift_percent"] for row in seen.values()), default=ABSENT)
    within = [
        row["avg_gflops_mean"] >= bound.min_avg_gflops
        and row["p95_time_ms_mean"] <= bound.max_p95_time_ms
        for _, row, bound in present
    ]
    beyond = [
        f"{name}: {row['avg_gflops_mean']:.6g} GFLOPS of at least {bound.min_avg_gflops:g},"
        f" {row['p95_time_ms_mean']:.6g} ms of at most {bound.max_p95_time_ms:g}"
        for (name, row, bound), held in zip(present, within, strict=True)
        if not held
    ]
    checks = (
        at_least("minimum_snapshots", executed, policy.minimum_snapshots),
        at_most("correctness_error_bound", error, policy.max_correctness_error),
        at_most("t3_fallback_bound", fallback, policy.max_t3_fallback_rate),
        at_most("t5_disable_events_total_bound", disables, policy.max_t5_disable_events_total),
        at_most("t5_overhead_bound", overhead, policy.max_t5_overhead_percent),
        Check("all_policy_rows_present", not missing, {"missing": missing}),
        Check("per_kernel_size_slo", bool(within) and all(within), {"beyond": beyond}),
        at_most("throughput_drift_abs_bound", throughput, policy.max_abs_throughput_drift_percent),
        at_most("p95_drift_bound", p95, policy.max_p95_drift_percent),
    )
    return Evaluation(
        checks,
        "promote" if all(check.passed for check in checks) else "iterate",
        {
            "executed_snapshots": executed,
            "max_correctness_error": error,
            "max_t3_fallback_rate": fallback,
            "t5_disable_events_total": disables,
            "max_t5_overhead_percent": overhead,
            "missing_rows": missing,
            "max_abs_throughput_drift_percent": throughput,
            "max_p95_drift_percent": p95,
            "rows": seen,
        },
    )


def _of(group: list[reading.Run]) -> dict[str, Any]:
    gflops = [row.number_of("avg_mean_gflops", 0.0) for row in group]
    p95 = [row.number_of("p95_time_ms", 0.0) for row in group]
    return {
        "avg_gflops_mean": reading.mean(gflops),
        "p95_time_ms_mean": reading.mean(p95),
        "throughput_drift_percent": reading.drift(gflops[0], gflops[-1]),
        "p95_drift_percent": reading.drift(p95[0], p95[-1]),
        "samples": len(group),
    }
