"""The facts of a repository that actions are computed from."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from pytest_cockpit.analysis.graph import Resolver, edges
from pytest_cockpit.analysis.layout import Layout
from pytest_cockpit.analysis.scan import SCHEMA, FactsCache, collect
from pytest_cockpit.api import CockpitError, Lane, Move
from pytest_cockpit.config import Config
from pytest_cockpit.git import Entry, Repository
from pytest_cockpit.promotion.remedies.model import Facts
from pytest_cockpit.promotion.snapshot import REGULAR

_LARGEST = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a session was about.

    Parameters
    ----------
    base: the commit that a person edits on top of; None for the working tree.
    head: a commit whose imports are those of the tree, as far as they matter here.
    changed: paths that differ, of the working tree.
    refused: files of the lane that cannot move, and why.
    batch_id: the batch, burst or rollback that was judged.
    """

    repository: Repository | None
    settings: Config
    base: str | None = None
    head: str = "HEAD"
    moves: tuple[Move, ...] = ()
    changed: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    batch_id: str | None = None


def facts_of(session: Circumstances) -> Facts:
    """All that actions may ask; the imports are looked at when they are first asked for."""
    repository, lane = session.repository, session.settings.lane
    if repository is None:
        return Facts(lane=lane, records=session.settings.records)
    read: Callable[[str], bytes | None]
    if session.base is None:
        read, paths = partial(_on_disk, repository), frozenset(_present(repository))
        changed = frozenset(session.changed)
    else:
        read = partial(repository.blob, session.base)
        paths = frozenset(entry.path for entry in repository.entries(session.base))
        changed = frozenset(move.source for move in session.moves)
    return Facts(
        lane=lane,
        read=read,
        paths=paths,
        sources={move.target: move.source for move in session.moves},
        changed=changed,
        refused=session.refused,
        records=session.settings.records,
        ask_graph=partial(imports, repository, lane, session.base or session.head),
    )


def imports(repository: Repository, lane: Lane, rev: str) -> Mapping[str, tuple[str, ...]]:
    """What each Python file of a commit imports; nothing where that cannot be told."""
    try:
        commit = repository.resolve(rev)
        entries = {
            entry.path: entry
            for entry in repository.entries(commit)
            if entry.mode in REGULAR and entry.path.endswith(".py")
        }
        return _imports(repository, lane, entries)
    except CockpitError:
        return {}


def _imports(
    repository: Repository, lane: Lane, entries: Mapping[str, Entry]
) -> Mapping[str, tuple[str, ...]]:
    cache = FactsCache(repository.common_dir / "cockpit" / f"facts-{SCHEMA}.sqlite")
    found = collect(repository.blobs, [entry.oid for entry in entries.values()], cache)
    facts = {path: found.get(entry.oid) for path, entry in entries.items()}
    return edges(facts, facts, Resolver(facts, Layout(lane), facts)).needs


def _present(repository: Repository) -> Iterator[str]:
    """The files of the working tree, untracked ones included, ignored and deleted ones not."""
    listed = repository.run("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for path in sorted(set(_names(listed.stdout))):
        if os.path.lexists(repository.root / path):
            yield path


def _names(listed: bytes) -> Iterable[str]:
    return (os.fsdecode(row) for row in listed.split(b"\0") if row)


def _on_disk(repository: Repository, path: str) -> bytes | None:
    """A regular file of the working tree that no link leads out of."""
    place = repository.root / path
    with contextlib.suppress(OSError, ValueError):
        if not place.resolve().is_relative_to(repository.root.resolve()):
            return None
        known = place.lstat()
        if stat.S_ISREG(known.st_mode) and known.st_size <= _LARGEST:
            return place.read_bytes()
    return None
