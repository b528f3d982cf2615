"""`--cockpit-dashboard` on real repositories."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from pytest_cockpit.sessions import dashboard_page
from tests.acceptance.conftest import Sandbox

ARTIFACTS = "artifacts/dashboard.json", "artifacts/dashboard.md", "artifacts/executive_summary.md"


def document(sandbox):
    return json.loads((sandbox.root / "artifacts/dashboard.json").read_text())


def numbers(sandbox):
    return {row["name"]: (row["light"], row["value"]) for row in document(sandbox)["metrics"]}


@pytest.fixture(scope="module")
def migrated_once(measured, tmp_path_factory):
    """A repository with a batch that is taken, and the dashboard of before; to be copied."""
    root = tmp_path_factory.mktemp("migrated") / "repo"
    shutil.copytree(measured, root, symlinks=True)
    sandbox = Sandbox(root)
    assert sandbox.pytest("--cockpit-dashboard", "-q").returncode == 1
    assert sandbox.pytest("--cockpit-batch", "--cockpit-batch-size=3", "-q").returncode == 0
    return root


@pytest.fixture
def migrated(migrated_once, tmp_path):
    shutil.copytree(migrated_once, tmp_path / "repo", symlinks=True)
    return Sandbox(tmp_path / "repo")


def test_what_nobody_measured_is_unknown_and_the_run_is_not_green(ready):
    env = {"CI": "true", "GITHUB_REF": "refs/pull/1/merge"}
    done = ready.pytest("--cockpit-dashboard", "-v", env=env)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "the dashboard was shown to nobody: there is no remote 'origin'" in done.stdout
    assert re.search(r"metric:imports UNKNOWN", done.stdout)
    assert "forecast: none: 0 whole weeks" in done.stdout
    seen = numbers(ready)
    assert seen["lane"][1] == 9
    assert seen["imports"] == seen["coverage"] == seen["matriz"] == ("unknown", None)


def test_a_batch_makes_the_numbers_known_and_the_next_dashboard_shows_the_change(migrated):
    before = migrated.snapshot()
    done = migrated.pytest("--cockpit-dashboard", "-q")
    assert migrated.snapshot() == before
    seen = numbers(migrated)
    assert seen["promoted"] == ("green", 3)
    # The batch tried its own modules; of others the baseline knows that they cannot be imported.
    assert seen["imports"] == ("amber", 2)
    assert "not tried" in document(migrated)["metrics"][5]["summary"]
    assert seen["coverage"][0] == "green"
    assert seen["lane"][1] == 6
    assert re.search(r"Files that wait in the lane +6 files +-3 ", done.stdout)
    summary = (migrated.root / "artifacts/executive_summary.md").read_text()
    assert "| 🟢 green | Files promoted this week | 3 files | +3 |" in summary
    assert document(migrated)["commit"] == migrated.git("rev-parse", "HEAD")


def test_a_new_commit_makes_old_reports_unknown(migrated):
    migrated.commit({"app/extra.py": "VALUE = 1\n"})
    assert migrated.pytest("--cockpit-dashboard", "-q").returncode == 1
    assert numbers(migrated)["imports"] == ("unknown", None)
    assert numbers(migrated)["promoted"] == ("green", 3)


def test_an_edited_report_is_no_evidence(migrated):
    path = migrated.root / "artifacts/gates/imports.json"
    path.write_bytes(path.read_bytes() + b"\n")
    migrated.pytest("--cockpit-dashboard", "-q")
    assert numbers(migrated)["imports"] == ("unknown", None)


def test_a_waiver_is_shown_with_its_last_day_and_as_text_only(ready):
    expires = datetime.now(UTC).date() + timedelta(days=9)
    words = ["--owner", "harbour", "--reason", "<b>soon</b> | gone"]
    words += ["--expires", expires.isoformat()]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest_cockpit.cli",
            "waive",
            "imports.new-cycle",
            "--file",
            "app/*",
            *words,
        ],
        cwd=ready.root,
        env=ready.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    ready.git("add", "-A")
    ready.git("commit", "-q", "-m", "waive")
    ready.pytest("--cockpit-dashboard", "-q")
    summary = (ready.root / "artifacts/executive_summary.md").read_text()
    assert "`imports.new-cycle` until " in summary
    assert "&lt;b&gt;soon&lt;/b&gt; \\| gone" in summary
    assert [row["rule"] for row in document(ready)["waivers"]] == ["imports.new-cycle"]


def test_it_can_be_looked_at_without_writing(ready):
    done = ready.pytest("--cockpit-dashboard", "--co", "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "metric:lane" in done.stdout
    assert not any((ready.root / name).exists() for name in ARTIFACTS)


@pytest.mark.parametrize("content", ["{", "[]", '{"schema":"pytest-cockpit/dashboard/1"}'])
def test_a_broken_dashboard_of_before_is_replaced(ready, content):
    path = ready.root / "artifacts/dashboard.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    assert ready.pytest("--cockpit-dashboard", "-q").returncode == 1
    assert len(document(ready)["metrics"]) == 6


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"reason": "no history"}, "none: no history"),
        ({"remaining": 0}, "the lane has drained to what may remain"),
        ({"median": None}, "9 files to go at 3.0 a week: not within ten years"),
        (
            {"high": None, "low": "2026-01-09"},
            "9 files to go at 3.0 a week: about 2026-02-01, 80 % between 2026-01-09 and beyond ten years",
        ),
    ],
)
def test_a_forecast_is_a_sentence(found, said):
    whole = {
        "remaining": 9,
        "per_week": 3.0,
        "probability": 0.8,
        "low": "2026-01-01",
        "median": "2026-02-01",
        "high": "2026-03-01",
        "reason": "",
    }
    assert dashboard_page.forecast({**whole, **found}) == said
