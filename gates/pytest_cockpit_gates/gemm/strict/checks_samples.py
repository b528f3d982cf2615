"""Whether all that was planned is there, and once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from itertools import product
from typing import Any

from pytest_cockpit.api import JSON
from pytest_cockpit_gates.gemm.strict.model import Artifact, Run, sides
from pytest_cockpit_gates.gemm.strict.subject import UNKNOWN, Subject, check, gathered
from pytest_cockpit_gates.gemm.verdicts import Check

_ENOUGH_TO_TELL = 4
"""Times that do not agree to the last digit in two sessions by chance."""


def checks(subject: Subject) -> Iterator[Check]:
    """All of this module, in their order."""
    yield _samples(subject.artifact)
    yield _unique(subject.artifact)


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
        f"{run.place}: {problem}"
        for run in artifact.good
        for problem in _shortages(run, sessions, iterations)
    ]
    return gathered(
        "all_samples_present",
        f"{sessions} sessions of {iterations} iterations in each of {len(artifact.runs)} runs",
        failed=[
            *_snapshots_missing(artifact),
            *missing,
            *short,
            *_halves(artifact),
            *_gaps(artifact),
        ],
        unknown=() if artifact.runs else ("there is no run",),
        remedy="find out what ended it, and run the campaign again",
    )


def _halves(artifact: Artifact) -> Iterator[str]:
    for pair in artifact.pairs:
        there = len(sides(pair))
        if there != 2:  # noqa: PLR2004 - a pair
            name = f"{pair['kernel']}:{pair['size']}"
            yield f"pair {pair['pair']} of {name}, seed {pair['seed']}: {there} of 2 platforms"


def _gaps(artifact: Artifact) -> Iterator[str]:
    """Pairs are numbered from nought as they are measured; what lacks among them was left out."""
    numbers: dict[str, set[int]] = {}
    for pair in artifact.pairs:
        numbers.setdefault(f"{pair['kernel']}:{pair['size']}", set()).add(pair["pair"])
    for row, there in sorted(numbers.items()):
        lacking = max(there) + 1 - len(there)
        if lacking:
            yield f"{row}: {lacking} of {max(there) + 1} pairs are missing"


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
        remedy="measure again: no campaign writes anything twice",
    )


def _pulse(pulse: JSON) -> tuple[Any, ...]:
    if "pulse" not in pulse:
        return (pulse.get("snapshot"), pulse.get("platform_selector"), pulse.get("seed"))
    return (pulse.get("snapshot"), pulse["pulse"], pulse["platform"], pulse["seed"])


def _repeated(values: Iterable[Any]) -> list[tuple[Any, int]]:
    counts: Counter[Hashable] = Counter(values)
    return [(value, count) for value, count in counts.items() if count > 1]
