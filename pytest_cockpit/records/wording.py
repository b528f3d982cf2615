"""What is wrong with a document, in words: errors of the jsonschema library as problems."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_cockpit.records.text import Path, one_line, pointer

if TYPE_CHECKING:
    import jsonschema

_SHOWN_TEXT = 60
_SHOWN_INT_BITS = 64


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a document: the keys that lead to it, and what was expected there."""

    path: Path
    message: str

    @property
    def pointer(self) -> str:
        """RFC 6901 JSON pointer of the place."""
        return pointer(self.path)

    def __str__(self) -> str:
        return f"{self.pointer or '(top level)'}: {self.message}"


def shown(value: object) -> str:
    """`value` as it may appear in a message: short and on one line."""
    if isinstance(value, str):
        text = value if len(value) <= _SHOWN_TEXT else value[: _SHOWN_TEXT - 1] + "…"
        return one_line(json.dumps(text, ensure_ascii=False))
    if isinstance(value, Mapping):
        return "an object" if value else "an empty object"
    if isinstance(value, Sequence):
        return "an array" if value else "an empty array"
    if isinstance(value, int) and value.bit_length() > _SHOWN_INT_BITS:
        return "a huge integer"
    return one_line(json.dumps(value, default=lambda odd: type(odd).__name__))


def meant(word: str, known: Sequence[str]) -> str:
    """The words to append when `word` looks like a slip for one of `known`, or nothing."""
    import difflib

    close = difflib.get_close_matches(word[:_SHOWN_TEXT], known, n=1)
    return f"; did you mean {shown(close[0])}?" if close else ""


def explain(schema: Mapping[str, Any], data: Any) -> Iterator[Problem]:
    """Every problem that the jsonschema library finds in `data` by `schema`."""
    for error in _validator_class()(schema).iter_errors(data):
        yield from _explain(error)


@functools.cache
def _validator_class() -> Any:
    import jsonschema

    extend: Any = jsonschema.validators.extend
    return extend(jsonschema.Draft202012Validator, {"pattern": _pattern_of_json_schema})


def _pattern_of_json_schema(
    validator: Any, pattern: str, value: Any, schema: Mapping[str, Any]
) -> Iterator[jsonschema.ValidationError]:
    """`pattern` as JSON Schema means it: its `$` does not match before a last line break."""
    import jsonschema

    ends = re.sub(r"(?<!\\)\$$", r"\\Z", pattern)
    if isinstance(value, str) and not re.search(ends, value):
        yield jsonschema.ValidationError("pattern")


def _explain(error: jsonschema.ValidationError) -> Iterator[Problem]:
    explain = _EXPLAIN.get(str(error.validator), _not_expected)
    path: Path = tuple(error.absolute_path)
    if "propertyNames" in error.absolute_schema_path:
        path = (*path, str(error.instance))
    yield from explain(error, path, error.instance)


def _schema_of(error: jsonschema.ValidationError) -> Mapping[str, Any]:
    return error.schema if isinstance(error.schema, Mapping) else {}


def _not_expected(error: jsonschema.ValidationError, path: Path, value: Any) -> Iterator[Problem]:
    yield Problem(path, f"expected {_expected(_schema_of(error))}, got {shown(value)}")


def _unknown_keys(error: jsonschema.ValidationError, path: Path, value: Any) -> Iterator[Problem]:
    known = list(_schema_of(error).get("properties", {}))
    for key in value:
        if key not in known:
            yield Problem((*path, key), f"unknown key{meant(key, known)}")


def _missing(error: jsonschema.ValidationError, path: Path, value: Any) -> Iterator[Problem]:
    for key in _schema_of(error)["required"]:
        if key not in value:
            yield Problem((*path, key), "missing")


def _twice(error: jsonschema.ValidationError, path: Path, value: Any) -> Iterator[Problem]:
    item = next(item for at, item in enumerate(value) if item in value[:at])
    yield Problem(path, f"expected each item once, got {shown(item)} twice")


def _count(error: jsonschema.ValidationError, path: Path, value: Any) -> Iterator[Problem]:
    bound = "at least" if str(error.validator).startswith("min") else "at most"
    items = f"{error.validator_value} item" + "s" * (error.validator_value != 1)
    yield Problem(path, f"expected {bound} {items}, got {len(value)}")


def _alternatives(error: jsonschema.ValidationError, path: Path, value: Any) -> Iterator[Problem]:
    """The errors of the alternative that was meant, which its `const` tells where it has one."""
    branches = list(_schema_of(error)[str(error.validator)])
    mark = _discriminator(branches)
    kinds = [branch["properties"][mark]["const"] for branch in branches] if mark else []
    if not mark:
        yield from _nearest(error)
    elif not isinstance(value, Mapping):
        yield from _not_expected(error, path, value)
    elif mark not in value:
        yield Problem((*path, mark), "missing")
    elif value[mark] not in kinds:
        choice = _expected({"enum": kinds})
        yield Problem((*path, mark), f"expected {choice}, got {shown(value[mark])}")
    else:
        chosen = kinds.index(value[mark])
        for inner in error.context or ():
            if inner.relative_schema_path[0] == chosen:
                yield from _explain(inner)


def _discriminator(branches: Sequence[Any]) -> str | None:
    marks = {
        next((key for key, part in table.items() if "const" in part), None)
        for table in (branch.get("properties", {}) for branch in branches)
    }
    return marks.pop() if len(marks) == 1 else None


def _nearest(error: jsonschema.ValidationError) -> Iterator[Problem]:
    branches: dict[int, list[jsonschema.ValidationError]] = {}
    for inner in error.context or ():
        branches.setdefault(int(inner.relative_schema_path[0]), []).append(inner)

    def distance(branch: list[jsonschema.ValidationError]) -> tuple[bool, bool, int]:
        broken = {inner.validator for inner in branch if not inner.relative_path}
        return "const" in broken, "type" in broken, len(branch)

    for inner in min(branches.values(), key=distance, default=[]):
        yield from _explain(inner)


_Explain = Callable[["jsonschema.ValidationError", Path, Any], Iterator[Problem]]

_EXPLAIN: Mapping[str, _Explain] = {
    "additionalProperties": _unknown_keys,
    "unevaluatedProperties": _unknown_keys,
    "required": _missing,
    "uniqueItems": _twice,
    "minItems": _count,
    "maxItems": _count,
    "minProperties": _count,
    "maxProperties": _count,
    "oneOf": _alternatives,
    "anyOf": _alternatives,
}


def _expected(schema: Mapping[str, Any]) -> str:
    if "const" in schema:
        return shown(schema["const"])
    if "enum" in schema:
        return "one of " + ", ".join(shown(value) for value in schema["enum"])
    kinds = schema.get("type", "another value")
    words = str(kinds) if isinstance(kinds, str) else " or ".join(kinds)
    if "title" in schema:
        words = schema["title"]
    elif schema.get("minLength"):
        words = f"non-empty {words}"
    elif "pattern" in schema:
        words = f"{words} matching {schema['pattern']}"
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {schema[key]}" for key, sign in signs.items() if key in schema]
    return one_line(" ".join([words, " and ".join(bounds)])).strip()
