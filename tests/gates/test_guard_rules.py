"""The judge of changes, on plain facts; its oracle is a naive second reading of the same rules."""

from __future__ import annotations

import posixpath
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_cockpit.api import Severity
from pytest_cockpit_gates.guard import rows, rules
from pytest_cockpit_gates.guard.change import LINK, SUBMODULE, Change, Entry, Origin, judge
from pytest_cockpit_gates.guard.places import Place, Places

FILE = Entry("100644", "f" * 40)
OTHER = Entry("100755", "e" * 40)
A_LINK = Entry(LINK, "a" * 40)
MODULE = Entry(SUBMODULE, "c" * 40)


def found(**facts):
    facts.setdefault("lane", "candidate")
    return [(finding.rule, finding.path, finding.message) for finding in judge(Change(**facts))]


def broken(**facts):
    return [(rule, path) for rule, path, _ in found(**facts)]


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("candidate", Place.LANE),
        ("candidate/a.py", Place.LANE),
        ("candidate/deep/er/a.py", Place.LANE),
        ("./candidate//a.py", Place.LANE),
        ("candidates/a.py", Place.ELSEWHERE),
        ("candidat/e.py", Place.ELSEWHERE),
        ("src/candidate/a.py", Place.ELSEWHERE),
        ("a.py", Place.ELSEWHERE),
        ("Candidate", Place.VARIANT),
        ("CANDIDATE/a.py", Place.VARIANT),
        ("candidate./a.py", Place.VARIANT),
        ("candidate /a.py", Place.VARIANT),
        ("candidate. ./a.py", Place.VARIANT),
        ("candi\u200cdate/a.py", Place.VARIANT),
        ("candi\u200fdate/a.py", Place.VARIANT),
        ("candi\u202adate/a.py", Place.VARIANT),
        ("candi\u202edate/a.py", Place.VARIANT),
        ("candi\u206adate/a.py", Place.VARIANT),
        ("candi\u206fdate/a.py", Place.VARIANT),
        ("\ufeffcandidate/a.py", Place.VARIANT),
        ("candi\u200bdate/a.py", Place.ELSEWHERE),
        ("candi\u2010date/a.py", Place.ELSEWHERE),
        ("candi\u2029date/a.py", Place.ELSEWHERE),
        ("candi\u202fdate/a.py", Place.ELSEWHERE),
        ("candi\u2069date/a.py", Place.ELSEWHERE),
        ("candi\u2070date/a.py", Place.ELSEWHERE),
    ],
)
def test_where_a_path_lies(path, place):
    assert Places("candidate").of(path) is place


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("src", Place.ABOVE),
        ("SRC", Place.ABOVE),
        ("src/wait", Place.LANE),
        ("src/WAIT/x", Place.VARIANT),
        ("Src/wait/x", Place.VARIANT),
        ("src/other", Place.ELSEWHERE),
        ("wait", Place.ELSEWHERE),
        ("wait/src", Place.ELSEWHERE),
    ],
)
def test_where_a_path_lies_when_the_lane_is_deeper(path, place):
    assert Places("src/wait").of(path) is place


def test_two_forms_of_one_letter_are_one_name():
    assert Places("caf\u00e9").of("cafe\u0301/x.py") is Place.VARIANT
    assert Places("cafe\u0301").of("caf\u00e9/x.py") is Place.VARIANT
    assert Places("stra\u00dfe").of("STRASSE/x.py") is Place.VARIANT


@pytest.mark.parametrize(
    ("path", "links", "leads"),
    [
        ("a", {"a": "candidate"}, True),
        ("a", {"a": "./candidate/x.py"}, True),
        ("a", {"a": "CANDIDATE/x.py"}, True),
        ("deep/a", {"deep/a": "../candidate/x.py"}, True),
        ("deep/a", {"deep/a": "candidate/x.py"}, False),
        ("a", {"a": "b", "b": "candidate"}, True),
        ("a", {"a": "b/x.py", "b": "candidate"}, True),
        ("a", {"a": "b/c/x.py", "b/c": "../candidate"}, True),
        ("a", {"a": "b/../candidate"}, True),
        ("a", {"a": "candidate/../core"}, False),
        ("a", {"a": "."}, False),
        ("a", {"a": ".."}, False),
        ("a", {"a": "../candidate"}, False),
        ("a", {"a": "/candidate"}, False),
        ("a", {"a": "b", "b": "a"}, False),
        ("a", {"a": "a"}, False),
        ("a", {"a": "core/x.py"}, False),
        ("a", {}, False),
    ],
)
def test_where_a_link_leads(path, links, leads):
    assert Places("candidate").leads_in(path, links) is leads


def test_a_chain_of_links_is_followed_as_far_as_a_kernel_would():
    chain = {f"l{n}": f"l{n + 1}" for n in range(60)}
    assert Places("candidate").leads_in("l21", {**chain, "l60": "candidate"})
    assert not Places("candidate").leads_in("l20", {**chain, "l60": "candidate"})


@pytest.mark.parametrize(
    ("path", "facts", "rule", "message"),
    [
        ("candidate/a.py", {}, rules.NEW_FILE, "is new in the lane"),
        ("candidate/a.txt", {}, rules.NEW_FILE, "is new in the lane"),
        ("candidate", {}, rules.NEW_FILE, "is new in the lane"),
        (
            "Candidate/a.py",
            {},
            rules.CASE_VARIANT,
            "is in candidate where letters or their form do not count",
        ),
        (
            "candidate/a.py",
            {"origins": {"candidate/a.py": Origin("b.py", gone=True)}},
            rules.RENAMED_IN,
            "was moved into the lane from b.py",
        ),
        (
            "candidate/a.py",
            {"origins": {"candidate/a.py": Origin("b\n.py", gone=False, percent=73)}},
            rules.COPIED_IN,
            "is a copy of b\\n.py, 73 % alike",
        ),
        (
            "candidate/a.py",
            {"origins": {"candidate/a.py": Origin("candidate/b.py", gone=True, percent=99)}},
            rules.MOVED_WITHIN,
            "was moved from candidate/b.py, 99 % alike",
        ),
        (
            "candidate/a.py",
            {"origins": {"candidate/a.py": Origin("candidate/b.py", gone=False)}},
            rules.COPIED_IN,
            "is a copy of candidate/b.py",
        ),
        (
            "candidate/a.py",
            {"promoted": {"candidate/a.py": "core/a.py"}},
            rules.RESURRECTED,
            "was promoted to core/a.py, and is there again",
        ),
        (
            "candidate/a.py",
            {
                "before": {"candidate/a.py": OTHER},
                "lost_shims": frozenset(["candidate/a.py"]),
            },
            rules.RESURRECTED,
            "was promoted, and is a file of its own again",
        ),
    ],
)
def test_what_comes_into_the_lane(path, facts, rule, message):
    assert found(after={path: FILE}, **facts) == [(rule, path, message)]


@pytest.mark.parametrize(
    "facts",
    [
        {"before": {"candidate/a.py": OTHER}},
        {"merged": {"candidate/a.py": frozenset([OTHER])}},
        {"restored": frozenset(["candidate/a.py"])},
        {
            "restored": frozenset(["candidate/a.py"]),
            "lost_shims": frozenset(["candidate/a.py"]),
            "before": {"candidate/a.py": OTHER},
        },
        {
            "restored": frozenset(["candidate/a.py"]),
            "promoted": {"candidate/a.py": "core/a.py"},
        },
    ],
)
def test_what_was_there_or_was_put_back_passes(facts):
    assert found(after={"candidate/a.py": FILE}, **facts) == []


def test_code_over_a_shim_is_no_better_for_being_merged():
    facts = {
        "before": {"candidate/a.py": OTHER},
        "after": {"candidate/a.py": FILE},
        "merged": {"candidate/a.py": frozenset([FILE])},
        "lost_shims": frozenset(["candidate/a.py"]),
    }
    assert broken(**facts) == [(rules.RESURRECTED, "candidate/a.py")]


@pytest.mark.parametrize(
    ("lane", "path", "entry", "rule", "message"),
    [
        ("candidate", "candidate/l", A_LINK, rules.LINK_IN_LANE, "is a symbolic link to over"),
        ("candidate", "candidate", A_LINK, rules.LINK_IN_LANE, "is a symbolic link to over"),
        ("candidate", "Candidate/l", A_LINK, rules.LINK_IN_LANE, "is a symbolic link to over"),
        (
            "src/wait",
            "src",
            A_LINK,
            rules.LINK_IN_LANE,
            "stands above the lane and is a symbolic link to over",
        ),
        ("candidate", "candidate/m", MODULE, rules.SUBMODULE, "is a submodule"),
        ("candidate", "candidate", MODULE, rules.SUBMODULE, "is a submodule"),
        ("candidate", "CANDIDATE", MODULE, rules.SUBMODULE, "is a submodule"),
        ("src/wait", "src", MODULE, rules.SUBMODULE, "stands above the lane and is a submodule"),
    ],
)
def test_links_and_submodules_in_the_lane_or_in_its_place(lane, path, entry, rule, message):
    for before in ({}, {path: FILE}, {path: Entry(entry.mode, "0" * 40)}):
        facts = {"lane": lane, "before": before, "after": {path: entry}, "links": {path: "over"}}
        assert found(**facts) == [(rule, path, message)]
        assert found(**facts, merged={path: frozenset([entry])}) == []
        assert broken(**facts, merged={path: frozenset([FILE])}) == [(rule, path)]


def test_a_link_nobody_could_read_is_one_all_the_same():
    assert found(after={"candidate/l": A_LINK}) == [
        (rules.LINK_IN_LANE, "candidate/l", "is a symbolic link to an unknown place")
    ]


def test_a_link_from_production_into_the_lane():
    facts = {"after": {"core/l": A_LINK}, "links": {"core/l": "../candidate/x\n.py"}}
    assert found(**facts) == [
        (rules.LINK_INTO_LANE, "core/l", "leads into the lane: ../candidate/x\\n.py")
    ]
    assert found(**facts, merged={"core/l": frozenset([A_LINK])}) == []
    assert found(after={"core/l": A_LINK}, links={"core/l": "../other"}) == []


@pytest.mark.parametrize("entry", [FILE, OTHER, MODULE])
def test_production_is_free(entry):
    assert found(after={"core/a.py": entry}) == []


@pytest.mark.parametrize("path", ["candidate/m", "candidate", "Candidate/m"])
def test_a_submodule_that_is_named_alone(path):
    assert found(submodules=frozenset([path, "vendor/m"])) == [
        (rules.SUBMODULE, ".gitmodules", f"names a submodule at {path}")
    ]


def test_a_file_above_the_lane_is_no_file_of_it():
    assert found(lane="src/wait", after={"src": FILE}) == []


def test_a_finding_says_what_to_do_and_what_was_there():
    before, after = {"candidate/l": FILE}, {"candidate/l": A_LINK}
    [finding] = judge(Change("candidate", before, after, links={"candidate/l": "x"}))
    assert finding.severity is Severity.ERROR
    assert finding.remedy == "remove the link"
    assert finding.evidence == {
        "before": {"mode": "100644", "blob": "f" * 40},
        "after": {"mode": LINK, "blob": "a" * 40},
    }
    [finding] = judge(Change("wait", {}, {"wait/\udcff": FILE}))
    assert finding.path == "wait/\\udcff"
    assert finding.remedy == (
        "put it where it shall stay, outside wait; to let it in: cockpit waive guard.new-file --file …"
    )
    assert finding.evidence == {"after": {"mode": "100644", "blob": "f" * 40}}
    [finding] = judge(Change("wait", {}, {"Wait/x": FILE}))
    assert finding.remedy == "give the folder a name that is not wait in other letters"


def test_findings_come_in_the_order_of_paths():
    after = {f"candidate/{name}": FILE for name in "cab"}
    assert [path for _, path in broken(after=after)] == [f"candidate/{name}" for name in "abc"]


def test_odd_names_of_promoted_files_are_found_as_the_ledger_spells_them():
    facts = {"after": {"candidate/\udcff.py": FILE}, "promoted": {"candidate/\\udcff.py": "core"}}
    assert broken(**facts) == [(rules.RESURRECTED, "candidate/\\udcff.py")]


PROMOTION: dict[str, Any] = {
    "kind": "promotion",
    "batch_id": "one",
    "moves": [
        {"source": "candidate/a.py", "target": "a.py", "target_blob": "1"},
        {"source": "candidate/b.py", "target": "b.py", "target_blob": "2"},
    ],
}
ROLLBACK: dict[str, Any] = {
    "kind": "rollback",
    "batch_id": "two",
    "rolls_back": "one",
    "moves": [{"source": "a.py", "target": "candidate/a.py", "target_blob": "3"}],
}


def test_a_rollback_restores_what_its_batch_had_moved():
    assert rows.restored([PROMOTION, ROLLBACK], 1) == {"candidate/a.py": "3"}
    assert rows.restored([PROMOTION, ROLLBACK], 0) == {"candidate/a.py": "3"}
    note = {"kind": "note"}
    assert rows.restored([note, PROMOTION, note, ROLLBACK], 2) == {"candidate/a.py": "3"}


def test_each_rollback_of_a_change_counts():
    other = {**ROLLBACK, "moves": [{**ROLLBACK["moves"][0], "target": "candidate/b.py"}]}
    expected = {"candidate/a.py": "3", "candidate/b.py": "3"}
    assert rows.restored([PROMOTION, ROLLBACK, {"kind": "note"}, other], 1) == expected


def test_a_rollback_of_the_base_restores_nothing_any_more():
    assert rows.restored([PROMOTION, ROLLBACK], 2) == {}


@pytest.mark.parametrize(
    "changed",
    [
        {"rolls_back": "other"},
        {"moves": [{"source": "x.py", "target": "candidate/x.py", "target_blob": "3"}]},
        {"kind": "promotion"},
        {"moves": []},
    ],
)
def test_a_row_that_undoes_nothing_restores_nothing(changed):
    assert rows.restored([PROMOTION, {**ROLLBACK, **changed}], 1) == {}


def test_a_rollback_before_its_batch_restores_nothing():
    assert rows.restored([ROLLBACK, PROMOTION], 0) == {}


def test_what_was_promoted_and_is_still_away():
    assert rows.promoted([PROMOTION]) == {"candidate/a.py": "a.py", "candidate/b.py": "b.py"}
    assert rows.promoted([PROMOTION, ROLLBACK]) == {"candidate/b.py": "b.py"}


@pytest.mark.parametrize(
    "odd",
    [
        {"kind": "promotion"},
        {"kind": "promotion", "batch_id": "one", "moves": 3},
        {"kind": "promotion", "batch_id": "one", "moves": {}},
        {"kind": "rollback", "rolls_back": "one", "moves": [1]},
        {"kind": "rollback", "rolls_back": "one", "moves": [{}]},
        {"kind": "rollback", "rolls_back": "one", "moves": [{"target": "candidate/a.py"}]},
        {"kind": "rollback", "rolls_back": "one", "moves": [{"source": "a.py"}]},
        {"kind": "rollback", "rolls_back": "one", "moves": [{"source": 1, "target": "b"}]},
        {"kind": "rollback", "rolls_back": "one", "moves": [{"source": "a", "target": 2}]},
        {},
    ],
)
def test_a_row_without_its_keys_says_nothing(odd):
    assert rows.restored([PROMOTION, odd, ROLLBACK], 0) == {"candidate/a.py": "3"}
    assert rows.promoted([PROMOTION, odd]) == rows.promoted([PROMOTION])


def test_a_row_without_ids_undoes_what_has_none():
    nameless = {key: value for key, value in ROLLBACK.items() if key != "rolls_back"}
    assert rows.restored([PROMOTION, nameless], 0) == {}


ANYTHING = st.recursive(
    st.none() | st.integers() | st.sampled_from(["one", "candidate/a.py", "a.py"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["source", "target", "target_blob"]), inner)
    ),
    max_leaves=6,
)
ROWS = st.dictionaries(
    st.sampled_from(["kind", "moves", "batch_id", "rolls_back"]),
    ANYTHING | st.sampled_from(["promotion", "rollback"]),
)


@given(st.lists(ROWS, max_size=4), st.integers(0, 4))
def test_any_rows_are_read(some, known):
    assert all(isinstance(path, str) for path in rows.promoted(some))
    assert all(isinstance(blob, str) for blob in rows.restored(some, known).values())


NAMES = st.sampled_from(
    ["candidate", "Candidate", "candidate.", "a.py", "b", "core", "src", "\u200d", "x\n$(date)"]
)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
ENTRIES = st.builds(
    Entry, st.sampled_from(["100644", "100755", LINK, SUBMODULE]), st.sampled_from("abc")
)
TREES = st.dictionaries(PATHS, ENTRIES, max_size=8)
LANES = st.sampled_from(["candidate", "src/candidate", "core/b"])


def naive(lane, before, after, links):
    """The paths by which something comes into the lane, found another way."""

    def name(path):
        return path.replace("\u200d", "").lower().split("/")

    def norm(path):
        return [part.rstrip(". ") for part in name(path)]

    def below(path):
        return norm(path)[: len(lane.split("/"))] == norm(lane)

    def above(path):
        return norm(lane)[: len(norm(path))] == norm(path)

    def lands(path):
        seen = set()
        while path not in seen:
            seen.add(path)
            prefixes = [path[:n] for n in range(len(path)) if path[n] == "/"] + [path]
            hop = next((prefix for prefix in prefixes if prefix in links), None)
            if hop is None:
                return False
            rest = path[len(hop) + 1 :]
            path = posixpath.normpath("/".join([posixpath.dirname(hop) or ".", links[hop], rest]))
            if path.startswith(".."):
                return False
            if below(path):
                return True
        return False

    bad = set()
    for path, entry in after.items():
        if before.get(path) == entry:
            continue
        odd = entry.mode in (LINK, SUBMODULE)
        if odd and (below(path) or above(path)):
            bad.add(path)
        if entry.mode == LINK and lands(path):
            bad.add(path)
        if not odd and below(path) and path not in before:
            bad.add(path)
    return bad


@given(LANES, TREES, TREES, st.dictionaries(PATHS, PATHS.map("../".__add__), max_size=3))
@example("src/candidate", {}, {"src/candidate\u200d": Entry("100644", "a")}, {})
def test_every_path_that_comes_into_the_lane_is_found_and_no_other(lane, before, after, spare):
    differing = {path: entry for path, entry in after.items() if before.get(path) != entry}
    gone = {p: e for p, e in before.items() if after.get(p) != e}
    links = {path: "../candidate" for path, entry in after.items() if entry.mode == LINK}
    links |= {path: target for path, target in spare.items() if path in links}
    judged = [path for _, path in broken(lane=lane, before=gone, after=differing, links=links)]
    assert len(judged) == len(set(judged))
    assert set(judged) == naive(lane, before, after, links)
