"""What a selector is told: how much it may try, what it may lose, and when it has to stop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pytest_cockpit_gates.gemm.control.fields import Fields

_OTHERS = frozenset({"policy_id", "track", "status", "inherits_from", "scope", "stress_evidence"})
_SELECTOR = frozenset({"epsilon", "bootstrap_weight", "warmup_steps_per_context"})
_BOOTSTRAP = frozenset({"boundary_report_path", "min_delta_for_nonstatic", "freeze_sizes"})
_GUARDRAILS = frozenset(
    {
        "fallback_regression_limit",
        "disable_if_fallback_rate_gt",
        "disable_if_correctness_error_gt",
    }
)
_ROLLBACK = frozenset(
    {
        "default_kernel_mode",
        "force_static_on_guardrail_breach",
        "auto_disable_t3_on_correctness_guard",
        "auto_disable_t3_on_fallback_guard",
        "playbook_path",
    }
)
_CAMPAIGN = {
    "drift_guardrails": frozenset(
        {
            "max_t3_fallback_rate_under_pressure",
            "max_t3_p95_latency_delta_vs_auto_percent_under_pressure",
            "max_t3_throughput_drop_vs_cold_percent",
            "max_auto_throughput_drop_vs_cold_percent",
        }
    ),
    "promotion_gate": frozenset(
        {"min_t3_delta_vs_auto_percent_under_pressure", "max_correctness_failures"}
    ),
}
"""What a campaign is judged by; a selector at work only sees that they are numbers."""
_SECTIONS = {
    "selector_policy": _SELECTOR,
    "bootstrap": _BOOTSTRAP,
    "guardrails": _GUARDRAILS,
    "rollback_defaults": _ROLLBACK,
    **_CAMPAIGN,
}
_MOST = 1e6


@dataclass(frozen=True, slots=True)
class T3Policy:
    """How a selector works.

    Parameters
    ----------
    name: id of the policy, for reports.
    epsilon: share of products at which some variant is tried, whatever is known of it.
    prior_weight: how many pairs what is believed beforehand counts for.
    warmup: pairs of each variant before it may be served.
    min_gain_percent: what a variant has to be faster by, beyond doubt, before it is served.
    frozen: sizes at which only the static choice is taken.
    regression_limit: share by which a variant may be slower than the static choice.
    max_fallback_rate: share of products at which a variant that served lost by more than that.
    max_error: absolute error of a result.
    disable_on_correctness, disable_on_fallback: whether such a breach switches the selector off.
    force_static: whether a selector that is off takes the static choice; else it stays with what it
        had, and explores no more.
    """

    name: str = "default"
    epsilon: float = 0.04
    prior_weight: float = 3.0
    warmup: int = 2
    min_gain_percent: float = 3.0
    frozen: frozenset[int] = frozenset()
    regression_limit: float = 0.07
    max_fallback_rate: float = 0.08
    max_error: float = 1e-3
    disable_on_correctness: bool = True
    disable_on_fallback: bool = True
    force_static: bool = True


STRICT = T3Policy(name="strict")
"""What holds where no policy is named."""


def policy_of(data: Any, where: str = "T3 policy") -> T3Policy:
    """The policy of a JSON document, inheritance resolved; the strict one of None.

    Raises
    ------
    CockpitError: a key is unknown, or its value is none; key and place are named.
    """
    if data is None:
        return STRICT
    whole = Fields.of(data, where)
    parts = whole.parts(_SECTIONS, _OTHERS)
    selector, bootstrap = parts["selector_policy"], parts["bootstrap"]
    limits, rollback = parts["guardrails"], parts["rollback_defaults"]
    for name, keys in _CAMPAIGN.items():
        parts[name].numbers(keys, low=-_MOST)
    default = STRICT
    return T3Policy(
        name=whole.text("policy_id", "unnamed"),
        epsilon=selector.number("epsilon", default.epsilon, high=1.0),
        prior_weight=selector.number(
            "bootstrap_weight", default.prior_weight, low=0.01, high=_MOST
        ),
        warmup=selector.whole("warmup_steps_per_context", default.warmup, low=1, high=1000),
        min_gain_percent=bootstrap.number(
            "min_delta_for_nonstatic", default.min_gain_percent, high=_MOST
        ),
        frozen=bootstrap.sizes("freeze_sizes"),
        regression_limit=limits.number(
            "fallback_regression_limit", default.regression_limit, high=1.0
        ),
        max_fallback_rate=limits.number(
            "disable_if_fallback_rate_gt", default.max_fallback_rate, high=1.0
        ),
        max_error=limits.number("disable_if_correctness_error_gt", default.max_error),
        disable_on_correctness=rollback.flag("auto_disable_t3_on_correctness_guard", default=True),
        disable_on_fallback=rollback.flag("auto_disable_t3_on_fallback_guard", default=True),
        force_static=rollback.flag("force_static_on_guardrail_breach", default=True),
    )
