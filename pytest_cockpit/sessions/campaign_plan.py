"""What makes two attempts of a campaign attempts of the same, and where it may write."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from pytest_cockpit.api import Campaign, CockpitError, Preparation
from pytest_cockpit.config import COCKPIT, Config
from pytest_cockpit.git import Repository
from pytest_cockpit.records import artifacts
from pytest_cockpit.records.text import canonical, sha256

_OUTPUT = "output"
"""What the names of those options begin with that say where something is written."""


def digests(
    campaign: Campaign,
    repository: Repository,
    base: str,
    settings: Config,
    subject: Mapping[str, Any] | None,
) -> tuple[str, str]:
    """The digest of all that belongs to the plan, and of what is judged by it.

    Other tracked files and another week are another subject. Another place for what is written is
    not, nor a commit of what campaigns have left. Where the gate names no subject, it is all
    options, all settings of the gate, and the files that belong to the plan.
    """
    year, week, _ = datetime.now(UTC).isocalendar()
    always = {
        "code": _code(campaign, repository, base, settings),
        "gate": campaign.gate,
        "mode": campaign.mode,
        "week": f"{year}-W{week:02}",
    }
    inputs = {}
    for path in campaign.inputs:
        with contextlib.suppress(OSError):
            inputs[path] = sha256((repository.root / path).read_bytes())
    options = campaign.options.items()
    asked = {
        "options": {key: value for key, value in options if not key.startswith(_OUTPUT)},
        "settings": settings.gate.get(campaign.gate, {}),
        "inputs": inputs,
    }
    plan = sha256(canonical({**always, **asked}))
    return plan, plan if subject is None else sha256(canonical({**always, "subject": subject}))


def demand_possible(made: Preparation, source: Path | None) -> None:
    """Refuse a campaign that its gate has found a problem of.

    Parameters
    ----------
    source: the file with the configuration; None of the default one.

    Raises
    ------
    CockpitError: one line for each problem.
    """
    if made.problems:
        name = source.name if source else ""
        raise CockpitError("\n".join(_spoken(line, name) for line in made.problems))


def _spoken(problem: str, source: str) -> str:
    """A problem of the settings, by the file that has them and as that file spells them."""
    table = "tool.cockpit."
    if not problem.startswith(table):
        return problem
    told = problem.removeprefix(table) if source == COCKPIT else problem
    return f"{source or 'the default configuration'}: {told}"


def _code(campaign: Campaign, repository: Repository, base: str, settings: Config) -> str:
    """The digest of what is tracked, but for what campaigns leave there themselves."""
    left = output(repository, settings, campaign).relative_to(repository.root).as_posix()
    own = tuple(f"{folder.strip('/')}/" for folder in (settings.records, settings.artifacts, left))
    tracked = [
        [entry.path, entry.mode, entry.oid]
        for entry in repository.entries(base)
        if not entry.path.startswith(own)
    ]
    return sha256(canonical(tracked))


def output(repository: Repository, settings: Config, campaign: Campaign) -> Path:
    """The folder of the campaign's own artifacts.

    Raises
    ------
    CockpitError: it is outside, git's own, cannot be written, or a file is in its place.
    """
    root = repository.root
    if campaign.output is None:
        return root / settings.artifacts / campaign.gate
    flag = campaign.paths.get(_OUTPUT)
    said = f"{flag}: {campaign.output}" if flag else campaign.output
    folder = inside(root, campaign.output)
    real = folder.resolve()
    own = (root / ".git").resolve(), repository.common_dir.resolve()
    if any(real.is_relative_to(path) for path in own):
        raise CockpitError(f"{artifacts.printable(said)}: git's own; name another folder")
    for place in (folder, *folder.parents):
        if place.exists():
            if not place.is_dir():
                raise CockpitError(f"{artifacts.printable(said)}: a file; name a folder")
            if not os.access(place, os.W_OK | os.X_OK):
                raise CockpitError(
                    f"{artifacts.printable(said)}: cannot be written; name another folder"
                )
            break
    return folder


def from_root(campaign: Campaign, root: Path, base: Path) -> Campaign:
    """The campaign with its paths as they are from the repository's root.

    Parameters
    ----------
    base: the folder in which pytest was called; what exists there goes before what the root has.

    Raises
    ------
    CockpitError: a path lies outside the repository; the text names its flag.
    """
    told: dict[str, str] = {}

    def place(flag: str) -> Callable[[str], str]:
        def placed(path: str) -> str:
            told[path] = _from_root(path, flag, root, base)
            return told[path]

        return placed

    options = dict(campaign.options)
    for name, flag in campaign.paths.items():
        value = options.get(name)
        if isinstance(value, str) and value:
            options[name] = place(flag)(value)
        elif isinstance(value, list | tuple):
            options[name] = list(map(place(flag), value))
    folder = campaign.output
    if folder is not None and _OUTPUT in campaign.paths:
        folder = place(campaign.paths[_OUTPUT])(folder)
    inputs = tuple(told.get(path, path) for path in campaign.inputs)
    return dataclasses.replace(campaign, options=options, inputs=inputs, output=folder)


def _from_root(path: str, flag: str, root: Path, base: Path) -> str:
    here = base / path
    beyond = ".." in PurePosixPath(path).parts
    if not (Path(path).is_absolute() or beyond) and not os.path.lexists(here):
        return path
    named = Path(os.path.normpath(here))
    for top in (root, root.resolve()):
        if named.is_relative_to(top):
            return named.relative_to(top).as_posix()
    raise CockpitError(
        f"{flag}: {artifacts.printable(path)}: outside the repository; name a path below its root"
    )


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
