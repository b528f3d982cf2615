"""Child processes with a clean environment, none of which outlives its run."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import resource
import selectors
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
from typing import IO, Self

from pytest_cockpit.api import CockpitError

_DROPPED = re.compile(r"PYTEST_|COV_|COVERAGE_|GIT_|PYTHON(?!IOENCODING|UTF8|HASHSEED|WARNINGS)")
_SECRET = re.compile(
    r"TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|API_?KEY|ACCESS_?KEY|LEDGER_KEY|CREDENTIAL|PRIVATE_KEY",
    re.IGNORECASE,
)
_PR_SET_PDEATHSIG = 1
_LOOK_S = 0.2
_LAST_WORDS_S = 1.0
_GOODBYE_S = 2.0
_CHUNK = 1 << 16


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


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of waiting for a line of a child process.

    Parameters
    ----------
    line: without its line break; empty when there is none.
    status: "line", "late" when time was up, "long" when it is longer than allowed, or "ended" when
        no line can come any more.
    """

    line: bytes
    status: str


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
            process = _start(arguments, cwd, env, stdin, stdout or subprocess.PIPE, dying)
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


class Conversation:
    """A program that is spoken to in lines: it reads them from its stdin, answers on its stdout.

    It leads a process group of its own, none of which outlives `close`. On Linux it also dies with
    the thread that started it. Nothing runs beside the caller: what it says is taken in by `hear`.

    Parameters
    ----------
    keep: bytes of its stderr that are kept, half of them of its beginning.

    Raises
    ------
    CockpitError: the program or the folder is not there, or may not be used.
    """

    def __init__(
        self,
        argv: Sequence[str | Path],
        *,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        keep: int = _CHUNK,
    ) -> None:
        arguments = tuple(os.fspath(part) for part in argv)
        self._unsent, self._unread = bytearray(), bytearray()
        self._head, self._tail, self._keep = bytearray(), bytearray(), keep
        self._lost = 0
        self._searched = 0
        self._ending = False
        process: subprocess.Popen[bytes] | None = None
        dying, pipe = _dying_with(os.getpid()), subprocess.PIPE
        try:
            with _heard_later():
                process = _start(arguments, cwd, env, pipe, pipe, dying)
        except BaseException:
            if process is not None:
                _kill_group(process)
                _close(process)
                process.wait()
            raise
        self._process = process
        self._stdin, self._stdout, self._stderr = _unblocked(process)
        self._open = {self._stdin, self._stdout, self._stderr}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close(_GOODBYE_S if kind is None else 0)

    @property
    def pid(self) -> int:
        """The program's number, also that of its group."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """As of a program that has ended, negative for a signal; None as long as it runs."""
        return self._process.poll()

    @property
    def stderr(self) -> bytes:
        """What it has complained of, its middle left out where that is too much."""
        left_out = b"\n... %d bytes left out ...\n" % self._lost if self._lost else b""
        return bytes(self._head + left_out + self._tail)

    def say(self, line: bytes) -> None:
        """Send it a line. What it does not take at once goes out while it is listened to."""
        self._unsent += line + b"\n"
        self._exchange(0)

    def hear(self, timeout: float, limit: int = 1 << 20) -> Heard:
        """Its next line, waited for up to `timeout` seconds; one that lies there is never late."""
        deadline = time.monotonic() + timeout
        self._exchange(0)
        while True:
            found = self._next(limit)
            if found is not None:
                return found
            left = deadline - time.monotonic()
            if left <= 0:
                return Heard(b"", "late")
            if self._stdout not in self._open:
                self._wait(min(left, _LAST_WORDS_S))
                return Heard(b"", "ended")
            ended = self._process.poll() is not None
            moved = self._exchange(0 if ended else min(left, _LOOK_S))
            if ended and not moved:
                # Only what it has left behind can still hold its pipes.
                return self._next(limit) or Heard(b"", "ended")

    def close(self, patience: float = _GOODBYE_S) -> None:
        """End it: wait up to `patience` seconds for it to see that its input has ended, then kill.

        What is left of its group is killed in any case, and what it still complains of is kept.
        """
        if self._ending:
            return
        self._ending = True
        try:
            self._hang_up(self._stdin)
            self._wait(patience)
        finally:
            _kill_group(self._process)
            self._wait(_LAST_WORDS_S)
            _close(self._process)
            self._open.clear()
            self._process.wait()

    def _next(self, limit: int) -> Heard | None:
        end = self._unread.find(b"\n", self._searched)
        if (len(self._unread) if end < 0 else end) > limit:
            return Heard(b"", "long")
        if end < 0:
            self._searched = len(self._unread)
            return None
        line = bytes(self._unread[:end])
        del self._unread[: end + 1]
        self._searched = 0
        return Heard(line, "line")

    def _wait(self, seconds: float) -> None:
        """Wait for its end, and take in what it says meanwhile."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            ended = self._process.poll() is not None
            moved = self._exchange(0 if ended else min(_LOOK_S, left))
            if ended and not moved:
                return

    def _exchange(self, seconds: float) -> bool:
        """Pass on what can be passed on within `seconds`; whether anything was."""
        wanted = self._open if self._unsent else self._open - {self._stdin}
        moved = False
        with selectors.DefaultSelector() as selector:
            for fd in wanted:
                writes = fd == self._stdin
                selector.register(fd, selectors.EVENT_WRITE if writes else selectors.EVENT_READ)
            for key, _ in selector.select(seconds) if wanted else ():
                moved = (self._send() if key.fd == self._stdin else self._take(key.fd)) or moved
        if not wanted:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
        return moved

    def _send(self) -> bool:
        try:
            del self._unsent[: os.write(self._stdin, self._unsent[:_CHUNK])]
        except BlockingIOError:
            return False
        except BrokenPipeError:
            self._hang_up(self._stdin)
        return True

    def _take(self, fd: int) -> bool:
        try:
            found = os.read(fd, _CHUNK)
        except BlockingIOError:
            return False
        if not found:
            self._hang_up(fd)
        elif fd == self._stderr:
            self._note(found)
        elif not self._ending:
            self._unread += found
        return True

    def _note(self, complaint: bytes) -> None:
        half = self._keep // 2
        room = half - len(self._head)
        self._head += complaint[:room]
        self._tail += complaint[room:]
        surplus = max(len(self._tail) - half, 0)
        self._lost += surplus
        del self._tail[:surplus]

    def _hang_up(self, fd: int) -> None:
        if fd in self._open:
            self._open.discard(fd)
            if fd == self._stdin:
                self._unsent.clear()
                _close_one(self._process.stdin)


def _unblocked(process: subprocess.Popen[bytes]) -> list[int]:
    """Its three pipes, none of which makes the caller wait."""
    pipes = (process.stdin, process.stdout, process.stderr)
    fds = [pipe.fileno() for pipe in pipes if pipe is not None]
    for fd in fds:
        os.set_blocking(fd, False)
    return fds


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
    stdout: IO[bytes] | int,
    dying: Callable[[], None] | None,
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            arguments,
            cwd=cwd,
            env=environment() if env is None else dict(env),
            stdin=stdin,
            stdout=stdout,
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
        _close_one(pipe)


def _close_one(pipe: IO[bytes] | None) -> None:
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
