"""What sessions that end in a seal have in common: gates over a staged commit, then the seal."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from pytest_cockpit import discovery
from pytest_cockpit.api import CockpitError, Report, Verdict
from pytest_cockpit.config import Config
from pytest_cockpit.git import Repository
from pytest_cockpit.items import Outcome, Step, Steps
from pytest_cockpit.promotion.remedies.ground import Circumstances
from pytest_cockpit.promotion.transaction import recommit
from pytest_cockpit.sessions import cadence, dashboard, gating, letters
from pytest_cockpit.sessions.conductor import Conductor
from pytest_cockpit.sessions.lock import SessionLock
from pytest_cockpit.sessions.sealing import Sealing, Subject


@dataclass(frozen=True, slots=True)
class Built:
    """A commit under the private ref, and the paths in which it differs from its base."""

    commit: str
    changed: tuple[str, ...]


class PublishingConductor(Conductor):
    """Judges one staged commit by the planned gates and seals it when all of them are green.

    Parameters
    ----------
    work: the steps that make the commit; with none of them there is nothing to judge.
    finishing: the commit that an earlier session sealed of this very subject; only what that
        session left undone is done.
    """

    def __init__(
        self,
        config: pytest.Config,
        *,
        mode: str,
        path: Path,
        repository: Repository,
        settings: Config,
        subject: Subject,
        lock: SessionLock,
        sealing: Sealing,
        work: Sequence[Step],
        finishing: str | None,
    ) -> None:
        self.repository = repository
        self.settings = settings
        self.subject = subject
        self.lock = lock
        self.sealing = sealing
        self.finishing = finishing
        self.bench = gating.Bench.of(repository, settings)
        self.reports: dict[str, Report] = {}
        super().__init__(
            config,
            mode=mode,
            root=repository.root,
            folder=path.parent,
            steps=Steps(path, self._steps(work)),
            halts=True,
        )
        self.written.append(path)
        self.facts = {
            "base": subject.base,
            "batch_id": subject.batch_id,
            "plan_sha256": subject.plan_sha256,
        }

    @abc.abstractmethod
    def build(self) -> Built:
        """The commit under judgement, made when it is first asked for."""

    def circumstances(self) -> Circumstances:
        """The commit that the session works on, and what it moves."""
        subject = self.subject
        return Circumstances(
            self.repository,
            self.settings,
            base=subject.base,
            moves=subject.moves,
            batch_id=subject.batch_id,
        )

    @abc.abstractmethod
    def message(self) -> str:
        """The message it is sealed under, verdicts in its trailers."""

    def _steps(self, work: Sequence[Step]) -> list[Step]:
        if self.finishing:
            return [Step("seal", "seal", partial(self._publish, self.finishing))]
        if not work:
            return []
        names = [name for name, _ in self.subject.gates]
        gates = gating.steps(names, discovery.gates(), self.judge)
        return [*work, *gates, Step("seal", "seal", self.seal)]

    def judge(self, name: str, keep: gating.Keep | None = None) -> Outcome:
        """Run one gate over the commit, and remember what it said; `keep` keeps its report."""
        built = self.build()
        report, outcome = self.bench.judge(
            self,
            name,
            keep=keep,
            base=self.subject.base,
            commit=built.commit,
            moves=self.subject.moves,
            changed=built.changed,
            batch_id=self.subject.batch_id,
            plan_sha256=self.subject.plan_sha256,
        )
        self.reports[name] = report
        self.lock.journal("gate", gate=name, verdict=report.verdict.value)
        return outcome

    def seal(self) -> Outcome:
        """Publish the commit, if every planned gate opens it."""
        planned = [name for name, skip in self.subject.gates if not skip]
        for name in planned:
            report = self.reports.get(name)
            if report is None or not report.verdict.opens:
                state = report.verdict.value if report else "not run"
                return Outcome(Verdict.FAIL, f"gate {name} is {state}: nothing was sealed")
        if not planned:
            return Outcome(Verdict.UNKNOWN, "no gate was planned: nothing judged this batch")
        if self.sealing.dry_run:
            return Outcome(Verdict.SKIP, "dry run: all green, nothing was sealed")
        message = cadence.signed(self.config, self.message())
        commit = recommit(self.repository, self.build().commit, message=message)
        return self._publish(commit)

    def _publish(self, commit: str) -> Outcome:
        self.lock.journal("sealing", commit=commit, branch=self.sealing.branch)
        try:
            lines = self.sealing.seal(commit, partial(self._letter, commit))
        finally:
            self.facts["pull_request"] = self.sealing.facts()
            if self.sealing.sealed:
                self.facts["sealed"] = {"branch": self.sealing.branch, "commit": commit}
                self.lock.journal("sealed", commit=commit, branch=self.sealing.branch)
        self.config.hook.pytest_cockpit_sealed(
            config=self.config,
            batch_id=self.subject.batch_id,
            branch=self.sealing.branch,
            commit=commit,
        )
        return Outcome(Verdict.PASS, "; ".join(lines))

    def page(self) -> tuple[str, str | None]:
        """Name of the artifact that the pull request shows, and its text in Markdown.

        The text is None where this session has only finished what an earlier one sealed.
        """
        return f"promotion_{self.mode}_pr_body.md", None

    def _letter(self, commit: str) -> letters.Letter:
        name, text = self.page()
        return letters.of_commit(self.repository, commit, self.reports, text, self.folder / name)

    def finish(self, exitstatus: int) -> None:
        """Write the pull request's text and the record; show the dashboard."""
        name, text = self.page()
        if text is not None and self.sealing.sealed:
            try:
                self.keep_bytes(self.folder / name, text.encode())
            except CockpitError as error:
                self.say(f"the pull request's text was not written: {error}")
        page = dashboard.page(self.sealing, self.written)
        super().finish(exitstatus)
        for line in dashboard.below(self.sealing, page):
            self.say(line)
        self.lock.ended(exitstatus)

    def pytest_unconfigure(self) -> None:
        """Let the next session in."""
        self.lock.release()
