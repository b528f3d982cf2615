"""The SLA: levels of severity, what they are triggered by, until when, and what is then done."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from pytest_cockpit.records.wording import meant
from pytest_cockpit_gates.gemm.closing import documents, triggers
from pytest_cockpit_gates.gemm.closing.documents import Document
from pytest_cockpit_gates.gemm.closing.triggers import Trigger
from pytest_cockpit_gates.gemm.refusing import refuse
from pytest_cockpit_gates.gemm.strict.names import CHECKS, SNAPSHOT_CHECKS

SCHEMA = "gemm-sla"
DEFAULT = "closing/severity.json"
STATES = ("run_failed", "unknown", "not_promoted")

_RANK = re.compile(r"sev([0-9]+)")


@dataclass(frozen=True, slots=True)
class Action:
    """What a level has done.

    Parameters
    ----------
    rollback: it goes back to the fallback platform.
    promotion: a promotion may follow it.
    text: what to do, in words.
    """

    name: str
    rollback: bool
    promotion: bool
    text: str


@dataclass(frozen=True, slots=True)
class Level:
    """One level of severity; rank 1 is the most urgent."""

    name: str
    rank: int
    triggers: tuple[Trigger, ...]
    minutes: float
    action: Action


@dataclass(frozen=True, slots=True)
class Sla:
    """An SLA that can be executed.

    Parameters
    ----------
    path, sha256: of its file; the package's own where none is configured.
    levels: the most urgent first.
    checks: the level of each check that no trigger is about.
    states: the level of what is no check: `run_failed`, `unknown`, `not_promoted`.
    missing: names of checks and states whose level this SLA does not have, and that level.
    channels: names of channels, and what they are.
    scope: what it says that it is about: `platforms`, `kernels`, `sizes`.
    rollback: what it says of a rollback, in words; nothing of it is run.
    """

    path: str
    sha256: str
    id: str
    levels: tuple[Level, ...]
    checks: Mapping[str, Level]
    states: Mapping[str, Level]
    missing: Mapping[str, str] = field(default_factory=dict)
    channels: Mapping[str, str] = field(default_factory=dict)
    scope: Mapping[str, Any] = field(default_factory=dict)
    rollback: Mapping[str, str] = field(default_factory=dict)

    @property
    def triggers(self) -> tuple[tuple[Level, Trigger], ...]:
        """Every trigger with its level, the most urgent first."""
        return tuple((level, trigger) for level in self.levels for trigger in level.triggers)

    @property
    def green(self) -> Level:
        """The level of an evaluation in which all is green."""
        [level] = [it for it, trigger in self.triggers if trigger.text == triggers.ALL_GREEN]
        return level


def rank(name: str) -> int:
    """How urgent a level of this name is, 1 the most; 0 of a name that is none."""
    found = _RANK.match(name)
    return int(found[1]) if found else 0


def load(root: Path, path: str) -> Sla:
    """The SLA of a file of the tree; the package's own where `path` is empty.

    Raises
    ------
    CockpitError: it cannot be read, contradicts itself, or leaves a check without a severity; the
        text names file and key, in a line for each fault.
    """
    default = documents.shipped(DEFAULT)
    made = of(documents.read(root, path, SCHEMA) if path else default, default)
    lost: dict[tuple[str, str], list[str]] = {}
    for key, name in without_severity(made):
        lost.setdefault((key, made.missing.get(name, "")), []).append(name)
    refuse(_lost(made.path, key, wanted, names) for (key, wanted), names in lost.items())
    return made


def _lost(where: str, key: str, wanted: str, names: list[str]) -> str:
    """What the checks or states of these names lack that no level is said of."""
    what = f"/{names[0]}: has" if len(names) == 1 else f": {', '.join(names)} have"
    why = f": {wanted} is not among the levels" if wanted else ""
    add = f"add {wanted}, or " if wanted else ""
    which = "it has" if len(names) == 1 else "each has"
    return f"{where}: /{key}{what} no severity{why}; {add}say which level {which}"


def without_severity(made: Sla) -> list[tuple[str, str]]:
    """Checks of evaluations and snapshots, and states, that have no level: table and name."""
    judged = {name for _, trigger in made.triggers for name in trigger.checks} | set(made.checks)
    lost = [("checks", name) for name in {**CHECKS, **SNAPSHOT_CHECKS} if name not in judged]
    return lost + [("states", name) for name in STATES if name not in made.states]


def of(document: Document, default: Document) -> Sla:
    """The SLA of a document that answers to the schema, completed by the default one.

    Raises
    ------
    CockpitError: a trigger, an action or a level is unknown, or two contradict each other; a line
        for each.
    """
    data, where = document.data, document.path
    wrong: list[str] = []
    actions = {**default.data["actions"], **data.get("actions", {})}
    levels = tuple(
        sorted(
            (
                _level(where, name, table, actions, wrong)
                for name, table in data["severity_levels"].items()
            ),
            key=lambda level: level.rank,
        )
    )
    wrong += [*_out_of_order(where, levels), *_twice(where, levels)]
    if not wrong and not any(it.text == triggers.ALL_GREEN for lv in levels for it in lv.triggers):
        wrong.append(
            f"{where}: /severity_levels: no level has the trigger {triggers.ALL_GREEN}; "
            "add it to the least urgent one"
        )
    missing: dict[str, str] = {}
    found: dict[str, dict[str, Level]] = {}
    for key in ("checks", "states"):
        own = data.get(key, {})
        found[key] = {}
        for name, wanted in {**default.data[key], **own}.items():
            level = _named(levels, wanted)
            if level is not None:
                found[key][name] = level
            elif name in own:
                wrong.append(
                    f"{where}: /{key}/{name}: no level {wanted}"
                    f"{meant(wanted, [it.name for it in levels])}; name one of severity_levels"
                )
            else:
                missing[name] = wanted
    refuse(wrong)
    return Sla(
        path=where,
        sha256=document.sha256,
        id=data["sla_id"],
        levels=levels,
        checks=found["checks"],
        states=found["states"],
        missing=missing,
        channels=data.get("notification_channels", {}),
        scope=data.get("scope", {}),
        rollback=data.get("rollback", {}),
    )


def _level(
    where: str,
    name: str,
    table: Mapping[str, Any],
    actions: Mapping[str, Any],
    wrong: list[str],
) -> Level:
    """The level of a table; what of it cannot be read is entered with what is wrong."""
    place = f"{where}: /severity_levels/{name}"
    read = []
    for number, text in enumerate(table["triggers"]):
        try:
            read.append(triggers.parse(text))
        except ValueError as error:
            wrong.append(f"{place}/triggers/{number}: {error}")
    action = table["action"]
    if action not in actions:
        wrong.append(
            f"{place}/action: no action {action}{meant(action, list(actions))}; say what it does "
            f"in /actions/{action}"
        )
    usual = {"rollback": False, "promotion": False, "text": ""}
    done = Action(action, **actions.get(action, usual))
    return Level(name, rank(name), tuple(read), table["response_sla_minutes"], done)


def _named(levels: tuple[Level, ...], wanted: str) -> Level | None:
    """The level of that name; `sev2` is the level of that rank."""
    for level in levels:
        if wanted in (level.name, f"sev{level.rank}"):
            return level
    return None


def _out_of_order(where: str, levels: tuple[Level, ...]) -> Iterator[str]:
    """Levels of one rank, and those that are responded to later than a less urgent one."""
    for one, other in pairwise(levels):
        if one.rank == other.rank:
            yield (
                f"{where}: /severity_levels: {one.name} and {other.name} are one rank; "
                "give each its own number"
            )
        elif one.minutes > other.minutes:
            yield (
                f"{where}: /severity_levels/{one.name}/response_sla_minutes: {one.minutes:g} is "
                f"later than the {other.minutes:g} of {other.name}; the more urgent comes first"
            )


def _twice(where: str, levels: tuple[Level, ...]) -> Iterator[str]:
    """Triggers that two levels have, and those that never apply because a worse one fires first."""
    seen: dict[str, str] = {}
    bounds: dict[str, tuple[float, str]] = {}
    for level in levels:
        for number, trigger in enumerate(level.triggers):
            place = f"{where}: /severity_levels/{level.name}/triggers/{number}"
            if trigger.text in seen:
                other = seen[trigger.text]
                yield f"{place}: {trigger.text} is one of {other} too; keep one of them"
                continue
            seen[trigger.text] = level.name
            if trigger.metric is None:
                continue
            key, sign = (
                trigger.text.rpartition(f"_{trigger.metric.bad}_")[0],
                1 if trigger.metric.bad == triggers.UPPER else -1,
            )
            if key in bounds and sign * trigger.bound >= sign * bounds[key][0]:
                yield (
                    f"{place}: {trigger.text} never applies: {bounds[key][1]} fires before it; "
                    "exchange them, or keep one"
                )
            bounds[key] = (trigger.bound, trigger.text)
