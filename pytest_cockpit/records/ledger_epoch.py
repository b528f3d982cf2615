"""Published history without a chain: imported once, marked as unverified, chained from there on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pytest_cockpit.records.ledger_kinds import CONTENT, EPOCH, KINDS
from pytest_cockpit.records.ledger_rows import LedgerError
from pytest_cockpit.records.text import parse, sha256

_SIGNS = (
    frozenset({"seq", "prev"}),
    frozenset({"batch_id", "plan_sha256"}),
    frozenset({"path", "sha256", "previous"}),
)
"""Keys that only rows of a chained ledger have, stripped of their chain or not."""


def chained(content: bytes) -> int | None:
    """The first line that is, or was, a row of a chained ledger; None where there is none.

    What was verified once may not come back as something that nobody vouches for.
    """
    for number, line in enumerate(content.split(b"\n"), 1):
        try:
            row = parse(line) if line.strip() else None
        except ValueError:
            continue
        if isinstance(row, dict) and _is_ours(row):
            return number
    return None


def row(files: Mapping[str, bytes], rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The row that imports these files into a ledger with these rows.

    Raises
    ------
    LedgerError: one of them was imported before, or holds what a verified row is about.
    """
    known = list(rows)
    imported = {
        key: each
        for each in known
        if each["kind"] == EPOCH
        for file in each["files"]
        for key in (file["path"], file["sha256"])
    }
    recorded = {each["path"]: each for each in known if each["kind"] == CONTENT}
    entries = []
    for path, content in files.items():
        entry = _entry(path, content)
        for key in (path, entry["sha256"]):
            if key in imported:
                raise LedgerError(f"{path}: imported before, by row {imported[key]['seq']}")
            imported[key] = {"seq": len(known)}
        if path in recorded:
            raise LedgerError(f"{path}: row {recorded[path]['seq']} is about it and was verified")
        line = chained(content)
        if line is not None:
            raise LedgerError(f"{path}:{line}: a row of a chained ledger; keep that ledger instead")
        entries.append(entry)
    return {"kind": EPOCH, "verified": False, "files": entries}


def _entry(path: str, content: bytes) -> dict[str, Any]:
    if not content.strip():
        raise LedgerError(f"{path}: holds no rows; leave it out")
    return {
        "path": path,
        "sha256": sha256(content),
        "bytes": len(content),
        "rows": sum(1 for _ in _filled(content)),
    }


def _filled(content: bytes) -> Iterator[bytes]:
    return (line for line in content.split(b"\n") if line.strip())


def _is_ours(row: Mapping[str, Any]) -> bool:
    kind = row.get("kind")
    named = isinstance(kind, str) and kind in KINDS
    return named or any(signs <= row.keys() for signs in _SIGNS)
