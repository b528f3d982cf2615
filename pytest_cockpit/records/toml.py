"""TOML files as JSON-able tables, and the names of places in them."""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pytest_cockpit.api import CockpitError
from pytest_cockpit.records import artifacts, text
from pytest_cockpit.records.schema import shown

_WORD = re.compile(r"[\w./*@-]+")


def read(path: Path) -> dict[str, Any] | None:
    """The tables of a TOML file, dates and times as ISO 8601 text; None when there is no file.

    Raises
    ------
    CockpitError: it cannot be read, or is no TOML.
    """
    try:
        table = tomllib.loads(path.read_bytes().decode("utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise artifacts.os_error(Path(path.name), "cannot read", error) from error
    except RecursionError as error:
        raise CockpitError(f"{path.name}: nested too deeply; flatten it") from error
    except ValueError as error:
        reason = text.one_line(str(error))[:200]
        raise CockpitError(f"{path.name}: not TOML ({reason}); correct it") from error
    return {key: _dated(value) for key, value in table.items()}


def setting(assignment: str) -> tuple[tuple[str, ...], Any]:
    """Keys and value of `some.key = value`; one word that is no TOML value is a string.

    Raises
    ------
    CockpitError: it is no assignment of one key.
    """
    key, _, value = (part.strip() for part in assignment.partition("="))
    try:
        # One line, so that what follows the value cannot be a second assignment.
        key, value = text.one_line(key), text.one_line(value)
        return _keys(tomllib.loads(f"{key} = 0")), _dated(_value(value))
    except (ValueError, RecursionError) as error:
        raise CockpitError(
            f"{text.one_line(assignment)}: expected KEY=VALUE with a TOML value, "
            "such as batch.size=20"
        ) from error


def _keys(table: Any) -> tuple[str, ...]:
    """The keys of nested tables of one key each."""
    keys: tuple[str, ...] = ()
    while isinstance(table, dict):
        [(name, table)] = table.items()
        keys = (*keys, name)
    return keys


def _value(written: str) -> Any:
    try:
        return tomllib.loads(f"value = {written}")["value"]
    except ValueError:
        if _WORD.fullmatch(written):
            return written
        raise


def dotted(keys: Iterable[str | int]) -> str:
    """The keys as TOML writes them: quoted where they are not bare, indices in brackets."""
    written = ""
    for key in keys:
        if isinstance(key, int):
            written += f"[{key}]"
        else:
            bare = key.isascii() and key.replace("-", "").replace("_", "").isalnum()
            written += f".{key if bare else shown(key)}"
    return written.removeprefix(".")


def _dated(value: Any, depth: int = 0) -> Any:
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if depth > text.MAX_DEPTH:
        # Deep enough for whoever takes it further to refuse it; no deeper than the stack.
        return value
    if isinstance(value, Mapping):
        return {key: _dated(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_dated(item, depth + 1) for item in value]
    return value
