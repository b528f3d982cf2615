"""Whose lines are whose: from contexts and imports to the lines that a module's tests run.

A line counts for a module where it ran in the module's turn, or in nobody's, or in the body of a
file that the module's tests have imported, whether or not another module's tests came first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pytest_cockpit.registry.contents import folders_above
from pytest_cockpit.sweep.model import spread

_BODY = "import:"
_TURN = "module:"
_NOBODY = ""


@dataclass(frozen=True)
class Observed:
    """What the processes of one run handed over, as one.

    Parameters
    ----------
    lines: by context and file.
    edges: files that were imported, by context.
    """

    lines: Mapping[str, Mapping[str, AbstractSet[int]]] = field(default_factory=dict)
    edges: Mapping[str, AbstractSet[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]]) -> Observed:
        """The union of what several processes saw."""
        lines: dict[str, dict[str, set[int]]] = {}
        edges: dict[str, set[str]] = {}
        for row in rows:
            for context, files in row["lines"].items():
                for path, numbers in files.items():
                    lines.setdefault(context, {}).setdefault(path, set()).update(spread(numbers))
            for context, path in row["edges"]:
                edges.setdefault(context, set()).add(path)
        return cls(lines, edges)

    @cached_property
    def every(self) -> dict[str, set[int]]:
        """All lines that ran, by file."""
        return self._union(self.lines)

    def of_turns(self, turns: Sequence[str], tests: Iterable[str]) -> dict[str, set[int]]:
        """The lines that count for who has these turns and test files, by file."""
        contexts = {_NOBODY, *(f"{_TURN}{turn}" for turn in turns)}
        begun = {*contexts, *(f"{_BODY}{path}" for path in _loaded_by_pytest(tests))}
        return self._union(self._reached(begun))

    def _reached(self, contexts: AbstractSet[str]) -> set[str]:
        """These contexts and the bodies of all files imported from them, however far."""
        reached, new = set(contexts), list(contexts)
        while new:
            for path in self.edges.get(new.pop(), ()):
                body = f"{_BODY}{path}"
                if body not in reached:
                    reached.add(body)
                    new.append(body)
        return reached

    def _union(self, contexts: Iterable[str]) -> dict[str, set[int]]:
        found: dict[str, set[int]] = {}
        for context in contexts:
            for path, numbers in self.lines.get(context, {}).items():
                found.setdefault(path, set()).update(numbers)
        return found


def _loaded_by_pytest(tests: Iterable[str]) -> set[str]:
    """The test files, and each conftest.py that pytest loads for them."""
    found = set()
    for path in tests:
        found.add(path)
        for folder in folders_above(path):
            found.add("conftest.py" if folder == "." else f"{folder}/conftest.py")
    return found
