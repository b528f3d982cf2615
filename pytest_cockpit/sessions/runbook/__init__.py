"""`--cockpit-runbook`: every phase from checkpoint to production freeze, one commit each."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import takewhile
from typing import Any

import pytest

from pytest_cockpit import discovery
from pytest_cockpit.api import CockpitError, Context, Report, Verdict
from pytest_cockpit.git import Repository
from pytest_cockpit.items import Outcome, Step, Steps
from pytest_cockpit.phases import Place, Result, clock
from pytest_cockpit.records.text import one_line
from pytest_cockpit.sessions import changing, gating, words
from pytest_cockpit.sessions.conductor import Conductor
from pytest_cockpit.sessions.lock import SessionLock
from pytest_cockpit.sessions.runbook import chain, page, sealing
from pytest_cockpit.sessions.runbook.beginning import Begun, begin
from pytest_cockpit.sessions.runbook.chain import Done
from pytest_cockpit.sessions.runbook.phases import AFTER, BEFORE, PHASES, PRODUCTION, Course, Phase
from pytest_cockpit.sessions.runbook.report import JSON, MARKDOWN, document, kept
from pytest_cockpit.sessions.runbook.watch import Watch
from pytest_cockpit.sessions.settings import freezing_gates, uncommitted

_GO_ON = (
    "if nothing has to be committed go on with --cockpit-runbook --cockpit-resume; after a commit "
    "begin anew without it"
)
_DETACHED = "HEAD is detached: the branch and the tags are made, the checkout stays"


def conduct(config: pytest.Config) -> RunbookConductor:
    """Plan the phases that are still to come."""
    repository = Repository.discover(config.invocation_params.dir)
    lock = SessionLock(repository.common_dir)
    if not config.option.collectonly:
        lock.acquire("runbook")
    try:
        return RunbookConductor(begin(config, repository, lock))
    except BaseException:
        lock.release()
        raise


class RunbookConductor(Conductor):
    """Conducts a runbook: each phase is committed on a private ref, the seal publishes them."""

    def __init__(self, begun: Begun) -> None:
        self.repository = begun.repository
        self.settings = begun.settings
        self.lock = begun.lock
        self.identity = begun.identity
        self.done = list(begun.done)
        self.dry_run = bool(begun.config.option.cockpit_dry_run)
        self.bench = gating.Bench.of(begun.repository, begun.settings)
        self.reports: dict[str, Report] = {}
        # What each check of a green checkpoint said, which pytest shows of a red one alone.
        self.checks: dict[str, Sequence[str]] = {}
        self.sealed: sealing.Sealed | None = None
        names = freezing_gates(begun.settings)
        self.gates = tuple((name, begun.settings.skip(name)) for name in names)
        super().__init__(
            begun.config,
            mode="runbook",
            root=begun.repository.root,
            folder=begun.path.parent,
            steps=Steps(begun.path, list(self._steps())),
            halts=True,
            header=begun.header,
        )
        self.header += self._header()
        self.facts = {"base": self.identity.base, "batch_id": self.identity.runbook_id}
        self.write_plan()

    def _header(self) -> list[str]:
        done, all_in_all = len(self.done), len(PHASES)
        identity = self.identity
        lines = [
            f"cockpit: runbook {identity.runbook_id} from {identity.base[:12]}: {done} of "
            f"{all_in_all} phases done" + (f", the last {self.done[-1].phase}" if done else ""),
            f"cockpit: tags {identity.baseline_tag} and {identity.tag}; "
            + ("dry run: nothing will be sealed" if self.dry_run else "nothing is pushed"),
        ]
        if self.repository.branch() is None:
            lines.append(f"cockpit: {_DETACHED}")
        dirty = len(uncommitted(self.repository, self.settings))
        if dirty:
            lines.append(f"cockpit: {words.count(dirty, 'uncommitted path')}, not part of it")
        return lines

    def _steps(self) -> Iterator[Step]:
        names = [name for name, _ in self.gates]
        gates = gating.steps(names, discovery.gates(), self._judge)
        left = PHASES[len(self.done) :]
        for phase in left:
            if phase.gated:
                yield from gates
            yield Step(phase.name, "phase", partial(self._phase, phase))
        if not any(phase.gated for phase in left):
            # What gates said in an earlier session seals nothing.
            yield from gates
        yield Step("seal", "seal", self._seal)

    @property
    def head(self) -> str:
        """The commit of the last phase that has ended."""
        return self.done[-1].commit if self.done else self.identity.base

    @property
    def judged(self) -> str:
        """The commit that the gates judge: what is frozen, or was frozen by an earlier session."""
        before = list(takewhile(lambda one: one.phase != PRODUCTION, self.done))
        return before[-1].commit if before else self.identity.base

    def _phase(self, phase: Phase) -> Outcome:
        """Run a phase over the commit of the one before, and commit what it wants written."""
        self._demand_turn(phase)
        place = Place(self.repository, self.settings, self.head, self.head, clock(), self.live)
        course = Course(self.identity, self._run_gate, tuple(self.done), self._gates())
        watch = Watch()
        result = phase.run(place, course)
        for name, (data, schema) in result.artifacts.items():
            self.keep(self.folder / name, data, schema)
        verdict = phase.verdict(result)
        if phase.name in (BEFORE, AFTER) and verdict in (Verdict.PASS, Verdict.SKIP):
            self.checks[phase.name] = result.text.splitlines()[1:]
        if not (verdict.opens or verdict is Verdict.SKIP):
            return Outcome(verdict, result.summary, result.text)
        if phase.gated and not self._open():
            return Outcome(Verdict.FAIL, "a gate has not judged the tree: nothing was frozen")
        self._commit(phase, place, result, verdict, watch)
        return Outcome(verdict, result.summary, result.text)

    def _demand_turn(self, phase: Phase) -> None:
        """Let no phase run before those that it builds on."""
        expected = PHASES[len(self.done)]
        if phase is not expected:
            raise CockpitError(f"{phase.name}: is built on {expected.name}, which did not run")

    def _commit(
        self,
        phase: Phase,
        place: Place,
        result: Result,
        verdict: Verdict,
        watch: Watch,
    ) -> None:
        """Put the phase on the private ref: from here on a resumed session begins after it."""
        gates = self._gates() if phase.gated else {}
        # As a resumed session reads it: both compute the same report.
        said = (phase.name, verdict, one_line(result.summary), place.at())
        done = Done(*said, *watch.spent(), dict(result.facts), gates)
        message = chain.message(self.identity, done)
        commit = changing.commit(place, result.changes, message=message, ref=chain.REF)
        self.done.append(dataclasses.replace(done, commit=commit))
        self.lock.journal("phase", phase=phase.name, commit=commit)

    def _run_gate(self, name: str, context: Context) -> Report:
        return gating.judge(self, name, context, self.settings)

    def _judge(self, name: str) -> Outcome:
        """Run one gate over the tree that is about to be frozen, or was."""
        base, commit = self.identity.base, self.judged
        changes = self.repository.changes(base, commit)
        report, outcome = self.bench.judge(
            self,
            name,
            base=base,
            commit=commit,
            changed=tuple(sorted(path for path, (_, after) in changes.items() if after)),
        )
        self.reports[name] = report
        self.lock.journal("gate", gate=name, verdict=report.verdict.value)
        return outcome

    def _gates(self) -> dict[str, Verdict]:
        """What each gate came to, those declared not applicable included."""
        skipped = {name: Verdict.SKIP for name, skip in self.gates if skip}
        return {name: report.verdict for name, report in self.reports.items()} | skipped

    def _open(self) -> bool:
        """Whether every planned gate has opened in this session."""
        found = self._gates()
        return all(skip or (name in found and found[name].opens) for name, skip in self.gates)

    def _seal(self) -> Outcome:
        if len(self.done) < len(PHASES):
            missing = PHASES[len(self.done)].name
            return Outcome(Verdict.FAIL, f"{missing} has not run: nothing was sealed")
        if not self._open():
            return Outcome(Verdict.FAIL, "a gate is not green in this session: nothing was sealed")
        if self.dry_run:
            return Outcome(Verdict.SKIP, "dry run: all green, nothing was sealed")
        self.lock.journal("sealing", commit=self.head)
        self.sealed = sealing.seal(self.repository, self.settings, self.identity, self.done)
        self.facts["sealed"] = {"branch": self.sealed.branch, "commit": self.head}
        self.lock.journal("sealed", commit=self.head, branch=self.sealed.branch)
        self.config.hook.pytest_cockpit_sealed(
            config=self.config,
            batch_id=self.identity.runbook_id,
            branch=self.sealed.branch,
            commit=self.head,
        )
        return Outcome(Verdict.PASS, "; ".join(self.sealed.lines))

    def finish(self, exitstatus: int) -> None:
        """Write the report, then the record."""
        if self.config.option.collectonly:
            return
        try:
            data = self.report()
            self.keep(self.folder / JSON, data, "runbook_report")
            self.keep_bytes(self.folder / MARKDOWN, page.of(data).encode())
        except CockpitError as error:
            self.say(f"the runbook's report was not written: {error}")
        super().finish(exitstatus)
        self.lock.ended(exitstatus)

    def report(self) -> dict[str, Any]:
        """The report as far as the runbook came."""
        ground = self.repository, self.settings
        return kept(*ground, self.done) or document(*ground, self.identity, self.done)

    def pytest_unconfigure(self) -> None:
        """Let the next session in."""
        self.lock.release()

    def conclude(self, terminal: Any) -> None:
        """What each phase came to, where everything is now, and what is left to do."""
        if self.config.option.collectonly:
            return
        terminal.section(f"cockpit: runbook {self.identity.runbook_id}")
        ran = {row["name"] for row in self.rows}
        told = [(one.phase, one.verdict, one.summary) for one in self.done if one.phase not in ran]
        told += [(row["name"], row["verdict"], row["summary"]) for row in self.rows]
        for name, verdict, summary in told:
            terminal.write_line(f"{name}: {verdict}: {summary}")
            if self.config.option.verbose > 0:
                for line in self.checks.get(name, ()):
                    terminal.write_line(line)
        for line in self._state():
            terminal.write_line(line)

    def _state(self) -> Sequence[str]:
        if self.sealed is not None:
            return self.sealed.advice
        if len(self.done) == len(PHASES) and self._open():
            return ["all is green; seal it with --cockpit-runbook --cockpit-resume"]
        if not self.done:
            return ["nothing was kept"]
        kept_so_far = words.count(len(self.done), "phase")
        return [
            f"{kept_so_far} kept; {_GO_ON}",
            "HEAD, index and work tree are as they were",
        ]
