"""Which of the files that a phase wants written the ledger speaks of, and what it says of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_cockpit.phases import Place
from pytest_cockpit.records import globs, ledger_content
from pytest_cockpit.records.text import sha256


def rows(place: Place, files: Mapping[str, bytes]) -> Iterator[dict[str, Any]]:
    """Rows of kind `content` for those of the files that have one or that `bound` names."""
    if not files:
        return
    bound: Sequence[str] = place.settings.gate.get("ledger", {}).get("bound", ())
    newest = ledger_content.newest(place.rows)
    told = [path for path in sorted(files) if path in newest or globs.matches(path, bound)]
    before = {path: sha256(content) for path, content in place.read_all(told)} | newest
    for path in told:
        base = place.commit
        yield ledger_content.row(path, files[path], before.get(path), base, len(base))
