"""The branch that is checked out."""

from __future__ import annotations

from pathlib import Path

from pytest_cockpit import process
from pytest_cockpit.api import CockpitError
from pytest_cockpit.records.text import one_line

_TIMEOUT_S = 30.0
_LONGEST = 400


def of(root: Path) -> str | None:
    """The branch of a work tree; None where none is checked out, or there is no git."""
    command = ["git", "symbolic-ref", "--short", "-q", "HEAD"]
    try:
        done = process.run(command, cwd=root, timeout=_TIMEOUT_S)
    except CockpitError:
        return None
    return one_line(done.stdout.decode("utf-8", "replace").strip())[:_LONGEST] or None
