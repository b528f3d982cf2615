"""Gates in parts: which of them this session runs, and the shard that it leaves."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import pytest

from pytest_cockpit.api import CockpitError
from pytest_cockpit.config import Config
from pytest_cockpit.git import Repository
from pytest_cockpit.sessions.conductor import Conductor
from pytest_cockpit.sessions.once import Once
from pytest_cockpit.sharding import gating
from pytest_cockpit.sharding.plan import Plan
from pytest_cockpit.sharding.shard import SCHEMA, Shard


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the gates that `-m` selects."""

    plan: Plan
    number: int

    @classmethod
    def of(
        cls,
        config: pytest.Config,
        repository: Repository | None,
        settings: Config,
        markers: Collection[str],
        base: str | None,
    ) -> Part | None:
        """The part that the command line asks for; None where it asks for all.

        Raises
        ------
        CockpitError: there is no repository to tell one tree from another.
        """
        if not config.option.cockpit_shard:
            return None
        if repository is None:
            raise CockpitError("--cockpit-shard: this is no git repository; leave it out")
        number, of = config.option.cockpit_shard
        gates = gating.selected(settings, markers)
        chosen = base if config.option.cockpit_base else None
        select = config.option.markexpr
        plan = gating.plan(repository, settings, gates, of, select=select, base=chosen)
        return cls(plan, number)

    @property
    def gates(self) -> tuple[str, ...]:
        """The gates that are run here."""
        return self.plan.parts[self.number - 1]

    @property
    def said(self) -> str:
        """What is done here, and what is left to others."""
        return Shard(self.plan, self.number).said

    def settle(self, conductor: Conductor, once: Once, session: pytest.Session) -> str:
        """Leave the shard, if every gate of the part was judged; return a line about it.

        A part of nothing is green.
        """
        lacking = [gate for gate in self.gates if not once.has(gate)]
        if lacking:
            return f"no shard was left: {', '.join(lacking)} did not run"
        reports = {gate: once.report(gate) for gate in self.gates}
        shard = Shard(self.plan, self.number, None, reports, gating.seconds(reports))
        conductor.keep(conductor.folder / shard.name, shard.to_json(), SCHEMA)
        if not self.gates and session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            session.exitstatus = pytest.ExitCode.OK
        return f"{conductor.relative(conductor.folder / shard.name)}: {self.said}"
