"""Whose lines are whose."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.sweep.attribution import Observed
from pytest_cockpit.sweep.model import State
from pytest_cockpit.sweep.runs import Run, read


def observed(lines: dict[str, dict[str, str]], *edges: tuple[str, str]) -> Observed:
    return Observed.of([{"lines": lines, "edges": list(edges)}])


def test_a_line_of_a_turn_is_that_modules_alone():
    seen = observed({"module:a": {"x.py": "1-2"}, "module:b": {"x.py": "3"}})
    assert seen.of_turns(["a"], ["a/test_a.py"]) == {"x.py": {1, 2}}


def test_what_ran_for_nobody_counts_for_everybody():
    seen = observed({"": {"conf.py": "4"}})
    assert seen.of_turns(["a"], []) == seen.of_turns(["b"], []) == {"conf.py": {4}}


def test_the_body_of_a_file_counts_for_whoever_reaches_it():
    seen = observed(
        {
            "import:a/test_a.py": {"a/test_a.py": "1"},
            "import:x.py": {"x.py": "1-3"},
            "import:y.py": {"y.py": "1", "x.py": "9"},
        },
        ("module:a", "a/test_a.py"),
        ("import:a/test_a.py", "x.py"),
        ("import:x.py", "y.py"),
        ("import:y.py", "x.py"),
    )
    assert seen.of_turns(["a"], ["a/test_a.py"]) == {
        "a/test_a.py": {1},
        "x.py": {1, 2, 3, 9},
        "y.py": {1},
    }
    assert seen.of_turns(["b"], ["b/test_b.py"]) == {}


def test_a_conftest_counts_for_the_tests_below_it():
    seen = observed({"import:a/conftest.py": {"a/x.py": "2"}, "import:conftest.py": {"r.py": "1"}})
    assert seen.of_turns(["a"], ["a/b/test_a.py"]) == {"a/x.py": {2}, "r.py": {1}}
    assert seen.of_turns(["c"], ["c/test_c.py"]) == {"r.py": {1}}


def test_processes_add_up():
    rows = [{"lines": {"module:a": {"x.py": part}}, "edges": []} for part in ("1", "1-2")]
    assert Observed.of(rows).every == {"x.py": {1, 2}}


def _enter(process: int, module: str, at: float, when: str = "run") -> dict[str, object]:
    return {"row": "enter", "process": process, "module": module, "when": when, "at": at}


def _data(process: int, at: float, *ran: str, collected: tuple[str, ...] = ()) -> dict[str, object]:
    turns = {"collected": [*ran, *collected], "ran": [*ran]}
    return {"row": "data", "process": process, "at": at, "lines": {}, "edges": [], **turns}


def _run(rows: list[dict[str, object]], code: int | None = None) -> Run:
    finish = {"row": "finish", "exit": code}
    return read(json.dumps(finish).encode(), "\n".join(map(json.dumps, rows)).encode())


def test_a_process_that_hands_nothing_over_is_the_fault_of_its_last_turn():
    rows = [
        _enter(1, "a", 0, "collect"),
        _enter(2, "a", 0, "collect"),
        _enter(1, "a", 1),
        _enter(2, "b", 1),
        _enter(1, "c", 3),
        _data(2, 4, "b"),
    ]
    run = _run(rows)
    assert run.culprits == {"c"}
    assert run.lost == {"a", "c"}
    assert [run.has_run(turn) for turn in "abc"] == [False, True, False]
    assert run.durations == {"a": 2, "b": 3}
    assert not run.complete


@pytest.mark.parametrize("code", [0, 1, 2])
def test_a_turn_that_was_stopped_midway_is_to_blame_and_those_after_it_have_not_run(code: int):
    """As `pytest.exit` does it, which may say any exit code."""
    rows = [_enter(1, "a", 0), _enter(1, "b", 1), _data(1, 2, "a", collected=("b", "c"))]
    run = _run(rows, code)
    assert run.culprits == {"b"}
    assert [run.has_run(turn) for turn in "abc"] == [True, False, False]
    assert run.has_run("none") is (code != 2), "it has no test to run, if all was collected"


def test_states_are_told_apart():
    rows = [
        '{"row": "report", "id": "a/t.py::x", "when": "call", "outcome": "passed", "message": ""}',
        '{"row": "report", "id": "b/t.py::x", "when": "call", "outcome": "failed", "message": "m"}',
        '{"row": "report", "id": "c/t.py::x", "when": "setup", "outcome": "failed", "message": ""}',
        '{"row": "collect", "id": "d/t.py", "message": "no module"}',
        '{"row": "finish", "exit": 1}',
    ]
    run = read("\n".join(rows).encode(), b"")
    assert run.complete
    assert run.judge(["a/t.py"]).state is State.PASSED
    assert run.judge(["b/t.py"]).reason == "b/t.py::x: m"
    failed = run.judge(["b/t.py", "c/t.py"])
    assert (failed.state, failed.tests.failed, failed.tests.errors) == (State.FAILED, 1, 1)
    assert run.judge(["a/t.py", "d/t.py"]).state is State.ERROR
    assert run.judge(["e/t.py"]).state is State.NO_TESTS


_VALUES = st.recursive(
    st.none() | st.integers() | st.sampled_from(["data", "enter", "run", "1-3 7", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["row", "process", "at", "module", "when", "lines", "edges", "a"]),
            inner,
            max_size=7,
        )
    ),
    max_leaves=20,
)


@given(st.lists(_VALUES.map(json.dumps).map(str.encode) | st.binary(), max_size=4))
def test_no_row_of_another_form_is_believed_or_a_crash(lines: list[bytes]):
    run = read(b"", b"\n".join(lines))
    run.observed.of_turns(["a"], ["a/test_a.py"])
    assert not run.complete


@pytest.mark.parametrize(
    "row",
    [
        {**_data(1, 0), "lines": {"module:a": {"x.py": "7-"}}},
        {**_data(1, 0), "lines": {"module:a": {"x.py": [7]}}},
        {**_data(1, 0), "edges": [["a"]]},
        {**_data(1, 0), "ran": [None]},
        {**_data(1, 0), "process": "1"},
        {**_enter(1, "a", 0), "when": "later"},
        {**_enter(1, "a", 0), "at": None},
    ],
)
def test_a_row_of_another_form_counts_as_not_written(row: dict[str, object]):
    good = _enter(2, "b", 1)
    run = read(b"", "\n".join(map(json.dumps, [row, good])).encode())
    assert run.culprits == {"b"}
    assert not run.observed.every
