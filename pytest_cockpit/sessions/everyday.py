"""`-m gate` and the gates' own markers: the declared gates over the working tree."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest

from pytest_cockpit import discovery, runner
from pytest_cockpit.api import CockpitError, Context
from pytest_cockpit.config import Config
from pytest_cockpit.git import GitError, Repository
from pytest_cockpit.items import Outcome, Steps
from pytest_cockpit.sessions.conductor import Conductor
from pytest_cockpit.sessions.gating import keep_report, scratch, steps
from pytest_cockpit.sessions.settings import artifacts_folder, load_checked

PLAN = "gates.plan.jsonl"


def conduct(config: pytest.Config) -> EverydayConductor:
    """Add the declared gates to what is collected, beside the repository's own tests."""
    try:
        repository = Repository.discover(config.rootpath)
    except GitError:
        repository = None
    root = repository.root if repository else config.rootpath
    conductor = EverydayConductor(config, root, repository, load_checked(root))
    path = conductor.steps.path
    if conductor.controls:
        conductor.write_plan()
    # A test file that cannot be imported is one more error, not a reason to judge nothing.
    config.option.continue_on_collection_errors = True
    base = config.invocation_params.dir
    named = {(base / argument.partition("::")[0]).resolve() for argument in config.args}
    if path.resolve() not in named:
        config.args.append(str(path))
    return conductor


class EverydayConductor(Conductor):
    """Judges the working tree as it lies there, uncommitted changes included."""

    def __init__(
        self, config: pytest.Config, root: Path, repository: Repository | None, settings: Config
    ) -> None:
        self.repository = repository
        self.settings = settings
        folder = artifacts_folder(root, settings)
        super().__init__(
            config,
            mode="gates",
            root=root,
            folder=folder,
            steps=Steps(folder / PLAN, steps(settings.gates, discovery.gates(), self._gate)),
            halts=False,
        )
        self.passed = settings.pass_environment
        self.header = [f"cockpit: gates {', '.join(settings.gates)} over the working tree"]

    def _gate(self, name: str) -> Outcome:
        with tempfile.TemporaryDirectory(prefix="cockpit-") as outside:
            common = self.repository.common_dir if self.repository else Path(outside)
            with scratch(common, name) as folder:
                context = Context(
                    root=self.root,
                    scratch=folder,
                    settings=self.settings.gate.get(name, {}),
                    lane=self.settings.lane,
                    records=self.settings.records,
                    base=self._head(),
                    changed=tuple(self.repository.dirty()) if self.repository else (),
                    pass_environment=self.settings.pass_environment,
                )
                return keep_report(self, name, runner.run_gate(name, context), folder)

    def conclude(self, terminal: Any) -> None:
        """One line for each gate."""
        terminal.section("cockpit: gates")
        for row in self.rows:
            terminal.write_line(f"{row['name']}: {row['verdict']}: {row['summary']}")

    def _head(self) -> str | None:
        try:
            return self.repository.resolve("HEAD") if self.repository else None
        except CockpitError:
            return None
