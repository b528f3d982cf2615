"""Which modules there are: folders with a tracked manifest."""

from __future__ import annotations

import json
from collections.abc import Container, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

from pytest_cockpit.phases import Place
from pytest_cockpit.records import globs
from pytest_cockpit.records.text import parse


@dataclass(frozen=True)
class Module:
    """One module.

    Parameters
    ----------
    name: what its manifest calls it, or its path with dots.
    path: its folder, relative to the root; what it is told apart by.
    manifest: path of its manifest.
    declared: what the manifest says; {} where it cannot be read.
    faults: why it cannot be read, or what is odd about it.
    files: every tracked file below its folder that is in no module further down, in order.
    """

    name: str
    path: str
    manifest: str
    declared: Mapping[str, Any]
    faults: tuple[str, ...]
    files: tuple[str, ...]

    @cached_property
    def python(self) -> tuple[str, ...]:
        """Its Python files."""
        return tuple(path for path in self.files if path.endswith(".py"))

    def inner(self, path: str) -> str:
        """A path relative to the module's folder."""
        return path if self.path == "." else path.removeprefix(f"{self.path}/")


def discover(place: Place) -> tuple[Module, ...]:
    """Every module of a tree, by path."""
    settings = place.settings.registry
    found = {
        _folder(path): path
        for path in place.entries
        if globs.matches(path, settings.manifests)
        and not globs.matches(_folder(path), settings.exclude)
    }
    files: dict[str, list[str]] = {folder: [] for folder in found}
    for path in place.entries:
        innermost = owner(path, found)
        if innermost is not None:
            files[innermost].append(path)
    contents = dict(place.read_all(found.values()))
    return tuple(
        _module(folder, found[folder], contents.get(found[folder]), tuple(files[folder]))
        for folder in sorted(found)
    )


def owner(path: str, folders: Container[str]) -> str | None:
    """The innermost module that a path lies in."""
    for parent in PurePosixPath(path).parents:
        if parent.as_posix() in folders:
            return parent.as_posix()
    return None


def _module(folder: str, manifest: str, content: bytes | None, files: tuple[str, ...]) -> Module:
    declared, faults = _declared(content)
    name = declared.get("module")
    if not (isinstance(name, str) and name.strip()):
        name = folder.replace("/", ".")
        if not faults:
            faults = ("module: expected a name",)
    return Module(name, folder, manifest, declared, faults, files)


def _declared(content: bytes | None) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    if content is None:
        return {}, ("is no file",)
    try:
        found = parse(content)
    except (ValueError, json.JSONDecodeError) as error:
        return {}, (f"not JSON ({error})",)
    if not isinstance(found, dict):
        return {}, ("expected an object",)
    return found, ()


def _folder(path: str) -> str:
    return PurePosixPath(path).parent.as_posix()
