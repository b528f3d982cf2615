"""What phases of one campaign leave each other: the plan, the artifact, and what was said of it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from pytest_cockpit.api import JSON, CockpitError, Context
from pytest_cockpit.records import artifacts
from pytest_cockpit.records.text import canonical, canonical_line, one_line
from pytest_cockpit_gates.gemm.closing.documents import prefix
from pytest_cockpit_gates.gemm.phases.plan import Plan
from pytest_cockpit_gates.gemm.strict.artifacts import problems

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class State:
    """The folders of a campaign.

    Parameters
    ----------
    scratch: shared by all its phases.
    prefix: what the names of its artifacts begin with.
    """

    scratch: Path
    prefix: str

    @classmethod
    def of(cls, context: Context, options: JSON) -> Self:
        """The state of the campaign that a phase belongs to.

        Raises
        ------
        CockpitError: the prefix is no part of a file's name.
        """
        return cls(context.scratch, prefix(options))

    @property
    def folder(self) -> Path:
        """Where phases leave what only other phases read."""
        return self.scratch / "state"

    def artifact_path(self, what: str) -> Path:
        """Where a file of this name has to lie to be kept: `PREFIX_WHAT`."""
        return self.scratch / "artifacts" / f"{self.prefix}_{what}"

    def say(self, line: str) -> None:
        """Show a line while the phase lasts."""
        with contextlib.suppress(OSError), (self.scratch / "progress").open("a") as stream:
            stream.write(f"{one_line(line)}\n")

    def keep_plan(self, plan: Plan) -> None:
        """Leave the plan for the phases that follow."""
        artifacts.write(self.folder / "plan.json", dataclasses.asdict(plan))

    def plan(self) -> Plan:
        """The plan.

        Raises
        ------
        CockpitError: the phase `plan` has left none.
        """
        path = self.folder / "plan.json"
        if not path.is_file():
            raise CockpitError("gemm: there is no plan; run all phases of the session")
        read: dict[str, Any] = artifacts.read(path)
        given: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in read.items()}
        return Plan(**given)

    def keep_run(self, run: Mapping[str, Any]) -> bytes:
        """Keep a run's artifact, which answers to its schema; the phases that follow find it too.

        Raises
        ------
        CockpitError: it does not answer to it, which is a fault of the gate.
        """
        wrong = problems(run)
        content = canonical(run)
        artifacts.write_bytes(self.folder / "run.json", content)
        artifacts.write_bytes(self.artifact_path("run.json"), content)
        if wrong:
            more = f" (and {len(wrong) - _SHOWN} more)" if len(wrong) > _SHOWN else ""
            raise CockpitError(f"gemm: run.json: {'; '.join(wrong[:_SHOWN])}{more}; report this")
        return content

    def run(self) -> dict[str, Any] | None:
        """The run's artifact, None where nothing was measured."""
        path = self.folder / "run.json"
        if not path.is_file():
            return None
        read: dict[str, Any] = artifacts.read(path)
        return read

    def keep(self, name: str, data: Mapping[str, Any]) -> None:
        """Leave a document for the phases that follow."""
        artifacts.write(self.folder / f"{name}.json", data)

    def kept(self, name: str) -> dict[str, Any] | None:
        """What a phase before has left by this name; None where it has not."""
        path = self.folder / f"{name}.json"
        if not path.is_file():
            return None
        read: dict[str, Any] = artifacts.read(path)
        return read

    def log(self, kind: str, row: Mapping[str, Any]) -> None:
        """Add what was just measured to the artifact of raw rows, which outlives a killed phase."""
        path = self.artifact_path("rows.ndjson")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as stream:
            stream.write(canonical_line({"kind": kind, **row}))

    def forget_log(self) -> None:
        """Remove the raw rows: all of them are in the run's artifact by now."""
        self.artifact_path("rows.ndjson").unlink(missing_ok=True)


def now() -> str:
    """The time in UTC as artifacts have it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
