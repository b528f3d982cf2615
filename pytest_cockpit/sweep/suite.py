"""Which tests are a module's own, and which lines they are to run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pytest_cockpit.phases import Place
from pytest_cockpit.records import globs
from pytest_cockpit.registry import contents
from pytest_cockpit.registry.modules import Module, discover
from pytest_cockpit.scaffolding import marks

_LINK = "120000"


@dataclass(frozen=True, slots=True)
class Suite:
    """One module.

    Parameters
    ----------
    tests: its test files.
    own: its Python files that hold no tests or benchmarks: those whose lines count.
    """

    module: str
    tests: tuple[str, ...]
    own: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Turns:
    """Who a test file is run for. Most are run for one module; manifests may name one folder twice.

    Parameters
    ----------
    files: the turn of each test file.
    modules: the modules that each turn counts for.
    """

    files: Mapping[str, str]
    modules: Mapping[str, tuple[str, ...]]

    def of(self, module: str) -> tuple[str, ...]:
        """The turns that count for a module."""
        return tuple(turn for turn, modules in self.modules.items() if module in modules)


def candidates(place: Place) -> tuple[Module, ...]:
    """Every module that a sweep measures."""
    excluded = globs.Matcher(place.settings.sweep.exclude)
    return tuple(each for each in discover(place) if not excluded.matches(each.path))


def suites(place: Place, modules: Sequence[Module]) -> tuple[Suite, ...]:
    """What is measured of each of these modules.

    Links are left out: what they lead to is measured where it lies.
    """
    tests = contents.tests(place, modules)
    given = _scaffolds(place, tests.values())
    return tuple(
        Suite(
            module.path,
            _files(place, [path for path in tests[module.path] if path not in given]),
            _files(place, contents.code(module, place.settings.bench)),
        )
        for module in sorted(modules, key=lambda module: module.path)
    )


def turns(found: Sequence[Suite]) -> Turns:
    """The turns of these modules' test files."""
    users: dict[str, list[str]] = {}
    for suite in found:
        for path in suite.tests:
            users.setdefault(path, []).append(suite.module)
    files = {path: " + ".join(modules) for path, modules in users.items()}
    named = {files[path]: tuple(modules) for path, modules in users.items()}
    return Turns(files, named)


def _scaffolds(place: Place, groups: Iterable[Iterable[str]]) -> frozenset[str]:
    """Test files that came from a template and that nobody has changed: they earn no credit."""
    paths = sorted({path for group in groups for path in group})
    return frozenset(path for path, data in place.read_all(paths) if marks.is_scaffold(data))


def _files(place: Place, paths: Sequence[str]) -> tuple[str, ...]:
    return tuple(path for path in paths if place.entries[path].mode != _LINK)
