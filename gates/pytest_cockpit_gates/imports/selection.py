"""Which modules are imported, and which files are left out and why."""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from pytest_cockpit.analysis.layout import Layout
from pytest_cockpit.api import Context
from pytest_cockpit.records.environments import MARKS, is_environment
from pytest_cockpit_gates.imports.settings import Settings

_UNSEEN = frozenset({"__pycache__", "node_modules"})
_TESTS = re.compile(r"(^|/)(tests?/|test_[^/]*\.py$|[^/]*_test\.py$|conftest\.py$)")
_DOCS = re.compile(r"(^|/)docs?/")
_TOOLS = re.compile(r"(^|/)(setup|noxfile)\.py$")
_INIT = "__init__.py"


@dataclass(frozen=True, slots=True)
class Job:
    """One name to import, the file it must come from, and the name it must be the same as."""

    module: str
    path: str
    same_as: str = ""


@dataclass(frozen=True, slots=True)
class Selection:
    """What is imported.

    Parameters
    ----------
    jobs: the modules, each under its own name.
    shims: old names of moved modules, each with its new name.
    unshimmed: old paths that are modules and at which no shim stands.
    left_out: how many files are not imported, by reason.
    """

    jobs: tuple[Job, ...]
    shims: tuple[Job, ...] = ()
    unshimmed: tuple[Job, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)


class Tree:
    """The Python files below a folder, and the names they are imported by."""

    def __init__(self, context: Context) -> None:
        """List the tree; virtual environments, hidden folders and the like are not entered."""
        self.root = Path(os.path.realpath(context.root))
        self.layout = Layout(context.lane)
        self.paths = self.listed()
        self._present = frozenset(self.paths)
        names = {path: self.layout.module_of(path) for path in self.paths}
        self.modules: Mapping[str, str] = {p: name for p, name in names.items() if name}
        self.names = frozenset(self.modules.values())
        self.folders = frozenset(above for name in self.names for above in above_all(name))
        inits = frozenset(name for path, name in self.modules.items() if path.endswith(_INIT))
        self.packages = self.folders | inits

    def __contains__(self, path: str) -> bool:
        return path in self._present

    def listed(self) -> tuple[str, ...]:
        """The paths that are there now."""
        return tuple(sorted(_walk(self.root)))

    def relative(self, file: str) -> str | None:
        """Path of a file of the tree below its root; None for any other."""
        if "\0" in file:
            return None
        root = f"{self.root}{os.sep}"
        for spelled in (os.path.normpath(file), os.path.realpath(file)):
            inner = spelled.removeprefix(root)
            if inner != spelled and not _INSTALLED.search(inner):
                return inner
        return None

    def owns(self, name: str) -> bool:
        """Whether a dotted name belongs to the tree, be it there or not."""
        top = name.partition(".")[0]
        lane = self.layout.lane_module
        if top in sys.stdlib_module_names:
            return False
        if (lane and f"{name}.".startswith(f"{lane}.")) or top in self.layout.lane.aliases:
            return True
        # A folder without `__init__.py` does not hide what is installed under its name, so of
        # names below such a folder one level more must be the tree's own.
        return any(
            above in self.names or (above in self.folders and "." in above)
            for above in above_all(name)
        )


_INSTALLED = re.compile(r"(^|/)(site|dist)-packages/")


def select(context: Context, settings: Settings, tree: Tree) -> Selection:
    """What the gate imports: the touched modules in a batch, all of production otherwise."""
    return _touched(context, settings, tree) if context.moves else _production(settings, tree)


def select_all(settings: Settings, tree: Tree) -> Selection:
    """What a baseline imports: every module of production and of the lane, under today's name."""
    production = _production(settings, tree)
    lane = [
        Job(name, path)
        for path, name in tree.modules.items()
        if tree.layout.is_lane(path)
        and not any(matches(path, glob) for glob in (*settings.exclude, *tree.layout.lane.exclude))
    ]
    known = {job.path for job in production.jobs}
    return Selection((*production.jobs, *(job for job in lane if job.path not in known)))


def is_production(path: str, settings: Settings, tree: Tree) -> bool:
    """Whether a file belongs to the product: not the lane, no test, no page of documentation."""
    return not (
        tree.layout.is_lane(path)
        or _excluded(path, settings)
        or _TESTS.search(path)
        or _DOCS.search(path)
    )


def above_all(name: str) -> Iterator[str]:
    """The dotted names above one: of a.b.c, a.b and a."""
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


def matches(path: str, glob: str) -> bool:
    """Whether a path lies under a glob; `*` stays within a folder, `**` crosses them."""
    return _pattern(glob).match(path) is not None


@lru_cache(maxsize=1024)
def _pattern(glob: str) -> re.Pattern[str]:
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", glob.rstrip("/"))
    known = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile(
        "".join(known.get(it, re.escape(it)) for it in pieces) + r"(?:/.*)?\Z", re.DOTALL
    )


def _walk(root: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(root):
        inner = os.path.relpath(folder, root)
        prefix = "" if inner == "." else f"{inner}/"
        marked = prefix and not {*files, *folders}.isdisjoint(MARKS)
        if marked and is_environment(root, inner):
            folders.clear()
            continue
        folders[:] = [it for it in folders if it not in _UNSEEN and not it.startswith(".")]
        yield from (f"{prefix}{name}" for name in files if name.endswith(".py"))


def _touched(context: Context, settings: Settings, tree: Tree) -> Selection:
    left_out: Counter[str] = Counter()
    jobs: dict[str, Job] = {}
    shims: list[Job] = []
    unshimmed: list[Job] = []
    sources = {move.source for move in context.moves}
    for move in context.moves:
        new = tree.layout.module_of(move.target)
        reason = _excluded(move.target, settings) or (None if new else "no module name")
        if reason or not new:
            left_out.update([reason or ""])
            continue
        jobs[move.target] = Job(new, move.target)
        old = tree.layout.module_of(move.source)
        back = tree.layout.is_lane(move.target)
        if old and context.lane.shims and tree.layout.leaves_shim(move.source) and not back:
            shim = Job(old, move.source, new)
            (shims if move.source in tree else unshimmed).append(shim)
    for path in context.changed:
        if not path.endswith(".py") or path in jobs or path in sources or path not in tree:
            continue
        reason = _left_out(path, settings, tree)
        if reason is None:
            jobs[path] = Job(tree.modules[path], path)
        else:
            left_out.update([reason])
    return Selection(tuple(jobs.values()), tuple(shims), tuple(unshimmed), left_out)


def _production(settings: Settings, tree: Tree) -> Selection:
    left_out: Counter[str] = Counter()
    jobs = []
    for path in tree.paths:
        lane = tree.layout.is_lane(path) and not settings.include
        reason = "lane" if lane else _left_out(path, settings, tree)
        if reason is None:
            jobs.append(Job(tree.modules[path], path))
        else:
            left_out.update([reason])
    return Selection(tuple(jobs), left_out=left_out)


def _excluded(path: str, settings: Settings) -> str | None:
    return "excluded" if any(matches(path, glob) for glob in settings.exclude) else None


def _left_out(path: str, settings: Settings, tree: Tree) -> str | None:
    """Why a file is not imported, or None."""
    name = tree.modules.get(path)
    if _excluded(path, settings):
        return "excluded"
    if name is None:
        return "no module name"
    if settings.include:
        return None if any(matches(path, glob) for glob in settings.include) else "not included"
    return _by_convention(path, name, tree)


def _by_convention(path: str, name: str, tree: Tree) -> str | None:
    for pattern, reason in ((_TESTS, "tests"), (_DOCS, "docs"), (_TOOLS, "build scripts")):
        if pattern.search(path):
            return reason
    if name.endswith(".__main__") or name == "__main__":
        return "entry points"
    top = path.partition("/")[0]
    if not _counts_from_root(path, name):
        return None
    if "/" in path:
        return None if f"{top}/{_INIT}" in tree else "folders without __init__.py"
    return "scripts" if _has_shebang(tree.root / path) else None


def _counts_from_root(path: str, name: str) -> bool:
    """Whether the module's name starts at the root of the repository, where scripts lie too."""
    return path.partition("/")[0].removesuffix(".py") == name.partition(".")[0]


def _has_shebang(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(2) == b"#!"
    except OSError:
        return False


def known_names(names: Iterable[str], context: Context, layout: Layout) -> list[str]:
    """Names that must come from the tree: its own, and those that the batch moved away."""
    moved = [layout.module_of(move.source) for move in context.moves]
    known = {*names, *filter(None, moved)}
    return sorted(name for name in known if name.partition(".")[0] not in sys.stdlib_module_names)
