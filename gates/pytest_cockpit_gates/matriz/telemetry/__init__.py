"""What modules emit, against what their contracts declare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pytest_cockpit.api import JSON, Context, Proof, Rule
from pytest_cockpit_gates.matriz.contracts import Contracts
from pytest_cockpit_gates.matriz.part import Part

RULES: tuple[Rule, ...] = ()
SETTINGS: Mapping[str, JSON] = {}


def judge(context: Context, contracts: Contracts) -> Part:
    """Nothing is declared, so nothing is judged."""
    return Part(checked=0)


def proofs() -> Iterable[Proof]:
    """No rule, no proof."""
    return ()
