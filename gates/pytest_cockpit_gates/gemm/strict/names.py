"""Every check that strict evaluation can make, and the rule of the gate that it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

CHECKS: Mapping[str, str] = MappingProxyType(
    {
        "artifact_readable": "gemm.artifact",
        "rows_follow_from_samples": "gemm.artifact",
        "rollback_policy_enforced": "gemm.artifact",
        "all_runs_success": "gemm.run-failed",
        "all_samples_present": "gemm.evidence-missing",
        "runs_unique": "gemm.duplicate-run",
        "platform_and_device": "gemm.wrong-device",
        "evidence_recorded": "gemm.evidence-missing",
        "artifact_recent": "gemm.evidence-missing",
        "minimum_snapshots": "gemm.evidence-missing",
        "correctness_error_bound": "gemm.correctness",
        "policy_given": "gemm.policy",
        "policy_rows_for_required_sizes": "gemm.policy",
        "all_policy_rows_present": "gemm.evidence-missing",
        "per_kernel_size_slo": "gemm.throughput",
        "per_kernel_size_p95": "gemm.latency",
        "throughput_drift_abs_bound": "gemm.drift",
        "p95_drift_bound": "gemm.drift",
        "baseline_usable": "gemm.evidence-missing",
        "no_regression_vs_baseline": "gemm.regression",
        "t3_fallback_bound": "gemm.fallback-rate",
        "t5_disable_events_total_bound": "gemm.guard-disabled",
        "t5_false_positive_bound": "gemm.guard-disabled",
        "t5_overhead_bound": "gemm.guard-overhead",
        "t5_recall_bound": "gemm.guard-recall",
        "pressure_failures_zero": "gemm.pressure",
        "platform_split_present": "gemm.platform-missing",
        "required_sizes_present_on_split": "gemm.evidence-missing",
        "rusticl_ratio_vs_clover": "gemm.ratio",
    }
)
"""By name. Names are those of the recorded decisions where they mean the same."""

SNAPSHOT_CHECKS: Mapping[str, str] = MappingProxyType(
    {
        "all_runs_success": "gemm.run-failed",
        "pressure_failures_zero": "gemm.pressure",
        "correctness_bound_all_runs": "gemm.correctness",
        "t3_guardrails_all_runs": "gemm.fallback-rate",
        "t5_guardrails_hard": "gemm.guard-disabled",
        "t5_overhead_hard_limit": "gemm.guard-overhead",
        "t5_overhead_soft_limit": "gemm.guard-overhead",
        "no_regression_vs_baseline": "gemm.regression",
    }
)
"""The same of the checks by which a snapshot can end a replay."""

RATIO = "rusticl_ratio_vs_clover"


def shown(name: str, key: str) -> str:
    """A check's name for people: that of a ratio says which platforms were compared.

    Parameters
    ----------
    key: what the check is about; of a ratio `kernel:size@candidate/fallback`.
    """
    pair = key.rpartition("@")[2].split("/") if name == RATIO else []
    return f"{pair[0]}_ratio_vs_{pair[1]}" if len(pair) == 2 else name  # noqa: PLR2004 - a pair
