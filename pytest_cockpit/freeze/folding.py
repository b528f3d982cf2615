"""A tree as one SHA-256, folded from its files folder by folder.

The form is fixed, and stated in `docs/freeze.md`, so that anybody can compute it again. A folder's
digest is the SHA-256 of its entries in the order of their names as bytes, each `<mode> <digest>
<name>` and a zero byte; what a digest is of depends on the mode alone. Git's own ids of trees are
SHA-1 in most repositories, and those of two repositories need not be of one kind.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from pytest_cockpit.git import Entry, GitError, Repository, quoted
from pytest_cockpit.records.text import count, printable

FOLDER, LINK, SUBMODULE = "040000", "120000", "160000"

_ROOT = b"."
_SAID_EVERY = 20_000


@dataclass(frozen=True, slots=True)
class Leaf:
    """One path: of a file the digest of its content, of a link that of its target.

    A submodule's is the commit it is at, as git names it.
    """

    path: bytes
    mode: str
    digest: str


@dataclass(frozen=True, slots=True)
class Folded:
    """The digests of a tree.

    Parameters
    ----------
    digest: that of the whole tree.
    folders: that of each folder, the root as `.`, by the name it has in a manifest.
    own: of each folder, what lies in it directly, by name: mode and digest.
    """

    digest: str
    folders: Mapping[str, str]
    own: Mapping[bytes, Mapping[bytes, tuple[str, str]]]
    files: int
    symlinks: int
    submodules: int


def leaves(
    repository: Repository,
    entries: Iterable[Entry],
    excluded: Collection[str] = (),
    *,
    say: Callable[[str], None] | None = None,
) -> Iterator[Leaf]:
    """Every path of a tree but the excluded ones; each content is read once.

    Raises
    ------
    GitError: some content is not in this clone.
    """
    wanted = [entry for entry in entries if entry.path not in excluded]
    first = {entry.oid: entry for entry in wanted if entry.mode != SUBMODULE}
    known: dict[str, str] = {}
    for number, (oid, content) in enumerate(repository.blobs(first), 1):
        if content is None:
            raise GitError(
                f"{printable(first[oid].path)}: its content is not in this clone; fetch it with git"
            )
        known[oid] = hashlib.sha256(content).hexdigest()
        if say is not None and not number % _SAID_EVERY:
            say(f"{number:,} of {count(len(first), 'content')} read")
    for entry in wanted:
        digest = entry.oid if entry.mode == SUBMODULE else known[entry.oid]
        yield Leaf(os.fsencode(entry.path), entry.mode, digest)


def fold(found: Iterable[Leaf]) -> Folded:
    """The digests of a tree with these paths, in whatever order they come."""
    own: dict[bytes, dict[bytes, tuple[str, str]]] = defaultdict(dict)
    modes: Counter[str] = Counter()
    own[_ROOT] = {}
    for leaf in found:
        folder, name = _split(leaf.path)
        own[folder][name] = (leaf.mode, leaf.digest)
        modes[leaf.mode] += 1
    digests: dict[bytes, str] = {}
    # A folder with nothing but folders in it is known by those alone.
    waiting = sorted(_with_parents(own), key=_depth, reverse=True)
    for folder in waiting:
        digests[folder] = digest_of(own[folder])
        if folder != _ROOT:
            above, name = _split(folder)
            own[above][name] = (FOLDER, digests[folder])
    return Folded(
        digests[_ROOT],
        {spelled(folder): digests[folder] for folder in sorted(digests)},
        own,
        modes.total() - modes[LINK] - modes[SUBMODULE],
        modes[LINK],
        modes[SUBMODULE],
    )


def digest_of(content: Mapping[bytes, tuple[str, str]]) -> str:
    """The digest of one folder: of what lies in it, by name, with mode and digest of each."""
    digest = hashlib.sha256()
    for name in sorted(content):
        mode, inner = content[name]
        digest.update(f"{mode} {inner} ".encode() + name + b"\0")
    return digest.hexdigest()


def changed(frozen: Mapping[str, str], found: Folded) -> list[str]:
    """Folders of which something that lies directly in them is not as it was frozen.

    Parameters
    ----------
    frozen: the digests of a manifest, by folder.
    """
    differing = [folder for folder in frozen if folder not in found.folders]
    for folder, content in found.own.items():
        then = frozen.get(spelled(folder))
        if then is None or then != digest_of(_with_folders_of(frozen, folder, content)):
            differing.append(spelled(folder))
    return sorted(differing)


def spelled(path: bytes) -> str:
    """A path as a manifest has it: odd ones in quotes and escaped, as git shows them."""
    try:
        name = path.decode("utf-8")
    except UnicodeDecodeError:
        return quoted(os.fsdecode(path)).decode("ascii")
    return quoted(name).decode("ascii") if name.startswith('"') else name


def _with_folders_of(
    frozen: Mapping[str, str], folder: bytes, content: Mapping[bytes, tuple[str, str]]
) -> dict[bytes, tuple[str, str]]:
    """What lies in a folder now, with the folders in it as they were frozen."""
    above = b"" if folder == _ROOT else folder + b"/"
    return {
        name: (mode, frozen.get(spelled(above + name), digest) if mode == FOLDER else digest)
        for name, (mode, digest) in content.items()
    }


def _split(path: bytes) -> tuple[bytes, bytes]:
    folder, _, name = path.rpartition(b"/")
    return folder or _ROOT, name


def _with_parents(folders: Iterable[bytes]) -> set[bytes]:
    found = {_ROOT}
    for folder in folders:
        above = folder
        while above not in found:
            found.add(above)
            above = _split(above)[0]
    return found


def _depth(folder: bytes) -> int:
    return -1 if folder == _ROOT else folder.count(b"/")
