"""`--cockpit-evaluate` and `--cockpit-recalibrate`, as they are typed."""

from __future__ import annotations

import json
from pathlib import Path

from tests.gemm_artifacts import replay, weekly_policy

DATA = Path(__file__).parents[1] / "data" / "gemm"
CANARY = "artifacts/week11_block4_weekly_replay_canary_20260209_010447.json"
SPLIT = "artifacts/week12_block2_platform_split_20260209_012324.json"
POLICY = "policies/policy_week11_block3_weekly_slo_v1.json"


def archived(make_sandbox):
    files = {f"history/{path}": (DATA / path).read_text() for path in (CANARY, SPLIT, POLICY)}
    runs = {f"history/run{seed}.json": json.dumps(replay(seed=seed)) for seed in (1, 2)}
    policy = {"history/weekly.json": json.dumps(weekly_policy())}
    return make_sandbox({"pyproject.toml": "[tool.cockpit]\n", **files, **runs, **policy})


def test_a_team_reads_its_history_and_goes_on_strictly(make_sandbox):
    sandbox = archived(make_sandbox)
    old = sandbox.pytest(
        "--cockpit-evaluate",
        f"history/{CANARY}",
        f"history/{SPLIT}",
        "--cockpit-evaluate-mode=compat",
        f"--cockpit-gemm-policy=history/{POLICY}",
    )
    assert old.returncode == 0, old.stdout + old.stderr
    assert "weekly_replay: promote" in old.stdout
    assert "platform_split: promote" in old.stdout

    strict = sandbox.pytest(
        "--cockpit-evaluate", f"history/{CANARY}", f"--cockpit-gemm-policy=history/{POLICY}"
    )
    assert strict.returncode == 4
    assert f"--cockpit-gemm-policy: history/{POLICY}: inherits_from: research/" in strict.stderr
    assert "is missing" in strict.stderr

    bare = sandbox.pytest("--cockpit-evaluate", f"history/{CANARY}")
    assert bare.returncode == 1
    assert "no raw times and no plan are in this artifact" in bare.stdout
    record = json.loads((sandbox.root / "artifacts" / "session.evaluate.json").read_text())
    assert record["totals"] == {**record["totals"], "unknown": 1}

    made = sandbox.pytest(
        "--cockpit-recalibrate",
        "history/run1.json",
        "history/run2.json",
        "--cockpit-gemm-policy=history/weekly.json",
        "--cockpit-gemm-output-dir=history/proposals",
    )
    assert made.returncode == 0, made.stdout + made.stderr
    assert "written: history/proposals/recalibrate_policy.json" in made.stdout
    proposed = json.loads((sandbox.root / "history/proposals/recalibrate_policy.json").read_text())
    old_rows = weekly_policy()["weekly_slo"]["per_kernel_size"]
    for name, row in proposed["weekly_slo"]["per_kernel_size"].items():
        assert row["min_avg_gflops"] > old_rows[name]["min_avg_gflops"]

    judged = sandbox.pytest(
        "--cockpit-evaluate",
        "history/run1.json",
        "--cockpit-gemm-policy=history/proposals/recalibrate_policy.json",
    )
    assert judged.returncode == 0, judged.stdout + judged.stderr
    assert "history/run1.json: promote: all" in judged.stdout
    # Nothing of it is an attempt at anything, so none of it is on record.
    assert not (sandbox.root / ".cockpit" / "campaigns.ndjson").exists()


def test_two_modes_or_none_are_refused(make_sandbox):
    sandbox = archived(make_sandbox)
    both = sandbox.pytest("--cockpit-evaluate", "a.json", "--cockpit-recalibrate", "a.json")
    assert both.returncode == 4
    assert "one mode at a time" in both.stderr
    none = sandbox.pytest("--cockpit-evaluate-mode=compat")
    assert none.returncode == 4
    assert "--cockpit-evaluate-mode: needs a mode" in none.stderr
