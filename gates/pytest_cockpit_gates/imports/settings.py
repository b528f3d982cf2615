"""The gate's table in the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_GLOBS = {"type": "array", "items": {"type": "string", "minLength": 1}, "uniqueItems": True}
_NAMES = {
    "type": "array",
    "items": {"type": "string", "pattern": r"^[^\W\d]\w*(\.[^\W\d]\w*)*$"},
    "uniqueItems": True,
}

_TIMEOUT_S = 30

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
        )
