"""Inputs that rows of the ledger tell, where they are of the module as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pytest_cockpit.benchmarking.history import Point
from pytest_cockpit.records import globs
from pytest_cockpit.records.text import count
from pytest_cockpit.registry.health.ground import Ground, row_of
from pytest_cockpit.registry.health.inputs import Input, known, not_applicable, unknown
from pytest_cockpit.registry.modules import Module

_SWEEP = "measure it: pytest --cockpit-sweep"
_BENCH = "measure them: pytest --cockpit-bench"
_MOST = 100
_WRITE = "write some: pytest --cockpit-scaffold=apply begins them"
_ENDED = {
    "no-tests": "it has no tests",
    "error": "its tests could not be collected",
    "crashed": "its tests crashed",
}
_CURES = {
    "no-tests": _WRITE,
    "error": "repair what keeps its tests from being collected",
    "crashed": "find what ends its tests: pytest --cockpit-sweep shows their last words",
}


def coverage(ground: Ground, module: Module) -> Input:
    """Which share of its statements its own tests run."""
    row = ground.newest(module)
    if row is None:
        return _claimed(ground, module)
    evidence = row_of(row)
    if row.statements is None or row.missing is None:
        said = f"row {row.seq}: nothing was measured, {_ENDED.get(row.state, row.state)}"
        return unknown(said, evidence, remedy=_CURES.get(row.state, _SWEEP))
    ran = row.statements - row.missing
    said = f"row {row.seq}: {ran:,} of {count(row.statements, 'statement')} ran"
    reason = ground.stale(module, row)
    if reason:
        return unknown(f"{said}, but {reason}", evidence, remedy=_SWEEP)
    if not row.statements:
        return not_applicable(f"row {row.seq}: there is no statement to cover", evidence)
    return known(ran / row.statements, said, evidence, remedy="test what does not run yet")


def tests(ground: Ground, module: Module) -> Input:
    """Which share of its tests that ran has passed."""
    row = ground.newest(module)
    if row is None:
        if not module.python:
            return not_applicable("no Python code")
        return unknown("no row of the ledger is about its tests", remedy=_SWEEP)
    evidence = row_of(row)
    reason = ground.stale(module, row)
    if reason:
        return unknown(f"row {row.seq} is of other content: {reason}", evidence, remedy=_SWEEP)
    if row.state == "no-tests":
        said = f"row {row.seq}: it has no tests"
        return known(0, said, evidence, remedy=_WRITE)
    passed, failed, errors, skipped = (
        row.tests.get(name, 0) for name in ("passed", "failed", "errors", "skipped")
    )
    ran = passed + failed + errors
    if row.state == "crashed" or not ran:
        ended = _ENDED.get(row.state, "none of its tests ran")
        said = f"row {row.seq}: {ended}, {count(skipped, 'test')} skipped"
        return unknown(said, evidence, remedy=_CURES.get(row.state, _SWEEP))
    said = f"row {row.seq}: {passed:,} of {count(ran, 'test')} passed, {skipped:,} skipped"
    return known(passed / ran, said, evidence, remedy="repair the tests that fail")


def benchmarks(ground: Ground, module: Module) -> Input:
    """Which share of its benchmarks is no slower than the time before on the same machine."""
    found = ground.benchmarks_of(module)
    if not found:
        return _without_benchmarks(ground, module)
    reasons = {name: ground.stale(module, rows[-1]) for name, rows in found.items()}
    own = {name: rows for name, rows in found.items() if not reasons[name]}
    evidence = [row_of(rows[-1]) for rows in (own or found).values()]
    if not own:
        reason = min(reasons.values())
        return unknown(f"recorded of other content: {reason}", *evidence, remedy=_BENCH)
    threshold = ground.place.settings.bench.threshold
    verdicts = {name: _slower(rows, threshold) for name, rows in own.items()}
    judged = [name for name, slower in verdicts.items() if slower is not None]
    slower = [name for name in judged if verdicts[name]]
    told = [
        f"{count(len(own), 'benchmark')}, {len(slower):,} slower than the time before",
        *_some(len(own) - len(judged), "without a time before on the same machine"),
        *_some(len(found) - len(own), "more recorded of other content"),
    ]
    if not judged:
        return unknown(", ".join(told), *evidence, remedy=_BENCH)
    remedy = f"look at {', '.join(slower[:3])}"
    return known(1 - len(slower) / len(judged), ", ".join(told), *evidence, remedy=remedy)


def _some(number: int, what: str) -> list[str]:
    return [f"{number:,} {what}"] if number else []


def _claimed(ground: Ground, module: Module) -> Input:
    """What the manifest alone says: a row of its content says who wrote it, not what was run."""
    figure = claimed(module)
    if figure is not None:
        said = f"the manifest says {figure:g} %, unverified: no row of the ledger measured it"
        manifest = {**ground.file(module.manifest), "pointer": "/testing/coverage_observed"}
        return unknown(said, manifest, remedy=_SWEEP)
    if not module.python:
        return not_applicable("no Python code")
    return unknown("no row of the ledger is about its coverage", remedy=_SWEEP)


def claimed(module: Module) -> float | None:
    """The percentage that the manifest says its coverage is."""
    figure = _testing(module).get("coverage_observed")
    if isinstance(figure, bool) or not isinstance(figure, int | float):
        return None
    return float(figure) if 0 <= figure <= _MOST else None


def _testing(module: Module) -> dict[str, Any]:
    found = module.declared.get("testing")
    return found if isinstance(found, dict) else {}


def _without_benchmarks(ground: Ground, module: Module) -> Input:
    paths = ground.place.settings.bench.paths
    own = [path for path in module.python if globs.matches(module.inner(path), paths)]
    if own:
        said = f"{count(len(own), 'file')} of benchmarks, and no row of the ledger about them"
        return unknown(said, *map(ground.file, own[:3]), remedy=_BENCH)
    return not_applicable("it has no benchmarks")


def _slower(rows: Sequence[Point], threshold: float) -> bool | None:
    """Whether even the lower end of the newest lies above the upper end of the one before.

    None where there is none before on the same machine.
    """
    last = rows[-1]
    before = [row for row in rows[:-1] if row.fingerprint == last.fingerprint]
    return last.low > (1 + threshold) * before[-1].high if before else None
