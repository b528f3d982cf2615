"""Whether the online selector and fault detection did what they are there for, at their price."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from pytest_cockpit.estimation import intervals
from pytest_cockpit.estimation.intervals import Interval
from pytest_cockpit.estimation.shares import share
from pytest_cockpit_gates.gemm.compat.guardrails import MAX_FALSE_POSITIVES
from pytest_cockpit_gates.gemm.compat.rows import T3, T5
from pytest_cockpit_gates.gemm.strict import guard_costs, levels, needed
from pytest_cockpit_gates.gemm.strict.guard_costs import Cost
from pytest_cockpit_gates.gemm.strict.model import Run, grouped
from pytest_cockpit_gates.gemm.strict.subject import (
    UNKNOWN,
    Subject,
    as_json,
    check,
    gathered,
    spelled,
    verdict_of,
)
from pytest_cockpit_gates.gemm.verdicts import Check

_FALLBACK, _DISABLES = 0.08, 0
"""What is tolerated where no policy says it."""
_LOST = "no telemetry is no evidence: measure again"
_CHEAPER = (
    "check every so many products alone: abft_mode.sampling_period of the policy of the guard"
)
PAIRS = 1
"""Pairs with and without the guard that each session has at least."""


def checks(subject: Subject) -> Iterator[Check]:
    """All of this module, for the rows that there are."""
    t3 = [run for run in subject.artifact.good if run.kernel == T3]
    t5 = [run for run in subject.artifact.good if run.kernel == T5]
    if t3:
        yield _fallback(subject, t3)
    if t5:
        yield _disables(subject, t5)
        yield _false_alarms(subject, t5)
        for key, runs in grouped(t5).items():
            yield _overhead(subject, key, runs)
        yield from _recall(subject)


def _fallback(subject: Subject, runs: list[Run]) -> Check:
    weekly, policy = subject.policies.weekly, subject.policies.t3
    bounds = [weekly.max_t3_fallback_rate] if weekly else []
    bounds += [policy.max_fallback_rate] if policy else []
    bound = min(bounds, default=_FALLBACK)
    wrong, missing, vacuous, highest = [], [], 0, 0.0
    for run in runs:
        rate, disabled = (
            run.metrics.get(f"t3_{key}") for key in ("fallback_rate", "policy_disabled")
        )
        if disabled:
            wrong.append(f"{run.key}: the selector was switched off")
        if disabled is None:
            missing.append(f"{run.key}: it is not recorded whether the selector was on")
        if rate is not None:
            highest = max(highest, rate)
            if rate > bound:
                wrong.append(f"{run.key}: fell back at a rate of {rate:.3g}, above {bound:.3g}")
        elif run.metrics.get("t3_vacuous"):
            vacuous += 1
        else:
            missing.append(f"{run.key}: no rate of falling back")
    return gathered(
        "t3_fallback_bound",
        f"falls back at a rate of at most {highest:.3g}, {bound:.3g} allowed; in {vacuous} of"
        f" {len(runs)} runs there was nothing to choose",
        failed=wrong,
        unknown=missing,
        remedy=_LOST if not wrong else "take the static choice until the variants are tuned again",
        observed={"max_t3_fallback_rate": highest, "vacuous": vacuous, "bound": bound},
    )


def _disables(subject: Subject, runs: list[Run]) -> Check:
    weekly = subject.policies.weekly
    bound = weekly.max_t5_disable_events_total if weekly else _DISABLES
    events = [run.metrics.get("t5_disable_events") for run in runs]
    total = sum(each for each in events if each is not None)
    reasons = {
        str(run.metrics.get("t5_disable_reason"))
        for run in runs
        if run.metrics.get("t5_disable_events")
    }
    wrong = [f"switched off {total} times, {bound} allowed: {', '.join(sorted(reasons))}"[:400]]
    missing = [
        f"{run.key}: {what} is not recorded"
        for run, each in zip(runs, events, strict=True)
        for what, lacks in (
            ("how often the guard was switched off", each is None),
            (
                "how much was checked",
                not subject.artifact.archived and not run.metrics.get("t5_checked"),
            ),
        )
        if lacks
    ]
    return gathered(
        "t5_disable_events_total_bound",
        f"switched off {total} times, {bound} allowed",
        failed=wrong if total > bound else (),
        unknown=missing,
        remedy=_LOST if total <= bound else "see the reason that the guard gives",
        observed={"t5_disable_events_total": total, "bound": bound},
    )


def _false_alarms(subject: Subject, runs: list[Run]) -> Check:
    policy = subject.policies.t5
    bound = policy.max_false_positive_rate if policy else MAX_FALSE_POSITIVES
    rates = [(run, run.metrics.get("t5_false_positive_rate")) for run in runs]
    known = [rate for _, rate in rates if rate is not None]
    return gathered(
        "t5_false_positive_bound",
        f"a share of at most {max(known, default=0):.3g} of the checks were false alarms,"
        f" {bound:.3g} allowed",
        failed=[
            f"{run.key}: a share of {rate:.3g} of the checks were false alarms, above {bound:.3g}"
            for run, rate in rates
            if rate is not None and rate > bound
        ],
        unknown=[f"{run.key}: no rate of false alarms" for run, rate in rates if rate is None],
        remedy=_LOST,
        observed={"max_t5_false_positive_rate": max(known, default=None), "bound": bound},
    )


def _overhead(subject: Subject, key: str, runs: list[Run]) -> Check:
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
            f" test it against {bound:g} %"
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


def _looked(subject: Subject, pairs: int) -> float:
    """The level: where pairs are added until they decide, each look has its part of it."""
    if subject.artifact.kind == "replay":
        return subject.level
    return levels.of_pairs(pairs, subject.attempt)


def _cost_remedy(subject: Subject, cost: Cost, pairs: int, bound: float) -> str:
    kind, found = subject.artifact.kind, cost.found
    if subject.artifact.archived:
        return _LOST
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
        None if wanted is None else math.ceil(wanted / PAIRS),
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


def _recall(subject: Subject) -> Iterator[Check]:
    policy = subject.policies.t5
    if policy is None:
        return
    if not subject.artifact.recall:
        yield check(
            "t5_recall_bound",
            UNKNOWN,
            "the policy asks for faults that are found, and none were injected",
            remedy="inject some: the campaign writes them to /recall of its artifact",
        )
    for row in subject.artifact.recall:
        key = f"{T5}:{row['size']}@{row['platform']}"
        for kind, bound in (("", policy.uniform_recall), ("critical_", policy.critical_recall)):
            if f"{kind}injections" in row:
                yield _found(subject, key, row[f"{kind}detected"], row[f"{kind}injections"], bound)


def _found(subject: Subject, key: str, detected: int, injected: int, bound: float) -> Check:
    if not 0 < injected >= detected:
        verdict, message = UNKNOWN, f"{detected} of {injected} faults found"
    else:
        found = share(detected, injected, subject.level)
        # A share of one is never certain: there it counts that nothing was missed.
        held = detected == injected if bound >= 1 else found.at_least(bound)
        verdict = verdict_of(held)
        message = f"{detected} of {injected} faults found, {spelled(found)} of at least {bound:g}"
    return check(
        "t5_recall_bound",
        verdict,
        message,
        key=key,
        remedy="inject more faults" if verdict is UNKNOWN else "check more often or more sharply",
        observed={"detected": detected, "injections": injected, "bound": bound},
    )
