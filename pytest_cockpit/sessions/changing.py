"""What phases want written: into the work tree, or as a commit on top of what they looked at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from pytest_cockpit.api import CockpitError
from pytest_cockpit.phases import Changes, Place
from pytest_cockpit.promotion import recording, transaction
from pytest_cockpit.promotion.transaction import Write
from pytest_cockpit.records import artifacts, ledger, ledger_content

_PATIENCE_S = 60.0
_STAGED = "refs/cockpit/staged"


def apply(place: Place, changes: Changes) -> list[str]:
    """Write changes into the work tree; return the paths that differ now.

    Every file is looked at before the first is written. The ledger comes last: a row that says
    what a file has become is never there before the file is.

    Raises
    ------
    CockpitError: a file is not as it is in the tree that the changes were made for, or cannot be
        written.
    """
    root = place.repository.root
    if not changes:
        return []
    lock = FileLock(place.repository.common_dir / ledger.LOCK)
    try:
        lock.acquire(timeout=_PATIENCE_S)
    except Timeout as error:
        raise CockpitError(
            f"{place.settings.ledger}: another process has been writing it for "
            f"{_PATIENCE_S:.0f} s; wait for it or end it"
        ) from error
    with lock:
        writes = list(_writes(place, changes))
        for write in writes:
            _demand_untouched(place, root, write)
        done = []
        for write in writes:
            if ledger_content.of(root, write.path) != write.content:
                artifacts.write_bytes(root / write.path, write.content)
                done.append(write.path)
        return done


def commit(place: Place, changes: Changes, *, message: str, ref: str) -> str:
    """Commit changes on top of `place.commit`, signed as the user's commits are; return its id.

    The private `ref` names it from then on, whatever it named before. Without changes it is an
    empty commit: what the phase found is in its message.
    """
    repository = place.repository
    writes = list(_writes(place, changes))
    built = transaction.build(repository, place.commit, writes, message=message, ref=_STAGED)
    made = transaction.recommit(repository, built, message=message)
    repository.update_ref(ref, made, repository.ref(ref) or "0" * len(made), "cockpit: phase")
    return made


def _writes(place: Place, changes: Changes) -> Iterator[Write]:
    for path, content in changes.files.items():
        entry = place.entries.get(path)
        yield Write(path, content, entry.mode if entry else "100644")
    if changes.rows:
        yield from recording.entered(
            place.settings, lambda path: place.read(path) or b"", changes.rows
        )


def _demand_untouched(place: Place, root: Path, write: Write) -> None:
    where = artifacts.printable(write.path)
    if ledger_content.linked(root, write.path):
        raise CockpitError(f"{where}: lies behind a symbolic link, which may lead anywhere")
    now = ledger_content.of(root, write.path)
    if now not in (place.read(write.path), write.content):
        raise CockpitError(
            f"{where}: was changed or is not tracked; commit it, or move it away, and run again"
        )
