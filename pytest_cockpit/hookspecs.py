"""Hooks a conftest or plugin may implement to follow a cockpit session.

Everything else is pytest's own: select, reorder or observe the items of a session with
`pytest_collection_modifyitems`, `pytest_runtest_logreport` and the like.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import argparse

    from pytest_cockpit.api import Campaign, Report


@pytest.hookspec(firstresult=True)
def pytest_cockpit_campaign(options: argparse.Namespace) -> Campaign | None:
    """The campaign that the command line asks for, or None; asked of plugins before any conftest.

    A plugin that answers declares the options by which it is asked in `pytest_addoption`. It must
    be installed by entry point or named by `-p`.

    Parameters
    ----------
    options: the command line as pytest has read it.

    Raise `pytest.UsageError` for options that do not go together.
    """


@pytest.hookspec()
def pytest_cockpit_planned(config: pytest.Config, plan: Any) -> None:
    """Called once a promotion plan is written and before it is collected.

    Parameters
    ----------
    plan: the `pytest_cockpit.promotion.plan.Plan`; immutable.

    Raise `pytest.UsageError` to refuse the plan: the session ends with exit code 4 and nothing
    is applied.
    """


@pytest.hookspec()
def pytest_cockpit_gate_report(config: pytest.Config, gate: str, report: Report) -> None:
    """Called in the process that ran a gate, as soon as its report is there."""


@pytest.hookspec()
def pytest_cockpit_sealed(config: pytest.Config, batch_id: str, branch: str, commit: str) -> None:
    """Called after a batch, burst, runbook or freeze was sealed.

    Parameters
    ----------
    batch_id: of a runbook its id, of a freeze its tag.
    branch: full ref that now names `commit`.
    """


@pytest.hookspec()
def pytest_cockpit_record(config: pytest.Config, record: dict[str, Any]) -> None:
    """Called with a session's record just before it is written.

    Add keys below `record["extra"]`; the rest is validated against `schemas/session.json`.
    """
