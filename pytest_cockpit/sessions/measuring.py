"""Baselines measured over a commit, and what a gate says of two of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_cockpit import discovery, runner
from pytest_cockpit.api import Context
from pytest_cockpit.config import Config
from pytest_cockpit.git import Repository
from pytest_cockpit.promotion.staging import StagedTree
from pytest_cockpit.records import baselines_join
from pytest_cockpit.records.baselines import Baseline
from pytest_cockpit.records.baselines_join import Bounds, Comparison, Join
from pytest_cockpit.sessions.gating import scratch


class Measuring:
    """Measures baselines of one commit in the private tree."""

    def __init__(self, repository: Repository, settings: Config, commit: str) -> None:
        self.repository = repository
        self.settings = settings
        self.commit = commit
        self.tree = StagedTree(repository)

    def gates(self) -> list[str]:
        """The configured gates that keep a baseline."""
        loaded = discovery.gates().loaded
        return [name for name in self.settings.gates if hasattr(loaded[name].gate, "baseline")]

    def measure(self, gate: str) -> Baseline | None:
        """What the gate measures; None where there is nothing to measure.

        Raises
        ------
        CockpitError: the gate could not measure.
        """
        settings = self.settings.gate.get(gate, {})
        with (
            scratch(self.repository.common_dir, gate) as folder,
            self.tree.at(self.commit) as root,
        ):
            measured = runner.measure_baseline(gate, self.context(root, folder, settings))
        return Baseline(gate, measured["entries"], measured["meta"]) if measured else None

    def context(self, root: Path, folder: Path, settings: Mapping[str, Any]) -> Context:
        """What a gate may look at in the private tree."""
        return Context(
            root=root,
            scratch=folder,
            settings=settings,
            lane=self.settings.lane,
            records=self.settings.records,
            ledger=self.settings.ledger,
            base=self.commit,
            commit=self.commit,
            pass_environment=self.settings.pass_environment,
        )


def compared(stored: Baseline, measured: Baseline) -> Comparison | None:
    """The two beside each other; None where the gate cannot say which bound is tighter.

    Raises
    ------
    CockpitError: its answer makes no sense.
    """
    gate = discovery.gates().loaded[stored.gate].gate
    join: Join | None = getattr(gate, "join", None)
    bounds: Bounds = getattr(gate, "bounds", baselines_join.entries_of)
    return baselines_join.compare(stored, measured, join, bounds) if join else None
