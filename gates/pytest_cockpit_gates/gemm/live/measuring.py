"""What `-m gemm_slo` measures here and now: platforms, rows and pairs at a few sizes."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from pytest_cockpit.api import Context, Evidence, Finding, Verdict
from pytest_cockpit.records.text import canonical, sha256
from pytest_cockpit_gates.gemm.phases import canonical as smoking
from pytest_cockpit_gates.gemm.phases import document
from pytest_cockpit_gates.gemm.phases.measuring import Crew
from pytest_cockpit_gates.gemm.phases.plan import GATE, SIZES, Plan
from pytest_cockpit_gates.gemm.phases.splitting import Split
from pytest_cockpit_gates.gemm.phases.state import State
from pytest_cockpit_gates.gemm.settings import Settings
from pytest_cockpit_gates.gemm.strict import documents, guard_costs
from pytest_cockpit_gates.gemm.strict.demands import Demands
from pytest_cockpit_gates.gemm.strict.evaluate import evaluate
from pytest_cockpit_gates.gemm.strict.policies import Policies, Weekly
from pytest_cockpit_gates.gemm.verdicts import Evaluation

_NAME = "gemm_slo"
_SEED = 13011
_CI_SIZES = (1024,)
_CI_SECONDS = 22.0, 36.0
"""After these no second portion of pairs is begun, of platforms and of the guard: all is done in a
minute."""
_ITERATIONS = 8
"""The fewest of which an interval of a row's throughput can be made."""


@dataclass(slots=True)
class Live:
    """What measuring here came to.

    Parameters
    ----------
    checked: platforms, and checks of what they measured.
    """

    words: str = ""
    checked: int = 0
    findings: list[Finding] = field(default_factory=list)
    evidence: list[Evidence] = field(default_factory=list)


def measure(context: Context, settings: Settings, policies: Policies) -> Live:
    """Smoke on every platform; where all of them pass, rows and pairs, judged strictly."""
    begun, state = time.monotonic(), State(context.scratch, _NAME)
    made = smoking.smoke_all(_NAME, settings.platforms, state, settings.timeout_s)
    live = Live(made.words, made.asked, made.findings, [Evidence("platforms", made.seen)])
    if not live.findings:
        _compare(context, settings, policies, state, live, begun)
    return live


def plan_of(settings: Settings) -> Plan:
    """What the profile measures."""
    ci = settings.profile == "ci"
    return Plan(
        kind=GATE,
        platforms=settings.platforms,
        candidate=settings.candidate,
        fallback=settings.fallback,
        min_ratio=settings.min_ratio,
        sizes=settings.sizes or (_CI_SIZES if ci else SIZES),
        seeds=(_SEED,),
        sessions=1,
        iterations=_ITERATIONS,
        pressure_pulses=0,
        seed=_SEED,
        pairs=settings.pairs,
        policy=settings.policy,
        t3_policy=settings.t3_policy,
        t5_policy=settings.t5_policy,
        timeout_s=settings.timeout_s,
    )


def _compare(
    context: Context,
    settings: Settings,
    policies: Policies,
    state: State,
    live: Live,
    begun: float,
) -> None:
    plan = plan_of(settings)
    until: tuple[float | None, float | None] = (None, None)
    if settings.profile == "ci":
        until = (begun + _CI_SECONDS[0], begun + _CI_SECONDS[1])
    split = Split(Crew.of(plan, state, policies), attempt=1, until=until)
    split.measure(guard_costs.bound(policies))
    sources = {
        "policy": policies.source("weekly"),
        **{f"{name}_policy": policies.source(name) for name in ("t3", "t5")},
    }
    made = document.artifact(
        split.measured(), plan, split.crew.seen, sources, context, _identity(context)
    )
    evaluation = evaluate(
        made,
        policies,
        demands=Demands(
            candidate=plan.candidate,
            fallback=plan.fallback,
            min_ratio=plan.min_ratio,
            kernels=plan.kernels,
        ),
    )
    state.keep_run({**made, "evaluation": documents.to_json(evaluation)})
    state.forget_log()
    live.checked += len(evaluation.checks)
    live.findings += split.others
    live.findings += documents.findings(evaluation)
    live.evidence.append(Evidence("ratios", split.pairing.told))
    live.evidence.append(Evidence("evaluation", documents.to_json(evaluation)))
    live.words += f"; at {', '.join(map(str, plan.sizes))}: {documents.summary(evaluation)}"
    if policies.weekly is not None:
        live.words += f"; {rows_judged(policies.weekly, evaluation)}"


def rows_judged(weekly: Weekly, evaluation: Evaluation) -> str:
    """How many rows of the weekly policy have been judged: it may be about other sizes."""
    judged = {
        check.key.partition("@")[0]
        for check in evaluation.checks
        if check.name == "per_kernel_size_slo" and check.verdict is not Verdict.UNKNOWN
    }
    return f"{len(judged)} of {len(weekly.rows)} rows of {weekly.path} judged"


def _identity(context: Context) -> dict[str, Any]:
    """What tells the run from others: a gate is no campaign, and counts no attempts."""
    plan = sha256(canonical({"base": context.base, "settings": dict(context.settings)}))
    return {"session_id": f"{_NAME}-{time.time_ns()}", "attempt": 1, "plan_sha256": plan}
