"""Every item of the definition of done is seen green, red and unknown, on a real migration."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from pytest_cockpit.sessions.lock import SessionLock
from pytest_cockpit_gates.matriz.proving import contract_of
from tests.acceptance.conftest import Sandbox, create

GATES = '["matriz", "coverage", "imports", "ledger", "quarantine"]'
SETTINGS = f"""\
[tool.pytest.ini_options]
testpaths = ["tests"]

[tool.cockpit]
gates = {GATES}

[tool.cockpit.calendar]
stabilisation = []
"""
CONTRACT = contract_of()
FILES = {
    "pyproject.toml": SETTINGS,
    ".gitignore": "__pycache__/\n.pytest_cache/\n",
    "core/__init__.py": "",
    "core/common.py": "LIMIT = 3\n",
    **CONTRACT,
    "app/__init__.py": "",
    "app/main.py": "from candidate.sea.tide import height\n\n\ndef level():\n    return height(2)\n",
    "candidate/__init__.py": "",
    "candidate/sea/__init__.py": "",
    **{
        f"candidate/sea/{name}.py": f"def height(hour):\n    return hour + {number}\n"
        for number, name in enumerate(("tide", "swell", "wave", "surf"))
    },
    "tests/test_sea.py": (
        "from app.main import level\nfrom candidate.sea import surf, swell, wave\n"
        "from core.common import LIMIT\n\n\n"
        "def test_sea():\n    assert level() == 2\n"
        "    assert [it.height(LIMIT) for it in (swell, wave, surf)] == [4, 5, 6]\n"
    ),
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A migration that is about to begin; to be copied, not used."""
    sandbox = create(tmp_path_factory.mktemp("prepared") / "repo", FILES)
    done = sandbox.pytest("--cockpit-init", "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    sandbox.commit({}, "baselines")
    return sandbox


@pytest.fixture(scope="module")
def finished(prepared, tmp_path_factory):
    """A migration that is done but for its compatibility modules; to be copied, not used."""
    root = tmp_path_factory.mktemp("finished") / "repo"
    shutil.copytree(prepared.root, root, symlinks=True)
    sandbox = Sandbox(root)
    done = sandbox.pytest("--cockpit-batch", "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    return sandbox


def copied(sandbox, place):
    shutil.copytree(sandbox.root, place / "repo", symlinks=True)
    return Sandbox(place / "repo")


@pytest.fixture
def begun(prepared, tmp_path):
    return copied(prepared, tmp_path)


@pytest.fixture
def migrated(finished, tmp_path):
    return copied(finished, tmp_path)


def run(sandbox, *names):
    """Items by name, what was written, and what was said; all items unless some are named."""
    selected = [f"artifacts/done.plan.jsonl::{name}" for name in names]
    done = sandbox.pytest("--cockpit-done", "-p", "no:randomly", *selected)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    path = sandbox.root / "artifacts/done.json"
    assert path.is_file(), done.stdout + done.stderr
    data = json.loads(path.read_text())
    items = {f"{row['group']}/{row['name']}": row for row in data["items"]}
    bad = sorted(
        name for name, row in items.items() if row["verdict"] in ("fail", "unknown", "error")
    )
    assert sorted(data["missing"]) == bad
    assert (done.returncode == 1) == bool(bad)
    assert data["done"] == (not bad and len(items) == data["planned"])
    return items, data, done.stdout


def alone(sandbox, name):
    items, data, _ = run(sandbox, name)
    assert not data["done"]
    return items[name]


def test_a_migration_that_is_done(migrated):
    before = migrated.snapshot()
    items, data, out = run(migrated)
    assert migrated.snapshot() == before
    assert data["done"], out
    shims = items.pop("legacy/shims")
    assert {name: row["verdict"] for name, row in items.items()} == dict.fromkeys(items, "pass")
    assert shims["verdict"] == "warn"
    assert [row["module"] for row in data["shims"]] == [
        "candidate.sea",
        "candidate.sea.surf",
        "candidate.sea.swell",
        "candidate.sea.tide",
        "candidate.sea.wave",
    ]
    assert data["forecast"]["remaining"] == 0
    record = json.loads((migrated.root / "artifacts/session.done.json").read_text())
    assert {"artifacts/done.json", "artifacts/metrics.json"} <= {
        row["path"] for row in record["artifacts"]
    }


def test_a_migration_that_has_just_begun_says_all_that_is_missing(begun):
    items, data, out = run(begun)
    assert data["missing"] == ["lane/share", "lane/forecast", "legacy/imports"]
    assert items["lane/share"]["summary"].startswith("5 of 5 files wait, 0 may")
    assert items["lane/share"]["remedy"] == "promote or delete 5 more files"
    assert items["lane/forecast"]["verdict"] == "unknown"
    assert "app/main.py:1 candidate.sea.tide" in items["legacy/imports"]["summary"]
    assert items["lane/share"]["summary"] in out
    lights = {row["name"]: row["light"] for row in metrics(begun)}
    assert lights == {
        "lane": "amber",
        "promoted": "amber",
        "matriz": "green",
        "coverage": "green",
        "quarantine": "green",
        "imports": "green",
    }


def metrics(sandbox):
    return json.loads((sandbox.root / "artifacts/metrics.json").read_text())["metrics"]


def test_a_batch_vouches_for_its_own_tree_and_nothing_is_measured_again(migrated):
    report = migrated.root / "artifacts/gates/coverage.json"
    before = report.stat().st_mtime_ns
    assert alone(migrated, "gates/coverage")["verdict"] == "pass"
    assert report.stat().st_mtime_ns == before
    migrated.commit({"app/more.py": ""})
    assert alone(migrated, "gates/coverage")["verdict"] == "pass"
    assert report.stat().st_mtime_ns != before


def test_a_report_that_was_edited_is_not_believed(migrated):
    report = migrated.root / "artifacts/gates/matriz.json"
    migrated.commit({next(iter(CONTRACT)): "{"})
    assert alone(migrated, "gates/matriz")["verdict"] == "fail"
    data = json.loads(report.read_text())
    report.write_text(json.dumps({**data, "verdict": "pass", "findings": []}))
    assert alone(migrated, "gates/matriz")["verdict"] == "fail"


def test_contracts_with_errors_and_without_any(migrated):
    broken = next(iter(CONTRACT))
    migrated.commit({broken: "{"})
    row = alone(migrated, "gates/matriz")
    assert row["verdict"] == "fail"
    (migrated.root / broken).unlink()
    migrated.commit({})
    assert alone(migrated, "gates/matriz")["verdict"] == "unknown"
    settings = f'{SETTINGS}\n[tool.cockpit.gate.matriz]\nskip = "no contracts"\n'
    migrated.commit({"pyproject.toml": settings})
    assert alone(migrated, "gates/matriz")["verdict"] == "skip"


def test_a_test_in_quarantine(migrated):
    expires = (datetime.now(UTC) + timedelta(days=30)).date()
    migrated.commit(
        {
            "tests/test_held.py": "import pytest\n\n\n"
            f'@pytest.mark.authz_quarantine(issue="#7", owner="sea", expires="{expires}")\n'
            "def test_held():\n    assert 0\n"
        }
    )
    row = alone(migrated, "gates/quarantine")
    assert row["verdict"] == "fail"
    assert "tests/test_held.py::test_held" in row["summary"]
    assert "--cockpit-quarantine" in row["remedy"]


def test_without_the_gate_nobody_knows_of_quarantine(migrated):
    migrated.commit({"pyproject.toml": SETTINGS.replace(', "quarantine"', "")})
    assert alone(migrated, "gates/quarantine")["verdict"] == "unknown"


def test_coverage_below_the_first_baseline_whatever_the_present_one_says(migrated):
    untested = "def f():\n    a = 1\n    b = 2\n    return a + b\n"
    settings = SETTINGS.replace(GATES, '["coverage"]')
    migrated.commit({"app/untested.py": untested, "pyproject.toml": settings})
    row = alone(migrated, "gates/coverage")
    assert row["verdict"] == "fail"
    first = migrated.git("log", "--format=%h", "--diff-filter=A", "--", ".cockpit/baselines")
    assert f"100.00% in the first baseline ({first[:7]}" in row["summary"]
    (migrated.root / ".cockpit/baselines/coverage.json").unlink()
    assert migrated.pytest("--cockpit-init", "-q").returncode == 0
    migrated.commit({}, "measured anew")
    row = alone(migrated, "gates/coverage")
    assert row["verdict"] == "fail"
    assert "100.00% in the first baseline" in row["summary"]


def test_without_a_baseline_in_history_coverage_is_unknown(migrated):
    migrated.git("checkout", "-q", "--orphan", "anew")
    (migrated.root / ".cockpit/baselines/coverage.json").unlink()
    migrated.commit({})
    assert alone(migrated, "gates/coverage")["verdict"] == "unknown"


def test_imports_and_users_of_the_old_path(migrated):
    migrated.commit(
        {
            "app/old.py": "def f():\n    from candidate.sea import wave\n    return wave\n",
            "tests/test_old.py": "import candidate.sea.surf\n",
            "tools.cfg": "entry = candidate.sea.swell:height\n",
            "notes.md": "candidate.seaside is something else\n",
        }
    )
    items, data, _ = run(migrated, "legacy/imports", "legacy/shims")
    row = items["legacy/imports"]
    assert row["verdict"] == "fail"
    assert "1 file outside the lane and tests" in row["summary"]
    assert "app/old.py:2 candidate.sea.wave" in row["summary"]
    users = {row["module"]: row["users"] for row in data["shims"]}
    assert users == {
        "candidate.sea": [],
        "candidate.sea.surf": ["tests/test_old.py"],
        "candidate.sea.swell": ["tools.cfg"],
        "candidate.sea.tide": [],
        "candidate.sea.wave": ["app/old.py"],
    }
    assert "3 still used" in items["legacy/shims"]["summary"]


def test_a_lane_that_is_gone_has_no_compatibility_modules(migrated):
    migrated.git("rm", "-rq", "candidate")
    migrated.commit({})
    items, data, _ = run(migrated, "lane/share", "legacy/imports", "legacy/shims")
    assert {row["verdict"] for row in items.values()} == {"pass"}
    assert data["shims"] == []


@pytest.mark.parametrize("how", ["file", "option"])
def test_a_definition_that_is_not_committed_is_none(begun, how):
    lax: tuple[str, ...] = ("--cockpit-set", "done.lane_share=1")
    if how == "file":
        begun.write({"pyproject.toml": f"{SETTINGS}\n[tool.cockpit.done]\nlane_share = 1\n"})
        lax = ()
    names = ("configuration/committed", "lane/share")
    selected = [f"artifacts/done.plan.jsonl::{name}" for name in names]
    done = begun.pytest("--cockpit-done", *lax, *selected)
    assert done.returncode == 1, done.stdout + done.stderr
    data = json.loads((begun.root / "artifacts/done.json").read_text())
    assert [row["verdict"] for row in data["items"]] == ["fail", "pass"]
    assert data["missing"] == ["configuration/committed"]


def test_nobody_promotes_meanwhile(begun):
    lock = SessionLock(begun.root / ".git")
    lock.acquire("batch")
    try:
        done = begun.pytest("--cockpit-done")
        looked = begun.pytest("--cockpit-done", "--co", "-q")
    finally:
        lock.release()
    assert done.returncode == 4
    assert "held by another session" in done.stderr
    assert looked.returncode == 0


def test_open_waivers_are_named(migrated):
    expires = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    words = ("waive", "coverage.new-file", "--file", "app/**", "--expires", expires)
    why = ("--reason", "being rewritten next week", "--owner", "sea")
    argv = [sys.executable, "-m", "pytest_cockpit.cli", *words, *why]
    done = subprocess.run(
        argv,
        cwd=migrated.root,
        env=migrated.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    migrated.commit({})
    row = alone(migrated, "waivers/open")
    assert row["verdict"] == "fail"
    assert f"(sea, until {expires})" in row["summary"]
    ledger = migrated.root / ".cockpit/promotions.ndjson"
    migrated.commit({".cockpit/promotions.ndjson": ledger.read_text().replace("sea", "sky")})
    assert alone(migrated, "waivers/open")["verdict"] == "unknown"


def test_files_added_to_the_lane_and_a_history_that_is_cut_off(migrated, tmp_path):
    migrated.commit({f"candidate/sea/new{number}.py": "X = 1\n" for number in range(2)})
    row = alone(migrated, "lane/share")
    assert row["verdict"] == "fail"
    assert row["summary"].startswith("2 of 5 files wait")
    url = f"file://{migrated.root}"
    subprocess.run(["git", "clone", "-q", "--depth", "1", url, tmp_path / "shallow"], check=True)
    items, _, _ = run(Sandbox(tmp_path / "shallow"), "lane/share", "lane/forecast")
    assert {row["verdict"] for row in items.values()} == {"unknown"}


def test_a_forecast_from_batches_of_four_weeks(tmp_path, monkeypatch):
    """Dates come from git alone: a clone says the same."""
    now = datetime.now(UTC)

    def dated(days):
        moment = (now - timedelta(days=days)).isoformat()
        monkeypatch.setenv("GIT_COMMITTER_DATE", moment)
        return {"GIT_COMMITTER_DATE": moment}

    dated(40)
    extra = {
        f"candidate/sea/more{number}.py": f"def height(hour):\n    return hour + {number}\n"
        for number in range(8)
    }
    names = ", ".join(f"more{number}" for number in range(8))
    extra["tests/test_more.py"] = (
        f"from candidate.sea import {names}\n\n\ndef test_more():\n"
        f"    assert [it.height(0) for it in ({names})] == list(range(8))\n"
    )
    settings = SETTINGS.replace('"coverage", "imports", "ledger", "quarantine"', '"ledger"')
    skip = '\n[tool.cockpit.gate.matriz]\nskip = "no contracts"\n'
    sandbox = create(tmp_path / "repo", FILES | extra | {"pyproject.toml": settings + skip})
    assert sandbox.pytest("--cockpit-init", "-q").returncode == 0
    sandbox.commit({}, "baselines")
    for days in (22, 17, 3):
        done = sandbox.pytest("--cockpit-batch", "-q", "--cockpit-batch-size", "2", env=dated(days))
        assert done.returncode == 0, done.stdout + done.stderr
    monkeypatch.delenv("GIT_COMMITTER_DATE")
    items, data, out = run(sandbox, "lane/share", "lane/forecast")
    made = data["forecast"]
    assert made["weeks"] == 3
    assert made["promoted"] == [2, 0, 2]
    assert made["grown"] == [0, 0, 0]
    assert items["lane/forecast"]["verdict"] in ("warn", "fail")
    assert made["low"] <= made["median"]
    assert "in 3 weeks 1.3 a week promoted, +0.0 a week added" in out
    subprocess.run(["git", "clone", "-q", sandbox.root, tmp_path / "clone"], check=True)
    _, again, _ = run(Sandbox(tmp_path / "clone"), "lane/forecast")
    assert again["forecast"] == made
    week = {row["name"]: row for row in metrics(sandbox)}["promoted"]
    assert week["evidence"]["weeks"] == [2, 0, 2]


def test_a_lane_that_only_grows_is_never_drained(tmp_path, monkeypatch):
    now = datetime.now(UTC)
    settings = SETTINGS.replace('"coverage", "imports", "ledger", "quarantine"', '"ledger"')
    skip = '\n[tool.cockpit.gate.matriz]\nskip = "no contracts"\n'
    monkeypatch.setenv("GIT_COMMITTER_DATE", (now - timedelta(days=40)).isoformat())
    sandbox = create(tmp_path / "repo", FILES | {"pyproject.toml": settings + skip})
    assert sandbox.pytest("--cockpit-init", "-q").returncode == 0
    sandbox.commit({}, "baselines")
    day = (now - timedelta(days=36)).isoformat()
    arguments = ("--cockpit-batch", "-q", "--cockpit-batch-size", "1")
    done = sandbox.pytest(*arguments, env={"GIT_COMMITTER_DATE": day})
    assert done.returncode == 0, done.stdout + done.stderr
    for week in range(5):
        day = (now - timedelta(days=30 - 6 * week)).isoformat()
        monkeypatch.setenv("GIT_COMMITTER_DATE", day)
        sandbox.commit({f"candidate/sea/w{week}_{n}.py": "X = 1\n" for n in range(20)})
    row = alone(sandbox, "lane/forecast")
    assert row["verdict"] == "fail"
    assert "not within ten years" in row["summary"]
    lane = {each["name"]: each for each in metrics(sandbox)}["lane"]
    assert lane["light"] == "red"
