"""What a guard is told: how often it checks, how sharply, and when it has to be switched off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pytest_cockpit.api import CockpitError
from pytest_cockpit_gates.gemm.control.fields import Fields

_OTHERS = frozenset(
    {
        "policy_id",
        "status",
        "inherits_from",
        "scope",
        "stress_evidence",
        "rollback_defaults",
        "track",
        "promotion_gate",
    }
)
_REPLACED = (
    "row_samples",
    "col_samples",
    "faults_per_matrix_modelled",
    "residual_scale",
    "residual_margin",
    "residual_floor",
)
"""Keys of a check that samples rows by an empirical tolerance. This one looks at every row, by a
tolerance from the rounding of the product: they are read, reported, and change nothing."""

_RELATIVE = (
    "require_uniform_recall_delta_vs_baseline_ge",
    "max_overhead_delta_vs_baseline_percent",
)
"""Limits against another policy's campaign, which a guard at work knows nothing of."""

_MODE = frozenset({"sampling_period", "projection_count", *_REPLACED})
_GUARDRAILS = frozenset(
    {
        "disable_if_false_positive_rate_gt",
        "disable_if_effective_overhead_percent_gt",
        "disable_if_effective_overhead_percent_gt_hard",
        "disable_if_correctness_error_gt",
        "disable_if_uniform_recall_lt",
        "disable_if_critical_recall_lt",
        *_RELATIVE,
        "disable_after_consecutive_false_positive_violations",
        "disable_after_consecutive_overhead_violations",
        "stateful_hysteresis",
    }
)
_SECTIONS = {"abft_mode": _MODE, "runtime_guardrails": _GUARDRAILS}
_MOST_PROJECTIONS = 8


@dataclass(frozen=True, slots=True)
class T5Policy:
    """How a guard works.

    Parameters
    ----------
    name: id of the policy, for reports.
    sampling_period: every so many multiplications one is checked; 1 checks all.
    projections: random vectors of each check; a second one sees what cancels out in the first.
    max_false_positive_rate: share of checks that were false alarms.
    max_overhead_percent, hard_overhead_percent: added work by the product's own; the hard one
        switches off at once.
    max_error: absolute error of the result.
    false_positive_violations, overhead_violations: consecutive ones that switch it off.
    uniform_recall, critical_recall: shares of injected faults that are found, at least.
    hysteresis: count consecutive violations; without it the first one switches off.
    replaced: keys that were given and that this check has no use for.
    """

    name: str = "default"
    sampling_period: int = 1
    projections: int = 2
    max_false_positive_rate: float = 0.0
    max_overhead_percent: float = 3.0
    hard_overhead_percent: float = 5.0
    max_error: float = 1e-3
    false_positive_violations: int = 1
    overhead_violations: int = 3
    uniform_recall: float = 1.0
    critical_recall: float = 1.0
    hysteresis: bool = True
    replaced: tuple[str, ...] = ()


STRICT = T5Policy(name="strict")
"""What holds where no policy is named: everything is checked."""


def policy_of(data: Any, where: str = "T5 policy") -> T5Policy:
    """The policy of a JSON document, inheritance resolved; the strict one of None.

    Raises
    ------
    CockpitError: a key is unknown, or its value is none; key and place are named.
    """
    if data is None:
        return STRICT
    whole = Fields.of(data, where)
    parts = whole.parts(_SECTIONS, _OTHERS)
    mode, limits = parts["abft_mode"], parts["runtime_guardrails"]
    mode.numbers(_REPLACED)
    limits.numbers(_RELATIVE, low=-1e6)
    default = STRICT
    soft = limits.number(
        "disable_if_effective_overhead_percent_gt", default.max_overhead_percent, high=1e6
    )
    hard = limits.number(
        "disable_if_effective_overhead_percent_gt_hard",
        max(soft, default.hard_overhead_percent),
        high=1e6,
    )
    if hard < soft:
        raise CockpitError(
            f"{limits.where}: disable_if_effective_overhead_percent_gt_hard: {hard:g} is below the"
            f" soft limit {soft:g}; raise it"
        )
    return T5Policy(
        name=whole.text("policy_id", "unnamed"),
        sampling_period=mode.whole("sampling_period", 1, low=1),
        projections=mode.whole("projection_count", 2, low=1, high=_MOST_PROJECTIONS),
        max_false_positive_rate=limits.number(
            "disable_if_false_positive_rate_gt", default.max_false_positive_rate, high=1.0
        ),
        max_overhead_percent=soft,
        hard_overhead_percent=hard,
        max_error=limits.number("disable_if_correctness_error_gt", default.max_error),
        false_positive_violations=limits.whole(
            "disable_after_consecutive_false_positive_violations", 1, low=1
        ),
        overhead_violations=limits.whole("disable_after_consecutive_overhead_violations", 3, low=1),
        uniform_recall=limits.number("disable_if_uniform_recall_lt", 1.0, high=1.0),
        critical_recall=limits.number("disable_if_critical_recall_lt", 1.0, high=1.0),
        hysteresis=limits.flag("stateful_hysteresis", default=True),
        replaced=(
            *(f"abft_mode.{key}" for key in _REPLACED if key in mode.table),
            *(f"runtime_guardrails.{key}" for key in _RELATIVE if key in limits.table),
        ),
    )
