"""Options of the gate `gemm`, and the campaigns that they ask for.

Loaded by every pytest run of every environment, so it imports pytest alone until an option is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import argparse

    from pytest_cockpit.api import Campaign

_OURS = (
    "cockpit_replay",
    "cockpit_split",
    "cockpit_evaluate",
    "cockpit_recalibrate",
    "cockpit_gemm_",
)
"""What the names of all options begin with."""
_MOST_RATIO = 100


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
        choices=("plan", "apply", "verify", "undo"),
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
        "--cockpit-gemm-week",
        type=_week,
        metavar="WEEK",
        help="the week to close, such as 2026-W47 (default: this one, by UTC)",
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
    given = [value for name, value in vars(options).items() if name.startswith(_OURS)]
    if all(value is None or value is False for value in given):
        return None

    from pytest_cockpit.api import CockpitError
    from pytest_cockpit_gates.gemm import campaigns

    try:
        return campaigns.asked(options)
    except CockpitError as error:
        raise pytest.UsageError(str(error)) from None


def _ratio(text: str) -> float:
    given = float(text)
    if not 0 < given <= _MOST_RATIO:
        raise ValueError(text)
    return given


_ratio.__name__ = f"number above 0, at most {_MOST_RATIO},"


def _week(text: str) -> str:
    from datetime import date

    year, number = map(int, text.split("-W"))
    date.fromisocalendar(year, number, 1)
    return f"{year}-W{number:02}"


_week.__name__ = "week such as 2026-W47,"
