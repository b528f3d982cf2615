"""The source files of the modules that contracts name, with their digests."""

from __future__ import annotations

import ast
import bisect
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

from pytest_cockpit.api import Context, Lane
from pytest_cockpit.records.text import sha256
from pytest_cockpit_gates.matriz import files, modules
from pytest_cockpit_gates.matriz.samples import Target


class Targets:
    """Finds them in one tree; every file is read once."""

    def __init__(self, root: Path, lane: Lane, sources: Sequence[str]) -> None:
        """Look among `sources`, which are sorted."""
        self._root = root.resolve()
        self._lane = lane
        self._sources = sources
        self._read: dict[str, tuple[str, bool]] = {}

    @classmethod
    def of(cls, context: Context, paths: Iterable[str], exclude: Iterable[str]) -> Targets:
        """Look in the tree of a context, but for what the patterns exclude."""
        unwanted = files.matcher(exclude)
        sources = (path for path in paths if path.endswith(".py") and not unwanted.fullmatch(path))
        return cls(context.root, context.lane, sorted(sources))

    def about(self, module: str) -> Target | None:
        """A module's files: all below it where it is a package; None when it is not there."""
        place = modules.resolve(self._root, self._lane, module)
        if place is None or not place.is_relative_to(self._root):
            return None
        path = place.relative_to(self._root).as_posix()
        if place.is_dir() or place.name == "__init__.py":
            found = self._below(f"{path}/" if place.is_dir() else path.removesuffix("__init__.py"))
        else:
            found = [path] if path.endswith(".py") else []
        read = {path: self._file(path) for path in found}
        return Target(
            module,
            {path: digest for path, (digest, _) in read.items()},
            frozenset(path for path, (_, bare) in read.items() if bare),
        )

    def _below(self, folder: str) -> list[str]:
        start = bisect.bisect_left(self._sources, folder)
        found = []
        for path in self._sources[start:]:
            if not path.startswith(folder):
                break
            found.append(path)
        return found

    def _file(self, path: str) -> tuple[str, bool]:
        """The digest of a file, and whether no statement is in it."""
        if path not in self._read:
            file = self._root / path
            try:
                inside = file.resolve().is_relative_to(self._root)
                data = file.read_bytes() if inside else None
            except OSError:
                data = None
            # What cannot be read has the digest of nothing, and matches no evidence.
            self._read[path] = ("", False) if data is None else (sha256(data), _is_bare(data))
        return self._read[path]


def _is_bare(source: bytes) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            body = ast.parse(source).body
        except (SyntaxError, ValueError, LookupError, RecursionError, MemoryError):
            return False
    return all(isinstance(it, ast.Expr) and isinstance(it.value, ast.Constant) for it in body)
