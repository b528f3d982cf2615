"""The marker in force where this package's own plugin is not loaded: for gates' child processes."""

from __future__ import annotations

import pytest

from . import runtime
from .marks import MARKER


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line("markers", f"{MARKER}(issue, owner, expires): known to fail")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Judge the tests that have it."""
    if any(MARKER in item.keywords for item in items):
        runtime.start(config, items)
