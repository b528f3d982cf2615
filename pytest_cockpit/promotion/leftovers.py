"""What still goes through the lane's path: files that import from it, and shims with their users.

Told from sources alone: by import statements, and by calls of `import_module` and the like with a
literal name. Imports through a prefix that a dynamic layer serves (`lane.aliases`) are not seen as
imports from the lane: they hold after the lane is gone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from pytest_cockpit.analysis import spoken
from pytest_cockpit.analysis.layout import Layout
from pytest_cockpit.analysis.scan import SCHEMA, Facts, FactsCache, Import, collect
from pytest_cockpit.analysis.shim import is_shim
from pytest_cockpit.api import CockpitError, Lane
from pytest_cockpit.git import Entry, Repository

_REGULAR = frozenset({"100644", "100755"})
_IMPORT = re.compile(rb"^[ \t]*(?:from|import)[ \t][^\n]*", re.MULTILINE)
_TESTS = frozenset({"test", "tests"})


@dataclass(frozen=True, slots=True)
class Use:
    """An import from the lane, by a statement or a call."""

    path: str
    line: int
    module: str

    @property
    def in_test(self) -> bool:
        """Whether the file is one of tests."""
        path = PurePosixPath(self.path)
        name = path.name
        return (
            not _TESTS.isdisjoint(path.parts[:-1])
            or name.startswith("test_")
            or name.endswith("_test.py")
            or name == "conftest.py"
        )


@dataclass(frozen=True, slots=True)
class Shim:
    """A module at an old path; `users` are the files that name it."""

    path: str
    module: str | None
    users: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What still goes through the lane's path."""

    uses: tuple[Use, ...]
    shims: tuple[Shim, ...]


def find(repository: Repository, commit: str, lane: Lane) -> Leftovers:
    """Look through all that mentions the lane's name.

    Raises
    ------
    CockpitError: the lane has no dotted name.
    """
    layout = Layout(lane)
    if layout.lane_module is None:
        raise CockpitError(
            f"tool.cockpit.lane.path: {lane.path!r} has no dotted name counted from source_roots"
        )
    entries = {entry.path: entry for entry in repository.entries(commit)}
    named = repository.grep(commit, [layout.lane_module.rpartition(".")[2]])
    files = {path: entries[path] for path in named if entries[path].mode in _REGULAR}
    lane_files = {
        path: entry
        for path, entry in entries.items()
        if layout.is_lane(path) and path.endswith(".py") and entry.mode in _REGULAR
    }
    shims = _shims(repository, lane_files)
    # Files of the lane import each other without naming it.
    uses = [
        *_uses(repository, layout, files | lane_files, shims),
        *_calls(repository, layout.lane_module, files, shims),
    ]
    mentions = _mentions(repository, layout.lane_module, files, shims)
    names = {path: layout.module_of(path) for path in shims}
    users: dict[str, set[str]] = {name: set() for name in names.values() if name}
    for path, module in [*((use.path, use.module) for use in uses), *mentions]:
        for name in _prefixes(module):
            if name in users:
                users[name].add(path)
                break
    outside = (use for use in uses if not layout.is_lane(use.path))
    return Leftovers(
        tuple(sorted(outside, key=lambda use: (use.path, use.line, use.module))),
        tuple(
            Shim(path, name, tuple(sorted(users.get(name or "", ()))))
            for path, name in sorted(names.items())
        ),
    )


def _shims(repository: Repository, files: Mapping[str, Entry]) -> frozenset[str]:
    oids = {entry.oid for entry in files.values()}
    found = {oid for oid, data in repository.blobs(oids) if data is not None and is_shim(data)}
    return frozenset(path for path, entry in files.items() if entry.oid in found)


def _uses(
    repository: Repository, layout: Layout, files: Mapping[str, Entry], shims: frozenset[str]
) -> Iterator[Use]:
    """Every import from the lane, those within it included; a shim's own are none."""
    sources = _sources(files, shims)
    cache = FactsCache(repository.common_dir / "cockpit" / f"facts-{SCHEMA}.sqlite")
    facts = collect(repository.blobs, sources.values(), cache)
    for path, oid in sorted(sources.items()):
        yield from _of(path, facts.get(oid), layout)


def _sources(files: Mapping[str, Entry], shims: frozenset[str]) -> dict[str, str]:
    """The blobs of files that may say something of their own."""
    return {
        path: entry.oid
        for path, entry in files.items()
        if path.endswith(".py") and path not in shims
    }


def _of(path: str, facts: Facts | None, layout: Layout) -> Iterator[Use]:
    lane = layout.lane_module or ""
    for statement in facts.imports if facts is not None else ():
        base = _absolute(path, statement, layout)
        full = [f"{base}.{name}" if name != "*" else base for name in statement.names] or [base]
        for module in full:
            if f"{module}.".startswith(f"{lane}."):
                yield Use(path, statement.line, module)


def _calls(
    repository: Repository, lane: str, files: Mapping[str, Entry], shims: frozenset[str]
) -> Iterator[Use]:
    """Calls that import from the lane by a literal name."""
    sources = _sources(files, shims)
    for path, (_, data) in zip(sources, repository.blobs(sources.values()), strict=True):
        for name, line in spoken.names(data) if data and spoken.mentions(data, lane) else ():
            if f"{name}.".startswith(f"{lane}."):
                yield Use(path, line, name)


def _absolute(path: str, statement: Import, layout: Layout) -> str:
    if not statement.level:
        return statement.module
    own = (layout.module_of(path) or "").split(".")
    above = own[: len(own) - statement.level + layout.is_package(path)]
    return ".".join([*above, statement.module] if statement.module else above)


def _mentions(
    repository: Repository, lane: str, files: Mapping[str, Entry], shims: frozenset[str]
) -> Iterator[tuple[str, str]]:
    """Dotted names below the lane's own, wherever they stand but in import statements."""
    pattern = re.compile(rb"(?<![\w.])" + re.escape(lane.encode()) + rb"(?:\.\w+)+")
    wanted = {path: entry.oid for path, entry in files.items() if path not in shims}
    for path, (_, data) in zip(wanted, repository.blobs(wanted.values()), strict=True):
        text = data or b""
        if path.endswith(".py"):
            text = _IMPORT.sub(b"", text)
        for name in set(pattern.findall(text)):
            yield path, name.decode("utf-8", "replace")


def _prefixes(module: str) -> Iterator[str]:
    while module:
        yield module
        module = module.rpartition(".")[0]
