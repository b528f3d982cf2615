"""`--cockpit-burst`: several batches on top of each other, judged whole at every checkpoint."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pytest_cockpit import discovery
from pytest_cockpit.analysis.layout import Layout
from pytest_cockpit.analysis.shim import is_shim
from pytest_cockpit.api import CockpitError, Report, Verdict
from pytest_cockpit.config import Config
from pytest_cockpit.git import Repository
from pytest_cockpit.items import Outcome, Step, Steps
from pytest_cockpit.promotion import figures
from pytest_cockpit.promotion.batch import Batch, Staged
from pytest_cockpit.promotion.burst import Checkpoint, Done, Progress
from pytest_cockpit.promotion.message import burst_body, commit_message
from pytest_cockpit.promotion.remedies.ground import Circumstances
from pytest_cockpit.promotion.selector import make_plan
from pytest_cockpit.promotion.transaction import recommit
from pytest_cockpit.records import artifacts
from pytest_cockpit.records.markdown import code, plain
from pytest_cockpit.sessions import beginning, cadence, dashboard, gating, letters, words
from pytest_cockpit.sessions.conductor import Conductor
from pytest_cockpit.sessions.lock import SessionLock
from pytest_cockpit.sessions.opening import Opened, opened
from pytest_cockpit.sessions.sealing import Sealing, Subject, waiting

PLAN = "burst.plan.jsonl"
STATE = "burst_checkpoint.json"


def conduct(config: pytest.Config) -> BurstConductor:
    """Forecast the batches, write the plan file and return the session's plugin object."""
    return opened(config, _conduct)


def _conduct(session: Opened) -> BurstConductor:
    config, repository, chosen = session.config, session.repository, session.settings
    progress = beginning.progress(config, repository, chosen, session.folder / STATE, session.base)
    looks = config.option.cockpit_checkpoint_only
    left = [] if looks else beginning.left(repository, chosen, progress)
    if not (session.only_looks or config.option.cockpit_resume):
        sources = [source for batch in left for source in batch]
        waiting(repository, chosen.seal, chosen.ledger, session.base, sources)
    path = session.folder / PLAN
    artifacts.write_bytes(path, beginning.plan(progress, left, chosen))
    session.collect(path, progress.burst_id, progress.base)
    return BurstConductor(config, repository, chosen, progress, left, path, session.lock)


@dataclass(slots=True)
class _Group:
    """One batch of the session, worked out when its turn comes."""

    number: int
    sources: tuple[str, ...]
    checks: bool
    batch: Batch | None = None
    staged: Staged | None = None
    commit: str | None = None
    reports: dict[str, Report] = field(default_factory=dict)


class BurstConductor(Conductor):
    """Conducts a burst: batches, checkpoints, and one seal for all that is green."""

    def __init__(
        self,
        config: pytest.Config,
        repository: Repository,
        chosen: Config,
        progress: Progress,
        left: Sequence[tuple[str, ...]],
        path: Path,
        lock: SessionLock,
    ) -> None:
        self.repository = repository
        self.settings = chosen
        self.progress = progress
        self.start = progress.head
        self.lock = lock
        self.bench = gating.Bench.of(repository, chosen)
        self.layout = Layout(chosen.lane)
        self.gates = tuple((name, chosen.skip(name)) for name in chosen.gates)
        self.only_checks = config.option.cockpit_checkpoint_only
        self.groups = list(self._grouped(left))
        subject = Subject(f"burst-{progress.burst_id}", progress.base, "", (), self.gates)
        self.sealing = Sealing(
            repository,
            chosen,
            subject,
            head=repository.branch(),
            dry_run=config.option.cockpit_dry_run,
            skip_push=config.option.cockpit_skip_pr,
            say=self.say,
        )
        super().__init__(
            config,
            mode="burst",
            root=repository.root,
            folder=path.parent,
            steps=Steps(path, list(self._steps())),
            halts=True,
            header=self._header(),
        )
        self.written.append(path)
        self.facts = {"base": progress.base, "batch_id": progress.burst_id}

    def _grouped(self, left: Sequence[tuple[str, ...]]) -> Iterator[_Group]:
        """The batches, every so many files and the last one with a checkpoint."""
        since, done = 0, len(self.progress.batches)
        for index, sources in enumerate(left):
            since += len(sources)
            checks = since >= self.progress.options.checkpoint_every or index == len(left) - 1
            yield _Group(done + index + 1, sources, checks)
            since = 0 if checks else since

    def _header(self) -> list[str]:
        progress, planned = self.progress, sum(len(group.sources) for group in self.groups)
        checks = words.count(sum(group.checks for group in self.groups), "checkpoint")
        done = f"{progress.files} of {progress.options.target} files done, {planned} planned"
        most = f"never more than {progress.options.max_batches} in all"
        lines = [
            f"cockpit: burst {progress.burst_id} from {progress.base[:12]}: {done}",
            f"cockpit: batches {len(self.groups)}, {most}; {checks}",
        ]
        if planned:
            lines.append(f"cockpit: {self.sealing.intent()}")
        return lines

    def _steps(self) -> Iterator[Step]:
        installed = discovery.gates()
        names = [name for name, _ in self.gates]
        quick = [name for name in names if name not in self.settings.burst.checkpoint_only]
        if self.only_checks:
            yield from gating.steps(names, installed, self._check)
            return
        number = len(self.progress.checkpoints)
        for group in self.groups:
            yield from self._moving(group)
            number += group.checks
            prefix = f"checkpoint-{number}" if group.checks else f"batch-{group.number}"
            judge = partial(self._judge, group)
            for step in gating.steps(names if group.checks else quick, installed, judge):
                yield dataclasses.replace(step, name=f"{prefix}/{step.name}")
            if group.checks:
                yield Step(f"{prefix}/keep", "seal", partial(self._keep, group, number))
            else:
                yield Step(f"{prefix}/commit", "commit", partial(self._commit, group))
        if self.groups or self.progress.checkpoints:
            yield Step("seal", "seal", self._seal)

    def _moving(self, group: _Group) -> Iterator[Step]:
        prefix = f"batch-{group.number}"
        yield Step(f"{prefix}/plan", "plan", partial(self._replan, group))
        for source in group.sources:
            target = artifacts.printable(self.layout.target_of(source))
            yield Step(target, "move", partial(self._move, group, source))
        yield Step(f"{prefix}/transaction", "transaction", partial(self._transaction, group))

    def _base(self, group: _Group) -> str:
        """The commit that the group is built on."""
        index = self.groups.index(group)
        if not index:
            return self.start
        before = self.groups[index - 1]
        return before.commit or self._stage(before).commit

    def _batch(self, group: _Group) -> Batch:
        """The group's batch, planned on top of the one before."""
        if group.batch is None:
            plan = make_plan(
                self.repository,
                self.settings,
                size=len(group.sources),
                modules=self.progress.options.modules,
                base=self._base(group),
                only=group.sources,
            )
            path = self.folder / f"burst.batch-{group.number}.plan.jsonl"
            self.keep_bytes(path, plan.to_bytes())
            self.config.hook.pytest_cockpit_planned(config=self.config, plan=plan)
            group.batch = Batch(self.repository, self.settings, plan)
        return group.batch

    def _replan(self, group: _Group) -> Outcome:
        plan = self._batch(group).plan
        lost = sorted(set(group.sources) - {row.move.source for row in plan.moves})
        if lost:
            reasons = {refusal.source: refusal.message for refusal in plan.refusals}
            why = reasons.get(artifacts.printable(lost[0]), "what it needs does not fit any more")
            return Outcome(
                Verdict.FAIL,
                f"{words.count(len(lost), 'file')} cannot move on top of the batches before, "
                f"{artifacts.printable(lost[0])} among them: {why}",
            )
        head = plan.header
        return Outcome(
            Verdict.PASS,
            f"batch {head.batch_id}: {words.count(len(plan.moves), 'move')} on {head.base[:12]}",
        )

    def _move(self, group: _Group, source: str) -> Outcome:
        batch = self._batch(group)
        row = next((row for row in batch.plan.moves if row.move.source == source), None)
        if row is None:
            raise CockpitError(f"{artifacts.printable(source)}: is not in the plan of its batch")
        return Outcome(Verdict.PASS, f"{len(batch.prepare(row).edits)} edits; {row.because}")

    def _stage(self, group: _Group) -> Staged:
        if group.staged is None:
            group.staged = self._batch(group).stage()
            self.lock.journal("staged", commit=group.staged.commit)
        return group.staged

    def _transaction(self, group: _Group) -> Outcome:
        return Outcome(Verdict.PASS, words.built(self._batch(group).plan, self._stage(group)))

    def _judge(self, group: _Group, name: str) -> Outcome:
        """A gate over the group alone, or over all since the last checkpoint."""
        together = self._since_checkpoint(group) if group.checks else [group]
        base, commit = self._base(together[0]), self._stage(group).commit
        header = self._batch(group).plan.header
        alone = len(together) == 1
        report, outcome = self.bench.judge(
            self,
            name,
            base=base,
            commit=commit,
            moves=tuple(move for item in together for move in self._batch(item).moves),
            changed=_there(self.repository, base, commit),
            batch_id=header.batch_id if alone else None,
            plan_sha256=self._batch(group).plan.sha256 if alone else None,
        )
        group.reports[name] = report
        self.lock.journal("gate", gate=name, verdict=report.verdict.value)
        return outcome

    def _check(self, name: str) -> Outcome:
        """A gate over the burst as far as it came, or over HEAD."""
        base, commit = self.progress.base, self.progress.head
        changed = _there(self.repository, base, commit)
        return self.bench.judge(self, name, base=base, commit=commit, changed=changed)[1]

    def _since_checkpoint(self, group: _Group) -> list[_Group]:
        index = self.groups.index(group)
        start = index
        while start and not self.groups[start - 1].checks:
            start -= 1
        return self.groups[start : index + 1]

    def _commit(self, group: _Group) -> Outcome:
        staged, batch = self._stage(group), self._batch(group)
        message = commit_message(batch.plan, staged, group.reports)
        message = cadence.signed(self.config, message)
        group.commit = recommit(self.repository, staged.commit, message=message)
        return Outcome(Verdict.PASS, f"batch {batch.plan.header.batch_id} is {group.commit[:12]}")

    def _keep(self, group: _Group, number: int) -> Outcome:
        """Let the burst's branch and record vouch for all up to this group."""
        for name, skip in self.gates:
            report = group.reports.get(name)
            if not skip and (report is None or not report.verdict.opens):
                state = report.verdict.value if report else "not run"
                return Outcome(Verdict.FAIL, f"gate {name} is {state}: nothing was kept")
        if all(skip for _, skip in self.gates):
            return Outcome(Verdict.UNKNOWN, "no gate was planned: nothing judged these batches")
        self._commit(group)
        if self.sealing.dry_run:
            return Outcome(Verdict.SKIP, "dry run: all green, nothing was kept")
        before = self.progress.head if self.progress.checkpoints else ""
        commit = str(group.commit)
        self.progress = self._advanced(group, number)
        self.lock.journal("sealing", commit=commit, branch=self.progress.branch)
        # The record first: a branch that is behind it is what a killed session leaves.
        self.keep_progress()
        self.repository.update_ref(
            self.progress.branch, commit, before or "0" * len(commit), "cockpit: checkpoint"
        )
        self.facts["sealed"] = {"branch": self.progress.branch, "commit": commit}
        name = self.progress.branch.removeprefix("refs/heads/")
        return Outcome(Verdict.PASS, f"{self.progress.files} files green: {name} is {commit[:12]}")

    def _advanced(self, group: _Group, number: int) -> Progress:
        """The progress with this checkpoint and its batches."""
        together = self._since_checkpoint(group)
        done = tuple(
            Done(
                item.number,
                self._batch(item).plan.header.batch_id,
                self._batch(item).plan.sha256,
                str(item.commit),
                len(item.sources),
            )
            for item in together
        )
        files = self.progress.files + sum(item.files for item in done)
        checkpoint = Checkpoint(
            number,
            str(group.commit),
            files,
            {name: report.verdict.value for name, report in sorted(group.reports.items())},
            {name: report.summary for name, report in sorted(group.reports.items())},
            figures.at(
                group.reports, self.folder, self._stage(group).commit, self.progress.lane - files
            ),
        )
        return dataclasses.replace(
            self.progress,
            batches=(*self.progress.batches, *done),
            checkpoints=(*self.progress.checkpoints, checkpoint),
        )

    def keep_progress(self) -> None:
        """Write the burst's record, flushed to the disk."""
        self.keep(self.folder / STATE, self.progress.to_json(), "burst_checkpoint")

    def _seal(self) -> Outcome:
        if self.sealing.dry_run:
            return Outcome(Verdict.SKIP, "dry run: all green, nothing was sealed")
        try:
            lines = self.sealing.seal(self.progress.head, self._letter)
        finally:
            self.facts["pull_request"] = self.sealing.facts()
        self.progress = dataclasses.replace(self.progress, state="sealed")
        self.facts["sealed"] = {"branch": self.sealing.branch, "commit": self.progress.head}
        self.lock.journal("sealed", commit=self.progress.head, branch=self.sealing.branch)
        self.config.hook.pytest_cockpit_sealed(
            config=self.config,
            batch_id=self.sealing.subject.batch_id,
            branch=self.sealing.branch,
            commit=self.progress.head,
        )
        return Outcome(Verdict.PASS, "; ".join(lines))

    def circumstances(self) -> Circumstances:
        """The commit that this session went on from, and what it has moved."""
        moved = [move for group in self.groups if group.batch for move in group.batch.moves]
        return Circumstances(
            self.repository,
            self.settings,
            base=self.start,
            moves=tuple(moved),
            batch_id=self.progress.burst_id,
        )

    def _letter(self, failure: str = "") -> letters.Letter:
        rest = f"`{self.relative(self.folder)}/burst_pr_body.md`"
        return letters.of_burst(self.progress, self.pages, rest, failure)

    def finish(self, exitstatus: int) -> None:
        """Write what came of the burst, publish what a halted one keeps, then the record."""
        if self.config.option.collectonly:
            return
        if self.progress.checkpoints and not (self.sealing.dry_run or self.only_checks):
            if self.progress.state != "sealed":
                self.progress = dataclasses.replace(self.progress, state="halted")
            try:
                self._write_artifacts()
            except CockpitError as error:
                self.say(f"the burst's artifacts were not written: {error}")
            self._publish_part()
        page = dashboard.page(self.sealing, self.written)
        super().finish(exitstatus)
        for line in dashboard.below(self.sealing, page):
            self.say(line)
        self.lock.ended(exitstatus)

    def _write_artifacts(self) -> None:
        self.keep_progress()
        self.keep(self.folder / "progress.json", self.standing(), "progress")
        body = burst_body(self.progress, self.pages)
        self.keep_bytes(self.folder / "burst_pr_body.md", body.encode())

    def _publish_part(self) -> None:
        """Show the others what is kept, and what stopped the rest.

        Not when somebody cut the session off, nor when publishing itself has failed.
        """
        red = [row for row in self.rows if row["outcome"] == "failed"]
        if self.progress.state == "sealed" or not red or red[-1]["name"] == "seal":
            return
        why = f"**Halted** at {code(red[-1]['name'])}: {plain(red[-1]['summary'])}"
        for line in self.sealing.partial(self.progress.head, partial(self._letter, why)):
            self.say(line)
        self.facts["pull_request"] = self.sealing.facts()

    def standing(self) -> dict[str, Any]:
        """Where the migration stands: what is sealed counts, as after a batch."""
        progress = self.progress
        sealed = progress.state == "sealed"
        commit = progress.head if sealed else progress.base
        return {
            "schema": "pytest-cockpit/progress/1",
            "base": progress.base,
            "batch_id": progress.batches[-1].batch_id if sealed else None,
            "lane_remaining": progress.lane - (progress.files if sealed else 0),
            "shims": _shims(self.repository, commit, self.settings.lane.path),
            "promoted_in_batch": progress.batches[-1].files if sealed else 0,
            "promoted_in_burst": progress.files if sealed else 0,
        }

    def pytest_unconfigure(self) -> None:
        """Let the next session in."""
        self.lock.release()

    def conclude(self, terminal: Any) -> None:
        """Show batches, gates and checkpoints, and what is left to do."""
        write, progress = terminal.write_line, self.progress
        terminal.section(f"cockpit: burst {progress.burst_id}")
        for row in self.rows:
            if row["kind"] != "move" and row["summary"]:
                write(f"{row['name']}: {row['verdict']}: {row['summary']}")
        if self.config.option.collectonly or self.sealing.dry_run or self.only_checks:
            return
        for line in self.sealing.advice():
            write(line)
        if progress.checkpoints:
            write(figures.line(progress.checkpoints, progress.lane))
        name = progress.branch.removeprefix("refs/heads/")
        if progress.state == "sealed":
            write(f"{words.count(progress.files, 'file')} promoted: {name} is {progress.head[:12]}")
        elif progress.checkpoints:
            write(
                f"{words.count(progress.files, 'file')} kept on {name}; go on with --cockpit-burst "
                f"--cockpit-resume, or seal what there is: add --cockpit-target {progress.files}"
            )
        elif self.groups:
            write("nothing was kept")


def _shims(repository: Repository, commit: str, lane: str) -> int:
    files = (entry for entry in repository.entries(commit, lane) if entry.path.endswith(".py"))
    read = repository.blobs([entry.oid for entry in files if entry.kind == "blob"])
    return sum(content is not None and is_shim(content) for _, content in read)


def _there(repository: Repository, base: str, commit: str) -> tuple[str, ...]:
    """Paths that `commit` has and `base` has not, or has otherwise."""
    changes = repository.changes(base, commit)
    return tuple(sorted(path for path, (_, after) in changes.items() if after is not None))
