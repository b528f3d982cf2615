"""Known traps of Rego, one module for each."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_cockpit.api import Finding
from pytest_cockpit_gates.matriz.policy.lints import (
    impure,
    inputs,
    membership,
    names,
    never,
    shadowed,
)
from pytest_cockpit_gates.matriz.policy.lints.subject import Subject


def lint(subject: Subject) -> Iterator[Finding]:
    """All that the lints see."""
    for trap in (membership, never, names, inputs, impure, shadowed):
        yield from trap.lint(subject)
