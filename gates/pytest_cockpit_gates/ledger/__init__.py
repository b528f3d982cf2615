"""Ledger: what was promoted is recorded, and the record only ever grows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pytest_cockpit.api import JSON, Context, Gate, Proof, Report, Rule

_PATH: JSON = {
    "title": "path below the repository's root",
    "type": "string",
    "minLength": 1,
    "not": {"pattern": r"^/|(^|/)\.\.(/|$)|[\x00-\x1f]"},
}
_SETTINGS: JSON = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "path": _PATH,
        "formerly": {"type": "array", "items": _PATH},
        "bound": {"type": "array", "items": {**_PATH, "title": "glob of tracked files"}},
        "since": {
            "title": "whole commit id, which cannot be moved as a name can",
            "type": "string",
            "pattern": "^([0-9a-f]{40}|[0-9a-f]{64})$",
        },
        "published": {
            "type": "array",
            "items": {"title": "whole name of a ref", "type": "string", "pattern": "^refs/[!-~]+$"},
        },
        "keys": {
            "type": "array",
            "items": {
                "title": "name+hash+base64 or name ssh-type base64",
                "type": "string",
                "minLength": 1,
            },
        },
        "origin": {"title": "one line of text", "type": "string", "pattern": "^[^\\s].*$"},
        "clock_skew_s": {"type": "integer", "minimum": 0, "maximum": 86400},
    },
    "additionalProperties": False,
}


class Ledger:
    """The promotions' ledger: whole, complete and never rewritten, and files bound to it."""

    name = "ledger"
    summary = "the promotions' ledger is whole, records this batch, and was only added to"
    rules: Sequence[Rule] = (
        Rule("ledger.missing", "Where anything was promoted there is a ledger."),
        Rule("ledger.chain", "No row was edited, deleted, inserted, reordered or repeated."),
        Rule("ledger.torn", "The last line is whole."),
        Rule("ledger.row-schema", "A row has the keys of its kind."),
        Rule("ledger.time-regression", "No row is older than one above it."),
        Rule("ledger.rollback", "A rollback undoes a batch of the ledger, and each batch once."),
        Rule("ledger.rewritten", "Each commit's ledger begins with that of the commit before."),
        Rule("ledger.diverged", "A merge keeps the rows of both of its sides."),
        Rule("ledger.force-pushed", "A published branch keeps the rows it once had."),
        Rule("ledger.moved-tag", "A recorded tag leads where its row says."),
        Rule("ledger.laundered", "What was verified does not come back as unverified history."),
        Rule("ledger.epoch-changed", "Imported history is what it was when it was imported."),
        Rule("ledger.checkpoint", "The checkpoint's tree head is that of the ledger."),
        Rule("ledger.checkpoint-signature", "A configured key has signed the checkpoint."),
        Rule("ledger.unbound-change", "Every change of a bound file has a row with its digest."),
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
