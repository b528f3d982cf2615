"""`MODULE_INDEX.md`: the modules in groups, each with a link to its first document."""

from __future__ import annotations

import os.path
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any
from urllib.parse import quote

from pytest_cockpit.records import markdown
from pytest_cockpit.registry.module_registry import UNKNOWN

_DESCRIBED = 120


def page(registry: Mapping[str, Any], folder: str) -> str:
    """The index of a module registry, to lie in this folder."""
    return "\n".join([*_lines(registry["modules"], folder), ""])


def _lines(rows: Sequence[Mapping[str, Any]], folder: str) -> Iterator[str]:
    yield "# Module index"
    ordered = sorted(rows, key=lambda row: (_group(row), row["path"]))
    named = Counter(row["name"] for row in rows)
    for group, members in groupby(ordered, key=_group):
        yield ""
        yield f"## {markdown.plain(group)}"
        yield ""
        for row in members:
            about = _short(row["description"])
            where = f" ({markdown.code(row['path'])})" if named[row["name"]] > 1 else ""
            yield f"- {_link(row, folder)}{where}{f' — {about}' if about else ''}"


def _group(row: Mapping[str, Any]) -> str:
    return f"Lane {row['lane']}" if row["lane"] != UNKNOWN else "No lane"


def _link(row: Mapping[str, Any], folder: str) -> str:
    """The module's name, as a link to its README, its first document or its manifest."""
    own = f"{row['path']}/" if row["path"] != "." else ""
    readme = next((doc for doc in row["docs"] if doc.lower() == f"{own}readme.md".lower()), None)
    target = readme or next(iter(row["docs"]), row["manifest"])
    where = quote(os.path.relpath(target, folder), safe="/")
    return f"[{markdown.plain(row['name'])}]({where})"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return markdown.plain(line if len(line) <= _DESCRIBED else f"{line[: _DESCRIBED - 1]}…")
