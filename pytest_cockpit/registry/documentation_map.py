"""`DOCUMENTATION_MAP.md`: how much of what each module has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_cockpit.records import markdown
from pytest_cockpit.records.text import count
from pytest_cockpit.registry import module_registry


def page(registry: Mapping[str, Any]) -> str:
    """The map of a module registry."""
    return "\n".join([*_lines(registry), ""])


def _lines(registry: Mapping[str, Any]) -> Iterator[str]:
    rows = registry["modules"]
    docs, tests = (sum(len(row[key]) for row in rows) for key in ("docs", "tests"))
    names, more = module_registry.names(rows)
    yield "# Documentation map"
    yield ""
    yield (
        f"{count(len(rows), 'module')}, {count(docs, 'document')}, "
        f"{count(tests, 'test file')}, {'at least ' if more else ''}{count(names, 'public name')}."
    )
    yield ""
    yield "| module | status | documents | test files | public names | path |"
    yield "|---|---|---:|---:|---:|---|"
    for row in rows:
        names, more = module_registry.names([row])
        cells = (
            markdown.plain(row["name"]),
            markdown.plain(row["status"]),
            f"{len(row['docs']):,}",
            f"{len(row['tests']):,}",
            f"{'≥ ' if more else ''}{names:,}",
            markdown.code(row["path"]),
        )
        yield f"| {' | '.join(cells)} |"
