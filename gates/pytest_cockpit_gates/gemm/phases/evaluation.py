"""The phase `evaluation` of a replay or a split: what was measured, judged strictly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_cockpit.api import JSON, Context, Evidence, Finding, Report, Severity
from pytest_cockpit.records import artifacts
from pytest_cockpit_gates.gemm.phases import stopped
from pytest_cockpit_gates.gemm.phases.state import State, now
from pytest_cockpit_gates.gemm.strict import documents, policies
from pytest_cockpit_gates.gemm.strict.demands import Demands
from pytest_cockpit_gates.gemm.strict.evaluate import evaluate

_AT = "evaluated_at"


def run(phase: str, context: Context, options: JSON) -> Report:
    """Judge the artifact that the phases before have left, and put the evaluation into it.

    Raises
    ------
    CockpitError: a policy cannot be read.
    """
    state = State.of(context, options)
    measured = state.run()
    if measured is None:
        nothing = Finding(
            "gemm.evidence-missing", "nothing was measured", Severity.UNKNOWN, remedy="measure"
        )
        return Report.judge("nothing was measured", checked=0, findings=[nothing])
    plan = state.plan()
    read = policies.read(context.root, weekly=plan.policy, t3=plan.t3_policy, t5=plan.t5_policy)
    evaluation = evaluate(
        measured,
        read,
        baseline=state.kept("baseline"),
        demands=Demands(
            candidate=plan.candidate,
            fallback=plan.fallback,
            min_ratio=plan.min_ratio,
            required_sizes=plan.required_sizes,
            kernels=plan.kernels,
            attempt=options["attempt"],
            place=plan.place,
        ),
    )
    evaluation = stopped.told(evaluation, measured)
    document = documents.to_json(evaluation)
    state.keep("evaluation", {**document, _AT: now()})
    artifacts.write(state.artifact_path("evaluation.json"), document)
    state.keep_run({**measured, "evaluation": document})
    return Report.judge(
        documents.summary(evaluation),
        checked=len(evaluation.checks),
        findings=documents.findings(evaluation),
        evidence=[Evidence("evaluation", document)],
        cases=documents.cases(evaluation),
    )


def without_time(kept: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept for the phases that follow, as the artifact has it."""
    return {key: value for key, value in kept.items() if key != _AT}
