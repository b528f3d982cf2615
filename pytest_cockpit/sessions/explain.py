"""`--cockpit-explain MODULE`: how the health of a module is made up."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_cockpit.api import Verdict
from pytest_cockpit.items import Outcome, Step
from pytest_cockpit.phases import Result
from pytest_cockpit.records.text import one_line
from pytest_cockpit.registry import modules
from pytest_cockpit.registry.health import explanation, finding
from pytest_cockpit.registry.health.examine import examine
from pytest_cockpit.registry.health.ground import Ground
from pytest_cockpit.registry.modules import Module
from pytest_cockpit.sessions.phase import PhaseConductor, Stage

MODE = "explain"


def conduct(config: pytest.Config) -> ExplainConductor:
    """Plan one step: the module, in the tracked files as they are in the work tree."""
    stage = Stage.of(config, MODE, edited=True, looks=True)
    try:
        found = modules.discover(stage.place)
        module = finding.named(found, config.option.cockpit_explain, _here(config, stage))
        return ExplainConductor(stage, Ground(stage.place, found), module)
    except BaseException:
        stage.lock.release()
        raise


def _here(config: pytest.Config, stage: Stage) -> str:
    """The folder of the repository that pytest was called in."""
    folder, root = config.invocation_params.dir.resolve(), stage.place.repository.root.resolve()
    return folder.relative_to(root).as_posix() if folder.is_relative_to(root) else "."


class ExplainConductor(PhaseConductor):
    """Shows what a module's health is read from; judges nothing."""

    def __init__(self, stage: Stage, ground: Ground, module: Module) -> None:
        self.told: list[str] = []
        self._ground = ground
        self._module = module
        name = f"explain:{one_line(module.path)}"
        super().__init__(
            stage,
            lambda _: [Step(name, "explain", self._explain)],
            title="health in the tracked files",
        )

    def conclude(self, terminal: Any) -> None:
        """The explanation."""
        if self.told:
            terminal.section("cockpit: health")
        for line in self.told:
            terminal.write_line(line)

    def _explain(self) -> Outcome:
        found = explanation.document(self.place, examine(self._ground, self._module))
        self.told = list(explanation.lines(found))
        return self.conclude_phase(
            Result(Verdict.PASS, self.told[0], artifacts={"health.json": (found, "health")})
        )
