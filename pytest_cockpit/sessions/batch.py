"""`--cockpit-batch`: the next files out of the lane, as one session."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pytest_cockpit.api import CockpitError, Verdict
from pytest_cockpit.config import Config
from pytest_cockpit.git import Repository
from pytest_cockpit.items import Outcome, Step
from pytest_cockpit.promotion.batch import Batch, Staged
from pytest_cockpit.promotion.isolation import history
from pytest_cockpit.promotion.message import commit_message, pull_request_body
from pytest_cockpit.promotion.plan import Plan, PlannedMove
from pytest_cockpit.promotion.remedies.ground import Circumstances
from pytest_cockpit.promotion.selector import make_plan
from pytest_cockpit.records import artifacts
from pytest_cockpit.sessions import words
from pytest_cockpit.sessions.lock import SessionLock
from pytest_cockpit.sessions.opening import Opened, opened
from pytest_cockpit.sessions.publishing import Built, PublishingConductor
from pytest_cockpit.sessions.sealing import Sealing, Subject, sealed_before, waiting
from pytest_cockpit.sessions.settings import uncommitted
from pytest_cockpit.sessions.takeover import named_plan

PLAN = "promotion_batch.plan.jsonl"


def conduct(config: pytest.Config) -> BatchConductor:
    """Plan the batch, write its plan file and return the session's plugin object."""
    return opened(config, _conduct)


def _conduct(session: Opened) -> BatchConductor:
    config, repository, chosen = session.config, session.repository, session.settings
    path = session.folder / PLAN
    plan = _plan(config, repository, chosen, path, session.base)
    config.hook.pytest_cockpit_planned(config=config, plan=plan)
    session.collect(path, plan.header.batch_id, plan.header.base)
    return _kind(config)(config, repository, chosen, plan, path, session.lock)


def _kind(config: pytest.Config) -> type[BatchConductor]:
    """What conducts the batch: what it does on red decides."""
    if config.option.cockpit_on_red != "isolate":
        return BatchConductor
    from pytest_cockpit.sessions.isolating import IsolatingConductor

    return IsolatingConductor


def _plan(
    config: pytest.Config, repository: Repository, chosen: Config, path: Path, base: str
) -> Plan:
    """A fresh plan, or the file named on the command line if it is what would be planned now."""
    size, modules = config.option.cockpit_batch_size, config.option.cockpit_modules
    if not named_plan(config, path):
        if chosen.batch.auto_size and not size:
            size = history.proposal(repository, chosen, base).size
        plan = make_plan(repository, chosen, size=size, modules=modules, base=base)
        artifacts.write_bytes(path, plan.to_bytes())
        return plan
    where = str(path.relative_to(repository.root))
    try:
        plan = Plan.read(path.read_bytes(), where)
    except FileNotFoundError:
        raise CockpitError(f"{where}: no plan there; name no file to make one") from None
    if size or modules:
        raise CockpitError(
            f"{where}: has a size and modules of its own; leave out --cockpit-batch-size and "
            "--cockpit-modules, or name no file"
        )
    if plan.header.base != base:
        raise CockpitError(
            f"{where}: made from {plan.header.base[:12]}, but HEAD is {base[:12]}; "
            "name no file to plan again"
        )
    again = make_plan(
        repository, chosen, size=plan.header.size, modules=plan.header.modules, base=base
    )
    if again.to_bytes() != plan.to_bytes():
        raise CockpitError(
            f"{where}: is not what is planned from this commit and configuration, or was edited "
            "by hand; name no file to plan again"
        )
    return plan


class BatchConductor(PublishingConductor):
    """Conducts one batch: moves, transaction, gates, seal."""

    def __init__(
        self,
        config: pytest.Config,
        repository: Repository,
        chosen: Config,
        plan: Plan,
        path: Path,
        lock: SessionLock,
    ) -> None:
        self.option = config.option
        self.repository = repository
        self.settings = chosen
        self.lock = lock
        self.take_up(plan)
        finishing = None
        if not (self.sealing.dry_run or config.option.collectonly):
            finishing = self.sealed_earlier()
        super().__init__(
            config,
            mode="batch",
            path=path,
            repository=repository,
            settings=chosen,
            subject=self.subject,
            lock=lock,
            sealing=self.sealing,
            work=self._work(),
            finishing=finishing,
        )
        self.header = self._header()

    def take_up(self, plan: Plan) -> None:
        """Make the plan what this session is about: what is judged, sealed and written down."""
        self.plan = plan
        self.batch = Batch(self.repository, self.settings, plan)
        self.staged: Staged | None = None
        self.subject = Subject(
            plan.header.batch_id, plan.header.base, plan.sha256, self.batch.moves, plan.gates
        )
        self.sealing = Sealing(
            self.repository,
            self.settings,
            self.subject,
            head=self.repository.branch(),
            dry_run=self.option.cockpit_dry_run,
            skip_push=self.option.cockpit_skip_pr,
            say=self.say,
        )

    def sealed_earlier(self) -> str | None:
        """The commit that an earlier session sealed of this plan, to be finished; or None.

        Raises
        ------
        CockpitError: what it moves waits on another branch to be merged.
        """
        commit = sealed_before(self.sealing, lambda: self._stage().commit)
        if commit is None:
            sources = [move.source for move in self.subject.moves]
            waiting(
                self.repository,
                self.settings.seal,
                self.settings.ledger,
                self.subject.base,
                sources,
            )
        return commit

    def _header(self) -> list[str]:
        lines = words.header(self.plan)
        lines += self._size()
        if self.plan.moves and not self.config.option.collectonly:
            lines.append(f"cockpit: {self.sealing.intent()}")
        dirty = len(uncommitted(self.repository, self.settings))
        if dirty:
            lines.append(
                f"cockpit: {words.count(dirty, 'uncommitted path')}, not part of the batch"
            )
        if self.finishing:
            lines.append("cockpit: this batch is already sealed; only what was left undone runs")
        return lines

    def _size(self) -> list[str]:
        """How many files the batches so far propose to take, where there were any."""
        if self.finishing or not self.plan.moves:
            return []
        proposed = history.proposal(self.repository, self.settings, self.batch.base)
        if not (proposed.trials or self.settings.batch.auto_size):
            return []
        return [f"cockpit: batch size {self.plan.header.size}; proposed: {proposed.why}"]

    def _work(self) -> list[Step]:
        steps = [
            Step(artifacts.printable(row.move.target), "move", partial(self._move, row))
            for row in self.plan.moves
        ]
        return [*steps, Step("transaction", "transaction", self._transaction)] if steps else []

    def _move(self, row: PlannedMove) -> Outcome:
        prepared = self.batch.prepare(row)
        return Outcome(Verdict.PASS, f"{len(prepared.edits)} edits; {row.because}")

    def _transaction(self) -> Outcome:
        return Outcome(Verdict.PASS, words.built(self.plan, self._stage()))

    def _stage(self) -> Staged:
        if self.staged is None:
            self.staged = self.batch.stage()
            self.lock.journal("staged", commit=self.staged.commit)
        return self.staged

    def build(self) -> Built:
        """The batch's tree as a commit."""
        staged = self._stage()
        return Built(staged.commit, staged.changed)

    def message(self) -> str:
        """The batch in words, verdicts in the trailers."""
        return commit_message(self.plan, self._stage(), self.reports)

    def circumstances(self) -> Circumstances:
        """The same, with what cannot move."""
        refused = {refusal.source: refusal.message for refusal in self.plan.refusals}
        return dataclasses.replace(super().circumstances(), refused=refused)

    def finish(self, exitstatus: int) -> None:
        """Write the batch's artifacts, then the record."""
        if self.config.option.collectonly:
            return
        # A session that only finishes has judged nothing: what the first one wrote stands.
        if not self.finishing:
            self._write_artifacts()
        super().finish(exitstatus)

    def _write_artifacts(self) -> None:
        folder = self.folder
        try:
            self.keep(folder / "promotion_batch.summary.json", self.summary(), "summary")
            self.keep(folder / "progress.json", self.progress(), "progress")
        except CockpitError as error:
            self.say(f"the batch's artifacts were not written: {error}")

    def page(self) -> tuple[str, str | None]:
        """The text of the pull request, from this session's numbers."""
        text = self.body(self.staged) if self.staged and not self.finishing else None
        return "promotion_pr_body.md", text

    def body(self, staged: Staged) -> str:
        """The text of the pull request."""
        return pull_request_body(self.plan, staged, self.reports, self.pages)

    def summary(self) -> dict[str, Any]:
        """The batch as data; see `schemas/summary.json`."""
        sealed = self.facts.get("sealed")
        staged = self.staged
        return {
            "schema": "pytest-cockpit/summary/1",
            "batch_id": self.plan.header.batch_id,
            "base": self.batch.base,
            "commit": sealed["commit"] if sealed else staged.commit if staged else None,
            "counts": dict(self.plan.header.counts),
            "sealed": sealed,
            **words.summary_of(self.plan, staged),
            "gates": [
                {
                    "name": name,
                    "verdict": report.verdict.value,
                    "summary": report.summary,
                    "findings": len(report.findings),
                }
                for name, report in self.reports.items()
            ],
        }

    def progress(self) -> dict[str, Any]:
        """Where the migration stands, counted from the plan and this session's seal."""
        counts = self.plan.header.counts
        sealed = self.staged if self.sealing.sealed else None
        promoted = counts["moves"] if sealed else 0
        return {
            "schema": "pytest-cockpit/progress/1",
            "base": self.batch.base,
            "lane_remaining": counts["lane"] - promoted,
            "movable": counts["movable"] - promoted,
            "refused": counts["refusals"],
            "shims": counts["shims"] + (len(sealed.shims) if sealed else 0),
            "promoted_in_batch": promoted,
        }

    def conclude(self, terminal: Any) -> None:
        """Show the plan, the refusals and where the batch is now."""
        write = terminal.write_line
        terminal.section(f"cockpit: batch {self.plan.header.batch_id}")
        looks = self.config.option.collectonly
        verbose = self.config.get_verbosity() > 0
        lines = words.plan_table(self.plan) if looks or verbose else []
        lines += words.refusals(self.plan, verbose=verbose)
        if not self.plan.moves:
            lines.append(words.nothing_to_move(self.plan))
        lines += [
            f"{row['name']}: {row['verdict']}: {row['summary']}"
            for row in self.rows
            if row["kind"] != "move" and row["summary"] and not _passed_over(row)
        ]
        if self.staged and not looks:
            lines += words.history(self.staged)
            lines += words.mentions(self.staged, verbose=verbose)
        for line in lines:
            write(line)
        if not looks:
            self._conclude_state(write)

    def _conclude_state(self, write: Any) -> None:
        for line in self.sealing.advice():
            write(line)
        if self.sealing.sealed:
            write(words.promoted(self.plan, self.facts["sealed"]))
        elif self.plan.moves:
            write(f"nothing was sealed; details: {self.relative(self.folder)}/gates/*.json")


def _passed_over(row: Mapping[str, Any]) -> bool:
    """Whether a step for the rest of a red batch was skipped: the batch was green."""
    return str(row["name"]).startswith("rest/") and row["verdict"] == Verdict.SKIP.value
