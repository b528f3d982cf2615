"""Policies of proofs: what the artifacts in `proving_trees` keep to."""

from __future__ import annotations

from pytest_cockpit_gates.gemm.proving_trees import GFLOPS, SIZE, WALL, Table
from pytest_cockpit_gates.gemm.settings import KERNELS


def weekly(**bounds: float) -> Table:
    """A weekly policy that the replay keeps to, but for these bounds."""
    guardrails = {
        "minimum_snapshots": 6,
        "max_correctness_error": 0.001,
        "max_t3_fallback_rate": 0.08,
        "max_t5_disable_events_total": 0,
        "max_t5_overhead_percent": 3.0,
        "max_abs_throughput_drift_percent": 3.0,
        "max_p95_drift_percent": 8.0,
    }
    row = {"min_avg_gflops": 0.9 * GFLOPS, "max_p95_time_ms": 1100 * WALL}
    row |= {key: value for key, value in bounds.items() if key in row}
    guardrails |= {key: value for key, value in bounds.items() if key in guardrails}
    return {
        "policy_id": "proof-weekly",
        "scope": {"platform": "rusticl"},
        "weekly_slo": {
            "global_guardrails": guardrails,
            "per_kernel_size": {f"{kernel}:{SIZE}": dict(row) for kernel in KERNELS},
        },
    }


def guard() -> Table:
    """A policy of fault detection that asks for recall."""
    return {
        "policy_id": "proof-t5",
        "abft_mode": {"sampling_period": 1, "projection_count": 2},
        "runtime_guardrails": {
            "disable_if_false_positive_rate_gt": 0.05,
            "disable_if_effective_overhead_percent_gt": 3.0,
            "disable_if_correctness_error_gt": 0.001,
            "disable_if_uniform_recall_lt": 0.97,
            "disable_if_critical_recall_lt": 0.99,
        },
    }
