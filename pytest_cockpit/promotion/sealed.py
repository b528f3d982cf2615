"""Batches that were sealed and merged, as the ledger and the history record them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_cockpit.api import CockpitError
from pytest_cockpit.git import Repository
from pytest_cockpit.records import ledger

PROMOTION = "promotion"
ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True)
class Sealed:
    """A batch in the history of a commit.

    Parameters
    ----------
    commit: the batch's own commit.
    parent: what it was built on.
    moves: source to target of each file, as the ledger spells them.
    later: source to target of what was promoted after it and not rolled back.
    """

    batch_id: str
    commit: str
    parent: str
    moves: Mapping[str, str]
    later: Mapping[str, str]


def find(repository: Repository, base: str, where: str, batch_id: str) -> Sealed:
    """The batch of this id in the history of `base`, whose ledger is at `where`.

    Raises
    ------
    CockpitError: there is no such batch, it was rolled back already, or its commit cannot be told
        from others.
    """
    rows = ledger.rows(repository.blob(base, where) or b"")
    undone = {row.get("rolls_back"): row["batch_id"] for row in rows if row["kind"] == ROLLBACK}
    promotions = [row for row in rows if row["kind"] == PROMOTION]
    own = next((row for row in promotions if row["batch_id"] == batch_id), None)
    if own is None:
        raise CockpitError(f"{batch_id}: {_unknown(where, batch_id, promotions)}")
    if batch_id in undone:
        raise CockpitError(f"{batch_id}: was rolled back already, by {undone[batch_id]}")
    commit = _commit(repository, base, where, batch_id)
    later = [row for row in promotions if row["seq"] > own["seq"] and row["batch_id"] not in undone]
    return Sealed(
        batch_id=batch_id,
        commit=commit,
        parent=repository.resolve(f"{commit}^"),
        moves=_moves([own]),
        later=_moves(later),
    )


def _moves(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {move["source"]: move["target"] for row in rows for move in row["moves"]}


def _unknown(where: str, batch_id: str, promotions: Sequence[Mapping[str, Any]]) -> str:
    known = [row["batch_id"] for row in promotions]
    near = [known_id for known_id in known if batch_id and known_id.startswith(batch_id)]
    if near:
        return f"is no whole id; did you mean {' or '.join(near)}?"
    if not known:
        return f"{where} records no batch at HEAD"
    return f"no batch of this id in {where} at HEAD; the last ones are {', '.join(known[-3:])}"


def _commit(repository: Repository, base: str, where: str, batch_id: str) -> str:
    """The commit that made the batch, which must hold nothing else."""
    trailer = f"Batch-Id: {batch_id}"
    found = repository.run(
        "log", "--format=%H", "--fixed-strings", f"--grep={trailer}", base, "--", where
    )
    for commit in found.stdout.decode().split():
        lines = repository.run("log", "-1", "--format=%P%n%B", commit).stdout.decode(
            "utf-8", "replace"
        )
        parents, *message = lines.splitlines()
        if trailer in message and len(parents.split()) == 1:
            entered = _ids(repository, commit, where) - _ids(repository, parents, where)
            if batch_id not in entered:
                # It only speaks of the batch.
                continue
            told = {line for line in message if line.startswith("Batch-Id: ")}
            if entered != {batch_id} or told != {trailer}:
                raise CockpitError(
                    f"{batch_id}: {commit[:12]} holds other batches as well; undo it by hand: "
                    f"git revert {commit[:12]}"
                )
            return commit
    raise CockpitError(
        f"{batch_id}: no commit of the history bears its trailer {trailer!r}; where its branch was "
        "squashed under another message, undo that commit by hand with git revert"
    )


def _ids(repository: Repository, commit: str, where: str) -> set[str]:
    """The batches and rollbacks that the ledger of a commit has."""
    rows = ledger.rows(repository.blob(commit, where) or b"")
    return {row["batch_id"] for row in rows if row["kind"] in (PROMOTION, ROLLBACK)}
