"""The canary campaign: each snapshot is judged on its own, then all of them together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_cockpit.api import CockpitError
from pytest_cockpit_gates.gemm.compat import guardrails
from pytest_cockpit_gates.gemm.compat import rows as reading
from pytest_cockpit_gates.gemm.compat.rows import (
    Check,
    Evaluation,
    Run,
    at_least,
    at_most,
)

MINIMUM_SNAPSHOTS = 2
MAX_DRIFT = 10.0
SOFT = "t5_overhead_soft_limit"
CORRECTNESS = "correctness_bound_all_runs"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One snapshot's checks; `streak` counts soft violations in a row up to this one."""

    number: int
    evaluation: Evaluation
    streak: int

    @property
    def hard(self) -> list[str]:
        """Failed checks that stop the campaign at once."""
        return [name for name in self.evaluation.failed if name != SOFT]


def snapshot(rows: Sequence[Run], pressure: Sequence[Any], baseline: Sequence[Run]) -> Evaluation:
    """The decision that was made after one snapshot: continue, warn or rollback."""
    good = [row for row in rows if row.ok]
    hard = guardrails.guarded(good, "t5_guardrails_hard", guardrails.HARD_OVERHEAD)
    overhead = hard.observed["observed_overhead_max"]
    found = guardrails.regressions(good, baseline)
    checks = (
        guardrails.success(rows),
        guardrails.pressure(list(pressure)),
        guardrails.correctness(good),
        guardrails.fallback(good),
        hard,
        at_most(SOFT, overhead, guardrails.SOFT_OVERHEAD),
        guardrails.no_regression("no_regression_vs_block6_clover", found),
    )
    failed = [check.name for check in checks if not check.passed]
    decision = "continue" if not failed else "warn" if failed == [SOFT] else "rollback"
    return Evaluation(checks, decision, {"regression_rows": found})


def snapshots(
    artifact: Mapping[str, Any], baseline: Mapping[str, Any], *, stops_at: int = 2
) -> list[Snapshot]:
    """Every snapshot in its order, up to the one that stopped the campaign.

    Parameters
    ----------
    stops_at: soft violations in a row that do.
    """
    rows, before = reading.runs(artifact), reading.runs(baseline)
    pulses = artifact.get("pressure")
    if not isinstance(pulses, list) or not all(isinstance(pulse, Mapping) for pulse in pulses):
        raise CockpitError("pressure: expected a list of records")
    done: list[Snapshot] = []
    streak = 0
    for number in sorted({row.snapshot for row in rows if row.snapshot is not None}):
        evaluation = snapshot(
            [row for row in rows if row.snapshot == number],
            [pulse for pulse in pulses if pulse.get("snapshot") == number],
            before,
        )
        streak = streak + 1 if SOFT in evaluation.failed else 0
        done.append(Snapshot(number, evaluation, streak))
        if done[-1].hard or streak >= stops_at:
            break
    return done


def evaluate(artifact: Mapping[str, Any], baseline: Mapping[str, Any]) -> Evaluation:
    """The decision that was made of a canary campaign: promote, iterate or stop.

    Raises
    ------
    CockpitError: the artifact or the baseline cannot be read.
    """
    metadata = artifact.get("metadata")
    told = metadata if isinstance(metadata, Mapping) else {}
    key = "rollback_after_consecutive_soft_overhead_violations"
    stops_at = reading.whole_at(told, key, "metadata", 2)
    done = snapshots(artifact, baseline, stops_at=stops_at)
    streak = max((each.streak for each in done), default=0)
    hard = [name for each in done for name in each.hard]
    stopped = bool(hard) or streak >= stops_at
    event = artifact.get("rollback_event")
    drifts = [
        reading.drift(*(group[at].number_of("avg_mean_gflops", 0.0) for at in (0, -1)))
        for group in reading.grouped(row for row in reading.runs(artifact) if row.ok).values()
    ]
    furthest = max(map(abs, drifts), default=0.0)
    checks = (
        at_least("minimum_snapshots_completed", len(done), MINIMUM_SNAPSHOTS),
        Check("all_snapshot_hard_checks_passed", not hard, {"failed": list(dict.fromkeys(hard))}),
        Check(
            "soft_overhead_consecutive_below_limit",
            streak < stops_at,
            {"observed": streak, "below": stops_at},
        ),
        Check("rollback_policy_enforced", not stopped or _invoked(event), {"stopped": stopped}),
        at_most("drift_abs_percent_bounded", furthest, MAX_DRIFT),
    )
    return Evaluation(
        checks,
        _decision(checks, rolled_back=event is not None, wrong=CORRECTNESS in hard),
        {
            "max_soft_streak": streak,
            "rollback_triggered": event is not None,
            "max_abs_drift": furthest,
        },
    )


def _decision(checks: Sequence[Check], *, rolled_back: bool, wrong: bool) -> str:
    if rolled_back:
        return "stop" if wrong else "iterate"
    return "promote" if all(check.passed for check in checks) else "iterate"


def _invoked(event: Any) -> bool:
    result = event.get("rollback_result") if isinstance(event, Mapping) else None
    return isinstance(result, Mapping) and result.get("success") is True
