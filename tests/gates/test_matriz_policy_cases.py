"""AuthZ cases: read, paired with contracts, held against decisions. Nothing is evaluated here."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.api import Severity, Verdict
from pytest_cockpit.records.text import sha256
from pytest_cockpit_gates.matriz.policy import (
    bundle,
    casefiles,
    deciding,
    exercised,
    pairing,
    plain_yaml,
    reach,
    unittests,
)
from pytest_cockpit_gates.matriz.policy.deciding import Decided
from pytest_cockpit_gates.matriz.policy.engine import Answer
from pytest_cockpit_gates.matriz.policy.exercised import Exercised
from pytest_cockpit_gates.matriz.policy.plain_yaml import Refused
from pytest_cockpit_gates.matriz.policy.settings import Settings, nanoseconds
from pytest_cockpit_gates.matriz.policy.syntax import parse

PATH = "tests/port_authz.yaml"
TRUE, FALSE = Answer("value", value=True), Answer("value", value=False)


@dataclass
class Contract:
    path: str
    module: str | None
    value: Any


# YAML


@pytest.mark.parametrize(
    "text, value",
    [
        ("a: 1", {"a": 1}),
        ("a: -1.5e3", {"a": -1500.0}),
        ("a: .5", {"a": 0.5}),
        ("a: 0x1F", {"a": 31}),
        ("a: 0o17", {"a": 15}),
        ("a: 017", {"a": 17}),
        ("a: yes", {"a": "yes"}),
        ("a: off", {"a": "off"}),
        ("a: 12:30", {"a": "12:30"}),
        ("a: 2026-01-31", {"a": "2026-01-31"}),
        ("a: True", {"a": True}),
        ("a: FALSE", {"a": False}),
        ("a: ~", {"a": None}),
        ("a:", {"a": None}),
        ("a: '1'", {"a": "1"}),
        ('a: "true"', {"a": "true"}),
        ("a: !!str 1", {"a": "1"}),
        ("a: !!int 1", {"a": 1}),
        ("a: !!float 1", {"a": 1}),
        ("a: !!null ''", {"a": None}),
        ("a: !!bool true", {"a": True}),
        ("a: !!map {b: 1}", {"a": {"b": 1}}),
        ("a: !!seq [1]", {"a": [1]}),
        ("a: ! 1", {"a": "1"}),
        ("a: +x", {"a": "+x"}),
        ("a: [1, {b: [2]}]", {"a": [1, {"b": [2]}]}),
        ("a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
        ("a: &x 1\nb: *x", {"a": 1, "b": 1}),
        ("a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}", {"a": {"p": 1, "q": 2}, "b": {"p": 1, "q": 3}}),
        (
            "a: &x {p: 1}\nb: &y {p: 2, q: 2}\nc: {<<: [*x, *y]}",
            {"a": {"p": 1}, "b": {"p": 2, "q": 2}, "c": {"p": 1, "q": 2}},
        ),
        ("\ufeffa: 1", {"a": 1}),
        ("just text", "just text"),
        ("a: " + "9" * 401, {"a": "9" * 401}),
        ("a: " + "9" * 400, {"a": int("9" * 400)}),
    ],
)
def test_plain_data(text, value):
    found = plain_yaml.read(text.encode())
    assert found == value
    assert json.dumps(found, sort_keys=True) == json.dumps(value, sort_keys=True)


LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 8)
)
LADDER = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 70))


@pytest.mark.parametrize(
    "text, message, line",
    [
        ("", "holds nothing", 1),
        ("# nothing", "holds nothing", 1),
        ("a: 1\n---\nb: 2", "holds a second document", 2),
        ("a: 1\na: 2", "key 'a' is used twice", 2),
        ("1: 2", "a key is no text", 1),
        ("[1]: 2", "a key is no text", 1),
        ("a: .inf", ".inf is no number that JSON has", 1),
        ("a: .NaN", ".NaN is no number that JSON has", 1),
        ("a: 1e999", "1e999 is out of range", 1),
        ("a: !!python/object/apply:os.system [ls]", "python/object/apply:os.system is no plain", 1),
        ("a: !!set {x}", "tag:yaml.org,2002:set is no plain data", 1),
        ("a: !!binary aGk=", "tag:yaml.org,2002:binary does not fit 'aGk='", 1),
        ("a: !!int x", "tag:yaml.org,2002:int does not fit 'x'", 1),
        ("a: !!int true", "tag:yaml.org,2002:int does not fit 'true'", 1),
        ("a: !!bool 1", "tag:yaml.org,2002:bool does not fit '1'", 1),
        ("a: !!null 1", "tag:yaml.org,2002:null does not fit '1'", 1),
        ("a: !!seq {b: 1}", "tag:yaml.org,2002:seq is no plain data", 1),
        ("a: *b", "*b stands for nothing that is complete", 1),
        ("a: &x\n  b: *x", "*x stands for nothing that is complete", 2),
        ("a: &x 1\nb: &x [*x]", "*x stands for nothing that is complete", 2),
        ("a: {<<: 1}", "<< takes mappings alone", 1),
        ("a: {<<: [1]}", "<< takes mappings alone", 1),
        ("a: [", "did not find expected node content", None),
        ("a:\n\t- b", "found character that cannot start any token", 2),
        ("a: \x00", "is no YAML", None),
        (LAUGHS, "grows to more than 1,000,000 values", 6),
        (LADDER, "is nested deeper than 60", 60),
        ("[" * 61, "is nested deeper than 60", 1),
    ],
)
def test_what_is_no_plain_data_is_refused(text, message, line):
    with pytest.raises(Refused, match=re.escape(message)) as refused:
        plain_yaml.read(text.encode())
    assert line in (None, refused.value.line)


def test_what_is_no_text_or_too_long_is_refused():
    with pytest.raises(Refused, match="is no UTF-8") as refused:
        plain_yaml.read(b"a: 1\nb: \xff")
    assert refused.value.line == 2
    with pytest.raises(Refused, match="is larger than 8 MiB"):
        plain_yaml.read(b" " * (8 * 2**20 + 1))


def test_values_know_their_lines():
    found = plain_yaml.read(b"a: 1\nb:\n- x\n-\n  c: 2\n  d: 3\n")
    assert found.lines == {"a": 1, "b": 2}
    assert found["b"].lines == [3, 5]
    assert found["b"][1].lines == {"c": 5, "d": 6}


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON)
def test_what_was_dumped_is_read_back(value):
    # Beyond these, YAML 1.1 and 1.2 differ in what a plain text means.
    if not any(isinstance(part, str) for part in _leaves(value)):
        assert plain_yaml.read(yaml.safe_dump(value).encode()) == value


def _leaves(value):
    if isinstance(value, dict):
        yield from (leaf for pair in value.items() for part in pair for leaf in _leaves(part))
    elif isinstance(value, list):
        yield from (leaf for part in value for leaf in _leaves(part))
    else:
        yield value


@given(st.binary() | st.text(alphabet="a:-&*<>[]{}!'\"\n #|%@`,?~1.e").map(str.encode))
def test_any_bytes_are_read_or_refused(content):
    with contextlib.suppress(Refused):
        json.dumps(plain_yaml.read(content))


# Files of cases


def files(tmp_path, content, path=PATH):
    file = tmp_path / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return casefiles.read_all(tmp_path, [path])


def cases_of(tmp_path, *rows, module="port"):
    return files(tmp_path, json.dumps({"module": module, "test_cases": rows}, indent=1)).cases


def row(name="one", expected=True, **asked):
    return {"name": name, "input": {"tier": "friend", "tier_num": 2, **asked}, "expected": expected}


@pytest.mark.parametrize(
    "content, message, line",
    [
        ("", "holds nothing", 1),
        ("[1]", "is no mapping", 1),
        ("test_cases: []", "names no module", 1),
        ("test_cases: []\nmodule: 3", "names no module", 2),
        ("module: ''", "names no module", 1),
        ("module: a", "has no test_cases", 1),
        ("module: a\ntest_cases: []", "has no test_cases", 2),
        ("module: a\ntest_cases: {}", "has no test_cases", 2),
        (b"\xff", "is no UTF-8", 1),
    ],
)
def test_a_file_of_another_shape(tmp_path, content, message, line):
    found = files(tmp_path, content)
    assert found.cases == ()
    (fault,) = found.findings
    assert (fault.rule, fault.severity) == ("matriz.authz-file", Severity.ERROR)
    assert (fault.path, fault.line, fault.message) == (PATH, line, message)
    assert fault.remedy == "write a mapping with module and test_cases"


def test_a_link_is_not_read(tmp_path):
    (tmp_path / "secret").write_text("module: a")
    (tmp_path / "link.yaml").symlink_to(tmp_path / "secret")
    (fault,) = casefiles.read_all(tmp_path, ["link.yaml"]).findings
    assert fault.message == "is a link; put the file itself there"
    (fault,) = casefiles.read_all(tmp_path, ["gone.yaml"]).findings
    assert fault.message == "cannot be read: No such file or directory"


def test_a_case_is_read(tmp_path):
    text = "module: port\ntest_cases:\n- name: a\n  input: {action: 'f(x) -> y'}\n  expected: false\n  reason: so\n"
    found = files(tmp_path, text)
    (case,) = found.cases
    assert case.name == f"authz:{PATH}::a"
    assert (case.title, case.path, case.line, case.index) == ("a", PATH, 3, 0)
    assert (case.module, case.input, case.expected) == ("port", {"action": "f(x) -> y"}, False)
    assert (case.action, case.reason, case.pointer, case.faults) == ("f", "so", "/test_cases/0", ())
    assert case.can_be_asked
    assert found.digests == {PATH: sha256(text.encode())}


@pytest.mark.parametrize(
    "asked, expected, message, remedy",
    [
        ({"tier": "frend"}, True, '"frend" is no tier', "use one of guest, visitor, friend, trus"),
        ({"tier": None}, True, "null is no tier", "use one of guest"),
        ({"tier_num": 6}, True, "6 is the number of no tier", "use one of 0, 1, 2, 3, 4, 5"),
        ({"tier_num": True}, True, "true is the number of no tier", "use one of 0, 1, 2, 3, 4, 5"),
        ({"tier_num": "2"}, True, '"2" is the number of no tier', "use one of 0, 1, 2, 3, 4, 5"),
        ({"tier_num": 3}, True, "tier friend has the number 2, not 3", "write tier_num: 2"),
        ({}, None, "expected null", "write true or false"),
        ({}, "yes", '"yes"', "write true or false"),
        ({}, 1, "expected is 1", "write true or false"),
    ],
)
def test_a_case_that_cannot_be_asked(tmp_path, asked, expected, message, remedy):
    (case,) = cases_of(tmp_path, row(expected=expected, **asked))
    (fault,) = case.faults
    assert not case.can_be_asked
    assert fault.message.startswith("one: ")
    assert message in fault.message.replace("expected is null", "expected null")
    assert fault.remedy.startswith(remedy)
    assert (fault.rule, fault.severity) == ("matriz.authz-case", Severity.ERROR)
    assert (fault.path, fault.pointer) == (PATH, "/test_cases/0")
    assert fault.evidence == {"case": case.name}


def test_a_case_without_this_or_that(tmp_path):
    cases = cases_of(tmp_path, {"name": "a", "input": {}}, {"expected": True, "input": []}, 3)
    told = [[fault.message for fault in case.faults] for case in cases]
    no_input = "has no input that is a mapping"
    assert told == [
        ["a: expected is missing"],
        ["[1]: has no name", f"[1]: {no_input}"],
        ["[2]: has no name", "[2]: expected is missing", f"[2]: {no_input}"],
    ]
    assert [case.title for case in cases] == ["a", "[1]", "[2]"]
    assert [case.expected for case in cases] == [None, True, None]
    assert all(case.input == {} for case in cases)


def test_faults_stand_where_their_key_stands(tmp_path):
    text = "module: m\ntest_cases:\n- name: a\n  input:\n    tier: x\n  expected: 1\n- name: b\n"
    first, second = files(tmp_path, text).cases
    assert [fault.line for fault in first.faults] == [6, 4]
    assert [fault.line for fault in second.faults] == [7, 7]


def test_names_are_unique_and_stay(tmp_path):
    rows = [row("a"), row("a"), row("a#2"), row("a"), row(" b\nc "), row("[5]"), row("")]
    cases = cases_of(tmp_path, *rows)
    names = [case.name.partition("::")[2] for case in cases]
    assert names == ["a", "a#2", "a#2#2", "a#3", "b\\nc", "[5]", "[6]"]
    assert [bool(case.faults) for case in cases] == [False, True, True, True, False, False, True]
    assert cases[1].can_be_asked
    fault = cases[1].faults[0]
    assert fault.severity is Severity.WARNING
    assert fault.message == "a: is the name of an earlier case, too; this one is taken for a#2"
    assert cases[6].faults[0].message == "[6]: has no name"


def test_a_repository_has_its_own_tiers(tmp_path):
    text = json.dumps({"module": "m", "test_cases": [row(tier="crew", tier_num=7), row("two")]})
    tree = tmp_path / PATH
    tree.parent.mkdir(parents=True)
    tree.write_text(text)
    own, other = casefiles.read_all(tmp_path, [PATH], {"crew": 7, "master": 9}).cases
    assert own.faults == ()
    assert [fault.remedy for fault in other.faults] == ["use one of crew, master"]
    assert Settings.of({"tiers": {"crew": 7}}).tiers == {"crew": 7}
    block = {"identity": {"requires_auth": True, "required_tiers": ["crew"]}}
    (found,) = exercised.exercised([], [Contract("c", "m", block)], {"crew": 7, "master": 9})
    assert found.units == {("tier", "crew", True), ("tier", "master", False)}


def test_tiers_may_be_left_out(tmp_path):
    (case,) = cases_of(tmp_path, {"name": "a", "input": {"tier_num": 3}, "expected": True})
    assert case.faults == ()
    assert case.action is None


@given(JSON)
def test_any_document_is_read_or_told(value):
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        found = files(Path(folder), json.dumps({"module": "m", "test_cases": [value, value]}))
    names = [case.name for case in found.cases]
    assert len(set(names)) == len(names)
    assert bool(found.cases) is not bool(found.findings)


# Contracts


def contract(module="port", path="c.json", **block):
    identity = {"required_tiers": ["friend"], "scopes": ["read"], **block}
    rows = [{"fn": "dock"}, {"fn": "leave(ship: str)"}, {"fn": 3}, 4]
    return Contract(path, module, {"identity": identity, "interface": {"public_api": rows}})


def test_cases_find_the_contract_of_their_module(tmp_path):
    cases = cases_of(tmp_path, row(), module="port")
    one = contract()
    found = pairing.pair(cases, [contract("other"), one, contract("acme.port"), contract(None)])
    assert found.contracts == {"port": one}
    assert found.findings == ()


def test_a_name_without_its_first_part_is_told(tmp_path):
    cases = cases_of(tmp_path, row(), row("two"), module="port")
    one = contract("acme.port")
    found = pairing.pair(cases, [one, contract("acme.other.port")])
    assert found.contracts == {"port": one}
    (fault,) = found.findings
    assert fault.message == "calls the module port, its contract calls it acme.port"
    assert (fault.severity, fault.remedy) == (Severity.INFO, "write module: acme.port")
    assert (fault.rule, fault.path, fault.line) == ("matriz.authz-module", PATH, 1)


@pytest.mark.parametrize(
    "modules, message",
    [
        ([], "no contract is of the module port"),
        (["harbour"], "no contract is of the module port"),
        (["a.port", "b.port"], "port could be any of a.port, b.port"),
        (["port", "port"], "port could be any of port, port"),
    ],
)
def test_cases_of_no_contract_or_of_several(tmp_path, modules, message):
    found = pairing.pair(cases_of(tmp_path, row()), [contract(name) for name in modules])
    assert found.contracts == {}
    (fault,) = found.findings
    assert (fault.message, fault.severity) == (message, Severity.ERROR)
    several = "could be" in message
    whole, add = "write the whole name of the module", "add its contract, or remove the cases"
    assert fault.remedy == (whole if several else add)
    assert fault.pointer == "/module"
    assert fault.evidence == {"module": "port"}


def test_what_the_contract_does_not_have_is_told_once_for_each_file(tmp_path):
    rows = [
        row("a", scopes=["read", "burn"], action="dock()"),
        row("b", scopes=["burn", "sink"], action="fly"),
        row("c", expected=True, tier="guest", tier_num=0, action="leave"),
        row("d", expected=False, tier="guest", tier_num=0),
        row("e", scopes="read"),
    ]
    cases = cases_of(tmp_path, *rows)
    found = list(pairing.consistency(cases, pairing.pair(cases, [contract()])))
    assert [(one.message, one.severity.value, one.line) for one in found] == [
        ("2 cases: a scope that the contract has not: burn, sink", "warning", cases[0].line),
        ("1 case: an action that is no function of the contract: fly", "info", cases[1].line),
        (
            "1 case: true expected for a tier that the contract does not let in: guest",
            "warning",
            cases[2].line,
        ),
    ]
    assert found[0].evidence == {"contract": "c.json", "cases": 2, "scopes": ["burn", "sink"]}
    assert [one.remedy.split()[0] for one in found] == ["correct", "name", "expect"]
    assert [one.pointer for one in found] == [cases[n].pointer for n in (0, 1, 2)]


def test_a_contract_of_any_shape_is_borne(tmp_path):
    cases = cases_of(tmp_path, row(scopes=["x"], action="f"))
    shapes: list[Any] = [None, [], {}, {"identity": 3}, {"identity": {}, "interface": 3}]
    for value in shapes:
        found = pairing.Pairing({"port": Contract("c", "port", value)}, ())
        assert [one.rule for one in pairing.consistency(cases, found)] == ["matriz.authz-contract"]
    many = cases_of(tmp_path, row(scopes=list("abcdefg")))
    (fault,) = pairing.consistency(many, pairing.pair(many, [contract()]))
    assert fault.message.endswith(": a, b, c, d, e, …")
    five = cases_of(tmp_path, row(scopes=list("abcde")))
    (fault,) = pairing.consistency(five, pairing.pair(five, [contract()]))
    assert fault.message.endswith(": a, b, c, d, e")


# Decisions

REFUSED = "(error\n  (errormsg 8:it broke!)\n (x))"


@pytest.mark.parametrize(
    "answer, expected, verdict, rule, message",
    [
        (TRUE, True, "pass", None, "decided true, as expected"),
        (FALSE, False, "pass", None, "decided false, as expected"),
        (TRUE, False, "fail", "decision", "one: expected false, the policy decides true"),
        (FALSE, True, "fail", "decision", "one: expected true, the policy decides false"),
        (
            Answer("value", 1),
            True,
            "fail",
            "evaluation",
            "one: expected true, the policy decides 1",
        ),
        (
            Answer("value", 0),
            False,
            "fail",
            "evaluation",
            "one: expected false, the policy decides 0",
        ),
        (Answer("value"), False, "fail", "evaluation", "expected false, the policy decides null"),
        (Answer("undefined"), False, "fail", "undefined", "undefined is not false"),
        (
            Answer("undefined"),
            True,
            "fail",
            "undefined",
            "expected true, the policy decides nothing",
        ),
        (Answer("error", REFUSED), False, "fail", "evaluation", "ends in an error: it broke"),
        (Answer("error", "a\nb"), False, "fail", "evaluation", "ends in an error: a b"),
        (
            Answer("lost", "signal 6"),
            True,
            "unknown",
            "engine",
            "expected true, not decided: signal 6",
        ),
        (Answer("unasked"), True, "unknown", "engine", "not decided: an earlier question kept"),
    ],
)
def test_a_decision_is_held_against_what_is_expected(
    tmp_path, answer, expected, verdict, rule, message
):
    (case,) = cases_of(tmp_path, row(expected=expected))
    findings, (told,) = deciding.judged([Decided(case, answer, contract="c.json")])
    assert (told.name, told.verdict) == (case.name, Verdict(verdict))
    assert message in told.message
    if rule is None:
        assert findings == []
        return
    (found,) = findings
    prefix = "matriz.policy-" if rule == "engine" else "matriz.authz-"
    assert found.rule == prefix + rule
    assert found.severity is (Severity.UNKNOWN if verdict == "unknown" else Severity.ERROR)
    assert message in found.message
    assert (found.path, found.line, found.pointer) == (PATH, case.line, "/test_cases/0")
    assert found.evidence == {
        "case": case.name,
        "contract": "c.json",
        "expected": expected,
        "state": answer.state,
        "decided": answer.value if answer.state == "value" else None,
    }
    assert found.remedy


def test_a_case_that_was_not_asked(tmp_path):
    good, bad = cases_of(tmp_path, row(), row("two", expected=None))
    findings, told = deciding.judged(
        [Decided(good, None, "no policy"), Decided(bad, None, "no policy")]
    )
    assert [(one.verdict, one.message) for one in told] == [
        (Verdict.UNKNOWN, "no policy"),
        (Verdict.FAIL, "two: expected is null"),
    ]
    assert [one.rule for one in findings] == ["matriz.authz-case"]


def test_a_failed_case_says_why_it_was_expected(tmp_path):
    (case,) = cases_of(tmp_path, {**row(), "reason": "friends\nare let in"})
    (told,) = deciding.judged([Decided(case, FALSE)])[1]
    assert told.message.endswith("decides false\nfriends\\nare let in")


def test_an_odd_name_is_no_hindrance(tmp_path):
    cases = cases_of(tmp_path, row(), row())
    findings, told = deciding.judged([Decided(case, TRUE) for case in cases])
    assert [one.verdict for one in told] == [Verdict.PASS, Verdict.PASS]
    assert [one.severity for one in findings] == [Severity.WARNING]


@pytest.mark.parametrize(
    "text, said",
    [
        ("(errormsg 3:abc)", "abc"),
        ("(errormsg 3:a:c) (errormsg 1:x)", "a:c"),
        ("(errormsg x:abc)", "(errormsg x:abc)"),
        ("(errormsg 3", "(errormsg 3"),
        ("x" * 400, "x" * 300),
    ],
)
def test_what_the_evaluator_says(text, said):
    assert deciding.said(Answer("error", text)) == said


# Unit tests

TESTS = (
    "package p\ntest_a if true\ntest_a if false\ntest_f(x) if x\ntest_b if true\nother if true\n"
)


def test_unit_tests_are_collected_once_each():
    tests = unittests.collect(
        [parse("p_test.rego", TESTS), parse("q.rego", "package a.b\ntest_c if x")]
    )
    assert [(one.name, one.entry, one.line) for one in tests] == [
        ("policy:p.test_a", "p/test_a", 2),
        ("policy:p.test_b", "p/test_b", 5),
        ("policy:a.b.test_c", "a/b/test_c", 2),
    ]


@pytest.mark.parametrize(
    "answer, verdict, message",
    [
        (TRUE, "pass", ""),
        (Answer("value", "x"), "pass", ""),
        (Answer("value", 0), "pass", ""),
        (FALSE, "fail", "test_a is false"),
        (Answer("undefined"), "fail", "test_a is undefined"),
        (Answer("error", REFUSED), "fail", "test_a ends in an error: it broke"),
        (Answer("lost", "signal 6"), "unknown", "test_a: signal 6"),
        (Answer("unasked"), "unknown", "test_a: an earlier question"),
    ],
)
def test_a_unit_test_passes_when_it_holds(answer, verdict, message):
    tests = unittests.collect([parse("p_test.rego", "package p\ntest_a if true")])
    findings, (told,) = unittests.judged(tests, [answer], "")
    assert told.verdict is Verdict(verdict)
    assert told.message.startswith(message)
    if verdict == "pass":
        assert findings == []
        return
    (found,) = findings
    unknown = verdict == "unknown"
    assert found.rule == ("matriz.policy-engine" if unknown else "matriz.policy-test")
    assert found.severity is (Severity.UNKNOWN if unknown else Severity.ERROR)
    assert (found.path, found.line, found.message) == ("p_test.rego", 2, told.message)
    assert found.evidence == {"case": "policy:p.test_a", "state": answer.state}


def test_unit_tests_that_were_not_run_are_unknown():
    tests = unittests.collect([parse("p_test.rego", TESTS)])
    findings, cases = unittests.judged(tests, [], "broken")
    assert findings == []
    assert {(case.verdict, case.message) for case in cases} == {(Verdict.UNKNOWN, "broken")}


# What cases show


def test_functions_and_tiers_that_are_not_shown(tmp_path):
    one, two = contract(requires_auth=True), contract("b", "b.json", requires_auth=True)
    rows = [
        row("a", action="dock"),
        row("b", tier="guest", tier_num=0, action="dock"),
        row("c", action="x"),
    ]
    cases = cases_of(tmp_path, *rows)
    answers = [TRUE, FALSE, Answer("undefined")]
    decided = [
        Decided(case, answer, contract="c.json")
        for case, answer in zip(cases, answers, strict=True)
    ]
    silent = contract("c", "d.json", requires_auth=False)
    found = exercised.exercised(decided, [one, two, silent])
    assert [(item.contract.path, item.shown, len(item.units)) for item in found] == [
        ("c.json", 4, 10),
        ("b.json", 0, 10),
    ]
    assert exercised.share(found) == pytest.approx(0.2)
    first, second = exercised.judged(found, None)
    assert first.message == (
        "cases show 4 of 10 decisions: leave never denied, leave never allowed, inner_circle never "
        "denied, root_dev never denied, trusted never denied, visitor never denied"
    )
    assert second.message.endswith("friend never allowed, guest never denied, …")
    assert (first.severity, first.path, first.pointer) == (Severity.INFO, "c.json", "/identity")
    assert first.evidence["share"] == 0.2
    assert [item.severity for item in exercised.judged(found, 0.2)] == [Severity.INFO] * 2
    assert [item.severity for item in exercised.judged(found, 0.21)] == [Severity.ERROR] * 2


def test_a_case_that_was_decided_otherwise_shows_that(tmp_path):
    (case,) = cases_of(tmp_path, row(action="dock"))
    (found,) = exercised.exercised([Decided(case, FALSE, contract="c.json")], [contract()])
    assert found.seen == {("function", "dock", False), ("tier", "friend", False)}
    assert found.shown == 1


def test_nothing_to_show_is_all_shown(tmp_path):
    assert exercised.share([]) == 1.0
    assert exercised.share([Exercised(contract(), frozenset(), frozenset())]) == 1.0
    bare = Contract("c.json", "port", {"identity": {"requires_auth": True}})
    (found,) = exercised.exercised([], [bare])
    assert found.units == frozenset()
    assert list(exercised.judged([found], 1.0)) == []


# What is reached

MODULE = parse("p.rego", "package p\na if b\nb if c\nc := 1\n")


def bodies():
    return tuple((MODULE, clause) for clause in MODULE.clauses if clause.body is not None)


def test_bodies_that_are_not_reached():
    found = reach.Reach(bodies(), frozenset({0}))
    assert found.share == 0.5
    for least, severity in ((None, Severity.INFO), (0.5, Severity.INFO), (0.51, Severity.ERROR)):
        (told,) = reach.judged(found, least)
        assert told.message == "no case and no unit test reaches this body of b"
        assert (told.severity, told.path, told.line) == (severity, "p.rego", 3)
        assert told.evidence == {"share": 0.5, "least": least}
    assert list(reach.judged(reach.Reach(bodies(), frozenset({0, 1})), 1.0)) == []
    assert reach.Reach(()).share == 1.0


def test_a_measurement_that_failed_is_no_coverage():
    found = reach.Reach(bodies(), frozenset({0, 1}), "it crashed")
    assert [told.severity for told in reach.judged(found, None)] == [Severity.INFO]
    (told,) = reach.judged(found, 0.1)
    assert told.severity is Severity.UNKNOWN
    assert told.message == "which rules are reached could not be measured: it crashed"


# Bundles


def bundled(tmp_path, files, checksum=None):
    for path, content in files.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return bundle.read(tmp_path, "policies", checksum)


def test_a_bundle_is_read(tmp_path):
    files = {
        "policies/a.rego": "package a\nb := 1\n",
        "policies/a_test.rego": "package a_test\n",
        "policies/data.json": '{"x": {"y": 1}}',
        "policies/x/data.yaml": "z: 2",
        "policies/x/w/data.yml": "v: [3]",
        "policies/x/other.json": "{",
        "policies/list": "",
    }
    found = bundled(tmp_path, files, "policies/list")
    assert [module.path for module in found.policies] == ["policies/a.rego"]
    assert [module.path for module in found.tests] == ["policies/a_test.rego"]
    assert found.data == {"x": {"y": 1, "z": 2, "w": {"v": [3]}}}
    assert found.findings == ()
    names = ["a.rego", "a_test.rego", "data.json", "x/data.yaml", "x/other.json", "x/w/data.yml"]
    assert list(found.digests) == names
    assert found.listed == "".join(
        f"{sha256(files[f'policies/{name}'].encode())}  {name}\n" for name in names
    )
    assert found.sha256 == sha256(found.listed.encode())


@pytest.mark.parametrize(
    "files, rule, message, line",
    [
        ({"policies/a.rego": "package a\n?"}, "compile", "'?' begins no word", 2),
        ({"policies/a.rego": b"package a\n\xff"}, "bundle", "is no UTF-8", 2),
        ({"policies/data.json": "{"}, "bundle", "", None),
        (
            {"policies/data.json": "[]"},
            "bundle",
            "holds no object; a data file is one object",
            None,
        ),
        ({"policies/data.yaml": "a: 1\na: 2"}, "bundle", "key 'a' is used twice", 2),
        (
            {"policies/data.json": '{"x": 1}', "policies/x/data.json": "{}"},
            "bundle",
            "another data file gives x a value that is no object",
            None,
        ),
        (
            {"policies/data.json": '{"x": {"y": 1}}', "policies/x/data.json": '{"y": 1}'},
            "bundle",
            "another data file gives y a value, too",
            None,
        ),
        (
            {"policies/a\nb": ""},
            "bundle",
            "has a name that no list of digests can hold; rename it",
            None,
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_told(tmp_path, files, rule, message, line):
    (found,) = bundled(tmp_path, files).findings
    assert found.rule == f"matriz.policy-{rule}"
    assert found.severity is (Severity.UNKNOWN if rule == "compile" else Severity.ERROR)
    assert message in found.message
    assert found.line == line
    assert found.path == f"policies/{place(files)}"
    remedies = {
        "compile": "correct the file, or write it in a way that regopy reads",
        "bundle": "correct the file",
    }
    assert found.remedy == remedies[rule]


def place(files):
    """The last file of the bundle, which is the one at fault."""
    return max(files).removeprefix("policies/")


def test_data_files_are_joined_in_depth(tmp_path):
    files = {
        "policies/data.json": '{"x": {"y": {"a": 1}}}',
        "policies/x/data.json": '{"y": {"b": 2}}',
    }
    assert bundled(tmp_path, files).data == {"x": {"y": {"a": 1, "b": 2}}}


def test_a_bundle_leads_nowhere_else(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.rego").write_text("package a")
    root = tmp_path / "root"
    (root / "policies").mkdir(parents=True)
    (root / "policies/a.rego").symlink_to(outside / "a.rego")
    (root / "policies/sub").symlink_to(outside)
    found = bundle.read(root, "policies", None)
    assert found.modules == ()
    assert [one.path for one in found.findings] == ["policies/a.rego", "policies/sub"]
    assert {one.message for one in found.findings} == {
        "is a link or lies behind one; put the file itself there"
    }
    (root / "real").symlink_to(outside)
    (behind,) = bundle.read(root, "real", None).findings
    assert "is a link" in behind.message


GOOD = {"policies/a.rego": "package a\n", "policies/b/c.rego": "package c\n"}
LIST = "".join(f"{sha256(text.encode())}  {path[9:]}\n" for path, text in GOOD.items())
DIGEST = sha256(LIST.encode())


def faults(tmp_path, stated, files=GOOD):
    found = bundled(tmp_path, {**files, "sums": stated})
    return [
        (one.path, one.line, one.message) for one in bundle.checksum_faults(tmp_path, found, "sums")
    ]


@pytest.mark.parametrize(
    "stated",
    [
        LIST,
        LIST.replace("  ", " *"),
        LIST.replace("  ", "  ./"),
        "".join(reversed(LIST.splitlines(keepends=True))),
        DIGEST,
        f"{DIGEST}\n",
    ],
)
def test_the_stated_bundle_is_accepted(tmp_path, stated):
    assert faults(tmp_path, stated) == []


@pytest.mark.parametrize(
    "stated",
    [
        DIGEST[:-1],
        DIGEST[:8],
        DIGEST + "0",
        DIGEST.upper(),
        "0" * 64,
        DIGEST[:-1] + "g",
        f"sha256:{DIGEST}",
    ],
)
def test_a_digest_that_is_not_the_digest(tmp_path, stated):
    ((path, line, message),) = faults(tmp_path, stated)
    assert (path, line) == ("sums", 1)
    whole = len(stated) == 64 and stated == stated.lower() and "g" not in stated
    assert message.endswith("is not the one whose digest it states") is whole


@pytest.mark.parametrize(
    "stated, expected",
    [
        ("", []),
        (LIST.splitlines()[0] + "\n", [("policies/b/c.rego", None, "sums does not list it")]),
        (LIST + f"{'0' * 64}  d.rego\n", [("sums", 3, "lists d.rego, which the bundle has not")]),
        (LIST + LIST.splitlines()[0], [("sums", 3, "lists a.rego a second time")]),
        (LIST + "\n", [("sums", 3, "is no line `<64 hex digits>  <path>`")]),
        (
            LIST.replace(LIST[:64], LIST[:63]),
            [
                ("sums", 1, "is no line `<64 hex digits>  <path>`"),
                ("policies/a.rego", None, "sums does not list it"),
            ],
        ),
        (
            LIST.replace(LIST[:64], "0" * 64),
            [("policies/a.rego", None, "is not the file that sums lists")],
        ),
    ],
)
def test_a_list_is_compared_line_by_line(tmp_path, stated, expected):
    found = faults(tmp_path, stated)
    if stated:
        assert found == expected
    else:
        assert sorted(path for path, _, _ in found) == ["policies/a.rego", "policies/b/c.rego"]


@given(st.data())
def test_no_other_byte_or_file_has_the_digest(data):
    import tempfile
    from pathlib import Path

    path = data.draw(st.sampled_from(sorted(GOOD)))
    content = bytearray(GOOD[path].encode())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    for stated in (LIST, DIGEST):
        with tempfile.TemporaryDirectory() as folder:
            assert faults(Path(folder), stated, {**GOOD, path: bytes(content)})


def test_a_checksum_that_cannot_be_read(tmp_path):
    found = bundled(tmp_path, {**GOOD, "sums": b"\xff"})
    (fault,) = bundle.checksum_faults(tmp_path, found, "sums")
    assert fault.message.startswith("no digest can be read from it: ")
    (fault,) = bundle.checksum_faults(tmp_path, found, "gone")
    assert "cannot be read: No such file" in fault.message
    (tmp_path / "link").symlink_to(tmp_path / "sums")
    (fault,) = bundle.checksum_faults(tmp_path, found, "link")
    assert "is a link" in fault.message


# Settings


def test_settings_are_read():
    assert Settings.of({}) == Settings()
    table = {
        "cases": ["a/*.yaml"],
        "now": "1970-01-01T00:00:02Z",
        "query": "data.a.b",
        "timeout_s": 1,
    }
    found = Settings.of({"policy": table, "schema": "x"})
    assert (found.cases, found.now, found.query, found.timeout_s) == (
        ("a/*.yaml",),
        2_000_000_000,
        "data.a.b",
        1,
    )
    with pytest.raises(ValueError, match="day is out of range"):
        nanoseconds("2026-02-30T00:00:00Z")


CHECKED = "restore the file, or after review "


def test_findings_about_a_checksum_say_what_to_do(tmp_path):
    lines = LIST.replace(LIST[:64], "0" * 64).splitlines()
    stated = f"{lines[0]}\nx y\n{'1' * 64}  gone\n"
    found = bundled(tmp_path, {**GOOD, "sums": stated})
    told = {one.message: one for one in bundle.checksum_faults(tmp_path, found, "sums")}
    assert {message: one.remedy for message, one in told.items()} == {
        "is not the file that sums lists": f"{CHECKED}list its new digest",
        "is no line `<64 hex digits>  <path>`": f"{CHECKED}write the list anew",
        "lists gone, which the bundle has not": f"{CHECKED}write the list anew",
        "sums does not list it": "remove the file, or after review list it",
    }
    assert {one.rule for one in told.values()} == {"matriz.policy-checksum"}
    changed = told["is not the file that sums lists"]
    assert changed.evidence == {"stated": "0" * 64, "sha256": LIST[:64]}
    assert told["sums does not list it"].evidence == {"sha256": found.digests["b/c.rego"]}
    (tmp_path / "sums").write_text("0" * 300)
    (one,) = bundle.checksum_faults(tmp_path, found, "sums")
    assert one.remedy == f"restore the bundle, or after review state {DIGEST}"
    assert one.evidence == {"stated": "0" * 200, "sha256": DIGEST}
    assert one.message == (
        "the bundle policies is not the one whose digest it states, which is no SHA-256 of 64 "
        "small hex digits"
    )
    (one,) = bundle.checksum_faults(tmp_path, found, "gone")
    assert (one.rule, one.path, one.remedy) == (
        "matriz.policy-checksum",
        "gone",
        "write the digests of the bundle to it",
    )


@pytest.mark.parametrize(
    "answer, remedy",
    [
        (FALSE, "correct the policy, the contract's identity, or what is expected"),
        (Answer("undefined"), "give the decision a default: default allow := false"),
        (Answer("error", "x"), "correct the policy"),
        (Answer("lost", "x"), "make the policy simpler for this input"),
        (Answer("value", 3), "let the decision be true or false"),
    ],
)
def test_a_decision_says_what_to_do(tmp_path, answer, remedy):
    (case,) = cases_of(tmp_path, row())
    ((found,), _) = deciding.judged([Decided(case, answer)])
    assert found.remedy == remedy


def test_the_remaining_remedies(tmp_path):
    tests = unittests.collect([parse("p_test.rego", "package p\ntest_a if true")])
    ((found,), _) = unittests.judged(tests, [FALSE], "")
    assert found.remedy == "correct the policy or the test"
    ((found,), _) = unittests.judged(tests, [Answer("lost", "x")], "")
    assert found.remedy == "make the test simpler"
    (found, _) = reach.judged(reach.Reach(bodies()), None)
    assert found.remedy == "add a case or a unit test in which all its conditions hold"
    shown = Exercised(contract(), frozenset({("tier", "friend", True)}), frozenset())
    (found,) = exercised.judged([shown], None)
    assert found.remedy == "add cases that show them"
    assert found.evidence["missed"] == [["tier", "friend", True]]
    rows = [row("a", scopes=["x"], action="x"), row("b", tier="guest", tier_num=0)]
    cases = cases_of(tmp_path, *rows)
    remedies = [one.remedy for one in pairing.consistency(cases, pairing.pair(cases, [contract()]))]
    assert remedies == [
        "correct the case, or add the scope to the contract's identity.scopes",
        "name a function of the contract's interface.public_api",
        "expect false, or add the tier to the contract's identity.required_tiers",
    ]
