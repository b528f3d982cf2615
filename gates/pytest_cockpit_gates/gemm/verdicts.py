"""What strict evaluation says: checks with verdicts, and the decision that follows from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_cockpit.api import Verdict

PROMOTE, ITERATE, STOP, DROP = "promote", "iterate", "stop", "drop"

_WRONG = "gemm.correctness"


@dataclass(frozen=True, slots=True)
class Check:
    """One check of an evaluation.

    Parameters
    ----------
    name: stable between runs; `correctness_error_bound`.
    rule: id of the gate's rule that it belongs to; `gemm.correctness`.
    verdict: `PASS`, `FAIL` or `UNKNOWN`.
    message: one line, with numbers, units and bounds.
    key: what it is about: `kernel:size@platform`, or empty.
    observed: JSON-able values it was computed from.
    remedy: what to do when it is not green.
    """

    name: str
    rule: str
    verdict: Verdict
    message: str
    key: str = ""
    observed: Mapping[str, Any] = field(default_factory=dict)
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All checks of an artifact, and the decision: promote, iterate, stop or drop."""

    checks: tuple[Check, ...]
    decision: str
    observed: Mapping[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """The worst of the checks; of none it is unknown."""
        return Verdict.worst(check.verdict for check in self.checks)

    @property
    def red(self) -> tuple[Check, ...]:
        """The checks that are not green, in their order."""
        return tuple(check for check in self.checks if not check.verdict.opens)


def decided(checks: Iterable[Check], kind: str, *, rolled_back: bool) -> str:
    """What checks come to: promote, iterate, stop or drop.

    By wrong results a replay stops, and a split drops the platform that it was to show. Anything
    else that is not green, or was taken back, is done again.

    Parameters
    ----------
    kind: of the artifact; `replay`, `split` or `gate`.
    """
    made = list(checks)
    if any(each.rule == _WRONG and each.verdict is Verdict.FAIL for each in made):
        return DROP if kind == "split" else STOP
    green = all(each.verdict.opens for each in made)
    return PROMOTE if green and not rolled_back else ITERATE
