"""The running batch against its row: the plan, the moves, and what the moved files hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_cockpit.api import Context, Finding
from pytest_cockpit.records.artifacts import printable
from pytest_cockpit_gates.ledger.blobs import differing
from pytest_cockpit_gates.ledger.rows import Row

ROW = "ledger.batch-row-missing"
BLOB = "ledger.blob-mismatch"

_REMEDY = "discard the batch and promote again"
_SHOWN = 5


def judge(own: Sequence[Row], context: Context, path: str) -> Iterator[Finding]:
    """Findings about `own`, the rows of `context.batch_id`."""
    if len(own) != 1:
        seen = "no row" if not own else f"{len(own)} rows"
        line = own[-1].line if own else None
        message = f"{seen} of batch {context.batch_id}, expected one"
        yield Finding(ROW, message, path=path, line=line, remedy=_REMEDY)
    for row in own:
        yield from _facts(row, context, path)
        yield from _moves(row, context, path)
        yield from _blobs(row, context, path)


def _facts(row: Row, context: Context, path: str) -> Iterator[Finding]:
    for key, expected in (("plan_sha256", context.plan_sha256), ("base", context.base)):
        found = row.content.get(key)
        if expected is not None and found != expected:
            yield Finding(
                ROW,
                f"{key} is {found}, this batch has {expected}",
                path=path,
                line=row.line,
                remedy=_REMEDY,
            )


def _moves(row: Row, context: Context, path: str) -> Iterator[Finding]:
    recorded = Counter(
        (str(move.get("source")), str(move.get("target")), str(move.get("source_blob")))
        for move in _recorded(row)
    )
    done = Counter(
        (printable(move.source), printable(move.target), move.blob) for move in context.moves
    )
    for difference, message in (
        (done - recorded, "moved but not recorded"),
        (recorded - done, "recorded but not moved"),
    ):
        if difference:
            triples = sorted(difference.elements())
            named = ", ".join(f"{source} → {target}" for source, target, _ in triples[:_SHOWN])
            more = f" and {len(triples) - _SHOWN} more" if len(triples) > _SHOWN else ""
            yield Finding(
                ROW,
                f"{message}: {named}{more}",
                path=path,
                line=row.line,
                remedy=_REMEDY,
                evidence={"moves": triples},
            )


def _blobs(row: Row, context: Context, path: str) -> Iterator[Finding]:
    # A row holds printable paths; the batch knows what the files are really called.
    names = {printable(move.target): move.target for move in context.moves}
    expected = {
        names[str(move.get("target"))]: str(move.get("target_blob"))
        for move in _recorded(row)
        if str(move.get("target")) in names and _is_id(move.get("target_blob"))
    }
    for target, found in sorted(differing(context.root, expected).items()):
        state = f"is blob {found}" if found else "is not there"
        yield Finding(
            BLOB,
            f"{state}, {path} line {row.line} says {expected[target]}",
            path=target,
            remedy=_REMEDY,
            evidence={"recorded": expected[target], "found": found},
        )


def _recorded(row: Row) -> list[Mapping[str, Any]]:
    moves = row.content.get("moves")
    return [move for move in moves if isinstance(move, dict)] if isinstance(moves, list) else []


def _is_id(value: object) -> bool:
    return isinstance(value, str) and len(value) in (40, 64)
