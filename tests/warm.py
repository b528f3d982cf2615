"""Pytest sessions forked from a process that has loaded pytest, this project and what it needs.

A third to a half of a short session's processor time is spent on loading modules, so most of the
sessions that acceptance tests start are forks of one process that has loaded them already. A fork
has its own working folder, environment, import path, standard streams and end, and else is what
`python -m pytest` is: nothing of an earlier session is in it. Where an interpreter that starts
afresh would see something else, it is one: see `FREE` and `Warm.fits`. `COCKPIT_FRESH=1` starts all afresh.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import resource
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
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

FREE = frozenset(
    ("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE", "PYTEST_DISABLE_PLUGIN_AUTOLOAD", "SOURCE_DATE_EPOCH")
)
"""Variables that only matter as they are read; what else a session is started with, it may ask the
system for, and interpreters are set up by some."""


class Warm:
    """A process that sessions are forked from; it ends with the one that made it.

    Parameters
    ----------
    environment: what it is started with, and its sessions but for `FREE` and `PYTHONPATH`.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._ours, theirs = socket.socketpair()
        self._folders = set(_folders(environment))
        with theirs:
            # Neither this process's streams nor its signals are a session's business.
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
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
        self, arguments: Sequence[str], cwd: Path, env: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """Run `python -m pytest` with these arguments, and wait for its end."""
        argv = [sys.executable, "-m", "pytest", *arguments]
        pipes = [os.pipe(), os.pipe()]
        asked = {"arguments": list(arguments), "cwd": str(cwd), "env": dict(env)}
        message = json.dumps(asked).encode() + b"\n"
        try:
            socket.send_fds(self._ours, [message[:1]], [write for _, write in pipes])
            self._ours.sendall(message[1:])
            pid = int(self._reader.readline())
        finally:
            for _, write in pipes:
                os.close(write)
        said = _drained([read for read, _ in pipes], time.monotonic() + timeout, pid)
        code, cpu_s = json.loads(self._reader.readline())
        self.cpu_s += cpu_s
        if said is None:
            raise subprocess.TimeoutExpired(argv, timeout)
        return subprocess.CompletedProcess(argv, code, *said)


def _drained(pipes: Sequence[int], deadline: float, pid: int) -> list[str] | None:
    """All that comes out of the pipes; None where it took too long, and the session is killed."""
    parts: dict[int, list[bytes]] = {pipe: [] for pipe in pipes}
    late = False
    with selectors.DefaultSelector() as selector:
        for pipe in pipes:
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map() and not late:
            late = deadline < time.monotonic()
            for key, _ in selector.select(1):
                part = os.read(key.fd, 65536)
                parts[key.fd].append(part)
                if not part:
                    selector.unregister(key.fd)
    for pipe in pipes:
        os.close(pipe)
    if late:
        os.kill(pid, signal.SIGKILL)
        return None
    # As subprocess reads text: universal newlines in the encoding of the locale.
    return [b"".join(part).decode().replace("\r\n", "\n") for part in parts.values()]


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
_asked: Counter[frozenset[tuple[str, str]]] = Counter()
_warm: dict[frozenset[tuple[str, str]], Warm] = {}


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
    if os.environ.get("COCKPIT_FRESH") or not _busy.acquire(blocking=False):
        return None
    try:
        found = _started(env)
        return found.run(arguments, cwd, env, timeout) if found and found.fits(cwd, env) else None
    finally:
        _busy.release()


def _started(env: Mapping[str, str]) -> Warm | None:
    kept = {name: value for name, value in env.items() if name not in FREE | {"PYTHONPATH"}}
    key = frozenset(kept.items())
    _asked[key] += 1
    if key not in _warm and _asked[key] > _ENOUGH:
        if len(_warm) == _MOST:
            least = min(_warm, key=_asked.__getitem__)
            if _asked[least] >= _asked[key]:
                return None
            _warm.pop(least).close()
        own = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
        _warm[key] = Warm({**kept, **own})
    return _warm.get(key)


# ---------------------------------------------------------------- the process


def _serve(channel: socket.socket) -> None:
    """Fork a session for each request, one after the other, until nobody asks any more."""
    import importlib

    from _pytest.assertion import install_importhook
    from _pytest.config import get_config

    del sys.path[0]
    # Every session would warn of modules of plugins that were not loaded by pytest's own loader.
    config = get_config()
    hook = install_importhook(config)
    config._mark_plugins_for_rewrite(hook, disable_autoload=False)
    for name in PRELOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    sys.meta_path.remove(hook)
    loaded = {name.partition(".")[0] for name in sys.modules} | set(sys.stdlib_module_names)
    customised = {"sitecustomize", "usercustomize"}
    channel.sendall(json.dumps(sorted(loaded | customised)).encode() + b"\n")
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
        told = [os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime]
        channel.sendall(json.dumps(told).encode() + b"\n")


def _session(asked: Mapping[str, object], streams: Sequence[int]) -> None:
    """Be `python -m pytest`: from the start of its main module to the end of the process."""
    import importlib
    import runpy
    import tempfile
    import traceback

    arguments, cwd, env = asked["arguments"], asked["cwd"], asked["env"]
    assert isinstance(arguments, list)
    assert isinstance(cwd, str)
    assert isinstance(env, dict)
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
    sys.path[:] = [cwd, *map(os.path.abspath, _folders(env)), *path]
    sys.path_importer_cache.clear()
    importlib.invalidate_caches()
    sys.argv[1:] = arguments
    code: object = 0
    try:
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
        _serve(served)
