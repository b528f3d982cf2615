"""What the health of all modules is read from, each thing once: one tree and its ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

from pytest_cockpit.api import CockpitError
from pytest_cockpit.benchmarking import history
from pytest_cockpit.benchmarking.history import Point
from pytest_cockpit.phases import Place
from pytest_cockpit.records import baselines
from pytest_cockpit.records.text import one_line, printable
from pytest_cockpit.registry import measured, substance
from pytest_cockpit.registry.health import files
from pytest_cockpit.registry.health.changes import CHANGED, Changes
from pytest_cockpit.registry.measured import Coverage
from pytest_cockpit.registry.modules import Module

_MARKDOWN = ".md"


@dataclass(frozen=True)
class Ground:
    """A tree's modules, and what is known of them all."""

    place: Place
    modules: Sequence[Module]

    def newest(self, module: Module) -> Coverage | None:
        """The newest row about its coverage."""
        return self._coverage.get(printable(module.path))

    def benchmarks_of(self, module: Module) -> Mapping[str, Sequence[Point]]:
        """By benchmark, all rows about it in order."""
        return self._benchmarks.get(printable(module.path), {})

    @cached_property
    def _coverage(self) -> Mapping[str, Coverage]:
        return measured.newest(measured.coverage(self.place.rows))

    @cached_property
    def _benchmarks(self) -> Mapping[str, Mapping[str, Sequence[Point]]]:
        found: dict[str, dict[str, list[Point]]] = {}
        for each in history.points(self.place.rows):
            found.setdefault(each.module, {}).setdefault(each.name, []).append(each)
        return found

    @cached_property
    def changes(self) -> Changes:
        """What has changed since commits that rows name."""
        return Changes(self.place, self.modules)

    @cached_property
    def imports(self) -> Mapping[str, Any] | str:
        """Files that are known not to import, or why that cannot be told."""
        where = self.imports_path
        try:
            content = self.place.read(where)
            if content is None:
                return f"{where}: no baseline"
            found = baselines.parse(content, where)
        except CockpitError as error:
            return one_line(str(error).partition("\n")[0])
        return baselines.failures(found)

    @property
    def imports_path(self) -> str:
        """Where the baseline of imports is."""
        return baselines.path_of(self.place.settings.records, "imports")

    @cached_property
    def with_markdown(self) -> frozenset[str]:
        """Folders with a Markdown file anywhere below them, modules further down included."""
        found: set[str] = set()
        for path in self.place.entries:
            if path.lower().endswith(_MARKDOWN):
                found.update(parent.as_posix() for parent in PurePosixPath(path).parents)
        return frozenset(found)

    def stale(self, module: Module, row: Coverage | Point) -> str:
        """Why a measurement is not of the module as it is; empty where it is."""
        if row.content:
            same = row.content == self._digests[module.path]
            return "" if same else CHANGED
        return self.changes.since(row.commit, module)

    @cached_property
    def _digests(self) -> Mapping[str, str]:
        return substance.digests(self.place, self.modules)

    @cached_property
    def contents(self) -> Mapping[str, bytes]:
        """What the files hold that inputs read, by path; read at once."""
        wanted = (path for module in self.modules for path in files.wanted(module, self.place))
        return dict(self.place.read_all(dict.fromkeys(wanted)))

    def file(self, path: str) -> dict[str, Any]:
        """A file as evidence."""
        entry = self.place.entries.get(path)
        return {"path": printable(path), "blob": entry.oid if entry else None}


def row_of(found: Coverage | Point) -> dict[str, Any]:
    """A row of the ledger as evidence."""
    return {"seq": found.seq, "commit": found.commit, "data_sha256": found.digest or None}
