"""The surfaces of files by what is in them: read once in a process, and kept between processes."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from pytest_cockpit.analysis.scan import FactsCache, uncollected
from pytest_cockpit.phases import Place
from pytest_cockpit.registry import surface
from pytest_cockpit.registry.surface import Name, Surface

SCHEMA = 1
"""Raise it whenever the same bytes may give another surface than before."""

_KNOWN: dict[str, Surface] = {}


def of(place: Place, paths: Iterable[str]) -> dict[str, Surface]:
    """The surfaces of those of the paths that are files."""
    found = {path: place.entries[path] for path in paths}
    cache = SurfaceCache(place.repository.common_dir / "cockpit" / f"surfaces-{SCHEMA}.sqlite")
    _KNOWN.update(cache.of(entry.oid for entry in found.values() if entry.oid not in _KNOWN))
    unknown = [path for path, entry in found.items() if entry.oid not in _KNOWN]
    fresh = {}
    with uncollected():
        for path, source in place.read_all(unknown):
            fresh[found[path].oid] = surface.read(source)
    cache.keep(fresh)
    _KNOWN.update(fresh)
    return {
        path: _KNOWN[entry.oid]
        for path, entry in found.items()
        if entry.oid in _KNOWN and entry.mode != "120000"
    }


def forget() -> None:
    """Drop what this process knows, as a new one would have to ask for it."""
    _KNOWN.clear()


class SurfaceCache(FactsCache):
    """Surfaces by blob id; a cache and no more, in the manner of that of facts."""

    _version = f"{sys.implementation.cache_tag}/{sys.version_info.micro}/surface"

    def of(self, oids: Iterable[str]) -> dict[str, Surface]:
        """Surfaces of those blobs that are known."""
        return self._read(oids, _decoded)

    def keep(self, surfaces: Mapping[str, Surface]) -> None:
        """Remember surfaces."""
        self._write({oid: _encoded(found) for oid, found in surfaces.items()})


def _encoded(found: Surface) -> str:
    names = {name: (each.kind, each.detail, each.again) for name, each in found.names.items()}
    rest = (getattr(found, field.name) for field in dataclasses.fields(found)[1:])
    return json.dumps((names, *rest), separators=(",", ":"))


def _decoded(data: Any) -> Surface | None:
    try:
        names, stars, exports, extended, is_open, broken = json.loads(data)
        return Surface(
            {name: Name(*each) for name, each in names.items()},
            tuple(stars),
            None if exports is None else tuple(exports),
            tuple(extended),
            is_open,
            broken,
        )
    except (TypeError, ValueError, AttributeError):
        return None
