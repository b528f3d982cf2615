"""What the benchmarks share: repositories, CPU seconds, and the tables at the end."""

from __future__ import annotations

import functools
import itertools
import resource
import statistics
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

# Modules under test are imported by path here, so what lies beside them has to be on it.
sys.path.insert(0, str(Path(__file__).parent))


@dataclass(frozen=True)
class Row:
    """One line of a table; `place` keeps the order of the source whatever order tests ran in."""

    place: tuple[str, int]
    what: str
    cpu_s: float
    wall_s: float
    scaled: float
    ours: bool
    goal: str
    note: str


@dataclass
class Figures:
    """All that was measured in this run: tables by title, and whole texts."""

    tables: dict[str, list[Row]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)


_FIGURES = pytest.StashKey[Figures]()


@dataclass(frozen=True)
class Cost:
    """Medians over the rounds."""

    cpu_s: float
    wall_s: float


class Meter:
    """Measures one way of doing something and enters it into the table of its group."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._request = request
        self._benchmark: Any = request.getfixturevalue("benchmark")
        marker = request.node.get_closest_marker("benchmark")
        self._group: str = marker.kwargs["group"] if marker else request.node.module.__name__
        self._tables = request.config.stash[_FIGURES].tables

    def __call__(
        self,
        what: str,
        work: Callable[..., Any],
        *,
        setup: Callable[[], Any] | None = None,
        rounds: int = 3,
        scaled: float = 1,
        ours: bool = False,
        goal: str = "",
        note: str = "",
    ) -> Any:
        """Run `work` and return its last result; its cost is multiplied by `scaled`."""
        result, _ = self.cost(work, setup=setup, rounds=rounds)
        wall = statistics.median(self._benchmark.stats.stats.data)
        self.enter(
            what,
            scaled * self._benchmark.extra_info["cpu_s"],
            scaled * wall,
            scaled=scaled,
            ours=ours,
            goal=goal,
            note=note,
        )
        return result

    def cost(
        self, work: Callable[..., Any], *, setup: Callable[[], Any] | None = None, rounds: int = 3
    ) -> tuple[Any, Cost]:
        """Run `work`; its last result and what a round of it cost. No table is touched."""
        spent: list[float] = []

        def counted(*arguments: Any) -> Any:
            before = cpu_seconds()
            result = work(*arguments)
            spent.append(cpu_seconds() - before)
            return result

        result = self._benchmark.pedantic(counted, setup=setup, rounds=rounds, iterations=1)
        cost = Cost(statistics.median(spent), statistics.median(self._benchmark.stats.stats.data))
        self._benchmark.extra_info["cpu_s"] = round(cost.cpu_s, 6)
        return result, cost

    def enter(
        self,
        what: str,
        cpu_s: float,
        wall_s: float,
        *,
        scaled: float = 1,
        ours: bool = False,
        goal: str = "",
        note: str = "",
    ) -> None:
        """Add a row to the group's table."""
        place = (self._request.node.path.name, self._request.function.__code__.co_firstlineno)
        row = Row(place, what, cpu_s, wall_s, scaled, ours, goal, note)
        self._tables.setdefault(self._group, []).append(row)


def cpu_seconds() -> float:
    """CPU seconds of this process and of its children that have ended."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


@pytest.fixture
def meter(request: pytest.FixtureRequest) -> Meter:
    """Measures, and fills the tables."""
    return Meter(request)


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Shows a text under a title at the end of the run; the last one of a title counts."""
    texts = request.config.stash[_FIGURES].texts
    return texts.__setitem__


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Repositories by number of modules, of modules in the lane, and of other files."""
    from synthetic import repository

    @functools.cache
    def make(modules: int, lane: int, plain: int = 0, hubs: int = 10) -> Any:
        root = tmp_path_factory.mktemp("projects") / f"r{modules}-{lane}-{plain}-{hubs}"
        return repository(root, modules, lane, plain, hubs)

    return make


@pytest.fixture(scope="session")
def checked_out(
    project: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """The same with a work tree, each a clone of its own."""
    from synthetic import checkout

    number = itertools.count()

    @functools.cache
    def make(modules: int, lane: int, plain: int = 0, *, purpose: str = "") -> Any:
        target = tmp_path_factory.mktemp("checkouts") / f"c{next(number)}{purpose}"
        return checkout(project(modules, lane, plain), target)

    return make


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_FIGURES] = Figures()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The tables as Markdown."""
    figures = terminalreporter.config.stash[_FIGURES]
    for title, rows in sorted(figures.tables.items()):
        terminalreporter.write_line(f"\n### {title}\n")
        for line in _table(sorted(rows, key=lambda row: row.place)):
            terminalreporter.write_line(line)
    for title, text in sorted(figures.texts.items()):
        terminalreporter.write_line(f"\n### {title}\n\n{text}")


def _table(rows: Iterable[Row]) -> Iterator[str]:
    rows = list(rows)
    ours = next((row for row in rows if row.ours), None)
    yield "| | CPU | wall | CPU, to ours | goal | |"
    yield "|---|---:|---:|---:|---|---|"
    for row in rows:
        ratio = "" if ours is None else f"{row.cpu_s / ours.cpu_s:.3g}"
        scaled = f"scaled by {row.scaled:g}" if row.scaled > 1 else ""
        note = "; ".join(filter(None, (row.note, scaled)))
        yield (
            f"| {row.what} | {_seconds(row.cpu_s)} | {_seconds(row.wall_s)} | {ratio} "
            f"| {row.goal} | {note} |"
        )


def _seconds(value: float) -> str:
    return f"{1000 * value:.3g} ms" if abs(value) < 1 else f"{value:.3g} s"
