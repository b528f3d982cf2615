"""What an outcome means: healthy, or one class of failure with its place and cause."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pytest_cockpit_gates.imports.pool import Outcome
from pytest_cockpit_gates.imports.selection import Tree, above_all

SYNTAX = "syntax"
MISSING_FIRST = "missing-first-party"
MISSING_THIRD = "missing-third-party"
TRANSITIVE = "transitive"
EXCEPTION = "exception"
HANG = "hang"
CRASH = "crash"
EXIT = "exit"
OUTSIDE = "outside-tree"
NOT_FOUND = "not-found"
WRITES = "writes-tree"
MEMORY = "memory"

_MESSAGE = 300
# Addresses, process ids, times: the same failure must read the same tomorrow.
_VOLATILE = re.compile(r"\b0x[0-9a-fA-F]{4,}|\d{6,}")
_FRAME = re.compile(r'^ +File "(?P<file>.*)", line (?P<line>\d+) in (?P<name>.*)$', re.MULTILINE)
_BODY = "<module>"
_HEAVY = "takes more memory than `growth_mb` allows"


@dataclass(frozen=True, slots=True)
class Cause:
    """The tree's module whose body failed, where it is not the imported one."""

    path: str
    line: int | None
    kind: str


@dataclass(frozen=True, slots=True)
class Failure:
    """One import that is not healthy.

    Parameters
    ----------
    kind: its class.
    line: the line of `path` that fails, or that imports what fails.
    needs: import name of the package that is not installed here.
    """

    module: str
    path: str
    kind: str
    message: str
    line: int | None = None
    cause: Cause | None = None
    needs: str | None = None
    output: str = ""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the tree's own code stood, outermost first."""

    path: str
    line: int | None


def classify(outcome: Outcome, tree: Tree, growth: int = 0) -> Failure | None:
    """The failure an outcome shows; None when the module is healthy.

    `growth` is how many MiB of memory an import may fill, 0 for any.
    """
    failure = _classify(outcome, tree) or _heavy(outcome, growth)
    if failure is None:
        return None
    text = failure.message.replace(f"{tree.root}{os.sep}", "").replace(str(tree.root), ".")
    text = " ".join(_VOLATILE.sub("…", text).split())[:_MESSAGE]
    return replace(failure, message=text, output=outcome.output.strip())


def _classify(outcome: Outcome, tree: Tree) -> Failure | None:
    if outcome.status != "done" or outcome.report is None:
        return _ended(outcome, tree)
    error = outcome.report["error"]
    return _Raised(outcome, tree, error).failure() if error else _loaded(outcome, tree)


def _heavy(outcome: Outcome, growth: int) -> Failure | None:
    """An import that took more memory than it may, and was through before it was caught."""
    if not growth or outcome.grown <= growth << 20:
        return None
    return Failure(outcome.job.module, outcome.job.path, MEMORY, _HEAVY)


def _loaded(outcome: Outcome, tree: Tree) -> Failure | None:
    """An import that raised nothing is healthy only if it ran the file, and ran nobody else's."""
    job, report = outcome.job, outcome.report or {}
    if tree.relative(os.path.realpath(tree.root / job.path)) is None:
        return Failure(job.module, job.path, OUTSIDE, f"{job.path} is a link out of the tree")
    for name, file in report["foreign"]:
        return Failure(job.module, job.path, OUTSIDE, f"{name} was loaded from {file}")
    file = report["file"]
    if report["executed"] or (file and _is_same(file, tree, job.path)):
        return _wrote(outcome, tree)
    if file is None:
        message = f"importing {job.module} does not run {job.path}"
        return Failure(job.module, job.path, NOT_FOUND, message)
    inner = tree.relative(file)
    message = f"importing {job.module} gives {inner or file} instead"
    return Failure(job.module, job.path, NOT_FOUND if inner else OUTSIDE, message)


def _wrote(outcome: Outcome, tree: Tree) -> Failure | None:
    """A refused write that the module lived with; another module's is that one's failure."""
    job, first = outcome.job, (outcome.report or {})["wrote"]
    if not first or not first["file"] or tree.relative(first["file"]) != job.path:
        return None
    return Failure(job.module, job.path, WRITES, _writing(first), first["line"])


def _writing(first: Mapping[str, Any]) -> str:
    return f"its import writes {first['path']} ({first['event']})"


def _is_same(file: str, tree: Tree, path: str) -> bool:
    return "\0" not in file and os.path.realpath(file) == os.path.realpath(tree.root / path)


def _ended(outcome: Outcome, tree: Tree) -> Failure:
    """An import that never came back."""
    job = outcome.job
    bodies = _fault_bodies(outcome.fault, tree)
    stopped = tree.relative(outcome.trail[1]) if outcome.trail[1] else None
    path = stopped or job.path
    line = next((it.line for it in reversed(bodies) if it.path == path), None)
    where = f" at {path}:{line}" if line else (f" in {path}" if path != job.path else "")
    kind, text = _ending(outcome)
    cause = Cause(path, line, kind) if path != job.path else None
    own = next((it.line for it in reversed(bodies) if it.path == job.path), None)
    return Failure(job.module, job.path, kind, f"{text}{where}", own, cause)


def _ending(outcome: Outcome) -> tuple[str, str]:
    if outcome.status == "memory":
        return MEMORY, _HEAVY
    if outcome.status == "hang":
        return HANG, "did not finish in time, stopped"
    if outcome.status == "server":
        return CRASH, "killed the process that started it"
    if outcome.status == "signal":
        try:
            name = signal.Signals(-outcome.code).name
        except ValueError:
            name = f"signal {-outcome.code}"
        return CRASH, f"killed by {name}"
    return EXIT, f"ended the process with exit code {outcome.code}"


def _fault_bodies(fault: str, tree: Tree) -> list[_Place]:
    """Module bodies in the fault handler's text, outermost first."""
    current = fault.partition("Current thread")[2].partition("\n\n")[0]
    escaped = {_escaped(str(tree.root / path)): path for path in tree.paths} if current else {}
    found = [
        _Place(escaped[match["file"]], int(match["line"]))
        for match in _FRAME.finditer(current)
        if match["name"] == _BODY and match["file"] in escaped
    ]
    return found[::-1]


def _escaped(path: str) -> str:
    return path.encode("ascii", "backslashreplace").decode()


class _Raised:
    """An import that raised."""

    def __init__(self, outcome: Outcome, tree: Tree, error: Mapping[str, Any]) -> None:
        self.outcome = outcome
        self.job = outcome.job
        self.tree = tree
        self.error = error
        self.bodies = self._bodies(error["frames"])

    def failure(self) -> Failure:
        kind, message, needs = self._kind()
        place = self._place()
        own = next((it.line for it in reversed(self.bodies) if it.path == self.job.path), None)
        if place is None or place.path == self.job.path:
            line = place.line if place else None
            return Failure(self.job.module, self.job.path, kind, message, line or own, None, needs)
        cause = Cause(place.path, place.line, kind)
        blamed = kind if kind in (MISSING_THIRD, EXIT, OUTSIDE, WRITES, MEMORY) else TRANSITIVE
        where = f"{place.path}:{place.line}" if place.line else place.path
        text = f"{where}: {message}"
        return Failure(self.job.module, self.job.path, blamed, text, own, cause, needs)

    def _bodies(self, frames: Sequence[Sequence[Any]]) -> list[_Place]:
        found = []
        for file, line in frames:
            inner = self.tree.relative(file)
            if inner is not None:
                found.append(_Place(inner, line))
        return found

    def _place(self) -> _Place | None:
        """The module body that failed: the innermost, or the file that could not be compiled."""
        broken = self.error["broken"]
        inner = self.tree.relative(broken) if broken else None
        if inner is not None:
            return _Place(inner, self.error["line"])
        return self.bodies[-1] if self.bodies else None

    def _kind(self) -> tuple[str, str, str | None]:
        """Class, message, and what is not installed."""
        error = self.error
        message = f"{error['type']}: {error['message']}"
        if error["broken"]:
            return SYNTAX, message, None
        if error["denied"]:
            return WRITES, _writing((self.outcome.report or {})["wrote"]), None
        if error["kind"] in ("MemoryError", "SystemExit"):
            exits = error["kind"] == "SystemExit"
            return (
                (EXIT, f"SystemExit({error['message']})", None)
                if exits
                else (MEMORY, message, None)
            )
        if error["kind"] == "ModuleNotFoundError" and error["name"]:
            return self._missing(error["name"], message)
        if error["kind"] in ("ModuleNotFoundError", "ImportError"):
            return self._import_error(message)
        return EXCEPTION, message, None

    def _import_error(self, message: str) -> tuple[str, str, str | None]:
        name = self.error["name"]
        if name and (name in self.tree.names or self.tree.owns(name)):
            circular = "partially initialized" in message
            return (EXCEPTION if circular else MISSING_FIRST), message, None
        if name is None:
            for link in self.error["chain"]:
                if link["kind"] == "ModuleNotFoundError" and link["name"]:
                    kind, text, needs = self._missing(link["name"], link["message"])
                    return kind, f"{message} ({text})", needs
        return EXCEPTION, message, None

    def _missing(self, name: str, message: str) -> tuple[str, str, str | None]:
        wanted = self.job.module
        parents: Mapping[str, str | None] = self.error["parents"]
        found = next((parents[above] for above in above_all(name) if parents.get(above)), None)
        own = name == wanted or wanted.startswith(f"{name}.") or self.tree.owns(name)
        if own:
            if found and self.tree.relative(found) is None:
                return OUTSIDE, f"{message}: its package was loaded from {found}", None
            sought = not self.bodies and not name.startswith(f"{wanted}.")
            return (NOT_FOUND if sought else MISSING_FIRST), message, None
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names or (top in parents and parents[top] is not None):
            # Its package is there, or it is a standard module of another platform or version:
            # this environment can judge.
            return EXCEPTION, message, None
        return MISSING_THIRD, message, top
