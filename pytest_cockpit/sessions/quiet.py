"""What a session prints is text to GitHub's runner, and no command.

Gates and tests print what the repository holds; a line of it that begins with two colons would be
carried out. Other plugins' commands are silenced with it; see `docs/ci.md`.
"""

from __future__ import annotations

import secrets
from collections.abc import Generator

import pytest

from pytest_cockpit.sessions.waiving import started_with


def keep(config: pytest.Config) -> None:
    """Stop commands while the session prints, where GitHub's runner reads along."""
    if started_with().get("GITHUB_ACTIONS") == "true" and not config.option.collectonly:
        config.pluginmanager.register(Quiet(config), "cockpit-quiet")


class Quiet:
    """The time from a session's first line to its last."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        # Nobody who does not know it can begin to speak again.
        self._token = secrets.token_hex(16)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Before anything of the repository is printed."""
        self._write(f"::stop-commands::{self._token}")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Generator[None]:
        """After the last summary."""
        try:
            return (yield)
        finally:
            self._write(f"::{self._token}::")

    def _write(self, line: str) -> None:
        terminal = self._config.pluginmanager.getplugin("terminalreporter")
        if terminal is not None:
            terminal.ensure_newline()
            terminal.write_line(line)
