"""Parts of a whole: who does what, what is believed of a shard, and what all of them come to."""

from __future__ import annotations

import dataclasses
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.api import CockpitError, Evidence, Finding, Report, Severity, Verdict
from pytest_cockpit.commands import shard as command
from pytest_cockpit.config import Config
from pytest_cockpit.records import artifacts
from pytest_cockpit.sharding import durations, gating, merging, reading
from pytest_cockpit.sharding.plan import Kind, Plan, weights
from pytest_cockpit.sharding.shard import Shard
from pytest_cockpit.sweep.model import Counts, Lines, Measured, Outcome, State
from tests.json_places import places

COMMIT, TREE, SETTINGS = "a" * 40, "b" * 40, "c" * 64
GOOD = Report(Verdict.PASS, "fine", checked=1)
VERSIONS = {"python": "3.11.1", "coverage": "7.13", "pytest": "9.0"}


def planned(of: int = 3, kind: Kind = Kind.GATES, **units: int) -> Plan:
    units = units or {"coverage": 5000, "guard": 1000, "imports": 3000, "ledger": 1000}
    select = "gate" if kind is Kind.GATES else ""
    return Plan(kind, COMMIT, TREE, SETTINGS, of, units, None, select)


def judged(plan: Plan, part: int, report: Report = GOOD) -> Shard:
    gates = plan.parts[part - 1]
    return Shard(plan, part, None, dict.fromkeys(gates, report), dict.fromkeys(gates, 0.25))


def swept(plan: Plan, part: int, **more: Any) -> Shard:
    outcomes = tuple(
        Outcome(name, State.PASSED, Counts(passed=1), {f"{name}/a.py": Lines((1, 2), (1,))}, **more)
        for name in plan.parts[part - 1]
    )
    return Shard(plan, part, Measured(COMMIT, outcomes, VERSIONS if outcomes else {}))


def whole(plan: Plan) -> list[Shard]:
    return [judged(plan, part) for part in range(1, plan.of + 1)]


def kept(shard: Shard, folder: Path) -> Path:
    path = folder / Path(shard.name).name
    path.write_bytes(artifacts.canonical(shard.to_json()))
    return path


def altered(shard: Shard, change: Any) -> tuple[bytes, str]:
    """A shard with something changed in it, under the name of its new digest."""
    document = json.loads(artifacts.canonical(shard.to_json()))
    change(document)
    data = artifacts.canonical(document)
    return data, f"{artifacts.sha256(data)}.json"


def refusal(read: Callable[[], object]) -> str | None:
    """What a reader says of what it does not believe; None where it does."""
    try:
        read()
    except CockpitError as error:
        return str(error)
    return None


# Who does what


def test_the_longest_go_first_each_to_whoever_has_the_least():
    plan = planned(2, a=5000, b=4000, c=3000, d=3000, e=1000)
    assert plan.parts == (("a", "d"), ("b", "c", "e"))


def test_more_parts_than_units_leave_some_empty():
    plan = planned(6)
    assert plan.parts == (("coverage",), ("imports",), ("guard",), ("ledger",), (), ())
    assert (
        "nothing: there are fewer units than parts; 4 left to other parts" in judged(plan, 6).said
    )
    many = planned(1, Kind.GATES, **{f"g{number}": 1 for number in range(10)})
    assert "g7 and 2 more; 0 left" in judged(many, 1).said
    assert judged(plan, 1).said == "part 1 of 6: coverage; 3 left to other parts"


def test_what_was_never_timed_is_taken_for_a_middling_one():
    assert weights(["a", "b", "c", "new"], {"a": 1.0, "b": 2.0, "c": 9.0, "gone": 50.0}) == {
        "a": 1000,
        "b": 2000,
        "c": 9000,
        "new": 2000,
    }
    assert weights(["a", "b"], {}) == {"a": 1000, "b": 1000}


@given(
    units=st.dictionaries(st.text("abcd/", min_size=1), st.integers(1, 10_000), max_size=30),
    of=st.integers(1, 20),
    seed=st.randoms(use_true_random=False),
)
def test_every_unit_is_in_one_part_whatever_the_order(units, of, seed):
    plan = Plan(Kind.SWEEP, COMMIT, TREE, SETTINGS, of, units)
    assert sorted(name for part in plan.parts for name in part) == sorted(units)
    shuffled = list(units.items())
    seed.shuffle(shuffled)
    again = Plan(Kind.SWEEP, COMMIT, TREE, SETTINGS, of, dict(shuffled))
    assert again.parts == plan.parts
    assert again.digest == plan.digest
    loads = [sum(units[name] for name in part) for part in plan.parts]
    # Whoever has the most would have less without its last unit than anybody has now.
    assert max(loads) - min(loads) <= max(units.values(), default=0)


def test_the_command_of_a_part_can_be_typed():
    plan = dataclasses.replace(planned(4), select="gate and not ledger", base="d" * 40)
    base = "d" * 40
    assert plan.command(3) == (
        f"pytest -m 'gate and not ledger' --cockpit-base {base} --cockpit-shard 3/4"
    )
    assert planned(16, Kind.SWEEP).command(3) == "pytest --cockpit-sweep --cockpit-shard 3/16"


# Durations


def test_durations_are_renewed_only_where_they_are_news():
    plan = planned(1, a=1, b=1, c=1)
    old = {"gates": {"a": 2.0, "b": 2.0, "gone": 1.0}, "sweep": {"m": 3.0}}
    document = durations.renewed(old, plan, {"a": 2.7, "b": 4.04, "c": 0.001})
    assert document["seconds"] == {
        "gates": {"a": 2.0, "b": 4.0, "c": 0.01, "gone": 1.0},
        "sweep": {"m": 3.0},
    }
    assert artifacts.validate(document, "durations") == []
    again = durations.renewed(document["seconds"], plan, {"a": 1.5, "b": 5.0, "c": 0.012})
    assert again == document


def test_modules_that_are_no_more_are_forgotten():
    plan = planned(1, Kind.SWEEP, a=1, b=1)
    old: dict[str, Any] = {"gates": {}, "sweep": {"a": 1.0, "gone": 1.0}}
    assert durations.renewed(old, plan, {"b": 5.04})["seconds"]["sweep"] == {"a": 1.0, "b": 5.0}


@given(data=st.binary(max_size=60) | st.text().map(str.encode))
def test_any_durations_are_read_or_refused_in_one_line(data):
    said = refusal(lambda: durations.read(data, "durations.json"))
    assert said is not None
    assert said.startswith("durations.json: ")
    assert len(said.splitlines()) == 1


def test_no_durations_are_none_and_a_negative_one_is_refused():
    assert durations.read(None, "d") == {"sweep": {}, "gates": {}}
    wrong = {
        "schema": "pytest-cockpit/durations/1",
        "seconds": {"gates": {"a": -1}, "sweep": {}},
    }
    with pytest.raises(CockpitError, match="/seconds/gates/a"):
        durations.read(artifacts.canonical(wrong), "d")
    assert durations.path_of(Config(records="kept")) == "kept/durations.json"


def test_the_seconds_of_a_gate_are_those_of_its_process():
    timed = dataclasses.replace(GOOD, evidence=(Evidence("timing", {"wall_s": 1.23456}),))
    assert gating.seconds({"a": timed, "b": GOOD}) == {"a": 1.235}


# What is believed of a shard


@pytest.mark.parametrize("make", [judged, swept])
def test_a_shard_reads_back(tmp_path, make):
    plan = planned(2, Kind.SWEEP if make is swept else Kind.GATES)
    for part in (1, 2):
        shard = make(plan, part)
        path = kept(shard, tmp_path)
        assert artifacts.validate(shard.to_json(), "shard") == []
        found = reading.read(path)
        assert found == shard
        assert path.name == f"{found.digest}.json"
    assert list(reading.files([tmp_path])) == sorted(tmp_path.glob("*.json"))


def test_a_file_that_is_no_shard_is_refused(tmp_path):
    path = kept(judged(planned(), 1), tmp_path)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"fine", b"tine"))
    with pytest.raises(CockpitError, match="is not what its name says"):
        reading.read(path)
    path.write_bytes(data)
    renamed = path.rename(tmp_path / "shard.json")
    with pytest.raises(CockpitError, match="is not what its name says"):
        reading.read(renamed)
    link = tmp_path / path.name
    link.symlink_to(renamed)
    with pytest.raises(CockpitError, match="cannot read"):
        reading.read(link)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(CockpitError, match="no regular file"):
        reading.read(pipe)
    with pytest.raises(CockpitError, match="cannot read"):
        reading.read(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CockpitError, match="holds no shard"):
        list(reading.files([tmp_path / "empty"]))


def test_shards_by_another_name_are_passed_over_and_known_to_be(tmp_path):
    path = kept(judged(planned(), 1), tmp_path)
    other = kept(judged(planned(), 2), tmp_path).rename(tmp_path / "part2.json")
    (tmp_path / "report.json").write_text("{}")
    (tmp_path / "list.json").write_text("[")
    (tmp_path / "link.json").symlink_to(path)
    assert list(reading.files([tmp_path])) == [path]
    assert reading.passed_over([tmp_path, path]) == [str(other)]


def test_a_file_of_any_size_is_not_read_whole(tmp_path):
    path = tmp_path / f"{'0' * 64}.json"
    with path.open("wb") as stream:
        stream.truncate(reading.MAX_BYTES + 1)
    with pytest.raises(CockpitError, match="that is no shard"):
        reading.read(path)


def test_bytes_that_are_not_canonical_are_refused():
    data = json.dumps(judged(planned(), 1).to_json()).encode()
    with pytest.raises(CockpitError, match="canonical form"):
        reading.from_bytes(data, f"{artifacts.sha256(data)}.json", "x")
    data = b"{"
    with pytest.raises(CockpitError, match="not JSON"):
        reading.from_bytes(data, f"{artifacts.sha256(data)}.json", "x")


def _set(*path: Any, to: Any) -> Any:
    def change(document: Any) -> None:
        *way, last = path
        for key in way:
            document = document[key]
        if to is None:
            del document[last]
        else:
            document[last] = to

    return change


RED: dict[str, Any] = {
    "severity": "error",
    "rule": "a.b",
    "message": "m",
    "path": None,
    "line": None,
    "remedy": None,
    "data": {},
}
GATE_LIES = {
    "another version": (_set("schema", to="pytest-cockpit/shard/2"), "/schema"),
    "a plan of its own": (_set("plan", "of", to=9), "plan_sha256"),
    "no such part": (_set("part", to=4), "4 of 3"),
    "somebody else's part": (_set("part", to=2), "not what part 2 has to do"),
    "a gate left out": (_set("reports", "coverage", to=None), "coverage: is not what part 1"),
    "a gate that leads away": (_set("reports", "../x", to={}), "/reports"),
    "a report that is none": (_set("reports", "coverage", to={}), "/reports/coverage"),
    "a verdict that findings contradict": (
        _set("reports", "coverage", "findings", to=[RED]),
        "/reports/coverage",
    ),
    "a number beyond all": (
        _set("reports", "coverage", "checked", to=2.0**63),
        "canonical form",
    ),
    "seconds of another": (_set("seconds", "other", to=1), "not what part 1"),
}
SWEEP_LIES = {
    "another commit": (_set("measured", "commit", to="d" * 40), "/measured/commit"),
    "nothing": (_set("measured", to={}), "x: "),
    "a module that leads away": (
        _set("measured", "modules", 0, "module", to="../etc"),
        "out of the repository",
    ),
    "a file that leads away": (
        _set(
            "measured", "modules", 0, "files", "/etc/passwd", to={"statements": "", "executed": ""}
        ),
        "out of the repository",
    ),
    "a file of git": (
        _set("measured", "modules", 0, "unreadable", ".git/config", to="x"),
        "out of the repository",
    ),
    "lines backwards": (
        _set(*("measured", "modules", 0, "files", "coverage/a.py", "statements"), to="9-1"),
        "canonical form",
    ),
    "more lines than there can be": (
        _set(
            *("measured", "modules", 0, "files", "coverage/a.py", "statements"),
            to=" ".join(["1-9999999"] * 3),
        ),
        "more than 20,000,000 lines",
    ),
}


@pytest.mark.parametrize("lie", GATE_LIES)
def test_a_shard_of_gates_that_lies_is_refused(lie):
    change, said = GATE_LIES[lie]
    with pytest.raises(CockpitError) as caught:
        reading.from_bytes(*altered(judged(planned(), 1), change), "x")
    assert said in str(caught.value)


@pytest.mark.parametrize("lie", SWEEP_LIES)
def test_a_shard_of_a_sweep_that_lies_is_refused(lie):
    change, said = SWEEP_LIES[lie]
    with pytest.raises(CockpitError) as caught:
        reading.from_bytes(*altered(swept(planned(3, Kind.SWEEP), 1), change), "x")
    assert said in str(caught.value)


SAMPLES = [judged(planned(), 1), swept(planned(2, Kind.SWEEP), 1)]
WRONG = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**62), 2**62),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.just([]),
    st.just({}),
    st.just("9999999-1"),
)


@given(sample=st.sampled_from(SAMPLES), data=st.data())
def test_whatever_is_altered_is_read_or_refused_in_words(sample, data):
    def change(document: Any) -> None:
        *way, last = data.draw(st.sampled_from(places(document)))
        for key in way:
            document = document[key]
        document[last] = data.draw(WRONG)

    content, name = altered(sample, change)
    said = refusal(lambda: reading.from_bytes(content, name, "x"))
    if said is None:
        found = reading.from_bytes(content, name, "x")
        assert artifacts.canonical(found.to_json()) == content
    else:
        assert said.startswith("x: ")
        assert len(said.splitlines()) == 1


@given(data=st.binary(max_size=200))
def test_any_bytes_are_refused(data):
    with pytest.raises(CockpitError):
        reading.from_bytes(data, f"{artifacts.sha256(data)}.json", "x")


# What all of them come to


def test_all_parts_together_whatever_their_order():
    plan = planned(3)
    shards = whole(plan)
    one = merging.together(shards).combined()
    random.Random(3).shuffle(shards)
    assert merging.together([*shards, shards[0]]).combined() == one
    assert artifacts.validate(one, "shard-gates") == []
    assert one["verdict"] == "pass"
    assert one["missing"] == one["left_out"] == []
    assert merging.together(shards).combined(["ledger", "matriz"])["left_out"] == ["matriz"]
    assert [row["gate"] for row in one["gates"]] == sorted(plan.weights)


def test_the_worst_verdict_is_that_of_the_whole():
    plan = planned(3)
    bad = Report.judge("bad", checked=1, findings=[Finding("imports.x", "m", Severity.ERROR)])
    found = merging.together([judged(plan, 1), judged(plan, 2, bad), judged(plan, 3)])
    assert found.verdict() is Verdict.FAIL
    warned = merging.together([judged(plan, 1), judged(plan, 2, Report(Verdict.WARN, "so"))])
    assert warned.verdict() is Verdict.UNKNOWN


def test_a_missing_part_is_unknown_and_told_with_its_command():
    plan = planned(3)
    found = merging.together([judged(plan, 1), judged(plan, 3)])
    assert found.verdict() is Verdict.UNKNOWN
    combined = found.combined()
    assert combined["missing"] == [
        {"part": 2, "command": "pytest -m gate --cockpit-shard 2/3"},
    ]
    rows = {row["gate"]: row["verdict"] for row in combined["gates"]}
    assert rows == {"coverage": "pass", "imports": "unknown", "guard": "pass", "ledger": "pass"}
    assert found.lost == (
        "part 2 of 3 is missing (1 of 4 are in it): pytest -m gate --cockpit-shard 2/3",
    )
    with pytest.raises(CockpitError, match="part 2 of 3 is missing"):
        merging.together([swept(planned(3, Kind.SWEEP), part) for part in (1, 3)]).measured()


def test_one_part_in_two_ways_is_an_error_that_names_both():
    plan = planned(3)
    one, other = judged(plan, 1), judged(plan, 1, Report(Verdict.PASS, "fine again", checked=1))
    with pytest.raises(CockpitError) as caught:
        merging.together([one, other, judged(plan, 2), judged(plan, 3)])
    assert one.digest[:12] in str(caught.value)
    assert other.digest[:12] in str(caught.value)


def test_a_part_done_twice_is_one_where_only_the_time_it_took_differs():
    plan = planned(3, Kind.SWEEP)
    one, other = (
        dataclasses.replace(swept(plan, 1, duration_s=taken), seconds={"coverage": taken})
        for taken in (1.0, 2.0)
    )
    assert one.digest != other.digest
    rest = [swept(plan, 2), swept(plan, 3)]
    first, second = merging.together([one, other, *rest]), merging.together([other, *rest, one])
    assert first == second
    timed = [
        dataclasses.replace(GOOD, evidence=(Evidence("timing", {"wall_s": taken}),))
        for taken in (1.0, 2.0)
    ]
    gates = planned(3)
    merging.together([judged(gates, 1, report) for report in timed])
    said = [
        dataclasses.replace(GOOD, evidence=(Evidence("files", {"seen": taken}),))
        for taken in (1.0, 2.0)
    ]
    with pytest.raises(CockpitError, match="is there twice"):
        merging.together([judged(gates, 1, report) for report in said])


def test_parts_of_different_plans_are_an_error_that_says_what_differs():
    plan = planned(3)
    other = dataclasses.replace(plan, commit="e" * 40, settings_sha256="f" * 64)
    with pytest.raises(CockpitError, match="commit, settings_sha256"):
        merging.together([judged(plan, 1), judged(other, 2)])
    with pytest.raises(CockpitError, match="no shard"):
        merging.together([])


@pytest.mark.parametrize("of", [1, 2, 16])
def test_a_sweep_in_parts_is_the_sweep_of_one_machine(of):
    plan = planned(of, Kind.SWEEP)
    one = swept(planned(1, Kind.SWEEP), 1).measured
    found = merging.together([swept(plan, part) for part in range(of, 0, -1)])
    assert found.measured() == one
    assert found.missing == ()


def test_nothing_that_a_shard_says_is_a_command(capsys):
    command._tell("::add-mask::x\n  ::error::no\n\x1b[31mred: ::stop")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert not [line for line in lines if line.lstrip().startswith("::")]
    assert "\x1b" not in "".join(lines)
