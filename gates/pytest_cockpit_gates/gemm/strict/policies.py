"""Policies, with what they inherit, every key of them known."""

from __future__ import annotations

import dataclasses
import functools
import importlib.resources
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pytest_cockpit.api import JSON, CockpitError
from pytest_cockpit.records.schema import problems_by
from pytest_cockpit.records.text import one_line
from pytest_cockpit_gates.gemm.abft.policy import T5Policy
from pytest_cockpit_gates.gemm.abft.policy import policy_of as t5_of
from pytest_cockpit_gates.gemm.control.policy import T3Policy
from pytest_cockpit_gates.gemm.control.policy import policy_of as t3_of
from pytest_cockpit_gates.gemm.refusing import refuse
from pytest_cockpit_gates.gemm.strict.inheritance import Document, resolve


@dataclass(frozen=True, slots=True)
class Row:
    """Bounds of one kernel at one size: GFLOPS at least, milliseconds at most."""

    min_avg_gflops: float
    max_p95_time_ms: float


@dataclass(frozen=True, slots=True)
class Weekly:
    """The weekly objectives: bounds over all rows, and those of each `kernel:size`.

    Parameters
    ----------
    path: the file, for messages.
    platform: short name of the one platform that `rows` are about; empty where they are of all.
    """

    path: str
    platform: str
    minimum_snapshots: int
    max_correctness_error: float
    max_t3_fallback_rate: float
    max_t5_disable_events_total: int
    max_t5_overhead_percent: float
    max_abs_throughput_drift_percent: float
    max_p95_drift_percent: float
    rows: Mapping[str, Row]


_ROW = tuple(item.name for item in dataclasses.fields(Row))
_BOUNDS = tuple(item.name for item in dataclasses.fields(Weekly) if item.name.startswith("m"))
_ABSENT: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Policies:
    """The policies of one evaluation.

    Parameters
    ----------
    sources: the files by what they are for: `weekly`, `t3`, `t5`.
    """

    weekly: Weekly | None = None
    t3: T3Policy | None = None
    t5: T5Policy | None = None
    sources: Mapping[str, Document] = field(default_factory=dict)

    def source(self, name: str) -> dict[str, str] | None:
        """A policy as artifacts name it: path, digest and id; None where there is none."""
        found = self.sources.get(name)
        if found is None:
            return None
        return {"path": found.path, "sha256": found.sha256, "id": found.id}


def read(root: Path, *, weekly: str = "", t3: str = "", t5: str = "") -> Policies:
    """The policies at these paths below `root`; an empty path is none.

    Raises
    ------
    CockpitError: one cannot be read, what it inherits from is missing or leads back to it, or a key
        is unknown, missing or no number; the text names file and key, and has a line for each of
        the first few that are wrong in a weekly policy.
    """
    paths = {"weekly": weekly, "t3": t3, "t5": t5}
    sources = {name: resolve(root, path) for name, path in paths.items() if path}
    wrong = [
        line
        for source in sources.values()
        for path, document in source.chain
        for line in _wrong(path, document)
    ]
    refuse([*wrong, *(_lacking(sources["weekly"]) if weekly else ())])
    return Policies(
        weekly=_weekly(sources["weekly"]) if weekly else None,
        t3=t3_of(_of_kind(sources["t3"], "T3"), sources["t3"].path) if t3 else None,
        t5=t5_of(_of_kind(sources["t5"], "T5"), sources["t5"].path) if t5 else None,
        sources=sources,
    )


def problems(document: Any) -> list[str]:
    """All that is wrong with a weekly policy's own keys, each `pointer: message`."""
    return [str(problem) for problem in problems_by(document, _schema())]


def _wrong(path: str, document: JSON) -> list[str]:
    """Keys that the kind of a file does not have, and values that are none."""
    kind = _kind(document)
    if kind == "weekly":
        return [f"{path}: {problem}; correct it" for problem in problems(document)]
    try:
        (t3_of if kind == "T3" else t5_of)(document, path)
    except CockpitError as error:
        return [str(error)]
    return []


def _kind(document: JSON) -> str:
    if "abft_mode" in document or "runtime_guardrails" in document:
        return "T5"
    return "T3" if "selector_policy" in document or "guardrails" in document else "weekly"


def _of_kind(source: Document, kind: str) -> JSON:
    if _kind(source.merged) != kind:
        raise CockpitError(f"{source.path}: no policy of {kind}; name one")
    return source.merged


def _lacking(source: Document) -> list[str]:
    """Bounds that neither the policy states nor any that it inherits; what is no table is wrong."""
    slo = source.merged.get("weekly_slo", _ABSENT)
    if slo is _ABSENT:
        return [_missing(source.path, "weekly_slo")]
    where = f"{source.path}: /weekly_slo"
    bounds, rows = (_inside(slo, name) for name in ("global_guardrails", "per_kernel_size"))
    found = [
        _missing(where, name)
        for name, table in (("global_guardrails", bounds), ("per_kernel_size", rows))
        if table is _ABSENT
    ]
    tables = [(f"{where}/global_guardrails", bounds, _BOUNDS)]
    if isinstance(rows, Mapping):
        names = {name: f"{where}/per_kernel_size/{one_line(name)}" for name in rows}
        tables += [(names[name], row, _ROW) for name, row in rows.items()]
        found += _outside(source, rows)
    return found + [
        _missing(there, key)
        for there, table, keys in tables
        if isinstance(table, Mapping) and table is not _ABSENT
        for key in keys
        if key not in table
    ]


def _outside(source: Document, rows: Mapping[str, Any]) -> list[str]:
    """Sizes that have rows though the scope does not name them."""
    named = _inside(source.merged.get("scope"), "sizes")
    if not isinstance(named, list):
        return []
    there = {one_line(name.partition(":")[2]): None for name in rows}
    return [
        f"{source.path}: /scope/sizes: {size} has rows and is not named; add it, or take them out"
        for size in there
        if size not in map(str, named)
    ]


def _inside(table: Any, key: str) -> Any:
    """What stands there; nothing is lacking in what is no table."""
    return table.get(key, _ABSENT) if isinstance(table, Mapping) else None


def _missing(where: str, key: str) -> str:
    parted = "/" if where.rpartition(": ")[2].startswith("/") else ": "
    return f"{where}{parted}{key}: missing; add it, or inherit a policy that has it"


def _weekly(source: Document) -> Weekly:
    slo = source.merged["weekly_slo"]
    scope = source.merged.get("scope")
    platform = scope.get("platform") if isinstance(scope, Mapping) else None
    return Weekly(
        path=source.path,
        platform=platform.lower() if isinstance(platform, str) else "",
        rows={
            name: Row(**{key: row[key] for key in _ROW})
            for name, row in slo["per_kernel_size"].items()
        },
        **{name: slo["global_guardrails"][name] for name in _BOUNDS},
    )


@functools.cache
def _schema() -> dict[str, Any]:
    folder = importlib.resources.files("pytest_cockpit_gates.gemm") / "schemas"
    text = (folder / "gemm-weekly-policy.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded
