from __future__ import annotations

import dataclasses
import re
import runpy
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_cockpit.api import (
    CockpitError,
    Context,
    Finding,
    Gate,
    Proof,
    Report,
    Rule,
    Severity,
    Verdict,
)
from pytest_cockpit.testing import check_proofs, lacking, prove, run_gate, shortcomings

RULES = (Rule("words.no-shouting", "No file shouts."), Rule("words.some-words", "There are words."))


@dataclasses.dataclass
class Words:
    """A gate in the size of an example: files must hold words, none of them in capitals."""

    name: str = "words"
    summary: str = "files hold quiet words"
    rules: Sequence[Rule] = RULES
    settings_schema: Any = dataclasses.field(
        default_factory=lambda: {
            "type": "object",
            "properties": {"suffix": {"type": "string"}},
            "additionalProperties": False,
        }
    )
    given: Iterable[Proof] = (
        Proof("accepts-quiet", {"a.txt": "quiet"}, Verdict.PASS),
        Proof("refuses-shouting", {"a.txt": "LOUD"}, Verdict.FAIL, "words.no-shouting"),
        Proof("refuses-nothing", {"a.txt": ""}, Verdict.UNKNOWN, "words.some-words"),
    )

    def check(self, context: Context) -> Report:
        findings, checked = [], 0
        for path in sorted(context.root.glob(f"*{context.settings.get('suffix', '.txt')}")):
            text = path.read_text(encoding="utf-8")
            checked += 1
            if text.isupper():
                findings.append(Finding("words.no-shouting", "shouts", path=path.name))
            if not text:
                lacking = Finding("words.some-words", "is empty", Severity.UNKNOWN, path.name)
                findings.append(lacking)
        return Report.judge(f"{checked} files", checked=checked, findings=findings)

    def proofs(self) -> Iterable[Proof]:
        return self.given


class Recorder(Words):
    """Reports the context it was given."""

    def check(self, context: Context) -> Report:
        self.context = context
        self.seen = {
            path.relative_to(context.root).as_posix()
            for path in context.root.rglob("*")
            if path.is_file() and ".git" not in path.parts
        }
        return Report.judge("seen", checked=1)


def test_the_example_is_a_gate():
    assert isinstance(Words(), Gate)


def test_a_gate_is_run_in_three_lines(tmp_path):
    report = run_gate(Words(), {"a.txt": "LOUD", "sub/b.bin": b"\xff"}, tmp_path=tmp_path)
    assert report.verdict is Verdict.FAIL
    assert report.findings[0].where == "a.txt"


def test_runs_in_one_folder_do_not_see_each_other(tmp_path):
    run_gate(Words(), {"a.txt": "LOUD"}, tmp_path=tmp_path)
    assert run_gate(Words(), {"b.txt": "quiet"}, tmp_path=tmp_path).checked == 1


def test_fields_of_the_context_are_passed_on(tmp_path):
    gate = Recorder()
    run_gate(gate, {}, tmp_path=tmp_path, settings={"suffix": ".md"}, batch_id="b")
    assert (gate.context.settings, gate.context.batch_id) == ({"suffix": ".md"}, "b")
    assert gate.context.scratch.is_dir()
    assert gate.context.scratch != gate.context.root


def test_settings_are_checked_like_everywhere(tmp_path):
    report = run_gate(Words(), {}, tmp_path=tmp_path, settings={"sufix": 1})
    assert report.verdict is Verdict.ERROR
    assert "tool.cockpit.gate.words.sufix: unknown key" in report.summary
    assert run_gate(Words(), {}, tmp_path=tmp_path, settings={"skip": "why"}).verdict == "skip"


def test_base_files_make_a_repository_of_two_commits(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_AUTHOR_DATE", "no date")
    gate = Recorder()
    base = {"kept.txt": "a", "changed.txt": "a", "gone.txt": "a", "sub/gone.txt": "a"}
    files = {
        "kept.txt": "a",
        "changed.txt": "b",
        "n\u00e9w.txt": "c",
        ".gitignore": "*.log",
        "x.log": "",
    }
    run_gate(gate, files, tmp_path=tmp_path, base_files=base)
    root = gate.context.root
    assert gate.seen == set(files)
    assert gate.context.changed == (".gitignore", "changed.txt", "n\u00e9w.txt", "x.log")
    log = subprocess.run(
        ["git", "log", "--format=%H"],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin"},
    ).stdout.split()
    assert log == [gate.context.commit, gate.context.base]


def test_a_proof_with_a_base_is_the_same_commit_every_time(tmp_path):
    ids = set()
    for _ in range(2):
        gate = Recorder()
        run_gate(gate, {"a": "1"}, tmp_path=tmp_path, base_files={})
        ids.add((gate.context.base, gate.context.commit))
    assert len(ids) == 1


@pytest.mark.parametrize("path", ["/etc/passwd", "../a", "a/../../b", "a//b", "", "./a"])
def test_files_stay_below_the_tree(tmp_path, path):
    with pytest.raises(CockpitError, match="expected a path below the tree"):
        run_gate(Words(), {path: ""}, tmp_path=tmp_path)


def test_a_name_that_is_not_installed_is_an_error(tmp_path):
    with pytest.raises(CockpitError, match="nosuch: no gate of this name is installed"):
        run_gate("nosuch", {}, tmp_path=tmp_path)


@pytest.mark.parametrize("proof", Words().proofs(), ids=lambda proof: proof.name)
def test_a_proof_holds(tmp_path, proof):
    assert shortcomings(Words(), proof, prove(Words(), proof, tmp_path)) == []


def test_a_proof_that_does_not_hold_says_why(tmp_path):
    proof = Proof("p", {"a.txt": "quiet"}, Verdict.FAIL, "words.no-shouting")
    assert shortcomings(Words(), proof, prove(Words(), proof, tmp_path)) == [
        "p: expected fail, got pass: 1 files",
        "p: expected a finding of words.no-shouting, got none",
    ]


def test_a_finding_of_an_undeclared_rule_is_told(tmp_path):
    gate = Words(rules=RULES[:1])
    proof = Proof("p", {"a.txt": ""}, Verdict.UNKNOWN)
    found = shortcomings(gate, proof, prove(gate, proof, tmp_path))
    assert found == ["p: finding of words.some-words, which is not among the gate's rules"]


def test_a_raising_gate_is_a_report_of_verdict_error(tmp_path):
    class Raising(Words):
        def check(self, context: Context) -> Report:
            raise OSError("gone")

    proof = Proof("p", {}, Verdict.PASS)
    report = prove(Raising(), proof, tmp_path)
    assert report.verdict is Verdict.ERROR
    assert "words: OSError: gone" in report.summary


def test_complete_proofs_have_no_gaps():
    assert check_proofs(Words()) == []


ACCEPTS = Proof("accepts", {}, Verdict.PASS)
SHOUTS = Proof("shouts", {}, Verdict.FAIL, "words.no-shouting")
LACKS = Proof("lacks", {}, Verdict.UNKNOWN, "words.some-words")


@pytest.mark.parametrize(
    ("changes", "gap"),
    [
        ({"given": (ACCEPTS, SHOUTS)}, "rule words.some-words: no proof"),
        ({"given": (SHOUTS, LACKS)}, "words: no proof of a tree that it accepts"),
        ({"given": (ACCEPTS, SHOUTS, LACKS, ACCEPTS)}, "proof accepts: 2 have this name"),
        (
            {"given": (ACCEPTS, SHOUTS, LACKS, Proof("odd", {}, Verdict.FAIL, "words.odd"))},
            "proof odd: words.odd is not among the gate's rules",
        ),
        (
            {"given": (ACCEPTS, LACKS, Proof("s", {}, Verdict.PASS, "words.no-shouting"))},
            "proof s: a tree that breaks words.no-shouting cannot be pass",
        ),
        (
            {"given": (ACCEPTS, SHOUTS, LACKS, Proof("odd", {}, Verdict.FAIL))},
            "proof odd: expects fail but names no rule",
        ),
        ({"rules": ()}, "words: declares no rule"),
        ({"rules": (*RULES, RULES[0])}, "rule words.no-shouting: declared 2 times"),
        (
            {"rules": (*RULES, Rule("other.rule", "x"))},
            "rule other.rule: expected words.<words-joined-by-hyphens>",
        ),
        (
            {"rules": (*RULES, Rule("words.Two_Words", "x"))},
            "rule words.Two_Words: expected words.<words-joined-by-hyphens>",
        ),
        ({"rules": (*RULES, Rule("words.third", " "))}, "rule words.third: has no summary"),
    ],
)
def test_a_gap_in_the_proofs_is_told(changes, gap):
    assert gap in check_proofs(Words(**changes))


def test_the_guides_gate_and_its_tests_hold(pytester):
    page = Path(__file__).parents[2] / "docs" / "gates" / "writing-a-gate.md"
    code, tests, *_ = re.findall(
        r"^```python\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    pytester.makepyfile(licences=code)
    pytester.makepyfile(test_licences=f"from licences import MARK, gate\n{tests}")
    pytester.runpytest_inprocess("-p", "no:randomly").assert_outcomes(passed=4)


def test_the_guides_campaign_is_one(tmp_path):
    page = Path(__file__).parents[2] / "docs" / "gates" / "writing-a-gate.md"
    *_, plugin, method = re.findall(
        r"^```python\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    (tmp_path / "both.py").write_text(plugin + method)
    names = runpy.run_path(str(tmp_path / "both.py"), init_globals={"Report": Report})
    assert names["pytest_cockpit_campaign"](SimpleNamespace(acme_scan=False)) is None
    campaign = names["pytest_cockpit_campaign"](SimpleNamespace(acme_scan=True))
    assert campaign.gate == "licences"
    assert set(campaign.closing) <= set(campaign.phases)
    (tmp_path / "scratch").mkdir()
    context = Context(root=tmp_path, scratch=tmp_path / "scratch")
    for phase in campaign.phases:
        said = names["conduct"](None, phase, context, {**campaign.options, "attempt": 2})
        assert said.verdict is Verdict.PASS
    assert (tmp_path / "scratch/artifacts/scan.md").read_text() == "attempt 2: depth 3\n"


def test_no_pytest_is_needed():
    code = "import sys, pytest_cockpit.testing; sys.exit('pytest' in sys.modules)"
    folders = [str(Path(path)) for path in sys.path if path]
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {folders!r}; {code}"], check=False
    )
    assert done.returncode == 0


def test_a_proof_says_what_it_lacks():
    proof = Proof("x", {}, Verdict.PASS, needs=("json", "no_such_module_x", "no_such_package_x.y"))
    assert lacking(proof) == ["no_such_module_x", "no_such_package_x.y"]
    assert lacking(Proof("x", {}, Verdict.PASS)) == []
