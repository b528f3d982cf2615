"""The artifact of a run, put together from what was measured."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_cockpit.api import JSON, Context
from pytest_cockpit.records.text import sha256
from pytest_cockpit_gates.gemm.closing.documents import output_folder
from pytest_cockpit_gates.gemm.phases.measuring import Seen
from pytest_cockpit_gates.gemm.phases.plan import Plan
from pytest_cockpit_gates.gemm.phases.state import now
from pytest_cockpit_gates.gemm.strict.artifacts import SCHEMA


def _load() -> list[float] | None:
    """Processes that wanted to run in the last 1, 5 and 15 minutes; None where nobody counts."""
    try:
        return [round(it, 2) for it in os.getloadavg()]
    except (AttributeError, OSError):
        return None


@dataclass(slots=True)
class Measured:
    """What a campaign has measured so far.

    Parameters
    ----------
    load: of the machine when it began, as processes that want to run.
    recall: of fault detection, as its workers told it.
    ceilings: what each platform is capable of, by name.
    """

    kind: str
    started: str
    runs: list[dict[str, Any]] = field(default_factory=list)
    snapshots: list[dict[str, Any]] = field(default_factory=list)
    pressure: list[dict[str, Any]] = field(default_factory=list)
    pairs: list[dict[str, Any]] = field(default_factory=list)
    recall: list[dict[str, Any]] = field(default_factory=list)
    ceilings: dict[str, dict[str, float]] = field(default_factory=dict)
    rollback_event: dict[str, Any] | None = None
    load: list[float] | None = field(default_factory=_load)


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
            "dirty": dirty(context, options),
            **{key: sources.get(key) for key in ("policy", "t3_policy", "t5_policy", "baseline")},
            "parameters": plan.parameters,
            "executed_snapshots": len(made.snapshots),
            "machine": seen.machine or {"fingerprint": "unknown"},
            "software": seen.software,
            "load": {"begin": made.load, "end": _load()},
            "platforms": seen.platforms,
        },
        "snapshots": made.snapshots,
        "pressure": made.pressure,
        "runs": made.runs,
        "pairs": made.pairs,
        **({"recall": list(recall)} if recall else {}),
        **({"ceilings": made.ceilings} if made.ceilings else {}),
        "rollback_event": made.rollback_event,
        "evaluation": None,
    }


def dirty(context: Context, options: JSON) -> int:
    """How many files are not as the commit has them, but for records and artifacts."""
    own = (f"{context.records}/", f"{output_folder(options)}/")
    return sum(not path.startswith(own) for path in context.changed)


def digest(content: bytes) -> dict[str, Any]:
    """What tells an artifact from others."""
    return {"sha256": sha256(content), "bytes": len(content)}
