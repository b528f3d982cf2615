"""One module's benchmarks: measured, judged and put down."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from pytest_cockpit.api import CockpitError, Verdict
from pytest_cockpit.benchmarking import history, judging, levels, measuring
from pytest_cockpit.benchmarking.history import Point
from pytest_cockpit.benchmarking.judging import Opinion
from pytest_cockpit.benchmarking.levels import Level
from pytest_cockpit.benchmarking.measuring import Pair
from pytest_cockpit.benchmarking.running import Ran, Runner
from pytest_cockpit.estimation import intervals
from pytest_cockpit.estimation.intervals import Interval
from pytest_cockpit.records.ledger_kinds import BENCHMARK
from pytest_cockpit.records.text import printable

_HELD = 0.05
"""Chance, at most, that the interval of a recorded median misses it."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One benchmark as it came out.

    Parameters
    ----------
    middle: the median of its processes' medians; None where they are too few for an interval.
    levels: steps in its recorded runs, this one included.
    """

    name: str
    samples: int
    middle: Interval | None
    opinion: Opinion
    levels: tuple[Level, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be measured of one module.

    Parameters
    ----------
    past: its recorded runs on machines like this one, by benchmark.
    base: commit to measure beside head; None to compare with recorded runs.
    level: chance, at most, that it fails where nothing is slower.
    pairs: how many; 0 for as many as the number of benchmarks asks for.
    """

    path: str
    head: str
    at: str
    fingerprint: str
    past: Mapping[str, Sequence[Point]]
    base: str | None
    level: float
    threshold: float
    runs: int
    pairs: int

    def wanted(self, benchmarks: int) -> int:
        """How many pairs are measured."""
        share = self.level / max(1, benchmarks)
        return self.pairs or measuring.needed(share) + measuring.SPARE


@dataclass(frozen=True, slots=True)
class Measured:
    """All that was measured of one module: processes at head, pairs, and what follows."""

    runs: Sequence[Ran]
    pairs: Sequence[Pair]
    against: str | None
    benchmarks: Sequence[Benchmark]


def measure(
    task: Task, runner: Runner, say: Callable[[str], None], resolve: Callable[[str], str]
) -> Measured:
    """Measure and judge a module's benchmarks.

    Without a base, benchmarks that lie above their recorded runs are measured again, in pairs with
    the newest commit at which most of them did not: what fails has been seen slower than that
    commit on the same machine in the same minutes, and a machine that has become slower is told
    from it.

    Raises
    ------
    Unmeasured: a process failed, crashed or hung.
    """
    if task.base is not None:
        pairs = measuring.paired(runner, (task.base, task.head), task.wanted, say)
        runs = [pair.head for pair in pairs]
        opinions = _beside(task, pairs, measuring.common(pairs), task.base)
        return Measured(runs, pairs, task.base, list(_told(task, runs, opinions)))
    runs = measuring.alone(runner, task.head, task.runs, say)
    opinions = dict(_recorded(task, runs))
    suspects = [name for name, each in opinions.items() if each.verdict is Verdict.WARN]
    if not suspects:
        return Measured(runs, [], None, list(_told(task, runs, opinions)))
    found = _earlier(task, suspects, opinions, resolve)
    if found is None:
        opinions |= {name: _unconfirmed(opinions[name]) for name in suspects}
        return Measured(runs, [], None, list(_told(task, runs, opinions)))
    against, names = found
    pairs = measuring.paired(runner, (against, task.head), lambda _: task.wanted(len(names)), say)
    beside = _beside(task, pairs, names, against)
    for name in suspects:
        known = name in names
        opinions[name] = (
            _confirmed(opinions[name], beside[name]) if known else _unconfirmed(opinions[name])
        )
    return Measured(runs, pairs, against, list(_told(task, runs, opinions)))


def _beside(
    task: Task, pairs: Sequence[Pair], names: Sequence[str], against: str
) -> dict[str, Opinion]:
    base = measuring.medians(pair.base for pair in pairs)
    head = measuring.medians(pair.head for pair in pairs)
    opinions = {}
    for name in dict.fromkeys((*names, *head)):
        before, after = base.get(name, []), head.get(name, [])
        if not before:
            said = f"not there at {against[:12]}"
            opinions[name] = Opinion(Verdict.SKIP, said)
        elif len(before) != len(pairs) or len(after) != len(pairs):
            said = f"measured in {min(len(before), len(after))} of {len(pairs)} pairs"
            opinions[name] = Opinion(Verdict.UNKNOWN, said)
        else:
            opinions[name] = judging.by_pairs(
                before,
                after,
                level=task.level / max(1, len(names)),
                threshold=task.threshold,
                against=against,
            )
    return opinions


def _recorded(task: Task, runs: Sequence[Ran]) -> Iterator[tuple[str, Opinion]]:
    for name, values in measuring.medians(runs).items():
        if len(values) != len(runs):
            said = f"measured in {len(values)} of {len(runs)} processes"
            yield name, Opinion(Verdict.UNKNOWN, said)
            continue
        past = [point.median for point in task.past.get(name, ())]
        yield name, judging.by_record(median(values), past, threshold=task.threshold)


def _earlier(
    task: Task,
    suspects: Sequence[str],
    opinions: Mapping[str, Opinion],
    resolve: Callable[[str], str],
) -> tuple[str, list[str]] | None:
    """The newest other commit at which most suspects were not slow, and which; None without one.

    A commit at which a suspect was slow already, or was not there, tells nothing about it.
    """
    seen: dict[str, dict[str, str]] = {}
    for name in suspects:
        for point in task.past[name]:
            if point.commit != task.head and point.median <= (opinions[name].limit or 0):
                seen.setdefault(point.commit, {})[name] = point.at
    order = sorted(seen, key=lambda each: (len(seen[each]), max(seen[each].values())), reverse=True)
    for commit in order:
        try:
            found = resolve(commit)
        except CockpitError:
            continue
        # A row may name it in another way than by its id.
        if found != task.head:
            return found, list(seen[commit])
    return None


def _unconfirmed(opinion: Opinion) -> Opinion:
    said = f"{opinion.said}; no other recorded commit is here to measure beside it: --cockpit-base"
    return dataclasses.replace(opinion, verdict=Verdict.UNKNOWN, said=said)


def _confirmed(suspicion: Opinion, beside: Opinion) -> Opinion:
    said = f"{suspicion.said}; beside it {beside.said}"
    judged = beside.verdict is not Verdict.SKIP
    verdict = Verdict.worst((Verdict.WARN, beside.verdict)) if judged else Verdict.UNKNOWN
    return dataclasses.replace(
        suspicion, verdict=verdict, said=said, ratio=beside.ratio, pairs=beside.pairs
    )


def _told(task: Task, runs: Sequence[Ran], opinions: Mapping[str, Opinion]) -> Iterator[Benchmark]:
    """Every benchmark with its opinion; a recent step makes a warning of what else would pass."""
    middles = measuring.medians(runs)
    for name, opinion in sorted(opinions.items()):
        values = middles.get(name, [])
        whole = len(values) == len(runs) and all(map(history.is_time, values))
        middle = intervals.quantile(values, 0.5, _HELD) if whole else None
        found = _levels(task, name, middle)
        new = [each for each in found if _is_news(each, task.threshold)]
        told = _with_news(opinion, new[-1]) if new else opinion
        yield Benchmark(name, _samples(runs, name), middle, told, found)


def _with_news(opinion: Opinion, level: Level) -> Opinion:
    if not opinion.verdict.opens:
        return opinion
    return dataclasses.replace(opinion, verdict=Verdict.WARN, said=f"{opinion.said}; {level}")


def _is_news(level: Level, threshold: float) -> bool:
    return level.ratio > 1 + threshold and level.age <= judging.ENOUGH


def _levels(task: Task, name: str, middle: Interval | None) -> tuple[Level, ...]:
    past = list(task.past.get(name, ()))
    if middle is None or len(past) < judging.ENOUGH:
        return ()
    times = middle.estimate, middle.low, middle.high
    now = history.Point(task.at, task.path, name, task.head, task.fingerprint, *times)
    return tuple(levels.find([*past, now]))


def _samples(runs: Iterable[Ran], name: str) -> int:
    return sum(run.times[name].count for run in runs if name in run.times)


def rows(
    found: Measured, task: Task, data_sha256: str, content_sha256: str
) -> Iterator[dict[str, Any]]:
    """What the ledger keeps: every benchmark that has a median and an interval."""
    for benchmark in found.benchmarks:
        if (middle := benchmark.middle) is not None:
            yield {
                "kind": BENCHMARK,
                "at": task.at,
                "module": printable(task.path),
                "benchmark": benchmark.name,
                "commit": task.head,
                "fingerprint": task.fingerprint,
                "unit": "s",
                "samples": benchmark.samples,
                "median": middle.estimate,
                "low": middle.low,
                "high": middle.high,
                "data_sha256": data_sha256,
                "content_sha256": content_sha256,
            }
