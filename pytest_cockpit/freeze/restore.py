"""A frozen commit in a folder of its own: verified before, and file by file afterwards."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_cockpit.api import CockpitError, Verdict
from pytest_cockpit.config import Config
from pytest_cockpit.freeze import folding
from pytest_cockpit.freeze.folding import LINK, SUBMODULE
from pytest_cockpit.freeze.verify import verify
from pytest_cockpit.git import Entry, GitError, Repository, quoted
from pytest_cockpit.records import artifacts
from pytest_cockpit.records.text import count, printable

_EXECUTABLE = "100755"
_SHOWN = 5
_GIT_NAMES = (".git", "git~1")


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored; `filtered` files are as git checks them out, not as it stores them."""

    commit: str
    files: int
    filtered: int


def restore(
    repository: Repository, settings: Config, name: str, folder: Path, *, export: bool = False
) -> Restored:
    """Put a frozen commit into a new folder.

    Parameters
    ----------
    folder: where nothing is; it is never emptied, and what went wrong is left to be looked at.
    export: plain files as git stores them; else a linked work tree.

    Raises
    ------
    CockpitError: something is there, the freeze does not hold, or a file is not as it was frozen.
    """
    where = printable(str(folder))
    if os.path.lexists(folder):
        raise CockpitError(f"{where}: exists; name a folder that does not")
    place = folder.parent.resolve() / folder.name
    if place.is_relative_to(repository.common_dir):
        raise CockpitError(f"{where}: in git's own folder; name one outside of it")
    found = verify(repository, settings, name)
    if found.commit is None or found.verdict is not Verdict.PASS:
        if found.oid is None and found.verdict is Verdict.FAIL:
            raise CockpitError(f"{name}: {found.checks[0].summary}")
        red = next(check for check in found.checks if check.verdict not in _HOLDS)
        raise CockpitError(
            f"{name}: does not hold: {red.name} is {red.verdict.value}: {red.summary}; see "
            f"cockpit freeze verify {name} (nothing was restored)"
        )
    entries = repository.entries(found.commit)
    if export:
        _export(repository, entries, place)
    else:
        _link(repository, found.commit, place)
    filtered = _compare(repository, entries, place, exact=export)
    return Restored(found.commit, len(entries), filtered)


_HOLDS = (Verdict.PASS, Verdict.SKIP)


def _link(repository: Repository, commit: str, folder: Path) -> None:
    """A linked work tree, with no branch: what was frozen is looked at, not gone on with."""
    words = ("worktree", "add", "--quiet", "--detach", "--", str(folder), commit)
    done = repository.run(*words, check=False, tied=True)
    if done.returncode:
        said = done.stderr.decode("utf-8", "backslashreplace").strip().splitlines()
        raise GitError(f"git worktree: {said[-1] if said else 'failed'}; try --export")


def _export(repository: Repository, entries: Iterable[Entry], folder: Path) -> None:
    """Write every file beside the folder, then rename: it is there whole or not at all."""
    known = sorted(entries, key=lambda entry: (entry.mode == LINK, entry.path))
    for entry in known:
        _demand_contained(entry.path)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = folder.with_name(f".cockpit-restore-{secrets.token_hex(8)}")
        made.mkdir()
        try:
            _write(repository, known, made)
            made.rename(folder)
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise
    except OSError as error:
        raise artifacts.os_error(folder, "cannot write", error) from error


def _write(repository: Repository, known: Sequence[Entry], folder: Path) -> None:
    """Links come last: nothing is written through one of them."""
    files = [entry for entry in known if entry.mode != SUBMODULE]
    modules = {entry.path for entry in known if entry.mode == SUBMODULE}
    for inner in sorted(modules | {entry.path.rpartition("/")[0] for entry in files}):
        (folder / inner).mkdir(parents=True, exist_ok=True)
    contents = repository.blobs(entry.oid for entry in files)
    for entry, (_, content) in zip(files, contents, strict=True):
        if content is None:
            raise GitError(f"{printable(entry.path)}: its content is not in this clone; fetch it")
        path = folder / entry.path
        if entry.mode == LINK:
            path.symlink_to(os.fsdecode(content))
            continue
        mode = 0o777 if entry.mode == _EXECUTABLE else 0o666
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with os.fdopen(os.open(path, flags, mode), "wb") as file:
            file.write(content)


def _compare(repository: Repository, entries: Iterable[Entry], folder: Path, *, exact: bool) -> int:
    """How many files a filter or line endings have changed; all else is byte for byte.

    Parameters
    ----------
    exact: allow none.

    Raises
    ------
    CockpitError: a file is not as it was frozen.
    """
    wanted = list(entries)
    known = {leaf.path: leaf.digest for leaf in folding.leaves(repository, wanted)}
    differing = [
        entry
        for entry in wanted
        if _state(folder / entry.path, entry) != (entry.mode, known[os.fsencode(entry.path)])
    ]
    wrong = differing if exact else list(_not_as_checked_out(repository, differing, folder))
    if wrong:
        shown = ", ".join(printable(entry.path) for entry in wrong[:_SHOWN])
        raise CockpitError(
            f"{printable(str(folder))}: {count(len(wrong), 'path')} not as frozen: {shown}; do not "
            "use it, and try --export"
        )
    return len(differing)


def _state(path: Path, entry: Entry) -> tuple[str, str]:
    """Mode and digest of what lies at a path, in the form of a manifest; of nothing, nothing."""
    try:
        if entry.mode == SUBMODULE:
            # Nobody fetches a submodule here: its folder is all there is.
            return (SUBMODULE, entry.oid) if path.is_dir() and not path.is_symlink() else ("", "")
        if path.is_symlink():
            return LINK, hashlib.sha256(os.fsencode(path.readlink())).hexdigest()
        mode = _EXECUTABLE if path.stat().st_mode & 0o100 else "100644"
        return mode, hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return "", ""


def _not_as_checked_out(
    repository: Repository, differing: Iterable[Entry], folder: Path
) -> Iterator[Entry]:
    """Those that are not even what git makes of the frozen ones when it checks them out."""
    files = []
    for entry in differing:
        path = folder / entry.path
        executable = _state(path, entry)[0]
        if path.is_symlink() or executable != entry.mode:
            yield entry
        else:
            files.append(entry)
    if not files:
        return
    asked = b"".join(quoted(entry.path) + b"\n" for entry in files)
    inside = Repository(folder, repository.common_dir)
    done = inside.run("hash-object", "--stdin-paths", input=asked, check=False)
    found = done.stdout.decode("ascii", "replace").split()
    if len(found) != len(files):
        yield from files
        return
    yield from (entry for entry, oid in zip(files, found, strict=True) if oid != entry.oid)


def _demand_contained(path: str) -> None:
    parts = path.split("/")
    if {"", ".", ".."} & set(parts) or any(part.lower() in _GIT_NAMES for part in parts):
        raise CockpitError(f"{printable(path)!r}: not a path below a folder; look at it with git")
