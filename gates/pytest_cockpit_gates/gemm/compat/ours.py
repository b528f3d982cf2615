"""Which of the recorded decisions an artifact is one for, and our own artifacts in their form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pytest_cockpit.api import CockpitError
from pytest_cockpit_gates.gemm.compat import campaign, policy, split, stress, weekly
from pytest_cockpit_gates.gemm.compat.rows import Evaluation
from pytest_cockpit_gates.gemm.strict.artifacts import SCHEMA


def decisions(
    artifact: Any,
    policies: Mapping[str, Any] | None,
    baseline: Any,
    *,
    min_ratio: float = 0.85,
    required_sizes: Iterable[int] | None = None,
) -> dict[str, Evaluation]:
    """The decisions that would have been made of an artifact, by the evaluator's name.

    Parameters
    ----------
    policies: the document of the weekly policy; None where there is none.
    baseline: the artifact to compare with; None where there is none.

    Raises
    ------
    CockpitError: there is neither policy nor baseline, or one of the documents cannot be read.
    """
    if not isinstance(artifact, Mapping):
        raise CockpitError("expected an object with rows")
    read = archived(artifact)
    apart = _is_split(read)
    found = {}
    if policies is not None:
        bounds = policy.weekly(policies)
        found["platform_split" if apart else "weekly_replay"] = (
            split.evaluate(read, bounds, min_rusticl_ratio=min_ratio, required_sizes=required_sizes)
            if apart
            else weekly.evaluate(read, bounds)
        )
    if baseline is not None:
        if not isinstance(baseline, Mapping):
            raise CockpitError("baseline: expected an object with rows")
        before = archived(baseline)
        found["stress_split_campaign" if apart else "controlled_rollout_campaign"] = (
            stress.evaluate(read, before) if apart else campaign.evaluate(read, before)
        )
    if not found:
        raise CockpitError(
            "the mode compat needs --cockpit-gemm-policy, --cockpit-gemm-baseline or both"
        )
    return found


def archived(artifact: Mapping[str, Any]) -> Mapping[str, Any]:
    """An artifact in the form of archived ones: pulses of pressure are counted by snapshot."""
    pulses = artifact.get("pressure")
    if artifact.get("schema") != SCHEMA or not isinstance(pulses, list):
        return artifact
    counts: dict[tuple[Any, Any, Any], dict[str, Any]] = {}
    for index, pulse in enumerate(pulses):
        if not isinstance(pulse, Mapping):
            raise CockpitError(f"pressure[{index}]: expected an object")
        snapshot, platform = pulse.get("snapshot"), str(pulse.get("platform"))
        place = (str(snapshot), platform, str(pulse.get("seed")) if snapshot is None else "")
        row = counts.setdefault(
            place,
            {"snapshot": snapshot, "platform_selector": platform, "requested": 0, "failures": 0},
        )
        row["requested"] += 1
        row["failures"] += pulse.get("status") != "ok"
    return {**artifact, "pressure": list(counts.values())}


def _is_split(artifact: Mapping[str, Any]) -> bool:
    if artifact.get("schema") == SCHEMA:
        return artifact.get("kind") == "split"
    metadata, rows = artifact.get("metadata"), artifact.get("runs")
    seeded = isinstance(metadata, Mapping) and "seeds" in metadata
    if not seeded or not isinstance(rows, list):
        return False
    platforms = {str(row.get("platform_selector")) for row in rows if isinstance(row, Mapping)}
    return len(platforms) > 1
