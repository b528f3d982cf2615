"""Quarantined tests run for real, in a child process."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_cockpit import process
from pytest_cockpit.quarantine import observed
from pytest_cockpit.quarantine.observed import Observation

PACKAGE = "cockpit_quarantine"
"""The name that what a child process needs has there."""

_LOOSE = ("__init__.py", "apart.py", "marks.py", "observer.py", "runtime.py")
_TAIL = 12


@dataclass(frozen=True, slots=True)
class Setting:
    """How children are run.

    Parameters
    ----------
    python: their interpreter.
    scratch: an existing private folder outside the tree.
    folders: folders, relative to the tree, that they have on their path.
    keep: names of environment variables they get whatever they look like.
    arguments: further arguments of pytest.
    """

    python: str
    scratch: Path
    folders: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """One child's observation, and how the child ended."""

    seen: Observation
    returncode: int
    timed_out: bool
    cpu_s: float
    tail: tuple[str, ...]

    @property
    def why(self) -> str:
        """How it ended, in words."""
        if self.timed_out:
            return "its time was up"
        if self.returncode < 0:
            return f"it was killed by signal {-self.returncode}"
        last = self.tail[-1] if self.tail else "it said nothing"
        return f"exit code {self.returncode}: {last}"


def lend(folder: Path) -> Path:
    """Copy the plugins below `folder` as a package of their own, and return what to put on a path.

    Not this package itself: a tree under judgement may hold another copy of it.
    """
    target = folder / "plugins" / PACKAGE
    target.mkdir(parents=True, exist_ok=True)
    for name in _LOOSE:
        (target / name).write_bytes(Path(__file__).with_name(name).read_bytes())
    return target.parent


def observe(
    root: Path,
    setting: Setting,
    *,
    paths: Sequence[str] = (),
    select: Sequence[str] | None = None,
    runs: bool = True,
    everything: bool = False,
    opened: bool = False,
    timeout: float | None = None,
) -> Run:
    """Collect `paths` of the tree `root`, run those tests that `select` names, and tell.

    Parameters
    ----------
    paths: files to collect; none for what pytest would collect by itself.
    select: node ids; None for every test with the marker.
    everything: run every test, with the marker or without.
    runs: whether they are run, or collected only.
    opened: whether documents that are read are told.
    """
    with tempfile.TemporaryDirectory(dir=setting.scratch, prefix="run-") as name:
        folder = Path(name)
        report, request = folder / "rows.ndjson", folder / "request.json"
        request.write_text(
            json.dumps(
                {
                    "report": str(report),
                    "select": None if select is None else list(select),
                    "run": runs,
                    "everything": everything,
                    "opened": opened,
                }
            ),
            encoding="utf-8",
        )
        done = process.run(
            _argv(root, setting, folder, paths),
            cwd=root,
            env=_environment(root, setting, folder, request),
            timeout=timeout,
        )
        seen = observed.parse(report.read_bytes() if report.exists() else b"")
    output = (done.stdout + done.stderr).decode("utf-8", "replace")
    tail = tuple(line.rstrip() for line in output.splitlines() if line.strip())[-_TAIL:]
    return Run(seen, done.returncode, done.timed_out, done.cpu_s, tail)


def _argv(root: Path, setting: Setting, folder: Path, paths: Sequence[str]) -> list[str]:
    return [
        *(setting.python, "-m", "pytest", "-q"),
        *("-p", "no:cockpit", "-p", f"{PACKAGE}.observer"),
        *(f"--rootdir={root}", f"--confcutdir={root}"),
        # One failure must not hide the others.
        *("--maxfail=0", "--continue-on-collection-errors"),
        # The tree is not ours to write to.
        *("-o", f"cache_dir={folder / 'cache'}"),
        *setting.arguments,
        *(str(root / path) for path in paths),
    ]


def _environment(root: Path, setting: Setting, folder: Path, request: Path) -> Mapping[str, str]:
    own = [str(root / name) for name in setting.folders if name.strip("/") not in {"", "."}]
    quiet = {
        "COCKPIT_QUARANTINE": str(request),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(folder / "hypothesis"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": os.pathsep.join([*own, str(lend(setting.scratch))]),
    }
    return process.environment(keep=setting.keep, extra=quiet)
