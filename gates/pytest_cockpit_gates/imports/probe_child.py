"""Import one module and tell how it went: the forked half of the probe.

Standard library only; see `probe`.
"""

from __future__ import annotations

import atexit
import faulthandler
import fcntl
import json
import mmap
import os
import resource
import sys
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from pytest_cockpit_gates.imports import probe_state
    from pytest_cockpit_gates.imports.probe_guard import Guard
    from pytest_cockpit_gates.imports.probe_tree import Tree
else:
    import probe_state

_HEAD = 8
_TEXT = 1000
_FRAMES = 40
_HALF = 20
_CHAIN = 8
_FOREIGN = 5
_HIGH = 200
_RAN = 1000
_STATES = 20
_LOST = 10
_KINDS = (SyntaxError, ModuleNotFoundError, ImportError, SystemExit, MemoryError)


class Cell:
    """Bytes that a forked process leaves for its parent.

    Shared memory, not a pipe: a module that closes every descriptor it finds, or prints over
    them, cannot lose or garble it.
    """

    def __init__(self, size: int) -> None:
        """Share `size` bytes with every process forked from now on."""
        self._memory = mmap.mmap(-1, size)

    def put(self, data: bytes) -> None:
        """Replace what is there; the length comes last, so that a half-written value is none."""
        self._memory[:_HEAD] = bytes(_HEAD)
        self._memory[_HEAD : _HEAD + len(data)] = data
        self._memory[:_HEAD] = len(data).to_bytes(_HEAD, "little")

    def get(self) -> bytes:
        """What was left; empty when nothing was."""
        length = int.from_bytes(self._memory[:_HEAD], "little")
        return self._memory[_HEAD : _HEAD + min(length, len(self._memory) - _HEAD)]

    def close(self) -> None:
        """Give the memory back."""
        self._memory.close()


class Child:
    """One forked process: confines itself, imports, reports, and is gone.

    Parameters
    ----------
    tree: the tree under judgement.
    guard: keeps the tree as it is.
    known: dotted names of the tree's own modules.
    memory: bytes of address space allowed; 0 for no limit.
    die_with: arranges that this process dies with the given parent.
    """

    def __init__(
        self,
        tree: Tree,
        guard: Guard,
        known: frozenset[str],
        memory: int,
        die_with: Callable[[int], None],
    ) -> None:
        self.tree = tree
        self.guard = guard
        self.known = known
        self.memory = memory
        self.die_with = die_with
        self.before: Mapping[str, Any] = {}
        # What the judged module replaces must not decide how it is reported.
        self._exit = os._exit
        self._pid = os.getpid
        self._dumps = json.dumps
        self._callbacks = 0

    def settle(self) -> None:
        """Note what the process looks like before any import."""
        probe_state.note_modules()
        self.before = probe_state.snapshot()
        self._callbacks = atexit._ncallbacks()  # noqa: SLF001 - nothing public counts them

    def run(
        self, job: Mapping[str, Any], cells: Sequence[Cell], output: int, fault: int
    ) -> NoReturn:
        """Import `job["module"]` and leave the report in the first cell. Never returns."""
        code = 1
        try:
            pid = self._pid()
            out, err = sys.stdout, sys.stderr
            self._confine(cells[1], output, fault)
            self.guard.install(job.get("file", ""))
            if "tour" in job:
                self._tour(job["tour"], cells)
            else:
                report = self._import(job)
                if self._pid() == pid:
                    cells[0].put(self._dumps(report).encode())
                    if report["error"] is None:
                        self._after(job, cells[2])
                    for stream in (out, err):
                        stream.flush()
            code = 0
        except BaseException:  # noqa: BLE001 - whatever it is, a forked child must end here
            sys.excepthook(*sys.exc_info())
        finally:
            self._exit(code)

    def _after(self, job: Mapping[str, Any], cell: Cell) -> None:
        """What can only be tried once the import's own outcome is safe."""
        self.guard.deaf = True
        promised = _promised(job["module"])
        callbacks = atexit._ncallbacks() > self._callbacks  # noqa: SLF001 - none public counts them
        after: dict[str, Any] = {"stage": "names", "lost": [], "failed": []}
        if promised:
            cell.put(self._dumps(after).encode())
            lost = [one for one in promised if not _is_kept(job["module"], one)]
            after["lost"] = [str(one)[:_TEXT] for one in lost[:_LOST]]
        if callbacks:
            cell.put(self._dumps({**after, "stage": "exit"}).encode())
            sys.unraisablehook = lambda args: after["failed"].append(_summary(args.exc_value))
            atexit._run_exitfuncs()  # noqa: SLF001 - what the interpreter calls as it ends
        if promised or callbacks:
            cell.put(self._dumps({**after, "stage": "end"}).encode())

    def _tour(self, names: Sequence[str], cells: Sequence[Cell]) -> None:
        """Import modules one after another in this one process."""
        self.guard.deaf = True
        failed: dict[str, str] = {}
        for number, name in enumerate(names):
            cells[2].put(str(number).encode())
            try:
                __import__(name)
            except BaseException as error:  # noqa: BLE001 - the next module has its turn
                found = _summary(error)
                failed[name] = f"{found['type']}: {found['message']}"
                if len(failed) <= _RAN:
                    cells[0].put(self._dumps({"failed": failed}).encode())
        cells[2].put(str(len(names)).encode())

    def _confine(self, trail: Cell, output: int, fault: int) -> None:
        parent = os.getppid()
        os.setsid()
        self.die_with(parent)
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        faulthandler.enable(file=fcntl.fcntl(fault, fcntl.F_DUPFD_CLOEXEC, _HIGH))
        for descriptor in (null, output, fault):
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if self.memory:
            hard = resource.getrlimit(resource.RLIMIT_AS)[1]
            limit = self.memory if hard == resource.RLIM_INFINITY else min(self.memory, hard)
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        pid = self._pid()

        def leave_trail(name: str, path: str) -> None:
            if self._pid() == pid:
                trail.put(json.dumps([name[:_TEXT], path]).encode())

        self.tree.trail = leave_trail

    def _import(self, job: Mapping[str, Any]) -> dict[str, Any]:
        name, other = job["module"], job["same_as"]
        report: dict[str, Any] = {"error": None, "same": None}
        try:
            __import__(name)
            if other:
                __import__(other)
                report["same"] = _same(name, other)
        except BaseException as error:  # noqa: BLE001 - SystemExit and KeyboardInterrupt count too
            report["error"] = self._describe(error, name)
        report["executed"] = (name, os.path.realpath(job["file"])) in self.tree.executed
        report["file"] = _file(sys.modules.get(name))
        report["foreign"] = self._foreign()
        report["wrote"] = self.guard.first
        report["programs"] = self.guard.programs
        report["notes"] = list(self.guard.notes)
        report["warned"] = list(self.tree.warned.get(name, ()))[:_STATES]
        report["states"] = probe_state.changes(self.before)[:_STATES]
        report["threads"] = probe_state.threads()
        report["children"] = probe_state.children() if self.guard.programs else 0
        report["replaced"] = self.tree.replaced(name)
        report["ran"] = sorted({ran for ran, _ in self.tree.executed} - {name})[:_RAN]
        return report

    def _describe(self, error: BaseException, wanted: str) -> dict[str, Any]:
        return {
            **_summary(error),
            "frames": self._frames(error.__traceback__),
            "broken": self._broken(error),
            "denied": any(
                link is denied for link in (error, *_chain(error)) for denied in self.guard.denied
            ),
            "line": error.lineno if isinstance(error, SyntaxError) else None,
            "chain": [_summary(link) for link in _chain(error)],
            "parents": {
                above: _file(sys.modules[above])
                for above in _parents(wanted, getattr(error, "name", None))
                if above in sys.modules
            },
        }

    def _broken(self, error: BaseException) -> str | None:
        """The file that could not be compiled, when that is what went wrong."""
        path, cause = self.tree.broken or (None, None)
        return path if cause is error else None

    def _frames(self, traceback: TracebackType | None) -> list[tuple[str, int]]:
        """Where the tree's module bodies stood, from the outermost to the one that failed."""
        frames = []
        while traceback is not None:
            code = traceback.tb_frame.f_code
            if code.co_name == "<module>" and self.tree.holds(code.co_filename):
                frames.append((code.co_filename, traceback.tb_lineno))
            traceback = traceback.tb_next
        return frames if len(frames) <= _FRAMES else frames[:_HALF] + frames[-_HALF:]

    def _foreign(self) -> list[tuple[str, str]]:
        """Modules that carry a name of the tree's own but were loaded from elsewhere."""
        found = []
        own = {name for name, _ in self.tree.executed}
        for name in self.known.intersection(tuple(sys.modules)) - own:
            file = _file(sys.modules.get(name))
            if file and not self.tree.holds(file):
                found.append((name, file))
        return sorted(found)[:_FOREIGN]


def _promised(name: str) -> list[Any]:
    """What `from name import *` asks for and the module does not plainly have."""
    try:
        held = object.__getattribute__(sys.modules.get(name), "__dict__")
        return [one for one in held.get("__all__", ()) if one not in held]
    except BaseException:  # noqa: BLE001 - `__all__` may be any object
        return [f"{name}.__all__"]


def _is_kept(name: str, promised: Any) -> bool:
    """Whether the module has the name when it is asked, as a submodule for instance."""
    try:
        module = __import__(name, fromlist=[promised])
        getattr(module, promised)
    except BaseException:  # noqa: BLE001 - whatever it is, the name cannot be had
        return False
    return True


def _same(old: str, new: str) -> dict[str, bool]:
    """Whether both names give one object, by `sys.modules` and as the parent's attribute."""
    module = sys.modules.get(new)
    parent, _, leaf = old.rpartition(".")
    holder = sys.modules.get(parent)
    attribute = not parent or vars(holder).get(leaf) is module if holder else not parent
    return {"object": module is not None and sys.modules.get(old) is module, "attribute": attribute}


def _file(module: object) -> str | None:
    """`__file__` of a module, whatever its class does on attribute access."""
    try:
        file = object.__getattribute__(module, "__dict__").get("__file__")
    except AttributeError:
        return None
    return file if isinstance(file, str) else None


def _parents(*names: str | None) -> list[str]:
    found = []
    for name in names:
        above = (name or "").rpartition(".")[0]
        while above:
            found.append(above)
            above = above.rpartition(".")[0]
    return found


def _summary(error: BaseException | None) -> dict[str, Any]:
    kind = next((kind.__name__ for kind in _KINDS if isinstance(error, kind)), "Exception")
    name = getattr(error, "name", None) if isinstance(error, ImportError) else None
    try:
        message = str(error.msg if isinstance(error, SyntaxError) else error)
    except BaseException:  # noqa: BLE001 - an exception's text is code of the judged module
        message = "(its text cannot be had)"
    return {
        "kind": kind,
        "type": type(error).__name__[:_TEXT],
        "message": message[:_TEXT],
        "name": name[:_TEXT] if isinstance(name, str) else None,
    }


def _chain(error: BaseException) -> list[BaseException]:
    """The exceptions that led to this one, the nearest first."""
    found: list[BaseException] = []
    link = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    while link is not None and len(found) < _CHAIN:
        found.append(link)
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return found
