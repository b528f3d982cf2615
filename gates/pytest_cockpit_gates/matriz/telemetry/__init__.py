"""What modules emit, against what their contracts declare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pytest_cockpit.api import JSON, Context, Proof
from pytest_cockpit_gates.matriz.contracts import Contracts
from pytest_cockpit_gates.matriz.part import Part
from pytest_cockpit_gates.matriz.telemetry.rules import RULES
from pytest_cockpit_gates.matriz.telemetry.settings import SCHEMA

__all__ = ["RULES", "SETTINGS", "cases", "judge", "proofs"]

SETTINGS: Mapping[str, JSON] = {"telemetry": SCHEMA}


def judge(context: Context, contracts: Contracts) -> Part:
    """Every telemetry block, and every smoke that is declared."""
    from pytest_cockpit_gates.matriz.telemetry import judging

    return judging.judge(context, contracts)


def cases(context: Context, contracts: Contracts) -> Iterable[str]:
    """Contracts whose smoke will be started."""
    from pytest_cockpit_gates.matriz.telemetry import judging

    return list(judging.cases(context, contracts))


def proofs() -> Iterable[Proof]:
    """Trees for every rule of this part."""
    from pytest_cockpit_gates.matriz.telemetry import proving

    return list(proving.proofs())
