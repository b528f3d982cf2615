"""The judging module and the baseline's join, in plain data."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.api import CockpitError, Severity
from pytest_cockpit.quarantine.marks import Mark
from pytest_cockpit.quarantine.observed import Outcome
from pytest_cockpit_gates.quarantine import judging, ratchet
from pytest_cockpit_gates.quarantine.judging import Quarantined, Seen
from pytest_cockpit_gates.quarantine.ratchet import Place

TODAY = date(2026, 11, 20)
MARK = Mark("#7", "@gate", date(2026, 12, 1))
FAILED = Outcome("failed", "assert 0")
WHERE = ".cockpit/baselines/quarantine.json"


def quarantined(name="test_a", path="tests/t.py", **changes):
    facts = {"issue": "#7", "mark": MARK, "outcome": FAILED, **changes}
    return Quarantined(f"{path}::{name}", path, 4, **facts)


def places(*tests):
    return [test.place for test in tests]


def found(*tests, permitted=None, today=TODAY, **seen):
    permitted = places(*tests) if permitted is None else permitted
    files = {test.path for test in tests}
    whole = Seen(tests, **{"naming": files, "files": files, **seen})
    return list(judging.findings(whole, permitted, today))


def told(*findings):
    return [(it.rule, it.severity.value, it.where, it.message, it.remedy) for it in findings]


def test_a_known_failure_is_nothing_to_tell():
    assert found(quarantined()) == []


def test_a_new_test():
    (finding,) = found(quarantined(), permitted=[])
    assert told(finding) == [
        (
            "quarantine.new-test",
            "error",
            "tests/t.py:4",
            "tests/t.py::test_a: in quarantine, and not in the baseline",
            "mend the test, or waive this rule for its file, with a reason",
        )
    ]
    assert finding.evidence == {
        "test": "tests/t.py::test_a",
        "issue": "#7",
        "outcome": "failed",
    }


def test_another_issue_is_still_the_same_test():
    assert found(quarantined(issue="#8"), permitted=[Place("tests/t.py", "test_a", "#7")]) == []


@pytest.mark.parametrize(
    "place, moved",
    [
        (Place("tests/old.py", "test_a", "#7"), True),
        (Place("tests/old.py", "test_a", "#8"), False),
        (Place("tests/old.py", "test_b", "#7"), False),
        (Place("tests/u.py", "test_a", "#7"), False),
    ],
)
def test_a_test_of_a_moved_file_is_told_to_take_its_entry_along(place, moved):
    files = {"tests/t.py", "tests/u.py"}
    (finding,) = found(quarantined(), permitted=[place], files=files)
    said = "move its entry in the baseline from tests/old.py to tests/t.py"
    assert (finding.remedy == said) is moved


def test_expired():
    mark = Mark("#7", "@gate", date(2026, 11, 18))
    (finding,) = found(quarantined(mark=mark))
    assert told(finding)[0][:1] + told(finding)[0][3:] == (
        "quarantine.expired",
        "tests/t.py::test_a: quarantine expired on 2026-11-18, 2 days ago",
        "fix it, or renew with a reason",
    )
    assert "1 day ago" in found(quarantined(mark=mark), today=date(2026, 11, 19))[0].message
    assert found(quarantined(mark=mark), today=date(2026, 11, 18)) == []


def test_passes():
    (finding,) = found(quarantined(outcome=Outcome("passed")))
    assert told(finding)[0][:2] + told(finding)[0][3:] == (
        "quarantine.passes",
        "error",
        "tests/t.py::test_a: it passes",
        "remove its marker",
    )


def test_a_wrong_marker():
    (finding,) = found(quarantined(mark=None, complaints=("owner: missing", "x")))
    assert told(finding)[0][0] == "quarantine.malformed-marker"
    assert finding.message == "tests/t.py::test_a: owner: missing; x"
    assert finding.remedy == (
        'write authz_quarantine(issue="#123", owner="@team", expires="2026-12-31")'
    )


@pytest.mark.parametrize("issue", [None, 7, ["#7"]])
def test_an_issue_may_be_anything(issue):
    test = quarantined(issue=issue, mark=None, complaints=("issue: missing",))
    assert test.place.issue == ""
    assert [finding.rule for finding in found(test)] == ["quarantine.malformed-marker"]


@pytest.mark.parametrize(
    "outcome, ended, message",
    [
        (None, "", "it was not run"),
        (None, "its time was up", "it was not run: its time was up"),
        (Outcome("unfinished"), "killed", "it did not come to its end: killed"),
        (Outcome("skipped"), "", "it was skipped"),
        (Outcome("skipped"), "killed", "it was skipped"),
    ],
)
def test_not_run(outcome, ended, message):
    (finding,) = found(quarantined(outcome=outcome), ended=ended)
    assert told(finding)[0][0] == "quarantine.not-run"
    assert finding.severity is Severity.UNKNOWN
    assert finding.message == f"tests/t.py::test_a: {message}"
    assert finding.remedy == "let it run to its end, or delete it"


@pytest.mark.parametrize(
    "node_id, concerned",
    [
        ("tests/t.py", True),
        ("tests/t.py::TestA", True),
        ("tests", True),
        ("tests/", True),
        ("", True),
        (".", True),
        ("test", False),
        ("tests/u.py", False),
        ("tests/t", False),
    ],
)
def test_not_collected(node_id, concerned):
    naming = {"tests/t.py"}
    findings = found(lost={node_id: "ImportError:\nx"}, naming=naming)
    assert [finding.rule for finding in findings] == ["quarantine.not-collected"] * concerned
    if concerned:
        (finding,) = findings
        assert finding.severity is Severity.UNKNOWN
        assert finding.message == "could not be collected: ImportError:\\nx"
        assert finding.path == (node_id.partition("::")[0] or None)
        assert finding.remedy == "mend it: its quarantined tests cannot be counted"
        assert finding.evidence == {"id": node_id}


def test_a_collection_that_did_not_end():
    (finding,) = found(ended="exit code 3", naming={"b.py", "a.py"})
    assert told(finding) == [
        (
            "quarantine.not-collected",
            "unknown",
            "",
            "the collection did not come to its end: exit code 3",
            "see what `pytest --collect-only` says",
        )
    ]
    assert finding.evidence == {"naming": ["a.py", "b.py"]}
    # What is known better is not told twice.
    assert len(found(ended="x", lost={"b.py": "y"}, naming={"b.py"})) == 1
    # A file that is none of its business says nothing of those that were never reached.
    assert len(found(ended="x", lost={"c.py": "y"}, naming={"b.py"})) == 1
    assert [it.rule for it in found(quarantined(outcome=None), ended="x")] == ["quarantine.not-run"]


def test_loosened():
    base = [Place("tests/t.py", "test_a", "#7")]
    now = [*base, Place("tests/~t.py", "test_b[a/b]", "#9")]
    (finding,) = judging.loosened(base, now, {"tests/t.py"}, WHERE)
    assert told(finding) == [
        (
            "quarantine.loosened-baseline",
            "error",
            f"{WHERE}#/entries/tests~1~0t.py/tests/test_b[a~1b]",
            "it permits tests/~t.py::test_b[a/b], which it did not at the base commit",
            "take the entry out, or waive this rule for the baseline, with a reason",
        )
    ]
    assert finding.evidence == {"test": "tests/~t.py::test_b[a/b]", "issue": "#9"}
    assert list(judging.loosened(now, base, {"tests/t.py"}, WHERE)) == []


def test_slack():
    test = quarantined()
    gone = Place("tests/t.py", "test_b", "#9")
    seen = Seen((test,), naming={"tests/t.py"}, files={"tests/t.py"})
    (finding,) = judging.slack(seen, [test.place, gone], WHERE, Severity.WARNING)
    assert told(finding) == [
        (
            "quarantine.baseline-slack",
            "warning",
            f"{WHERE}#/entries/tests~1t.py/tests/test_b",
            "tests/t.py::test_b is no longer in quarantine",
            "tighten with: pytest --cockpit-ratchet=tighten",
        )
    ]
    assert finding.evidence == {"test": "tests/t.py::test_b", "issue": "#9"}


@pytest.mark.parametrize(
    "changes, slack",
    [
        ({}, 1),
        ({"ended": "killed"}, 0),
        ({"lost": {"tests/t.py": "x"}}, 0),
        ({"lost": {"tests/u.py": "x"}}, 1),
    ],
)
def test_slack_is_told_of_what_was_seen_alone(changes, slack):
    seen = Seen(naming={"tests/t.py"}, **changes)
    gone = [Place("tests/t.py", "test_b", "#9")]
    assert len(list(judging.slack(seen, gone, WHERE, Severity.INFO))) == slack


def test_words():
    assert judging.word(quarantined()) == "failed"
    assert judging.word(quarantined(outcome=None)) == "not run"


def test_places():
    assert Place.of("tests/t.py::A::test[x::y]", "#7") == Place("tests/t.py", "A::test[x::y]", "#7")
    assert Place.of("t.py::a", "#7").id == "t.py::a"
    assert Place.of("t\udcff.py::a", "#7").path == "t\\udcff.py"


def test_entries_and_back():
    every = [Place("b.py", "x", "#1"), Place("a.py", "y", "#2"), Place("a.py", "x", "#3")]
    document = ratchet.entries(every)
    assert document == {
        "a.py": {"tests": {"x": "#3", "y": "#2"}},
        "b.py": {"tests": {"x": "#1"}},
    }
    assert ratchet.places(document, WHERE) == sorted(every)


@pytest.mark.parametrize("entry", [None, [], {}, {"tests": []}, {"tests": {"x": 1}}])
def test_a_malformed_entry(entry):
    with pytest.raises(CockpitError) as caught:
        ratchet.places({"a.py": entry}, WHERE)
    assert str(caught.value) == (
        f"{WHERE}: /entries/a.py: expected tests, an issue by each name; restore it from git"
    )


@pytest.mark.parametrize(
    "wanted, files, left",
    [
        (["t.py::a"], {"t.py"}, []),
        (["t.py::b"], {"t.py"}, ["t.py::b"]),
        (["u.py::a"], {"t.py", "u.py"}, ["u.py::a"]),
        (["u.py::a"], {"u.py"}, []),
        (["u.py::a", "v.py::a"], {"u.py", "v.py"}, ["v.py::a"]),
        (["t.py::a", "u.py::a"], {"u.py"}, []),
    ],
)
def test_beyond(wanted, files, left):
    permitted = [Place("t.py", "a", "#7")]
    tests = [Place.of(node_id, "#7") for node_id in wanted]
    assert sorted(it.id for it in ratchet.beyond(tests, permitted, files)) == left
    assert ratchet.beyond([Place("u.py", "a", "#8")], permitted, ()) != set()


PLACE = st.builds(
    Place, st.sampled_from(["a.py", "b.py"]), st.sampled_from("xyz"), st.sampled_from(["#1", "#2"])
)
DOCUMENT = st.lists(PLACE, max_size=6).map(lambda it: {"entries": ratchet.entries(it), "meta": {}})


@given(DOCUMENT, DOCUMENT, DOCUMENT)
def test_the_join_is_one(a, b, c):
    join = ratchet.join
    assert join(a, a) == a
    assert join(a, b) == join(b, a)
    assert join(a, join(b, c)) == join(join(a, b), c)
    both = {(it.path, it.name) for it in ratchet.places(join(a, b)["entries"], "")}
    one, other = ({(it.path, it.name) for it in ratchet.places(d["entries"], "")} for d in (a, b))
    assert both == one & other


def test_the_join_of_two():
    one = {"a.py": {"tests": {"x": "#2", "y": "#1"}}, "b.py": {"tests": {"x": "#1"}}}
    other = {"a.py": {"tests": {"x": "#1", "z": "#1"}}}
    joined = ratchet.join({"entries": one, "meta": {}}, {"entries": other, "meta": {}})
    assert joined == {"entries": {"a.py": {"tests": {"x": "#1"}}}, "meta": {}}
    with pytest.raises(CockpitError, match=r"quarantine: /entries/a\.py"):
        ratchet.join({"entries": {"a.py": 1}}, {"entries": {}})
