"""Links to issues, and the sweep in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.sessions import quarantine_words as words
from pytest_cockpit.sessions.quarantine_sweep import is_of_tests


@pytest.mark.parametrize(
    "remote",
    [
        "https://github.com/acme/lab.git",
        "https://github.com/acme/lab",
        "https://user:secret@github.com/acme/lab.git/",
        "git@github.com:acme/lab.git",
        "ssh://git@github.com/acme/lab.git",
        "ssh://git@github.com:22/acme/lab",
    ],
)
def test_a_number_is_an_issue_of_the_remote(remote):
    assert words.issue_url("#41", remote) == "https://github.com/acme/lab/issues/41"


def test_other_forges_and_other_issues():
    assert words.issue_url("#4", "https://gitlab.com/a/b/c.git") == (
        "https://gitlab.com/a/b/c/-/issues/4"
    )
    assert words.issue_url("https://example.org/i/3", None) == "https://example.org/i/3"
    assert words.issue_url("https://example.org/> [x](<y", None) is None
    assert words.issue_url("KEY-1", "https://github.com/acme/lab") is None
    for remote in (None, "", "/srv/lab.git", "../lab", "file:///srv/lab.git"):
        assert words.issue_url("#4", remote) is None


@pytest.mark.parametrize(
    "path, own",
    [
        ("tests/expected.json", True),
        ("billing/Tests/data/a.yaml", True),
        ("billing/test_authz/a.json", True),
        ("policies/authz_test.rego", True),
        ("policies/test-input.json", True),
        ("ui/__snapshots__/a.json", True),
        ("contracts/a.test.json", True),
        ("contracts/matrix_latest.json", False),
        ("policies/contest.rego", False),
        ("attest/policy.yaml", False),
        ("testament.json", False),
    ],
)
def test_what_belongs_to_tests_is_none_of_the_documents(path, own):
    assert is_of_tests(path) is own


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_remote_gives_a_link_or_none(issue, remote):
    found = words.issue_url(issue, remote)
    assert found is None or found.startswith(("http://", "https://"))


def row(**changes):
    return {
        "id": "tests/t.py::test_a[`|<b>]",
        "issue": "#41",
        "issue_url": None,
        "owner": "@memory",
        "expires": "2026-11-19",
        "since": "2026-11-01",
        "commit": "0123456789abcdef",
        "age_days": 19,
        "days_left": -1,
        "outcome": "failed",
        "message": "assert 0",
        "verdict": "fail",
        "summary": "quarantine expired",
        "search": {
            "candidates": 9,
            "runs": 6,
            "singles": 4,
            "pairs": 2,
            "harmful": ["adds 1: t passed and is failed with it"],
            "ended": "time",
            "wall_s": 12.3,
        },
        "difference": None,
        "removal": None,
        **changes,
    }


def test_a_row_for_the_terminal():
    assert list(words.lines(row())) == [
        "quarantine expired",
        "  issue #41, owner @memory",
        "  since 2026-11-01 (0123456789ab), 19 days; until 2026-11-19, expired 1 day ago",
        "  failed: assert 0",
        f"  {words.searched(row())}",
        "  turned down: adds 1: t passed and is failed with it",
    ]
    assert words.searched(row()) == (
        "nothing within the bounds makes it pass: 4 of 9 single edits and 2 pairs tried in 6 "
        "runs, 12 s; its time was up"
    )


def test_a_patch_has_no_power_over_a_terminal():
    found = list(words.lines(row(removal="-\t\x1b[2J\u2028x\n+é\n")))
    assert found[-2:] == [f"    {'-':8}\\x1b[2J\\u2028x", "    +é"]


def test_what_git_and_the_marker_do_not_tell():
    unknown = row(since=None, commit=None, age_days=None, days_left=None, issue="", owner=None)
    assert list(words.lines(unknown))[1:3] == [
        "  issue none, owner none",
        "  since when, git cannot tell",
    ]
    fresh = row(commit=None, age_days=0, days_left=1)
    assert list(words.lines(fresh))[2] == (
        "  since 2026-11-01 (not committed), 0 days; until 2026-11-19, 1 day left"
    )


def test_markdown_holds_what_a_test_is_called():
    document = {
        "commit": "0123456789abcdef",
        "day": "2026-11-20",
        "lost": {"tests/u.py": "ImportError: <x>"},
        "tests": [row(), row(outcome="passed", removal="--- a/t.py\n+++ b/t.py\n", search=None)],
    }
    page = words.markdown(document)
    assert page.startswith(
        "# Tests in quarantine\n\n2 tests at `0123456789ab`, on 2026-11-20 (UTC)."
    )
    assert words.REVIEW in page
    assert "<b>" not in page.replace("`` tests/t.py::test_a[`\\|<b>] ``", "")
    assert "| none found |" in page
    unrun = row(outcome="not run", search=None)
    assert "| not run | not searched |" in words.markdown({**document, "tests": [unrun]})
    assert "| remove the marker |" in page
    assert "`tests/u.py` could not be collected: ImportError" in page
    assert "```diff\n--- a/t.py\n+++ b/t.py\n```" in page
