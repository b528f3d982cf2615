"""`--cockpit-rollback`: a merged batch undone, with real gates over real trees."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from pytest_cockpit.records import artifacts
from tests.acceptance.conftest import Sandbox


@pytest.fixture
def promoted(first_batch, tmp_path):
    """A repository with one batch sealed and brought forward, and the tree before it."""
    shutil.copytree(first_batch.root, tmp_path / "repo", symlinks=True)
    sandbox = Sandbox(tmp_path / "repo")
    assert "Batch-Id" in sandbox.git("log", "-1", "--format=%B")
    return sandbox, batch_id(sandbox), tree(sandbox, "HEAD^")


def batch_id(sandbox):
    return sandbox.git("log", "-1", "--format=%(trailers:key=Batch-Id,valueonly)").strip()


def tree(sandbox, commit):
    """Every path of a commit with mode and blob, but for what records sessions."""
    rows = sandbox.git("ls-tree", "-r", commit).splitlines()
    entries = dict(reversed(row.split("\t")) for row in rows)
    return {
        path: entry
        for path, entry in entries.items()
        if not path.startswith(".cockpit/") and path != "artifacts/promotion_log.md"
    }


def summary(done):
    return done.stdout + done.stderr


def test_a_batch_is_undone_byte_for_byte(promoted):
    sandbox, batch, before = promoted
    assert tree(sandbox, "HEAD") != before
    done = sandbox.pytest("--cockpit-rollback", batch, "-v")
    assert done.returncode == 0, summary(done)
    assert tree(sandbox, "HEAD") == before
    assert "byte for byte as before the batch, 0 merged" in done.stdout
    assert "nothing was sealed" not in done.stdout
    assert "import under their old names" in done.stdout
    message = sandbox.git("log", "-1", "--format=%B")
    assert f"Rolls-Back: {batch}" in message
    assert "Gate-Coverage: pass" in message
    assert sandbox.git("status", "--porcelain") == ""
    rows = [
        json.loads(line)
        for line in (sandbox.root / ".cockpit/promotions.ndjson").read_text().splitlines()
    ]
    assert [row["kind"] for row in rows[-2:]] == ["promotion", "rollback"]
    assert rows[-1]["rolls_back"] == batch
    assert sandbox.pytest("-m", "gate", "-q").returncode == 0


def test_what_was_rolled_back_can_be_promoted_again_and_not_rolled_back_twice(promoted):
    sandbox, batch, _ = promoted
    done = sandbox.pytest("--cockpit-rollback", batch, "-q")
    assert done.returncode == 0, summary(done)
    twice = sandbox.pytest("--cockpit-rollback", batch, "-q")
    assert twice.returncode == 4
    assert f"{batch}: was rolled back already, by " in twice.stderr
    again = sandbox.pytest("--cockpit-batch", "-q")
    assert again.returncode == 0, summary(again)
    assert batch_id(sandbox) != batch
    assert sandbox.pytest("--cockpit-rollback", batch_id(sandbox), "-q").returncode == 0


def test_a_dry_run_changes_nothing(promoted):
    sandbox, batch, _ = promoted
    before = sandbox.snapshot()
    done = sandbox.pytest("--cockpit-rollback", batch, "--cockpit-dry-run", "-v")
    assert done.returncode == 0, summary(done)
    assert "dry run: all green, nothing was sealed" in done.stdout
    assert sandbox.snapshot() == before


def test_the_plan_can_be_looked_at(promoted):
    sandbox, batch, _ = promoted
    done = sandbox.pytest("--cockpit-rollback", batch, "--co", "-q")
    assert done.returncode == 0, summary(done)
    assert "promotion_rollback.plan.jsonl::candidate/core/units.py" in done.stdout
    rows = [
        json.loads(line)
        for line in (sandbox.root / "artifacts/promotion_rollback.plan.jsonl")
        .read_text()
        .splitlines()
    ]
    assert rows[0]["rolls_back"] == batch
    assert {row["how"] for row in rows if row["kind"] == "restore"} == {"exact"}


def test_edits_made_since_are_carried_back(promoted):
    sandbox, batch, before = promoted
    units, tests = sandbox.root / "core/units.py", sandbox.root / "tests/test_app.py"
    sandbox.commit(
        {
            "core/units.py": units.read_text() + "\n\nFEET = 0.3048\n",
            "tests/test_app.py": tests.read_text() + "\n\ndef test_more():\n    assert level\n",
            "app/fresh.py": "FRESH = 1\n",
            "tests/test_fresh.py": "from app import fresh\n\n\ndef test():\n    assert fresh.FRESH\n",
        }
    )
    done = sandbox.pytest("--cockpit-rollback", batch, "-v")
    assert done.returncode == 0, summary(done)
    assert "2 merged" in done.stdout
    back = sandbox.git("show", "HEAD:candidate/core/units.py")
    assert "def metres(value)" in back
    assert "FEET = 0.3048" in back
    tested = sandbox.git("show", "HEAD:tests/test_app.py")
    assert "def test_more()" in tested
    assert "candidate" in tested
    after = tree(sandbox, "HEAD")
    assert after.keys() == {*before, "app/fresh.py", "tests/test_fresh.py"}
    differing = {path for path in before if before[path] != after[path]}
    assert differing == {"candidate/core/units.py", "tests/test_app.py"}


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda sandbox: sandbox.git("rm", "-q", "core/units.py"), "gone"),
        (lambda sandbox: sandbox.write({"candidate/core/units.py": "OTHER = 1\n"}), "occupied"),
        (
            lambda sandbox: sandbox.write(
                {
                    "app/main.py": "from core.tide import height(\n\n\ndef level(hour):\n    return 1\n"
                }
            ),
            "conflict",
        ),
    ],
)
def test_what_cannot_be_put_back_is_refused_with_reasons(promoted, change, rule):
    sandbox, batch, _ = promoted
    change(sandbox)
    sandbox.commit({})
    before = sandbox.snapshot()
    done = sandbox.pytest("--cockpit-rollback", batch, "-v")
    assert done.returncode == 1, summary(done)
    assert f"[{rule}]" in done.stdout
    assert "cannot be put back; nothing was changed" in done.stdout
    assert "nothing was sealed; details: artifacts/promotion_rollback.plan.jsonl" in done.stdout
    assert sandbox.snapshot() == before


@pytest.mark.parametrize(
    ("line", "back"),
    [
        ("from core.tide import height as rise", "from candidate.core.tide import height as rise"),
        ("from math import ceil as rise", "from math import ceil as rise"),
    ],
)
def test_a_line_that_both_have_changed_gets_its_old_names_back(promoted, line, back):
    sandbox, batch, _ = promoted
    rest = "\n\n\ndef level(hour):\n    return rise(hour * 2.0) / 2 + 1\n"
    sandbox.commit({"app/main.py": line + rest, "tests/test_app.py": "def test():\n    pass\n"})
    done = sandbox.pytest("--cockpit-rollback", batch, "-v", "-k", "transaction")
    assert done.returncode == 0, summary(done)
    staged = sandbox.git("show", "refs/cockpit/staged:app/main.py")
    assert staged == (back + rest).strip()


def test_code_that_needs_the_new_names_makes_it_red(promoted):
    sandbox, batch, _ = promoted
    sandbox.commit({"app/late.py": "from core.units import metres\n\nTEN = metres(10)\n"})
    before = sandbox.snapshot()
    done = sandbox.pytest("--cockpit-rollback", batch, "-v")
    assert done.returncode == 1, summary(done)
    assert "app/late.py" in done.stdout
    assert "nothing was sealed; details: artifacts/gates/*.json" in done.stdout
    assert sandbox.snapshot() == before


def test_an_unknown_batch_is_told(promoted):
    sandbox, batch, _ = promoted
    for wrong, said in (
        ("0000000-00000000", "no batch of this id"),
        (batch[:10], f"did you mean {batch}?"),
        ("../x", "expected a batch id"),
    ):
        done = sandbox.pytest("--cockpit-rollback", wrong)
        assert done.returncode == 4
        assert said in done.stderr


def test_a_squashed_batch_is_found_by_its_trailer_and_refused_without(promoted):
    sandbox, batch, _ = promoted
    message = sandbox.git("log", "-1", "--format=%B")
    sandbox.git("commit", "-q", "--amend", "-m", "squashed")
    done = sandbox.pytest("--cockpit-rollback", batch)
    assert done.returncode == 4
    assert "no commit of the history bears its trailer" in done.stderr
    sandbox.git("commit", "-q", "--amend", "-m", message + "\nBatch-Id: 1234567-12345678")
    done = sandbox.pytest("--cockpit-rollback", batch)
    assert done.returncode == 4
    assert "holds other batches as well" in done.stderr


def test_options_of_a_rollback(ready):
    done = ready.pytest("--cockpit-dry-run")
    assert done.returncode == 4
    assert (
        "--cockpit-dry-run: needs --cockpit-batch or --cockpit-burst or --cockpit-rollback or --cockpit-runbook"
        in done.stderr
    )


def test_every_row_of_the_plan_keeps_its_schema(promoted):
    sandbox, batch, _ = promoted
    sandbox.git("rm", "-q", "core/units.py")
    sandbox.commit({"core/tide.py": (sandbox.root / "core/tide.py").read_text() + "\n\nMORE = 1\n"})
    done = sandbox.pytest("--cockpit-rollback", batch, "--co", "-q")
    assert done.returncode == 0, summary(done)
    plan = (sandbox.root / "artifacts/promotion_rollback.plan.jsonl").read_bytes()
    rows = [json.loads(line) for line in plan.splitlines()]
    assert {row["kind"] for row in rows} == {"rollback", "restore", "refusal", "gate", "seal"}
    assert {row.get("how") for row in rows} >= {"exact", "merged"}
    assert [problem for row in rows for problem in artifacts.validate(row, "rollback")] == []


def test_what_no_test_executes_can_be_rolled_back(ready):
    """An importer and a module without tests, and a baseline tightened since the batch."""
    ready.commit(
        {
            "app/idle.py": "from candidate.lone import LONE\n\n\ndef idle():\n    return LONE\n",
            "candidate/lone.py": "LONE = 1\n\n\ndef alone():\n    return LONE\n",
        }
    )
    assert ready.pytest("--cockpit-init", "-q").returncode == 0
    ready.commit({})
    before = tree(ready, "HEAD")
    done = ready.pytest("--cockpit-batch", "-q")
    assert done.returncode == 0, summary(done)
    batch = batch_id(ready)
    everyday = ready.pytest("-m", "gate", "-q", "--cockpit-base", "HEAD~1")
    assert everyday.returncode == 0, summary(everyday)
    done = ready.pytest("--cockpit-ratchet=tighten", "-q")
    assert done.returncode == 0, summary(done)
    ready.commit({})
    done = ready.pytest("--cockpit-rollback", batch, "-q")
    assert done.returncode == 0, summary(done)
    assert tree(ready, "HEAD") == before


def test_the_ledger_may_lie_elsewhere(make_sandbox):
    """What is told to the gate holds for everything that writes it."""
    sandbox = make_sandbox()
    place = sandbox.root / "docs/moves.ndjson"
    text = (sandbox.root / "pyproject.toml").read_text()
    sandbox.commit(
        {
            "pyproject.toml": f"{text}\n[tool.cockpit]\n"
            'gates = ["matriz", "imports", "ledger", "guard"]\n\n'
            '[tool.cockpit.gate.ledger]\npath = "docs/moves.ndjson"\n'
        }
    )
    assert sandbox.pytest("--cockpit-init", "-q").returncode == 0
    sandbox.commit({})
    for _ in range(2):
        done = sandbox.pytest("--cockpit-batch", "--cockpit-batch-size", "1", "-q")
        assert done.returncode == 0, summary(done)
    batch = batch_id(sandbox)
    waive = [sys.executable, "-m", "pytest_cockpit.cli", "waive", "imports.third-party-missing"]
    soon = (datetime.now(UTC) + timedelta(days=9)).date().isoformat()
    why = ["--file", "app", "--reason", "the vendor moves it", "--owner", "port", "--expires", soon]
    told = subprocess.run(
        [*waive, *why], cwd=sandbox.root, env=sandbox.environment(), text=True, capture_output=True,
        check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    assert "commit docs/moves.ndjson" in told.stdout
    sandbox.commit({})
    done = sandbox.pytest("--cockpit-rollback", batch, "-q")
    assert done.returncode == 0, summary(done)
    kinds = [json.loads(line)["kind"] for line in place.read_text().splitlines()]
    assert kinds == ["opened", "promotion", "promotion", "waiver", "rollback"]
    assert not (sandbox.root / ".cockpit/promotions.ndjson").exists()
    assert sandbox.pytest("-m", "gate", "-q").returncode == 0
