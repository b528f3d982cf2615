"""What becomes of quarantined tests in an ordinary run: a plugin, registered when there are any.

A quarantined test runs like a strict xfail. Its failure is neither passed nor failed; that it
passes, or that its time is over, is a failure.
"""

from __future__ import annotations

import tomllib
from collections.abc import Generator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from .marks import MARKER, MAX_DAYS, UNEXPECTED, Mark, complaints, read, utc_today

_KEY = pytest.StashKey["_Case"]()


class _Case:
    """A quarantined test of this run.

    Parameters
    ----------
    running: whether its own code runs, so that what is reported meanwhile is a part of it.
    red: whether one of those parts has failed.
    """

    def __init__(self, mark: Mark) -> None:
        self.mark = mark
        self.running = False
        self.red = False


class Quarantine:
    """Judges the reports of quarantined tests."""

    def __init__(self, today: date) -> None:
        self.today = today

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None]:
        """Note that reports made from now on may be those of subtests."""
        case = item.stash.get(_KEY, None)
        if case is None:
            return (yield)
        case.running, case.red = True, False
        try:
            return (yield)
        finally:
            case.running = False

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Turn what a quarantined test came to into what that means."""
        report = yield
        case = item.stash.get(_KEY, None)
        if case is not None and report.when != "teardown":
            self._judge(case, report)
        return report

    def _judge(self, case: _Case, report: pytest.TestReport) -> None:
        mark = case.mark
        # A second marker may call it a failure that the test passes.
        passed = (report.passed and not case.red) or str(report.longrepr).startswith(UNEXPECTED)
        if case.running:
            # A subtest: what the whole test came to is yet to be seen.
            if report.failed:
                case.red = True
                _expect(report, mark)
        elif passed and report.when == "call":
            _fail(report, f"passes: remove its marker ({mark})")
        elif mark.expired(self.today) and not (passed and report.when == "setup"):
            said = f"quarantine expired on {mark.expires}; fix it or renew with a reason ({mark})"
            _fail(report, "\n".join(filter(None, (said, report.longreprtext))))
        elif report.failed or case.red:
            _quarantine(report, mark)


def start(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Look at the markers of what was collected, and register the plugin.

    A test whose marker is not as it should be becomes an error of the collection.
    """
    today, max_days = utc_today(), configured_days(config.rootpath)
    wrong: list[pytest.Item] = []
    for item in items:
        marker = item.get_closest_marker(MARKER)
        if marker is None:
            continue
        found = complaints(marker.args, marker.kwargs, today, max_days)
        mark = read(marker.args, marker.kwargs)
        if found or mark is None:
            wrong.append(item)
            _report(config, item, found)
        else:
            item.stash[_KEY] = _Case(mark)
    bad = set(wrong)
    items[:] = [item for item in items if item not in bad]
    if not config.pluginmanager.hasplugin("cockpit-quarantined"):
        config.pluginmanager.register(Quarantine(today), "cockpit-quarantined")


def configured_days(root: Path) -> int:
    """`gate.quarantine.max_days` of the configuration at `root`, or the default.

    Read by hand: what validates the whole configuration is too slow to load for one number.

    Raises
    ------
    pytest.UsageError: it is no whole number of at least 1.
    """
    for name, keys in (("cockpit.toml", ()), ("pyproject.toml", ("tool", "cockpit"))):
        table = _at(_toml(root / name), (*keys, "gate", "quarantine"))
        found = table.get("max_days") if isinstance(table, Mapping) else None
        if found is not None:
            if isinstance(found, bool) or not isinstance(found, int) or found < 1:
                key = ".".join((*keys, "gate.quarantine.max_days"))
                raise pytest.UsageError(f"{name}: {key}: expected a whole number of at least 1")
            return found
    return MAX_DAYS


def _toml(path: Path) -> Any:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        # Somebody else's to complain about: pytest of its own file, a session of the other.
        return {}


def _at(table: Any, keys: Sequence[str]) -> Any:
    for key in keys:
        table = table.get(key) if isinstance(table, Mapping) else None
    return table


def _report(config: pytest.Config, item: pytest.Item, found: Sequence[str]) -> None:
    path, line, _ = item.location
    where = f"{path}:{line + 1}" if line is not None else path
    # Text, and one that names the test: workers of a distributed run compare what they report.
    said = "\n".join(f"{where}: {MARKER} of {item.name}: {text}" for text in found)
    config.hook.pytest_collectreport(
        report=pytest.CollectReport(item.nodeid, "failed", longrepr=said, result=[])
    )


def _expect(report: pytest.TestReport, mark: Mark) -> None:
    """What other plugins and JUnit know as a failure that was expected."""
    report.outcome = "skipped"
    report.wasxfail = f"quarantined: {mark}"


def _quarantine(report: pytest.TestReport, mark: Mark) -> None:
    _expect(report, mark)
    report.cockpit_quarantine = str(mark)  # type: ignore[attr-defined] # its own


def _fail(report: pytest.TestReport, text: str) -> None:
    vars(report).pop("wasxfail", None)
    report.outcome = "failed"
    report.longrepr = f"{MARKER}: {text}"
    # In its setup too, it is the test that fails: its time is over.
    report.cockpit_quarantine_over = True  # type: ignore[attr-defined] # its own
