"""Closed days refuse what would seal something, and a reason goes past them and is recorded."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

ALL = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
REASON = "hotfix for the release"


def calendar(sandbox, **settings):
    """Commit another calendar, and one quick gate: the day is judged before any gate runs."""
    path = sandbox.root / "pyproject.toml"
    old = "[tool.cockpit.calendar]\nstabilisation = []\n"
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    gates = ["[tool.cockpit]", 'gates = ["matriz", "ledger"]', ""]
    new = "\n".join([*gates, "[tool.cockpit.calendar]", *lines, ""])
    sandbox.commit({"pyproject.toml": path.read_text().replace(old, new)}, "another calendar")


def record(sandbox, mode="batch"):
    return json.loads((sandbox.root / f"artifacts/session.{mode}.json").read_text())


@pytest.fixture
def shut(ready):
    calendar(ready, stabilisation=ALL)
    return ready


@pytest.mark.parametrize("mode", ["--cockpit-batch", "--cockpit-burst"])
def test_nothing_is_sealed_on_a_day_of_stabilisation(shut, mode):
    before = shut.snapshot()
    done = shut.pytest(mode)
    assert done.returncode == 4
    [line] = [line for line in done.stderr.splitlines() if line]
    assert line.startswith("ERROR: pyproject.toml: tool.cockpit.calendar.stabilisation: ")
    assert "day 20" in line
    assert line.endswith("--cockpit-force REASON")
    assert shut.snapshot() == before


@pytest.mark.parametrize("mode", ["--cockpit-batch", "--cockpit-burst"])
@pytest.mark.parametrize("looks", ["--co", "--cockpit-dry-run"])
def test_looking_is_allowed_on_every_day(shut, mode, looks):
    done = shut.pytest(mode, looks)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "is kept for stabilisation: this session only looks" in done.stdout


def test_a_reason_goes_past_it_and_is_recorded_everywhere(shut):
    done = shut.pytest("--cockpit-batch", "--cockpit-force", f"  {REASON} ")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"is kept for stabilisation; forced: {REASON}" in done.stdout
    trailers = shut.git("log", "-1", "--format=%(trailers:only,unfold)")
    assert f"Forced: {REASON}" in trailers.splitlines()
    assert "Batch-Id: " in trailers
    forced = record(shut)["extra"]["forced"]
    assert forced["reason"] == REASON
    assert "stabilisation" in forced["because"][0]
    body = (shut.root / "artifacts/promotion_pr_body.md").read_text()
    assert "### Forced" in body
    assert REASON in body


def test_a_forced_burst_says_so_in_each_of_its_commits(fleet):
    calendar(fleet, stabilisation=ALL)
    arguments = ("--cockpit-batch-size", "3", "--cockpit-target", "6")
    done = fleet.pytest("--cockpit-burst", *arguments, "--cockpit-force", REASON)
    assert done.returncode == 0, done.stdout + done.stderr
    promoted = fleet.git("log", "--format=%s%x00%(trailers:key=Forced,valueonly)", "-2")
    assert promoted.count("promote(") == 2
    assert promoted.count(REASON) == 2
    assert record(fleet, "burst")["extra"]["forced"]["reason"] == REASON
    assert REASON in (fleet.root / "artifacts/burst_pr_body.md").read_text()


@pytest.mark.parametrize("reason", ["", "  ", "\t\n", "...", "—"])
def test_an_empty_reason_is_none(shut, reason):
    done = shut.pytest("--cockpit-batch", "--cockpit-force", reason)
    assert done.returncode == 4
    assert "--cockpit-force: expected a reason" in done.stderr


def test_a_reason_in_a_file_is_none(shut):
    done = shut.pytest("--cockpit-batch", env={"PYTEST_ADDOPTS": "--cockpit-force=always"})
    assert done.returncode == 4
    assert "is not from the command line" in done.stderr


def test_a_reason_is_one_line(shut):
    done = shut.pytest("--cockpit-batch", "--cockpit-force", "first\nBatch-Id: forged\x1b[31m")
    assert done.returncode == 0, done.stdout + done.stderr
    forced = shut.git("log", "-1", "--format=%(trailers:key=Forced)")
    assert forced == "Forced: first Batch-Id: forged\\x1b[31m"
    assert shut.git("log", "-1", "--format=%(trailers:key=Batch-Id)").count("\n") == 0


def test_a_reason_on_an_open_day_changes_nothing(ready):
    calendar(ready, stabilisation=[])
    done = ready.pytest("--cockpit-batch", "--cockpit-force", REASON)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Forced: " not in ready.git("log", "-1", "--format=%B")
    assert record(ready)["extra"] == {}


def test_a_rollback_is_refused_on_no_day(ready):
    calendar(ready, stabilisation=ALL)
    done = ready.pytest("--cockpit-batch", "-q", "--cockpit-force", REASON)
    assert done.returncode == 0, done.stdout + done.stderr
    batch = ready.git("log", "-1", "--format=%(trailers:key=Batch-Id,valueonly)")
    done = ready.pytest("--cockpit-rollback", batch.strip())
    assert done.returncode == 0, done.stdout + done.stderr


def test_holidays_are_days_of_the_calendars_time_zone(ready):
    days = [(datetime.now(UTC) + timedelta(days=shift)).date().isoformat() for shift in (-1, 0, 1)]
    calendar(ready, stabilisation=[], timezone="Pacific/Kiritimati", holidays=days)
    done = ready.pytest("--cockpit-batch")
    assert done.returncode == 4
    assert "calendar.holidays: " in done.stderr
    assert "is a holiday" in done.stderr
    assert any(day in done.stderr for day in days)


def test_bursts_have_days_of_their_own(ready):
    today = datetime.now(UTC).weekday()
    calendar(ready, stabilisation=[], burst=[ALL[today - 3]])
    done = ready.pytest("--cockpit-burst", "--cockpit-target", "2")
    assert done.returncode == 4
    assert "tool.cockpit.calendar.burst: " in done.stderr
    assert f"is no day of bursts ({ALL[today - 3]})" in done.stderr
    done = ready.pytest("--cockpit-batch", "-q")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_clock_that_was_set_back_opens_no_day(ready):
    now = datetime.now(UTC)
    tomorrow = now + timedelta(days=2)
    calendar(ready, stabilisation=[ALL[tomorrow.weekday()]])
    ready.write({"late.txt": "x\n"})
    ready.git("add", "-A")
    ready.git("-c", "user.name=x", "commit", "-q", "-m", "now")
    done = ready.pytest("--cockpit-batch", "--co", "-q")
    assert "goes backwards" not in done.stdout
    commit_later(ready, tomorrow)
    done = ready.pytest("--cockpit-batch")
    assert done.returncode == 4
    assert "the clock goes backwards: it says" in done.stderr
    assert "is kept for stabilisation" in done.stderr
    # A day that is kept today stays so, whatever the last commit is dated with.
    calendar_now = (ready.root / "pyproject.toml").read_text()
    closed = calendar_now.replace(f'["{ALL[tomorrow.weekday()]}"]', f'["{ALL[now.weekday()]}"]')
    ready.write({"pyproject.toml": closed})
    commit_later(ready, tomorrow)
    done = ready.pytest("--cockpit-batch")
    assert done.returncode == 4
    assert "is kept for stabilisation" in done.stderr


def commit_later(sandbox, moment):
    """Commit everything with a committer's date in the future."""
    env = {**sandbox.environment(), "GIT_COMMITTER_DATE": moment.isoformat()}
    for argv in (["add", "-A"], ["commit", "-q", "--allow-empty", "-m", "later"]):
        subprocess.run(["git", *argv], cwd=sandbox.root, env=env, check=True)


def test_the_last_sessions_record_is_believed_too(ready):
    later = datetime.now(UTC) + timedelta(days=2)
    calendar(ready, stabilisation=[ALL[later.weekday()]])
    rows = ready.root / "artifacts/sessions.ndjson"
    rows.parent.mkdir(exist_ok=True)
    rows.write_text(json.dumps({"kind": "session", "at": later.isoformat()}) + "\n")
    done = ready.pytest("--cockpit-batch")
    assert done.returncode == 4
    assert "the last session's record is dated" in done.stderr
    rows.write_text("no row\n")
    done = ready.pytest("--cockpit-batch", "--co", "-q")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "settings, told",
    [
        ({"timezone": "Mars/Olympus"}, "tool.cockpit.calendar.timezone: "),
        ({"timezone": "Europe"}, "tool.cockpit.calendar.timezone: "),
        (
            {"holidays": ["2026-12-25", "2026-02-30"]},
            'calendar.holidays[1]: "2026-02-30" is no day',
        ),
        ({"stabilisation": ["friday"]}, "tool.cockpit.calendar.stabilisation"),
    ],
)
def test_what_does_not_exist_is_told_with_its_key(ready, settings, told):
    calendar(ready, **settings)
    done = ready.pytest("--cockpit-batch", "--co")
    assert done.returncode == 4
    assert told in done.stderr


def test_utc_needs_no_database_of_zones(shut):
    done = shut.pytest("--cockpit-batch", "--co", "-q", env={"PYTHONTZPATH": ""})
    assert done.returncode == 0, done.stdout + done.stderr
