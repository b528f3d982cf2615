"""The tree under judgement as the forked processes see it: what of it was executed, and how.

Standard library only; see `probe`.
"""

# pathlib would be loaded, and have to be hidden, for a few joined names.
# ruff: noqa: PTH100, PTH105, PTH112, PTH118, PTH123, PTH206

from __future__ import annotations

import _imp
import marshal
import os
import sys
from collections.abc import Callable
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from types import CodeType, ModuleType
from typing import ClassVar


class Tree:
    """The tree under judgement, and what of it this process has executed."""

    def __init__(self, root: str, cache: str) -> None:
        """Judge files below `root`; keep their bytecode in `cache`."""
        self.root = root
        self.cache = cache
        self.executed: set[tuple[str, str]] = set()
        self.broken: tuple[str, BaseException] | None = None
        self.warned: dict[str, tuple[tuple[int, str], ...]] = {}
        self.compiling: bytearray | None = None
        self.trail: Callable[[str, str], None] = _no_trail
        self._stack: list[tuple[str, str]] = []
        self._bodies: dict[str, ModuleType] = {}
        self._loader: type[_Loader] = type("TreeLoader", (_Loader,), {"tree": self})

    def holds(self, path: str) -> bool:
        """Whether the file or folder is the tree's own, and not of an environment inside it."""
        if "\0" in path:
            return False
        return any(map(self._holds, (os.path.normpath(path), os.path.realpath(path))))

    def _holds(self, path: str) -> bool:
        if path != self.root and not path.startswith(self.root + os.sep):
            return False
        parts = path[len(self.root) :].split(os.sep)
        return "site-packages" not in parts and "dist-packages" not in parts

    def enter(self, module: ModuleType, path: str) -> None:
        """A module's body begins."""
        name = module.__name__
        self._bodies[name] = module
        self.executed.add((name, os.path.realpath(path)))
        self._stack.append((name, path))
        self.trail(name, path)

    def leave(self) -> None:
        """A module's body is over."""
        self._stack.pop()
        self.trail(*self._stack[-1] if self._stack else ("", ""))

    def replaced(self, name: str) -> bool:
        """Whether the module put something else into its place."""
        return name in self._bodies and sys.modules.get(name) is not self._bodies[name]

    def hook(self, path: str) -> FileFinder:
        """A path hook for the tree's own folders."""
        if not (os.path.isdir(path or ".") and self.holds(os.path.abspath(path))):
            raise ImportError("not of the tree", path=path)
        return FileFinder(
            path,
            (ExtensionFileLoader, EXTENSION_SUFFIXES),
            (self._loader, SOURCE_SUFFIXES),
            (SourcelessFileLoader, BYTECODE_SUFFIXES),
        )


class _Loader(SourceFileLoader):
    """Runs source files of the tree; never believes nor writes a `__pycache__` there.

    Bytecode is kept by the content of the file: a time stamp would serve stale code of a file
    that was replaced within its resolution.
    """

    tree: ClassVar[Tree]

    def exec_module(self, module: ModuleType) -> None:
        self.tree.enter(module, self.path)
        try:
            super().exec_module(module)
        finally:
            self.tree.leave()

    def get_code(self, fullname: str) -> CodeType:
        source = self.get_data(self.path)
        key = f"{_digest(os.fsencode(self.path))}{_digest(source)}"
        kept = os.path.join(self.tree.cache, key)
        try:
            with open(kept, "rb") as stream:
                code, warned = _kept(stream.read())
        except (OSError, EOFError, ValueError, TypeError):
            code, warned = self._compiled(source)
            _keep(kept, marshal.dumps((code, warned)))
        if warned:
            self.tree.warned[fullname] = warned
        return code

    def _compiled(self, source: bytes) -> tuple[CodeType, tuple[tuple[int, str], ...]]:
        """Code, and the compiler's warnings: only who compiles hears them."""
        self.tree.compiling = heard = bytearray()
        try:
            code: CodeType = self.source_to_code(source, self.path)
        except BaseException as error:
            self.tree.broken = (self.path, error)
            raise
        finally:
            self.tree.compiling = None
        return code, _warnings(bytes(heard), os.fsencode(f"{self.path}:"))


def _kept(data: bytes) -> tuple[CodeType, tuple[tuple[int, str], ...]]:
    code, warned = marshal.loads(data)  # noqa: S302 - written by this run into its own folder
    if not isinstance(code, CodeType):
        raise TypeError("no code")
    return code, warned


def _warnings(heard: bytes, start: bytes) -> tuple[tuple[int, str], ...]:
    found = []
    for line in heard.split(b"\n"):
        number, _, text = line.removeprefix(start).partition(b": ")
        if line.startswith(start) and number.isdigit():
            found.append((int(number), text.decode("utf-8", "replace")))
    return tuple(found)


def _digest(data: bytes) -> str:
    return _imp.source_hash(0, data).hex()


def _keep(path: str, data: bytes) -> None:
    """Keep bytecode for the next process; a full disk costs time only."""
    temporary = f"{path}.{os.getpid()}"
    try:
        with open(temporary, "wb") as stream:
            stream.write(data)
        os.replace(temporary, path)
    except OSError:
        pass


def _no_trail(name: str, path: str) -> None:
    pass


# Who looks for the line that imports, as `warnings` does, passes over the frames of importlib,
# known by the file of their code or the name of their module. This one stands among them.
_Loader.exec_module.__code__ = _Loader.exec_module.__code__.replace(
    co_filename="<frozen importlib._bootstrap_external>"
)
__name__ = "importlib._cockpit"
