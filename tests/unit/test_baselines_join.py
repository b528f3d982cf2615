"""Baselines that meet: never looser than either side, and nothing of a gate taken on trust."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.api import CockpitError
from pytest_cockpit.records import baselines, baselines_join
from pytest_cockpit.records.baselines import Baseline
from pytest_cockpit.records.baselines_join import Change


def join(mine, theirs):
    """Bounds are `max`; a note is kept where both say the same; files of either are bound."""
    entries = {}
    for key in {*mine["entries"], *theirs["entries"]}:
        sides = [side["entries"][key] for side in (mine, theirs) if key in side["entries"]]
        notes = {side.get("note") for side in sides}
        entries[key] = {"max": min(side["max"] for side in sides)}
        if len(notes) == 1 and None not in notes:
            entries[key]["note"] = notes.pop()
    failing = set(mine["meta"].get("failing", ())) & set(theirs["meta"].get("failing", ()))
    return {"entries": entries, "meta": {"failing": sorted(failing)}}


def bounds(document):
    found = {key: entry["max"] for key, entry in document["entries"].items()}
    return {**found, "failing tests": document["meta"].get("failing", [])}


def of(meta=None, **entries):
    rows = {
        key: {"max": value} if isinstance(value, int) else value for key, value in entries.items()
    }
    return Baseline("lines", rows, {"failing": []} if meta is None else meta)


ENTRY = st.fixed_dictionaries({"max": st.integers(0, 5)}, optional={"note": st.sampled_from("xy")})
BASELINES = st.builds(
    Baseline,
    st.just("lines"),
    st.dictionaries(st.sampled_from("abcd"), ENTRY),
    st.fixed_dictionaries({"failing": st.lists(st.sampled_from("pq"), unique=True).map(sorted)}),
)


def at_most(one, other):
    return all(one.entries[key]["max"] <= entry["max"] for key, entry in other.entries.items())


@given(BASELINES, BASELINES)
def test_joined_is_at_least_as_tight_as_both_whichever_comes_first(one, other):
    result = baselines_join.joined(one, other, join)
    assert at_most(result, one)
    assert at_most(result, other)
    assert result == baselines_join.joined(other, one, join)
    assert baselines.dump(baselines_join.joined(result, one, join)) == baselines.dump(result)


@given(st.none() | BASELINES, BASELINES, BASELINES)
def test_a_merge_keeps_both_sides_tightening_and_both_sides_deletions(base, mine, theirs):
    result = baselines_join.merged(base, mine, theirs, join)
    known = base.entries if base else {}
    for key in {*mine.entries, *theirs.entries}:
        sides = [side.entries.get(key) for side in (mine, theirs)]
        if key in known and None in sides:
            assert key not in result.entries
        else:
            tightest = min(side["max"] for side in sides if side)
            assert result.entries[key]["max"] <= tightest
            # A key that is new to one side alone may be one that the other knows by its old name.
            assert result.entries[key]["max"] == tightest or (key not in known and None in sides)
    assert result == baselines_join.merged(base, theirs, mine, join)


@pytest.mark.parametrize(
    ("renamed", "tightened", "expected"),
    [
        # Moved as it was, by one side alone.
        ({"new/a": 5, "b": 2}, {"old/a": 3, "b": 2}, {"new/a": 3, "b": 2}),
        ({"c": 5, "b": 2}, {"old/a": 3, "b": 2}, {"c": 3, "b": 2}),
        # One of two that are alike: the one that kept its name.
        ({"new/a": 5, "c": 5, "b": 2}, {"old/a": 3, "b": 2}, {"new/a": 3, "c": 5, "b": 2}),
        # It could be either.
        ({"c": 5, "d": 5, "b": 2}, {"old/a": 3, "b": 2}, {"c": 5, "d": 5, "b": 2}),
        ({"x/a": 5, "y/a": 5, "b": 2}, {"old/a": 3, "b": 2}, {"x/a": 5, "y/a": 5, "b": 2}),
        # Another bound is another file.
        ({"new/a": 4, "b": 2}, {"old/a": 3, "b": 2}, {"new/a": 4, "b": 2}),
        # Both have it, or the other side has removed it.
        ({"new/a": 5, "b": 2}, {"new/a": 4, "b": 2}, {"new/a": 4, "b": 2}),
        ({"new/a": 5, "b": 2}, {"b": 1}, {"new/a": 5, "b": 1}),
    ],
)
def test_a_merge_tightens_a_bound_under_the_key_it_was_moved_to(renamed, tightened, expected):
    base = of(**{"old/a": 5, "b": 2})
    for sides in ((of(**renamed), of(**tightened)), (of(**tightened), of(**renamed))):
        assert baselines_join.merged(base, *sides, join) == of(**expected)


@given(BASELINES, BASELINES)
def test_a_comparison_never_gives_a_looser_baseline(stored, measured):
    found = baselines_join.compare(stored, measured, join, bounds)
    assert at_most(found.result, stored)
    assert set(found.result.meta["failing"]) <= set(stored.meta["failing"])
    assert bool(found.slack) == (
        bounds({"entries": stored.entries, "meta": stored.meta})
        != bounds({"entries": found.result.entries, "meta": found.result.meta})
    )
    again = baselines_join.compare(found.result, measured, join, bounds)
    assert again.slack == ()
    assert again.loose == found.loose


def test_slack_and_looseness_are_told_bound_by_bound():
    stored = of(a=5, b=2, c=3, meta={"failing": ["p", "q"]})
    measured = of(a=4, b=3, c=3, d=1, meta={"failing": ["q"]})
    found = baselines_join.compare(stored, measured, join, bounds)
    assert found.slack == (
        Change("a", 5, 4),
        Change("d", None, 1),
        Change("failing tests", ["p", "q"], ["q"]),
    )
    assert found.loose == (Change("b", 2, 3),)
    assert [str(change) for change in found.slack] == [
        "a: 5 → 4",
        "d: none → 1",
        'failing tests: ["p","q"] → ["q"]',
    ]


def test_what_only_describes_is_taken_from_where_the_bound_is():
    stored = of(a={"max": 2, "note": "x"}, b={"max": 2, "note": "x"}, c={"max": 5, "note": "x"})
    measured = of(a={"max": 2, "note": "y"}, b={"max": 3, "note": "y"}, c={"max": 4, "note": "y"})
    found = baselines_join.compare(stored, measured, join, bounds)
    assert found.result.entries == {
        "a": {"max": 2, "note": "y"},
        "b": {"max": 2, "note": "x"},
        "c": {"max": 4, "note": "y"},
    }


def test_bounds_that_are_not_named_after_entries_leave_the_join_as_it_is():
    def odd(document):
        return {"total": sum(entry["max"] for entry in document["entries"].values())}

    found = baselines_join.compare(of(a=5, b=2), of(a=4, b=3), join, odd)
    assert found.result.entries == {"a": {"max": 4}, "b": {"max": 2}}
    assert found.slack == (Change("total", 7, 6),)


def test_an_entry_without_a_bound_of_its_own_is_joined():
    def highest(document):
        return {"highest": max(entry["max"] for entry in document["entries"].values())}

    found = baselines_join.compare(of(a=5, b=2), of(a=5, b=4), join, highest)
    assert found.result.entries == {"a": {"max": 5}, "b": {"max": 2}}


def test_without_word_of_what_binds_whole_entries_do():
    found = baselines_join.compare(of(a=5), of(a=4), join, baselines_join.entries_of)
    assert [str(change) for change in found.slack] == ["a: max 5 → 4"]


def test_a_bound_of_two_parts_is_joined_part_by_part():
    def parts(mine, theirs):
        keys = {*mine["entries"], *theirs["entries"]}
        sides = {k: [s["entries"][k] for s in (mine, theirs) if k in s["entries"]] for k in keys}
        entries = {
            key: {part: min(side[part] for side in found) for part in ("lines", "branches")}
            for key, found in sides.items()
        }
        return {"entries": entries, "meta": {}}

    stored = of(
        {}, a={"lines": 1, "branches": 9, "note": "x"}, b={"lines": 1, "branches": 1, "note": "x"}
    )
    measured = of({}, a={"lines": 9, "branches": 1, "note": "y"}, b={"lines": 1, "branches": 1})

    def binding(document):
        return {
            key: {part: entry[part] for part in ("lines", "branches")}
            for key, entry in document["entries"].items()
        }

    found = baselines_join.compare(stored, measured, parts, binding)
    assert found.result.entries == {
        "a": {"lines": 1, "branches": 1},
        "b": {"lines": 1, "branches": 1},
    }
    assert [str(change) for change in found.slack] == ["a: branches 9 → 1"]
    assert [str(change) for change in found.loose] == ["a: lines 1 → 9"]
    both = Change("a", {"x": 1, "y": 2, "z": 3}, {"x": 0, "y": 2, "w": None})
    assert str(both) == "a: x 1 → 0, z 3 → none"
    assert str(Change("a", None, {"x": 0})) == 'a: none → {"x":0}'
    assert str(Change("a", {"x": 0}, None)) == 'a: {"x":0} → none'
    assert str(Change("a\nb", "x" * 58, "x" * 59)) == f'a\\nb: "{"x" * 58}" → "{"x" * 59}…'


def loosest(mine, theirs):
    return {"entries": {**mine["entries"], **theirs["entries"]}, "meta": {}}


def giving(made):
    return lambda *_: made


def failing(*_):
    raise ZeroDivisionError("by nought")


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (loosest, "lines: its join of two baselines is looser than one of them; report this to"),
        (loosest, "to the gate's author and mend the file by hand"),
        (giving(None), "expected entries and meta"),
        (giving({"entries": {}}), "expected entries and meta"),
        (giving({"entries": {"a": 1}, "meta": {}}), "expected object"),
        (
            giving({"entries": {"a": {"x": {1}}}, "meta": {}}),
            "cannot be written as JSON",
        ),
        (failing, "join failed (ZeroDivisionError: by nought)"),
    ],
)
def test_a_join_that_is_none_is_refused_in_one_line(broken, words):
    with pytest.raises(CockpitError) as error:
        baselines_join.joined(of(a=1), of(a=2), broken)
    assert words in str(error.value)
    assert "\n" not in str(error.value)
    assert "lines" in str(error.value)


def test_baselines_of_two_gates_do_not_meet():
    other = Baseline("words", {}, {})
    with pytest.raises(CockpitError, match="baselines of lines and of words"):
        baselines_join.joined(of(), other, join)
    with pytest.raises(CockpitError, match="baselines of words and of lines"):
        baselines_join.merged(other, of(), of(), join)
