"""The coverage settings of the run: the repository's own, with what the gate cannot do without."""

from __future__ import annotations

import configparser
import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_KEPT_RUN = ("concurrency", "core", "plugins", "sigterm", "timid")
_KEPT_REPORT = ("exclude_lines", "partial_branches", "partial_branches_always")
_DEDICATED = ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini")


def merged(probed: Mapping[str, Any], *, root: str, data: str) -> str:
    """A coverage configuration in TOML, from the repository's options as the probe found them.

    What counts as a statement, a branch or a plugin's file is the repository's to say. Where
    the run measures and what it writes is the gate's: `source`, `include` and `fail_under`
    would let a file leave the ratchet by leaving a folder.
    """
    options = probed["options"]
    patches = {"subprocess", "_exit", *(() if os.name == "nt" else ("execv",))}
    run = {
        "branch": True,
        "parallel": True,
        "data_file": data,
        "source": [root],
        "patch": sorted(patches | set(options["run:patch"] or ())),
        **{name: options[f"run:{name}"] for name in _KEPT_RUN},
        # The gate says it itself, and better than a line in the middle of pytest's output.
        "disable_warnings": [*(options["run:disable_warnings"] or ()), "no-data-collected"],
    }
    report = {name: options[f"report:{name}"] for name in _KEPT_REPORT}
    tables = {**probed["plugins"], "run": run, "report": report}
    return "\n".join(
        f"[tool.coverage.{_quoted(name)}]\n{_table(table)}" for name, table in tables.items()
    )


def has_pytest_settings(root: Path) -> bool:
    """Whether pytest, started in `root`, finds its configuration there."""
    return (
        any((root / name).is_file() for name in _DEDICATED)
        or _has_table(root / "pyproject.toml")
        or _has_section(root / "tox.ini", "pytest")
        or _has_section(root / "setup.cfg", "tool:pytest")
    )


def _table(table: Mapping[str, Any]) -> str:
    return "".join(
        f"{_quoted(key)} = {_value(value)}\n" for key, value in table.items() if value is not None
    )


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_quoted(key)} = {_value(item)}" for key, item in value.items())
        return "{" + inner + "}"
    if isinstance(value, str):
        # Coverage replaces variables in what it reads; these values have been through that.
        return _quoted(value.replace("$", "$$"))
    return json.dumps(value)


def _quoted(text: str) -> str:
    # A JSON string is a TOML basic string, but for the one control character JSON lets through.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _has_table(path: Path) -> bool:
    try:
        with path.open("rb") as source:
            return "pytest" in tomllib.load(source).get("tool", {})
    except OSError:
        return False
    except ValueError:
        return True  # pytest shall find it and say what is wrong with it


def _has_section(path: Path, section: str) -> bool:
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except OSError:
        return False
    except (ValueError, configparser.Error):
        return True
    return parser.has_section(section)
