"""What the inputs of the cases look like: whether any has a path, and of which kinds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_cockpit_gates.matriz.policy.terms import kind


@dataclass(frozen=True, slots=True)
class Samples:
    """The inputs as the policy sees them."""

    inputs: Sequence[Mapping[str, Any]]
    _kinds: dict[tuple[str, ...], frozenset[str]] = field(default_factory=dict)

    def kinds(self, path: tuple[str, ...]) -> frozenset[str]:
        """The kinds of the values at a path; none where no input has it."""
        if path not in self._kinds:
            found = {kind(value) for value in self._values(path)}
            self._kinds[path] = frozenset(found)
        return self._kinds[path]

    def keys(self, path: tuple[str, ...]) -> set[str]:
        """The keys of the objects at a path."""
        objects = (value for value in self._values(path) if isinstance(value, Mapping))
        return {key for value in objects for key in value}

    def _values(self, path: tuple[str, ...]) -> Iterator[Any]:
        for value in self.inputs:
            at: Any = value
            for key in path:
                at = at.get(key, ...) if isinstance(at, Mapping) else ...
            if at is not ...:
                yield at
