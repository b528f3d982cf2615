"""Files that people write for the gate: read whole, held against a schema, all errors in words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from pytest_cockpit.api import CockpitError
from pytest_cockpit.records import artifacts, toml
from pytest_cockpit.records.schema import problems_by
from pytest_cockpit.records.text import one_line, parse, plain, printable, sha256
from pytest_cockpit_gates.gemm.refusing import refuse

_MAX_BYTES = 4 * 1024 * 1024
_LONGEST = 200
"""Bytes that the names of files may begin with: file systems take 255 in all."""
_PACKAGE = "pytest_cockpit_gates.gemm"


@dataclass(frozen=True, slots=True)
class Document:
    """A file as it was read: where it is, its digest, and what it says."""

    path: str
    sha256: str
    data: Mapping[str, Any]


def read(root: Path, path: str, schema: str) -> Document:
    """A JSON file of the tree, or a TOML file by its suffix.

    Raises
    ------
    CockpitError: it cannot be read, is too large, lies outside the tree, or is not as the schema
        says; the text names the file and the key.
    """
    where = printable(path)
    file = inside(root, path)
    try:
        if file.exists() and not file.is_file():
            raise CockpitError(f"{where}: no regular file; name a file")
        if file.stat().st_size > _MAX_BYTES:
            raise CockpitError(f"{where}: larger than {_MAX_BYTES >> 20} MiB; name another file")
        content = file.read_bytes()
    except OSError as error:
        raise artifacts.os_error(Path(path), "cannot read", error) from error
    data = toml.read(file) if file.suffix == ".toml" else _parsed(content, where)
    demand(data, schema, where)
    return Document(where, sha256(content), plain(data))


def _parsed(content: bytes, where: str) -> Any:
    try:
        return parse(content)
    except ValueError as error:
        raise CockpitError(f"{where}: not JSON ({error}); correct it") from error


def inside(root: Path, path: str) -> Path:
    """The file at a path of the tree.

    Raises
    ------
    CockpitError: it lies outside, by its parts or through a link.
    """
    try:
        file = (root / path).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        # A circle of links is a RuntimeError up to Python 3.12.
        raise CockpitError(f"{printable(path)}: leads nowhere; name another path") from error
    if not file.is_relative_to(root.resolve()):
        raise CockpitError(
            f"{printable(path)}: lies outside the repository; name a path below its root"
        )
    return file


def shipped(name: str) -> Document:
    """A document of the package: `closing/severity.json`."""
    content = (files(_PACKAGE) / name).read_bytes()
    return Document(f"{_PACKAGE.replace('.', '/')}/{name}", sha256(content), json.loads(content))


@cache
def schema_of(name: str) -> dict[str, Any]:
    """The shipped JSON Schema of that name: `gemm-sla`."""
    source = (files(_PACKAGE) / "schemas" / f"{name}.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(source)
    return schema


def demand(data: Any, schema: str, where: str) -> None:
    """Hold a document against the shipped schema of that name.

    Raises
    ------
    CockpitError: it is not so; the text names `where`, the key and what was expected, in a line
        for each of the first few.
    """
    refuse(f"{where}: {problem}; correct it" for problem in problems_by(data, schema_of(schema)))


def prefix(options: Mapping[str, Any]) -> str:
    """What the names of a session's files begin with.

    Raises
    ------
    CockpitError: no name can begin so.
    """
    made = str(options.get("output_prefix") or options["mode"])
    written = all(it.isalnum() or it in "._-" for it in made)
    if made.startswith(".") or not written or len(made.encode()) > _LONGEST:
        raise CockpitError(
            f"--cockpit-gemm-output-prefix: {one_line(made)[:60]} is of no use; write letters, "
            f"digits, dots, underscores and hyphens, {_LONGEST} bytes at most"
        )
    return made


def output_folder(options: Mapping[str, Any]) -> str:
    """The repository-relative folder that a session's files come to."""
    return str(options.get("output") or "artifacts/gemm")
