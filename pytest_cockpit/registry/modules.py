"""Which modules there are: folders with a tracked manifest."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pytest_cockpit.phases import Place
from pytest_cockpit.records import globs
from pytest_cockpit.records.text import parse

_ARTEFACT = re.compile(r"(?:^|/)(?:__pycache__|node_modules|\.eggs|[^/]+\.(?:egg|dist)-info)/")


@dataclass(frozen=True)
class Module:
    """One module.

    Parameters
    ----------
    name: what its manifest calls it, or its path with dots.
    path: its folder, relative to the root; what it is told apart by.
    manifest: path of its manifest.
    declared: what the manifest says; {} where it cannot be read.
    unreadable: why it cannot be read; empty where it can.
    files: every tracked file below its folder that is in no module further down and was left
        behind by no build, in order.
    """

    name: str
    path: str
    manifest: str
    declared: Mapping[str, Any]
    unreadable: str
    files: tuple[str, ...]

    @cached_property
    def python(self) -> tuple[str, ...]:
        """Its Python files."""
        return tuple(path for path in self.files if path.endswith(".py"))

    def inner(self, path: str) -> str:
        """A path relative to the module's folder."""
        return path if self.path == "." else path.removeprefix(f"{self.path}/")


@dataclass(frozen=True, slots=True)
class Survey:
    """Every tracked file, by what it belongs to.

    Parameters
    ----------
    modules: by path.
    artefacts: outermost folders that builds and installs leave behind, with their tracked files.
    loose: Python files that are in no module.
    """

    modules: tuple[Module, ...]
    artefacts: Mapping[str, int]
    loose: tuple[str, ...]


def discover(place: Place) -> tuple[Module, ...]:
    """Every module of a tree, by path."""
    return survey(place).modules


def survey(place: Place) -> Survey:
    """Every module of a tree, and what lies outside of all."""
    manifests = globs.Matcher(place.settings.registry.manifests)
    excluded = globs.Matcher(place.settings.registry.exclude)
    left: Counter[str] = Counter()
    kept = []
    for path in sorted(place.entries):
        artefact = artefact_above(path)
        if artefact:
            left[artefact] += 1
        else:
            kept.append(path)
    found: dict[str, str] = {}
    for path in kept:
        # Of two manifests in one folder, the first by name counts.
        if manifests.matches(path) and not excluded.matches(_folder(path)):
            found.setdefault(_folder(path), path)
    owned, loose = _shared(kept, found)
    contents = dict(place.read_all(found.values()))
    modules = tuple(
        _module(folder, found[folder], contents.get(found[folder]), tuple(owned[folder]))
        for folder in sorted(found)
    )
    return Survey(modules, dict(sorted(left.items())), loose)


def owner(path: str, folders: Container[str]) -> str | None:
    """The innermost module that a path lies in."""
    folder = path.rpartition("/")[0]
    while folder and folder not in folders:
        folder = folder.rpartition("/")[0]
    if folder:
        return folder
    return "." if "." in folders else None


def artefact_above(path: str) -> str:
    """The outermost folder of a path that no one writes by hand, or nothing."""
    if _ARTEFACT.search(path) is None:
        return ""
    parts = path.split("/")
    for length, part in enumerate(parts[:-1], start=1):
        if _ARTEFACT.search(f"{part}/"):
            return "/".join(parts[:length])
    return ""


def _shared(
    paths: Sequence[str], folders: Mapping[str, str]
) -> tuple[dict[str, list[str]], tuple[str, ...]]:
    """The files of each of the folders, those of the folders below it left out; and the rest."""
    owned: dict[str, list[str]] = {folder: [] for folder in folders}
    loose = []
    for path in paths:
        innermost = owner(path, folders)
        if innermost is not None:
            owned[innermost].append(path)
        elif path.endswith(".py"):
            loose.append(path)
    return owned, tuple(loose)


def _module(folder: str, manifest: str, content: bytes | None, files: tuple[str, ...]) -> Module:
    declared, unreadable = _declared(content)
    name = declared.get("module")
    if not (isinstance(name, str) and name.strip()):
        name = folder.replace("/", ".")
    return Module(name, folder, manifest, declared, unreadable, files)


def _declared(content: bytes | None) -> tuple[Mapping[str, Any], str]:
    if content is None:
        return {}, "is no file"
    try:
        found = parse(content)
    except ValueError as error:
        return {}, _unreadable(content, error)
    if not isinstance(found, dict):
        return {}, "expected an object"
    return found, ""


def _unreadable(content: bytes, error: ValueError) -> str:
    """Why a manifest cannot be read, where every version of Python would put it the same way."""
    try:
        json.loads(content)
    except (ValueError, RecursionError):
        return "not JSON"
    return f"not JSON ({error})"


def _folder(path: str) -> str:
    return path.rpartition("/")[0] or "."
