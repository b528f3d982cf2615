"""What the tests of several gates share."""

from __future__ import annotations

import pytest

from pytest_cockpit import process
from tests import warm


@pytest.fixture
def warm_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts of `warm.PROGRAMS` are forks of a process that has loaded what they need."""
    forked = warm.over(
        process.run,
        lambda *asked: warm.program(*asked),  # noqa: PLW0108 - looked up again: a test counts them
    )
    monkeypatch.setattr(process, "run", forked)
