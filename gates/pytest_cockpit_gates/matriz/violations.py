"""What a contract does against its schema, in words: what was expected, where, what to change."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_cockpit.api import Finding
from pytest_cockpit.records.schema import meant, shown
from pytest_cockpit.records.text import count, one_line, pointer
from pytest_cockpit_gates.matriz.contracts import Contract
from pytest_cockpit_gates.matriz.schemas import Schema

if TYPE_CHECKING:
    from jsonschema import ValidationError

RULE = "matriz.schema"
VERSION_RULE = "matriz.schema-version"

_LONGEST = 200
_SIGNS = {"minimum": "≥", "maximum": "≤", "exclusiveMinimum": ">", "exclusiveMaximum": "<"}
_FEW = {"minItems": "item", "minLength": "character", "minProperties": "key"}
_UNKNOWN_KEYS = ("additionalProperties", "unevaluatedProperties")


@dataclass(frozen=True, slots=True)
class Violation:
    """One fault: the keys that lead to it, and what would mend it."""

    keys: tuple[str | int, ...]
    message: str
    remedy: str | None = None


def explained(contract: Contract, schema: Schema) -> list[Finding]:
    """Every violation of a contract that is known to have some."""
    found: dict[Violation, None] = {}
    try:
        for error in schema.slow().iter_errors(contract.value):
            told = _told(error) if _keyword(error) else _forbidden(contract, schema)
            found |= dict.fromkeys(told)
    except RecursionError:
        # A schema may refer to itself without end; the fast validator has judged all the same.
        found = {}
    if not found:
        return summarised(contract, schema)
    where = contract.positions()
    return [
        _finding(contract, schema, item, where.line(pointer(item.keys)))
        for item in sorted(
            found, key=lambda item: (where.line(pointer(item.keys)) or 0, item.message)
        )
    ]


def _forbidden(contract: Contract, schema: Schema) -> Iterator[Violation]:
    """Values under a schema of `false`, whose place the slow validator does not tell."""
    for error in schema.fast.iter_errors(contract.value):
        if error.message.startswith("False schema"):
            yield Violation(
                tuple(error.instance_path),
                f"{shown(error.instance)} is not allowed here",
                "remove it",
            )


def summarised(contract: Contract, schema: Schema) -> list[Finding]:
    """The first violation in the fast validator's words, without its line."""
    first, *more = schema.fast.iter_errors(contract.value)
    rest = f" (and {len(more)} more)" if more else ""
    message = one_line(first.message)[:_LONGEST] + rest
    return [_finding(contract, schema, Violation(tuple(first.instance_path), message), None)]


def _finding(contract: Contract, schema: Schema, item: Violation, line: int | None) -> Finding:
    by_version = item.keys == ("schema_version",) and contract.version is not None
    return Finding(
        VERSION_RULE if by_version else RULE,
        item.message,
        path=contract.path,
        line=line,
        pointer=pointer(item.keys),
        remedy=item.remedy,
        evidence={"schema": schema.path, "schema_sha256": schema.sha256},
    )


def _told(error: ValidationError) -> Iterator[Violation]:
    """What one error says; of alternatives, the one that came nearest."""
    keys = tuple(error.absolute_path)
    schema = error.schema if isinstance(error.schema, Mapping) else {}
    if error.validator in _UNKNOWN_KEYS and isinstance(error.instance, Mapping):
        yield from _unknown_keys(error, keys, schema)
    elif error.validator == "required" and isinstance(error.instance, Mapping):
        for key in schema["required"]:
            if key not in error.instance:
                yield Violation(keys, f"{shown(key)} is missing", f"add {shown(key)}")
    elif error.context:
        for inner in _nearest(error.context):
            yield from _told(inner)
    else:
        yield Violation(keys, *_expectation(error, schema))


def _keyword(error: ValidationError) -> str | None:
    """The keyword that was broken, or None under a schema of `false`."""
    keyword: Any = error.validator
    return None if keyword is None else str(keyword)


def _nearest(context: Sequence[ValidationError]) -> list[ValidationError]:
    """The errors of the alternative that was most likely meant: of the right kind, with few."""
    branches: dict[object, list[ValidationError]] = {}
    for error in context:
        branches.setdefault(error.relative_schema_path[0], []).append(error)

    def distance(errors: Sequence[ValidationError]) -> tuple[bool, bool, int]:
        kind = any(error.validator == "type" and not error.relative_path for error in errors)
        mark = any(error.validator == "const" for error in errors)
        return kind, mark, len(errors)

    return min(branches.values(), key=distance)


def _unknown_keys(
    error: ValidationError, keys: tuple[str | int, ...], schema: Mapping[str, Any]
) -> Iterator[Violation]:
    known = list(schema.get("properties", {}))
    table: Mapping[str, Any] = error.instance  # type: ignore[assignment]  # the caller's check
    free = [name for name in known if name not in table]
    for key in table:
        if not _is_unknown(key, error, schema):
            continue
        hint = meant(key, free)
        remedy = f"remove it, or rename it{hint}" if hint else "remove it"
        yield Violation((*keys, key), f"unknown key {shown(key)}", remedy)


def _is_unknown(key: str, error: ValidationError, schema: Mapping[str, Any]) -> bool:
    if error.validator == "unevaluatedProperties":
        # Which keys other branches have evaluated is known to the validator alone.
        return repr(key) in error.message
    patterns = schema.get("patternProperties", {})
    return key not in schema.get("properties", {}) and not any(
        re.search(pattern, key) for pattern in patterns
    )


def _expectation(error: ValidationError, schema: Mapping[str, Any]) -> tuple[str, str | None]:
    """What was expected and got, and the remedy where one follows."""
    keyword, value = str(error.validator), shown(error.instance)
    limit: Any = schema.get(keyword)
    if keyword == "enum":
        words = [word for word in limit if isinstance(word, str)]
        hint = meant(error.instance, words) if isinstance(error.instance, str) else ""
        choice = ", ".join(map(shown, limit))[:_LONGEST]
        return f"{value} is not one of {choice}{hint}", f"use one of {choice}"
    expected = _expected(keyword, limit, schema)
    if expected is None:
        return one_line(error.message)[:_LONGEST], None
    return f"expected {expected}, got {value}", f"write {expected}"


def _expected(keyword: str, limit: Any, schema: Mapping[str, Any]) -> str | None:
    """The words for what a keyword expects, or None where the validator's own are as good."""
    if keyword == "type":
        return limit if isinstance(limit, str) else " or ".join(map(str, limit))
    if keyword == "const":
        return shown(limit)
    if keyword == "pattern":
        return str(schema.get("title") or f"text matching {limit}")
    if keyword in _FEW:
        return f"at least {count(limit, _FEW[keyword])}"
    if keyword in _SIGNS:
        return f"a number {_SIGNS[keyword]} {limit}"
    return None
