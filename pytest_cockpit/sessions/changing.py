"""What phases want written: into the work tree, or as a commit on top of what they looked at."""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from pytest_cockpit.api import CockpitError
from pytest_cockpit.git import Repository
from pytest_cockpit.phases import Changes, Place
from pytest_cockpit.promotion import recording, transaction
from pytest_cockpit.promotion.transaction import Write
from pytest_cockpit.records import artifacts, checkpoint, ledger, ledger_content
from pytest_cockpit.records.text import count, one_line

_PATIENCE_S = 60.0
_SHOWN = 3
_STAGED = "refs/cockpit/staged"


def apply(place: Place, changes: Changes) -> list[str]:
    """Write changes into the work tree; return the paths that differ now.

    Every file is looked at before the first is written. The ledger comes last: a row that says
    what a file has become is never there before the file is. Where there are rows, what is going
    to be written is noted first, so that `finish` can complete what a kill cuts off.

    Raises
    ------
    CockpitError: a file is not as it is in the tree that the changes were made for, or cannot be
        written.
    """
    repository = place.repository
    root = repository.root
    if not changes:
        return []
    with _writing_ledger(repository):
        writes = list(_writes(place, changes))
        for write in writes:
            _demand_untouched(place, root, write)
        due = [write for write in writes if ledger_content.of(root, write.path) != write.content]
        journal = _journal(repository)
        if changes.rows:
            _note(journal, root, due)
        for write in due:
            artifacts.write_bytes(root / write.path, write.content)
        if changes.rows:
            journal.unlink()
        return [write.path for write in due]


def demand_committed(place: Place, paths: Iterable[str]) -> None:
    """Demand, before work goes on for long, that what is to be written afterwards may be.

    Raises
    ------
    CockpitError: the ledger, its checkpoint or one of the paths is not as in the place's tree.
    """
    root, entries = place.repository.root, place.entries
    records = (place.settings.ledger, checkpoint.path_of(place.settings.ledger))
    held = dict(place.read_all(wanted := list(dict.fromkeys((*records, *paths)))))
    # What is tracked as a link is never written; the ledger is, and may not be one.
    written = [path for path in wanted if path in records or path in held or path not in entries]
    changed = [
        path
        for path in written
        if ledger_content.linked(root, path) or ledger_content.of(root, path) != held.get(path)
    ]
    if changed:
        named = " ".join(shlex.quote(one_line(path)) for path in changed[:_SHOWN])
        more = f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
        raise CockpitError(
            f"{named}{more}: changed or not tracked, and would be written in the end; commit them "
            "(git add … && git commit) and run again"
        )


def finish(repository: Repository) -> list[str]:
    """Complete what a killed `apply` had begun to write; return what is to be said of that.

    A file that is neither as it was nor as it was to become is somebody's: then all is left as
    it is. Where every file is as it was, nothing is written either.

    Raises
    ------
    CockpitError: a file cannot be written; the next session tries again.
    """
    journal = _journal(repository)
    if not journal.exists():
        return []
    root = repository.root
    with _writing_ledger(repository):
        noted = artifacts.read(journal)["files"]
        done: list[tuple[str, bytes]] = []
        due: list[tuple[str, bytes]] = []
        others: list[tuple[str, bytes]] = []
        for row in noted:
            path = os.fsdecode(_bytes(row["path"]))
            now = _state(root, path)
            sort = done if now == row["after"] else due if now == row["before"] else others
            sort.append((path, _bytes(row["content"])))
        if done and not others:
            for path, content in due:
                artifacts.write_bytes(root / path, content)
        journal.unlink()
    if not done or len(done) == len(noted):
        return []
    begun = f"cockpit: a session was cut off after {len(done)} of {count(len(noted), 'file')}"
    if others:
        where = one_line(others[0][0])
        return [f"{begun}; {where} was changed since, so the others are left as they are"]
    return [f"{begun}; the rest was written now: look at them and commit them"]


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


@contextlib.contextmanager
def _writing_ledger(repository: Repository) -> Iterator[None]:
    """Nobody else writes the ledger meanwhile."""
    place = repository.common_dir / ledger.LOCK
    lock = FileLock(place)
    try:
        lock.acquire(timeout=_PATIENCE_S)
    except Timeout as error:
        raise CockpitError(
            f"{place}: another process has been writing the ledger for {_PATIENCE_S:.0f} s; wait "
            "for it or end it"
        ) from error
    with lock:
        yield


def _journal(repository: Repository) -> Path:
    return repository.git_dir() / "cockpit" / "apply.json"


def _note(journal: Path, root: Path, due: Iterable[Write]) -> None:
    rows = [
        {
            "path": _text(os.fsencode(write.path)),
            "before": _state(root, write.path),
            "after": artifacts.sha256(write.content),
            "content": _text(write.content),
        }
        for write in due
    ]
    artifacts.write(journal, {"files": rows})


def _text(data: bytes) -> str:
    """Any bytes as text that JSON can hold."""
    return data.decode("latin-1")


def _bytes(text: str) -> bytes:
    return text.encode("latin-1")


def _state(root: Path, path: str) -> str | None:
    """The digest of a file; None where there is none."""
    if ledger_content.linked(root, path):
        return "a link"
    content = ledger_content.of(root, path)
    return None if content is None else artifacts.sha256(content)


def _demand_untouched(place: Place, root: Path, write: Write) -> None:
    where = one_line(write.path)
    if ledger_content.linked(root, write.path):
        raise CockpitError(f"{where}: lies behind a symbolic link, which may lead anywhere")
    now = ledger_content.of(root, write.path)
    if now not in (place.read(write.path), write.content):
        raise CockpitError(
            f"{where}: was changed or is not tracked; commit it, or move it away, and run again"
        )
