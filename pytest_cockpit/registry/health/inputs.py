"""One input of a module's health: a value with its evidence, or why there is none."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NAMES = ("coverage", "tests", "contract", "imports", "documentation", "benchmarks")
"""The inputs, in the order of the configuration."""


class State(enum.StrEnum):
    """Whether there is a value."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not-applicable"


@dataclass(frozen=True, slots=True)
class Input:
    """One input.

    Parameters
    ----------
    value: from 0 to 1; None unless it is known.
    said: what was seen, in words.
    evidence: rows of the ledger, and files with their blobs.
    remedy: what would raise the value or make it known; empty where nothing would.
    """

    state: State
    value: float | None
    said: str
    evidence: tuple[Mapping[str, Any], ...] = ()
    remedy: str = ""


def known(value: float, said: str, *evidence: Mapping[str, Any], remedy: str = "") -> Input:
    """A value that the evidence gives."""
    # An exact 1 needs no remedy, whatever a rule would say of lesser values.
    rounded = near(value, 4)
    return Input(State.KNOWN, rounded, said, evidence, remedy if rounded < 1 else "")


def near(value: float, digits: int) -> float:
    """A share of so many digits; all or nothing only where it is."""
    least = 10**-digits
    return value if value in (0, 1) else min(max(round(value, digits), least), 1 - least)


def unknown(said: str, *evidence: Mapping[str, Any], remedy: str = "") -> Input:
    """No value, for want of evidence."""
    return Input(State.UNKNOWN, None, said, evidence, remedy)


def not_applicable(said: str, *evidence: Mapping[str, Any]) -> Input:
    """No value, for there is nothing to judge."""
    return Input(State.NOT_APPLICABLE, None, said, evidence)
