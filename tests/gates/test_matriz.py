from __future__ import annotations

import codecs
import json
import os
import random
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.api import SHIM_MARK, Context, Finding, Gate, Lane, Move, Severity, Verdict
from pytest_cockpit.records.text import pointer
from pytest_cockpit.testing import check_proofs, prove, run_gate, shortcomings
from pytest_cockpit_gates.matriz import gate, schemas
from pytest_cockpit_gates.matriz.contracts import Contract, document
from pytest_cockpit_gates.matriz.faults import DEFAULTS
from pytest_cockpit_gates.matriz.files import matcher, walk
from pytest_cockpit_gates.matriz.parts import PARTS
from pytest_cockpit_gates.matriz.positions import positions

DATA = Path(__file__).parents[1] / "data" / "matriz"
CONTRACTS = {path.name: path.read_bytes() for path in DATA.glob("matrix_*.json")}
MODULES = {
    "harbour/__init__.py": "",
    "harbour/cranes.py": "",
    "harbour/pilots/__init__.py": "",
    "harbour/tides.py": "",
}
PLAIN = {
    "schema_version": "1.0.0",
    "module": "core",
    "owner": {"team": "core", "codeowners": ["@core"]},
    "gates": [{"metric": "coverage", "op": ">=", "value": 90}],
}
ANY = {"$schema": "https://json-schema.org/draft/2020-12/schema"}


def text(**changes) -> str:
    return json.dumps({**PLAIN, **changes}, indent=1)


OTHERS = {"matriz.identity-missing", "matriz.gate-evidence"}


def judged(tmp_path, files, **context):
    """The report without what other parts of the gate tell of every one of these contracts."""
    settings = {"severity": {"identity-missing": "info"}, **context.pop("settings", {})}
    report = run_gate(
        gate, {"core.py": "", **files}, tmp_path=tmp_path, settings=settings, **context
    )
    kept = tuple(
        item
        for item in report.findings
        if item.rule not in OTHERS or item.severity is not Severity.INFO
    )
    return replace(report, findings=kept)


def faults_of(content: bytes) -> list[Finding]:
    read = document("c.json", content)
    assert isinstance(read, list)
    return read


def found(report, rule=None):
    return [
        (item.path, item.line, item.pointer, item.message)
        for item in report.findings
        if rule is None or item.rule == f"matriz.{rule}"
    ]


def of_the_data(tmp_path, schema_files, **settings):
    files = {f"contracts/{name}": content for name, content in CONTRACTS.items()}
    for name, source in schema_files.items():
        files[name] = (DATA / source).read_bytes()
    return judged(tmp_path, {**MODULES, **files}, settings=settings)


def test_it_is_a_gate_with_complete_proofs():
    assert isinstance(gate, Gate)
    assert check_proofs(gate) == []


# Policies and telemetry have tests of their own.
PROOFS = [
    proof
    for name, part in PARTS.items()
    if name not in {"policy", "telemetry"}
    for proof in part.proofs()
]


@pytest.mark.parametrize("proof", PROOFS, ids=lambda proof: proof.name)
def test_a_proof_holds(tmp_path, proof):
    assert shortcomings(gate, proof, prove(gate, proof, tmp_path)) == []


def test_every_finding_says_where_and_most_say_what_to_do(tmp_path):
    for proof in PROOFS:
        for finding in prove(gate, proof, tmp_path).findings:
            assert finding.path or "tool.cockpit.gate.matriz" in str(finding.remedy)
            assert "\n" not in finding.message


def test_parts_have_rules_and_settings_of_their_own():
    rules = [rule.id for part in PARTS.values() for rule in part.RULES]
    settings = [key for part in PARTS.values() for key in part.SETTINGS]
    assert len(rules) == len(set(rules))
    assert len(settings) == len(set(settings))


def test_the_page_tells_of_every_rule_and_setting():
    page = (DATA.parents[2] / "docs" / "gates" / "matriz.md").read_text(encoding="utf-8")
    for name, part in PARTS.items():
        if name not in {"policy", "telemetry"}:
            assert [rule.id for rule in part.RULES if f"| `{rule.id}` |" not in page] == []
            assert [key for key in part.SETTINGS if f"| `{key}` |" not in page] == []
    evidence = gate.settings_schema["properties"]["evidence"]["properties"]
    assert [key for key in evidence if f"| `{key}` |" not in page] == []
    table = page.partition("## Severities")[2].partition("## Policy")[0]
    assert [name for name in DEFAULTS if f"`{name}`" not in table] == []


# Which schema


def test_the_shipped_schema_takes_the_contracts_of_the_data(tmp_path):
    report = of_the_data(tmp_path, {})
    assert (report.verdict, report.checked) == (Verdict.PASS, 4)
    assert schemas.SHIPPED in report.summary


def test_a_configured_schema_judges(tmp_path):
    files = {"schemas/a.json": "schema_old.json", "schemas/b.json": "schema_new.json"}
    assert of_the_data(tmp_path, files, schema="schemas/b.json").verdict is Verdict.PASS
    report = of_the_data(tmp_path, files, schema="schemas/a.json")
    assert report.verdict is Verdict.FAIL
    assert {item.path for item in report.findings} == {
        "contracts/matrix_harbour_pilots.json",
        "contracts/matrix_harbour_tides.json",
    }
    assert {item.pointer for item in report.findings} == {"/guardian_check"}
    lines = CONTRACTS["matrix_harbour_pilots.json"].decode().splitlines()
    assert '"guardian_check"' in lines[report.findings[0].line - 1]


def test_two_schemas_that_disagree_are_not_guessed_between(tmp_path):
    files = {
        "contracts/old.schema.json": "schema_old.json",
        "matriz.schema.json": "schema_new.json",
    }
    report = of_the_data(tmp_path, files)
    assert report.verdict is Verdict.UNKNOWN
    (finding,) = report.findings
    assert finding.rule == "matriz.schema-ambiguous"
    assert finding.evidence["accepted"] == {"contracts/old.schema.json": 2, "matriz.schema.json": 4}
    assert finding.remedy.endswith('matriz.schema = "matriz.schema.json"')


def of_version(rule, **more):
    return json.dumps({**ANY, "properties": {"module": {}, "schema_version": rule}, **more})


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ({"const": "1.0.0"}, {"const": "2.0.0"}),
        ({"enum": ["1.0.0", "1.1.0"]}, {"pattern": "^2[.]"}),
        ({"pattern": "^1[.]"}, False),
    ],
)
def test_found_schemas_serve_the_versions_that_they_alone_take(tmp_path, one, two):
    files = {
        "contracts/one.schema.json": of_version(one),
        "contracts/two.schema.json": of_version(two, required=["x-two"]),
        "matrix_a.json": text(),
        "matrix_b.json": text(module="b", schema_version="2.0.0"),
        "b.py": "",
    }
    report = judged(tmp_path, files)
    expected = "schema" if two else "schema-version"
    assert [(it.rule, it.path) for it in report.findings] == [
        (f"matriz.{expected}", "matrix_b.json")
    ]


@pytest.mark.parametrize("rule", [{"const": "1.0.0"}, {}, True, {"$ref": "#/$defs/version"}])
def test_two_schemas_for_one_version_are_not_guessed_between(tmp_path, rule):
    defs = {"$defs": {"version": {"const": "1.0.0"}}}
    files = {
        "contracts/one.schema.json": of_version(rule, **defs),
        "contracts/two.schema.json": of_version(rule, required=["x-two"], **defs),
        "matrix_a.json": text(),
    }
    report = judged(tmp_path, files)
    assert (report.verdict, found(report)[0][0]) == (
        Verdict.UNKNOWN,
        "contracts/one.schema.json",
    )


def test_two_schemas_that_agree_are_as_good_as_one(tmp_path):
    files = {
        "contracts/a.schema.json": "schema_new.json",
        "contracts/b.schema.json": "schema_new.json",
    }
    assert of_the_data(tmp_path, files).verdict is Verdict.PASS
    open_schema = {"contracts/c.schema.json": json.dumps(ANY)}
    report = judged(
        tmp_path,
        {"contracts/matrix_a.json": text(), **open_schema, "contracts/d.schema.json": "{}"},
    )
    assert "contracts/c.schema.json" in report.summary


def test_schemas_that_do_not_describe_a_module_give_way_to_those_that_do(tmp_path):
    other = json.dumps({**ANY, "required": ["nodes"]})
    own = json.dumps({**ANY, "properties": {"module": {"type": "string"}}})
    files = {"contracts/graph.schema.json": other, "contracts/own.schema.json": own}
    report = judged(tmp_path, {"contracts/matrix_a.json": text(), **files})
    assert report.verdict is Verdict.PASS
    assert "contracts/own.schema.json" in report.summary


def test_a_found_schema_that_is_broken_is_not_passed_over(tmp_path):
    broken = json.dumps({**ANY, "type": "objekt"}, indent=1)
    report = judged(
        tmp_path, {"contracts/matrix_a.json": text(), "contracts/own.schema.json": broken}
    )
    assert report.verdict is Verdict.FAIL
    ((path, line, place, message),) = found(report, "schema-invalid")
    assert (path, line, place) == ("contracts/own.schema.json", 3, "/type")
    assert message.startswith("is no JSON Schema: 'objekt'")


def test_each_version_has_its_schema_and_the_fallback_takes_the_rest(tmp_path):
    one = json.dumps({**ANY, "required": ["one"]})
    two = json.dumps({**ANY, "required": ["two"]})
    files = {
        "matrix_a.json": text(schema_version="1.0.0", module="core"),
        "matrix_b.json": text(schema_version="2.0.0", module="b"),
        "b.py": "",
        "s/one.json": one,
        "s/two.json": two,
    }
    settings = {"schemas": {"1.0.0": "s/one.json"}, "schema": "s/two.json"}
    report = judged(tmp_path, files, settings=settings)
    assert found(report) == [
        ("matrix_a.json", 1, "", '"one" is missing'),
        ("matrix_b.json", 1, "", '"two" is missing'),
    ]


def test_a_contract_without_version_is_served_by_no_version(tmp_path):
    contract = {key: value for key, value in PLAIN.items() if key != "schema_version"}
    files = {"matrix_a.json": json.dumps(contract), "s/one.json": json.dumps(ANY)}
    report = judged(tmp_path, files, settings={"schemas": {"1.0.0": "s/one.json"}})
    assert found(report, "schema-version")[0][3] == "schema_version is none, served are 1.0.0"


def test_a_version_whose_schema_is_broken_is_not_judged_by_another(tmp_path):
    two = json.dumps({**ANY, "required": ["two"]})
    files = {"matrix_a.json": text(), "s/one.json": "{", "s/two.json": two}
    settings = {"schemas": {"1.0.0": "s/one.json"}, "schema": "s/two.json"}
    report = judged(tmp_path, files, settings=settings)
    assert report.verdict is Verdict.FAIL
    assert {item.rule for item in report.findings} == {"matriz.schema-invalid"}


@pytest.mark.parametrize("schema", ["true", "{}", '{"$ref": "#"}'])
def test_a_schema_may_demand_nothing(tmp_path, schema):
    files = {"matrix_a.json": text(), "s/own.json": schema}
    report = judged(tmp_path, files, settings={"schema": "s/own.json"})
    assert report.verdict is Verdict.PASS


@pytest.mark.parametrize("schema", ["3", "[]", "null", '"text"'])
def test_a_schema_is_an_object_or_a_truth_value(tmp_path, schema):
    files = {"matrix_a.json": text(), "s/own.json": schema}
    report = judged(tmp_path, files, settings={"schema": "s/own.json"})
    assert "neither an object nor" in found(report, "schema-invalid")[0][3]


def test_references_go_to_files_of_the_tree_and_to_configured_schemas(tmp_path):
    owner = {"type": "object", "required": ["phone"]}
    named = {**ANY, "$id": "https://harbour.invalid/named.json", "$defs": {"owner": owner}}
    by_file = {**ANY, "properties": {"owner": {"$ref": "parts/owner.json"}}}
    by_name = {**ANY, "properties": {"owner": {"$ref": f"{named['$id']}#/$defs/owner"}}}
    files = {
        "matrix_a.json": text(),
        "s/file.json": json.dumps(by_file),
        "s/name.json": json.dumps(by_name),
        "s/parts/owner.json": json.dumps(owner),
        "s/named.json": json.dumps(named),
    }
    expected = [("matrix_a.json", 4, "/owner", '"phone" is missing')]
    report = judged(tmp_path, files, settings={"schema": "s/file.json"})
    assert found(report) == expected
    settings = {"schema": "s/name.json", "schemas": {"9.0.0": "s/named.json"}}
    assert found(judged(tmp_path, files, settings=settings)) == expected


@pytest.mark.parametrize(
    "reference",
    [
        "https://json-schema.invalid/x.json",
        "http://127.0.0.1:9/x.json",
        "file:///etc/hostname",
        "../../outside.json",
        "missing.json",
        "#/$defs/missing",
    ],
)
def test_nothing_is_fetched(tmp_path, monkeypatch, reference):
    def refuse(*_args):
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    files = {"matrix_a.json": text(), "s/own.json": json.dumps({**ANY, "$ref": reference})}
    report = judged(tmp_path, files, settings={"schema": "s/own.json"})
    assert report.verdict is Verdict.FAIL
    assert [item.rule for item in report.findings] == ["matriz.schema-invalid"]
    assert "tree.invalid" not in report.findings[0].message


def test_a_schema_behind_a_link_out_of_the_tree_is_refused(tmp_path):
    outside = tmp_path / "outside.json"
    outside.write_text("true")
    root = tmp_path / "root"
    (root / "s").mkdir(parents=True)
    (root / "s" / "own.json").symlink_to(outside)
    loaded = schemas.load(root, "s/own.json")
    assert isinstance(loaded, list)
    (item,) = loaded
    assert "outside the repository" in item.message


@pytest.mark.parametrize("path", ["/etc/passwd", "../x.json", "a/../../x.json", ""])
def test_a_configured_path_stays_in_the_repository(tmp_path, path):
    report = judged(tmp_path, {"matrix_a.json": text()}, settings={"schema": path})
    assert report.verdict is Verdict.ERROR
    assert "tool.cockpit.gate.matriz.schema: expected path below the repository" in report.summary


# What a violation says


@pytest.mark.parametrize(
    ("changes", "line", "place", "message", "remedy"),
    [
        ({"owner": {"team": "x"}}, 4, "/owner", '"codeowners" is missing', 'add "codeowners"'),
        (
            {"owner": {"team": 3, "codeowners": ["@a"]}},
            5,
            "/owner/team",
            "expected string, got 3",
            "write string",
        ),
        (
            {"ownr": 1},
            17,
            "/ownr",
            'unknown key "ownr"',
            "remove it",
        ),
        (
            {"telemetri": {}},
            17,
            "/telemetri",
            'unknown key "telemetri"',
            'remove it, or rename it; did you mean "telemetry"?',
        ),
        (
            {"gates": [{"metric": "m", "op": "=>", "value": 1}]},
            13,
            "/gates/0/op",
            '"=>" is not one of "<", "<=", "==", "!=", ">=", ">"; did you mean ">"?',
            'use one of "<", "<=", "==", "!=", ">=", ">"',
        ),
        (
            {"gates": []},
            10,
            "/gates",
            "expected at least 1 item, got an empty array",
            "write at least 1 item",
        ),
        (
            {"privacy": {"epsilon": -1}},
            18,
            "/privacy/epsilon",
            "expected a number ≥ 0, got -1",
            "write a number ≥ 0",
        ),
        (
            {"module": "no module"},
            3,
            "/module",
            'expected dotted module name, got "no module"',
            "write dotted module name",
        ),
        (
            {"params": {"a": {"type": "bool", "min": 1}}},
            20,
            "/params/a/min",
            "1 is not allowed here",
            "remove it",
        ),
        (
            {"params": {"a": {"type": "int", "default": "x"}}},
            20,
            "/params/a/default",
            'expected integer or null, got "x"',
            "write integer or null",
        ),
        ({"x~/y": 1}, 17, "/x~0~1y", 'unknown key "x~/y"', "remove it"),
    ],
)
def test_a_violation_says_where_what_and_how(tmp_path, changes, line, place, message, remedy):
    report = judged(tmp_path, {"matrix_core.json": text(**changes)})
    assert report.verdict is Verdict.FAIL
    seen = [(item.line, item.pointer, item.message, item.remedy) for item in report.findings]
    assert (line, place, message, remedy) in seen


def test_of_alternatives_the_nearest_is_told(tmp_path):
    schema = {
        **ANY,
        "properties": {
            "owner": {"oneOf": [{"type": "string"}, {"type": "object", "required": ["phone"]}]}
        },
    }
    files = {"matrix_a.json": text(), "s/own.json": json.dumps(schema)}
    report = judged(tmp_path, files, settings={"schema": "s/own.json"})
    assert found(report) == [("matrix_a.json", 4, "/owner", '"phone" is missing')]


def test_a_violation_names_the_schema_it_is_of(tmp_path):
    report = judged(tmp_path, {"matrix_core.json": text(owner=3)})
    assert report.findings[0].evidence["schema"] == schemas.SHIPPED
    assert len(report.findings[0].evidence["schema_sha256"]) == 64


def test_past_the_first_two_hundred_a_contract_gets_one_line(tmp_path):
    files = {f"c/matrix_{n:03}.json": text(module=f"m{n}", owner=3, gates=[]) for n in range(203)}
    settings = {"exclude": ["**/*.py"], "module_missing": "info"}
    report = judged(tmp_path, files, settings=settings)
    first = [item for item in found(report, "schema") if item[0] == "c/matrix_000.json"]
    last = [item for item in found(report, "schema") if item[0] == "c/matrix_202.json"]
    assert len(first) == 2
    assert len(last) == 1
    assert last[0][3].endswith("(and 1 more)")
    assert report.checked == 203


def test_a_schema_in_an_older_draft_is_held_to_its_own_rules(tmp_path):
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "properties": {"gates": {"items": [{"type": "string"}]}},
    }
    files = {"matrix_a.json": text(), "s/own.json": json.dumps(schema)}
    report = judged(tmp_path, files, settings={"schema": "s/own.json"})
    assert found(report)[0][2:] == ("/gates/0", "expected string, got an object")


# Documents


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (b'{"a": 1,\n"a": 2}', 2, 'key "a" is used twice'),
        (b'{"b": [{"a": 1},\n{"a": 1, "a": 1}]}', 2, 'key "a" is used twice'),
        (b'{"a":\nNaN}', 2, "NaN is no JSON number"),
        (b'{"a":\n-Infinity}', 2, "-Infinity is no JSON number"),
        (b'{"a":\n1e999}', 2, "1e999 is no JSON number"),
        (b'{"a":\n123456789012345678901}', 2, "123456789012345678901 is no JSON number"),
        (b'{"a":\n"\xff"}', 2, "byte 0xff is no UTF-8"),
        (b'{"a": 1}\n}', 2, "Extra data"),
        (b"", 1, "Expecting value"),
        (b"\n\n{'a': 1}", 3, "Expecting property name enclosed in double quotes"),
        ("{}".encode("utf-16"), 1, "is UTF-16, JSON is UTF-8"),
        ("{}".encode("utf-32"), 1, "is UTF-32, JSON is UTF-8"),
        (b'{"a": "\\ud800"}', 1, "lone surrogate in text"),
    ],
)
def test_a_fault_in_a_document_has_its_line(content, line, message):
    faults = [(item.line, item.message) for item in faults_of(content)]
    assert (line, message) in faults


def test_nesting_without_end_is_a_fault():
    (fault,) = faults_of(b"[" * 100_000)
    assert "nested deeper than 100 levels" in fault.message


def test_every_duplicate_is_told():
    content = b'{"a": 1,\n"a": 2,\n"b": {"c": 1,\n"c": 2},\n"a": 3}'
    lines = [item.line for item in faults_of(content)]
    assert lines == [2, 4, 5]


def test_a_byte_order_mark_is_taken_and_told(tmp_path):
    report = judged(tmp_path, {"matrix_core.json": codecs.BOM_UTF8 + text().encode()})
    assert report.verdict is Verdict.PASS
    (finding,) = report.findings
    assert (finding.severity, finding.rule) == (Severity.INFO, "matriz.invalid-json")


def test_lines_count_behind_a_byte_order_mark_too(tmp_path):
    content = codecs.BOM_UTF8 + text(owner=3).encode()
    report = judged(tmp_path, {"matrix_core.json": content})
    assert ("matrix_core.json", 4, "/owner", "expected object, got 3") in found(report)


def test_a_contract_that_is_no_object_violates_its_schema(tmp_path):
    report = judged(tmp_path, {"matrix_core.json": "[1]"})
    assert found(report, "schema") == [("matrix_core.json", 1, "", "expected object, got an array")]


def test_a_link_to_nowhere_is_a_finding(tmp_path):
    (tmp_path / "matrix_gone.json").symlink_to("nowhere.json")
    report = gate.check(Context(root=tmp_path, scratch=tmp_path))
    assert report.verdict is Verdict.FAIL
    assert "cannot be read: No such file" in report.findings[0].message


# Which files


def test_files_with_one_stem_do_not_hide_each_other(tmp_path):
    files = {
        "contracts/matrix_core.json": text(),
        "contracts/core/matrix_core.json": text(module="core.core", owner=3),
        "core/matrix_core.json": text(module="core.inner", gates=[]),
    }
    report = judged(tmp_path, files, settings={"module_missing": "info"})
    assert report.checked == 3
    assert {item.path for item in report.findings if item.severity is Severity.ERROR} == {
        "contracts/core/matrix_core.json",
        "core/matrix_core.json",
    }


def test_foreign_folders_and_schemas_are_left_alone(tmp_path):
    files = {
        "matrix_core.json": text(),
        "node_modules/a/matrix_a.json": "{",
        ".tox/py/matrix_a.json": "{",
        "own-env/pyvenv.cfg": "",
        "own-env/lib/matrix_a.json": "{",
        "artifacts/matrix_results.json": "{",
        "contracts/matrix_a.schema.json": json.dumps({**ANY, "required": ["module"]}),
        "contracts/matrix_shape.json": json.dumps(ANY),
    }
    report = judged(tmp_path, files)
    assert (report.verdict, report.checked) == (Verdict.PASS, 2)
    counted = next(item.data for item in report.evidence if item.name == "contracts")
    assert counted["count"] == 1
    assert counted["schemas_among_them"] == ["contracts/matrix_shape.json"]


def test_a_mark_of_an_environment_hides_no_contract_that_git_tracks(tmp_path):
    files = {"core/matrix_core.json": "{", "core/pyvenv.cfg": "", "matrix_a.json": text()}
    assert judged(tmp_path, files).verdict is Verdict.PASS
    assert judged(tmp_path, files, base_files=files).verdict is Verdict.FAIL


@pytest.mark.parametrize("named", [{"module": "core"}, {"schema_version": "1.0.0"}])
def test_no_contract_escapes_by_calling_itself_a_schema(tmp_path, named):
    files = {"matrix_core.json": text(), "contracts/matrix_a.json": json.dumps({**ANY, **named})}
    report = judged(tmp_path, files)
    assert report.verdict is Verdict.FAIL
    assert "matriz.schema" in {item.rule for item in report.findings}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("Contracts/Matrix_core.json", True),
        ("core/MATRIX_core.JSON", True),
        ("core/matrix_core.JSON", True),
        ("Artifacts/Matrix_core.json", False),
        ("core/Matrix.schema.json", False),
        ("legacy/Matrix_core.json", False),
        ("core/matrices.json", False),
    ],
)
def test_a_contract_in_another_case_is_told(tmp_path, path, found):
    files = {"matrix_a.json": text(), path: "{"}
    report = judged(tmp_path, files, settings={"exclude": ["legacy/"]})
    told = [(item.rule, item.path) for item in report.findings]
    assert told == ([("matriz.contract-name", path)] if found else [])
    assert report.verdict is (Verdict.WARN if found else Verdict.PASS)


def test_the_contract_of_the_page_is_valid(tmp_path):
    page = (Path(__file__).parents[2] / "docs/gates/matriz.md").read_text()
    shown = page.partition("```json\n")[2].partition("```")[0]
    files = {"core/__init__.py": "def total(items): ...\n", "core/matrix_core.json": shown}
    report = run_gate(gate, files, tmp_path=tmp_path)
    assert report.verdict is Verdict.PASS
    assert {item.rule for item in report.findings} == {"matriz.gate-evidence"}


def test_a_configured_schema_is_no_contract_whatever_its_name(tmp_path):
    files = {"matrix_a.json": text(), "matrix_form.json": '{"type": "object"}'}
    report = judged(tmp_path, files, settings={"schema": "matrix_form.json"})
    assert (report.verdict, report.checked) == (Verdict.PASS, 1)


def test_a_tree_of_broken_contracts_has_contracts(tmp_path):
    report = judged(tmp_path, {"matrix_a.json": "{"})
    assert {item.rule for item in report.findings} == {"matriz.invalid-json"}


def test_globs_and_excludes_are_settings(tmp_path):
    files = {"deals/a.deal.json": text(), "deals/old/b.deal.json": "{", "matrix_c.json": "{"}
    settings = {"contracts": ["deals/**/*.deal.json"], "exclude": ["deals/old/"]}
    report = judged(tmp_path, files, settings=settings)
    assert (report.verdict, report.checked) == (Verdict.PASS, 1)


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("**/a.json", "a.json", True),
        ("**/a.json", "x/y/a.json", True),
        ("**/a.json", "xa.json", False),
        ("x/**/a.json", "x/a.json", True),
        ("x/*/a.json", "x/y/z/a.json", False),
        ("x/**", "x/y/z", True),
        ("x/", "x/y/z", True),
        ("x/", "xy", False),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("[ab].json", "a.json", True),
        ("[!ab].json", "a.json", False),
        ("[!ab].json", "c.json", True),
        ("[!a]", "/", False),
        ("a+b.json", "a+b.json", True),
        ("a.json", "a.json\n", False),
        ("*.json", "line\nbreak.json", True),
    ],
)
def test_a_pattern_matches_whole_paths(pattern, path, matches):
    assert bool(matcher([pattern]).fullmatch(path)) is matches


def test_no_pattern_matches_nothing():
    assert matcher([]).fullmatch("") is None


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_text_is_a_pattern(pattern, path):
    matcher([pattern]).fullmatch(path)


def test_the_walk_gives_names_as_they_are(tmp_path):
    name = os.fsdecode(b"matrix_\xff.json")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / name).write_text("{")
    (tmp_path / "link").symlink_to("sub")
    assert set(walk(tmp_path)) == {f"sub/{name}"}


# Modules

MOVE = Move("candidate/core/common.py", "core/common.py", "0" * 40)
SHIM = f"{SHIM_MARK}core.common\n"


@pytest.mark.parametrize(
    ("module", "files"),
    [
        ("a.b", ["a/b.py"]),
        ("a.b", ["a/b/__init__.py"]),
        ("a.b", ["a/b/c.py"]),
        ("a.b", ["a/b.pyi"]),
        ("a.b", ["src/a/b.py"]),
        ("acme.b", ["b.py"]),
        ("acme.b", ["candidate/b.py"]),
        ("acme", ["candidate/__init__.py"]),
    ],
)
def test_a_module_is_found(tmp_path, module, files):
    lane = Lane(source_roots=("src", "."), aliases={"acme": ("", "candidate")})
    tree = {"matrix_a.json": text(module=module), **dict.fromkeys(files, "")}
    assert judged(tmp_path, tree, lane=lane).verdict is Verdict.PASS


@pytest.mark.parametrize("module", ["a.b", "core.common", "acmes.b"])
def test_a_module_that_is_not_there_is_told_with_its_line(tmp_path, module):
    lane = Lane(aliases={"acme": ("",)})
    tree = {"matrix_a.json": text(module=module), "b.py": "", "a/c.txt": ""}
    report = judged(tmp_path, tree, lane=lane)
    assert report.verdict is Verdict.WARN
    assert found(report)[0][:3] == ("matrix_a.json", 3, "/module")


def test_a_contract_left_behind_by_a_move_says_the_new_name(tmp_path):
    files = {
        "matrix_a.json": text(module="candidate.core.common"),
        "core/common.py": "",
        MOVE.source: SHIM,
    }
    report = judged(tmp_path, files, moves=(MOVE,), batch_id="b")
    (finding,) = report.findings
    assert (finding.rule, finding.severity) == ("matriz.stale-module", Severity.ERROR)
    assert finding.remedy == 'set "module" to "core.common"'


def test_names_are_counted_from_the_source_root(tmp_path):
    move = Move("src/candidate/a.py", "src/a.py", "0" * 40)
    lane = Lane(path="src/candidate", root="src", source_roots=("src",))
    files = {"matrix_a.json": text(module="candidate.a"), "src/a.py": ""}
    report = judged(tmp_path, files, moves=(move,), lane=lane, batch_id="b")
    assert report.findings[0].evidence == {"module": "candidate.a", "moved_to": "a"}


def test_an_alias_that_serves_old_and_new_place_is_not_stale(tmp_path):
    lane = Lane(aliases={"acme": ("", "candidate")})
    files = {
        "matrix_a.json": text(module="acme.core.common"),
        "core/common.py": "",
        MOVE.source: SHIM,
    }
    report = judged(tmp_path, files, moves=(MOVE,), lane=lane, batch_id="b")
    assert report.verdict is Verdict.PASS


def test_every_further_contract_of_a_module_names_the_first(tmp_path):
    files = {f"matrix_{name}.json": text() for name in "abc"}
    report = judged(tmp_path, files)
    assert [item.evidence["other"] for item in report.findings] == ["matrix_a.json"] * 2


# Nothing brings it down


@given(st.binary(max_size=200))
def test_any_bytes_are_a_contract_or_a_finding(content):
    read = document("c.json", content)
    assert isinstance(read, Contract) or all(item.path == "c.json" for item in read)


@pytest.mark.parametrize("seed", range(30))
def test_a_damaged_contract_never_crashes_the_gate(tmp_path, seed):
    dice = random.Random(seed)
    content = bytearray(CONTRACTS["matrix_harbour_pilots.json"])
    for _ in range(dice.randint(1, 6)):
        place = dice.randrange(len(content))
        content[place : place + dice.randint(0, 9)] = dice.randbytes(dice.randint(0, 4))
    report = judged(tmp_path, {"matrix_a.json": bytes(content), "matrix_b.json": text()})
    assert report.verdict in set(Verdict) - {Verdict.ERROR}
    assert report.checked == 2


DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=20,
)


def pointers(value, path=()):
    yield pointer(path), value
    items = enumerate(value) if isinstance(value, list) else ()
    for key, item in value.items() if isinstance(value, dict) else items:
        yield from pointers(item, (*path, key))


@given(DOCUMENTS, st.booleans())
def test_every_value_is_found_on_its_line(value, ascii_only):
    content = json.dumps(value, indent=1, ensure_ascii=ascii_only)
    seen = positions(content)
    everything = dict(pointers(value))
    assert set(seen.lines) == set(everything)
    # With an indent, each value starts a line of its own, in the order of the document.
    assert [seen.lines[place] for place in everything] == sorted(seen.lines.values())
    lines = content.split("\n")
    for place, inner in everything.items():
        if not isinstance(inner, dict | list):
            assert (
                lines[seen.lines[place] - 1]
                .rstrip(",")
                .endswith(json.dumps(inner, ensure_ascii=ascii_only))
            )
    assert (seen.duplicates, seen.numbers) == ((), ())


@given(st.text(alphabet='{}[],:"\\ \n\tau0123456789eE+-.Infinity', max_size=60))
def test_positions_take_any_text(content):
    seen = positions(content)
    assert all(1 <= line <= content.count("\n") + 1 for line in seen.lines.values())


def test_a_key_used_twice_stands_where_its_value_is_taken_from():
    seen = positions('{"a": 1,\n"a": 2}')
    assert seen.line("/a") == 2
    assert [(item.line, item.text) for item in seen.duplicates] == [(2, "a")]


def test_positions_stop_where_they_are_told():
    seen = positions('{"a": 1,\n"b": {"c": 2},\n"d": 3}', "/b")
    assert seen.line("/b") == 2
    assert "/d" not in seen.lines


def test_a_pointer_to_nothing_has_the_line_of_what_is_around_it():
    seen = positions('{"a":\n{"b": 1}}')
    assert seen.line("/a/missing/deep") == 1
    assert positions("").line("/a") is None
