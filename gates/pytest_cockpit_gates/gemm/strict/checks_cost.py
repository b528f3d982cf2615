"""What fault detection costs, by pairs with and without it."""

from __future__ import annotations

import math
from typing import Any

from pytest_cockpit.estimation import intervals
from pytest_cockpit.estimation.intervals import Interval
from pytest_cockpit_gates.gemm.strict import guard_costs, levels, needed
from pytest_cockpit_gates.gemm.strict.guard_costs import Cost
from pytest_cockpit_gates.gemm.strict.model import Run
from pytest_cockpit_gates.gemm.strict.subject import (
    Subject,
    as_json,
    check,
    spelled,
    verdict_of,
)
from pytest_cockpit_gates.gemm.verdicts import Check

_CHEAPER = (
    "check every so many products alone: abft_mode.sampling_period of the policy of the guard"
)
_AGAIN = "pairs are too few: measure again, where pairs are measured"


def overhead(subject: Subject, key: str, runs: list[Run]) -> Check:
    """Whether the guard of a row costs no more than the policies allow."""
    bound = guard_costs.bound(subject.policies)
    rows = [pairs for run in runs if (pairs := run.metrics.get("t5_pairs"))]
    pairs = [pair for row in rows for pair in row]
    told = [each for run in runs if (each := run.metrics.get("t5_overhead_percent")) is not None]
    periods = [each for run in runs if (each := run.metrics.get("t5_sampling_period"))]
    if periods:
        cost = guard_costs.cost(pairs, max(periods), _looked(subject, len(pairs)))
    else:
        # Pairs of all products, those that were not checked too.
        policy = subject.policies.t5
        added = _added(rows, policy.sampling_period if policy else 1, subject.level)
        cost = Cost(added, guard_costs.WALL, None)
    found, held = cost.found, cost.at_most(bound)
    if found is None:
        recorded = f"on record: {max(told):.3g} %, of no certainty" if told else "nothing on record"
        message = (
            f"{recorded}; {len(pairs)} pairs with and without the guard are too few to"
            f" test it against {bound:g} %, which takes {_fewest(subject, bool(periods))}"
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
        remedy=_cost_remedy(subject, cost, len(pairs), bound) if held is None else _CHEAPER,
        observed={
            "overhead_percent": as_json(found),
            "recorded": max(told, default=None),
            "bound": bound,
            "pairs": len(pairs),
        },
    )


def _fewest(subject: Subject, checked: bool) -> int:
    """Pairs of a row that say anything, where they are of checked products or of all."""
    if not checked:
        policy = subject.policies.t5
        period = policy.sampling_period if policy else 1
        return intervals.values_needed(subject.level) * period
    if subject.artifact.kind == "replay":
        return intervals.values_needed(subject.level)
    return needed.pairs(subject.attempt) or levels.MOST_PAIRS


def _looked(subject: Subject, pairs: int) -> float:
    """The level: where pairs are added until they decide, each look has its part of it."""
    if subject.artifact.kind == "replay":
        return subject.level
    return levels.of_pairs(pairs, subject.attempt)


def _cost_remedy(subject: Subject, cost: Cost, pairs: int, bound: float) -> str:
    kind, found = subject.artifact.kind, cost.found
    if subject.artifact.archived:
        return _AGAIN
    if found is not None and found.at_most(bound) is not None:
        return "CPU time and wall time contradict each other: measure while nothing else runs"
    if kind != "replay" and pairs >= levels.MOST_PAIRS:
        return (
            f"{pairs} pairs are the most that are measured: measure while nothing else runs, or"
            " allow more: weekly_slo.global_guardrails.max_t5_overhead_percent"
        )
    if kind == "gate":
        return (
            "the time of the profile was over before enough pairs were measured: measure while"
            " nothing else runs, or with profile nightly"
        )
    few = intervals.values_needed(subject.level)
    wanted = few if found is None else needed.enough(found, bound, pairs)
    return needed.more_sessions(
        subject.artifact,
        None if wanted is None else wanted,
        "weekly_slo.global_guardrails.max_t5_overhead_percent",
    )


def _added(rows: list[list[Any]], period: int, level: float) -> Interval | None:
    """Time added by the guard in percent.

    What is checked only now and then costs nothing most of the time, and a median would not see it:
    sums over whole periods are compared, or those of whole rows where there are enough.
    """
    whole = intervals.location(levels.batches([_percent(row) for row in rows]), level)
    if whole is not None:
        return whole
    pairs = [pair for row in rows for pair in row]
    blocks = [pairs[at : at + period] for at in range(0, len(pairs) - period + 1, period)]
    return intervals.location(levels.batches([_percent(block) for block in blocks]), level)


def _percent(pairs: list[Any]) -> float:
    guarded, plain = (math.fsum(pair[key] for pair in pairs) for key in ("guarded_s", "plain_s"))
    return 100 * (guarded - plain) / plain
