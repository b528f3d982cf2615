"""A mode takes the pytest run over: what is collected, by whom, and what must not interfere."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import pytest_cockpit

_OURS = Path(pytest_cockpit.__file__).resolve().parent.parent


def named_plan(config: pytest.Config, plan: Path) -> bool:
    """Whether the command line names the plan file, with or without a step's id.

    Raises
    ------
    pytest.UsageError: it names something else.
    """
    base = config.invocation_params.dir
    # Paths in `addopts` are meant for ordinary runs: only what was typed counts.
    typed = {os.fspath(argument) for argument in config.invocation_params.args}
    given = [argument for argument in config.args if argument in typed]
    if config.args_source is not pytest.Config.ArgsSource.ARGS or not given:
        return False
    for argument in given:
        if (base / argument.partition("::")[0]).resolve() != plan.resolve():
            raise pytest.UsageError(
                f"{argument}: a session collects its plan file only; "
                f"name no file, or {os.path.relpath(plan, base)}::STEP"
            )
    config.args[:] = given
    return True


def take_over(config: pytest.Config, plan: Path) -> list[str]:
    """Make the plan file the one collected argument, and return lines for the header.

    A distributed run is brought back into this process, because a session's steps follow each
    other. Coverage of this process is switched off: a limit meant for the repository's tests
    would judge the tool instead.

    Raises
    ------
    pytest.UsageError: an option would collect or run something else than the plan.
    """
    for option in ("setuponly", "setupplan"):
        if getattr(config.option, option, False):
            flag = option.replace("setup", "setup-")
            raise pytest.UsageError(f"--{flag}: runs no step of a session; leave it out")
    if not named_plan(config, plan):
        config.args[:] = [str(plan)]
    if config.pluginmanager.hasplugin("_cov"):
        config.pluginmanager.unregister(name="_cov")
    lines = []
    if getattr(config.option, "numprocesses", None) or getattr(config.option, "tx", None):
        config.option.numprocesses = 0
        config.option.dist = "no"
        config.option.tx = []
        lines.append("cockpit: the steps of a session run in this process (-n is not used)")
    if getattr(config.option, "forked", False):
        config.option.forked = False
        lines.append("cockpit: the steps of a session run in this process (--forked is not used)")
    return lines


def shield(config: pytest.Config) -> None:
    """Keep the repository's modules from being imported in place of ours or our libraries'.

    `python -m pytest` and the setting `pythonpath` put folders of the repository in front.
    """
    base = config.invocation_params.dir
    try:
        settings = [Path(folder) for folder in config.getini("pythonpath")]
    except (KeyError, ValueError):
        settings = []
    own = {base.resolve(), config.rootpath.resolve(), *(path.resolve() for path in settings)}
    sys.path[:] = [entry for entry in sys.path if (base / entry).resolve() not in own - {_OURS}]
