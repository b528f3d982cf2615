"""What a module finds of the process's state, as far as other modules' tests would clash with it.

Test files, and what lies beside them, are often imported by a short name, which those of another
module have as well. Such names, and the folders on the path that they come from, belong to the
module whose turn it is; they are put away at the end of its turn, and put back at the next.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .recorder import Recorder


class Owners:
    """Whose turn a path belongs to: that of the innermost module, unless the path has its own."""

    def __init__(self, modules: Iterable[str], turns: Mapping[str, str]) -> None:
        self._modules = frozenset(modules)
        self._turns = turns

    def of(self, path: str) -> str | None:
        """The turn of a path from the root."""
        if path in self._turns:
            return self._turns[path]
        folder = path
        while folder:
            if folder in self._modules:
                return folder
            folder = folder.rpartition("/")[0]
        return "." if "." in self._modules else None


class Stage:
    """Whose turn it is."""

    def __init__(self, recorder: Recorder, owners: Owners) -> None:
        self.module: str | None = None
        self._recorder = recorder
        self._owners = owners
        self._path = list(sys.path)
        self._folders: dict[str, list[str]] = {}
        self._names: dict[str, dict[str, ModuleType]] = {}
        self._public: dict[tuple[str, object], bool] = {}

    def of(self, path: Path) -> str | None:
        """The module of a file or folder."""
        file = self._recorder.relative(str(path))
        return None if file is None else self._owners.of(file)

    def enter(self, module: str) -> None:
        """Give the turn to a module."""
        if module == self.module:
            return
        added = [folder for folder in sys.path if folder not in self._path]
        # pytest adds the folder of a conftest.py before it is known whose turn it is.
        early = [folder for folder in added if self.of(Path(folder)) == module]
        if self.module is not None:
            self._folders[self.module] = [folder for folder in added if folder not in early]
            self._names[self.module] = self._private()
            for name in self._names[self.module]:
                del sys.modules[name]
        own = self._folders.pop(module, [])
        sys.path[:] = [*(each for each in early if each not in own), *own, *self._path]
        sys.modules.update(self._names.pop(module, {}))
        self.module = module

    def _private(self) -> dict[str, ModuleType]:
        """Modules that have another name than their place in the tree gives them."""
        return {
            name: module
            for name, module in list(sys.modules.items())
            if not self._is_public(name, getattr(module, "__dict__", {}).get("__file__"))
        }

    def _is_public(self, name: str, path: object) -> bool:
        key = (name, path)
        if key not in self._public:
            file = self._recorder.relative(path)
            self._public[key] = file is None or self._has_its_name(name, file)
        return self._public[key]

    def _has_its_name(self, name: str, file: str) -> bool:
        where = name.replace(".", "/")
        places = (f"{where}.py", f"{where}/__init__.py")
        whole = os.path.join(self._recorder.root, file)  # noqa: PTH118 - compared as text
        return any(
            whole == os.path.join(os.path.realpath(folder), place)  # noqa: PTH118 - as above
            for folder in self._path
            for place in places
        )
