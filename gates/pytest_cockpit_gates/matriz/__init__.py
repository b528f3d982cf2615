"""MATRIZ: every module's contract is valid, and names a module that is there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pytest_cockpit.api import JSON, Context, Gate, Proof, Report, Rule

_PATH = {
    "title": "path below the repository's root",
    "type": "string",
    "minLength": 1,
    "not": {"pattern": r"^/|(^|/)\.\.(/|$)|\x00"},
}
_PATTERNS = {"type": "array", "minItems": 1, "items": _PATH}
_SETTINGS: JSON = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "contracts": _PATTERNS,
        "exclude": _PATTERNS,
        "schema": _PATH,
        "schemas": {"type": "object", "minProperties": 1, "additionalProperties": _PATH},
        "module_missing": {"enum": ["error", "warning", "info"]},
    },
    "additionalProperties": False,
}


class Matriz:
    """Contracts against their schema, and against the modules of the tree."""

    name = "matriz"
    summary = "every module contract is valid JSON, keeps its schema, and names a module in place"
    rules: Sequence[Rule] = (
        Rule("matriz.invalid-json", "A contract is strict JSON in UTF-8: one value per key."),
        Rule("matriz.schema", "A contract keeps its schema."),
        Rule("matriz.schema-version", "A contract names a format version that a schema serves."),
        Rule("matriz.schema-invalid", "A schema is itself valid, and complete without a network."),
        Rule("matriz.schema-ambiguous", "One schema is found, or one is configured."),
        Rule("matriz.no-contracts", "There are contracts to judge."),
        Rule("matriz.module-missing", "A contract names a module of the tree."),
        Rule("matriz.stale-module", "A contract follows the module it names when that moves."),
        Rule("matriz.duplicate-module", "A module has one contract."),
    )
    settings_schema = _SETTINGS

    def check(self, context: Context) -> Report:
        """Judge all contracts of the tree, in a batch too: they are cheap."""
        from pytest_cockpit_gates.matriz.judging import judge

        return judge(context)

    def not_applicable(self, context: Context) -> str | None:
        """Why this gate has nothing to judge in the tree; None when it has."""
        from pytest_cockpit_gates.matriz.judging import has_contracts

        return None if has_contracts(context) else "no module contracts in this repository"

    def proofs(self) -> Iterable[Proof]:
        """Trees for every rule."""
        from pytest_cockpit_gates.matriz.proving import proofs

        return list(proofs())


gate: Gate = Matriz()
