"""The phase `report`: written whatever came before it, from what is there."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pytest_cockpit.api import (
    JSON,
    CockpitError,
    Context,
    Evidence,
    Finding,
    Report,
    Severity,
    Verdict,
)
from pytest_cockpit.records.text import canonical, sha256
from pytest_cockpit_gates.gemm.closing import (
    account,
    branch,
    debts,
    demanded,
    escalation,
    report,
    selection,
    severity,
    sla,
)
from pytest_cockpit_gates.gemm.closing.documents import output_folder
from pytest_cockpit_gates.gemm.closing.plots import Ceiling
from pytest_cockpit_gates.gemm.closing.severity import Assessment
from pytest_cockpit_gates.gemm.closing.sla import Sla
from pytest_cockpit_gates.gemm.phases.evaluation import without_time
from pytest_cockpit_gates.gemm.phases.plan import Plan
from pytest_cockpit_gates.gemm.phases.state import State
from pytest_cockpit_gates.gemm.settings import Settings
from pytest_cockpit_gates.gemm.strict import documents, model, policies
from pytest_cockpit_gates.gemm.verdicts import Evaluation


def run(phase: str, context: Context, options: JSON) -> Report:
    """Write report, plots and decision, and leave the record of the campaign.

    Raises
    ------
    CockpitError: the SLA or the escalation matrix cannot be read, or a file cannot be written.
    """
    settings = Settings.of(context.settings)
    state = State.of(context, options)
    at = datetime.now(UTC)
    plan, why = _planned(state)
    made = state.run()
    evaluation, evaluated = _evaluated(state)
    if evaluation is None and plan is not None:
        why = "it was not evaluated" if made else "nothing was measured"
    agreed = sla.load(context.root, plan.sla if plan else options.get("sla") or settings.sla)
    assessment = _assessed(
        context, plan, evaluation, options["verdicts"], agreed, evaluated or at, why
    )
    lacking = _lacking(context, settings, made, evaluation)
    output = output_folder(options)
    session = report.Session(
        track=options["mode"],
        prefix=state.prefix,
        session_id=options["session_id"],
        output=output,
        candidate=settings.candidate,
        fallback=settings.fallback,
        min_ratio=plan.min_ratio if plan else settings.min_ratio,
        attempt=options["attempt"],
        phases=options["verdicts"],
        timeline=account.timeline(options.get("timeline")),
        evidence=_evidence(output, state, made),
        ceilings={name: Ceiling(**it) for name, it in (made or {}).get("ceilings", {}).items()},
        matrix=escalation.load(context.root, settings.escalation, agreed),
        selected=selection.read(context.root),
        owed=_owed(context),
        short=bool(lacking),
        branch=branch.of(context.root),
        why=why,
    )
    folder = state.artifact_path("report.md").parent
    written = report.write(folder, made or {}, evaluation, assessment, session, now=at)
    decided = written.record["decision"]
    summary = f"{decided}, severity {assessment.level.name}: {written.record['rationale']}"
    if lacking:
        summary += f"; no week is promoted by it, as {', and '.join(lacking)}"
    return Report.judge(
        summary,
        checked=len(written.names),
        findings=[*assessment.findings, *map(_short, lacking)],
        evidence=[
            Evidence(
                "record",
                {"run_id": options["session_id"], **written.record, "short": lacking},
            ),
            Evidence("assessment", assessment.to_json()),
        ],
    )


def _lacking(
    context: Context,
    settings: Settings,
    made: Mapping[str, Any] | None,
    evaluation: Evaluation | None,
) -> list[str]:
    """In what it was held to less than the settings ask for; nothing of what was not judged."""
    if made is None or evaluation is None:
        return []
    checks = account.checks_of(evaluation)
    return demanded.short(made["metadata"], checks, settings, context.root)


def _short(told: str) -> Finding:
    """It is what somebody asked for, and no week is promoted by it."""
    return Finding(
        "gemm.policy",
        f"{told}: no week is promoted by it, and it is not the rerun that is owed",
        Severity.INFO,
        remedy="run it without options that ask for less than the settings",
    )


def _planned(state: State) -> tuple[Plan | None, str]:
    """The plan; without one, why there is nothing to evaluate."""
    try:
        return state.plan(), ""
    except CockpitError as error:
        return None, str(error)


def _evaluated(state: State) -> tuple[Evaluation | None, datetime | None]:
    """What the phase `evaluation` has left, and when; None where it came to nothing."""
    kept = state.kept("evaluation")
    if kept is None:
        return None, None
    return documents.from_json(kept), model.instant(kept["evaluated_at"])


def _assessed(
    context: Context,
    plan: Plan | None,
    evaluation: Evaluation | None,
    verdicts: Mapping[str, str],
    agreed: Sla,
    at: datetime,
    why: str,
) -> Assessment:
    if evaluation is None or plan is None:
        red = {Verdict(verdict) for verdict in verdicts.values()}
        failed = red & {Verdict.FAIL, Verdict.ERROR}
        state, verdict = ("run_failed", Verdict.FAIL) if failed else ("unknown", Verdict.UNKNOWN)
        return severity.of_state(state, why, agreed, at=at, verdict=verdict)
    bounds: dict[str, Any] = {f"min_{plan.candidate}_ratio": plan.min_ratio}
    weekly = policies.read(context.root, weekly=plan.policy).weekly
    if weekly is not None:
        fields = [item.name for item in dataclasses.fields(weekly)]
        bounds |= {name: getattr(weekly, name) for name in fields if name.startswith("m")}
    pair = plan.candidate, plan.fallback
    return severity.assess(
        evaluation, agreed, at=at, bounds=bounds, pair=pair, measured=plan.parameters
    )


def _evidence(
    output: str, state: State, made: Mapping[str, Any] | None
) -> list[tuple[str, str | None]]:
    """What phases before have left as artifacts, that of the run first."""
    judged = state.kept("evaluation")
    left = {"run.json": made, "evaluation.json": judged and without_time(judged)}
    return [
        (f"{output}/{state.prefix}_{name}", sha256(canonical(data)))
        for name, data in left.items()
        if made is not None and data is not None
    ]


def _owed(context: Context) -> str:
    """The rerun that is owed, in words."""
    owed = debts.owed(debts.rows(context.root, context.records), selection.read(context.root))
    return owed.words if owed else ""
