"""`--cockpit-rollback BATCH-ID`: a merged batch undone, judged like one that is promoted."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pytest_cockpit.analysis.layout import Layout
from pytest_cockpit.api import Move, Verdict
from pytest_cockpit.config import Config
from pytest_cockpit.items import Outcome, Step
from pytest_cockpit.promotion import importing, sealed
from pytest_cockpit.promotion.rollback import Restored, Rollback, commit_message
from pytest_cockpit.promotion.rollback_body import HOW, rollback_body
from pytest_cockpit.records import artifacts, baselines
from pytest_cockpit.sessions import words
from pytest_cockpit.sessions.lock import SessionLock
from pytest_cockpit.sessions.opening import Opened, opened
from pytest_cockpit.sessions.publishing import Built, PublishingConductor
from pytest_cockpit.sessions.sealing import Sealing, Subject, sealed_before

PLAN = "promotion_rollback.plan.jsonl"


def conduct(config: pytest.Config) -> RollbackConductor:
    """Work out what is put back, write the plan file and return the session's plugin object."""
    return opened(config, _conduct)


def _conduct(session: Opened) -> RollbackConductor:
    config, repository, chosen = session.config, session.repository, session.settings
    batch = sealed.find(repository, session.base, chosen.ledger, config.option.cockpit_rollback)
    rollback = Rollback(repository, chosen, session.base, batch)
    path = session.folder / PLAN
    plan = rollback.to_bytes([(name, chosen.skip(name)) for name in chosen.gates])
    artifacts.write_bytes(path, plan)
    session.collect(path, rollback.batch_id, session.base)
    digest = artifacts.sha256(plan)
    return RollbackConductor(config, chosen, rollback, path, session.lock, digest)


class RollbackConductor(PublishingConductor):
    """Conducts one rollback: restorations, transaction, old names, gates, seal."""

    def __init__(
        self,
        config: pytest.Config,
        chosen: Config,
        rollback: Rollback,
        path: Path,
        lock: SessionLock,
        plan_sha256: str,
    ) -> None:
        self.rollback = rollback
        self.lock = lock
        self._built: Built | None = None
        repository = rollback.repository
        subject = Subject(
            batch_id=rollback.batch_id,
            base=rollback.base,
            plan_sha256=plan_sha256,
            moves=rollback.moves,
            gates=tuple((name, chosen.skip(name)) for name in chosen.gates),
        )
        sealing = Sealing(
            repository,
            chosen,
            subject,
            head=repository.branch(),
            dry_run=config.option.cockpit_dry_run,
            skip_push=config.option.cockpit_skip_pr,
            say=self.say,
        )
        finishing = None
        if not (sealing.dry_run or config.option.collectonly or rollback.refusals):
            finishing = sealed_before(sealing, lambda: self.build().commit)
        super().__init__(
            config,
            mode="rollback",
            path=path,
            repository=repository,
            settings=chosen,
            subject=subject,
            lock=lock,
            sealing=sealing,
            work=self._work(),
            finishing=finishing,
        )
        batch = rollback.sealed
        back = words.count(len(rollback.restorations), "path")
        refused = words.count(len(rollback.refusals), "refusal")
        self.header = [
            f"cockpit: rollback of batch {batch.batch_id}, sealed as {batch.commit[:12]}",
            f"cockpit: {back} put back, {refused}",
        ]
        if not config.option.collectonly:
            self.header.append(f"cockpit: {sealing.intent()}")

    def _work(self) -> list[Step]:
        steps = [Step("plan", "plan", self._refuse)] if self.rollback.refusals else []
        steps += [
            Step(artifacts.printable(item.path), "move", partial(self._restore, item))
            for item in self.rollback.restorations
        ]
        steps.append(Step("transaction", "transaction", self._transaction))
        return [*steps, Step("names", "names", self._names)]

    def _refuse(self) -> Outcome:
        lines = [
            f"  {artifacts.printable(item.source)}: {item.message} [{item.rule}]"
            for item in self.rollback.refusals
        ]
        said = f"{words.count(len(lines), 'path')} cannot be put back; nothing was changed"
        return Outcome(Verdict.FAIL, said, "\n".join([f"{said}:", *lines]))

    @staticmethod
    def _restore(item: Restored) -> Outcome:
        return Outcome(Verdict.PASS, HOW[item.how])

    def _transaction(self) -> Outcome:
        built = self.build()
        merged = sum(item.how == "merged" for item in self.rollback.restorations)
        exact = len(self.rollback.restorations) - merged
        said = f"{words.count(exact, 'path')} byte for byte as before the batch, {merged} merged"
        look = f"git diff {built.commit[:12]}^ {built.commit[:12]}"
        wrong = self.rollback.astray(built.commit)
        if wrong:
            shown = ", ".join(map(artifacts.printable, wrong[:3]))
            return Outcome(Verdict.FAIL, f"{shown}: not as planned; nothing is sealed")
        return Outcome(Verdict.PASS, f"{said}; {look}")

    def build(self) -> Built:
        """The tree without the batch, as a commit."""
        if self._built is None:
            commit = self.rollback.stage(self.subject.plan_sha256)
            changed = self.rollback.repository.changes(self.rollback.base, commit)
            there = sorted(path for path, (_, after) in changed.items() if after is not None)
            self._built = Built(commit, tuple(there))
            self.lock.journal("staged", commit=commit)
        return self._built

    def _names(self) -> Outcome:
        """Import every restored module under its old name, from its old file; see the new go."""
        layout, failed = Layout(self.settings.lane), []
        moves = [move for move in self.rollback.moves if layout.leaves_shim(move.target)]
        with self.bench.tree.at(self.build().commit) as root:
            known = baselines.load(root, self.settings.records, "imports")
            excused = baselines.failures(known) if known else {}
            failed += [
                f"  {artifacts.printable(move.source)}: is still there"
                for move in self.rollback.moves
                if os.path.lexists(root / move.source)
            ]
            for move in moves:
                reason = self._failure(move, layout, root)
                if reason and artifacts.printable(move.target) not in excused:
                    failed.append(f"  {artifacts.printable(move.target)}: {reason}")
        if failed:
            said = f"{words.count(len(failed), 'module')} cannot be imported under the old name"
            return Outcome(Verdict.FAIL, said, "\n".join([f"{said}:", *failed]))
        return Outcome(
            Verdict.PASS,
            "1 module imports under its old name; nothing is left at the new one"
            if len(moves) == 1
            else f"{len(moves):,} modules import under their old names; nothing is left at the new "
            "ones",
        )

    def _failure(self, move: Move, layout: Layout, root: Path) -> str | None:
        name = layout.module_of(move.target)
        if name is None:
            return None
        roots = [root / folder for folder in self.settings.lane.source_roots]
        keep = self.settings.pass_environment
        return importing.failure(name, root / move.target, roots, cwd=root, keep=keep)

    def message(self) -> str:
        """The rollback in words, verdicts in the trailers."""
        return commit_message(self.rollback, self.subject.plan_sha256, self.reports)

    def page(self) -> tuple[str, str | None]:
        """The text of the pull request."""
        name, _ = super().page()
        if self._built is None or self.finishing:
            return name, None
        return name, rollback_body(self.rollback, self.subject.plan_sha256, self.reports)

    def conclude(self, terminal: Any) -> None:
        """Show what came of each step that is no restoration."""
        terminal.section(f"cockpit: rollback of batch {self.rollback.sealed.batch_id}")
        for row in self.rows:
            if row["kind"] != "move" and row["summary"]:
                terminal.write_line(f"{row['name']}: {row['verdict']}: {row['summary']}")
        if self.config.option.collectonly:
            return
        for line in self.sealing.advice():
            terminal.write_line(line)
        if not self.sealing.sealed:
            where = PLAN if self.rollback.refusals else "gates/*.json"
            folder = self.relative(self.folder)
            terminal.write_line(f"nothing was sealed; details: {folder}/{where}")
