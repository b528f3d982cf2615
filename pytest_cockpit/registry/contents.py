"""What the files of a module are, and which files are generated from all modules."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from pathlib import PurePosixPath

from pytest_cockpit.analysis.layout import is_name
from pytest_cockpit.config import Bench, Registry
from pytest_cockpit.phases import Place
from pytest_cockpit.records import globs
from pytest_cockpit.registry.modules import Module, artefact_above

MODULE_REGISTRY = "MODULE_REGISTRY.json"
DOCUMENTATION_MAP = "DOCUMENTATION_MAP.md"
MODULE_INDEX = "MODULE_INDEX.md"
META_REGISTRY = "META_REGISTRY.json"
COVERAGE_TREND = "coverage_trend.csv"
UNVERIFIED_TREND = "coverage_trend.unverified.csv"
BENCH_TREND = "bench_trend.csv"

_OF_MANIFESTS = (MODULE_REGISTRY, DOCUMENTATION_MAP, MODULE_INDEX, META_REGISTRY)
_DOCUMENTS = (".md", ".rst")
_REPORTS = ("RUNBOOK_REPORT.md",)


@lru_cache(maxsize=8)
def generated(settings: Registry) -> tuple[str, ...]:
    """The paths of everything that is generated from all modules, in the order it is made."""
    trends = (COVERAGE_TREND, UNVERIFIED_TREND, BENCH_TREND)
    return (
        *(below(settings.output, name) for name in _OF_MANIFESTS),
        *(below(settings.trends, name) for name in trends),
    )


def is_of_manifests(path: str) -> bool:
    """Whether a generated file repeats what manifests say; trends are of the ledger alone."""
    return path.rpartition("/")[2] in _OF_MANIFESTS


def documents(module: Module, settings: Registry) -> tuple[str, ...]:
    """A module's documents; what is generated counts for none, or it would count itself."""
    own = {*generated(settings), *(below(settings.output, name) for name in _REPORTS)}
    return tuple(
        path for path in module.files if path.lower().endswith(_DOCUMENTS) and path not in own
    )


def tests(place: Place, modules: Sequence[Module]) -> dict[str, tuple[str, ...]]:
    """The test files of each module by its path, by the names that pytest collects by default.

    Those of the folder that a manifest names for tests are its module's, wherever that lies.
    """
    elsewhere = tests_elsewhere(modules)
    there = _below_any(place, set(elsewhere.values()))
    return {
        module.path: tuple(
            sorted(
                {*filter(is_test, module.python), *there.get(elsewhere.get(module.path, ""), ())}
            )
        )
        for module in modules
    }


def tests_elsewhere(modules: Iterable[Module]) -> dict[str, str]:
    """By module, the folder of its tests where that lies outside of its own."""
    return {
        module.path: folder
        for module in modules
        if (folder := tests_folder(module)) is not None and not within(folder, module.path)
    }


def _below_any(place: Place, folders: AbstractSet[str]) -> dict[str, list[str]]:
    """The test files below each of the folders."""
    found: dict[str, list[str]] = {folder: [] for folder in folders}
    for path in place.entries if folders else ():
        if path.endswith(".py") and is_test(path) and not artefact_above(path):
            for folder in folders_above(path):
                if folder in found:
                    found[folder].append(path)
    return found


def folders_above(path: str) -> Iterator[str]:
    """The folders that a path lies in, the innermost first and the root last."""
    while path:
        path = path.rpartition("/")[0]
        yield path or "."


def tests_folder(module: Module) -> str | None:
    """Where the manifest says that tests lie; None where it does not, or not in the repository."""
    layout = module.declared.get("layout")
    paths = layout.get("paths") if isinstance(layout, Mapping) else None
    named = paths.get("tests") if isinstance(paths, Mapping) else None
    return resolve(module, named) if isinstance(named, str) and named else None


def resolve(module: Module, value: str) -> str | None:
    """A path that a manifest names, relative to the root; None where it leads out."""
    return inside(posixpath.join(module.path, value))


def inside(value: str) -> str | None:
    """A path without its detours; None where it leads out of the repository."""
    path = posixpath.normpath(value)
    out = path == ".." or path.startswith(("../", "/"))
    return None if out else path


def within(path: str, folder: str) -> bool:
    """Whether a path is a folder, or lies below it."""
    return folder in (".", path) or path.startswith(f"{folder}/")


def code(module: Module, settings: Bench) -> tuple[str, ...]:
    """A module's Python files that are neither tests nor benchmarks, nor what only these use."""
    benches = globs.Matcher(settings.paths)
    inner = ((path, module.inner(path)) for path in module.python)
    return tuple(path for path, name in inner if not (_of_tests(name) or benches.matches(name)))


def is_test(path: str) -> bool:
    """Whether pytest would collect a file by its name."""
    name = path.rpartition("/")[2]
    return name.startswith("test_") or name.endswith("_test.py")


def _of_tests(path: str) -> bool:
    *folders, name = path.split("/")
    return is_test(path) or name == "conftest.py" or "tests" in folders


def public(paths: Iterable[str], module: Module) -> Iterator[str]:
    """Those of a module's files that can be imported by a name without an underscore."""
    for path in paths:
        if all(is_name(part) and not part.startswith("_") for part in inner_name(path, module)):
            yield path


def inner_name(path: str, module: Module) -> list[str]:
    """The parts of a file's name as it is imported from its module; of its `__init__.py` none."""
    parts = module.inner(path).removesuffix(".py").split("/")
    return parts[:-1] if parts[-1] == "__init__" else parts


def below(folder: str, name: str) -> str:
    """The path of a file in a folder, which may be the root."""
    return PurePosixPath(folder, name).as_posix()
