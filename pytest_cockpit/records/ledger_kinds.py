"""What a row must have by its kind, and whether it has it: one table, the shipped schemas."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from pytest_cockpit.records import schema
from pytest_cockpit.records.schema import Problem

PROMOTION, CONTENT, EPOCH, TAG = "promotion", "content", "epoch", "tag"
WAIVER, REVOKED = "waiver", "waiver-revoked"
KINDS = frozenset({PROMOTION, CONTENT, EPOCH, TAG, WAIVER, REVOKED})
"""Kinds with keys of their own; a row of any other kind is held to the common form alone."""


@functools.cache
def judge(name: str) -> Callable[[Any], bool]:
    """A fast check of values that `text.plain` would leave as they are."""
    import jsonschema_rs

    document = schema.load(name)
    return jsonschema_rs.Draft202012Validator(document, validate_formats=True).is_valid


def misfits(row: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with a row by its kind; [] when it is as it should be."""
    if row.get("kind") not in KINDS or judge("ledger-kinds")(row):
        return []
    return schema.problems(row, "ledger-kinds")
