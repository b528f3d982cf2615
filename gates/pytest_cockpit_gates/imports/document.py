"""The content of `import_failures.json`: what failed, and what of it the baseline permits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_cockpit.records.artifacts import printable
from pytest_cockpit_gates.imports.judge import Judged

SCHEMA = "pytest-cockpit/import_failures/1"


def failures(
    judged: Sequence[Judged], counts: Mapping[str, Mapping[str, int]], entries: Mapping[str, Any]
) -> dict[str, Any]:
    """Empty lists say that every module imports and no import breaks a rule."""
    failed = sorted((one.failure for one in judged if one.failure), key=lambda it: it.path)
    return {
        "schema": SCHEMA,
        "failures": [
            {
                "module": printable(failure.module),
                "path": printable(failure.path),
                "class": failure.kind,
                "message": printable(failure.message),
                "line": failure.line,
                "permitted": _entry(entries, failure.path).get("class") == failure.kind,
            }
            for failure in failed
        ],
        "edges": [
            {
                "path": path,
                "rule": rule,
                "count": count,
                "permitted": _entry(entries, path).get("edges", {}).get(rule, 0),
            }
            for path, found in sorted(counts.items())
            for rule, count in sorted(found.items())
        ],
    }


def _entry(entries: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = entries.get(printable(path), {})
    return found
