"""The line by which a file says that it came from the template."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.scaffolding import marks
from pytest_cockpit.scaffolding.marks import is_scaffold, marked, recorded

MARKED = ("a.py", "a.md", "b/c.toml", "x.YML", "p.html")


@pytest.mark.parametrize("path", MARKED)
@pytest.mark.parametrize("content", [b"", b"x", b"x\n", b"\n\n", b"x\r\ny\r\n", b"\xff\n"])
def test_what_was_given_is_known_until_somebody_changes_it(path, content):
    given = marked(path, content)
    assert is_scaffold(given)
    assert is_scaffold(given.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    edited = given + b"more\n"
    assert not is_scaffold(edited)
    assert recorded(edited) == recorded(given)


@pytest.mark.parametrize("path", ["data.json", "LICENSE", "picture.png"])
def test_a_file_that_has_no_comments_is_left_as_it_is(path):
    assert marked(path, b"{}\n") == b"{}\n"


def test_the_line_comes_first_in_code_and_last_in_markup():
    assert marked("a.py", b"x = 1\n").splitlines()[1:] == [b"x = 1"]
    assert marked("a.md", b"---\ntitle: x\n---\n# A\n").splitlines()[:-1] == [
        b"---",
        b"title: x",
        b"---",
        b"# A",
        b"",
    ]


def test_what_must_be_the_first_line_of_code_stays_there():
    content = b"#!/usr/bin/env python\n# coding: latin-1\nx = '\xe9'\n"
    first, second, third, _ = marked("a.py", content).splitlines()
    assert (first, second) == (b"#!/usr/bin/env python", b"# coding: latin-1")
    assert third.startswith(b"# cockpit: scaffold ")
    assert is_scaffold(marked("a.py", content))


def test_two_files_joined_into_one_are_nobodys_scaffold():
    both = marked("a.py", b"x = 1\n") + marked("a.py", b"y = 1\n")
    assert recorded(both) is None
    assert not is_scaffold(both)
    assert marked("a.py", both) == both


def test_a_copied_line_vouches_for_no_other_content():
    line = marked("a.py", b"x = 1\n").splitlines(keepends=True)[0]
    assert not is_scaffold(line + b"def test_real():\n    assert 1 + 1 == 2\n")


@given(st.binary(max_size=200), st.sampled_from(MARKED), st.binary(min_size=1, max_size=20))
def test_any_content_can_be_given_and_any_addition_is_seen(content, path, more):
    given_ = marked(path, content)
    assert is_scaffold(given_) or marks.recorded(content) is not None or given_ == content
    if is_scaffold(given_):
        longer = given_ + b"." + more
        assert not is_scaffold(longer)


@given(st.binary(max_size=300))
def test_no_content_is_too_odd_to_be_asked_about(content):
    if is_scaffold(content):
        assert recorded(content) is not None
