"""The gates of a work tree in parts."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pytest_cockpit import discovery
from pytest_cockpit.api import Report
from pytest_cockpit.config import Config
from pytest_cockpit.git import Repository
from pytest_cockpit.sharding import durations
from pytest_cockpit.sharding.plan import Kind, Plan, weights


def plan(
    repository: Repository,
    settings: Config,
    gates: Collection[str],
    of: int,
    *,
    select: str,
    base: str | None,
) -> Plan:
    """These gates over the tracked files as they are, in so many parts.

    Parameters
    ----------
    select: the expression that selects these gates, for whoever has to do a part again.
    base: the commit that they compare with, where one was asked for.
    """
    tree, where = repository.tracked(), durations.path_of(settings)
    seconds = durations.read(repository.blob(tree, where), where)[Kind.GATES]
    return Plan(
        kind=Kind.GATES,
        commit=repository.resolve("HEAD"),
        tree=tree,
        settings_sha256=settings.digest(),
        of=of,
        weights=weights(gates, seconds),
        base=base,
        select=select,
    )


def selected(settings: Config, markers: Collection[str]) -> list[str]:
    """The declared gates that have one of these markers; one not installed has `gate` alone."""
    installed = discovery.gates().loaded
    return [
        name
        for name in settings.gates
        if (installed[name].marker if name in installed else "gate") in markers
    ]


def seconds(reports: Mapping[str, Report]) -> dict[str, float]:
    """How long each gate took, where it was run."""
    return {
        name: round(float(evidence.data["wall_s"]), 3)
        for name, report in reports.items()
        for evidence in report.evidence
        if evidence.name == "timing" and "wall_s" in evidence.data
    }
