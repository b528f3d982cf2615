"""Nothing is sealed that this plan's gates have not judged, and nothing moves that may not."""

from __future__ import annotations

import json
import subprocess

import pytest

PLAN = "artifacts/promotion_batch.plan.jsonl"


def load(sandbox, name):
    return json.loads((sandbox.root / "artifacts" / name).read_text())


def branch_of(sandbox):
    return sandbox.git("for-each-ref", "--format=%(refname:short)", "refs/heads/cockpit")


@pytest.fixture
def blocked(quick):
    """A batch that is sealed, whose checkout could not be brought forward."""
    main = quick.root / "app.py"
    text = main.read_text()
    main.write_text(text + "# mine\n")
    assert quick.pytest("--cockpit-batch", "-q").returncode == 0
    main.write_text(text)
    assert branch_of(quick)
    return quick


def test_a_dry_run_never_finishes_a_seal(blocked):
    before = blocked.snapshot()
    done = blocked.pytest("--cockpit-batch", "--cockpit-dry-run", "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    assert blocked.snapshot() == before


def test_looking_never_finishes_a_seal_nor_replaces_the_record(blocked):
    before = blocked.snapshot()
    summary, record = (
        load(blocked, "promotion_batch.summary.json"),
        load(blocked, "session.batch.json"),
    )
    assert blocked.pytest("--cockpit-batch", "--co", "-q").returncode == 0
    assert blocked.snapshot() == before
    assert load(blocked, "promotion_batch.summary.json") == summary
    assert load(blocked, "session.batch.json") == record


def test_finishing_keeps_what_the_first_session_measured(blocked):
    summary = load(blocked, "promotion_batch.summary.json")
    assert summary["gates"]
    done = blocked.pytest("--cockpit-batch", "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    assert blocked.git("rev-parse", "HEAD") == blocked.git("rev-parse", branch_of(blocked))
    assert load(blocked, "promotion_batch.summary.json") == summary


def test_a_commit_added_to_the_sealed_branch_is_not_taken(blocked):
    branch = branch_of(blocked)
    blocked.git("switch", "-q", branch)
    blocked.commit({"app.py": "raise SystemExit('unjudged')\n"})
    blocked.git("switch", "-q", "main")
    before = blocked.snapshot()
    done = blocked.pytest("--cockpit-batch", "-q")
    assert done.returncode == 4, done.stdout
    assert "is not this batch as it was judged" in done.stderr
    assert blocked.snapshot() == before


def test_a_branch_of_that_name_made_by_hand_is_not_taken(quick):
    assert quick.pytest("--cockpit-batch", "--co", "-q").returncode == 0
    batch_id = json.loads((quick.root / PLAN).read_text().splitlines()[0])["batch_id"]
    tree = quick.git("rev-parse", "HEAD^{tree}")
    orphan = quick.git("commit-tree", "-m", "orphan", tree)
    quick.git("branch", f"cockpit/{batch_id}", orphan)
    before = quick.snapshot()
    done = quick.pytest("--cockpit-batch", "-q")
    assert done.returncode == 4, done.stdout
    assert quick.snapshot() == before


def test_a_forged_plan_with_fewer_gates_is_refused(ready):
    from pytest_cockpit.promotion.plan import Plan

    assert ready.pytest("--cockpit-batch", "--co", "-q").returncode == 0
    path = ready.root / PLAN
    plan = Plan.read(path.read_bytes(), PLAN)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    kept = [row for row in rows if row.get("gate") in (None, "ledger")]
    assert len(kept) == len(rows) - 5
    del plan
    path.write_text("".join(json.dumps(row) + "\n" for row in kept))
    before = ready.snapshot()
    done = ready.pytest("--cockpit-batch", PLAN, "-q")
    assert done.returncode == 4, done.stdout
    assert ready.snapshot() == before


def test_a_size_beside_a_named_plan_is_refused(quick):
    assert quick.pytest("--cockpit-batch", "--co", "-q").returncode == 0
    done = quick.pytest("--cockpit-batch", "--cockpit-batch-size=1", PLAN)
    assert done.returncode == 4
    assert "has a size and modules of its own" in done.stderr


def test_rules_that_are_not_committed_seal_nothing(ready):
    pyproject = ready.root / "pyproject.toml"
    text = pyproject.read_text()
    pyproject.write_text(
        text.replace("[tool.cockpit.gate", "[tool.cockpit]\n\n[tool.cockpit.gate").replace(
            "[tool.cockpit]\n", '[tool.cockpit]\ngates = ["ledger", "matriz"]\n', 1
        )
    )
    before = ready.snapshot()
    done = ready.pytest("--cockpit-batch", "-q")
    assert done.returncode == 4, done.stdout
    assert "commit it first" in done.stderr
    assert ready.snapshot() == before
    assert ready.pytest("--cockpit-batch", "--co", "-q").returncode == 0


def test_a_head_that_was_switched_meanwhile_stays_where_it_is(ready):
    ready.git("branch", "release")
    ready.commit(
        {
            "tests/test_switch.py": (
                "import subprocess, os\n\n\ndef test_switch():\n"
                f"    subprocess.run(['git', '-C', {str(ready.root)!r}, 'switch', '-q', 'other'])\n"
            )
        }
    )
    ready.git("branch", "other")
    assert ready.pytest("--cockpit-init", "-q").returncode == 0
    ready.git("switch", "-q", "main")
    ready.commit({})
    ready.git("branch", "-f", "other")
    done = ready.pytest("--cockpit-batch", "-q")
    assert done.returncode == 0, done.stdout
    assert "brought forward" not in done.stdout.split("cockpit: batch")[-1]
    assert ready.git("rev-parse", "other") == ready.git("rev-parse", "main")


def test_files_that_wait_in_an_unmerged_batch_are_not_promoted_again(blocked):
    blocked.commit({"notes.txt": "the day after"})
    before = blocked.snapshot()
    done = blocked.pytest("--cockpit-batch", "-q")
    assert done.returncode == 4, done.stdout
    assert "wait there to be merged" in done.stderr
    assert branch_of(blocked) in done.stderr
    assert blocked.snapshot() == before
    branch = branch_of(blocked)
    blocked.git("merge", "-q", "-m", "merge", branch)
    done = blocked.pytest("--cockpit-batch", "-q")
    assert done.returncode == 5, done.stdout + done.stderr


def test_colours_of_the_user_do_not_hide_importers(quick):
    quick.git("config", "color.ui", "always")
    assert quick.pytest("--cockpit-batch", "-q").returncode == 0
    assert "candidate" not in (quick.root / "app.py").read_text()


def test_the_repository_s_modules_are_not_imported_into_this_process(ready):
    trap = "import pathlib\npathlib.Path('trapped').write_text('x')\n"
    ready.commit({"libcst.py": trap, "networkx.py": trap, "rfc8785.py": trap})
    done = ready.pytest("--cockpit-batch", "--co", "-q", "-o", "pythonpath=.")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (ready.root / "trapped").exists()


def test_a_passed_secret_reaches_no_artifact(ready):
    pyproject = (ready.root / "pyproject.toml").read_text()
    pyproject = pyproject.replace(
        "[tool.cockpit.gate",
        '[tool.cockpit]\npass_environment = ["DB_PASSWORD"]\n\n[tool.cockpit.gate',
    )
    ready.commit(
        {
            "pyproject.toml": pyproject,
            "tests/test_db.py": (
                "import os\n\n\ndef test_db():\n"
                "    raise OSError('cannot connect with ' + os.environ['DB_PASSWORD'])\n"
            ),
        }
    )
    value = "correct-horse-battery"
    done = ready.pytest("--cockpit-batch", "-v", env={"DB_PASSWORD": value})
    assert done.returncode == 1
    assert "test_db" in done.stdout
    assert value not in done.stdout + done.stderr
    found = subprocess.run(
        ["grep", "-rl", value, "artifacts", ".git/cockpit"],
        cwd=ready.root,
        check=False,
        capture_output=True,
        text=True,
    )
    assert found.stdout == ""


@pytest.mark.parametrize(
    "option", ["--cockpit-dry-run", "--cockpit-batch-size=3", "--cockpit-skip-pr"]
)
def test_an_option_of_the_batch_needs_the_batch(quick, option):
    for mode in ((), ("--cockpit-init",)):
        done = quick.pytest(*mode, option)
        assert done.returncode == 4
        assert "needs --cockpit-batch" in done.stderr


def test_a_path_in_addopts_is_meant_for_ordinary_runs(ready):
    done = ready.pytest("--cockpit-batch", "--co", "-q", "-o", "addopts=tests")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_limit_on_coverage_does_not_judge_the_tool(quick):
    pytest.importorskip("pytest_cov")
    done = quick.pytest(
        "--cockpit-batch", "-q", "-p", "pytest_cov", "--cov=app", "--cov-fail-under=80"
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_not_gate_is_an_ordinary_run(ready):
    (ready.root / "cockpit.toml").write_text("broken = [")
    done = ready.pytest("-m", "not gate", "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "cockpit" not in done.stdout


def test_a_tree_that_is_not_all_there_is_not_judged(quick):
    quick.commit({"report.bin": "a large report that got lost"})
    oid = quick.git("rev-parse", "HEAD:report.bin")
    (quick.root / ".git/objects" / oid[:2] / oid[2:]).unlink()
    done = quick.pytest("--cockpit-batch", "-q")
    assert done.returncode == 1, done.stdout
    assert "the content of 1 file is not in the object store: report.bin" in done.stdout
    assert branch_of(quick) == ""


def test_help_plans_nothing(ready):
    done = ready.pytest("--cockpit-batch", "--help")
    assert done.returncode == 0
    assert not (ready.root / PLAN).exists()
