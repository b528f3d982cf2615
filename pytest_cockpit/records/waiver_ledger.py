"""Where waivers stand: the ledger of a checkout, and the days it can be dated by."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

from pytest_cockpit.api import CockpitError
from pytest_cockpit.git import GitError, Repository
from pytest_cockpit.records import artifacts, waivers
from pytest_cockpit.records.waivers import Book


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


def standing(root: Path, ledger: str, base: str | None, own: bytes | None) -> tuple[Book, date]:
    """The waivers that count for a tree, and the day to judge them by.

    Parameters
    ----------
    base: the commit that the tree is compared with.
    own: the tree's ledger, whose waivers count if it goes on from the base commit's; None for a
        tree that is judged by the waivers of its base alone.
    """
    try:
        repository = Repository.discover(root)
    except GitError:
        repository = None
    before, day = b"", None
    if repository is not None:
        before = (repository.blob(base, ledger) or b"") if base is not None else b""
        day = committed(repository, base or "HEAD")
    book = waivers.read(before) if own is None else waivers.read(own, base=before)
    return book, waivers.latest(datetime.now(UTC), book.written, day)
