"""Whether the online selector and fault detection did what they are there for, at their price."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pytest_cockpit.estimation.shares import share
from pytest_cockpit_gates.gemm.abft.policy import STRICT
from pytest_cockpit_gates.gemm.compat.rows import T3, T5
from pytest_cockpit_gates.gemm.strict import checks_cost
from pytest_cockpit_gates.gemm.strict.model import Run, grouped
from pytest_cockpit_gates.gemm.strict.subject import (
    UNKNOWN,
    Subject,
    check,
    gathered,
    spelled,
    verdict_of,
)
from pytest_cockpit_gates.gemm.verdicts import Check

_FALLBACK, _DISABLES = 0.08, 0
"""What is tolerated where no policy says it."""
_T3 = ("fallback_rate", "policy_disabled", "disable_reason", "decisions", "fallbacks")
_LOST = "no telemetry is no evidence: measure again"
_INJECT = "measure again: --cockpit-replay and --cockpit-split inject some"
_ALARMS = (
    "see t5_detections of these rows; until no right result raises an alarm, measure without the"
    " guard (--cockpit-gemm-kernels), or allow them in its policy:"
    " runtime_guardrails.disable_if_false_positive_rate_gt"
)
_RETUNE = (
    "measure the variants again, which begins the selector anew: --cockpit-gemm-tune; or take the"
    " static choice: bootstrap.freeze_sizes of its policy"
)


def checks(subject: Subject) -> Iterator[Check]:
    """All of this module, for the rows that there are."""
    t3 = [run for run in subject.artifact.good if run.kernel == T3]
    t5 = [run for run in subject.artifact.good if run.kernel == T5]
    if t3:
        yield _fallback(subject, t3)
    if t5:
        yield _disables(subject, t5)
        yield _false_alarms(subject, t5)
        rows = grouped(t5)
        for key, runs in rows.items():
            yield checks_cost.overhead(subject, key, runs)
        yield from _recall(subject, rows)


def _fallback(subject: Subject, runs: list[Run]) -> Check:
    weekly, policy = subject.policies.weekly, subject.policies.t3
    bounds = [weekly.max_t3_fallback_rate] if weekly else []
    # Without a policy of its own the selector works by its usual one.
    bounds += [policy.max_fallback_rate if policy else _FALLBACK]
    bound = min(bounds)
    wrong, missing, vacuous, highest = [], [], 0, 0.0
    counts: dict[str, list[int]] = {}
    for run in runs:
        rate, disabled, reason, decisions, fallbacks = (run.metrics.get(f"t3_{key}") for key in _T3)
        if disabled:
            wrong.append(f"{run.key}: the selector was switched off{f': {reason}' * bool(reason)}")
        if disabled is None:
            missing.append(f"{run.key}: it is not recorded whether the selector was on")
        if rate is not None:
            highest = max(highest, rate)
            if decisions:
                counted = counts.setdefault(run.key, [0, 0])
                counted[0] += fallbacks or 0
                counted[1] += decisions
            elif rate > bound:
                wrong.append(f"{run.key}: fell back at a rate of {rate:.3g}, above {bound:.3g}")
        elif run.metrics.get("t3_vacuous"):
            vacuous += 1
        else:
            missing.append(f"{run.key}: no rate of falling back")
    above, unproven = _counted(counts, bound, subject.level)
    return gathered(
        "t3_fallback_bound",
        f"falls back at a rate of at most {highest:.3g}, {bound:.3g} allowed; in {vacuous} of"
        f" {len(runs)} runs there was nothing to choose",
        failed=[*wrong, *above],
        unknown=[*missing, *unproven],
        remedy=_RETUNE if wrong or above or unproven else _LOST,
        observed={"max_t3_fallback_rate": highest, "vacuous": vacuous, "bound": bound},
    )


def _counted(
    counts: dict[str, list[int]], bound: float, level: float
) -> tuple[list[str], list[str]]:
    """Rows that fell back too often beyond doubt, and those of which too few products say so."""
    above, unproven = [], []
    for key, (fell, of) in counts.items():
        told = f"{key}: fell back at {fell} of {of} products, a rate of {fell / of:.3g}"
        if share(fell, of, level).low > bound:
            above.append(f"{told}, surely above {bound:.3g}")
        elif fell > bound * of:
            unproven.append(f"{told}, above {bound:.3g}, which so few products do not prove")
    return above, unproven


def _disables(subject: Subject, runs: list[Run]) -> Check:
    weekly = subject.policies.weekly
    bound = weekly.max_t5_disable_events_total if weekly else _DISABLES
    events = [run.metrics.get("t5_disable_events") for run in runs]
    total = sum(each for each in events if each is not None)
    reasons = {
        str(run.metrics.get("t5_disable_reason") or "no reason is recorded")
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
    bound = (subject.policies.t5 or STRICT).max_false_positive_rate
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
        remedy=_LOST if max(known, default=0) <= bound else _ALARMS,
        observed={"max_t5_false_positive_rate": max(known, default=None), "bound": bound},
    )


def _recall(subject: Subject, rows: Mapping[str, list[Run]]) -> Iterator[Check]:
    """Whether enough faults are found in each of these rows.

    Without a policy of its own the guard is held to the strict one, by which it works then.
    """
    policy = subject.policies.t5 or STRICT
    injected = [(f"{T5}:{row['size']}@{row['platform']}", row) for row in subject.artifact.recall]
    for key in sorted(set(rows) - {key for key, _ in injected}):
        yield check(
            "t5_recall_bound",
            UNKNOWN,
            "faults have to be found, and none were injected",
            key=key,
            remedy=_INJECT,
        )
    for key, row in injected:
        for kind, bound in (("", policy.uniform_recall), ("critical_", policy.critical_recall)):
            if f"{kind}injections" in row:
                counts = row[f"{kind}detected"], row[f"{kind}injections"]
                share_of = _checked(rows.get(key, ()))
                yield _found(subject, key, kind, counts, bound, share_of)


def _checked(runs: Iterable[Run]) -> str:
    """What share of products the guard looked at, where that is not all of them."""
    runs = list(runs)
    period = max((run.metrics.get("t5_sampling_period") or 1 for run in runs), default=1)
    if period <= 1:
        return ""
    checked = sum(run.metrics.get("t5_checked") or 0 for run in runs)
    of = sum(len(run.times) for run in runs)
    return (
        f"; of {of} products {checked} were checked, every {period}th: faults in the others are not"
        " looked for"
    )


def _found(
    subject: Subject,
    key: str,
    kind: str,
    counts: tuple[int, int],
    bound: float,
    sampled: str,
) -> Check:
    detected, injected = counts
    told = 0 < injected >= detected
    if not told:
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
        f"{message}{sampled}",
        key=key,
        remedy=(
            "check more sharply: abft_mode.projection_count of the policy of the guard; or ask for"
            f" less: runtime_guardrails.disable_if_{kind or 'uniform_'}recall_lt"
            if told
            else _INJECT
        ),
        observed={"detected": detected, "injections": injected, "bound": bound},
    )
