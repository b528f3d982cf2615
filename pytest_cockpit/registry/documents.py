"""Everything that is generated from all modules, as bytes by path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

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


def generate(place: Place) -> Mapping[str, bytes]:
    """The documents of a tree by path, in the order they are made.

    The same tree and ledger give the same bytes. A trend of which the ledger has no row is left
    out, but for that of coverage.
    """
    settings = place.settings.registry
    found = modules.survey(place)
    registry = module_registry.document(place, found)
    made = (
        artifacts.canonical(registry),
        documentation_map.page(registry).encode(),
        module_index.page(registry, settings.output).encode(),
        artifacts.canonical(meta.document(place, found.modules, registry)),
        *_trends(place),
    )
    paths = contents.generated(settings)
    return {path: content for path, content in zip(paths, made, strict=True) if content is not None}


def _trends(place: Place) -> Iterator[bytes | None]:
    yield trends.coverage(place.rows)
    yield trends.unverified(place)
    yield bench_trends.table(place.rows) if any(history.points(place.rows)) else None
