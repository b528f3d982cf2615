"""Findings of the gate, made of checks and of workers that failed."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_cockpit.api import Finding, Severity, Verdict
from pytest_cockpit_gates.gemm.verdicts import Check
from pytest_cockpit_gates.gemm.workers.client import WorkerError

_SEVERITIES = {
    Verdict.FAIL: Severity.ERROR,
    Verdict.ERROR: Severity.ERROR,
    Verdict.UNKNOWN: Severity.UNKNOWN,
    Verdict.WARN: Severity.WARNING,
}
INCORRECT = "incorrect"
"""Kind of a worker's failure that gave a wrong result."""
_RULES = {
    "missing": "gemm.platform-missing",
    "wrong": "gemm.wrong-device",
    INCORRECT: "gemm.correctness",
}
_SHOWN_STDERR = 2000


def of_checks(checks: Iterable[Check], path: str | None = None) -> list[Finding]:
    """A finding for each check that is not green, of the artifact at `path`."""
    return [
        Finding(
            check.rule,
            f"{check.key}: {check.message}" if check.key else check.message,
            _SEVERITIES[check.verdict],
            path=path,
            remedy=check.remedy or None,
            evidence={"check": check.name, "key": check.key, **check.observed},
        )
        for check in checks
        if check.verdict in _SEVERITIES
    ]


def of_worker(error: WorkerError, platform: str) -> Finding:
    """What a worker's failure is: without a platform nothing is known, all else has failed."""
    missing = error.kind == "missing"
    return Finding(
        _RULES.get(error.kind, "gemm.run-failed"),
        error.message,
        Severity.UNKNOWN if missing else Severity.ERROR,
        remedy=None if missing else "see its stderr in the evidence; run it again by itself",
        evidence={
            "platform": platform,
            "kind": error.kind,
            "returncode": error.returncode,
            "stderr": error.stderr[-_SHOWN_STDERR:],
        },
    )
