"""What was measured, of what and when; whether it still speaks of the tree under judgement."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Protocol

from pytest_cockpit.api import JSON

Scalar = bool | int | float | str | Fraction

# Some reports tell the time of their place without saying which place.
_SKEW = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Binding:
    """Which tree a measurement was taken of.

    Parameters
    ----------
    commit: whose tree it was, with nothing on top; None where that is not known.
    files: SHA-256 of the files that were measured; where there are any, they alone bind.
    at: when it was measured.
    """

    commit: str | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One measured value; `source` is the path of the file that holds it."""

    value: Scalar
    source: str
    binding: Binding
    unit: str | None = None

    def to_json(self) -> JSON:
        """A JSON-able copy for the evidence of a finding."""
        value = approximate(self.value) if isinstance(self.value, Fraction) else self.value
        return {"value": value, "unit": self.unit, "source": self.source}


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a file that speaks of a metric gives no value for it."""

    why: str
    source: str


@dataclass(frozen=True, slots=True)
class Target:
    """A module with its files: path to SHA-256."""

    module: str
    files: Mapping[str, str]
    bare: frozenset[str] = frozenset()
    """Those of its files in which there is no statement to measure."""


class Source(Protocol):
    """A file with measurements."""

    def about(self, target: Target, metric: str) -> Iterator[Sample | Doubt]:
        """All that it says of one metric of one module; nothing where it is silent."""


@dataclass(frozen=True, slots=True)
class Tree:
    """The tree under judgement, as measurements can be bound to it.

    Parameters
    ----------
    commit: whose tree it is; None for a working tree.
    base: commit that `changed` counts from.
    changed: paths that differ from `base`.
    now, oldest: the time, and how old a measurement may be; None when any age will do.
    """

    commit: str | None
    base: str | None
    changed: Collection[str]
    now: datetime
    oldest: timedelta | None = None

    def doubt(self, binding: Binding, target: Target) -> str | None:
        """Why a measurement does not speak of the target as it is in this tree."""
        return self._stale(binding) or (
            _other_files(binding.files, target) if binding.files else self._other(binding, target)
        )

    def _stale(self, binding: Binding) -> str | None:
        if binding.at is not None and binding.at > self.now + _SKEW:
            return "was measured in the future"
        if self.oldest is None:
            return None
        if binding.at is None:
            return "does not say when it was measured"
        age = self.now - binding.at
        if age > self.oldest:
            return f"is {age.days} days old, {self.oldest.days} are allowed"
        return None

    def _other(self, binding: Binding, target: Target) -> str | None:
        if binding.commit is None:
            return "says neither which commit nor which files were measured"
        if binding.commit == self.commit:
            return None
        if binding.commit != self.base:
            judged = self.commit or self.base or "no commit"
            return f"is of commit {binding.commit[:12]}, not of {judged[:12]}"
        moved = sorted(set(self.changed) & target.files.keys())
        return f"was measured before {moved[0]} changed" if moved else None


def _other_files(measured: Mapping[str, str], target: Target) -> str | None:
    for path, digest in target.files.items():
        if path not in measured:
            if path not in target.bare:
                return f"does not say which {path} was measured"
        elif measured[path] != digest:
            return f"was measured before {path} changed"
    return None if target.files else "is of files, and the module has none"


def approximate(value: Fraction) -> float:
    """The nearest number that JSON can hold."""
    try:
        return float(value)
    except OverflowError:
        return sys.float_info.max if value > 0 else -sys.float_info.max


def split(said: Iterable[Sample | Doubt]) -> tuple[list[Sample], list[Doubt]]:
    """Values and doubts apart."""
    rows = list(said)
    return [it for it in rows if isinstance(it, Sample)], [
        it for it in rows if isinstance(it, Doubt)
    ]
