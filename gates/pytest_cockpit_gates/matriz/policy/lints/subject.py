"""What a lint looks at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pytest_cockpit_gates.matriz.policy.samples import Samples
from pytest_cockpit_gates.matriz.policy.syntax import Clause, Module


@dataclass(frozen=True, slots=True)
class Subject:
    """A policy with its tests, and the inputs of its cases.

    `contract` is the key of the contract in the inputs; `fixed_clock` whether the gate holds the
    time still.
    """

    modules: tuple[Module, ...]
    samples: Samples
    contract: str
    fixed_clock: bool

    @property
    def policies(self) -> Iterator[Module]:
        """Modules that are not unit tests."""
        return (module for module in self.modules if not module.is_test)

    def clauses(self, package: str, name: str) -> list[Clause]:
        """Every clause of a rule, whatever the file."""
        return [
            clause
            for module in self.modules
            if module.package == package
            for clause in module.clauses
            if clause.name == name
        ]
