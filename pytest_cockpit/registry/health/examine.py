"""The health of every module: its inputs, and both formulas over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pytest_cockpit.registry.health import declared, formula, runs
from pytest_cockpit.registry.health.formula import Published, Score
from pytest_cockpit.registry.health.ground import Ground
from pytest_cockpit.registry.health.inputs import NAMES, Input
from pytest_cockpit.registry.modules import Module

_INPUTS: Mapping[str, Callable[[Ground, Module], Input]] = {
    "coverage": runs.coverage,
    "tests": runs.tests,
    "contract": declared.contract,
    "imports": declared.imports,
    "documentation": declared.documentation,
    "benchmarks": runs.benchmarks,
}


@dataclass(frozen=True, slots=True)
class Health:
    """One module's health.

    Parameters
    ----------
    inputs: by name, in the order of `NAMES`.
    score: by the configured formula.
    """

    module: Module
    inputs: Mapping[str, Input]
    weighted: Score
    published: Published
    profile: str

    @property
    def score(self) -> float | None:
        """What the configured formula comes to."""
        return self.published.value if self.profile == "published" else self.weighted.value


def examine(ground: Ground, module: Module) -> Health:
    """What is known of a module."""
    settings = ground.place.settings.health
    inputs = {name: _INPUTS[name](ground, module) for name in NAMES}
    return Health(
        module,
        inputs,
        formula.weighted(inputs, settings),
        formula.published(ground, module),
        settings.profile,
    )
