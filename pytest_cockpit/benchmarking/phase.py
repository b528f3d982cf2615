"""Benchmarks as a phase: every module's are measured, recorded and judged."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pytest_cockpit.api import Verdict
from pytest_cockpit.benchmarking import document, history, judging, machine, trends
from pytest_cockpit.benchmarking import module as measured
from pytest_cockpit.benchmarking.module import Benchmark, Task
from pytest_cockpit.benchmarking.running import Runner, Unmeasured
from pytest_cockpit.config import Config
from pytest_cockpit.phases import Changes, Place, Result
from pytest_cockpit.promotion.staging import StagedTree
from pytest_cockpit.records import globs
from pytest_cockpit.records.artifacts import canonical, printable, sha256
from pytest_cockpit.records.text import count, one_line
from pytest_cockpit.registry import contents, modules, substance
from pytest_cockpit.registry.modules import Module

NONE = "no benchmarks"

_PROGRESS_S = 5.0
_WORDS = {
    Verdict.FAIL: "slower",
    Verdict.ERROR: "broken",
    Verdict.UNKNOWN: "not judged",
    Verdict.WARN: "to be looked at",
    Verdict.PASS: "passed",
    Verdict.SKIP: "new",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one module's benchmarks.

    Parameters
    ----------
    benchmarks: [] where they could not be measured.
    """

    path: str
    verdict: Verdict
    said: str
    text: str = ""
    benchmarks: Sequence[Benchmark] = ()
    rows: tuple[Mapping[str, Any], ...] = ()
    artifacts: Mapping[str, tuple[Any, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Benches:
    """The benchmarks of every module at `place.commit`.

    The chance of a false alarm is shared out in equal parts: first among the modules, so that one
    can be judged without the others, then among the benchmarks of each.

    Parameters
    ----------
    base: commit that is measured beside it, in turns; None to compare with recorded rows.
    collecting: whether a benchmark with too few recorded runs is a warning and not unknown, for
        sessions that are there to record them.
    """

    place: Place
    base: str | None = None
    collecting: bool = False

    @cached_property
    def modules(self) -> Mapping[str, tuple[Module, tuple[str, ...]]]:
        """By folder, every module with files that may hold benchmarks, and these files."""
        paths = self.place.settings.bench.paths
        found = {module.path: (module, _files(module, paths)) for module in self._all}
        return {path: each for path, each in found.items() if each[1]}

    @cached_property
    def _all(self) -> Sequence[Module]:
        return modules.discover(self.place)

    @cached_property
    def machine(self) -> Mapping[str, Any]:
        """What tells this machine from others."""
        return machine.facts()

    @cached_property
    def _past(self) -> list[history.Point]:
        return list(history.points(self.place.rows))

    @cached_property
    def _tree(self) -> StagedTree:
        return StagedTree(self.place.repository)

    @cached_property
    def against(self) -> str | None:
        """The commit that `base` names."""
        return self.base and self.place.repository.resolve(self.base)

    def measure(self, path: str) -> Answer:
        """Measure and judge the benchmarks of one module; what breaks is its own fault alone."""
        module, files = self.modules[path]
        task, place = self._task(path), self.place
        runner = Runner(place, self._tree, files)
        try:
            found = measured.measure(task, runner, self._say(path), place.repository.resolve)
        except Unmeasured as error:
            return Answer(path, self._tolerated(error.verdict), error.said, error.text)
        if not found.benchmarks:
            return Answer(path, Verdict.SKIP, f"{NONE}: no test takes the fixture `benchmark`")
        data = document.document(task, found, self.machine)
        content = substance.digest(place, module)
        rows = tuple(measured.rows(found, task, sha256(canonical(data)), content))
        return Answer(
            path,
            Verdict.worst(map(self._verdict, found.benchmarks)),
            _summary(found.benchmarks),
            "\n".join(map(_line, found.benchmarks)),
            found.benchmarks,
            rows,
            {document.name(path): (data, "bench")},
        )

    def _tolerated(self, verdict: Verdict) -> Verdict:
        broken = verdict in (Verdict.FAIL, Verdict.ERROR)
        tolerated = broken and self.place.settings.bench.failures == "warn"
        return Verdict.WARN if tolerated else verdict

    def _verdict(self, each: Benchmark) -> Verdict:
        return Verdict.WARN if self.collecting and each.opinion.early else each.opinion.verdict

    def _task(self, path: str) -> Task:
        settings, fingerprint = self.place.settings.bench, machine.fingerprint(self.machine)
        return Task(
            path=path,
            head=self.place.commit,
            at=self.place.at(),
            fingerprint=fingerprint,
            past=history.of(self._past, printable(path), fingerprint),
            base=self.against,
            level=judging.FALSE_ALARMS / len(self.modules),
            threshold=settings.threshold,
            runs=settings.runs,
            pairs=settings.pairs,
        )

    def _say(self, path: str) -> Callable[[str], None]:
        told = time.monotonic()

        def say(line: str) -> None:
            nonlocal told
            if time.monotonic() - told >= _PROGRESS_S:
                told = time.monotonic()
                self.place.say(f"{one_line(printable(path))}: {line}")

        return say

    def result(self, answers: Iterable[Answer]) -> Result:
        """All that was measured, together: rows, trend and artifacts, whatever the verdict is.

        What was measured is true whether anybody likes it or not, and the runs without which
        nothing can be said are never there unless the first ones are recorded.
        """
        found = list(answers)
        rows = tuple(row for answer in found for row in answer.rows)
        judged = [each for answer in found for each in answer.benchmarks]
        verdict = Verdict.worst(answer.verdict for answer in found) if found else Verdict.SKIP
        broken = [
            each for each in found if not each.benchmarks and each.verdict is not Verdict.SKIP
        ]
        said = _summary(judged) if judged else NONE
        if broken:
            said += f"; {count(len(broken), 'module')} not measured"
        return Result(
            verdict,
            said,
            text="\n".join(_told(answer) for answer in found),
            changes=self._changes(rows),
            facts={
                "modules": len(found),
                "benchmarks": len(judged),
                "recorded": len(rows),
                "verdicts": dict(Counter(each.opinion.verdict.value for each in judged)),
                "not_measured": [printable(answer.path) for answer in broken],
                "base": self.against,
                "fingerprint": machine.fingerprint(self.machine),
            },
            artifacts={name: each for answer in found for name, each in answer.artifacts.items()},
        )

    def _changes(self, rows: tuple[Mapping[str, Any], ...]) -> Changes:
        if not rows:
            return Changes()
        path = trend(self.place.settings)
        return Changes({path: trends.table([*self.place.rows, *rows])}, rows)


def run(place: Place, *, base: str | None = None, collecting: bool = False) -> Result:
    """Measure the benchmarks of every module at `place.commit`, and judge them.

    Parameters
    ----------
    base, collecting: as in `Benches`; `base` is any revision.
    """
    benches = Benches(place, base, collecting)
    return benches.result([benches.measure(path) for path in benches.modules])


def trend(settings: Config) -> str:
    """The path of the table of all recorded benchmarks."""
    return contents.below(settings.registry.trends, contents.BENCH_TREND)


def _files(module: Module, paths: Sequence[str]) -> tuple[str, ...]:
    return tuple(
        path
        for path in module.python
        if globs.matches(module.inner(path), paths) and _is_bench(path)
    )


def _is_bench(path: str) -> bool:
    return contents.is_test(path) or path.rpartition("/")[2].startswith("bench_")


def _summary(benchmarks: Sequence[Benchmark]) -> str:
    counted = Counter(each.opinion.verdict for each in benchmarks)
    parts = (f"{counted[verdict]} {word}" for verdict, word in _WORDS.items() if counted[verdict])
    return f"{count(len(benchmarks), 'benchmark')}: {', '.join(parts)}"


def _line(each: Benchmark) -> str:
    middle = each.middle
    time_s = (
        f"{_seconds(middle.estimate)} ({_seconds(middle.low)} to {_seconds(middle.high)})"
        if middle
        else "no interval"
    )
    said = f"{each.opinion.verdict}: {each.name}: {time_s}; {each.opinion.said}"
    return "\n".join([said, *(f"    {level}" for level in each.levels)])


def _told(answer: Answer) -> str:
    lines = [f"{one_line(printable(answer.path))}: {answer.verdict}: {answer.said}"]
    return "\n".join([*lines, *(f"  {line}" for line in answer.text.splitlines())])


def _seconds(value: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value * 1e9:.3g} ns"
