"""Which Python files of a tree name the marker: where none does, no test of it can be in force."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from pytest_cockpit import process
from pytest_cockpit.quarantine.marks import MARKER

_LIST = ("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "*.py")


def python_files(root: Path) -> frozenset[str]:
    """Repository-relative paths of the Python files of a tree, those that git ignores left out."""
    listed = None
    # Below a folder that git ignores, git would list nothing: the tree must be a checkout itself.
    if (root / ".git").exists():
        done = process.run(
            ["git", "-c", "core.fsmonitor=false", *_LIST], cwd=root, env=process.environment()
        )
        listed = None if done.returncode else done.stdout
    if listed is None:
        return frozenset(_walked(root))
    return frozenset(os.fsdecode(name) for name in listed.split(b"\0") if name)


def naming(root: Path, files: Iterable[str]) -> frozenset[str]:
    """Those of these files that name it; a link is what it leads to, as it is to pytest."""
    return frozenset(path for path in files if _names_marker(root / path))


def _names_marker(path: Path) -> bool:
    try:
        return path.is_file() and MARKER.encode() in path.read_bytes()
    except OSError:
        return False


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
