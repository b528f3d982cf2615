"""Which lines ran on whose behalf, and what was imported on whose behalf.

On whose behalf is a context: `module:PATH` while a module's tests are collected or run,
`import:FILE` while the body of a file is executed, and nothing otherwise.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

import coverage

_OVERRIDDEN: dict[str, Any] = {
    "run:branch": False,
    "run:core": "ctrace",
    "run:parallel": False,
    # The measurement of programs that tests start would need files of its own.
    "run:patch": [],
    # With it, coverage would look at every file of the tree at the end.
    "run:source": [],
}


class Recorder:
    """Measures this process from `start` to `stop`."""

    def __init__(self, root: Path, settings: Path) -> None:
        self.root = root
        self.context = ""
        self.edges: set[tuple[str, str]] = set()
        self._prefix = os.path.join(root, "")  # noqa: PTH118 - a prefix of strings
        self._known: dict[str, str | None] = {}
        self._coverage = coverage.Coverage(data_file=None, config_file=str(settings))
        for name, value in {**_OVERRIDDEN, "run:include": [_below(str(root))]}.items():
            self._coverage.set_option(name, value)

    def start(self) -> None:
        """Measure from here on."""
        self._coverage.start()

    def switch(self, context: str) -> str:
        """Count what follows for this context; return the one before."""
        before = self.context
        if context != before:
            self.context = context
            self._coverage.switch_context(context)
        return before

    def relative(self, path: Any) -> str | None:
        """A file's path from the root, links followed; None where it lies elsewhere."""
        if not isinstance(path, str):
            return None
        if path not in self._known:
            self._known[path] = self._relative(path)
        return self._known[path]

    def _relative(self, path: str) -> str | None:
        real = os.path.realpath(path)
        nested = os.path.realpath(sys.prefix) + os.sep
        if not real.startswith(self._prefix):
            return None
        # A virtual environment inside the tree holds installed copies, not the tree's files.
        if nested.startswith(self._prefix) and real.startswith(nested):
            return None
        return real.removeprefix(self._prefix)

    def imported(self, path: Any) -> None:
        """Remember that a file is needed in the current context."""
        file = self.relative(path)
        if file is not None:
            self.edges.add((self.context, file))

    def stop(self) -> dict[str, Any]:
        """End the measurement and return what ran, fit for JSON."""
        self._coverage.stop()
        data = self._coverage.get_data()
        lines: dict[str, dict[str, list[int]]] = {}
        for path in data.measured_files():
            file = self.relative(path)
            if file is not None:
                for line, contexts in sorted(data.contexts_by_lineno(path).items()):
                    for context in contexts:
                        lines.setdefault(context, {}).setdefault(file, []).append(line)
        return {
            "lines": {
                context: {file: _ranges(numbers) for file, numbers in files.items()}
                for context, files in lines.items()
            },
            "edges": sorted(self.edges),
        }


def _below(folder: str) -> str:
    """The pattern of all files below a folder; coverage's patterns have no way to quote."""
    return re.sub(r"[*?\[\]\\]", "?", folder) + "/*"


def _ranges(lines: Iterable[int]) -> str:
    # As the sweep's model has it, which this interpreter need not have.
    found = [
        [number for _, number in run]
        for _, run in groupby(enumerate(lines), key=lambda pair: pair[1] - pair[0])
    ]
    return " ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in found)
