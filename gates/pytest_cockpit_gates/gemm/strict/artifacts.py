"""Artifacts of runs, ours and archived ones, as documents."""

from __future__ import annotations

import functools
import importlib.resources
import json
from typing import Any

from pytest_cockpit.records.schema import problems_by

SCHEMA = "pytest-cockpit/gemm-run/1"


@functools.cache
def schema() -> dict[str, Any]:
    """The JSON Schema of our artifacts; whoever writes one validates it by `problems` first."""
    folder = importlib.resources.files("pytest_cockpit_gates.gemm") / "schemas"
    loaded: dict[str, Any] = json.loads((folder / "gemm-run.json").read_text(encoding="utf-8"))
    return loaded


def problems(artifact: Any) -> list[str]:
    """All that is wrong with one of our artifacts, each `pointer: message`; [] when it is valid."""
    return [str(problem) for problem in problems_by(artifact, schema())]
