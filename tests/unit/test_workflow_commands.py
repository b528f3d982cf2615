"""Findings as workflow commands: where they point, how many there are, and that no more come of them."""

from __future__ import annotations

import re
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit import workflow_commands
from pytest_cockpit.api import Finding, Report, Severity, Verdict

COMMAND = re.compile(r"::(error|warning|notice) ([^:]*)::(.*)")
commands = partial(workflow_commands.commands, rest="see x/")


def report(*findings):
    return {"imports": Report(Verdict.FAIL, "red", len(findings), findings)}


def finding(message="m", **rest):
    return Finding("imports.import-fails", message, **rest)


def test_a_finding_is_one_command_with_place_rule_and_remedy():
    found = finding("100 % lost", path="a,b:c.py", line=3, remedy="find it")
    (line,) = commands(report(found))
    assert line == (
        "::error file=a%2Cb%3Ac.py,line=3,title=imports.import-fails::100 %25 lost%0ARemedy: find it"
    )


def test_levels_follow_severities_and_the_worst_come_first():
    found = [
        finding("w", severity=Severity.WARNING),
        finding("u", severity=Severity.UNKNOWN),
        finding("i", severity=Severity.INFO, path="changed.py"),
        finding("j", severity=Severity.INFO, path="other.py"),
        finding("e"),
    ]
    lines = list(commands(report(*found), changed={"changed.py"}))
    assert [COMMAND.findall(line)[0][::2] for line in lines] == [
        ("error", "e"),
        ("error", "u"),
        ("warning", "w"),
        ("notice", "i"),
    ]


@pytest.mark.parametrize(
    ("number", "shown", "said"),
    [
        (10, 10, []),
        (11, 10, ["cockpit: 1 more error is not annotated: see x/"]),
        (5_000, 10, ["cockpit: 4990 more errors are not annotated: see x/"]),
    ],
)
def test_ten_annotations_of_a_level_and_the_rest_counted(number, shown, said):
    lines = list(commands(report(*(finding(str(n), path="a.py") for n in range(number)))))
    assert sum(line.startswith("::error ") for line in lines) == shown
    assert [line for line in lines if not line.startswith("::")] == said


def test_each_level_has_ten_of_its_own():
    found = [finding(severity=severity, path="a.py") for severity in Severity for _ in range(12)]
    lines = list(commands(report(*found), changed={"a.py"}))
    counts = {
        level: sum(line.startswith(f"::{level} ") for line in lines)
        for level in ("error", "warning", "notice")
    }
    assert counts == {"error": 10, "warning": 10, "notice": 10}


def test_a_moved_file_is_shown_where_people_see_it():
    (line,) = commands(report(finding(path="core/a.py")), here={"core/a.py": "candidate/core/a.py"})
    assert "file=candidate/core/a.py," in line


@given(
    st.text(max_size=60),
    st.text(min_size=1, max_size=30),
    st.text(max_size=30).map(lambda t: t or None),
)
def test_no_text_breaks_out_of_its_command(message, path, remedy):
    (line,) = commands(report(finding(message or "m", path=path, remedy=remedy)))
    assert len(line.splitlines()) == 1
    assert "\r" not in line
    head, _, _ = line.removeprefix("::error ").partition("::")
    assert sorted(part.partition("=")[0] for part in head.split(",")) == ["file", "title"]
    line.encode()


@pytest.mark.parametrize(
    "text", ["::set-output name=x::y", "\n::add-mask::x", "\r::error::x", "%0A::x::"]
)
def test_commands_in_messages_and_names_stay_text(text):
    for found in (finding(text), finding(path=text), finding(remedy=text)):
        lines = list(commands(report(found)))
        assert len(lines) == 1
        assert lines[0].startswith("::error ")
        assert "\n" not in lines[0]
        assert "%250A" in lines[0] or "%0A::x" not in lines[0]


def test_a_long_message_is_shortened():
    (line,) = commands(report(finding("x" * 100_000)))
    assert len(line) < 2_200


def test_a_line_of_words_holds_no_command_of_either_spelling():
    assert (
        workflow_commands.inert("a ##[add-mask]b\n::error::c") == "a ##\\[add-mask]b\\n::error::c"
    )
