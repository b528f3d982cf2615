"""What import statements that follow a batch are made of.

Apart from the module that renders them: loading LibCST takes as long as pytest itself, and most
sessions rewrite nothing.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """What a name is imported from: a module, or None when the name is a top-level module."""

    base: str | None
    name: str


@dataclass(slots=True)
class Piece:
    """One statement, with the comments that belong to it."""

    code: str
    before: list[str]
    after: list[str]


class Unsplittable(Exception):
    """LibCST does not read the statement, or does not give it back as it was."""
