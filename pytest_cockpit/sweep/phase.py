"""The sweep as a phase: what is measured, and what its figures change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_cockpit.api import Verdict
from pytest_cockpit.phases import Place, Result
from pytest_cockpit.registry.modules import Module, discover
from pytest_cockpit.sweep.model import Measured


@dataclass(frozen=True, slots=True)
class Hosts:
    """Where the joint run's processes are, as pytest-xdist is told: `-n`, `--tx`, `--dist`."""

    options: tuple[str, ...] = ()


def run(place: Place, *, modules: Sequence[Module] | None = None, hosts: Hosts = Hosts()) -> Result:
    """Measure modules, all of them unless some are named, and say what that changes."""
    return settle(place, measure(place, candidates(place) if modules is None else modules, hosts))


def candidates(place: Place) -> tuple[Module, ...]:
    """Every module that a sweep measures."""
    from pytest_cockpit.records import globs

    excluded = place.settings.sweep.exclude
    return tuple(each for each in discover(place) if not globs.matches(each.path, excluded))


def measure(place: Place, modules: Sequence[Module], hosts: Hosts = Hosts()) -> Measured:
    """Run the tests of these modules at `place.commit`, in child processes."""
    return Measured(place.commit, ())


def settle(place: Place, measured: Measured) -> Result:
    """What the figures change: manifests, rows of the ledger, artifacts. Starts nothing."""
    return Result(Verdict.UNKNOWN, "nothing measured")
