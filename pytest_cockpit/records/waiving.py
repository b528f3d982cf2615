"""Waivers applied to a report: what they cover becomes a warning, and the verdict follows."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_cockpit.api import JSON, Case, Evidence, Finding, Report, Severity, Verdict
from pytest_cockpit.records import waivers
from pytest_cockpit.records.waivers import Book, Situation, Waiver

EVIDENCE = "waivers"
"""Name of the evidence that lists a report's waivers; only the engine gives it."""


@dataclass(frozen=True, slots=True)
class _Covering:
    """A waiver with the findings in its scope, and why it does not cover them, if so."""

    waiver: Waiver
    findings: frozenset[int]
    refusal: str | None


def apply(report: Report, gate: str, book: Book, situation: Situation) -> Report:
    """The report with every waived error as a warning that names its waiver.

    Only a `FAIL` is ever changed: not enough evidence and a gate that could not run are nothing
    that can be tolerated. Nothing of the ledger's own gate or rules is waived.
    """
    report = without(report)
    if report.verdict is not Verdict.FAIL or waivers.protected(f"{gate}."):
        return report
    coverings = _coverings(report.findings, book, situation)
    if not coverings:
        return report
    chosen = _chosen(coverings)
    findings = tuple(
        _marked(finding, chosen.get(index)) for index, finding in enumerate(report.findings)
    )
    waived = frozenset(index for index, each in chosen.items() if each.refusal is None)
    cases = tuple(_excused(report, case, waived) for case in report.cases)
    told = Evidence(EVIDENCE, _told(chosen))
    evidence = (*report.evidence, told)
    if not waived:
        return dataclasses.replace(report, findings=findings, evidence=evidence)
    count = f"{len(waived)} finding{'' if len(waived) == 1 else 's'} waived"
    return Report.judge(
        f"{report.summary}; {count}",
        checked=report.checked,
        findings=findings,
        evidence=evidence,
        cases=cases,
    )


def used(report: Report) -> list[dict[str, Any]]:
    """The waivers that cover something in this report, each with the number of findings."""
    return [
        dict(row)
        for evidence in report.evidence
        if evidence.name == EVIDENCE
        for row in evidence.data["used"]
    ]


def without(report: Report) -> Report:
    """The report without what a gate may say of waivers itself."""
    own = tuple(evidence for evidence in report.evidence if evidence.name != EVIDENCE)
    return dataclasses.replace(report, evidence=own)


def _coverings(findings: Sequence[Finding], book: Book, situation: Situation) -> list[_Covering]:
    errors = [
        (index, finding)
        for index, finding in enumerate(findings)
        if finding.severity is Severity.ERROR and not waivers.protected(finding.rule)
    ]
    made = []
    for waiver in book.waivers:
        inside = frozenset(
            index
            for index, finding in errors
            if waivers.covers(waiver, finding.rule, finding.path, situation)
        )
        if inside:
            refusal = book.refusal(waiver, situation) or _too_many(waiver, len(inside))
            made.append(_Covering(waiver, inside, refusal))
    return made


def _too_many(waiver: Waiver, number: int) -> str | None:
    if waiver.max_findings is None or number <= waiver.max_findings:
        return None
    return f"allows at most {waiver.max_findings} findings, {number} are in its scope"


def _chosen(coverings: Iterable[_Covering]) -> dict[int, _Covering]:
    """For each finding the first waiver that holds, or else the first that does not."""
    chosen: dict[int, _Covering] = {}
    for covering in sorted(coverings, key=lambda each: each.refusal is not None):
        for index in covering.findings:
            chosen.setdefault(index, covering)
    return chosen


def _marked(finding: Finding, covering: _Covering | None) -> Finding:
    if covering is None:
        return finding
    waiver = covering.waiver
    if covering.refusal is not None:
        message = f"{finding.message}; waiver {waiver.id} {covering.refusal}"
        return dataclasses.replace(finding, message=message)
    return dataclasses.replace(
        finding,
        message=f"{finding.message} (waived by {waiver.id} until {waiver.expires})",
        severity=Severity.WARNING,
        evidence={**finding.evidence, "waiver": waiver.to_json()},
    )


def _excused(report: Report, case: Case, waived: frozenset[int]) -> Case:
    """A failed case is a warning when findings name it and every one of them is waived."""
    reasons = {
        index
        for index, finding in enumerate(report.findings)
        if finding.severity is Severity.ERROR and finding.evidence.get("case") == case.name
    }
    if case.verdict is not Verdict.FAIL or not reasons or not reasons <= waived:
        return case
    return dataclasses.replace(case, verdict=Verdict.WARN, message=f"{case.message} (waived)")


def _told(chosen: dict[int, _Covering]) -> JSON:
    counts = Counter(covering.waiver.id for covering in chosen.values())
    by_id = {covering.waiver.id: covering for covering in chosen.values()}
    rows = {
        key: {**by_id[key].waiver.to_json(), "findings": number}
        for key, number in sorted(counts.items())
    }
    return {
        "used": [row for key, row in rows.items() if by_id[key].refusal is None],
        "refused": [
            {"id": key, "why": by_id[key].refusal, "findings": counts[key]}
            for key in rows
            if by_id[key].refusal is not None
        ],
    }
