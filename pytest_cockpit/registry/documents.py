"""Everything that is generated from all modules, as bytes by path."""

from __future__ import annotations

from collections.abc import Mapping

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
    output, below = settings.output, {
        contents.MODULE_REGISTRY: artifacts.canonical(registry),
        contents.DOCUMENTATION_MAP: documentation_map.page(registry).encode(),
        contents.MODULE_INDEX: module_index.page(registry, settings.output).encode(),
        contents.META_REGISTRY: artifacts.canonical(meta.document(place, found.modules, registry)),
    }
    return {
        **{contents.below(output, name): content for name, content in below.items()},
        **_trends(place),
    }


def _trends(place: Place) -> Iterator
