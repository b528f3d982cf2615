"""What the ledger says of the lane's paths: which have left it, and which a rollback put back.

A row without the keys of its kind says nothing here; the ledger's own gate says so of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pytest_cockpit.records import promotions

Row = Mapping[str, Any]


def promoted(rows: Iterable[Row]) -> dict[str, str]:
    """Where each file is that batches moved and no rollback has put back since."""
    return promotions.net(row for row in rows if _is_sound(row))


def restored(rows: Sequence[Row], known: int) -> dict[str, str]:
    """The blob that rollbacks put back at each path, by the rows that follow the first `known`.

    A row is believed as far as it undoes what a batch above it is recorded to have moved.
    """
    moved: dict[str, set[str]] = {}
    found: dict[str, str] = {}
    for number, row in enumerate(rows):
        if not _is_sound(row):
            continue
        if row["kind"] == "promotion":
            moved[str(row.get("batch_id"))] = {move["source"] for move in row["moves"]}
        elif number >= known:
            sources = moved.get(str(row.get("rolls_back")), set())
            found |= {
                move["target"]: str(move.get("target_blob"))
                for move in row["moves"]
                if move["target"] in sources
            }
    return found


def _is_sound(row: Row) -> bool:
    """Whether this is the row of a batch or of a rollback, with moves that are some."""
    moves = row.get("moves")
    return (
        row.get("kind") in ("promotion", "rollback")
        and isinstance(moves, list)
        and all(
            isinstance(move, Mapping)
            and isinstance(move.get("source"), str)
            and isinstance(move.get("target"), str)
            for move in moves
        )
    )
