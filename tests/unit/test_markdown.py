"""Names and messages of a repository inside Markdown."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.records.markdown import code, plain


def test_a_name_cannot_leave_its_code_span():
    assert code("a`<img src=x>`@octocat.py") == "`` a`<img src=x>`@octocat.py ``"
    assert code("plain.py") == "`plain.py`"
    assert code("a|b") == "`a\\|b`"


def test_running_text_is_nothing_but_text():
    assert plain("<b>@all</b> [x](y) `z` a|b") == (
        "&lt;b&gt;&#64;all&lt;/b&gt; \\[x\\]\\(y\\) \\`z\\` a\\|b"
    )


@given(st.text())
def test_one_line_without_a_tag_whatever_comes(text):
    shown = plain(text)
    assert "\n" not in shown
    assert "<" not in shown
    assert "@" not in shown
    span = code(text)
    assert "\n" not in span
    fence = len(span) - len(span.lstrip("`"))
    assert "`" * fence not in span[fence:-fence]
