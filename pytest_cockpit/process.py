"""Child processes with a clean environment, none of which outlives its run."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO

from pytest_cockpit.api import CockpitError

_DROPPED = re.compile(r"PYTEST_|COV_|COVERAGE_|GIT_|PYTHON(?!IOENCODING|UTF8|HASHSEED|WARNINGS)")
_SECRET = re.compile(
    r"TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|API_?KEY|ACCESS_?KEY|LEDGER_KEY|CREDENTIAL|PRIVATE_KEY",
    re.IGNORECASE,
)
_PR_SET_PDEATHSIG = 1
_LOOK_S = 0.2
_LAST_WORDS_S = 1.0


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


def environment(keep: Iterable[str] = (), extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The current variables without those that steer pytest, git or Python, and no secrets.

    What `keep` names stays whatever it looks like; `extra` is added.
    """
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
    tied: bool = True,
    finishes: bool = False,
) -> Completed:
    """Run a program to its end, or to the end of its time; a non-zero exit is no error.

    It leads a process group of its own, and whatever of that group is left when the program has
    ended, run out of time or been interrupted is killed.

    Parameters
    ----------
    tied: on Linux, the program also dies when this process is killed. That needs a full `fork`,
        which takes milliseconds in a large process.
    finishes: the program is short and would leave a lock behind, so nothing cuts it off.

    Raises
    ------
    CockpitError: the program or the folder is not there, or may not be used.
    """
    arguments = tuple(os.fspath(part) for part in argv)
    wall, cpu = time.perf_counter(), _children_cpu()
    dying = _dying_with(os.getpid()) if tied and not finishes else None
    process: subprocess.Popen[bytes] | None = None
    try:
        with _readable(input) as stdin, _heard_later():
            process = _start(arguments, cwd, env, stdin, stdout, dying)
        out, err, timed_out = _listen(process, timeout)
    finally:
        if process is not None:
            if not finishes:
                _kill_group(process)
            _close(process)
            process.wait()
    return Completed(
        arguments,
        process.returncode,
        out,
        err,
        time.perf_counter() - wall,
        _children_cpu() - cpu,
        timed_out,
    )


@contextlib.contextmanager
def _readable(content: bytes | None) -> Iterator[IO[bytes] | int]:
    """What the program reads: a file, because feeding a pipe has to be watched to its end."""
    if content is None:
        yield subprocess.DEVNULL
        return
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        yield file


@contextlib.contextmanager
def _heard_later() -> Iterator[None]:
    """Hear Ctrl-C when the program has been started, and not while it is.

    Around a `fork`, Python calls what modules have registered for it, and drops whatever is raised
    there: a `KeyboardInterrupt` would be lost.
    """
    usual = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(usual):
        yield
        return
    heard: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda *signalled: heard.append(signalled))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
        if heard:
            usual(*heard[0])


def _start(
    arguments: tuple[str, ...],
    cwd: Path,
    env: Mapping[str, str] | None,
    stdin: IO[bytes] | int,
    stdout: IO[bytes] | None,
    dying: Callable[[], None] | None,
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            arguments,
            cwd=cwd,
            env=environment() if env is None else dict(env),
            stdin=stdin,
            stdout=subprocess.PIPE if stdout is None else stdout,
            stderr=subprocess.PIPE,
            start_new_session=True,
            # The one way to ask for the signal before the program begins. What runs between fork
            # and exec is a bound C function: no lock of another thread can be in its way.
            preexec_fn=dying,  # noqa: PLW1509 - as above
        )
    except OSError as error:
        what = os.fsdecode(error.filename or arguments[0])
        raise CockpitError(
            f"{what}: cannot be run or entered ({error.strerror}); install it or correct the path"
        ) from error


def _listen(process: subprocess.Popen[bytes], timeout: float | None) -> tuple[bytes, bytes, bool]:
    """What it says until it ends or its time is up, and whether its time was up.

    A pipe stays open as long as a grandchild holds it, so the end of output alone is not waited
    for: once the program has ended, its group goes, and what has left the group is not heard.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    while True:
        left = _LOOK_S if deadline is None else min(_LOOK_S, deadline - time.monotonic())
        try:
            out, err = process.communicate(timeout=max(left, 0))
        except subprocess.TimeoutExpired:
            timed_out = deadline is not None and time.monotonic() >= deadline
            if process.poll() is None and not timed_out:
                continue
            timed_out = process.returncode is None
            _kill_group(process)
            return *_last_words(process), timed_out
        return out or b"", err or b"", False


def _last_words(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    try:
        out, err = process.communicate(timeout=_LAST_WORDS_S)
    except subprocess.TimeoutExpired as unfinished:
        return unfinished.stdout or b"", unfinished.stderr or b""
    return out or b"", err or b""


def _close(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            # Closing flushes what the program never read.
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _dying_with(parent: int) -> Callable[[], None] | None:
    """For a child to call before it becomes another program: it shall not outlive `parent`."""
    prctl = _prctl()
    if prctl is None:
        return None

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)

    return ask


@functools.cache
def _prctl() -> Callable[[int, int], int] | None:
    if sys.platform != "linux":
        return None
    import ctypes

    prctl: Callable[[int, int], int] = ctypes.CDLL(None).prctl
    return prctl
