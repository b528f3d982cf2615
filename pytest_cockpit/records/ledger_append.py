"""Appending to a ledger: one writer at a time, one write for each row, nothing ever lost."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from pytest_cockpit.api import CockpitError
from pytest_cockpit.records import artifacts
from pytest_cockpit.records.ledger_rows import START, LedgerError, line_of, row_of
from pytest_cockpit.records.text import sha256

_LOCK_SECONDS = 60.0
_POLL_SECONDS = 0.01
_BLOCK = 64 * 1024


def append(path: Path, row: Mapping[str, Any], *, lock: Path | None = None) -> str:
    """Chain one row to the ledger at `path`, safely beside other writers; return its digest.

    A torn last line, left by a writer that was killed, is moved to `<path>.torn-<n>` and entered
    as a row of its own first.

    Parameters
    ----------
    lock: the file that its writers take turns by; `<path>.lock` when None. A ledger that git
        tracks has it elsewhere, or it would be one more untracked file.

    Raises
    ------
    LedgerError: the last row is broken, or `row` is not fit for a ledger.
    CockpitError: the file cannot be locked or written; nothing was added.
    """
    turns = lock or Path(f"{path}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        turns.parent.mkdir(parents=True, exist_ok=True)
        with _locked(turns):
            return _append(path, row)
    except TimeoutError as error:
        raise CockpitError(
            f"{artifacts.printable(str(turns))}: held by another process for "
            f"{_LOCK_SECONDS:.0f} s; wait for it or end it"
        ) from error
    except OSError as error:
        raise artifacts.os_error(path, "cannot append", error) from error


def _append(path: Path, row: Mapping[str, Any]) -> str:
    last, torn, size = _tail(path)
    seq, prev = _after(last, path)
    if torn:
        keep_aside = _kept_aside(path, torn)
        note = {
            "kind": "torn-tail",
            "sha256": sha256(torn),
            "length": len(torn),
            "file": artifacts.printable(keep_aside.name),
            **({"at": row["at"]} if "at" in row else {}),
        }
        line = line_of(note, seq, prev)
        # In one step, so that the tail is in the ledger's own records whenever it is not in the
        # ledger, wherever this process may be killed.
        artifacts.write_bytes(path, path.read_bytes()[: size - len(torn)] + line)
        seq, prev = seq + 1, sha256(line)
    line = line_of(row, seq, prev)
    _write_row(path, line)
    return sha256(line)


def _write_row(path: Path, line: bytes) -> None:
    fresh = not path.exists()
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        before = os.fstat(descriptor).st_size
        try:
            written = os.write(descriptor, line)
            if written < len(line):
                # A second write tells the reason of a short one: disk full, limit reached.
                written += os.write(descriptor, line[written:])
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, before)
            raise
    finally:
        os.close(descriptor)
    if fresh:
        artifacts.sync_folder(path.parent)


def _locked(turns: Path) -> AbstractContextManager[object]:
    import filelock

    return filelock.FileLock(turns).acquire(timeout=_LOCK_SECONDS, poll_interval=_POLL_SECONDS)


def _tail(path: Path) -> tuple[bytes, bytes, int]:
    """The last whole line, what follows it, and the size; reads only as much as that needs."""
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            found, start = b"", size
            while start and found.find(b"\n", found.find(b"\n") + 1) < 0:
                start = max(0, start - max(_BLOCK, len(found)))
                stream.seek(start)
                found = stream.read(size - start)
    except FileNotFoundError:
        return b"", b"", 0
    end = found.rfind(b"\n") + 1
    begin = found.rfind(b"\n", 0, max(end - 1, 0)) + 1
    return found[begin:end], found[end:], size


def _after(last: bytes, path: Path) -> tuple[int, str]:
    if not last:
        return 0, START
    row, reason = row_of(last)
    if row is None:
        where = artifacts.printable(str(path))
        raise LedgerError(f"{where}: last row: {reason}; restore the ledger from git")
    return row["seq"] + 1, sha256(last)


def _kept_aside(path: Path, torn: bytes) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.torn-{number}")).exists():
        if aside.read_bytes() == torn:
            return aside
        number += 1
    artifacts.write_bytes(aside, torn)
    return aside
