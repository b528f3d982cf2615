"""The gate of coverage: judging 10,000 files, beside coverage.py's own report of them."""

from __future__ import annotations

import json
import random
import subprocess
import sys

import coverage
import pytest

from pytest_cockpit.measurement.outcome import TestRun
from pytest_cockpit.records.baselines import Baseline
from pytest_cockpit_gates.coverage import gate, markdown, ratchet, suite, targets
from pytest_cockpit_gates.coverage.joining import join
from pytest_cockpit_gates.coverage.loosening import Compared
from pytest_cockpit_gates.coverage.model import Bound, FileCoverage, ranges
from pytest_cockpit_gates.coverage.targets import Target

FILES = 10_000
FEW = 400

_GROUP = pytest.mark.benchmark(group="coverage: 10,000 files")


def _file(index):
    chosen = random.Random(index)
    statements = chosen.randrange(20, 200)
    missing = tuple(sorted(chosen.sample(range(1, 400), statements // 3)))
    untaken = tuple((line, 1) for line in missing[::4])
    return FileCoverage(
        statements, missing, ranges(missing), untaken, sha256=f"{index:064x}", branches=40
    )


@pytest.fixture(scope="module")
def measured():
    return {f"pkg/q{index // 50:03}/m{index:05}.py": _file(index) for index in range(FILES)}


@pytest.fixture(scope="module")
def entries(measured):
    return {path: now.entry() for path, now in measured.items()}


@_GROUP
def test_judging(meter, measured, entries, tmp_path):
    """Every file held to its bound, its target and the base commit's bound; the report written."""
    target = [Target.of("all", ["**"], {"lines": 10})]
    now = Baseline("coverage", entries, {"failing_tests": []})
    looser = {**entries, "pkg/q000/m00000.py": {**_file(0).entry(), "missing_lines": 999}}

    def judge():
        bounds = {path: Bound.of(row, path) for path, row in entries.items()}
        found = [
            *ratchet.compare(measured, bounds, sources={}, moved=(), new_file_ratio=0.2),
            *targets.below(measured, target),
            *ratchet.slackness(ratchet.slack(measured, bounds, {}), (), ()),
            *suite.new_failures(TestRun(), (), {}),
            *Compared(
                "b.json", Baseline("coverage", looser), now, {}, set(measured), {}, 0.2
            ).findings(),
        ]
        markdown.text("all", found, measured, tmp_path)
        return found

    assert meter("judging what was measured", judge, rounds=5, ours=True) == []


@_GROUP
def test_joining(meter, entries):
    mine = {"entries": entries, "meta": {}}
    theirs = {
        "entries": {path: {**row, "missing_lines": 1} for path, row in entries.items()},
        "meta": {},
    }
    joined = meter("joining two baselines", lambda: join(mine, theirs), rounds=5, ours=True)
    assert len(joined["entries"]) == FILES


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Packages of many files of which one is executed, with the data of that run."""
    root = tmp_path_factory.mktemp("tree")
    body = "".join(
        f"def f{n}(x):\n    if x > {n}:\n        return x + {n}\n    return {n}\n\n\n"
        for n in range(15)
    )
    for index in range(FEW):
        path = root / "pkg" / f"m{index:05}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"# {index}\n{body}")
    (root / "pkg" / "__init__.py").touch()
    (root / "test_one.py").write_text(
        "from pkg import m00000\n\n\ndef test_it():\n    m00000.f1(1)\n"
    )
    return root


@_GROUP
def test_coverages_own_report(meter, tree):
    """The floor: every file parsed, every statement and branch looked up."""
    run = [sys.executable, "-m", "coverage", "run", "--branch", "--source=.", "-m", "pytest", "-q"]
    subprocess.run(run, cwd=tree, check=True, capture_output=True)

    def report():
        found = coverage.Coverage(data_file=str(tree / ".coverage"), source=[str(tree)])
        found.load()
        found.json_report(outfile=str(tree / "report.json"))

    meter(
        "`coverage json`, the peer",
        report,
        rounds=3,
        scaled=FILES / FEW,
        note=f"measured on {FEW}",
    )
    (tree / ".coverage").unlink()
    assert len(json.loads((tree / "report.json").read_text())["files"]) > FEW


@_GROUP
@pytest.mark.parametrize("known", [False, True], ids=["parsed", "known"])
def test_whole_gate(meter, tree, tmp_path, known):
    """Tests run, files read and judged; files that nothing executes known from the baseline."""
    from pytest_cockpit.api import Context, Verdict
    from pytest_cockpit.records.baselines import dump, path_of

    context = Context(root=tree, scratch=tmp_path)
    kept = gate.baseline(context)
    assert kept is not None
    if not known:
        kept["meta"]["parser"] = ""
    where = tree / path_of(".cockpit", "coverage")
    where.parent.mkdir(parents=True, exist_ok=True)
    where.write_bytes(dump(Baseline("coverage", kept["entries"], kept["meta"])))
    what = "with untested files known from the baseline" if known else "with every file parsed"
    report = meter(
        f"the whole gate, {what}",
        lambda: gate.check(context),
        rounds=1,
        note=f"{FEW} files, not scaled; a run of one test included",
    )
    assert report.verdict is Verdict.PASS, report.findings
