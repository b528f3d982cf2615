"""A pytest plugin for child processes: runs chosen tests as if no marker were there, and tells.

Rows of JSON go to a file opened for appending, one `write` each, so that those of a run that is
killed are all there. The request is a JSON file named by the variable `COCKPIT_QUARANTINE`:

`report`: where rows go. `select`: node ids to run; null for every test with the marker.
`everything`: whether all tests are. `run`: whether any is. `opened`: whether documents that are
opened are told.
"""

from __future__ import annotations

import inspect
import json
import os
import sys
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

import pytest

from .marks import MARKER, UNEXPECTED

REQUEST = "COCKPIT_QUARANTINE"

_LENGTH = 20_000
_DEPTH = 3
_PLAIN = (str, int, float, bool, type(None))
_OBSERVER = pytest.StashKey["Observer"]()
_SUFFIXES = (".json", ".yaml", ".yml", ".rego")


class Observer:
    """Writes rows."""

    def __init__(self, request: dict[str, Any], root: Path) -> None:
        self._descriptor = os.open(request["report"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        self._root = os.path.realpath(root)
        self._select = None if request["select"] is None else set(request["select"])
        self._run = request["run"]
        self._everything = request["everything"]
        self._seen: set[str] = set()
        if request["opened"]:
            sys.addaudithook(self._audit)

    def row(self, kind: str, **values: Any) -> None:
        """Append one row."""
        line = json.dumps({"row": kind, **values}) + "\n"
        os.write(self._descriptor, line.encode("ascii"))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> Generator[None]:
        """Tell of every test with the marker, whatever `-k` or `-m` make of it, and choose."""
        total = len(items)
        marked = {item.nodeid for item in items if item.get_closest_marker(MARKER)}
        for item in items:
            if item.nodeid in marked:
                self.row("test", **_told(item))
        chosen = [item for item in items if self._chosen(item, marked)]
        items[:] = chosen if self._run else []
        yield
        self.row("collected", total=total)

    def _chosen(self, item: pytest.Item, marked: set[str]) -> bool:
        return self._everything or item.nodeid in (marked if self._select is None else self._select)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file or class that could not be collected."""
        if report.failed:
            self.row("lost", id=report.nodeid, message=_last_line(report.longreprtext))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Name the test before it runs: it may be the one that never ends."""
        self.row("start", id=nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One phase of one test."""
        if report.when == "call" or not report.passed:
            crash = getattr(report.longrepr, "reprcrash", None)
            message = crash.message if crash else _last_line(report.longreprtext)
            # Expected to fail by a second marker, it passes all the same.
            passes = report.failed and report.longreprtext.startswith(UNEXPECTED)
            self.row(
                "report",
                id=report.nodeid,
                when=report.when,
                outcome="passed" if passes else report.outcome,
                expected=hasattr(report, "wasxfail"),
                message=_cut(message),
                text=_cut(report.longreprtext),
            )

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """The run came to its end."""
        self.row("finish", exit=int(exitstatus))

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and _reads(arguments):
            self._open(arguments[0])
        elif event == "subprocess.Popen" and isinstance(arguments[1], list | tuple):
            # What a program such as opa reads is on its command line.
            for argument in arguments[1]:
                self._open(argument)

    def _open(self, path: object) -> None:
        if isinstance(path, bytes | str | os.PathLike):
            name = os.path.realpath(os.fsdecode(path))
            if name not in self._seen and name.startswith(self._root + os.sep):
                self._seen.add(name)
                for found in _documents(name):
                    self.row("open", path=os.path.relpath(found, self._root))


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, args: list[str]
) -> Generator[None, object, object]:
    """Calm the plugins that would hide what is looked for."""
    manager = early_config.pluginmanager
    # A pytest that a test starts on its own must not tell as well.
    name = os.environ.pop(REQUEST, None)
    if name:
        # Already now: a conftest.py may read documents while it is imported.
        request = json.loads(Path(name).read_text(encoding="utf-8"))
        early_config.stash[_OBSERVER] = Observer(request, early_config.rootpath)
    if manager.hasplugin("pytest_cov"):
        early_config.known_args_namespace.no_cov = True
        args.append("--no-cov")
    if manager.hasplugin("randomly"):
        args.insert(0, "--randomly-seed=0")
    if manager.hasplugin("xdist"):
        args.append("-n0")
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker, which is not in force here, and begin to tell."""
    config.addinivalue_line("markers", f"{MARKER}(issue, owner, expires): known to fail")
    observer = config.stash.get(_OBSERVER, None)
    if observer is not None:
        config.pluginmanager.register(observer, "cockpit-quarantine-observer")


def _told(item: pytest.Item) -> dict[str, Any]:
    marker = item.get_closest_marker(MARKER)
    path, line, _ = item.location
    return {
        "id": item.nodeid,
        "path": path,
        "line": None if line is None else line + 1,
        "arguments": [_plain(value) for value in marker.args] if marker else [],
        "keywords": {name: _plain(value) for name, value in marker.kwargs.items()}
        if marker
        else {},
        "parameters": list(_scalars(getattr(getattr(item, "callspec", None), "params", {}))),
        "source": _cut(_source(item)),
    }


def _plain(value: object) -> Any:
    """A value of a marker as JSON has it: a day as its text, anything else as what it is not."""
    if isinstance(value, _PLAIN):
        return value
    day = getattr(value, "isoformat", None)
    return day() if day else {"type": type(value).__name__}


def _scalars(value: object, depth: int = 0) -> Iterable[object]:
    if isinstance(value, str | int | float):
        yield value
    elif isinstance(value, dict) and depth < _DEPTH:
        yield from _scalars([*value, *value.values()], depth + 1)
    elif isinstance(value, list | tuple | set | frozenset) and depth < _DEPTH:
        for one in value:
            yield from _scalars(one, depth + 1)


def _source(item: pytest.Item) -> str:
    try:
        return inspect.getsource(item.obj)  # type: ignore[attr-defined] # a test function's
    except (AttributeError, OSError, TypeError, SyntaxError):
        return ""


def _reads(arguments: tuple[Any, ...]) -> bool:
    mode = arguments[1]
    return not isinstance(mode, str) or not set(mode) & set("wax")


def _documents(name: str) -> list[str]:
    """A document, or those of a folder."""
    if os.path.isdir(name):  # noqa: PTH112 - within an audit hook, nothing is to be created
        found = [
            os.path.join(folder, file)  # noqa: PTH118 - as above
            for folder, _, files in os.walk(name)
            for file in files
        ]
    else:
        found = [name]
    return sorted(file for file in found if file.endswith(_SUFFIXES))


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return _cut(lines[-1]) if lines else ""


def _cut(text: str) -> str:
    return text[:_LENGTH]
