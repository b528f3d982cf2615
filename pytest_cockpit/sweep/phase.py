"""The sweep as a phase: what is measured, and what its figures change.

`measure` runs the tests of any modules, `settle` turns measurements into changes and starts
nothing: a part of the modules can be measured elsewhere, and the union be settled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_cockpit.api import CockpitError
from pytest_cockpit.phases import Place, Result
from pytest_cockpit.records import artifacts
from pytest_cockpit.registry.modules import Module
from pytest_cockpit.sweep import measuring
from pytest_cockpit.sweep.model import Measured
from pytest_cockpit.sweep.settling import ARTIFACT, settle
from pytest_cockpit.sweep.suite import candidates

__all__ = ["candidates", "durations", "measure", "run", "settle"]


def run(
    place: Place, *, modules: Sequence[Module] | None = None, hosts: Sequence[str] = ()
) -> Result:
    """Measure modules, all of them unless some are named, and say what that changes.

    Parameters
    ----------
    hosts: options of pytest-xdist for the joint run, such as `-n 2`.
    """
    wanted = candidates(place) if modules is None else modules
    return settle(place, measure(place, wanted, hosts))


def measure(
    place: Place,
    modules: Sequence[Module],
    hosts: Sequence[str] = (),
    known: Mapping[str, float] | None = None,
) -> Measured:
    """Run the tests of these modules at `place.commit`, in child processes.

    Parameters
    ----------
    known: seconds that modules took before; those of the last sweep where it is left out.
    """
    return measuring.measure(place, modules, hosts, durations(place) if known is None else known)


def durations(place: Place) -> dict[str, float]:
    """Seconds that the tests of each module took in the last sweep here; {} where none is known."""
    path = place.repository.root / place.settings.artifacts / ARTIFACT
    try:
        found = Measured.from_json(artifacts.read(path), where=str(path))
    except CockpitError:
        return {}
    return {each.module: each.duration_s for each in found.outcomes}
