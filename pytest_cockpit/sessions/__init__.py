"""One module per mode; each turns the command line into a plan file and its steps."""

from __future__ import annotations

import importlib

import pytest

from pytest_cockpit.api import CockpitError
from pytest_cockpit.sessions import quiet, takeover


def start(config: pytest.Config, mode: str) -> None:
    """Plan a mode's session and register the plugin object that conducts it.

    Raises
    ------
    pytest.UsageError: for every expected error, so that pytest ends with exit code 4.
    """
    if mode != "everyday":
        takeover.shield(config)
    module = importlib.import_module(f"pytest_cockpit.sessions.{mode}")
    try:
        conductor = module.conduct(config)
    except CockpitError as error:
        raise pytest.UsageError(str(error)) from None
    if conductor.controls:
        quiet.keep(config)
    config.pluginmanager.register(conductor, f"cockpit-{mode}")
