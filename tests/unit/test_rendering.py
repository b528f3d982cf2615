"""Reports as text."""

from __future__ import annotations

from pytest_cockpit.api import Evidence, Finding, Report, Severity, Verdict
from pytest_cockpit.rendering import finding_lines, report_text, table


def test_findings_are_shown_worst_first_with_place_rule_and_remedy():
    report = Report.judge(
        "two files",
        checked=2,
        findings=[
            Finding("g.warn", "tight", Severity.WARNING, path="b.py", line=3),
            Finding("g.bad", "broken", path="a.py", line=7, remedy="mend it"),
            Finding("g.note", "fine", Severity.INFO, path="c.py"),
        ],
    )
    assert report_text("g", report).splitlines() == [
        "g: FAIL: two files",
        "  a.py:7: broken [g.bad]",
        "      remedy: mend it",
        "  warning: b.py:3: tight [g.warn]",
    ]


def test_what_is_left_out_is_said():
    findings = [Finding("g.bad", f"number {n}", path="a.py", line=n) for n in range(30)]
    lines = report_text("g", Report.judge("many", checked=30, findings=findings)).splitlines()
    assert len(lines) == 22
    assert lines[-1] == "  … and 10 more findings in the gate's artifact"


def test_an_error_shows_what_the_child_said():
    report = Report(Verdict.ERROR, "boom", evidence=(Evidence("child", {"stderr": "Killed"}),))
    assert report_text("g", report) == "g: ERROR: boom\n  stderr: Killed"


def test_a_pointer_stands_for_a_line():
    finding = Finding("g.bad", "wrong", path="c.json", pointer="/module")
    assert finding_lines(finding) == ["  c.json#/module: wrong [g.bad]"]


def test_a_pointer_stands_beside_a_line():
    finding = Finding("g.bad", "wrong", path="c.json", line=3, pointer="/identity/tiers/0")
    assert finding_lines(finding) == ["  c.json:3 at /identity/tiers/0: wrong [g.bad]"]
    whole = Finding("g.bad", "wrong", path="c.json", line=1, pointer="")
    assert finding_lines(whole) == ["  c.json:1: wrong [g.bad]"]


def test_a_name_that_is_no_utf8_can_be_shown():
    text = "\n".join(finding_lines(Finding("g.bad", "x", path="caf\udce9.py")))
    assert text.encode("utf-8")


def test_a_name_cannot_break_a_line_or_turn_its_direction():
    finding = Finding("g.bad", "a\nb", path="x\n::error::\u202ey.py", remedy="c\x1b[31md")
    assert finding_lines(finding) == [
        r"  x\n::error::\u202ey.py: a\nb [g.bad]",
        r"      remedy: c\x1b[31md",
    ]


def test_columns_are_as_wide_as_their_widest_cell():
    assert table([("a", "bb"), ("ccc", "d")]) == ["a    bb", "ccc  d"]
