"""From outcomes to findings: what the baseline tolerates, what a shim must be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_cockpit.api import Finding, Severity
from pytest_cockpit.records.artifacts import printable
from pytest_cockpit_gates.imports import rules
from pytest_cockpit_gates.imports.classify import MISSING_THIRD, Failure
from pytest_cockpit_gates.imports.pool import Outcome
from pytest_cockpit_gates.imports.selection import Job
from pytest_cockpit_gates.imports.settings import Settings


@dataclass(frozen=True, slots=True)
class Judged:
    """One outcome with the failure it shows, None for a healthy module."""

    outcome: Outcome
    failure: Failure | None


def import_findings(
    judged: Sequence[Judged], entries: Mapping[str, Any], settings: Settings
) -> Iterator[Finding]:
    """What the imports of modules under their own names show."""
    for one in judged:
        entry = entries.get(printable(one.outcome.job.path))
        if one.failure is not None:
            yield _failed(one.failure, entry, settings)
            continue
        if entry is not None and "class" in entry:
            yield slack(one.outcome.job.path, "imports now")
        if one.outcome.first is not None:
            yield _unstable(one.outcome)


def shim_findings(shims: Sequence[Judged], healthy: frozenset[str]) -> Iterator[Finding]:
    """What the imports of old names show; where the new name fails, that alone is reported."""
    for one in shims:
        job = one.outcome.job
        if job.same_as not in healthy:
            continue
        same = (one.outcome.report or {}).get("same")
        # Running elsewhere is a shim's business: only an exception or a dead process is failure.
        if same is None:
            reason = one.failure.message if one.failure else "it cannot be imported"
        elif not same["object"]:
            reason = "it is another module object"
        elif not same["attribute"]:
            reason = "its package's attribute is another object"
        else:
            continue
        yield Finding(
            rules.SHIM_NOT_SAME,
            f"{job.module} is not {job.same_as}: {reason}",
            path=job.path,
            remedy=f"let {job.path} put {job.same_as} into sys.modules under the old name",
            evidence={
                "class": one.failure.kind if one.failure else "not-same",
                "module": job.module,
                "same_as": job.same_as,
            },
        )


def unshimmed_findings(unshimmed: Sequence[Job]) -> Iterator[Finding]:
    """Old paths at which nothing stands."""
    for job in unshimmed:
        yield Finding(
            rules.SHIM_MISSING,
            f"{job.module} moved to {job.same_as} and left no shim",
            path=job.path,
            remedy="write the shim, or set tool.cockpit.lane.shims to false",
            evidence={"module": job.module, "same_as": job.same_as},
        )


def gone_findings(entries: Mapping[str, Any], present: frozenset[str]) -> Iterator[Finding]:
    """Entries of the baseline whose file is no longer there."""
    for path in sorted(set(entries) - present):
        yield slack(path, "no longer exists")


def entry_of(failure: Failure) -> dict[str, Any]:
    """A failure as the baseline lists it."""
    return {"class": failure.kind, "message": printable(failure.message)}


def _failed(failure: Failure, entry: Mapping[str, Any] | None, settings: Settings) -> Finding:
    severity, note = _severity(failure, entry, settings)
    evidence: dict[str, Any] = {"class": failure.kind, "module": failure.module}
    if failure.cause is not None:
        cause = failure.cause
        evidence["cause"] = {"path": cause.path, "line": cause.line, "class": cause.kind}
    if failure.needs is not None:
        evidence["needs"] = failure.needs
    if failure.output:
        evidence["output"] = failure.output
    return Finding(
        rules.OF_CLASS[failure.kind],
        f"{failure.module}: {failure.message}{note}",
        severity=severity,
        path=failure.path,
        line=failure.line,
        remedy=_remedy(failure),
        evidence=evidence,
    )


def _severity(
    failure: Failure, entry: Mapping[str, Any] | None, settings: Settings
) -> tuple[Severity, str]:
    if entry is not None and "class" in entry:
        if entry["class"] == failure.kind:
            return Severity.INFO, " (tolerated by the baseline)"
        note = f" (the baseline tolerates {entry['class']}, this is {failure.kind})"
    else:
        note = ""
    if failure.kind == MISSING_THIRD:
        if failure.needs in settings.optional:
            return Severity.INFO, f"{note} (optional)"
        return Severity.UNKNOWN, note
    return Severity.ERROR, note


def _remedy(failure: Failure) -> str:
    if failure.needs is not None:
        return f"install {failure.needs}, or list it in tool.cockpit.gate.imports.optional"
    return rules.REMEDY[failure.kind]


def slack(path: str, why: str, evidence: Mapping[str, Any] | None = None) -> Finding:
    """What the baseline tolerates in a file in vain."""
    return Finding(
        rules.SLACK,
        f"the baseline tolerates {path}, which {why}",
        severity=Severity.WARNING,
        path=path,
        remedy="tighten the baseline: pytest --cockpit-ratchet=tighten, then commit it",
        evidence=evidence or {},
    )


def _unstable(outcome: Outcome) -> Finding:
    return Finding(
        rules.UNSTABLE,
        f"{outcome.job.module} failed at first and could be imported when tried again alone",
        severity=Severity.WARNING,
        path=outcome.job.path,
        remedy="let its import share no file, port or state with other processes",
        evidence={"module": outcome.job.module, "first": _told(outcome.first)},
    )


def _told(outcome: Outcome | None) -> dict[str, Any]:
    if outcome is None:
        return {}
    error = (outcome.report or {}).get("error") or {}
    return {"status": outcome.status, "code": outcome.code, "message": error.get("message", "")}
