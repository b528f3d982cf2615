"""The controller of several processes: who runs what, and what comes back."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped] # it has no types

from . import ROOT
from .stage import Owners

_NEXT = 2
"""Tests that a process must have been given to begin the first of them."""


class Scheduling(LoadScopeScheduling):  # type: ignore[misc] # xdist has no types
    """The tests of a module run in one process, in the order in which they were collected."""

    def __init__(self, config: pytest.Config, log: Any, owners: Owners) -> None:
        super().__init__(config, log)
        self._owners = owners
        # The longest modules come first in the collection already.
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        return self._owners.of(nodeid.partition("::")[0]) or ""

    def _reschedule(self, node: Any) -> None:
        """Give a process work; it begins a test only when it knows the next, or that none is left.

        One that replaces another has collected nothing at first.
        """
        if node not in self.registered_collections:
            return
        super()._reschedule(node)
        while (
            self.workqueue
            and not node.shutting_down
            and self._pending_of(self.assigned_work[node]) < _NEXT
        ):
            super()._reschedule(node)

    def remove_node(self, node: Any) -> str | None:
        """Blame the module whose test was running, and give the others to other processes."""
        crashed: str | None = None
        for unit in self.assigned_work[node].values():
            left = [nodeid for nodeid, completed in unit.items() if not completed]
            if left and crashed is None:
                crashed = left[0]
                unit.update(dict.fromkeys(unit, True))
        super().remove_node(node)
        return crashed


class Hosts:
    """Sends what a process needs, and keeps what it hands over."""

    def __init__(self, config: pytest.Config, owners: Owners, row: Callable[..., None]) -> None:
        self._config = config
        self._given = config.invocation_params
        self._owners = owners
        self._row = row

    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Scheduling:
        """Our own, whatever `--dist` says."""
        return Scheduling(config, log, self._owners)

    def pytest_xdist_newgateway(self, gateway: Any) -> None:
        """On another host the tree is beside this package, in the folder that pytest starts in."""
        spec = gateway.spec
        args = [str(argument) for argument in self._given.args]
        if not spec.popen or spec.chdir:
            args = [each.replace(f"dir={ROOT}", f"dir={ROOT.name}", 1) for each in args]
        self._config.invocation_params = pytest.Config.InvocationParams(
            args=args, plugins=self._given.plugins, dir=self._given.dir
        )

    def pytest_testnodedown(self, node: Any) -> None:
        """Keep what a process measured; one that crashed hands over nothing."""
        found = getattr(node, "workeroutput", {}).get("cockpit_sweep")
        if found is not None:
            self._row("data", **json.loads(found))
