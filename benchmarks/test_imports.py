"""The gate of imports: its static pass over 10,000 modules, and its isolated imports."""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_cockpit.api import Context, Lane, Move, Verdict
from pytest_cockpit_gates.imports import static
from pytest_cockpit_gates.imports.check import check
from pytest_cockpit_gates.imports.pool import Pool
from pytest_cockpit_gates.imports.selection import Tree, select
from pytest_cockpit_gates.imports.settings import Settings
from synthetic import STANDARD

PRODUCTION = (10_000, 0)
IMPORTED = 500
ONE_BY_ONE = 50

_STATIC = pytest.mark.benchmark(group="imports, static verdict: 10,000 modules")
_DYNAMIC = pytest.mark.benchmark(group="imports, isolated: cost of one module")


@pytest.fixture
def context(checked_out, tmp_path):
    return Context(root=checked_out(*PRODUCTION), scratch=tmp_path)


@_STATIC
def test_static_verdict(meter, context):
    facts = meter(
        "static pass, nothing kept",
        lambda: static.read(context, Settings(), Tree(context)),
        ours=True,
        goal="≤ 3 s CPU",
    )
    assert facts.found == ()
    assert facts.read > PRODUCTION[0]


@_STATIC
def test_parse_alone(meter, context):
    """The floor of whatever reads Python with Python's own parser."""
    files = sorted(Path(context.root).rglob("*.py"))

    def run():
        for file in files:
            ast.parse(file.read_bytes())

    data = [file.read_bytes() for file in files]
    lines = sum(one.count(b"\n") for one in data)
    size = sum(map(len, data))
    meter(
        "floor: `ast.parse` of each file",
        run,
        note=f"{lines:,} lines, {size / 1e6:.1f} MB",
    )


@_STATIC
def test_grimp(meter, context, monkeypatch):
    grimp = pytest.importorskip("grimp")
    monkeypatch.syspath_prepend(context.root)
    graph = meter(
        "grimp `build_graph`, no cache",
        lambda: grimp.build_graph("prod", cache_dir=None),
        note="finds edges; does not say what is missing",
    )
    assert len(graph.modules) > PRODUCTION[0]


@_DYNAMIC
@pytest.mark.parametrize("preload", [(), STANDARD], ids=["", "preloaded"])
def test_isolated_import(meter, context, preload):
    """Each module in a forked child of its own, by the gate's import server."""
    tree, settings = Tree(context), Settings(preload=preload)
    jobs = select(context, settings, tree).jobs
    jobs = jobs[:: len(jobs) // IMPORTED][:IMPORTED]
    outcomes = meter(
        "the gate with `preload` of what they import" if preload else "the gate's import server",
        lambda: Pool(context, settings, tree).probe(jobs),
        scaled=1 / IMPORTED,
        ours=not preload,
        goal="≤ 20 ms CPU",
        note=f"{IMPORTED} modules, server start included",
    )
    assert all(outcome.report and not outcome.report["error"] for outcome in outcomes)


@_DYNAMIC
def test_in_company(meter, context):
    """All modules in one process, in sorted and in reversed order."""
    tree = Tree(context)
    jobs = select(context, Settings(), tree).jobs
    tours = meter(
        "all together, twice",
        lambda: Pool(context, Settings(), tree).tour([jobs, jobs[::-1]]),
        scaled=1 / len(jobs),
        note="10,000 modules, server start included",
    )
    assert [tour.failed for tour in tours] == [{}, {}]


@pytest.mark.benchmark(group="imports: a batch of 50 among 10,000 modules")
def test_batch(meter, context):
    files = sorted(Path(context.root).glob("prod/q*/m*.py"))
    targets = [
        file.relative_to(context.root).as_posix() for file in files[:: len(files) // 50][:50]
    ]
    moves = tuple(Move(f"candidate/{path}", path, "0" * 40) for path in targets)
    batch = replace(context, moves=moves, changed=tuple(targets), lane=Lane(shims=False))
    report = meter("the whole gate", lambda: check(batch), ours=True, goal="≤ 2 s CPU")
    assert report.verdict is Verdict.PASS
    assert report.checked == len(targets)


@_DYNAMIC
def test_fresh_interpreter(meter, context):
    tree = Tree(context)
    jobs = select(context, Settings(), tree).jobs
    jobs = jobs[:: len(jobs) // ONE_BY_ONE][:ONE_BY_ONE]

    def run():
        for job in jobs:
            command = [sys.executable, "-s", "-c", f"import {job.module}"]
            subprocess.run(command, cwd=context.root, check=True)

    meter("a new interpreter per module", run, scaled=1 / ONE_BY_ONE, note=f"{ONE_BY_ONE} modules")


@_DYNAMIC
def test_bare_interpreter(meter, context):
    """What of a new interpreter's cost is its start, so the rest is the import itself."""

    def run():
        for _ in range(ONE_BY_ONE):
            subprocess.run([sys.executable, "-s", "-c", "pass"], cwd=context.root, check=True)

    meter("a new interpreter that imports nothing", run, scaled=1 / ONE_BY_ONE)
