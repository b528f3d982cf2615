"""What the ledger says of the lane's paths: which have left it, and which a rollback put back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pytest_cockpit.records import promotions

Row = Mapping[str, Any]


def promoted(rows: Iterable[Row]) -> dict[str, str]:
    """Where each file is that batches moved and no rollback has put back since."""
    return promotions.net(rows)


def restored(rows: Sequence[Row], known: int) -> dict[str, str]:
    """The blob that rollbacks put back at each path, by the rows that follow the first `known`.

    A row is believed as far as it undoes what a batch above it is recorded to have moved.
    """
    moved: dict[str, set[str]] = {}
    found: dict[str, str] = {}
    for number, row in enumerate(rows):
        moves = row.get("moves", ())
        if row["kind"] == "promotion":
            moved[str(row["batch_id"])] = {str(move["source"]) for move in moves}
        elif row["kind"] == "rollback" and number >= known:
            sources = moved.get(str(row["rolls_back"]), set())
            found |= {
                str(move["target"]): str(move["target_blob"])
                for move in moves
                if move["target"] in sources
            }
    return found
