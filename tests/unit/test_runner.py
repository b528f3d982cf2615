from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit import child, runner
from pytest_cockpit.api import CockpitError, Context, Lane, Move, Report, Verdict

GATES = """
import os, signal, sys, time
from pytest_cockpit.api import (
    CockpitError, Evidence, Finding, Preparation, Report, Rule, Severity, Verdict
)

def passed(context):
    return Report.judge("fine", checked=1)

def raises(context):
    raise ValueError("two\\nlines")

def refuses(context):
    raise CockpitError("key: expected this; write that")

def returns_nothing(context):
    return None

def ends(context):
    print("last words, password=hunter2", file=sys.stderr)
    os._exit(3)

def ends_well(context):
    os._exit(0)

def is_killed(context):
    os.kill(os.getpid(), signal.SIGSEGV)

def sleeps(context):
    time.sleep(60)

def answers_too_early(context):
    # An answer is there, and the process fails all the same.
    folder = os.path.dirname(sys.argv[2])
    with open(sys.argv[2], "w") as stream:
        stream.write("{}")
    os._exit(0)

def is_not_json(context):
    return Report(Verdict.PASS, "fine", evidence=(Evidence("odd", {"value": object()}),))

def passes_over_an_error(context):
    return Report(Verdict.PASS, "fine", 1, findings=(Finding("probe.rule", "broken"),))

def passes_unseen(context):
    return Report(Verdict.WARN, "fine", 0)

def tells_what_was_passed(context):
    finding = Finding("probe.rule", "seen " + os.environ["DB_LINE"], evidence={"x": ["a", os.environ["DB_LINE"]]})
    return Report.judge("with " + os.environ["DB_LINE"], checked=1, findings=[finding])

def tells_secrets(context):
    raise ValueError("https://user:hunter2@example.org said TOKEN=abcdefgh")

def tells_environment(context):
    return Report(Verdict.PASS, "fine", 1, evidence=(
        Evidence("process", {
            "environment": sorted(os.environ), "cwd": os.getcwd(),
            "pytest": "pytest" in sys.modules, "path0": sys.path[0],
        }),))

def tells_context(context):
    finding = Finding("probe.rule", context.lane.path, path=context.changed[0])
    return Report.judge(os.fsencode(context.changed[0]).hex(), checked=1, findings=[finding])

def tells_places(context):
    elsewhere = context.root.parent / "elsewhere.md"
    artifacts = context.scratch / "artifacts"
    artifacts.mkdir(parents=True)
    said = f"no {context.root}/a/b.py in {context.root}. See {os.path.expanduser('~/.cfg')}"
    elsewhere.write_text(said)
    (artifacts / "probe.md").write_text(said)
    (artifacts / "linked.md").symlink_to(elsewhere)
    os.link(elsewhere, artifacts / "second.md")
    found = [Finding("probe.rule", said, severity=Severity.INFO)]
    return Report.judge(said, checked=1, findings=found, evidence=[Evidence("where", {"said": [said]})])

def leaves_odd_artifacts(context):
    (context.scratch / "artifacts").mkdir(parents=True)
    os.mkfifo(context.scratch / "artifacts" / "pipe")
    (context.scratch / "artifacts" / "big.md").symlink_to("big.md")
    return passed(context)

class Gate:
    name = "probe"
    summary = "a gate"
    rules = (Rule("probe.rule", "a rule"),)
    settings_schema = {
        "type": "object",
        "properties": {"do": {"type": "string"}, "limit": {"type": "integer"}, "measure": {}},
        "additionalProperties": False,
    }
    def check(self, context):
        return globals()[context.settings.get("do", "passed")](context)
    def proofs(self):
        return ()
    def conduct(self, phase, context, options):
        return Report.judge(phase, checked=1)
    def prepare(self, context, options):
        if options["do"] == "refuse":
            raise CockpitError("probe: no tests; write some")
        return eval(options["do"])
    def baseline(self, context):
        if context.settings.get("measure") == "raise":
            raise ValueError("nothing to measure")
        if context.settings.get("measure") == "refuse":
            raise CockpitError("probe: no tests; write some")
        return context.settings.get("measure")

gate = Gate()

class Plain(Gate):
    name = "plain"
    baseline = property()

plain = Plain()
"""


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A context, and the gates above installed where only this process finds them."""
    site = tmp_path / "site"
    info = site / "probe_gates-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: probe-gates\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(
        "[pytest_cockpit.gates]\nprobe = probe_gates:gate\nplain = probe_gates:plain\n"
        "broken = module_that_is_not_there:gate\n"
    )
    (site / "probe_gates.py").write_text(GATES)
    monkeypatch.syspath_prepend(site)
    (tmp_path / "root").mkdir()
    yield Context(root=tmp_path / "root", scratch=tmp_path / "scratch")
    sys.modules.pop("probe_gates", None)


def judged(context: Context, **settings) -> Report:
    own = dataclasses.replace(context, settings=settings)
    return runner.run_gate("probe", own, timeout=30)


def evidence(report: Report, name: str):
    return next(item.data for item in report.evidence if item.name == name)


def test_a_report_comes_back_with_its_cost(context):
    report = judged(context)
    assert (report.verdict, report.summary, report.checked) == (Verdict.PASS, "fine", 1)
    timing = evidence(report, "timing")
    assert timing["cpu_s"] > 0
    assert timing["wall_s"] > 0


def test_the_scratch_folder_holds_nothing_of_ours_afterwards(context):
    judged(context)
    assert list(context.scratch.iterdir()) == []


@pytest.mark.parametrize(
    ("do", "summary"),
    [
        ("raises", "probe: ValueError: two"),
        ("refuses", "probe: key: expected this; write that"),
        ("returns_nothing", "probe: check returned NoneType, not an api.Report"),
        ("ends", "ended with exit code 3: last words, password=***"),
        ("ends_well", "left no readable answer"),
        ("is_killed", "killed by signal 11"),
        ("answers_too_early", "the answer is no report"),
        ("is_not_json", "cannot be written as JSON"),
    ],
)
def test_whatever_goes_wrong_is_an_error_in_one_line(context, do, summary):
    report = judged(context, do=do)
    assert report.verdict is Verdict.ERROR
    assert summary in report.summary
    assert "\n" not in report.summary


def test_the_end_of_the_error_output_is_evidence(context):
    found = evidence(judged(context, do="ends"), "child")
    assert found == {"exit": 3, "stderr": "last words, password=***"}
    assert "Segmentation fault" in evidence(judged(context, do="is_killed"), "child")["stderr"]
    assert "in raises" in evidence(judged(context, do="raises"), "traceback")["text"]


def test_a_gate_that_takes_too_long_is_stopped(context):
    own = Context(root=context.root, scratch=context.scratch, settings={"do": "sleeps"})
    report = runner.run_gate("probe", own, timeout=0.5)
    assert report.verdict is Verdict.ERROR
    assert "stopped after 0.5 s without an answer" in report.summary
    assert evidence(report, "timing")["wall_s"] < 20


def test_secrets_do_not_reach_the_report(context):
    report = judged(context, do="tells_secrets")
    assert "hunter2" not in str(report)
    assert "abcdefgh" not in str(report)
    assert "https://***@example.org said TOKEN=***" in report.summary


@pytest.mark.parametrize("do", ["passes_over_an_error", "passes_unseen"])
def test_a_verdict_that_its_findings_forbid_is_an_error(context, do):
    report = judged(context, do=do)
    assert report.verdict is Verdict.ERROR
    assert "but its findings say" in report.summary


def test_the_values_of_passed_variables_do_not_reach_the_report(context, monkeypatch):
    monkeypatch.setenv("DB_LINE", "battery-staple")
    told = dataclasses.replace(context, pass_environment=("DB_LINE",))
    report = judged(told, do="tells_what_was_passed")
    assert report.summary == "with ***"
    assert "battery" not in str(report.to_json())
    assert runner.without_values(b"x battery-staple y", ["DB_LINE"]) == b"x *** y"


def test_no_path_of_this_machine_reaches_the_report_or_an_artifact(context, monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    report = judged(context, do="tells_places")
    said = "no a/b.py in .. See ~/.cfg"
    assert (report.summary, report.findings[0].message) == (said, said)
    assert evidence(report, "where") == {"said": [said]}
    own = context.scratch / "artifacts"
    assert [path.name for path in runner.artifacts_in(context.scratch)] == ["probe.md", "second.md"]
    assert {path.read_text() for path in runner.artifacts_in(context.scratch)} == {said}
    # What the names were links to is somebody else's.
    assert str(context.root) in (own / "linked.md").read_text()


def test_artifacts_that_are_no_files_are_nobodys(context, tmp_path):
    assert judged(context, do="leaves_odd_artifacts").verdict is Verdict.PASS
    assert runner.artifacts_in(context.scratch) == []
    (tmp_path / "x/artifacts").mkdir(parents=True)
    (tmp_path / "x/artifacts/file").touch()
    (tmp_path / "y").mkdir()
    (tmp_path / "y/artifacts").symlink_to(tmp_path / "x/artifacts")
    assert len(runner.artifacts_in(tmp_path / "x")) == 1
    assert runner.artifacts_in(tmp_path / "y") == []


def test_invalid_settings_are_an_error_with_every_key(context):
    report = judged(context, do=3, limit="x", lmit=1)
    assert report.verdict is Verdict.ERROR
    assert report.summary.startswith("tool.cockpit.gate.probe.do: ")
    assert report.summary.endswith("(and 2 more)")
    errors = evidence(report, "settings")["errors"]
    assert [error.partition(":")[0] for error in errors] == [
        "tool.cockpit.gate.probe.do",
        "tool.cockpit.gate.probe.limit",
        "tool.cockpit.gate.probe.lmit",
    ]


@pytest.mark.parametrize(
    ("schema", "wrong"),
    [
        ({"type": "object", "properties": {"a": {}}, "additionalProperties": False}, False),
        ({"type": "object", "required": ["a"]}, True),
        ({"type": "object", "minProperties": 1}, True),
        ({"type": "array"}, True),
        ({"anyOf": [{"required": ["a"]}]}, True),
        ({}, False),
    ],
)
def test_an_empty_table_is_held_against_a_schema_that_demands_something(schema, wrong):
    gate = SimpleNamespace(name="g", settings_schema=schema)
    assert bool(child.settings_errors(gate, {})) is wrong


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (["a: is no b; name a b"], ["tool.cockpit.gate.g.a: is no b; name a b"]),
        ("a: is no b", ["contradictions: TypeError: gives one text, not several"]),
        (None, ["contradictions: TypeError: "]),
        (ValueError("two\nlines"), ["contradictions: ValueError: two"]),
    ],
)
def test_what_a_gate_says_of_its_settings_is_told_whatever_it_is(said, told):
    def contradictions(_):
        if isinstance(said, Exception):
            raise said
        return said

    gate = SimpleNamespace(
        name="g", settings_schema={"type": "object"}, contradictions=contradictions
    )
    found = child.settings_errors(gate, {"a": 1})
    assert len(found) == len(told)
    assert all(part in line for part, line in zip(told, found, strict=True))
    assert all("\n" not in line for line in found)


@pytest.mark.parametrize(
    ("do", "said"),
    [
        ("refuse", "^probe: probe: no tests; write some$"),
        ("None", "^probe: prepare returned NoneType, not an api.Preparation$"),
        (
            "Preparation(('a line', 'other'), 'one')",
            r"prepare must .* \(lines is one text, not sev",
        ),
        ("1 / 0", "ZeroDivisionError"),
    ],
)
def test_what_is_no_preparation_is_one_line(context, do, said):
    with pytest.raises(CockpitError, match=said) as caught:
        runner.prepare("probe", context, {"do": do})
    assert "\n" not in str(caught.value)


def test_settings_that_json_cannot_carry_are_an_error(context):
    report = judged(context, limit=float("nan"))
    assert report.verdict is Verdict.ERROR
    assert "settings cannot be handed over" in report.summary


def test_a_gate_declared_not_applicable_is_not_run(context):
    report = judged(context, skip="no such thing here", do="sleeps")
    assert (report.verdict, report.evidence) == (Verdict.SKIP, ())
    assert report.summary == "declared not applicable: no such thing here"


@pytest.mark.parametrize("reason", ["", "  ", True, 1, []])
def test_a_skip_without_a_reason_is_an_error(context, reason):
    report = judged(context, skip=reason)
    assert report.verdict is Verdict.ERROR
    assert "tool.cockpit.gate.probe.skip: expected a reason" in report.summary


def test_an_unknown_gate_is_an_error_that_tells_the_broken_ones(context):
    report = runner.run_gate("nosuch", context)
    assert report.verdict is Verdict.ERROR
    assert "nosuch: no such gate could be loaded" in report.summary
    assert "broken: module_that_is_not_there:gate" in report.summary


def test_an_interpreter_that_is_not_there_is_an_error(context):
    own = Context(root=context.root, scratch=context.scratch, python="/nowhere/python")
    report = runner.run_gate("probe", own)
    assert report.verdict is Verdict.ERROR
    assert "could not be started: /nowhere/python" in report.summary


def test_the_child_runs_in_scratch_with_a_clean_environment(context, monkeypatch):
    monkeypatch.setenv("PYTEST_ADDOPTS", "-x")
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("KEPT_TOKEN", "1")
    monkeypatch.setenv("OTHER_TOKEN", "1")
    context.scratch.mkdir()
    (context.scratch / "json.py").write_text("raise SystemExit('shadowed')")
    own = Context(
        root=context.root,
        scratch=context.scratch,
        settings={"do": "tells_environment"},
        pass_environment=("KEPT_TOKEN",),
    )
    seen = evidence(runner.run_gate("probe", own), "process")
    names = set(seen["environment"])
    assert "KEPT_TOKEN" in names
    assert not {"PYTEST_ADDOPTS", "GIT_DIR", "OTHER_TOKEN", "PYTHONPATH"} & names
    assert seen["cwd"] == str(context.scratch.resolve())
    assert not seen["pytest"]


def test_a_context_arrives_whole_whatever_its_paths(context):
    name = os.fsdecode(b"caf\xe9.py")
    own = Context(
        root=context.root,
        scratch=context.scratch,
        settings={"do": "tells_context"},
        lane=Lane(path="attic", aliases={"acme": ("", "attic")}),
        moves=(Move("attic/a.py", "a.py", "0" * 40),),
        changed=(name,),
    )
    report = runner.run_gate("probe", own)
    assert report.summary == b"caf\xe9.py".hex()
    assert report.findings[0].path == r"caf\udce9.py"
    assert report.findings[0].message == "attic"


def test_a_baseline_is_measured_in_a_child(context):
    measured = {"entries": {"a.py": {"covered": 3}}, "meta": {}}
    own = Context(root=context.root, scratch=context.scratch, settings={"measure": measured})
    assert runner.measure_baseline("probe", own) == measured
    assert runner.measure_baseline("probe", context) is None


@pytest.mark.parametrize(
    ("gate", "settings", "error"),
    [
        ("probe", {"measure": "raise"}, "ValueError: nothing to measure"),
        ("probe", {"measure": "refuse"}, "^probe: no tests; write some$"),
        ("probe", {"measure": {"entries": {}}}, "baseline must give entries and meta"),
        ("probe", {"limit": "x"}, "tool.cockpit.gate.probe.limit"),
        ("plain", {}, "plain: keeps no baseline"),
        ("nosuch", {}, "nosuch: no such gate"),
    ],
)
def test_a_baseline_that_cannot_be_had_is_an_error(context, gate, settings, error):
    own = Context(root=context.root, scratch=context.scratch, settings=settings)
    with pytest.raises(CockpitError, match=error) as caught:
        runner.measure_baseline(gate, own)
    assert "\n" not in str(caught.value)


def test_our_folders_come_before_installed_packages_and_after_the_library(monkeypatch):
    import site

    installed = site.getsitepackages()[0]
    monkeypatch.setattr(sys, "path", ["/library", installed, "/late"])
    child._extend_path(["/ours", "/late"])
    assert sys.path == ["/library", "/ours", installed, "/late"]


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("password=hunter2 next", "password=*** next"),
        ('{"api_key": "hunter2", "a": 1}', '{"api_key": ***, "a": 1}'),
        ("AWS_SECRET_ACCESS_KEY=hunter2", "AWS_SECRET_ACCESS_KEY=***"),
        ("Authorization: Bearer hunter2hunter2", "Authorization: *** ***"),
        ("https://me:hunter2@example.org/x", "https://***@example.org/x"),
        ("ghp_0123456789abcdefABCDEF", "***"),
        ("-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\nx", "***\nx"),
        ("hunter2\n-----END RSA PRIVATE KEY-----\nx", "***\nx"),
        ("x\n-----BEGIN RSA PRIVATE KEY-----\nhunter2", "x\n***"),
        ("tokenize.TokenError: unexpected end", "tokenize.TokenError: unexpected end"),
        ("a plain line: with words", "a plain line: with words"),
    ],
)
def test_what_looks_like_a_secret_is_masked(text, redacted):
    assert runner.redact(text) == redacted


def test_the_values_of_secret_variables_are_masked(monkeypatch):
    monkeypatch.setenv("DEPLOY_TOKEN", "correct horse")
    monkeypatch.setenv("SHORT_TOKEN", "a")
    assert runner.redact("it said correct horse, a battery") == "it said ***, a battery"


@given(st.text())
def test_masking_takes_any_text(text):
    assert isinstance(runner.redact(text), str)
