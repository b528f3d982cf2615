"""What checks look at, and how they say what they saw."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_cockpit.api import Verdict
from pytest_cockpit.estimation.intervals import Interval
from pytest_cockpit.records.text import one_line
from pytest_cockpit_gates.gemm.strict import levels
from pytest_cockpit_gates.gemm.strict.demands import Demands
from pytest_cockpit_gates.gemm.strict.model import Artifact
from pytest_cockpit_gates.gemm.strict.names import CHECKS
from pytest_cockpit_gates.gemm.strict.policies import Policies
from pytest_cockpit_gates.gemm.verdicts import Check

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Subject:
    """An artifact, and what it is held to.

    Parameters
    ----------
    baseline: None where there is none; `baseline_problems` says what was wrong with one that could
        not be read, and `baseline_unsound` what of one that could is not what it says: by check.
    """

    artifact: Artifact
    policies: Policies
    demands: Demands
    baseline: Artifact | None = None
    baseline_problems: tuple[str, ...] = ()
    baseline_unsound: Mapping[str, str] = field(default_factory=dict)

    @property
    def attempt(self) -> int:
        """The how manieth run of its plan it is, by whoever says more."""
        return max(self.demands.attempt, self.artifact.attempt)

    @property
    def level(self) -> float:
        """The level of one comparison."""
        return levels.of_attempt(self.attempt)


def check(
    name: str,
    verdict: Verdict,
    message: str,
    *,
    key: str = "",
    remedy: str = "",
    observed: Mapping[str, Any] | None = None,
) -> Check:
    """A check of that name, with its rule; what artifacts say is shown on one line.

    What is green needs no remedy, and has none.
    """
    line, place = one_line(message), one_line(key)
    told = "" if verdict is PASS else one_line(remedy)
    return Check(name, CHECKS[name], verdict, line, place, observed or {}, told)


def gathered(
    name: str,
    good: str,
    *,
    failed: Iterable[str] = (),
    unknown: Iterable[str] = (),
    remedy: str = "",
    observed: Mapping[str, Any] | None = None,
) -> Check:
    """One check of many things: red for what is wrong, unknown for what is missing."""
    wrong, missing = list(failed), list(unknown)
    verdict = FAIL if wrong else UNKNOWN if missing else PASS
    seen = {"problems": [*wrong, *missing][:20]} if wrong or missing else {}
    return check(
        name,
        verdict,
        some([*wrong, *missing]) or good,
        remedy=remedy,
        observed={**(observed or {}), **seen},
    )


def some(texts: list[str]) -> str:
    """The first few texts, and how many there are besides."""
    shown = "; ".join(texts[:_SHOWN])
    more = len(texts) - _SHOWN
    return f"{shown}; and {more} more" if more > 0 else shown


def verdict_of(held: bool | None) -> Verdict:
    """Of a bound that holds, does not, or may not."""
    return UNKNOWN if held is None else PASS if held else FAIL


def as_json(interval: Interval | None) -> dict[str, float | None] | None:
    """An interval for documents; an end that is not finite is none."""
    if interval is None:
        return None
    ends = {"low": interval.low, "estimate": interval.estimate, "high": interval.high}
    return {name: end if abs(end) < float("inf") else None for name, end in ends.items()}


def spelled(interval: Interval, unit: str = "", digits: int = 4) -> str:
    """`883.2 [870.1, 894.5] GFLOPS`."""
    low, middle, high = (
        f"{end:.{digits}g}" for end in (interval.low, interval.estimate, interval.high)
    )
    return f"{middle} [{low}, {high}]{f' {unit}' if unit else ''}"
