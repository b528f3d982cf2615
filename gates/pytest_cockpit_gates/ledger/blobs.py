"""Git's blob ids, worked out here: what a tree holds is not taken from what git says of it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from pytest_cockpit import process
from pytest_cockpit.api import CockpitError
from pytest_cockpit.records.ledger_content import blob_id

__all__ = ["blob_id", "differing"]


def differing(root: Path, expected: Mapping[str, str]) -> dict[str, str | None]:
    """Those of the paths whose file is not the expected blob: its id, or None where it is gone.

    A checkout may differ from its blob by line endings or filters; where the bytes differ, git
    is asked what it would store.
    """
    found = {path: _id_of(root / path, len(oid)) for path, oid in expected.items()}
    suspects = [path for path, oid in found.items() if oid is not None and oid != expected[path]]
    stored = _as_stored(root, suspects)
    ids = {path: stored.get(path, oid) for path, oid in found.items()}
    return {path: oid for path, oid in ids.items() if oid != expected[path]}


def _id_of(path: Path, length: int) -> str | None:
    try:
        return blob_id(_content(path), length)
    except OSError:
        return None


def _content(path: Path) -> bytes:
    if path.is_symlink():
        return os.fsencode(os.readlink(path))  # noqa: PTH115 - Path would tidy `./x` to `x`
    return path.read_bytes()


def _as_stored(root: Path, paths: Sequence[str]) -> dict[str, str]:
    """The ids git gives these files after its filters; {} where git cannot say."""
    askable = [path for path in paths if "\n" not in path and not (root / path).is_symlink()]
    if not askable:
        return {}
    names = b"".join(os.fsencode(path) + b"\n" for path in askable)
    try:
        done = process.run(["git", "hash-object", "--stdin-paths"], cwd=root, input=names)
    except CockpitError:
        return {}
    ids = done.stdout.decode("ascii", "replace").split()
    return dict(zip(askable, ids, strict=True)) if len(ids) == len(askable) else {}
