"""Campaigns of the gate: which module does which phase."""

from __future__ import annotations

import importlib

from pytest_cockpit.api import JSON, CockpitError, Context, Report

_MODULES = {
    "plan": "planning",
    "pre-gate": "canonical",
    "post-gate": "canonical",
    "canary": "canary",
    "split": "splitting",
    "evaluation": "evaluation",
    "report": "reporting",
    "evaluate": "archived",
    "recalibrate": "recalibration",
    "tune": "tuning",
    "apply": "rollback",
    "verify": "rollback",
    "undo": "rollback",
    "close": "closing",
}


def conduct(phase: str, context: Context, options: JSON) -> Report:
    """Do one phase: `run(phase, context, options)` of its module.

    Raises
    ------
    CockpitError: there is no such phase, or what it needs is missing.
    """
    name = _MODULES.get(phase)
    if options["mode"] == "gemm-rollback" and phase == "plan":
        name = "rollback"
    if name is None:
        raise CockpitError(f"gemm: no phase {phase!r}; phases: {', '.join(_MODULES)}")
    module = importlib.import_module(f"pytest_cockpit_gates.gemm.phases.{name}")
    report: Report = module.run(phase, context, options)
    return report
