"""Evaluations as documents, and as what pytest reports."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from pytest_cockpit.api import JSON, Case, Finding, Severity, Verdict
from pytest_cockpit_gates.gemm.strict.names import shown
from pytest_cockpit_gates.gemm.verdicts import PROMOTE, Check, Evaluation

_SEVERITY = {Verdict.FAIL: Severity.ERROR, Verdict.UNKNOWN: Severity.UNKNOWN}


def to_json(evaluation: Evaluation) -> dict[str, Any]:
    """An evaluation as a document; `from_json` reads it back."""
    checks = [dataclasses.asdict(check) for check in evaluation.checks]
    return {
        "decision": evaluation.decision,
        "verdict": evaluation.verdict.value,
        "checks": [{**check, "verdict": check["verdict"].value} for check in checks],
        "observed": dict(evaluation.observed),
    }


def from_json(data: JSON) -> Evaluation:
    """Read what `to_json` wrote. Raises `KeyError`, `TypeError` or `ValueError` otherwise."""
    return Evaluation(
        tuple(Check(**{**row, "verdict": Verdict(row["verdict"])}) for row in data["checks"]),
        data["decision"],
        data["observed"],
    )


def summary(evaluation: Evaluation) -> str:
    """One line: the decision, and how many checks stand against it."""
    counts = Counter(check.verdict for check in evaluation.checks)
    named = ", ".join(dict.fromkeys(shown(check.name, check.key) for check in evaluation.red))
    if not named:
        return f"{evaluation.decision}: all {len(evaluation.checks)} checks are green"
    return (
        f"{evaluation.decision}: {counts[Verdict.FAIL]} failed and {counts[Verdict.UNKNOWN]}"
        f" unknown of {len(evaluation.checks)} checks: {named}"
    )


def findings(evaluation: Evaluation, path: str | None = None) -> list[Finding]:
    """A finding for each check that is not green, and for a decision that none of them explains.

    Parameters
    ----------
    path: the artifact, where it is a file of the repository.
    """
    found = [
        Finding(
            check.rule,
            ": ".join(filter(None, (shown(check.name, check.key), check.key, check.message))),
            _SEVERITY.get(check.verdict, Severity.ERROR),
            path=path,
            remedy=check.remedy or None,
            evidence=check.observed,
        )
        for check in evaluation.red
    ]
    if not found and evaluation.decision != PROMOTE:
        told = "the campaign was ended before its time and is to be done again"
        remedy = "mend what ended it, see rollback_event of the artifact, and measure again"
        unknown = Severity.UNKNOWN
        found.append(Finding("gemm.evidence-missing", told, unknown, path=path, remedy=remedy))
    return found


def cases(evaluation: Evaluation, prefix: str = "") -> list[Case]:
    """A case for each check, each with a name of its own."""
    names = [
        f"{prefix}{shown(check.name, check.key)}{f'[{check.key}]' if check.key else ''}"
        for check in evaluation.checks
    ]
    return [
        Case(name, check.verdict, check.message)
        for name, check in zip(_apart(names), evaluation.checks, strict=True)
    ]


def _apart(names: Iterable[str]) -> Iterator[str]:
    seen: Counter[str] = Counter()
    for name in names:
        seen[name] += 1
        yield name if seen[name] == 1 else f"{name} ({seen[name]})"
