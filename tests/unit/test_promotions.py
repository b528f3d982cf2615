from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.records import promotions

PATHS = st.sampled_from(["a", "b", "c", "d"])


def row(*moves, kind="promotion"):
    return {"kind": kind, "moves": [{"source": old, "target": new} for old, new in moves]}


def test_moves_follow_each_other():
    assert promotions.net([row(("a", "b"), ("x", "y")), row(("b", "c"))]) == {"a": "c", "x": "y"}


def test_a_rollback_undoes_a_promotion():
    assert promotions.net([row(("a", "b")), row(("b", "a"), kind="rollback")]) == {}
    assert promotions.net([row(("b", "a"), kind="rollback")]) == {"b": "a"}


def test_rows_of_other_kinds_move_nothing():
    assert promotions.net([row(("a", "b"), kind="waiver"), {"kind": "epoch"}]) == {}


@given(st.lists(st.tuples(PATHS, PATHS), max_size=12))
def test_no_file_comes_from_two_places(moves):
    made = promotions.net([row(move) for move in moves])
    assert len(set(made.values())) == len(made)
    assert all(source != target for source, target in made.items())
