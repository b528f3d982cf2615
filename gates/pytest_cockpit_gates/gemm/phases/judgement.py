"""A run judged by its plan: what phases and gate ask of strict evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_cockpit_gates.gemm.phases.plan import Plan
from pytest_cockpit_gates.gemm.strict import policies
from pytest_cockpit_gates.gemm.strict.demands import Demands
from pytest_cockpit_gates.gemm.strict.evaluate import evaluate
from pytest_cockpit_gates.gemm.verdicts import Evaluation


def judged(
    root: Path,
    plan: Plan,
    run: Mapping[str, Any],
    baseline: Mapping[str, Any] | None,
    attempt: int,
) -> Evaluation:
    """What strict evaluation says of a run that was just measured.

    Raises
    ------
    CockpitError: a policy cannot be read.
    """
    read = policies.read(root, weekly=plan.policy, t3=plan.t3_policy, t5=plan.t5_policy)
    return evaluate(run, read, baseline=baseline, demands=demands(plan, attempt))


def demands(plan: Plan, attempt: int) -> Demands:
    """What is asked of the run of a plan."""
    return Demands(
        candidate=plan.candidate,
        fallback=plan.fallback,
        min_ratio=plan.min_ratio,
        required_sizes=plan.required_sizes,
        kernels=plan.kernels,
        attempt=attempt,
        place=plan.place,
    )
