"""The phase `plan`: all that a campaign needs is read before anything is measured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pytest_cockpit.api import JSON, Context, Evidence, Finding, Report, Severity
from pytest_cockpit.records.text import count, one_line
from pytest_cockpit.records.wording import meant
from pytest_cockpit_gates.gemm.closing import sla
from pytest_cockpit_gates.gemm.phases import baselines
from pytest_cockpit_gates.gemm.phases.plan import REPLAY, Plan
from pytest_cockpit_gates.gemm.phases.state import State
from pytest_cockpit_gates.gemm.refusing import refuse
from pytest_cockpit_gates.gemm.settings import KNOWN, MOST_PAIRS, Settings
from pytest_cockpit_gates.gemm.strict import policies
from pytest_cockpit_gates.gemm.strict.policies import Policies

_SHOWN = 20
"""Rows of a policy that are named."""
_PROPOSED = "--cockpit-recalibrate proposes rows from a campaign that names no policy"


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
    """Refuse a policy of which it is known beforehand that it cannot judge what will be measured.

    Raises
    ------
    CockpitError: it has no row at all, a row of a kernel that is none, or lacks one of a kernel at
        a size that is measured or required; a line for each.
    """
    if read.weekly is None:
        return
    where, rows = f"{read.weekly.path}: /weekly_slo/per_kernel_size", read.weekly.rows
    if not rows:
        refuse([f"{where}: there is no row at all; add some; {_PROPOSED}"])
    found = []
    for name in rows:
        kernel = name.partition(":")[0]
        if kernel not in KNOWN:
            found.append(
                f"{where}/{one_line(name)}: no kernel {one_line(kernel)}"
                f"{meant(kernel, KNOWN)}; choose among {', '.join(KNOWN)}"
            )
    for kernel in plan.kernels:
        for size in dict.fromkeys((*plan.required_sizes, *plan.sizes)):
            if f"{kernel}:{size}" in rows:
                continue
            why = "required" if size in plan.required_sizes else "measured"
            found.append(
                f"{where}/{kernel}:{size}: missing, and its size is {why}; add it; {_PROPOSED}"
            )
    refuse(found)


def unmeasured(plan: Plan, read: Policies) -> Iterator[str]:
    """What rows of the policy will fail the campaign because it does not measure them."""
    lacking = [
        name
        for name in (read.weekly.rows if read.weekly else ())
        if name not in {f"{kernel}:{size}" for kernel in plan.kernels for size in plan.sizes}
    ]
    if lacking:
        shown = ", ".join(lacking[:_SHOWN])
        yield (
            f"rows of the policy that will not be measured, and fail for it: {shown}; measure them"
            " by --cockpit-gemm-kernels and --cockpit-gemm-sizes"
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
    many = (
        count(plan.snapshots, "snapshot") if plan.kind == REPLAY else f"seeds {_listed(plan.seeds)}"
    )
    return (
        f"{_listed(plan.kernels)} at {_listed(plan.sizes)} on {_listed(plan.platforms)}: {many}, "
        f"{count(plan.sessions, 'session')} of {count(plan.iterations, 'iteration')} each"
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
