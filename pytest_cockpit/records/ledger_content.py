"""What files of a tree hold, as git stores them: what rows of kind `content` are about."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pytest_cockpit import process
from pytest_cockpit.api import CockpitError
from pytest_cockpit.records.ledger_git import Git
from pytest_cockpit.records.ledger_kinds import CONTENT
from pytest_cockpit.records.text import sha256

_ALGORITHMS = {40: "sha1", 64: "sha256"}


def blob_id(data: bytes | memoryview, length: int) -> str:
    """The id of a blob with this content, in the object format whose ids have this length."""
    digest = hashlib.new(_ALGORITHMS[length], usedforsecurity=False)
    digest.update(b"blob %d\0" % len(data))
    digest.update(data)
    return digest.hexdigest()


def linked(root: Path, path: str) -> bool:
    """Whether the file or a folder on the way to it is a link, which may lead anywhere."""
    parts = Path(path).parts
    return any((root / Path(*parts[: n + 1])).is_symlink() for n in range(len(parts)))


def of(root: Path, path: str) -> bytes | None:
    """The bytes of a file, or the text of a link; None where neither is there.

    A folder on the way that is a link may lead out of the repository, and is not followed.
    """
    place = root / path
    if linked(root, os.path.dirname(path)):  # noqa: PTH120 - Path would make `.` of nothing
        return None
    try:
        if place.is_symlink():
            return os.fsencode(os.readlink(place))  # noqa: PTH115 - Path would tidy `./x` to `x`
        return place.read_bytes() if place.is_file() else None
    except OSError:
        return None


def stored(root: Path, git: Git | None, path: str, expected: str | None) -> bytes | None:
    """What git stores of a file; None where it is not there.

    A checkout may differ from it by line endings or filters, so where the bytes are not the ones
    whose SHA-256 is expected, git is asked.
    """
    content = of(root, path)
    if content is None or git is None or sha256(content) == expected:
        return content
    try:
        return _filtered(root, git, path, content)
    except CockpitError:
        return content


def row(
    path: str, content: bytes | None, previous: str | None, base: str | None, length: int
) -> dict[str, Any]:
    """The row that says what a file has become; `length` is that of the repository's ids."""
    return {
        "kind": CONTENT,
        "path": path,
        "sha256": None if content is None else sha256(content),
        "blob": None if content is None else blob_id(content, length),
        "previous": previous,
        "base": base,
    }


def newest(rows: Iterable[Mapping[str, Any]]) -> dict[str, str | None]:
    """By path, the digest that the newest row about it gives."""
    return {each["path"]: each["sha256"] for each in rows if each["kind"] == CONTENT}


def _filtered(root: Path, git: Git, path: str, content: bytes) -> bytes:
    if "\n" in path or (root / path).is_symlink():
        return content
    argv = ["git", "hash-object", "--stdin-paths"]
    done = process.run(argv, cwd=root, input=os.fsencode(path) + b"\n")
    oid = done.stdout.decode("ascii", "replace").strip()
    if done.returncode or oid == blob_id(content, len(oid)):
        return content
    return git.read(oid)
