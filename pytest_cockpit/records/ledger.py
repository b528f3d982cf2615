"""Ledgers: append-only NDJSON files whose every row names the digest of the row before."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_cockpit.api import CockpitError
from pytest_cockpit.records import artifacts, schema
from pytest_cockpit.records.text import canonical_line, parse, sha256

START = "0" * 64
"""What the first row names as the digest of the row before it."""

_LOCK_SECONDS = 60.0
_POLL_SECONDS = 0.01
_BLOCK = 64 * 1024


class LedgerError(CockpitError):
    """A ledger that is broken, or a row that does not fit into one."""


@dataclass(frozen=True, slots=True)
class Break:
    """One place where a chain does not hold.

    `line` counts from 1; `seq` is the number the row bears, or should bear where it bears none.
    """

    seq: int
    line: int
    reason: str


def extend(existing: bytes, rows: Iterable[Mapping[str, Any]]) -> bytes:
    """`existing` with `rows` chained to its end.

    Raises
    ------
    LedgerError: the existing chain is broken, or a row is not fit for a ledger.
    """
    _demand_whole(existing)
    lines = _lines(existing)
    seq, prev = len(lines), sha256(lines[-1]) if lines else START
    added = []
    for row in rows:
        added.append(_chained(row, seq, prev))
        seq, prev = seq + 1, sha256(added[-1])
    return existing + b"".join(added)


def verify(data: bytes, head: str | None = None) -> list[Break]:
    """All places where the chain of `data` does not hold; [] when it is whole.

    Parameters
    ----------
    head: digest that the last row must have. The chain alone cannot tell a ledger from the same
        one with its last rows taken away or its last row changed; a digest kept elsewhere can.
    """
    return list(_breaks(data, head))


def rows(data: bytes) -> list[dict[str, Any]]:
    """The rows of a whole ledger; raises `LedgerError` when it is broken."""
    _demand_whole(data)
    return [parse(line) for line in _lines(data)]


def head(data: bytes) -> str:
    """The digest of the last whole row of `data`, or 64 zeros when there is none."""
    end = data.rfind(b"\n") + 1
    return sha256(data[data.rfind(b"\n", 0, end - 1) + 1 : end]) if end else START


def append(path: Path, row: Mapping[str, Any]) -> str:
    """Chain one row to the ledger at `path`, safely beside other writers; return its digest.

    A torn last line, left by a writer that was killed, is moved to `<path>.torn-<n>` and entered
    as a row of its own first.

    Raises
    ------
    LedgerError: the last row is broken, or `row` is not fit for a ledger.
    CockpitError: the file cannot be locked or written; nothing was added.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path):
            return _append(path, row)
    except TimeoutError as error:
        lock = artifacts.printable(f"{path}.lock")
        raise CockpitError(
            f"{lock}: held by another process for {_LOCK_SECONDS:.0f} s; wait for it or end it"
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
        line = _chained(note, seq, prev)
        # In one step, so that the tail is in the ledger's own records whenever it is not in the
        # ledger, wherever this process may be killed.
        artifacts.write_bytes(path, path.read_bytes()[: size - len(torn)] + line)
        seq, prev = seq + 1, sha256(line)
    line = _chained(row, seq, prev)
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


def _locked(path: Path) -> AbstractContextManager[object]:
    import filelock

    lock = filelock.FileLock(f"{path}.lock")
    return lock.acquire(timeout=_LOCK_SECONDS, poll_interval=_POLL_SECONDS)


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
    row, reason = _row(last)
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


def _chained(row: Mapping[str, Any], seq: int, prev: str) -> bytes:
    own = [key for key in ("seq", "prev") if key in row]
    if own:
        raise LedgerError(f"ledger row: {own[0]}: set by the ledger; leave it out")
    whole = {**row, "seq": seq, "prev": prev}
    errors = schema.problems(whole, "ledger-row")
    if errors:
        raise LedgerError("\n".join(f"ledger row: {error}" for error in errors))
    line = canonical_line(whole)
    read, reason = _row(line)
    if read is None:
        # Whole numbers that only floats can hold, for one, are written but cannot be read back.
        raise LedgerError(f"ledger row: {reason}; choose other values")
    return line


def _lines(data: bytes) -> list[bytes]:
    return [line + b"\n" for line in data.split(b"\n")[:-1]]


def _row(line: bytes) -> tuple[dict[str, Any] | None, str]:
    """The row of one whole line, or None and the reason why it is none."""
    try:
        row = parse(line)
        form = canonical_line(row)
    except (ValueError, CockpitError) as error:
        return None, f"not a JSON row ({error})"
    errors = schema.problems(row, "ledger-row")
    if errors:
        return None, f"not a ledger row ({errors[0]})"
    if form != line:
        return None, "not in canonical form"
    return row, ""


def _breaks(data: bytes, head: str | None) -> Iterator[Break]:
    seq, prev = 0, START
    lines = _lines(data)
    for number, line in enumerate(lines, 1):
        row, reason = _row(line)
        if row is None:
            yield Break(seq, number, reason)
        else:
            if row["seq"] != seq:
                yield Break(row["seq"], number, f"seq is {row['seq']}, expected {seq}")
            elif row["prev"] != prev:
                yield Break(seq, number, "prev is not the digest of the row before")
            seq = row["seq"]
        # What follows is judged against what stands here, so that one fault is one break.
        seq, prev = seq + 1, sha256(line)
    if not data.endswith(b"\n") and data:
        yield Break(seq, len(lines) + 1, "torn")
    elif head is not None and prev != head:
        yield Break(max(seq - 1, 0), max(len(lines), 1), "the last row is not the expected head")


def _demand_whole(data: bytes) -> None:
    found = verify(data)
    if found:
        first, more = found[0], len(found) - 1
        rest = f" (and {more} more)" if more else ""
        raise LedgerError(
            f"ledger line {first.line}: seq {first.seq}: {first.reason}{rest};"
            " restore the ledger from git"
        )
