"""`--cockpit-batch`: the next files out of the lane, as one session."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pytest_cockpit import discovery, rendering, runner
from pytest_cockpit.api import CockpitError, Context, Report, Verdict
from pytest_cockpit.config import Config, load
from pytest_cockpit.git import Repository
from pytest_cockpit.items import Outcome, Step, Steps
from pytest_cockpit.promotion.batch import Batch, Staged
from pytest_cockpit.promotion.message import commit_message, pull_request_body
from pytest_cockpit.promotion.plan import Plan, PlannedMove
from pytest_cockpit.promotion.selector import make_plan
from pytest_cockpit.promotion.staging import StagedTree
from pytest_cockpit.promotion.transaction import recommit
from pytest_cockpit.records import artifacts
from pytest_cockpit.sessions.conductor import Conductor, take_over
from pytest_cockpit.sessions.gating import fresh_scratch, keep_report
from pytest_cockpit.sessions.lock import SessionLock
from pytest_cockpit.sessions.sealing import Sealing, pending

PLAN = "promotion_batch.plan.jsonl"


def conduct(config: pytest.Config) -> BatchConductor:
    """Plan the batch, write its plan file and return the session's plugin object."""
    repository = Repository.discover(config.invocation_params.dir)
    settings = load(repository.root)
    lock = SessionLock(repository.common_dir)
    lock.acquire()
    try:
        return _conduct(config, repository, settings, lock)
    except BaseException:
        lock.release()
        raise


def _conduct(
    config: pytest.Config, repository: Repository, settings: Config, lock: SessionLock
) -> BatchConductor:
    folder = repository.root / settings.artifacts
    path = folder / PLAN
    header = lock.left_behind()
    header += Sealing.recover(repository)
    take_over(config, path, header)
    plan = _plan(config, repository, settings, path)
    config.hook.pytest_cockpit_planned(config=config, plan=plan)
    lock.journal("planned", batch_id=plan.header.batch_id, base=plan.header.base)
    conductor = BatchConductor(config, repository, settings, plan, folder, lock)
    conductor.header = header + conductor.header
    return conductor


def _plan(config: pytest.Config, repository: Repository, settings: Config, path: Path) -> Plan:
    """The plan that the command line asks for: a fresh one, or the file named on it."""
    base = repository.resolve("HEAD")
    if config.args_source is pytest.Config.ArgsSource.ARGS:
        try:
            plan = Plan.read(path.read_bytes(), str(path.relative_to(repository.root)))
        except FileNotFoundError:
            raise CockpitError(
                f"{path.relative_to(repository.root)}: no plan there; name no file to make one"
            ) from None
        if plan.header.base != base:
            raise CockpitError(
                f"{path.relative_to(repository.root)}: made from {plan.header.base[:12]}, but HEAD "
                f"is {base[:12]}; name no file to plan again"
            )
        if plan.header.settings_sha256 != settings.digest():
            raise CockpitError(
                f"{path.relative_to(repository.root)}: made with another configuration; "
                "name no file to plan again"
            )
        return plan
    plan = make_plan(
        repository,
        settings,
        size=config.option.cockpit_batch_size,
        modules=config.option.cockpit_modules,
        base=base,
    )
    artifacts.write_bytes(path, plan.to_bytes())
    return plan


class BatchConductor(Conductor):
    """Conducts one batch: moves, transaction, gates, seal."""

    def __init__(
        self,
        config: pytest.Config,
        repository: Repository,
        settings: Config,
        plan: Plan,
        folder: Path,
        lock: SessionLock,
    ) -> None:
        self.repository = repository
        self.settings = settings
        self.plan = plan
        self.lock = lock
        self.batch = Batch(repository, settings, plan)
        self.tree = StagedTree(repository)
        self.reports: dict[str, Report] = {}
        self.staged: Staged | None = None
        self.sealing = Sealing(
            repository,
            settings.seal,
            plan,
            dry_run=config.option.cockpit_dry_run,
            skip_push=config.option.cockpit_skip_pr,
        )
        self.finishing = pending(repository, settings.seal, plan)
        super().__init__(
            config,
            mode="batch",
            root=repository.root,
            folder=folder,
            steps=Steps(folder / PLAN, self._steps()),
            halts=True,
        )
        self.written.append(folder / PLAN)
        self.facts = {
            "base": plan.header.base,
            "batch_id": plan.header.batch_id,
            "plan_sha256": plan.sha256,
        }
        self.header = self._header()

    def _header(self) -> list[str]:
        counts, header = self.plan.header.counts, self.plan.header
        gates = ", ".join(name for name, skip in self.plan.gates if not skip)
        planned = (
            f"cockpit: batch {header.batch_id} from {header.base[:12]}: {counts['moves']} moves, "
            f"{counts['refusals']} refusals, {counts['lane']} files in {header.lane['path']}"
        )
        lines = [planned, f"cockpit: gates {gates}; {self.sealing.intent()}"]
        dirty = len(self.repository.dirty())
        if dirty:
            lines.append(f"cockpit: {dirty} uncommitted paths are not part of the batch")
        if self.finishing:
            lines.append(
                f"cockpit: this batch is already sealed as {self.finishing.branch}; "
                "only what was left undone after the seal runs"
            )
        return lines

    def _steps(self) -> list[Step]:
        if self.finishing:
            return [Step("seal", "seal", partial(self._finish_seal, self.finishing.commit))]
        if not self.plan.moves:
            return []
        installed = discovery.gates()
        steps = [
            Step(artifacts.printable(row.move.target), "move", partial(self._move, row))
            for row in self.plan.moves
        ]
        steps.append(Step("transaction", "transaction", self._transaction))
        for name, skip in self.plan.gates:
            known = installed.loaded.get(name)
            markers = ("gate", known.marker) if known else ("gate",)
            steps.append(Step(f"gate:{name}", "gate", partial(self._gate, name, skip), markers))
        steps.append(Step("seal", "seal", self._seal))
        return steps

    def _move(self, row: PlannedMove) -> Outcome:
        prepared = self.batch.prepare(row)
        return Outcome(Verdict.PASS, f"{len(prepared.edits)} edits; {row.because}")

    def _transaction(self) -> Outcome:
        staged = self._stage()
        return Outcome(
            Verdict.PASS,
            f"{staged.commit[:12]}: {len(staged.changed)} paths, {len(staged.edited)} rewritten, "
            f"{len(staged.shims)} shims, {len(staged.reported)} mentions left",
        )

    def _stage(self) -> Staged:
        if self.staged is None:
            self.staged = self.batch.stage()
            self.lock.journal("staged", commit=self.staged.commit)
        return self.staged

    def _gate(self, name: str, skip: str | None) -> Outcome:
        staged = self._stage()
        scratch = fresh_scratch(self.repository.common_dir, name)
        settings = dict(self.settings.gate.get(name, {}))
        if skip:
            settings["skip"] = skip
        with self.tree.at(staged.commit) as root:
            context = Context(
                root=root,
                scratch=scratch,
                settings=settings,
                lane=self.settings.lane,
                records=self.settings.records,
                base=self.batch.base,
                commit=staged.commit,
                moves=self.batch.moves,
                changed=staged.changed,
                batch_id=self.plan.header.batch_id,
                plan_sha256=self.plan.sha256,
                pass_environment=self.settings.pass_environment,
            )
            report = runner.run_gate(name, context)
        self.reports[name] = report
        self.lock.journal("gate", gate=name, verdict=report.verdict.value)
        return keep_report(self, name, report, scratch)

    def _seal(self) -> Outcome:
        planned = [name for name, skip in self.plan.gates if not skip]
        for name in planned:
            report = self.reports.get(name)
            if report is None or not report.verdict.opens:
                state = report.verdict.value if report else "not run"
                return Outcome(Verdict.FAIL, f"gate {name} is {state}: nothing was sealed")
        if not planned:
            return Outcome(Verdict.UNKNOWN, "no gate was planned: nothing judged this batch")
        staged = self._stage()
        reports = {name: self.reports[name] for name in planned}
        if self.sealing.dry_run:
            return Outcome(Verdict.PASS, "dry run: nothing was sealed")
        message = commit_message(self.plan, staged, reports)
        return self._finish_seal(recommit(self.repository, staged.commit, message=message))

    def _finish_seal(self, commit: str) -> Outcome:
        self.lock.journal("sealing", commit=commit, branch=self.sealing.branch)
        try:
            lines = self.sealing.seal(commit)
        finally:
            if self.sealing.sealed:
                self.facts["sealed"] = {"branch": self.sealing.branch, "commit": commit}
                self.lock.journal("sealed", commit=commit, branch=self.sealing.branch)
        self.config.hook.pytest_cockpit_sealed(
            config=self.config,
            batch_id=self.plan.header.batch_id,
            branch=self.sealing.branch,
            commit=commit,
        )
        return Outcome(Verdict.PASS, "; ".join(lines))

    def finish(self, exitstatus: int) -> None:
        """Write the batch's artifacts, then the record; then let the next session in."""
        try:
            self._write_artifacts()
            super().finish(exitstatus)
            self.lock.journal("end", exit_status=exitstatus)
        finally:
            self.lock.release()

    def _write_artifacts(self) -> None:
        try:
            folder = self.folder
            self.keep(folder / "promotion_batch.summary.json", self.summary(), "summary")
            self.keep(folder / "progress.json", self.progress(), "progress")
            if self.staged and self.reports:
                body = pull_request_body(self.plan, self.staged, self.reports)
                self.keep_bytes(folder / "promotion_pr_body.md", body.encode())
        except CockpitError as error:
            self.config.issue_config_time_warning(
                pytest.PytestWarning(f"the batch's artifacts were not written: {error}"), 2
            )

    def summary(self) -> dict[str, Any]:
        """The batch as data; see `schemas/summary.json`."""
        staged = self.staged
        return {
            "schema": "pytest-cockpit/summary/1",
            "batch_id": self.plan.header.batch_id,
            "base": self.batch.base,
            "commit": staged.commit if staged else None,
            "counts": dict(self.plan.header.counts),
            "moves": [
                {
                    "source": artifacts.printable(move.source),
                    "target": artifacts.printable(move.target),
                    "history": staged.history.get(move.target, (None, None))[1] if staged else None,
                }
                for move in self.batch.moves
            ],
            "refusals": dict(Counter(refusal.rule for refusal in self.plan.refusals)),
            "gates": [
                {
                    "name": name,
                    "verdict": report.verdict.value,
                    "summary": report.summary,
                    "findings": len(report.findings),
                }
                for name, report in self.reports.items()
            ],
            "rewritten": len(staged.edited) if staged else 0,
            "reported": [
                {
                    "path": artifacts.printable(item.path),
                    "line": item.line,
                    "text": artifacts.printable(item.text),
                    "why": item.why,
                }
                for item in (staged.reported if staged else ())
            ],
            "sealed": self.facts.get("sealed"),
        }

    def progress(self) -> dict[str, Any]:
        """Where the migration stands, counted from the plan and this session's seal."""
        counts = self.plan.header.counts
        sealed = "sealed" in self.facts
        promoted = counts["moves"] if sealed else 0
        return {
            "schema": "pytest-cockpit/progress/1",
            "base": self.batch.base,
            "lane_remaining": counts["lane"] - promoted,
            "movable": counts["movable"] - promoted,
            "refused": counts["refusals"],
            "shims": counts.get("shims", 0)
            + (len(self.staged.shims) if self.staged and sealed else 0),
            "promoted_in_batch": promoted,
        }

    def conclude(self, terminal: Any) -> None:
        """Show the plan, the refusals and where the batch is now."""
        write = terminal.write_line
        terminal.section(f"cockpit: batch {self.plan.header.batch_id}")
        verbose = self.config.get_verbosity() > 0
        if self.config.option.collectonly or verbose:
            for line in _plan_table(self.plan):
                write(line)
        for line in _refusal_lines(self.plan, verbose):
            write(line)
        if not self.plan.moves:
            write("nothing can be promoted from here")
        for row in self.rows:
            if row["kind"] != "move" and row["summary"]:
                write(f"{row['name']}: {row['verdict']}: {row['summary']}")
        if not self.config.option.collectonly:
            for line in self.sealing.advice():
                write(line)
            write(f"artifacts: {self.relative(self.folder)}/")


def _plan_table(plan: Plan) -> list[str]:
    rows = [("score", "from", "to", "because")]
    rows += [
        (
            f"{row.score:.3f}",
            artifacts.printable(row.move.source),
            artifacts.printable(row.move.target),
            row.because,
        )
        for row in plan.moves
    ]
    return rendering.table(rows) if plan.moves else []


def _refusal_lines(plan: Plan, verbose: bool) -> list[str]:
    counts = Counter(refusal.rule for refusal in plan.refusals)
    lines = [f"refused {number}: {rule}" for rule, number in counts.most_common()]
    shown = plan.refusals if verbose else plan.refusals[:5]
    lines += [
        f"  {artifacts.printable(item.source)}: {item.message} [{item.rule}]" for item in shown
    ]
    if len(shown) < len(plan.refusals):
        lines.append(f"  … {len(plan.refusals) - len(shown)} more; -v or the plan file show all")
    return lines
