"""What is decided after each snapshot of a replay: go on, warn, or stop and go back.

A snapshot is small, so only what is beyond doubt stops a campaign: a number beside its bound
fails when its interval over all snapshots so far lies beyond it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from pytest_cockpit.estimation.intervals import LEVEL, Interval, quantile, shift
from pytest_cockpit.estimation.shares import share
from pytest_cockpit_gates.gemm.phases.baselines import Level
from pytest_cockpit_gates.gemm.strict import guard_costs, levels
from pytest_cockpit_gates.gemm.strict.names import SNAPSHOT_CHECKS
from pytest_cockpit_gates.gemm.strict.policies import Policies

CONTINUE, WARN, ROLLBACK = "continue", "warn", "rollback"
SOFT, HARD = "t5_overhead_soft_limit", "t5_overhead_hard_limit"
RULES = SNAPSHOT_CHECKS
_P95 = 0.95
_LEAST_THROUGHPUT, _MOST_P95 = 0.92, 1.15
_CONSECUTIVE = 2
_SOFT_LEVEL = 0.1
"""Chance of a warning without cause; five pairs are enough for one."""
FEWEST_SESSIONS = 4
"""Processes differ, so that fewer of them on either side say nothing against a baseline."""
_FORGET = "--cockpit-gemm-tune measures the choices again, and begins the selector anew"

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
            # Nobody goes back for a cost that the weekly objectives allow.
            hard_overhead=max(
                t5.hard_overhead_percent if t5 else usual.hard_overhead,
                weekly.max_t5_overhead_percent if weekly else 0.0,
            ),
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
    _seen: dict[str, _Seen] = field(default_factory=dict)

    def judge(
        self, rows: Sequence[Row], pressure: Sequence[Row]
    ) -> tuple[str, dict[str, list[str]]]:
        """The decision, and by check what speaks against the snapshot."""
        good = [row for row in rows if row["status"] == "ok"]
        for row in good:
            self._seen.setdefault(_key(row), _Seen()).add(row)
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
            HARD: _each(good, lambda row: self._costly(row, self.limits.hard_overhead, LEVEL)),
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
        metrics, seen = row["metrics"], self._seen[_key(row)]
        if metrics.get("t3_policy_disabled"):
            reason = metrics.get("t3_disable_reason") or "it does not say why"
            return f"the selector is switched off: {reason}; {_FORGET}"
        if not seen.decisions:
            return ""
        found = share(seen.fallbacks, seen.decisions)
        if found.low <= self.limits.fallback:
            return ""
        return (
            f"fell back at {seen.fallbacks} of {seen.decisions} products, surely more than"
            f" {found.low:.1%} of them; {self.limits.fallback:.1%} allowed; {_FORGET}"
        )

    def _unguarded(self, row: Row) -> str:
        metrics = row["metrics"]
        if metrics.get("t5_disable_events"):
            return f"fault detection was switched off: {metrics.get('t5_disable_reason')}"
        rate = metrics.get("t5_false_positive_rate")
        if rate is not None and rate > self.limits.false_positives:
            return f"{rate:.1%} of checks were false alarms"
        return ""

    def _costly(self, row: Row, percent: float, level: float) -> str:
        """Whether fault detection surely costs more than this, over the snapshots so far."""
        seen = self._seen[_key(row)]
        cost = guard_costs.cost(seen.pairs, seen.period, level)
        if cost.found is None or cost.at_most(percent) is not False:
            return ""
        return (
            f"fault detection costs {cost.found.estimate:.3g} %, surely more than"
            f" {cost.found.low:.3g} %, by {len(seen.pairs)} pairs; {percent:g} % allowed"
        )

    def _slower(self, row: Row) -> str:
        before, seen = self.baseline.get(_key(row)), self._seen[_key(row)]
        if before is None:
            return ""
        speed = _speed(seen.sessions, before.sessions)
        if speed is not None and speed.high < _LEAST_THROUGHPUT:
            now = fmean(math.exp(each) for each in seen.sessions)
            return (
                f"{now:.4g} GFLOPS in {len(seen.sessions)} sessions; the baseline has"
                f" {before.average:.4g} in {len(before.sessions)}: at most {speed.high:.1%} of"
                f" it, {_LEAST_THROUGHPUT:.0%} is the least"
            )
        if len(seen.sessions) < FEWEST_SESSIONS:
            return ""
        p95 = quantile(seen.times, _P95)
        if p95 is not None and p95.low * 1e3 > _MOST_P95 * before.p95_ms:
            return (
                f"the 95th percentile of {len(seen.times)} times is above {p95.low * 1e3:.4g} ms;"
                f" the baseline has {before.p95_ms:.4g} ms, {_MOST_P95:.0%} of it is the most"
            )
        return ""


@dataclass(slots=True)
class _Seen:
    """What there is of a row over the snapshots so far."""

    times: list[float] = field(default_factory=list)
    sessions: list[float] = field(default_factory=list)
    pairs: list[Mapping[str, float]] = field(default_factory=list)
    period: int = 1
    decisions: int = 0
    fallbacks: int = 0

    def add(self, row: Row) -> None:
        """Take in a row of another snapshot."""
        metrics, work = row["metrics"], 2 * row["size"] ** 3 / 1e9
        for session in row["sessions"]:
            self.times += session["wall_s"]
            if session["wall_s"]:
                self.sessions.append(math.log(fmean(work / it for it in session["wall_s"])))
        self.pairs += metrics.get("t5_pairs") or ()
        self.period = max(self.period, metrics.get("t5_sampling_period") or 1)
        self.decisions += metrics.get("t3_decisions") or 0
        self.fallbacks += metrics.get("t3_fallbacks") or 0


def _speed(now: Sequence[float], before: Sequence[float]) -> Interval | None:
    """Throughput now over that of the baseline, from logarithms of its sessions.

    None of so few sessions on either side that it could be chance.
    """
    if min(len(now), len(before)) < FEWEST_SESSIONS:
        return None
    found = shift(before, now, LEVEL)
    return None if found is None else levels.exponential(found)


def _each(rows: Sequence[Row], judge: Callable[[Row], str]) -> list[str]:
    return [f"{_key(row)}: {said}" for row in rows if (said := judge(row))]


def _key(row: Row) -> str:
    return f"{row['kernel']}:{row['size']}@{row['platform_selector']}"
