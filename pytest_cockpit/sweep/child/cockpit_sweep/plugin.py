"""The hooks."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from . import RECORDER, REMOTE, REQUEST, ROOT, imports
from .stage import Owners, Stage

__all__ = ["pytest_configure", "pytest_load_initial_conftests"]

_KEY = "cockpit_sweep"
_OWNERS = Owners(REQUEST["modules"], REQUEST["turns"])
_STAGE = Stage(RECORDER, _OWNERS)


def _row(kind: str, **values: Any) -> None:
    """Append a row for the first host to read; from another it would reach nobody."""
    if not REMOTE:
        common = {"row": kind, "process": os.getpid(), "at": time.monotonic()}
        line = json.dumps({**common, **values}) + "\n"
        with Path(REQUEST["rows"]).open("ab", buffering=0) as rows:
            rows.write(line.encode("ascii"))


def _turn(module: str, when: str) -> None:
    if _STAGE.module != module:
        _row("enter", module=module, when=when)
    _STAGE.enter(module)


def _entering(file: str) -> None:
    owner = _OWNERS.of(file)
    if Path(file).name == "conftest.py" and owner is not None and REQUEST["joint"]:
        _turn(owner, "collect")


imports.follow(RECORDER, _entering)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    """In a joint run, load each module's conftest.py in its turn, not all of them at first."""
    if REQUEST["joint"] and REQUEST["anchor"]:
        early_config.known_args_namespace.file_or_dir = [str(ROOT / REQUEST["anchor"])]
    return (yield)


def pytest_configure(config: pytest.Config) -> None:
    """Take part, unless this pytest was started by a test."""
    if config.pluginmanager.hasplugin(_KEY) and not config.pluginmanager.hasplugin("cockpit-sweep"):
        config.pluginmanager.register(Turns(config), "cockpit-sweep")


class Turns:
    """Gives every module its turn, first to be collected, then to be run."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.left: dict[str, int] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Before pytest-xdist starts its processes, where it is to start some."""
        manager = self.config.pluginmanager
        if manager.hasplugin("dsession"):
            from .hosts import Hosts

            manager.register(Hosts(self.config, _OWNERS, _row), "cockpit-sweep-hosts")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Generator[None, Any, Any]:
        """What collecting a file runs is its module's."""
        if isinstance(collector, pytest.Session):
            report = yield
            # A folder that cannot be collected is an error of its own, and not the run's.
            collector._notfound.clear()  # noqa: SLF001 - pytest would run no test at all
            return report
        module = _STAGE.of(collector.path)
        if module is None:
            return (yield)
        _turn(module, "collect")
        before = RECORDER.switch(f"module:{module}")
        try:
            return (yield)
        finally:
            RECORDER.switch(before)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> Generator[None]:
        """The modules that took longest come first, and the tests of each stay together."""
        yield
        count: dict[str, int] = {}
        for item in items:
            module = _STAGE.of(item.path) or ""
            count[module] = count.get(module, 0) + 1
        known = REQUEST["durations"]

        def rank(item: pytest.Item) -> tuple[float, int, str]:
            module = _STAGE.of(item.path) or ""
            return -known.get(module, 0.0), -count[module], module

        items.sort(key=rank)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Count the tests of each turn, without those that were deselected."""
        for item in session.items:
            module = _STAGE.of(item.path) or ""
            self.left[module] = self.left.get(module, 0) + 1

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, Any, Any]:
        """What a test runs is its module's."""
        module = _STAGE.of(item.path) or ""
        _turn(module, "run")
        RECORDER.switch(f"module:{module}")
        try:
            done = yield
        finally:
            # A switch costs as much as there are files; between two tests of a turn runs nothing.
            if nextitem is None or _STAGE.of(nextitem.path) != _STAGE.of(item.path):
                RECORDER.switch("")
        self.left[module] -= 1
        return done

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None]:
        """At the end of a module's turn nothing of it stays set up, as at the end of a session."""
        yield
        if nextitem is not None and _STAGE.of(item.path) != _STAGE.of(nextitem.path):
            item.session._setupstate.teardown_exact(None)  # noqa: SLF001 - there is no other way

    # A worker sends its output at the end of a wrapper of its own, which is to be around this one.
    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self) -> Generator[None, Any, Any]:
        """Hand over what was measured; a worker's travels to the controller, on whatever host."""
        RECORDER.switch("")
        try:
            return (yield)
        finally:
            ran = [module for module, tests in self.left.items() if not tests]
            found = {**RECORDER.stop(), "collected": list(self.left), "ran": ran}
            output = getattr(self.config, "workeroutput", None)
            if output is not None:
                output[_KEY] = json.dumps({**found, "process": os.getpid()})
            else:
                _row("data", **found)
