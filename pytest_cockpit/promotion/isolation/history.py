"""How many files of past batches were to blame, from what git holds and nothing else.

The ledger of promotions says how many files each merged batch moved, the trailers of its commit
which files of the batch it was the rest of were to blame. Two clones of a commit say the same. A
batch that was never sealed leaves nothing there: it is no trial, see `sizing`.
"""

from __future__ import annotations

from collections.abc import Iterator

from pytest_cockpit.api import CockpitError
from pytest_cockpit.config import Config
from pytest_cockpit.git import Repository
from pytest_cockpit.promotion.isolation.sizing import Past, Proposal, proposed_size
from pytest_cockpit.records import ledger

_UNIT, _RECORD = "\x1f", "\x1e"


def proposal(repository: Repository, config: Config, base: str) -> Proposal:
    """The size of the next batch that the history of `base` proposes, at most the configured."""
    return proposed_size(past(repository, base, config.ledger), config.batch.size)


def past(repository: Repository, base: str, where: str) -> tuple[Past, ...]:
    """The batches in the history of `base`, whose ledger of promotions is at `where`."""
    try:
        rows = ledger.rows(repository.blob(base, where) or b"")
    except CockpitError:
        # The ledger's own gate says what is wrong with it.
        return ()
    moved = {str(row["batch_id"]): len(row["moves"]) for row in rows if row["kind"] == "promotion"}
    blamed = dict(_blamed(repository, base)) if moved else {}
    return tuple(
        Past(files + blamed.get(batch, 0), blamed.get(batch, 0)) for batch, files in moved.items()
    )


def _blamed(repository: Repository, base: str) -> Iterator[tuple[str, int]]:
    """Batch id and number of culprits of each commit that is the rest of a red batch."""
    fields = (
        f"%(trailers:key={key},valueonly,separator={_UNIT})" for key in ("Batch-Id", "Culprit")
    )
    shown = repository.run(
        "log", "--grep=^Isolated-From: ", f"--format={_UNIT.join(('', *fields))}{_RECORD}", base
    )
    for record in shown.stdout.decode("utf-8", "replace").split(_RECORD)[:-1]:
        _, batch, *culprits = record.strip("\n").split(_UNIT)
        yield batch, len([path for path in culprits if path])
