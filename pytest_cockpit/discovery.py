"""Find the installed gates by entry point, one broken gate never hiding the others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pytest_cockpit.api import Gate, Rule

GROUP = "pytest_cockpit.gates"
"""Entry-point group of gates; an entry point's name is the gate's pytest marker."""

_NAME = re.compile(r"[a-z][a-z0-9]*(?:[_-][a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Installed:
    """A gate that can be run.

    Parameters
    ----------
    marker: the entry point's name, and the gate's pytest marker.
    gate: the loaded gate.
    distribution: name and version of the distribution that brings it.
    entry: the entry point itself, to load the gate from again elsewhere.
    """

    marker: str
    gate: Gate
    distribution: str
    entry: EntryPoint


@dataclass(frozen=True, slots=True)
class Broken:
    """A gate that is declared but cannot be used, with the reason in one line."""

    marker: str
    error: str


@dataclass(frozen=True, slots=True)
class Gates:
    """Every declared gate: those loaded, by short name, and those broken."""

    loaded: Mapping[str, Installed]
    broken: tuple[Broken, ...]


def gates() -> Gates:
    """Load every declared gate."""
    entries = _entries()
    results = [(entry, _load(entry, entries)) for entry in entries]
    loaded, clashes = _by_name([result for _, result in results if isinstance(result, Installed)])
    broken = [
        Broken(entry.name, f"{entry.value}: {result}")
        for entry, result in results
        if isinstance(result, str)
    ]
    return Gates(loaded, tuple(sorted([*broken, *clashes], key=lambda item: item.marker)))


def _entries() -> list[EntryPoint]:
    return sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value))


def _load(entry: EntryPoint, entries: Sequence[EntryPoint]) -> Installed | str:
    """The gate, or why there is none."""
    if not entry.name.isidentifier() or entry.name == "gate":
        return f"{entry.name!r} cannot be a marker: name the entry point with an identifier"
    namesakes = [other for other in entries if other.name == entry.name]
    if len(namesakes) > 1:
        owners = ", ".join(map(_distribution, namesakes))
        return f"the marker {entry.name!r} is declared by {owners}: uninstall all but one"
    try:
        gate = entry.load()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - one gate must not take others along
        return f"cannot be loaded: {type(error).__name__}: {_one_line(error)}"
    complaint = _complaint(gate)
    return complaint or Installed(entry.name, gate, _distribution(entry), entry)


def _complaint(gate: Any) -> str | None:
    """Why this object is no gate, or None."""
    if isinstance(gate, type):
        return f"{gate.__name__} is a class: let the entry point name an instance of it"
    missing = [
        name
        for name in ("name", "summary", "rules", "settings_schema", "check", "proofs")
        if getattr(gate, name, None) is None
    ]
    if missing:
        return f"no gate: it lacks {', '.join(missing)}"
    wrong = [
        demand
        for holds, demand in (
            (_is_name(gate.name), "name must be lower-case letters, digits, '_' and '-'"),
            (isinstance(gate.summary, str), "summary must be a string"),
            (_are_rules(gate.rules), "rules must be a sequence of api.Rule"),
            (isinstance(gate.settings_schema, Mapping), "settings_schema must be a mapping"),
            (callable(gate.check), "check must be callable"),
            (callable(gate.proofs), "proofs must be callable"),
        )
        if not holds
    ]
    return f"no gate: {'; '.join(wrong)}" if wrong else None


def _is_name(name: object) -> bool:
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def _are_rules(rules: object) -> bool:
    return (
        isinstance(rules, Sequence)
        and not isinstance(rules, str)
        and all(isinstance(rule, Rule) for rule in rules)
    )


def _by_name(usable: Iterable[Installed]) -> tuple[dict[str, Installed], list[Broken]]:
    """Installed gates by short name; where two share one, neither is used."""
    groups: dict[str, list[Installed]] = {}
    for item in usable:
        groups.setdefault(item.gate.name, []).append(item)
    loaded = {name: group[0] for name, group in sorted(groups.items()) if len(group) == 1}
    clashes = [
        Broken(
            item.marker, f"{item.entry.value}: the name {name!r} is taken by {_rivals(item, group)}"
        )
        for name, group in groups.items()
        if len(group) > 1
        for item in group
    ]
    return loaded, clashes


def _rivals(item: Installed, group: Sequence[Installed]) -> str:
    rivals = ", ".join(f"{it.entry.value} of {it.distribution}" for it in group if it is not item)
    return f"{rivals} too: uninstall all but one"


def _distribution(entry: EntryPoint) -> str:
    if entry.dist is None:
        return "an unknown distribution"
    # Each look at it reads and parses the distribution's file again.
    metadata = entry.dist.metadata
    return f"{metadata['Name']} {metadata['Version']}"


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or "no message"
