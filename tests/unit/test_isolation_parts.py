from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_cockpit.api import Case, CockpitError, Finding, Report, Severity, Verdict
from pytest_cockpit.promotion.isolation.attribution import Clues, risk
from pytest_cockpit.promotion.isolation.nested import Nested
from pytest_cockpit.promotion.isolation.sizing import MOST, Past, best_size, proposed_size
from pytest_cockpit.promotion.isolation.trust import Trust
from pytest_cockpit.promotion.isolation.units import Units

CHAIN = {"a": ["b", "os"], "b": ["c"], "c": [], "d": []}
numbers = st.integers(0, 9)
graphs = st.dictionaries(numbers.map(str), st.lists(numbers.map(str), max_size=3), max_size=10)


def test_units_come_after_what_they_need():
    units = Units.of(CHAIN)
    assert units.members == (("c",), ("b",), ("a",), ("d",))
    assert units.below == (frozenset(), frozenset({0}), frozenset({0, 1}), frozenset())
    assert units.number == {"c": 0, "b": 1, "a": 2, "d": 3}
    assert units.all == {0, 1, 2, 3}
    assert units.alone(2) == {0, 1, 2}
    assert units.needing(0) == {1, 2}
    assert units.files({2, 0}) == ("c", "a")


def test_a_cycle_is_one_unit():
    units = Units.of({"a": ["b"], "b": ["a", "c"], "c": []})
    assert units.members == (("c",), ("a", "b"))
    assert units.below == (frozenset(), frozenset({0}))


def test_suspects_come_last_and_never_before_what_they_need():
    units = Units.of(CHAIN)
    assert units.order(units.all, [0.1, 0.1, 0.1, 0.1]) == [0, 1, 2, 3]
    assert units.order(units.all, [0.9, 0.1, 0.2, 0.3]) == [3, 0, 1, 2]
    assert units.order(units.all, [0.1, 0.9, 0.2, 0.3]) == [0, 3, 1, 2]
    assert units.order({1, 3}, [0.9, 0.1, 0.2, 0.3]) == [1, 3]


@given(graphs, st.randoms())
def test_prefixes_of_an_order_are_closed(needs, chooser):
    units = Units.of(needs)
    chances = [chooser.random() for _ in units.members]
    order = units.order(units.all, chances)
    assert set(order) == units.all
    for place, unit in enumerate(order):
        assert units.below[unit] <= set(order[:place])


@pytest.mark.parametrize(
    ("flakes", "greens", "margin"),
    [(0, 1000, 2), (0.01, 8.99, 2), (0.01, 9.01, 3), (0.01, 890, 3), (0.01, 892, 4), (0.1, 1, 4)],
)
def test_margin(flakes, greens, margin):
    assert Trust(flakes=flakes).margin(greens) == margin


def test_margin_for_fewer_innocents():
    assert Trust(innocents=0.0001).margin(8) == 3
    assert Trust(flakes=0.2, innocents=0.16).margin(1) == 2
    assert Trust(flakes=0.2, innocents=0.14).margin(1) == 3
    assert Trust(flakes=0.25).margin(0.0) == 2


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"flakes": -0.1}, "flakes -0.1: expected 0 to 0.25; repair the gates first"),
        ({"flakes": 0.26}, "flakes 0.26: expected 0 to 0.25; repair the gates first"),
        ({"innocents": 0}, "innocents 0: expected more than 0 and less than 1"),
        ({"innocents": 1}, "innocents 1: expected more than 0 and less than 1"),
        ({"repeats": 0}, "repeats 0: expected at least 1"),
    ],
)
def test_trust_refuses(wrong, message):
    with pytest.raises(CockpitError) as caught:
        Trust(**wrong)
    assert str(caught.value) == message


def test_least_trust():
    assert Trust(flakes=0.25, repeats=1).repeats == 1
    assert (Trust().flakes, Trust().innocents, Trust().repeats) == (0.01, 0.001, 12)


NAMES = {"lane/a.py": "a", "a.py": "a", "b.py": "b", "c.py": "c"}


def test_a_finding_on_a_file_is_all_but_proof():
    assert Clues(findings=("a.py", "b.py")).weights(NAMES, {}) == {"a": 1, "b": 1}
    assert Clues(findings=("lane/a.py", "elsewhere.py")).weights(NAMES, {}) == {"a": 1}


def test_the_innermost_frame_counts_most():
    clues = Clues(tracebacks=(("tests/t.py", "a.py", "b.py", "a.py", "lib.py"),))
    assert clues.weights(NAMES, {}) == pytest.approx({"a": 0.8, "b": 0.4})


def test_clues_add_up():
    frame = ("b.py",)
    assert Clues(tracebacks=(frame, frame)).weights(NAMES, {}) == pytest.approx({"b": 0.96})


def test_a_test_shares_its_suspicion_among_what_it_imports():
    imports = {"tests/t.py": ["a.py", "b.py", "x.py"], "x.py": ["c.py"]}
    weights = Clues(tests=("tests/t.py::test_one",)).weights(NAMES, imports)
    assert weights == {"a": 0.25, "b": 0.25}


def test_suspicion_fades_with_distance():
    imports = {"t": ["u", "t"], "u": ["v"], "v": ["a.py"], "far": ["t"], "near": ["a.py"]}
    for start, weight in (("near", 0.5), ("v", 0.5), ("u", 0.25), ("t", 0.125)):
        assert Clues(tests=(start,)).weights(NAMES, imports) == {"a": weight}
    assert Clues(tests=("far",)).weights(NAMES, imports) == {}
    assert Clues(findings=("u",)).weights(NAMES, imports) == {"a": 0.25}


def test_a_failing_test_of_the_batch_itself():
    assert Clues(tests=("a.py::test_one",)).weights(NAMES, {"a.py": ["b.py"]}) == {"a": 0.5}


def test_no_clue():
    assert Clues().weights(NAMES, {}) == {}


def test_clues_of_reports():
    report = Report.judge(
        "two",
        checked=1,
        findings=[
            Finding("g.x", "wrong", path="a.py"),
            Finding("g.x", "wrong everywhere"),
            Finding("g.x", "odd", Severity.WARNING, path="b.py"),
        ],
        cases=[
            Case("tests/t.py::test_one", Verdict.FAIL),
            Case("tests/t.py::test_two", Verdict.PASS),
            Case("schema", Verdict.FAIL),
        ],
    )
    assert Clues.of(iter([report])) == Clues(("a.py",), ("tests/t.py::test_one",))


def test_risk_after_clues():
    assert risk(0.02, 0, 0.8) == pytest.approx(0.02 * 0.2 / 0.984)
    assert risk(0.02, 1, 0.8) == pytest.approx(0.95)
    assert risk(0.02, 0.5, 0) == pytest.approx(0.02 + 0.93 / 2)
    assert risk(0.99, 1, 0) == pytest.approx(0.99)


@given(st.floats(0, 0.99), st.floats(0, 1), st.floats(0, 1), st.floats(0, 0.99))
def test_risk_grows_with_the_weight(prior, one, other, attributable):
    low, high = sorted((one, other))
    assert 0 <= risk(prior, low, attributable) <= risk(prior, high, attributable) <= 1


@pytest.mark.parametrize(
    ("chance", "size"), [(0.005, 172), (0.01, 86), (0.02, 42), (0.05, 16), (0.2, 3), (0.5, 1)]
)
def test_best_size(chance, size):
    found, sessions = best_size(chance, MOST)
    assert found == size
    most = size + 20
    plan = Nested([chance] * most)
    costs = {n: plan.expected(most - n) / (n * (1 - chance)) for n in range(1, most + 1)}
    assert sessions == pytest.approx(costs[size])
    begun_as_a_whole = [n for n in costs if plan.group(most - n) == n]
    assert sessions == pytest.approx(min(costs[n] for n in begun_as_a_whole))


def test_the_cap_holds():
    assert best_size(0.0001, 10_000)[0] == MOST
    assert best_size(0.01, 50)[0] == 50
    assert best_size(0.01, 1)[0] == 1
    assert best_size(0.01, 1)[1] == pytest.approx(1 / 0.99)
    assert best_size(0, 7)[0] == 7


@given(st.floats(0, 0.6), st.floats(0, 0.6), st.integers(1, 60))
def test_more_risk_never_gives_a_larger_size(one, other, cap):
    low, high = sorted((one, other))
    assert best_size(low, cap)[0] >= best_size(high, cap)[0]


def test_proposal():
    history = [Past(50, 1), Past(400, 3), Past(50, 1)]
    found = proposed_size(iter(history), 100)
    assert found.size == 82
    assert found.sizes == (45, 100)
    assert found.risk == pytest.approx(5.5 / 520)
    assert found.risks == pytest.approx((0.00441, 0.01883), rel=0.01)
    assert found.sessions == pytest.approx(0.0881, rel=0.01)
    assert found.why == (
        "82 files (45 to 100, at most 100): 5 of 500 files to blame so far, "
        "risk 1.06% (0.44% to 1.88%), 0.088 sessions expected per promoted file"
    )


def test_proposal_without_history():
    found = proposed_size([], 50)
    assert (found.size, found.sizes) == (35, (9, 50))
    assert found.risk == 0.025
    assert found.why.startswith("35 files (9 to 50, at most 50): no history, risk 2.50% ")


@settings(max_examples=40)
@given(st.integers(0, 400), st.integers(0, 400), st.integers(0, 50))
def test_the_proposal_follows_the_history(files, more, blamed):
    blamed = min(blamed, files)
    size = proposed_size([Past(files, blamed)], 60).size
    assert proposed_size([Past(files, blamed), Past(more, 0)], 60).size >= size
    assert proposed_size([Past(files, blamed), Past(more, more)], 60).size <= size


@pytest.mark.parametrize(("files", "blamed"), [(0, 0), (3, 0), (40, 40), (300, 2)])
def test_the_interval_is_the_posterior_s(files, blamed):
    """Held against drawings from the same Beta distribution."""
    chooser = random.Random(files)
    drawn = sorted(chooser.betavariate(0.5 + blamed, 19.5 + files - blamed) for _ in range(20_000))
    low, high = proposed_size([Past(files, blamed)], 5).risks
    assert sum(each < low for each in drawn) / 20_000 == pytest.approx(0.05, abs=0.006)
    assert sum(each < high for each in drawn) / 20_000 == pytest.approx(0.95, abs=0.006)


@pytest.mark.parametrize(("files", "blamed"), [(-1, -1), (-1, 0), (2, -1), (2, 3)])
def test_no_such_past(files, blamed):
    with pytest.raises(CockpitError, match="expected none to all"):
        Past(files, blamed)


def test_no_such_cap():
    with pytest.raises(CockpitError, match="batch size 0: expected at least 1"):
        proposed_size([], 0)
    assert proposed_size([], 1).size == 1
