from __future__ import annotations

import itertools
import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_cockpit.api import CockpitError, Verdict
from pytest_cockpit.promotion.isolation.driver import Isolation
from pytest_cockpit.promotion.isolation.trust import Trust

PASS, FAIL, UNKNOWN, ERROR = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN, Verdict.ERROR


def free(count):
    """Files that need nothing."""
    return {f"f{number:03}": () for number in range(count)}


def saying(*verdicts):
    """Gates that say this, whatever they are shown; the last of it for ever."""
    answers = itertools.chain(verdicts, itertools.repeat(verdicts[-1]))
    return lambda _: next(answers)


def drive(isolation, judge):
    """Answer until nothing is asked; what was asked, in order."""
    asked: list[tuple[str, ...]] = []
    while (subset := isolation.next()) is not None:
        assert len(asked) < 5000
        asked.append(subset)
        answer = judge(frozenset(subset))
        isolation.tell(subset, *(answer if isinstance(answer, tuple) else (answer,)))
    return asked


def defects(*groups):
    """Red with any of the groups as a whole."""
    found = [frozenset(group.split()) for group in groups]

    def judge(subset):
        broken = [sorted(group) for group in found if group <= subset]
        return FAIL if broken else PASS, None, [" ".join(group) for group in broken]

    return judge


def flaky(judge, wrong):
    """The judge, but for the sessions by number whose verdict is turned round."""
    number = itertools.count(1)

    def judged(subset):
        green = judge(subset)[0] is PASS
        return PASS if green != (next(number) in wrong) else FAIL

    return judged


def closure(needs, files):
    """The files with all they need."""
    found, pending = set(), list(files)
    while pending:
        path = pending.pop()
        if path not in found:
            found.add(path)
            pending += [needed for needed in needs[path] if needed in needs]
    return frozenset(found)


def names(number):
    return st.integers(0, number).map("f{}".format)


@st.composite
def situations(draw):
    """Files with what they need, groups that are red together, risks and clues of any kind."""
    count = draw(st.integers(0, 12))
    if not count:
        return {}, (), 0.02, random.Random(0), False
    file = names(count - 1)
    needs = draw(
        st.fixed_dictionaries({f"f{number}": st.lists(file, max_size=2) for number in range(count)})
        if draw(st.booleans())
        else st.just({f"f{number}": [] for number in range(count)})
    )
    groups = draw(st.lists(st.sets(file, min_size=1, max_size=3).map(" ".join), max_size=4))
    risks = draw(st.sampled_from([0.02, 0.3]) | st.dictionaries(file, st.floats(0, 1)))
    return needs, tuple(groups), risks, draw(st.randoms(use_true_random=False)), draw(st.booleans())


def clues(judge, chooser):
    """The judge with clues that may be good, misleading, empty or not looked for."""

    def judged(subset):
        verdict, _, failing = judge(subset)
        if verdict is PASS or chooser.random() < 0.2:
            return verdict, None, failing
        named = {path: chooser.random() for path in sorted(subset) if chooser.random() < 0.2}
        named.update((path, 1.0) for group in failing for path in group.split() if len(group) > 4)
        return verdict, named, failing

    return judged


def started(needs, risks, judge, whole):
    isolation = Isolation(needs, risks)
    verdict, weights, failing = judge(frozenset(needs))
    if whole and verdict is FAIL:
        isolation.begin_red(weights, failing)
    return isolation


@settings(max_examples=400)
@given(situations())
def test_the_minimal_culprits_are_found(situation):
    needs, groups, risks, chooser, whole = situation
    plain = defects(*groups)
    judge = clues(plain, chooser)
    isolation = started(needs, risks, judge, whole)
    asked = drive(isolation, judge)

    def red(files):
        return plain(frozenset(files))[0] is FAIL

    for subset in asked:
        assert closure(needs, subset) == set(subset)
        for place, path in enumerate(subset):
            together = closure(needs, [path])
            assert together <= set(subset[:place]) | {
                other for other in needs if path in closure(needs, [other])
            }
    outcome = isolation.outcome()
    assert outcome.complete
    assert not outcome.flakes
    assert not outcome.open
    good, sessions = set(outcome.good), isolation.to_json()["sessions"]
    assert not red(good)
    assert closure(needs, good) == good
    assert (outcome.proven_by is None) == (not good)
    if good:
        proof = sessions[outcome.proven_by - 1]
        assert set(isolation.units.files(proof["units"])) == good
        assert proof["verdict"] == "pass"
    everything = [*outcome.good]
    for culprit in outcome.culprits:
        everything += [*culprit.files, *culprit.held]
        assert red(good | closure(needs, culprit.files))
        members = [culprit.files, *((path,) for path in culprit.partners)]
        assert red(closure(needs, itertools.chain(*members)))
        for left_out in members:
            unit = isolation.units.number[left_out[0]]
            rest = [p for m in members for p in m if isolation.units.number[p] != unit]
            assert not red(closure(needs, rest))
        for path in culprit.held:
            assert closure(needs, [path]) & set(culprit.files)
        assert set(culprit.partners) <= good
        assert len(culprit.red_with) >= 2
        for number in culprit.red_with:
            told = sessions[number - 1]
            files = set(isolation.units.files(told["units"]))
            assert told["verdict"] == "fail"
            assert files - good == set(culprit.files)
        for number in culprit.green_without:
            assert sessions[number - 1]["verdict"] == "pass"
            assert not set(isolation.units.files(sessions[number - 1]["units"])) & set(
                culprit.files
            )
    assert sorted(everything) == sorted(needs)
    assert sum(outcome.sessions.values()) == len(sessions)
    json.dumps(outcome.to_json())


@settings(max_examples=150)
@given(situations(), st.integers(0, 10**6))
def test_a_resumed_search_comes_to_the_same_end(situation, seed):
    needs, groups, risks, _, whole = situation

    def fresh():
        chooser = random.Random(seed)
        judge = clues(defects(*groups), chooser)
        return lambda subset: (
            (chooser.choice(list(Verdict)), None) if chooser.random() < 0.1 else judge(subset)
        )

    plain = started(needs, risks, defects(*groups), whole)
    drive(plain, fresh())
    judge = fresh()
    resumed = started(needs, risks, defects(*groups), whole)
    for _ in range(5000):
        before = resumed.to_json()
        resumed = Isolation.from_json(json.loads(json.dumps(before, sort_keys=True)))
        assert resumed.to_json() == before
        subset = resumed.next()
        if subset is None:
            break
        resumed.tell(subset, *judge(frozenset(subset)))
    assert resumed.outcome() == plain.outcome()
    assert resumed.to_json() == plain.to_json()


@settings(max_examples=300)
@given(situations(), st.floats(0, 1), st.integers(0, 3))
def test_it_ends_whatever_the_gates_say(situation, share, repeats):
    needs, groups, risks, chooser, whole = situation
    judge = defects(*groups)
    isolation = Isolation(needs, risks, trust=Trust(repeats=repeats + 1))
    if whole:
        isolation.begin_red()

    def noise(subset):
        if chooser.random() < share:
            return chooser.choice([PASS, FAIL, FAIL, PASS, UNKNOWN])
        return judge(subset)[0]

    drive(isolation, noise)
    outcome = isolation.outcome()
    everything = [*outcome.good, *outcome.open]
    everything += [path for each in outcome.culprits for path in (*each.files, *each.held)]
    assert sorted(everything) == sorted(needs)
    assert outcome.complete == (not outcome.open and outcome.stopped is None)
    assert closure(needs, outcome.good) == set(outcome.good)


def test_nothing_to_isolate():
    isolation = Isolation({})
    assert isolation.next() is None
    assert isolation.why is None
    assert isolation.expected() == 0
    assert isolation.outcome().complete


def test_a_green_batch_takes_one_session():
    isolation = Isolation(free(30))
    assert drive(isolation, defects()) == [tuple(free(30))]
    outcome = isolation.outcome()
    assert outcome.good == tuple(free(30))
    assert outcome.proven_by == 1
    assert outcome.sessions == {"search": 1}


def test_a_warning_is_green():
    isolation = Isolation(free(3))
    isolation.tell(isolation.next() or (), Verdict.WARN)
    assert isolation.outcome().complete


def test_one_named_culprit_takes_two_more_sessions_and_a_confirmation():
    isolation = Isolation(free(50))
    isolation.begin_red({"f007": 1.0}, ["test_seven", "test_more", "test_odd"])
    without = tuple(path for path in free(50) if path != "f007")
    assert isolation.why == "search"
    assert isolation.next() == without
    isolation.tell(without, PASS)
    assert isolation.why == "confirm"
    assert isolation.next() == ("f007",)
    isolation.tell(["f007"], FAIL, {}, ["test_odd", "test_seven"])
    outcome = isolation.outcome()
    assert outcome.good == without
    assert outcome.proven_by == 2
    [culprit] = outcome.culprits
    assert culprit.files == ("f007",)
    assert culprit.partners == culprit.held == ()
    assert culprit.red_with == (1, 3)
    assert culprit.green_without == (2,)
    assert culprit.failing == ("test_seven", "test_odd")
    assert outcome.sessions == {"given": 1, "search": 1, "confirm": 1}


def test_several_suspects_are_tried_one_by_one():
    isolation = Isolation(free(20))
    isolation.begin_red({"f003": 1.0, "f009": 0.9})
    asked = drive(isolation, defects("f003", "f009"))
    good = set(free(20)) - {"f003", "f009"}
    assert [set(subset) for subset in asked] == [
        good | {"f009"},
        good,
        {"f009"},
        good | {"f003"},
        {"f003"},
    ]
    outcome = isolation.outcome()
    assert outcome.sessions == {"given": 1, "search": 2, "suspect": 1, "confirm": 2}
    assert [culprit.files for culprit in outcome.culprits] == [("f009",), ("f003",)]


def test_a_single_unit_of_great_risk_is_no_suspect_without_clues():
    isolation = Isolation(free(2), 0.9)
    assert (isolation.next(), isolation.why) == (("f000",), "search")


def test_clues_that_mislead_cost_sessions_only():
    isolation = Isolation(free(20))
    isolation.begin_red({"f003": 1.0})
    drive(isolation, defects("f012"))
    assert [culprit.files for culprit in isolation.outcome().culprits] == [("f012",)]
    assert isolation.outcome().good == tuple(path for path in free(20) if path != "f012")


def test_clues_make_what_they_do_not_name_less_suspect():
    told = Isolation(free(50))
    told.begin_red({})
    ignorant = Isolation(free(50))
    ignorant.begin_red()
    assert told.expected() < ignorant.expected() - 0.3
    every = Isolation(free(50), attributable=0)
    every.begin_red({})
    assert every.expected() == pytest.approx(ignorant.expected())


def test_expected_sessions_fall_as_much_is_learnt():
    isolation = Isolation(free(50))
    assert isolation.expected() == pytest.approx(7.306, abs=0.001)
    isolation.begin_red()
    assert isolation.expected() == pytest.approx(9.92, abs=0.01)


def test_who_needs_a_culprit_is_held_back():
    needs = {"a": ["b"], "b": ["c"], "c": [], "d": ["e"], "e": []}
    isolation = Isolation(needs)
    drive(isolation, defects("b"))
    outcome = isolation.outcome()
    assert set(outcome.good) == {"c", "d", "e"}
    [culprit] = outcome.culprits
    assert (culprit.files, culprit.held) == (("b",), ("a",))


def test_a_cycle_is_blamed_as_a_whole():
    isolation = Isolation({"a": ["b"], "b": ["a"], "c": []})
    drive(isolation, defects("a"))
    assert isolation.outcome().culprits[0].files == ("a", "b")


def test_a_culprit_alone_with_what_it_needs():
    isolation = Isolation({"a": ["b"], "b": [], "c": [], "d": []})
    isolation.begin_red({"a": 1.0})
    asked = drive(isolation, defects("a"))
    assert [set(subset) for subset in asked] == [{"b", "c", "d"}, {"a", "b"}]


def test_a_pair_is_reported_as_a_group_and_one_of_it_promoted():
    isolation = Isolation(free(16))
    asked = drive(isolation, defects("f004 f011"))
    outcome = isolation.outcome()
    assert outcome.complete
    [culprit] = outcome.culprits
    assert culprit.files == ("f011",)
    assert culprit.partners == ("f004",)
    assert "f004" in outcome.good
    assert len(outcome.good) == 15
    assert outcome.sessions["confirm"] == 1
    assert len(asked) < 25
    assert culprit.failing == ("f004 f011",)


def test_what_a_pair_takes():
    pair = Isolation(free(2))
    assert drive(pair, defects("f000 f001")) == [
        ("f000", "f001"),
        ("f000",),
        ("f001",),
        ("f000", "f001"),
        ("f000", "f001"),
        ("f000",),
        ("f000", "f001"),
    ]
    assert pair.outcome().sessions == {"search": 2, "confirm": 1, "repeat": 3, "partner": 1}
    assert pair.outcome().culprits[0].red_with == (1, 4, 5, 7)
    assert pair.outcome().culprits[0].green_without == (2, 6)


def test_a_partner_that_is_not_confirmed_is_not_named():
    pair = Isolation(free(2))
    drive(pair, flaky(defects("f000 f001"), {7, 8, 9}))
    [culprit] = pair.outcome().culprits
    assert (culprit.files, culprit.partners) == (("f001",), ())
    assert pair.outcome().sessions["partner"] == 3


def test_all_sessions_of_three_have_a_purpose():
    isolation = Isolation(free(16))
    drive(isolation, defects("f002 f004 f011"))
    assert set(isolation.outcome().sessions) == {"search", "confirm", "repeat", "partner"}


def test_three_that_only_fail_together():
    isolation = Isolation(free(16))
    drive(isolation, defects("f002 f004 f011"))
    [culprit] = isolation.outcome().culprits
    assert culprit.files == ("f011",)
    assert culprit.partners == ("f002", "f004")


def test_clues_shorten_the_way_to_a_partner():
    blind, told = Isolation(free(60)), Isolation(free(60))
    judge = defects("f020 f041")
    drive(blind, judge)
    drive(
        told,
        lambda subset: (
            *judge(subset)[:1],
            {"f020": 1.0, "f041": 1.0} if {"f020", "f041"} <= subset else None,
        ),
    )
    assert told.outcome().culprits[0].files == ("f041",)
    assert told.outcome().culprits[0].partners == ("f020",)
    assert sum(told.outcome().sessions.values()) < sum(blind.outcome().sessions.values()) - 5


def test_a_red_base_blames_nobody():
    isolation = Isolation(free(8))
    asked = drive(isolation, saying(FAIL))
    outcome = isolation.outcome()
    assert asked[-2:] == [(), ()]
    assert outcome.culprits == ()
    assert not outcome.complete
    assert outcome.stopped == "production is red without any file of the batch; repair that first"
    assert outcome.sessions["base"] == 2


def test_a_base_that_was_red_once_is_flaky():
    isolation = Isolation(free(1))
    asked = drive(isolation, saying(FAIL, FAIL, FAIL, PASS))
    assert asked == [("f000",), ("f000",), (), (), (), ()]
    outcome = isolation.outcome()
    assert outcome.culprits[0].files == ("f000",)
    assert outcome.culprits[0].green_without == (4, 5, 6)
    assert outcome.flakes[0].files == ()


def test_a_base_known_to_be_green_is_not_asked_for():
    isolation = Isolation(free(2), base_green=True)
    asked = drive(isolation, lambda subset: FAIL if subset else PASS)
    assert () not in asked
    assert len(isolation.outcome().culprits) == 2
    asked_base = drive(Isolation(free(2)), lambda subset: FAIL if subset else PASS)
    assert asked_base.count(()) == 1


def test_a_flake_at_the_whole_batch_ejects_nobody():
    isolation = Isolation(free(8))
    drive(isolation, flaky(defects(), {1}))
    outcome = isolation.outcome()
    assert outcome.good == tuple(free(8))
    assert outcome.complete
    assert outcome.flakes
    [flake] = outcome.flakes
    assert set(flake.files) == set(free(8))
    assert flake.red == (1,)
    assert outcome.proven_by == flake.green[-1]


def test_the_failing_names_of_a_flake():
    isolation = Isolation(free(1))
    isolation.tell(["f000"], FAIL, None, ["t::one", "t::two"])
    isolation.tell(["f000"], PASS)
    isolation.tell(["f000"], PASS, None, ["a warning"])
    isolation.tell(["f000"], FAIL, None, ["t::two", "t::three"])
    isolation.tell(["f000"], PASS)
    isolation.tell(["f000"], PASS)
    [flake] = isolation.outcome().flakes
    assert flake.red == (1, 4)
    assert flake.green == (2, 3, 5, 6)
    assert flake.failing == ("t::one", "t::two", "t::three")
    assert isolation.outcome().good == ("f000",)


def test_a_culprit_that_once_was_green_is_blamed_all_the_same():
    isolation = Isolation(free(3))
    isolation.begin_red({"f001": 1.0})
    # Without it green; it alone is green by mistake, but red whenever tried again.
    asked = drive(isolation, flaky(defects("f001"), {2}))
    outcome = isolation.outcome()
    assert [culprit.files for culprit in outcome.culprits] == [("f001",)]
    assert outcome.complete
    assert len(asked) > 4


def test_a_confirmation_that_is_a_flake_is_outvoted():
    isolation = Isolation(free(3), trust=Trust(innocents=1e-6))
    isolation.begin_red({"f001": 1.0})
    # The others are green; f001 is innocent and red once when alone.
    asked = drive(isolation, flaky(defects(), {2}))
    outcome = isolation.outcome()
    assert outcome.complete
    assert not outcome.culprits
    assert len(outcome.good) == 3
    assert {len(flake.files) for flake in outcome.flakes} == {1, 3}
    assert asked[1] == ("f001",)


def test_the_margin_follows_the_trust():
    careful = Isolation(free(3), trust=Trust(innocents=1e-9))
    careful.begin_red({"f001": 1.0})
    drive(careful, defects("f001"))
    [culprit] = careful.outcome().culprits
    assert len(culprit.red_with) == 5
    assert careful.outcome().sessions == {"given": 1, "search": 1, "confirm": 4}


def test_what_was_green_by_mistake_is_found_out_and_gone_through_again():
    isolation = Isolation(free(12), 0.1)
    # The first group holds the culprit and passes by mistake; all after it is red.
    asked = drive(isolation, flaky(defects("f001"), {1}))
    outcome = isolation.outcome()
    assert "f001" in asked[0]
    assert [culprit.files for culprit in outcome.culprits] == [("f001",)]
    assert outcome.complete
    assert len(outcome.good) == 11


def test_taken_back_twice():
    """Every tree is green when it is new and red ever after, but for single files."""
    seen = set()

    def judge(subset):
        if len(subset) <= 1:
            return PASS
        fresh = subset not in seen and len(subset) % 2 == 0
        seen.add(subset)
        return PASS if fresh else FAIL

    isolation = Isolation(free(12), 0.2)
    drive(isolation, judge)
    assert isolation.outcome().stopped == (
        "what was green together was red later, twice: the gates are too flaky"
    )
    assert not isolation.outcome().complete


def test_gates_that_cannot_decide_stop_the_search():
    isolation = Isolation(free(1), trust=Trust(repeats=5))
    asked = drive(isolation, saying(*[FAIL, PASS] * 10))
    outcome = isolation.outcome()
    assert len(asked) == 6
    assert outcome.stopped == "5 verdicts on one tree decided nothing: the gates are too flaky"
    assert outcome.open == ("f000",)
    assert outcome.good == ()
    assert outcome.culprits == ()


def test_a_decision_with_the_last_repeat_counts():
    isolation = Isolation(free(1), trust=Trust(repeats=3))
    drive(isolation, saying(FAIL, PASS))
    assert isolation.outcome().complete


@pytest.mark.parametrize("verdict", [UNKNOWN, ERROR, Verdict.SKIP])
def test_what_is_neither_red_nor_green_is_asked_for_once_more(verdict):
    isolation = Isolation(free(4))
    assert drive(isolation, saying(verdict, PASS)) == [tuple(free(4))] * 2
    assert isolation.outcome().complete
    assert not isolation.outcome().flakes
    isolation = Isolation(free(4))
    assert len(drive(isolation, saying(verdict))) == 2
    outcome = isolation.outcome()
    assert outcome.stopped == f"the gates said {verdict} where red or green was needed, twice"
    assert outcome.open == tuple(free(4))
    assert outcome.good == ()
    assert not outcome.complete


def test_what_was_seen_green_stands_when_the_search_stops():
    isolation = Isolation(free(8))
    isolation.begin_red({"f001": 1.0})
    drive(isolation, saying(PASS, ERROR, UNKNOWN))
    outcome = isolation.outcome()
    assert outcome.stopped
    assert outcome.open == ("f001",)
    assert len(outcome.good) == 7
    assert outcome.proven_by == 2
    assert outcome.to_json()["complete"] is False


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"risks": 1.5}, "isolation: risk of f000: expected a number from 0 to 1, got 1.5"),
        (
            {"risks": {"f000": "x"}},
            "isolation: risk of f000: expected a number from 0 to 1, got 'x'",
        ),
        ({"attributable": -1}, "isolation: attributable: expected a number from 0 to 1, got -1"),
    ],
)
def test_shares_are_shares(wrong, message):
    with pytest.raises(CockpitError) as caught:
        Isolation(free(1), **wrong)
    assert str(caught.value) == message


def test_defaults():
    written = Isolation(free(1), {}).to_json()
    assert written == {
        "schema": "pytest-cockpit/isolation-search/1",
        "needs": {"f000": []},
        "risks": {"f000": 0.02},
        "trust": {"flakes": 0.01, "innocents": 0.001, "repeats": 12},
        "attributable": 0.8,
        "base_green": False,
        "sessions": [],
    }


def test_what_is_not_by_default_is_kept_too():
    trust = Trust(flakes=0.02, innocents=0.002, repeats=7)
    written = Isolation(free(3), 0.1, trust=trust, attributable=0.3, base_green=True).to_json()
    assert (written["attributable"], written["base_green"]) == (0.3, True)
    assert written["trust"] == {"flakes": 0.02, "innocents": 0.002, "repeats": 7}
    assert Isolation.from_json(written).to_json() == written


def test_a_batch_of_one_that_was_red():
    isolation = Isolation(free(1))
    isolation.begin_red()
    assert drive(isolation, lambda subset: FAIL if subset else PASS) == [("f000",), ()]
    assert isolation.outcome().culprits[0].red_with == (1, 2)
    assert isolation.outcome().culprits[0].green_without == (3,)


def test_a_unit_is_good_when_all_its_files_are():
    cycle = Isolation({"a": ["b"], "b": ["a"]}, 0.3)
    assert cycle.expected() == Isolation({"c": []}, 0.51).expected() == 1
    many = Isolation({"a": ["b"], "b": ["a"], "c": ["d"], "d": ["c"]}, 0.1)
    assert many.expected() == pytest.approx(Isolation(free(2), 0.19).expected())


def test_answers_to_other_questions_are_refused():
    isolation = Isolation(free(2))
    for subset in (["f000"], ["f000", "f001", "x"], []):
        with pytest.raises(CockpitError) as caught:
            isolation.tell(subset, PASS)
        assert str(caught.value) == "isolation: judged another subset than the one asked for"
    isolation.tell(["f001", "f000"], PASS)
    with pytest.raises(CockpitError) as caught:
        isolation.tell([], PASS)
    assert str(caught.value) == "isolation: nothing was asked"


def test_clues_about_other_files_are_refused():
    isolation = Isolation(free(2))
    with pytest.raises(CockpitError) as caught:
        isolation.tell(isolation.next() or (), FAIL, {"x": 0.5})
    assert str(caught.value) == "isolation: clue about x, which is not in the batch"
    with pytest.raises(CockpitError) as caught:
        isolation.tell(isolation.next() or (), FAIL, {"f000": 2})
    assert str(caught.value) == "isolation: weight of f000: expected a number from 0 to 1, got 2"


def test_a_start_in_red_comes_first():
    isolation = Isolation(free(2))
    isolation.tell(isolation.next() or (), FAIL)
    with pytest.raises(CockpitError) as caught:
        isolation.begin_red()
    assert str(caught.value) == "isolation: has begun already; make a new one"


def test_a_record_of_something_else_is_refused():
    isolation = Isolation(free(4), 0.1)
    drive(isolation, defects("f002"))
    written = isolation.to_json()
    sessions = written["sessions"]
    wrong = [
        ({}, "'schema'"),
        ({**written, "schema": "x"}, "/schema: expected pytest-cockpit/isolation-search/1"),
        ({**written, "needs": None}, ""),
        (
            {**written, "risks": {"f000": 2}},
            "isolation: risk of f000: expected a number from 0 to 1",
        ),
        ({**written, "trust": {"x": 1}}, ""),
        ({**written, "sessions": sessions[1:]}, "/sessions: not in the order that the search"),
        ({**written, "sessions": [*sessions, sessions[0]]}, "/sessions: not in the order"),
        ({**written, "sessions": [{**sessions[0], "why": "base"}]}, "/sessions: not in the order"),
        ({**written, "sessions": [{**sessions[0], "verdict": "fine"}]}, "'fine' is not a valid"),
    ]
    for data, message in wrong:
        with pytest.raises(CockpitError) as caught:
            Isolation.from_json(data, "x.json")
        assert str(caught.value).startswith("x.json: not the record of a search that can go on (")
        assert message in str(caught.value)
        assert str(caught.value).endswith("); remove it to start again")
    with pytest.raises(CockpitError, match=r"^isolation: not the record"):
        Isolation.from_json({})


@settings(max_examples=200)
@given(st.data())
def test_a_mangled_record_is_refused_in_one_line(data):
    isolation = Isolation({"a": ["b"], "b": []}, 0.1)
    drive(isolation, defects("b"))
    written = json.loads(json.dumps(isolation.to_json()))
    place, key = written, data.draw(st.sampled_from(sorted(written)))
    while isinstance(place[key], dict | list) and place[key] and data.draw(st.booleans()):
        place = place[key]
        keys = sorted(place) if isinstance(place, dict) else range(len(place))
        key = data.draw(st.sampled_from(keys))
    place[key] = data.draw(
        st.none() | st.booleans() | st.integers() | st.text() | st.just([]) | st.just({"x": [1]})
    )
    try:
        again = Isolation.from_json(written, "x.json")
    except CockpitError as error:
        assert "\n" not in str(error)  # noqa: PT017  # either may happen
    else:
        again.outcome()


@pytest.mark.parametrize("count", [50, 400])
def test_flaky_gates_eject_no_innocent(count):
    """A gate that is red by mistake in one session of a hundred, over 500 batches."""
    chooser = random.Random(count)
    ejected = found = 0
    for _ in range(500):
        isolation = Isolation(free(count), 0.001)
        drive(isolation, lambda _: FAIL if chooser.random() < 0.01 else PASS)
        outcome = isolation.outcome()
        assert outcome.complete
        ejected += len(outcome.culprits)
        found += bool(outcome.flakes)
        assert bool(outcome.flakes) == (sum(outcome.sessions.values()) > 1)
    assert ejected == 0
    assert found > 0
