"""The least baseline that is at least as tight as two others. Pure: documents in, document out.

A join on a semilattice: associative, commutative, idempotent. A bound becomes the smaller one, a
known failure stays known only where both know it, and what merely describes a file is kept where
both say the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pytest_cockpit.api import JSON, CockpitError
from pytest_cockpit_gates.coverage.model import Bound, ranges, spans

_DESCRIBED = ("failing_tests", "measured", "parser", "passed", "patterns", "skipped")
_COUNTS = ("missing_lines", "missing_branches", "excluded")
_AT_LEAST = {"passed": max, "skipped": min}


def join(mine: JSON, theirs: JSON) -> dict[str, Any]:
    """The join of two documents `{"entries": …, "meta": …}`.

    Raises
    ------
    CockpitError: an entry, or what the documents say of themselves, is malformed.
    """
    return {
        "entries": _both(mine["entries"], theirs["entries"], join_entries),
        "meta": _join_meta(mine.get("meta", {}), theirs.get("meta", {})),
    }


def join_entries(mine: JSON, theirs: JSON, where: str = "") -> dict[str, Any]:
    """The join of two entries of one file."""
    ours, others = Bound.of(mine, where), Bound.of(theirs, where)
    if mine == theirs:
        return dict(mine)
    counts = {
        "missing_lines": min(ours.missing_lines, others.missing_lines),
        "missing_branches": min(ours.missing_branches, others.missing_branches),
        "statements": min(ours.statements, others.statements),
    }
    excluded = [bound.excluded for bound in (ours, others) if bound.excluded is not None]
    if excluded:
        counts["excluded"] = min(excluded)
    shared = _shared_lines(ours.uncovered, others.uncovered)
    described = {"uncovered": shared} if shared else {}
    # A seal is over one file's counts: it tells nothing of any other counts.
    if ours.source and (ours.source, ours.counts) == (others.source, others.counts):
        described["source"] = ours.source
    return {**counts, **described}


def bounds(document: JSON) -> dict[str, Any]:
    """What of a baseline binds: the counts of each file, known failures, patterns of exclusion.

    The rest describes: line numbers and digests change with every edit.
    """
    found: dict[str, Any] = {
        path: {key: entry[key] for key in _COUNTS if key in entry}
        for path, entry in document["entries"].items()
    }
    meta = document["meta"]
    return found | {
        f"meta: {key}": meta[key] for key in ("failing_tests", "patterns") if key in meta
    }


def failing_tests(meta: JSON, where: str = "the baseline") -> frozenset[str]:
    """Node ids of the tests that are known to fail.

    Raises
    ------
    CockpitError: they are no list of texts; `where` names the file.
    """
    return frozenset(_texts(meta, "failing_tests", where))


def measurements(meta: JSON) -> list[dict[str, Any]]:
    """The runs that the bounds come from; of a baseline of old, what it says of its one."""
    found = meta.get("measured")
    if isinstance(found, list) and all(isinstance(run, dict) for run in found):
        return found
    single = {key: value for key, value in meta.items() if key not in _DESCRIBED}
    return [single] if single else []


def _both(
    mine: JSON, theirs: JSON, of_two: Callable[[Any, Any, str], dict[str, Any]]
) -> dict[str, Any]:
    """Keys of either; the value of a key of both is made of two."""
    joined = {**mine, **theirs}
    for key in mine.keys() & theirs.keys():
        joined[key] = of_two(mine[key], theirs[key], key)
    return joined


def _shared_lines(mine: str, theirs: str) -> str:
    """Lines of both lists of ranges."""
    if mine == theirs:
        return mine
    lines = (_numbers(text) for text in (mine, theirs))
    return ranges(frozenset.intersection(*lines))


def _numbers(text: str) -> frozenset[int]:
    return frozenset(line for first, last in spans(text) for line in range(first, last + 1))


def _join_meta(mine: JSON, theirs: JSON) -> dict[str, Any]:
    if mine == theirs:
        return dict(mine)
    joined: dict[str, Any] = {
        "failing_tests": sorted(failing_tests(mine) & failing_tests(theirs)),
        "measured": _distinct([*measurements(mine), *measurements(theirs)]),
    }
    # What two parsers have counted is not the one's or the other's.
    if mine.get("parser") and mine.get("parser") == theirs.get("parser"):
        joined["parser"] = mine["parser"]
    metas = [meta for meta in (mine, theirs) if "patterns" in meta]
    if metas:
        patterns = (frozenset(_texts(meta, "patterns", "the baseline")) for meta in metas)
        joined["patterns"] = sorted(frozenset.intersection(*patterns))
    for key, best in _AT_LEAST.items():
        told = [meta[key] for meta in (mine, theirs) if isinstance(meta.get(key), int)]
        if told:
            joined[key] = best(told)
    return joined


def _distinct(runs: Iterable[Mapping[str, Any]]) -> list[Any]:
    texts = {json.dumps(run, sort_keys=True) for run in runs}
    return [json.loads(text) for text in sorted(texts)]


def _texts(meta: JSON, key: str, where: str) -> list[str]:
    found = meta.get(key, [])
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise CockpitError(
            f"{where}: meta: {key}: expected a list of texts; "
            "measure it again with `pytest --cockpit-init`"
        )
    return found
