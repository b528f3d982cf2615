"""Child processes with a clean environment, killed as a whole group when their time is up."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_DROPPED = re.compile(r"PYTEST_|COV_|COVERAGE_|GIT_|PYTHON(?!IOENCODING|UTF8|HASHSEED|WARNINGS)")
_SECRET = re.compile(r"TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|CREDENTIAL|PRIVATE_KEY", re.IGNORECASE)
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Completed:
    """A child process that has ended; `cpu_s` counts its own waited-for children too."""

    argv: tuple[str, ...]
    returncode: int
    stdout: bytes
    stderr: bytes
    wall_s: float
    cpu_s: float
    timed_out: bool


def environment(
    keep: Iterable[str] = (), extra: Mapping[str, str] | None = None
) -> dict[str, str]:
    """This process's variables without those that steer pytest, git or Python, and no secrets."""
    kept = frozenset(keep)
    clean = {
        name: value
        for name, value in os.environ.items()
        if name in kept or not (_DROPPED.match(name) or _SECRET.search(name))
    }
    return {**clean, **(extra or {})}


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    input: bytes | None = None,  # noqa: A002 - the name subprocess gave it
    timeout: float | None = None,
    stdout: IO[bytes] | None = None,
) -> Completed:
    """Run a program to its end, or to the end of its time; never raises on a non-zero exit."""
    arguments = tuple(os.fspath(part) for part in argv)
    wall, cpu = time.perf_counter(), _children_cpu()
    process = subprocess.Popen(
        arguments,
        cwd=cwd,
        env=environment() if env is None else dict(env),
        stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
        stdout=subprocess.PIPE if stdout is None else stdout,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=_die_with_parent if sys.platform == "linux" else None,
    )
    timed_out = False
    try:
        out, err = process.communicate(input, timeout=timeout)
    except subprocess.TimeoutExpired:
        timed_out = True
        _kill_group(process)
        out, err = process.communicate()
    except BaseException:
        _kill_group(process)
        process.communicate()
        raise
    return Completed(
        arguments,
        process.returncode,
        out or b"",
        err or b"",
        time.perf_counter() - wall,
        _children_cpu() - cpu,
        timed_out,
    )


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
