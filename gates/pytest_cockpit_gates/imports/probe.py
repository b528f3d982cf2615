"""The warm import server: reads its orders from stdin, forks once per module, writes results.

Run by path as `python -P -s probe.py`, under the interpreter of the tree under judgement, which
need not have this package: standard library only. A forked child sees a process as clean as a
fresh interpreter's, because everything imported here is hidden before the first fork.
"""

# What a clean process holds must be noted before anything is imported, hence the late imports;
# pathlib would be loaded, and have to be hidden, for a few joined names.
# ruff: noqa: E402, PTH100, PTH108, PTH118, PTH120, PTH123

from __future__ import annotations

import sys

_CLEAN = frozenset(sys.modules) - {"__future__"}

import contextlib
import ctypes
import gc
import json
import os
import resource
import select
import signal
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_cockpit_gates.imports.probe_child import Cell, Child
    from pytest_cockpit_gates.imports.probe_guard import Guard
    from pytest_cockpit_gates.imports.probe_standard import Standard
    from pytest_cockpit_gates.imports.probe_streams import listen
    from pytest_cockpit_gates.imports.probe_tree import Tree
else:
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    from probe_child import Cell, Child
    from probe_guard import Guard
    from probe_standard import Standard
    from probe_streams import listen
    from probe_tree import Tree

    del sys.path[0]

_RESULT = 1 << 18
_TRAIL = 1 << 14
_AFTER = 1 << 16
_OUTPUT = 2048
_READS = 16
_FAULT = 8192
_GRACE = 1.0
_SOON = 0.1
_WEIGH_S = 0.2
_DEATH_SIGNAL = 1
_SUBREAPER = 36


class Slot:
    """One child at work."""

    def __init__(self, job: dict[str, Any], fault: int) -> None:
        self.job = job
        self.fault = fault
        self.cells = (Cell(_RESULT), Cell(_TRAIL), Cell(_AFTER))
        self.pid = 0
        self.output = -1
        self.head = bytearray()
        self.tail = bytearray()
        self.started = time.monotonic()
        self.hung = 0.0
        self.silent = False
        self.weighed = self.started
        self.is_heavy = False
        self.stop = b""

    def read(self) -> None:
        """Take what the child printed, keeping its beginning and its end."""
        for _ in range(_READS):
            try:
                data = os.read(self.output, 65536)
            except BlockingIOError:
                return
            if not data:
                self.silent = True
                return
            room = _OUTPUT - len(self.head)
            self.head += data[:room]
            self.tail = (self.tail + data[room:])[-_OUTPUT:]

    def trail(self) -> tuple[str, str]:
        """Name and path of the tree's module whose body runs, or ran last."""
        data = self.cells[1].get()
        name, path = json.loads(data) if data else ("", "")
        return name, path

    def goes_on(self) -> bool:
        """Whether a tour has reached its next stop since this was asked."""
        stop, self.stop = self.stop, self.cells[2].get()
        return "tour" in self.job and stop != self.stop

    def close(self) -> None:
        """Give back all that the child needed."""
        os.close(self.output)
        os.close(self.fault)
        for cell in self.cells:
            cell.close()


class Server:
    """Runs the orders, a few children at a time."""

    def __init__(self, order: dict[str, Any]) -> None:
        self.order = order
        self.limit = float(order["timeout"])
        self.queue: list[dict[str, Any]] = order["jobs"][::-1]
        self.active: dict[int, Slot] = {}
        self.hanging: set[str] = set()
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self.results = os.open(order["results"], flags, 0o600)
        tree = Tree(order["root"], order["cache"])
        sys.path_hooks.insert(0, tree.hook)
        sys.path_importer_cache.clear()
        known = frozenset(order["known"])
        guard = Guard(tree, order["scratch"])
        self.child = Child(tree, guard, known, order["memory"], _die_with)
        self.poll = select.poll()
        self.weight = 0

        def hear(stream: str, text: bytes) -> None:
            if tree.compiling is None:
                guard.hear_words(stream)
            else:
                tree.compiling += text

        listen(hear)

    def serve(self) -> None:
        """Work until nothing is left."""
        self.child.settle()
        self.weight = _resident(os.getpid())
        gc.collect()
        gc.freeze()
        while self.queue or self.active:
            while self.queue and len(self.active) < self.order["workers"]:
                self._start(self.queue.pop())
            self._wait()
            for slot in tuple(self.active.values()):
                self._attend(slot)
            if not self.active:
                _kill_strays()

    def _write(self, row: dict[str, Any]) -> None:
        os.write(self.results, json.dumps(row).encode() + b"\n")

    def _start(self, job: dict[str, Any]) -> None:
        self._write({"started": job["id"]})
        name = f"{self.order['results']}.fault"
        slot = Slot(job, os.open(name, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600))
        os.unlink(name)
        slot.output, write = os.pipe()
        os.set_blocking(slot.output, False)
        slot.pid = os.fork()
        if not slot.pid:
            os.close(self.results)
            self.child.run(job, slot.cells, write, slot.fault)
        os.close(write)
        self.active[slot.pid] = slot
        self.poll.register(slot.output, select.POLLIN | select.POLLHUP)

    def _wait(self) -> None:
        # A child that closed its output is about to end, or must be asked again and again.
        soon = any(slot.silent for slot in self.active.values())
        ready = {number for number, _ in self.poll.poll(1 if soon else 20)}
        for slot in self.active.values():
            if slot.output in ready:
                slot.read()
            if slot.output in ready and slot.silent:
                self.poll.unregister(slot.output)

    def _attend(self, slot: Slot) -> None:
        pid, status, usage = os.wait4(slot.pid, os.WNOHANG)
        if pid:
            _kill(slot.pid)
            self._finish(slot, status, usage)
            return
        now = time.monotonic()
        if slot.goes_on():
            slot.started = now
        age = now - slot.started
        if now > slot.weighed + _WEIGH_S and self._is_too_heavy(slot, now):
            _kill(slot.pid)
        elif slot.hung:
            if age > slot.hung + _GRACE:
                _kill(slot.pid)
        elif age > self.limit or (age > _SOON * self.limit and slot.trail()[1] in self.hanging):
            # SIGABRT first: the fault handler then says where the child stands.
            slot.hung = age
            with contextlib.suppress(ProcessLookupError):
                os.kill(slot.pid, signal.SIGABRT)

    def _is_too_heavy(self, slot: Slot, now: float) -> bool:
        slot.weighed = now
        slot.is_heavy = _resident(slot.pid) - self.weight > self.order["growth"] > 0
        return slot.is_heavy

    def _finish(self, slot: Slot, status: int, usage: Any) -> None:
        if not slot.silent:
            slot.read()
            self.poll.unregister(slot.output)
        del self.active[slot.pid]
        report, after = slot.cells[0].get(), slot.cells[2].get()
        # What a tour has noted so far says nothing of how it ended.
        answer = b"" if "tour" in slot.job else report
        name, path = slot.trail()
        if slot.hung and not report and path:
            self.hanging.add(path)
        self._write(
            {
                "id": slot.job["id"],
                "status": "memory" if slot.is_heavy else _status(answer, slot.hung, status),
                "code": os.waitstatus_to_exitcode(status),
                "report": json.loads(report) if report else None,
                "after": json.loads(after) if after else None,
                "grown": max(0, usage.ru_maxrss * _MAXRSS - self.weight),
                "trail": [name, path],
                "fault": os.pread(slot.fault, _FAULT, 0).decode("ascii", "replace"),
                "output": _printed(slot.head, slot.tail),
                "cpu_ms": round(1000 * (usage.ru_utime + usage.ru_stime), 3),
                "wall_ms": round(1000 * (time.monotonic() - slot.started), 3),
            }
        )
        slot.close()


def _status(report: bytes, hung: float, status: int) -> str:
    if report:
        return "done"
    if hung:
        return "hang"
    return "signal" if os.WIFSIGNALED(status) else "exit"


def _printed(head: bytearray, tail: bytearray) -> str:
    gap = b"\n[...]\n" if len(tail) == _OUTPUT else b""
    return bytes(head + gap + tail).decode("utf-8", "backslashreplace")


def _kill(pid: int) -> None:
    """Kill the child and all of its session that is still in its process group."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)


def _kill_strays() -> None:
    """Kill descendants that left their group: they were handed to this process as orphans."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            strays = _children()
            if not strays:
                return
            for stray in strays:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(stray, signal.SIGKILL)
            time.sleep(0.001)


def _children() -> list[int]:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", "rb") as stream:
            return [int(pid) for pid in stream.read().split()]
    except OSError:
        return []


def _resident(pid: int) -> int:
    """Bytes of memory a process holds; 0 where the system does not say."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as stream:
            return int(stream.read().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        _LIBC.prctl(option, value, 0, 0, 0)


def _die_with(parent: int) -> None:
    """Let the calling child be killed when the server is."""
    _prctl(_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _arrange(roots: list[str]) -> None:
    """Put the source roots behind the standard library and before what is installed."""
    library = os.path.dirname(os.__file__)
    own = {library, os.path.join(library, "lib-dynload")}
    last = max((i for i, entry in enumerate(sys.path) if entry in own), default=-1)
    sys.path[last + 1 : last + 1] = roots


def _hide() -> None:
    """Take what the probe imported out of sight, so that no judged module finds it there."""
    for name in sorted(set(sys.modules) - _CLEAN, reverse=True):
        module = sys.modules.pop(name)
        parent, _, leaf = name.rpartition(".")
        holder = sys.modules.get(parent)
        if holder is not None and vars(holder).get(leaf) is module:
            delattr(holder, leaf)
    sys.modules["__main__"] = type(sys)("__main__")
    sys.argv[:] = [""]


def main() -> None:
    """Obey the orders on stdin."""
    order = json.loads(sys.stdin.buffer.read())
    os.chdir(order["root"])
    _prctl(_SUBREAPER, 1)
    _arrange(order["roots"])
    server = Server(order)
    _hide()
    if order["standard"]:
        Standard(order["standard"]).install()
    for name in order["preload"]:
        __import__(name)
    server.serve()


_LIBC = ctypes.CDLL(None)
_PAGE = resource.getpagesize()
_MAXRSS = 1 if sys.platform == "darwin" else 1024

if __name__ == "__main__":
    main()
