"""Campaigns of the gate `gemm` as pytest sessions, with real workers at tiny sizes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from pytest_cockpit.records import campaigns
from pytest_cockpit.records.text import sha256
from pytest_cockpit_gates.gemm.strict.artifacts import problems
from tests import gemm_devices


def gemm(**given):
    """Options of the gate by what follows `--cockpit-gemm-`."""
    return [
        word
        for name, value in given.items()
        for word in (f"--cockpit-gemm-{name.replace('_', '-')}", str(value))
    ]


TINY = gemm(
    platforms="pocl", sizes=48, snapshots=2, sessions=1, iterations=2, pressure_size=32,
    pressure_pulses=1,
)  # fmt: skip


@pytest.fixture
def bay(make_sandbox):
    """A repository that declares the gate.

    Its guard may cost what it wants: at tiny sizes and on a busy machine it does.
    """
    limits = {
        "disable_if_effective_overhead_percent_gt": 1e5,
        "disable_if_effective_overhead_percent_gt_hard": 1e5,
    }
    return make_sandbox(
        {
            "t5.json": json.dumps({"policy_id": "any", "runtime_guardrails": limits}),
            "cockpit.toml": 'gates = ["gemm"]\n[gate.gemm]\nlive = false\nt5_policy = "t5.json"\n',
            ".gitignore": "__pycache__/\n.pytest_cache/\n",
            "test_none.py": "",
        }
    )


def verdicts(sandbox, mode="replay"):
    record = json.loads((sandbox.root / f"artifacts/session.{mode}.json").read_text())
    return {row["name"].partition(":")[2]: row["verdict"] for row in record["items"]}


def written(sandbox, name):
    return json.loads((sandbox.root / "artifacts/gemm" / name).read_text())


def ledger(sandbox):
    return campaigns.rows(campaigns.path_of(sandbox.root, ".cockpit"))


def test_a_replay_measures_judges_and_reports(bay):
    gemm_devices.require("pocl")
    done = bay.pytest("--cockpit-replay", *TINY, "-v")
    assert done.returncode == 1, done.stdout + done.stderr
    said = verdicts(bay)
    assert list(said) == ["plan", "pre-gate", "canary", "evaluation", "post-gate", "report"]
    # Nothing names a policy, so nobody can say whether it is fast enough.
    assert said.pop("evaluation") == "unknown", done.stdout
    assert set(said.values()) == {"pass"}, done.stdout
    assert "cockpit: snapshot 2 of 2: pocl: auto_t3_controlled " in done.stdout
    run = written(bay, "replay_run.json")
    assert problems(run) == []
    assert len(run["runs"]) == 4
    assert [it["status"] for it in run["pressure"]] == ["ok", "ok"]
    assert run["recall"][0]["injections"] == run["recall"][0]["detected"] >= 2000
    assert run["metadata"]["platforms"]["pocl"]["platform_name"] == "Portable Computing Language"
    assert written(bay, "replay_decision.json")["block_decision"] == "iterate"
    assert "](<replay_gflops.svg>)" in (bay.root / "artifacts/gemm/replay_report.md").read_text()
    assert not (bay.root / "artifacts/gemm/replay_rows.ndjson").exists()
    begun, ended = ledger(bay)
    assert begun["attempt"] == 1
    assert ended["record"]["decision"] == "iterate"
    evidence = {Path(it["path"]): it["sha256"] for it in ended["record"]["evidence"]}
    assert [path.name for path in evidence] == [
        f"replay_{name}" for name in ("run.json", "evaluation.json", "report.md", "decision.json")
    ]
    for path, digest in evidence.items():
        assert sha256((bay.root / path).read_bytes()) == digest, path
    # An artifact is what the gate takes for evidence.
    asked = ("--cockpit-set", 'gate.gemm.artifacts=["artifacts/gemm/*_run.json"]')
    done = bay.pytest("-m", "gemm_slo", "-v", *asked)
    assert done.returncode == 1
    assert "replay_run.json: iterate: 0 failed and " in done.stdout, done.stdout
    # The close finds that report, and that the session has vouched for it.
    assert bay.pytest("--cockpit-gemm-close", *asked).returncode == 1
    [gate] = written(bay, next(bay.root.glob("artifacts/gemm/*-W*.json")).name)["required_gates"]
    assert gate["verdict"] == "unknown"
    assert gate["why"].startswith("artifacts/gemm/replay_run.json: iterate: 0 failed and ")
    kept = (bay.root / "artifacts/gates/gemm.json").read_bytes()
    assert gate["evidence"] == {"path": "artifacts/gates/gemm.json", "sha256": sha256(kept)}


def test_a_crash_is_a_failed_run_and_stops_the_replay(bay):
    gemm_devices.require("pocl")
    one = [*TINY, *gemm(kernels="static", pressure_pulses=0)]
    done = bay.pytest("--cockpit-replay", *one, "-v", env={"COCKPIT_GEMM_FAULT": "abort@session"})
    assert done.returncode == 1, done.stdout
    said = verdicts(bay)
    assert said["canary"] == "fail"
    # What there is by then is judged.
    assert said["evaluation"] == "fail"
    assert (said["post-gate"], said["report"]) == ("pass", "pass")
    run = written(bay, "replay_run.json")
    assert {row["status"] for row in run["runs"]} == {"failed"}
    assert {row["returncode"] for row in run["runs"]} == {-signal.SIGABRT}
    assert run["runs"][0]["error"] == "pocl: the worker died of SIGABRT at session"
    assert [it["decision"] for it in run["snapshots"]] == ["rollback"]
    assert run["rollback_event"]["failed"][0] == "all_runs_success"
    assert "died of SIGABRT" in done.stdout
    [_, ended] = ledger(bay)
    assert ended["record"]["severity"] == "sev1_critical"


def test_without_a_platform_nothing_is_measured_and_the_way_to_it_is_told(bay, tmp_path):
    done = bay.pytest("--cockpit-replay", *TINY, env={"OCL_ICD_VENDORS": str(tmp_path)})
    assert done.returncode == 1
    assert verdicts(bay) == {
        "plan": "pass", "pre-gate": "unknown", "canary": "skip", "evaluation": "unknown",
        "post-gate": "unknown", "report": "pass",
    }  # fmt: skip
    assert "install it: apt-get install ocl-icd-libopencl1 pocl-opencl-icd" in done.stdout
    assert written(bay, "replay_decision.json")["block_decision"] == "iterate"
    report = (bay.root / "artifacts/gemm/replay_report.md").read_text()
    assert "nothing was measured" in report


def test_a_split_takes_pairs_until_they_decide(bay):
    for platform in ("rusticl", "pocl"):
        gemm_devices.require(platform)
    done = bay.pytest(
        "--cockpit-split", "-v", "--cockpit-set", 'gate.gemm.fallback="pocl"',
        "--cockpit-set", 'gate.gemm.platforms=["rusticl", "pocl"]', *gemm(
            sizes=40, kernels="static", iterations=1, pressure_pulses=0, seeds=3,
            min_ratio=0.0001, output_prefix="week",
        ),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    run = written(bay, "week_run.json")
    assert problems(run) == []
    assert {row["platform_selector"] for row in run["runs"]} == {"rusticl", "pocl"}
    assert 8 <= len(run["pairs"]) <= 48
    assert [it["order"] for it in run["pairs"][:4]] == ["ab", "ba", "ba", "ab"]
    assert len({it["session"] for it in run["pairs"]}) >= 2
    assert written(bay, "week_decision.json")["block_decision"] == "promote"
    assert ledger(bay)[-1]["verdict"] == "pass"
    short = [
        "it did not measure auto_t3_controlled, auto_t5_guarded",
        "its ratio was held to 0.0001, and gate.gemm.min_ratio is 0.85",
    ]
    assert ledger(bay)[-1]["record"]["short"] == short
    assert f"; no week is promoted by it, as {', and '.join(short)}\n" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--cockpit-replay --cockpit-split", "one mode at a time"),
        ("--cockpit-gemm-seed 0", "--cockpit-gemm-seed: needs a mode such as --cockpit-replay"),
        ("--cockpit-gemm-close --cockpit-gemm-week 2026-W54", "invalid week such as 2026-W47"),
        ("--cockpit-gemm-close --cockpit-gemm-week 9999-W07", "9999-W07 has not begun; name "),
        ("--cockpit-split --cockpit-gemm-week 2026-W47", "--cockpit-split takes no such option"),
        ("--cockpit-gemm-sizes 5", "--cockpit-gemm-sizes: needs a mode such as --cockpit-replay"),
        ("--cockpit-replay --cockpit-gemm-output-dir ../x", "../x: outside the repository"),
        ("--cockpit-replay --cockpit-gemm-seeds 3", "--cockpit-replay takes no such option"),
        ("--cockpit-split --cockpit-gemm-min-ratio nan", "invalid number above 0"),
        ("--cockpit-evaluate gone.json", "--cockpit-evaluate: gone.json: no such file; name the"),
        (
            "-m gemm_slo --cockpit-set gate.gemm.fallback='rusticl'",
            "gate.gemm.fallback: 'rusticl' is the candidate too; name another platform",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(bay, arguments, said):
    done = bay.pytest(*arguments.split())
    assert done.returncode == 4
    assert said in done.stderr


def test_collecting_alone_shows_what_would_be_measured(bay):
    done = bay.pytest("--cockpit-split", "--co", *gemm(sizes=48, iterations=4, seeds=3))
    assert done.returncode == 0, done.stderr
    assert (
        "cockpit: auto_t3_controlled, auto_t5_guarded at 48 on rusticl, clover: seeds 3, "
        "1 session of 4 iterations each" in done.stdout
    )
    assert "cockpit: 8 products on each platform, 16 in all, and 8 to 48 pairs" in done.stdout
    assert "cockpit: judged by policy of the guard t5.json" in done.stdout


def test_tuning_keeps_what_is_fastest_here(bay):
    gemm_devices.require("pocl")
    done = bay.pytest("--cockpit-gemm-tune", *gemm(platforms="pocl", sizes=24), "-v")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "cockpit: the variants of pocl at 24" in done.stdout
    assert "phase:tune: pass: 1 of 1 platforms tuned: pocl: 24 " in done.stdout
    [entry] = written(bay, "gemm-tune_table.json")["platforms"]["pocl"]["entries"]
    assert entry["size"] == 24
    assert entry["gflops"] > 0
    kept = json.loads((Path(os.environ["COCKPIT_CACHE"]) / "gemm/table.json").read_text())
    assert entry["source_sha256"] in json.dumps(kept)
    # Nothing of it is an attempt at anything.
    assert ledger(bay) == []


def test_a_plan_that_cannot_be_done_is_told_in_one_line(bay):
    bay.write({"p.json": '{"inherits_from": "gone.json"}'})
    done = bay.pytest("--cockpit-replay", "-q", "--cockpit-gemm-policy", "p.json")
    assert done.returncode == 4
    assert "--cockpit-gemm-policy: p.json: inherits_from: gone.json is missing" in done.stderr
    assert not (bay.root / "artifacts").exists()


def workers(scratch: Path) -> list[int]:
    """Processes whose folder is below a repository's scratch."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if path.readlink().is_relative_to(scratch):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_replay_that_is_ended_leaves_no_worker_and_keeps_its_rows(bay, number):
    gemm_devices.require("pocl")
    endless = [*TINY, *gemm(snapshots=900, kernels="static", pressure_iterations=1)]
    with subprocess.Popen(
        bay.hearing("--cockpit-replay", *endless),
        cwd=bay.root,
        env=bay.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        heard = []
        for line in process.stdout:
            heard.append(line)
            if "snapshot 1 of 900: pocl" in line:
                os.kill(process.pid, number)
    assert process.returncode == (2 if number == signal.SIGINT else -number), "".join(heard)
    scratch = (bay.root / ".git/cockpit/scratch").resolve()
    deadline = time.monotonic() + 20
    while workers(scratch) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert workers(scratch) == []
    if number == signal.SIGINT:
        kept = bay.root / "artifacts/gemm/replay_rows.ndjson"
        assert ledger(bay)[-1]["verdict"] == "unknown"
    else:
        done = bay.pytest("artifacts/replay.plan.jsonl::phase:plan", "--cockpit-replay", *endless)
        assert "the last replay was cut off; kept in artifacts/campaigns/replay/" in done.stdout
        kept = bay.root / "artifacts/campaigns/replay/cut-off/replay_rows.ndjson"
    rows = [json.loads(line) for line in kept.read_text().splitlines()]
    assert {row["kind"] for row in rows} >= {"session", "pressure"}
