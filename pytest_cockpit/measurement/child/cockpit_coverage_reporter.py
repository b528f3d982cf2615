"""A pytest plugin that writes down what happened, one JSON row at a time.

Each row is one `write` to a file opened for appending, so that the rows of a run that is killed,
hangs or leaves by `os._exit` are all there, and those of several workers do not mix.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import coverage
import pluggy

# Not pytest's own marker: importing pytest for it would be this package's only import of pytest.
_hook = pluggy.HookimplMarker("pytest")

REPORT = "COCKPIT_COVERAGE_REPORT"
ROOT = "COCKPIT_COVERAGE_ROOT"

_OURS = {__name__, "__main__", "sitecustomize", "usercustomize"}
_MESSAGE_LENGTH = 400

# pytest has read it by the time it imports a plugin named in it. A pytest that a test starts on
# its own must not inherit the options meant for this run.
os.environ.pop("PYTEST_ADDOPTS", None)


class Tracer:
    """What measures this process, as it was before any code of the repository ran."""

    def __init__(self) -> None:
        self._current = coverage.Coverage.current()
        self._function = sys.gettrace()
        self._events = _monitored()

    def disturbance(self) -> str | None:
        """How the measurement was stopped or replaced; None while it goes on."""
        if self._current is None:
            return "this process is not measured"
        if coverage.Coverage.current() is not self._current:
            return "the running measurement was stopped"
        if sys.gettrace() != self._function:
            how = "removed" if sys.gettrace() is None else "replaced"
            return f"the trace function was {how}"
        if _monitored() != self._events:
            return "the monitoring of coverage.py was changed"
        return None


def _monitored() -> tuple[object, ...]:
    """The tool and its events where coverage.py measures by `sys.monitoring`."""
    monitoring = getattr(sys, "monitoring", None)
    if monitoring is None:
        return ()
    tool = monitoring.COVERAGE_ID
    name = monitoring.get_tool(tool)
    return (name, monitoring.get_events(tool) if name is not None else None)


# Plugins named by `-p` are imported before any conftest.py.
_TRACER = Tracer()


class Reporter:
    """Writes rows; a worker of pytest-xdist leaves to the controller what both would see."""

    def __init__(self, path: str, root: Path, *, worker: bool) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        self._root = root
        self._worker = worker
        self._disturbed = False

    def row(self, kind: str, **values: Any) -> None:
        """Append one row."""
        line = json.dumps({"row": kind, **values}) + "\n"
        os.write(self._descriptor, line.encode("ascii"))

    def watch(self, after: str) -> None:
        """Say once when the measurement no longer is what it was."""
        what = None if self._disturbed else _TRACER.disturbance()
        if what is not None:
            self._disturbed = True
            self.row("disturbed", after=after, what=what)

    def pytest_sessionstart(self, session: Any) -> None:
        """Name the tools; that the row is there says that pytest accepted its arguments."""
        if not self._worker:
            plugins = session.config.pluginmanager.list_plugin_distinfo()
            self.row(
                "session",
                measurer=os.path.realpath(str(coverage.__file__)),
                pytest=importlib.metadata.version("pytest"),
                plugins=sorted({f"{found.name} {found.version}" for _, found in plugins}),
            )

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Name the test before it runs: it may be the one that never ends."""
        if not self._worker:
            self.row("start", id=nodeid)

    def pytest_collection_finish(self) -> None:
        """The test files and each conftest.py were imported."""
        self.watch("collection")

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """The test is over, whatever came of it."""
        self.watch(nodeid)
        if not self._worker:
            self.row("end", id=nodeid)

    def pytest_runtest_logreport(self, report: Any) -> None:
        """One phase of one test."""
        told = report.when == "call" or report.outcome not in {"passed", "rerun"}
        if told and not self._worker:
            self.row(
                "report",
                id=report.nodeid,
                when=report.when,
                outcome=report.outcome,
                expected=hasattr(report, "wasxfail"),
                message=_message(report) if report.failed else "",
                line=_line(report),
                frames=self._frames(report),
            )

    def _frames(self, report: Any) -> list[str]:
        """The tree's files in the traceback of a failure, outermost first."""
        entries = getattr(getattr(report.longrepr, "reprtraceback", None), "reprentries", ())
        places = (getattr(entry, "reprfileloc", None) for entry in entries)
        found = [Path(os.path.realpath(str(place.path))) for place in places if place is not None]
        return [
            path.relative_to(self._root).as_posix()
            for path in found
            if path.is_relative_to(self._root)
        ]

    def pytest_collectreport(self, report: Any) -> None:
        """A file or class that could not be collected."""
        if report.failed and not self._worker:
            self.row("collect", id=report.nodeid, message=_message(report))

    def pytest_internalerror(self, excrepr: object) -> None:
        """An error of pytest or of a plugin, not of a test."""
        self.row("internal", message=_lines(str(excrepr))[-1])

    @_hook(trylast=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """The run came to its end; where its modules came from is known now."""
        self.watch("the last test")
        self.row("modules", outside=self._outside())
        if not self._worker:
            self.row("finish", exit=int(exitstatus))

    def _outside(self) -> dict[str, str]:
        """Modules, other than the standard library's, from files that are not the tree's own."""
        found = {}
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            top = name.partition(".")[0]
            if isinstance(file, str) and top not in sys.stdlib_module_names | _OURS:
                path = os.path.realpath(file)
                if not self._holds(path):
                    found[name] = path
        return found

    def _holds(self, path: str) -> bool:
        # A virtual environment inside the tree holds installed copies, not the tree's files.
        prefix = Path(os.path.realpath(sys.prefix))
        inside = Path(path).is_relative_to(self._root)
        nested = prefix != self._root and prefix.is_relative_to(self._root)
        return inside and not (nested and Path(path).is_relative_to(prefix))


@_hook(wrapper=True)
def pytest_load_initial_conftests(
    early_config: Any, args: list[str]
) -> Generator[None, object, object]:
    """Calm the plugins that would spoil the measurement, before they act on their options."""
    manager = early_config.pluginmanager
    if manager.hasplugin("pytest_cov"):
        # Two tracers cannot share a process: the second takes the lines from the first.
        early_config.known_args_namespace.no_cov = True
        args.append("--no-cov")
    if manager.hasplugin("randomly"):
        # In front, so that a seed the repository chose itself wins.
        args.insert(0, "--randomly-seed=0")
    return (yield)


@_hook(trylast=True)
def pytest_configure(config: Any) -> None:
    """Start to write, unless this pytest was started by a test of the run being reported."""
    path = os.environ.get(REPORT)
    if path:
        reporter = Reporter(path, Path(os.environ[ROOT]), worker=hasattr(config, "workerinput"))
        config.pluginmanager.register(reporter, "cockpit-coverage-reporter")


def _message(report: Any) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    # A traceback's own message begins with what happened; other texts end with it.
    lines = _lines(crash.message) if crash else _lines(str(report.longrepr))[::-1]
    return lines[0]


def _lines(text: str) -> list[str]:
    lines = [line.strip()[:_MESSAGE_LENGTH] for line in text.splitlines() if line.strip()]
    return lines or [""]


def _line(report: Any) -> int | None:
    location = getattr(report, "location", None)
    return location[1] + 1 if location and isinstance(location[1], int) else None
