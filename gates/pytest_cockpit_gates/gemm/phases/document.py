"""The artifact of a run, put together from what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_cockpit.api import JSON, Context
from pytest_cockpit.records.text import sha256
from pytest_cockpit_gates.gemm.phases.measuring import Seen
from pytest_cockpit_gates.gemm.phases.plan import Plan
from pytest_cockpit_gates.gemm.phases.state import now
from pytest_cockpit_gates.gemm.strict.artifacts import SCHEMA


@dataclass(slots=True)
class Measured:
    """What a campaign has measured so far.

    Parameters
    ----------
    recall: of fault detection, as its workers told it.
    """

    kind: str
    started: str
    runs: list[dict[str, Any]] = field(default_factory=list)
    snapshots: list[dict[str, Any]] = field(default_factory=list)
    pressure: list[dict[str, Any]] = field(default_factory=list)
    pairs: list[dict[str, Any]] = field(default_factory=list)
    recall: list[dict[str, Any]] = field(default_factory=list)
    rollback_event: dict[str, Any] | None = None


def artifact(
    made: Measured,
    plan: Plan,
    seen: Seen,
    sources: Mapping[str, Any],
    context: Context,
    options: JSON,
) -> dict[str, Any]:
    """The document; see `schemas/gemm-run.json`."""
    recall: Sequence[Mapping[str, Any]] = made.recall
    return {
        "schema": SCHEMA,
        "kind": made.kind,
        "metadata": {
            "run_id": options["session_id"],
            "started": made.started,
            "finished": now(),
            "place": plan.place,
            "attempt": options["attempt"],
            "plan_sha256": options["plan_sha256"],
            "base": context.base,
            **{key: sources.get(key) for key in ("policy", "t3_policy", "t5_policy", "baseline")},
            "parameters": plan.parameters,
            "executed_snapshots": len(made.snapshots),
            "machine": seen.machine or {"fingerprint": "unknown"},
            "software": seen.software,
            "platforms": seen.platforms,
        },
        "snapshots": made.snapshots,
        "pressure": made.pressure,
        "runs": made.runs,
        "pairs": made.pairs,
        **({"recall": list(recall)} if recall else {}),
        "rollback_event": made.rollback_event,
        "evaluation": None,
    }


def digest(content: bytes) -> dict[str, Any]:
    """What tells an artifact from others."""
    return {"sha256": sha256(content), "bytes": len(content)}
