"""Keeps an import from writing into the tree it is judged with, and hears what else it does.

Scripts without a main guard lie in real trees, and importing one runs it: it may rename half of
the files under judgement, which may be the user's own. Standard library only; see `probe`.
"""

# pathlib would be loaded, and have to be hidden, for a few joined names.
# ruff: noqa: PTH100, PTH115, PTH117, PTH118, PTH206

from __future__ import annotations

import errno
import mmap
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import FrameType

    from pytest_cockpit_gates.imports.probe_tree import Tree

_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_PROGRAMS = 5
_DENIED = 100
_TEXT = 200
_NOTES = 20
_STARTED = 64
_SYSTEM = ("/dev/", "/proc/")
# A folder for files like any other, in memory.
_SHARED = "/dev/shm/"  # noqa: S108 - nothing is written there

Target = tuple[Any, Any]
"""A path, and the descriptor of the folder it is relative to, -1 for none."""

Note = tuple[str, str, "str | None", "int | None", bool]
"""Kind, what, file, line, and whether a foreign import stands in between."""


class Guard:
    """An audit hook: refuses writes into the tree, and notes what reaches beyond the process.

    Code that does not ask Python, as a started program does, is not held back.

    Parameters
    ----------
    first: the first refused write, `denied` the errors it was refused with.
    notes: what was done, each once: kind, what, file and line of the tree's own code, and whether
        it was done while something from outside the tree was being imported.
    programs: started programs.
    """

    def __init__(self, tree: Tree, allowed: str) -> None:
        """Let nothing but the folder `allowed` be written below the tree's root."""
        self.tree = tree
        self.allowed = allowed + os.sep
        self.first: dict[str, Any] | None = None
        self.denied: list[OSError] = []
        self.programs: list[str] = []
        self.notes: dict[Note, None] = {}
        self.deaf = False
        self._held: dict[str, bool] = {}
        self._own = ""
        # Shared with every fork of a fork: each of them must count.
        self._started = mmap.mmap(-1, 8)

    def install(self, own: str) -> None:
        """Begin, `own` being the file whose import it is; an audit hook stays for good."""
        self._own = own
        sys.addaudithook(self._hear)

    def hear_words(self, stream: str) -> None:
        """Something is printed."""
        self._note("prints", stream)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        told = _TOLD.get(event)
        if told is not None:
            kind, index = told
            if kind == "programs":
                self._start(event)
            self._note(kind, _shown(event, arguments, index))
            return
        targets = _WRITES.get(event)
        if targets is None:
            return
        for target in targets(arguments):
            path = _absolute(target)
            if path is None:
                continue
            if self._protects(path):
                self._refuse(event, path)
            elif not self._is_passing(path):
                self._note("writes", path)

    def _start(self, event: str) -> None:
        """One more process; a bomb of forks is told what a full system would tell it."""
        count = int.from_bytes(self._started[:], "little") + 1
        self._started[:] = count.to_bytes(8, "little")
        if count > _STARTED and not self.deaf:
            raise BlockingIOError(errno.EAGAIN, "an import may not start so many processes")

    def _note(self, kind: str, what: str) -> None:
        if self.deaf:
            return
        file, line, foreign = self._place()
        if kind == "programs" and len(self.programs) < _PROGRAMS:
            self.programs.append(what[:_TEXT])
        # What others do in between must not crowd out what this file does.
        if len(self.notes) < (2 * _NOTES if file == self._own else _NOTES):
            self.notes[kind, what[:_TEXT], file, line, foreign] = None

    def _is_passing(self, path: str) -> bool:
        """Whether it is gone with the process, or the import system's own."""
        return (
            (path.startswith(_SYSTEM) and not path.startswith(_SHARED))
            or os.path.realpath(path).startswith(self.allowed)
            or "__pycache__" in path.split(os.sep)
        )

    def _protects(self, path: str) -> bool:
        return not os.path.realpath(path).startswith(self.allowed) and self.tree.holds(path)

    def _refuse(self, event: str, path: str) -> None:
        error = PermissionError(errno.EACCES, "an import may not write into its tree", path)
        # The import system writes bytecode where it may, and goes on where it may not.
        if "__pycache__" not in path.split(os.sep):
            self.denied[_DENIED:] = [error]
            if self.first is None:
                file, line, _ = self._place()
                self.first = {"event": event, "path": path, "file": file, "line": line}
        raise error

    def _place(self) -> tuple[str | None, int | None, bool]:
        """The tree's own line that is running, and whether a foreign import stands in between."""
        frame: FrameType | None = sys._getframe()  # noqa: SLF001 - the way to the running line
        foreign = False
        while frame is not None:
            file = frame.f_code.co_filename
            if file != __file__ and self._holds(file):
                return file, frame.f_lineno, foreign
            foreign = foreign or (frame.f_code.co_name == "<module>" and file != __file__)
            frame = frame.f_back
        return None, None, foreign

    def _holds(self, file: str) -> bool:
        if file not in self._held:
            self._held[file] = self.tree.holds(file)
        return self._held[file]


def _absolute(target: Target) -> str | None:
    """The path that is meant; None where it cannot be known."""
    path, folder = target
    if isinstance(path, int):
        return None
    try:
        name = os.fsdecode(path)
        if folder not in (None, -1) and not os.path.isabs(name):
            name = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), name)
        return os.path.abspath(name)
    except (OSError, TypeError, ValueError):
        return None


def _opened(arguments: tuple[Any, ...]) -> Iterator[Target]:
    path, _, flags = arguments
    if isinstance(flags, int) and flags & _FLAGS:
        yield path, -1


def _made(arguments: tuple[Any, ...]) -> Iterator[Target]:
    target = (arguments[0], arguments[2])
    if not os.path.lexists(_absolute(target) or os.curdir):
        yield target


def _removed(arguments: tuple[Any, ...]) -> Iterator[Target]:
    target = (arguments[0], arguments[1])
    if os.path.lexists(_absolute(target) or os.curdir):
        yield target


def _renamed(arguments: tuple[Any, ...]) -> Iterator[Target]:
    yield arguments[0], arguments[2]
    yield arguments[1], arguments[3]


def _connected(arguments: tuple[Any, ...]) -> Iterator[Target]:
    name = os.fsdecode(arguments[0])
    if name and not name.startswith((":", "file:")) and not os.path.lexists(name):
        yield name, -1


_WRITES: Mapping[str, Callable[[tuple[Any, ...]], Iterator[Target]]] = {
    "open": _opened,
    "os.mkdir": _made,
    "os.remove": _removed,
    "os.rmdir": _removed,
    "os.rename": _renamed,
    "os.link": lambda arguments: iter([(arguments[1], arguments[3])]),
    "os.symlink": lambda arguments: iter([(arguments[1], arguments[2])]),
    "os.truncate": lambda arguments: iter([(arguments[0], -1)]),
    "os.chmod": lambda arguments: iter([(arguments[0], arguments[2])]),
    "os.chown": lambda arguments: iter([(arguments[0], arguments[3])]),
    "os.utime": lambda arguments: iter([(arguments[0], arguments[3])]),
    "os.setxattr": lambda arguments: iter([(arguments[0], -1)]),
    "os.removexattr": lambda arguments: iter([(arguments[0], -1)]),
    "sqlite3.connect": _connected,
}

_TOLD: Mapping[str, tuple[str, int | None]] = {
    "os.exec": ("programs", 1),
    "os.fork": ("programs", None),
    "os.forkpty": ("programs", None),
    "os.posix_spawn": ("programs", 1),
    "os.system": ("programs", 0),
    "subprocess.Popen": ("programs", 1),
    "socket.bind": ("network", 1),
    "socket.connect": ("network", 1),
    "socket.getaddrinfo": ("network", 0),
    "socket.gethostbyaddr": ("network", 0),
    "socket.gethostbyname": ("network", 0),
    "socket.sendmsg": ("network", 1),
    "socket.sendto": ("network", 1),
    "_thread.start_new_thread": ("threads", None),
    "_thread.start_joinable_thread": ("threads", None),
}
"""Events that reach beyond the import, with their kind and the index of what tells most."""


def _shown(event: str, arguments: tuple[Any, ...], index: int | None) -> str:
    return event if index is None else f"{event} {arguments[index]!r}"
