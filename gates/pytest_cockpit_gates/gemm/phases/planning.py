"""The phase `plan`: all that a campaign needs is read before anything is measured."""

from __future__ import annotations

from typing import Any

from pytest_cockpit.api import JSON, CockpitError, Context, Evidence, Finding, Report, Severity
from pytest_cockpit_gates.gemm.closing import sla
from pytest_cockpit_gates.gemm.phases import baselines
from pytest_cockpit_gates.gemm.phases.plan import REPLAY, Plan
from pytest_cockpit_gates.gemm.phases.state import State
from pytest_cockpit_gates.gemm.settings import MOST_PAIRS, Settings
from pytest_cockpit_gates.gemm.strict import policies
from pytest_cockpit_gates.gemm.strict.policies import Policies


def run(phase: str, context: Context, options: JSON) -> Report:
    """Read options, policies and baseline, and leave the plan.

    Raises
    ------
    CockpitError: one of them is of no use; the text names option or file, key and remedy.
    """
    settings = Settings.of(context.settings)
    state = State.of(context, options)
    plan = Plan.of(options["mode"], options, settings)
    read = policies.read(context.root, weekly=plan.policy, t3=plan.t3_policy, t5=plan.t5_policy)
    demand_rows(plan, read)
    baseline = baselines.read(context.root, plan.baseline) if plan.baseline else None
    terms = sla.load(context.root, plan.sla)
    state.keep_plan(plan)
    state.keep("sources", sources(plan, read, baseline))
    if baseline is not None:
        state.keep("baseline", baseline.data)
    found = [_without(what, flag) for what, flag in _missing(plan)]
    return Report.judge(
        words(plan),
        checked=1,
        findings=found,
        evidence=[
            Evidence("plan", plan.parameters),
            Evidence("sources", sources(plan, read, baseline)),
            Evidence("sla", {"id": terms.id, "path": terms.path, "sha256": terms.sha256}),
        ],
    )


def sources(plan: Plan, read: Policies, baseline: baselines.Baseline | None) -> dict[str, Any]:
    """The files that the run is judged by, as its artifact has them."""
    return {
        "policy": read.source("weekly"),
        "t3_policy": read.source("t3"),
        "t5_policy": read.source("t5"),
        "baseline": baseline.source if baseline else None,
    }


def demand_rows(plan: Plan, read: Policies) -> None:
    """Refuse a policy that says nothing of a size that is required.

    Raises
    ------
    CockpitError: it lacks a row of one.
    """
    if read.weekly is None:
        return
    for size in plan.required_sizes:
        for kernel in plan.kernels:
            if f"{kernel}:{size}" not in read.weekly.rows:
                raise CockpitError(
                    f"{read.weekly.path}: weekly_slo/per_kernel_size/{kernel}:{size}: missing, and"
                    " its size is required; add the row, or leave --cockpit-gemm-required-sizes"
                )


def _missing(plan: Plan) -> list[tuple[str, str]]:
    told = {"policy": "policy"}
    if plan.kind == REPLAY:
        told["baseline"] = "baseline"
    return [(what, flag) for what, flag in told.items() if not getattr(plan, what)]


def _without(what: str, flag: str) -> Finding:
    return Finding(
        "gemm.policy" if what == "policy" else "gemm.evidence-missing",
        f"no {what} is named: what it says is unknown",
        Severity.INFO,
        remedy=f"name one by --cockpit-gemm-{flag} or by gate.gemm.{what}",
    )


def words(plan: Plan) -> str:
    """What will be measured."""
    many = f"{plan.snapshots} snapshots" if plan.kind == REPLAY else f"seeds {_listed(plan.seeds)}"
    return (
        f"{_listed(plan.kernels)} at {_listed(plan.sizes)} on {_listed(plan.platforms)}: {many}, "
        f"{plan.sessions} sessions of {plan.iterations} iterations each"
    )


def products(plan: Plan) -> str:
    """How many multiplications are timed for it."""
    each = len(plan.kernels) * len(plan.sizes) * plan.times
    said = f"{each} products on each platform, {each * len(plan.platforms)} in all"
    if plan.kind == REPLAY:
        return f"{said}, and those of the pressure beside them"
    return f"{said}, and {plan.pairs} to {MOST_PAIRS} pairs of each kernel at each size"


def _listed(items: tuple[Any, ...]) -> str:
    return ", ".join(map(str, items))
