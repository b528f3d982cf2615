"""The pytest plugin: options, markers and the hand-over to a session module.

Loaded by every pytest run of every environment the package is installed in, so it imports pytest
and the hook specifications and nothing else until an option or a marker asks for more.
"""

from __future__ import annotations

import argparse
import ast
import re
from typing import Any

import pytest

from pytest_cockpit import hookspecs

_QUARANTINE = "authz_quarantine"
_NEEDS = {
    "cockpit_batch_size": ("batch", "burst"),
    "cockpit_modules": ("batch", "burst"),
    "cockpit_dry_run": ("batch", "burst", "rollback", "runbook"),
    "cockpit_skip_pr": ("batch", "burst", "rollback"),
    "cockpit_target": ("burst",),
    "cockpit_max_batches": ("burst",),
    "cockpit_checkpoint_every": ("burst",),
    "cockpit_checkpoint_only": ("burst",),
    "cockpit_resume": ("burst", "runbook"),
    "cockpit_on_red": ("batch",),
    "cockpit_force": ("batch", "burst"),
    "cockpit_tag": ("freeze", "runbook"),
    "cockpit_baseline_tag": ("runbook",),
}
_MODES = {
    "cockpit_batch": "batch",
    "cockpit_bench": "bench",
    "cockpit_burst": "burst",
    "cockpit_checkpoint": "checkpoint",
    "cockpit_dashboard": "dashboard",
    "cockpit_done": "done",
    "cockpit_explain": "explain",
    "cockpit_freeze": "freeze",
    "cockpit_init": "init",
    "cockpit_preflight": "preflight",
    "cockpit_prove": "prove",
    "cockpit_quarantine": "quarantine",
    "cockpit_ratchet": "ratchet",
    "cockpit_registry": "registry",
    "cockpit_rollback": "rollback",
    "cockpit_runbook": "runbook",
    "cockpit_scaffold": "scaffold",
    "cockpit_sweep": "sweep",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options of every session."""
    group = parser.getgroup("cockpit", "cockpit: promotion sessions and gates")
    group.addoption(
        "--cockpit-batch",
        action="store_true",
        help="promote the next batch of files out of the lane: plan, move, judge, seal",
    )
    group.addoption(
        "--cockpit-batch-size",
        type=_positive,
        metavar="N",
        help="move at most N files (default: tool.cockpit.batch.size, 50)",
    )
    group.addoption(
        "--cockpit-modules",
        type=_names,
        default=(),
        metavar="A,B",
        help="start only from files below these folders of the lane; what they need comes along",
    )
    group.addoption(
        "--cockpit-dry-run",
        action="store_true",
        help="do everything but the seal: no branch, no change to the checkout",
    )
    group.addoption(
        "--cockpit-skip-pr",
        action="store_true",
        help="push nothing; bring the checkout to the sealed commit instead",
    )
    group.addoption(
        "--cockpit-burst",
        action="store_true",
        help="promote several batches on top of each other, judged whole at every checkpoint",
    )
    group.addoption(
        "--cockpit-target",
        type=_positive,
        metavar="N",
        help="files to promote in a burst (default: four batches)",
    )
    group.addoption(
        "--cockpit-max-batches",
        type=_positive,
        metavar="N",
        help="batches that a burst never exceeds (default: 8)",
    )
    group.addoption(
        "--cockpit-checkpoint-every",
        type=_positive,
        metavar="N",
        help="files between two checkpoints of a burst, at least (default: 100)",
    )
    group.addoption(
        "--cockpit-checkpoint-only",
        action="store_true",
        help="judge a burst as far as it came, or HEAD, by all gates; promote nothing",
    )
    group.addoption(
        "--cockpit-resume",
        action="store_true",
        help="go on with the burst or runbook that was halted or killed, from where it was green",
    )
    group.addoption(
        "--cockpit-rollback",
        type=_batch_id,
        metavar="BATCH-ID",
        help="undo a merged batch: put every path back, judge the tree, seal it",
    )
    group.addoption(
        "--cockpit-on-red",
        choices=("halt", "isolate"),
        help="when a gate is red: halt (default), or find the files to blame and promote the rest",
    )
    group.addoption(
        "--cockpit-force",
        metavar="REASON",
        help="promote on a day that the calendar keeps for stabilisation; the reason is recorded",
    )
    group.addoption(
        "--cockpit-preflight",
        action="store_true",
        help="check what a first promotion needs: branch policy, labels, permissions, baselines",
    )
    group.addoption(
        "--cockpit-done",
        action="store_true",
        help="say what is missing until the migration is done, and when it will be",
    )
    group.addoption(
        "--cockpit-dashboard",
        action="store_true",
        help="show the six numbers of the migration, each with its evidence, and its forecast",
    )
    group.addoption(
        "--cockpit-quarantine",
        action="store_true",
        help="run every quarantined test, and show what would make it pass",
    )
    group.addoption(
        "--cockpit-init",
        action="store_true",
        help="write a commented cockpit.toml where there is no configuration, and the baselines",
    )
    group.addoption(
        "--cockpit-prove",
        action="store_true",
        help="run every installed gate on its proofs: each rule must be seen failing",
    )
    group.addoption(
        "--cockpit-ratchet",
        choices=("check", "tighten"),
        help="measure the baselines of HEAD again: say what can be tightened, or tighten it",
    )
    _add_runbook_options(group)
    group.addoption(
        "--cockpit-set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="replace one setting for this run, such as gate.coverage.new_file_ratio=0.1; "
        "repeatable",
    )
    group.addoption(
        "--cockpit-base",
        metavar="REV",
        help="with -m gate: judge the working tree against its merge base with REV, not HEAD; "
        "with --cockpit-bench: measure REV beside HEAD",
    )
    group.addoption(
        "--cockpit-label",
        action="append",
        default=[],
        metavar="LABEL",
        help="a label of the change under judgement, which waivers may be bound to; repeatable, "
        "beside the variable COCKPIT_LABELS",
    )


def _add_runbook_options(group: pytest.OptionGroup) -> None:
    """Declare the options of the runbook and of its phases."""
    group.addoption(
        "--cockpit-runbook",
        action="store_true",
        help="run every phase from checkpoint to production freeze: registry, scaffolding, sweep, "
        "benchmarks, dashboards",
    )
    group.addoption(
        "--cockpit-registry",
        nargs="?",
        const="write",
        choices=("write", "check"),
        help="write the registry of modules and what is generated from it, or check that it is "
        "as it would be written",
    )
    group.addoption(
        "--cockpit-explain",
        type=_module,
        metavar="MODULE",
        help="show how the health of a module is made up, each input with its evidence",
    )
    group.addoption(
        "--cockpit-scaffold",
        nargs="?",
        const="show",
        choices=("show", "apply"),
        help="show what modules lack of the template and where they drifted from it, or write "
        "what they lack",
    )
    group.addoption(
        "--cockpit-sweep",
        action="store_true",
        help="measure the coverage of every module by its own tests, and enter it in its manifest",
    )
    group.addoption(
        "--cockpit-bench",
        action="store_true",
        help="run every module's benchmarks and judge them against what was recorded, or against "
        "--cockpit-base",
    )
    group.addoption(
        "--cockpit-checkpoint",
        action="store_true",
        help="check registry, documentation, ledger and trends; changes nothing",
    )
    group.addoption(
        "--cockpit-freeze",
        choices=("baseline", "production"),
        help="record digests of the whole tree under an annotated tag",
    )
    group.addoption(
        "--cockpit-tag",
        metavar="TAG",
        help="the tag of a freeze; of a runbook, that of its production freeze",
    )
    group.addoption(
        "--cockpit-baseline-tag",
        metavar="TAG",
        help="the tag of a runbook's baseline freeze (default: that of production with -baseline)",
    )
    group.addoption(
        "--cockpit-shard",
        type=_shard,
        metavar="I/N",
        help="with -m gate or a sweep: do the I-th of N parts; `cockpit shard merge` joins them",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Keep the repository's own code out of this process while a mode runs."""
    options = early_config.known_args_namespace
    if _mode(options) or early_config.hook.pytest_cockpit_campaign(options=options):
        early_config.known_args_namespace.noconftest = True


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Register the hook specifications."""
    pluginmanager.add_hookspecs(hookspecs)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register markers and start the session module that the command line asks for."""
    config.addinivalue_line("markers", "gate: a cockpit gate over the working tree")
    config.addinivalue_line(
        "markers",
        f"{_QUARANTINE}(issue, owner, expires): known to fail, and counted apart, until the day it "
        "expires; fails when it passes",
    )
    expression = config.getoption("markexpr", "") or ""
    strict = config.getoption("strict_markers", False) or _ini(config, "strict_markers", "strict")
    if any(getattr(config.option, name, False) for name in ("help", "version", "showfixtures")):
        return
    mode = _mode(config.option)
    campaign = config.hook.pytest_cockpit_campaign(options=config.option)
    if mode and campaign:
        asked = f"--cockpit-{mode}, and the campaign {campaign.mode}"
        raise pytest.UsageError(f"{asked}: one mode at a time")
    mode = "campaign" if campaign else mode
    if config.option.cockpit_base and mode != "bench" and (mode or not expression):
        raise pytest.UsageError("--cockpit-base: needs -m gate, a gate's marker or --cockpit-bench")
    if config.option.cockpit_shard and mode != "sweep" and (mode or not expression):
        raise pytest.UsageError("--cockpit-shard: needs -m gate, a gate's marker or a sweep")
    if not (mode or expression or strict or config.getoption("markers", False)):
        return
    markers = _gate_markers()
    for marker in markers:
        config.addinivalue_line("markers", f"{marker}: the cockpit gate of this name")
    selected = [marker for marker in markers if _selects(expression, {"gate", marker})]
    if mode is None and selected:
        mode = "everyday"
        alone = ["gate"] if _selects(expression, {"gate"}) else []
        config.option.cockpit_markers = [*selected, *alone]
    elif mode is None and config.option.cockpit_base:
        raise pytest.UsageError(f"--cockpit-base: -m {expression!r} selects no gate")
    if mode is not None:
        from pytest_cockpit import sessions

        sessions.start(config, mode)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Load what quarantined tests need, if any test is one."""
    # A folder or a function of that name is among the keywords too.
    if any(_QUARANTINE in item.keywords and item.get_closest_marker(_QUARANTINE) for item in items):
        from pytest_cockpit.quarantine import runtime

        runtime.start(config, items)


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(
    report: pytest.CollectReport | pytest.TestReport,
) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
    """Show a test that fails in quarantine as what it is, in a controller of workers too."""
    if hasattr(report, "cockpit_quarantine"):
        return "quarantined", "q", ("QUARANTINED", {"yellow": True})
    if hasattr(report, "cockpit_quarantine_over"):
        return "failed", "F", ("FAILED", {"red": True})
    return None


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """With `-rx`, `-ra` or `-rA`: a line for each test that failed in quarantine."""
    if "x" in terminalreporter.reportchars:
        for report in terminalreporter.stats.get("quarantined", ()):
            terminalreporter.write_line(
                f"QUARANTINED {report.nodeid} - {report.cockpit_quarantine}", yellow=True
            )


def _mode(options: object) -> str | None:
    chosen = [mode for option, mode in _MODES.items() if getattr(options, option, False)]
    if len(chosen) > 1:
        flags = ", ".join(f"--cockpit-{mode}" for mode in chosen)
        raise pytest.UsageError(f"{flags}: one mode at a time")
    mode = chosen[0] if chosen else None
    for name, modes in _NEEDS.items():
        if mode not in modes and getattr(options, name, None):
            flags = " or ".join(f"--cockpit-{mode}" for mode in modes)
            raise pytest.UsageError(f"--{name.replace('_', '-')}: needs {flags}")
    return mode


def _selects(expression: str, markers: set[str]) -> bool:
    """Whether a `-m` expression holds for an item that has just these markers."""
    if not markers & set(re.findall(r"\w+", expression)):
        return False
    try:
        return _holds(ast.parse(expression.strip(), mode="eval").body, markers)
    except SyntaxError:
        # pytest knows marker names that Python cannot spell; it will judge the item itself.
        return True


def _holds(node: ast.expr, markers: set[str]) -> bool:
    match node:
        case ast.BoolOp(op=ast.And()):
            return all(_holds(value, markers) for value in node.values)
        case ast.BoolOp():
            return any(_holds(value, markers) for value in node.values)
        case ast.UnaryOp(op=ast.Not()):
            return not _holds(node.operand, markers)
        case ast.Name():
            return node.id in markers
        case _:
            return False


def _ini(config: pytest.Config, *names: str) -> bool:
    """Whether any of these settings is on; pytest before 9 knows none of them."""
    for name in names:
        try:
            if config.getini(name):
                return True
        except (KeyError, ValueError):
            continue
    return False


def _gate_markers() -> list[str]:
    from importlib.metadata import entry_points

    return sorted({entry.name for entry in entry_points(group="pytest_cockpit.gates")})


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)


def _module(text: str) -> str:
    if not text.strip():
        # It would ask for no mode at all, and the repository's own tests would run.
        raise argparse.ArgumentTypeError("expected the folder or name of a module, got nothing")
    return text


def _shard(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([0-9]{1,4})/([0-9]{1,4})", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise argparse.ArgumentTypeError(f"expected a part of a whole such as 3/16, got {text!r}")
    return int(found[1]), int(found[2])


def _batch_id(text: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{7}-[0-9a-f]{1,8}", text):
        raise argparse.ArgumentTypeError(
            f"expected a batch id such as 1a2b3c4-5d6e7f80, got {text!r}; git log shows them"
        )
    return text


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in (part.strip().strip("/") for part in text.split(",")) if name)
