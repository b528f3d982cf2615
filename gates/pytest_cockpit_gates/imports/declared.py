"""Which distributions a repository says it needs, wherever it says so."""

from __future__ import annotations

import ast
import configparser
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_cockpit.api import CockpitError

_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_EGG = re.compile(r"[#&]egg=([A-Za-z0-9][A-Za-z0-9._-]*)")
_INCLUDE = re.compile(r"\s*(?:-r|--requirement)[ =]?\s*(\S+)")
_ALIKE = re.compile(r"[-_.]+")
_REQUIREMENTS = ("requirements*.txt", "requirements*.in", "requirements/*.txt", "requirements/*.in")
_ELSEWHERE = ("environment.yml", "environment.yaml", "Pipfile")


@dataclass(frozen=True, slots=True)
class Declared:
    """What is declared.

    Parameters
    ----------
    names: normalised names of distributions.
    files: where they were read.
    opaque: files that declare more than can be read without running something.
    """

    names: frozenset[str] = frozenset()
    files: tuple[str, ...] = ()
    opaque: tuple[str, ...] = ()


def normal(name: str) -> str:
    """The name of a distribution as the package index compares it."""
    return _ALIKE.sub("-", name).lower()


def read(root: Path) -> Declared:
    """Read every declaration below the root of a repository.

    Raises
    ------
    CockpitError: a file that should declare dependencies cannot be parsed.
    """
    names: set[str] = set()
    files: list[str] = []
    opaque: list[str] = []
    for file, reader in _sources(root):
        found, is_open = reader(root, file)
        if found is None:
            continue
        names.update(map(normal, found))
        files.append(file)
        if is_open:
            opaque.append(file)
    return Declared(frozenset(names), tuple(files), tuple(opaque))


_Found = tuple["list[str] | None", bool]
"""Names, None when the file declares nothing; and whether it may declare more."""
_Reader = Callable[[Path, str], _Found]


def _sources(root: Path) -> Iterator[tuple[str, _Reader]]:
    fixed: Mapping[str, _Reader] = {
        "pyproject.toml": _pyproject,
        "setup.cfg": _setup_cfg,
        "setup.py": _setup_py,
        **dict.fromkeys(_ELSEWHERE, _unread),
    }
    found = {path for glob in _REQUIREMENTS for path in root.glob(glob)}
    listed = {path.relative_to(root).as_posix(): _requirements for path in sorted(found)}
    for name, reader in {**fixed, **listed}.items():
        if (root / name).is_file():
            inside = (root / name).resolve().is_relative_to(root.resolve())
            yield name, reader if inside else _unread


def _unread(root: Path, file: str) -> _Found:
    return [], True


def _pyproject(root: Path, file: str) -> _Found:
    try:
        document = tomllib.loads(_text(root, file))
    except tomllib.TOMLDecodeError as error:
        raise CockpitError(f"{file}: not TOML ({error}); correct it and run again") from error
    project, tool = _table(document, "project"), _table(document, "tool")
    groups = _table(document, "dependency-groups")
    lists = [
        project.get("dependencies"),
        *_table(project, "optional-dependencies").values(),
        *groups.values(),
        _table(tool, "uv").get("dev-dependencies"),
        *_table(_table(tool, "pdm"), "dev-dependencies").values(),
    ]
    names = [name for listed in lists for name in _listed(listed)]
    poetry = _table(tool, "poetry")
    names += _poetry(poetry)
    dynamic = "dependencies" in _strings(project.get("dynamic"))
    more, is_open = _dynamic(root, tool) if dynamic else ([], False)
    says = any(isinstance(listed, list) for listed in lists) or bool(poetry) or dynamic
    return ([*names, *more], is_open) if says or "name" in project else (None, False)


def _dynamic(root: Path, tool: Mapping[str, Any]) -> tuple[list[str], bool]:
    """Requirements that setuptools reads from files; of other backends nothing is known."""
    table = _table(_table(tool, "setuptools"), "dynamic")
    names: list[str] = []
    files: list[str] = []
    for found in (_table(table, "dependencies"), *_table(table, "optional-dependencies").values()):
        listed = found.get("file") if isinstance(found, dict) else None
        files += [listed] if isinstance(listed, str) else _strings(listed)
    for file in files:
        names += _required(root, file, frozenset())
    return names, not files


def _poetry(table: Mapping[str, Any]) -> Iterator[str]:
    groups = [_table(group, "dependencies") for group in _tables(_table(table, "group"))]
    for listed in (_table(table, "dependencies"), _table(table, "dev-dependencies"), *groups):
        yield from (name for name in listed if name != "python")


def _setup_cfg(root: Path, file: str) -> _Found:
    config = configparser.RawConfigParser()
    try:
        config.read_string(_text(root, file))
    except configparser.Error as error:
        reason = str(error).splitlines()[0]
        raise CockpitError(f"{file}: not INI ({reason}); correct it and run again") from error
    texts = [config.get("options", "install_requires", fallback=None)]
    if config.has_section("options.extras_require"):
        texts += [text for _, text in config.items("options.extras_require")]
    lines = [line for text in texts if text for line in text.splitlines()]
    said = any(text is not None for text in texts)
    return (list(_named(lines)) if said else None), any(line.startswith("file:") for line in lines)


def _setup_py(root: Path, file: str) -> _Found:
    """Lists that stand in the call of `setup` as they are; what is computed is not run."""
    try:
        tree = ast.parse(_text(root, file))
    except (SyntaxError, ValueError):
        return [], True
    names: list[str] = []
    is_open = is_said = False
    for node in ast.walk(tree):
        if not isinstance(node, ast.keyword) or node.arg not in _KEYWORDS:
            continue
        is_said = True
        try:
            value = ast.literal_eval(node.value)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            is_open = True
            continue
        lists = value.values() if isinstance(value, dict) else [value]
        names += [name for listed in lists for name in _listed(listed)]
    return (names if is_said else None), is_open


_KEYWORDS = frozenset({"install_requires", "extras_require"})


def _requirements(root: Path, file: str) -> _Found:
    return _required(root, file, frozenset()), False


def _required(root: Path, file: str, seen: frozenset[Path]) -> list[str]:
    """Names in a requirements file and in those it includes, all of them inside the repository."""
    path = (root / file).resolve()
    if path in seen or not path.is_relative_to(root.resolve()) or not path.is_file():
        return []
    lines = _text(root, file).replace("\\\n", " ").splitlines()
    names = list(_named(lines))
    for line in lines:
        included = _INCLUDE.match(line)
        if included:
            inner = (path.parent / included[1]).resolve()
            if inner.is_relative_to(root.resolve()):
                name = inner.relative_to(root.resolve()).as_posix()
                names += _required(root, name, seen | {path})
    return names


def _named(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        egg = _EGG.search(line)
        if egg:
            yield egg[1]
        elif not line.lstrip().startswith(("-", "#", "file:", "git+", "http:", "https:")):
            named = _NAME.match(line)
            if named:
                yield named[1]


def _listed(value: Any) -> Iterator[str]:
    return _named(_strings(value))


def _strings(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list | tuple) else []


def _table(table: Any, key: str) -> dict[str, Any]:
    found = table.get(key) if isinstance(table, dict) else None
    return found if isinstance(found, dict) else {}


def _tables(table: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [value for value in table.values() if isinstance(value, dict)]


def _text(root: Path, file: str) -> str:
    try:
        return (root / file).read_bytes().decode("utf-8-sig", "replace")
    except OSError as error:
        raise CockpitError(
            f"{file}: cannot read ({error.strerror}); make it readable and run again"
        ) from error
