"""What the search finds is minimal, was seen to pass, and is honest about what it did not try."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.quarantine.documents import Edit
from pytest_cockpit.quarantine.search import (
    Spent,
    Trials,
    clash,
    compatible,
    minimal,
    narrowed,
    search,
)


def edit(number, kind="add"):
    return Edit("c.json", f"/{number}", kind, None, number, number * 10, number * 10 + 5, ", x")


EDITS = tuple(edit(number) for number in range(20))


class World:
    """Passes when all of one of these sets of edits are there."""

    def __init__(self, *enough, harmful=(), runs=200):
        self.enough = [frozenset(EDITS[number] for number in numbers) for numbers in enough]
        self.harmful = [frozenset(EDITS[number] for number in numbers) for numbers in harmful]
        self.left = runs
        self.runs = runs

    def passes(self, edits):
        if not self.left:
            raise Spent("runs")
        self.left -= 1
        return any(enough <= set(edits) for enough in self.enough)

    def harms(self, edits):
        return ["t passed and is failed with it"] * (frozenset(edits) in self.harmful)

    def search(self, edits=EDITS):
        return search(edits, Trials(self.passes, self.harms, self.runs))


def test_a_single_edit_is_found_before_any_pair():
    found = World({7}, {1, 2}).search()
    assert found.edits == (EDITS[7],)
    assert (found.singles, found.pairs, found.ended) == (8, 0, "found")


def test_edits_that_need_each_other_are_found_together():
    found = World({3, 11, 17}).search()
    assert set(found.edits) == {EDITS[3], EDITS[11], EDITS[17]}
    assert found.ended == "found"


def test_pairs_are_tried_where_not_all_can_be_made_together():
    edits = [edit(1, "change"), edit(2, "change"), edit(3, "change")]
    pair = frozenset(edits[1:])
    found = search(edits, Trials(lambda it: pair <= set(it), lambda _: [], 50))
    assert set(found.edits) == pair
    assert found.pairs == 3


def test_a_harmful_difference_is_turned_down_and_told():
    found = World({2}, {5}, harmful=[{2}]).search()
    assert found.edits == (EDITS[5],)
    assert found.harmful == ["adds 2 to /2 of c.json: t passed and is failed with it"]


def test_the_impossible_is_told_with_numbers():
    found = World(runs=1000).search()
    assert found.edits == ()
    assert (found.singles, found.pairs, found.ended) == (20, 120, "exhausted")


def test_some_runs_are_left_for_pairs():
    found = World(runs=8).search()
    assert found.edits == ()
    assert (found.singles, found.ended) == (6, "runs")
    assert found.pairs > 0


def test_time_that_is_up_ends_it():
    def passes(edits):
        raise Spent("time")

    found = search(EDITS, Trials(passes, lambda _: [], 9))
    assert (found.edits, found.ended) == ((), "time")


def test_no_more_are_tried_together_than_can_be_compared_with_each_other():
    asked = []

    def passes(tried):
        asked.append(len(tried))
        return False

    edits = [edit(number) for number in range(2000)]
    search(edits, Trials(passes, lambda _: [], 8))
    assert max(asked) == 500


def test_no_candidate_is_no_difference():
    assert World().search([]).ended == "exhausted"


SETS = st.lists(st.sets(st.integers(0, 19), min_size=1, max_size=4), min_size=1, max_size=3)


@given(SETS)
def test_what_is_minimal_passes_and_no_less_does(enough):
    world = World(*enough, runs=10**6)
    for small in (
        minimal(EDITS, world.passes),
        minimal(narrowed(EDITS, world.passes), world.passes),
    ):
        assert world.passes(small)
        for left_out in small:
            assert not world.passes(tuple(it for it in small if it is not left_out))


@given(st.integers(0, 2**20 - 1), st.integers(1, 2**32))
def test_where_edits_spoil_each_other_the_answer_passes_all_the_same(mask, seed):
    def passes(edits):
        numbers = sum(1 << it.after for it in edits)
        return len(edits) == len(EDITS) or hash((numbers & mask, seed)) % 7 == 0

    assert passes(narrowed(EDITS, passes))
    assert passes(minimal(EDITS, passes))


def test_edits_of_one_place_are_not_made_together():
    one = Edit("c.json", "/a", "add", None, "x", 4, 4, '"x"')
    two = Edit("c.json", "/a", "add", None, "y", 4, 4, '"y"')
    assert clash(one, two)
    assert compatible([one, two]) == (one,)
    assert not clash(edit(1), edit(2))
    assert not clash(one, Edit("d.json", "/a", "add", None, "y", 4, 4, '"y"'))
    after = [Edit("c.json", "/a", "add", None, it, 9, 9, f', "{it}"') for it in "xy"]
    assert compatible(after) == tuple(after)
