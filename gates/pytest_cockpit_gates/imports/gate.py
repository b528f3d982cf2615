"""The gate `imports`: every touched module, imported alone in a process of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pytest_cockpit.api import JSON, Context, Proof, Report, Rule
from pytest_cockpit_gates.imports.rules import RULES
from pytest_cockpit_gates.imports.settings import SCHEMA


class ImportsGate:
    """Import health: static facts of all files, and a real import of the judged modules."""

    name = "imports"
    summary = "every judged module can be imported, from the tree and under its old name too"
    rules: Sequence[Rule] = RULES
    settings_schema: Mapping[str, Any] = SCHEMA

    def check(self, context: Context) -> Report:
        """Import what the batch touched, or all of production, and read the files."""
        from pytest_cockpit_gates.imports.check import check

        return check(context)

    def baseline(self, context: Context) -> Mapping[str, Any] | None:
        """Content of the baseline that tolerates what fails today; None if there is no module."""
        from pytest_cockpit_gates.imports.check import measure

        measured = measure(context)
        if not measured.meta["modules"]:
            return None
        return {"entries": dict(measured.entries), "meta": dict(measured.meta)}

    def cases(self, context: Context) -> Iterable[str]:
        """One case for each import-linter contract of the repository."""
        if not context.settings.get("contracts", True):
            return []
        from pytest_cockpit_gates.imports.contracts import configured

        return [f"contract:{name}" for name in configured(context.root)[1]]

    def join(self, mine: JSON, theirs: JSON) -> JSON:
        """The least baseline that is at least as tight as both."""
        from pytest_cockpit_gates.imports.ratchet import join

        return join(mine, theirs)

    def bounds(self, document: JSON) -> dict[str, Any]:
        """What of a baseline binds: all of its entries but the words of an error."""
        return {
            path: {key: value for key, value in entry.items() if key != "message"}
            for path, entry in document["entries"].items()
        }

    def proofs(self) -> Iterable[Proof]:
        """One tree for each rule, and some that are accepted."""
        from pytest_cockpit_gates.imports.proofs import PROOFS

        return PROOFS


gate = ImportsGate()
