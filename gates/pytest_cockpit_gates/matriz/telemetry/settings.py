"""The table `[tool.cockpit.gate.matriz.telemetry]`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from pytest_cockpit.api import JSON, Severity

_GLOB = {"title": "a module, such as harbour.cranes or harbour.*", "pattern": r"^[\w.*?]+$"}
_SEVERITY = {"enum": ["error", "warning", "info"]}
_FUNCTION = r"^[\w.{}]+:[^\W\d]\w*(\.[^\W\d]\w*)*$"
_PLAIN = {"type": "string", "minLength": 1, "not": {"pattern": r"\x00"}}

SCHEMA: JSON = {
    "type": "object",
    "properties": {
        "smokes": {
            "type": "object",
            "minProperties": 1,
            "propertyNames": _GLOB,
            "additionalProperties": {
                "title": "module:function, or a list of arguments for Python",
                "anyOf": [
                    {"type": "string", "pattern": _FUNCTION},
                    {"type": "array", "minItems": 1, "items": _PLAIN},
                ],
            },
        },
        "require": {"type": "array", "minItems": 1, "items": {"type": "string", **_GLOB}},
        "timeout_s": {"type": "number", "exclusiveMinimum": 0, "maximum": 3600},
        "deprecated": _SEVERITY,
        "undeclared": _SEVERITY,
    },
    "additionalProperties": False,
}

TIMEOUT_S = 60.0

Command = str | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Settings:
    """What a repository says of its telemetry.

    Parameters
    ----------
    smokes: module or glob of modules to what emits their telemetry.
    require: globs of modules that must have a smoke.
    timeout_s: seconds that one smoke may take.
    deprecated: what a name means that the conventions have given up.
    undeclared: what a span or metric means that no contract declares.
    """

    smokes: Mapping[str, Command] = field(default_factory=dict)
    require: tuple[str, ...] = ()
    timeout_s: float = TIMEOUT_S
    deprecated: Severity = Severity.WARNING
    undeclared: Severity = Severity.WARNING

    @classmethod
    def of(cls, gate: Mapping[str, Any]) -> Settings:
        """From the gate's own table, which has been validated."""
        table = dict(gate.get("telemetry", {}))
        smokes = table.get("smokes", {})
        return cls(
            smokes={
                key: value if isinstance(value, str) else tuple(value)
                for key, value in smokes.items()
            },
            require=tuple(table.get("require", ())),
            timeout_s=float(table.get("timeout_s", TIMEOUT_S)),
            deprecated=Severity(table.get("deprecated", Severity.WARNING)),
            undeclared=Severity(table.get("undeclared", Severity.WARNING)),
        )

    def smoke_of(self, module: str) -> tuple[str, Command] | None:
        """The key and the smoke of a module: by its name, else by the first glob it matches."""
        if module in self.smokes:
            return module, self.smokes[module]
        found = (item for item in self.smokes.items() if fnmatchcase(module, item[0]))
        return next(found, None)

    def requires(self, module: str) -> bool:
        """Whether the module must have a smoke."""
        return any(fnmatchcase(module, pattern) for pattern in self.require)


def is_command(value: Any) -> bool:
    """Whether a value of any kind has the form of a smoke."""
    if isinstance(value, str):
        return re.search(_FUNCTION, value) is not None
    return (
        isinstance(value, list | tuple)
        and bool(value)
        and all(isinstance(item, str) and item and "\0" not in item for item in value)
    )
