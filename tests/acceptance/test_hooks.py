"""Every hook of `hookspecs` is called in a real session; a new hook without a test is red here."""

from __future__ import annotations

import inspect
import json

import pytest

from pytest_cockpit import hookspecs

PLUGIN = """
import json
from pathlib import Path

import pytest

SEEN = Path("seen.ndjson")


def note(**facts):
    with SEEN.open("a") as file:
        file.write(json.dumps(facts) + "\\n")


def pytest_cockpit_campaign(options):
    note(hook="pytest_cockpit_campaign")


def pytest_cockpit_planned(config, plan):
    note(hook="pytest_cockpit_planned", moves=len(plan.moves))
    if config.getoption("veto"):
        raise pytest.UsageError("not on a Sunday")


def pytest_cockpit_gate_report(config, gate, report):
    note(hook="pytest_cockpit_gate_report", gate=gate, verdict=report.verdict)


def pytest_cockpit_sealed(config, batch_id, branch, commit):
    note(hook="pytest_cockpit_sealed", batch_id=batch_id, branch=branch, commit=commit)


def pytest_cockpit_record(config, record):
    note(hook="pytest_cockpit_record", mode=record["mode"])
    record["extra"]["operator"] = "harbour master"


def pytest_addoption(parser):
    parser.addoption("--veto", action="store_true")
"""


@pytest.fixture
def followed(ready, tmp_path):
    folder = tmp_path / "plugin"
    folder.mkdir()
    (folder / "follower.py").write_text(PLUGIN)
    (ready.root / ".git/info").mkdir(exist_ok=True)
    (ready.root / ".git/info/exclude").write_text("seen.ndjson\n")

    def run(*arguments):
        done = ready.pytest("-p", "follower", *arguments, env={"PYTHONPATH": str(folder)})
        seen = (ready.root / "seen.ndjson").read_text().splitlines()
        return ready, done, [json.loads(line) for line in seen]

    return run


def test_every_hook_is_called(followed):
    sandbox, done, seen = followed("--cockpit-batch", "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    declared = {
        name for name, _ in inspect.getmembers(hookspecs, inspect.isfunction) if "cockpit" in name
    }
    assert {row["hook"] for row in seen} == declared
    verdicts = {row["gate"]: row["verdict"] for row in seen if "gate" in row}
    assert verdicts == {
        "matriz": "skip",
        "coverage": "pass",
        "imports": "pass",
        "ledger": "pass",
        "guard": "pass",
        "quarantine": "pass",
    }
    [sealed] = [row for row in seen if row["hook"] == "pytest_cockpit_sealed"]
    assert sandbox.git("rev-parse", sealed["branch"]) == sealed["commit"]
    record = json.loads((sandbox.root / "artifacts/session.batch.json").read_text())
    assert record["extra"] == {"operator": "harbour master"}


def test_a_plugin_may_refuse_a_plan(followed):
    sandbox, done, _ = followed("--cockpit-batch", "--veto")
    assert done.returncode == 4
    assert "not on a Sunday" in done.stderr
    assert sandbox.git("for-each-ref", "refs/heads/cockpit") == ""


def test_a_hook_of_an_unknown_name_is_refused(ready, tmp_path):
    (tmp_path / "wrong.py").write_text("def pytest_cockpit_nosuch(config):\n    pass\n")
    done = ready.pytest("-p", "wrong", "--co", env={"PYTHONPATH": str(tmp_path)})
    assert done.returncode != 0
    assert "pytest_cockpit_nosuch" in done.stdout + done.stderr
