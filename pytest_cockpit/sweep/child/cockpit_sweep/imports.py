"""Follows imports: what the body of a file runs is a context of its own.

The lines that an import runs, it runs once in a process, for whoever comes first. So that they
count for everybody who imports the file, it is written down who imports what, also where the file
was imported before.
"""

from __future__ import annotations

import builtins
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.machinery import SourceFileLoader
from types import ModuleType
from typing import TYPE_CHECKING, Any

from _pytest.assertion.rewrite import AssertionRewritingHook

if TYPE_CHECKING:
    from .recorder import Recorder

Enter = Callable[[str], object]


def follow(recorder: Recorder, entering: Enter) -> None:
    """Follow every import of this process from here on.

    Parameters
    ----------
    entering: told each file of the tree before its body is executed.
    """
    imports = _Imports(recorder)
    for loader in (SourceFileLoader, AssertionRewritingHook):
        executed = _followed(loader.exec_module, recorder, entering)
        loader.exec_module = executed  # type: ignore[method-assign] # it is to be followed
    builtins.__import__ = imports.statement(builtins.__import__)
    importlib.import_module = imports.function(importlib.import_module)


def _followed(execute: Any, recorder: Recorder, entering: Enter) -> Any:
    def exec_module(self: Any, module: ModuleType) -> None:
        origin = getattr(module.__spec__, "origin", None)
        file = recorder.relative(origin)
        if file is None:
            execute(self, module)
            return
        entering(file)
        recorder.imported(origin)
        before = recorder.switch(f"import:{file}")
        try:
            execute(self, module)
        finally:
            recorder.switch(before)

    return exec_module


class _Imports:
    """What each context has imported; an import that was seen before is not looked at again."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._seen: set[tuple[object, ...]] = set()

    def statement(self, original: Any) -> Any:
        """`__import__`, which every import statement calls."""

        def statement(
            name: str,
            globals: Mapping[str, Any] | None = None,  # noqa: A002 - as Python has it
            locals: Mapping[str, Any] | None = None,  # noqa: A002 - as Python has it
            fromlist: Sequence[str] | None = (),
            level: int = 0,
        ) -> Any:
            try:
                return original(name, globals, locals, fromlist, level)
            finally:
                whole = _absolute(name, globals or {}, level) if level else name
                self._note(whole, tuple(fromlist or ()))

        return statement

    def function(self, original: Any) -> Any:
        """`importlib.import_module`."""

        def import_module(name: str, package: str | None = None) -> ModuleType:
            try:
                found: ModuleType = original(name, package)
                return found
            finally:
                if not name.startswith("."):
                    self._note(name, ())
                elif package:
                    level = len(name) - len(name.lstrip("."))
                    self._note(_absolute(name[level:], {"__package__": package}, level), ())

        return import_module

    def _note(self, name: str, wanted: tuple[str, ...]) -> None:
        key = (self._recorder.context, name, wanted)
        if key in self._seen:
            return
        self._seen.add(key)
        for each in _names(name, wanted):
            module = sys.modules.get(each)
            # Some modules compute an attribute that they are asked for.
            table = getattr(module, "__dict__", {})
            self._recorder.imported(table.get("__file__"))


def _names(name: str, wanted: tuple[str, ...]) -> Iterator[str]:
    """The packages on the way to a module, the module, and what of it may be modules."""
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        yield ".".join(parts[:length])
    for each in wanted:
        if each != "*":
            yield f"{name}.{each}"
            continue
        listed = getattr(sys.modules.get(name), "__dict__", {}).get("__all__", ())
        yield from (f"{name}.{every}" for every in listed)


def _absolute(name: str, table: Mapping[str, Any], level: int) -> str:
    package = table.get("__package__")
    if not isinstance(package, str):
        package = str(table.get("__name__", ""))
        if "__path__" not in table:
            package = package.rpartition(".")[0]
    base = package.rsplit(".", level - 1)[0] if level > 1 else package
    return f"{base}.{name}" if name else base
