"""A campaign: a session whose phases a gate conducts itself, each attempt of it on record."""

from __future__ import annotations

import contextlib
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pytest_cockpit import rendering, runner
from pytest_cockpit.api import Campaign, CockpitError, Context, Preparation, Report, Verdict
from pytest_cockpit.config import Config
from pytest_cockpit.git import Repository
from pytest_cockpit.items import Outcome, Step, Steps
from pytest_cockpit.records.text import one_line
from pytest_cockpit.sessions import campaign_left, campaign_plan, campaign_record
from pytest_cockpit.sessions.campaign_record import Attempt
from pytest_cockpit.sessions.conductor import Conductor
from pytest_cockpit.sessions.gating import scratch
from pytest_cockpit.sessions.lock import SessionLock
from pytest_cockpit.sessions.settings import artifacts_folder, load_checked, uncommitted
from pytest_cockpit.sessions.tail import Tail
from pytest_cockpit.sessions.takeover import take_over


def conduct(config: pytest.Config) -> CampaignConductor:
    """Plan one step for each phase of the campaign that the command line asks for.

    Raises
    ------
    CockpitError: options, settings or files are of no use; nothing is written then.
    """
    called: Campaign = config.hook.pytest_cockpit_campaign(options=config.option)
    base = config.invocation_params.dir
    repository = Repository.discover(base)
    settings = load_checked(repository.root, config.option.cockpit_set)
    campaign = campaign_plan.from_root(called, repository.root, base)
    plan = repository.root / settings.artifacts / f"{campaign.mode}.plan.jsonl"
    header = take_over(config, plan)
    if campaign.closing and config.option.maxfail:
        config.option.maxfail = 0
        header.append("cockpit: closing phases follow a red one (-x and --maxfail are not used)")
    stack = contextlib.ExitStack()
    config.add_cleanup(stack.close)
    if not config.option.collectonly:
        lock = SessionLock(repository.common_dir)
        lock.acquire(campaign.mode)
        stack.callback(lock.release)
    own = stack.enter_context(scratch(repository.common_dir, f"campaign-{campaign.mode}"))
    conductor = CampaignConductor(config, campaign, repository, settings, own)
    artifacts_folder(repository.root, settings)
    if not config.option.collectonly:
        header += conductor.salvage()
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
        self.output = campaign_plan.output(repository, settings, campaign)
        for path in campaign.writes:
            campaign_plan.inside(repository.root, path)
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
        self._prepared = self._prepare()
        self._attempt = Attempt.of(
            campaign, repository, settings, self.base, self._prepared.subject, self._id
        )
        self._entered = False
        self._record: dict[str, Any] = {}
        self._spans: dict[str, dict[str, str]] = {}
        attempt, plan = self._attempt.number, self._attempt.facts["plan_sha256"]
        self.header = [
            f"cockpit: {campaign.title} at {self.base[:12]}, attempt {attempt}, plan {plan[:12]}",
            *(f"cockpit: {line}" for line in self._prepared.lines),
        ]
        self.facts["base"] = self.base
        self.facts["extra"] = {"campaign": {"attempt": attempt, "plan_sha256": plan}}

    def _prepare(self) -> Preparation:
        """What the gate says of the campaign; raises `CockpitError` where it cannot begin."""
        options = {**self.campaign.options, "output": self.relative(self.output)}
        made = runner.prepare(self.campaign.gate, self._context(), options)
        campaign_plan.demand_possible(made, self.settings.source)
        return made

    def _do(self, phase: str) -> Outcome:
        deselected = self._deselected(phase)
        if deselected:
            said = f"not done: {', '.join(deselected)} was not; deselect nothing"
            return Outcome(Verdict.UNKNOWN, said)
        if self._halted() and phase not in self.campaign.closing:
            return Outcome(Verdict.SKIP, "not done: a phase before it is not green")
        self._enter()
        options = {
            **self.campaign.options,
            **{key: self._attempt.facts[key] for key in ("attempt", "plan_sha256", "session_id")},
            "output": self.relative(self.output),
            "artifacts_folder": self.relative(self.folder),
            "verdicts": {row["name"].partition(":")[2]: row["verdict"] for row in self.rows},
            "timeline": self._timeline(),
        }
        self._spans[phase] = {"begun": campaign_record.now()}
        with Tail(self._scratch / "progress", self.live):
            report = runner.run_phase(self.campaign.gate, phase, self._context(), options)
        self._spans[phase]["ended"] = campaign_record.now()
        for evidence in report.evidence:
            if evidence.name == "record":
                self._record.update(evidence.data)
        return self._keep(phase, report)

    def _timeline(self) -> list[dict[str, str]]:
        """The phases so far, in their order; begin and end of those that were done."""
        names = [(row["name"].partition(":")[2], row["verdict"]) for row in self.rows]
        return [{"phase": it, "verdict": said, **self._spans.get(it, {})} for it, said in names]

    def _halted(self) -> bool:
        """Whether a phase is not green, by what it came to or because that could not be kept."""
        verdicts = (Verdict(row["verdict"]) for row in self.rows)
        return not all(verdict.opens or verdict is Verdict.SKIP for verdict in verdicts)

    def _deselected(self, phase: str) -> list[str]:
        """The phases before it that this session has not come to: it would lack what they leave."""
        done = {row["name"] for row in self.rows}
        before = self.campaign.phases[: self.campaign.phases.index(phase)]
        return [name for name in before if f"phase:{name}" not in done]

    def _context(self, scratch: Path | None = None) -> Context:
        return Context(
            root=self.root,
            scratch=scratch or self._scratch,
            settings=self.settings.gate.get(self.campaign.gate, {}),
            lane=self.settings.lane,
            records=self.settings.records,
            ledger=self.settings.ledger,
            base=self.base,
            changed=tuple(uncommitted(self.repository, self.settings)),
            pass_environment=self.settings.pass_environment,
        )

    def _keep(self, phase: str, report: Report) -> Outcome:
        gate = self.campaign.gate
        data = {"schema": "pytest-cockpit/gate-report/1", "gate": gate, **report.to_json()}
        place = self.folder / "campaigns" / self.campaign.mode / f"{one_line(phase)}.json"
        self.keep(place, data, "gate-report")
        self._collect(self.output)
        if report.verdict.opens:
            self._put()
        self.config.hook.pytest_cockpit_gate_report(config=self.config, gate=gate, report=report)
        return Outcome(report.verdict, report.summary, rendering.report_text(gate, report))

    def _collect(self, folder: Path) -> None:
        """Keep what a phase has left as artifacts."""
        for path in runner.artifacts_in(self._scratch):
            content = path.read_bytes()
            self.keep_bytes(folder / path.name, content)
            if path.suffix == ".md":
                self.pages[path.stem] = content.decode("utf-8", "replace")
            path.unlink()

    def salvage(self) -> list[str]:
        """Keep what killed campaigns of this mode had left; a line for the header if one had."""
        place = self.folder / "campaigns" / self.mode / "cut-off"
        said = campaign_left.salvage(self._scratch, f"campaign-{self.mode}-", place, self._context)
        if said is None:
            return []
        kept = f"kept in {self.relative(place)}: {', '.join(said)}" if said else "it left nothing"
        return [f"cockpit: the last {self.mode} was cut off; {kept}"]

    def _put(self) -> None:
        """Write into the work tree what a green phase has left for it."""
        for path in self.campaign.writes:
            made = self._scratch / "tree" / path
            if made.is_file() and not made.is_symlink():
                target = campaign_plan.inside(self.root, path)
                self.keep_bytes(target, made.read_bytes())
                made.unlink()

    def _enter(self) -> None:
        """Put on record that this attempt begins, before anything can come of it."""
        if self._entered:
            return
        # Where the gate is declared not applicable, nothing is attempted.
        if self.campaign.recorded and not self.settings.skip(self.campaign.gate):
            self._attempt.begin()
        self._entered = True
        place = self.folder / "campaigns" / self.mode / "before"
        moved = campaign_left.put_aside(self.output, self._prepared.replaces, place)
        if moved:
            self.live(f"of the session before: {moved} files, now in {self.relative(place)}")

    def finish(self, exitstatus: int) -> None:
        """Put on record how the attempt ended, then write the session's record."""
        try:
            # A phase that Ctrl-C has ended has left what it came to by then.
            runner.mask_artifacts(self._context())
            self._collect(self.output)
        except (CockpitError, OSError) as error:
            self.say(f"what the last phase had left was not kept: {error}")
        if self._attempt.begun:
            verdicts = {row["name"].partition(":")[2]: row["verdict"] for row in self.rows}
            try:
                self._attempt.end(self.campaign.phases, verdicts, self._timeline(), self._record)
            except CockpitError as error:
                self.say(f"the end of the campaign was not recorded: {error}")
            self._remember(self._attempt.book)
        super().finish(exitstatus)

    def conclude(self, terminal: Any) -> None:
        """One line for each phase, the pages, and where everything is."""
        terminal.section(f"cockpit: {self.campaign.title}")
        for row in self.rows:
            terminal.write_line(f"{row['name']}: {row['verdict']}: {row['summary']}")
        for path in self.written:
            if path.parent == self.output:
                terminal.write_line(f"written: {self.relative(path)}")

    def conclude_part(self, terminal: Any) -> None:
        """What becomes of an attempt of which not all was done."""
        counts = f"; attempt {self._attempt.number} is on record" if self._attempt.begun else ""
        terminal.write_line(f"not all phases were done: the same command begins anew{counts}")
