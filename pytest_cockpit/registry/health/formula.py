"""One number out of a module's inputs: for display, next to how much it is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_cockpit.config import Health
from pytest_cockpit.registry.health import runs
from pytest_cockpit.registry.health.ground import Ground
from pytest_cockpit.registry.health.inputs import NAMES, Input, State
from pytest_cockpit.registry.modules import Module

LEAST_KNOWN = 0.5
"""Of less than this share of the weight no mean is given."""

_COVERAGE_MOST, _SLA, _DOCS = 50, 30, 20


@dataclass(frozen=True, slots=True)
class Score:
    """What a formula comes to.

    Parameters
    ----------
    value: from 0 to 100; None where too little is known.
    share: of the weight that applies, the part that is known.
    """

    value: float | None
    share: float


@dataclass(frozen=True, slots=True)
class Published:
    """The terms of the formula of earlier published runs, where what is not known counts for 0."""

    coverage: float | None
    sla: bool | None
    markdown: bool

    @property
    def points(self) -> tuple[float, int, int]:
        """What each term adds."""
        measured = min(_COVERAGE_MOST, self.coverage / 2) if self.coverage is not None else 0
        return measured, _SLA if self.sla else 0, _DOCS if self.markdown else 0

    @property
    def value(self) -> float:
        """Their sum, rounded as it was published."""
        return round(float(sum(self.points)), 1)


def weights(settings: Health) -> dict[str, float]:
    """The weight of every input."""
    return {name: getattr(settings, name) for name in NAMES}


def weighted(inputs: Mapping[str, Input], settings: Health) -> Score:
    """The mean of the known inputs by their weights."""
    applying = {
        name: weight
        for name, weight in weights(settings).items()
        if inputs[name].state is not State.NOT_APPLICABLE
    }
    whole = sum(applying.values())
    values = {name: value for name in applying if (value := inputs[name].value) is not None}
    part = sum(applying[name] for name in values)
    share = round(part / whole, 4) if whole else 0.0
    if not part or share < LEAST_KNOWN:
        return Score(None, share)
    total = sum(applying[name] * value for name, value in values.items())
    return Score(round(100 * total / part, 1), share)


def published(ground: Ground, module: Module) -> Published:
    """The terms as they were once computed, from what the manifest says."""
    markdown = module.path in ground.with_markdown
    return Published(runs.claimed(module), _meets_sla(module.declared), markdown)


def _meets_sla(declared: Mapping[str, Any]) -> bool | None:
    """Whether the declared latency is within the declared bound; None where either is missing."""
    performance = _table(declared.get("performance"))
    name = "latency_p95_ms"
    found = _table(performance.get("observed")).get(name)
    bound = _table(performance.get("sla_targets")).get(name)
    if type(found) not in (int, float) or type(bound) not in (int, float) or not (found and bound):
        return None
    return bool(found <= bound)


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
