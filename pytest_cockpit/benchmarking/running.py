"""Benchmarks run for real: one child process in the private tree, with pytest-benchmark."""

from __future__ import annotations

import contextlib
import importlib.metadata
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pytest_cockpit import process
from pytest_cockpit.api import CockpitError, Verdict
from pytest_cockpit.benchmarking import reading
from pytest_cockpit.benchmarking.reading import Times
from pytest_cockpit.phases import Place
from pytest_cockpit.process import Completed
from pytest_cockpit.promotion.staging import StagedTree
from pytest_cockpit.records.text import count, one_line
from pytest_cockpit.runner import redact, without_values

_OWN = ("--benchmark-only", "--benchmark-enable", "--benchmark-quiet")
# What other plugins would do to times, and how each is told not to.
_QUIET = (
    ("pytest-cov", "no:pytest_cov", ("--no-cov",)),
    ("pytest-randomly", "no:randomly", ("-p", "no:randomly")),
    ("pytest-xdist", "no:xdist", ("-n0",)),
)
_RESULTS, _ENDED = "results.json", "ended.xml"
_FAILED, _USAGE, _NOTHING = 1, 4, 5
_UNKNOWN = "unrecognized arguments"
_TAIL = 15


class Unmeasured(Exception):
    """A process that leaves nothing to judge; `text` holds its last words."""

    def __init__(self, verdict: Verdict, said: str, text: str = "") -> None:
        super().__init__(said)
        self.verdict = verdict
        self.said = said
        self.text = text


@dataclass(frozen=True, slots=True)
class Ran:
    """One process that came to its end."""

    commit: str
    times: Mapping[str, Times]
    wall_s: float


@dataclass(frozen=True)
class Runner:
    """Runs the same files at any commit, always in the same folder.

    Parameters
    ----------
    files: paths of the files with benchmarks.
    """

    place: Place
    tree: StagedTree
    files: tuple[str, ...]
    _there: dict[str, list[str]] = field(default_factory=dict)

    def run(self, commit: str) -> Ran:
        """One process at a commit; files that are not there yet are left out.

        Raises
        ------
        Unmeasured: it failed, crashed or hung, or pytest-benchmark is missing.
        """
        files = self._files(commit)
        if not files:
            return Ran(commit, {}, 0.0)
        with tempfile.TemporaryDirectory(prefix="cockpit-") as folder:
            with self.tree.at(commit) as root:
                lost = {entry.path for entry in self.tree.lost}
                if lost:
                    said = f"the content of {count(len(lost), 'file')} is not in this clone"
                    raise Unmeasured(Verdict.UNKNOWN, f"{said}; fetch it with git")
                done = self._start(root, Path(folder), files)
            words = _words(done, self.place.settings.pass_environment)
            _demand_end(done, words, self.place.settings.bench.timeout_s)
            if not Path(folder, _ENDED).exists():
                # A process may leave with exit code 0, and without the results of what it ran.
                said = "its process left before pytest had come to its end"
                raise Unmeasured(Verdict.ERROR, said, _tail(words))
            return Ran(commit, self._read(Path(folder, _RESULTS)), done.wall_s)

    def _files(self, commit: str) -> list[str]:
        if commit not in self._there:
            paths = {entry.path for entry in self.place.repository.entries(commit)}
            self._there[commit] = [path for path in self.files if path in paths]
        return self._there[commit]

    def _start(self, root: Path, folder: Path, files: Sequence[str]) -> Completed:
        settings = self.place.settings
        return process.run(
            [
                *(sys.executable, *settings.bench.command),
                *(*_OWN, *_quiet(settings.bench.command)),
                *(f"--benchmark-json={folder / _RESULTS}", f"--junitxml={folder / _ENDED}"),
                *(f"./{path}" for path in files),
            ],
            cwd=root,
            env=process.environment(settings.pass_environment),
            timeout=settings.bench.timeout_s,
        )

    def _read(self, results: Path) -> Mapping[str, Times]:
        try:
            return reading.load(results)
        except CockpitError as error:
            raise Unmeasured(Verdict.ERROR, str(error)) from error


def _quiet(command: Sequence[str]) -> Iterator[str]:
    for name, absent, arguments in _QUIET:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            importlib.metadata.distribution(name)
            # Without the plugin, its options are not known.
            if absent not in command:
                yield from arguments


def _demand_end(done: Completed, words: str, timeout_s: float) -> None:
    tail = _tail(words)
    if done.timed_out:
        said = f"not done after {timeout_s:g} s (bench.timeout_s), and killed"
        raise Unmeasured(Verdict.ERROR, said, tail)
    if done.returncode == _USAGE and _UNKNOWN in words and _OWN[0] in words:
        said = "pytest-benchmark is not there for the Python that tests run with"
        remedy = f"install it: {sys.executable} -m pip install pytest-benchmark"
        raise Unmeasured(Verdict.UNKNOWN, said, f"{remedy}\n{tail}")
    if done.returncode == _FAILED:
        raise Unmeasured(Verdict.FAIL, "benchmarks fail", tail)
    if done.returncode < 0:
        said = f"its process was killed by signal {-done.returncode}"
        raise Unmeasured(Verdict.ERROR, said, tail)
    if done.returncode not in (0, _NOTHING):
        said = f"pytest ended with exit code {done.returncode}"
        raise Unmeasured(Verdict.ERROR, said, tail)


def _words(done: Completed, passed: Sequence[str]) -> str:
    """What it said, for others to read: without secrets, those that were passed on above all."""
    data = without_values(done.stdout + done.stderr, passed)
    lines = redact(data.decode("utf-8", "replace")).splitlines()
    return "\n".join(one_line(line.rstrip()) for line in lines if line.strip())


def _tail(words: str) -> str:
    return "\n".join(words.splitlines()[-_TAIL:])
