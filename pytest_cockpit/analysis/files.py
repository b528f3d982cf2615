"""The Python files of a folder: those that git knows or would add, or all on disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pytest_cockpit import process

_LIST = ("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "*.py")


def python_files(root: Path) -> frozenset[str]:
    """Paths of the Python files below `root`, those that git ignores left out."""
    # Below a folder that git ignores, git would list nothing: the tree must be a checkout itself.
    if (root / ".git").exists():
        listing = ["git", "-c", "core.fsmonitor=false", *_LIST]
        done = process.run(listing, cwd=root, env=process.environment())
        if not done.returncode:
            return frozenset(os.fsdecode(name) for name in done.stdout.split(b"\0") if name)
    return frozenset(_walked(root))


def _walked(root: Path) -> Iterator[str]:
    for folder, names, files in os.walk(root):
        here = Path(folder)
        names[:] = [
            name
            for name in names
            if not name.startswith(".") and not (here / name / "pyvenv.cfg").exists()
        ]
        for name in files:
            if name.endswith(".py"):
                yield (here / name).relative_to(root).as_posix()
