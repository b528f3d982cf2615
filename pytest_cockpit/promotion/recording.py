"""What a session that changes the tree enters in its records: baselines, ledger, log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from pytest_cockpit.api import CockpitError, Move
from pytest_cockpit.config import Config
from pytest_cockpit.promotion.transaction import Write
from pytest_cockpit.records import baselines, checkpoint, ledger, ledger_keys
from pytest_cockpit.records.signed_note import NoteError


def is_record(config: Config, path: str) -> bool:
    """Whether a path records what was done; records go on, whatever is undone."""
    own = (config.ledger, checkpoint.path_of(config.ledger), f"{config.artifacts}/promotion_log.md")
    return path in own or path.startswith(f"{config.records}/")


def writes(
    config: Config,
    paths: Iterable[str],
    content: Callable[[str], bytes],
    moves: Sequence[Move],
    row: Mapping[str, Any],
    entry: str,
) -> Iterator[Write]:
    """The records after a session.

    Parameters
    ----------
    paths: of the base commit's files.
    content: what the base commit has at a path; empty where it has nothing.
    row: the ledger's new row.
    entry: the log's new entry.
    """
    folder = baselines.path_of(config.records, "any").rpartition("/")[0]
    for path in paths:
        if path.startswith(f"{folder}/") and path.endswith(".json"):
            baseline = baselines.parse(content(path), path)
            yield Write(path, baselines.dump(baselines.renamed(baseline, moves)))
    yield from entered(config, content, [row])
    path = f"{config.artifacts}/promotion_log.md"
    yield Write(path, content(path) + entry.encode())


def entered(
    config: Config, content: Callable[[str], bytes], rows: Iterable[Mapping[str, Any]]
) -> Iterator[Write]:
    """The ledger with more rows, and its checkpoint taken further where there is one.

    Raises
    ------
    CockpitError: the ledger or its checkpoint is not sound.
    """
    path = config.ledger
    data = ledger.extend(content(path), rows)
    yield Write(path, data)
    yield from _checkpoint(config, checkpoint.path_of(path), content, data)


def _checkpoint(
    config: Config, path: str, content: Callable[[str], bytes], data: bytes
) -> Iterator[Write]:
    old = content(path)
    keys = config.gate.get("ledger", {}).get("keys", ())
    try:
        grown = checkpoint.refreshed(old, data, ledger_keys.key_file(), keys)
    except NoteError as error:
        raise CockpitError(
            f"{path}: {error}; see cockpit ledger verify, and restore what it names from git"
        ) from error
    if grown != old:
        yield Write(path, grown)
