"""The parent's side of the probe: starts the import server and reads what it found."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pytest_cockpit import process
from pytest_cockpit.api import CockpitError, Context
from pytest_cockpit_gates.imports import standard
from pytest_cockpit_gates.imports.selection import Job, Tree, known_names
from pytest_cockpit_gates.imports.settings import Settings

_PROBE = Path(__file__).with_name("probe.py")
_MOST_WORKERS = 8
_START_S = 120.0
_EACH_S = 5.0
_MOST_ENDS = 10


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one import.

    Parameters
    ----------
    status: "done" (there is a report), "hang", "signal", "exit", "memory" when it was killed for
        its weight, or "server" when it took the server down with it.
    code: exit code of the child; negative for a signal.
    report: what the child said of the import.
    trail: name and path of the tree's module that was being executed last.
    fault: the fault handler's text.
    output: what was printed, its middle left out.
    after: what came of promised names and of functions for the end of the process, where there
        were any.
    grown: bytes of memory it took at most.
    first: the outcome before this one, when the import was tried again alone.
    """

    job: Job
    status: str
    code: int = 0
    report: Mapping[str, Any] | None = None
    trail: tuple[str, str] = ("", "")
    fault: str = ""
    output: str = ""
    cpu_ms: float = 0.0
    wall_ms: float = 0.0
    after: Any = None
    grown: int = 0
    first: Outcome | None = None

    @property
    def is_certain(self) -> bool:
        """Whether trying again could not end otherwise: files do not come and go."""
        error = (self.report or {}).get("error")
        if self.status != "done" or error is None:
            return self.status in ("done", "memory")
        return bool(error["denied"]) or error["kind"] in _CERTAIN


_CERTAIN = frozenset({"SyntaxError", "ModuleNotFoundError", "ImportError"})


@dataclass(frozen=True, slots=True)
class Tour:
    """Modules imported one after another in one process.

    Parameters
    ----------
    rest: those that have not been tried yet.
    failed: those that failed in company, with what they raised or how they ended the process.
    """

    rest: tuple[str, ...]
    failed: Mapping[str, str] = field(default_factory=dict)

    def after(self, outcome: Outcome | None) -> Tour:
        """The tour after one more process."""
        if outcome is None:
            return replace(self, failed={**self.failed, self.rest[0]: "killed the import server"},
                           rest=self.rest[1:])  # fmt: skip
        failed = {**self.failed, **(outcome.report or {}).get("failed", {})}
        reached = int(outcome.after or 0)
        if reached < len(self.rest):
            failed[self.rest[reached]] = _ended(outcome)
        return Tour(self.rest[reached + 1 :], failed)


def _ended(outcome: Outcome) -> str:
    if outcome.status == "hang":
        return "did not finish in time"
    if outcome.status == "signal":
        return f"ended by signal {-outcome.code}"
    return f"ended the process with exit code {outcome.code}"


class Pool:
    """Imports modules, each in a process of its own forked from one warm server."""

    def __init__(self, context: Context, settings: Settings, tree: Tree) -> None:
        """Prepare a place for results and bytecode below the gate's scratch folder."""
        self._context = context
        self._settings = settings
        self._tree = tree
        self._known = known_names(tree.names, context, tree.layout)
        self._folder = Path(os.path.realpath(context.scratch)) / "imports"
        self._standard: Sequence[str] = ()
        for name in ("bytecode", "tmp"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)

    def probe(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Import every job's module.

        A failure that may be of the moment - a port taken, a slow machine, a neighbour's file -
        is tried a second time, alone; the second outcome counts.
        """
        self._standard = standard.used(self._tree.root, jobs)
        outcomes = self._complete(jobs, min(_processors(), _MOST_WORKERS))
        shaky = [it for it in outcomes if not it.is_certain and not self._was_cut_short(it)]
        if not shaky:
            return outcomes
        again = {it.job: it for it in self._complete([it.job for it in shaky], 1)}
        return [replace(again[it.job], first=it) if it.job in again else it for it in outcomes]

    def _was_cut_short(self, outcome: Outcome) -> bool:
        """Whether it hung in a module that had been seen hanging for the full time."""
        return outcome.status == "hang" and outcome.wall_ms < 1000 * self._settings.timeout_s

    def _complete(self, jobs: Sequence[Job], workers: int) -> list[Outcome]:
        """Outcomes of all jobs, in order, whatever they do to the server."""
        done: dict[int, Outcome] = {}
        pending = dict(enumerate(jobs))
        while pending:
            started, found, complaint = self._serve(pending, workers, self._rows(pending))
            done.update(found)
            pending = {number: job for number, job in pending.items() if number not in done}
            lost = started & pending.keys()
            if pending and workers == 1:
                if not lost:
                    raise CockpitError(f"imports: the import server does not run: {complaint}")
                for number in lost:
                    done[number] = Outcome(pending.pop(number), "server")
            # One at a time from here on: then it is plain whose import ends the server.
            workers = 1
        return [done[number] for number in range(len(jobs))]

    def _serve(
        self, pending: Mapping[int, Job], workers: int, rows: Sequence[Mapping[str, Any]]
    ) -> tuple[set[int], dict[int, Outcome], str]:
        """Numbers of the jobs that were begun, outcomes of those that ended, the last error."""
        with tempfile.TemporaryDirectory(prefix="round-", dir=self._folder) as folder:
            results = Path(folder) / "results.ndjson"
            completed = process.run(
                [self._context.python, "-P", "-s", str(_PROBE)],
                cwd=self._context.root,
                env={**_environment(self._context), "TMPDIR": str(self._folder / "tmp")},
                input=json.dumps(self._order(workers, results, rows, self._standard)).encode(),
                timeout=_START_S + _steps(rows) * (self._settings.timeout_s + _EACH_S),
            )
            told = list(_rows(results))
        started: set[int] = set()
        found: dict[int, Outcome] = {}
        for row in told:
            if "started" in row:
                started.add(row["started"])
            else:
                number = row.pop("id")
                found[number] = Outcome(
                    pending[number], **{**row, "trail": (row["trail"][0], row["trail"][1])}
                )
        complaint = completed.stderr.decode("utf-8", "backslashreplace").strip().splitlines()
        return started, found, complaint[-1] if complaint else f"exit {completed.returncode}"

    def tour(self, orders: Sequence[Sequence[Job]]) -> list[Tour]:
        """Import each row of modules one after another in one process.

        A module that ends the process is noted, and the rest goes on in a new one.
        """
        tours = [Tour(tuple(job.module for job in order)) for order in orders]
        for _ in range(_MOST_ENDS):
            open_tours = {number: it for number, it in enumerate(tours) if it.rest}
            if not open_tours:
                break
            jobs = {number: Job("", "") for number in open_tours}
            rows = [{"id": number, "tour": it.rest} for number, it in open_tours.items()]
            found = self._serve(jobs, len(jobs), rows)[1]
            for number, tour in open_tours.items():
                tours[number] = tour.after(found.get(number))
        return tours

    def _order(
        self,
        workers: int,
        results: Path,
        rows: Sequence[Mapping[str, Any]],
        standard: Sequence[str],
    ) -> dict[str, Any]:
        root, settings = self._tree.root, self._settings
        roots = [os.path.normpath(root / source) for source in self._context.lane.source_roots]
        return {
            "root": str(root),
            "roots": list(dict.fromkeys(roots)),
            "scratch": str(self._folder),
            "cache": str(self._folder / "bytecode"),
            "results": str(results),
            "known": self._known,
            "timeout": settings.timeout_s,
            "memory": settings.memory_mb << 20,
            "growth": settings.growth_mb << 20,
            "preload": settings.preload,
            "standard": standard,
            "workers": workers,
            "jobs": rows,
        }

    def _rows(self, jobs: Mapping[int, Job]) -> list[dict[str, Any]]:
        root = self._tree.root
        return [
            {
                "id": number,
                "module": job.module,
                "file": str(root / job.path),
                "same_as": job.same_as,
            }
            for number, job in jobs.items()
        ]


def _environment(context: Context) -> dict[str, str]:
    """As clean as `-E` would have it, with a fixed order of sets: the same verdict every time."""
    kept = process.environment(keep=context.pass_environment)
    clean = {
        key: value
        for key, value in kept.items()
        if not key.startswith("PYTHON") or key in context.pass_environment
    }
    return {"PYTHONHASHSEED": "0", **clean}


def _steps(rows: Sequence[Mapping[str, Any]]) -> int:
    return sum(len(row.get("tour", "1")) for row in rows)


def _processors() -> int:
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        lines: Iterable[bytes] = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return
    for line in lines:
        # The last row is torn when the server was killed while writing it.
        try:
            row = json.loads(line)
        except ValueError:
            continue
        yield row
