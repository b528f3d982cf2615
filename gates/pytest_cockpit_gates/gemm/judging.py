"""The gate over a working tree: archived artifacts by the policy, and what is measured here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from pytest_cockpit.api import CockpitError, Context, Evidence, Finding, Report, Severity
from pytest_cockpit.records.text import one_line, printable
from pytest_cockpit_gates.gemm.closing import (
    debts,
    escalation,
    required,
    selection,
    severity,
    sla,
)
from pytest_cockpit_gates.gemm.live import measuring
from pytest_cockpit_gates.gemm.phases import reading
from pytest_cockpit_gates.gemm.settings import Settings
from pytest_cockpit_gates.gemm.strict import documents, policies
from pytest_cockpit_gates.gemm.strict.demands import Demands
from pytest_cockpit_gates.gemm.strict.evaluate import evaluate
from pytest_cockpit_gates.gemm.strict.policies import Policies
from pytest_cockpit_gates.gemm.verdicts import Evaluation

_MOST = 1000


@dataclass(slots=True)
class _Judged:
    """What came out so far."""

    checked: int = 0
    words: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    evidence: list[Evidence] = field(default_factory=list)


def judge(context: Context) -> Report:
    """What the settings ask for; with nothing to judge, unknown."""
    settings = Settings.of(context.settings)
    made = _Judged()
    # The close of the week goes by this.
    begun = severity.stamp(datetime.now(UTC))
    asked = required.asked(context.root, context.settings, begun)
    made.evidence.append(Evidence(required.ASKED, asked))
    read = _read(made, "gemm.policy", partial(_policies, context, settings))
    agreed = _read(made, "gemm.severity", partial(sla.load, context.root, settings.sla))
    if agreed is not None and settings.escalation:
        matrix = partial(escalation.load, context.root, settings.escalation, agreed)
        _read(made, "gemm.severity", matrix)
    if read is not None:
        _archived(context, settings, read, agreed, made)
    debt = _read(made, "gemm.evidence-missing", partial(_owed, context))
    if debt is not None:
        made.findings.append(_rerun(debt))
    if read is not None and settings.live:
        live = measuring.measure(context, settings, read)
        made.checked += live.checked
        made.words.append(live.words)
        made.findings += live.findings
        made.evidence += live.evidence
    if not made.checked and not made.findings:
        made.words.append("nothing to judge: gate.gemm.live is false, and artifacts are not named")
    return Report.judge(
        "; ".join(made.words) or made.findings[0].message,
        checked=made.checked,
        findings=made.findings,
        evidence=made.evidence,
    )


def _owed(context: Context) -> debts.Debt | None:
    return debts.owed(debts.rows(context.root, context.records), selection.read(context.root))


def _rerun(debt: debts.Debt) -> Finding:
    """A warning: what is judged here may be right, and the week is not promoted all the same."""
    return Finding(
        "gemm.evidence-missing",
        debt.words,
        Severity.WARNING,
        path=selection.PATH,
        remedy="run --cockpit-replay or --cockpit-split until one is green and promote",
        evidence={"since": debt.since, "session_id": debt.session_id, "reason": debt.reason},
    )


def _policies(context: Context, settings: Settings) -> Policies:
    return policies.read(
        context.root, weekly=settings.policy, t3=settings.t3_policy, t5=settings.t5_policy
    )


def _read(made: _Judged, rule: str, read: Callable[[], Any]) -> Any:
    """What is read; None, and a finding of the rule for each fault, where it is of no use."""
    try:
        return read()
    except CockpitError as error:
        made.checked += 1
        for message in map(one_line, str(error).split("\n")):
            path, parted, rest = message.partition(": ")
            inside = parted and not path.startswith(("/", "-"))
            made.findings.append(
                Finding(rule, rest if inside else message, path=path if inside else None)
            )
        return None


def _archived(
    context: Context,
    settings: Settings,
    read: Policies,
    agreed: sla.Sla | None,
    made: _Judged,
) -> None:
    """Judge the artifacts of the settings, each held to its age."""
    baseline: Any = None
    if settings.artifacts and settings.baseline:
        load = partial(reading.load, context.root, settings.baseline)
        baseline = _read(made, "gemm.artifact", load)
        if baseline is None:
            return
    demands = Demands(
        candidate=settings.candidate,
        fallback=settings.fallback,
        min_ratio=settings.min_ratio,
        now=datetime.now(UTC),
        max_age_days=settings.max_age_days,
    )
    for pattern in settings.artifacts:
        paths = list(_matching(context.root, pattern))
        if not paths:
            made.checked += 1
            made.findings.append(_nothing(pattern))
        for path in paths:
            document = _read(made, "gemm.artifact", partial(reading.load, context.root, path))
            if document is None:
                continue
            evaluation = evaluate(document, read, baseline=baseline, demands=demands)
            made.checked += len(evaluation.checks)
            made.words.append(f"{printable(path)}: {documents.summary(evaluation)}")
            made.findings += documents.findings(evaluation, printable(path))
            made.evidence.append(Evidence(printable(path), documents.to_json(evaluation)))
            made.findings += _severity(evaluation, agreed)


def _severity(evaluation: Evaluation, agreed: sla.Sla | None) -> tuple[Finding, ...]:
    """Red checks that the SLA gives no severity."""
    if agreed is None:
        return ()
    return severity.assess(evaluation, agreed, at=datetime.now(UTC)).findings


def _matching(root: Path, pattern: str) -> Iterator[str]:
    """Files of the tree that a glob of the settings names, sorted; links out of it do not count."""
    found = sorted(root.glob(pattern)) if pattern and pattern != "." else []
    for path in found[:_MOST]:
        if path.is_file() and path.resolve().is_relative_to(root.resolve()):
            yield PurePosixPath(path.relative_to(root)).as_posix()


def _nothing(pattern: str) -> Finding:
    return Finding(
        "gemm.evidence-missing",
        f"{printable(pattern)}: no artifact of this name",
        Severity.UNKNOWN,
        remedy="run --cockpit-replay, or correct gate.gemm.artifacts",
    )
