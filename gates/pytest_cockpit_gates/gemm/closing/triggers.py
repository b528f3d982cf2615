"""Triggers of an SLA: names such as `t5_overhead_percent_gt_3.0`, read as what they say."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_cockpit.records.wording import meant

UPPER, LOWER = "gt", "lt"


@dataclass(frozen=True, slots=True)
class Metric:
    """A number that a trigger can be about.

    Parameters
    ----------
    observed: what the observations of those checks call it, by itself or with its interval.
    checks: the checks that fail by it.
    guardrail: what a policy calls its bound; empty where policies have none.
    bad: `gt` where too much of it is bad, `lt` where too little is.
    absolute: its size counts, whatever its sign.
    """

    observed: tuple[str, ...]
    checks: tuple[str, ...]
    guardrail: str = ""
    bad: str = UPPER
    absolute: bool = False


METRICS: Mapping[str, Metric] = {
    "correctness_error": Metric(
        ("max_correctness_error",),
        ("correctness_error_bound", "correctness_bound_all_runs"),
        "max_correctness_error",
    ),
    "t3_fallback_rate": Metric(
        ("max_t3_fallback_rate",), ("t3_fallback_bound",), "max_t3_fallback_rate"
    ),
    "t5_disable_events_total": Metric(
        ("t5_disable_events_total",),
        ("t5_disable_events_total_bound",),
        "max_t5_disable_events_total",
    ),
    "t5_overhead_percent": Metric(
        ("max_t5_overhead_percent", "overhead_percent"),
        ("t5_overhead_bound", "t5_overhead_soft_limit", "t5_overhead_hard_limit"),
        "max_t5_overhead_percent",
    ),
    "t5_false_positive_rate": Metric(
        ("max_t5_false_positive_rate",),
        ("t5_false_positive_bound",),
        "max_t5_false_positive_rate",
    ),
    "abs_throughput_drift_percent": Metric(
        ("max_abs_throughput_drift_percent", "drift_percent"),
        ("throughput_drift_abs_bound", "drift_abs_percent_bounded"),
        "max_abs_throughput_drift_percent",
        absolute=True,
    ),
    "p95_drift_percent": Metric(
        ("max_p95_drift_percent", "drift_percent"), ("p95_drift_bound",), "max_p95_drift_percent"
    ),
}
"""Every number that a trigger can be about, but for the ratio of two platforms."""

MISSING_SIZE, ALL_GREEN = "missing_required_split_size", "all_checks_promote"
EVENTS: Mapping[str, tuple[str, ...]] = {
    MISSING_SIZE: (
        "required_sizes_present_on_split",
        "platform_split_present",
        "platform_split_clover_and_rusticl",
    ),
    ALL_GREEN: (),
}
"""Every trigger without a number, and the checks that fail by it."""

_TRIGGER = re.compile(
    r"(?P<metric>[a-z0-9][a-z0-9_-]*)_(?P<sign>gt|lt)_"
    r"(?P<bound>-?[0-9]{1,18}(?:\.[0-9]{1,18})?(?:[eE][+-]?[0-9]{1,3})?)"
)
_RATIO = re.compile(r"([a-z][a-z0-9-]{0,31})_ratio_vs_([a-z][a-z0-9-]{0,31})")


@dataclass(frozen=True, slots=True)
class Trigger:
    """What makes a level of severity apply.

    Parameters
    ----------
    text: as the SLA writes it.
    checks: the checks whose failure it is.
    metric: the number it is about; None of an event.
    bound: beyond which it fires, in the metric's unit.
    pair: candidate and fallback, where it is about the ratio of two platforms.
    """

    text: str
    checks: tuple[str, ...]
    metric: Metric | None = None
    bound: float = 0.0
    pair: tuple[str, str] | None = None

    def fired(self, observed: Mapping[str, Any]) -> bool | None:
        """Whether it fires by what a check has observed; None where that does not tell.

        A number that is none (NaN, infinite) fires whatever the bound; an interval fires when all
        of it lies beyond.
        """
        if self.metric is None:
            return None
        found = [_ends(observed[key]) for key in self.metric.observed if key in observed]
        if not found or found[0] is None:
            return None
        low, high = found[0]
        if not (math.isfinite(low) and math.isfinite(high)):
            return True
        if self.metric.bad == LOWER:
            return _told(high < self.bound, low >= self.bound)
        beyond = low > self.bound or (self.metric.absolute and high < -self.bound)
        within = high <= self.bound and (not self.metric.absolute or low >= -self.bound)
        return _told(beyond, within)


def _told(beyond: bool, within: bool) -> bool | None:
    return True if beyond else False if within else None


def _ends(value: Any) -> tuple[float, float] | None:
    """The ends of an interval, or a number twice."""
    both = (value.get("low"), value.get("high")) if isinstance(value, Mapping) else (value, value)
    ends = [float(it) for it in both if isinstance(it, int | float) and not isinstance(it, bool)]
    return (ends[0], ends[1]) if len(ends) == len(both) else None


def parse(text: str) -> Trigger:
    """The trigger that a text of an SLA names.

    Raises
    ------
    ValueError: it names none; the message says what would.
    """
    if text in EVENTS:
        return Trigger(text, EVENTS[text])
    found = _TRIGGER.fullmatch(text)
    if found is None:
        known = [*EVENTS, *(f"{name}_{metric.bad}_NUMBER" for name, metric in METRICS.items())]
        raise ValueError(
            f"no trigger{meant(text, known)}; expected one of {', '.join(EVENTS)}, "
            "or METRIC_gt_NUMBER or METRIC_lt_NUMBER"
        )
    name, bound = found["metric"], float(found["bound"])
    pair = _RATIO.fullmatch(name)
    metric = ratio(*pair.groups()) if pair else METRICS.get(name)
    if metric is None:
        known = [*METRICS, "CANDIDATE_ratio_vs_FALLBACK"]
        raise ValueError(f"no metric {name}{meant(name, known)}; known are {', '.join(known)}")
    if not math.isfinite(bound):
        raise ValueError("its bound is beyond all numbers")
    if found["sign"] != metric.bad:
        raise ValueError(f"it would fire where all is well; write {name}_{metric.bad}_NUMBER")
    return Trigger(text, metric.checks, metric, bound, (pair[1], pair[2]) if pair else None)


def ratio(candidate: str, fallback: str) -> Metric:
    """The throughput of the one platform over that of the other."""
    named = f"{candidate}_ratio_vs_{fallback}"
    return Metric(
        (f"min_{named}", "ratio"),
        (named, "rusticl_ratio_vs_clover", "rusticl_peak_ratio_min"),
        f"min_{candidate}_ratio",
        LOWER,
    )
