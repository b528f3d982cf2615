"""What the files of a module are, and which files are generated from all modules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from pytest_cockpit.config import Registry
from pytest_cockpit.registry.modules import Module

MODULE_REGISTRY = "MODULE_REGISTRY.json"
DOCUMENTATION_MAP = "DOCUMENTATION_MAP.md"
MODULE_INDEX = "MODULE_INDEX.md"
META_REGISTRY = "META_REGISTRY.json"
COVERAGE_TREND = "coverage_trend.csv"
BENCH_TREND = "bench_trend.csv"

_DOCUMENTS = (".md", ".rst")
_REPORTS = ("RUNBOOK_REPORT.md",)


def generated(settings: Registry) -> tuple[str, ...]:
    """The paths of everything that is generated from all modules, in the order it is made."""
    named = (MODULE_REGISTRY, DOCUMENTATION_MAP, MODULE_INDEX, META_REGISTRY)
    trends = (COVERAGE_TREND, BENCH_TREND)
    return (
        *(_below(settings.output, name) for name in named),
        *(_below(settings.trends, name) for name in trends),
    )


def documents(module: Module, settings: Registry) -> tuple[str, ...]:
    """A module's documents; what is generated counts for none, or it would count itself."""
    own = {*generated(settings), *(_below(settings.output, name) for name in _REPORTS)}
    return tuple(
        path for path in module.files if path.lower().endswith(_DOCUMENTS) and path not in own
    )


def tests(module: Module) -> tuple[str, ...]:
    """A module's test files, by the names that pytest collects by default."""
    return tuple(filter(is_test, module.python))


def code(module: Module) -> tuple[str, ...]:
    """A module's Python files that are neither tests nor what only tests use."""
    return tuple(path for path in module.python if not _of_tests(module.inner(path)))


def is_test(path: str) -> bool:
    """Whether pytest would collect a file by its name."""
    name = path.rpartition("/")[2]
    return name.startswith("test_") or name.endswith("_test.py")


def _of_tests(path: str) -> bool:
    folders = PurePosixPath(path).parts[:-1]
    return is_test(path) or path.endswith("conftest.py") or "tests" in folders


def public(paths: Iterable[str], module: Module) -> Iterator[str]:
    """Those of a module's files that can be imported by a name without an underscore."""
    for path in paths:
        parts = module.inner(path).removesuffix(".py").split("/")
        if parts[-1] == "__init__":
            parts.pop()
        if all(part.isidentifier() and not part.startswith("_") for part in parts):
            yield path


def _below(folder: str, name: str) -> str:
    return PurePosixPath(folder, name).as_posix()
