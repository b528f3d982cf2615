"""A copier template: the shipped one, or a tracked folder of the repository.

Of copier's settings those that only say how files are rendered are honoured. Those that run
something, load code or fetch data are refused, and so is any that is not known here.
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from typing import Any

from pytest_cockpit.api import CockpitError
from pytest_cockpit.phases import Place
from pytest_cockpit.records.artifacts import printable
from pytest_cockpit.records.text import one_line, sha256

QUESTIONS = ("copier.yml", "copier.yaml")
SHIPPED = "the shipped template"

_HONOURED = frozenset({"envops", "exclude", "subdirectory", "templates_suffix"})
# They are about asking, telling and updating, which nobody does here.
_IDLE = frozenset(
    {
        "answers_file",
        "message_after_copy",
        "message_after_update",
        "message_before_copy",
        "message_before_update",
        "min_copier_version",
        "preserve_symlinks",
        "secret_questions",
        "skip_if_exists",
    }
)
_ENVOPS = frozenset(
    {
        "block_end_string",
        "block_start_string",
        "comment_end_string",
        "comment_start_string",
        "keep_trailing_newline",
        "lstrip_blocks",
        "trim_blocks",
        "variable_end_string",
        "variable_start_string",
    }
)
_LONGEST = 1_000_000


@dataclass(frozen=True, slots=True)
class Template:
    """What is rendered for every module.

    Parameters
    ----------
    where: its folder in words, for messages.
    files: content by path below the folder that is rendered.
    suffix: of the files that are templates; the others are copied.
    exclude: globs of results that are left out, which may be templates themselves.
    envops: how templates are written, for Jinja.
    questions: what else they may name: by key, a default or a table with one.
    sha256: digest of everything in the template.
    """

    where: str
    files: Mapping[str, bytes]
    suffix: str = ".jinja"
    exclude: tuple[str, ...] = ()
    envops: Mapping[str, Any] = field(default_factory=dict)
    questions: Mapping[str, Any] = field(default_factory=dict)
    sha256: str = ""


def load(place: Place) -> Template:
    """The template that the settings name, from the tree looked at.

    Raises
    ------
    CockpitError: there is none, or it is one that is not rendered here.
    """
    folder = place.settings.scaffold.template.strip("/")
    if not folder:
        files = importlib.resources.files("pytest_cockpit") / "scaffolding" / "template"
        return read(SHIPPED, dict(_shipped(files)))
    return read(folder, dict(place.read_all(list(_tracked(place, folder)))), folder)


def read(where: str, content: Mapping[str, bytes], folder: str = "") -> Template:
    """The template made of these files.

    Parameters
    ----------
    where: what messages call it.
    folder: what all paths begin with.
    """
    below = {path.removeprefix(f"{folder}/"): data for path, data in sorted(content.items())}
    named = [name for name in QUESTIONS if name in below]
    source = f"{where}: {named[0]}" if named else where
    table = _table(source, below[named[0]]) if named else {}
    settings = {key[1:]: value for key, value in table.items() if key.startswith("_")}
    _demand_harmless(source, settings)
    inner = _text(source, settings, "subdirectory", "").strip("/")
    prefix = f"{inner}/" if inner not in {"", "."} else ""
    files = {
        path.removeprefix(prefix): data for path, data in below.items() if path.startswith(prefix)
    }
    if not prefix:
        files = {path: data for path, data in files.items() if path not in QUESTIONS}
    if not files:
        raise CockpitError(f"{where}: _subdirectory: {inner!r} holds no files; correct it")
    return Template(
        where,
        files,
        _text(source, settings, "templates_suffix", ".jinja"),
        _globs(source, settings),
        _envops(source, settings),
        {key: value for key, value in table.items() if not key.startswith("_")},
        _digest(below),
    )


def _shipped(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, bytes]]:
    for item in folder.iterdir():
        if item.is_dir():
            yield from _shipped(item, f"{prefix}{item.name}/")
        else:
            yield f"{prefix}{item.name}", item.read_bytes()


def _tracked(place: Place, folder: str) -> Iterator[str]:
    """The files of a folder of the tree, where it holds nothing else."""
    found = [entry for path, entry in place.entries.items() if path.startswith(f"{folder}/")]
    if not found:
        raise CockpitError(
            f"scaffold.template: {printable(folder)!r} is no folder with tracked files; "
            "git add the template, or correct the setting"
        )
    for entry in found:
        if entry.kind != "blob" or entry.mode == "120000":
            what = "a symbolic link" if entry.kind == "blob" else "a submodule"
            raise CockpitError(
                f"{printable(entry.path)}: {what}, which may lead anywhere; put files in its place"
            )
        yield entry.path


def _table(source: str, data: bytes) -> Mapping[str, Any]:
    import yaml

    if len(data) > _LONGEST:
        raise CockpitError(f"{source}: longer than {_LONGEST:,} bytes; shorten it")
    try:
        table = yaml.safe_load(data.decode("utf-8"))
    except RecursionError as error:
        raise CockpitError(f"{source}: nested too deeply; flatten it") from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # Text that is no YAML, and dates and numbers that do not exist.
        raise CockpitError(
            f"{source}: not YAML ({one_line(str(error))[:200]}); correct it"
        ) from error
    if table is None:
        return {}
    if not (isinstance(table, dict) and all(isinstance(key, str) for key in table)):
        raise CockpitError(f"{source}: expected questions and settings by name; correct it")
    return table


def _demand_harmless(source: str, settings: Mapping[str, Any]) -> None:
    for key in sorted(settings):
        if key not in _HONOURED | _IDLE:
            raise CockpitError(
                f"{source}: _{printable(one_line(key))}: templates run, load and fetch nothing "
                "here; remove it"
            )


def _text(source: str, settings: Mapping[str, Any], key: str, default: str) -> str:
    value = settings.get(key, default)
    if not isinstance(value, str) or "{{" in value or "{%" in value:
        raise CockpitError(f"{source}: _{key}: expected plain text; correct it")
    return value


def _globs(source: str, settings: Mapping[str, Any]) -> tuple[str, ...]:
    value = settings.get("exclude", [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise CockpitError(f"{source}: _exclude: expected a list of globs; correct it")
    for item in value:
        if item.startswith("!"):
            raise CockpitError(
                f"{source}: _exclude: {one_line(item)!r}: nothing is taken back here; "
                "list what is left out"
            )
    return tuple(value)


def _envops(source: str, settings: Mapping[str, Any]) -> Mapping[str, Any]:
    value = settings.get("envops", {})
    if not isinstance(value, dict):
        raise CockpitError(f"{source}: _envops: expected a table; correct it")
    for key, item in value.items():
        kind = str if str(key).endswith("_string") else bool
        if key not in _ENVOPS or not isinstance(item, kind) or item == "":
            known = ", ".join(sorted(_ENVOPS))
            raise CockpitError(
                f"{source}: _envops.{one_line(str(key))}: not honoured with this value; "
                f"known are {known}"
            )
    return value


def _digest(files: Mapping[str, bytes]) -> str:
    rows = (f"{sha256(data)}  {printable(path)}\n" for path, data in files.items())
    return sha256("".join(rows).encode())
