"""Runs pytest once for each of several requests, a few at a time, each in a process of its own.

Every process is a fork of this one, which has imported pytest and nothing of the
tree, so that starting one costs milliseconds.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import signal
import sys
import time
from pathlib import Path
from typing import Any

_LOOK_S = 0.02
_OURS = {str(Path(__file__).parent), *os.environ.get("PYTHONPATH", "").split(os.pathsep)}


def main(source: str, target: str) -> None:
    """Do the jobs of the file `source`; append what became of each to the file `target`."""
    asked = json.loads(Path(source).read_text(encoding="utf-8"))
    if asked["preload"]:
        _preload(asked["root"])
    waiting = asked["jobs"][::-1]
    running: dict[int, tuple[dict[str, Any], float]] = {}
    while waiting or running:
        while waiting and len(running) < asked["at_once"]:
            job = waiting.pop()
            running[_start(job)] = (job, time.monotonic())
        _look(running, asked["timeout_s"], target)


def _preload(root: str) -> None:
    """Import what every one of the processes would.

    Not the plugins: pytest rewrites assertions only in what it imports itself.
    """
    whole = list(sys.path)
    sys.path[:] = [path for path in whole if not _below(path, root)]
    import coverage  # noqa: F401 - to be there after the fork
    import pytest  # noqa: F401 - as above

    sys.path[:] = whole
    # What is here lives as long as the forks do; none needs to look through it for garbage.
    gc.collect()
    gc.freeze()


def _below(path: str, root: str) -> bool:
    real = os.path.realpath(path)
    return real == root or real.startswith(root + os.sep)


def _start(job: dict[str, Any]) -> int:
    process = os.fork()
    if process:
        return process
    try:
        _become(job)
    finally:
        os._exit(1)


def _become(job: dict[str, Any]) -> None:
    """Be `python ARGUMENTS`, in the job's folder and with its path."""
    with Path(job["output"]).open("wb") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    os.chdir(job["cwd"])
    os.environ.update(job["env"])
    if job["argv"][:2] != ["-m", "pytest"]:
        os.execv(sys.executable, [sys.executable, *job["argv"]])  # noqa: S606 - no shell wanted
    # As `python -m pytest` has it, in place of the folder of this script.
    sys.path[:] = [job["cwd"], *job["path"], *(path for path in sys.path if path not in _OURS)]
    sys.argv[:] = ["pytest", *job["argv"][2:]]
    code: object = 1
    try:
        runpy.run_module("pytest", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


def _look(running: dict[int, tuple[dict[str, Any], float]], timeout: float, target: str) -> None:
    """Note who has ended, and end whose time is up."""
    time.sleep(_LOOK_S)
    for process, (job, began) in list(running.items()):
        ended, status = os.waitpid(process, os.WNOHANG)
        late = not ended and time.monotonic() - began > timeout
        if late:
            os.kill(process, signal.SIGKILL)
            _, status = os.waitpid(process, 0)
        if ended or late:
            del running[process]
            row = {
                "job": job["name"],
                "exit": os.waitstatus_to_exitcode(status),
                "late": late,
                "wall_s": time.monotonic() - began,
            }
            with Path(target).open("a", encoding="utf-8") as rows:
                rows.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
