"""Findings of the gate, made of workers that failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_cockpit.api import Finding, Severity
from pytest_cockpit_gates.gemm.workers.client import WorkerError

INCORRECT = "incorrect"
"""Kind of a worker's failure that gave a wrong result."""
_RULES = {
    "missing": "gemm.platform-missing",
    "wrong": "gemm.wrong-device",
    INCORRECT: "gemm.correctness",
}
_REMEDIES = {
    "missing": None,
    "hang": "raise gate.gemm.timeout_s where it is only slow; else see its stderr in the evidence",
}
_REMEDY = "see its stderr in the evidence; run it again by itself"
_SHOWN_STDERR = 2000


def demand_right(platform: str, answer: Mapping[str, Any]) -> None:
    """Refuse an answer whose product was wrong, or was not judged.

    Raises
    ------
    WorkerError: of the kind `INCORRECT`.
    """
    if answer.get("ok") is not True:
        error, bound = answer.get("max_error"), answer.get("error_bound")
        raise WorkerError(INCORRECT, f"{platform}: a result is wrong: error {error}, bound {bound}")


def of_worker(error: WorkerError, platform: str) -> Finding:
    """What a worker's failure is: without a platform nothing is known, all else has failed."""
    return Finding(
        _RULES.get(error.kind, "gemm.run-failed"),
        error.message,
        Severity.UNKNOWN if error.kind == "missing" else Severity.ERROR,
        remedy=_REMEDIES.get(error.kind, _REMEDY),
        evidence={
            "platform": platform,
            "kind": error.kind,
            "returncode": error.returncode,
            "stderr": error.stderr[-_SHOWN_STDERR:],
        },
    )
