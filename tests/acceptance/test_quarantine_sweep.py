"""The sweep over real repositories: what is planted is found, and nothing is made up."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from datetime import UTC, datetime, timedelta

import pytest

from pytest_cockpit.records import artifacts

TODAY = datetime.now(UTC).date()
SOON, PAST = TODAY + timedelta(9), TODAY - timedelta(1)
HEAD = """\
import json, re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def contract(name):
    return json.loads((ROOT / "contracts" / f"matrix_{name}.json").read_text())["identity"]


"""
CONTRACT = """\
{{
  "identity": {{
    "required_tiers_numeric": [{tier}],
    "scopes": [
      "{name}.write",
      "{name}.fold"
    ]
  }}
}}
"""
REGO = """\
package authz

default allow := false

readers := {"lab:svc:index", "lab:svc:audit"}
"""
SETTINGS = """\
[tool.pytest.ini_options]
addopts = "--strict-markers -p no:randomly -p no:benchmark"

[tool.cockpit.gate.quarantine]
search_runs = 12
run_s = 20
"""


def mark(issue="#41", expires=SOON):
    return f'@pytest.mark.authz_quarantine(issue="{issue}", owner="@memory", expires="{expires}")\n'


def files(text, **more):
    return {
        "pyproject.toml": SETTINGS,
        ".gitignore": "artifacts/\n__pycache__/\n.pytest_cache/\n",
        "contracts/matrix_memoria.json": CONTRACT.format(name="memoria", tier=2),
        "contracts/matrix_dream.json": CONTRACT.format(name="dream", tier=3),
        "policies/authz.rego": REGO,
        "tests/test_authz.py": HEAD + text,
        **more,
    }


@pytest.fixture
def sweep(make_sandbox):
    def run(text, *arguments, **more):
        sandbox = make_sandbox(files(text, **more))
        before = sandbox.snapshot()
        done = sandbox.pytest("--cockpit-quarantine", "-v", *arguments)
        assert sandbox.snapshot() == before
        assert sandbox.git("status", "--porcelain") == ""
        path = sandbox.root / "artifacts/quarantine_sweep.json"
        document = artifacts.read(path, "quarantine_sweep")
        rows = {row["id"].partition("::")[2]: row for row in document["tests"]}
        return done, rows, sandbox

    return run


def meanings(row):
    return [edit["meaning"] for edit in row["difference"]["edits"]]


def test_planted_differences_are_found(sweep):
    text = (
        f"{mark()}def test_scope():\n    assert 'memoria.read' in contract('memoria')['scopes']\n\n\n"
        f"{mark('SEC-7', PAST)}def test_tier():\n"
        "    assert contract('memoria')['required_tiers_numeric'] == [4]\n\n\n"
        f"{mark('https://example.org/i/3')}def test_rego():\n"
        "    text = (ROOT / 'policies/authz.rego').read_text()\n"
        "    assert '\"lab:svc:search\"' in re.search('readers := {(.*)}', text)[1].split(', ')\n"
    )
    done, rows, sandbox = sweep(text, "-n", "2")
    assert done.returncode == 1, done.stdout + done.stderr
    assert meanings(rows["test_scope"]) == [
        'adds "memoria.read" to /identity/scopes of contracts/matrix_memoria.json'
    ]
    assert meanings(rows["test_tier"]) == [
        "changes /identity/required_tiers_numeric/0 of contracts/matrix_memoria.json from 2 to 4"
    ]
    assert meanings(rows["test_rego"]) == ['adds "lab:svc:search" to line 5 of policies/authz.rego']
    assert [rows[name]["verdict"] for name in rows] == ["warn", "fail", "warn"]
    assert "tests/test_authz.py:test_scope WARN" in done.stdout
    assert "quarantine expired on" in done.stdout
    assert "widening a policy is a decision about security. Nothing was applied." in done.stdout
    for row in rows.values():
        assert (row["outcome"], row["age_days"], row["search"]["ended"]) == ("failed", 0, "found")
        assert row["commit"] == sandbox.git("rev-parse", "HEAD")
        subprocess.run(
            ["git", "apply", "--check", "-"],
            cwd=sandbox.root,
            input=row["difference"]["diff"].encode(),
            check=True,
        )
    page = (sandbox.root / "artifacts/quarantine_sweep.md").read_text()
    assert "[SEC\\-7]" not in page
    assert "[https" in page.replace("\\", "")


def test_a_difference_that_harms_another_test_is_turned_down(sweep):
    text = (
        "def test_green():\n    assert len(contract('memoria')['scopes']) == 2\n\n\n"
        f"{mark()}def test_red():\n    assert 'memoria.read' in contract('memoria')['scopes']\n"
    )
    done, rows, _ = sweep(text, "--cockpit-set=gate.quarantine.search_runs=5")
    row = rows["test_red"]
    assert row["search"]["harmful"][0].endswith(
        "tests/test_authz.py::test_green passed and is failed with it"
    )
    assert done.returncode == 0
    assert row["verdict"] == "warn"
    assert row["difference"] is None or "test_green" not in str(row["difference"])


def test_what_a_test_expects_is_not_edited(sweep):
    text = (
        f"{mark()}def test_red():\n"
        "    expected = json.loads((ROOT / 'tests/expected.json').read_text())\n"
        "    assert expected['scopes'] == contract('memoria')['scopes']\n"
    )
    expected = '{"scopes": ["memoria.write"]}\n'
    _, rows, _ = sweep(
        text, "--cockpit-set=gate.quarantine.search_runs=4", **{"tests/expected.json": expected}
    )
    row = rows["test_red"]
    assert row["documents"] == ["contracts/matrix_memoria.json"]
    assert "expected.json" not in str(row["difference"])


def test_a_test_that_others_make_pass_is_not_explained_by_an_edit(sweep):
    text = (
        "STATE = []\n\n\n"
        "def test_first():\n    STATE.append(1)\n\n\n"
        f"{mark()}def test_red():\n"
        "    assert STATE or 'memoria.read' in contract('memoria')['scopes']\n"
    )
    _, rows, _ = sweep(text, "--cockpit-set", "gate.quarantine.search_runs=3")
    row = rows["test_red"]
    assert row["difference"] is None
    assert row["search"]["harmful"][0].endswith(
        "tests/test_authz.py::test_red passes without it too, with the rest of its file"
    )


def test_the_impossible_is_told_with_numbers(sweep):
    text = f"{mark()}def test_red():\n    assert contract('memoria') == 1\n"
    done, rows, _ = sweep(text, "--cockpit-set=gate.quarantine.search_runs=5")
    row = rows["test_red"]
    assert row["difference"] is None
    assert row["search"]["runs"] == 5
    assert row["search"]["ended"] == "runs"
    assert "nothing within the bounds makes it pass: " in done.stdout
    assert "in 5 runs" in done.stdout
    assert done.returncode == 0


def test_what_passes_is_to_lose_its_marker_and_what_reads_nothing_is_told(sweep):
    text = (
        f"{mark()}def test_mended():\n    assert contract('dream')\n\n\n"
        f"{mark()}def test_deaf():\n    assert 0\n\n\n"
        f"{mark()}def test_skips():\n    pytest.skip('later')\n\n\n"
        f"{mark()}def test_writes():\n"
        "    (ROOT / 'contracts/matrix_dream.json').write_text('{}')\n"
        "    (ROOT / 'new.txt').write_text('x')\n"
        "    assert not (ROOT / 'contracts').exists()\n"
    )
    done, rows, sandbox = sweep(text, "--cockpit-set=gate.quarantine.search_runs=3")
    assert done.returncode == 1
    verdicts = {name: row["verdict"] for name, row in rows.items()}
    assert verdicts == {
        "test_mended": "fail",
        "test_deaf": "warn",
        "test_skips": "unknown",
        "test_writes": "warn",
    }
    assert rows["test_deaf"]["search"]["ended"] == "no documents"
    subprocess.run(
        ["git", "apply", "-"],
        cwd=sandbox.root,
        input=rows["test_mended"]["removal"].encode(),
        check=True,
    )
    assert sandbox.pytest("-q", "-k", "mended").returncode == 0


def test_what_hangs_is_unknown(sweep):
    text = f"{mark()}def test_hangs():\n    import time\n    time.sleep(60)\n"
    _, rows, _ = sweep(text, "--cockpit-set=gate.quarantine.run_s=2")
    assert rows["test_hangs"]["verdict"] == "unknown"
    assert rows["test_hangs"]["summary"] == "it could not be run: its time was up"


def test_nothing_in_quarantine_is_green_and_starts_nothing(sweep):
    done, rows, _ = sweep("def test_a():\n    pass\n", **{"conftest.py": "raise SystemExit(3)\n"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert rows == {}
    assert "collection: pass: no Python file names the marker" in done.stdout


def test_what_cannot_be_collected_is_unknown(sweep):
    done, rows, _ = sweep(f"import nowhere_at_all\n{mark()}def test_a():\n    assert 0\n")
    assert (done.returncode, rows) == (1, {})
    assert "could not be collected" in done.stdout


def test_what_there_was_no_time_for_is_unknown(sweep):
    text = (
        f"{mark()}def test_red():\n    assert 0\n\n\n"
        f"{mark(expires=PAST)}def test_overdue():\n    assert 0\n"
    )
    done, rows, _ = sweep(text, "--cockpit-set=gate.quarantine.sweep_s=0.001")
    assert done.returncode == 1
    assert "for 0.001 s at most (gate.quarantine.sweep_s)" in done.stdout
    assert [(row["verdict"], row["outcome"], row["summary"]) for row in rows.values()] == [
        ("unknown", "not run", "not searched: out of time"),
        ("fail", "not run", f"quarantine expired on {PAST}; not searched: out of time"),
    ]


@contextlib.contextmanager
def begun(sandbox, sign, signal_number):
    """A sweep that is sent a signal once a test in it says so."""
    running = subprocess.Popen(
        sandbox.argv("--cockpit-quarantine"),
        cwd=sandbox.root,
        env=sandbox.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not sign.exists() and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(running.pid, signal_number)
    yield running.wait(60)


def test_an_interrupted_sweep_writes_what_it_found(make_sandbox, tmp_path):
    sign = tmp_path / "sign"
    text = (
        f"{mark()}def test_first():\n    pass\n\n\n"
        f"{mark()}def test_second():\n    Path({str(sign)!r}).touch()\n"
        "    import time\n    time.sleep(60)\n"
    )
    sandbox = make_sandbox(files(text))
    before = sandbox.snapshot()
    with begun(sandbox, sign, signal.SIGINT) as code:
        assert code == pytest.ExitCode.INTERRUPTED
    assert sandbox.snapshot() == before
    document = artifacts.read(sandbox.root / "artifacts/quarantine_sweep.json", "quarantine_sweep")
    assert [row["id"] for row in document["tests"]] == ["tests/test_authz.py::test_first"]
    assert "test_first" in (sandbox.root / "artifacts/quarantine_sweep.md").read_text()
    assert not list((sandbox.root / ".git/cockpit/scratch").iterdir())


def test_a_killed_sweep_leaves_nothing_behind(make_sandbox, tmp_path):
    sign = tmp_path / "sign"
    text = (
        f"{mark()}def test_red():\n    told = contract('memoria')\n"
        f"    if told != {{'required_tiers_numeric': [2], 'scopes': ['memoria.write', 'memoria.fold']}}:\n"
        f"        Path({str(sign)!r}).touch()\n"
        "        import time\n        time.sleep(60)\n"
        "    assert told == 1\n"
    )
    sandbox = make_sandbox(files(text))
    before = sandbox.snapshot()
    with begun(sandbox, sign, signal.SIGKILL) as code:
        assert code == -signal.SIGKILL
    assert sandbox.snapshot() == before
    done = sandbox.pytest(
        "--cockpit-quarantine", "-v", "--cockpit-set=gate.quarantine.search_runs=0"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    # The private tree is HEAD's again, whatever edit was being tried in it.
    assert "'scopes': ['memoria.write', 'memoria.fold']" in done.stdout
    assert "0 of " in done.stdout
