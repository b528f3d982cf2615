"""The policy judged as part of the gate: real evaluation in real child processes."""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from pytest_cockpit.api import CockpitError, Context, Gate, Severity, Verdict
from pytest_cockpit.testing import prove, shortcomings
from pytest_cockpit_gates.matriz import documents, gate, policy
from pytest_cockpit_gates.matriz.policy import engine, proving, rules
from pytest_cockpit_gates.matriz.policy.settings import SCHEMA

pytestmark = pytest.mark.usefixtures("warm_programs")
ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "policy"
PROOFS = list(policy.proofs())

CONTRACT = {
    "module": "port",
    "identity": {"required_tiers": ["friend"], "scopes": ["read"], "requires_auth": True},
    "interface": {"public_api": [{"fn": "dock"}]},
    "large": list(range(50)),
}
HEAD = "package port.authz\n\nimport rego.v1\n\ndefault allow := false\n\n"
ALLOW = "allow if input.tier in input.contract.identity.required_tiers\n"


def row(name, expected, **asked):
    return {"name": name, "input": {"tier": "friend", **asked}, "expected": expected}


def tree(root, files):
    for path, content in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())


def judged(tmp_path, text=HEAD + ALLOW, rows=(), tests="", **settings):
    """The part's answer alone; its cases are those that it names beforehand."""
    files = {"matrix_port.json": json.dumps(CONTRACT)}
    if text:
        files["policies/authz.rego"] = text
    if rows:
        files["port_authz.yaml"] = json.dumps({"module": "port", "test_cases": list(rows)})
    if tests:
        files["policies/authz_test.rego"] = f"package port.authz\n\nimport rego.v1\n\n{tests}"
    root = tmp_path / "tree"
    tree(root, files)
    return asked(root, tmp_path, **settings)


def asked(root, tmp_path, **settings):
    Draft202012Validator(SCHEMA).validate(settings)
    context = Context(root=root, scratch=tmp_path, settings={"policy": settings})
    contracts = documents.find(context)
    part = policy.judge(context, contracts)
    names = list(policy.cases(context, contracts))
    assert names == [case.name for case in part.cases]
    assert len(set(names)) == len(names)
    return part


def told(part, *severities):
    wanted = severities or (Severity.ERROR, Severity.UNKNOWN, Severity.WARNING)
    return [(one.rule, one.message) for one in part.findings if one.severity in wanted]


def verdicts(part):
    return {case.name.rpartition("::")[2]: case.verdict.value for case in part.cases}


def evidence(part, name):
    return next(one.data for one in part.evidence if one.name == name)


@pytest.mark.parametrize("proof", PROOFS, ids=lambda proof: proof.name)
def test_a_proof_holds(proof, tmp_path):
    report = prove(gate, proof, tmp_path)
    assert shortcomings(gate, proof, report) == []
    assert proof.needs == ("regopy", "yaml")
    failed = {case.name for case in report.cases if case.verdict is Verdict.FAIL}
    errors = [found for found in report.findings if found.severity is Severity.ERROR]
    assert failed <= {found.evidence.get("case") for found in errors}


def test_every_rule_of_the_policy_has_a_proof():
    assert {rule.id for rule in policy.RULES} == {proof.rule for proof in PROOFS} - {None}
    assert len({proof.name for proof in PROOFS}) == len(PROOFS)


def test_the_gate_has_the_rules_and_the_settings():
    typed: Gate = gate
    assert set(policy.RULES) <= set(typed.rules)
    assert typed.settings_schema["properties"]["policy"] == SCHEMA


def test_a_tree_without_policy_and_cases_is_not_judged(tmp_path):
    part = judged(tmp_path, text="")
    assert (part.checked, part.findings, part.cases, part.summary) == (0, (), (), "")


def test_cases_are_decided_by_the_policy(tmp_path):
    rows = [row("let_in", True), row("kept_out", False, tier="guest"), row("wrong", False)]
    part = judged(tmp_path, rows=rows)
    assert verdicts(part) == {"let_in": "pass", "kept_out": "pass", "wrong": "fail"}
    assert told(part) == [(rules.DECISION, "wrong: expected false, the policy decides true")]
    assert part.summary == "2 of 3 policy tests and AuthZ cases as expected"
    assert part.checked == 4
    data = evidence(part, "policy")
    assert (data["query"], data["bundle"], data["cases"]) == (
        "data.port.authz.allow",
        "policies",
        3,
    )
    assert data["regopy"]


def test_false_is_not_undefined(tmp_path):
    text = HEAD.replace("default allow := false", "") + ALLOW
    part = judged(tmp_path, text, [row("kept_out", False, tier="guest"), row("let_in", True)])
    assert verdicts(part) == {"kept_out": "fail", "let_in": "pass"}
    assert [rule for rule, _ in told(part)] == [rules.DEFAULT, rules.UNDEFINED]
    text = text + "allow := false if input.tier == `guest`\n"
    part = judged(tmp_path, text, [row("kept_out", False, tier="guest")])
    assert verdicts(part) == {"kept_out": "pass"}


@pytest.mark.parametrize(
    "body, read",
    [
        ("input.contract.identity.scopes", {"identity"}),
        ('input["contract"]["large"]; input.contract.module', {"large", "module"}),
        ("input.tier", set()),
        ("x := input.contract; x.large", {"large", "identity"}),
        ('some key in ["large"]; input.contract[key]', {"large", "identity"}),
        ("x := input; x.contract.large", {"large", "identity"}),
        ("f(input.contract)", {"large", "identity"}),
    ],
)
def test_the_policy_sees_what_it_reads_of_the_contract(tmp_path, body, read):
    """Where it could read anything it sees everything."""
    text = (
        HEAD
        + f"allow if {{\n  {body}\n  every part in {json.dumps(sorted(read))} {{ input.contract[part] }}\n}}\nf(c) if c.large\n"
    )
    static = HEAD + f"allow if {{\n  {body}\n}}\nf(c) if c.large\n"
    for policy_text in (text, static):
        assert verdicts(judged(tmp_path, policy_text, [row("one", True)])) == {"one": "pass"}


def test_settings_reach_the_policy(tmp_path):
    text = (
        "package port.authz\nimport rego.v1\ndefault permit := false\n"
        "permit if {\n  input.site == data.sites.home\n  input.deed.module == `port`\n"
        "  time.now_ns() == 1000000000\n}\n"
    )
    tree(tmp_path / "tree", {"rules/deep/a.rego": text, "rules/sites/data.yaml": "home: here"})
    tree(
        tmp_path / "tree",
        {"x/cases.yml": json.dumps({"module": "port", "test_cases": [row("a", True)]})},
    )
    part = judged(
        tmp_path,
        "",
        bundle="rules/",
        cases=["x/*.yml"],
        query="data.port.authz.permit",
        contract="deed",
        input={"site": "here"},
        now="1970-01-01T00:00:01Z",
    )
    assert told(part) == []
    assert verdicts(part) == {"a": "pass"}


def test_a_case_overrules_the_common_input(tmp_path):
    part = judged(tmp_path, rows=[row("a", True)], input={"tier": "guest"})
    assert verdicts(part) == {"a": "pass"}


@pytest.mark.parametrize("now", ["2026-02-30T00:00:00Z", "2026-01-01T25:00:00Z"])
def test_a_time_that_is_none_is_an_error_of_one_line(tmp_path, now):
    with pytest.raises(CockpitError, match=r"tool\.cockpit\.gate\.matriz\.policy\.now: ") as raised:
        judged(tmp_path, now=now)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"bundle": "../x"},
        {"bundle": "/x"},
        {"cases": []},
        {"query": "data"},
        {"query": "data.a; http.send({})"},
        {"query": "input.a"},
        {"now": "today"},
        {"opa": "./opa"},
        {"opa": "../opa"},
        {"opa": "a/b"},
        {"rule_coverage": 1.1},
        {"timeout_s": 0},
        {"contract": "a.b"},
        {"surprise": 1},
    ],
)
def test_settings_that_are_refused(settings):
    assert not Draft202012Validator(SCHEMA).is_valid(settings)


# Unit tests

TESTS = """
test_good if { allow with input as {"tier": "friend", "contract": {"identity": {"required_tiers": ["friend"]}}} }
test_bad if { allow with input as {"tier": "guest"} }
test_false := false
test_error := 1
test_error := 2
"""


def test_unit_tests_are_run(tmp_path):
    part = judged(tmp_path, tests=TESTS)
    assert {case.name: case.verdict.value for case in part.cases} == {
        "policy:port.authz.test_good": "pass",
        "policy:port.authz.test_bad": "fail",
        "policy:port.authz.test_false": "fail",
        "policy:port.authz.test_error": "fail",
    }
    failed = [message for rule, message in told(part) if rule == rules.TEST]
    assert failed == [
        "test_bad is undefined",
        "test_false is false",
        "test_error ends in an error: <error>",
    ]


@pytest.mark.parametrize(
    "given",
    [
        '{"tier": "friend", "list": ["friend"]}',
        "asked",
        "nested.asked",
        "data.port.authz.asked",
        'object.union(asked, {"x": 1})',
        "made(1)",
    ],
)
@pytest.mark.parametrize(
    "form", ["allow with input as {}", "{{ x := 1; x < 2; allow with input as {} }}"]
)
def test_the_input_is_replaced_whatever_stands_for_it(tmp_path, given, form):
    """Each of these ends the evaluator with a signal, or is undefined there, where it is not helped."""
    text = HEAD + (
        "id := input.list\nallow if {\n  input.tier in id\n  startswith(input.tier, `fr`)\n}\n"
        'asked := {"tier": "friend", "list": ["friend"]}\nnested := {"asked": asked}\nmade(_) := asked\n'
    )
    part = judged(tmp_path, text, tests=f"test_it if {form.format(given)}\n")
    assert told(part) == []
    assert [case.verdict for case in part.cases] == [Verdict.PASS]


def test_time_and_data_are_replaced_in_unit_tests(tmp_path):
    text = HEAD + "allow if {\n  input.until > time.now_ns()\n  data.site.open\n}\n"
    tests = (
        'test_early if { allow with input as {"until": 5} with time.now_ns as 4 with data.site.open as true }\n'
        'test_late if { not allow with input as {"until": 5} with time.now_ns as 6 with data.site.open as true }\n'
        'test_closed if { not allow with input as {"until": 5} with time.now_ns as 4 }\n'
    )
    part = judged(tmp_path, text, tests=tests, now="2026-01-01T00:00:00Z")
    assert [case.verdict for case in part.cases] == [Verdict.PASS] * 3


def test_a_function_may_stand_in_for_another(tmp_path):
    text = HEAD + "allow if far(input.x)\nfar(x) if x > 5\n"
    tests = 'near(_) := true\ntest_it if { allow with input as {"x": 1} with data.port.authz.far as near }\n'
    part = judged(tmp_path, text, tests=tests)
    assert [case.verdict for case in part.cases] == [Verdict.PASS]


# What goes wrong

ENDLESS = "count([1 | numbers.range(1, 9999)[_]; numbers.range(1, 9999)[_]]) == 0"


def test_one_decision_that_hangs_takes_no_other_along(tmp_path):
    text = HEAD + f'allow if {{\n  input.tier == "trusted"\n  {ENDLESS}\n}}\n{ALLOW}'
    rows = [
        row("a", True),
        row("b", False, tier="trusted"),
        row("c", True),
        row("d", False, tier="guest"),
    ]
    part = judged(tmp_path, text, rows, timeout_s=0.3)
    assert verdicts(part) == {"a": "pass", "b": "unknown", "c": "pass", "d": "pass"}
    assert told(part) == [
        (rules.ENGINE, "b: expected false, not decided: did not come to an end in its time")
    ]


def test_after_so_many_deaths_no_more_is_asked(tmp_path):
    text = HEAD + f"allow if {{\n  {ENDLESS}\n}}\n"
    part = judged(tmp_path, text, [row(str(n), False) for n in range(7)], timeout_s=0.1)
    assert set(verdicts(part).values()) == {"unknown"}
    assert sum("earlier question" in message for _, message in told(part)) == 2


def test_memory_is_bounded(tmp_path):
    text = HEAD + "allow if {\n  lots := numbers.range(1, 99999999)\n  count(lots) == 0\n}\n"
    (found,) = told(judged(tmp_path, text, [row("a", False)], timeout_s=60))
    assert found[0] == rules.ENGINE
    assert "bad_alloc" in found[1]


def test_a_crash_while_compiling_is_unknown(tmp_path):
    text = HEAD + ALLOW + 'odd if { allow with input as {"tier": "x"} }\n'
    part = judged(tmp_path, text, [row("a", True)])
    assert verdicts(part) == {"a": "unknown"}
    assert [rule for rule, _ in told(part)] == [rules.ENGINE]
    assert "the evaluator ended with signal" in told(part)[0][1]


def test_a_crash_measures_no_coverage(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "_CHILD", tmp_path / "nowhere.py")
    part = judged(tmp_path, rows=[row("a", True)], rule_coverage=0.0)
    assert (rules.ENGINE, Severity.UNKNOWN) in {(one.rule, one.severity) for one in part.findings}
    assert verdicts(part) == {"a": "unknown"}


@pytest.mark.parametrize(
    "extra, line, message",
    [
        ("bad if { input.a == }", 8, "Invalid boolean operator"),
        ("bad if { nosuch(3) }", None, None),
        ("bad := {", 8, "{ is not closed"),
        ('bad if "', 8, "a string has no end"),
    ],
)
def test_a_policy_that_does_not_compile_is_unknown(tmp_path, extra, line, message):
    part = judged(tmp_path, HEAD + ALLOW + extra + "\n", [row("a", True)])
    if message is None:
        # Not seen before it is called, and nothing calls it.
        assert verdicts(part) == {"a": "pass"}
        return
    (found,) = (one for one in part.findings if one.rule == rules.COMPILE)
    assert message in found.message
    assert (found.severity, found.path, found.line) == (
        Severity.UNKNOWN,
        "policies/authz.rego",
        line,
    )
    assert verdicts(part) == {"a": "unknown"}


def test_an_error_of_the_policy_is_an_error(tmp_path):
    part = judged(tmp_path, HEAD + "allow if nosuch(input.tier)\n", [row("a", False)])
    message = "a: expected false, evaluation ends in an error: Function not found: nosuch"
    assert told(part) == [(rules.EVALUATION, message)]
    both = "allow := true if input.tier\nallow := false if input.tier\n"
    part = judged(tmp_path, HEAD + both, [row("a", False)])
    assert [rule for rule, _ in told(part)] == [rules.EVALUATION]


def test_tests_that_cannot_be_read_leave_the_decisions(tmp_path):
    part = judged(tmp_path, rows=[row("a", True)], tests="test_a if {")
    assert verdicts(part) == {"a": "pass"}
    assert [rule for rule, _ in told(part)] == [rules.COMPILE]


def test_nothing_is_decided_by_half_a_policy(tmp_path):
    tree(
        tmp_path / "tree",
        {"policies/more.rego": "package port.authz\n?", "policies/data.json": "{"},
    )
    part = judged(tmp_path, rows=[row("a", True)], tests="test_a if true\n")
    assert set(verdicts(part).values()) == {"unknown"}
    assert {rule for rule, _ in told(part)} == {rules.BUNDLE, rules.COMPILE}
    assert all("could not be read" in case.message for case in part.cases)


def test_without_the_packages_the_verdict_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "missing", lambda: ["regopy"])
    part = judged(tmp_path, rows=[row("a", True)])
    (found,) = part.findings
    assert (found.rule, found.severity) == (rules.ENGINE, Severity.UNKNOWN)
    assert found.message == "the policy cannot be evaluated: regopy not installed"
    assert found.remedy == "pip install 'pytest-cockpit[policy]'"
    assert part.cases == ()


def test_the_packages_are_looked_for(monkeypatch):
    assert engine.missing() == []
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert engine.missing() == ["regopy", "yaml"]


def test_loading_the_gate_loads_neither_evaluator_nor_yaml():
    from pytest_cockpit import process

    code = "import sys, pytest_cockpit_gates.matriz; print({'yaml', 'regopy'} & {*sys.modules})"
    ended = process.run([sys.executable, "-c", code], cwd=ROOT)
    assert ended.stdout.strip() == b"set()"


def test_what_a_policy_prints_is_no_trace(tmp_path):
    text = HEAD + 'allow if {\n  print("cockpit-0", "cockpit-1")\n  input.tier == "x"\n}\n' + ALLOW
    part = judged(tmp_path, text, [row("a", True)])
    assert evidence(part, "policy-coverage")["rules"]["missed"] == ["policies/authz.rego:7"]


# What is reached

REACHED = HEAD + (
    "allow if {\n  known\n  fits(input.tier)\n}\n"
    "known if input.tier in input.contract.identity.required_tiers\n"
    'fits(tier) if tier == "friend"\n'
    'fits(tier) if tier == "trusted"\n'
    'rank := 1 if input.tier == "guest"\nelse := 2 if input.tier == "friend"\n'
    "spare contains x if {\n  some x in input.scopes # none\n}\n"
)


def test_bodies_that_cases_and_tests_reach(tmp_path):
    part = judged(tmp_path, REACHED, [row("a", True)])
    data = evidence(part, "policy-coverage")["rules"]
    assert data["missed"] == [f"policies/authz.rego:{line}" for line in (13, 14, 15, 16)]
    assert (data["bodies"], data["reached"]) == (7, 3)
    tests = (
        'test_rank if { rank == 2 with input as {"tier": "friend"} }\n'
        'test_spare if { "x" in spare with input as {"scopes": ["x"]} }\n'
    )
    part = judged(tmp_path, REACHED, [row("a", True)], tests)
    missed = evidence(part, "policy-coverage")["rules"]["missed"]
    assert missed == [f"policies/authz.rego:{line}" for line in (13, 14)]
    lines = [one.line for one in part.findings if one.rule == rules.RULES_COVERED]
    assert lines == [13, 14]


def test_a_policy_that_nothing_asks_is_not_covered(tmp_path):
    part = judged(tmp_path, rule_coverage=0.1)
    nothing = "no case and no unit test asks the policy anything, so what it decides is not known"
    assert told(part, Severity.UNKNOWN) == [(rules.RULES_COVERED, nothing)]
    assert told(part, Severity.ERROR) == [
        (rules.RULES_COVERED, "no case and no unit test reaches this body of allow")
    ]


# OPA

SECOND = """#!{python}
import json, pathlib, sys, time

arguments = sys.argv[1:]
if arguments[0] == "version":
    print("Version: 9.9.9\\nBuild Commit: x")
    sys.exit()
assert arguments[:3] == ["eval", "--format", "json"], arguments
import regopy

rego = regopy.Interpreter()
files = [arguments[at + 1] for at, word in enumerate(arguments) if word == "--data"]
for file in files:
    text = pathlib.Path(file).read_text()
    if file.endswith(".rego"):
        rego.add_module(file, text)
    else:
        rego.add_data_json(text)
{change}
query = arguments[-1]
rule = query.partition("v := ")[2].partition(" with ")[0]
asked = json.loads(pathlib.Path(files[-1]).read_text())["cockpit_questions"]
value = {{}}
for key, given in asked.items():
    rego.set_input(given)
    found = rego.query("v := " + rule)
    if found.results and found.results[0].bindings:
        value[key] = flip(found.results[0].bindings["v"])
print(json.dumps({{"result": [{{"expressions": [{{"value": value}}]}}]}}))
"""


@pytest.fixture
def second(tmp_path, monkeypatch):
    """Puts a program named `opa` on the path: an evaluator in a process of its own, changed."""

    def install(change="flip = lambda value: value"):
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        program = folder / "opa"
        program.write_text(SECOND.format(python=sys.executable, change=change))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        return program

    return install


ROWS = [row("a", True), row("b", False, tier="guest")]
TEST = "test_a if { 1 == 1 }\ntest_b if { input.zz }\n"


def test_without_opa_that_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    part = judged(tmp_path, rows=ROWS)
    assert evidence(part, "policy-opa") == {"compared": False, "why": "opa is not on the path"}
    assert told(part) == []


def test_opa_is_compared(tmp_path, second):
    second()
    part = judged(tmp_path, rows=ROWS, tests=TEST)
    compared = evidence(part, "policy-opa")
    assert compared == {"compared": True, "version": "9.9.9", "decisions": 4, "differences": 0}
    assert [rule for rule, _ in told(part)] == [rules.TEST]


@pytest.mark.parametrize(
    "change, messages",
    [
        (
            "flip = lambda value: not value",
            ["regopy decides True, opa decides False", "regopy decides False, opa decides True"],
        ),
        ("flip = lambda value: 1 if value else value", ["regopy decides True, opa decides 1"]),
    ],
)
def test_a_disagreement_is_an_error(tmp_path, second, change, messages):
    second(change)
    part = judged(tmp_path, rows=ROWS)
    assert told(part) == [(rules.OPA, f"port/authz/allow: {one}") for one in messages]
    assert evidence(part, "policy-opa")["differences"] == len(messages)


@pytest.mark.parametrize(
    "change, message",
    [
        (
            'print(\'{"errors": [{"message": "rego_parse_error"}]}\'); sys.exit(2)',
            "rego_parse_error",
        ),
        ("sys.exit(1)", "no answer"),
        ('print(\'{"result": [{"expressions": [{"value": []}]}]}\'); sys.exit(0)', "exit 0"),
        ("print('x'); print('[' * 50); sys.exit(0)", "x [[["),
    ],
)
def test_opa_that_does_not_answer_is_unknown(tmp_path, second, change, message):
    second(change)
    part = judged(tmp_path, rows=ROWS)
    ((rule, said),) = told(part)
    assert rule == rules.OPA
    assert message in said
    assert verdicts(part) == {"a": "pass", "b": "pass"}


def test_a_policy_that_would_send_something_is_not_shown_to_opa(tmp_path, second):
    second("raise SystemExit('never called')")
    part = judged(
        tmp_path, HEAD + ALLOW + 'out if http.send({"url": "x", "method": "get"})\n', ROWS
    )
    assert evidence(part, "policy-opa")["why"] == "the policy would send something out"
    assert [rule for rule, _ in told(part)] == [rules.IMPURE]


def test_an_opa_that_is_demanded_has_to_be_there(tmp_path):
    part = judged(tmp_path, rows=ROWS, opa="opa-9")
    assert told(part) == [
        (rules.OPA, "what regopy decides was not compared: opa-9 is not on the path")
    ]


def test_opa_is_told_of_old_rego(tmp_path, second):
    second("assert '--v0-compatible' in arguments\nflip = lambda value: value")
    text = 'package port.authz\n\ndefault allow = false\n\nallow { input.tier == "friend" }\n'
    part = judged(tmp_path, text, ROWS)
    assert told(part) == []
    assert verdicts(part) == {"a": "pass", "b": "pass"}


# Whole trees


def test_the_example_is_accepted(tmp_path):
    files = {
        path.relative_to(EXAMPLE).as_posix(): path.read_bytes()
        for path in EXAMPLE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    import tomllib

    table = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["tool"]["cockpit"]["gate"][
        "matriz"
    ]
    Draft202012Validator(gate.settings_schema).validate(table)
    tree(tmp_path / "tree", files)
    part = asked(tmp_path / "tree", tmp_path, **table["policy"])
    assert told(part) == []
    assert {case.verdict for case in part.cases} == {Verdict.PASS}
    coverage = evidence(part, "policy-coverage")
    assert coverage["rules"]["share"] == coverage["decisions"]["share"] == 1.0


def test_a_report_is_fit_for_json(tmp_path):
    proof = next(one for one in proving.proofs() if one.rule == rules.DECISION)
    report = prove(gate, proof, tmp_path)
    assert report.from_json(json.loads(json.dumps(report.to_json()))) == report


REAL = Path(os.environ.get("COCKPIT_MATRIZ_DATA", "/nowhere"))


@pytest.mark.skipif(not (REAL / "authz").is_dir(), reason="COCKPIT_MATRIZ_DATA names no data")
def test_real_cases_are_read_and_decided(tmp_path):
    shutil.copytree(REAL / "authz", tmp_path / "tree" / "authz")
    shutil.copytree(REAL / "contracts", tmp_path / "tree" / "contracts")
    shutil.copytree(EXAMPLE / "policies", tmp_path / "tree" / "policies")
    part = asked(tmp_path / "tree", tmp_path, now="2025-09-26T13:00:00Z")
    assert len([case for case in part.cases if case.name.startswith("authz:")]) > 2000
    assert all(case.verdict is not Verdict.ERROR for case in part.cases)
