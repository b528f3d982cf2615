"""Runs the repository's tests under coverage in a child process, and reads what they left."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_cockpit import process
from pytest_cockpit.analysis.files import python_files
from pytest_cockpit.api import CockpitError, Context
from pytest_cockpit.measurement import CHILD, configuration, outcome
from pytest_cockpit.quarantine import child as quarantine
from pytest_cockpit.quarantine import naming
from pytest_cockpit.records import artifacts
from pytest_cockpit_gates.coverage.history import Spans
from pytest_cockpit_gates.coverage.model import FileCoverage
from pytest_cockpit_gates.coverage.settings import Settings
from pytest_cockpit_gates.coverage.tree import Tree

_REPORTER = "cockpit_coverage_reporter"
_READER = CHILD / "cockpit_coverage_reader.py"
_START = CHILD / "cockpit_coverage_start.py"
_OLDEST = (7, 10, 6)
"""The first coverage.py whose child processes, in whatever folder, measure the same sources."""
_INSTALL = "install coverage 7.10.6 or newer there"
_READ_TIMEOUT_S = 1800
_TAIL = 15
_COMPLETE = (0, 1)
"""Exit codes of pytest after which every test has run: all passed, or some failed."""


class NotMeasured(CockpitError):
    """The measurement could not be made at all."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """All that one run of the tests said.

    Parameters
    ----------
    files: coverage of every source that could be read; none after an incomplete run.
    unreadable: what coverage said of the others, by path.
    omitted: sources that a pattern leaves out.
    same: digests of sources that nothing executed, and whose counts are those of their bounds.
    tests: what the tests did.
    command: the arguments of Python, without anything of this machine.
    ended: how the child process came to its end.
    output: all it printed.
    versions: of Python and coverage.
    parser: a digest of all that decides what a statement is.
    patterns: the repository's rules of what does not count.
    measurer: the file of the coverage.py that should have measured.
    warnings: what coverage warned of while reading.
    read_s: seconds that reading took.
    """

    files: Mapping[str, FileCoverage]
    unreadable: Mapping[str, str]
    omitted: frozenset[str]
    same: Mapping[str, str]
    tests: outcome.TestRun
    command: tuple[str, ...]
    ended: process.Completed
    output: str
    versions: Mapping[str, str]
    parser: str
    patterns: tuple[str, ...]
    measurer: str
    warnings: tuple[str, ...]
    read_s: float

    @property
    def tail(self) -> tuple[str, ...]:
        """The last lines that the tests printed."""
        lines = [line.rstrip() for line in self.output.splitlines() if line.strip()]
        return tuple(lines[-_TAIL:])

    @property
    def executed(self) -> bool:
        """Whether any statement that counts was executed from inside the tree."""
        return any(now.executed for now in self.files.values())


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the tree before it is measured.

    Parameters
    ----------
    parser: what counted `files`.
    files: seal and counts, by path, of files that nothing executed.
    patterns: the rules of what does not count; None to take the repository's own.
    changed: first and last line of what changed, by path.
    """

    parser: str = ""
    files: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    patterns: tuple[str, ...] | None = None
    changed: Mapping[str, Spans] = field(default_factory=dict)


def measure(
    context: Context, settings: Settings, tree: Tree, known: Known | None = None
) -> Measurement:
    """Run the tests of `context.root`, then read the coverage of the tree's sources.

    Files known to be as they were, and that nothing executes now either, are not parsed.

    Raises
    ------
    NotMeasured: coverage is absent, too old, or its configuration or data cannot be read.
    """
    work = context.scratch / "coverage"
    # Rows and data are appended to: what an earlier run left would count as this one's.
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    return _Session(context, settings, tree, work, known or Known()).measure()


@dataclass(frozen=True, slots=True)
class _Session:
    context: Context
    settings: Settings
    tree: Tree
    work: Path
    known: Known

    def measure(self) -> Measurement:
        """The three child processes, one after the other."""
        probed = self._ask("probe", {}, timeout=60)
        _demand_version(probed["versions"]["coverage"], self.context.python)
        rcfile = self.work / "coverage.toml"
        data = self.work / "data"
        data.mkdir()
        text = configuration.merged(probed, root=str(self.tree.root), data=str(data / ".coverage"))
        rcfile.write_text(text, encoding="utf-8")
        ended = self._run_tests(rcfile, data)
        output = (ended.stderr + ended.stdout).decode("utf-8", "replace")
        tests = outcome.read(self._report().read_bytes() if self._report().exists() else b"")
        started = time.monotonic()
        answer = self._read(rcfile, data, probed) if tests.exit in _COMPLETE else _NOTHING
        files = answer["files"]
        return Measurement(
            files={path: _coverage(row) for path, row in files.items() if "error" not in row},
            unreadable={path: row["error"] for path, row in files.items() if "error" in row},
            omitted=frozenset(answer["omitted"]),
            same=answer["same"],
            tests=tests,
            command=(*self.settings.command, *self.settings.paths),
            ended=ended,
            output=output,
            versions=probed["versions"],
            parser=probed["parser"],
            patterns=tuple(probed["patterns"]),
            measurer=probed["measurer"],
            warnings=tuple(answer["warnings"]),
            read_s=time.monotonic() - started,
        )

    def _apart(self) -> list[str]:
        """The quarantine, in force where its own gate sees it, so that no failure is nobody's."""
        root = self.tree.root
        named = naming.naming(root, python_files(root))
        return ["-p", f"{quarantine.PACKAGE}.apart"] if named else []

    def _report(self) -> Path:
        return self.work / "tests.ndjson"

    def _run_tests(self, rcfile: Path, data: Path) -> process.Completed:
        root = self.tree.root
        ours = [
            *("-p", _REPORTER, "-p", "no:cockpit", *self._apart()),
            *(f"--rootdir={root}", f"--confcutdir={root}"),
            # One failure must not hide the coverage of all the tests after it.
            *("--maxfail=0", "--continue-on-collection-errors"),
            *self._ini(),
        ]
        command = [*self.settings.command]
        extra = {
            "COCKPIT_COVERAGE_REPORT": str(self._report()),
            "COCKPIT_COVERAGE_ROOT": str(root),
            "PYTHONPATH": os.pathsep.join(
                [*self._folders(), str(CHILD), str(quarantine.lend(self.work))]
            ),
        }
        if command[:2] == ["-m", "pytest"]:
            command += ours
        else:
            extra["PYTEST_ADDOPTS"] = shlex.join(ours)
        python = [self.context.python, str(_START), "run", "--branch", "--parallel-mode"]
        files = [f"--data-file={data / '.coverage'}", f"--rcfile={rcfile}"]
        return process.run(
            [*python, *files, *command, *self.settings.paths],
            cwd=root,
            env=self._environment(extra),
            timeout=self.settings.timeout_s,
        )

    def _ini(self) -> Sequence[str]:
        """Keep pytest from looking for a configuration in the folders above the tree."""
        if configuration.has_pytest_settings(self.tree.root):
            return ()
        empty = self.work / "pytest.ini"
        empty.write_text("[pytest]\n", encoding="utf-8")
        return ("-c", str(empty))

    def _folders(self) -> list[str]:
        """Folders of the tree that its tests have on their path."""
        folders = self.settings.pythonpath
        if folders is None:
            roots = self.context.lane.source_roots
            folders = tuple(folder for folder in roots if folder.strip("/") not in {"", "."})
        return [str(self.tree.root / folder) for folder in folders]

    def _environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        # The tree is not the gate's to write to; examples of earlier runs are kept out of the
        # verdict; a fixed hash seed makes two runs of one tree take the same branches.
        quiet = {
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": "0",
            "HYPOTHESIS_STORAGE_DIRECTORY": str(self.work / "hypothesis"),
        }
        return process.environment(
            keep=self.context.pass_environment,
            extra={**quiet, **extra},
        )

    def _read(self, rcfile: Path, data: Path, probed: Mapping[str, Any]) -> dict[str, Any]:
        options = probed["options"]
        request = {
            "root": str(self.tree.root),
            "files": list(self.tree.sources),
            "data": str(data),
            "rcfile": str(rcfile),
            "known": dict(self.known.files) if self.known.parser == probed["parser"] else {},
            "policy": list(
                probed["patterns"] if self.known.patterns is None else self.known.patterns
            ),
            "changed": dict(self.known.changed),
            "omit": [
                *self.settings.omit,
                *(options["run:omit"] or ()),
                *(options["report:omit"] or ()),
            ],
        }
        return self._ask("read", request, timeout=_READ_TIMEOUT_S)

    def _ask(self, action: str, request: Mapping[str, Any], timeout: float) -> dict[str, Any]:
        source, target = self.work / f"{action}.request.json", self.work / f"{action}.json"
        asked = {**request, "path": [*self._folders(), str(self.tree.root)]}
        source.write_text(json.dumps(asked), encoding="utf-8")
        # -P: a `coverage` or `json` in the tree must not be taken for the real one.
        argv = [self.context.python, "-P", str(_READER), action, str(source), str(target)]
        ended = process.run(argv, cwd=self.tree.root, env=self._environment({}), timeout=timeout)
        if ended.returncode or not target.exists():
            lines = ended.stderr.decode("utf-8", "replace").split("\n")
            last = next((line for line in reversed(lines) if line.strip()), "no message")
            why = "took too long" if ended.timed_out else last
            raise NotMeasured(
                f"coverage in {self.context.python}: {artifacts.printable(why)}; {_INSTALL}, "
                "or correct the repository's coverage settings"
            )
        answer: dict[str, Any] = json.loads(target.read_text(encoding="utf-8"))
        return answer


_NOTHING: Mapping[str, Any] = {"files": {}, "omitted": [], "same": {}, "warnings": []}


def _coverage(row: Mapping[str, Any]) -> FileCoverage:
    return FileCoverage(
        statements=row["statements"],
        missing=tuple(row["missing"]),
        shown=row["shown"],
        untaken=tuple((line, count) for line, count in row["untaken"]),
        sha256=row["sha256"],
        branches=row["branches"],
        excluded_lines=row.get("excluded_lines", 0),
        excluded_branches=row.get("excluded_branches", 0),
        escapes=tuple(row.get("escapes", ())),
        patch=tuple(row["patch"]),
    )


def _demand_version(found: str, python: str) -> None:
    if tuple(map(int, re.findall(r"\d+", found)[:3])) < _OLDEST:
        raise NotMeasured(
            f"coverage in {python}: version {found} loses what child processes execute; {_INSTALL}"
        )
