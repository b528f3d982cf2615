"""Options of the gate `gemm`, and the campaigns that they ask for.

Loaded by every pytest run of every environment, so it imports pytest alone until an option is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import argparse

    from pytest_cockpit.api import Campaign

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
_MOST_RATIO = 100
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
    "gemm-close": (*_WRITTEN, "sla"),
}
"""The options that go with each mode."""


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the modes of the gate and what they take; none where the engine is switched off."""
    if pluginmanager.is_blocked("cockpit"):
        return
    group = parser.getgroup("cockpit-gemm", "cockpit: objectives of GEMM on OpenCL platforms")
    group.addoption(
        "--cockpit-replay",
        action="store_true",
        help="replay the weekly objectives: gate, canary under pressure, evaluation, gate, report",
    )
    group.addoption(
        "--cockpit-split",
        action="store_true",
        help="measure two platforms in turns and judge the ratio of the one to the other",
    )
    group.addoption(
        "--cockpit-evaluate",
        nargs="+",
        metavar="ARTIFACT",
        help="judge archived artifacts by a policy; measures nothing",
    )
    group.addoption(
        "--cockpit-evaluate-mode",
        choices=("strict", "compat"),
        help="strict (default): a sound verdict; compat: the decision as it was once made",
    )
    group.addoption(
        "--cockpit-recalibrate",
        nargs="+",
        metavar="ARTIFACT",
        help="propose a policy whose bounds follow from the runs of these artifacts",
    )
    group.addoption(
        "--cockpit-gemm-tune",
        action="store_true",
        help="measure which kernel variant is fastest on each platform at each size, and keep it",
    )
    group.addoption(
        "--cockpit-gemm-rollback",
        choices=tuple(_ROLLBACK),
        help="plan, apply, verify or undo the change to the fallback platform",
    )
    group.addoption(
        "--cockpit-gemm-close",
        action="store_true",
        help="close the week: decision and minutes from what its campaigns came to",
    )
    _add_parameters(group)


def _add_parameters(group: Any) -> None:
    for name, text in (
        ("policy", "the policy to judge by (default: gate.gemm.policy)"),
        ("t3-policy", "the policy of auto_t3_controlled (default: gate.gemm.t3_policy)"),
        ("t5-policy", "the policy of auto_t5_guarded (default: gate.gemm.t5_policy)"),
        ("baseline", "the artifact to compare with (default: gate.gemm.baseline)"),
        ("sla", "severities, deadlines and actions (default: gate.gemm.sla)"),
        ("output-dir", "folder of the repository for what is written (default: artifacts/gemm)"),
        ("output-prefix", "what the names of written files begin with (default: the mode)"),
    ):
        metavar = "FOLDER" if name == "output-dir" else "TEXT" if "prefix" in name else "PATH"
        group.addoption(f"--cockpit-gemm-{name}", metavar=metavar, help=text)
    for name, text in (
        ("snapshots", "snapshots of a replay (default: 8)"),
        (
            "sessions",
            "processes per kernel and size in each snapshot or seed (default: 2, of a split 1)",
        ),
        ("iterations", "timed multiplications in each session (default: 8)"),
        ("pressure-size", "size of the multiplications beside the timed ones (default: 896)"),
        ("pressure-iterations", "multiplications in a pulse of pressure (default: 3)"),
        ("pressure-pulses", "pulses in each snapshot or seed (default: 3)"),
        ("seed", "seed that all inputs follow from (default: 13011)"),
    ):
        group.addoption(f"--cockpit-gemm-{name}", type=int, metavar="N", help=text)
    for name, text in (
        ("sizes", "sizes N of N x N matrices (default: gate.gemm.sizes, else 1400 2048 3072)"),
        ("required-sizes", "sizes that the policy and a split must have (default: those measured)"),
        ("seeds", "seeds of a split (default: 412 512)"),
    ):
        group.addoption(f"--cockpit-gemm-{name}", type=int, nargs="+", metavar="N", help=text)
    for name, text in (
        ("kernels", "kernels (default: auto_t3_controlled auto_t5_guarded)"),
        ("platforms", "platforms (default: gate.gemm.platforms)"),
    ):
        group.addoption(f"--cockpit-gemm-{name}", nargs="+", metavar="NAME", help=text)
    group.addoption(
        "--cockpit-gemm-min-ratio",
        type=_ratio,
        metavar="RATIO",
        help="throughput of the candidate over that of the fallback, at least (default: "
        "gate.gemm.min_ratio, else 0.85)",
    )
    group.addoption(
        "--cockpit-gemm-mode",
        choices=("local", "ci"),
        help="where this runs; a run of mode ci asks for machine and platforms of the baseline",
    )


# Optional: the tests that a gate measures run with -p no:cockpit, where nothing specifies the hook.
@pytest.hookimpl(optionalhook=True)
def pytest_cockpit_campaign(options: argparse.Namespace) -> Campaign | None:
    """The campaign of the one mode that is asked for."""
    modes = [mode for mode in _TITLES if getattr(options, _name(mode), None)]
    given = _given(options)
    if not modes and not given:
        return None

    from pytest_cockpit.api import Campaign

    if not modes:
        raise pytest.UsageError(
            f"{_flag(next(iter(given)))}: needs a mode such as --cockpit-replay"
        )
    if len(modes) > 1:
        flags = ", ".join(f"--cockpit-{mode}" for mode in modes)
        raise pytest.UsageError(f"{flags}: one mode at a time")
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


def _ratio(text: str) -> float:
    given = float(text)
    if not 0 < given <= _MOST_RATIO:
        raise ValueError(text)
    return given


_ratio.__name__ = f"number above 0, at most {_MOST_RATIO},"


def _name(mode: str) -> str:
    return f"cockpit_{mode.replace('-', '_')}"


def _flag(name: str) -> str:
    """The option of a parameter."""
    spoken = {"place": "gemm-mode", "evaluate_mode": "evaluate-mode"}
    return f"--cockpit-{spoken.get(name) or 'gemm-' + name.replace('_', '-')}"


def _demand_taken(mode: str, given: dict[str, Any]) -> None:
    """Raise `pytest.UsageError` for the first option that the mode would not heed."""
    for name in given:
        if name not in _TAKEN[mode]:
            modes = ", ".join(f"--cockpit-{it}" for it, taken in _TAKEN.items() if name in taken)
            raise pytest.UsageError(
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
