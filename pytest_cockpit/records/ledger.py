"""Ledgers: append-only NDJSON files whose every row names the digest of the row before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pytest_cockpit.records.ledger_append import append
from pytest_cockpit.records.ledger_rows import START, Break, LedgerError, line_of
from pytest_cockpit.records.ledger_scan import Chain, Seen, walk
from pytest_cockpit.records.text import parse, sha256

__all__ = ["LOCK", "START", "Break", "LedgerError", "append", "extend", "head", "rows", "verify"]

LOCK = "cockpit/ledger.lock"
"""What writers of a tracked ledger take turns by, below git's common folder."""


def extend(existing: bytes, rows: Iterable[Mapping[str, Any]]) -> bytes:
    """`existing` with `rows` chained to its end.

    Raises
    ------
    LedgerError: the existing chain is broken, or a row is not fit for a ledger.
    """
    _demand_whole(existing)
    lines = _lines(existing)
    seq, prev = len(lines), sha256(lines[-1]) if lines else START
    added = []
    for row in rows:
        added.append(line_of(row, seq, prev))
        seq, prev = seq + 1, sha256(added[-1])
    return existing + b"".join(added)


def verify(data: bytes, head: str | None = None) -> list[Break]:
    """All places where the chain of `data` does not hold; [] when it is whole.

    Parameters
    ----------
    head: digest that the last row must have. The chain alone cannot tell a ledger from the same
        one with its last rows taken away or its last row changed; a digest kept elsewhere can.
    """
    chain = Chain()
    found = [seen.fault for seen in _seen(data, chain) if seen.fault]
    torn = bool(found) and found[-1].reason == "torn"
    if head is not None and chain.head != head and not torn:
        reason = "the last row is not the expected head"
        found.append(Break(chain.last(), max(chain.lines, 1), reason))
    return found


def rows(data: bytes) -> list[dict[str, Any]]:
    """The rows of a whole ledger; raises `LedgerError` when it is broken."""
    _demand_whole(data)
    return [parse(line) for line in _lines(data)]


def head(data: bytes) -> str:
    """The digest of the last whole row of `data`, or 64 zeros when there is none."""
    end = data.rfind(b"\n") + 1
    return sha256(data[data.rfind(b"\n", 0, end - 1) + 1 : end]) if end else START


def _seen(data: bytes, chain: Chain) -> Iterator[Seen]:
    torn = data[data.rfind(b"\n") + 1 :]
    return walk([*_lines(data), *([torn] if torn else [])], chain)


def _lines(data: bytes) -> list[bytes]:
    return [line + b"\n" for line in data.split(b"\n")[:-1]]


def _demand_whole(data: bytes) -> None:
    found = verify(data)
    if found:
        first, more = found[0], len(found) - 1
        rest = f" (and {more} more)" if more else ""
        raise LedgerError(
            f"ledger line {first.line}: seq {first.seq}: {first.reason}{rest};"
            " restore the ledger from git"
        )
