"""Rows that say two ledgers were merged: what follows is all of the second and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_cockpit.api import Finding
from pytest_cockpit.records import ledger_merge
from pytest_cockpit.records.ledger_scan import lines_of
from pytest_cockpit_gates.ledger.held import Held
from pytest_cockpit_gates.ledger.history import DIVERGED


def judge(merges: Sequence[int], held: Held, path: str) -> Iterator[Finding]:
    """Findings about the rows of kind `merged` on these lines."""
    if not merges:
        return
    with held.stream() as stream:
        lines = list(lines_of(stream))
    for line in merges:
        told = ledger_merge.fault(lines, line - 1)
        if told:
            yield Finding(
                DIVERGED,
                f"a merge of two ledgers {told}",
                path=path,
                line=line,
                remedy="take the merge back with git and merge again: cockpit ledger merge",
            )
