"""Everything that is generated from all modules, as bytes by path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pytest_cockpit.benchmarking import history
from pytest_cockpit.benchmarking import trends as bench_trends
from pytest_cockpit.phases import Place
from pytest_cockpit.records import artifacts
from pytest_cockpit.registry import (
    contents,
    documentation_map,
    meta,
    module_index,
    module_registry,
    modules,
    trends,
)
from pytest_cockpit.registry.modules import Survey


def generate(place: Place) -> Mapping[str, bytes]:
    """The documents of a tree by path, in the order they are made.

    The same tree and ledger give the same bytes. A trend of which the ledger has no row is left
    out, but for that of coverage.
    """
    return Documents(place).all()


@dataclass(frozen=True)
class Documents:
    """The same, each when it is asked for: what modules alone give needs no ledger."""

    place: Place
    _made: dict[str, bytes | None] = field(default_factory=dict)

    def get(self, path: str) -> bytes | None:
        """A document; None where nothing in the tree and its ledger gives it.

        Raises
        ------
        CockpitError: it cannot be told, for the ledger is broken or a file's content not here.
        """
        if path not in self._made:
            self._made[path] = _MAKERS[path.rpartition("/")[2]](self)
        return self._made[path]

    def all(self) -> dict[str, bytes]:
        """Those that there are to be, by path."""
        paths = contents.generated(self.place.settings.registry)
        return {path: content for path in paths if (content := self.get(path)) is not None}

    @cached_property
    def registry(self) -> Mapping[str, Any]:
        """The registry that the others are made from."""
        return module_registry.document(self.place, self.survey)

    @cached_property
    def survey(self) -> Survey:
        """What the registry is made from."""
        return modules.survey(self.place)


def _index(made: Documents) -> bytes:
    return module_index.page(made.registry, made.place.settings.registry.output).encode()


def _meta(made: Documents) -> bytes:
    return artifacts.canonical(meta.document(made.place, made.survey.modules, made.registry))


def _benchmarks(made: Documents) -> bytes | None:
    rows = made.place.rows
    return bench_trends.table(rows) if any(history.points(rows)) else None


_MAKERS: Mapping[str, Callable[[Documents], bytes | None]] = {
    contents.MODULE_REGISTRY: lambda made: artifacts.canonical(made.registry),
    contents.DOCUMENTATION_MAP: lambda made: documentation_map.page(made.registry).encode(),
    contents.MODULE_INDEX: _index,
    contents.META_REGISTRY: _meta,
    contents.COVERAGE_TREND: lambda made: trends.coverage(made.place.rows),
    contents.UNVERIFIED_TREND: lambda made: trends.unverified(made.place),
    contents.BENCH_TREND: _benchmarks,
}
