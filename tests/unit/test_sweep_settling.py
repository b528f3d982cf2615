"""What measured figures change."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from pytest_cockpit.api import CockpitError, Verdict
from pytest_cockpit.config import Config, Sweep
from pytest_cockpit.git import Repository
from pytest_cockpit.phases import Place
from pytest_cockpit.records import artifacts, ledger, ledger_kinds
from pytest_cockpit.registry import bound
from pytest_cockpit.sweep import settling
from pytest_cockpit.sweep.model import Counts, Lines, Measured, Outcome, State

FILES = {
    "a/module.manifest.json": '{\n    "module": "a",\n    "testing": {}\n}\n',
    "a/x.py": "X = 1\nY = 2\n",
    "b/module.manifest.json": '{"module": "b"}\n',
}
BOUND = Config(gate={"ledger": {"bound": ["**/module.manifest.json"]}})


def place(root: Any, settings: Config | None = None) -> Place:
    repository = Repository.discover(root)
    head = repository.resolve("HEAD")
    now = datetime(2026, 1, 31, 12, tzinfo=UTC)
    return Place(repository, settings or Config(), head, head, now)


def outcome(module: str, state: State = State.PASSED, **changes: Any) -> Outcome:
    files = {f"{module}/x.py": Lines((1, 2), (1,))}
    return Outcome(module, state, Counts(passed=1), **{"files": files, **changes})


def settle(here: Place, *outcomes: Outcome) -> Any:
    return settling.settle(here, Measured(here.commit, outcomes))


def test_figures_are_entered_in_the_manifest_and_in_the_ledger(make_repository):
    here = place(make_repository(FILES).root)
    result = settle(here, outcome("a"))
    assert result.verdict is Verdict.PASS
    (path, content), *others = result.changes.files.items()
    assert (path, others) == ("a/module.manifest.json", [])
    assert json.loads(content)["testing"] == {
        "coverage_observed": 50.0,
        "observed_at": "2026-01-31T12:00:00Z",
        "observed_commit": here.commit,
    }
    (row,) = result.changes.rows
    assert (row["statements"], row["missing"], row["commit"]) == (2, 1, here.commit)
    assert ledger_kinds.misfits(row) == []
    for document, schema in result.artifacts.values():
        assert artifacts.validate(document, schema) == []


def test_figures_that_are_known_change_nothing(make_repository):
    made = make_repository(FILES)
    first = settle(place(made.root), outcome("a"))
    rows = ledger.extend(b"", first.changes.rows)
    made.commit({place(made.root).settings.ledger: rows, **first.changes.files})
    again = place(made.root)
    assert not settle(again, outcome("a")).changes
    other = outcome("a", files={"a/x.py": Lines((1, 2), (1, 2))})
    assert settle(again, other).changes.rows[0]["missing"] == 0
    made.commit({"a/x.py": "X = 3\nY = 2\n"})
    assert settle(place(made.root), outcome("a")).changes.rows, "the measurement is of other code"


def test_a_figure_that_somebody_wrote_by_hand_is_put_right(make_repository):
    made = make_repository(FILES)
    first = settle(place(made.root), outcome("a"))
    (path, content), *_ = first.changes.files.items()
    rows = ledger.extend(b"", first.changes.rows)
    for wrong in (b"99", b"true", b"NaN", b'"50.0"', b"{}"):
        forged = content.replace(b"50.0", wrong)
        made.commit({place(made.root).settings.ledger: rows, path: forged})
        result = settle(place(made.root), outcome("a"))
        assert json.loads(result.changes.files[path])["testing"]["coverage_observed"] == 50.0
        assert not result.changes.rows, "the ledger has said so all along"
        assert "1 changed" in result.summary
    made.commit({path: content.replace(b"50.0", b"50")})
    assert not settle(place(made.root), outcome("a")).changes


def test_no_module_at_all_is_unknown(make_repository):
    result = settle(place(make_repository({"x.py": ""}).root))
    assert result.verdict is Verdict.UNKNOWN
    assert "0 modules" in result.summary


def test_what_failed_is_told_first_and_what_has_no_tests_not_at_all(make_repository):
    made = make_repository({**FILES, "c/module.manifest.json": "{}"})
    none = outcome("a", State.NO_TESTS, reason="it has no test files")
    found = (none, outcome("b", State.ERROR), outcome("c", State.FAILED))
    lines = settle(place(made.root), *found).text.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["c", "b"]


def test_the_table_has_every_module_and_how_its_figure_changed(make_repository):
    made = make_repository({**FILES, "c/module.manifest.json": "{}"})
    first = settle(place(made.root), outcome("a"), outcome("c"))
    made.commit({place(made.root).settings.ledger: ledger.extend(b"", first.changes.rows)})
    here = place(made.root)
    better = outcome("a", files={"a/x.py": Lines((1, 2), (1, 2))})
    measured = Measured(here.commit, (better, outcome("b"), outcome("c", State.ERROR)))
    assert settling.table(here, measured) == [
        "module  state   coverage %    change",
        "a       passed      100.00    +50.00",
        "b       passed       50.00       new",
        "c       error",
    ]
    (_, row) = settling.table(here, Measured(here.commit, (outcome("a"),)))
    assert row.endswith("50.00      none")


def test_a_bound_manifest_has_a_row_of_its_own(make_repository):
    here = place(make_repository(FILES).root, BOUND)
    coverage, content = settle(here, outcome("a")).changes.rows
    assert (coverage["kind"], content["kind"]) == ("coverage", "content")
    assert content["previous"] == artifacts.sha256(FILES["a/module.manifest.json"].encode())


def test_a_row_about_a_file_links_to_the_one_before_and_to_nothing_where_there_was_none(
    make_repository,
):
    made = make_repository(FILES)
    (row,) = bound.rows(place(made.root, BOUND), {"a/module.manifest.json": b"{}"})
    made.commit({place(made.root).settings.ledger: ledger.extend(b"", [row])})
    files = {"a/module.manifest.json": b"[]", "c/module.manifest.json": b"{}", "c/x.py": b""}
    again, first = bound.rows(place(made.root, BOUND), files)
    assert (again["previous"], first["previous"]) == (row["sha256"], None)
    assert again["base"] == place(made.root).commit


@pytest.mark.parametrize("state", [State.ERROR, State.NO_TESTS, State.CRASHED])
def test_what_was_not_measured_is_in_the_ledger_and_no_manifest(make_repository, state):
    result = settle(place(make_repository(FILES).root), outcome("a", state))
    assert not result.changes.files
    assert (result.changes.rows[0]["state"], result.changes.rows[0]["missing"]) == (state, None)


def test_a_manifest_that_can_hold_nothing_is_told(make_repository):
    made = make_repository({"a/module.manifest.json": '{"testing": 3}'})
    result = settle(place(made.root), outcome("a"))
    assert not result.changes.files
    assert "a/module.manifest.json: testing: expected an object" in result.text


def test_figures_of_another_commit_are_refused(make_repository):
    here = place(make_repository(FILES).root)
    with pytest.raises(CockpitError, match="measure again"):
        settling.settle(here, Measured("f" * 40, ()))


@pytest.mark.parametrize(
    ("state", "failures", "expected"),
    [
        (State.PASSED, "fail", Verdict.PASS),
        (State.FAILED, "fail", Verdict.FAIL),
        (State.FAILED, "warn", Verdict.WARN),
        (State.ERROR, "fail", Verdict.ERROR),
        (State.ERROR, "warn", Verdict.WARN),
        (State.NO_TESTS, "fail", Verdict.SKIP),
        (State.CRASHED, "warn", Verdict.UNKNOWN),
    ],
)
def test_every_state_has_its_verdict(make_repository, state, failures, expected):
    here = place(make_repository(FILES).root, Config(sweep=Sweep(failures=failures)))
    found = outcome("a", state, reason="said", apart="it clashed")
    assert settling.verdict(found, failures) is expected
    result = settle(here, found)
    assert result.verdict is expected
    assert f"1 {state.value}" in result.summary
    assert result.text.startswith("a: ") is (expected not in (Verdict.PASS, Verdict.SKIP))


def test_a_module_without_tests_takes_nothing_from_the_others(make_repository):
    here = place(make_repository(FILES).root)
    result = settle(here, outcome("a"), outcome("b", State.NO_TESTS, reason="none"))
    assert result.verdict is Verdict.PASS
    assert result.facts["states"]["no-tests"] == 1


def test_what_is_shown_says_why():
    found = dataclasses.replace(
        outcome("a", State.FAILED, reason="a/t.py::x: boom", apart="it clashed"),
        unreadable={"a/z.py": "invalid syntax"},
    )
    shown = settling.text(found)
    assert "50.00 % (1 of 2 lines)" in shown
    assert "boom" in shown
    assert "it clashed" in shown
    assert "a/z.py: invalid syntax" in shown
