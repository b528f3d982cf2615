"""The gate's settings: `[tool.cockpit.gate.coverage]`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

_STRINGS = {"type": "array", "items": {"type": "string"}}
_COMMAND = ("-m", "pytest", "-q", "-p", "no:cacheprovider")
_OMIT = ("test_*.py", "*_test.py", "conftest.py", "tests/*", "*/tests/*")

_PERCENT = {"type": "number", "minimum": 0, "maximum": 100}
_REACHED = {
    "lines": {**_PERCENT, "description": "Percent of statements executed."},
    "branches": {**_PERCENT, "description": "Percent of branches taken."},
}
_SHARED = {
    "type": "object",
    "additionalProperties": False,
    "minProperties": 1,
}

SCHEMA: Mapping[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "settings of the coverage gate",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "command": {
            **_STRINGS,
            "description": "Arguments of Python that run the tests; the gate appends its own.",
            "minItems": 1,
            "default": list(_COMMAND),
        },
        "paths": {
            **_STRINGS,
            "description": "Further arguments at the end of the command: files, `-n`, `-m` …",
            "default": [],
        },
        "timeout_s": {
            "description": "Seconds after which the tests and all they started are killed.",
            "type": "number",
            "exclusiveMinimum": 0,
            "default": 1800,
        },
        "pythonpath": {
            **_STRINGS,
            "description": (
                "Folders, relative to the repository's root, that the tests and their child "
                "processes have on PYTHONPATH. Left out: the source roots other than the root."
            ),
        },
        "omit": {
            **_STRINGS,
            "description": (
                "Files whose lines do not count, as coverage's own `omit`, relative to the "
                "repository's root; added to the `omit` of the repository's coverage settings."
            ),
            "default": list(_OMIT),
        },
        "new_file_ratio": {
            "description": "Share of a new file's statements that may be missing.",
            "type": "number",
            "minimum": 0,
            "maximum": 1,
            "default": 0.2,
        },
        "patch_ratio": {
            "description": "Share of the changed statements to be executed; none if left out.",
            "type": "number",
            "minimum": 0,
            "maximum": 1,
        },
        "untested_change": {
            "description": "What a changed file means, outside a batch, that no test executes.",
            "enum": ["unknown", "warning", "info"],
            "default": "warning",
        },
        "targets": {
            "description": "What files must reach besides their bounds; the first match counts.",
            "type": "array",
            "default": [],
            "items": {
                **_SHARED,
                "required": ["paths"],
                "properties": {
                    "paths": {
                        **_STRINGS,
                        "minItems": 1,
                        "description": "Globs: `**` spans folders, `core/` is all below it.",
                    },
                    **_REACHED,
                    "per": {
                        "description": "Whether each file or all of them together must reach it.",
                        "enum": ["file", "group"],
                        "default": "file",
                    },
                },
            },
        },
        "production_target": {
            **_SHARED,
            "properties": _REACHED,
            "description": "The target of files outside the lane that `targets` does not match.",
        },
        "lane_target": {
            **_SHARED,
            "properties": _REACHED,
            "description": "The target of files in the lane that `targets` does not match.",
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
    """The settings with their defaults; `SCHEMA` describes each."""

    command: tuple[str, ...] = _COMMAND
    paths: tuple[str, ...] = ()
    timeout_s: float = 1800.0
    pythonpath: tuple[str, ...] | None = None
    omit: tuple[str, ...] = _OMIT
    new_file_ratio: float = 0.2
    patch_ratio: float | None = None
    untested_change: str = "warning"
    targets: tuple[Mapping[str, Any], ...] = ()
    production_target: Mapping[str, Any] | None = None
    lane_target: Mapping[str, Any] | None = None

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
