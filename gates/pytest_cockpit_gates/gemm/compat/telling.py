"""What a check of an old decision is about, in the words of today: rule, message and remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from pytest_cockpit.api import Finding
from pytest_cockpit.records.text import one_line
from pytest_cockpit_gates.gemm.compat.rows import Check, Evaluation

_RULES: Mapping[str, str] = MappingProxyType(
    {
        "all_runs_success": "gemm.run-failed",
        "minimum_snapshots": "gemm.evidence-missing",
        "minimum_snapshots_completed": "gemm.evidence-missing",
        "all_policy_rows_present": "gemm.evidence-missing",
        "required_sizes_present_on_split": "gemm.evidence-missing",
        "platform_split_present": "gemm.platform-missing",
        "platform_split_clover_and_rusticl": "gemm.platform-missing",
        "correctness_error_bound": "gemm.correctness",
        "correctness_bound_all_runs": "gemm.correctness",
        "per_kernel_size_slo": "gemm.throughput",
        "clover_policy_rows": "gemm.throughput",
        "throughput_drift_abs_bound": "gemm.drift",
        "p95_drift_bound": "gemm.drift",
        "drift_abs_percent_bounded": "gemm.drift",
        "no_regression_vs_block6_clover": "gemm.regression",
        "no_regression_vs_block3_clover": "gemm.regression",
        "rusticl_ratio_vs_clover": "gemm.ratio",
        "rusticl_peak_ratio_min": "gemm.ratio",
        "pressure_failures_zero": "gemm.pressure",
        "t3_fallback_bound": "gemm.fallback-rate",
        "t3_guardrails_all_runs": "gemm.fallback-rate",
        "t5_overhead_bound": "gemm.guard-overhead",
        "t5_overhead_soft_limit": "gemm.guard-overhead",
        "soft_overhead_consecutive_below_limit": "gemm.guard-overhead",
        "t5_disable_events_total_bound": "gemm.guard-disabled",
        "t5_guardrails_hard": "gemm.guard-disabled",
        "t5_guardrails_all_runs": "gemm.guard-disabled",
        "rollback_policy_enforced": "gemm.artifact",
    }
)
_SNAPSHOTS = "all_snapshot_hard_checks_passed"
_ANEW = "what is archived stays: measure anew with --cockpit-replay or --cockpit-split"
_SLOWER = (
    "find what became slower, or propose bounds that can be kept with --cockpit-recalibrate;"
    " of raw times the mode strict says how sure this is"
)
_REMEDIES: Mapping[str, str] = MappingProxyType(
    {
        "gemm.run-failed": "see error and stderr of the runs that failed",
        "gemm.platform-missing": "name the artifact of a split that has both platforms",
        "gemm.correctness": "take the kernel out of use: results are wrong, whatever its speed",
        "gemm.throughput": _SLOWER,
        "gemm.drift": "find what changed while it ran: heat, other programs, memory",
        "gemm.regression": _SLOWER,
        "gemm.ratio": "go back to the fallback platform: --cockpit-gemm-rollback=plan",
        "gemm.pressure": "see the pulses that failed in /pressure of the artifact",
        "gemm.fallback-rate": "tune the variants again: --cockpit-gemm-tune",
        "gemm.guard-overhead": "check every so many products alone: abft_mode.sampling_period",
        "gemm.guard-disabled": "see t5_disable_reason in the metrics of its runs",
        "gemm.artifact": "go back to the fallback platform: --cockpit-gemm-rollback=plan",
    }
)
_SHOWN = 3


def findings(name: str, found: Evaluation, path: str) -> Iterator[Finding]:
    """A finding for each check that did not hold.

    Parameters
    ----------
    name: of the evaluator; `weekly_replay`.
    path: of the artifact.
    """
    for check in found.checks:
        if not check.passed:
            rule = rule_of(check)
            yield Finding(
                rule,
                f"{name}: {check.name} did not hold: {seen(check)}",
                path=path,
                remedy=_REMEDIES.get(rule, _ANEW),
                evidence={"check": check.name, **check.observed},
            )


def rule_of(check: Check) -> str:
    """The rule of the gate that a check is about; that of snapshots is about what failed there."""
    if check.name == _SNAPSHOTS:
        inner = [_RULES.get(name, "gemm.artifact") for name in check.observed.get("failed", ())]
        return inner[0] if inner else "gemm.artifact"
    if check.name.startswith("t5_guardrails") and not _switched_off(check.observed):
        return "gemm.guard-overhead"
    return _RULES.get(check.name, "gemm.artifact")


def seen(check: Check) -> str:
    """What was looked at, and its limit: `observed 4, at least 6`."""
    parts = [f"{key.replace('_', ' ')} {_shown(value)}" for key, value in check.observed.items()]
    return one_line(", ".join(parts)) or "nothing was recorded of it"


def _switched_off(observed: Mapping[str, Any]) -> bool:
    false, most = observed.get("observed_fp_max", 0), observed.get("required_fp_max", 0)
    return bool(observed.get("observed_disable_total")) or false > most


def _shown(value: Any) -> str:
    if isinstance(value, str | bool) or value is None:
        return str(value)
    if isinstance(value, Sequence):
        more = f" and {len(value) - _SHOWN} more" if len(value) > _SHOWN else ""
        return ("; ".join(map(str, value[:_SHOWN])) or "none") + more
    return f"{value:.6g}"
