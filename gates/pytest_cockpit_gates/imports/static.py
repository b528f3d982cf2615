"""What the files say without being run: old paths in use, lost names, clashing names."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_cockpit.analysis import scan
from pytest_cockpit.analysis.graph import Resolver
from pytest_cockpit.api import SHIM_MARK, Context, Finding, Move, Severity
from pytest_cockpit.records.artifacts import printable
from pytest_cockpit.records.baselines import Baseline
from pytest_cockpit_gates.imports import rules
from pytest_cockpit_gates.imports.selection import Tree, is_production
from pytest_cockpit_gates.imports.settings import Settings

_INIT = "/__init__.py"
_REMEDY: Mapping[str, str] = {
    rules.UNRESOLVED: "correct the name, or restore the file it means",
    rules.SHADOWS: "rename it: beside the standard module it cannot be imported",
    rules.BESIDE: "rename one of the two, or move the module into the package",
    rules.SYNTAX: rules.REMEDY["syntax"],
}


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing a file says that breaks a rule."""

    rule: str
    path: str
    line: int | None
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found in the judged files; `elsewhere` counts old paths in untouched files."""

    found: tuple[Fact, ...]
    read: int
    elsewhere: int = 0


def read(context: Context, settings: Settings, tree: Tree) -> Facts:
    """Read the touched files of a batch, or all of production."""
    production = [path for path in tree.paths if is_production(path, settings, tree)]
    if not context.moves:
        found = list(_Reader(tree).facts(production, frozenset(production)))
        return Facts(tuple(found), len(production))
    targets = {move.target for move in context.moves}
    sources = {move.source for move in context.moves}
    touched = sorted(path for path in tree.paths if path in targets | {*context.changed} - sources)
    reader = _Reader(tree)
    found = list(reader.facts(touched, frozenset(production) | targets))
    others = sorted(set(production) - set(touched))
    spoken = [path for path in others if _mentions(tree.root / path, tree.layout.lane_module)]
    elsewhere = sum(
        fact.rule == rules.LANE_IMPORT for fact in reader.facts(spoken, frozenset(spoken))
    )
    return Facts(tuple(found), len(touched) + len(spoken), elsewhere)


def counts(facts: Facts) -> dict[str, dict[str, int]]:
    """How often each file breaks each rule, as a baseline keeps it; syntax has entries there."""
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    for fact in facts.found:
        if fact.rule != rules.SYNTAX:
            counted[fact.rule][printable(fact.path)] += 1
    return {rule: dict(paths) for rule, paths in counted.items()}


def findings(
    facts: Facts, baseline: Baseline, moves: Sequence[Move], *, skip: frozenset[str]
) -> Iterator[Finding]:
    """The facts as findings; those within the baseline's counts are tolerated."""
    grouped: dict[tuple[str, str], list[Fact]] = defaultdict(list)
    for fact in facts.found:
        if not (fact.rule == rules.SYNTAX and fact.path in skip):
            grouped[fact.rule, fact.path].append(fact)
    former = {move.target: move.source for move in moves}
    for (rule, path), group in grouped.items():
        tolerated = len(group) <= _allowed(baseline, rule, path, former.get(path, path))
        yield from (_finding(fact, tolerated=tolerated) for fact in group)
    if facts.elsewhere:
        yield Finding(
            rules.LANE_IMPORT,
            f"{facts.elsewhere} more imports go through the lane in files this batch leaves alone",
            severity=Severity.INFO,
            evidence={"count": facts.elsewhere},
        )


def _allowed(baseline: Baseline, rule: str, path: str, former: str) -> int:
    if rule == rules.SYNTAX:
        return int(baseline.entries.get(printable(path), {}).get("class") == "syntax")
    known = baseline.meta.get("static", {}).get(rule, {})
    return int(known.get(printable(path), known.get(printable(former), 0)))


def _finding(fact: Fact, *, tolerated: bool) -> Finding:
    return Finding(
        fact.rule,
        fact.message + (" (tolerated by the baseline)" if tolerated else ""),
        severity=Severity.INFO if tolerated else Severity.ERROR,
        path=fact.path,
        line=fact.line,
        remedy=fact.remedy,
    )


class _Reader:
    """Reads files as far as they are needed."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._known: dict[str, scan.Facts | None] = {}
        self._resolver = Resolver(tree.paths, tree.layout, self._known)

    def facts(self, paths: Sequence[str], production: frozenset[str]) -> Iterator[Fact]:
        """Facts of files; those in `production` are held to all rules, the others to syntax."""
        self._scan(paths)
        held = [path for path in paths if path in production]
        yield from self._syntax(paths)
        yield from self._names(held)
        imports = list(self._imports(held))
        while self._resolver.unscanned:
            # Only now is it known which packages decide whether a name is lost.
            self._scan(sorted(self._resolver.unscanned))
            self._resolver.rescan()
            imports = list(self._imports(held))
        yield from imports

    def _scan(self, paths: Iterable[str]) -> None:
        unknown = [path for path in paths if path not in self._known]
        self._known.update(scan.collect(self._contents, unknown))

    def _contents(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes | None]]:
        for path in paths:
            yield path, _content(self._tree.root / path)

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
            facts = self._known[path]
            for imp in facts.imports if facts is not None else ():
                yield from self._import(path, imp)

    def _import(self, path: str, imp: scan.Import) -> Iterator[Fact]:
        resolution = self._resolver.resolve(path, imp)
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
            yield Fact(rules.UNRESOLVED, path, imp.line, message, _REMEDY[rules.UNRESOLVED])
        for name in waiting:
            message = f"it imports what is still in the lane as {name}"
            yield Fact(rules.UNRESOLVED, path, imp.line, message, f"promote {name} first")

    def _lane_import(self, path: str, imp: scan.Import, name: str, files: Sequence[str]) -> Fact:
        moved = [new for new in map(self._moved_to, files) if new]
        remedy = f"import {moved[0]}" if moved else f"promote {name}"
        return Fact(rules.LANE_IMPORT, path, imp.line, f"it imports {name}", remedy)

    def _moved_to(self, path: str) -> str | None:
        mark = SHIM_MARK.encode()
        first = (_content(self._tree.root / path) or b"").partition(b"\n")[0]
        if not first.startswith(mark):
            return None
        return first.removeprefix(mark).strip().decode("utf-8", "replace")

    def _spelled(self, path: str, imp: scan.Import) -> list[str]:
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


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _mentions(path: Path, name: str | None) -> bool:
    return name is not None and name.rpartition(".")[2].encode() in (_content(path) or b"")
