"""Modules of the standard library that are loaded once and shown only to those who import them.

Most of what an isolated import costs is the standard library: thousands of forks would load it
thousands of times. Loaded before the forks it would be visible to all, and hide a module that
forgets to import what it uses. So it is loaded, taken out of sight together with every trace in
parent packages, and given back by the import system exactly as a fresh import would have left it:
the module, all that its own import loads, and nothing else. Standard library only; see `probe`.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class Standard:
    """A finder that serves hidden modules.

    It steps back for good wherever it could make a difference: when what is searched before the
    standard library has changed, or when a module is there already that was loaded another way.
    """

    def __init__(self, names: Iterable[str]) -> None:
        """Load and hide what of `names` can be loaded."""
        before = frozenset(sys.modules)
        recorder = _Recorder()
        with recorder:
            for name in names:
                recorder.load(name)
        order = [name for name in sys.modules if name not in before]
        self._modules = {name: sys.modules[name] for name in order}
        # Some modules put others into `sys.modules` that nothing can find; with those they come.
        served = [name for name in order if name in recorder.loaded]
        self._specs = {name: self._modules[name].__spec__ for name in served}
        self._needs = {name: recorder.closure(name, self._modules) for name in served}
        self._paths = {name: _path_above(name, self._modules) for name in served}
        self._attributes = frozenset(_taken_out(order))
        self._plain: tuple[Any, ...] = ()

    def install(self) -> None:
        """Serve from here on."""
        sys.meta_path.insert(0, self)
        self._plain = self._surroundings()

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The hidden module, if a fresh import would give the like of it."""
        needs = self._needs.get(name)
        if needs is None or self._surroundings() != self._plain:
            return None
        if (None if path is None else list(path)) != self._paths[name]:
            return None
        if any(sys.modules.get(other, self._modules[other]) is not self._modules[other]
               for other in needs):  # fmt: skip
            return None
        return ModuleSpec(name, self)  # type: ignore[arg-type] # a loader by its methods

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Part of the protocol of loaders."""
        return self._modules[spec.name]

    def exec_module(self, module: ModuleType) -> None:
        """Show what the module's import would have loaded."""
        name = module.__spec__.name if module.__spec__ else module.__name__
        module.__spec__ = self._specs[name]
        for other in self._needs[name]:
            sys.modules.setdefault(other, self._modules[other])
        for other in self._needs[name]:
            parent, _, leaf = other.rpartition(".")
            if other in self._attributes:
                setattr(sys.modules[parent], leaf, self._modules[other])

    def _surroundings(self) -> tuple[Any, ...]:
        last = max((i for i, entry in enumerate(sys.path) if entry in _LIBRARY), default=-1)
        return (sys.path[: last + 1], sys.meta_path[1:], sys.path_hooks[:], builtins.__import__)


_LIBRARY = frozenset(
    entry for entry in sys.path if "site-packages" not in entry and "dist-packages" not in entry
)


def _path_above(name: str, modules: Mapping[str, ModuleType]) -> list[str] | None:
    parent = name.rpartition(".")[0]
    if not parent:
        return None
    return list((modules.get(parent) or sys.modules[parent]).__path__)


def _taken_out(order: Sequence[str]) -> Iterator[str]:
    """Take modules out of sight, the last first; gives those that a parent had as attribute."""
    hidden = {name: sys.modules[name] for name in order}
    for name in reversed(order):
        module = sys.modules.pop(name)
        parent, _, leaf = name.rpartition(".")
        holder = hidden.get(parent) or sys.modules.get(parent)
        if parent and holder is not None and vars(holder).get(leaf) is module:
            delattr(holder, leaf)
            yield name


class _Recorder:
    """Notes which modules are imported while which module's body runs."""

    def __init__(self) -> None:
        self.loaded: set[str] = set()
        self._direct: dict[str, dict[str, None]] = {}
        self._stack: list[str] = []
        self._import = builtins.__import__

    def __enter__(self) -> None:
        sys.meta_path.insert(0, self)
        builtins.__import__ = self._noted

    def __exit__(self, *_: object) -> None:
        builtins.__import__ = self._import
        sys.meta_path.remove(self)

    def load(self, name: str) -> None:
        """Import a module; what cannot be had here is not hidden either."""
        try:
            self._import(name)
        except ImportError:
            return

    def closure(self, name: str, modules: Mapping[str, ModuleType]) -> tuple[str, ...]:
        """The module and all of `modules` that its import loads."""
        found: dict[str, None] = {}
        pending = [name]
        while pending:
            one = pending.pop()
            if one in found or one not in modules:
                continue
            found[one] = None
            pending += [one.rpartition(".")[0], *self._direct.get(one, ())]
        return tuple(sorted(found, key=list(modules).index))

    def run(self, name: str, execute: Callable[[ModuleType], None], module: ModuleType) -> None:
        """Execute a module's body, noting what it puts into `sys.modules` past all finders."""
        self.loaded.add(name)
        before = frozenset(sys.modules)
        self._stack.append(name)
        try:
            execute(module)
        finally:
            for new in sys.modules.keys() - before - self.loaded:
                self._note(new)
            self._stack.pop()

    def _note(self, name: str) -> None:
        if self._stack:
            self._direct.setdefault(self._stack[-1], {})[name] = None

    def _noted(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,  # noqa: A002 - the name `__import__` gives it
        locals: Mapping[str, Any] | None = None,  # noqa: A002 - the same
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        module = self._import(name, globals, locals, fromlist or (), level)
        base = name
        if level:
            package = (globals or {}).get("__package__") or ""
            above = package.rsplit(".", level - 1)[0]
            base = f"{above}.{name}" if name else above
        self._note(base)
        for leaf in fromlist or ():
            if f"{base}.{leaf}" in sys.modules:
                self._note(f"{base}.{leaf}")
        return module

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        self._note(name)
        for finder in sys.meta_path[1:]:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _Entered(spec.loader, self)  # type: ignore[assignment] # a loader by its methods
                return spec
        return None


class _Entered:
    """A loader that tells whose body runs, and leaves no trace of itself."""

    def __init__(self, loader: Any, recorder: _Recorder) -> None:
        self._loader = loader
        self._recorder = recorder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        spec.loader = self._loader
        made: ModuleType | None = self._loader.create_module(spec)
        spec.loader = self  # type: ignore[assignment] # a loader by its methods
        return made

    def exec_module(self, module: ModuleType) -> None:
        spec = module.__spec__
        if spec is not None:
            spec.loader = self._loader
        module.__loader__ = self._loader
        name = module.__name__ if spec is None else spec.name
        self._recorder.run(name, self._loader.exec_module, module)
