"""What a sweep has measured, as data."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.api import CockpitError
from pytest_cockpit.records import artifacts
from pytest_cockpit.sweep.model import Counts, Lines, Measured, Outcome, State, ranges, spread

COMMIT = "a" * 40


def outcome(module: str = "a", **changes: object) -> Outcome:
    made = Outcome(
        module,
        State.PASSED,
        Counts(passed=2, skipped=1),
        {"a/x.py": Lines((1, 2, 5), (1, 5)), "a/y.py": Lines((1,), ())},
        {"a/z.py": "invalid syntax"},
        duration_s=1.5,
    )
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type] # any of its fields


def measured(*outcomes: Outcome, **changes: object) -> Measured:
    made = Measured(COMMIT, outcomes, {"coverage": "7.13"})
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type] # any of its fields


@given(st.sets(st.integers(1, 2000)))
def test_ranges_are_read_as_they_were_written(lines: set[int]):
    assert list(spread(ranges(sorted(lines)))) == sorted(lines)


def test_ranges_are_short():
    assert ranges([1, 2, 3, 7, 9, 10]) == "1-3 7 9-10"


def test_figures_are_of_what_was_measured():
    found = outcome()
    assert (found.statements, found.missing, found.percent) == (4, 2, 50.0)


@pytest.mark.parametrize("state", [State.ERROR, State.NO_TESTS, State.CRASHED])
def test_without_a_measurement_there_is_no_figure_and_no_zero(state: State):
    found = outcome(state=state)
    assert (found.statements, found.missing, found.percent) == (None, None, None)


def test_nothing_to_cover_is_no_percentage():
    assert outcome(files={}).percent is None


def test_a_document_is_what_its_schema_says_and_gives_the_same_again():
    found = measured(outcome(), outcome("b", state=State.FAILED, reason="x", apart="y"))
    document = found.to_json()
    assert artifacts.validate(document, "sweep-measured") == []
    assert Measured.from_json(document, where="here") == found


def test_another_document_is_an_expected_error():
    document = measured(outcome()).to_json()
    document["modules"][0]["files"]["a/x.py"]["executed"] = "5-"
    with pytest.raises(CockpitError, match=r"^here: .*executed"):
        Measured.from_json(document, where="here")


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_no_document_is_read_by_mistake(document: object):
    with pytest.raises(CockpitError):
        Measured.from_json(document, where="here")


def test_the_digest_is_of_figures_alone():
    one = outcome()
    same = outcome(duration_s=9.0, apart="it clashed", reason="said")
    assert one.data_sha256 == same.data_sha256
    assert one.data_sha256 != outcome(state=State.FAILED).data_sha256
    assert one.data_sha256 != outcome(files={"a/x.py": Lines((1, 2, 5), (1, 2))}).data_sha256


def test_parts_join_in_any_order():
    a, b = measured(outcome("a")), measured(outcome("b"))
    assert Measured.joined([b, a]) == Measured.joined([a, b]) == measured(*a.outcomes, *b.outcomes)


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ([], "got none"),
        ([measured(), measured(commit="b" * 40)], "one commit"),
        ([measured(), measured(versions={"coverage": "7.14"})], "several versions"),
        ([measured(outcome()), measured(outcome())], "a: measured in several parts"),
    ],
)
def test_parts_that_do_not_fit_are_not_joined(parts: list[Measured], said: str):
    with pytest.raises(CockpitError, match=said):
        Measured.joined(parts)
