"""The weekly policy, as the archived decisions used it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_cockpit.api import CockpitError
from pytest_cockpit_gates.gemm.compat.rows import number_at


@dataclass(frozen=True, slots=True)
class Row:
    """Bounds of one kernel at one size: GFLOPS at least, milliseconds at most."""

    min_avg_gflops: float
    max_p95_time_ms: float


@dataclass(frozen=True, slots=True)
class Weekly:
    """Bounds over all rows, and those of each `kernel:size`."""

    minimum_snapshots: float
    max_correctness_error: float
    max_t3_fallback_rate: float
    max_t5_disable_events_total: float
    max_t5_overhead_percent: float
    max_abs_throughput_drift_percent: float
    max_p95_drift_percent: float
    rows: Mapping[str, Row]


def weekly(policy: Mapping[str, Any]) -> Weekly:
    """The table `weekly_slo` of a policy.

    Raises
    ------
    CockpitError: a bound is missing or no number; the text names its key.
    """
    table = _table(policy, "weekly_slo", "policy")
    guardrails = _table(table, "global_guardrails", "weekly_slo")
    rows = _table(table, "per_kernel_size", "weekly_slo")
    where = "weekly_slo.global_guardrails"
    names = [name for name in Weekly.__slots__ if name != "rows"]
    return Weekly(
        **{name: number_at(guardrails, name, where) for name in names},
        rows={
            name: Row(
                **{
                    key: number_at(
                        _table(rows, name, "weekly_slo.per_kernel_size"),
                        key,
                        f"weekly_slo.per_kernel_size.{name}",
                    )
                    for key in ("min_avg_gflops", "max_p95_time_ms")
                }
            )
            for name in rows
        },
    )


def _table(parent: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    value = parent.get(key)
    if not isinstance(value, Mapping):
        raise CockpitError(f"{where}.{key}: expected an object")
    return value
