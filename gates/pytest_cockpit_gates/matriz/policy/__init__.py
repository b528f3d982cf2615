"""The authorization policy: unit tests, AuthZ cases, known traps, coverage, checksum."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from pytest_cockpit.api import JSON, Context, Proof
from pytest_cockpit_gates.matriz.part import Part
from pytest_cockpit_gates.matriz.policy.rules import RULES
from pytest_cockpit_gates.matriz.policy.settings import SCHEMA

__all__ = ["RULES", "SETTINGS", "cases", "judge", "proofs"]

if TYPE_CHECKING:
    from pytest_cockpit_gates.matriz.contracts import Contracts

SETTINGS: Mapping[str, JSON] = {"policy": SCHEMA}


def judge(context: Context, contracts: Contracts) -> Part:
    """Judge the policy and its cases, where there are any."""
    from pytest_cockpit_gates.matriz.policy.judging import judge as judged

    return judged(context, contracts)


def cases(context: Context, contracts: Contracts) -> Iterable[str]:
    """The names of the cases that `judge` reports."""
    from pytest_cockpit_gates.matriz.policy.judging import names

    return names(context, contracts)


def proofs() -> Iterable[Proof]:
    """Trees for every rule."""
    from pytest_cockpit_gates.matriz.policy.proving import proofs as proving

    return proving()
