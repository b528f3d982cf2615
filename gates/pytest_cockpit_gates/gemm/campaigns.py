"""Campaigns that the command line asks for: what each mode does, and the options it heeds.

Loaded by the plugin once an option of the gate is used.
"""

from __future__ import annotations

import argparse
from typing import Any

from pytest_cockpit.api import Campaign, CockpitError

_GATE = "gemm"
_SELECTION = ".cockpit/gemm_platform.json"
_TITLES = {
    "replay": "the weekly replay",
    "split": "the split of platforms",
    "evaluate": "archived artifacts",
    "recalibrate": "a policy calibrated again",
    "gemm-tune": "kernel variants of this machine",
    "gemm-rollback": "the platform's rollback",
    "gemm-close": "the close of the week",
}
_PHASES = {
    "replay": ("plan", "pre-gate", "canary", "evaluation", "post-gate", "report"),
    "split": ("plan", "pre-gate", "split", "evaluation", "report"),
    "evaluate": ("evaluate",),
    "recalibrate": ("recalibrate",),
    "gemm-tune": ("tune",),
    "gemm-close": ("close",),
}
_ROLLBACK = {
    "plan": ("plan",),
    "apply": ("plan", "apply", "verify", "post-gate"),
    "verify": ("verify",),
    "undo": ("undo", "verify"),
}
_RECORDED = ("replay", "split", "gemm-close")
_PATHS = ("policy", "t3_policy", "t5_policy", "baseline", "sla")
_CLOSING = {
    # What a red canary has measured is judged too: wrong results decide otherwise than slow ones.
    "replay": ("evaluation", "post-gate", "report"),
    "split": ("evaluation", "report"),
}
_WRITTEN = ("output_dir", "output_prefix")
_MEASURED = (
    *_WRITTEN,
    *_PATHS,
    "platforms",
    "kernels",
    "sizes",
    "sessions",
    "iterations",
    "pressure_size",
    "pressure_iterations",
    "pressure_pulses",
    "required_sizes",
    "min_ratio",
    "place",
)
_TAKEN = {
    "replay": (*_MEASURED, "snapshots", "seed"),
    "split": (*_MEASURED, "seeds", "seed"),
    "evaluate": (
        *_WRITTEN,
        *(name for name in _PATHS if name != "sla"),
        "evaluate_mode",
        "required_sizes",
        "min_ratio",
        "place",
    ),
    "recalibrate": (*_WRITTEN, "policy"),
    "gemm-tune": (*_WRITTEN, "platforms", "sizes"),
    "gemm-rollback": _WRITTEN,
    "gemm-close": (*_WRITTEN, "sla", "week"),
}
"""The options that go with each mode."""


def asked(options: argparse.Namespace) -> Campaign:
    """The campaign of the one mode that is asked for.

    Raises
    ------
    CockpitError: it is none, or another mode or option does not go with it.
    """
    modes = [mode for mode in _TITLES if getattr(options, _name(mode), None)]
    given = _given(options)
    if not modes:
        raise CockpitError(f"{_flag(next(iter(given)))}: needs a mode such as --cockpit-replay")
    if len(modes) > 1:
        flags = ", ".join(f"--cockpit-{mode}" for mode in modes)
        raise CockpitError(f"{flags}: one mode at a time")
    [mode] = modes
    _demand_taken(mode, given)
    action = options.cockpit_gemm_rollback
    output = given.pop("output_dir", None)
    named = [given[key] for key in _PATHS if key in given]
    artifacts = getattr(options, _name(mode)) if mode in ("evaluate", "recalibrate") else []
    return Campaign(
        gate=_GATE,
        mode=mode,
        title=_TITLES[mode],
        phases=_ROLLBACK[action] if action else _PHASES[mode],
        closing=_CLOSING.get(mode, ()),
        options={**given, "mode": mode, "artifacts": artifacts, "action": action or ""},
        inputs=(*named, *artifacts),
        recorded=mode in _RECORDED or action in ("apply", "undo"),
        output=output,
        writes=(_SELECTION,) if action in ("apply", "undo") else (),
        paths={
            **{name: _flag(name) for name in _PATHS},
            "artifacts": f"--cockpit-{mode}",
            "output": "--cockpit-gemm-output-dir",
        },
    )


def _name(mode: str) -> str:
    return f"cockpit_{mode.replace('-', '_')}"


def _flag(name: str) -> str:
    """The option of a parameter."""
    spoken = {"place": "gemm-mode", "evaluate_mode": "evaluate-mode"}
    return f"--cockpit-{spoken.get(name) or 'gemm-' + name.replace('_', '-')}"


def _demand_taken(mode: str, given: dict[str, Any]) -> None:
    """Raise `CockpitError` for the first option that the mode would not heed."""
    for name in given:
        if name not in _TAKEN[mode]:
            modes = ", ".join(f"--cockpit-{it}" for it, taken in _TAKEN.items() if name in taken)
            raise CockpitError(
                f"{_flag(name)}: --cockpit-{mode} takes no such option; leave it out (for {modes})"
            )


def _given(options: argparse.Namespace) -> dict[str, Any]:
    """The parameters that the command line names; `--cockpit-gemm-mode` is the `place`."""
    prefix, modes = "cockpit_gemm_", {_name(mode) for mode in _TITLES}
    found = {
        name.removeprefix(prefix): value
        for name, value in sorted(vars(options).items())
        if name.startswith(prefix) and name not in modes and value is not None
    }
    if "mode" in found:
        found["place"] = found.pop("mode")
    if options.cockpit_evaluate_mode is not None:
        found["evaluate_mode"] = options.cockpit_evaluate_mode
    return found
