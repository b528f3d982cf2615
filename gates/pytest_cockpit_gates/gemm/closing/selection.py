"""The platform that is selected: a tracked file that says which, why, and which one before."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from pytest_cockpit.records.text import one_line
from pytest_cockpit_gates.gemm.closing import documents
from pytest_cockpit_gates.gemm.workers import platforms

PATH = ".cockpit/gemm_platform.json"
SCHEMA = "gemm-selection"
ROLLBACK, UNDO = "rollback", "undo"

_NAME = "pytest-cockpit/gemm-selection/1"
_VENDORS = "OCL_ICD_VENDORS"
_STRINGS = ("platform_name", "platform_version", "device", "driver", "fingerprint")


@dataclass(frozen=True, slots=True)
class Choice:
    """A platform as a process is brought to see it.

    Parameters
    ----------
    platform: short name; `clover`.
    environment: variables that select it.
    device: the strings it was seen to answer with; None where nobody has looked.
    """

    platform: str
    environment: Mapping[str, str] = field(default_factory=dict)
    device: Mapping[str, str] | None = None

    @property
    def lacks(self) -> list[str]:
        """Variables without which this platform shows no device, and which are not set."""
        needed = [_VENDORS, *(name for name, _ in platforms.platform(self.platform).variables)]
        return [name for name in needed if not self.environment.get(name)]

    def to_json(self) -> dict[str, Any]:
        """A JSON-able copy."""
        device = None if self.device is None else dict(self.device)
        return {
            "platform": self.platform,
            "environment": dict(self.environment),
            "device": device,
        }

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Self:
        """The choice of a table that answers to the schema."""
        return cls(table["platform"], table["environment"], table["device"])


@dataclass(frozen=True, slots=True)
class Selection:
    """What the file says.

    Parameters
    ----------
    kind: `rollback` or `undo`.
    reason: why, in words.
    at: when, ISO 8601 in UTC.
    session_id: of the session that selected it.
    base: the commit it was selected at.
    """

    kind: str
    selected: Choice
    previous: Choice
    reason: str
    at: str
    session_id: str
    base: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The document, which answers to the schema."""
        return {
            "schema": _NAME,
            "kind": self.kind,
            "selected": self.selected.to_json(),
            "previous": self.previous.to_json(),
            "reason": self.reason,
            "at": self.at,
            "session_id": self.session_id,
            "base": self.base,
        }

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """The selection of a document that answers to the schema."""
        chosen, before = Choice.of(data["selected"]), Choice.of(data["previous"])
        kind, reason, at = data["kind"], data["reason"], data["at"]
        return cls(kind, chosen, before, reason, at, data["session_id"], data["base"])

    def exports(self) -> str:
        """Lines that any POSIX shell can source to select the platform."""
        told = one_line(f"{self.selected.platform}, selected {self.at}: {self.reason}")
        lines = [f"# {told}"]
        lines += [
            f"export {name}={shlex.quote(value)}"
            for name, value in sorted(self.selected.environment.items())
        ]
        return "\n".join(lines) + "\n"


def read(root: Path) -> Selection | None:
    """The selection of a tree; None where none was made.

    Raises
    ------
    CockpitError: its file cannot be read, or is not as its schema says.
    """
    if not (root / PATH).exists() and not (root / PATH).is_symlink():
        return None
    return Selection.of(documents.read(root, PATH, SCHEMA).data)


def choice(platform: str, scratch: Path, info: Mapping[str, Any] | None = None) -> Choice:
    """The choice of a platform by this machine's drivers.

    Parameters
    ----------
    info: what a worker on it has described itself with.
    """
    every = platforms.environment(platform, scratch)
    names = [_VENDORS, *(name for name, _ in platforms.platform(platform).variables)]
    device = None if info is None else strings(info)
    return Choice(platform, {name: every[name] for name in names if name in every}, device)


def strings(info: Mapping[str, Any]) -> dict[str, str]:
    """What tells one device from another, of what a worker described itself with."""
    return {key: one_line(str(info.get(key) or ""))[:500] for key in _STRINGS}
