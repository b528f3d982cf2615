"""Whether an artifact is what it says: all of it there, once, from the device that was asked."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from datetime import timedelta
from itertools import product
from typing import Any

from pytest_cockpit.api import JSON
from pytest_cockpit.records.text import one_line
from pytest_cockpit_gates.gemm.strict.model import Artifact, Run, figures
from pytest_cockpit_gates.gemm.strict.subject import UNKNOWN, Subject, check, gathered
from pytest_cockpit_gates.gemm.verdicts import Check

_CLOSE = 1e-6
_ENOUGH_TO_TELL = 4
"""Times that do not agree to the last digit in two sessions by chance."""
_CALLED = {"rusticl": "rusticl", "clover": "clover", "pocl": "portable computing language"}
"""What platforms say of themselves."""
_AHEAD = timedelta(hours=1)


def checks(subject: Subject) -> Iterator[Check]:
    """All of this module, in their order."""
    artifact = subject.artifact
    yield _success(artifact)
    yield _samples(artifact)
    yield _unique(artifact)
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
        f"{_where(run)}: {run.error or 'failed'} (exit status {run.returncode})"
        for run in artifact.runs
        if not run.ok
    ]
    return gathered(
        "all_runs_success",
        f"{len(artifact.runs)} runs came to their end",
        failed=failed,
        unknown=() if artifact.runs else ("there is no run",),
        remedy="see the error and what the worker wrote to stderr",
    )


def _samples(artifact: Artifact) -> Check:
    if artifact.archived:
        return check(
            "all_samples_present",
            UNKNOWN,
            "no raw times and no plan are in this artifact, so nobody can count them",
            remedy="measure again; archived artifacts can be judged with the mode compat",
        )
    planned = artifact.parameters
    sessions, iterations = planned["sessions"], planned["iterations"]
    present = {_place(artifact, run) for run in artifact.runs}
    missing = [
        f"{kernel}:{size}@{platform} {_turn(artifact, turn)}: no run"
        for platform, turn, kernel, size in _planned(artifact)
        if (platform, turn, kernel, size) not in present
    ]
    short = [
        f"{_where(run)}: {problem}"
        for run in artifact.good
        for problem in _shortages(run, sessions, iterations)
    ]
    return gathered(
        "all_samples_present",
        f"{sessions} sessions of {iterations} iterations in each of {len(artifact.runs)} runs",
        failed=[*_snapshots_missing(artifact), *missing, *short, *_halves(artifact)],
        unknown=() if artifact.runs else ("there is no run",),
        remedy="find out what ended it, and run the campaign again",
    )


def _halves(artifact: Artifact) -> Iterator[str]:
    for pair in artifact.pairs:
        sides = [side for side in pair.values() if isinstance(side, Mapping)]
        if len(sides) != 2:  # noqa: PLR2004 - a pair
            name = f"{pair['kernel']}:{pair['size']}"
            yield f"pair {pair['pair']} of {name}, seed {pair['seed']}: {len(sides)} of 2 platforms"


def _snapshots_missing(artifact: Artifact) -> Iterator[str]:
    if artifact.kind != "replay":
        return
    told, listed = artifact.metadata["executed_snapshots"], len(artifact.snapshots)
    planned = artifact.parameters.get("snapshots", told)
    if listed != told or artifact.executed != told:
        yield (
            f"{told} snapshots are said to be done, {listed} are listed and"
            f" {artifact.executed} have runs"
        )
    if told < planned and not artifact.rollback_event:
        yield f"{told} of {planned} snapshots are done"


def _planned(artifact: Artifact) -> Iterable[tuple[str, Any, str, int]]:
    planned = artifact.parameters
    turns: Iterable[Any] = (None,)
    if artifact.kind == "replay":
        turns = [snapshot["snapshot"] for snapshot in artifact.snapshots]
    elif artifact.kind == "split":
        turns = planned.get("seeds", ())
    return product(planned["platforms"], dict.fromkeys(turns), planned["kernels"], planned["sizes"])


def _place(artifact: Artifact, run: Run) -> tuple[str, Any, str, int]:
    turn = {"replay": run.snapshot, "split": run.seed}.get(artifact.kind)
    return run.platform, turn, run.kernel, run.size


def _turn(artifact: Artifact, turn: Any) -> str:
    return {"replay": f"in snapshot {turn}", "split": f"of seed {turn}"}.get(artifact.kind, "")


def _shortages(run: Run, sessions: int, iterations: int) -> Iterator[str]:
    if len(run.sessions) != sessions:
        yield f"{len(run.sessions)} of {sessions} sessions"
    for session in run.sessions:
        for name, times in (("wall", session.wall), ("CPU", session.cpu)):
            if len(times) != iterations:
                yield f"session {session.number}: {len(times)} of {iterations} {name} times"


def _unique(artifact: Artifact) -> Check:
    runs = [(run.key, run.snapshot, run.seed) for run in artifact.runs]
    if artifact.kind == "replay":
        runs = [(run.key, run.snapshot, None) for run in artifact.runs]
    sessions = [(run.number, session.number) for run in artifact.runs for session in run.sessions]
    times = [
        session.wall
        for run in artifact.runs
        for session in run.sessions
        if len(session.wall) >= _ENOUGH_TO_TELL
    ]
    pairs = [(pair["kernel"], pair["size"], pair["seed"], pair["pair"]) for pair in artifact.pairs]
    pulses = [_pulse(pulse) for pulse in artifact.pressure]
    ids = [snapshot.get("snapshot") for snapshot in artifact.snapshots]
    twice = [
        f"{what} {' '.join(str(part) for part in each if part is not None)} is there {times} times"
        for what, group in (("run", runs), ("pair", pairs), ("pulse", pulses))
        for each, times in _repeated(group)
    ]
    twice += [f"snapshot {each} is there {count} times" for each, count in _repeated(ids)]
    twice += [
        f"session {number} of run {run} is there {count} times"
        for (run, number), count in _repeated(sessions)
    ]
    twice += [
        f"{count} sessions have the same {len(each)} times, from {each[0]:.9g} s on"
        for each, count in _repeated(times)
    ]
    return gathered(
        "runs_unique",
        "each run, session and pair is there once",
        failed=twice,
        remedy="keep one of them, or measure again",
    )


def _pulse(pulse: JSON) -> tuple[Any, ...]:
    if "pulse" not in pulse:
        return (pulse.get("snapshot"), pulse.get("platform_selector"), pulse.get("seed"))
    return (pulse.get("snapshot"), pulse["pulse"], pulse["platform"], pulse["seed"])


def _repeated(values: Iterable[Any]) -> list[tuple[Any, int]]:
    counts: Counter[Hashable] = Counter(values)
    return [(value, count) for value, count in counts.items() if count > 1]


def _devices(artifact: Artifact) -> Check:
    wrong, missing = [], []
    devices: dict[str, str] = {}
    for run in artifact.good:
        platform, device = (run.metrics.get(key) or "" for key in ("platform", "device"))
        info = artifact.platforms.get(run.platform, {})
        if not platform or not device:
            missing.append(f"{_where(run)}: no platform or no device is recorded")
            continue
        told = info.get("platform_name", platform), info.get("device", device)
        called = _CALLED.get(run.platform, "")
        if called not in platform.lower() or (platform, device) != told:
            wrong.append(f"{_where(run)}: ran on {platform!r}, {device!r}")
        if devices.setdefault(run.platform, device) != device:
            wrong.append(f"{_where(run)}: ran on {device!r} after {devices[run.platform]!r}")
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
        remedy="see OCL_ICD_VENDORS, and that the driver is the one of the platform",
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
        f"{_where(run)}: {name} is {told}, its samples give {value}"
        for run in artifact.good
        for name, value in figures(run.size, run.sessions).items()
        if not _same(told := run.metrics.get(name), value)
    ]
    return gathered(
        "rows_follow_from_samples",
        "every figure follows from its samples",
        failed=wrong,
        unknown=() if artifact.good else ("no run came to its end",),
        remedy="measure again: figures and samples are not of one run",
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
            f"{_where(run)}: no {what}"
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
            missing.append("no digest of the policy it was measured for")
    return gathered(
        "evidence_recorded",
        f"machine {artifact.fingerprint[:12]}, drivers, versions and digests are recorded",
        unknown=missing,
        remedy="measure again: what ran cannot be told afterwards",
    )


def _pressure(artifact: Artifact) -> Check:
    failed = [
        f"pulse {pulse.get('pulse', index)}: {one_line(pulse.get('error') or 'failed')}"
        for index, pulse in enumerate(artifact.pressure)
        if pulse.get("failures") or pulse.get("status", "ok") != "ok"
    ]
    pulses = artifact.parameters.get("pressure_pulses", 0)
    turns = {pulse.get("snapshot", pulse.get("seed")) for pulse in artifact.pressure}
    wanted = pulses * len(artifact.snapshots) if artifact.kind == "replay" else min(pulses, 1)
    lacking = len(artifact.pressure) < wanted
    return gathered(
        "pressure_failures_zero",
        f"{len(artifact.pressure)} pulses of pressure in {len(turns)} turns ran to their end",
        failed=failed,
        unknown=[f"{len(artifact.pressure)} of {wanted} pulses of pressure"] if lacking else (),
        remedy="see the pulse's error",
    )


def _recent(subject: Subject) -> Check:
    finished, now = subject.artifact.finished, subject.demands.now
    days = subject.demands.max_age_days or 0
    problems = []
    if finished is None or now is None:
        problems.append("nobody knows when it was measured")
    elif finished > now + _AHEAD:
        problems.append(f"it is from the future: {finished.isoformat()}")
    elif now - finished > timedelta(days=days):
        problems.append(f"it is {(now - finished).days} days old, older than {days}")
    return gathered(
        "artifact_recent", f"at most {days} days old", unknown=problems, remedy="measure again"
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
        remedy="go back to the fallback platform: --cockpit-gemm-rollback=plan",
    )


def _where(run: Run) -> str:
    turn = f" in snapshot {run.snapshot}" if run.snapshot is not None else f" of seed {run.seed}"
    return f"{run.key}{turn}"
