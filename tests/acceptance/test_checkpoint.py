"""The checkpoint and the explanation of a module's health, as a user runs them."""

from __future__ import annotations

import json

import pytest

from pytest_cockpit.records import artifacts, ledger
from pytest_cockpit.registry import documents
from tests.acceptance.conftest import APART, Sandbox, create
from tests.measured_modules import ABSENT, FILES, LEDGER, content, coverage, place

TREND = "trends/coverage_trend.csv"


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """A module that was measured, with everything generated and committed."""
    files = {path: text if isinstance(text, str) else text.decode() for path, text in FILES.items()}
    files |= {"pytest.ini": f"[pytest]\naddopts = {APART}\n", ".gitignore": "__pycache__/\n"}
    made = create(tmp_path_factory.mktemp("generated") / "repo", files)
    row = coverage(ABSENT, content_sha256=content(made))
    made.commit({LEDGER: ledger.extend(b"", [row]).decode()})
    made.commit({path: data.decode() for path, data in documents.generate(place(made)).items()})
    return made


def report(sandbox: Sandbox):
    return artifacts.read(sandbox.root / "artifacts" / "checkpoint.json", "checkpoint_report")


def test_a_checkpoint_counts_what_it_skips_and_changes_nothing(generated):
    before = generated.snapshot()
    done = generated.pytest("--cockpit-checkpoint", "-n", "2", "-v", "--junitxml=junit.xml")
    (generated.root / "junit.xml").rename(generated.root / "artifacts" / "junit.xml")
    assert done.returncode == 0, done.stdout
    assert "== 7 passed, 1 skipped in " in done.stdout
    assert "\n7 passed, 1 skipped\n" in done.stdout
    assert "checkpoint.plan.jsonl::benchmark-trend SKIP" in done.stdout
    found = report(generated)
    assert (found["said"], found["planned"], found["totals"]["skip"]) == (
        "7 passed, 1 skipped",
        8,
        1,
    )
    told = (generated.root / "artifacts" / "junit.xml").read_text()
    assert 'failures="0" skipped="1" tests="8"' in told
    assert generated.snapshot() == before


def test_a_red_check_is_told_with_its_remedy_and_the_others_go_on(generated):
    (generated.root / TREND).write_text("date\n")
    try:
        done = generated.pytest("--cockpit-checkpoint", "-k", "trend")
    finally:
        generated.git("checkout", "--", TREND)
    assert done.returncode == 1
    assert f"{TREND}: line 1 is 'date', would be 'date,module," in done.stdout
    assert "write it: pytest --cockpit-registry, then commit it" in done.stdout
    assert "\n1 failed, 1 skipped; 6 of 8 not run\n" in done.stdout
    assert [check["verdict"] for check in report(generated)["checks"]] == ["fail", "skip"]


def test_health_is_explained_from_the_files_as_they_are(generated):
    (generated.root / "a/x.py").write_text("X = 2\n")
    try:
        done = generated.pytest("--cockpit-explain", "a")
    finally:
        generated.git("checkout", "--", "a/x.py")
    assert done.returncode == 0, done.stdout
    assert "a (a): health unknown\n" in done.stdout
    assert "row 0: 3 of 4 statements ran, but its files have changed since" in done.stdout
    found = json.loads((generated.root / "artifacts" / "health.json").read_text())
    assert artifacts.validate(found, "health") == []
    assert (found["score"], found["published"]["score"]) == (None, 20)
    done = generated.pytest("--cockpit-explain", "b")
    assert done.returncode == 4
    assert "ERROR: --cockpit-explain b: no such module" in done.stderr
    done = generated.pytest("--cockpit-explain=")
    assert (done.returncode, "the folder or name of a module" in done.stderr) == (4, True)
