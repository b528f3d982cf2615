"""`--cockpit-init`: a commented configuration where there is none, and measured baselines."""

from __future__ import annotations

from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from pytest_cockpit import discovery, runner
from pytest_cockpit.api import Context, Verdict
from pytest_cockpit.config import Config, load
from pytest_cockpit.git import Repository
from pytest_cockpit.items import Outcome, Step, Steps
from pytest_cockpit.promotion.staging import StagedTree
from pytest_cockpit.records import artifacts, baselines, ledger
from pytest_cockpit.sessions.conductor import Conductor, take_over
from pytest_cockpit.sessions.gating import fresh_scratch
from pytest_cockpit.sessions.lock import SessionLock

PLAN = "init.plan.jsonl"
_IGNORE = "*\n!.gitignore\n!promotion_log.md\n"


def conduct(config: pytest.Config) -> InitConductor:
    """Plan the starter files and one measurement for each gate that keeps a baseline."""
    repository = Repository.discover(config.invocation_params.dir)
    settings = load(repository.root)
    head = repository.resolve("HEAD")
    header: list[str] = []
    take_over(config, repository.root / settings.artifacts / PLAN, header)
    lock = SessionLock(repository.common_dir)
    lock.acquire()
    conductor = InitConductor(config, repository, settings, head, lock)
    rows = [{"kind": step.kind, "name": step.name} for step in conductor.steps.steps]
    artifacts.write_bytes(conductor.steps.path, b"".join(map(artifacts.canonical_line, rows)))
    conductor.header = [*header, f"cockpit: baselines of {head[:12]}, measured in a private tree"]
    return conductor


class InitConductor(Conductor):
    """Writes what a repository needs before its first batch; never overwrites a configuration."""

    def __init__(
        self,
        config: pytest.Config,
        repository: Repository,
        settings: Config,
        head: str,
        lock: SessionLock,
    ) -> None:
        self.repository = repository
        self.settings = settings
        self.head = head
        self.lock = lock
        self.tree = StagedTree(repository)
        folder = repository.root / settings.artifacts
        super().__init__(
            config,
            mode="init",
            root=repository.root,
            folder=folder,
            steps=Steps(folder / PLAN, self._steps()),
            halts=False,
        )

    def _steps(self) -> list[Step]:
        steps = [
            Step("configuration", "file", self._configuration),
            Step("artifacts", "file", self._artifacts),
            Step("ledger", "file", self._ledger),
        ]
        installed = discovery.gates()
        for name in self.settings.gates:
            known = installed.loaded.get(name)
            if known is not None and hasattr(known.gate, "baseline"):
                steps.append(Step(f"baseline:{name}", "baseline", partial(self._baseline, name)))
        return steps

    def _configuration(self) -> Outcome:
        if self.settings.source is not None:
            name = self.settings.source.relative_to(self.root)
            return Outcome(Verdict.PASS, f"{name} has a configuration and was left alone")
        starter = resources.files("pytest_cockpit").joinpath("starter.toml").read_bytes()
        return self._create(self.root / "cockpit.toml", starter)

    def _artifacts(self) -> Outcome:
        return self._create(self.folder / ".gitignore", _IGNORE.encode())

    def _ledger(self) -> Outcome:
        opened = ledger.extend(b"", [{"kind": "opened", "base": self.head}])
        return self._create(self.root / self.settings.records / "promotions.ndjson", opened)

    def _create(self, path: Path, content: bytes) -> Outcome:
        if path.exists():
            return Outcome(Verdict.PASS, f"{self.relative(path)} exists and was left alone")
        self.keep_bytes(path, content)
        return Outcome(Verdict.PASS, f"wrote {self.relative(path)}")

    def _baseline(self, gate: str) -> Outcome:
        settings = self.settings.gate.get(gate, {})
        if "skip" in settings:
            return Outcome(Verdict.SKIP, f"declared not applicable: {settings['skip']}")
        scratch = fresh_scratch(self.repository.common_dir, gate)
        with self.tree.at(self.head) as root:
            context = Context(
                root=root,
                scratch=scratch,
                settings=settings,
                lane=self.settings.lane,
                records=self.settings.records,
                base=self.head,
                commit=self.head,
                pass_environment=self.settings.pass_environment,
            )
            measured = runner.measure_baseline(gate, context)
        return self._keep(gate, measured)

    def _keep(self, gate: str, measured: dict[str, Any] | None) -> Outcome:
        if measured is None:
            return Outcome(Verdict.UNKNOWN, f"{gate} could measure nothing here")
        baseline = baselines.Baseline(gate, measured["entries"], measured["meta"])
        path = self.root / baselines.path_of(self.settings.records, gate)
        self.keep_bytes(path, baselines.dump(baseline))
        return Outcome(
            Verdict.PASS, f"wrote {self.relative(path)}: {len(baseline.entries)} entries"
        )

    def finish(self, exitstatus: int) -> None:
        """Write the record, then let the next session in."""
        try:
            super().finish(exitstatus)
        finally:
            self.lock.release()

    def conclude(self, terminal: Any) -> None:
        """Say what was written and what to do with it."""
        terminal.section("cockpit: init")
        for row in self.rows:
            terminal.write_line(f"{row['name']}: {row['summary']}")
        terminal.write_line(
            "commit the configuration and the baselines; the first batch: pytest --cockpit-batch"
        )
