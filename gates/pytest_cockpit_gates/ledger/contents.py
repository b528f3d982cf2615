"""What files of the tree hold, as git stores them."""

from __future__ import annotations

import os
from pathlib import Path

from pytest_cockpit import process
from pytest_cockpit.api import CockpitError
from pytest_cockpit.records.ledger_git import Git
from pytest_cockpit.records.text import sha256
from pytest_cockpit_gates.ledger.blobs import blob_id
from pytest_cockpit_gates.ledger.held import linked


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
    expected, git is asked.
    """
    content = of(root, path)
    if content is None or git is None or sha256(content) == expected or "\n" in path:
        return content
    try:
        done = process.run(
            ["git", "hash-object", "--stdin-paths"],
            cwd=root,
            input=os.fsencode(path) + b"\n",
        )
        oid = done.stdout.decode("ascii", "replace").strip()
        if done.returncode or (root / path).is_symlink() or oid == blob_id(content, len(oid)):
            return content
        return git.read(oid)
    except CockpitError:
        return content
