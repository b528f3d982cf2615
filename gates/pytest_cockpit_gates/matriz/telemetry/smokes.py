"""Which module has which smoke, and how it is started."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_cockpit.api import Finding, Severity
from pytest_cockpit_gates.matriz.telemetry.declared import SMOKE as KEY
from pytest_cockpit_gates.matriz.telemetry.declared import Declared, Keys, finding
from pytest_cockpit_gates.matriz.telemetry.naming import short
from pytest_cockpit_gates.matriz.telemetry.rules import REQUIRED, SMOKE
from pytest_cockpit_gates.matriz.telemetry.settings import Command, Settings, is_command

_TABLE = "tool.cockpit.gate.matriz.telemetry"


@dataclass(frozen=True, slots=True)
class Smoke:
    """Something to start: a function, a module or a file, with arguments."""

    kind: str
    target: str
    arguments: tuple[str, ...] = ()

    @property
    def command(self) -> list[str]:
        """How a reader would write it."""
        start = ["-m", self.target] if self.kind == "module" else [self.target]
        return [*start, *self.arguments]


@dataclass(frozen=True, slots=True)
class Plan:
    """Every smoke with the contracts that it is to be held against; findings about the rest."""

    smokes: Mapping[Smoke, Sequence[Declared]]
    findings: tuple[Finding, ...]
    unsmoked: int


def plan(blocks: Iterable[Declared], settings: Settings, root: Path) -> Plan:
    """What is to be started."""
    smokes: dict[Smoke, list[Declared]] = {}
    findings: list[Finding] = []
    used: set[str] = set()
    unsmoked = 0
    for declared in blocks:
        chosen = _chosen(declared, settings)
        if chosen is None:
            unsmoked += 1
            if settings.requires(declared.module or ""):
                findings.append(_required(declared))
            continue
        key, value, keys = chosen
        used.add(key)
        smoke = _smoke(value, declared.module or "", root)
        if isinstance(smoke, Smoke):
            smokes.setdefault(smoke, []).append(declared)
        else:
            findings.append(_unstartable(declared, smoke, keys))
    findings += [_unused(key) for key in settings.smokes if key not in used]
    return Plan(smokes, tuple(findings), unsmoked)


def concerns(declared: Declared, settings: Settings) -> bool:
    """Whether there is anything to say of a contract's telemetry."""
    return (
        not declared.empty
        or _chosen(declared, settings) is not None
        or settings.requires(declared.module or "")
    )


def _chosen(declared: Declared, settings: Settings) -> tuple[str, Any, Keys] | None:
    """Where a smoke is declared, what is declared, and the keys to it in the contract."""
    if declared.smoke is not None:
        return "", declared.smoke, (KEY,)
    module = declared.module
    found = settings.smoke_of(module) if module else None
    return None if found is None else (*found, ("telemetry",))


def _smoke(value: Any, module: str, root: Path) -> Smoke | str:
    """The smoke that a value declares, or what is wrong with it."""
    if not is_command(value):
        return f"{KEY} is neither module:function nor a list of arguments for Python"
    command: Command = value
    if isinstance(command, str):
        return Smoke("function", command.replace("{module}", module))
    first, *rest = (part.replace("{module}", module) for part in command)
    if first == "-m":
        return Smoke("module", rest[0], tuple(rest[1:])) if rest else "-m names no module"
    if first.startswith("-"):
        return f"{short(first)} is an option; a smoke begins with -m or with a file"
    if not _inside(root, first):
        return f"{short(first)} is no file of this repository"
    return Smoke("path", first, tuple(rest))


def _inside(root: Path, name: str) -> bool:
    try:
        place = (root / name).resolve()
        return place.is_file() and place.is_relative_to(root.resolve())
    except (OSError, RuntimeError, ValueError):
        return False


def _required(declared: Declared) -> Finding:
    return finding(
        declared.contract,
        REQUIRED,
        f"{declared.module} must have a smoke and has none, so what it emits is not known",
        severity=Severity.UNKNOWN,
        remedy=f'add "{declared.module}" to {_TABLE}.smokes',
    )


def _unstartable(declared: Declared, reason: str, keys: Keys) -> Finding:
    remedy = f'write "{declared.module}:function", or ["-m", "{declared.module}"]'
    return finding(declared.contract, SMOKE, reason, keys, remedy=remedy)


def _unused(key: str) -> Finding:
    return Finding(
        REQUIRED,
        f"{_TABLE}.smokes.{short(key)} matches no module whose contract declares telemetry",
        severity=Severity.UNKNOWN,
        remedy="remove it, or correct the name",
    )
