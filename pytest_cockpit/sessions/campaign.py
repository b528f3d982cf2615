"""A campaign: a session whose phases a gate conducts itself, each attempt of it on record."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from pytest_cockpit import rendering, runner
from pytest_cockpit.api import Campaign, CockpitError, Context, Report, Verdict
from pytest_cockpit.config import Config
from pytest_cockpit.git import Repository
from pytest_cockpit.items import Outcome, Step, Steps
from pytest_cockpit.records import artifacts, campaigns
from pytest_cockpit.records.text import canonical, one_line, sha256
from pytest_cockpit.sessions.conductor import Conductor
from pytest_cockpit.sessions.gating import scratch
from pytest_cockpit.sessions.lock import SessionLock
from pytest_cockpit.sessions.settings import artifacts_folder, load_checked
from pytest_cockpit.sessions.tail import Tail
from pytest_cockpit.sessions.takeover import take_over


def conduct(config: pytest.Config) -> CampaignConductor:
    """Plan one step for each phase of the campaign that the command line asks for."""
    campaign: Campaign = config.hook.pytest_cockpit_campaign(options=config.option)
    repository = Repository.discover(config.invocation_params.dir)
    settings = load_checked(repository.root, config.option.cockpit_set)
    folder = artifacts_folder(repository.root, settings)
    header = take_over(config, folder / f"{campaign.mode}.plan.jsonl")
    lock = SessionLock(repository.common_dir)
    lock.acquire(campaign.mode)
    stack = contextlib.ExitStack()
    stack.callback(lock.release)
    config.add_cleanup(stack.close)
    own = stack.enter_context(scratch(repository.common_dir, campaign.mode))
    conductor = CampaignConductor(config, campaign, repository, settings, own)
    conductor.write_plan()
    conductor.header = [*header, *conductor.header]
    return conductor


class CampaignConductor(Conductor):
    """Runs the phases in order; after a red one, the closing ones alone."""

    def __init__(
        self,
        config: pytest.Config,
        campaign: Campaign,
        repository: Repository,
        settings: Config,
        scratch: Path,
    ) -> None:
        self.campaign = campaign
        self.repository = repository
        self.settings = settings
        self.base = repository.resolve("HEAD")
        self.output = _output(repository.root, settings, campaign)
        folder = repository.root / settings.artifacts
        steps = [
            Step(f"phase:{name}", "phase", partial(self._do, name)) for name in campaign.phases
        ]
        super().__init__(
            config,
            mode=campaign.mode,
            root=repository.root,
            folder=folder,
            steps=Steps(folder / f"{campaign.mode}.plan.jsonl", steps),
            halts=False,
        )
        self._scratch = scratch
        self._book = campaigns.path_of(repository.root, settings.records)
        self._plan = self._plan_sha256()
        self._attempt = 1
        self._begun = False
        self._record: dict[str, Any] = {}
        self._halted = False
        if campaign.recorded:
            self._attempt += campaigns.attempts(self._book, self._plan)
        attempt = f"attempt {self._attempt} of plan {self._plan[:12]}"
        self.header = [f"cockpit: {campaign.title} at {self.base[:12]}, {attempt}"]
        self.facts["base"] = self.base
        self.facts["extra"] = {"campaign": {"attempt": self._attempt, "plan_sha256": self._plan}}

    def _plan_sha256(self) -> str:
        """The digest of all that makes two attempts attempts of the same.

        Another commit, another week or another setting is another plan.
        """
        campaign, inputs = self.campaign, {}
        for path in campaign.inputs:
            with contextlib.suppress(OSError):
                inputs[path] = sha256((self.root / path).read_bytes())
        year, week, _ = datetime.now(UTC).isocalendar()
        return sha256(
            canonical(
                {
                    "base": self.base,
                    "gate": campaign.gate,
                    "mode": campaign.mode,
                    "options": campaign.options,
                    "settings": self.settings.gate.get(campaign.gate, {}),
                    "inputs": inputs,
                    "week": f"{year}-W{week:02}",
                }
            )
        )

    def _do(self, phase: str) -> Outcome:
        if self._halted and phase not in self.campaign.closing:
            return Outcome(Verdict.SKIP, "not done: a phase before it is not green")
        self._enter()
        options = {
            **self.campaign.options,
            "attempt": self._attempt,
            "plan_sha256": self._plan,
            "session_id": self._id,
            "verdicts": {row["name"].partition(":")[2]: row["verdict"] for row in self.rows},
        }
        with Tail(self._scratch / "progress", self.live):
            report = runner.run_phase(self.campaign.gate, phase, self._context(), options)
        self._halted = self._halted or not (report.verdict.opens or report.verdict is Verdict.SKIP)
        for evidence in report.evidence:
            if evidence.name == "record":
                self._record.update(evidence.data)
        return self._keep(phase, report)

    def _context(self) -> Context:
        return Context(
            root=self.root,
            scratch=self._scratch,
            settings=self.settings.gate.get(self.campaign.gate, {}),
            lane=self.settings.lane,
            records=self.settings.records,
            ledger=self.settings.ledger,
            base=self.base,
            changed=tuple(self.repository.dirty()),
            pass_environment=self.settings.pass_environment,
        )

    def _keep(self, phase: str, report: Report) -> Outcome:
        gate = self.campaign.gate
        data = {"schema": "pytest-cockpit/gate-report/1", "gate": gate, **report.to_json()}
        place = self.folder / "campaigns" / self.campaign.mode / f"{one_line(phase)}.json"
        self.keep(place, data, "gate-report")
        for path in runner.artifacts_in(self._scratch):
            content = path.read_bytes()
            self.keep_bytes(self.output / path.name, content)
            if path.suffix == ".md":
                self.pages[path.stem] = content.decode("utf-8", "replace")
            path.unlink()
        if report.verdict.opens:
            self._put()
        self.config.hook.pytest_cockpit_gate_report(config=self.config, gate=gate, report=report)
        return Outcome(report.verdict, report.summary, rendering.report_text(gate, report))

    def _put(self) -> None:
        """Write into the work tree what a green phase has left for it."""
        for path in self.campaign.writes:
            made = self._scratch / "tree" / path
            if made.is_file() and not made.is_symlink():
                target = _inside(self.root, path)
                self.keep_bytes(target, made.read_bytes())
                made.unlink()

    def _enter(self) -> None:
        """Put on record that this attempt begins, before anything can come of it."""
        if self._begun or not self.campaign.recorded:
            return
        campaigns.append(self._book, self._lock, self._row(campaigns.BEGUN))
        self._begun = True

    @property
    def _lock(self) -> Path:
        return self.repository.common_dir / "cockpit" / "campaigns.lock"

    def _row(self, kind: str, **more: Any) -> Mapping[str, Any]:
        return {
            "kind": kind,
            "at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "gate": self.campaign.gate,
            "mode": self.campaign.mode,
            "plan_sha256": self._plan,
            "attempt": self._attempt,
            "session_id": self._id,
            **more,
        }

    def finish(self, exitstatus: int) -> None:
        """Put on record how the attempt ended, then write the session's record."""
        if self._begun:
            verdicts = {row["name"].partition(":")[2]: row["verdict"] for row in self.rows}
            missing = set(self.campaign.phases) - verdicts.keys()
            parts = [Verdict(verdict) for verdict in verdicts.values()]
            verdict = Verdict.worst([*parts, *([Verdict.UNKNOWN] if missing else [])])
            ended = self._row(
                campaigns.ENDED, verdict=verdict.value, phases=verdicts, record=self._record
            )
            try:
                campaigns.append(self._book, self._lock, ended)
            except CockpitError as error:
                self.say(f"the end of the campaign was not recorded: {error}")
            self._remember(self._book)
        super().finish(exitstatus)

    def conclude(self, terminal: Any) -> None:
        """One line for each phase, the pages, and where everything is."""
        terminal.section(f"cockpit: {self.campaign.title}")
        for row in self.rows:
            terminal.write_line(f"{row['name']}: {row['verdict']}: {row['summary']}")
        for path in _below(self.written, self.output):
            terminal.write_line(f"written: {self.relative(path)}")


def _below(written: Iterable[Path], folder: Path) -> list[Path]:
    return [path for path in written if path.parent == folder]


def _output(root: Path, settings: Config, campaign: Campaign) -> Path:
    """The folder of the campaign's own artifacts; raises as `_inside`."""
    if campaign.output is None:
        return root / settings.artifacts / campaign.gate
    return _inside(root, campaign.output)


def _inside(root: Path, path: str) -> Path:
    """A path of the repository.

    Raises
    ------
    CockpitError: it is outside, by its parts or through a link.
    """
    named = PurePosixPath(path)
    inside = not named.is_absolute() and ".." not in named.parts
    if not inside or not (root / named).resolve().is_relative_to(root.resolve()):
        raise CockpitError(
            f"{artifacts.printable(path)}: outside the repository; name a path below its root"
        )
    return root / named
