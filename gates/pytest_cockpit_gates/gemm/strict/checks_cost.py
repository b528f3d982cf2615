"""What fault detection costs, by pairs with and without it."""

from __future__ import annotations

import math

from pytest_cockpit.estimation import intervals
from pytest_cockpit_gates.gemm.strict import guard_costs, levels, needed
from pytest_cockpit_gates.gemm.strict.guard_costs import Cost
from pytest_cockpit_gates.gemm.strict.model import Run, sessions_of
from pytest_cockpit_gates.gemm.strict.subject import (
    Subject,
    as_json,
    check,
    spelled,
    verdict_of,
)
from pytest_cockpit_gates.gemm.verdicts import Check

_CHEAPER = "check every so many products alone: "
_PERIOD = "abft_mode.sampling_period"
_NONE = "no pairs with and without the guard are on record: measure again"
_SPLIT = (
    "--cockpit-split measures pairs until they decide by the policies that it is given, up to"
    f" {levels.MOST_PAIRS}: run it again with these"
)
_GATE = (
    "the time of the profile was over before enough pairs were measured: measure while nothing"
    " else runs, or with profile nightly"
)


def overhead(subject: Subject, key: str, runs: list[Run]) -> Check:
    """Whether the guard of a row costs no more than the policies allow."""
    bound = guard_costs.bound(subject.policies)
    # Of how many products a pair is one, nobody can tell without the period.
    rows = [run.metrics for run in runs if run.metrics.get("t5_sampling_period")]
    pairs = [pair for row in rows for pair in row.get("t5_pairs") or ()]
    told = [each for run in runs if (each := run.metrics.get("t5_overhead_percent")) is not None]
    period = max((row["t5_sampling_period"] for row in rows), default=1)
    cost = guard_costs.cost(pairs, period, _level(subject, len(pairs)))
    found, held = cost.found, cost.at_most(bound)
    if found is None:
        recorded = f"on record: {max(told):.3g} %, of no certainty" if told else "nothing on record"
        message = (
            f"{recorded}; {len(pairs)} pairs with and without the guard are too few to"
            f" test it against {bound:g} %, which takes {_fewest(subject)}"
        )
    else:
        of = " of CPU time" if cost.clock == guard_costs.CPU else ""
        message = (
            f"the guard costs {spelled(found, '%', 3)}{of}, at most {bound:g} % allowed,"
            f" {len(pairs)} pairs"
        )
    return check(
        "t5_overhead_bound",
        verdict_of(held),
        message,
        key=key,
        remedy=_remedy(subject, cost, len(pairs), len(sessions_of(runs))),
        observed={
            "overhead_percent": as_json(found),
            "recorded": max(told, default=None),
            "bound": bound,
            "pairs": len(pairs),
        },
    )


def _level(subject: Subject, pairs: int) -> float:
    """The level: where pairs are added until they decide, each look has its part of it."""
    if subject.artifact.kind == "replay":
        return subject.level
    return levels.of_pairs(pairs, subject.attempt)


def _fewest(subject: Subject) -> int:
    """Pairs of a row that say anything."""
    if subject.artifact.kind == "replay":
        return intervals.values_needed(subject.level)
    return needed.pairs(subject.attempt) or levels.MOST_PAIRS


def _remedy(subject: Subject, cost: Cost, pairs: int, sessions: int) -> str:
    bound, key = guard_costs.bound(subject.policies), guard_costs.bound_key(subject.policies)
    kind, found = subject.artifact.kind, cost.found
    if cost.at_most(bound) is not None:
        return f"{_CHEAPER}{guard_costs.guard_key(subject.policies, _PERIOD)}"
    if found is not None and found.at_most(bound) is not None:
        return "CPU time and wall time contradict each other: measure while nothing else runs"
    if not pairs:
        return _NONE
    if kind == "replay":
        wanted = _fewest(subject) if found is None else needed.enough(found, bound, pairs)
        # Each session measures some, so many more take so many more sessions.
        more = None if wanted is None else math.ceil(wanted * max(1, sessions) / pairs)
        return needed.more_sessions(subject.artifact, more, key)
    if pairs >= levels.MOST_PAIRS:
        return (
            f"{pairs} pairs are the most that are measured: measure while nothing else runs, or"
            f" allow more: {key}"
        )
    return _GATE if kind == "gate" else _SPLIT
