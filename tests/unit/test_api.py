from __future__ import annotations

import ast
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit import api
from pytest_cockpit.api import (
    Case,
    Context,
    Evidence,
    Finding,
    Lane,
    Move,
    Preparation,
    Report,
    Severity,
    Verdict,
)

TEXT = st.text(max_size=12)
OPTIONAL_TEXT = st.none() | TEXT
JSON = st.dictionaries(TEXT, st.none() | st.booleans() | st.integers() | TEXT, max_size=3)
FINDINGS = st.builds(
    Finding,
    rule=TEXT,
    message=TEXT,
    severity=st.sampled_from(Severity),
    path=OPTIONAL_TEXT,
    line=st.none() | st.integers(1, 10**6),
    pointer=OPTIONAL_TEXT,
    remedy=OPTIONAL_TEXT,
    evidence=JSON,
)
REPORTS = st.builds(
    Report,
    verdict=st.sampled_from(Verdict),
    summary=TEXT,
    checked=st.integers(0, 10**6),
    findings=st.lists(FINDINGS, max_size=3).map(tuple),
    evidence=st.lists(st.builds(Evidence, name=TEXT, data=JSON), max_size=2).map(tuple),
    cases=st.lists(
        st.builds(Case, name=TEXT, verdict=st.sampled_from(Verdict), message=TEXT), max_size=2
    ).map(tuple),
)
NAMES = st.lists(TEXT, max_size=3).map(tuple)
LANES = st.builds(
    Lane,
    path=TEXT,
    root=TEXT,
    source_roots=NAMES,
    exclude=NAMES,
    aliases=st.dictionaries(TEXT, NAMES, max_size=2),
    shims=st.booleans(),
)
CONTEXTS = st.builds(
    Context,
    root=st.just(Path("/tree")),
    scratch=st.just(Path("/scratch")),
    settings=JSON,
    lane=LANES,
    records=TEXT,
    base=OPTIONAL_TEXT,
    commit=OPTIONAL_TEXT,
    moves=st.lists(st.builds(Move, TEXT, TEXT, TEXT, TEXT), max_size=2).map(tuple),
    changed=NAMES,
    batch_id=OPTIONAL_TEXT,
    plan_sha256=OPTIONAL_TEXT,
    python=TEXT,
    pass_environment=NAMES,
)


@given(REPORTS)
def test_a_report_survives_json(report):
    assert Report.from_json(json.loads(json.dumps(report.to_json()))) == report


@pytest.mark.parametrize("verdict", Verdict)
def test_a_case_bears_on_the_verdict_unless_it_was_skipped(verdict):
    report = Report.judge("", checked=1, cases=[Case("one", Verdict.PASS), Case("two", verdict)])
    assert report.verdict is (Verdict.PASS if verdict is Verdict.SKIP else verdict)
    assert Report.judge("", checked=0, cases=[Case("one", Verdict.PASS)]).verdict is Verdict.UNKNOWN


def test_a_preparation_survives_json_and_one_text_is_not_several():
    made = Preparation(("a problem",), ("a line",), {"sizes": [1]}, ("run.json",))
    assert Preparation.from_json(json.loads(json.dumps(made.to_json()))) == made
    for name in ("problems", "lines", "replaces"):
        # A comma was forgotten: ("a problem") is no tuple.
        with pytest.raises(TypeError, match=f"{name} is one text, not several"):
            Preparation.from_json({**made.to_json(), name: "a problem"})


@given(CONTEXTS)
def test_a_context_survives_json(context):
    assert Context.from_json(json.loads(json.dumps(context.to_json()))) == context


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"verdict": "fine", "summary": "", "checked": 0, "findings": [], "evidence": []},
        {"verdict": "pass", "summary": "", "checked": "x", "findings": [], "evidence": []},
        {"verdict": "pass", "summary": "", "checked": 0, "findings": [{}], "evidence": []},
        {"verdict": "pass", "summary": "", "checked": 0, "findings": [], "evidence": [{"a": 1}]},
    ],
)
def test_what_is_no_report_is_refused(data):
    with pytest.raises((KeyError, TypeError, ValueError)):
        Report.from_json(data)


def test_only_pass_and_declared_warnings_open_a_gate():
    assert {verdict for verdict in Verdict if verdict.opens} == {Verdict.PASS, Verdict.WARN}


def test_the_worst_verdict_wins():
    order = [Verdict.SKIP, Verdict.PASS, Verdict.WARN, Verdict.UNKNOWN, Verdict.FAIL, Verdict.ERROR]
    for index, verdict in enumerate(order):
        assert Verdict.worst(order[: index + 1]) is verdict
    assert Verdict.worst([]) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("severities", "checked", "verdict"),
    [
        ([], 1, Verdict.PASS),
        ([], 0, Verdict.UNKNOWN),
        ([Severity.INFO], 1, Verdict.PASS),
        ([Severity.INFO], 0, Verdict.UNKNOWN),
        ([Severity.WARNING], 1, Verdict.WARN),
        ([Severity.WARNING], 0, Verdict.UNKNOWN),
        ([Severity.UNKNOWN, Severity.WARNING], 1, Verdict.UNKNOWN),
        ([Severity.ERROR, Severity.UNKNOWN], 1, Verdict.FAIL),
        ([Severity.ERROR], 0, Verdict.FAIL),
    ],
)
def test_a_verdict_follows_from_findings_and_their_count(severities, checked, verdict):
    findings = [Finding("g.r", "m", severity) for severity in severities]
    assert Report.judge("s", checked=checked, findings=findings).verdict is verdict


@pytest.mark.parametrize(
    ("place", "where"),
    [
        ({}, ""),
        ({"line": 3}, ""),
        ({"path": "a.json"}, "a.json"),
        ({"path": "a.json", "line": 3, "pointer": "/b"}, "a.json:3"),
        ({"path": "a.json", "pointer": "/b"}, "a.json#/b"),
        ({"path": "a.json", "pointer": ""}, "a.json"),
    ],
)
def test_a_finding_says_where_it_is(place, where):
    assert Finding("g.r", "m", **place).where == where


def test_the_api_needs_the_standard_library_alone():
    tree = ast.parse(Path(api.__file__).read_text(encoding="utf-8"))
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or "pytest_cockpit"]
        )
    }
    assert imported <= set(sys.stdlib_module_names)
