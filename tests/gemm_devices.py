"""Real OpenCL platforms for the tests of the gate `gemm`, each in a process of its own.

A test that needs one calls `worker(platform)` or `script(platform, ...)`, and is skipped with the
reason where the platform, its device or a package is not there.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from pytest_cockpit import process
from pytest_cockpit_gates.gemm.workers import platforms
from pytest_cockpit_gates.gemm.workers.client import Worker, WorkerError

PLATFORMS = tuple(platforms.KNOWN)
TIMEOUT_S = 120.0
ROOTS = [str(Path(process.__file__).parents[1]), str(Path(platforms.__file__).parents[3])]
_RUNNING: dict[str, Worker] = {}

on_each_platform = pytest.mark.parametrize("platform", PLATFORMS)
"""Gives a test the argument `platform`, once for each that is known."""


def worker(platform: str) -> Worker:
    """A running worker that all tests of this process share; it may have died in one of them."""
    require(platform)
    return _shared(platform)


def require(platform: str) -> None:
    """Skip the test where the platform cannot be used."""
    why = unusable(platform)
    if why is not None:
        pytest.skip(why)


@functools.cache
def unusable(platform: str) -> str | None:
    """Why the platform cannot be used here, in one line; None where it can be."""
    try:
        _shared(platform)
    except WorkerError as error:
        if error.kind != "missing":
            raise
        return str(error)
    return None


def script(platform: str, code: str, *arguments: object, timeout: float = TIMEOUT_S) -> Any:
    """What `code` prints as JSON in a process that sees the platform alone.

    It finds the packages under test, and `arguments` in `sys.argv[1:]`.
    """
    require(platform)
    with tempfile.TemporaryDirectory() as folder:
        done = process.run(
            [sys.executable, "-c", f"import sys\nsys.path[1:1] = {ROOTS}\n{code}"]
            + [str(it) for it in arguments],
            cwd=Path(folder),
            env=platforms.environment(platform, Path(folder)),
            timeout=timeout,
        )
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    return json.loads(done.stdout)


def _shared(platform: str) -> Worker:
    found = _RUNNING.get(platform)
    if found is None or found.pid is None:
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="worker-"))
            found = stack.enter_context(Worker(platform, Path(folder), timeout_s=TIMEOUT_S))
            atexit.register(stack.pop_all().close)
        _RUNNING[platform] = found
    return found


def twice(name: str, other: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a platform be there by another name too: a second one, with the same driver."""
    require(name)
    found = Path(platforms.environment(name, folder)["OCL_ICD_VENDORS"]).read_text()
    for each in (name, other):
        (folder / f"{each}.icd").write_text(found)
    monkeypatch.setenv("OCL_ICD_VENDORS", str(folder))
