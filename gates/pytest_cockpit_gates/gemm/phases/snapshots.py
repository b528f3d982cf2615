"""What is decided after each snapshot of a replay: go on, warn, or stop and go back.

A snapshot is small, so only what is beyond doubt stops a campaign: a number beside its bound
fails when its interval lies beyond it, and throughput when every session of the row does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from pytest_cockpit.estimation.intervals import LEVEL, location, quantile
from pytest_cockpit_gates.gemm.phases.baselines import Level
from pytest_cockpit_gates.gemm.strict.policies import Policies

CONTINUE, WARN, ROLLBACK = "continue", "warn", "rollback"
SOFT = "t5_overhead_soft_limit"
RULES: Mapping[str, str] = {
    "all_runs_success": "gemm.run-failed",
    "pressure_failures_zero": "gemm.pressure",
    "correctness_bound_all_runs": "gemm.correctness",
    "t3_guardrails_all_runs": "gemm.fallback-rate",
    "t5_guardrails_hard": "gemm.guard-disabled",
    SOFT: "gemm.guard-overhead",
    "no_regression_vs_baseline": "gemm.regression",
}
_P95 = 0.95
_LEAST_THROUGHPUT, _MOST_P95 = 0.92, 1.15
_CONSECUTIVE = 2
_SOFT_LEVEL = 0.1
"""Chance of a warning without cause; five snapshots are enough for one."""

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a snapshot; shares and percent."""

    max_error: float = 1e-3
    fallback: float = 0.08
    false_positives: float = 0.05
    soft_overhead: float = 3.0
    hard_overhead: float = 5.0

    @classmethod
    def of(cls, policies: Policies) -> Limits:
        """Those of the policies, or the usual ones where a policy is missing."""
        weekly, t3, t5, usual = policies.weekly, policies.t3, policies.t5, cls()
        return cls(
            max_error=weekly.max_correctness_error if weekly else usual.max_error,
            fallback=t3.max_fallback_rate if t3 else usual.fallback,
            false_positives=t5.max_false_positive_rate if t5 else usual.false_positives,
            soft_overhead=weekly.max_t5_overhead_percent if weekly else usual.soft_overhead,
            hard_overhead=t5.hard_overhead_percent if t5 else usual.hard_overhead,
        )


@dataclass(slots=True)
class Watch:
    """Judges one snapshot after the other.

    Parameters
    ----------
    baseline: by `kernel:size@platform`.
    """

    limits: Limits
    baseline: Mapping[str, Level]
    streak: int = 0
    _times: dict[str, list[float]] = field(default_factory=dict)
    _costs: dict[str, list[float]] = field(default_factory=dict)

    def judge(
        self, rows: Sequence[Row], pressure: Sequence[Row]
    ) -> tuple[str, dict[str, list[str]]]:
        """The decision, and by check what speaks against the snapshot."""
        good = [row for row in rows if row["status"] == "ok"]
        for row in good:
            times = self._times.setdefault(_key(row), [])
            times += [wall for session in row["sessions"] for wall in session["wall_s"]]
            cost = row["metrics"].get("t5_overhead_percent")
            self._costs.setdefault(_key(row), []).extend([] if cost is None else [cost])
        found = {
            "all_runs_success": [
                f"{_key(row)}: {row['error']}" for row in rows if row["status"] != "ok"
            ],
            "pressure_failures_zero": [
                f"{row['platform']}: pulse {row['pulse']}: {row['error']}"
                for row in pressure
                if row["status"] != "ok"
            ],
            "correctness_bound_all_runs": _each(good, self._incorrect),
            "t3_guardrails_all_runs": _each(good, self._fallen_back),
            "t5_guardrails_hard": _each(good, self._unguarded),
            SOFT: _each(
                good, lambda row: self._costly(row, self.limits.soft_overhead, _SOFT_LEVEL)
            ),
            "no_regression_vs_baseline": _each(good, self._slower),
        }
        failed = {name: lines for name, lines in found.items() if lines}
        self.streak = self.streak + 1 if SOFT in failed else 0
        hard = failed.keys() - {SOFT}
        if hard or self.streak >= _CONSECUTIVE:
            return ROLLBACK, failed
        return (WARN if failed else CONTINUE), failed

    def _incorrect(self, row: Row) -> str:
        for session in row["sessions"]:
            error, bound = session["max_error"], session["error_bound"]
            if error is None or bound is None:
                return "a result is not finite"
            if error > min(bound, self.limits.max_error):
                limit = min(bound, self.limits.max_error)
                return f"error {error:.3g} is above {limit:.3g}"
        return ""

    def _fallen_back(self, row: Row) -> str:
        metrics = row["metrics"]
        if metrics.get("t3_policy_disabled"):
            return "the selector was switched off"
        rate = metrics.get("t3_fallback_rate")
        if rate is not None and rate > self.limits.fallback:
            return f"fell back at {rate:.1%} of products, more than {self.limits.fallback:.1%}"
        return ""

    def _unguarded(self, row: Row) -> str:
        metrics = row["metrics"]
        if metrics.get("t5_disable_events"):
            return f"fault detection was switched off: {metrics.get('t5_disable_reason')}"
        rate = metrics.get("t5_false_positive_rate")
        if rate is not None and rate > self.limits.false_positives:
            return f"{rate:.1%} of checks were false alarms"
        return self._costly(row, self.limits.hard_overhead, LEVEL)

    def _costly(self, row: Row, percent: float, level: float) -> str:
        """Whether fault detection surely costs more than this, over the snapshots so far."""
        cost = location(self._costs[_key(row)], level)
        if cost is None or cost.low <= percent:
            return ""
        return f"fault detection costs {cost.estimate:.3g} %, surely more than {percent:g} %"

    def _slower(self, row: Row) -> str:
        before = self.baseline.get(_key(row))
        if before is None:
            return ""
        work = 2 * row["size"] ** 3 / 1e9
        shares = [
            fmean(work / wall for wall in session["wall_s"]) / before.average
            for session in row["sessions"]
            if session["wall_s"]
        ]
        if shares and max(shares) < _LEAST_THROUGHPUT:
            return f"every session has at most {max(shares):.1%} of the baseline's throughput"
        p95 = quantile(self._times[_key(row)], _P95)
        if p95 is not None and p95.low * 1e3 > _MOST_P95 * before.p95_ms:
            return (
                f"the 95th percentile is above {p95.low * 1e3:.4g} ms; it was {before.p95_ms:.4g}"
            )
        return ""


def _each(rows: Sequence[Row], judge: Callable[[Row], str]) -> list[str]:
    return [f"{_key(row)}: {said}" for row in rows if (said := judge(row))]


def _key(row: Row) -> str:
    return f"{row['kernel']}:{row['size']}@{row['platform_selector']}"
