"""Documents against the schemas shipped with the package: every problem, in words."""

from __future__ import annotations

import difflib
import functools
import importlib.resources
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_cockpit.records.text import escaped, one_line, plain

if TYPE_CHECKING:
    import jsonschema
    import jsonschema_rs

Part = str | int


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a document: the keys that lead to it, and what was expected there."""

    path: tuple[Part, ...]
    message: str

    @property
    def pointer(self) -> str:
        """RFC 6901 JSON pointer of the place."""
        return "".join(f"/{escaped(part)}" for part in self.path)

    def __str__(self) -> str:
        return f"{self.pointer or '(top level)'}: {self.message}"


def problems(data: Any, schema: str) -> list[Problem]:
    """All that is wrong with `data` by the shipped schema of that name; [] when it is valid."""
    fast, slow = _validators(_source(schema))
    return _problems(data, fast, slow)


def problems_by(data: Any, schema: Mapping[str, Any]) -> list[Problem]:
    """All that is wrong with `data` by a schema given as a document, such as a gate's own."""
    fast, slow = _validators(json.dumps(schema, sort_keys=True))
    return _problems(data, fast, slow)


def load(name: str) -> dict[str, Any]:
    """The shipped schema of that name."""
    schema: dict[str, Any] = json.loads(_source(name))
    return schema


def shown(value: object) -> str:
    """`value` as it may appear in a message: short and on one line."""
    if isinstance(value, str):
        text = value if len(value) <= 60 else value[:59] + "…"
        return one_line(json.dumps(text, ensure_ascii=False))
    if isinstance(value, Mapping):
        return "an object" if value else "an empty object"
    if isinstance(value, Sequence):
        return "an array" if value else "an empty array"
    if isinstance(value, int) and value.bit_length() > 64:
        return "a huge integer"
    return one_line(json.dumps(value, default=lambda odd: type(odd).__name__))


def meant(word: str, known: Sequence[str]) -> str:
    """The words to append when `word` looks like a slip for one of `known`, or nothing."""
    close = difflib.get_close_matches(word[:80], known, n=1)
    return f"; did you mean {shown(close[0])}?" if close else ""


@functools.cache
def _source(name: str) -> str:
    folder = importlib.resources.files("pytest_cockpit") / "schemas"
    return (folder / f"{name}.json").read_text(encoding="utf-8")


class _Lazy:
    """The validator that explains, made only when there is something to explain."""

    def __init__(self, schema: Any) -> None:
        self.schema = schema

    @functools.cached_property
    def validator(self) -> jsonschema.Draft202012Validator:
        import jsonschema

        return jsonschema.Draft202012Validator(self.schema)


@functools.cache
def _validators(source: str) -> tuple[jsonschema_rs.Validator, _Lazy]:
    import jsonschema_rs

    schema = json.loads(source)
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True), _Lazy(schema)


def _problems(data: Any, fast: jsonschema_rs.Validator, slow: _Lazy) -> list[Problem]:
    try:
        data = plain(data)
    except ValueError as error:
        place, _, message = str(error).partition(": ")
        path = () if place.startswith("(") else tuple(place.split("/")[1:])
        return [Problem(path, message)]
    if fast.is_valid(data):
        return []
    found = {
        problem: None for error in slow.validator.iter_errors(data) for problem in _explain(error)
    }
    if not found:
        # The two differ in corners such as formats and `$` before a line break; the verdict is
        # the fast one's, so are the words then.
        found = {
            Problem(tuple(error.instance_path), one_line(error.message)[:200]): None
            for error in fast.iter_errors(data)
        }
    return sorted(found, key=lambda problem: [str(part) for part in problem.path])


def _explain(error: jsonschema.ValidationError) -> Iterator[Problem]:
    path: tuple[Part, ...] = tuple(error.absolute_path)
    value, schema = error.instance, error.schema
    match error.validator:
        case "oneOf" | "anyOf" if error.context:
            for inner in _nearest_branch(error):
                yield from _explain(inner)
        case "additionalProperties" | "unevaluatedProperties":
            known = list(schema.get("properties", {}))
            for key in value:
                if key not in known:
                    yield Problem((*path, key), f"unknown key{meant(key, known)}")
        case "required":
            for key in error.validator_value:
                if key not in value:
                    yield Problem((*path, key), "missing")
        case "propertyNames":
            yield Problem(path, f"key {shown(value)}: {one_line(error.message)[:200]}")
        case "uniqueItems":
            twice = next(item for at, item in enumerate(value) if item in value[:at])
            yield Problem(path, f"expected each item once, got {shown(twice)} twice")
        case "minItems" | "maxItems":
            bound = "at least" if error.validator == "minItems" else "at most"
            count = f"{bound} {error.validator_value}"
            yield Problem(path, f"expected {count} items, got {len(value)}")
        case "minProperties":
            yield Problem(path, "expected at least one key, got none")
        case _:
            yield Problem(path, f"expected {_expected(schema)}, got {shown(value)}")


def _nearest_branch(error: jsonschema.ValidationError) -> list[jsonschema.ValidationError]:
    """The errors of the alternative that was most likely meant: its `const` and types agree."""
    branches: dict[int, list[jsonschema.ValidationError]] = {}
    for inner in error.context or ():
        branches.setdefault(int(inner.relative_schema_path[0]), []).append(inner)

    def distance(branch: list[jsonschema.ValidationError]) -> tuple[bool, bool, int]:
        names = {inner.validator for inner in branch}
        tops = {inner.validator for inner in branch if not inner.relative_path}
        return "const" in names, "type" in tops, len(branch)

    return min(branches.values(), key=distance)


def _expected(schema: Mapping[str, Any]) -> str:
    if "const" in schema:
        return shown(schema["const"])
    if "enum" in schema:
        return "one of " + ", ".join(shown(value) for value in schema["enum"])
    kinds = schema.get("type", "another value")
    words = schema.get("title") or (kinds if isinstance(kinds, str) else " or ".join(kinds))
    if "title" not in schema and schema.get("minLength"):
        words = f"non-empty {words}"
    if "title" not in schema and "pattern" in schema:
        words = f"{words} matching {schema['pattern']}"
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {schema[key]}" for key, sign in signs.items() if key in schema]
    return " ".join([words, " and ".join(bounds)]).strip()
