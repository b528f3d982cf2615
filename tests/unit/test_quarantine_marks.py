"""What the marker's arguments may be."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.quarantine.marks import Mark, complaints, days_left, read

TODAY = date(2026, 11, 20)
GOOD = {"issue": "#12", "owner": "@registry", "expires": "2026-12-31"}


def said(*arguments, today=TODAY, max_days=90, **changes):
    keywords = {key: value for key, value in {**GOOD, **changes}.items() if value is not ...}
    return complaints(arguments, keywords, today, max_days)


@pytest.mark.parametrize(
    "issue", ["#1", "#120", "KEY-1", "A1_B-22", "https://example.org/i/3", "http://h/x?y=1#z"]
)
def test_issues_that_can_be_found(issue):
    assert said(issue=issue) == []
    assert read((), {**GOOD, "issue": issue}).issue == issue


@pytest.mark.parametrize(
    "issue", ["12", "#0", "#", "key-1", "KEY-", "KEY-0", "https://", "see #12", " #12", 12, "#12\n"]
)
def test_issues_that_cannot(issue):
    (text,) = said(issue=issue)
    assert text.endswith("expected a URL, #123 or KEY-1")
    assert text.startswith("issue=")
    assert read((), {**GOOD, "issue": issue}) is None


@pytest.mark.parametrize("name", ["issue", "owner", "expires"])
@pytest.mark.parametrize("value", [..., None, ""])
def test_what_is_missing_is_named(name, value):
    assert said(**{name: value}) == [f"{name}: missing"]


def test_all_that_is_missing_is_named_at_once():
    assert complaints((), {}, TODAY) == ["issue, owner, expires: missing"]


@pytest.mark.parametrize("owner", [" ", 3, ["@a"]])
def test_an_owner_is_somebody(owner):
    assert said(owner=owner) == [f"owner={owner!r}: expected who answers for it"]


@pytest.mark.parametrize(
    "day",
    ["2026-13-01", "31.12.2026", "20261231", "2026-W50-1", "tomorrow", 20261231, "\uff12026-12-31"],
)
def test_a_last_day_is_a_day(day):
    assert said(expires=day) == [f"expires={day!r}: expected a day such as 2026-12-31"]


def test_a_moment_is_no_day_and_a_date_is():
    moment = datetime(2026, 12, 1, tzinfo=UTC)
    assert "expected a day" in said(expires=moment)[0]
    assert said(expires=date(2026, 12, 1)) == []


def test_arguments_go_by_name():
    assert said("#12") == ["'#12': write issue=…, owner=…, expires=… by name"]
    assert said(reason="x") == ["reason: no such argument; there are issue, owner, expires"]


def test_the_furthest_day_counts():
    assert said(expires="2026-12-20", max_days=30) == []
    assert said(expires="2026-12-21", max_days=30) == [
        "expires=2026-12-21: more than 30 days ahead; the last is 2026-12-20"
    ]
    assert said(expires="9999-12-31", today=date(9999, 12, 1)) == []


def test_the_last_day_itself_counts():
    mark = Mark("#1", "@a", TODAY)
    assert not mark.expired(TODAY)
    assert mark.expired(TODAY + timedelta(1))
    assert days_left(mark, TODAY) == 0
    assert str(mark) == "#1, @a, until 2026-11-20"


def test_an_expired_marker_is_not_a_wrong_one():
    assert said(expires="2020-01-01") == []
    assert read((), {**GOOD, "owner": " @a "}) == Mark("#12", "@a", date(2026, 12, 31))


class Rude:
    def __repr__(self):
        raise RuntimeError


ANY = st.one_of(
    st.none(), st.text(), st.integers(), st.dates(), st.datetimes(), st.builds(Rude), st.booleans()
)


@given(
    st.lists(ANY, max_size=2),
    st.dictionaries(st.one_of(st.sampled_from(["issue", "owner", "expires"]), st.text()), ANY),
    st.dates(),
    st.integers(1, 10_000),
)
def test_any_arguments_are_read_or_complained_of(arguments, keywords, today, days):
    found = complaints(arguments, keywords, today, days)
    mark = read(arguments, keywords)
    assert found or mark is not None
    assert all(text and "\n" not in text for text in found)
    if mark is None:
        assert found
