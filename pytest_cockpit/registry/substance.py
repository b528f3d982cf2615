"""Which files of a module a measurement is of, and whether they are still what was measured."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator

from pytest_cockpit.config import Config
from pytest_cockpit.phases import Place
from pytest_cockpit.registry.modules import Module

_WORDS = (".md", ".rst")


def of(module: Module, settings: Config) -> Iterator[str]:
    """Every file of a module but its manifest, its documents and what is generated or recorded.

    Those change with every measurement, or say nothing to a test.
    """
    return (path for path in module.files if counts(path, settings) and path != module.manifest)


def counts(path: str, settings: Config) -> bool:
    """Whether a file may bear on what is measured."""
    if path == settings.ledger or path.lower().endswith(_WORDS):
        return False
    folders = (
        settings.registry.output,
        settings.registry.trends,
        settings.records,
        settings.artifacts,
    )
    return not path.startswith(tuple(f"{folder}/" for folder in folders))


def digest(place: Place, module: Module) -> str:
    """SHA-256 over the paths, modes and contents of these files: `content_sha256` of a row.

    Two clones agree on it, whatever history they have.
    """
    made = hashlib.sha256()
    for path in of(module, place.settings):
        entry = place.entries[path]
        made.update(f"{entry.mode} {entry.oid} ".encode() + os.fsencode(module.inner(path)) + b"\0")
    return made.hexdigest()
