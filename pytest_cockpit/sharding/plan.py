"""Which part of the work is whose: the same on every machine, from commit and settings alone."""

from __future__ import annotations

import shlex
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

from pytest_cockpit.records.text import canonical_line, sha256

_UNKNOWN_MS = 1000


class Kind(StrEnum):
    """What is done in parts."""

    SWEEP = "sweep"
    GATES = "gates"


@dataclass(frozen=True)
class Plan:
    """All of the work, and in how many parts it is done.

    Parameters
    ----------
    tree: what is looked at: of gates, the tracked files as they are in the work tree.
    weights: every module by its folder, or every gate, with the milliseconds it is likely to take.
    base: the commit that gates compare with, where one was asked for.
    select: the expression of markers that selects gates.
    """

    kind: Kind
    commit: str
    tree: str
    settings_sha256: str
    of: int
    weights: Mapping[str, int]
    base: str | None = None
    select: str = ""

    @cached_property
    def parts(self) -> tuple[tuple[str, ...], ...]:
        """What each part does, in order; longest first, each to whoever has the least so far."""
        loads = [0] * self.of
        found: list[list[str]] = [[] for _ in loads]
        for name in sorted(self.weights, key=lambda name: (-self.weights[name], name)):
            least = loads.index(min(loads))
            loads[least] += self.weights[name]
            found[least].append(name)
        return tuple(tuple(sorted(names)) for names in found)

    @cached_property
    def digest(self) -> str:
        """What tells this plan from every other."""
        return sha256(canonical_line(self.to_json()))

    def command(self, part: int) -> str:
        """The command line that does one part alone."""
        words = ["pytest", "--cockpit-sweep"]
        if self.kind is Kind.GATES:
            words = ["pytest", "-m", self.select]
        if self.base is not None:
            words += ["--cockpit-base", self.base]
        return shlex.join([*words, "--cockpit-shard", f"{part}/{self.of}"])

    def to_json(self) -> dict[str, Any]:
        """The plan as a JSON object."""
        return {
            "kind": self.kind.value,
            "commit": self.commit,
            "tree": self.tree,
            "settings_sha256": self.settings_sha256,
            "of": self.of,
            "units": dict(sorted(self.weights.items())),
            "base": self.base,
            "select": self.select,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Plan:
        """The plan that `to_json` gave, from data that its schema allows."""
        plain = {
            name: data[name]
            for name in ("commit", "tree", "settings_sha256", "of", "base", "select")
        }
        return cls(kind=Kind(data["kind"]), weights=data["units"], **plain)


def weights(units: Iterable[str], seconds: Mapping[str, float]) -> dict[str, int]:
    """Milliseconds for each unit; what was never timed is taken for a middling one."""
    names = list(units)
    known = {name: max(1, round(1000 * seconds[name])) for name in names if name in seconds}
    middling = statistics.median_low(known.values()) if known else _UNKNOWN_MS
    return {name: known.get(name, middling) for name in names}
