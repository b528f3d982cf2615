"""MATRIZ: every module's contract is valid, and the module keeps it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pytest_cockpit.api import JSON, Context, Gate, Proof, Report, Rule
from pytest_cockpit_gates.matriz.parts import PARTS

_SETTINGS: JSON = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {key: value for part in PARTS.values() for key, value in part.SETTINGS.items()},
    "additionalProperties": False,
}


class Matriz:
    """Contracts against their schema, and modules against their contracts."""

    name = "matriz"
    summary = "every module contract is valid JSON, keeps its schema, and names a module in place"
    rules: Sequence[Rule] = tuple(rule for part in PARTS.values() for rule in part.RULES)
    settings_schema = _SETTINGS

    def check(self, context: Context) -> Report:
        """Judge all contracts of the tree, in a batch too: they are cheap."""
        from pytest_cockpit_gates.matriz.judging import judge

        return judge(context)

    def cases(self, context: Context) -> Iterable[str]:
        """Names of the cases that `check` will report."""
        from pytest_cockpit_gates.matriz.judging import cases

        return list(cases(context))

    def not_applicable(self, context: Context) -> str | None:
        """Why this gate has nothing to judge in the tree; None when it has."""
        from pytest_cockpit_gates.matriz.judging import has_contracts

        return None if has_contracts(context) else "no module contracts in this repository"

    def proofs(self) -> Iterable[Proof]:
        """Trees for every rule."""
        return [proof for part in PARTS.values() for proof in part.proofs()]


gate: Gate = Matriz()
