"""Where waivers stand: the ledger of a checkout, and the days it can be dated by."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

from pytest_cockpit.api import CockpitError
from pytest_cockpit.git import Repository
from pytest_cockpit.records import artifacts


def place(root: Path, ledger: str) -> Path:
    """The ledger's file in a checkout.

    Raises
    ------
    CockpitError: a link leads elsewhere.
    """
    path = root / ledger
    if path.resolve() != root.resolve() / ledger:
        raise CockpitError(f"{ledger}: a link leads elsewhere; put a file of its own there")
    return path


def content(root: Path, ledger: str) -> bytes:
    """The ledger of a checkout; nothing where there is none.

    Raises
    ------
    CockpitError: it lies elsewhere, or cannot be read.
    """
    path = place(root, ledger)
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise artifacts.os_error(path, "cannot read", error) from error


def committed(repository: Repository, rev: str) -> date | None:
    """The day of a commit, or None where there is no such commit."""
    done = repository.run("log", "-1", "--format=%ct", rev, "--", check=False)
    seconds = done.stdout.strip()
    return datetime.fromtimestamp(int(seconds), UTC).date() if seconds.isdigit() else None
