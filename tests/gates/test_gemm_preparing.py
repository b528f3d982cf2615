"""What a campaign of the gate `gemm` is refused for before it begins, and what it says it will do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pytest_cockpit import testing
from pytest_cockpit.api import Context, Preparation
from pytest_cockpit_gates.gemm.closing import documents
from pytest_cockpit_gates.gemm.gate import Gemm
from pytest_cockpit_gates.gemm.phases.plan import SIZES
from tests.gemm_artifacts import replay, weekly_policy

WEEKLY = json.dumps(weekly_policy(sizes=SIZES))


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    for name, text in {
        "cockpit.toml": "",
        "weekly.json": WEEKLY,
        "broken.json": "{}",
        "run.json": json.dumps(replay(snapshots=1, iterations=1)),
    }.items():
        (root / name).write_text(text)
    return root


gate = Gemm()


def prepared(root, mode="replay", settings: Any = None, **options) -> Preparation:
    context = Context(root=root, scratch=root, settings=settings or {})
    return gate.prepare(context, {"mode": mode, "artifacts": [], "action": "", **options})


def test_all_that_is_wrong_is_told_by_option_or_setting(tree):
    made = prepared(
        tree,
        settings={"escalation": "gone.json", "t3_policy": "broken.json"},
        sizes=[0],
        policy="nix.json",
        baseline="broken.json",
        output_prefix="a/b",
    )
    said = [line.partition(": ")[0] for line in made.problems]
    assert said == [
        "--cockpit-gemm-output-prefix",
        "--cockpit-gemm-sizes",
        "--cockpit-gemm-policy",
        "cockpit.toml",
        "--cockpit-gemm-baseline",
        "cockpit.toml",
    ]
    assert any("cockpit.toml: gate.gemm.t3_policy: broken.json" in it for it in made.problems)
    assert any("cockpit.toml: gate.gemm.escalation: gone.json" in it for it in made.problems)
    (tree / "cockpit.toml").unlink()
    asker = "pyproject.toml: tool.cockpit.gate.gemm.sla: broken.json: "
    assert prepared(tree, settings={"sla": "broken.json"}).problems == (
        f"{asker}/severity_levels: missing; correct it",
        f"{asker}/sla_id: missing; correct it",
    )


def test_a_policy_that_cannot_judge_what_is_measured_is_told_before_it_is(tree):
    row = {"min_avg_gflops": 1.0, "max_p95_time_ms": 9.0}
    where = "--cockpit-gemm-policy: p.json: /weekly_slo/per_kernel_size"
    proposes = "--cockpit-recalibrate proposes rows from a campaign that names no policy"

    def problems(rows, **options):
        policy = weekly_policy(sizes=(256,))
        policy["weekly_slo"]["per_kernel_size"] = dict.fromkeys(rows, row)
        del policy["scope"]["sizes"]
        (tree / "p.json").write_text(json.dumps(policy))
        return prepared(tree, policy="p.json", sizes=[256], **options)

    both = ("auto_t3_controlled:256", "auto_t5_guarded:256")
    assert problems(()).problems == (f"{where}: there is no row at all; add some; {proposes}",)
    [line] = problems((*both, "auto_t3_controled:256")).problems
    assert line == (
        f"{where}/auto_t3_controled:256: no kernel auto_t3_controled; did you mean "
        '"auto_t3_controlled"?; choose among auto_t3_controlled, auto_t5_guarded, static, naive'
    )
    assert problems(
        both[:1], required_sizes=[7], kernels=["auto_t5_guarded", "static"]
    ).problems == (
        f"{where}/auto_t5_guarded:7: missing, and its size is required; add it; {proposes}",
        f"{where}/auto_t5_guarded:256: missing, and its size is measured; add it; {proposes}",
        f"{where}/static:7: missing, and its size is required; add it; {proposes}",
        f"{where}/static:256: missing, and its size is measured; add it; {proposes}",
    )
    made = problems((*both, "static:256", "auto_t5_guarded:512"))
    assert made.problems == ()
    assert made.lines[3] == (
        "rows of the policy that will not be measured, and fail for it: static:256, "
        "auto_t5_guarded:512; measure them by --cockpit-gemm-kernels and --cockpit-gemm-sizes"
    )
    assert not any("will not be measured" in line for line in problems(both).lines)


def test_what_will_be_measured_is_told(tree):
    made = prepared(tree, "split", policy="weekly.json", iterations=8, seeds=[1, 2])
    assert made.problems == ()
    assert made.lines[0].endswith("seeds 1, 2, 1 session of 8 iterations each")
    assert made.lines[1].startswith("96 products on each platform, 192 in all, and 8 to 48 pairs")
    assert made.lines[2] == "judged by policy weekly.json"
    assert len(made.lines) == 3
    few = prepared(tree, policy="weekly.json", snapshots=1, sessions=2, iterations=8).lines
    assert any(it.startswith("16 times of each row are too few for its 95th perc") for it in few)


def test_what_is_judged_tells_attempts_and_how_it_is_measured_does_not(tree):
    policy = weekly_policy(sizes=(*SIZES, 512))
    rows = policy["weekly_slo"]["per_kernel_size"]
    rows.update({f"static:{size}": rows["auto_t5_guarded:512"] for size in SIZES})
    (tree / "weekly.json").write_text(json.dumps(policy))

    def subject(**options):
        made = prepared(tree, **{"policy": "weekly.json", **options})
        assert made.problems == ()
        return made.subject

    first = subject()
    assert first is not None
    for more in (
        {"seed": 2},
        {"iterations": 6},
        {"snapshots": 9},
        {"sessions": 3},
        {"min_ratio": 0.8},
        {"output_prefix": "again"},
        {"pressure_pulses": 0},
        {"settings": {"pairs": 16, "timeout_s": 5.0}},
        {"platforms": ["clover", "rusticl"]},
    ):
        assert subject(**more) == first, more
    for other in (
        {"sizes": [512]},
        {"kernels": ["static"]},
        {"platforms": ["rusticl"]},
        {"baseline": "run.json"},
        {"policy": ""},
    ):
        assert subject(**other) != first, other
    (tree / "weekly.json").write_text(json.dumps(policy) + " ")
    assert subject() != first


def test_a_file_that_the_session_reads_is_not_put_aside(tree):
    assert "replay_run.json" in prepared(tree).replaces
    folder = tree / "artifacts/gemm"
    folder.mkdir(parents=True)
    (folder / "replay_run.json").write_text((tree / "run.json").read_text())
    made = prepared(tree, baseline="artifacts/gemm/replay_run.json")
    assert made.problems == ()
    assert "replay_run.json" not in made.replaces
    assert "replay_report.md" in made.replaces


def test_a_split_does_not_put_the_replay_of_its_week_aside(tree):
    folder = tree / "artifacts/gemm"
    folder.mkdir(parents=True)
    (folder / "week_run.json").write_text((tree / "run.json").read_text())
    [line] = prepared(tree, "split", output_prefix="week").problems
    assert line == (
        "--cockpit-gemm-output-prefix: artifacts/gemm/week_run.json is of a replay, and the close "
        "takes both; name another prefix, or another --cockpit-gemm-output-dir"
    )
    assert prepared(tree, "replay", output_prefix="week").problems == ()
    assert prepared(tree, "split", output_prefix="week", output="artifacts/other").problems == ()
    for text in ("[]", "{", '{"kind": "gate"}'):
        (folder / "week_run.json").write_text(text)
        assert prepared(tree, "split", output_prefix="week").problems == ()


@pytest.mark.parametrize("mode", ["evaluate", "recalibrate"])
def test_archived_artifacts_have_to_be_there(tree, mode):
    made = prepared(tree, mode, artifacts=["run.json", "nix.json", "."], policy="weekly.json")
    assert made.problems == (
        f"--cockpit-{mode}: nix.json: no such file; name the artifact of a run",
        f"--cockpit-{mode}: .: no such file; name the artifact of a run",
    )
    assert prepared(tree, mode, artifacts=["run.json"], policy="weekly.json").lines == (
        "run.json by weekly.json",
    )


def test_the_close_reads_what_it_goes_by(tree):
    made = prepared(tree, "gemm-close", week="2026-W07")
    assert made.lines == ("the week 2026-W07",)
    # Killed in the middle, it leaves nothing beside what another one has written.
    assert made.replaces == (
        "gemm-close_2026-W07_decision.json",
        "gemm-close_2026-W07_acta.md",
    )
    [line] = prepared(tree, "gemm-close", week="9999-W07").problems
    assert line.startswith("--cockpit-gemm-week: 9999-W07 has not begun; name ")
    [line] = prepared(tree, "gemm-close", settings={"escalation": "broken.json"}).problems
    assert "gate.gemm.escalation: broken.json: " in line


def test_what_is_not_as_committed_is_told(tree):
    for mode in ("replay", "gemm-close"):
        for changed, said in (
            (("README.md", "run.json"), []),
            (("cockpit.toml", "weekly.json"), ["cockpit.toml, weekly.json: not as committed"]),
        ):
            context = Context(tree, tree, {"policy": "weekly.json"}, changed=changed)
            made = gate.prepare(context, {"mode": mode, "artifacts": [], "action": ""})
            told = [it.partition(";")[0] for it in made.lines if "committed" in it]
            assert (made.problems, told) == ((), said)


def test_a_trigger_about_platforms_that_are_not_compared_is_told(tree):
    sla = dict(documents.shipped("closing/severity.json").data)
    sla["severity_levels"]["sev2_high"]["triggers"] = ["rusticl_ratio_vs_clovr_lt_0.85"]
    (tree / "sla.json").write_text(json.dumps(sla))
    for mode in ("replay", "gemm-close"):
        line = prepared(tree, mode, settings={"sla": "sla.json"}).lines[-1]
        assert line == (
            "sla.json: /severity_levels/sev2_high/triggers: rusticl_ratio_vs_clovr_lt_0.85 is not "
            "about rusticl and clover, which are compared; write rusticl_ratio_vs_clover_lt_NUMBER"
        )


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("plan", None),
        ("verify", "missing; select with pytest --cockpit-gemm-rollback=apply"),
        ("undo", "no rollback is in force; there is nothing to undo"),
    ],
)
def test_a_rollback_that_has_nothing_to_do_does_not_begin(tree, action, said):
    problems = prepared(tree, "gemm-rollback", action=action).problems
    assert [it.partition(": ")[2].partition(": ")[0] for it in problems] == ([said] if said else [])
    settings = {"candidate": "clover", "fallback": "clover"}
    [line] = prepared(tree, "gemm-rollback", settings, action="apply").problems
    assert "clover is selected already by gate.gemm.candidate; there is nothing to roll" in line


@pytest.mark.parametrize(
    ("text", "said"), [("{", "not JSON"), ("{}", "no evidence for a bound: "), ("3", "no evidence")]
)
def test_no_policy_is_proposed_from_what_is_no_artifact(tree, text, said):
    (tree / "run.json").write_text(text)
    [line] = prepared(tree, "recalibrate", artifacts=["run.json"]).problems
    assert line.startswith(f"--cockpit-recalibrate: run.json: {said}")


def test_tuning_says_what_it_tunes(tree):
    made = prepared(tree, "gemm-tune", platforms=["pocl"], sizes=[5, 6])
    assert made.lines == ("the variants of pocl at 5, 6",)
    assert prepared(tree, "gemm-tune", sizes=[0]).problems[0].startswith("--cockpit-gemm-sizes: 0")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, []),
        ({"platforms": ["pocl", "rusticl"]}, ["fallback: 'clover', the default, is not among"]),
        ({"candidate": "clover"}, ["fallback: 'clover' is the candidate too; name another"]),
        (
            {"platforms": ["pocl", "x"], "candidate": "y", "fallback": "z"},
            ["candidate: 'y' is not among platforms (pocl, x)", "fallback: 'z' is not among"],
        ),
        ({"platforms": ["pocl"]}, ["platforms: pocl alone is compared with nothing"]),
        ({"platforms": ["pocl"], "live": False}, []),
    ],
)
def test_settings_that_contradict_each_other_are_told(settings, said):
    found = gate.contradictions(settings)
    assert len(found) == len(said)
    assert all(line.startswith(begin) for line, begin in zip(found, said, strict=True)), found


def test_an_escalation_of_no_use_fails_the_gate_too(tmp_path):
    settings = {"live": False, "escalation": "who.json"}
    report = testing.run_gate(gate, {"who.json": "{}"}, tmp_path=tmp_path, settings=settings)
    assert [(it.rule, it.path) for it in report.findings] == [("gemm.severity", "who.json")]
