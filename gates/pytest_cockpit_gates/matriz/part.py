"""What the gate is composed of: parts that each judge all contracts by rules of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pytest_cockpit.api import JSON, Case, Context, Evidence, Finding, Proof, Rule

if TYPE_CHECKING:
    from pytest_cockpit_gates.matriz.contracts import Contracts


@dataclass(frozen=True, slots=True)
class Part:
    """A part's share of the report.

    Parameters
    ----------
    checked: how many things were judged. A part with nothing to judge says 0, has no findings
        and has no bearing on the verdict.
    summary: half a sentence for the gate's summary; empty where there is nothing to say.
    """

    checked: int
    findings: tuple[Finding, ...] = ()
    cases: tuple[Case, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    summary: str = ""


class Judging(Protocol):
    """A module or package that judges contracts. Importing it must be cheap.

    It may also have `cases(context, contracts) -> Iterable[str]`: the names of the cases that
    `judge` will report, told without running anything. Iterating over `contracts` gives every
    document that is strict JSON, whether it keeps its schema or not: a part bears any shape.
    """

    @property
    def RULES(self) -> tuple[Rule, ...]:  # noqa: N802  # a module's constant
        """What the part's findings may name."""

    @property
    def SETTINGS(self) -> Mapping[str, JSON]:  # noqa: N802  # a module's constant
        """Key of the gate's table to the JSON Schema of its value; keys of no other part."""

    def judge(self, context: Context, contracts: Contracts) -> Part:
        """Judge all contracts."""

    def proofs(self) -> Iterable[Proof]:
        """Trees for every rule."""
