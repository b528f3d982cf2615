"""The platform split: Clover holds the policy, and rusticl keeps up with Clover."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pytest_cockpit_gates.gemm.compat import guardrails
from pytest_cockpit_gates.gemm.compat import rows as reading
from pytest_cockpit_gates.gemm.compat.policy import Weekly
from pytest_cockpit_gates.gemm.compat.rows import (
    ABSENT,
    CLOVER,
    RUSTICL,
    T3,
    T5,
    Check,
    Evaluation,
    Run,
    at_most,
)


def evaluate(
    artifact: Mapping[str, Any],
    policy: Weekly,
    *,
    min_rusticl_ratio: float = 0.85,
    required_sizes: Iterable[int] | None = None,
) -> Evaluation:
    """The decision that was made of a split artifact: promote or iterate.

    Parameters
    ----------
    min_rusticl_ratio: mean GFLOPS of rusticl over those of Clover, at least.
    required_sizes: sizes that both kernels must have on both platforms; None asks for none.

    Raises
    ------
    CockpitError: the artifact cannot be read.
    """
    everything = reading.runs(artifact)
    rows = [row for row in everything if row.ok]
    on = {name: reading.grouped(reading.of_platform(rows, name)) for name in (CLOVER, RUSTICL)}
    error = reading.highest(rows, "max_error_max", ABSENT)
    fallback = reading.highest(reading.of_kernel(rows, T3), "t3_fallback_rate", 0.0)
    overhead = reading.highest(reading.of_kernel(rows, T5), "t5_overhead_percent", 0.0)
    disables = reading.total(reading.of_kernel(rows, T5), "t5_disable_events")
    ratios = {
        reading.named(key): _ratio(on[RUSTICL].get(key), on[CLOVER].get(key))
        for key in sorted(on[CLOVER].keys() | on[RUSTICL].keys())
    }
    lowest = min(ratios.values(), default=0.0)
    missing = [
        reading.named((kernel, size))
        for kernel in (T3, T5)
        for size in required_sizes or ()
        if not all((kernel, size) in groups for groups in on.values())
    ]
    named = {reading.named(key): group for key, group in on[CLOVER].items()}
    held = [
        name in named
        and _mean(named[name], "avg_mean_gflops") >= bound.min_avg_gflops
        and _mean(named[name], "p95_time_ms") <= bound.max_p95_time_ms
        for name, bound in policy.rows.items()
    ]
    beyond = [name for name, good in zip(policy.rows, held, strict=True) if not good]
    checks = (
        guardrails.success(everything),
        Check(
            "platform_split_present",
            bool(on[CLOVER]) and bool(on[RUSTICL]),
            {"missing": [name for name, groups in on.items() if not groups]},
        ),
        at_most("correctness_error_bound", error, policy.max_correctness_error),
        at_most("t3_fallback_bound", fallback, policy.max_t3_fallback_rate),
        at_most("t5_overhead_bound", overhead, policy.max_t5_overhead_percent),
        at_most("t5_disable_events_total_bound", disables, policy.max_t5_disable_events_total),
        Check("clover_policy_rows", all(held), {"beyond": beyond}),
        Check(
            "rusticl_ratio_vs_clover",
            bool(ratios) and lowest >= min_rusticl_ratio,
            {"observed": lowest, "at_least": min_rusticl_ratio},
        ),
        Check("required_sizes_present_on_split", not missing, {"missing": missing}),
    )
    return Evaluation(
        checks,
        "promote" if all(check.passed for check in checks) else "iterate",
        {
            "max_correctness_error": error,
            "max_t3_fallback_rate": fallback,
            "max_t5_overhead_percent": overhead,
            "t5_disable_events_total": disables,
            "ratios": ratios,
            "min_ratio": lowest,
            "missing": missing,
        },
    )


def _ratio(ours: list[Run] | None, theirs: list[Run] | None) -> float:
    if not ours or not theirs:
        return 0.0
    below = _mean(theirs, "avg_mean_gflops")
    return _mean(ours, "avg_mean_gflops") / below if below else 0.0


def _mean(group: list[Run], metric: str) -> float:
    return reading.mean([row.number_of(metric, 0.0) for row in group])
