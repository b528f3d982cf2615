"""Read the ledger: from where this clone had verified it to, or all of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pytest_cockpit.records.ledger_scan import Chain, lines_of, walk
from pytest_cockpit.records.merkle import EMPTY, Frontier
from pytest_cockpit_gates.ledger.held import Held
from pytest_cockpit_gates.ledger.memory import Memory
from pytest_cockpit_gates.ledger.rows import Facts, Reader


@dataclass(frozen=True, slots=True)
class Scan:
    """A ledger that was read to its end.

    `resumed` counts the lines that were verified before; `roots` are the tree heads at the sizes
    asked for, as far as the ledger reaches.
    """

    reader: Reader
    chain: Chain
    tree: Frontier
    resumed: int
    roots: dict[int, bytes]


def scan(
    held: Held,
    path: str,
    skew: float,
    batch: str | None,
    sizes: Iterable[int],
    memory: Memory | None,
) -> Scan:
    """Read the ledger on from the memory, or from its start where that does not suffice."""
    wanted = {size for size in sizes if size}
    if memory is not None:
        held.known.update(memory.blobs)
        # A tree head within what is remembered can only be one that is remembered, too.
        inside = {str(size) for size in wanted if size < memory.lines}
        if inside <= memory.roots.keys():
            found = _read(held, path, skew, batch, wanted, memory)
            if batch is None or len(found.reader.own) == 1:
                return found
    return _read(held, path, skew, batch, wanted, None)


def _read(
    held: Held,
    path: str,
    skew: float,
    batch: str | None,
    wanted: set[int],
    memory: Memory | None,
) -> Scan:
    if memory is None:
        facts, tree = Facts(), Frontier()
        chain, start, roots = Chain(tree=tree), 0, {0: EMPTY}
    else:
        facts, tree = Facts.from_json(memory.facts), memory.frontier()
        chain, start = Chain(memory.lines, memory.head, tree=tree), memory.size
        roots = {0: EMPTY} | {int(size): bytes.fromhex(root) for size, root in memory.roots.items()}
    resumed = chain.lines
    reader = Reader(path, facts, skew, batch)
    if tree.size in wanted:
        roots[tree.size] = tree.root()
    with held.stream(start) as stream:
        for seen in walk(lines_of(stream), chain):
            reader.take(seen)
            if tree.size in wanted:
                roots[tree.size] = tree.root()
    return Scan(reader, chain, tree, resumed, roots)
