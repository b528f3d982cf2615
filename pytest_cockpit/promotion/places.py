"""Where the private tree of a repository lies: outside of it, where the user alone can write.

Not below `.git`, nor below any hidden folder that can be avoided: test suites leave such paths out
and would have nothing to look at. Nor below a folder that everybody can write to, as /var/tmp is:
pytest, git, npm and others look for their settings in the folders above, and find what another
user has put there.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout

from pytest_cockpit.api import CockpitError
from pytest_cockpit.records import artifacts

VARIABLE = "COCKPIT_CACHE"
"""Environment variable with an absolute folder to use instead of the one for the user's caches."""

LOCK = "tree.lock"

_NAME = "pytest-cockpit"
_REPOSITORY = "repository"
_DIGITS = 16
# What was kept below `.git/cockpit` beside things that still are.
_OURS = ("tree", "tree.index", "tree.index.lock", "tree.index.part", ".git")


@dataclass(frozen=True, slots=True)
class Place:
    """The folder that holds a repository's private tree; `why` it is no better one, or empty."""

    folder: Path
    why: str = ""


def of(common_dir: Path) -> Place:
    """The place for the tree of the repository with this git directory, made where it is not."""
    key = hashlib.sha256(os.fsencode(common_dir)).hexdigest()[:_DIGITS]
    reasons = []
    for base in _bases():
        try:
            _own(base)
            folder = base / key
            _own(folder)
            note = folder / _REPOSITORY
            if not note.is_file():
                artifacts.write_bytes(note, os.fsencode(common_dir) + b"\n")
        except (OSError, CockpitError, _Unfit) as error:
            said = error.strerror if isinstance(error, OSError) else None
            reasons.append(f"{base}: {said or error}")
        else:
            return Place(folder)
    why = f"no cache folder can be used ({'; '.join(reasons)}); name one in {VARIABLE}"
    return Place(common_dir / "cockpit", why)


def foreseen(common_dir: Path) -> Path:
    """A folder that is there, on the disk that the tree will lie on. Nothing is made for it."""
    for base in _bases():
        if base.is_absolute():
            return next(folder for folder in (base, *base.parents) if folder.is_dir())
    return common_dir


def tidy(place: Place, common_dir: Path) -> None:
    """Remove trees of repositories that are gone, and one that an earlier version kept in git's."""
    old = common_dir / "cockpit"
    if place.folder == old:
        return
    if (old / "tree").exists():
        _clear(old, [old / name for name in _OURS])
    for folder in _listed(place.folder.parent):
        with contextlib.suppress(OSError):
            note = folder / _REPOSITORY
            if len(folder.name) == _DIGITS and not os.path.lexists(
                os.fsdecode(note.read_bytes().removesuffix(b"\n"))
            ):
                _clear(folder, [folder])


def remove(path: Path) -> None:
    """Remove a file, a symlink or a whole folder, whatever its permissions are."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    path.chmod(stat.S_IRWXU)
    for folder, names, _ in os.walk(path):
        for name in names:
            below = Path(folder, name)
            if not below.is_symlink():
                below.chmod(stat.S_IRWXU)
    shutil.rmtree(path)


class _Unfit(Exception):
    """A folder that is not safe to use; the text says why."""


def _bases() -> Iterator[Path]:
    named = os.environ.get(VARIABLE)
    if named:
        yield Path(named) / _NAME
        return
    places = [platformdirs.user_cache_path(_NAME, appauthor=False)]
    if os.geteuid() == 0:
        places.append(platformdirs.site_cache_path(_NAME, appauthor=False))
    yield from sorted(places, key=_is_hidden)


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _own(folder: Path) -> None:
    """Make `folder`, or see that it is this user's alone."""
    if not folder.is_absolute():
        raise _Unfit("is no absolute path")
    folder.mkdir(mode=stat.S_IRWXU, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise _Unfit("is a link, not a folder")
    if found.st_uid != os.geteuid():
        raise _Unfit("belongs to another user")
    if stat.S_IMODE(found.st_mode) != stat.S_IRWXU:
        folder.chmod(stat.S_IRWXU)
    if not os.environ.get(VARIABLE):
        # Whoever names a folder answers for what lies above it.
        _demand_alone(folder)


def _demand_alone(folder: Path) -> None:
    """No other user can put anything into the folders above."""
    for above in folder.resolve().parents:
        there = above.stat()
        if there.st_uid not in {0, os.geteuid()} or there.st_mode & stat.S_IWOTH:
            raise _Unfit(f"others can write to {above}")


def _listed(folder: Path) -> list[Path]:
    with contextlib.suppress(OSError):
        return sorted(folder.iterdir())
    return []


def _clear(folder: Path, paths: list[Path]) -> None:
    """Remove what nobody uses just now."""
    lock = FileLock(folder / LOCK)
    with contextlib.suppress(Timeout, OSError):
        lock.acquire(timeout=0)
        try:
            for path in paths:
                remove(path)
        finally:
            lock.release()
