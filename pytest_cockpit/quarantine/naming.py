"""Which Python files of a tree name the marker: where none does, no test of it can be in force."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pytest_cockpit.quarantine.marks import MARKER


def naming(root: Path, files: Iterable[str]) -> frozenset[str]:
    """Those of these files that name it; a link is what it leads to, as it is to pytest."""
    return frozenset(path for path in files if _names_marker(root / path))


def _names_marker(path: Path) -> bool:
    try:
        return path.is_file() and MARKER.encode() in path.read_bytes()
    except OSError:
        return False
