"""The content of `import_failures.json`: what failed, and what of it the baseline permits."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pytest_cockpit.records.artifacts import printable
from pytest_cockpit_gates.imports.judge import Judged

SCHEMA = "pytest-cockpit/import_failures/1"


def failures(
    judged: Sequence[Judged],
    counts: Mapping[str, Mapping[str, int]],
    entries: Mapping[str, Any],
    present: Collection[str],
    *,
    whole: bool,
) -> dict[str, Any]:
    """Empty lists say that every module tried imports and no import breaks a rule.

    Parameters
    ----------
    present: printable paths of the files that are there.
    whole: whether all of production was tried, and not what a batch touched alone.
    """
    failed = sorted((one.failure for one in judged if one.failure), key=lambda it: it.path)
    tried = {printable(one.outcome.job.path) for one in judged}
    return {
        "schema": SCHEMA,
        "whole": whole,
        "tried": len(judged),
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
        "untried": [
            {"path": path, "class": str(entries[path]["class"])}
            for path in sorted(entries.keys() & set(present) - tried)
            if "class" in entries[path]
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
