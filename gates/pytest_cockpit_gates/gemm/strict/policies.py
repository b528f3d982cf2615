"""Policies, with what they inherit, every key of them known."""

from __future__ import annotations

import dataclasses
import functools
import importlib.resources
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_cockpit.api import JSON, CockpitError
from pytest_cockpit.records.schema import problems_by
from pytest_cockpit_gates.gemm.abft.policy import T5Policy
from pytest_cockpit_gates.gemm.abft.policy import policy_of as t5_of
from pytest_cockpit_gates.gemm.control.policy import T3Policy
from pytest_cockpit_gates.gemm.control.policy import policy_of as t3_of
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
        is unknown, missing or no number; the text names file and key.
    """
    paths = {"weekly": weekly, "t3": t3, "t5": t5}
    sources = {name: resolve(root, path) for name, path in paths.items() if path}
    for source in sources.values():
        for path, document in source.chain:
            _known(path, document)
    return Policies(
        weekly=_weekly(sources["weekly"]) if weekly else None,
        t3=t3_of(_of_kind(sources["t3"], "T3"), sources["t3"].path) if t3 else None,
        t5=t5_of(_of_kind(sources["t5"], "T5"), sources["t5"].path) if t5 else None,
        sources=sources,
    )


def problems(document: Any) -> list[str]:
    """All that is wrong with a weekly policy's own keys, each `pointer: message`."""
    return [str(problem) for problem in problems_by(document, _schema())]


def _known(path: str, document: JSON) -> None:
    """Refuse a file with a key that its kind does not have."""
    kind = _kind(document)
    if kind == "T3":
        t3_of(document, path)
    elif kind == "T5":
        t5_of(document, path)
    else:
        for problem in problems(document):
            raise CockpitError(f"{path}: {problem}; correct it")


def _kind(document: JSON) -> str:
    if "abft_mode" in document or "runtime_guardrails" in document:
        return "T5"
    return "T3" if "selector_policy" in document or "guardrails" in document else "weekly"


def _of_kind(source: Document, kind: str) -> JSON:
    if _kind(source.merged) != kind:
        raise CockpitError(f"{source.path}: no policy of {kind}; name one")
    return source.merged


def _weekly(source: Document) -> Weekly:
    slo = _table(source.merged, "weekly_slo", source.path)
    where = f"{source.path}: /weekly_slo"
    bounds = _table(slo, "global_guardrails", where)
    rows = _table(slo, "per_kernel_size", where)
    scope = source.merged.get("scope")
    platform = scope.get("platform") if isinstance(scope, Mapping) else None
    wanted = [item.name for item in dataclasses.fields(Weekly) if item.name.startswith("m")]
    return Weekly(
        path=source.path,
        platform=platform.lower() if isinstance(platform, str) else "",
        rows={
            name: Row(
                **{
                    key: _need(row, key, f"{where}/per_kernel_size/{name}")
                    for key in ("min_avg_gflops", "max_p95_time_ms")
                }
            )
            for name, row in rows.items()
        },
        **{name: _need(bounds, name, f"{where}/global_guardrails") for name in wanted},
    )


def _table(parent: JSON, key: str, where: str) -> JSON:
    found = parent.get(key)
    if not isinstance(found, Mapping):
        raise CockpitError(f"{where}: {key}: missing; add it, or inherit a policy that has it")
    return found


def _need(table: JSON, key: str, where: str) -> Any:
    if key not in table:
        raise CockpitError(f"{where}/{key}: missing; add it, or inherit a policy that has it")
    return table[key]


@functools.cache
def _schema() -> dict[str, Any]:
    folder = importlib.resources.files("pytest_cockpit_gates.gemm") / "schemas"
    text = (folder / "gemm-weekly-policy.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded
