"""What a sweep has measured, as data: what a shard hands over, and a merge settles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from itertools import groupby
from typing import Any

from pytest_cockpit.api import CockpitError
from pytest_cockpit.records import artifacts
from pytest_cockpit.records.text import canonical_line, sha256
from pytest_cockpit.registry.measured import percent

SCHEMA = "sweep-measured"


class State(StrEnum):
    """What became of a module's tests."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    NO_TESTS = "no-tests"
    CRASHED = "crashed"

    @property
    def measured(self) -> bool:
        """Whether every test that could be collected has run, so that its lines mean something."""
        return self in (State.PASSED, State.FAILED)


@dataclass(frozen=True, slots=True)
class Counts:
    """Tests by what came of them; a file that cannot be collected is an error."""

    passed: int = 0
    failed: int = 0
    errors: int = 0
    skipped: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.passed + self.failed + self.errors + self.skipped

    def to_json(self) -> dict[str, int]:
        """The counts as a JSON object."""
        return {name: getattr(self, name) for name in ("passed", "failed", "errors", "skipped")}


@dataclass(frozen=True, slots=True)
class Lines:
    """One file: the first lines of its statements, and which of these ran."""

    statements: tuple[int, ...]
    executed: tuple[int, ...]

    @property
    def missing(self) -> tuple[int, ...]:
        """Statements that did not run."""
        ran = frozenset(self.executed)
        return tuple(line for line in self.statements if line not in ran)

    def to_json(self) -> dict[str, str]:
        """Both as ranges such as `1-3 7`."""
        return {"statements": ranges(self.statements), "executed": ranges(self.executed)}


@dataclass(frozen=True)
class Outcome:
    """What the tests of one module came to.

    Parameters
    ----------
    module: its folder.
    files: its own files, those that hold tests left out; none unless the state is a measured one.
    unreadable: files that Python cannot parse, with what it says of them.
    reason: why the state is what it is, where that is not plain.
    apart: why it was run again in a process of its own; empty where the joint run counts.
    duration_s: how long its tests took.
    """

    module: str
    state: State
    tests: Counts = Counts()
    files: Mapping[str, Lines] = field(default_factory=dict)
    unreadable: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""
    apart: str = ""
    duration_s: float = 0.0

    @cached_property
    def statements(self) -> int | None:
        """How many statements there are; None where nothing was measured."""
        return self._sum("statements")

    @cached_property
    def missing(self) -> int | None:
        """How many of them did not run; None where nothing was measured."""
        return self._sum("missing")

    @property
    def percent(self) -> float | None:
        """The share that ran; None where nothing was measured or there is no statement."""
        return percent(self.statements, self.missing)

    @cached_property
    def data_sha256(self) -> str:
        """Digest of state, tests and lines: what the figures were computed from."""
        data = self.to_json()
        del data["duration_s"], data["apart"], data["reason"]
        return sha256(canonical_line(data))

    def to_json(self) -> dict[str, Any]:
        """The outcome as a JSON object."""
        return {
            "module": self.module,
            "state": self.state.value,
            "tests": self.tests.to_json(),
            "files": {path: self.files[path].to_json() for path in sorted(self.files)},
            "unreadable": dict(sorted(self.unreadable.items())),
            "reason": self.reason,
            "apart": self.apart,
            "duration_s": round(self.duration_s, 3),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Outcome:
        """The outcome that `to_json` gave, from data that its schema allows."""
        files = {
            path: Lines(tuple(spread(row["statements"])), tuple(spread(row["executed"])))
            for path, row in data["files"].items()
        }
        plain = {name: data[name] for name in ("module", "unreadable", "reason", "apart")}
        return cls(
            state=State(data["state"]),
            tests=Counts(**data["tests"]),
            files=files,
            duration_s=data["duration_s"],
            **plain,
        )

    def _sum(self, name: str) -> int | None:
        if not self.state.measured:
            return None
        return sum(len(getattr(lines, name)) for lines in self.files.values())


@dataclass(frozen=True, slots=True)
class Measured:
    """All that was measured of one commit, module by module.

    Parameters
    ----------
    outcomes: in order of the modules' folders.
    versions: of Python, coverage and pytest.
    """

    commit: str
    outcomes: tuple[Outcome, ...]
    versions: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """All of it as a JSON document."""
        return {
            "schema": "pytest-cockpit/sweep-measured/1",
            "commit": self.commit,
            "versions": dict(sorted(self.versions.items())),
            "modules": [outcome.to_json() for outcome in self.outcomes],
        }

    def lasting(self) -> Measured:
        """Without what another run says otherwise: durations, and which modules were run apart."""
        outcomes = (replace(outcome, duration_s=0.0, apart="") for outcome in self.outcomes)
        return replace(self, outcomes=tuple(outcomes))

    @classmethod
    def from_json(cls, data: Any, *, where: str) -> Measured:
        """What `to_json` gave, held against its schema.

        Raises
        ------
        CockpitError: it is something else; `where` says what was read.
        """
        errors = artifacts.validate(data, SCHEMA)
        if errors:
            raise CockpitError(f"{where}: {errors[0]}; measure it again")
        outcomes = tuple(map(Outcome.from_json, data["modules"]))
        return cls(data["commit"], outcomes, data["versions"])

    @classmethod
    def joined(cls, parts: Iterable[Measured]) -> Measured:
        """The union of several measurements of one commit, whatever their order.

        Raises
        ------
        CockpitError: they are of several commits or versions, or a module is in two of them.
        """
        found = list(parts)
        if len({part.commit for part in found}) != 1:
            commits = ", ".join(sorted({part.commit[:12] for part in found})) or "none"
            raise CockpitError(f"measurements of one commit were expected, got {commits}")
        if len({tuple(sorted(part.versions.items())) for part in found}) > 1:
            raise CockpitError(
                f"{found[0].commit[:12]}: measured with several versions of Python, pytest or "
                "coverage, which count differently; use the same in all parts"
            )
        outcomes = sorted((each for part in found for each in part.outcomes), key=_module)
        for module, rows in groupby(outcomes, key=_module):
            if len(list(rows)) > 1:
                raise CockpitError(f"{module}: measured in several parts; leave one of them out")
        return cls(found[0].commit, tuple(outcomes), found[0].versions)


def ranges(lines: Iterable[int]) -> str:
    """Ascending numbers as text: `1-3 7`."""
    found = [
        [number for _, number in run]
        for _, run in groupby(enumerate(lines), key=lambda pair: pair[1] - pair[0])
    ]
    return " ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in found)


def spread(text: str) -> Iterator[int]:
    """The numbers that `ranges` wrote."""
    for part in text.split():
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def _module(outcome: Outcome) -> str:
    return outcome.module
