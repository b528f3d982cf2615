"""What a red session found, as data: `schemas/on_red.json`. Pure: records and reports in."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pytest_cockpit.api import Finding, Report, Severity, Verdict
from pytest_cockpit.promotion.remedies.model import Action
from pytest_cockpit.promotion.remedies.planning import PatchPlan
from pytest_cockpit.records.limits import short
from pytest_cockpit.records.text import one_line, printable

EXCERPT = 5
"""Findings of one gate that are shown."""

_STEPS, _BECAUSE, _KEYS = 20, 50, 8
_MESSAGE, _SUMMARY, _EVIDENCE = 500, 1_000, 200
_ORDER = (Severity.ERROR, Severity.UNKNOWN, Severity.WARNING)

Row = Mapping[str, Any]


def is_red(row: Row) -> bool:
    """Whether a step did not open what follows; one that was skipped did not have to."""
    verdict = Verdict(row["verdict"])
    return not verdict.opens and verdict is not Verdict.SKIP


def gate_of(row: Row) -> str | None:
    """The gate whose report a step gave: `checkpoint-1/gate:imports` is that of imports."""
    _, mark, gate = str(row["name"]).rpartition("gate:")
    return gate if row["kind"] == "gate" and mark else None


def document(
    rows: Sequence[Row],
    reports: Mapping[str, Report],
    plan: PatchPlan,
    *,
    mode: str,
    base: str | None,
    batch_id: str | None,
    artifacts: Mapping[str, str],
    patch: str | None = None,
) -> dict[str, Any]:
    """The document.

    Parameters
    ----------
    rows: the record's items.
    reports: the reports of gates that are not open, by name.
    artifacts: the path of each gate's whole report.
    patch: the path of the file with the plan's patches.
    """
    red = [row for row in rows if is_red(row)]
    gates = {name: row for row in red if (name := gate_of(row)) is not None}
    others = [row for row in red if row["kind"] not in ("gate", "case")]
    return {
        "schema": "pytest-cockpit/on_red/1",
        "mode": mode,
        "verdict": Verdict.worst(Verdict(row["verdict"]) for row in red).value,
        "base": base,
        "batch_id": batch_id,
        "gates": [
            _gate(name, row, reports.get(name), artifacts.get(name)) for name, row in gates.items()
        ],
        "steps": [_step(row) for row in others[:_STEPS]],
        "findings": plan.findings,
        "covered": plan.covered,
        "actions": [_action(action) for action in plan.actions],
        "actions_left_out": plan.left_out,
        "patch": patch,
    }


def _gate(name: str, row: Row, report: Report | None, artifact: str | None) -> dict[str, Any]:
    findings = list(enumerate(report.findings)) if report else []
    told = [(index, each) for index, each in findings if each.severity in _ORDER]
    told.sort(key=lambda pair: _ORDER.index(pair[1].severity))
    summary = report.summary if report else row["summary"] or row.get("message", "")
    return {
        "gate": name,
        "verdict": row["verdict"],
        "summary": _line(summary, _SUMMARY),
        "artifact": artifact,
        "findings": dict(Counter(each.severity.value for _, each in findings)),
        "excerpt": [_finding(f"{name}#{index}", each) for index, each in told[:EXCERPT]],
        "left_out": max(0, len(told) - EXCERPT),
    }


def _finding(identifier: str, finding: Finding) -> dict[str, Any]:
    evidence = list(finding.evidence.items())[:_KEYS]
    return {
        "id": identifier,
        "rule": finding.rule,
        "severity": finding.severity.value,
        "path": None if finding.path is None else printable(finding.path),
        "line": finding.line,
        "pointer": finding.pointer,
        "message": _line(finding.message, _MESSAGE),
        "remedy": None if finding.remedy is None else _line(finding.remedy, _MESSAGE),
        "evidence": {_line(str(key), 60): _value(value) for key, value in evidence},
    }


def _value(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return _line(text, _EVIDENCE)


def _step(row: Row) -> dict[str, Any]:
    message = str(row["summary"] or row.get("message", "")) or "no message"
    return {
        "name": row["name"],
        "verdict": row["verdict"],
        "message": _line(message.strip().partition("\n")[0], _SUMMARY),
    }


def _action(action: Action) -> dict[str, Any]:
    return {
        "action": action.action,
        "file": action.file,
        "line": action.line,
        "detail": action.detail,
        "command": action.command,
        "diff": action.diff,
        "because": list(action.because[:_BECAUSE]),
        "covers": len(action.because),
        "computed": action.computed,
    }


def _line(text: str, limit: int) -> str:
    return short(one_line(printable(text)), limit)


def gates_in(rows: Iterable[Row]) -> set[str]:
    """The gates that were asked."""
    return {name for row in rows if (name := gate_of(row)) is not None}
