"""Which files of a module its inputs are read from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from pytest_cockpit.phases import Place
from pytest_cockpit.registry import contents
from pytest_cockpit.registry.modules import Module

_SUFFIXES = (".md", ".rst", ".txt")
_DOCS = ("docs", "doc")


def contracts(module: Module) -> tuple[str, ...]:
    """The contracts that a manifest names, once each, as it names them."""
    matrix = module.declared.get("matrix")
    several = module.declared.get("contracts")
    named = [matrix.get("contract")] if isinstance(matrix, Mapping) else []
    named += several if isinstance(several, list) else []
    return tuple(dict.fromkeys(path for path in named if isinstance(path, str) and path.strip()))


def wanted(module: Module, place: Place) -> Iterator[str]:
    """The files whose contents these inputs read."""
    for path in contracts(module):
        found = tracked(place, module, path)
        if found is not None:
            yield found
    yield from (*named(module, "readme"), *named(module, "changelog"), *below_docs(module))


def tracked(place: Place, module: Module, path: str) -> str | None:
    """A declared path from the module's folder or from the root; None where it is at neither."""
    for candidate in (contents.resolve(module, path), contents.inside(path)):
        if candidate in place.entries:
            return candidate
    return None


def named(module: Module, name: str) -> list[str]:
    """Its files of this name at the top of its folder, whatever the kind of text."""
    return [
        path
        for path in module.files
        if "/" not in module.inner(path)
        and PurePosixPath(path).stem.lower() == name
        and PurePosixPath(path).suffix.lower() in ("", *_SUFFIXES)
    ]


def below_docs(module: Module) -> list[str]:
    """The documents right below its folder of documents."""
    found = []
    for path in module.files:
        folder, _, name = module.inner(path).partition("/")
        if folder.lower() in _DOCS and "/" not in name and name.lower().endswith(_SUFFIXES):
            found.append(path)
    return found
