"""A part of the coverage sweep as a phase: measures its modules, and changes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_cockpit.api import Verdict
from pytest_cockpit.phases import Place, Result
from pytest_cockpit.records.text import one_line
from pytest_cockpit.sharding import durations
from pytest_cockpit.sharding.plan import Kind, Plan, weights
from pytest_cockpit.sharding.shard import SCHEMA, Shard
from pytest_cockpit.sweep.model import Measured
from pytest_cockpit.sweep.phase import candidates, measure


def plan(place: Place, of: int) -> Plan:
    """The sweep of a tree in so many parts."""
    where = durations.path_of(place.settings)
    seconds = durations.read(place.read(where), where)[Kind.SWEEP]
    return Plan(
        kind=Kind.SWEEP,
        commit=place.commit,
        tree=place.repository.tree(place.tree),
        settings_sha256=place.settings.digest(),
        of=of,
        weights=weights((module.path for module in candidates(place)), seconds),
    )


def run(place: Place, part: tuple[int, int], *, hosts: Sequence[str] = ()) -> Result:
    """Measure the modules of one part; what is changed is for whoever merges all of them.

    Parameters
    ----------
    part: which one of how many.
    hosts: options of pytest-xdist for the run.
    """
    number, of = part
    whole = plan(place, of)
    known = {name: weight / 1000 for name, weight in whole.weights.items()}
    mine = set(whole.parts[number - 1])
    modules = [each for each in candidates(place) if each.path in mine]
    nothing = Measured(place.commit, ())
    measured = measure(place, modules, hosts, known) if modules else nothing
    seconds = {each.module: round(each.duration_s, 3) for each in measured.outcomes}
    shard = Shard(whole, number, measured, {}, seconds)
    return Result(
        Verdict.PASS,
        one_line(f"{place.settings.artifacts}/{shard.name}: {shard.said}"),
        facts={"part": number, "of": of, "modules": sorted(mine), "shard": shard.digest},
        artifacts={shard.name: (shard.to_json(), SCHEMA)},
    )
