"""Two ledgers made one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_cockpit.records import ledger, ledger_merge
from pytest_cockpit.records.ledger_rows import LedgerError


def note(text):
    return {"kind": "note", "text": text}


def lines(data):
    return data.splitlines(keepends=True)


START = ledger.extend(b"", [note("one"), note("two")])
ONE = ledger.extend(START, [note("three")])
TWO = ledger.extend(START, [note("drei"), note("vier")])


def test_the_second_is_chained_behind_the_first_and_a_row_about_both():
    data = ledger_merge.merged(ONE, TWO)
    assert data.startswith(ONE)
    rows = ledger.rows(data)
    assert [row.get("text") for row in rows] == ["one", "two", "three", None, "drei", "vier"]
    assert rows[3] == {
        "kind": "merged",
        "common": 2,
        "first": {"rows": 3, "head": ledger.head(ONE)},
        "second": {"rows": 4, "head": ledger.head(TWO)},
        "seq": 3,
        "prev": ledger.head(ONE),
    }
    assert ledger_merge.fault(lines(data), 3) is None
    assert ledger_merge.shared(ONE, TWO) == 2


def test_one_that_holds_the_other_is_both():
    assert ledger_merge.merged(START, ONE) == ONE
    assert ledger_merge.merged(ONE, START) == ONE
    data = ledger_merge.merged(ONE, TWO)
    assert ledger_merge.merged(data, TWO) == data
    assert ledger_merge.merged(TWO, data) == data
    part = b"".join(lines(TWO)[:3])
    assert ledger_merge.merged(data, part) == data


def test_strangers_are_not_merged():
    with pytest.raises(LedgerError, match="no row in common"):
        ledger_merge.merged(ONE, ledger.extend(b"", [note("other")]))


def with_row(data, place, **changes):
    rows = [json.loads(line) for line in lines(data)]
    for row in rows:
        del row["seq"], row["prev"]
    rows[place] = {**rows[place], **changes}
    return ledger.extend(b"", rows)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"common": 0}, "has not the keys"),
        ({"common": True}, "has not the keys"),
        ({"first": {}}, "has not the keys"),
        ({"note": "more"}, "has not the keys"),
        ({"first": {"rows": 2, "head": ledger.head(ONE)}}, "is not behind the last row"),
        ({"first": {"rows": 3, "head": "0" * 64}}, "is not behind the last row"),
        ({"common": 1}, "is not followed by the 3 rows"),
        ({"common": 3}, "is followed by other rows"),
        ({"common": 4}, "is not followed by the 0 rows"),
        ({"second": {"rows": 5, "head": ledger.head(TWO)}}, "is not followed by the 3 rows"),
        ({"second": {"rows": 3, "head": ledger.head(TWO)}}, "is followed by other rows"),
        ({"second": {"rows": 4, "head": "0" * 64}}, "is followed by other rows"),
    ],
)
def test_a_row_that_tells_no_truth(changes, words):
    data = with_row(ledger_merge.merged(ONE, TWO), 3, **changes)
    assert words in (ledger_merge.fault(lines(data), 3) or "")
    assert not ledger_merge.holds(data, TWO)


def test_a_merge_within_a_merge_is_judged_where_it_was_made():
    inner = ledger_merge.merged(TWO, ledger.extend(START, [note("trois")]))
    data = ledger_merge.merged(ONE, inner)
    assert ledger_merge.fault(lines(data), 3) is None
    assert ledger_merge.holds(data, ledger.extend(START, [note("trois")]))
    forged = with_row(inner, 5, text="quatre")
    told = ledger_merge.fault(lines(ledger_merge.merged(ONE, forged)), 3)
    assert told == (
        "merged what was no merge: row 4 of its second side is followed by other rows than those "
        "of its second side"
    )


@settings(deadline=None)
@given(
    st.lists(st.text(max_size=3), min_size=1, max_size=3),
    st.lists(st.lists(st.text(max_size=3), max_size=3), min_size=2, max_size=4),
    st.data(),
)
def test_every_side_is_held_and_nothing_else(common, branches, data):
    start = ledger.extend(b"", map(note, common))
    sides = [ledger.extend(start, map(note, branch)) for branch in branches]
    whole = sides[0]
    for side in sides[1:]:
        whole = ledger_merge.merged(*data.draw(st.permutations([whole, side])))
    assert ledger.verify(whole) == []
    assert all(ledger_merge.holds(whole, side) for side in sides)
    rows = lines(whole)
    tops = [n for n, row in enumerate(rows) if json.loads(row)["kind"] == "merged"]
    if tops:
        assert ledger_merge.fault(rows, tops[0]) is None
        gone = data.draw(st.integers(tops[0] + 1, len(rows) - 1))
        left = [json.loads(row) for n, row in enumerate(rows) if n != gone]
        for row in left:
            del row["seq"], row["prev"]
        less = ledger.extend(b"", left)
        assert not all(ledger_merge.holds(less, side) for side in sides)


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_anything_else_is_told_or_held_by_what_it_begins_with(one, two):
    assert ledger_merge.holds(one + two, one)
    for data in (one, two, START + one):
        for place in range(len(lines(data))):
            assert isinstance(ledger_merge.fault(lines(data), place), str)
