"""What imports do beside defining names: found in what the probe heard, held to the baseline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_cockpit.api import Finding, Severity
from pytest_cockpit.records.artifacts import printable
from pytest_cockpit_gates.imports import rules
from pytest_cockpit_gates.imports.judge import Judged, slack
from pytest_cockpit_gates.imports.pool import Tour
from pytest_cockpit_gates.imports.selection import Tree
from pytest_cockpit_gates.imports.settings import Settings

_VERBS: Mapping[str, str] = {
    "network": "uses the network",
    "writes": "writes outside the tree",
    "programs": "starts a process",
    "prints": "prints",
}
_FEW = 3


@dataclass(frozen=True, slots=True)
class Effect:
    """One thing that the import of a file does.

    `foreign` when it is done by a package from outside the tree while that is being imported:
    worth knowing, and not for this file to mend.
    """

    kind: str
    path: str
    line: int | None
    message: str
    foreign: bool = False
    evidence: Mapping[str, Any] | None = None


def found(judged: Sequence[Judged], tree: Tree) -> list[Effect]:
    """Effects of the modules that could be imported, each with the file whose doing it is."""
    sound = [it for it in judged if it.failure is None and it.outcome.report]
    unplaced = {it.outcome.job.module: frozenset(_unplaced(it)) for it in sound}
    effects: list[Effect] = []
    for one in sound:
        effects.extend(_placed(one, tree))
        effects.extend(_inherited(one, unplaced))
        effects.extend(_afterwards(one))
    return effects


def of_tours(tours: Sequence[Tour], paths: Mapping[str, str]) -> list[Effect]:
    """Modules that import alone and fail in company."""
    told: dict[str, tuple[str, str]] = {}
    for tour, order in zip(tours, ("sorted", "reversed"), strict=True):
        for module, reason in tour.failed.items():
            told.setdefault(module, (order, reason))
    return [
        Effect(
            "order",
            paths[module],
            None,
            f"{module} imports alone, and not after the others in {order} order: {reason}",
            evidence={"module": module, "order": order, "reason": reason},
        )
        for module, (order, reason) in sorted(told.items())
    ]


def findings(
    effects: Sequence[Effect],
    entries: Mapping[str, Any],
    settings: Settings,
    judged: Sequence[Judged],
    *,
    company: bool,
) -> Iterator[Finding]:
    """The effects as findings; a kind that the baseline lists for a file is tolerated.

    `company`: the modules were imported together, as when the baseline was measured.
    """
    shown: dict[tuple[str, str], int] = {}
    for effect in effects:
        key = (effect.kind, effect.path)
        shown[key] = shown.get(key, 0) + 1
        if shown[key] <= _FEW:
            yield _finding(effect, entries, settings)
    for one in judged:
        path = one.outcome.job.path
        for kind in entries.get(printable(path), {}).get("effects", ()):
            tried = one.failure is None and (company or kind != "order")
            if tried and (kind, path) not in shown:
                yield slack(path, "no longer does that", {"effect": kind})


def kinds(effects: Sequence[Effect]) -> dict[str, list[str]]:
    """The kinds of effects of each file, as a baseline lists them."""
    listed: dict[str, set[str]] = {}
    for effect in effects:
        if not effect.foreign and effect.kind != "state":
            listed.setdefault(printable(effect.path), set()).add(effect.kind)
    return {path: sorted(found) for path, found in listed.items()}


def _finding(effect: Effect, entries: Mapping[str, Any], settings: Settings) -> Finding:
    severity, note = Severity(settings.severity[effect.kind]), ""
    if effect.foreign:
        severity, note = Severity.INFO, " (by a package it imports)"
    elif effect.kind in entries.get(printable(effect.path), {}).get("effects", ()):
        severity, note = Severity.INFO, " (tolerated by the baseline)"
    return Finding(
        rules.OF_EFFECT[effect.kind],
        effect.message + note,
        severity=severity,
        path=effect.path,
        line=effect.line,
        remedy=rules.EFFECT_REMEDY[effect.kind],
        evidence={"effect": effect.kind, **(effect.evidence or {})},
    )


def _placed(one: Judged, tree: Tree) -> Iterator[Effect]:
    """What was heard while a line of the judged file ran; others' lines are theirs to answer."""
    report, job = one.outcome.report or {}, one.outcome.job
    seen = set()
    for kind, what, file, line, foreign in report["notes"]:
        if kind == "threads" or file is None or tree.relative(file) != job.path:
            continue
        if (kind, line, foreign) not in seen:
            seen.add((kind, line, foreign))
            message = f"its import {_VERBS[kind]}: {_local(what, tree)}"
            yield Effect(kind, job.path, line, message, foreign)
    for line, text in report["warned"]:
        yield Effect("syntax-warning", job.path, line, f"the compiler warns: {text}")


def _local(what: str, tree: Tree) -> str:
    return what.replace(str(tree.root), ".")


def _unplaced(one: Judged) -> Iterator[tuple[str, str]]:
    """What is known of the process and not of a line: kind and what."""
    report = one.outcome.report or {}
    heard = {note[0] for note in report["notes"]}
    if one.outcome.output.strip() and "prints" not in heard and not report["warned"]:
        yield "prints", "its import prints past Python's own streams"
    if report["threads"]:
        yield "running", f"its import leaves {_many(report['threads'], 'thread')} running"
    if report["children"]:
        yield "running", f"its import leaves {_many(report['children'], 'process')} running"
    if report["replaced"]:
        yield "state", "it puts another object into its place in sys.modules"
    for state in report["states"]:
        yield "state", f"its import changes {state}"


def _inherited(one: Judged, unplaced: Mapping[str, frozenset[tuple[str, str]]]) -> Iterator[Effect]:
    """What none of the modules that it imports does by itself."""
    own, job = unplaced[one.outcome.job.module], one.outcome.job
    for other in (one.outcome.report or {})["ran"] if own else ():
        own -= unplaced.get(other, frozenset())
    for kind, message in sorted(own):
        yield Effect(kind, job.path, None, message)


def _afterwards(one: Judged) -> Iterator[Effect]:
    """What came of promised names and of functions for the end of the process."""
    after, job = one.outcome.after, one.outcome.job
    if after is None:
        return
    if after["lost"]:
        names = ", ".join(after["lost"])
        yield Effect("names", job.path, None, f"__all__ promises what cannot be had: {names}")
    if after["stage"] == "names":
        yield Effect("names", job.path, None, "asking for what __all__ promises ends the process")
    for error in after["failed"]:
        text = f"a function for the end of the process raises {error['type']}: {error['message']}"
        yield Effect("at-exit", job.path, None, text)
    if after["stage"] == "exit":
        text = "a function for the end of the process ends it or does not return"
        yield Effect("at-exit", job.path, None, text)


def _many(number: int, noun: str) -> str:
    if number == 1:
        return f"1 {noun}"
    return f"{number} {noun}{'es' if noun.endswith('s') else 's'}"
