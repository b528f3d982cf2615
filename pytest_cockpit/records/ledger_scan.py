"""A ledger's chain, verified as it is read: bounded memory whatever the ledger's size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import IO, Any, NamedTuple

from pytest_cockpit.records.ledger_rows import START, Break, row_of
from pytest_cockpit.records.merkle import Frontier, leaf

_BLOCK = 1 << 20


class Seen(NamedTuple):
    """One line: its number from 1, its row where it is one, and where the chain breaks."""

    line: int
    row: dict[str, Any] | None
    fault: Break | None


class Chain:
    """How far a ledger was read: the number and digest the next row must name.

    Parameters
    ----------
    lines: whole lines read before, with `head` the digest of the last of them.
    tree: also keep the Merkle tree of the lines.
    """

    def __init__(self, lines: int = 0, head: str = START, *, tree: Frontier | None = None) -> None:
        self.lines = lines
        self.head = head
        self.tree = tree
        self._seq = lines

    def read(self, line: bytes) -> Seen:
        """Take the next whole line."""
        self.lines += 1
        row, reason = row_of(line)
        fault = Break(self._seq, self.lines, reason) if row is None else self._misplaced(row)
        if row is not None:
            self._seq = row["seq"]
        # What follows is judged against what stands here, so that one fault is one break.
        self._seq += 1
        self.head = sha256(line).hexdigest()
        if self.tree is not None:
            self.tree.add(leaf(line))
        return Seen(self.lines, row, fault)

    def torn(self) -> Break:
        """The break that a last line without an end is."""
        return Break(self._seq, self.lines + 1, "torn")

    def last(self) -> int:
        """The number of the last row read."""
        return max(self._seq - 1, 0)

    def _misplaced(self, row: dict[str, Any]) -> Break | None:
        if row["seq"] != self._seq:
            return Break(row["seq"], self.lines, f"seq is {row['seq']}, expected {self._seq}")
        if row["prev"] != self.head:
            return Break(self._seq, self.lines, "prev is not the digest of the row before")
        return None


def walk(lines: Iterable[bytes], chain: Chain) -> Iterator[Seen]:
    """Every line as it is read; a last one without an end is a break of its own."""
    for line in lines:
        if line.endswith(b"\n"):
            yield chain.read(line)
        else:
            yield Seen(chain.lines + 1, None, chain.torn())


def lines_of(stream: IO[bytes]) -> Iterator[bytes]:
    """The lines of a stream with their line breaks; the last one may have none."""
    rest = b""
    while block := stream.read(_BLOCK):
        *whole, rest = (rest + block).split(b"\n")
        yield from [line + b"\n" for line in whole]
    if rest:
        yield rest
