"""What one run of tests, joint or of a module alone, has come to: turn by turn."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_cockpit.measurement import outcome
from pytest_cockpit.sweep.attribution import Observed
from pytest_cockpit.sweep.model import Counts, State

_COMPLETE = (0, 1, 5)
"""Exit codes of pytest after which every test has run: all passed, some failed, there were none."""
_RANGES = re.compile(r"(?:\d{1,6}(?:-\d{1,6})?(?: |\Z))+")
_NONE = "no test was collected from its files: they hold none, or skip or deselect them all"
_COLLECT, _RUN = "collect", "run"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of the tests of some files."""

    state: State
    tests: Counts
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """One run.

    Parameters
    ----------
    tests: what was reported.
    observed: what the processes that came to their end handed over.
    collected: turns that have tests, as far as these processes know.
    ran: turns whose tests have all run in one of them.
    culprits: turns in which a process ended that handed nothing over, or that were stopped midway.
    lost: turns that a process had before which handed nothing over.
    durations: seconds by turn, as far as they were told.
    """

    tests: outcome.TestRun
    observed: Observed
    collected: frozenset[str]
    ran: frozenset[str]
    culprits: frozenset[str]
    lost: frozenset[str]
    durations: Mapping[str, float]

    @property
    def complete(self) -> bool:
        """Whether pytest came to its end, as far as its exit code says."""
        return self.tests.exit in _COMPLETE

    def has_run(self, turn: str) -> bool:
        """Whether a turn's tests have all run and what they ran was handed over."""
        if turn in self.culprits or turn in self.lost:
            return False
        return turn in self.ran or (self.complete and turn not in self.collected)

    def judge(self, files: Iterable[str]) -> Judgement:
        """What became of the tests of these files."""
        wanted = frozenset(files)
        own = {
            test: result
            for test, result in self.tests.outcomes.items()
            if test.partition("::")[0] in wanted
        }
        broken = [
            test
            for test in self.tests.around
            if test not in own and (test.partition("::")[0] in wanted or _holds(test, wanted))
        ]
        around = [test for test in own if test in self.tests.around]
        failed = [test for test, result in own.items() if result == "failed"]
        counts = Counts(
            passed=sum(result == "passed" for result in own.values()),
            failed=len(set(failed) - set(around)),
            errors=len(around) + len(broken),
            skipped=sum(result == "skipped" for result in own.values()),
        )
        return Judgement(*_state(counts, broken, failed, self.tests.failures))


def read(tests: bytes, told: bytes) -> Run:
    """A run from what it left; a row that is torn or strange counts as not written."""
    rows = list(_rows(told))
    handed = [row for row in rows if row["row"] == "data"]
    entered: dict[int, list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["row"] == "enter":
            entered.setdefault(row["process"], []).append(row)
    whole = {row["process"] for row in handed}
    crashed = [own for process, own in entered.items() if process not in whole]
    lost = {row["module"] for own in crashed for row in own if row["when"] == _RUN}
    ran = frozenset(turn for row in handed for turn in row["ran"])
    begun = {row["module"] for own in entered.values() for row in own if row["when"] == _RUN}
    return Run(
        tests=outcome.read(tests),
        observed=Observed.of(handed),
        collected=frozenset(turn for row in handed for turn in row["collected"]),
        ran=ran,
        culprits=frozenset(own[-1]["module"] for own in crashed) | (begun - lost - ran),
        lost=frozenset(lost),
        durations=_durations(rows),
    )


def _rows(told: bytes) -> Iterator[dict[str, Any]]:
    for line in told.splitlines():
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict) and type(row.get("process")) is int and _shaped(row):
            yield row


def _shaped(row: Mapping[str, Any]) -> bool:
    """Whether a row is as the plugin writes it; a test could write into the file, too."""
    if type(row.get("at")) not in (int, float):
        return False
    if row.get("row") == "enter":
        return isinstance(row.get("module"), str) and row.get("when") in (_COLLECT, _RUN)
    lines, edges = row.get("lines"), row.get("edges")
    return (
        row.get("row") == "data"
        and isinstance(lines, dict)
        and all(isinstance(files, dict) for files in lines.values())
        and all(_is_ranges(text) for files in lines.values() for text in files.values())
        and isinstance(edges, list)
        and all(_is_edge(edge) for edge in edges)
        and all(_is_turns(row.get(key)) for key in ("collected", "ran"))
    )


def _is_ranges(value: object) -> bool:
    return isinstance(value, str) and _RANGES.fullmatch(value) is not None


def _is_turns(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(turn, str) for turn in value)


def _is_edge(value: object) -> bool:
    return isinstance(value, list) and [type(part) for part in value] == [str, str]


def _holds(folder: str, files: Iterable[str]) -> bool:
    """Whether any of the files lies below what may be a folder that could not be collected."""
    return any(file.startswith(f"{folder}/") for file in files)


def _state(
    counts: Counts,
    broken: Sequence[str],
    failed: Sequence[str],
    failures: Mapping[str, outcome.Failure],
) -> tuple[State, Counts, str]:
    if broken:
        return State.ERROR, counts, f"{broken[0]}: {failures[broken[0]].message}"
    if failed:
        return State.FAILED, counts, f"{failed[0]}: {failures[failed[0]].message}"
    if not counts.total:
        return State.NO_TESTS, counts, _NONE
    return State.PASSED, counts, ""


def _durations(rows: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Seconds between the beginning of a turn and the end of it, summed over the processes."""
    found: dict[str, float] = {}
    for turn, seconds in _spans(rows):
        found[turn] = found.get(turn, 0.0) + seconds
    return found


def _spans(rows: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, float]]:
    last: dict[int, Mapping[str, Any]] = {}
    for row in rows:
        process = row["process"]
        before = last.get(process)
        if before is not None and before["when"] == _RUN:
            yield before["module"], row["at"] - before["at"]
        last.pop(process, None)
        if row["row"] == "enter":
            last[process] = row
