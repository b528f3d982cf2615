"""Which commit brought a freeze: what the history of the ledger says of a tag."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pytest_cockpit.api import CockpitError
from pytest_cockpit.config import Config
from pytest_cockpit.freeze.manifest import ROW
from pytest_cockpit.git import Repository
from pytest_cockpit.records.text import parse

_CHAIN = ("seq", "prev")
_KIND = b'"kind":"freeze"'


def places(settings: Config) -> list[str]:
    """Where the ledger is, and where it was before."""
    former = settings.gate.get("ledger", {}).get("formerly", ())
    return [settings.ledger, *(str(path) for path in former)]


def row_at(
    repository: Repository, commit: str, paths: Iterable[str], name: str
) -> dict[str, Any] | None:
    """The row of a tag's freeze in the ledger of a commit; None where it has none.

    Raises
    ------
    CockpitError: it has two such rows.
    """
    for path in paths:
        data = repository.blob(commit, path)
        if data is not None:
            found = rows_of(data, name)
            if len(found) > 1:
                raise CockpitError(f"{path}: {len(found)} rows of a freeze {name} at {commit[:12]}")
            return found[0] if found else None
    return None


def rows_of(data: bytes, name: str) -> list[dict[str, Any]]:
    """The rows of a tag's freezes in a ledger, whether its chain holds or not.

    A row in another form than the one that ledgers have is none.
    """
    lines = (line for line in data.split(b"\n") if _KIND in line)
    found = filter(None, map(_read, lines))
    return [row for row in found if row.get("kind") == ROW and row.get("tag") == name]


def _read(line: bytes) -> dict[str, Any] | None:
    try:
        row = parse(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def content(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row without its place in the chain, which a merge of two ledgers changes."""
    return {key: value for key, value in row.items() if key not in _CHAIN}


def brought(repository: Repository, head: str, paths: Sequence[str], name: str) -> list[str]:
    """The commits that `head` stands upon and that brought a row of the tag's freeze.

    Raises
    ------
    CockpitError: one of them has two such rows.
    """
    told = json.dumps(name, ensure_ascii=False)
    words = ("log", "--full-history", "--format=%H %P", f'-S"tag":{told}', head, "--", *paths)
    rows = repository.run("--literal-pathspecs", *words).stdout.decode("ascii").splitlines()
    found = []
    for row in rows:
        commit, *parents = row.split()
        has = row_at(repository, commit, paths, name) is not None
        if has and not any(row_at(repository, parent, paths, name) for parent in parents):
            found.append(commit)
    return found
