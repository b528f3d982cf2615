"""The schemas contracts are held against: found, checked, compiled; nothing is ever fetched."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_cockpit.api import Finding
from pytest_cockpit.records.text import one_line, parse, pointer, sha256
from pytest_cockpit_gates.matriz.contracts import Contract, document, is_schema

if TYPE_CHECKING:
    import jsonschema_rs
    from jsonschema.protocols import Validator

RULE = "matriz.schema-invalid"

DEFAULT_SCHEMAS = (
    "contracts/**/*schema*.json",
    "schemas/**/*contract*.json",
    "schemas/**/matri[xz]*.json",
    "matri[xz]*schema*.json",
)
"""Where a schema is looked for when none is configured."""

SHIPPED = "pytest_cockpit_gates/matriz/schema.json"

# Relative references must resolve like those of any document on the web; the host cannot exist.
_TREE = "https://tree.invalid/"


@dataclass(frozen=True, slots=True, eq=False)
class Schema:
    """One compiled schema; `path` is repository-relative, or `SHIPPED`."""

    path: str
    sha256: str
    document: Any
    fast: jsonschema_rs.Validator
    retrieve: Callable[[str], Any]

    def slow(self) -> Validator:
        """The validator that explains; it holds a document against the same schema."""
        return _explainer(self)


def shipped() -> Schema:
    """The schema for repositories that have none."""
    data = (files("pytest_cockpit_gates.matriz") / "schema.json").read_bytes()
    return _compiled(SHIPPED, data, json.loads(data), _refuse)


def discover(root: Path, paths: Iterable[str]) -> list[str]:
    """Those of `paths` that hold a JSON Schema, one for each distinct content.

    Where some of them describe a `module`, as a contract's schema does, the others are left out.
    """
    found: dict[str, str] = {}
    described: set[str] = set()
    for path in sorted(paths):
        try:
            data = (root / path).read_bytes()
            value = parse(data)
        except (OSError, ValueError):
            # Unreadable under a name that merely looks like a schema's: not a schema to use.
            continue
        if is_schema(value):
            found.setdefault(sha256(data), path)
            properties = value.get("properties")
            if isinstance(properties, dict) and "module" in properties:
                described.add(path)
    return [path for path in found.values() if path in described or not described]


def load(root: Path, path: str, given: Iterable[str] = ()) -> Schema | list[Finding]:
    """The schema at `path`, or why it cannot be used.

    Parameters
    ----------
    given: paths of the other configured schemas, which references may name by their `$id`.
    """
    try:
        data = _inside(root, path).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        remedy = "write it, or change tool.cockpit.gate.matriz"
        return [Finding(RULE, f"cannot be read: {reason}", path=path, remedy=remedy)]
    read = document(path, data)
    if not isinstance(read, Contract):
        return [Finding(RULE, item.message, path=path, line=item.line) for item in read]
    if not isinstance(read.value, dict | bool):
        return [Finding(RULE, "is neither an object nor true or false", path=path, line=1)]
    value = read.value
    if isinstance(value, dict) and "$id" not in value:
        value = {**value, "$id": _TREE + path}
    try:
        return _compiled(path, data, value, _retriever(root, given))
    except (ValueError, RecursionError) as error:
        return [_invalid(read, error)]


def _compiled(path: str, data: bytes, value: Any, retrieve: Callable[[str], Any]) -> Schema:
    import jsonschema_rs

    fast = jsonschema_rs.validator_for(value, retriever=retrieve)
    return Schema(path, sha256(data), value, fast, retrieve)


def _invalid(read: Contract, error: Exception) -> Finding:
    """The finding for a document that does not compile, with the place where there is one."""
    import jsonschema

    kind = jsonschema.validators.validator_for(read.value, default=jsonschema.Draft202012Validator)
    worst = jsonschema.exceptions.best_match(kind(kind.META_SCHEMA).iter_errors(read.value))
    if worst is None:
        # The library wraps what our retriever said in what it makes of it.
        message = str(error).partition("\n")[0].rpartition("ValueError: ")[2].replace(_TREE, "")
        return Finding(RULE, one_line(message)[:200], path=read.path, line=1)
    keys = tuple(worst.absolute_path)
    return Finding(
        RULE,
        f"is no JSON Schema: {one_line(worst.message)[:200]}",
        path=read.path,
        line=read.line(*keys),
        pointer=pointer(keys),
    )


@functools.cache
def _explainer(schema: Schema) -> Validator:
    import jsonschema
    import referencing.jsonschema

    # Their classes are made by a decorator that type checkers cannot see through.
    library: Any = referencing

    def resource(uri: str) -> Any:
        try:
            contents = schema.retrieve(uri)
        except (OSError, ValueError) as error:
            raise library.exceptions.NoSuchResource(ref=uri) from error
        return library.Resource.from_contents(
            contents, default_specification=referencing.jsonschema.DRAFT202012
        )

    kind = jsonschema.validators.validator_for(
        schema.document, default=jsonschema.Draft202012Validator
    )
    validator: Validator = kind(schema.document, registry=library.Registry(retrieve=resource))
    return validator


def _retriever(root: Path, given: Iterable[str]) -> Callable[[str], Any]:
    """Serves files of the tree by path, and the configured schemas by their `$id`."""

    def retrieve(uri: str) -> Any:
        bare = uri.partition("#")[0]
        if bare.startswith(_TREE):
            return parse(_inside(root, bare.removeprefix(_TREE)).read_bytes())
        for path in given:
            value = parse(_inside(root, path).read_bytes())
            if isinstance(value, dict) and str(value.get("$id", "")).rstrip("#") == bare:
                return value
        return _refuse(uri)

    return retrieve


def _refuse(uri: str) -> Any:
    raise ValueError(f"{uri} is not in this repository, and nothing is fetched")


def _inside(root: Path, path: str) -> Path:
    """The file at `path`; a link that leads out of the tree is refused."""
    file = (root / path).resolve()
    if not file.is_relative_to(root.resolve()):
        raise ValueError("lies outside the repository")
    return file
