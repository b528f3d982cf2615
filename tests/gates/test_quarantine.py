"""The gate over real trees: every rule is seen failing, and the baseline only tightens."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from pytest_cockpit import testing
from pytest_cockpit.api import CockpitError, Context, Severity, Verdict
from pytest_cockpit.quarantine import marks
from pytest_cockpit.records import artifacts
from pytest_cockpit_gates.quarantine import gate

pytestmark = pytest.mark.usefixtures("warm_programs")
DAY = "2999-01-01"


def marker(**changes):
    keywords = {"issue": "#7", "owner": "@gate", "expires": str(marks.utc_today()), **changes}
    told = ", ".join(f"{key}={value!r}" for key, value in keywords.items() if value is not None)
    return f"pytest.mark.authz_quarantine({told})"


def module(body, **changes):
    return f"import pytest\n\n\n@{marker(**changes)}\n{body}\n"


RED = "def test_a():\n    assert 0"


def baseline(**tests):
    entries = {f"tests/{name}.py": {"tests": found} for name, found in tests.items()}
    document = {
        "schema": "pytest-cockpit/baseline/1",
        "gate": "quarantine",
        "entries": entries,
        "meta": {},
    }
    return {".cockpit/baselines/quarantine.json": json.dumps(document)}


def run(files, tmp_path, **context):
    return testing.run_gate(gate, files, tmp_path=tmp_path, **context)


def rules(report):
    return sorted(finding.rule.partition(".")[2] for finding in report.findings)


@pytest.mark.parametrize("proof", list(gate.proofs()), ids=lambda proof: proof.name)
def test_proofs(proof, tmp_path):
    report = testing.prove(gate, proof, tmp_path)
    assert testing.shortcomings(gate, proof, report) == []


def test_every_rule_has_a_proof():
    assert testing.check_proofs(gate) == []


def test_the_evidence_has_a_row_for_each_test(tmp_path):
    files = {"tests/test_a.py": module(RED), **baseline(test_a={"test_a": "#7"})}
    report = run(files, tmp_path, base_files=files)
    (row,) = report.evidence[0].data["rows"]
    assert row == {
        "id": "tests/test_a.py::test_a",
        "path": "tests/test_a.py",
        "line": 4,
        "issue": "#7",
        "owner": "@gate",
        "expires": str(marks.utc_today()),
        "since": "2026-01-01",
        "commit": row["commit"],
        "age_days": (marks.utc_today() - marks.utc_today().replace(2026, 1, 1)).days,
        "outcome": "failed",
    }
    assert report.verdict is Verdict.PASS
    (path,) = tmp_path.glob("gate-*/scratch/artifacts/quarantine.json")
    document = artifacts.read(path, "quarantine")
    assert (document["quarantined"], document["permitted"], document["collected"]) == (1, 1, 1)
    assert document["tests"] == [row]


def test_each_case_counts(tmp_path):
    body = (
        f"@pytest.mark.parametrize('n', [1, pytest.param(2, marks={marker()}),"
        f" pytest.param(3, marks={marker()})])\ndef test_a(n):\n    assert n == 1\n"
    )
    files = {"tests/test_a.py": f"import pytest\n{body}", **baseline(test_a={"test_a[2]": "#7"})}
    report = run(files, tmp_path)
    assert [finding.evidence["test"] for finding in report.findings] == [
        "tests/test_a.py::test_a[3]"
    ]
    assert rules(report) == ["new-test"]


def test_setup_errors_and_unittest_count_as_failures(tmp_path):
    text = (
        f"import unittest, pytest\npytestmark = {marker()}\n"
        "@pytest.fixture\ndef bad(): 1 / 0\n"
        "def test_a(bad): pass\n"
        "class TestB(unittest.TestCase):\n    def test_b(self): self.fail('no')\n"
    )
    known = baseline(test_a={"test_a": "#7", "TestB::test_b": "#7"})
    report = run({"tests/test_a.py": text, **known}, tmp_path)
    assert (report.verdict, rules(report)) == (Verdict.PASS, [])


def test_a_skipped_test_shows_nothing(tmp_path):
    files = {
        "tests/test_a.py": module("def test_a():\n    pytest.skip('later')"),
        **baseline(test_a={"test_a": "#7"}),
    }
    report = run(files, tmp_path)
    assert (report.verdict, rules(report)) == (Verdict.UNKNOWN, ["not-run"])


def test_a_hanging_test_is_killed_and_the_others_are_unknown(tmp_path):
    text = (
        module("def test_a():\n    import time\n    time.sleep(60)")
        + f"\n@{marker()}\n{RED[:9]}b{RED[10:]}\n"
    )
    files = {
        "tests/test_a.py": text,
        **baseline(test_a={"test_a": "#7", "test_b": "#7"}),
    }
    report = run(files, tmp_path, settings={"timeout_s": 3})
    assert report.verdict is Verdict.UNKNOWN
    assert [finding.message for finding in report.findings] == [
        "tests/test_a.py::test_a: it did not come to its end: its time was up",
        "tests/test_a.py::test_b: it was not run: its time was up",
    ]


def test_a_killed_child_is_unknown(tmp_path):
    body = "def test_a():\n    import os, signal\n    os.kill(os.getpid(), signal.SIGKILL)"
    files = {"tests/test_a.py": module(body), **baseline(test_a={"test_a": "#7"})}
    report = run(files, tmp_path)
    assert report.verdict is Verdict.UNKNOWN
    assert "killed by signal 9" in report.findings[0].message


def test_a_child_that_dies_while_collecting_is_unknown(tmp_path):
    files = {"tests/test_a.py": module(RED), "tests/test_b.py": "import os\nos._exit(3)\n"}
    report = run({**files, **baseline(test_a={"test_a": "#7"})}, tmp_path)
    assert (report.verdict, rules(report)) == (Verdict.UNKNOWN, ["not-collected"])
    measured = Context(Path(next(tmp_path.glob("gate-*/tree"))), tmp_path)
    with pytest.raises(CockpitError, match="the collection did not come to its end"):
        gate.baseline(measured)


def test_broken_files_that_do_not_name_the_marker_are_not_its_business(tmp_path):
    files = {
        "tests/test_a.py": module(RED),
        "tests/test_b.py": "import nowhere_at_all\n",
        **baseline(test_a={"test_a": "#7"}),
    }
    assert run(files, tmp_path).verdict is Verdict.PASS


def test_a_broken_conftest_above_a_marker_is(tmp_path):
    files = {
        "tests/test_a.py": module(RED),
        "tests/conftest.py": "import nowhere_at_all\n",
        **baseline(test_a={"test_a": "#7"}),
    }
    report = run(files, tmp_path)
    assert report.verdict is Verdict.UNKNOWN
    assert "baseline-slack" not in rules(report)


def test_what_was_never_reached_is_unknown_beside_what_is_none_of_its_business(tmp_path):
    files = {
        "tests/test_a.py": "import nowhere_at_all\n",
        "tests/test_b.py": "import os\nos._exit(3)\n",
        "tests/test_c.py": module(RED),
    }
    report = run(files, tmp_path)
    assert (report.verdict, rules(report)) == (Verdict.UNKNOWN, ["not-collected"])


def test_no_baseline_is_measured_without_a_file_that_names_the_marker(tmp_path):
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "test_a.py").write_text(f"import nowhere_at_all\n{module(RED)}")
    with pytest.raises(
        CockpitError, match=r"quarantine: test_a.py: could not be collected: .*mend"
    ):
        gate.baseline(Context(tree, tmp_path, python=sys.executable))


def test_a_link_is_what_it_leads_to(tmp_path):
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "hidden.txt").write_text(module(RED))
    (tree / "test_a.py").symlink_to("hidden.txt")
    measured = gate.baseline(Context(tree, tmp_path, python=sys.executable))
    assert measured["entries"] == {"test_a.py": {"tests": {"test_a": "#7"}}}


def test_nothing_is_started_where_no_file_names_the_marker(tmp_path):
    files = {"tests/test_a.py": "open('started', 'w')\n"}
    report = run(files, tmp_path)
    assert report.verdict is Verdict.PASS
    assert list(tmp_path.glob("gate-*/tree/started")) == []
    assert report.summary == "no test in quarantine: none of 1 Python files names the marker"


def test_a_tree_without_python_shows_nothing(tmp_path):
    assert run({"README": "x"}, tmp_path).verdict is Verdict.UNKNOWN


def test_addopts_of_the_repository_do_not_hide_a_test(tmp_path):
    files = {
        "pytest.ini": "[pytest]\naddopts = -x -m 'not slow' --strict-markers -p no:randomly\n"
        "markers = slow: x\n",
        "tests/test_a.py": module(RED).replace("@pytest", "@pytest.mark.slow\n@pytest", 1),
    }
    report = run(files, tmp_path)
    assert rules(report) == ["new-test", "not-run"]


def test_the_marker_is_masked_and_the_tree_left_alone(tmp_path):
    files = {
        "tests/test_a.py": module("def test_a():\n    assert 0, 'seen'"),
        **baseline(test_a={"test_a": "#7"}),
    }
    run(files, tmp_path)
    (tree,) = tmp_path.glob("gate-*/tree")
    assert sorted(path.name for path in tree.rglob("*") if path.is_file()) == [
        "quarantine.json",
        "test_a.py",
    ]


def test_days_ahead_are_a_setting(tmp_path):
    files = {
        "tests/test_a.py": module(RED, expires=DAY),
        **baseline(test_a={"test_a": "#7"}),
    }
    assert rules(run(files, tmp_path)) == ["malformed-marker"]
    assert rules(run(files, tmp_path, settings={"max_days": 999_999})) == []


def test_slack_is_no_warning_of_a_batch(tmp_path):
    from pytest_cockpit.api import Move

    files = {"tests/test_a.py": RED, **baseline(test_a={"test_a": "#7"})}
    report = run(files, tmp_path, moves=(Move("candidate/a.py", "a.py", "0" * 40),))
    assert report.findings[0].severity is Severity.INFO
    assert report.verdict is Verdict.PASS


def test_what_is_measured_is_accepted(tmp_path):
    tree = tmp_path / "tree"
    (tree / "tests").mkdir(parents=True)
    (tree / "tests/test_a.py").write_text(module(RED))
    measured = gate.baseline(Context(tree, tmp_path, python=sys.executable))
    assert measured == {"entries": {"tests/test_a.py": {"tests": {"test_a": "#7"}}}, "meta": {}}
    files = {"tests/test_a.py": module(RED), **baseline(test_a={"test_a": "#7"})}
    assert run(files, tmp_path).verdict is Verdict.PASS


def test_a_malformed_baseline_is_an_error(tmp_path):
    report = run({"tests/test_a.py": RED, **baseline(test_a=["test_a"])}, tmp_path)
    assert report.verdict is Verdict.ERROR
    assert "/entries/tests/test_a.py: expected tests" in report.summary


@pytest.mark.parametrize("table", [{"max_days": 0}, {"search_runs": -1}, {"run_s": 0}, {"x": 1}])
def test_wrong_settings_are_refused(table, tmp_path):
    assert run({"tests/test_a.py": RED}, tmp_path, settings=table).verdict is Verdict.ERROR
