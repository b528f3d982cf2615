"""Which modules are run together, and which alone, without running any."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pytest_cockpit.config import Config
from pytest_cockpit.sweep import rounds
from pytest_cockpit.sweep.model import Counts, State
from pytest_cockpit.sweep.runs import Judgement
from pytest_cockpit.sweep.suite import Suite, Turns


class Told(rounds.Rounds):
    """Rounds whose runs only say what they were asked for; a module called `bad` ends its run."""

    asked: list[tuple[str, list[str]]]
    alone: list[str]

    def _joint(self, name: str, left: Any) -> Any:
        self.asked.append((name, list(left)))
        ends = {turn for turn in left if turn == "bad"}
        run = SimpleNamespace(
            culprits=ends,
            has_run=lambda turn: not ends and turn in left,
            judge=lambda _: Judgement(State.PASSED, Counts(passed=1)),
            durations=dict.fromkeys(left, 2.0),
            observed=None,
        )
        return run, ""

    def _alone(self, waiting: Any) -> None:
        self.alone += [suite.module for suite in waiting]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Any:
    def made(turns: dict[str, tuple[str, ...]]) -> Told:
        monkeypatch.setattr(rounds, "_GROUP", 2)
        modules = sorted({module for owners in turns.values() for module in owners})
        suites = [Suite(module, (f"{module}/test_x.py",), ()) for module in modules]
        workshop: Any = SimpleNamespace(settings=Config())
        found = Told(workshop, suites, Turns({}, turns), (), {}, lambda _: None)
        found.asked, found.alone = [], []
        found.all()
        return found

    return made


def test_each_module_is_run_once_in_groups_of_so_many(told):
    found = told({name: (name,) for name in "abcde"})
    assert found.asked == [("joint0-0", ["a", "b"]), ("joint2-0", ["c", "d"]), ("joint4-0", ["e"])]
    assert sorted(found.found) == list("abcde")
    assert {each.duration_s for each in found.found.values()} == {2.0}
    assert found.alone == []


def test_a_module_whose_turns_are_in_two_groups_is_run_alone(told):
    found = told({"a": ("a",), "b": ("b",), "b2": ("b",), "c": ("c",)})
    assert sorted(found.found) == ["a", "c"]
    assert found.alone == ["b"]
    assert found.apart == {"b": "its tests were not in one run"}


def test_who_ends_a_run_is_left_out_of_the_next_of_its_group_alone(told):
    found = told({name: (name,) for name in ("a", "bad", "c", "d")})
    assert found.asked == [
        ("joint0-0", ["a", "bad"]), ("joint0-1", ["a"]), ("joint2-0", ["c", "d"]),
    ]  # fmt: skip
    assert found.alone == ["bad"]
    assert sorted(found.found) == ["a", "c", "d"]
