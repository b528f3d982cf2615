"""`pytest --cockpit-batch` as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

PLAN = "artifacts/promotion_batch.plan.jsonl"


def rows(sandbox, name=PLAN):
    return [json.loads(line) for line in (sandbox.root / name).read_text().splitlines()]


def load(sandbox, name):
    return json.loads((sandbox.root / "artifacts" / name).read_text())


def sealed_branch(sandbox):
    return sandbox.git("for-each-ref", "--format=%(refname:short)", "refs/heads/cockpit")


def test_a_batch_is_promoted_and_sealed(ready):
    before = ready.git("rev-parse", "HEAD")
    done = ready.pytest("--cockpit-batch", "-v")
    assert done.returncode == 0, done.stdout + done.stderr
    branch = sealed_branch(ready)
    assert ready.git("rev-parse", f"{branch}^") == before
    # No remote: the checkout was brought forward.
    assert ready.git("rev-parse", "HEAD") == ready.git("rev-parse", branch)
    assert ready.git("status", "--porcelain") == ""
    assert (ready.root / "core/tide.py").is_file()
    message = ready.git("log", "-1", "--format=%B")
    for part in ("Problem: ", "Solution: ", "Impact: ", "Batch-Id: ", "Plan-Sha256: "):
        assert part in message
    assert "Gate-Coverage: pass" in message
    assert "Gate-Imports: pass" in message
    assert "Gate-Ledger: pass" in message
    assert "Gate-Matriz: skip" in message
    summary = load(ready, "promotion_batch.summary.json")
    verdicts = {gate["name"]: gate["verdict"] for gate in summary["gates"]}
    assert verdicts == {
        "matriz": "skip",
        "coverage": "pass",
        "imports": "pass",
        "ledger": "pass",
        "guard": "pass",
        "quarantine": "pass",
    }
    assert summary["sealed"]["commit"] == ready.git("rev-parse", "HEAD")
    assert load(ready, "import_failures.json")["failures"] == []
    record = load(ready, "session.batch.json")
    assert record["exit_status"] == 0
    assert record["totals"]["pass"] == len(record["items"]) - 1
    assert record["totals"]["skip"] == 1


def test_old_and_new_paths_give_the_same_object_and_tests_still_pass(first_batch):
    code = (
        "import warnings; warnings.simplefilter('ignore')\n"
        "import candidate.core.tide as old, core.tide as new\n"
        "assert old is new, (old, new)\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=first_batch.root, check=True)
    assert "candidate" not in (first_batch.root / "app/main.py").read_text()
    assert '"core.tide.metres"' in (first_batch.root / "tests/test_app.py").read_text()
    assert 'tide = "core.tide:height"' in (first_batch.root / "pyproject.toml").read_text()
    assert first_batch.pytest("-q", "-p", "no:cockpit").returncode == 0


def test_history_is_followed_through_the_move(first_batch):
    subjects = first_batch.git("log", "--follow", "--format=%s", "--", "core/tide.py").splitlines()
    assert subjects[-1] == "start"
    assert len(subjects) == 2


def test_what_cannot_move_says_why_and_the_rest_goes_on(first_batch):
    refused = {row["source"]: row["rule"] for row in rows(first_batch) if row["kind"] == "refusal"}
    assert refused == {
        "candidate/broken.py": "syntax-error",
        "candidate/clash.py": "target-exists",
        "candidate/lost.py": "unresolved-import",
    }


def test_a_cycle_moves_together(ready):
    assert (
        ready.pytest(
            "--cockpit-batch", "--cockpit-batch-size=2", "--cockpit-modules=ring", "--co", "-q"
        ).returncode
        == 0
    )
    moved = [row["target"] for row in rows(ready) if row["kind"] == "move"]
    assert {"ring/left.py", "ring/right.py"} <= set(moved)


def test_a_dry_run_changes_nothing(quick):
    before = quick.snapshot()
    done = quick.pytest("--cockpit-batch", "--cockpit-dry-run", "-v")
    assert done.returncode == 0, done.stdout
    assert "dry run: all green, nothing was sealed" in done.stdout
    assert quick.snapshot() == before


def test_the_second_batch_takes_the_next_files_then_nothing_is_left(quick):
    quick.commit({"candidate/broken.py": "def oops(:\n"})
    seen = []
    for _ in range(6):
        done = quick.pytest("--cockpit-batch", "--cockpit-batch-size=2", "-q")
        if done.returncode == 5:
            break
        assert done.returncode == 0, done.stdout + done.stderr
        seen += [row["source"] for row in rows(quick) if row["kind"] == "move"]
    assert done.returncode == 5
    assert "nothing can be promoted" in done.stdout
    assert len(seen) == len(set(seen)) == 6
    ledger = (quick.root / ".cockpit/promotions.ndjson").read_text().splitlines()
    assert [json.loads(line)["seq"] for line in ledger] == list(range(len(ledger)))


def test_a_red_gate_halts_with_exit_one_and_nothing_applied(ready):
    ready.commit(
        {
            "candidate/core/tide.py": "from .units import metres\nraise RuntimeError('no')\n",
            "app/main.py": "def level(hour):\n    return 7.0\n",
            "tests/test_app.py": "def test_ok():\n    assert 1 + 1 == 2\n",
        }
    )
    before = ready.snapshot()
    done = ready.pytest("--cockpit-batch", "-v")
    assert done.returncode == 1, done.stdout
    assert "halted at gate:" in done.stdout
    assert ready.snapshot() == before
    assert load(ready, "session.batch.json")["sealed"] is None


def test_a_test_that_the_move_breaks_is_red(ready):
    ready.commit(
        {
            "tests/test_path.py": (
                "import pathlib\n\n\ndef test_there():\n"
                "    text = pathlib.Path('candidate/core/tide.py').read_text()\n"
                "    assert 'def height' in text\n"
            )
        }
    )
    before = ready.snapshot()
    done = ready.pytest("--cockpit-batch", "-q")
    assert done.returncode == 1, done.stdout
    assert "coverage.new-test-failure" in done.stdout
    assert "test_there" in done.stdout
    assert ready.snapshot() == before


def test_no_baseline_is_unknown_and_unknown_never_seals(sandbox):
    before = sandbox.snapshot()
    done = sandbox.pytest("--cockpit-batch", "-v")
    assert done.returncode == 1, done.stdout
    assert "UNKNOWN" in done.stdout
    assert "1 unknown" in done.stdout
    assert sandbox.snapshot() == before


@pytest.mark.parametrize(
    "arguments", [("-k", "not imports"), ("--deselect", f"{PLAN}::gate:ledger")]
)
def test_a_partial_selection_with_the_seal_is_a_usage_error(ready, arguments):
    before = ready.snapshot()
    done = ready.pytest("--cockpit-batch", *arguments)
    assert done.returncode == 4, done.stdout
    assert "a partial selection cannot seal" in done.stdout + done.stderr
    assert ready.snapshot() == before


def test_a_partial_selection_may_look(ready):
    before = ready.snapshot()
    done = ready.pytest("--cockpit-batch", "-k", "gate:imports", "-v")
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
    assert ready.snapshot() == before


def test_an_id_can_be_typed_back(ready):
    assert ready.pytest("--cockpit-batch", "--co", "-q").returncode == 0
    done = ready.pytest("--cockpit-batch", f"{PLAN}::core/units.py", "-v")
    assert "cut off" not in done.stdout
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{PLAN}::core/units.py PASSED" in done.stdout
    assert sealed_branch(ready) == ""


def test_last_failed_and_exitfirst(ready):
    ready.commit(
        {
            "tests/test_bad.py": (
                "import pathlib\n\n\ndef test_there():\n"
                "    assert 'def height' in pathlib.Path('candidate/core/tide.py').read_text()\n"
            )
        }
    )
    assert ready.pytest("--cockpit-batch", "-x", "-q").returncode == 1
    done = ready.pytest("--cockpit-batch", "-x", "--lf", "-k", "coverage", "-v")
    assert done.returncode == 1, done.stdout
    assert "1 failed" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("-p", "no:randomly"),
        ("-p", "randomly", "-p", "no:xdist"),
        ("-p", "randomly", "-p", "xdist", "-n", "2"),
        ("-n", "0"),
        ("--strict-markers", "--strict-config"),
        ("-p", "no:cacheprovider"),
        ("-x", "--lf"),
    ],
)
def test_other_plugins_change_neither_order_nor_outcome(quick, arguments):
    settings = (quick.root / "cockpit.toml").read_text()
    quick.commit({"cockpit.toml": settings.replace('"ledger"', '"ledger", "guard"')})
    done = quick.pytest("--cockpit-batch", "-v", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    names = [row["name"] for row in load(quick, "session.batch.json")["items"]]
    planned = [row["target"] for row in rows(quick) if row["kind"] == "move"]
    assert len(planned) == 6
    assert names == [*planned, "transaction", "gate:ledger", "gate:guard", "seal"]
    assert sealed_branch(quick)
    assert ("-n is not used" in done.stdout) == ("2" in arguments)


def test_two_clones_make_identical_plans(ready, tmp_path):
    assert ready.pytest("--cockpit-batch", "--co", "-q").returncode == 0
    first = (ready.root / PLAN).read_bytes()
    other = tmp_path / "elsewhere"
    subprocess.run(["git", "clone", "-q", ready.root, other], check=True)
    clone = type(ready)(other)
    done = clone.pytest(
        "--cockpit-batch", "--co", "-q", env={"TZ": "Pacific/Chatham", "PYTHONHASHSEED": "7"}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (other / PLAN).read_bytes() == first
