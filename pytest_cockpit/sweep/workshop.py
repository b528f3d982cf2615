"""Where a sweep's child processes work: what they are given, how they are started."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pytest_cockpit import process
from pytest_cockpit.api import CockpitError
from pytest_cockpit.config import Config
from pytest_cockpit.measurement import CHILD, configuration
from pytest_cockpit.records import artifacts
from pytest_cockpit.sweep.attribution import Observed
from pytest_cockpit.sweep.model import Lines
from pytest_cockpit.sweep.watch import watching

_CHILD = Path(__file__).parent / "child"
_PACKAGE = "cockpit_sweep"
_REPORTER = "cockpit_coverage_reporter"
_READ_TIMEOUT_S = 1800.0


@dataclass(frozen=True)
class Workshop:
    """One tree, and a private folder beside it.

    Parameters
    ----------
    root: the tree, at the commit that is measured.
    work: an existing empty folder.
    modules: the folders of all modules, measured or not.
    anchor: a file at the root of the tree.
    """

    root: Path
    work: Path
    settings: Config
    modules: Sequence[str]
    anchor: str

    @cached_property
    def folders(self) -> list[str]:
        """Folders of the tree that its tests have on their path."""
        return [
            folder
            for folder in self.settings.lane.source_roots
            if folder.strip("/") not in {"", "."}
        ]

    @cached_property
    def probed(self) -> Mapping[str, Any]:
        """What the repository configures for coverage, and the versions there are."""
        asked: dict[str, Any] = {"path": [str(self.root)]}
        answer: Mapping[str, Any] = self._ask(
            CHILD / "cockpit_coverage_reader.py", ("probe",), asked, timeout=60
        )
        return answer

    def prepare(self) -> None:
        """Lay out what the measured processes import."""
        package = self.work / _PACKAGE
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(_CHILD / _PACKAGE, package, ignore=ignored)
        shutil.copy(CHILD / f"{_REPORTER}.py", package)
        text = configuration.merged(self.probed, root=str(self.root), data="unused")
        (package / "coverage.toml").write_text(text, encoding="utf-8")
        (package / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")

    def request(
        self, name: str, *, turns: Mapping[str, str], joint: bool, durations: Mapping[str, float]
    ) -> Path:
        """Write down what one run is to know; the file lies where processes elsewhere look."""
        package = self.work / _PACKAGE
        path = package / "request.json" if joint else self.work / f"{name}.request.json"
        document = {
            "root": str(self.root),
            "tree": self.root.name,
            "folders": self.folders,
            "rows": str(self._file(name, "rows.ndjson")),
            "modules": list(self.modules),
            "turns": dict(turns),
            "joint": joint,
            "anchor": self.anchor,
            "durations": dict(durations),
        }
        path.write_text(json.dumps(document), encoding="utf-8")
        return path

    def arguments(self, options: Sequence[str], tests: Sequence[str]) -> list[str]:
        """The arguments of Python that run these test files."""
        root = self.root
        return [
            *self.settings.sweep.command,
            *("-p", _PACKAGE, "-p", f"{_PACKAGE}.{_REPORTER}", "-p", "no:cockpit"),
            *(f"--rootdir={root}", f"--confcutdir={root}"),
            # One failure must not hide the coverage of all the tests after it.
            *("--maxfail=0", "--continue-on-collection-errors"),
            *self._ini(),
            *options,
            *(str(root / path) for path in tests),
        ]

    def _ini(self) -> Sequence[str]:
        """Keep pytest from looking for a configuration in the folders above the tree."""
        found = configuration.has_pytest_settings(self.root)
        return () if found else ("-c", str(self.work / _PACKAGE / "pytest.ini"))

    def variables(self, name: str, request: Path) -> dict[str, str]:
        """What one run's environment has beside the clean one."""
        path = [*(str(self.root / folder) for folder in self.folders), str(self.work)]
        return {
            "COCKPIT_SWEEP_REQUEST": str(request),
            "COCKPIT_COVERAGE_REPORT": str(self._file(name, "tests.ndjson")),
            "COCKPIT_COVERAGE_ROOT": str(self.root),
            "HYPOTHESIS_STORAGE_DIRECTORY": str(self.work / "hypothesis"),
            # The tree is not the sweep's to write to; a fixed hash seed makes two runs of one
            # tree take the same branches.
            "PYTHONPYCACHEPREFIX": str(self.work / "bytecode"),
            "PYTHONHASHSEED": "0",
            "PYTHONPATH": os.pathsep.join(path),
        }

    def run(
        self, name: str, argv: Sequence[str], request: Path, tell: Callable[[bytes], None]
    ) -> process.Completed:
        """Run one joint run to its end; `tell` hears what it has reported so far."""
        env = process.environment(self.settings.pass_environment, self.variables(name, request))
        with watching(self._file(name, "tests.ndjson"), tell):
            return process.run(
                [sys.executable, *argv],
                cwd=self.root,
                env=env,
                timeout=self.settings.sweep.timeout_s,
            )

    def pool(
        self, jobs: Sequence[Mapping[str, Any]], at_once: int, tell: Callable[[bytes], None]
    ) -> dict[str, dict[str, Any]]:
        """Run several jobs, a few at a time; what became of each, by its name."""
        source, target = self.work / "pool.json", self.work / "pool.ndjson"
        target.unlink(missing_ok=True)
        asked = {
            "root": str(self.root),
            "preload": self.settings.sweep.command[:2] == ("-m", "pytest"),
            "at_once": at_once,
            "timeout_s": self.settings.sweep.timeout_s,
            "jobs": list(jobs),
        }
        source.write_text(json.dumps(asked), encoding="utf-8")
        script = _CHILD / "cockpit_sweep_pool.py"
        # What Python itself reads of the environment, it reads once, before the processes part.
        early = ("PYTHONHASHSEED", "PYTHONPYCACHEPREFIX")
        extra = {name: self.variables("", source)[name] for name in early}
        with watching(target, tell):
            process.run(
                [sys.executable, "-P", str(script), str(source), str(target)],
                cwd=self.root,
                env=process.environment(self.settings.pass_environment, extra),
            )
        rows = target.read_bytes().splitlines() if target.exists() else []
        return {row["job"]: row for row in map(json.loads, rows)}

    def job(self, name: str, argv: Sequence[str], request: Path) -> dict[str, Any]:
        """One run of the pool."""
        return {
            "name": name,
            "argv": list(argv),
            "cwd": str(self.root),
            "path": [*(str(self.root / folder) for folder in self.folders), str(self.work)],
            "env": self.variables(name, request),
            "output": str(self._file(name, "output")),
        }

    def left(self, name: str) -> tuple[bytes, bytes]:
        """What a run reported, and the rows of the plugin that tells modules apart."""
        files = (self._file(name, "tests.ndjson"), self._file(name, "rows.ndjson"))
        tests, rows = (path.read_bytes() if path.exists() else b"" for path in files)
        return tests, rows

    def said(self, name: str) -> str:
        """The last line that a job printed."""
        path = self._file(name, "output")
        text = path.read_bytes().decode("utf-8", "replace") if path.exists() else ""
        return last_words(text)

    def statements(
        self, files: Sequence[str], observed: Observed
    ) -> tuple[dict[str, tuple[tuple[int, ...], Mapping[int, int]]], dict[str, str]]:
        """Statements of files, with the first lines of those that ran; and unreadable files."""
        asked = {
            "root": str(self.root),
            "settings": str(self.work / _PACKAGE / "coverage.toml"),
            "files": {path: sorted(observed.every.get(path, ())) for path in files},
        }
        script = _CHILD / "cockpit_sweep_reader.py"
        rows = self._ask(script, (), asked, timeout=_READ_TIMEOUT_S)
        errors = {row["path"]: row["error"] for row in rows if "error" in row}
        return {
            row["path"]: (tuple(row["statements"]), dict(row["moved"]))
            for row in rows
            if "error" not in row
        }, errors

    def _file(self, name: str, kind: str) -> Path:
        return self.work / f"{name}.{kind}"

    def _ask(
        self, script: Path, action: Sequence[str], request: Mapping[str, Any], timeout: float
    ) -> Any:
        source, target = self.work / "asked.json", self.work / "answered.json"
        target.unlink(missing_ok=True)
        source.write_text(json.dumps(request), encoding="utf-8")
        # -P: a `coverage` or `json` in the tree must not be taken for the real one.
        argv = [sys.executable, "-P", str(script), *action, str(source), str(target)]
        env = process.environment(self.settings.pass_environment)
        ended = process.run(argv, cwd=self.root, env=env, timeout=timeout)
        if ended.returncode or not target.exists():
            why = last_words(ended.stderr.decode("utf-8", "replace"))
            raise CockpitError(
                f"coverage in {sys.executable}: {why}; correct the repository's coverage settings"
            )
        return json.loads(target.read_text(encoding="utf-8"))


def executed(
    statements: tuple[int, ...], moved: Mapping[int, int], ran: frozenset[int] | set[int]
) -> Lines:
    """The lines of one file: a statement ran where any of its lines did."""
    firsts = {moved.get(line, line) for line in ran}
    return Lines(statements, tuple(line for line in statements if line in firsts))


def last_words(text: str) -> str:
    """The last line of an output that is not blank, fit for one line of ours."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return artifacts.printable(lines[-1][:200]) if lines else "no message"
