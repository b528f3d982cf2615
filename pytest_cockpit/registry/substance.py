"""Which files of a module a measurement is of, and whether they are still what was measured."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence

from pytest_cockpit.config import Config
from pytest_cockpit.phases import Place
from pytest_cockpit.registry import contents
from pytest_cockpit.registry.modules import Module

_WORDS = (".md", ".rst")


def counts(path: str, settings: Config) -> bool:
    """Whether a file may bear on what is measured.

    Documents, and what is generated or recorded, change with every measurement or say nothing to a
    test.
    """
    if path == settings.ledger or path.lower().endswith(_WORDS):
        return False
    if path in contents.generated(settings.registry):
        return False
    return not path.startswith((f"{settings.registry.output}/", f"{settings.records}/"))


def digests(place: Place, modules: Sequence[Module]) -> dict[str, str]:
    """By module, SHA-256 over the paths, modes and contents of its files and its tests elsewhere.

    It is the `content_sha256` of a row. The manifest is left out: the figures are entered in it.
    Two clones agree on it, whatever history they have.
    """
    elsewhere = contents.tests_elsewhere(modules)
    there: dict[str, list[str]] = {folder: [] for folder in elsewhere.values()}
    for path in place.entries if there else ():
        for folder in contents.folders_above(path):
            if folder in there:
                there[folder].append(path)
    return {
        module.path: _digest(place, module, there.get(elsewhere.get(module.path, ""), ()))
        for module in modules
    }


def digest(place: Place, module: Module) -> str:
    """That of one module."""
    return digests(place, [module])[module.path]


def _digest(place: Place, module: Module, others: Sequence[str]) -> str:
    made = hashlib.sha256()
    for path in (*module.files, *others):
        if path != module.manifest and counts(path, place.settings):
            entry = place.entries[path]
            made.update(f"{entry.mode} {entry.oid} ".encode() + os.fsencode(path) + b"\0")
    return made.hexdigest()
