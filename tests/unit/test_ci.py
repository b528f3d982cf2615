"""What a pipeline shows of a session, at its limits and against what would break out of it."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.api import Finding, Report, Severity, Verdict
from pytest_cockpit.records import limits
from pytest_cockpit.records.limits import characters, cut, octets, short
from pytest_cockpit.records.markdown import fenced
from pytest_cockpit.sessions import ci
from pytest_cockpit.sessions.ci import Pipeline

REST = "the rest is in artifacts/"
ASTRAL = "🚢"


def report(*findings):
    return {"imports": Report(Verdict.FAIL, "red", len(findings), findings)}


def finding(message="m", **rest):
    return Finding("imports.import-fails", message, **rest)


# ---------------------------------------------------------------- cutting


@pytest.mark.parametrize("size", [characters, octets])
@pytest.mark.parametrize("line", ["a" * 9, ASTRAL * 9, "é" * 9])
def test_text_at_the_limit_stays_and_one_more_is_cut(size, line):
    text = "\n".join([line] * 50)
    limit = size(text)
    assert cut(text, limit, size=size, rest=REST) == text
    shorter = cut(text, limit - 1, size=size, rest=REST)
    assert size(shorter) < limit
    kept = shorter.split("\n\n*")[0].split("\n")
    assert set(kept) == {line}
    assert f"*{50 - len(kept)} more lines: {REST}*" in shorter


def test_a_comment_is_counted_in_units_of_which_an_emoji_takes_two():
    assert characters(ASTRAL) == 2
    assert characters("a") == characters("é") == 1
    fits = ASTRAL * (limits.COMMENT // 2) + "a"
    assert characters(fits) == limits.COMMENT
    assert cut(fits, limits.COMMENT, size=characters, rest=REST) == fits
    over = cut(fits + "a", limits.COMMENT, size=characters, rest=REST)
    assert over == f"\n*1 more line: {REST}*\n"


def test_a_huge_text_is_cut_to_what_fits():
    text = "\n".join(f"{number} {ASTRAL}" for number in range(300_000))
    shorter = cut(text, limits.SUMMARY, size=octets, rest=REST)
    assert limits.SUMMARY - 20 < octets(shorter) <= limits.SUMMARY
    assert shorter.startswith("0 🚢\n1 🚢\n")
    note = re.search(r"\*([\d,]+) more lines", shorter)
    assert note is not None
    left = int(note[1].replace(",", ""))
    assert left + shorter.count(ASTRAL) == 300_000


def test_what_is_open_at_the_cut_is_closed():
    text = "<details>\n\n````diff\n" + "+ line\n```\n" * 40 + "````\n</details>\n"
    shorter = cut(text, 200, size=characters, rest=REST)
    assert characters(shorter) <= 200
    body, note = shorter.split("\n</details>\n")
    assert body.endswith("\n````\n")
    assert REST in note
    closed = cut("```\nx\n```\n" + "y\n" * 99, 100, size=characters, rest=REST)
    assert closed.count("```") == 2


def test_where_not_even_the_note_fits_nothing_is_left():
    assert cut("x\n" * 99, 10, size=characters, rest=REST) == ""
    assert cut("", 0, size=characters, rest=REST) == ""


@given(st.lists(st.text("a`~🚢\n<>", max_size=12), max_size=30), st.integers(0, 120))
def test_a_cut_is_never_too_long_and_keeps_whole_lines(lines, limit):
    text = "\n".join(lines)
    for size in (characters, octets):
        shorter = cut(text, limit, size=size, rest=REST)
        assert size(shorter) <= limit
        if shorter != text and shorter:
            assert REST in shorter.splitlines()[-1]


def test_one_line_is_shortened_visibly():
    assert short("abc", 3) == "abc"
    assert short("abcd", 3) == "ab…"


@given(st.text("`~\t\u202ex", max_size=40))
def test_no_line_of_a_text_ends_its_fence(text):
    block = fenced(text, "diff").split("\n")
    fence = block[-1]
    assert block[0] == f"{fence}diff"
    assert all(fence not in line for line in block[1:-1])


# ---------------------------------------------------------------- job summary


@pytest.mark.parametrize("there", [0, 1, limits.SUMMARY - 200, limits.SUMMARY - 1, limits.SUMMARY])
def test_a_summary_takes_the_room_that_the_step_has_left(tmp_path, there):
    path = tmp_path / "summary.md"
    path.write_bytes(b"x" * there)
    text = "a line of the summary\n" * 60_000
    said = ci.add_summary(path, text, REST)
    assert path.stat().st_size <= limits.SUMMARY
    assert path.read_bytes()[:there] == b"x" * there
    assert said == f"the job summary was cut to its limit of 1,048,576 bytes: {REST}"


def test_a_summary_exactly_at_the_limit_is_whole(tmp_path):
    path = tmp_path / "summary.md"
    path.write_bytes(b"y" * 24)
    assert ci.add_summary(path, "x" * (limits.SUMMARY - 24), REST) is None
    assert path.stat().st_size == limits.SUMMARY
    assert ci.add_summary(path, "z", REST) is not None
    assert path.stat().st_size == limits.SUMMARY


def test_a_summary_that_cannot_be_written_is_said(tmp_path):
    for path in (tmp_path, tmp_path / "none" / "summary.md"):
        assert "not written" in (ci.add_summary(path, "x", REST) or "")


# ---------------------------------------------------------------- what pipeline it is


def test_a_pipeline_is_told_by_its_variables(tmp_path):
    assert Pipeline.of({}) == Pipeline()
    github = Pipeline.of(
        {
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_STEP_SUMMARY": str(tmp_path / "s.md"),
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_REPOSITORY": "harbour/port",
            "GITHUB_RUN_ID": "17",
        }
    )
    assert github == Pipeline(
        github=True,
        any=True,
        summary=tmp_path / "s.md",
        run="https://github.com/harbour/port/actions/runs/17",
    )
    gitlab = Pipeline.of(
        {"CI": "true", "GITLAB_CI": "true", "CI_JOB_URL": "https://gitlab.com/a/b/-/jobs/1"}
    )
    assert gitlab == Pipeline(gitlab=True, any=True, run="https://gitlab.com/a/b/-/jobs/1")
    odd = {
        "GITHUB_SERVER_URL": "https://x) [y](z",
        "GITHUB_REPOSITORY": "a/b",
        "GITHUB_RUN_ID": "1",
    }
    assert Pipeline.of(odd).run is None
    assert Pipeline.of({"GITLAB_CI": "true", "CI_JOB_URL": "javascript:alert(1)"}).run is None


@pytest.mark.parametrize(
    ("variables", "event", "number"),
    [
        ({}, None, None),
        ({"GITHUB_REF": "refs/pull/12/merge"}, None, 12),
        ({"GITHUB_REF": "refs/pull/12/head"}, None, 12),
        ({"GITHUB_REF": "refs/heads/refs/pull/12/merge"}, None, None),
        ({"GITHUB_REF": "refs/pull/0/merge"}, None, None),
        ({"CI_MERGE_REQUEST_IID": "7"}, None, 7),
        ({"CI_MERGE_REQUEST_IID": "7; rm"}, None, None),
        ({"GITHUB_REF": "refs/heads/main"}, {"pull_request": {"number": 5}}, 5),
        ({}, {"pull_request": {"number": True}}, None),
        ({}, {"pull_request": {"number": -1}}, None),
        ({}, {"merge_group": {"head_ref": "refs/heads/gh-readonly-queue/main/pr-9-0a1b"}}, 9),
        ({}, {"merge_group": {"head_ref": "pr-9"}}, None),
        ({}, {"merge_group": None, "pull_request": []}, None),
        ({}, [], None),
    ],
)
def test_the_pull_request_under_test(tmp_path, variables, event, number):
    path = tmp_path / "event.json"
    path.write_text(json.dumps(event))
    assert ci.pull_request({**variables, "GITHUB_EVENT_PATH": str(path)}) == number


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000, b'"' + b"x" * 99])
def test_an_event_that_cannot_be_read_names_nobody(tmp_path, content):
    path = tmp_path / "event.json"
    path.write_bytes(content)
    assert ci.pull_request({"GITHUB_EVENT_PATH": str(path)}) is None
    assert ci.pull_request({"GITHUB_EVENT_PATH": str(tmp_path)}) is None
    assert ci.pull_request({"GITHUB_EVENT_PATH": "a\0b"}) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["pull_request", "merge_group", "number", "head_ref", "x"]), inner
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_no_event_is_too_odd(tmp_path_factory, event):
    path = tmp_path_factory.getbasetemp() / "event.json"
    path.write_text(json.dumps(event))
    number = ci.pull_request({"GITHUB_EVENT_PATH": str(path)})
    assert number is None or number > 0


# ---------------------------------------------------------------- GitLab


def test_findings_are_a_code_quality_report():
    found = [
        finding("lost", path="core/a.py", line=3),
        finding("lost", path="core/a.py", line=3),
        finding("nowhere"),
        finding("odd", path="b.py", severity=Severity.UNKNOWN),
    ]
    rows = ci.code_quality(report(*found), {"core/a.py": "candidate/core/a.py"})
    assert [row["location"] for row in rows] == [
        {"path": "candidate/core/a.py", "lines": {"begin": 3}},
        {"path": "b.py", "lines": {"begin": 1}},
    ]
    assert [row["severity"] for row in rows] == ["major", "minor"]
    assert all(re.fullmatch(r"[0-9a-f]{64}", row["fingerprint"]) for row in rows)
    assert rows[0]["check_name"] == "imports.import-fails"
