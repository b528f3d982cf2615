"""Everything that is generated from all modules, as bytes by path."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_cockpit.phases import Place
from pytest_cockpit.records import artifacts
from pytest_cockpit.registry import (
    contents,
    documentation_map,
    module_index,
    module_registry,
    modules,
)


def generate(place: Place) -> Mapping[str, bytes]:
    """The documents of a tree by path, in the order they are made.

    The same tree and ledger give the same bytes. A trend of which the ledger has no row is left
    out.
    """
    settings = place.settings.registry
    found = modules.discover(place)
    registry = module_registry.document(place, found)
    paths = contents.generated(settings)
    made = {
        contents.MODULE_REGISTRY: artifacts.canonical(registry),
        contents.DOCUMENTATION_MAP: documentation_map.page(registry).encode(),
        contents.MODULE_INDEX: module_index.page(registry, settings.output).encode(),
    }
    return {path: made[name] for path in paths if (name := path.rpartition("/")[2]) in made}
