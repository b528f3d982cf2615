"""The gate's settings: `[tool.cockpit.gate.quarantine]`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

_STRINGS = {"type": "array", "items": {"type": "string"}}
_SECONDS = {"type": "number", "exclusiveMinimum": 0}

SCHEMA: Mapping[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "settings of the quarantine gate",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "max_days": {
            "description": "How many days ahead a marker's last day may be.",
            "type": "integer",
            "minimum": 1,
            "default": 90,
        },
        "paths": {
            **_STRINGS,
            "description": "Further arguments of pytest: files, `-m` …",
            "default": [],
        },
        "pythonpath": {
            **_STRINGS,
            "description": (
                "Folders, relative to the repository's root, that the tests have on PYTHONPATH. "
                "Left out: the source roots other than the root."
            ),
        },
        "timeout_s": {
            **_SECONDS,
            "description": "Seconds after which the tests of the gate are killed.",
            "default": 600,
        },
        "run_s": {
            **_SECONDS,
            "description": "Seconds after which the sweep kills one run of one test.",
            "default": 60,
        },
        "search_s": {
            **_SECONDS,
            "description": "Seconds that the sweep searches for a difference, for each test.",
            "default": 300,
        },
        "search_runs": {
            "description": "Runs that the sweep searches with, for each test.",
            "type": "integer",
            "minimum": 0,
            "default": 60,
        },
        "sweep_s": {
            **_SECONDS,
            "description": "Seconds after which the sweep begins with no further test or search.",
            "default": 3600,
        },
        "skip": {
            "description": "Why the gate does not apply here; it is then not run.",
            "type": "string",
            "minLength": 1,
        },
    },
}


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of the gate with their defaults; `SCHEMA` describes each."""

    max_days: int = 90
    paths: tuple[str, ...] = ()
    pythonpath: tuple[str, ...] | None = None
    timeout_s: float = 600.0

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Settings:
        """Read a table that `SCHEMA` has been applied to."""
        values: dict[str, Any] = {
            field.name: table[field.name] for field in fields(cls) if field.name in table
        }
        for name, value in values.items():
            if isinstance(value, list):
                values[name] = tuple(value)
        return cls(**values)
