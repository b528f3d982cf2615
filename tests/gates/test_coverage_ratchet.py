"""The pure part of the coverage gate: joins, loosening, targets, patches and what is told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.api import CockpitError, Finding, Lane, Severity
from pytest_cockpit.measurement.outcome import Failure, TestRun
from pytest_cockpit.records.baselines import Baseline
from pytest_cockpit_gates.coverage import (
    excerpt,
    gate,
    markdown,
    patch,
    ratchet,
    rules,
    suite,
    targets,
)
from pytest_cockpit_gates.coverage.joining import bounds, join, join_entries, measurements
from pytest_cockpit_gates.coverage.loosening import Compared, allowed
from pytest_cockpit_gates.coverage.model import Bound, FileCoverage, ranges, seal
from pytest_cockpit_gates.coverage.settings import Settings

# Joins

FEW = st.integers(0, 3)
LINES = st.lists(st.integers(1, 12), unique=True).map(ranges)
NAMES = st.lists(st.sampled_from(["t.py::a", "t.py::b", "u.py"]), unique=True)
ENTRIES = st.fixed_dictionaries(
    {"missing_lines": FEW, "missing_branches": FEW, "statements": FEW},
    optional={
        "excluded": FEW,
        "uncovered": LINES | st.sampled_from(["1-3,2", "5,4", ""]),
        "source": st.sampled_from(["aa", "bb"]),
    },
)
RUNS = st.fixed_dictionaries(
    {"coverage": st.sampled_from(["7.1", "7.2"]), "base": st.sampled_from(["c0", "c1", None])}
)
METAS = st.fixed_dictionaries(
    {},
    optional={
        "failing_tests": NAMES,
        "measured": st.lists(RUNS, max_size=2),
        "parser": st.sampled_from(["p", "q"]),
        "patterns": st.lists(st.sampled_from(["x", "y", "z"])),
        "passed": FEW,
        "skipped": FEW,
        # As baselines had it before several measurements could be joined.
        "coverage": st.sampled_from(["7.0"]),
        "base": st.sampled_from(["c0"]),
    },
)
DOCUMENTS = st.fixed_dictionaries(
    {
        "entries": st.dictionaries(st.sampled_from(["a.py", "b.py", "c.py"]), ENTRIES),
        "meta": METAS,
    }
)


def no_looser(tight: Mapping[str, Any], loose: Mapping[str, Any]) -> bool:
    for path, was in loose["entries"].items():
        now = tight["entries"].get(path)
        if now is None:
            return False
        counts = ("missing_lines", "missing_branches")
        if any(now[name] > was[name] for name in counts):
            return False
        if "excluded" in was and now.get("excluded", 9) > was["excluded"]:
            return False
    kept = set(tight["meta"].get("failing_tests", []))
    return kept <= set(loose["meta"].get("failing_tests", []))


@given(DOCUMENTS, DOCUMENTS)
def test_a_join_has_no_order(one: Any, two: Any) -> None:
    assert join(one, two) == join(two, one)


@given(DOCUMENTS, DOCUMENTS, DOCUMENTS)
def test_a_join_has_no_brackets(one: Any, two: Any, three: Any) -> None:
    assert join(join(one, two), three) == join(one, join(two, three))


@given(DOCUMENTS)
def test_only_what_binds_is_a_bound(one: Any) -> None:
    moved = json.loads(json.dumps(one))
    for entry in moved["entries"].values():
        entry.pop("uncovered", None)
        entry.pop("source", None)
    moved["meta"].pop("measured", None)
    assert bounds(moved) == gate.bounds(one)
    for path, entry in moved["entries"].items():
        entry["missing_lines"] += 1
        assert bounds(moved)[path] != gate.bounds(one)[path]


@given(DOCUMENTS)
def test_a_join_with_itself_is_nothing_new(one: Any) -> None:
    assert join(one, one) == one


@given(DOCUMENTS, DOCUMENTS)
def test_a_join_is_as_tight_as_both_and_no_tighter(one: Any, two: Any) -> None:
    joined = join(one, two)
    assert no_looser(joined, one)
    assert no_looser(joined, two)
    assert join(joined, one) == join(joined, two) == joined
    for path, entry in joined["entries"].items():
        sides = [side["entries"][path] for side in (one, two) if path in side["entries"]]
        for name in ("missing_lines", "missing_branches", "statements"):
            assert entry[name] == min(side[name] for side in sides)
    json.dumps(joined)


@given(st.lists(DOCUMENTS, min_size=2, max_size=4), st.randoms())
def test_any_sequence_of_merges_ends_the_same(documents: list[Any], random: Any) -> None:
    shuffled = random.sample(documents, len(documents))
    assert reduce(join, documents) == reduce(join, shuffled)


@given(DOCUMENTS, DOCUMENTS)
def test_a_seal_outlives_no_other_counts(one: Any, two: Any) -> None:
    for path, entry in join(one, two)["entries"].items():
        sides = [side["entries"][path] for side in (one, two) if path in side["entries"]]
        if "source" in entry:
            assert {side.get("source") for side in sides} == {entry["source"]}
            counts = {Bound.of(side, path).counts for side in sides}
            assert counts == {Bound.of(entry, path).counts}
            assert counts == {
                (
                    entry["missing_lines"],
                    entry["missing_branches"],
                    entry.get("excluded", 0),
                    entry["statements"],
                )
            }


def test_what_a_merge_says() -> None:
    mine = {
        "entries": {
            "a.py": {
                "missing_lines": 3,
                "missing_branches": 0,
                "statements": 9,
                "excluded": 2,
                "uncovered": "3-5",
            },
            "mine.py": {"missing_lines": 0, "missing_branches": 0, "statements": 1},
        },
        "meta": {
            "failing_tests": ["t.py::a", "t.py::b"],
            "measured": [{"base": "c1", "coverage": "7.2"}],
            "parser": "p",
            "patterns": ["x", "y"],
            "passed": 7,
            "skipped": 2,
        },
    }
    theirs = {
        "entries": {
            "a.py": {
                "missing_lines": 4,
                "missing_branches": 1,
                "statements": 8,
                "uncovered": "1,4-6",
            },
            "theirs.py": {"missing_lines": 0, "missing_branches": 0, "statements": 2},
        },
        "meta": {
            "failing_tests": ["t.py::b", "t.py::c"],
            "measured": [{"base": "c0", "coverage": "7.1"}],
            "parser": "q",
            "patterns": ["y", "z"],
            "passed": 8,
            "skipped": 3,
        },
    }
    assert gate.join(mine, theirs) == {
        "entries": {
            "a.py": {
                "missing_lines": 3,
                "missing_branches": 0,
                "statements": 8,
                "excluded": 2,
                "uncovered": "4-5",
            },
            "mine.py": mine["entries"]["mine.py"],
            "theirs.py": theirs["entries"]["theirs.py"],
        },
        "meta": {
            "failing_tests": ["t.py::b"],
            "measured": [{"base": "c0", "coverage": "7.1"}, {"base": "c1", "coverage": "7.2"}],
            "patterns": ["y"],
            "passed": 8,
            "skipped": 2,
        },
    }


def test_a_baseline_of_old_is_one_measurement() -> None:
    old = {"failing_tests": [], "parser": "p", "coverage": "7.0", "base": "c0"}
    assert measurements(old) == [{"coverage": "7.0", "base": "c0"}]
    assert measurements({"failing_tests": []}) == []
    assert measurements({"measured": "all", "base": "c0"}) == [{"base": "c0"}]
    joined = join({"entries": {}, "meta": old}, {"entries": {}, "meta": {"parser": "p"}})["meta"]
    assert joined == {
        "failing_tests": [],
        "measured": [{"base": "c0", "coverage": "7.0"}],
        "parser": "p",
    }


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"entries": {"a.py": {}}}, "a.py: missing_lines: expected integer"),
        (
            {"entries": {}, "meta": {"failing_tests": "all"}},
            "the baseline: meta: failing_tests: expected a list",
        ),
        (
            {"entries": {}, "meta": {"failing_tests": [1]}},
            "the baseline: meta: failing_tests: expected a list",
        ),
        (
            {"entries": {}, "meta": {"patterns": {}}},
            "the baseline: meta: patterns: expected a list",
        ),
    ],
)
def test_no_join_of_what_is_malformed(document: Any, said: str) -> None:
    good = {"missing_lines": 0, "missing_branches": 0, "statements": 0}
    other = {"entries": {"a.py": good}, "meta": {"failing_tests": []}}
    for pair in ((document, other), (other, document)):
        with pytest.raises(CockpitError) as caught:
            join(*pair)
        assert str(caught.value).startswith(said)


@pytest.mark.parametrize("count", [-1, True, 1.0, "1", None])
def test_a_count_is_a_count(count: Any) -> None:
    good = {"missing_lines": 0, "missing_branches": 0, "statements": 0, "excluded": 0}
    for name in good:
        with pytest.raises(CockpitError, match=rf"b\.py: {name}: expected integer ≥ 0"):
            Bound.of({**good, name: count}, "b.py")
    assert Bound.of({**good, "excluded": 4}, "b.py").excluded == 4


def test_lines_beyond_any_file_are_none() -> None:
    good = {"missing_lines": 1, "missing_branches": 0, "statements": 1}
    assert Bound.of({**good, "uncovered": "1-999999"}, "b.py").uncovered == "1-999999"
    with pytest.raises(CockpitError, match="uncovered: expected lines"):
        Bound.of({**good, "uncovered": "1-1000000"}, "b.py")


# Loosening


def entry(lines: int, branches: int = 0, statements: int = 10, **more: Any) -> dict[str, Any]:
    counts = {"missing_lines": lines, "missing_branches": branches, "statements": statements}
    return {**counts, **more}


def loosened(
    base: Mapping[str, Any], now: Mapping[str, Any], *, meta: Any = ({}, {}), **more: Any
) -> list[Finding]:
    given = {
        "where": "b.json",
        "sources": {},
        "present": {"a.py", "new.py"},
        "statements": {},
        "new_file_ratio": 0.2,
        **more,
    }
    compared = Compared(
        base=Baseline("coverage", base, meta[0]), now=Baseline("coverage", now, meta[1]), **given
    )
    return list(compared.findings())


def test_a_tighter_or_equal_baseline_is_not_looser() -> None:
    base = {"a.py": entry(3, 2, excluded=1, uncovered="1-3")}
    assert loosened(base, base) == []
    assert loosened(base, {"a.py": entry(3, 2, 99, excluded=1)}) == []
    assert loosened(base, {"a.py": entry(2, 1, excluded=0)}) == []
    assert loosened({"a.py": entry(3)}, {"a.py": entry(3, excluded=9)}) == []


@pytest.mark.parametrize(
    ("now", "wider"),
    [
        (entry(4, 2, excluded=1), {"missing_lines": [3, 4]}),
        (entry(3, 3, excluded=1), {"missing_branches": [2, 3]}),
        (entry(0, 0, excluded=2), {"excluded": [1, 2]}),
        (entry(3, 2), {"excluded": [1, None]}),
        (entry(4, 3), {"missing_lines": [3, 4], "missing_branches": [2, 3], "excluded": [1, None]}),
    ],
)
def test_each_count_that_allows_more_is_told(now: Any, wider: Any) -> None:
    (found,) = loosened({"a.py": entry(3, 2, excluded=1)}, {"a.py": now})
    assert (found.rule, found.path, found.severity) == (rules.LOOSENED, "a.py", Severity.ERROR)
    assert found.evidence == {"loosened": wider, "document": "b.json", "pointer": "/entries/a.py"}
    assert all(f"{a} to {b}" in found.message for a, b in wider.values())


def test_a_removed_bound_is_looser_while_the_file_is_there() -> None:
    base = {"a.py": entry(3), "gone.py": entry(3)}
    (found,) = loosened(base, {})
    assert (found.path, found.message) == ("a.py", "its bound was removed from the baseline")
    assert found.evidence["bound"] is None


def test_a_bound_follows_its_file() -> None:
    base = {"old/a~.py": entry(3)}
    sources = {"new/a~.py": "old/a~.py"}
    present = {"new/a~.py"}
    assert loosened(base, {"new/a~.py": entry(3)}, sources=sources, present=present) == []
    # Not renamed yet: the gate finds it under the old path.
    assert loosened(base, {"old/a~.py": entry(3)}, sources=sources, present=present) == []
    (found,) = loosened(base, {"new/a~.py": entry(4)}, sources=sources, present=present)
    assert found.evidence["pointer"] == "/entries/new~1a~0.py"
    (found,) = loosened(base, {"old/a~.py": entry(4)}, sources=sources, present=present)
    assert found.path == "old/a~.py"
    (found,) = loosened(base, {}, sources=sources, present=present)
    assert found.path == "new/a~.py"


@pytest.mark.parametrize(
    ("now", "statements", "looser"),
    [
        (entry(2, excluded=0), 10, False),
        (entry(3, excluded=0), 10, True),
        (entry(2, excluded=1), 10, True),
        (entry(3, excluded=0, statements=1000), 10, True),
        (entry(3, excluded=0, statements=1000), None, False),
        (entry(0, excluded=0, statements=0), 0, False),
    ],
)
def test_an_added_bound_allows_what_a_new_file_may(now: Any, statements: Any, looser: bool) -> None:
    measured = {} if statements is None else {"new.py": statements}
    found = loosened({}, {"new.py": now}, statements=measured)
    assert [row.path for row in found] == ["new.py"] * looser
    if looser:
        assert found[0].evidence["statements"] == 10
        assert "2 are allowed in a new file" in found[0].message


def test_an_added_bound_says_how_much_is_excluded() -> None:
    (found,) = loosened({}, {"new.py": entry(0)}, statements={"new.py": 10})
    assert (found.path, found.evidence["excluded"]) == ("new.py", None)
    assert "does not say how much is excluded" in found.message


def test_an_added_known_failure_is_looser() -> None:
    known = {"failing_tests": ["t.py::a", "lost.py"]}
    same = {"failing_tests": ["t.py::a", "lost.py", "lost.py::b"]}
    assert loosened({}, {}, meta=(known, {"failing_tests": []})) == []
    assert loosened({}, {}, meta=(known, same)) == []
    more = {"failing_tests": ["t.py::a", "t.py::b", "t.py::c", "u.py"]}
    first, second = loosened({}, {}, meta=(known, more))
    assert (first.path, first.evidence["added"]) == ("t.py", ["t.py::b", "t.py::c"])
    assert first.message.endswith("t.py::b and 1 more")
    assert (second.path, second.evidence["added"]) == ("u.py", ["u.py"])
    assert second.message.endswith(": u.py")
    moved = {"failing_tests": ["new/t.py::a"]}
    assert loosened({}, {}, meta=(known, moved), sources={"new/t.py": "t.py"}) == []
    assert len(loosened({}, {}, meta=(known, moved))) == 1


def test_an_added_pattern_is_looser() -> None:
    base = {"patterns": ["x"]}
    assert loosened({}, {}, meta=({}, {"patterns": ["x"]})) == []
    assert loosened({}, {}, meta=(base, {"patterns": []})) == []
    (found,) = loosened({}, {}, meta=(base, {"patterns": ["y", "x"]}))
    assert (found.path, found.pointer, found.evidence) == (
        "b.json",
        "/meta/patterns",
        {"added": ["y"]},
    )
    (found,) = loosened({}, {}, meta=(base, {"failing_tests": []}))
    assert "no longer says" in found.message


@given(DOCUMENTS, DOCUMENTS)
def test_a_baseline_that_is_its_join_with_the_base_is_not_looser(one: Any, two: Any) -> None:
    """And one that is not has a finding, for each of the paths that the base had."""
    # Without it an added bound is looser than none, whatever the join.
    counted = {
        path: entry if path in one["entries"] else {"excluded": 0, **entry}
        for path, entry in two["entries"].items()
    }
    two = {**two, "entries": counted}
    joined = join(one, two)
    present = {"a.py", "b.py", "c.py"}

    def of(now: Any) -> list[Finding]:
        meta = (one["meta"], now["meta"])
        sizes = dict.fromkeys(present, 10**6)
        return loosened(
            one["entries"], now["entries"], meta=meta, present=present, statements=sizes
        )

    assert of(joined) == []
    expected = {
        path
        for path, was in one["entries"].items()
        if path not in two["entries"]
        or not no_looser(
            {"entries": {path: two["entries"][path]}, "meta": {}},
            {"entries": {path: was}, "meta": {}},
        )
    }
    bounds = {found.path for found in of(two) if "/entries/" in found.evidence.get("pointer", "")}
    assert bounds == expected


@given(st.integers(0, 100), st.integers(0, 100))
def test_a_share_is_exact(statements: int, percent: int) -> None:
    assert allowed(statements, percent / 100) == statements * percent // 100


# Targets


def covered(lines: int, of: int, branches: int = 0, exits: int = 0) -> FileCoverage:
    missing = tuple(range(1, of - lines + 1))
    untaken = ((1, exits - branches),) if exits > branches else ()
    return FileCoverage(of, missing, ranges(missing), untaken, branches=exits)


def goals(**settings: Any) -> list[targets.Target]:
    return targets.configured(Settings.of(settings), Lane())


def test_the_first_target_that_matches_counts() -> None:
    files = {"core/a.py": covered(7, 10), "core/old/b.py": covered(1, 10), "x.py": covered(0, 10)}
    set_goals = goals(targets=[{"paths": ["core/old/"]}, {"paths": ["core/**"], "lines": 80}])
    (found,) = targets.below(files, set_goals)
    assert (found.rule, found.path, found.line) == (rules.BELOW_TARGET, "core/a.py", 1)
    assert found.message == "reaches 70.0 % of lines, the target is 80 %"
    assert found.evidence["target"] == {"name": "core/**", "lines": 80, "branches": 0}
    assert found.evidence["reached"] == {"lines": 70.0}
    assert targets.parsed("core/a.py", set_goals)
    assert not targets.parsed("core/old/b.py", set_goals)
    assert not targets.parsed("x.py", set_goals)


@pytest.mark.parametrize(
    ("settings", "below"),
    [
        ({}, []),
        ({"production_target": {"lines": 80}}, ["core/a.py"]),
        ({"lane_target": {"lines": 40}}, []),
        ({"lane_target": {"lines": 60}}, ["candidate/b.py"]),
        (
            {"production_target": {"lines": 80}, "lane_target": {"branches": 60}},
            ["candidate/b.py", "core/a.py"],
        ),
    ],
)
def test_lane_and_production_have_their_own(settings: Any, below: list[str]) -> None:
    files = {"candidate/b.py": covered(5, 10, 1, 2), "core/a.py": covered(7, 10, 2, 2)}
    assert [row.path for row in targets.below(files, goals(**settings))] == below


def test_a_group_is_judged_as_one() -> None:
    files = {"a.py": covered(1, 10, 0, 4), "b.py": covered(30, 30), "c.py": covered(0, 0)}
    group = {"paths": ["*.py"], "lines": 77.5, "branches": 0, "per": "group"}
    assert list(targets.below(files, goals(targets=[group]))) == []
    (found,) = targets.below(files, goals(targets=[{**group, "lines": 78}]))
    assert found.message == "*.py: 3 files reach 77.5 % of lines, the target is 78 %"
    assert (found.path, found.evidence["files"]) == ("a.py", 3)
    assert found.remedy == "test what is missing, here first"
    (found,) = targets.below(files, goals(targets=[{**group, "lines": 78, "branches": 1}]))
    assert "0.0 % of branches, the target is 1 %" in found.message


def test_a_target_is_reached_exactly_and_not_by_rounding() -> None:
    assert (
        list(targets.below({"a.py": covered(29, 100)}, goals(production_target={"lines": 29})))
        == []
    )
    (found,) = targets.below({"a.py": covered(7999, 10000)}, goals(production_target={"lines": 80}))
    assert "79.9 %" in found.message
    # Nothing to execute is no share of anything.
    assert (
        list(targets.below({"a.py": covered(0, 0)}, goals(production_target={"lines": 80}))) == []
    )


@pytest.mark.parametrize(
    ("glob", "matching", "others"),
    [
        ("core/", ["core/a.py", "core/x/a.py"], ["core.py", "x/core/a.py"]),
        ("core/*.py", ["core/a.py"], ["core/x/a.py"]),
        ("**/a.py", ["a.py", "x/a.py", "x/y/a.py"], ["xa.py", "a.pyc"]),
        ("core/**", ["core/a.py", "core/x/y.py"], ["core.py"]),
        ("a?.py", ["ab.py"], ["a.py", "a/.py"]),
        ("a+[b].py", ["a+[b].py"], ["aab.py"]),
    ],
)
def test_globs(glob: str, matching: list[str], others: list[str]) -> None:
    pattern = targets.Target.of("x", [glob], {}).pattern
    assert [path for path in (*matching, *others) if pattern.fullmatch(path)] == matching


@given(st.text(), st.text())
def test_any_text_is_a_glob(glob: str, path: str) -> None:
    targets.Target.of("x", [glob], {}).pattern.fullmatch(path)


# Patches


def changed(
    patched: tuple[int, ...], missing: tuple[int, ...], statements: int = 9
) -> FileCoverage:
    return FileCoverage(statements, missing, ranges(missing), patch=patched)


def test_a_patch_counts_changed_statements_alone() -> None:
    files = {
        "a.py": changed((1, 2, 3), (3, 9)),
        "b.py": changed((5,), ()),
        "c.py": changed((), (1,)),
    }
    found = patch.Patch.of(files, "c0")
    assert (found.statements, found.executed) == (4, 3)
    assert found.words == "3 of 4 changed statements executed"
    assert list(found.findings(None)) == []
    assert list(found.findings(0.75)) == []
    (row,) = found.findings(0.76)
    assert (row.rule, row.path, row.line, row.severity) == (
        rules.PATCH,
        "a.py",
        3,
        Severity.ERROR,
    )
    assert row.message == (
        "changed statements that no test executes: 3; of the whole change 3 of 4 are executed, "
        "patch_ratio demands 0.76"
    )
    assert row.evidence == {
        "uncovered": "3",
        "statements": 3,
        "executed_of_all": 3,
        "statements_of_all": 4,
        "patch_ratio": 0.76,
    }


def test_no_change_has_no_patch() -> None:
    found = patch.Patch.of({"a.py": changed((), (1,))}, "c0")
    assert found.words == ""
    assert list(found.findings(1.0)) == []


@pytest.mark.parametrize(
    ("base", "unknown", "said"),
    [(None, None, "there is no base commit"), (None, "bad object", "bad object")],
)
def test_a_demand_on_an_unknown_change_is_unknown(base: Any, unknown: Any, said: str) -> None:
    found = patch.Patch.of({}, base, unknown)
    assert list(found.findings(None)) == []
    (row,) = found.findings(0.5)
    assert (row.severity, row.message) == (Severity.UNKNOWN, f"what changed is not known: {said}")


def untested(files: Mapping[str, FileCoverage], **more: Any) -> list[tuple[str | None, Severity]]:
    given = {"changed": (), "moved": (), "patched": True, "severity": Severity.UNKNOWN, **more}
    return [(row.path, row.severity) for row in patch.untested(files, **given)]


def test_a_change_that_nothing_executes_shows_nothing() -> None:
    everything = tuple(range(1, 10))
    files = {
        "a.py": changed((2,), everything),
        "comment.py": changed((), everything),
        "run.py": changed((2,), (2,)),
        "empty.py": changed((), (), 0),
        "new/m.py": changed((2,), everything),
    }
    names = tuple(files)
    moved = {"new/m.py": "m.py"}
    assert untested(files, changed=names, moved=moved) == [
        ("a.py", Severity.UNKNOWN),
        ("new/m.py", Severity.INFO),
    ]
    assert untested(files, changed=names, patched=False, severity=Severity.WARNING) == [
        ("a.py", Severity.WARNING),
        ("comment.py", Severity.WARNING),
        ("new/m.py", Severity.WARNING),
    ]
    assert untested(files, changed=("gone.py",)) == []
    (row,) = patch.untested(
        files, changed=("a.py",), moved=(), patched=True, severity=Severity.UNKNOWN
    )
    assert (row.rule, row.evidence) == (rules.NO_DATA, {"statements": 9, "changed": "2"})
    assert row.message == (
        "no test executes any of its 9 statements, and it changed: its bound says nothing"
    )


# Exclusions, slack and tests


def judged(now: FileCoverage, bound: Mapping[str, Any] | None) -> list[Finding]:
    held = {} if bound is None else {"a.py": Bound.of(bound, "a.py")}
    return list(ratchet.compare({"a.py": now}, held, sources={}, moved=(), new_file_ratio=0.2))


def test_more_may_not_be_excluded() -> None:
    now = FileCoverage(5, excluded_lines=2, excluded_branches=1, escapes=(4, 9))
    assert judged(now, entry(0, excluded=3)) == []
    assert judged(now, entry(0)) == []
    (found,) = judged(now, entry(0, excluded=2))
    assert (found.rule, found.path, found.line) == (rules.MORE_EXCLUDED, "a.py", 4)
    assert found.evidence == {
        "excluded": 3,
        "bound": 2,
        "excluded_lines": 2,
        "excluded_branches": 1,
        "by": "4,9",
    }


def test_a_new_file_pays_for_what_it_excludes() -> None:
    assert judged(FileCoverage(8, excluded_lines=2), None) == []
    (found,) = judged(FileCoverage(7, excluded_lines=3, escapes=(2,)), None)
    assert (found.rule, found.line) == (rules.NEW_FILE, 2)
    assert found.message == (
        "new file: 0 of 7 statements are executed by no test and 3 excluded, 2 are allowed; 2"
    )
    assert found.evidence["excluded"] == 3


def test_slack_is_exact() -> None:
    held = {
        "a.py": Bound(5, 3, 9, excluded=2),
        "b.py": Bound(0, 0, 9),
        "old.py": Bound(2, 0, 9),
        "tight.py": Bound(1, 0, 9, excluded=0),
    }
    files = {
        "a.py": FileCoverage(9, (1, 2), "1-2", ((1, 1),), excluded_lines=1),
        "b.py": FileCoverage(9, excluded_lines=4),
        "moved.py": FileCoverage(9, (1,), "1"),
        "tight.py": FileCoverage(9, (1,), "1"),
        "new.py": FileCoverage(9),
    }
    sources = {"moved.py": "old.py"}
    loose = ratchet.slack(files, held, sources)
    assert loose == {"a.py": [3, 2, 1], "moved.py": [1, 0, 0]}
    assert ratchet.unbound(files, held, sources) == ["new.py"]
    assert ratchet.uncounted(files, held, sources) == ["b.py", "moved.py"]
    (found,) = ratchet.slackness(loose, ["t.py::b", "t.py::a"], ["new.py"])
    assert found.message == (
        "the baseline allows more than is needed: 4 statements, 2 branches and 1 exclusion in 2 "
        "files, 2 known failures that pass, 1 file without an entry"
    )
    assert found.severity is Severity.INFO
    assert found.evidence == {
        "files": loose,
        "tests": ["t.py::a", "t.py::b"],
        "new_files": ["new.py"],
        "uncounted": [],
    }
    assert list(ratchet.slackness({}, [], [])) == []
    (found,) = ratchet.slackness({}, [], ["new.py"])
    assert found.message.endswith("needed: 1 file without an entry")
    (found,) = ratchet.slackness({}, [], [], ["b.py"])
    assert found.message.endswith("needed: any exclusions in 1 file")
    assert found.evidence["uncounted"] == ["b.py"]


@given(ENTRIES, st.integers(0, 3), st.integers(0, 3), st.integers(0, 3))
def test_slack_is_what_a_join_would_take(was: Any, lines: int, exits: int, excluded: int) -> None:
    missing = tuple(range(1, lines + 1))
    now = FileCoverage(
        4, missing, ranges(missing), ((1, exits),) if exits else (), excluded_lines=excluded
    )
    joined = Bound.of(join_entries(was, now.entry()), "a.py")
    bound = Bound.of(was, "a.py")
    taken = [
        bound.missing_lines - joined.missing_lines,
        bound.missing_branches - joined.missing_branches,
        (bound.excluded or 0) - (joined.excluded or 0) if bound.excluded is not None else 0,
    ]
    spare = ratchet.slack({"a.py": now}, {"a.py": bound}, {}).get("a.py", [0, 0, 0])
    assert spare == taken


RUN = TestRun(
    started=True,
    exit=1,
    counts={"passed": 1, "failed": 2, "skipped": 3},
    failures={
        "t.py::a": Failure("boom", 4),
        "new/u.py::c": Failure("bang", None, ("new/u.py", "core/x.py")),
    },
    measurer="/lib/coverage/__init__.py",
)


def test_known_failures_follow_their_files_and_are_done_when_they_pass() -> None:
    known = ["t.py::a", "t.py::b", "u.py::c", "lost.py"]
    sources = {"new/u.py": "u.py"}
    assert list(suite.new_failures(RUN, known, sources)) == []
    assert suite.mended(RUN, known, sources) == ["lost.py", "t.py::b"]
    found = list(suite.new_failures(RUN, ["u.py::c"], {}))
    assert [(row.path, row.line, row.message) for row in found] == [
        ("new/u.py", None, "new/u.py::c: bang"),
        ("t.py", 4, "t.py::a: boom"),
    ]


def test_more_skipped_tests_are_a_note() -> None:
    assert list(suite.skipped(RUN, 3)) == []
    assert list(suite.skipped(RUN, None)) == []
    (found,) = suite.skipped(RUN, 2)
    assert (found.rule, found.severity) == (rules.MORE_SKIPPED, Severity.INFO)
    assert found.message == "3 tests are skipped, 2 were at the baseline"
    assert found.evidence == {"skipped": 3, "baseline": 2}
    assert list(suite.skipped(TestRun(), 0)) == []


def test_another_measurer_is_told() -> None:
    assert list(suite.disturbed(RUN, RUN.measurer)) == []
    (found,) = suite.disturbed(RUN, "/real/coverage/__init__.py")
    assert found.message == (
        "/lib/coverage/__init__.py measured, not /real/coverage/__init__.py, first seen after "
        "the start"
    )
    (found,) = suite.disturbed(TestRun(), "/real")
    assert found.message.startswith("nothing measured, not /real")
    seen = TestRun(measurer="m", disturbances=(("t.py::a", "stopped"), ("x", "y")))
    (found,) = suite.disturbed(seen, "m")
    assert (found.path, found.message) == ("t.py", "stopped, first seen after t.py::a")
    assert found.evidence == {"seen": [["t.py::a", "stopped"], ["x", "y"]]}


# What is told


def more_lines(now: FileCoverage, newly: str = "") -> Finding:
    told = {"uncovered": now.shown, "newly_uncovered": newly}
    return Finding(rules.MORE_LINES, "lost", path="a.py", line=1, evidence=told)


def test_changed_lines_come_first() -> None:
    now = FileCoverage(9, (1, 2, 3, 8), "1-8", patch=(3, 8))
    assert excerpt.numbers(more_lines(now), now) == [3, 8, 1, 2]
    assert excerpt.numbers(more_lines(now, "2,8"), now) == [8, 2]
    assert excerpt.numbers(Finding("coverage.slack", "x"), now) == []
    branches = Finding(rules.MORE_BRANCHES, "x", evidence={"untaken": [[4, 1]]})
    assert excerpt.numbers(branches, FileCoverage(9, untaken=((4, 1),))) == [4]


def test_the_most_telling_line_is_in_the_message(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("one\n    two  \n\x1b[31mthree" + "x" * 99 + "\n")
    now = FileCoverage(9, (1, 2), "1-2", patch=(2,))
    found = excerpt.with_source(more_lines(now), tmp_path, {"a.py": now})
    assert (found.line, found.message) == (2, "lost; line 2: two")
    now = FileCoverage(9, (3,), "3")
    found = excerpt.with_source(more_lines(now), tmp_path, {"a.py": now})
    assert found.message == "lost; line 3: " + r"\x1b[31mthree" + "x" * 47 + "…"
    now = FileCoverage(9, (7,), "7")
    assert excerpt.with_source(more_lines(now), tmp_path, {"a.py": now}).message == "lost"
    assert excerpt.with_source(more_lines(now), tmp_path / "no", {"a.py": now}).message == "lost"
    assert excerpt.with_source(more_lines(now), tmp_path, {}).message == "lost"


def test_a_report_closes_no_fence_and_holds_no_markup(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = '''\n```\n````</details>\n# @everyone\n")
    now = FileCoverage(9, (1, 2, 3, 4), "1-4", patch=(3,))
    text = markdown.text("head <b>", [more_lines(now)], {"a.py": now}, tmp_path)
    assert text.startswith("# Coverage ratchet\n\nhead &lt;b&gt;.\n")
    fences = [line for line in text.splitlines() if line.startswith("`````")]
    assert fences == ["`````text", "`````"]
    assert "+     3  ````</details>\n      1  x = '''\n" in text
    loud = Finding(rules.NEW_TEST_FAILURE, "<img> @team [x](y) `z`", path="t`.py", remedy="a_b")
    text = markdown.text("head", [loud], {}, tmp_path)
    assert "&lt;img&gt; &#64;team \\[x\\]\\(y\\) \\`z\\`" in text
    assert "## `` t`.py ``" in text
    assert r"Remedy: a\_b." in text


def test_a_report_is_short(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("".join(f"line_{n} = {'x' * 300}\n" for n in range(99)))
    now = FileCoverage(99, tuple(range(1, 60)), "1-59", patch=tuple(range(1, 60)))
    findings = [more_lines(now)] * 50
    text = markdown.text("head", findings, {"a.py": now}, tmp_path)
    assert len(text) < 20_000
    assert "   and 47 more lines" in text
    shown = text.count("## `a.py:1`")
    assert f"And {50 - shown} more of this kind in `coverage_ratchet.json`." in text
    assert 5 < shown < 50


def test_changed_lines_are_shown_without_a_finding(tmp_path: Path) -> None:
    for n in range(12):
        (tmp_path / f"f{n:02}.py").write_text("a = 1\n")
    files = {f"f{n:02}.py": FileCoverage(2, (1,), "1", patch=(1,)) for n in range(12)}
    note = Finding(rules.SLACK, "x", Severity.INFO)
    text = markdown.text("head", [note], files, tmp_path)
    assert text.count("## Changed, and executed by no test: `f") == 10
    assert "+     1  a = 1" in text
    assert "And changed lines of 2 more files." in text
    assert "Nothing was lost." in text
    told = [Finding(rules.MORE_LINES, "x", path=path) for path in files]
    assert "Changed, and" not in markdown.text("head", told, files, tmp_path)


@given(st.integers(1, 9), st.integers(0, 9), st.text("ab", min_size=1), st.text("ab", min_size=1))
def test_a_seal_is_over_all_of_it(one: int, two: int, digest: str, other: str) -> None:
    assert (seal(digest, (one, two)) == seal(other, (one, two))) is (digest == other)
    assert (seal(digest, (one, two)) == seal(digest, (two, one))) is (one == two)
    assert seal(digest, (one, two)) != seal(digest, (one, two + 1))


# Bounds


def of_one(now: FileCoverage, bound: Bound) -> list[Finding]:
    found = ratchet.compare({"a.py": now}, {"a.py": bound}, sources={}, moved=(), new_file_ratio=0)
    return list(found)


def test_what_is_said_of_more_missing_lines() -> None:
    now = FileCoverage(9, (3, 4, 9), "3-4,9")
    assert of_one(now, Bound(3, 0, 9)) == []
    (found,) = of_one(now, Bound(2, 0, 9, "3-5"))
    assert found == Finding(
        rules.MORE_LINES,
        "statements that no test executes: 3, the baseline allows 2; newly 9",
        path="a.py",
        line=9,
        remedy="test these lines, or remove the code that no test needs",
        evidence={
            "missing_lines": 3,
            "bound": 2,
            "uncovered": "3-4,9",
            "newly_uncovered": "9",
        },
    )
    (found,) = of_one(now, Bound(2, 0, 9))
    assert found.message.endswith("the baseline allows 2: 3-4,9")
    assert (found.line, found.evidence["newly_uncovered"]) == (3, "")


def test_what_is_said_of_more_missing_branches() -> None:
    now = FileCoverage(9, (3,), "3", ((3, 2), (5, 1), (7, 1)))
    assert of_one(now, Bound(1, 4, 9)) == []
    (found,) = of_one(now, Bound(1, 3, 9))
    assert found == Finding(
        rules.MORE_BRANCHES,
        "branches that no test takes: 4, the baseline allows 3; from line 5,7",
        path="a.py",
        line=5,
        remedy="test both ways out of these lines",
        evidence={"missing_branches": 4, "bound": 3, "untaken": [[3, 2], [5, 1], [7, 1]]},
    )
    (found,) = of_one(FileCoverage(9, (3,), "3", ((3, 2),)), Bound(1, 1, 9))
    assert found.message.endswith("from line 3")


def test_what_is_said_of_a_new_file() -> None:
    now = FileCoverage(10, (3, 4, 9), "3-4,9")
    files = {"a.py": now, "b.py": FileCoverage(10, (3, 4), "3-4")}
    (found,) = ratchet.compare(files, {}, sources={}, moved=(), new_file_ratio=0.2)
    assert found == Finding(
        rules.NEW_FILE,
        "new file: 3 of 10 statements are executed by no test, 2 are allowed; 3-4,9",
        path="a.py",
        line=3,
        remedy="test it, or raise new_file_ratio of tool.cockpit.gate.coverage",
        evidence={
            "missing_lines": 3,
            "excluded": 0,
            "statements": 10,
            "new_file_ratio": 0.2,
            "uncovered": "3-4,9",
        },
    )


def test_packages_left_behind_by_a_batch_are_warned_of() -> None:
    now = FileCoverage(9, (3,), "3")
    names = ("lane/__init__.py", "lane/air/__init__.py", "lane/other/__init__.py", "__init__.py")
    files = dict.fromkeys(names, now)
    bounds = dict.fromkeys(names, Bound(0, 0, 9))
    found = ratchet.compare(
        files, bounds, sources={}, moved=["lane/air/pilot.py"], new_file_ratio=0
    )
    told = {row.path: row.severity for row in found}
    assert told == {
        "lane/__init__.py": Severity.WARNING,
        "lane/air/__init__.py": Severity.WARNING,
        "lane/other/__init__.py": Severity.ERROR,
        "__init__.py": Severity.ERROR,
    }
    (found_one,) = ratchet.compare(
        {names[0]: now}, bounds, sources={}, moved=["lane/x.py"], new_file_ratio=0
    )
    assert found_one.message == (
        "statements that no test executes: 1, the baseline allows 0; newly 3; files of its "
        "package moved without it"
    )


def test_a_files_own_bound_comes_before_that_of_its_old_path() -> None:
    bounds = {"a.py": Bound(1, 0, 9), "old.py": Bound(2, 0, 9), "caf\\udce9.py": Bound(3, 0, 9)}
    assert ratchet.bound_of("a.py", bounds, {"a.py": "old.py"}) == bounds["a.py"]
    assert ratchet.bound_of("b.py", bounds, {"b.py": "old.py"}) == bounds["old.py"]
    assert ratchet.bound_of("b.py", bounds, {"b.py": "caf\udce9.py"}) == bounds["caf\\udce9.py"]
    assert ratchet.bound_of("caf\udce9.py", bounds, {}) == bounds["caf\\udce9.py"]
    assert ratchet.bound_of("b.py", bounds, {}) is None


def test_what_is_said_of_files_without_data() -> None:
    bounds = {"kept.py": Bound(1, 0, 9), "left.py": Bound(1, 0, 9)}
    reasons = {
        "broken.py": "it does not parse",
        "kept.py": ratchet.OMITTED,
        "free.py": ratchet.OMITTED,
        "new.py": ratchet.OMITTED,
    }
    expected = ["kept.py", "broken.py", "broken.py", "fine.py", "free.py", "new.py"]
    found = list(ratchet.unmeasured(expected, reasons, bounds, {"new.py": "left.py"}))
    omitted = "if that is meant, measure the baseline without it: `pytest --cockpit-init`"
    assert found == [
        Finding(
            rules.NO_DATA,
            f"not measured: {why}",
            Severity.UNKNOWN,
            path=path,
            remedy=remedy,
        )
        for path, why, remedy in (
            ("broken.py", "it does not parse", "make it a file that coverage can read"),
            ("kept.py", ratchet.OMITTED, omitted),
            ("new.py", ratchet.OMITTED, omitted),
        )
    ]


def test_what_is_said_of_copies_elsewhere() -> None:
    run = TestRun(
        outside={
            "pilot": "/site/pilot.py",
            "acme.pilot": "/site/acme/pilot.py",
            "coverage.x": "/site/coverage/x.py",
        }
    )
    (found, measurer) = suite.outside(
        run, {"acme.pilot": "src/acme/pilot.py", "coverage.x": "c.py"}
    )
    assert found == Finding(
        rules.OUTSIDE_TREE,
        "acme.pilot was imported from /site/acme/pilot.py, not from the tree",
        path="src/acme/pilot.py",
        remedy="uninstall that copy from the environment, or name the source root in "
        "lane.source_roots",
        evidence={"module": "acme.pilot", "file": "/site/acme/pilot.py"},
    )
    assert measurer.remedy == "rename it: what measures has this name"
    assert suite.elsewhere(run, ["src/acme/pilot.py", "pilot.py"]) == ["/site/acme/pilot.py"]
    assert suite.elsewhere(run, ["pilot.py"]) == []
    many = TestRun(outside={f"a{n:02}": f"/s/x/a{n:02}.py" for n in range(30)})
    copies = suite.elsewhere(many, [f"x/a{n:02}.py" for n in range(30)])
    assert copies == [f"/s/x/a{n:02}.py" for n in range(20)]


def test_an_entry_keeps_what_it_needs() -> None:
    counts = {"missing_lines": 0, "missing_branches": 1, "excluded": 3, "statements": 9}
    now = FileCoverage(9, untaken=((1, 1),), excluded_lines=2, excluded_branches=1)
    assert now.entry() == counts
    now = FileCoverage(9, (2, 3), "2-3", sha256="d")
    assert now.executed
    assert now.entry()["uncovered"] == "2-3"
    assert "source" not in now.entry()
    now = FileCoverage(2, (2, 3), "2-3", ((2, 1),), sha256="d", excluded_lines=4)
    assert not now.executed
    assert now.entry() == {
        "missing_lines": 2,
        "missing_branches": 1,
        "excluded": 4,
        "statements": 2,
        "source": seal("d", (2, 1, 4, 2)),
    }
    bound = Bound.of(now.entry(), "a.py")
    assert (bound.counts, bound.source) == ((2, 1, 4, 2), seal("d", (2, 1, 4, 2)))
    assert Bound.of(entry(1), "a.py").counts == (1, 0, 0, 10)
    assert len(bound.source) == 16


@pytest.mark.parametrize("text", ["3-7,12", "", "1", "1,2,3-4"])
def test_lines_that_are_read(text: str) -> None:
    assert Bound.of({**entry(1), "uncovered": text}, "a.py").uncovered == text


@pytest.mark.parametrize("text", ["1-", "a", "1,,2", "-1", "1 ", "1\n", None, 3, "²"])
def test_lines_that_are_not(text: Any) -> None:
    with pytest.raises(CockpitError) as caught:
        Bound.of({**entry(1), "uncovered": text}, "b.json: a.py")
    assert str(caught.value) == (
        f"b.json: a.py: uncovered: expected lines such as 3-7,12, got {text!r}; "
        "measure it again with `pytest --cockpit-init`"
    )


# Every word of a finding


def test_what_is_said_of_a_loosened_bound() -> None:
    remedy = (
        "take the bound back from the base commit, or waive this rule for the file, with a reason"
    )
    base = {"a.py": entry(3, 2, excluded=1)}
    (found,) = loosened(base, {"a.py": entry(4, 3, excluded=1)})
    assert found == Finding(
        rules.LOOSENED,
        "its bound was loosened; statements that no test executes: 3 to 4, "
        "branches that no test takes: 2 to 3",
        path="a.py",
        remedy=remedy,
        evidence={
            "loosened": {"missing_lines": [3, 4], "missing_branches": [2, 3]},
            "document": "b.json",
            "pointer": "/entries/a.py",
        },
    )
    (found,) = loosened({}, {"new.py": entry(2, excluded=1, statements=3)})
    assert found == Finding(
        rules.LOOSENED,
        "a bound of 3 missing or excluded statements was added to the baseline, 0 are allowed in "
        "a new file",
        path="new.py",
        remedy=remedy,
        evidence={
            "missing_lines": 2,
            "excluded": 1,
            "statements": 3,
            "document": "b.json",
            "pointer": "/entries/new.py",
        },
    )


def test_what_is_said_of_added_failures_and_patterns() -> None:
    meta = ({"patterns": ["x"]}, {"patterns": ["z", "x", "y"], "failing_tests": ["t.py::a"]})
    tests, patterns = loosened({}, {}, meta=meta)
    assert tests == Finding(
        rules.LOOSENED,
        "added to the tests that are known to fail: t.py::a",
        path="t.py",
        remedy="mend the test, or waive this rule for its file, with a reason",
        evidence={"document": "b.json", "pointer": "/meta/failing_tests", "added": ["t.py::a"]},
    )
    assert patterns == Finding(
        rules.LOOSENED,
        "patterns of what does not count were added: y, z",
        path="b.json",
        pointer="/meta/patterns",
        remedy="take the patterns back, or waive this rule for the baseline, with a reason",
        evidence={"added": ["y", "z"]},
    )
    (gone,) = loosened({}, {}, meta=({"patterns": []}, {}))
    assert gone.message == "it no longer says which patterns keep lines from being counted"


@pytest.mark.parametrize(
    ("base", "now", "said"),
    [
        ({"a.py": {}}, {"a.py": entry(1)}, "b.json at the base commit: a.py: missing_lines: "),
        ({}, {"a.py": {}}, "b.json: a.py: missing_lines: "),
    ],
)
def test_a_malformed_bound_is_named_with_its_side(base: Any, now: Any, said: str) -> None:
    with pytest.raises(CockpitError) as caught:
        loosened(base, now)
    assert str(caught.value).startswith(said)


def test_malformed_failures_are_named_with_their_side() -> None:
    bad, good = {"failing_tests": 1}, {"failing_tests": ["t.py"]}
    for meta, said in (
        ((bad, good), "b.json at the base commit: meta: "),
        ((good, bad), "b.json: meta: "),
    ):
        with pytest.raises(CockpitError) as caught:
            loosened({}, {}, meta=meta)
        assert str(caught.value).startswith(said)


def test_what_is_said_of_the_rest() -> None:
    (found,) = ratchet.slackness({"a.py": [1, 0, 0]}, [], [])
    assert (
        found.remedy == "tighten the baseline: `pytest --cockpit-ratchet=tighten`, then commit it"
    )
    assert (found.rule, found.path) == (rules.SLACK, None)
    (found,) = suite.skipped(RUN, 2)
    assert found.remedy == "see pytest's `-rs` for the reasons"
    (found,) = suite.disturbed(RUN, "/real")
    assert (found.rule, found.severity, found.path) == (rules.DISTURBED, Severity.UNKNOWN, None)
    assert found.remedy == (
        "keep tests, conftest.py and plugins from touching the measurement, or leave that test "
        "out with paths"
    )
    (found, _) = suite.new_failures(RUN, [], {})
    assert found == Finding(
        rules.NEW_TEST_FAILURE,
        "new/u.py::c: bang",
        path="new/u.py",
        remedy="make the test pass",
        evidence={"test": "new/u.py::c", "frames": ["new/u.py", "core/x.py"]},
    )
    (found,) = patch.Patch.of({}, None).findings(0.5)
    assert (found.rule, found.remedy) == (
        rules.PATCH,
        "judge in a clone that has the base commit, or leave patch_ratio out",
    )
    (found,) = patch.Patch.of({"a.py": changed((1,), (1,))}, "c0").findings(1.0)
    assert found.remedy == "test these lines"
    given: dict[str, Any] = {
        "changed": (),
        "moved": ("a.py",),
        "patched": True,
        "severity": Severity.UNKNOWN,
    }
    (found,) = patch.untested({"a.py": FileCoverage(1, (1,), "1")}, **given)
    assert found.remedy == "add a test that imports it"
    assert found.message == (
        "no test executes any of its 1 statements, before or after the move: its bound says nothing"
    )
    (found,) = judged(FileCoverage(5, excluded_lines=2), entry(0, excluded=1))
    assert found.message == (
        "statements and branches that are kept from being counted: 2, the baseline allows 1"
    )
    assert found.remedy == (
        "test them instead, and remove the comment or the pattern that excludes them"
    )
    assert (found.line, found.severity) == (None, Severity.ERROR)


def test_a_target_tells_what_is_uncovered() -> None:
    now = FileCoverage(4, (2, 3), "2-3", ((7, 1),), branches=2)
    (found,) = targets.below(
        {"a.py": now}, goals(targets=[{"paths": ["*"], "lines": 60, "branches": 60}])
    )
    assert found == Finding(
        rules.BELOW_TARGET,
        "reaches 50.0 % of lines, the target is 60 % and 50.0 % of branches, the target is 60 %",
        path="a.py",
        line=2,
        remedy="test what is missing",
        evidence={
            "target": {"name": "*", "lines": 60, "branches": 60},
            "reached": {"lines": 50.0, "branches": 50.0},
            "files": 1,
            "uncovered": "2-3",
        },
    )
    (found,) = targets.below(
        {"a.py": FileCoverage(4, (), "", ((7, 1),), branches=2)},
        goals(targets=[{"paths": ["x", "*.py"], "branches": 60}]),
    )
    assert (found.line, found.evidence["target"]["name"]) == (7, "x, *.py")
