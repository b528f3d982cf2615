"""The inquiry without git and without pytest: what is asked, counted, kept and said."""

from __future__ import annotations

import copy
import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_cockpit.api import Case, Finding, Report, Severity, Verdict
from pytest_cockpit.promotion.isolation import flakes, history, telling
from pytest_cockpit.promotion.isolation.attribution import Clues, failing
from pytest_cockpit.promotion.isolation.flakes import Tally
from pytest_cockpit.promotion.isolation.inquiry import About, Inquiry, Judged
from pytest_cockpit.promotion.isolation.outcome import Culprit
from pytest_cockpit.promotion.isolation.settling import Settling
from pytest_cockpit.promotion.isolation.sizing import Past
from pytest_cockpit.promotion.isolation.trust import Trust
from pytest_cockpit.records import artifacts

ABOUT = About("0123456-89abcdef", "0" * 40, "f" * 64, ("tests",))
GREEN = Report(Verdict.PASS, "all well", checked=1)


def red(*paths, rule="tests.broken"):
    """A gate's report with a finding at each path."""
    return Report.judge("broken", checked=1, findings=[Finding(rule, "no", path=p) for p in paths])


def tree_of(files):
    return artifacts.sha256(" ".join(sorted(files)).encode())[:40]


def judged(files, bad):
    guilty = sorted(set(files) & set(bad))
    return Judged(tree_of(files), {"tests": red(*guilty) if guilty else GREEN}, 1.0, 0.5)


def inquiry(files, bad, needs=None, weigh=lambda _: {}):
    made = Inquiry(ABOUT, needs or dict.fromkeys(files, ()), weigh)
    made.begin(judged(files, bad))
    return made


def finish(made, bad):
    while (files := made.next()) is not None:
        made.tell(judged(files, bad))
    return made


FILES = [f"lane/f{number}.py" for number in range(9)]


def test_what_a_search_asks_says_and_keeps():
    made = inquiry(FILES, ["lane/f4.py"])
    assert made.asking.startswith("session 2 of about ")
    assert made.asking.endswith("files, narrowing it down")
    finish(made, ["lane/f4.py"])
    data = json.loads(artifacts.canonical(made.to_json()))
    assert artifacts.validate(data, "isolation") == []
    [culprit] = data["outcome"]["culprits"]
    assert culprit["files"] == ["lane/f4.py"]
    assert [row["rule"] for row in culprit["findings"]] == ["tests.broken"]
    assert culprit["failing"] == ["tests.broken: lane/f4.py"]
    assert made.left() == {"lane/f4.py": "to blame for red gates: tests.broken: lane/f4.py"}
    assert telling.summary(made).startswith("1 file to blame, 8 files good; ")
    assert next(telling.lines(made, ())) == "to blame: lane/f4.py"
    assert telling.trailers(made, ()) == [f"Isolated-From: {ABOUT.batch_id}", "Culprit: lane/f4.py"]
    assert "| `lane/f4.py` | `tests.broken: lane/f4.py` |" in telling.section(made, ())


def test_it_goes_on_where_it_was_for_the_same_batch_only():
    made = inquiry(FILES, ["lane/f4.py", "lane/f7.py"])
    made.tell(judged(made.next(), ["lane/f4.py", "lane/f7.py"]))
    data = json.loads(artifacts.canonical(made.to_json()))
    again = Inquiry(ABOUT, dict.fromkeys(FILES, ()), lambda _: {})
    assert again.resume(data)
    assert again.rows == made.rows
    assert again.next() == made.next()
    assert finish(again, ["lane/f4.py", "lane/f7.py"]).to_json()["outcome"]["complete"]
    for other in (
        dataclasses.replace(ABOUT, batch_id="0123456-00000000"),
        About(ABOUT.batch_id, ABOUT.base, ABOUT.plan_sha256, ("imports",)),
    ):
        assert not Inquiry(other, dict.fromkeys(FILES, ()), lambda _: {}).resume(data)
    assert not Inquiry(ABOUT, dict.fromkeys(FILES[1:], ()), lambda _: {}).resume(data)


def test_a_search_that_could_not_decide_is_not_taken_over():
    made = inquiry(["a.py"], ["a.py"])
    while (files := made.next()) is not None:
        made.tell(Judged(tree_of(files), {"tests": Report(Verdict.UNKNOWN, "no idea")}))
    data = made.to_json()
    assert data["outcome"]["stopped"] == (
        "the gates said unknown where red or green was needed, twice"
    )
    assert not Inquiry(ABOUT, {"a.py": ()}, lambda _: {}).resume(data)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@settings(max_examples=300)
@given(data=st.data())
def test_a_record_that_was_edited_costs_sessions_and_never_an_error(data):
    made = inquiry(FILES[:4], ["lane/f1.py"])
    made.tell(judged(made.next(), ["lane/f1.py"]))
    record = copy.deepcopy(json.loads(artifacts.canonical(made.to_json())))
    place = record
    while isinstance(place, dict | list) and place:
        keys = sorted(place) if isinstance(place, dict) else range(len(place))
        key = data.draw(st.sampled_from(list(keys)))
        if not isinstance(place[key], dict | list) or data.draw(st.booleans()):
            place[key] = data.draw(json_values)
            break
        place = place[key]
    if artifacts.validate(record, "isolation"):
        return
    again = Inquiry(ABOUT, dict.fromkeys(FILES[:4], ()), lambda _: {})
    assert again.resume(record) in (True, False)


def test_red_is_red_whatever_else_could_not_be_judged():
    unknown = Report(Verdict.ERROR, "crashed")
    assert Judged("t", {"a": red("x"), "b": unknown}).verdict is Verdict.FAIL
    assert Judged("t", {"a": GREEN, "b": unknown}).verdict is Verdict.ERROR
    assert Judged("t", {"a": GREEN}).verdict is Verdict.PASS


def test_flakes_are_told_by_gate_and_tree(tmp_path):
    tally = Tally()
    tally.add("t1", 3, {"tests": red("x"), "imports": GREEN})
    tally.add("t2", 3, {"tests": GREEN})
    assert tally.flakes() == ()
    tally.add("t1", 3, {"tests": GREEN, "imports": Report(Verdict.UNKNOWN, "")})
    [flake] = tally.flakes()
    assert flake.line == "tests: red 1 of 2 times on one tree: tests.broken: x"
    path = tmp_path / "flakes.ndjson"
    flakes.enter(path, "b", tally.flakes())
    flakes.enter(path, "b", tally.flakes())
    assert [row["gate"] for row in flakes.known(path)] == ["tests"]
    tally.add("t1", 3, {"tests": GREEN})
    flakes.enter(path, "b", tally.flakes())
    assert [row["green"] for row in flakes.known(path)] == [1, 2]
    path.write_text("{")
    assert flakes.known(path) == []


@pytest.mark.parametrize(
    ("red_", "green", "verdict"),
    [
        (0, 1, None),
        (1, 1, None),
        (0, 2, Verdict.PASS),
        (1, 3, Verdict.PASS),
        (2, 0, Verdict.FAIL),
        (6, 6, Verdict.UNKNOWN),
        (5, 6, None),
    ],
)
def test_when_verdicts_on_one_tree_settle_it(red_, green, verdict):
    assert Trust().settled(red_, green) is verdict


TREE = "t" * 40
BROKEN = red("x")


def settling(tally, *, trust=None, culprits=()):
    return Settling(tally, trust or Trust(), TREE, 3, culprits)


def saying(*reports):
    """A gate that says this, one after the other; how often it was asked is in `left`."""
    left = list(reports)
    return left, lambda: left.pop(0)


def test_a_gate_that_was_never_red_is_not_asked_again():
    for report in (GREEN, Report(Verdict.UNKNOWN, "no idea")):
        _, ask = saying()
        assert settling(Tally()).settle("tests", report, ask) is report


def test_a_gate_that_stays_red_is_red():
    left, ask = saying(BROKEN, GREEN)
    assert settling(Tally()).settle("tests", BROKEN, ask) is BROKEN
    assert left == [GREEN]


def test_green_and_ahead_is_a_warning_that_says_how_often_it_was_red():
    left, ask = saying(GREEN, GREEN, GREEN, BROKEN)
    report = settling(Tally()).settle("tests", BROKEN, ask)
    assert (report.verdict, report.summary) == (
        Verdict.WARN,
        "all well; flaky: red 1 of 4 times on this tree",
    )
    assert left == [BROKEN]


def test_a_red_report_is_not_opened_by_green_ones_before_it():
    tally = Tally()
    for _ in range(4):
        tally.add(TREE, 3, {"tests": GREEN})
    left, ask = saying(BROKEN, GREEN, BROKEN)
    report = settling(tally).settle("tests", BROKEN, ask)
    assert (report.verdict, report.findings) == (Verdict.WARN, ())
    assert left == [BROKEN]
    left, ask = saying(*[BROKEN] * 20)
    assert settling(tally).settle("tests", BROKEN, ask).verdict is Verdict.FAIL


def test_verdicts_that_decide_nothing_are_unknown():
    left, ask = saying(*[GREEN, BROKEN] * 10)
    report = settling(Tally()).settle("tests", BROKEN, ask)
    assert report.verdict is Verdict.UNKNOWN
    assert "flaky: red 6 of 12 times" in report.summary
    assert len(left) == 20 - 11


def test_a_gate_that_says_nothing_any_more_opens_nothing():
    crashed = Report(Verdict.ERROR, "crashed")
    _, ask = saying(GREEN, crashed)
    assert settling(Tally()).settle("tests", BROKEN, ask) is crashed


def test_what_fails_without_a_culprit_as_well_acquits_it():
    culprit = Culprit(("lane/a.py",), (), (1,), (2,), ("tests.broken: x",), ())
    _, ask = saying(GREEN, GREEN, GREEN)
    report = settling(Tally(), culprits=(culprit,)).settle("tests", BROKEN, ask)
    assert report.verdict is Verdict.UNKNOWN
    assert report.summary.startswith("lane/a.py is no culprit: ")
    other = dataclasses.replace(culprit, failing=("tests.broken: y",))
    silent = dataclasses.replace(culprit, failing=())
    _, ask = saying(GREEN, GREEN, GREEN)
    settled = settling(Tally(), culprits=(other, silent)).settle("tests", BROKEN, ask)
    assert settled.verdict is Verdict.WARN


def test_what_was_said_of_a_tree_counts_under_another_plan():
    tally = Tally()
    tally.add("part", 3, {"tests": BROKEN, "imports": GREEN})
    tally.add("other", 2, {"tests": BROKEN})
    for _ in range(2):
        tally.carry("part", TREE)
        tally.carry("nowhere", TREE)
        tally.carry(TREE, TREE)
    assert tally.of("tests", TREE) == (1, 0)
    assert tally.of("imports", TREE) == (0, 1)
    assert tally.of("tests", "part") == (0, 0)
    left, ask = saying(GREEN, GREEN, BROKEN)
    assert settling(tally).settle("tests", GREEN, ask).verdict is Verdict.WARN
    assert left == [BROKEN]
    assert [(flake.tree, flake.files) for flake in tally.flakes()] == [(TREE, 3)]


def test_a_record_is_counted_by_gates_whose_names_begin_alike():
    tally = Tally()
    row = {
        "tree": TREE,
        "files": ["a", "b"],
        "gates": {"cover": "fail", "coverage": "fail", "imports": "unknown"},
        "failing": ["cover: x", "coverage.lost: y", "cover.z: z"],
    }
    tally.recall(row)
    assert [tally.of(gate, TREE) for gate in row["gates"]] == [(1, 0), (1, 0), (0, 0)]
    tally.add(TREE, 2, {"cover": GREEN, "coverage": GREEN})
    assert [flake.failing for flake in tally.flakes()] == [
        ("cover: x", "cover.z: z"),
        ("coverage.lost: y",),
    ]


def test_what_failed_in_words_that_stay():
    report = Report.judge(
        "s",
        checked=1,
        findings=[
            Finding("g.a", "m", path="p", line=3, evidence={"test": "t::x", "frames": ["p", "q"]}),
            Finding("g.b", "m only"),
            Finding("g.c", "no matter", Severity.WARNING),
        ],
        cases=[Case("c", Verdict.FAIL), Case("d", Verdict.PASS)],
    )
    assert failing({"g": report, "h": GREEN}) == ("g.a: t::x", "g.b: m only", "g: c")
    assert failing({"g": Report(Verdict.FAIL, "just so")}) == ("g: just so",)
    assert Clues.of([report]).tracebacks == (("p", "q"),)


def test_history_is_read_from_ledger_and_trailers(make_repository):
    from pytest_cockpit.git import Repository
    from pytest_cockpit.records import ledger

    rows: list[dict[str, Any]] = [
        {"kind": "promotion", "batch_id": "a", "moves": [{}] * 3},
        {"kind": "epoch", "batch_id": "x"},
        {"kind": "promotion", "batch_id": "b", "moves": [{}] * 5},
    ]
    made = make_repository({"l.ndjson": ledger.extend(b"", rows)})
    repository = Repository.discover(made.root)
    assert history.past(repository, "HEAD", "l.ndjson") == (Past(3, 0), Past(5, 0))
    message = (
        "promote\n\nBatch-Id: b\nGate-X: pass\nIsolated-From: c\nCulprit: p/x.py\nCulprit: p/y.py\n"
    )
    tree = made.git("rev-parse", "HEAD^{tree}")
    commit = made.git(
        "-c", "user.name=P", "-c", "user.email=p@example.org",
        "commit-tree", tree, "-p", "HEAD", "-m", message,
    )  # fmt: skip
    assert history.past(repository, commit, "l.ndjson") == (Past(3, 0), Past(7, 2))
    assert history.past(repository, commit, "nowhere") == ()
