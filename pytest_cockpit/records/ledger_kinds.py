"""What a row must have by its kind, and whether it has it: one table, the shipped schemas."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from pytest_cockpit.records import schema
from pytest_cockpit.records.schema import Problem

PROMOTION, ROLLBACK, CONTENT, EPOCH, TAG = "promotion", "rollback", "content", "epoch", "tag"
MERGED, FREEZE, BENCHMARK, COVERAGE = "merged", "freeze", "benchmark", "coverage"
_COMMON = "ledger-kinds"
_TABLE = {
    PROMOTION: _COMMON,
    ROLLBACK: _COMMON,
    CONTENT: _COMMON,
    EPOCH: _COMMON,
    TAG: _COMMON,
    MERGED: _COMMON,
    FREEZE: _COMMON,
    BENCHMARK: _COMMON,
    COVERAGE: _COMMON,
    "scaffold": _COMMON,
    "waiver": "waiver",
    "waiver-revoked": _COMMON,
}
KINDS = frozenset(_TABLE)
"""Kinds with keys of their own; a row of any other kind is held to the common form alone."""


@functools.cache
def judge(name: str) -> Callable[[Any], bool]:
    """A fast check of values that `text.plain` would leave as they are."""
    import jsonschema_rs

    document = schema.load(name)
    return jsonschema_rs.Draft202012Validator(document, validate_formats=True).is_valid


@functools.cache
def _of(kind: str) -> Callable[[Any], bool]:
    """A fast check of rows of one kind: of the part of the schema that is about it."""
    import jsonschema_rs

    if _TABLE[kind] != _COMMON:
        return judge(_TABLE[kind])
    parts = schema.load(_COMMON)["allOf"]
    [part] = [part for part in parts if part["if"]["properties"]["kind"]["const"] == kind]
    return jsonschema_rs.Draft202012Validator(part["then"], validate_formats=True).is_valid


def fits(row: Mapping[str, Any]) -> bool:
    """Whether a row has the keys of its kind."""
    kind = row["kind"]
    return kind not in KINDS or _of(kind)(row)


def misfits(row: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with a row by its kind; [] when it is as it should be."""
    return [] if fits(row) else schema.problems(row, _TABLE[row["kind"]])
