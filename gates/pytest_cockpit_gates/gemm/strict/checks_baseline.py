"""Whether anything is slower than the baseline by more than was agreed.

Two campaigns cannot be interleaved, so whatever differs between their days is part of what is seen.
The margins are there for that: 8 % of throughput and 15 % of the 95th percentile are several times
the 2 % by which campaigns of the same machine differ.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from pytest_cockpit.estimation.intervals import Interval, shift
from pytest_cockpit_gates.gemm.compat.guardrails import MAX_P95_DELTA, MIN_THROUGHPUT_DELTA
from pytest_cockpit_gates.gemm.strict import levels, needed
from pytest_cockpit_gates.gemm.strict.model import (
    Artifact,
    Run,
    Session,
    grouped,
    instant,
    percentile,
    sessions_of,
)
from pytest_cockpit_gates.gemm.strict.subject import (
    UNKNOWN,
    Subject,
    as_json,
    check,
    gathered,
    verdict_of,
)
from pytest_cockpit_gates.gemm.verdicts import Check

_MOST_SESSIONS = 40
_REMEDY = (
    "measure a baseline here, of every kernel and size of the policy, with --cockpit-replay; later"
    " runs name it with --cockpit-gemm-baseline"
)

_LONGER = (
    "more sessions of this run alone decide nothing: measure a longer baseline, or both while"
    " nothing else runs"
)


def checks(subject: Subject) -> Iterator[Check]:
    """All of this module; none where no baseline is named and none is asked for."""
    if subject.baseline is None:
        if subject.baseline_problems or subject.demands.place == "ci":
            lacking = subject.baseline_problems or ("a run of mode ci has none",)
            yield gathered("baseline_usable", "", unknown=lacking, remedy=_REMEDY)
        return
    problems = _problems(subject, subject.baseline)
    yield gathered(
        "baseline_usable",
        f"the baseline is of this machine and covers {len(_wanted(subject))} rows",
        unknown=problems,
        remedy=_REMEDY,
    )
    before = grouped(subject.baseline.good)
    for key, runs in grouped(subject.artifact.good).items():
        if key in before and subject.baseline.fingerprint == subject.artifact.fingerprint:
            yield from _changes(subject, key, before[key], runs)


def _problems(subject: Subject, baseline: Artifact) -> list[str]:
    artifact = subject.artifact
    found = []
    if baseline.archived:
        found.append("the baseline is an archived artifact without raw times")
    elif not baseline.fingerprint or baseline.fingerprint != artifact.fingerprint:
        found.append(
            f"the baseline is of the machine {baseline.fingerprint[:12] or 'unknown'}, this is"
            f" {artifact.fingerprint[:12] or 'unknown'}"
        )
    if not baseline.archived:
        found += _not_before(artifact, baseline)
        found += [
            f"{name} of the baseline itself fails: {why}"
            for name, why in sorted(subject.baseline_unsound.items())
        ]
    measured = grouped(baseline.good)
    found += [
        f"the baseline has no run of {key}" for key in _wanted(subject) if key not in measured
    ]
    for name, info in artifact.platforms.items():
        keys = (
            ("device", "platform_version", "driver")
            if subject.demands.place == "ci"
            else ("device",)
        )
        theirs = baseline.platforms.get(name, {})
        found += [
            f"{name}: the baseline's {key} is {theirs[key]!r}, this one is {info.get(key)!r}"
            for key in keys
            if key in theirs and theirs[key] != info.get(key)
        ]
    return found


def _not_before(artifact: Artifact, baseline: Artifact) -> list[str]:
    """Whether a run is held against itself, or against one that came after it."""
    if baseline.metadata["run_id"] == artifact.metadata.get("run_id"):
        return ["the baseline is this run itself"]
    begun = instant(artifact.metadata.get("started"))
    if begun and baseline.finished and baseline.finished > begun:
        return [f"the baseline is of {baseline.finished.isoformat()}, after this run had begun"]
    return []


def _wanted(subject: Subject) -> list[str]:
    """Keys that the baseline has to have: those measured, and those of the policy."""
    keys = dict.fromkeys(grouped(subject.artifact.good))
    weekly = subject.policies.weekly
    if weekly is not None:
        platforms = [weekly.platform] if weekly.platform else subject.artifact.platforms
        keys |= dict.fromkeys(f"{row}@{name}" for row in weekly.rows for name in platforms)
    return sorted(keys)


def _changes(subject: Subject, key: str, before: list[Run], after: list[Run]) -> Iterator[Check]:
    for what, value, least in (
        ("throughput", pace, MIN_THROUGHPUT_DELTA),
        ("95th percentile", late, MAX_P95_DELTA),
    ):
        found = change(subject.level, value, before, after)
        if found is None:
            yield _too_few(subject, key, what, before, after)
            continue
        held = found.at_least(least) if least < 0 else found.at_most(least)
        then, now = (len(sessions_of(runs)) for runs in (before, after))
        wanted = needed.enough(found, least, now, beside=then)
        yield check(
            "no_regression_vs_baseline",
            verdict_of(held),
            f"{what} {found.estimate:+.2f} % [{found.low:+.2f}, {found.high:+.2f}] against the"
            f" baseline, {'at least' if least < 0 else 'at most'} {least:+g} %",
            key=key,
            remedy=(
                "find what became slower"
                if held is not None
                else _LONGER
                if wanted is None
                else needed.more_sessions(subject.artifact, wanted)
            ),
            observed={"change_percent": as_json(found), "of": what, "bound": least},
        )


def _too_few(subject: Subject, key: str, what: str, before: list[Run], after: list[Run]) -> Check:
    then, now = (len(sessions_of(runs)) for runs in (before, after))
    enough = needed.sessions_to_compare(min(then, _MOST_SESSIONS), subject.level)
    return check(
        "no_regression_vs_baseline",
        UNKNOWN,
        f"{what}: {now} sessions are too few to compare with {then} of the baseline",
        key=key,
        remedy=(
            f"{_REMEDY}: {then} sessions of a row are too few to compare any number with"
            if enough is None
            else needed.more_sessions(subject.artifact, enough)
        ),
    )


def change(
    level: float, value: Callable[[Session], float], before: list[Run], after: list[Run]
) -> Interval | None:
    """By how many percent sessions changed in a value of which logarithms are given."""
    then, now = (
        levels.batches([value(each) for each in sessions_of(runs)], _MOST_SESSIONS)
        for runs in (before, after)
    )
    found = shift(then, now, level)
    if found is None:
        return None
    return Interval(*(100 * math.expm1(each) for each in (found.low, found.estimate, found.high)))


def pace(session: Session) -> float:
    """The logarithm of its throughput."""
    return session.pace


def late(session: Session) -> float:
    """The logarithm of its 95th percentile."""
    return math.log(percentile(list(session.wall)))
