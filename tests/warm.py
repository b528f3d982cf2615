"""Pytest sessions forked from a process that has loaded pytest, this project and what it needs.

A third to a half of a short session's processor time is spent on loading modules, so most of the
sessions that acceptance tests start are forks of one process that has loaded them already. A fork
has its own working folder, environment, import path, standard streams and end, and else is what
`python -m pytest` is: nothing of an earlier session is in it. Where an interpreter that starts
afresh would see something else, it is one: see `FREE` and `Warm.fits`. `COCKPIT_FRESH=1` starts all afresh.

What gates start is forked alike where it is one of `PROGRAMS`: see `program`.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import resource
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

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
        *("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "HYPOTHESIS_STORAGE_DIRECTORY"),
        *("COCKPIT_COVERAGE_REPORT", "COCKPIT_COVERAGE_ROOT", "COCKPIT_QUARANTINE"),
    )
)
"""Variables that only matter as they are read; what else a session is started with, it may ask the
system for, and interpreters are set up by some."""


@dataclass(frozen=True)
class Ended:
    """A fork that has ended, of itself or because its time was up."""

    code: int
    out: bytes
    err: bytes
    cpu_s: float
    late: bool


class Warm:
    """A process that sessions are forked from; it ends with the one that made it.

    Parameters
    ----------
    environment: what it is started with, and its sessions but for `FREE` and `PYTHONPATH`.
    loads: the modules that it loads.
    """

    def __init__(self, environment: Mapping[str, str], loads: Sequence[str] = PRELOADED) -> None:
        self._ours, theirs = socket.socketpair()
        self._folders = set(_folders(environment))
        with theirs:
            # Neither this process's streams nor its signals are a session's business.
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno()), *loads],
                env=dict(environment),
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
            )
        self._reader = self._ours.makefile("rb")
        self._names: frozenset[str] = frozenset(json.loads(self._reader.readline()))
        self.cpu_s = 0.0

    def close(self) -> None:
        """End the process."""
        self._reader.close()
        self._ours.close()
        self._process.wait()

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
        given: str = os.devnull,
    ) -> Ended:
        """Run `python -m pytest`, or a script with these arguments, and wait for its end.

        A script reads the file that it is given, and leads a process group of its own, none of
        which outlives it.
        """
        pipes = [os.pipe(), os.pipe()]
        asked = {"arguments": list(arguments), "cwd": str(cwd), "env": dict(env)}
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
    done = _forked(arguments, cwd, env, timeout)
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
    python, *rest = argv
    options = [rest.pop(0)] if rest[:1] in (["-P"], ["-m"]) else []
    if python != sys.executable or not rest or Path(rest[0]).name not in PROGRAMS or "-n" in rest:
        return None
    script, *arguments = rest
    if stdin is None:
        return _forked(arguments, cwd, env, timeout, [*options, script])
    with tempfile.NamedTemporaryFile() as given:
        given.write(stdin)
        given.flush()
        return _forked(arguments, cwd, env, timeout, [*options, script], given.name)


def _forked(
    arguments: Sequence[str],
    cwd: Path,
    env: Mapping[str, str],
    timeout: float | None,
    script: Sequence[str] = (),
    given: str = os.devnull,
) -> Ended | None:
    if os.environ.get("COCKPIT_FRESH") or not _busy.acquire(blocking=False):
        return None
    try:
        found = _started(env, PROGRAMS[Path(script[-1]).name] if script else PRELOADED)
        if found is None or not found.fits(cwd, env):
            return None
        return found.run(arguments, cwd, env, timeout, script, given)
    finally:
        _busy.release()


def _started(env: Mapping[str, str], loads: Sequence[str]) -> Warm | None:
    kept = {name: value for name, value in env.items() if name not in FREE | {"PYTHONPATH"}}
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


# ---------------------------------------------------------------- the process


def _serve(channel: socket.socket, loads: Sequence[str]) -> None:
    """Fork a session for each request, one after the other, until nobody asks any more."""
    del sys.path[0]
    _load(loads)
    loaded = {name.partition(".")[0] for name in sys.modules} | set(sys.stdlib_module_names)
    customised = {"sitecustomize", "usercustomize"}
    channel.sendall(json.dumps(sorted(loaded | customised)).encode() + b"\n")
    # What is not looked at is not copied either.
    gc.collect()
    gc.freeze()
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
            _session(asked, streams)
        for stream in streams:
            os.close(stream)
        channel.sendall(b"%d\n" % pid)
        _, status, usage = os.wait4(pid, 0)
        if asked["script"]:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        told = [os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime]
        channel.sendall(json.dumps(told).encode() + b"\n")


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


def _session(asked: Mapping[str, object], streams: Sequence[int]) -> None:
    """Be `python -m pytest`, or a script: from the start of its main module to its end."""
    import importlib
    import runpy
    import traceback

    arguments, cwd, env = asked["arguments"], asked["cwd"], asked["env"]
    script = asked["script"]
    assert isinstance(arguments, list)
    assert isinstance(cwd, str)
    assert isinstance(env, dict)
    assert isinstance(script, list)
    if script:
        os.setsid()
        os.dup2(os.open(str(asked["given"]), os.O_RDONLY), 0)
    for number, stream in enumerate(streams, 1):
        os.dup2(stream, number)
    os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    os.chdir(cwd)
    was = _folders(os.environ)
    os.environ.clear()
    os.environ.update(env)
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
    os._exit(int(code or 0))  # type: ignore[call-overload]


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as served:
        _serve(served, sys.argv[2:])
