"""`META_REGISTRY.json`: what the registry says of every module, with its health."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_cockpit.phases import Place
from pytest_cockpit.records.text import printable
from pytest_cockpit.registry.health import explanation
from pytest_cockpit.registry.health.examine import Health, examine
from pytest_cockpit.registry.health.ground import Ground
from pytest_cockpit.registry.health.inputs import NAMES, Input, State
from pytest_cockpit.registry.modules import Module

SCHEMA = "pytest-cockpit/meta_registry/1"


def document(
    place: Place, modules: Sequence[Module], registry: Mapping[str, Any]
) -> dict[str, Any]:
    """The meta-registry of these modules; `registry` is what MODULE_REGISTRY.json says of them."""
    ground = Ground(place, modules)
    found = [examine(ground, module) for module in modules]
    return {
        "schema": SCHEMA,
        "formula": explanation.described(place.settings.health),
        "modules": [
            _row(health, known) for health, known in zip(found, registry["modules"], strict=True)
        ],
        "summary": _summary(found),
    }


def _health(health: Health) -> dict[str, Any]:
    """A module's health as data."""
    return {
        "score": health.score,
        "scores": {"weighted": health.weighted.value, "published": health.published.value},
        "known": health.weighted.share,
        "inputs": {name: _input(health.inputs[name]) for name in NAMES},
    }


def _input(found: Input) -> dict[str, Any]:
    """One input as data."""
    return {
        "state": found.state.value,
        "value": found.value,
        "said": printable(found.said),
        "evidence": [dict(item) for item in found.evidence],
    }


def _row(health: Health, known: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "module": known["name"],
        "path": known["path"],
        "lane": known["lane"],
        "status": known["status"],
        "tags": known["tags"],
        "docs_count": len(known["docs"]),
        "tests_count": len(known["tests"]),
        "api_count": known["api"]["count"],
        "health": _health(health),
    }


def _summary(found: Sequence[Health]) -> dict[str, Any]:
    states = [
        {name: sum(each.inputs[name].state is state for each in found) for name in NAMES}
        for state in State
    ]
    return {
        "modules": len(found),
        "inputs": {
            name: {state.value: counts[name] for state, counts in zip(State, states, strict=True)}
            for name in NAMES
        },
        "health": _mean([each.score for each in found]),
        "weighted": _mean([each.weighted.value for each in found]),
        "published": _mean([each.published.value for each in found]),
    }


def _mean(scores: Sequence[float | None]) -> dict[str, Any]:
    """The mean of the scores there are, with how many these are and how many are not known."""
    known = [score for score in scores if score is not None]
    mean = round(sum(known) / len(known), 1) if known else None
    return {"mean": mean, "over": len(known), "unknown": len(scores) - len(known)}
