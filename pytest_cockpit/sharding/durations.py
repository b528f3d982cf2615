"""How long modules and gates took when somebody wrote it down: a tracked file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_cockpit.api import CockpitError
from pytest_cockpit.config import Config
from pytest_cockpit.records import artifacts
from pytest_cockpit.records.text import parse
from pytest_cockpit.sharding.plan import Kind, Plan

SCHEMA = "durations"
# No two runs take the same time. What differs by less is no news, and would be a diff each time.
_NEWS = 1.5

Seconds = Mapping[str, float]


def path_of(settings: Config) -> str:
    """Where the file lies."""
    return f"{settings.records}/durations.json"


def read(data: bytes | None, where: str) -> dict[str, dict[str, float]]:
    """Seconds by unit, by kind; of a file that is not there, none.

    Raises
    ------
    CockpitError: it is no such file.
    """
    if data is None:
        return {kind.value: {} for kind in Kind}
    try:
        document = parse(data)
    except ValueError as error:
        raise CockpitError(f"{where}: not JSON ({error}); delete it, or restore it") from error
    errors = artifacts.validate(document, SCHEMA)
    if errors:
        raise CockpitError(f"{where}: {errors[0]}; delete it, or restore it from git")
    return {kind.value: dict(document["seconds"][kind.value]) for kind in Kind}


def renewed(old: Mapping[str, Seconds], plan: Plan, measured: Seconds) -> dict[str, Any]:
    """The document with what was measured, where that is news."""
    known = old[plan.kind.value]
    # A sweep is planned over all modules: what it does not know is gone. Gates may be a selection.
    kept = {} if plan.kind is Kind.SWEEP else dict(known)
    for name in plan.weights:
        if name in measured:
            kept[name] = _settled(known.get(name), measured[name])
        elif name in known:
            kept[name] = known[name]
    seconds = {**old, plan.kind.value: dict(sorted(kept.items()))}
    return {"schema": "pytest-cockpit/durations/1", "seconds": seconds}


def _settled(known: float | None, measured: float) -> float:
    """Two digits of what was measured, or what is known where the two are about the same."""
    now = max(0.01, float(f"{measured:.2g}"))
    if known and 1 / _NEWS < now / known < _NEWS:
        return known
    return now
