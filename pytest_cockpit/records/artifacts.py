"""Artifacts: JSON documents written whole or not at all, each answering to a schema."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pytest_cockpit.api import CockpitError
from pytest_cockpit.records.schema import problems
from pytest_cockpit.records.text import canonical, canonical_line, parse, printable, sha256

__all__ = [
    "canonical",
    "canonical_line",
    "os_error",
    "printable",
    "read",
    "sha256",
    "validate",
    "write",
    "write_bytes",
]

_SHOWN_ERRORS = 20
_PREFIX, _SUFFIX = ".cockpit-", ".tmp"

_REMEDIES = {
    errno.ENOSPC: "free some disk space",
    errno.EDQUOT: "free some of your disk quota",
    errno.EFBIG: "raise the file size limit",
    errno.EACCES: "make the folder and the file writable",
    errno.EPERM: "make the folder and the file writable",
    errno.EROFS: "choose a folder that is not mounted read-only",
    errno.ENOENT: "create it",
    errno.ENOTDIR: "remove the file that stands where a folder is needed",
    errno.EEXIST: "remove the file that stands where a folder is needed",
    errno.EISDIR: "remove the folder that stands where a file is needed",
}


def validate(data: Any, schema: str) -> list[str]:
    """All errors of `data` by the shipped schema of that name, each `pointer: message`."""
    return [str(problem) for problem in problems(data, schema)]


def write_bytes(path: Path, data: bytes) -> None:
    """Put `data` at `path` so that a reader, a crash or a full disk sees the old or the new file.

    Raises
    ------
    CockpitError: the file could not be written; the old one is intact.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _temporary(path.parent) as (name, descriptor):
            _keep_mode(descriptor, path)
            _write_all(descriptor, data)
            os.fsync(descriptor)
            name.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise os_error(path, "cannot write", error) from error


def write(path: Path, data: Any, schema: str | None = None) -> bytes:
    """Validate `data`, write its canonical form to `path` atomically and return the bytes."""
    if schema is not None:
        _demand(path, data, schema)
    content = canonical(data)
    write_bytes(path, content)
    return content


def read(path: Path, schema: str | None = None) -> Any:
    """The document at `path`.

    Raises
    ------
    CockpitError: it is missing, unreadable, not JSON, or not as the schema says.
    """
    try:
        data = parse(path.read_bytes())
    except OSError as error:
        raise os_error(path, "cannot read", error) from error
    except ValueError as error:
        where = printable(str(path))
        raise CockpitError(f"{where}: not JSON ({error}); remove it and run again") from error
    if schema is not None:
        _demand(path, data, schema)
    return data


def os_error(path: Path, what: str, error: OSError) -> CockpitError:
    """The expected error for an operating system's refusal, naming `path` and a remedy."""
    remedy = _REMEDIES.get(error.errno or 0, "check the folder")
    reason = error.strerror or type(error).__name__
    return CockpitError(f"{printable(str(path))}: {what} ({reason}); {remedy} and run again")


def sync_folder(folder: Path) -> None:
    """Make a change of names in `folder` last."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot sync folders; the file itself is already safe.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def _demand(path: Path, data: Any, schema: str) -> None:
    errors = validate(data, schema)
    if not errors:
        return
    where = printable(str(path))
    lines = [f"{where}: {error}" for error in errors[:_SHOWN_ERRORS]]
    if len(errors) > _SHOWN_ERRORS:
        lines.append(f"{where}: and {len(errors) - _SHOWN_ERRORS} more errors of this kind")
    raise CockpitError("\n".join(lines))


@contextlib.contextmanager
def _temporary(folder: Path) -> Iterator[tuple[Path, int]]:
    """A new file in `folder`, gone afterwards unless it was renamed."""
    _sweep(folder)
    path = folder / f"{_PREFIX}{secrets.token_hex(8)}{_SUFFIX}"
    descriptor = -1
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        # Another writer may sweep the file in the moment before it is locked.
        while descriptor < 0 or not os.fstat(descriptor).st_nlink:
            if descriptor >= 0:
                os.close(descriptor)
                descriptor = -1
            descriptor = os.open(path, flags, 0o666)
            # The lock dies with its process; a file without one is nobody's. Where there are no
            # locks, nothing is swept.
            with contextlib.suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield path, descriptor
    finally:
        path.unlink(missing_ok=True)
        if descriptor >= 0:
            os.close(descriptor)


def _sweep(folder: Path) -> None:
    """Remove what killed writers left in `folder`."""
    for path in folder.iterdir():
        if not (path.name.startswith(_PREFIX) and path.suffix == _SUFFIX):
            continue
        with contextlib.suppress(OSError), path.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()


def _keep_mode(descriptor: int, path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        mode = path.lstat().st_mode
        if stat.S_ISREG(mode):
            os.fchmod(descriptor, stat.S_IMODE(mode))


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
