"""What the tests did, read from the rows that the reporter left."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_WORST_FIRST = ("failed", "skipped", "passed")
_NO_TOOLS = {"row", "measurer"}
_SHAPES: Mapping[str, Mapping[str, type]] = {
    "session": {},
    "start": {"id": str},
    "end": {"id": str},
    "report": {"id": str, "outcome": str, "message": str},
    "collect": {"id": str, "message": str},
    "internal": {"message": str},
    "modules": {"outside": dict},
    "disturbed": {"after": str, "what": str},
    "finish": {"exit": int},
}


@dataclass(frozen=True, slots=True)
class Failure:
    """A test that failed, or a file that could not be collected, with what it said last.

    `frames` are the tree's files in its traceback, outermost first.
    """

    message: str
    line: int | None = None
    frames: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TestRun:
    """One run of the tests.

    Parameters
    ----------
    started: pytest accepted its arguments and opened a session.
    exit: the session's exit code; None when it did not come to its end.
    counts: tests by outcome; expected failures count as skipped.
    outcomes: the worst outcome of each test, by node id.
    failures: by node id, exactly as pytest spells it.
    around: tests that failed before or after their call, and files that could not be collected.
    running: tests that began and did not end.
    outside: file by module name, of modules imported from outside the tree.
    tools: versions of pytest and of its plugins.
    internal: errors of pytest itself.
    disturbances: after which test, and how, the measurement was found stopped or replaced.
    measurer: the file of the coverage.py that measured.
    """

    started: bool = False
    exit: int | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    outcomes: Mapping[str, str] = field(default_factory=dict)
    failures: Mapping[str, Failure] = field(default_factory=dict)
    around: frozenset[str] = frozenset()
    running: tuple[str, ...] = ()
    outside: Mapping[str, str] = field(default_factory=dict)
    tools: Mapping[str, Any] = field(default_factory=dict)
    internal: tuple[str, ...] = ()
    disturbances: tuple[tuple[str, str], ...] = ()
    measurer: str = ""

    __test__ = False  # pytest: it is no test class, whatever its name says


def read(data: bytes) -> TestRun:
    """The run whose reporter wrote `data`; a torn or strange row counts as not written."""
    rows = list(_rows(data))
    opened = next(_of(rows, "session"), None)
    outcomes, failures = _tests(rows)
    begun = Counter(row["id"] for row in _of(rows, "start"))
    begun.subtract(row["id"] for row in _of(rows, "end"))
    return TestRun(
        started=opened is not None,
        exit=next((row["exit"] for row in _of(rows, "finish")), None),
        counts=Counter(outcomes.values()),
        outcomes=outcomes,
        failures=failures,
        around=frozenset(_around(rows)),
        running=tuple(sorted(test for test, count in begun.items() if count > 0)),
        outside={
            name: str(path) for row in _of(rows, "modules") for name, path in row["outside"].items()
        },
        tools={key: value for key, value in (opened or {}).items() if key not in _NO_TOOLS},
        internal=tuple(row["message"] for row in _of(rows, "internal")),
        disturbances=tuple((row["after"], row["what"]) for row in _of(rows, "disturbed")),
        measurer=str((opened or {}).get("measurer", "")),
    )


def _rows(data: bytes) -> Iterator[dict[str, Any]]:
    for line in data.splitlines():
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict) and _shaped(row):
            yield row


def _shaped(row: dict[str, Any]) -> bool:
    kind = row.get("row")
    wanted = _SHAPES.get(kind) if isinstance(kind, str) else None
    return wanted is not None and all(
        isinstance(row.get(key), expected) for key, expected in wanted.items()
    )


def _of(rows: Iterable[dict[str, Any]], kind: str) -> Iterator[dict[str, Any]]:
    return (row for row in rows if row.get("row") == kind)


def _line(row: dict[str, Any]) -> int | None:
    line = row.get("line")
    return line if isinstance(line, int) else None


def _frames(row: dict[str, Any]) -> tuple[str, ...]:
    frames = row.get("frames")
    return tuple(map(str, frames)) if isinstance(frames, list) else ()


def _around(rows: list[dict[str, Any]]) -> Iterator[str]:
    for row in _of(rows, "report"):
        if row["outcome"] == "failed" and row.get("when") in ("setup", "teardown"):
            yield row["id"]
    for row in _of(rows, "collect"):
        yield row["id"]


def _tests(rows: list[dict[str, Any]]) -> tuple[dict[str, str], dict[str, Failure]]:
    outcomes: dict[str, str] = {}
    failures: dict[str, Failure] = {}
    for row in _of(rows, "report"):
        test, outcome = row["id"], row["outcome"]
        if outcome not in _WORST_FIRST:
            continue
        # Set-up, call and tear-down report apart; the worst of them is the test's.
        outcomes[test] = min(outcomes.get(test, outcome), outcome, key=_WORST_FIRST.index)
        if outcome == "failed":
            failures.setdefault(test, Failure(row["message"], _line(row), _frames(row)))
    for row in _of(rows, "collect"):
        failures.setdefault(row["id"], Failure(row["message"]))
    return outcomes, failures
