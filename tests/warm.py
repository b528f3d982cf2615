"""Pytest sessions forked from a process that has loaded pytest, this project and what it needs.

A third to a half of a short session's processor time is spent on loading modules, so most of the
sessions that acceptance tests start are forks of one process that has loaded them already. A fork
has its own working folder, environment, import path, standard streams and end, and else is what
`python -m pytest` is: nothing of an earlier session is in it. Where an interpreter that starts
afresh would see something else, it is one: see `FREE` and `Source.fits`. `COCKPIT_FRESH=1` starts all
afresh.

What gates start is forked alike where it is one of `PROGRAMS`: see `program`. A forked session has
the processes of its gates forked from one that was set aside before it began: see `Beside`.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import resource
import select
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_cockpit.process import Completed

PRELOADED = (
    *("pytest", "xml.etree.ElementTree", "unittest.mock", "concurrent.futures.thread", "sqlite3"),
    *("pygments.formatters.terminal", "pygments.lexers.python", "networkx", "libcst"),
    *("jsonschema_rs", "filelock", "platformdirs", "rfc8785", "email.message", "tomllib"),
    *("importlib.metadata", "pytest_cockpit.plugin", "pytest_cockpit.promotion.batch"),
    *("pytest_cockpit.sessions.batch", "pytest_cockpit.sessions.sealing"),
    *("pytest_cockpit.sessions.on_red", "pytest_cockpit.sessions.opening"),
    *("pytest_cockpit.sessions.publishing", "pytest_cockpit.sessions.everyday"),
    *(
        "pytest_cockpit_gates.coverage",
        "pytest_cockpit_gates.guard",
        "pytest_cockpit_gates.imports",
    ),
    *("pytest_cockpit_gates.ledger", "pytest_cockpit_gates.matriz"),
    *("pytest_cockpit_gates.quarantine",),
)
"""What most sessions load sooner or later."""

PROGRAMS: Mapping[str, Sequence[str]] = {
    "cockpit_coverage_reader.py": ("coverage", "coverage.cmdline", "concurrent.futures.process"),
    # It imports coverage.py itself, whatever has been loaded.
    "cockpit_coverage_start.py": (
        *("pytest", "xml.etree.ElementTree", "unittest.mock", "sqlite3", "xdist.plugin"),
        "pytest_cockpit_gates.gemm.plugin",
    ),
    "cockpit_policy_evaluator.py": ("regopy",),
    "cockpit_smoke.py": (
        *("opentelemetry.sdk.metrics.export", "opentelemetry.sdk.trace"),
        *("opentelemetry.metrics._internal", "asyncio"),
    ),
    "pytest": (
        *("pytest", "xml.etree.ElementTree", "unittest.mock", "xdist.plugin", "pytest_cov.plugin"),
        *("pytest_randomly", "pytest_benchmark.plugin", "_hypothesis_pytestplugin"),
        *("anyio.pytest_plugin", "pytest_cockpit_gates.gemm.plugin"),
    ),
}
"""Scripts and modules that gates start, and what each of them loads sooner or later."""

FREE = frozenset(
    (
        *("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE", "SOURCE_DATE_EPOCH"),
        *("PYTEST_ADDOPTS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD", "HYPOTHESIS_STORAGE_DIRECTORY"),
        *("PYTHONPATH", "PYTHONDONTWRITEBYTECODE"),
        *("COCKPIT_COVERAGE_REPORT", "COCKPIT_COVERAGE_ROOT", "COCKPIT_QUARANTINE"),
    )
)
"""Variables that only matter as they are read, or that a fork does as it is told by; what else a
session is started with, it may ask the system for, and interpreters are set up by some."""
SEED = ("PYTHONHASHSEED", "0")
"""What all are started with, as gates start what they measure: hashes are the same each time."""

_GATE = ("pytest_cockpit", "child.py")
"""The end of the path of the script that judges by one gate."""
_OPTIONS = frozenset(("-P", "-X", "faulthandler", "-m"))
"""Options of Python that a fork can do without."""


@dataclass(frozen=True)
class Ended:
    """A fork that has ended, of itself or because its time was up."""

    code: int
    out: bytes
    err: bytes
    cpu_s: float
    late: bool


class Source:
    """A process that others are forked from, one after the other, until nobody asks any more.

    Parameters
    ----------
    channel: what it is asked by; see `_serve`.
    folders: those that `PYTHONPATH` has put on its import path.
    names: modules in whose place no other may be imported; None where it has to tell them first.
    """

    def __init__(
        self, channel: socket.socket, folders: Iterable[str], names: Iterable[str] | None = None
    ) -> None:
        self._ours = channel
        self._reader = channel.makefile("rb")
        self._folders = set(folders)
        told: Iterable[str] = json.loads(self._reader.readline()) if names is None else names
        self._names = frozenset(told)
        self.cpu_s = 0.0

    def close(self) -> None:
        """Ask no more; it ends, and what was forked last with it."""
        self._reader.close()
        self._ours.close()

    def fits(self, cwd: Path, env: Mapping[str, str]) -> bool:
        """Whether no module of the folder or the import path takes the place of a loaded one."""
        more = [name for name in _folders(env) if name not in self._folders]
        return not any(self._names & set(_modules(it)) for it in (cwd, *map(Path, more)))

    def run(
        self,
        arguments: Sequence[str],
        cwd: Path,
        env: Mapping[str, str],
        timeout: float | None,
        script: Sequence[str] = (),
        stdin: bytes | None = None,
    ) -> Ended:
        """Run `python -m pytest`, or a script with these arguments, and wait for its end.

        Parameters
        ----------
        script: options of Python, and the script's path. It leads a process group of its own, none
            of which outlives it.
        stdin: what a script reads.
        """
        pipes = [os.pipe(), os.pipe()]
        asked = {"arguments": list(arguments), "cwd": str(cwd), "env": dict(env)}
        with _file_of(stdin) as given:
            asked |= {"script": list(script), "given": given}
            message = json.dumps(asked).encode() + b"\n"
            try:
                socket.send_fds(self._ours, [message[:1]], [write for _, write in pipes])
                self._ours.sendall(message[1:])
                pid = int(self._reader.readline())
            finally:
                for _, write in pipes:
                    os.close(write)
            deadline = None if timeout is None else time.monotonic() + timeout
            (out, err), late = _drained([read for read, _ in pipes], deadline, pid)
        code, cpu_s = json.loads(self._reader.readline())
        self.cpu_s += cpu_s
        return Ended(code, out, err, cpu_s, late)


class Warm(Source):
    """One that is started for it, and ends with the process that made it.

    Parameters
    ----------
    environment: what it is started with, and its sessions but for `FREE`.
    loads: the modules that it loads.
    """

    def __init__(self, environment: Mapping[str, str], loads: Sequence[str] = PRELOADED) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            # Neither this process's streams nor its signals are a session's business.
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno()), *loads],
                env={**dict([SEED]), **environment},
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
            )
        super().__init__(ours, _folders(environment))

    def close(self) -> None:
        """End the process."""
        super().close()
        self._process.wait()


@contextlib.contextmanager
def _file_of(content: bytes | None) -> Iterator[str]:
    """The name of a file with this content, or of an empty one."""
    if content is None:
        yield os.devnull
        return
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        yield file.name


def _drained(pipes: Sequence[int], deadline: float | None, pid: int) -> tuple[list[bytes], bool]:
    """All that comes out of the pipes, and whether it took too long, and the session was killed."""
    parts: dict[int, list[bytes]] = {pipe: [] for pipe in pipes}
    late = False
    with selectors.DefaultSelector() as selector:
        for pipe in pipes:
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            left = 1.0 if deadline is None or late else deadline - time.monotonic()
            if left <= 0:
                late = True
                os.kill(pid, signal.SIGKILL)
            for key, _ in selector.select(max(min(left, 1), 0)):
                part = os.read(key.fd, 65536)
                parts[key.fd].append(part)
                if not part:
                    selector.unregister(key.fd)
    for pipe in pipes:
        os.close(pipe)
    return [b"".join(part) for part in parts.values()], late


def _folders(env: Mapping[str, str]) -> list[str]:
    return [name for name in env.get("PYTHONPATH", "").split(os.pathsep) if name]


def _modules(folder: Path) -> Iterable[str]:
    """Names that an import may find in a folder."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            stem, _, ending = path.name.partition(".")
            if not ending or ending.endswith(("py", "pyc", "so")):
                yield stem


_MOST, _ENOUGH = 3, 3
_busy = threading.Lock()
_Key = tuple[tuple[str, ...], frozenset[tuple[str, str]]]
_asked: Counter[_Key] = Counter()
_warm: dict[_Key, Warm] = {}


@atexit.register
def _close() -> None:
    for it in _warm.values():
        it.close()


def session(
    arguments: Sequence[str], cwd: Path, env: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[str] | None:
    """What a session came to; None where it has to be run in an interpreter of its own.

    What is asked for with one environment again and again is worth the start of a process, and the
    place of one that is asked for less often.
    """
    done = _forked(PRELOADED, arguments, cwd, env, timeout)
    if done is None:
        return None
    argv = [sys.executable, "-m", "pytest", *arguments]
    if done.late:
        raise subprocess.TimeoutExpired(argv, timeout)
    # As subprocess reads text: universal newlines in the encoding of the locale.
    said = [text.decode().replace("\r\n", "\n") for text in (done.out, done.err)]
    return subprocess.CompletedProcess(argv, done.code, *said)


def program(
    argv: Sequence[str],
    cwd: Path,
    env: Mapping[str, str],
    timeout: float | None,
    stdin: bytes | None = None,
) -> Ended | None:
    """What a run of one of `PROGRAMS` came to; None where it has to be run afresh, or is another.

    So is one that starts workers of pytest-xdist, which are set up as their starter was.
    """
    script, arguments = _parted(argv)
    loads = PROGRAMS.get(Path(script[-1]).name) if script else None
    if loads is None:
        return None
    return _forked(loads, arguments, cwd, env, timeout, script, stdin)


def over(
    run: Callable[..., Completed], ask: Callable[..., Ended | None]
) -> Callable[..., Completed]:
    """A function as `process.run`, which asks first for a fork, and runs what has to be afresh."""
    from pytest_cockpit import process

    def run_warm(
        argv: Sequence[str | Path],
        *,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        input: bytes | None = None,  # noqa: A002 - as of `process.run`
        timeout: float | None = None,
        **more: Any,
    ) -> Completed:
        arguments, started = tuple(map(str, argv)), time.perf_counter()
        variables = process.environment() if env is None else env
        done = None if more else ask(arguments, cwd, variables, timeout, input)
        if done is None:
            return run(argv, cwd=cwd, env=env, input=input, timeout=timeout, **more)
        wall_s = time.perf_counter() - started
        return process.Completed(
            arguments, done.code, done.out, done.err, wall_s, done.cpu_s, done.late
        )

    return run_warm


def _parted(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Options and script of a run of Python, and the script's arguments; nothing of all others."""
    python, *rest = argv
    options = 0
    while options < len(rest) and rest[options] in _OPTIONS:
        options += 1
    if python != sys.executable or options == len(rest) or "-n" in rest:
        return [], []
    return rest[: options + 1], rest[options + 1 :]


def _forked(
    loads: Sequence[str],
    arguments: Sequence[str],
    cwd: Path,
    env: Mapping[str, str],
    timeout: float | None,
    script: Sequence[str] = (),
    stdin: bytes | None = None,
) -> Ended | None:
    if os.environ.get("COCKPIT_FRESH") or not _busy.acquire(blocking=False):
        return None
    try:
        found = _started(env, loads)
        if found is None or not found.fits(cwd, env):
            return None
        return found.run(arguments, cwd, env, timeout, script, stdin)
    finally:
        _busy.release()


def _started(env: Mapping[str, str], loads: Sequence[str]) -> Warm | None:
    kept = _fixed(env)
    key = (tuple(loads), frozenset(kept.items()))
    _asked[key] += 1
    if key not in _warm and _asked[key] > _ENOUGH:
        alike = [it for it in _warm if it[0] == key[0]]
        if len(alike) == _MOST:
            least = min(alike, key=_asked.__getitem__)
            if _asked[least] >= _asked[key]:
                return None
            _warm.pop(least).close()
        own = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
        _warm[key] = Warm({**kept, **own}, loads)
    return _warm.get(key)


def _fixed(env: Mapping[str, str]) -> dict[str, str]:
    """The variables that a process has to be started with."""
    return dict(item for item in env.items() if item[0] not in FREE and item != SEED)


# ---------------------------------------------------------------- the process


def _begin(channel: socket.socket, loads: Sequence[str]) -> None:
    """Load the modules, say which may not be replaced, and fork."""
    del sys.path[0]
    _load(loads)
    loaded = {name.partition(".")[0] for name in sys.modules} | set(sys.stdlib_module_names)
    names = sorted(loaded | {"sitecustomize", "usercustomize"})
    channel.sendall(json.dumps(names).encode() + b"\n")
    # What is not looked at is not copied either.
    gc.collect()
    gc.freeze()
    _serve(channel, names)


def _serve(channel: socket.socket, names: Sequence[str]) -> None:
    """Fork a session for each request, one after the other, until nobody asks any more."""
    while True:
        message, streams, _, _ = socket.recv_fds(channel, 1, 2)
        if not message:
            return
        while not message.endswith(b"\n"):
            message += channel.recv(1 << 16)
        asked = json.loads(message)
        pid = os.fork()
        if pid == 0:
            channel.close()
            _session(asked, streams, names)
        for stream in streams:
            os.close(stream)
        channel.sendall(b"%d\n" % pid)
        if not _awaited(pid, channel):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        _, status, usage = os.wait4(pid, 0)
        if asked["script"]:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        told = [os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime]
        # Nobody may be there to hear it.
        with contextlib.suppress(BrokenPipeError):
            channel.sendall(json.dumps(told).encode() + b"\n")


def _awaited(pid: int, channel: socket.socket) -> bool:
    """Wait for the end of a fork; False where who has asked for it has ended before, or was killed.

    Nothing more is asked for meanwhile, so what can be read is the end of all requests.
    """
    if not hasattr(os, "pidfd_open"):
        return True
    fork = os.pidfd_open(pid)
    try:
        return fork in select.select([fork, channel.fileno()], [], [])[0]
    finally:
        os.close(fork)


def _load(names: Sequence[str]) -> None:
    import importlib

    hook = None
    if "pytest" in names:
        from _pytest.assertion import install_importhook
        from _pytest.config import get_config

        # Every session would warn of modules of plugins not loaded by pytest's own loader.
        config = get_config()
        hook = install_importhook(config)
        config._mark_plugins_for_rewrite(hook, disable_autoload=False)
    for name in names:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    if hook is not None:
        sys.meta_path.remove(hook)


def _session(asked: Mapping[str, object], streams: Sequence[int], names: Sequence[str]) -> None:
    """Be `python -m pytest`, or a script: from the start of its main module to its end."""
    import faulthandler
    import importlib
    import runpy
    import traceback

    arguments, cwd, env = asked["arguments"], asked["cwd"], asked["env"]
    script = asked["script"]
    assert isinstance(arguments, list)
    assert isinstance(cwd, str)
    assert isinstance(env, dict)
    assert isinstance(script, list)
    beside = Beside(streams, names) if not script or _is_gate(script) else None
    _plug(streams, str(asked["given"]) if script else None, beside.fileno() if beside else 2)
    if "faulthandler" in script:
        faulthandler.enable()
    os.chdir(cwd)
    was = _folders(os.environ)
    os.environ.clear()
    os.environ.update(env)
    sys.dont_write_bytecode = bool(env.get("PYTHONDONTWRITEBYTECODE"))
    time.tzset()
    tempfile.tempdir = None
    path = [entry for entry in sys.path if entry not in was]
    file = script[-1] if script and "-m" not in script else None
    # coverage.py replaces the script's folder by the working folder, and takes the file of the
    # outermost frame for the script.
    shown = __file__ if file and Path(file).name == "cockpit_coverage_start.py" else file
    first = [] if "-P" in script else [os.path.dirname(shown) if shown else cwd]  # noqa: PTH120
    sys.path[:] = [*first, *map(os.path.abspath, _folders(env)), *path]
    sys.path_importer_cache.clear()
    importlib.invalidate_caches()
    sys.argv[:] = [file or sys.argv[0], *arguments]
    code: object = 0
    if beside:
        from pytest_cockpit import process

        vars(process)["run"] = over(process.run, _asking(beside, env))
    try:
        if file:
            runpy.run_path(file, run_name="__main__")
        else:
            runpy.run_module("pytest", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code
    except BaseException:  # noqa: BLE001 - as an interpreter ends
        traceback.print_exc()
        code = 1
    if isinstance(code, str):
        sys.stderr.write(f"{code}\n")
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    if beside:
        beside.close()
    os._exit(int(code or 0))  # type: ignore[call-overload]


def _plug(streams: Sequence[int], given: str | None, other: int) -> None:
    """Have these standard streams, and nothing else open but what one other number is of."""
    if given is not None:
        os.setsid()
        os.dup2(os.open(given, os.O_RDONLY), 0)
    for number, stream in enumerate(streams, 1):
        os.dup2(stream, number)
    os.closerange(3, other)
    os.closerange(max(other, 2) + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


class Beside(Source):
    """A process that was set aside before a session began, and has seen nothing of it."""

    def __init__(self, streams: Sequence[int], names: Sequence[str]) -> None:
        ours, theirs = socket.socketpair()
        self._pid = os.fork()
        if self._pid == 0:
            for stream in (ours.detach(), *streams):
                os.close(stream)
            _serve(theirs, names)
            os._exit(0)
        theirs.close()
        super().__init__(ours, _folders(os.environ), names)

    def fileno(self) -> int:
        """What must stay open."""
        return self._ours.fileno()

    def close(self) -> None:
        """End the process."""
        super().close()
        os.waitpid(self._pid, 0)


def _asking(source: Source, started_with: Mapping[str, str]) -> Callable[..., Ended | None]:
    """What a session asks for the processes of its gates."""

    def ask(
        argv: Sequence[str],
        cwd: Path,
        env: Mapping[str, str],
        timeout: float | None,
        stdin: bytes | None,
    ) -> Ended | None:
        script, arguments = _parted(argv)
        if not (script and (_is_gate(script) or Path(script[-1]).name in PROGRAMS)):
            return None
        same = _fixed(env) == _fixed(started_with)
        if not (same and source.fits(cwd, env) and _busy.acquire(blocking=False)):
            return None
        try:
            return source.run(arguments, cwd, env, timeout, script, stdin)
        finally:
            _busy.release()

    return ask


def _is_gate(script: Sequence[str]) -> bool:
    return bool(script) and Path(script[-1]).parts[-2:] == _GATE


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as served:
        _begin(served, sys.argv[2:])
