"""What a burst has done so far: its batches, its checkpoints, and where both are kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_cockpit.api import CockpitError
from pytest_cockpit.records import artifacts, text

SCHEMA = "pytest-cockpit/burst_checkpoint/1"
_AGAIN = "remove the file to start anew"

Figures = Mapping[str, int | None]
"""Numbers by name; None for what nobody has measured."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a burst was asked for; a resumed one keeps to it."""

    target: int
    batch_size: int
    max_batches: int
    checkpoint_every: int
    modules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Done:
    """One batch of a burst as it was committed."""

    number: int
    batch_id: str
    plan_sha256: str
    commit: str
    files: int


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """All gates over the batches up to `commit`; `verdicts` by gate, `figures` by name."""

    number: int
    commit: str
    files: int
    verdicts: Mapping[str, str]
    summaries: Mapping[str, str]
    figures: Figures = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Progress:
    """A burst as far as it came.

    Parameters
    ----------
    burst_id: start of the base commit, and start of the digest of the forecast.
    base: the commit that the first batch was built on.
    branch: full name of the branch that its green checkpoints advance.
    lane: files that waited in the lane at the base.
    state: `running`, `halted` or `sealed`.
    """

    burst_id: str
    base: str
    branch: str
    settings_sha256: str
    options: Options
    lane: int
    batches: tuple[Done, ...] = ()
    checkpoints: tuple[Checkpoint, ...] = ()
    state: str = "running"

    @property
    def head(self) -> str:
        """The newest commit that a checkpoint vouches for."""
        return self.checkpoints[-1].commit if self.checkpoints else self.base

    @property
    def files(self) -> int:
        """How many files the checkpoints vouch for."""
        return sum(batch.files for batch in self.batches)

    def without_last(self) -> Progress:
        """The progress before its last checkpoint."""
        kept = self.checkpoints[:-1]
        batches, files = [], 0
        for batch in self.batches:
            files += batch.files
            if not kept or files > kept[-1].files:
                break
            batches.append(batch)
        return dataclasses.replace(self, batches=tuple(batches), checkpoints=kept)

    def to_json(self) -> dict[str, Any]:
        """The document of `burst_checkpoint.json`."""
        return {"schema": SCHEMA, **text.plain(dataclasses.asdict(self))}


def read(path: Path) -> Progress | None:
    """The progress kept at `path`; None when there is none.

    Raises
    ------
    CockpitError: it is no such document.
    """
    if not path.exists():
        return None
    data = artifacts.read(path, "burst_checkpoint")
    del data["schema"]
    options = Options(**{**data["options"], "modules": tuple(data["options"]["modules"])})
    batches = tuple(Done(**row) for row in data["batches"])
    checkpoints = tuple(Checkpoint(**row) for row in data["checkpoints"])
    found = Progress(**{**data, "options": options, "batches": batches, "checkpoints": checkpoints})
    vouched = found.checkpoints[-1].files if found.checkpoints else 0
    if vouched != found.files or [row.number for row in batches] != [*range(1, len(batches) + 1)]:
        raise CockpitError(f"{path}: its batches and checkpoints disagree; {_AGAIN}")
    return found
