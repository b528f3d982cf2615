"""The stress split: both platforms under pressure, each seed for itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_cockpit_gates.gemm.compat import guardrails
from pytest_cockpit_gates.gemm.compat import rows as reading
from pytest_cockpit_gates.gemm.compat.rows import (
    CLOVER,
    RUSTICL,
    Check,
    Evaluation,
    Run,
    at_least,
)

MIN_PEAK_RATIO = 0.80


def evaluate(artifact: Mapping[str, Any], baseline: Mapping[str, Any]) -> Evaluation:
    """The decision that was made of a stress campaign: promote, iterate or drop.

    Raises
    ------
    CockpitError: the artifact or the baseline cannot be read.
    """
    rows = reading.runs(artifact)
    good = [row for row in rows if row.ok]
    found = guardrails.regressions(good, reading.runs(baseline))
    ratios = _ratios(good)
    lowest = min(ratios, default=0.0)
    correct = guardrails.correctness(good)
    missing = sorted({CLOVER, RUSTICL} - {row.platform for row in good})
    checks = (
        guardrails.success(rows),
        guardrails.pressure(artifact.get("pressure")),
        Check("platform_split_clover_and_rusticl", not missing, {"missing": missing}),
        correct,
        guardrails.fallback(good),
        guardrails.guarded(good, "t5_guardrails_all_runs", guardrails.SOFT_OVERHEAD),
        at_least("rusticl_peak_ratio_min", lowest, MIN_PEAK_RATIO),
        guardrails.no_regression("no_regression_vs_block3_clover", found),
    )
    passed = all(check.passed for check in checks)
    return Evaluation(
        checks,
        "promote" if passed else "iterate" if correct.passed else "drop",
        {
            "min_peak_ratio": lowest,
            "max_t5_overhead_percent": checks[5].observed["observed_overhead_max"],
            "max_correctness_error": correct.observed["observed_max"],
            "regression_rows": found,
        },
    )


def _ratios(rows: list[Run]) -> list[float]:
    """Peak of rusticl over that of Clover by seed, size and kernel; 0 where one is missing."""
    peaks: dict[tuple[int, int, str], dict[str, float]] = {}
    for row in rows:
        group = peaks.setdefault((row.seed or 0, row.size, row.kernel), {})
        group[row.platform] = row.number_of("peak_mean_gflops", 0.0)
    return [
        group[RUSTICL] / group[CLOVER] if group.get(CLOVER) and RUSTICL in group else 0.0
        for group in peaks.values()
    ]
