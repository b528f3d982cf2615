from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.api import Severity, Verdict
from pytest_cockpit.records.schema import problems_by
from pytest_cockpit.testing import run_gate
from pytest_cockpit_gates.matriz import (
    bounds,
    gate,
    source_benchmarks,
    source_coverage,
    source_metrics,
    units,
)
from pytest_cockpit_gates.matriz.conditions import holds, measured
from pytest_cockpit_gates.matriz.contracts import Contract
from pytest_cockpit_gates.matriz.faults import located
from pytest_cockpit_gates.matriz.samples import Binding, Doubt, Sample, Target, Tree, approximate
from pytest_cockpit_gates.matriz.sources import load

COMMIT, BASE, OTHER = "c" * 40, "b" * 40, "0" * 40
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SOURCE = "def total(items):\n    return sum(items)\n"


def digest(text: str | bytes) -> str:
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()


TARGET = Target("core", {"core.py": digest(SOURCE)})


def contract(*gates) -> Contract:
    value = {"module": "core", "gates": list(gates)}
    return Contract("c.json", json.dumps(value, indent=1).encode(), value)


def row(metric="coverage", op=">=", value=90):
    return {"metric": metric, "op": op, "value": value}


# What is a condition


def told(*gates):
    faults, conditions = bounds.read(contract(*gates))
    return (
        [
            (fault.rule.removeprefix("matriz."), "/".join(map(str, fault.keys)), fault.message)
            for fault in faults
        ],
        [it.index for it in conditions],
    )


def test_a_condition_is_a_metric_an_operator_and_a_value():
    assert told(row(), row("x", "==", "on"), row("x", "!=", True)) == ([], [0, 1, 2])


@pytest.mark.parametrize(
    ("gate_row", "place", "message"),
    [
        ({}, "metric", "names no metric"),
        (row(metric=""), "metric", "names no metric"),
        (row(metric=" "), "metric", "names no metric"),
        (row(metric=3), "metric", "names no metric"),
        (row(op="=>"), "op", '"=>" is not one of <, <=, ==, !=, >=, >'),
        (row(op=None), "op", "null is not one of <, <=, ==, !=, >=, >"),
        (row(op=[]), "op", "an empty array is not one of <, <=, ==, !=, >=, >"),
        (row(value="90"), "value", 'coverage >= "90" compares with no number'),
        (row(value=True), "value", "coverage >= true compares with no number"),
        (row(value=None), "value", "coverage >= null compares with no number"),
        (row(op="==", value=[]), "value", "coverage == an empty array compares with no number"),
        (row(op="<", value="a"), "value", 'coverage < "a" compares with no number'),
    ],
)
def test_what_is_no_condition_is_told_and_not_judged(gate_row, place, message):
    found, judged = told(row(), gate_row)
    assert found == [("gate-condition", f"gates/1/{place}", message)]
    assert judged == [0]


@pytest.mark.parametrize(("gates", "place"), [(["coverage"], "gates/0"), ([None], "gates/0")])
def test_gates_of_another_shape_are_told(gates, place):
    value = {"module": "core", "gates": gates}
    faults, conditions = bounds.read(Contract("c.json", json.dumps(value).encode(), value))
    assert [("/".join(map(str, it.keys)), it.rule) for it in faults] == [(place, "matriz.shape")]
    assert conditions == []


def test_a_document_that_is_no_object_has_no_gates():
    assert bounds.read(Contract("c.json", b"[]", [])) == ([], [])
    (fault,), _ = bounds.read(Contract("c.json", b'{"gates": {}}', {"gates": {}}))
    assert fault.keys == ("gates",)


@pytest.mark.parametrize(
    ("metric", "op", "value", "rule"),
    [
        ("coverage", ">=", 100, None),
        ("coverage", ">", 100, "gate-condition"),
        ("coverage", ">=", 101, "gate-condition"),
        ("coverage", "==", 101, "gate-condition"),
        ("coverage", "==", -1, "gate-condition"),
        ("coverage", "<", 0, "gate-condition"),
        ("coverage", "<=", -1, "gate-condition"),
        ("coverage", "<=", 0, None),
        ("coverage", "==", 0, None),
        ("coverage", ">", 0, None),
        ("coverage", ">=", 0, "gate-vacuous"),
        ("coverage", ">", -1, "gate-vacuous"),
        ("coverage", "<=", 100, "gate-vacuous"),
        ("coverage", "<", 101, "gate-vacuous"),
        ("coverage", "<", 100, None),
        ("coverage", "!=", 101, "gate-vacuous"),
        ("coverage", "!=", -1, "gate-vacuous"),
        ("coverage", "!=", 100, None),
        ("coverage", "!=", 0, None),
        ("coverage", "==", 100, None),
        ("error_rate", "<=", 1, "gate-vacuous"),
        ("error_rate", "<=", 0.01, None),
        ("error_rate", ">", 1, "gate-condition"),
        ("latency_ms", "<=", 10**15, None),
        ("latency_ms", "<", 0, "gate-condition"),
        ("latency_ms", ">=", 0, "gate-vacuous"),
        ("latency_ms", "<=", -0.5, "gate-condition"),
        ("symbolic.DriftScore", ">=", -5, None),
        ("symbolic.DriftScore", "<", -5, None),
    ],
)
def test_a_condition_that_decides_nothing_is_told(metric, op, value, rule):
    found, judged = told(row(metric, op, value))
    assert [it[0] for it in found] == ([] if rule is None else [rule])
    assert judged == ([] if rule == "gate-condition" else [0])


def test_the_range_is_told():
    assert told(row(value=101))[0][0][2] == (
        "coverage >= 101 can never be met: coverage is from 0 to 100"
    )
    assert told(row("latency_ms", ">=", 0))[0][0][2] == (
        "latency_ms >= 0 can never be broken: latency_ms is 0 or more"
    )


def test_each_fault_has_its_remedy():
    remedies = {
        json.dumps(it): bounds.read(contract(it))[0][0].remedy
        for it in (dict[str, Any](), row(op="=>"), row(value="x"), row(value=101), row(value=0))
    }
    assert list(remedies.values()) == [
        'write a "metric"',
        "use one of <, <=, ==, !=, >=, >",
        "write a number",
        "write a value that can be measured",
        "write a bound that means something",
    ]
    assert bounds.read(contract(row(value=101)))[0][0].keys == ("gates", 0, "value")
    assert bounds.read(contract(row(value=0)))[0][0].keys == ("gates", 0, "value")


# Units


@pytest.mark.parametrize(
    ("metric", "unit"),
    [
        ("coverage", "percent"),
        ("line_coverage", "percent"),
        ("test.coverage", "percent"),
        ("coverage_ratio", "ratio"),
        ("coverages", None),
        ("latency_ms", "ms"),
        ("latency.runtime_s_1k", "s"),
        ("p99-us", "us"),
        ("ns", "ns"),
        ("error_rate", "rate"),
        ("memory.cascade_prevention_rate", "rate"),
        ("cpu_percent", "percent"),
        ("items", None),
        ("terms", None),
        ("security.osv_high", None),
    ],
)
def test_the_name_of_a_metric_tells_its_unit(metric, unit):
    assert units.unit_of(metric) == unit


@pytest.mark.parametrize(
    ("value", "given", "metric", "expected"),
    [
        (1, "s", "latency_ms", 1000),
        (1500, "us", "latency_ms", Fraction(3, 2)),
        (1500, "µs", "latency_ms", Fraction(3, 2)),
        (2, "min", "runtime_s", 120),
        (5, "ns", "latency_ns", 5),
        (5, None, "latency_ms", 5),
        (5, None, "items", 5),
        (5, "1", "items", 5),
        (0.93, "ratio", "coverage", 93),
        (0.93, "1", "coverage", 93),
        (93, "%", "coverage", 93),
        (1, "percent", "error_rate", Fraction(1, 100)),
        (5, "kg", "latency_ms", "is in kg, not in ms"),
        (5, "ms", "coverage", "is in ms, not in percent"),
        (5, "percent", "latency_ms", "is in percent, not in ms"),
        (5, "ms", "error_rate", "is in ms, not in a ratio"),
        (5, "kg", "items", "is in kg, and items does not name a unit"),
        (5, "", "latency_ms", "is in , not in ms"),
    ],
)
def test_values_are_converted_exactly(value, given, metric, expected):
    number = units.number(value)
    assert number is not None
    assert units.converted(number, given, metric) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.1, Fraction(1, 10)),
        (2**62, Fraction(2**62)),
        (1e308, Fraction(10**308)),
        (-0.0, Fraction(0)),
        (Fraction(1, 3), Fraction(1, 3)),
        (True, None),
        ("1", None),
        (None, None),
        (float("nan"), None),
        (float("inf"), None),
        ([], None),
    ],
)
def test_a_number_is_what_was_written(value, expected):
    assert units.number(value) == expected


def test_a_number_beyond_all_floats_is_shown_as_the_greatest():
    assert approximate(Fraction(10**400)) > 1e308
    assert approximate(Fraction(-(10**400))) < -1e308


# One value from all evidence


class Said:
    def __init__(self, *items):
        self.items = items

    def about(self, target, metric):
        assert target is TARGET
        assert metric
        yield from self.items


def sample(value, unit=None, source="a.json", **binding):
    return Sample(value, source, Binding(**({"commit": COMMIT} | binding)), unit)


def outcome(condition, *said, tree=None):
    (condition,) = bounds.read(contract(condition))[1]
    return measured(condition, TARGET, [Said(*said)], tree or Tree(COMMIT, BASE, frozenset(), NOW))


def verdict(condition, *said):
    found = outcome(condition, *said)
    if isinstance(found, str):
        return found
    (condition,) = bounds.read(contract(condition))[1]
    return holds(condition, found)


@pytest.mark.parametrize(
    ("op", "value", "expected"),
    [
        (">=", 90, [False, True, True]),
        (">", 90, [False, False, True]),
        ("<=", 90, [True, True, False]),
        ("<", 90, [True, False, False]),
        ("==", 90, [False, True, False]),
        ("!=", 90, [True, False, True]),
    ],
)
def test_every_operator_compares(op, value, expected):
    condition = row(op=op, value=value)
    assert [verdict(condition, sample(it)) for it in (89.999, 90, 90.001)] == expected


def test_numbers_are_compared_exactly():
    assert verdict(row("x", "==", 0.3), sample(0.1 + 0.2)) is False
    assert verdict(row("x", "==", 0.3), sample(0.3)) is True
    assert verdict(row("latency_ms", "<=", 100), sample(0.1, "s")) is True
    assert verdict(row(value=1.5), sample(95)) is True
    assert verdict(row(value=0), sample(95)) is True
    assert verdict(row(op="<=", value=50), sample(0)) is True
    assert verdict(row(), sample(100)) is True
    assert verdict(row("x", ">=", 2**62), sample(2**62 - 1)) is False
    assert verdict(row("coverage", ">=", 66.7), sample(Fraction(200, 3), "percent")) is False


def test_texts_and_truth_values_are_compared_as_they_are():
    assert verdict(row("mode", "==", "on"), sample("on")) is True
    assert verdict(row("mode", "!=", "on"), sample("on")) is False
    assert verdict(row("mode", "==", True), sample(True)) is True


@pytest.mark.parametrize(
    ("condition", "value", "why"),
    [
        (row("x", "==", 1), True, "a.json has true, which cannot be compared with 1"),
        (row("x", "==", True), 1, "a.json has 1, which cannot be compared with true"),
        (row("x", "==", "1"), 1, 'a.json has 1, which cannot be compared with "1"'),
        (row("x", ">=", 1), "2", 'a.json has "2", which cannot be compared with 1'),
        (row(), float("nan"), "a.json has NaN, which cannot be compared with 90"),
        (row(), float("inf"), "a.json has Infinity, which cannot be compared with 90"),
        (row(), -1, "a.json has -1, though coverage is from 0 to 100"),
        (row(), 100.5, "a.json has 100.5, though coverage is from 0 to 100"),
        (row(), 1e300, "a.json has 1e+300, though coverage is from 0 to 100"),
        (row("latency_ms", "<=", 5), -3, "a.json has -3, though latency_ms is 0 or more"),
        (row("error_rate", "<=", 0.1), 1.5, "a.json has 1.5, though error_rate is from 0 to 1"),
        (row(value=0.9), 95, "a.json is in percent, and 0.9 may be a ratio"),
        (row(value=1), 95, "a.json is in percent, and 1 may be a ratio"),
        (row(op=">", value=0.9), 95, "a.json is in percent, and 0.9 may be a ratio"),
    ],
)
def test_a_value_that_cannot_be_compared_is_no_evidence(condition, value, why):
    assert outcome(condition, sample(value)) == why


def test_a_small_bound_from_above_is_a_percentage():
    assert verdict(row("cpu_percent", "<=", 0.9), sample(0.5)) is True


def test_a_unit_of_another_kind_is_no_evidence():
    assert outcome(row(), sample(95, "ms")) == "a.json is in ms, not in percent"


def test_nothing_said_is_no_evidence():
    assert outcome(row()) == "nothing was measured"
    assert outcome(row(), Doubt("has 1 rounds", "b.json")) == "b.json has 1 rounds"


def test_all_doubts_are_told():
    doubts = Doubt("is odd", "a.json"), Doubt("is old", "b.json")
    assert outcome(row(), *doubts) == "a.json is odd; b.json is old"


def test_the_value_comes_with_where_it_is_from():
    found = outcome(row(), sample(0.95, "ratio"))
    assert found == Sample(Fraction(95), "a.json", Binding(COMMIT), "percent")
    assert found.to_json() == {"value": 95.0, "unit": "percent", "source": "a.json"}
    assert sample("on").to_json()["value"] == "on"


def test_two_values_that_agree_are_one():
    assert verdict(row(), sample(95), sample(0.95, "ratio", "b.json")) is True


def test_two_values_that_disagree_are_none():
    found = outcome(row(), sample(95), sample(94, source="b.json"))
    assert found == "a.json has 95, b.json has 94"
    assert outcome(row("mode", "==", True), sample(True), sample(False)).startswith("a.json has")


def test_a_stale_value_does_not_speak_against_a_fresh_one():
    assert verdict(row(), sample(95), sample(10, commit=OTHER)) is True


def test_values_close_to_a_bound_are_not_rounded_onto_it():
    found = outcome(row(), sample(89.9999999), sample(90, source="b.json"))
    assert found == "a.json has 89.9999999, b.json has 90"


# What binds


def doubt(binding, tree=None, target=TARGET):
    return (tree or Tree(COMMIT, BASE, frozenset(), NOW)).doubt(binding, target)


def test_the_commit_under_judgement_binds():
    assert doubt(Binding(COMMIT)) is None
    assert doubt(Binding(OTHER)) == f"is of commit {OTHER[:12]}, not of {COMMIT[:12]}"
    assert doubt(Binding()) == "says neither which commit nor which files were measured"


def test_the_base_binds_what_has_not_changed_since():
    assert doubt(Binding(BASE)) is None
    assert doubt(Binding(BASE), Tree(None, BASE, frozenset(), NOW)) is None
    changed = Tree(COMMIT, BASE, frozenset({"core.py"}), NOW)
    assert doubt(Binding(BASE), changed) == "was measured before core.py changed"
    assert doubt(Binding(COMMIT), changed) is None
    assert doubt(Binding(BASE), Tree(COMMIT, BASE, frozenset({"other.py"}), NOW)) is None


def test_outside_git_no_commit_binds():
    nowhere = Tree(None, None, frozenset(), NOW)
    assert doubt(Binding(COMMIT), nowhere) == f"is of commit {COMMIT[:12]}, not of no commit"
    assert doubt(Binding(None), nowhere) is not None


def test_digests_bind_and_the_commit_does_not_help():
    assert doubt(Binding(files=TARGET.files)) is None
    assert doubt(Binding(OTHER, TARGET.files)) is None
    older = {"core.py": digest("")}
    assert doubt(Binding(COMMIT, older)) == "was measured before core.py changed"
    assert doubt(Binding(COMMIT, {"x.py": digest("")})) == (
        "does not say which core.py was measured"
    )


def test_a_file_without_statements_need_not_be_measured():
    target = Target("core", {"core.py": digest(SOURCE), "b.py": digest("")}, frozenset({"b.py"}))
    assert doubt(Binding(files=TARGET.files), target=target) is None
    wrong = {**TARGET.files, "b.py": digest("1")}
    assert doubt(Binding(files=wrong), target=target) == "was measured before b.py changed"


def test_digests_bind_no_module_without_files():
    empty = Target("core", {})
    assert doubt(Binding(files=TARGET.files), target=empty) == (
        "is of files, and the module has none"
    )


@pytest.mark.parametrize(
    ("at", "why"),
    [
        (NOW, None),
        (NOW - timedelta(days=7), None),
        (NOW - timedelta(days=7, seconds=1), "is 7 days old, 7 are allowed"),
        (NOW - timedelta(days=9), "is 9 days old, 7 are allowed"),
        (NOW + timedelta(days=1), None),
        (NOW + timedelta(days=1, seconds=1), "was measured in the future"),
        (None, "does not say when it was measured"),
    ],
)
def test_a_measurement_may_be_too_old(at, why):
    tree = Tree(COMMIT, BASE, frozenset(), NOW, timedelta(days=7))
    assert doubt(Binding(COMMIT, at=at), tree) == why


def test_without_a_limit_any_age_will_do_but_not_the_future():
    assert doubt(Binding(COMMIT, at=NOW - timedelta(days=9999))) is None
    assert doubt(Binding(COMMIT, at=NOW + timedelta(days=2))) == "was measured in the future"


# Readers


def metrics(**changes):
    document = {
        "schema": "pytest-cockpit/metrics/1",
        "files": dict(TARGET.files),
        "metrics": {"core": {"coverage": 95}},
        **changes,
    }
    return json.dumps({k: v for k, v in document.items() if v is not None}).encode()


def about(source, metric="coverage", target=TARGET):
    return list(source.about(target, metric))


def test_metrics_are_read():
    values = {"core": {"coverage": 95, "latency_ms": {"value": 3, "unit": "s", "samples": 2}}}
    source = source_metrics.read("m.json", metrics(commit=COMMIT, metrics=values))
    binding = Binding(COMMIT, TARGET.files)
    assert about(source) == [Sample(95, "m.json", binding)]
    assert about(source, "latency_ms") == [Sample(3, "m.json", binding, "s")]
    assert about(source, "other") == []
    assert about(source, target=Target("other", {})) == []


def test_a_value_that_sums_up_nothing_is_doubted():
    values = {"core": {"coverage": {"value": 95, "samples": 0}}}
    source = source_metrics.read("m.json", metrics(metrics=values))
    assert about(source) == [Doubt("sums up no measurement", "m.json")]


@pytest.mark.parametrize(
    "content",
    [
        metrics(schema="pytest-cockpit/metrics/2"),
        metrics(schema=None),
        metrics(files=None),
        metrics(files={}),
        metrics(files={"core.py": "short"}),
        metrics(commit="main"),
        metrics(commit="C" * 40),
        metrics(measured_at="yesterday"),
        metrics(measured_at="2026-11-21T12:00:00"),
        metrics(metrics={"core": {"coverage": None}}),
        metrics(metrics={"core": {"coverage": [1]}}),
        metrics(metrics={"core": {"coverage": {"unit": "%"}}}),
        metrics(metrics={"core": {"coverage": {"value": 1, "samples": -1}}}),
        metrics(more=1),
        b'{"schema": "pytest-cockpit/metrics/1", "commit": "' + b"c" * 40 + b'", "metrics": '
        b'{"core": {"coverage": NaN}}}',
        b"[]",
        b"",
        b"\xff",
    ],
)
def test_odd_metrics_are_refused(content):
    with pytest.raises(ValueError, match=r".") as caught:
        source_metrics.read("m.json", content)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-21T12:00:00Z", NOW),
        ("2026-11-21T13:00:00+01:00", NOW),
        ("2026-11-21T12:00:00", NOW),
        ("yesterday", None),
        (None, None),
        (1763726400, None),
    ],
)
def test_a_time_is_read(text, expected):
    assert source_metrics.moment(text) == expected


def benchmarks(*rows, **changes):
    info = {"id": COMMIT, "dirty": False}
    return json.dumps(
        {"commit_info": info, "datetime": "2026-11-21T12:00:00", "benchmarks": rows, **changes}
    ).encode()


def timed(**changes):
    info = {"module": "core", "metric": "latency_ms"}
    stats = {"min": 0.1, "max": 0.4, "mean": 0.3, "median": 0.2, "rounds": 5}
    return {"name": "test_a", "extra_info": info, "stats": {**stats, **changes}}


@pytest.mark.parametrize(
    ("statistic", "value"), [("min", 0.1), ("max", 0.4), ("mean", 0.3), ("median", 0.2)]
)
def test_benchmarks_are_read(statistic, value):
    source = source_benchmarks.read("b.json", benchmarks(timed()), statistic, 5)
    assert about(source, "latency_ms") == [Sample(value, "b.json", Binding(COMMIT, at=NOW), "s")]
    assert about(source, "other_ms") == []
    assert about(source, "latency_ms", Target("other", {})) == []


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"rounds": 4}, "has 4 rounds, 5 are needed"),
        ({"rounds": None}, "has None rounds, 5 are needed"),
        ({"rounds": True}, "has True rounds, 5 are needed"),
    ],
)
def test_too_few_rounds_are_no_evidence(changes, why):
    source = source_benchmarks.read("b.json", benchmarks(timed(**changes)), "median", 5)
    assert about(source, "latency_ms") == [Doubt(why, "b.json")]


def test_a_statistic_that_is_missing_is_no_evidence():
    row = timed()
    del row["stats"]["median"]
    source = source_benchmarks.read("b.json", benchmarks(row), "median", 5)
    assert about(source, "latency_ms") == [Doubt("has no median", "b.json")]


@pytest.mark.parametrize(
    "info", [{"id": COMMIT, "dirty": True}, {"id": COMMIT}, {"id": 3, "dirty": False}, None, []]
)
def test_benchmarks_of_changed_files_are_bound_to_nothing(info):
    source = source_benchmarks.read("b.json", benchmarks(timed(), commit_info=info), "median", 5)
    (found,) = about(source, "latency_ms")
    assert found.binding == Binding(at=NOW)


@pytest.mark.parametrize(
    "content",
    [b"[]", b"{}", benchmarks(3), benchmarks({}), benchmarks({"stats": {}, "extra_info": 3})],
)
def test_odd_benchmarks_are_refused(content):
    with pytest.raises(ValueError, match="is not what pytest-benchmark writes"):
        source_benchmarks.read("b.json", content, "median", 5)


def test_a_benchmark_without_module_is_of_no_module():
    row = {"stats": {"median": 1}}
    assert about(source_benchmarks.read("b.json", benchmarks(row), "median", 5)) == []


def coverage(files=None, **changes):
    rows = files or {"core.py": (10, 1)}
    document = {
        "meta": {"timestamp": "2026-11-21T12:00:00"},
        "files": {
            path: {"summary": {"num_statements": whole, "missing_lines": lost}}
            for path, (whole, lost) in rows.items()
        },
        **changes,
    }
    return json.dumps(document).encode()


def ratchet(tests=None, **row_changes):
    row = {"sha256": digest(SOURCE), "statements": 10, "missing_lines": 1, **row_changes}
    return json.dumps(
        {
            "schema": "pytest-cockpit/coverage_ratchet/1",
            "tests": {"exit": 0} if tests is None else tests,
            "files": {"core.py": row},
        }
    ).encode()


XML = """<?xml version="1.0" ?>
<coverage version="7.6" timestamp="1795262400000">
<sources><source>/home/me/work</source><source/></sources>
<packages><package><classes><class filename="core.py"><methods/><lines>
<line number="1" hits="1"/><line number="2" hits="0"/><line number="2" hits="3"/>
<line number="4" hits="0"/></lines></class></classes></package></packages></coverage>
"""


def read(content, *known):
    data = content.encode() if isinstance(content, str) else content
    return source_coverage.read("c", data, frozenset(known or ["core.py"]))


def test_coverage_py_is_read_and_bound_to_nothing():
    assert about(read(coverage())) == [Sample(Fraction(90), "c", Binding(at=NOW), "percent")]
    assert about(read(coverage()), "line_coverage")
    assert about(read(coverage()), "latency_ms") == []
    assert about(read(coverage({"other.py": (1, 0)}))) == []
    assert about(read(coverage(meta=None)))[0].binding == Binding()


def test_backslashes_are_slashes():
    target = Target("core", {"core/a.py": digest("")})
    assert about(read(coverage({"core\\a.py": (4, 1)})), target=target)[0].value == 75


def test_our_own_artifact_is_bound_by_digests():
    (found,) = about(read(ratchet()))
    assert (found.value, found.binding) == (90, Binding(files=dict(TARGET.files)))
    (found,) = about(read(ratchet(sha256=None)))
    assert doubt(found.binding) == "was measured before core.py changed"


@pytest.mark.parametrize("tests", [{"exit": 2}, {"exit": None}, {"exit": False}, {}, [], 3])
def test_tests_that_did_not_end_are_no_evidence(tests):
    (found,) = about(read(ratchet(tests=tests)))
    assert "did not come to their end" in found.why


def test_tests_that_failed_are_evidence():
    assert about(read(ratchet(tests={"exit": 1})))[0].value == 90


def test_cobertura_is_read():
    (found,) = about(read(XML))
    assert found.value == Fraction(200, 3)
    assert found.binding.at == datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("source", "name", "known", "place"),
    [
        ("/home/me/work", "core/a.py", ["core/a.py"], "core/a.py"),
        ("/home/me/work/core", "a.py", ["core/a.py"], "core/a.py"),
        ("/home/me/work/core", "a.py", ["core/a.py", "a.py"], "core/a.py"),
        ("C:\\work\\core", "sub\\a.py", ["core/sub/a.py"], "core/sub/a.py"),
        ("", "a.py", ["b.py"], "a.py"),
    ],
)
def test_files_of_another_machine_are_found(source, name, known, place):
    content = XML.replace("/home/me/work", source).replace("core.py", name)
    assert list(read(content, *known).files) == [place]


def test_a_stamp_may_be_in_seconds_or_odd():
    assert read(XML.replace("1795262400000", "1795262400")).binding.at.year == 2026
    assert read(XML.replace("1795262400000", "9" * 40)).binding.at is None
    assert read(XML.replace("1795262400000", "now")).binding.at is None


def test_a_module_is_measured_in_all_its_files():
    files = {"core/__init__.py": digest(""), "core/a.py": digest("1"), "core/b.py": digest("2")}
    target = Target("core", files, frozenset({"core/__init__.py"}))
    whole = coverage({"core/a.py": (10, 1), "core/b.py": (30, 3), "x.py": (9, 9)})
    assert about(read(whole), target=target)[0].value == 90
    (found,) = about(read(coverage({"core/a.py": (10, 1)})), target=target)
    assert found == Doubt("has no data for 1 file, such as core/b.py", "c")


def test_no_statement_is_no_evidence():
    (found,) = about(read(coverage({"core.py": (0, 0)})))
    assert found.why == "knows of no statement in the module"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"files": []}',
        b'{"files": {"core.py": 3}}',
        b'{"files": {"core.py": {"summary": 3}}}',
        b'{"files": {"core.py": {"summary": {"num_statements": 3}}}}',
        coverage({"core.py": (1, 2)}),
        coverage({"core.py": (1, -1)}),
        coverage({"core.py": (1.5, 0)}),
        coverage({"core.py": (True, False)}),
        ratchet(statements="10"),
        ratchet(missing_lines=11),
        b"<",
        b"<html/>",
        b"<coverage>",
        XML.replace('hits="1"', 'hits="NaN"'),
        XML.replace('hits="1"', 'hits="-1"'),
        XML.replace('hits="1"', 'hits="' + "9" * 19 + '"'),
        XML.replace('hits="1"', ""),
        XML.replace('number="1"', ""),
        '<!DOCTYPE c [<!ENTITY a "b">]>' + XML.partition("\n")[2],
    ],
)
def test_odd_reports_of_coverage_are_refused(content):
    with pytest.raises(ValueError, match=r".") as caught:
        read(content)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{}", 'has no "files": it is no report of coverage'),
        (b'{"files": {"a\\nb": 3}}', "has no counts for a\\nb"),
        (b"<html/>", "is no report of coverage in Cobertura's format"),
        (b"<coverage>", "is no XML: no element found: line 1, column 10"),
        (XML.replace('hits="1"', 'hits="NaN"'), "has the count NaN"),
        (XML.replace('hits="1"', ""), "has the count None"),
        (
            '<!DOCTYPE c [<!ENTITY a "b">]>' + XML.partition("\n")[2],
            "declares entities, which no report of coverage needs",
        ),
    ],
)
def test_what_is_wrong_with_a_report_is_told(content, message):
    with pytest.raises(ValueError, match=r".") as caught:
        read(content)
    assert str(caught.value) == message


def test_counts_of_eighteen_digits_are_counts():
    assert read(XML.replace('hits="1"', 'hits="' + "9" * 18 + '"')).files["core.py"].missing == 1


def test_the_most_hits_of_a_line_count():
    content = XML.replace('number="2" hits="3"', 'number="2" hits="0"')
    assert read(content).files["core.py"] == source_coverage.Counts(3, 2)


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 2**62) | st.floats() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "files",
                    "core.py",
                    "summary",
                    "num_statements",
                    "missing_lines",
                    "meta",
                    "schema",
                    "benchmarks",
                    "stats",
                    "extra_info",
                    "commit_info",
                    "id",
                    "tests",
                    "metrics",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@given(JSONS | st.binary(max_size=80))
def test_any_file_is_read_or_refused(value):
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    for reader in (
        lambda: source_metrics.read("x", data),
        lambda: source_benchmarks.read("x", data, "median", 1),
        lambda: source_coverage.read("x", data, frozenset()),
    ):
        try:
            source = reader()
        except ValueError:
            continue
        for metric in ("coverage", "latency_ms"):
            for found in about(source, metric):
                assert isinstance(found, Sample | Doubt)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
METRICS = st.sampled_from(["coverage", "latency_ms", "error_rate", "x"])


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "metric": METRICS | SCALARS,
                "op": st.sampled_from([*units.OPERATORS]),
                "value": SCALARS,
            }
        )
        | SCALARS,
        max_size=3,
    ),
    st.lists(st.tuples(SCALARS, st.sampled_from([None, "s", "%", "1", "kg"])), max_size=3),
)
def test_any_value_is_compared_or_refused(gates, values):
    document = contract(*gates)
    faults, conditions = bounds.read(document)
    list(located(document, faults, {}))
    said = Said(*(sample(value, unit) for value, unit in values))
    for condition in conditions:
        found = measured(condition, TARGET, [said], Tree(COMMIT, BASE, frozenset(), NOW))
        if isinstance(found, Sample):
            assert holds(condition, found) in (True, False)
            json.dumps(found.to_json(), allow_nan=False)
        else:
            assert found


# The gate

IDENTITY = {
    "requires_auth": False,
    "required_tiers": ["guest"],
    "required_tiers_numeric": [0],
}


def judged(tmp_path, files, gates=None, evidence=None, **context):
    value = {
        "schema_version": "1.0.0",
        "module": "core",
        "owner": {"team": "core", "codeowners": ["@core"]},
        "gates": [row()] if gates is None else gates,
        "identity": IDENTITY,
    }
    settings = context.pop("settings", {})
    if evidence is not None:
        settings["evidence"] = evidence
    tree = {"core.py": SOURCE, "matrix_a.json": json.dumps(value, indent=1), **files}
    return run_gate(gate, tree, tmp_path=tmp_path, settings=settings, **context)


def seen(report):
    return [(it.rule.removeprefix("matriz."), it.severity, it.message) for it in report.findings]


def test_without_evidence_gates_are_counted_and_not_passed(tmp_path):
    report = judged(tmp_path, {}, [row(), row("latency_ms", "<=", 5)])
    assert seen(report) == [("gate-evidence", Severity.INFO, "2 gates of contracts are not judged")]
    assert report.verdict is Verdict.PASS
    assert "gates of contracts: 2 not judged" in report.summary
    (finding,) = report.findings
    assert finding.remedy == "name measurements in tool.cockpit.gate.matriz.evidence"
    assert finding.evidence == {"not_judged": 2}


def test_a_tree_without_gates_is_told_nothing_of_them(tmp_path):
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    report = judged(
        tmp_path, {"a.schema.json": json.dumps(schema)}, [], settings={"schema": "a.schema.json"}
    )
    assert (report.findings, "gates" in report.summary) == ((), False)


def test_only_the_metrics_that_are_to_be_judged_are(tmp_path):
    report = judged(
        tmp_path,
        {"m.json": metrics()},
        [row(), row("latency_ms", "<=", 5)],
        {"metrics": ["*.json"], "judged": ["cover*"]} | {"metrics": ["m.json"]},
    )
    assert seen(report) == [("gate-evidence", Severity.INFO, "1 gates of contracts are not judged")]
    assert "gates of contracts: 1 kept, 1 not judged" in report.summary
    assert "judged" in report.findings[0].remedy


def test_a_broken_gate_fails_with_its_place(tmp_path):
    report = judged(
        tmp_path,
        {"m.json": metrics(metrics={"core": {"coverage": 80}})},
        [row("x", "==", 1), row()],
        {"metrics": ["m.json"], "judged": ["coverage"]},
    )
    (finding,) = [it for it in report.findings if it.rule == "matriz.gate-broken"]
    assert report.verdict is Verdict.FAIL
    assert (finding.path, finding.pointer) == ("matrix_a.json", "/gates/1")
    assert finding.line
    assert finding.message == "coverage >= 90 is broken: m.json has 80"
    assert finding.remedy == "make coverage >= 90 again"
    assert finding.evidence == {
        "metric": "coverage",
        "value": 80.0,
        "unit": "percent",
        "source": "m.json",
    }
    assert "1 broken, 1 not judged" in report.summary


def test_a_gate_without_evidence_is_unknown(tmp_path):
    report = judged(
        tmp_path,
        {"m.json": metrics(files={"core.py": digest("older")})},
        evidence={"metrics": ["m.json"]},
    )
    assert report.verdict is Verdict.UNKNOWN
    assert seen(report) == [
        (
            "gate-evidence",
            Severity.UNKNOWN,
            "coverage >= 90 cannot be judged: m.json was measured before core.py changed",
        )
    ]
    assert "1 without evidence" in report.summary
    (finding,) = report.findings
    assert finding.pointer == "/gates/0"
    assert finding.remedy == "measure coverage of this tree into a file that evidence names"
    assert finding.evidence == {"metric": "coverage"}


def test_every_gate_is_counted(tmp_path):
    names = ("a", "b", "c")
    values = {"core": {"a1": 1, "a2": 1, "b1": 2, "b2": 2}}
    gates = [row(f"{name}{n}", "==", 1) for name in names for n in (1, 2)]
    report = judged(tmp_path, {"m.json": metrics(metrics=values)}, gates, {"metrics": ["m.json"]})
    assert "gates of contracts: 2 kept, 2 broken, 2 without evidence" in report.summary


@pytest.mark.parametrize("name", [None, "gone"])
def test_gates_of_no_module_of_the_tree_cannot_be_judged(tmp_path, name):
    value = {"gates": [row()], "identity": IDENTITY, **({"module": name} if name else {})}
    files = {
        "matrix_a.json": json.dumps(value),
        "m.json": metrics(),
        "any.schema.json": '{"$schema": "https://json-schema.org/draft/2020-12/schema"}',
    }
    settings = {"schema": "any.schema.json", "evidence": {"metrics": ["m.json"]}}
    report = run_gate(gate, files, tmp_path=tmp_path, settings=settings)
    assert report.findings[-1].message == (
        "coverage >= 90 cannot be judged: names no module of this tree"
    )


def test_changing_the_file_after_the_measurement_opens_nothing(tmp_path):
    evidence = {"metrics": ["m.json"]}
    report = judged(tmp_path, {"m.json": metrics()}, evidence=evidence)
    assert report.verdict is Verdict.PASS
    changed = {"m.json": metrics(), "core.py": SOURCE + "\n"}
    assert judged(tmp_path, changed, evidence=evidence).verdict is Verdict.UNKNOWN


def test_a_module_that_is_not_there_has_no_measurement(tmp_path):
    files = {"m.json": metrics(), "core.py": b""}
    report = judged(tmp_path, files, evidence={"metrics": ["m.json"]})
    assert report.verdict is Verdict.UNKNOWN


def test_commits_bind_in_a_repository(tmp_path):
    unbound = metrics(files=None, commit=COMMIT)
    evidence = {"metrics": ["m.json"]}
    report = judged(tmp_path, {"m.json": unbound}, evidence=evidence, commit=COMMIT, base=BASE)
    assert report.verdict is Verdict.PASS
    report = judged(
        tmp_path, {"m.json": unbound}, evidence=evidence, base=COMMIT, changed=("core.py",)
    )
    assert report.verdict is Verdict.UNKNOWN
    report = judged(tmp_path, {"m.json": unbound}, evidence=evidence, base=COMMIT)
    assert report.verdict is Verdict.PASS


def test_a_file_of_metrics_vouches_for_other_reports(tmp_path):
    report_of_coverage = coverage()
    evidence = {"coverage": ["c.json"], "metrics": ["m.json"]}
    vouching = metrics(metrics=None, reports={"c.json": digest(report_of_coverage)})
    files = {"c.json": report_of_coverage, "m.json": vouching}
    assert judged(tmp_path, files, evidence=evidence).verdict is Verdict.PASS
    files["c.json"] = coverage({"core.py": (10, 0)})
    report = judged(tmp_path, files, evidence=evidence)
    assert report.verdict is Verdict.UNKNOWN
    assert "c.json says neither which commit nor which files" in report.findings[0].message


def test_a_vouched_report_keeps_its_time_where_the_other_tells_none(tmp_path):
    content = coverage(meta={"timestamp": "2020-01-01T00:00:00"})
    vouching = metrics(metrics=None, reports={"c.json": digest(content)})
    evidence = {"coverage": ["c.json"], "metrics": ["m.json"], "max_age_days": 30}
    report = judged(tmp_path, {"c.json": content, "m.json": vouching}, evidence=evidence)
    assert "days old" in report.findings[0].message


def test_benchmarks_judge_latency(tmp_path):
    evidence = {"benchmarks": ["b.json"], "statistic": "max", "rounds": 3}
    slow = judged(
        tmp_path,
        {"b.json": benchmarks(timed(rounds=3))},
        [row("latency_ms", "<=", 399)],
        evidence,
        commit=COMMIT,
    )
    assert [it[2] for it in seen(slow)] == ["latency_ms <= 399 is broken: b.json has 400"]
    fast = judged(
        tmp_path,
        {"b.json": benchmarks(timed(rounds=3))},
        [row("latency_ms", "<=", 400)],
        evidence,
        commit=COMMIT,
    )
    assert fast.verdict is Verdict.PASS


def test_five_rounds_and_the_median_are_what_is_asked_for(tmp_path):
    context = {"evidence": {"benchmarks": ["b.json"]}, "commit": COMMIT}
    gates = [row("latency_ms", "==", 200)]
    report = judged(tmp_path, {"b.json": benchmarks(timed())}, gates, **context)
    assert report.verdict is Verdict.PASS
    report = judged(tmp_path, {"b.json": benchmarks(timed(rounds=4))}, gates, **context)
    assert report.verdict is Verdict.UNKNOWN


def test_files_of_tests_need_no_coverage(tmp_path):
    files = {
        "core.py": b"",
        "core/__init__.py": "",
        "core/a.py": "x = 1\n",
        "core/tests/test_a.py": "x = 1\n",
        "core/conftest.py": "x = 1\n",
        "c.json": coverage({"core/a.py": (1, 0)}),
    }
    context = {"evidence": {"coverage": ["c.json"]}}
    (finding,) = judged(tmp_path, files, **context).findings
    assert "says neither" in finding.message
    context["evidence"]["exclude"] = []
    (finding,) = judged(tmp_path, files, **context).findings
    assert "has no data for 2 files, such as core/conftest.py" in finding.message


@pytest.mark.parametrize("kind", ["metrics", "coverage", "benchmarks"])
def test_a_file_that_is_missing_or_odd_is_unknown(tmp_path, kind):
    evidence = {kind: ["e.json"]}
    report = judged(tmp_path, {}, evidence=evidence)
    assert seen(report)[0] == (
        "evidence-invalid",
        Severity.UNKNOWN,
        "no file matches: nothing was measured",
    )
    assert report.verdict is Verdict.UNKNOWN
    report = judged(tmp_path, {"e.json": "{"}, evidence=evidence)
    assert report.findings[0].path == "e.json"
    assert report.verdict is Verdict.UNKNOWN


def test_evidence_behind_a_link_out_of_the_tree_is_refused(tmp_path):
    outside = tmp_path / "outside.json"
    outside.write_bytes(metrics())
    root = tmp_path / "tree"
    root.mkdir()
    (root / "m.json").symlink_to(outside)
    (root / "gone.json").symlink_to(root / "nothing.json")
    found = load(root, {"metrics": ["*.json"]}, ["m.json", "gone.json"])
    assert [(it.path, it.message) for it in found.findings] == [
        ("gone.json", "cannot be read: No such file or directory"),
        ("m.json", "is a link out of the repository"),
    ]
    assert (found.read, found.digests) == ((), {})


def test_the_digests_of_all_evidence_are_evidence(tmp_path):
    report = judged(tmp_path, {"m.json": metrics()}, evidence={"metrics": ["m.json"]})
    (told,) = [it.data for it in report.evidence if it.name == "measurements"]
    assert told == {"m.json": digest(metrics())}


@pytest.mark.parametrize(
    "evidence",
    [
        {},
        {"judged": ["coverage"]},
        {"metrics": []},
        {"metrics": ["/etc/passwd"]},
        {"coverage": ["../c.json"]},
        {"metrics": ["m.json"], "max_age_days": 0},
        {"metrics": ["m.json"], "statistic": "stddev"},
        {"metrics": ["m.json"], "rounds": 0},
        {"metrics": ["m.json"], "more": 1},
    ],
)
def test_odd_settings_are_refused(evidence):
    assert problems_by({"evidence": evidence}, gate.settings_schema)
