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
from pytest_cockpit_gates.gemm.strict import levels
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

_FALLBACK, _OVERHEAD, _DISABLES = 0.08, 3.0, 0
"""What is tolerated where no policy says it."""
_LOST = "no telemetry is no evidence: measure again"


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
    weekly, policy = subject.policies.weekly, subject.policies.t5
    bounds = [weekly.max_t5_overhead_percent] if weekly else []
    bounds += [policy.max_overhead_percent] if policy else []
    bound = min(bounds, default=_OVERHEAD)
    rows = [pairs for run in runs if (pairs := run.metrics.get("t5_pairs"))]
    found = _added(rows, policy.sampling_period if policy else 1, subject.level)
    told = [each for run in runs if (each := run.metrics.get("t5_overhead_percent")) is not None]
    if found is None:
        recorded = f"on record: at most {max(told):.3g} %" if told else "nothing on record"
        message = (
            f"{recorded}; {sum(map(len, rows))} pairs with and without the guard are too few to"
            f" test it against {bound:g} %"
        )
    else:
        message = f"the guard costs {spelled(found, '%', 3)} of at most {bound:g} %"
    verdict = UNKNOWN if found is None else verdict_of(found.at_most(bound))
    return check(
        "t5_overhead_bound",
        verdict,
        message,
        key=key,
        remedy="measure more pairs" if verdict is UNKNOWN else "sample, or tune the guard",
        observed={"overhead_percent": as_json(found), "recorded": max(told, default=None)},
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
