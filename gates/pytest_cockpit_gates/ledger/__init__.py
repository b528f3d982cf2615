"""Ledger: what was promoted is recorded, and the record only ever grows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pytest_cockpit.api import JSON, Context, Gate, Proof, Report, Rule

_SETTINGS: JSON = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "path": {
            "title": "path below the repository's root",
            "type": "string",
            "minLength": 1,
            "not": {"pattern": r"^/|(^|/)\.\.(/|$)|[\x00-\x1f]"},
        }
    },
    "additionalProperties": False,
}


class Ledger:
    """The promotions' ledger: whole, complete and never rewritten."""

    name = "ledger"
    summary = "the promotions' ledger is whole, records this batch, and was only added to"
    rules: Sequence[Rule] = (
        Rule("ledger.missing", "Where anything was promoted there is a ledger."),
        Rule("ledger.chain", "No row was edited, deleted, inserted, reordered or repeated."),
        Rule("ledger.torn", "The last line is whole."),
        Rule("ledger.row-schema", "A row has the keys of its kind."),
        Rule("ledger.rewritten", "The base commit's ledger is where this one begins."),
        Rule("ledger.batch-row-missing", "One row records this batch's plan and its moves."),
        Rule("ledger.blob-mismatch", "A moved file holds what the row of its batch says."),
    )
    settings_schema = _SETTINGS

    def check(self, context: Context) -> Report:
        """Judge the ledger of the tree; in a batch, also against the batch."""
        from pytest_cockpit_gates.ledger.judging import judge

        return judge(context)

    def proofs(self) -> Iterable[Proof]:
        """Trees for every rule."""
        from pytest_cockpit_gates.ledger.proving import proofs

        return list(proofs())


gate: Gate = Ledger()
