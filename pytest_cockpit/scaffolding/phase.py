"""The phase of scaffolding: what every module lacks of the template, and what it is given."""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from pytest_cockpit.api import Verdict
from pytest_cockpit.phases import Changes, Place, Result
from pytest_cockpit.records import globs
from pytest_cockpit.records.text import count, printable, sha256
from pytest_cockpit.registry import bound
from pytest_cockpit.registry.modules import discover
from pytest_cockpit.scaffolding import apart, facts, rendering, template, wording
from pytest_cockpit.scaffolding.drift import Ground, Standing, State
from pytest_cockpit.scaffolding.rendering import Facts, Renderer
from pytest_cockpit.scaffolding.template import Template

SCHEMA = "pytest-cockpit/scaffold/1"
ARTIFACT = "scaffold.json"

_NEEDED = ("jinja2", "yaml")
_TOLD_EVERY = 500


def _absent(path: str) -> str:
    """Nothing but what is in the tree."""
    return ""


def run(place: Place, *, apply: bool, lies: Callable[[str], str] = _absent) -> Result:
    """What modules lack of the template and where they drifted from it.

    Parameters
    ----------
    apply: have what they lack written.
    lies: what is at a path that is not in the tree, such as `a folder`; empty for nothing.
    """
    reason = missing()
    if reason:
        return Result(Verdict.UNKNOWN, reason, reason)
    return result(place, survey(place, lies), apply=apply)


@dataclass(frozen=True, slots=True)
class Survey:
    """How every module stands to a template."""

    template: Template
    standings: tuple[Standing, ...]

    def counted(self) -> Counter[State]:
        """How many files are in each state."""
        return Counter(file.state for standing in self.standings for file in standing.files)


def missing() -> str:
    """What to install before anything can be rendered; empty when it is there."""
    absent = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if not absent:
        return ""
    are = "is" if len(absent) == 1 else "are"
    return f"{' and '.join(absent)} {are} not installed; pip install 'pytest-cockpit[scaffold]'"


def survey(place: Place, lies: Callable[[str], str] = _absent) -> Survey:
    """Render the template for every module of a tree.

    Raises
    ------
    CockpitError: the template cannot be used.
    """
    settings = place.settings.scaffold
    loaded = template.load(place)
    modules = [each for each in discover(place) if not globs.matches(each.path, settings.exclude)]
    if len(modules) >= _TOLD_EVERY:
        place.say(f"scaffold: {len(modules):,} modules to look at")
    told = facts.of_all(place, modules)
    render = _rendering(place, loaded)
    rendered: list[Mapping[str, bytes]] = []
    for start in range(0, len(modules), _TOLD_EVERY):
        some = modules[start : start + _TOLD_EVERY]
        rendered += render([(each.path, told[each.path].facts) for each in some])
        if len(some) == _TOLD_EVERY:
            place.say(f"scaffold: {len(rendered):,} of {len(modules):,} modules rendered")
    standings = Ground(place, lies).standings(zip(modules, rendered, strict=True))
    return Survey(
        loaded,
        tuple(Standing(each, files, told[each.path].left_out) for each, files in standings),
    )


def _rendering(
    place: Place, loaded: Template
) -> Callable[[list[tuple[str, Facts]]], list[dict[str, bytes]]]:
    """Renders for some modules; the shipped template loops over what it is told and no more."""
    own = place.settings.scaffold.template.strip("/")
    return partial(apart.render, loaded) if own else partial(rendering.each, Renderer(loaded))


def result(place: Place, found: Survey, *, apply: bool) -> Result:
    """What a survey comes to; with `apply`, after what lacks has been written."""
    counted = found.counted()
    artifacts = {ARTIFACT: (document(place, found, applied=apply), "scaffold")}
    figures = {"modules": len(found.standings)}
    figures |= {state.value: counted[state] for state in State}
    if not found.standings:
        said = "no module has a manifest; see registry.manifests"
        return Result(Verdict.UNKNOWN, said, said, facts=figures, artifacts=artifacts)
    verdict = Verdict.worst(each.verdict for each in found.standings)
    text = "\n".join(wording.lines(found.standings, applied=apply))
    untested = wording.untested(found.standings)
    if not apply:
        said = f"{wording.summary(figures)}{untested}"
        return Result(verdict, said, text, facts=figures, artifacts=artifacts)
    if verdict is Verdict.FAIL and not counted[State.BLOCKED]:
        stays = counted[State.OUTDATED] + counted[State.DIVERGED]
        verdict = Verdict.WARN if stays else Verdict.PASS
    changes = _changes(place, found)
    said = f"{count(len(changes.files), 'file')} given; {wording.summary(figures, given=True)}"
    return Result(verdict, f"{said}{untested}", text, changes, figures, artifacts)


def document(place: Place, found: Survey, *, applied: bool) -> dict[str, Any]:
    """The survey as data; see `schemas/scaffold.json`."""
    counted = found.counted()
    return {
        "schema": SCHEMA,
        "commit": place.commit,
        "at": place.at(),
        "applied": applied,
        "template": {
            "path": place.settings.scaffold.template or None,
            "sha256": found.template.sha256,
        },
        "totals": {
            "modules": len(found.standings),
            "files": {state.value: counted[state] for state in State},
        },
        "modules": [_row(standing) for standing in found.standings],
    }


def _row(standing: Standing) -> dict[str, Any]:
    return {
        "module": printable(standing.module.path),
        "verdict": standing.verdict.value,
        "files": [
            {"path": printable(file.path), "state": file.state.value, "said": file.said}
            for file in standing.files
        ],
        "not_imported": [
            {"path": printable(path), "reason": reason} for path, reason in standing.left_out
        ],
    }


def _changes(place: Place, found: Survey) -> Changes:
    given = {each.module.path: each.of(State.LACKING) for each in found.standings}
    given = {module: files for module, files in given.items() if files}
    rows = [
        {
            "kind": "scaffold",
            "at": place.at(),
            "module": printable(module),
            "template_sha256": found.template.sha256,
            "files": [{"path": printable(f.path), "sha256": sha256(f.content)} for f in files],
        }
        for module, files in given.items()
    ]
    written = {file.path: file.content for files in given.values() for file in files}
    return Changes(written, (*rows, *bound.rows(place, written)))
