"""Dependencies that nothing declares: where the line goes, and the line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import Any

from pytest_cockpit.promotion.remedies import diffs
from pytest_cockpit.promotion.remedies.model import COMMAND, LINE, READY, Action, Facts, Seen

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_ARRAY = re.compile(r"(?m)^dependencies[ \t]*=[ \t]*\[")
_PROJECT = re.compile(r"(?m)^\[project\][ \t]*(?:#.*)?$")
_TABLE = re.compile(r"(?m)^\[")


def undeclared(seen: Seen, facts: Facts) -> Action | None:
    """Declare one distribution in the file that declares the others."""
    given = seen.finding.evidence.get("distributions")
    file = seen.told("file")
    names = [name for name in given if isinstance(name, str)] if isinstance(given, list) else []
    if len(names) != 1 or not _NAME.fullmatch(names[0]) or file not in facts.paths:
        return None
    name = names[0]
    before = facts.read(file)
    after = None if before is None else with_requirement(file, before, name)
    diff = None if after is None else diffs.between(file, before, after)
    detail = f"declare {name}"
    return Action("declare-dependency", detail, READY if diff else LINE, file=file, diff=diff)


def missing(seen: Seen, facts: Facts) -> Action | None:
    """Install what is not there, where this interpreter judges."""
    needs = seen.told("needs")
    return install(needs) if _NAME.fullmatch(needs) else None


def install(name: str) -> Action:
    """Install what serves an import name; the distribution may be called otherwise."""
    return Action(
        "install",
        f"install what provides {name} where the gates run, and declare it",
        COMMAND,
        command=f"python -m pip install {name}",
    )


def with_requirement(file: str, content: bytes, name: str) -> bytes | None:
    """The file with one more requirement; None where the place for it is not certain."""
    if file.endswith("pyproject.toml"):
        return _in_project(content, name)
    if file.endswith((".txt", ".in")):
        # A backslash would join the new line to the last one.
        if content.rstrip().endswith(b"\\"):
            return None
        gap = b"" if not content or content.endswith(b"\n") else b"\n"
        return content + gap + name.encode() + b"\n"
    return None


def _in_project(content: bytes, name: str) -> bytes | None:
    """`[project] dependencies` with one item more, only if that is all that changed."""
    try:
        text = content.decode()
        was = tomllib.loads(text)
        project: Any = was["project"]
        listed = [*project.get("dependencies", ()), name]
        dynamic = "dependencies" in project.get("dynamic", ())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError, AttributeError):
        return None
    wanted = {**was, "project": {**project, "dependencies": listed}}
    tried = [] if dynamic else [*_appended(text, name), *_begun(text, name)]
    return next((new.encode() for new in tried if _reads(new) == wanted), None)


def _appended(text: str, name: str) -> Iterator[str]:
    """The array with one item more, ending at one of the brackets that it may end at."""
    for place in _ends(text):
        head, tail = text[:place], text[place:]
        body = head.rstrip()
        if "#" in body.rpartition("\n")[2]:
            continue
        comma = "" if body.endswith((",", "[")) else ","
        if head.rstrip(" \t").endswith("\n"):
            # The bracket has a line of its own, so the item gets one.
            yield f'{body}{comma}\n    "{name}",\n{tail}'
        else:
            space = "" if body.endswith("[") else " "
            yield f'{body}{comma}{space}"{name}"{tail}'


def _begun(text: str, name: str) -> Iterator[str]:
    """An array where there is none."""
    project = _PROJECT.search(text)
    if project is not None:
        yield f'{text[: project.end()]}\ndependencies = ["{name}"]{text[project.end() :]}'


def _ends(text: str) -> list[int]:
    """Where the array of dependencies may end: every closing bracket of its table."""
    project = _PROJECT.search(text)
    if project is None:
        return []
    following = _TABLE.search(text, project.end())
    end = following.start() if following else len(text)
    array = _ARRAY.search(text, project.end(), end)
    if array is None:
        return []
    return [index for index in range(array.end(), end) if text[index] == "]"]


def _reads(text: str) -> Any:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None
