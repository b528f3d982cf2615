"""What strict evaluation says: checks with verdicts, and the decision that follows from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_cockpit.api import Verdict

PROMOTE, ITERATE, STOP = "promote", "iterate", "stop"


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
    """All checks of an artifact, and the decision: promote, iterate or stop."""

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
