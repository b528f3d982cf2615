"""Artifacts of runs, ours and archived ones, read so that nothing wrong with them gets through."""

from __future__ import annotations

import functools
import importlib.resources
import json
import math
from collections.abc import Mapping
from typing import Any

from pytest_cockpit.api import JSON
from pytest_cockpit.records.schema import problems_by
from pytest_cockpit.records.text import one_line
from pytest_cockpit_gates.gemm.strict.model import Artifact, Run, Session, instant

SCHEMA = "pytest-cockpit/gemm-run/1"
_DEPTH = 60


def schema() -> dict[str, Any]:
    """The JSON Schema of our artifacts; whoever writes one validates it by `problems` first."""
    return _load("gemm-run")


def problems(artifact: Any) -> list[str]:
    """All that is wrong with one of our artifacts, each `pointer: message`; [] when it is valid."""
    return [str(problem) for problem in problems_by(artifact, schema())]


def parse(content: bytes) -> Any:
    """The value of an archived document, NaN and infinities included.

    Raises
    ------
    ValueError: it is no JSON; the text is one line.
    """
    try:
        return json.loads(content.decode("utf-8"))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    except ValueError as error:
        raise ValueError(one_line(str(error))) from error


def read(data: Any) -> tuple[Artifact | None, list[str]]:
    """An artifact, or all that is wrong with it.

    A number that is not finite counts as none, which is an error where a number has to be, and is
    never one that passes.
    """
    try:
        cleaned = _finite(data, 0)
    except RecursionError:
        return None, ["(top level): nested too deeply"]
    ours = isinstance(cleaned, Mapping) and "schema" in cleaned
    found = problems_by(cleaned, _load("gemm-run" if ours else "gemm-archived"))
    if found:
        return None, [str(problem) for problem in found]
    return (_ours(cleaned) if ours else _archived(cleaned)), []


def _finite(value: Any, depth: int) -> Any:
    if depth > _DEPTH:
        raise RecursionError
    if isinstance(value, Mapping):
        return {key: _finite(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item, depth + 1) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _ours(data: JSON) -> Artifact:
    metadata = data["metadata"]
    return Artifact(
        archived=False,
        kind=data["kind"],
        metadata=metadata,
        parameters=metadata["parameters"],
        runs=tuple(_run(number, row) for number, row in enumerate(data["runs"])),
        snapshots=tuple(data["snapshots"]),
        pressure=tuple(data["pressure"]),
        pairs=tuple(data["pairs"]),
        recall=tuple(data.get("recall", ())),
        rollback_event=data["rollback_event"],
        attempt=metadata["attempt"],
        finished=instant(metadata["finished"]),
        fingerprint=metadata["machine"]["fingerprint"],
        platforms=metadata["platforms"],
    )


def _archived(data: JSON) -> Artifact:
    runs = tuple(_run(number, row) for number, row in enumerate(data["runs"]))
    pressure, snapshots = data.get("pressure"), data.get("snapshots")
    return Artifact(
        archived=True,
        kind="split" if len({run.platform for run in runs}) > 1 else "replay",
        metadata=data["metadata"],
        parameters={},
        runs=runs,
        snapshots=tuple(snapshots) if isinstance(snapshots, list) else (),
        pressure=tuple(pressure) if isinstance(pressure, list) else (),
        pairs=(),
        recall=(),
        rollback_event=data.get("rollback_event"),
        finished=instant(data["metadata"].get("timestamp_utc")),
    )


def _run(number: int, row: JSON) -> Run:
    metrics = row.get("metrics") or {}
    platform = row.get("platform_selector") or metrics.get("platform") or ""
    return Run(
        number=number,
        ok=row["status"] == "ok" and row.get("returncode", 0) == 0,
        returncode=row.get("returncode"),
        platform=platform.lower(),
        kernel=row["kernel"],
        size=row["size"],
        seed=row.get("seed"),
        snapshot=row.get("snapshot"),
        error=one_line((row.get("error") or row.get("stderr") or "").strip())[-200:],
        source_sha256=(row.get("variant") or {}).get("source_sha256", ""),
        sessions=tuple(_session(session) for session in row.get("sessions", ())),
        metrics=metrics,
    )


def _session(data: JSON) -> Session:
    return Session(
        number=data["session"],
        wall=tuple(data["wall_s"]),
        cpu=tuple(data["cpu_s"]),
        max_error=data["max_error"],
        error_bound=data["error_bound"],
    )


@functools.cache
def _load(name: str) -> dict[str, Any]:
    folder = importlib.resources.files("pytest_cockpit_gates.gemm") / "schemas"
    loaded: dict[str, Any] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return loaded
