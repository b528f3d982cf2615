"""How a module's health is made up: as text, and as data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_cockpit.config import Health as Settings
from pytest_cockpit.phases import Place
from pytest_cockpit.records.text import one_line, printable
from pytest_cockpit.registry.health import formula
from pytest_cockpit.registry.health.examine import Health
from pytest_cockpit.registry.health.inputs import NAMES, State, known, near

SCHEMA = "pytest-cockpit/health/1"

_WIDTH = max(map(len, NAMES))


def document(place: Place, health: Health) -> dict[str, Any]:
    """`health.json`."""
    settings = place.settings.health
    return {
        "schema": SCHEMA,
        "commit": place.commit,
        "tree": place.repository.tree(place.tree),
        "module": printable(health.module.name),
        "path": printable(health.module.path),
        "formula": described(settings),
        "score": health.score,
        "inputs": [_input(name, health, settings) for name in NAMES],
        "weighted": {
            "score": health.weighted.value,
            "known": health.weighted.share,
            "arithmetic": _weighted(health, settings),
        },
        "published": {
            "score": health.published.value,
            "coverage": health.published.coverage,
            "sla": health.published.sla,
            "markdown": health.published.markdown,
            "arithmetic": _published(health),
        },
    }


def described(settings: Settings) -> dict[str, Any]:
    """The formula that is configured."""
    return {
        "profile": settings.profile,
        "weights": formula.weights(settings),
        "least_known": formula.LEAST_KNOWN,
    }


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """The same for people."""
    yield f"{one_line(found['module'])} ({one_line(found['path'])}): {_score(found['score'])}"
    for row in found["inputs"]:
        value = f"{near(row['value'], 2):.2f}" if row["value"] is not None else row["state"]
        yield f"  {row['name']:<{_WIDTH}}  {value:<14}  {one_line(row['said'])}"
        yield from (f"      {_told(item)}" for item in row["evidence"])
    yield f"  weighted:  {found['weighted']['arithmetic']}"
    yield f"  published: {found['published']['arithmetic']}"
    cures = [row for row in found["inputs"] if row["remedy"]]
    if cures:
        yield "  what would raise it or make it known:"
    # The most points first; what would only become known comes last.
    for row in sorted(cures, key=lambda row: (row["gain"] is None, -(row["gain"] or 0))):
        gain = f"up to {row['gain']:+.1f}" if row["gain"] is not None else "to be seen"
        yield f"    {row['name']:<{_WIDTH}}  {gain:<12}  {one_line(row['remedy'])}"


def _input(name: str, health: Health, settings: Settings) -> dict[str, Any]:
    found, weight = health.inputs[name], formula.weights(settings)[name]
    return {
        "name": name,
        "state": found.state.value,
        "value": found.value,
        "said": printable(found.said),
        "evidence": [dict(item) for item in found.evidence],
        "weight": weight,
        "points": _points(name, health, settings),
        "remedy": printable(found.remedy),
        "gain": _gain(name, health, settings),
    }


def _points(name: str, health: Health, settings: Settings) -> float | None:
    value = health.inputs[name].value
    if value is None or health.weighted.value is None:
        return None
    return round(100 * formula.weights(settings)[name] * value / _part(health, settings), 2)


def _gain(name: str, health: Health, settings: Settings) -> float | None:
    """How much higher the mean would be with a known input at its best."""
    found = health.inputs[name]
    if found.state is not State.KNOWN or health.weighted.value is None:
        return None
    best = formula.weighted({**health.inputs, name: known(1, "")}, settings).value
    return None if best is None else round(best - health.weighted.value, 1)


def _part(health: Health, settings: Settings) -> float:
    weights = formula.weights(settings)
    return sum(weights[name] for name in NAMES if health.inputs[name].state is State.KNOWN)


def _weighted(health: Health, settings: Settings) -> str:
    weights, score = formula.weights(settings), health.weighted
    terms = [
        f"{weights[name]:g}*{health.inputs[name].value:g}"
        for name in NAMES
        if health.inputs[name].value is not None
    ]
    known_share = f"{score.share:.0%} of the weight is known"
    if score.value is None:
        return f"unknown: {known_share}, at least {formula.LEAST_KNOWN:.0%} has to be"
    total = f"100 * ({' + '.join(terms)}) / {_part(health, settings):g}"
    return f"{total} = {score.value:g}; {known_share}"


def _published(health: Health) -> str:
    found = health.published
    coverage, sla, markdown = found.points
    measured = f"{found.coverage:g} %" if found.coverage is not None else "no figure, counted as 0"
    level = {True: "met", False: "missed", None: "not declared, counted as missed"}[found.sla]
    page = "there is Markdown" if found.markdown else "there is no Markdown"
    return (
        f"{coverage:g} (half of the coverage, up to 50: {measured}) + {sla} (service level: "
        f"{level}) + {markdown} ({page}) = {found.value:g}"
    )


def _score(score: float | None) -> str:
    return "health unknown" if score is None else f"health {score:g}/100"


def _told(item: Mapping[str, Any]) -> str:
    if "path" in item:
        blob = f"blob {item['blob'][:12]}" if item["blob"] else "not tracked"
        place = f"#{item['pointer']}" if "pointer" in item else ""
        return f"{one_line(item['path'])}{place} ({blob})"
    digest = f" (sha256 {item['data_sha256'][:12]})" if item["data_sha256"] else ""
    return f"ledger row {item['seq']} of commit {item['commit'][:12]}{digest}"
