"""What the files say without being run: old paths in use, lost names, clashing names."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pytest_cockpit.analysis import scan, spoken
from pytest_cockpit.analysis.graph import Resolution, Resolver
from pytest_cockpit.analysis.scan import Import
from pytest_cockpit.api import SHIM_MARK, CockpitError, Context, Severity
from pytest_cockpit_gates.imports import cycles, declared, dependencies, rules
from pytest_cockpit_gates.imports.dependencies import Use
from pytest_cockpit_gates.imports.facts import Fact, Facts
from pytest_cockpit_gates.imports.selection import Tree, is_production
from pytest_cockpit_gates.imports.settings import Settings

_INIT = "/__init__.py"
_REMEDY: Mapping[str, str] = {
    rules.UNRESOLVED: "correct the name, or restore the file it means",
    rules.SHADOWS: "rename it: beside the standard module it cannot be imported",
    rules.BESIDE: "rename one of the two, or move the module into the package",
    rules.SYNTAX: rules.REMEDY["syntax"],
}


def read(context: Context, settings: Settings, tree: Tree) -> Facts:
    """Read the touched files of a batch, or all of production."""
    with scan.uncollected():
        return _read(context, settings, tree)


def _read(context: Context, settings: Settings, tree: Tree) -> Facts:
    production = [path for path in tree.paths if is_production(path, settings, tree)]
    reader = Reader(tree)
    if not context.moves:
        found = list(reader.facts(production, frozenset(production)))
        edges = reader.edges(production)
        return _with_uses(
            Facts(
                tuple(found),
                len(production),
                circular=cycles.inner(edges),
                judged=frozenset(production),
            ),
            reader.uses(production),
            context,
            settings,
        )
    targets = {move.target for move in context.moves}
    sources = {move.source for move in context.moves}
    touched = sorted(path for path in tree.paths if path in targets | {*context.changed} - sources)
    # What goes back to the lane is held to no more than the rest of it.
    out = frozenset(target for target in targets if not tree.layout.is_lane(target))
    judged = (frozenset(production) | out).intersection(touched)
    found = list(reader.facts(touched, judged))
    others = sorted(set(production) - set(touched))
    spoken = [path for path in others if _mentions(tree.root / path, tree.layout.lane_module)]
    elsewhere = sum(
        fact.rule == rules.LANE_IMPORT for fact in reader.facts(spoken, frozenset(spoken))
    )
    circular = cycles.inner(reader.reachable(sorted(judged), frozenset(production) | targets))
    read_now = len(touched) + len(spoken)
    return _with_uses(
        Facts(tuple(found), read_now, elsewhere, circular, judged),
        reader.uses(sorted(judged)),
        context,
        settings,
    )


def read_circles(settings: Settings, tree: Tree) -> cycles.Edges:
    """The circles of production and of the lane, as a baseline permits them."""
    paths = [
        path
        for path in tree.paths
        if tree.layout.is_lane(path) or is_production(path, settings, tree)
    ]
    reader = Reader(tree)
    reader.scan(paths)
    return cycles.inner(reader.edges(paths))


def _with_uses(facts: Facts, uses: Sequence[Use], context: Context, settings: Settings) -> Facts:
    """The facts with those of undeclared dependencies, where anything declares any."""
    try:
        known = declared.read(context.root)
    except CockpitError as error:
        file, _, reason = str(error).partition(": ")
        remedy = "correct it: until then nothing says what is declared"
        unknown = Fact(rules.UNDECLARED, file, None, reason, remedy, Severity.UNKNOWN)
        return replace(facts, found=(*facts.found, unknown))
    if not known.files:
        return facts
    found = dependencies.facts(
        uses,
        known,
        lambda: dependencies.providers(context),
        settings.distributions,
        settings.optional,
    )
    return replace(facts, found=(*facts.found, *found), declared=known.files)


class Reader:
    """Reads files as far as they are needed."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._known: dict[str, scan.Facts | None] = {}
        self._resolver = Resolver(tree.paths, tree.layout, self._known)
        self._files = {name: path for path, name in tree.modules.items()}
        self._served: dict[str, str] = {}
        self._resolved: dict[str, list[tuple[Import, Resolution]]] = {}
        self._speaking: dict[str, bytes] = {}

    def facts(self, paths: Sequence[str], production: frozenset[str]) -> Iterator[Fact]:
        """Facts of files; those in `production` are held to all rules, the others to syntax."""
        self.scan(paths)
        held = [path for path in paths if path in production]
        yield from self._syntax(paths)
        yield from self._names(held)
        imports = list(self._imports(held))
        while self._resolver.unscanned:
            # Only now is it known which packages decide whether a name is lost.
            self.scan(sorted(self._resolver.unscanned))
            self._resolver.rescan()
            self._resolved.clear()
            imports = list(self._imports(held))
        yield from imports
        yield from self._calls(held)

    def edges(self, paths: Iterable[str]) -> dict[str, dict[str, int]]:
        """What scanned files import as they are loaded, a moved file under its new path."""
        found: dict[str, dict[str, int]] = {}
        for path in paths:
            needs: dict[str, int] = {}
            for imp, resolution in self._resolutions(path):
                if imp.lazy or imp.typing_only:
                    continue
                for needed in resolution.paths:
                    needs.setdefault(self._served_by(needed), imp.line)
            needs.pop(path, None)
            found[path] = needs
        return found

    def reachable(self, starts: Sequence[str], within: frozenset[str]) -> dict[str, dict[str, int]]:
        """The edges of files and of all that they lead to."""
        found: dict[str, dict[str, int]] = {}
        level = list(starts)
        while level:
            self.scan(level)
            found.update(self.edges(level))
            ahead = {needed for path in level for needed in found[path]}
            level = sorted((ahead & within) - found.keys())
        return found

    def uses(self, paths: Iterable[str]) -> list[Use]:
        """The first import of each third party in each scanned file."""
        found: dict[tuple[str, str], Use] = {}
        for path in paths:
            facts = self._known[path]
            for imp in facts.imports if facts is not None else ():
                top = imp.module.partition(".")[0]
                if imp.level or imp.guarded or imp.typing_only or (path, top) in found:
                    continue
                if self._is_foreign(path, top):
                    found[path, top] = Use(top, path, imp.line)
        return list(found.values())

    def _is_foreign(self, path: str, top: str) -> bool:
        tree = self._tree
        own = top in tree.names or top in tree.packages or top in tree.layout.lane.aliases
        beside = f"{path.rpartition('/')[0]}/{top}".lstrip("/")
        # A script finds what lies beside it, though no import from elsewhere does.
        return not (
            own
            or f"{beside}.py" in tree
            or f"{beside}{_INIT}" in tree
            or not dependencies.is_foreign(top)
        )

    def _served_by(self, path: str) -> str:
        """The file that a shim in the lane stands for; any other path as it is."""
        if not self._tree.layout.is_lane(path):
            return path
        if path not in self._served:
            self._served[path] = self._files.get(self._moved_to(path) or "", path)
        return self._served[path]

    def scan(self, paths: Iterable[str]) -> None:
        """Read files that were not read before."""
        unknown = [path for path in paths if path not in self._known]
        self._known.update(scan.collect(self._contents, unknown))

    def _contents(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes | None]]:
        lane = self._tree.layout.lane_module
        for path in paths:
            content = _content(self._tree.root / path)
            if content and lane and spoken.mentions(content, lane):
                self._speaking[path] = content
            yield path, content

    def _syntax(self, paths: Iterable[str]) -> Iterator[Fact]:
        for path in paths:
            facts = self._known[path]
            if facts is None:
                message = "it cannot be read"
                yield Fact(rules.SYNTAX, path, None, message, "restore the file or its link")
            elif facts.error is not None:
                message, line = facts.error
                yield Fact(rules.SYNTAX, path, line, message, _REMEDY[rules.SYNTAX])

    def _names(self, paths: Iterable[str]) -> Iterator[Fact]:
        for path in paths:
            name = self._tree.modules.get(path)
            if name is None:
                continue
            if name in sys.stdlib_module_names:
                message = f"{name} is also a module of the standard library"
                yield Fact(rules.SHADOWS, path, None, message, _REMEDY[rules.SHADOWS])
            if not path.endswith(_INIT) and name in self._tree.packages:
                package = path.removesuffix(".py")
                message = f"{name} is a module here and a package in {package}/"
                yield Fact(rules.BESIDE, path, None, message, _REMEDY[rules.BESIDE])

    def _imports(self, paths: Iterable[str]) -> Iterator[Fact]:
        for path in paths:
            for imp, resolution in self._resolutions(path):
                yield from self._import(path, imp, resolution)

    def _resolutions(self, path: str) -> list[tuple[Import, Resolution]]:
        if path not in self._resolved:
            facts = self._known[path]
            imports = facts.imports if facts is not None else ()
            self._resolved[path] = [(imp, self._resolver.resolve(path, imp)) for imp in imports]
        return self._resolved[path]

    def _import(self, path: str, imp: Import, resolution: Resolution) -> Iterator[Fact]:
        spelled = self._spelled(path, imp)
        lane = self._tree.layout.lane_module
        through = sorted(name for name in spelled if lane and f"{name}.".startswith(f"{lane}."))
        if through:
            yield self._lane_import(path, imp, through[-1], resolution.paths)
            return
        if imp.guarded or imp.typing_only:
            return
        waiting = [
            name
            for name, file in zip(resolution.modules, resolution.paths, strict=True)
            if self._tree.layout.is_lane(file) and not self._is_aliased(spelled)
        ]
        for name in resolution.missing:
            message = f"nothing serves {name}"
            told = {"name": name}
            yield Fact(
                rules.UNRESOLVED, path, imp.line, message, _REMEDY[rules.UNRESOLVED], evidence=told
            )
        for name in waiting:
            message = f"it imports what is still in the lane as {name}"
            told = {"name": name}
            yield Fact(
                rules.UNRESOLVED, path, imp.line, message, f"promote {name} first", evidence=told
            )

    def _calls(self, paths: Iterable[str]) -> Iterator[Fact]:
        """Calls that import a module of the lane by its name."""
        lane = self._tree.layout.lane_module
        for path in paths:
            if path not in self._speaking:
                continue
            for name, line in spoken.names(self._speaking[path]):
                if f"{name}.".startswith(f"{lane}."):
                    file = self._files.get(name)
                    moved = self._moved_to(file) if file else None
                    yield _through_lane(path, line, name, moved)

    def _lane_import(self, path: str, imp: Import, name: str, files: Sequence[str]) -> Fact:
        moved = [new for new in map(self._moved_to, files) if new]
        return _through_lane(path, imp.line, name, moved[0] if moved else None)

    def _moved_to(self, path: str) -> str | None:
        mark = SHIM_MARK.encode()
        first = (_content(self._tree.root / path) or b"").partition(b"\n")[0]
        if not first.startswith(mark):
            return None
        return first.removeprefix(mark).strip().decode("utf-8", "replace")

    def _spelled(self, path: str, imp: Import) -> list[str]:
        """The absolute dotted names a statement spells."""
        base = imp.module
        if imp.level:
            own = self._tree.modules.get(path, "").split(".")
            above = own[: len(own) - imp.level + path.endswith(_INIT)]
            base = ".".join(filter(None, (*above, imp.module)))
        return [base, *(f"{base}.{name}" for name in imp.names if name != "*")]

    def _is_aliased(self, names: Iterable[str]) -> bool:
        aliases = self._tree.layout.lane.aliases
        return any(f"{name}.".startswith(f"{alias}.") for name in names for alias in aliases)


def _through_lane(path: str, line: int, name: str, moved: str | None) -> Fact:
    remedy = f"import {moved}" if moved else f"promote {name}"
    told = {"name": name, "moved_to": moved}
    return Fact(rules.LANE_IMPORT, path, line, f"it imports {name}", remedy, evidence=told)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _mentions(path: Path, name: str | None) -> bool:
    return name is not None and name.rpartition(".")[2].encode() in (_content(path) or b"")
