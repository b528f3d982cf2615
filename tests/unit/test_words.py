"""A batch in words."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pytest_cockpit.promotion.rewriter import Reference
from pytest_cockpit.sessions import dashboard_page, words


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 files"), (1, "1 file"), (2, "2 files"), (1234, "1,234 files")]
)
def test_a_number_has_its_noun(number, said):
    assert words.count(number, "file") == said


def test_a_mention_that_is_left_says_what_it_is():
    staged: Any = SimpleNamespace(
        reported=[Reference("app/outbox.py", 7, 'SENT = "candidate.core"', "string")]
    )
    assert words.mentions(staged, verbose=False) == [
        "1 mention left for you to judge:",
        '  app/outbox.py:7: string: SENT = "candidate.core"',
    ]


@pytest.mark.parametrize(
    ("value", "said"), [(None, "unknown"), (0, "0 tests"), (1, "1 test"), (2, "2 tests")]
)
def test_a_number_of_the_dashboard_has_its_unit(value, said):
    assert dashboard_page._value({"value": value, "unit": "tests"}) == said
