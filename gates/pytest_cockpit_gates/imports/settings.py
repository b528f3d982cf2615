"""The gate's table in the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_GLOBS = {"type": "array", "items": {"type": "string", "minLength": 1}, "uniqueItems": True}
_NAMES = {
    "type": "array",
    "items": {"type": "string", "pattern": r"^[^\W\d]\w*(\.[^\W\d]\w*)*$"},
    "uniqueItems": True,
}

_TIMEOUT_S = 30
_GROWTH_MB = 1024

SEVERITIES: Mapping[str, str] = {
    "at-exit": "warning",
    "names": "warning",
    "network": "warning",
    "order": "warning",
    "prints": "warning",
    "programs": "warning",
    "running": "warning",
    "state": "info",
    "syntax-warning": "warning",
    "writes": "warning",
}
"""What an import may do beside defining names, and what that counts for by default."""

SCHEMA: Mapping[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "tool.cockpit.gate.imports",
    "description": "Which modules are imported, and how.",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "include": {
            **_GLOBS,
            "description": (
                "Globs of the files to import. When given, they replace the conventions by which"
                " the lane, tests, docs and scripts are left out; a batch's moved files are"
                " imported all the same."
            ),
            "default": [],
        },
        "exclude": {
            **_GLOBS,
            "description": "Globs of files never to import, moved ones included.",
            "default": [],
        },
        "timeout_s": {
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": 3600,
            "description": "Seconds one import may take.",
            "default": _TIMEOUT_S,
        },
        "optional": {
            **_NAMES,
            "description": (
                "Import names of third-party packages that may be absent where the gate runs:"
                " a module that lacks one is reported and does not hold up the verdict."
            ),
            "default": [],
        },
        "preload": {
            **_NAMES,
            "description": (
                "Modules to import once, before the forks: heavy third-party packages that most"
                " modules need. What they load is then visible to every judged module."
            ),
            "default": [],
        },
        "memory_mb": {
            "type": "integer",
            "minimum": 64,
            "description": "Address space one import may use, in MiB; unlimited when absent.",
        },
        "growth_mb": {
            "type": "integer",
            "minimum": 0,
            "description": "Memory one import may fill, in MiB; 0 for no limit.",
            "default": _GROWTH_MB,
        },
        "together": {
            "type": "boolean",
            "description": (
                "Whether the modules that import alone are imported in one process too, in sorted"
                " and in reversed order, to find those that depend on the order."
            ),
            "default": True,
        },
        "contracts": {
            "type": "boolean",
            "description": "Whether import-linter's contracts are checked, where there are any.",
            "default": True,
        },
        "distributions": {
            "type": "object",
            "additionalProperties": {"type": "string", "minLength": 1},
            "description": (
                "Import name to the name of the distribution that provides it, where the gate"
                " cannot know it because it is not installed."
            ),
            "default": {},
        },
        "severity": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                kind: {"enum": ["error", "warning", "info"], "default": default}
                for kind, default in SEVERITIES.items()
            },
            "description": "What each effect of an import counts for.",
            "default": {},
        },
    },
}


@dataclass(frozen=True, slots=True)
class Settings:
    """The table, with its defaults."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    timeout_s: float = _TIMEOUT_S
    optional: frozenset[str] = frozenset()
    preload: tuple[str, ...] = ()
    memory_mb: int = 0
    growth_mb: int = _GROWTH_MB
    together: bool = True
    contracts: bool = True
    distributions: Mapping[str, str] = field(default_factory=dict)
    severity: Mapping[str, str] = field(default_factory=lambda: SEVERITIES)

    @classmethod
    def read(cls, table: Mapping[str, Any]) -> Settings:
        """Read a table that satisfies `SCHEMA`."""
        return cls(
            include=tuple(table.get("include", ())),
            exclude=tuple(table.get("exclude", ())),
            timeout_s=float(table.get("timeout_s", _TIMEOUT_S)),
            optional=frozenset(table.get("optional", ())),
            preload=tuple(table.get("preload", ())),
            memory_mb=int(table.get("memory_mb", 0)),
            growth_mb=int(table.get("growth_mb", _GROWTH_MB)),
            together=bool(table.get("together", True)),
            contracts=bool(table.get("contracts", True)),
            distributions=dict(table.get("distributions", {})),
            severity={**SEVERITIES, **table.get("severity", {})},
        )
