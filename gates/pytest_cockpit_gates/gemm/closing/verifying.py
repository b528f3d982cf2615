"""A selection tried out: a fresh process with its variables, and what it really is on."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pytest_cockpit.api import Finding, Severity
from pytest_cockpit_gates.gemm import findings
from pytest_cockpit_gates.gemm.closing import selection
from pytest_cockpit_gates.gemm.closing.selection import Choice
from pytest_cockpit_gates.gemm.workers import platforms
from pytest_cockpit_gates.gemm.workers.client import Worker, WorkerError

_SMOKE = 64
_PATIENCE_S = 30.0
"""Seconds that a platform which is left has to tell its device: a rollback is urgent."""
_PACKAGES = ("numpy", "pyopencl")
_EXTRA = "pip install 'pytest-cockpit[gemm]'"


def compared(chosen: Choice, told: Mapping[str, Any]) -> list[Finding]:
    """What is wrong with what a fresh process saw."""
    found, was = [], selection.strings(told["info"])
    if not platforms.is_named(chosen.platform, was["platform_name"]):
        found.append(
            wrong(
                f"the process is on {was['platform_name']!r}, not on {chosen.platform}", "platform"
            )
        )
    for key, expected in (chosen.device or {}).items():
        if was[key] != expected:
            # Another version of the driver is no other device.
            weight = Severity.ERROR if key in ("platform_name", "device") else Severity.WARNING
            found.append(
                wrong(f"{key} is {was[key]!r}, and was {expected!r}", f"device/{key}", weight)
            )
    if told["smoke"].get("ok") is not True:
        found.append(
            Finding(
                "gemm.correctness",
                f"a multiplication on {chosen.platform} is wrong: error "
                f"{told['smoke'].get('max_error')}, bound {told['smoke'].get('bound')}",
                path=selection.PATH,
                remedy="undo the selection: --cockpit-gemm-rollback=undo",
                evidence=dict(told["smoke"]),
            )
        )
    return found


def seen(chosen: Choice, scratch: Path, timeout_s: float) -> dict[str, Any]:
    """What a fresh process with exactly this selection describes, and a multiplication on it.

    Raises
    ------
    WorkerError: there is no such platform or device, or the process gave no answer.
    """
    place = scratch / "state" / f"worker-{chosen.platform}"
    with Worker(chosen.platform, place, timeout_s=timeout_s, env=chosen.environment) as worker:
        smoke = worker.ask("smoke", size=_SMOKE)
        return {"info": worker.info, "smoke": smoke}


def known(chosen: Choice, scratch: Path, timeout_s: float) -> Choice:
    """The choice with the device it has now, where nobody has looked; as it is if it has none.

    It may well not work any more: that is why people go back from it.
    """
    if chosen.device is not None:
        return chosen
    try:
        told = seen(chosen, scratch, min(timeout_s, _PATIENCE_S))
    except WorkerError:
        return chosen
    device = selection.strings(told["info"])
    named = platforms.is_named(chosen.platform, device["platform_name"])
    return dataclasses.replace(chosen, device=device) if named else chosen


def failure(error: WorkerError, platform: str, *, selected: bool = False) -> Finding:
    """What a worker without an answer is: unknown where its platform is missing.

    Parameters
    ----------
    selected: it was begun with the variables of a selection; where the driver is there all the
        same, those do not lead to it.
    """
    found = dataclasses.replace(findings.of_worker(error, platform), path=selection.PATH)
    if error.kind != "missing":
        return found
    there = platforms.missing(platform) is None
    if there and not all(map(find_spec, _PACKAGES)):
        return dataclasses.replace(found, remedy=_EXTRA)
    if there and selected:
        return wrong(f"its variables do not lead to {platform}: {error.message}", "environment")
    return dataclasses.replace(found, remedy=platforms.remedy(platform))


def wrong(message: str, pointer: str, weight: Severity = Severity.ERROR) -> Finding:
    """Something about the selection that is not as it should be."""
    return Finding(
        "gemm.wrong-device",
        message,
        weight,
        path=selection.PATH,
        pointer=f"/selected/{pointer}",
        remedy="select again: --cockpit-gemm-rollback=undo, then apply",
    )
