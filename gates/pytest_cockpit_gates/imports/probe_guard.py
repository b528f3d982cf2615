"""Keeps an import from writing into the tree it is judged with.

Scripts without a main guard lie in real trees, and importing one runs it: it may rename half of
the files under judgement, which may be the user's own. Standard library only; see `probe`.
"""

# pathlib would be loaded, and have to be hidden, for a few joined names.
# ruff: noqa: PTH100, PTH115, PTH117, PTH118, PTH206

from __future__ import annotations

import errno
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

Target = tuple[Any, Any]
"""A path, and the descriptor of the folder it is relative to, -1 for none."""


class Guard:
    """An audit hook: refuses writes into the tree and notes the first; notes started programs.

    Code that does not ask Python, as a started program does, is not held back.
    """

    def __init__(self, tree: Tree, allowed: str) -> None:
        """Let nothing but the folder `allowed` be written below the tree's root."""
        self.tree = tree
        self.allowed = allowed + os.sep
        self.first: dict[str, Any] | None = None
        self.denied: list[OSError] = []
        self.programs: list[str] = []

    def install(self) -> None:
        """Begin; an audit hook stays for the life of the process."""
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in _STARTS:
            if len(self.programs) < _PROGRAMS:
                self.programs.append(repr(arguments[_STARTS[event]])[:_TEXT])
            return
        targets = _WRITES.get(event)
        if targets is None:
            return
        for target in targets(arguments):
            path = _absolute(target)
            if path is not None and self._protects(path):
                self._refuse(event, path)

    def _protects(self, path: str) -> bool:
        return not os.path.realpath(path).startswith(self.allowed) and self.tree.holds(path)

    def _refuse(self, event: str, path: str) -> None:
        error = PermissionError(errno.EACCES, "an import may not write into its tree", path)
        # The import system writes bytecode where it may, and goes on where it may not.
        if "__pycache__" not in path.split(os.sep):
            self.denied[_DENIED:] = [error]
            if self.first is None:
                file, line = self._place()
                self.first = {"event": event, "path": path, "file": file, "line": line}
        raise error

    def _place(self) -> tuple[str | None, int | None]:
        """The tree's own line that is running."""
        frame: FrameType | None = sys._getframe()  # noqa: SLF001 - the way to the running line
        while frame is not None:
            file = frame.f_code.co_filename
            if file != __file__ and self.tree.holds(file):
                return file, frame.f_lineno
            frame = frame.f_back
        return None, None


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

_STARTS = {"subprocess.Popen": 1, "os.system": 0, "os.exec": 1, "os.posix_spawn": 1}
"""Events of started programs, with the index of what was started."""
