"""Plots and the report that shows them, of artifacts that were made up."""

from __future__ import annotations

import builtins
import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from pytest_cockpit import process
from pytest_cockpit.api import CockpitError, Verdict
from pytest_cockpit.estimation.intervals import Interval
from pytest_cockpit.records.markdown import plain
from pytest_cockpit.records.text import sha256
from pytest_cockpit_gates.gemm.closing import (
    documents,
    figures,
    plots,
    report,
    results,
    severity,
    sla,
)
from pytest_cockpit_gates.gemm.closing.account import checks_of, timeline
from pytest_cockpit_gates.gemm.closing.plots import Ceiling
from pytest_cockpit_gates.gemm.closing.results import Ratio
from pytest_cockpit_gates.gemm.phases import stopped
from pytest_cockpit_gates.gemm.strict import documents as strict_documents
from pytest_cockpit_gates.gemm.strict.demands import Demands
from pytest_cockpit_gates.gemm.strict.evaluate import evaluate
from pytest_cockpit_gates.gemm.strict.policies import Policies
from pytest_cockpit_gates.gemm.strict.subject import as_json, spelled
from pytest_cockpit_gates.gemm.verdicts import Check, Evaluation
from tests import gemm_artifacts

AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
REPLAY = gemm_artifacts.replay(snapshots=2, platforms=("rusticl", "clover"))
SPLIT = gemm_artifacts.split(ratio=1.2)
PAIR = ("rusticl", "clover")
GREEN = Check("correctness_error_bound", "gemm.correctness", Verdict.PASS, "fine")
RED = Check("p95_drift_bound", "gemm.drift", Verdict.FAIL, "+9 % of at most +8 %", "k:1@clover")


@pytest.fixture
def _drawing():
    pytest.importorskip("matplotlib", reason="plots need matplotlib")


drawn = pytest.mark.usefixtures("_drawing")


def words(svg):
    return " ".join(ET.fromstring(svg).itertext())  # noqa: S314 - our own


def test_rows_come_together():
    lines = results.lines(REPLAY)
    assert [line.key for line in lines[:3]] == [
        "auto_t3_controlled:1400@clover",
        "auto_t3_controlled:1400@rusticl",
        "auto_t3_controlled:2048@clover",
    ]
    line = lines[0]
    rows = [
        row["metrics"]
        for row in REPLAY["runs"]
        if (row["kernel"], row["size"], row["platform_selector"])
        == ("auto_t3_controlled", 1400, "clover")
    ]
    assert (line.rows, line.failed) == (2, 0)
    assert line.average == pytest.approx(sum(it["avg_mean_gflops"] for it in rows) / 2)
    assert (line.fallback, line.overhead) == (None, None)


def test_what_is_no_number_was_not_measured():
    row = {"kernel": "k", "size": 7, "platform_selector": "p", "status": "ok", "metrics": {}}
    odd = [float("nan"), "9", None, True, {}]
    rows: list[object] = [{**row, "metrics": {"avg_mean_gflops": it}} for it in odd]
    rows += [{**row, "status": "failed"}, {**row, "metrics": None}, {**row, "size": "7"}, 3]
    (line,) = results.lines({"runs": rows})
    assert (line.rows, line.failed, line.average, line.peak) == (7, 1, None, None)
    assert results.lines({"runs": "none"}) == results.lines({}) == ()


def test_pairs_come_to_a_ratio():
    (first, second) = results.compared(SPLIT, *PAIR, 0.85)
    assert (first.kernel, first.size, first.pairs) == ("auto_t3_controlled", 1400, 16)
    assert first.interval.low < 1.2 < first.interval.high
    assert second.verdict == "pass"
    assert results.compared(SPLIT, "pocl", "clover", 0.85) == ()
    judged = {
        check.key.partition("@")[0]: check.observed["ratio"]
        for check in evaluate(SPLIT, Policies(), demands=Demands()).checks
        if check.name == "rusticl_ratio_vs_clover"
    }
    for row in (first, second):
        assert as_json(row.interval) == judged[f"{row.kernel}:{row.size}"]


def test_pairs_that_are_none_do_not_count():
    pairs = [
        {**SPLIT["pairs"][0], "rusticl": {"wall_s": 0, "cpu_s": 1}},
        {**SPLIT["pairs"][0], "clover": None},
        {**SPLIT["pairs"][0], "session": "x"},
        {**SPLIT["pairs"][0], "clover": {"wall_s": 1.0, "cpu_s": float("nan")}},
        "none",
    ]
    assert results.compared({"pairs": pairs}, *PAIR, 0.85) == ()


@drawn
def test_equal_numbers_are_equal_bytes():
    lines = results.lines(REPLAY)
    first = plots.throughput(lines)
    plots.overhead(lines, 3.0)
    assert plots.throughput(lines) == first
    assert b"<dc:date>" not in first


@drawn
def test_the_style_of_the_user_is_left_alone():
    import matplotlib as mpl

    with mpl.rc_context({"font.size": 31, "axes.facecolor": "red"}):
        svg = plots.throughput(results.lines(REPLAY))
        assert mpl.rcParams["font.size"] == 31
    assert b"#ff0000" not in svg


@drawn
def test_throughput_has_a_panel_for_each_platform():
    told = words(plots.throughput(results.lines(REPLAY)))
    assert all(it in told for it in ("rusticl", "clover", "auto_t5_guarded", "GFLOPS"))


@drawn
def test_a_ratio_without_interval_is_said():
    rows = [
        Ratio("auto_t3_controlled", 1400, 16, Interval(0.9, 1.0, 1.1), "pass"),
        Ratio("$k<&\x01", 2048, 4, None, "unknown"),
    ]
    told = words(plots.ratio([rows[0]], 0.85, PAIR))
    assert "at least 0.85" in told
    assert "throughput of rusticl over that of clover" in told
    named = words(plots.ratio([Ratio("$k<&", 9, 4, None, "unknown")], 0.85, PAIR))
    assert "$k<& 9 (4 pairs): no interval" in named


@drawn
def test_overhead_has_its_bound():
    told = words(plots.overhead(results.lines(REPLAY), 3.0))
    assert "at most 3 %" in told
    assert "auto_t3_controlled" not in told
    assert "at most" not in words(plots.overhead(results.lines(REPLAY), None))


@drawn
def test_a_roofline_is_of_what_was_measured():
    svg = plots.roofline(results.lines(REPLAY), {"clover": Ceiling(180.0, 21.5)})
    told = words(svg)
    assert "180.0 GFLOPS, 21.5 GB/s, measured" in told
    assert "rusticl" not in told
    best = max(line.peak or 0.0 for line in results.lines(REPLAY) if line.platform == "clover")
    told = words(plots.roofline(results.lines(REPLAY), {"clover": Ceiling(1.0, 21.5)}))
    assert f"{best:.1f} GFLOPS, 21.5 GB/s, measured" in told
    assert plots.intensity(1200) == pytest.approx(200.0)


@drawn
@pytest.mark.parametrize("rows", [[], [{"kernel": "k", "size": 1, "platform_selector": "p"}]])
def test_nothing_measured_can_be_drawn(rows):
    lines = results.lines({"runs": rows})
    for svg in (
        plots.throughput(lines),
        plots.overhead(lines, 1.0),
        plots.ratio([], 0.85, PAIR),
        plots.roofline(lines, {}),
    ):
        assert words(svg)


def test_a_missing_matplotlib_is_told(monkeypatch, tmp_path):
    real = builtins.__import__

    def without(name, *rest):
        if name.partition(".")[0] == "matplotlib":
            raise ModuleNotFoundError("No module named 'matplotlib'", name="matplotlib")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(CockpitError, match=r"install pytest-cockpit\[gemm\]"):
        plots.throughput([])
    written = write(tmp_path, REPLAY, evaluation(GREEN))
    assert written.names == ("replay_report.md", "replay_decision.json")
    assert "plots need matplotlib" in (tmp_path / "replay_report.md").read_text()
    write(tmp_path, {**SPLIT, "runs": []}, evaluation(GREEN))
    page = (tmp_path / "split_report.md").read_text()
    assert "- GFLOPS by size: not drawn, as nothing was measured\n- plots need matplotlib" in page


def test_nothing_is_loaded_before_a_plot_is_drawn():
    code = (
        "import sys; from pytest_cockpit_gates.gemm.closing import report;"
        "from pytest_cockpit_gates.gemm.phases import closing, rollback;"
        "print([it for it in ('matplotlib', 'numpy', 'pyopencl') if it in sys.modules])"
    )
    paths = [str(Path(process.__file__).parents[1]), str(Path(report.__file__).parents[3])]
    done = process.run(
        [sys.executable, "-c", f"import sys; sys.path[1:1] = {paths}; {code}"],
        cwd=Path.cwd(),
    )
    assert (done.returncode, done.stdout.strip()) == (0, b"[]"), done.stderr


def evaluation(*checks):
    return Evaluation(checks, "promote" if all(it.verdict.opens for it in checks) else "iterate")


DONE = dict.fromkeys(("plan", "pre-gate", "post-gate"), "pass")


def write(folder, artifact, made, **changes):
    assessment = None
    if made is not None:
        assessment = severity.assess(made, sla.load(folder, ""), at=AT)
    track = artifact.get("kind", "replay")
    given = {
        "phases": {**DONE, "canary": "pass"},
        "evidence": [("artifacts/gemm/run.json", "ab" * 32)],
        **changes,
    }
    session = report.Session(track, track, "s-1", "artifacts/gemm", **given)
    return report.write(folder, artifact, made, assessment, session, now=AT)


@drawn
def test_a_report_shows_its_plots(tmp_path):
    written = write(tmp_path, SPLIT, evaluation(GREEN), ceilings={"clover": Ceiling(180.0, 21.5)})
    page = (tmp_path / "split_report.md").read_text()
    shown = re.findall(r"!\[[^]]*\]\(<([^>]*)>\)", page)
    assert shown == [
        "split_gflops.svg",
        "split_ratio.svg",
        "split_overhead.svg",
        "split_roofline.svg",
    ]
    assert set(written.names) == {it.name for it in tmp_path.iterdir()}
    assert re.findall(r"^## (.*)$", page, re.MULTILINE) == [
        "Scope", "Checklist", "Results", "Plots", "Checks", "Severity", "Rollback", "Decision",
        "Evidence", "Escalation",
    ]  # fmt: skip
    assert "- Roofline: without rusticl, whose ceilings were not measured" in page
    documents.demand(
        json.loads((tmp_path / "split_decision.json").read_text()), "gemm-decision", ""
    )
    assert written.decision["block_decision"] == "promote"
    assert written.record["decision"] == "promote"
    # All that is JSON or Markdown is evidence of the week, the run first.
    assert written.record["evidence"] == [
        {"path": "artifacts/gemm/run.json", "sha256": "ab" * 32},
        *(
            {"path": f"artifacts/gemm/{it}", "sha256": sha256((tmp_path / it).read_bytes())}
            for it in ("split_report.md", "split_decision.json")
        ),
    ]


def judged(artifact, **policies):
    """The artifact as a strict evaluation judges it."""
    return evaluate(artifact, Policies(**policies), demands=Demands(min_ratio=1.1))


@drawn
@pytest.mark.parametrize("artifact", [REPLAY, SPLIT], ids=["replay", "split"])
def test_table_plot_and_check_have_the_same_figure(tmp_path, artifact):
    made = judged(artifact)
    write(tmp_path, artifact, made)
    prefix = artifact["kind"]
    page = (tmp_path / f"{prefix}_report.md").read_text()
    costs = [it for it in made.checks if it.name == "t5_overhead_bound"]
    assert costs
    lines = {it.key: it for it in results.lines(artifact, checks_of(made))}
    for check in costs:
        ends = check.observed["overhead_percent"]
        row = next(it for it in page.split("\n") if it.startswith(f"| `{check.key}` | 2 of 2"))
        assert f"{check.observed['bound']:g}" in row
        if ends is not None:
            assert lines[check.key].overhead_interval.high == ends["high"]
            assert f"{ends['estimate']:.4g}" in row
    told = words((tmp_path / f"{prefix}_overhead.svg").read_bytes())
    assert f"at most {costs[0].observed['bound']:g} %" in told
    assert "largest of any row" not in told
    for check in (it for it in made.checks if it.name == "rusticl_ratio_vs_clover"):
        ratio = spelled(Interval(**check.observed["ratio"]))
        assert f"| {plain(ratio)}, at least 1.1 | `pass` | 16 pairs from " in page
        assert ratio in check.message


def test_a_row_without_a_policy_has_its_interval_too():
    (line, *_) = results.lines(SPLIT)
    assert line.speed.bound is None
    assert line.speed.interval.low < (line.average or 0) < line.speed.interval.high
    assert line.latency.interval.low < (line.p95_ms or 0) < line.latency.interval.high
    row = {"kernel": "k", "size": 7, "platform_selector": "p", "status": "ok"}
    for walls in ([], [1.0], [0.0, -1, "x", None, float("inf"), 1e300], None, [1e-300] * 99):
        (line,) = results.lines({"runs": [{**row, "sessions": [{"wall_s": walls}]}]})
        assert (line.speed, line.latency) == (None, None)


@pytest.mark.parametrize(
    "value, said",
    [
        (0, "0"), (0.0021349, "0.00213"), (0.99, "0.990"), (61.87, "61.9"), (-28.31, "-28.3"),
        (178.72, "179"), (1480.4, "1480"), (1e-30, "0.000000000000"),
    ],
)  # fmt: skip
def test_three_digits_count(value, said):
    assert figures.significant(value) == said


@drawn
def test_what_has_no_interval_is_not_drawn(tmp_path):
    artifact = json.loads(json.dumps(SPLIT))
    del artifact["pairs"][2:]
    for row in artifact["runs"]:
        row["metrics"]["t5_pairs"] = (row["metrics"].get("t5_pairs") or [])[:1]
    write(tmp_path, artifact, judged(artifact))
    page = (tmp_path / "split_report.md").read_text()
    assert "- rusticl over clover: not drawn, as there are too few pairs for an interval" in page
    assert "not drawn, as there are too few pairs with and without it for an interval" in page
    assert "| no interval; at most 3 |" in page


def test_a_ratio_names_the_platforms_that_were_compared(tmp_path):
    key = "auto_t3_controlled:256@pocl/rusticl"
    check = Check("rusticl_ratio_vs_clover", "gemm.ratio", Verdict.FAIL, "0.7", key, {}, "go back")
    written = write(tmp_path, SPLIT, evaluation(check))
    page = (tmp_path / "split_report.md").read_text()
    assert "| `pocl_ratio_vs_rusticl` | `auto_t3_controlled:256@pocl/rusticl` | `fail`" in page
    assert "`rusticl_ratio_vs_clover`" not in page
    assert "pocl_ratio_vs_rusticl" in written.record["rationale"]
    made = evaluation(check)
    assert "pocl_ratio_vs_rusticl" in strict_documents.summary(made)
    assert strict_documents.findings(made)[0].message.startswith("pocl_ratio_vs_rusticl: auto")
    assert strict_documents.cases(made)[0].name.startswith("pocl_ratio_vs_rusticl[auto")


def test_phases_are_told_in_their_order_with_begin_and_end(tmp_path):
    told = [
        {"phase": "plan", "verdict": "pass", "begun": "2026-11-21T11:00:00Z",
         "ended": "2026-11-21T11:00:01Z"},
        {"phase": "canary", "verdict": "fail", "begun": "2026-11-21T11:00:02Z",
         "ended": "2026-11-21T11:09:02Z"},
        {"phase": "evaluation", "verdict": "skip"},
        "none",
    ]  # fmt: skip
    write(tmp_path, REPLAY, evaluation(GREEN), timeline=timeline(told))
    page = (tmp_path / "replay_report.md").read_text()
    table = page[page.index("## Checklist") : page.index("## Results")]
    assert re.findall(r"^\| replay \| (.*) \| 1 \|$", table, re.MULTILINE) == [
        "plan | `pass` | 2026-11-21T11:00:00Z | 2026-11-21T11:00:01Z | 1",
        "canary | `fail` | 2026-11-21T11:00:02Z | 2026-11-21T11:09:02Z | 540",
        "evaluation | `skip` | - | - | -",
    ]
    assert timeline(None) == timeline([None, 3]) == ()


def test_a_stopped_replay_is_told_by_what_stopped_it(tmp_path):
    event = {
        "snapshot": 1,
        "failed": ["t3_guardrails_all_runs"],
        "reasons": ["auto_t3_controlled:128@pocl: fell back at 9.0% of products"],
        "checks": {"t3_guardrails_all_runs": ["auto_t3_controlled:128@pocl: fell back at 9.0%"]},
    }
    artifact = {**REPLAY, "rollback_event": event}
    made = stopped.told(evaluation(GREEN), artifact)
    assert (made.decision, made.verdict) == ("iterate", Verdict.FAIL)
    written = write(tmp_path, artifact, made)
    page = (tmp_path / "replay_report.md").read_text()
    assert "`t3_guardrails_all_runs` |  | `fail` | snapshot 1 ended the campaign" in page
    assert "controlled:128" in page.partition("Snapshot 1 ended the campaign:")[2][:99]
    assert written.record["severity"] == "sev2_high"
    assert "run_failed" not in page
    for odd in (3, {}, {"failed": ["x"]}):
        assert stopped.told(evaluation(GREEN), {"rollback_event": odd}).decision == "iterate"
    assert stopped.told(evaluation(GREEN), {"rollback_event": None}) == evaluation(GREEN)
    red = Check("t3_guardrails_all_runs", "gemm.fallback-rate", Verdict.FAIL, "of all snapshots")
    assert stopped.told(evaluation(red), artifact).checks == (red,)


@drawn
def test_rows_that_all_failed_are_not_drawn(tmp_path):
    runs = [{**row, "status": "failed", "metrics": {}} for row in REPLAY["runs"]]
    write(tmp_path, {**REPLAY, "runs": runs}, evaluation(RED))
    page = (tmp_path / "replay_report.md").read_text()
    assert "- GFLOPS by size: not drawn, as nothing was measured" in page
    assert "| 0 of 2 | - | - | - | - | - | - |" in page


def test_what_is_green_has_no_remedy(tmp_path):
    green = Check(
        "t5_recall_bound", "gemm.guard-recall", Verdict.PASS, "fine", "", {}, "check more"
    )
    write(tmp_path, REPLAY, evaluation(green))
    assert "check more" not in (tmp_path / "replay_report.md").read_text()


def test_a_red_check_is_told_with_its_deadline(tmp_path):
    written = write(tmp_path, {}, evaluation(GREEN, RED))
    page = (tmp_path / "replay_report.md").read_text()
    assert "`p95_drift_bound` | `k:1@clover` | `fail` | +9 % of at most +8 %" in page
    assert "`sev3_medium`: respond by 2026-11-21T16:00:00Z" in page
    assert "- GFLOPS by size: not drawn, as nothing was measured\n" in page
    assert "rusticl over clover: not drawn, as a replay measures no pairs of platforms" in page
    assert "Roofline: not drawn" in page
    assert written.decision["block_decision"] == "iterate"
    assert written.record["red"][0]["check"] == "p95_drift_bound"
    assert written.record["severity"] == "sev3_medium"


@pytest.mark.parametrize(
    "made, changes, decision, block",
    [
        (evaluation(GREEN), {}, "promote", "promote"),
        # This is the rerun that was owed.
        (evaluation(GREEN), {"owed": "a rerun is owed"}, "promote", "promote"),
        # It was held to less than the settings ask for.
        (evaluation(GREEN), {"owed": "a rerun is owed", "short": True}, "promote", "iterate"),
        (evaluation(GREEN), {"short": True}, "promote", "promote"),
        (evaluation(RED), {"owed": "a rerun is owed"}, "iterate", "iterate"),
        (evaluation(GREEN), {"phases": {"post-gate": "fail"}}, "iterate", "iterate"),
        # A gate that was not done is not green.
        (evaluation(GREEN), {"phases": {"pre-gate": "pass"}}, "promote", "iterate"),
        (evaluation(GREEN), {"phases": {"post-gate": "skip"}}, "iterate", "iterate"),
        (Evaluation((GREEN, RED), "stop"), {}, "stop", "stop"),
        (Evaluation((GREEN, RED), "promote"), {}, "iterate", "iterate"),
        (Evaluation((), "promote"), {}, "unknown", "iterate"),
        (evaluation(GREEN), {"evidence": ()}, "unknown", "iterate"),
        (None, {"why": "the canary died"}, "unknown", "iterate"),
    ],
)
def test_what_a_session_decides(tmp_path, made, changes, decision, block):
    written = write(tmp_path, {}, made, **changes)
    assert (written.record["decision"], written.decision["block_decision"]) == (decision, block)
    owes = "owed" in changes and block != "promote"
    assert bool(written.decision["rerun_owed"]) is owes
    page = (tmp_path / "replay_report.md").read_text()
    assert ("A rerun is owed." in page, "No rerun is owed." in page) == (owes, not owes)


def test_what_kept_a_session_from_being_judged_is_told(tmp_path):
    phases = {"plan": "pass", "pre-gate": "fail", "canary": "skip", "evaluation": "unknown"}
    written = write(tmp_path, {}, None, phases=phases, why="nothing was measured")
    said = "nothing was measured; pre-gate is fail; canary is skip; evaluation is unknown"
    assert written.record["rationale"] == said


def test_everything_is_escaped(tmp_path):
    evil = "<script>alert(1)</script> | `x` [a](b) @all\n## no"
    artifact = json.loads(json.dumps(REPLAY))
    artifact["metadata"]["machine"]["cpu"] = evil
    artifact["metadata"]["policy"]["id"] = evil
    artifact["runs"][0]["kernel"] = evil
    bad = Check("p95_drift_bound", "gemm.drift", Verdict.FAIL, evil, evil, {}, evil)
    write(tmp_path, artifact, evaluation(bad), evidence=[(evil, None)], owed=evil, ceilings={})
    page = (tmp_path / "replay_report.md").read_text()
    assert "<script>" not in re.sub(r"(`+).*?\1", "", page)
    assert "\n## no" not in page
    assert "@all" not in re.sub(r"(`+).*?\1", "", page)
