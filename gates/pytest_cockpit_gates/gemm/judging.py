"""The gate over a working tree: archived artifacts by the policy, and what is measured here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
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
from pytest_cockpit_gates.gemm.closing.selection import Selection
from pytest_cockpit_gates.gemm.live import measuring
from pytest_cockpit_gates.gemm.phases import reading
from pytest_cockpit_gates.gemm.settings import Settings
from pytest_cockpit_gates.gemm.strict import documents, policies
from pytest_cockpit_gates.gemm.strict.demands import Demands
from pytest_cockpit_gates.gemm.strict.evaluate import evaluate
from pytest_cockpit_gates.gemm.strict.policies import Policies
from pytest_cockpit_gates.gemm.verdicts import PROMOTE

_MOST = 1000


@dataclass(slots=True)
class _Judged:
    """What came out so far.

    Parameters
    ----------
    words, red: what is told of each thing; `red` of what is not green, which is told first.
    """

    checked: int = 0
    words: list[str] = field(default_factory=list)
    red: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    evidence: list[Evidence] = field(default_factory=list)


def judge(context: Context) -> Report:
    """What the settings ask for; with nothing to judge, unknown.

    Files of the settings are read first: where one is of no use, it is told and nothing is judged.
    They are part of the tree, so that is a finding, as what stands in them may be.
    """
    settings = Settings.of(context.settings)
    made = _Judged()
    # The close of the week goes by this.
    begun = severity.stamp(datetime.now(UTC))
    asked = required.asked(context.root, context.settings, begun)
    made.evidence.append(Evidence(required.ASKED, asked))
    read = _read(made, "gemm.policy", partial(_policies, context, settings))
    _read(made, "gemm.severity", partial(_terms, context, settings))
    baseline = None
    if settings.artifacts and settings.baseline:
        load = partial(reading.load, context.root, settings.baseline)
        baseline = _read(made, "gemm.artifact", load)
    standing = _read(made, "gemm.evidence-missing", partial(_standing, context))
    if not made.findings:
        _tell(made, *standing)
        _archived(context, settings, read, baseline, made)
        if settings.live:
            _live(context, settings, read, made)
        if not made.checked:
            nothing = "nothing to judge: gate.gemm.live is false, and artifacts are not named"
            made.words.append(nothing)
    return Report.judge(
        "; ".join([*made.red, *made.words]) or _unread(made.findings[0]),
        checked=made.checked,
        findings=made.findings,
        evidence=made.evidence,
    )


def _unread(finding: Finding) -> str:
    return ": ".join(filter(None, (finding.path, finding.message)))


def _terms(context: Context, settings: Settings) -> None:
    """Read the SLA and the escalation matrix, which judge campaigns: raises what is wrong."""
    agreed = sla.load(context.root, settings.sla)
    escalation.load(context.root, settings.escalation, agreed)


def _standing(context: Context) -> tuple[Selection | None, debts.Debt | None]:
    """The platform that is selected, and the rerun that is owed."""
    selected = selection.read(context.root)
    return selected, debts.owed(debts.rows(context.root, context.records), selected)


def _tell(made: _Judged, selected: Selection | None, debt: debts.Debt | None) -> None:
    """Say that a rollback is in force, and warn where a rerun is owed.

    What is judged here may be right, and the week is not promoted all the same.
    """
    if selected is not None and selected.kind == selection.ROLLBACK:
        chosen, before = selected.selected.platform, selected.previous.platform
        made.words.append(
            one_line(f"a rollback from {before} to {chosen} is in force since {selected.at}")
        )
    if debt is None:
        return
    made.findings.append(
        Finding(
            "gemm.evidence-missing",
            one_line(debt.words),
            Severity.WARNING,
            path=selection.PATH,
            remedy="run --cockpit-replay or --cockpit-split until one is green and promote",
            evidence={"since": debt.since, "session_id": debt.session_id, "reason": debt.reason},
        )
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
    context: Context, settings: Settings, read: Policies, baseline: Any, made: _Judged
) -> None:
    """Judge the artifacts of the settings, each held to its age."""
    demands = Demands(
        candidate=settings.candidate,
        fallback=settings.fallback,
        min_ratio=settings.min_ratio,
        now=datetime.now(UTC),
        max_age_days=settings.max_age_days,
    )
    for path in _named(context.root, settings.artifacts, made):
        document = _read(made, "gemm.artifact", partial(reading.load, context.root, path))
        if document is None:
            made.red.append(f"{printable(path)}: {made.findings[-1].message}")
            continue
        evaluation = evaluate(document, read, baseline=baseline, demands=demands)
        made.checked += len(evaluation.checks)
        told = made.words if evaluation.decision == PROMOTE else made.red
        told.append(f"{printable(path)}: {documents.summary(evaluation)}")
        made.findings += documents.findings(evaluation, printable(path))
        made.evidence.append(Evidence(printable(path), documents.to_json(evaluation)))


def _live(context: Context, settings: Settings, read: Policies, made: _Judged) -> None:
    live = measuring.measure(context, settings, read)
    made.checked += live.checked
    (made.red if live.findings else made.words).append(live.words)
    made.findings += live.findings
    made.evidence += live.evidence


def _named(root: Path, patterns: Iterable[str], made: _Judged) -> list[str]:
    """Files that the globs of the settings name, each once; what of them is not judged is told."""
    found: dict[str, None] = {}
    for pattern in patterns:
        why = "no artifact of this name"
        try:
            paths = dict.fromkeys(_matching(root, pattern))
        except (ValueError, NotImplementedError) as error:
            paths, why = {}, f"no pattern of files: {error}"
        if not paths:
            _tell_missing(made, pattern, why)
        found |= paths
    if len(found) > _MOST:
        _tell_missing(made, ", ".join(patterns), f"{len(found)} files, of which {_MOST} are judged")
    return list(found)[:_MOST]


def _matching(root: Path, pattern: str) -> Iterator[str]:
    """Files of the tree that a glob names, sorted; links out of it do not count."""
    for path in sorted(root.glob(pattern)) if pattern and pattern != "." else ():
        if path.is_file() and path.resolve().is_relative_to(root.resolve()):
            yield PurePosixPath(path.relative_to(root)).as_posix()


def _tell_missing(made: _Judged, pattern: str, why: str) -> None:
    said = one_line(f"{printable(pattern)}: {why}")
    remedy = "run --cockpit-replay, or correct gate.gemm.artifacts"
    made.checked += 1
    made.red.append(said)
    made.findings.append(
        Finding("gemm.evidence-missing", said, Severity.UNKNOWN, remedy=remedy),
    )
