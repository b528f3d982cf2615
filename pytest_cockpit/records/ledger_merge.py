"""Two ledgers that grew from one: the rows of one of them chained behind the other, and verified.

A row of kind `merged` stands between them. It names the last rows of both, so that the second
ledger can be made again from what follows it, byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from typing import Any

from pytest_cockpit.records import ledger_kinds
from pytest_cockpit.records.ledger_kinds import MERGED
from pytest_cockpit.records.ledger_rows import START, LedgerError, line_of, row_of
from pytest_cockpit.records.ledger_scan import lines_of
from pytest_cockpit.records.text import sha256

_KEYS = {"kind", "common", "first", "second", "seq", "prev"}
_MENTION = b'"kind":"merged"'


def merged(first: bytes, second: bytes) -> bytes:
    """The whole ledger `first` with the rows of `second` that it has not, behind a row about both.

    Where one holds all rows of the other already, the one that does.

    Raises
    ------
    LedgerError: they have nothing in common, so that they are no two sides of one ledger.
    """
    if holds(first, second):
        return first
    if holds(second, first):
        return second
    one, two = _lines(first), _lines(second)
    common = shared(first, second)
    if not common:
        raise LedgerError("the two ledgers have no row in common; keep one of them")
    about = {
        "kind": MERGED,
        "common": common,
        "first": {"rows": len(one), "head": sha256(one[-1])},
        "second": {"rows": len(two), "head": sha256(two[-1])},
    }
    row = line_of(about, len(one), sha256(one[-1]))
    return b"".join([*one, row, *_chained(two[common:], len(one) + 1, sha256(row))])


def shared(first: bytes, second: bytes) -> int:
    """How many rows two ledgers have in common."""
    one, two = _lines(first), _lines(second)
    pairs = enumerate(zip(one, two, strict=False))
    return next((n for n, (left, right) in pairs if left != right), min(len(one), len(two)))


def holds(data: bytes, before: bytes) -> bool:
    """Whether a ledger has all rows of another: where it begins, or merged into it."""
    return data.startswith(before) or any(
        b"".join(side).startswith(before) for side in _sides(_lines(data), 0)
    )


def fault(lines: Sequence[bytes], place: int) -> str | None:
    """Why the row of kind `merged` at this place does not tell the truth; None where it does.

    Parameters
    ----------
    lines: the ledger up to the last row that was merged, or further.
    place: the row's place, from 0.
    """
    row, _ = row_of(lines[place])
    if row is None or not ledger_kinds.fits(row) or row.keys() != _KEYS:
        return "has not the keys of its kind"
    prev = sha256(lines[place - 1]) if place else START
    if row["first"] != {"rows": place, "head": prev}:
        return "is not behind the last row of its first side"
    side = _side(lines, place, row)
    if side is None:
        return f"is not followed by the {count(row)} rows of its second side"
    if sha256(side[-1]) != row["second"]["head"]:
        return "is followed by other rows than those of its second side"
    for inner in _places(side, row["common"]):
        told = fault(side, inner)
        if told:
            return f"merged what was no merge: row {inner} of its second side {told}"
    return None


def count(row: Mapping[str, Any]) -> int:
    """How many rows behind one of kind `merged` are those of its second side."""
    number: int = row["second"]["rows"] - row["common"]
    return number


def _side(lines: Sequence[bytes], place: int, row: Mapping[str, Any]) -> list[bytes] | None:
    """The second side, chained as it was; None where there are not enough rows for it."""
    common, number = row["common"], count(row)
    copies = lines[place + 1 : place + 1 + number]
    if not 0 < common <= place or number < 1 or len(copies) < number:
        return None
    try:
        return [*lines[:common], *_chained(copies, common, sha256(lines[common - 1]))]
    except LedgerError:
        return None


def _sides(lines: Sequence[bytes], start: int) -> Iterator[list[bytes]]:
    """Every second side that was merged, and those that were merged into them before."""
    for place in _places(lines, start):
        row, _ = row_of(lines[place])
        if fault(lines, place) is None and row is not None:
            side = _side(lines, place, row)
            if side is not None:
                yield side
                yield from _sides(side, row["common"])


def _places(lines: Sequence[bytes], start: int) -> Iterator[int]:
    """Where rows of kind `merged` are; those among the rows of another's side are its own."""
    place = start
    while place < len(lines):
        if _MENTION in lines[place]:
            row, _ = row_of(lines[place])
            if row is not None and row["kind"] == MERGED:
                yield place
                place += max(count(row), 0) if ledger_kinds.fits(row) else 0
        place += 1


def _chained(lines: Sequence[bytes], seq: int, prev: str) -> Iterator[bytes]:
    """The rows of these lines, chained to another row than they were."""
    for line in lines:
        row, reason = row_of(line)
        if row is None:
            raise LedgerError(f"ledger row: {reason}; restore the ledger from git")
        content = {key: value for key, value in row.items() if key not in ("seq", "prev")}
        made = line_of(content, seq, prev)
        yield made
        seq, prev = seq + 1, sha256(made)


def _lines(data: bytes) -> list[bytes]:
    return list(lines_of(BytesIO(data)))
