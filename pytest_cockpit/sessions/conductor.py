"""What every mode's session has in common: collection, order, halting, words and the record."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import threading
from collections import Counter
from collections.abc import Generator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import pytest

from pytest_cockpit import workflow_commands
from pytest_cockpit.api import CockpitError, Verdict
from pytest_cockpit.items import STEPS, PlanFile, PlanItem, Seal, Steps
from pytest_cockpit.records import artifacts, ledger
from pytest_cockpit.sessions.waiving import Waiving

if TYPE_CHECKING:
    from pytest_cockpit.promotion.remedies.ground import Circumstances
    from pytest_cockpit.sessions.on_red import Aftermath

_MARKUP = {
    Verdict.PASS: {"green": True},
    Verdict.WARN: {"yellow": True},
    Verdict.FAIL: {"red": True},
    Verdict.UNKNOWN: {"yellow": True, "bold": True},
    Verdict.ERROR: {"red": True, "bold": True},
    Verdict.SKIP: {"yellow": True},
}
_LETTER = {
    Verdict.PASS: ".",
    Verdict.WARN: "w",
    Verdict.FAIL: "F",
    Verdict.UNKNOWN: "U",
    Verdict.ERROR: "E",
    Verdict.SKIP: "s",
}


class Conductor:
    """The plugin object of one session.

    Parameters
    ----------
    mode: the session's name in its record.
    folder: absolute artifacts folder.
    steps: what is collected and run.
    halts: whether the first red step ends the session.
    header: lines for pytest's header.
    """

    def __init__(
        self,
        config: pytest.Config,
        *,
        mode: str,
        root: Path,
        folder: Path,
        steps: Steps,
        halts: bool,
        header: Sequence[str] = (),
    ) -> None:
        self.config = config
        self.mode = mode
        self.root = root
        self.folder = folder
        self.steps = steps
        self.halts = halts
        self.started = _now()
        # A clock may stand still or go back, and a container gives every process the same number.
        chance = secrets.token_hex(3)
        self._id = f"{mode}-{self.started:%Y%m%dT%H%M%S%fZ}-{os.getpid()}-{chance}"
        self.rows: list[dict[str, Any]] = []
        self._red: list[pytest.TestReport] = []
        self.written: list[Path] = []
        # What gates say in Markdown, by the name of their file.
        self.pages: dict[str, str] = {}
        self.header = list(header)
        self.facts: dict[str, Any] = {}
        self.waiving = Waiving(config, root)
        self._interrupted = False
        config.stash[STEPS] = steps

    @property
    def controls(self) -> bool:
        """Whether this process speaks for the session (it is no worker of a distributed run)."""
        return not hasattr(self.config, "workerinput")

    def keep(self, path: Path, data: Any, schema: str) -> None:
        """Write a JSON artifact of this session, held against its schema."""
        artifacts.write(path, data, schema)
        self._remember(path)

    def keep_bytes(self, path: Path, data: bytes) -> None:
        """Write any other artifact of this session."""
        artifacts.write_bytes(path, data)
        self._remember(path)

    def _remember(self, path: Path) -> None:
        if path not in self.written:
            self.written.append(path)

    def pytest_report_header(self) -> list[str]:
        """Say what is about to happen."""
        return self.header

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> PlanFile | None:
        """Collect the plan file, and nothing else that looks like one."""
        if file_path != self.steps.path:
            return None
        return PlanFile.from_parent(parent, path=file_path)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> Generator[None]:
        """Restore the plan's order after everybody else, and refuse to seal a part of it."""
        yield
        order = {step.name: index for index, step in enumerate(self.steps.steps)}
        planned = [item for item in items if isinstance(item, PlanItem)]
        planned.sort(key=lambda item: order[item.name])
        ours = iter(planned)
        items[:] = [next(ours) if isinstance(item, PlanItem) else item for item in items]
        missing = order.keys() - {item.name for item in planned}
        if missing and any(isinstance(item, Seal) for item in planned):
            raise pytest.UsageError(
                f"a partial selection cannot seal: {len(missing)} of {len(order)} steps are "
                f"deselected ({_some(missing)}); deselect the seal too, or run all of them "
                "(nothing was applied)"
            )

    def pytest_sessionstart(self) -> None:
        """Note Ctrl-C when it is heard: what it raises may be lost where Python drops errors."""
        usual = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is not threading.main_thread() or not callable(usual):
            return

        def note(number: int, frame: FrameType | None) -> None:
            self._interrupted = True
            usual(number, frame)

        def restore() -> None:
            signal.signal(signal.SIGINT, usual)

        signal.signal(signal.SIGINT, note)
        self.config.add_cleanup(restore)

    def pytest_runtest_setup(self) -> None:
        """Begin no step after Ctrl-C."""
        if self._interrupted:
            raise KeyboardInterrupt

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Attach the step's record to its report, and halt the session on red."""
        report = yield
        if isinstance(item, PlanItem) and self.halts:
            _demand(item, report)
        if isinstance(item, PlanItem) and (report.when == "call" or report.failed):
            # An attribute, not a user property: it survives distribution and stays out of JUnit.
            report.cockpit = item.record  # type: ignore[attr-defined] # its own
            if item.outcome and item.outcome.verdict is Verdict.WARN:
                report.cockpit_text = item.outcome.text  # type: ignore[attr-defined] # its own
            report.cockpit_waived = self.waiving.used  # type: ignore[attr-defined] # its own
            if report.failed and self.halts:
                item.session.shouldfail = f"cockpit: halted at {item.name}; nothing after it ran"
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect the record's rows."""
        row = getattr(report, "cockpit", None)
        self.waiving.learn(getattr(report, "cockpit_waived", {}))
        if row is not None and report.when != "call":
            row = {**row, "verdict": Verdict.ERROR.value}
        if row is not None and self.controls:
            text = report.longreprtext if report.failed else getattr(report, "cockpit_text", "")
            if report.failed:
                self._red.append(report)
            self.rows.append(
                {**row, "id": report.nodeid, "outcome": report.outcome, "message": text}
            )

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> Any:
        """Show verdicts as words; an unknown is never counted among the passed or the failed."""
        row = getattr(report, "cockpit", None)
        if row is None:
            return None
        verdict = Verdict(row["verdict"])
        category = {
            Verdict.PASS: "passed",
            Verdict.SKIP: "skipped",
            Verdict.WARN: "warned",
            Verdict.UNKNOWN: "unknown",
        }.get(verdict, "failed")
        told = row["kind"] in ("gate", "test") or verdict is not Verdict.PASS
        word = verdict.name if told else "PASSED"
        return category, _LETTER[verdict], (word, _MARKUP[verdict])

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None]:
        """Write the record last, whatever happened before."""
        self.settle(session)
        for report in self._red:
            # The headline of a failure is the location's third part; see `PlanItem.reportinfo`.
            report.location = (*report.location[:2], report.nodeid.partition("::")[2])
        try:
            return (yield)
        finally:
            self.restore()
            if self.controls:
                self.finish(int(session.exitstatus))

    def settle(self, session: pytest.Session) -> None:
        """Compare what was reported with what is known otherwise, where a mode knows more."""

    def restore(self) -> None:
        """Undo what nobody may do to the exit code, where a mode shares its process."""

    def finish(self, exitstatus: int) -> None:
        """Write the session's record and enter it in the sessions' ledger."""
        aftermath = self._aftermath(exitstatus)
        if aftermath is not None:
            aftermath.keep()
        record = self.record(exitstatus)
        self.config.hook.pytest_cockpit_record(config=self.config, record=record)
        path = self.folder / f"session.{self.mode}.json"
        try:
            data = artifacts.write(path, record, "session")
            ledger.append(
                self.folder / "sessions.ndjson",
                {
                    "kind": "session",
                    "at": record["finished"],
                    "mode": self.mode,
                    "session_id": record["session_id"],
                    "exit_status": exitstatus,
                    "record_sha256": artifacts.sha256(data),
                    "artifacts": record["artifacts"],
                },
            )
        except CockpitError as error:
            # The session's own verdict must not be lost behind a full disk.
            self.say(f"the session's record was not written: {error}")
        if aftermath is not None:
            aftermath.tell(record)

    def circumstances(self) -> Circumstances | None:
        """What a session with gates was about; None of all others."""
        return None

    def _aftermath(self, exitstatus: int) -> Aftermath | None:
        session = None if self.config.option.collectonly else self.circumstances()
        if session is None:
            return None
        from pytest_cockpit.sessions.on_red import Aftermath

        return Aftermath(self, session, exitstatus)

    def record(self, exitstatus: int) -> dict[str, Any]:
        """The session as data; see `schemas/session.json`."""
        totals = Counter(row["verdict"] for row in self.rows)
        return {
            "schema": "pytest-cockpit/session/1",
            "mode": self.mode,
            "session_id": self._id,
            "exit_status": exitstatus,
            "started": _iso(self.started),
            "finished": _iso(_now()),
            "planned": len(self.steps.steps),
            "items": self.rows,
            "totals": {verdict.value: totals[verdict.value] for verdict in Verdict},
            "artifacts": [
                {"path": self.relative(path), "sha256": artifacts.sha256(path.read_bytes())}
                for path in self.written
                if path.is_file()
            ],
            "base": None,
            "batch_id": None,
            "plan_sha256": None,
            "sealed": None,
            "pull_request": None,
            "waivers": self.waiving.rows(),
            "extra": {},
            **self.facts,
        }

    def say(self, line: str) -> None:
        """Tell the terminal something after pytest's own last words."""
        # A runner that reads along takes commands again by now, and an error may be in anybody's
        # words.
        self.print(f"cockpit: {workflow_commands.inert(line)}")

    def live(self, line: str) -> None:
        """Tell the terminal something in the middle of a step, past what captures output."""
        capture = self.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
            self.say(line)
            terminal = self.config.pluginmanager.getplugin("terminalreporter")
            if terminal is not None:
                # Through a pipe, as in CI, it would be told when there are 8 KiB of it.
                terminal.flush()

    def print(self, line: str) -> None:
        """Print a line as it is, where there is a terminal to print to."""
        terminal = self.config.pluginmanager.getplugin("terminalreporter")
        if terminal is not None:
            terminal.ensure_newline()
            terminal.write_line(line)

    def write_plan(self) -> None:
        """Write the plan file of a session that is no more than its steps."""
        rows = [{"kind": step.kind, "name": step.name} for step in self.steps.steps]
        data = b"".join(map(artifacts.canonical_line, rows))
        artifacts.write_bytes(self.steps.path, data)

    def relative(self, path: Path) -> str:
        """A path below the repository as text fit for JSON."""
        return artifacts.printable(path.relative_to(self.root).as_posix())

    @pytest.hookimpl(tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Show what was not green and is not among pytest's own failures."""
        rows = [
            row for row in self.rows if Verdict(row["verdict"]) in (Verdict.UNKNOWN, Verdict.WARN)
        ]
        if rows:
            terminalreporter.section("cockpit: neither passed nor failed")
            for row in rows:
                terminalreporter.write_line(f"{row['name']}: {row['message'] or row['summary']}")
        waived = list(self.waiving.lines())
        if waived:
            terminalreporter.section("cockpit: waivers")
        for line in waived:
            terminalreporter.write_line(line)
        self.conclude(terminalreporter)
        ran = {row["name"] for row in self.rows}
        if not self.config.option.collectonly and {step.name for step in self.steps.steps} - ran:
            self.conclude_part(terminalreporter)

    def conclude_part(self, terminal: Any) -> None:
        """What a mode says when not all of its steps ran."""

    def conclude(self, terminal: Any) -> None:
        """What a mode says last; nothing unless it has something to say."""


def _demand(item: PlanItem, report: pytest.TestReport) -> None:
    """Let nobody skip a step or excuse it: later ones are built on it."""
    if report.when == "setup" and report.skipped:
        report.longrepr = f"{item.name}: a plugin would skip it; every step has to run"
    elif report.when != "call" or report.failed or item.opens:
        return
    report.outcome = "failed"
    report.__dict__.pop("wasxfail", None)


def _some(names: Sequence[str] | set[str], limit: int = 3) -> str:
    shown = sorted(names)[:limit]
    return ", ".join(shown) + (", …" if len(names) > limit else "")


def _now() -> datetime:
    return datetime.now(UTC)


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
