"""Whether an artifact is what it says: of runs that came to their end, on the device asked for."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import timedelta

from pytest_cockpit.records.text import one_line
from pytest_cockpit_gates.gemm.strict.model import Artifact, figures
from pytest_cockpit_gates.gemm.strict.subject import UNKNOWN, Subject, check, gathered
from pytest_cockpit_gates.gemm.verdicts import Check

_CLOSE = 1e-6
_CALLED = {"rusticl": "rusticl", "clover": "clover", "pocl": "portable computing language"}
"""What platforms say of themselves."""
_AHEAD = timedelta(hours=1)
_AGAIN = "find out what ended it, and run the campaign again"
_UNTOLD = "measure again: what ran cannot be told afterwards"
_POLICY = "no digest of the policy it was measured for"


def checks(subject: Subject) -> Iterator[Check]:
    """All of this module, in their order."""
    artifact = subject.artifact
    yield _success(artifact)
    yield _devices(artifact)
    yield _follow(artifact)
    yield _recorded(subject)
    yield _pressure(artifact)
    if subject.demands.max_age_days is not None:
        yield _recent(subject)
    if artifact.snapshots or artifact.rollback_event:
        yield _rollback(artifact)


def _success(artifact: Artifact) -> Check:
    failed = [
        f"{run.place}: {run.error or 'failed'} (exit status {run.returncode})"
        for run in artifact.runs
        if not run.ok
    ]
    return gathered(
        "all_runs_success",
        f"{len(artifact.runs)} runs came to their end",
        failed=failed,
        unknown=() if artifact.runs else ("there is no run",),
        remedy="see the error and what the worker wrote to stderr" if failed else _AGAIN,
    )


def _devices(artifact: Artifact) -> Check:
    wrong, missing = [], []
    devices: dict[str, str] = {}
    for run in artifact.good:
        platform, device = (run.metrics.get(key) or "" for key in ("platform", "device"))
        info = artifact.platforms.get(run.platform, {})
        if not platform or not device:
            missing.append(f"{run.place}: no platform or no device is recorded")
            continue
        told = info.get("platform_name", platform), info.get("device", device)
        called = _CALLED.get(run.platform, "")
        if called not in platform.lower() or (platform, device) != told:
            wrong.append(f"{run.place}: ran on {platform!r}, {device!r}")
        if devices.setdefault(run.platform, device) != device:
            wrong.append(f"{run.place}: ran on {device!r} after {devices[run.platform]!r}")
    used = {run.platform for run in artifact.good}
    if not artifact.archived:
        missing += [
            f"{name}: nothing is recorded of this platform"
            for name in sorted(used - artifact.platforms.keys())
        ]
    return gathered(
        "platform_and_device",
        f"every run was on the platform and device of its kind: {', '.join(sorted(used))}",
        failed=wrong,
        unknown=missing if artifact.good else ["no run came to its end"],
        remedy=(
            "see OCL_ICD_VENDORS, and that the driver is the one of the platform"
            if wrong
            else _UNTOLD
            if artifact.good
            else _AGAIN
        ),
    )


def _follow(artifact: Artifact) -> Check:
    if artifact.archived:
        return check(
            "rows_follow_from_samples",
            UNKNOWN,
            "no raw times are in this artifact, so its figures cannot be worked out again",
            remedy="measure again; archived artifacts can be judged with the mode compat",
        )
    wrong = [
        f"{run.place}: {name} is {told}, its samples give {value}"
        for run in artifact.good
        for name, value in figures(run.size, run.sessions).items()
        if not _same(told := run.metrics.get(name), value)
    ]
    return gathered(
        "rows_follow_from_samples",
        "every figure follows from its samples",
        failed=wrong,
        unknown=() if artifact.good else ("no run came to its end",),
        remedy="measure again: figures and samples are not of one run" if wrong else _AGAIN,
    )


def _same(told: float | None, value: float | None) -> bool:
    if told is None or value is None:
        return told is value
    return math.isclose(told, value, rel_tol=_CLOSE, abs_tol=1e-12)


def _recorded(subject: Subject) -> Check:
    artifact = subject.artifact
    if artifact.archived:
        missing = ["no driver, versions, machine, digests of sources and policies, no attempt"]
    else:
        missing = [
            f"{run.place}: no {what}"
            for run in artifact.good
            for what, there in (
                ("digest of its source", run.source_sha256),
                ("driver", run.metrics.get("driver")),
            )
            if not there
        ]
        if not artifact.metadata["software"]:
            missing.append("no versions of what ran")
        if subject.policies.weekly and not artifact.metadata["policy"]:
            missing.append(_POLICY)
    return gathered(
        "evidence_recorded",
        f"machine {artifact.fingerprint[:12]}, drivers, versions and digests are recorded",
        unknown=missing,
        remedy="measure again with --cockpit-gemm-policy" if missing == [_POLICY] else _UNTOLD,
    )


def _pressure(artifact: Artifact) -> Check:
    failed = [
        f"pulse {pulse.get('pulse', index)}: {one_line(pulse.get('error') or 'failed')}"
        for index, pulse in enumerate(artifact.pressure)
        if pulse.get("failures") or pulse.get("status", "ok") != "ok"
    ]
    planned = artifact.parameters
    turns = artifact.snapshots if artifact.kind == "replay" else planned.get("seeds", ())
    platforms = planned.get("platforms", ())
    wanted = planned.get("pressure_pulses", 0) * len(turns) * len(platforms)
    lacking = len(artifact.pressure) < wanted
    return gathered(
        "pressure_failures_zero",
        f"{len(artifact.pressure)} pulses of pressure ran to their end",
        failed=failed,
        unknown=[f"{len(artifact.pressure)} of {wanted} pulses of pressure"] if lacking else (),
        remedy=(
            "see the pulse's error"
            if failed
            else "run the campaign again, or with fewer pulses: --cockpit-gemm-pressure-pulses"
        ),
    )


def _recent(subject: Subject) -> Check:
    finished, now = subject.artifact.finished, subject.demands.now
    days = subject.demands.max_age_days or 0
    problem, remedy = "", "measure again"
    if finished is None or now is None:
        problem = "nobody knows when it was measured"
    elif finished > now + _AHEAD:
        problem = f"it is from the future: {finished.isoformat()}"
        remedy = "set the clock of the machine that measured it, or of this one; then measure again"
    elif now - finished > timedelta(days=days):
        problem = f"it is {(now - finished).days} days old, older than {days}"
        remedy = "measure again, or allow more: max_age_days in [tool.cockpit.gate.gemm]"
    return gathered(
        "artifact_recent",
        f"at most {days} days old",
        unknown=[problem] if problem else (),
        remedy=remedy,
    )


def _rollback(artifact: Artifact) -> Check:
    decisions = [
        snapshot.get("decision") or (snapshot.get("evaluation") or {}).get("decision")
        for snapshot in artifact.snapshots
    ]
    wrong = []
    if "rollback" in decisions:
        at = decisions.index("rollback")
        if artifact.rollback_event is None:
            wrong.append(f"snapshot {at + 1} asked to go back, and nobody did")
        if at + 1 < len(decisions):
            wrong.append(f"{len(decisions) - at - 1} snapshots were measured after it was to stop")
    return gathered(
        "rollback_policy_enforced",
        "whoever was to stop has stopped",
        failed=wrong,
        remedy=(
            "go back to the fallback platform: --cockpit-gemm-rollback=plan; and replay again, as"
            " this artifact is no evidence"
        ),
    )
