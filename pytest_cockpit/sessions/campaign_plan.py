"""What makes two attempts of a campaign attempts of the same, and where it may write."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from pytest_cockpit.api import Campaign, CockpitError
from pytest_cockpit.config import Config
from pytest_cockpit.git import Repository
from pytest_cockpit.records import artifacts
from pytest_cockpit.records.text import canonical, sha256

_OUTPUT = "output"
"""What the names of those options begin with that say where something is written."""


def digest(campaign: Campaign, repository: Repository, base: str, settings: Config) -> str:
    """The digest of all that belongs to the plan.

    Other tracked files, another week or another setting are another plan. Another place for what is
    written is not, nor another draw of its inputs, nor a commit of what campaigns have left.
    """
    root = repository.root
    inputs = {}
    for path in campaign.inputs:
        with contextlib.suppress(OSError):
            inputs[path] = sha256((root / path).read_bytes())
    year, week, _ = datetime.now(UTC).isocalendar()
    return sha256(
        canonical(
            {
                "code": _code(campaign, repository, base, settings),
                "gate": campaign.gate,
                "mode": campaign.mode,
                "options": {
                    key: value
                    for key, value in campaign.options.items()
                    if not key.startswith(_OUTPUT) and key not in campaign.drawn
                },
                "settings": settings.gate.get(campaign.gate, {}),
                "inputs": inputs,
                "week": f"{year}-W{week:02}",
            }
        )
    )


def _code(campaign: Campaign, repository: Repository, base: str, settings: Config) -> str:
    """The digest of what is tracked, but for what campaigns leave there themselves."""
    left = output(repository.root, settings, campaign).relative_to(repository.root).as_posix()
    own = tuple(f"{folder.strip('/')}/" for folder in (settings.records, settings.artifacts, left))
    tracked = [
        [entry.path, entry.mode, entry.oid]
        for entry in repository.entries(base)
        if not entry.path.startswith(own)
    ]
    return sha256(canonical(tracked))


def output(root: Path, settings: Config, campaign: Campaign) -> Path:
    """The folder of the campaign's own artifacts; raises as `inside`."""
    if campaign.output is None:
        return root / settings.artifacts / campaign.gate
    return inside(root, campaign.output)


def inside(root: Path, path: str) -> Path:
    """A path of the repository.

    Raises
    ------
    CockpitError: it is outside, by its parts or through a link.
    """
    named = PurePosixPath(path)
    below = not named.is_absolute() and ".." not in named.parts
    if not below or not (root / named).resolve().is_relative_to(root.resolve()):
        raise CockpitError(
            f"{artifacts.printable(path)}: outside the repository; name a path below its root"
        )
    return root / named
