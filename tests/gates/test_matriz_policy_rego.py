"""Reading Rego, and the traps that are seen in it. Nothing is evaluated here."""

from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.api import Severity
from pytest_cockpit_gates.matriz.policy import rewriting, terms
from pytest_cockpit_gates.matriz.policy.lints import (
    impure,
    inputs,
    lint,
    membership,
    names,
    never,
    shadowed,
)
from pytest_cockpit_gates.matriz.policy.lints.never import Condition, Written, clashes
from pytest_cockpit_gates.matriz.policy.lints.subject import Subject
from pytest_cockpit_gates.matriz.policy.samples import Samples
from pytest_cockpit_gates.matriz.policy.syntax import parse, split
from pytest_cockpit_gates.matriz.policy.tokens import Unreadable, tokens

HEAD = "package port\n\nimport rego.v1\n\n"
INPUT = {
    "subject": "harbour:user:ann",
    "tier": "friend",
    "tier_num": 2,
    "scopes": ["read"],
    "env": {"mfa": False},
    "note": None,
    "share": 0.5,
}


def subject(*texts, inputs=(INPUT,), fixed_clock=True, head=HEAD):
    files = [text if isinstance(text, tuple) else ("policy.rego", text) for text in texts]
    modules = tuple(parse(path, head + text) for path, text in files)
    return Subject(modules, Samples(list(inputs)), "contract", fixed_clock)


def told(findings):
    """Line below the head, severity, message."""
    above = HEAD.count("\n")
    return [(found.line - above, found.severity.value, found.message) for found in findings]


def whole(finding):
    """All of a finding but its evidence."""
    return finding.rule, finding.severity.value, finding.path, finding.line, finding.remedy


def messages(trap, *texts, **more):
    return [message for _, _, message in told(trap.lint(subject(*texts, **more)))]


# Words


def test_words_have_their_lines_and_places():
    text = 'a := "x # y" # all of it\n`raw\n"` <= 1.5e3'
    assert [(word.kind, word.text, word.line) for word in tokens(text)] == [
        ("name", "a", 1),
        ("sign", ":=", 1),
        ("string", '"x # y"', 1),
        ("newline", "\n", 1),
        ("string", '`raw\n"`', 2),
        ("sign", "<=", 3),
        ("number", "1.5e3", 3),
    ]
    assert all(text[word.start : word.end] == word.text for word in tokens(text))


@pytest.mark.parametrize(
    "text, message, line",
    [
        ('a := "no end', "a string has no end", 1),
        ("\n\n`no end", "a string has no end", 3),
        ('$"no end', "a string has no end", 1),
        ("a\n?", "'?' begins no word", 2),
        ("ä", "'\\xe4' begins no word", 1),
    ],
)
def test_what_is_no_word_is_refused_with_its_line(text, message, line):
    with pytest.raises(Unreadable, match=re.escape(message)) as refused:
        tokens(text)
    assert (str(refused.value), refused.value.line) == (message, line)


@given(st.text(alphabet='ab{}[]()"`#\\:=.,; \nif9$é'))
def test_any_text_is_read_or_refused(text):
    with contextlib.suppress(Unreadable):
        module = parse("p.rego", f"package p\n{text}")
        for clause in module.clauses:
            assert clause.name
            if clause.body is not None:
                assert 0 <= clause.body.start <= clause.body.end <= len(module.text)
        list(lint(Subject((module,), Samples([INPUT]), "contract", fixed_clock=False)))
        rewriting.prepared([module], unit_tests=True, traced=rewriting.traceable([module]))


PIECES = st.sampled_from(
    [
        "allow if {",
        "}",
        "x := 1",
        "input.tier == 3",
        'input["tier"] in {"a": 1}',
        "not y",
        "some x in input.scopes",
        "every x in input.scopes { x }",
        "f(x) := y if { y := x }",
        "else := 2",
        "contains",
        "with input as x",
        "time.now_ns()",
        "default allow := false",
        "import data.x as y",
        "[x | x := 1]",
        "# comment {",
        "if",
        "{",
        "default",
    ]
)


@given(st.lists(PIECES))
def test_any_order_of_pieces_is_read_or_refused(pieces):
    try:
        module = parse("p.rego", "package p\n" + "\n".join(pieces))
    except Unreadable:
        return
    list(lint(Subject((module,), Samples([INPUT]), "contract", fixed_clock=False)))
    rewriting.prepared([module], unit_tests=True, traced=rewriting.traceable([module]))


# Rules


def clauses(text):
    return [
        (
            clause.name,
            clause.line,
            None if clause.arguments is None else terms.text(clause.arguments),
            terms.text(clause.key),
            terms.text(clause.value),
            None if clause.body is None else [terms.text(part) for part in clause.body.expressions],
            clause.otherwise,
        )
        for clause in parse("p.rego", f"package p\n{text}").clauses
    ]


@pytest.mark.parametrize(
    "text, expected",
    [
        ("a := 1", [("a", 2, None, "", "1", None, 0)]),
        ("a = {1: 2}", [("a", 2, None, "", "{ 1 : 2 }", None, 0)]),
        ("a := {1} | {2}", [("a", 2, None, "", "{ 1 } | { 2 }", None, 0)]),
        ("a if b", [("a", 2, None, "", "", ["b"], 0)]),
        ("a if\n  b", [("a", 2, None, "", "", ["b"], 0)]),
        ("a if {\n  b\n  c; d\n}", [("a", 2, None, "", "", ["b", "c", "d"], 0)]),
        ("a {\n  b\n}", [("a", 2, None, "", "", ["b"], 0)]),
        ("a { b } { c }", [("a", 2, None, "", "", ["b"], 0), ("a", 2, None, "", "", ["c"], 0)]),
        ("a = x { x := 1 }", [("a", 2, None, "", "x", ["x := 1"], 0)]),
        ("f(x, y) := z if z := x", [("f", 2, "x , y", "", "z", ["z := x"], 0)]),
        ("f(x) { x }", [("f", 2, "x", "", "", ["x"], 0)]),
        ("a contains x if b", [("a", 2, None, "x", "", ["b"], 0)]),
        ("a[x] { b }", [("a", 2, None, "x", "", ["b"], 0)]),
        ("a.b.c := 1", [("a.b.c", 2, None, "", "1", None, 0)]),
        ("a[k] := v if b", [("a", 2, None, "k", "v", ["b"], 0)]),
        (
            "a := 1 if b\nelse := 2 if c\nelse := 3",
            [
                ("a", 2, None, "", "1", ["b"], 0),
                ("a", 3, None, "", "2", ["c"], 1),
                ("a", 4, None, "", "3", None, 2),
            ],
        ),
        (
            "a { b } else = 2 { c }",
            [("a", 2, None, "", "", ["b"], 0), ("a", 2, None, "", "2", ["c"], 1)],
        ),
        (
            "a if {\n  every x in y {\n    x\n  }\n  z ==\n    1\n}",
            [("a", 2, None, "", "", ["every x in y { x }", "z == 1"], 0)],
        ),
        (
            "a if b with input as c\n  with data.d as e",
            [("a", 2, None, "", "", ["b with input as c with data . d as e"], 0)],
        ),
        ('a if {"k": 1}[x]', [("a", 2, None, "", "", ['{ "k" : 1 } [ x ]'], 0)]),
        (
            "import future.keywords.in\ndefault a := false",
            [("a", 3, None, "", "false", None, 0)],
        ),
    ],
)
def test_rules_are_read(text, expected):
    assert clauses(text) == expected


@pytest.mark.parametrize(
    "text, message, line",
    [
        ("a := 1", "the file names no package", 1),
        ("package p\na := (1", "( is not closed", 2),
        ("package p\na := 1)", ") closes nothing", 2),
        ("package p\na := (1]", "] closes nothing", 2),
        ("package p\n:= 1", ":= was not expected here", 2),
        ("package p\n[1]", "a rule has no name", 2),
        ("package p\na b", "b was not expected here", 2),
    ],
)
def test_what_is_no_module_is_refused(text, message, line):
    with pytest.raises(Unreadable, match=re.escape(message)) as refused:
        parse("p.rego", text)
    assert (str(refused.value), refused.value.line) == (message, line)


def test_a_module_knows_what_it_is():
    module = parse("a/b_test.rego", 'package a["b"].c\nimport data.x as y\nimport rego.v1\nz { y }')
    assert (module.package, module.imports) == ("a.b.c", ("y", "v1"))
    assert module.is_test
    assert module.classic
    new = parse("a/test.rego", "package a\nz if { y }\nx := 1\nw := {1: 2}")
    assert not new.is_test
    assert not new.classic
    assert parse("a.rego", "package a\ndefault b := 1").clauses[0].default


def test_semicolons_and_lines_part_alike():
    parts = [terms.text(part) for part in split(tokens("\n\na;b\n\nc ==\n1\n[\n1;\n2]\n"))]
    assert parts == ["a", "b", "c == 1", "[ 1 ; 2 ]"]


# Terms


@pytest.mark.parametrize(
    "text, value",
    [
        ("1", 1),
        ("-1.5", -1.5),
        ('"a\\nb"', "a\nb"),
        ("`a\\nb`", "a\\nb"),
        ("true", True),
        ("false", False),
        ("null", None),
        ("a", ...),
        ("1 + 1", ...),
        ('$"a {b}"', ...),
        ('"\\q"', ...),
        ("", ...),
        ("- a", ...),
        ("+ 1", ...),
    ],
)
def test_constants(text, value):
    found = terms.constant(tuple(tokens(text)))
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "text, kind",
    [
        ("1", "number"),
        ("true", "boolean"),
        ('"a"', "string"),
        ("null", "null"),
        ("[1]", "array"),
        ("[x | x := 1]", "array"),
        ("{1, 2}", "set"),
        ("{x | x := {1: 2}}", "set"),
        ("{}", "object"),
        ("{1: 2}", "object"),
        ("{x.y: x | x := 1}", "object"),
        ("{[1, 2]: 3}", "object"),
        ("{1} | {2}", None),
        ("(1)", None),
        ("a", None),
        ("", None),
    ],
)
def test_kinds_of_what_is_written_down(text, kind):
    assert terms.kind_of(tuple(tokens(text))) == kind


def test_kinds_of_values():
    values = [True, {}, 1.5, 1, [], "a", None, ...]
    kinds = ["boolean", "object", "number", "number", "array", "string", "null", "value"]
    assert [terms.kind(value) for value in values] == kinds


def test_references():
    text = 'input.a["b"].c not x.y[i].z f(input) data[`k`] "input.q" some in'
    found = [(one.dotted, one.whole, one.called) for one in terms.references(tokens(text))]
    assert found == [
        ("input.a.b.c", True, False),
        ("x.y", False, False),
        ("i", True, False),
        ("f", True, True),
        ("input", True, False),
        ("data.k", True, False),
    ]


# in


@pytest.mark.parametrize(
    "text",
    [
        'limits := {"friend": 1}\nbad if input.tier in limits',
        'limits := {"friend": 1}\nbad if not input.tier in limits',
        'limits := {"friend": 1}\nbad if {\n  input.note; input.tier in limits\n}',
        "bad if {\n  here := {row.fn: row | some row in input.rows}\n  input.tier in here\n}",
        'bad if {\n  here = {"a": 1}\n  input.tier in here\n}',
        'bad if input.tier in {"friend": 1}',
        'bad if "a" in {"a": "b"}',
        'limits := {"friend": 1}\nbad if input.tier in data.port.limits',
        'bad contains x if {\n  some x in input.scopes\n  x in {"read": [1]}\n}',
        'bad if count([1 | input.tier in {"a": 1}]) > 0',
    ],
)
def test_in_is_not_asked_of_an_object(text):
    (found,) = membership.lint(subject(text))
    assert found.severity is Severity.ERROR
    assert found.rule == "matriz.policy-membership"
    assert found.message.endswith("is an object: `in` tests its values, not its keys")
    assert found.path == "policy.rego"
    assert " in " in (HEAD + text).splitlines()[(found.line or 0) - 1]
    assert "object.keys(" in str(found.remedy)


@pytest.mark.parametrize(
    "text",
    [
        'list := ["friend"]\ngood if input.tier in list',
        'both := {"friend": 1}\nboth := ["friend"]\ngood if input.tier in both',
        'limits := {"friend": 1}\ngood if input.tier in object.keys(limits)',
        'limits := {"friend": 1}\ngood if input.tier in limits[input.note]',
        'limits := {"friend": 1}\ngood if { some value in limits; value > 1 }',
        'limits := {"friend": 1}\ngood if { some tier, value in limits; tier == value }',
        'limits := {"friend": 1}\ngood if { every value in limits { value > 1 } }',
        'limits := {"friend": 1}\ngood if { "friend", 1 in limits }',
        'limits := {"friend": 1}\nf(limits) if input.tier in limits',
        'limits := {"friend": 1}\ngood if { limits := [1]; input.tier in limits }',
        'limits := {"friend": 1}\ngood if { some limits in input.lists; input.tier in limits }',
        'limits := {"friend": 1}\ngood if { limits := input.x; input.tier in limits }',
        'limits[k] := 1 if k := "a"\ngood if input.tier in limits',
        'good if input.tier in {"friend", "trusted"}',
        'good if "b" in {"a": "b"}',
        "good if input.tier in input.scopes",
        "good if input.tier in input.unknown",
        "good if input.tier in unknown",
        "good if input.tier in other.limits",
        "import future.keywords.in",
        'good if {\n  later := 1\n  input.tier in limits2\n}\nlimits2 := {"a"}',
    ],
)
def test_in_may_be_asked_of_the_rest(text):
    assert list(membership.lint(subject(text))) == []


def test_in_that_every_case_asks_of_an_object_is_a_warning():
    text = "bad if input.tier in input.env\n"
    found = told(membership.lint(subject(text)))
    message = "input.env is in every case an object: `in` tests its values, not its keys"
    assert found == [(1, "warning", message)]
    mixed = [INPUT, {**INPUT, "env": ["mfa"]}]
    assert list(membership.lint(subject(text, inputs=mixed))) == []


def test_in_of_an_object_in_another_file_of_the_package():
    text = "bad if input.tier in limits"
    assert messages(membership, text, ("b.rego", 'limits := {"a": 1}'))
    assert not messages(membership, ("p_test.rego", 'bad if "a" in {"b": 1}'))


# Never true


@pytest.mark.parametrize(
    "body, reason",
    [
        ("input.tier == 1; input.tier == 2", "`input.tier == 1` and `input.tier == 2`"),
        ('input.x == 1; input.x == "1"', '`input.x == 1` and `input.x == "1"`'),
        ("input.x == 1; input.x == true", "`input.x == 1` and `input.x == true`"),
        ("input.x == 1; input.x != 1", "`input.x == 1` and `input.x != 1`"),
        ("input.x != 1; 1 == input.x", "`input.x != 1` and `input.x == 1`"),
        ("input.x == []; input.x != []", "`input.x == [ ]` and `input.x != [ ]`"),
        ("input.x == [1]; input.x == [2]", "`input.x == [ 1 ]` and `input.x == [ 2 ]`"),
        ("input.n > 3; input.n < 3", "`input.n > 3` and `input.n < 3`"),
        ("input.n >= 3; input.n < 3", "`input.n >= 3` and `input.n < 3`"),
        ("input.n > 3; input.n <= 3", "`input.n > 3` and `input.n <= 3`"),
        ("input.n < 1; input.n > 2", "`input.n < 1` and `input.n > 2`"),
        ("3 < input.n; input.n <= 3", "`input.n > 3` and `input.n <= 3`"),
        ("3 <= input.n; 2 >= input.n", "`input.n >= 3` and `input.n <= 2`"),
        ("input.n == 1; input.n > 1", "`input.n == 1` and `input.n > 1`"),
        ("input.n == 1; input.n < 1", "`input.n == 1` and `input.n < 1`"),
        ("input.n >= 2; input.n == 1", "`input.n >= 2` and `input.n == 1`"),
        ("input.n <= 0; input.n == 1", "`input.n <= 0` and `input.n == 1`"),
        ("x := 1; x == 2", "`x == 1` and `x == 2`"),
        ("x := 1; not x == 1", "`x == 1` and `x != 1`"),
        ("not x != 1; not x == 1", "`x == 1` and `x != 1`"),
        ("x = 1; x > 1.5", "`x == 1` and `x > 1.5`"),
        ("input.ok; not input.ok", "`input.ok` and `not input.ok`"),
        ("not f(input.ok); f(input.ok)", "`f ( input . ok )` and `not f ( input . ok )`"),
        ("input.n > -1; input.n < -2", "`input.n > -1` and `input.n < -2`"),
    ],
)
def test_conditions_that_contradict_each_other(body, reason):
    text = "bad if {\n  " + body.replace("; ", "\n  ") + "\n}"
    (found,) = never.lint(subject(text, inputs=()))
    said = found.message.replace(" . ", ".")
    assert said.startswith("this body of bad is never true: ")
    assert reason.replace(" . ", ".").split("` and `")[0] in said or "not" in reason
    assert said.endswith("never hold together")
    assert all(part.strip("`") in said for part in reason.replace(" . ", ".").split(" and "))
    assert (found.rule, found.severity, found.line) == (
        "matriz.policy-never-true",
        Severity.ERROR,
        HEAD.count("\n") + 3,
    )


@pytest.mark.parametrize(
    "condition",
    ["false", "1 == 2", '1 == "1"', "1 != 1", "2 < 1", "2 <= 1", "1 > 2", "1 >= 2", "true == 1"],
)
def test_conditions_that_are_false_by_themselves(condition):
    (message,) = messages(never, f"bad if {condition}", inputs=())
    assert message == f"this body of bad is never true: `{condition}` never holds"


@pytest.mark.parametrize(
    "body",
    [
        "input.tier == 1; input.other == 2",
        "input.x == 1; input.x == 1.0",
        "input.x == 1; input.x != 2",
        "input.x != 1; input.x != 2",
        "input.n > 2; input.n < 3",
        "input.n >= 3; input.n <= 3",
        "input.n > 3; input.n > 4",
        "input.n < 3; input.n < 4",
        "input.n == 2; input.n > 1",
        "input.n == 2; input.n >= 2",
        "input.n == 2; input.n <= 2",
        "input.n == 2; input.n < 2.5",
        'input.n > 3; input.n < "a"',
        'input.n == "a"; input.n > 1',
        "input.x == []; input.x != [1]",
        "input.x == [y]; input.x == [z]",
        "input.rows[_] == 1; input.rows[_] == 2",
        "input.rows[i] == 1; input.rows[j] == 2",
        "f(input.x) == 1; f(input.x) == 2",
        "input.ok; not input.other",
        "input.rows[_]; not input.rows[_]",
        "a with input as 1; not a with input as 1",
        "input.x == 1 with input as y; input.x == 2",
        "1 == 1",
        "true",
        "null",
        "1 < 2",
        "2 <= 2",
        "2 > 1",
        "2 >= 2",
        "1 != 2",
        '"a" < 1',
        "x := false",
        "x = 1",
        "some x in y; x > 1",
        "input.x + 1 == 2; input.x + 1 == 3",
        "not input.n > 3; input.n < 3",
        "false == input.x",
    ],
)
def test_conditions_that_may_hold_together(body):
    text = "good if {\n  " + body.replace("; ", "\n  ") + "\n}"
    assert list(never.lint(subject(text, inputs=()))) == []


def test_bodies_are_judged_by_themselves():
    text = "good if input.x == 1\ngood if input.x == 2\ngood := 1 if input.y == 1\nelse := 2 if input.y == 2"
    assert list(never.lint(subject(text, inputs=()))) == []
    assert not messages(never, ("p_test.rego", "bad if false"))


def test_a_kind_that_no_case_provides_is_a_warning():
    text = 'bad if input.tier == 3\ngood if input.tier == "x"\ngood if input.tier != 3\nbad if "a" == input.tier_num'
    assert told(never.lint(subject(text))) == [
        (
            1,
            "warning",
            "this body of bad is never true: input.tier is string in every case, never 3",
        ),
        (
            4,
            "warning",
            'this body of bad is never true: input.tier_num is number in every case, never "a"',
        ),
    ]
    mixed = [INPUT, {**INPUT, "tier": None}]
    (message, _) = messages(never, text, inputs=mixed)
    assert "input.tier is null or string in every case, never 3" in message
    assert not messages(never, "good if input.unknown == 3\ngood if other.tier == 3")
    assert not messages(never, "good if input.scopes == [1]")


NUMBERS = st.integers(-3, 3)
SIGNS = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
HOLDS = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


@given(NUMBERS, SIGNS, NUMBERS, SIGNS)
def test_two_comparisons_clash_exactly_when_no_number_fulfils_both(a, one, b, other):
    halves = [n / 2 for n in range(-10, 11)]
    possible = any(HOLDS[one](n, a) and HOLDS[other](n, b) for n in halves)
    assert clashes(Condition("x", one, a, 1), Condition("x", other, b, 1)) is not possible
    assert not clashes(Condition("x", one, a, 1), Condition("y", other, b, 1))


def test_written_collections_are_compared_as_they_are_written():
    one, other = (
        Condition("x", "==", Written("[ 1 ]"), 1),
        Condition("x", "==", Written("[ 2 ]"), 1),
    )
    assert clashes(one, other)
    assert not clashes(one, one)
    assert one.shown == "x == [ 1 ]"
    assert Condition("x", ">", "a", 1).shown == 'x > "a"'


# Names


@pytest.mark.parametrize(
    "text, name",
    [
        ("bad if input.tier == favourite", "favourite"),
        ("bad if favourite", "favourite"),
        ("bad if not favourite", "favourite"),
        ("bad := favourite if true", "favourite"),
        ("bad := favourite", "favourite"),
        ("bad contains favourite if true", "favourite"),
        ("bad if count(favourite) > 1", "favourite"),
        ("bad if { x := favourite; x }", "favourite"),
        ("bad if { some x in favourite; x }", "favourite"),
        ("bad if favourite.tier == 1", "favourite"),
        ("f(x) if y == x", "y"),
    ],
)
def test_a_name_that_nothing_binds(text, name):
    (found,) = names.lint(subject(text))
    assert found.message.startswith(f"{name} is bound nowhere in this body of ")
    assert (found.rule, found.severity) == ("matriz.policy-name", Severity.ERROR)
    assert found.line == HEAD.count("\n") + 1


@pytest.mark.parametrize(
    "text",
    [
        "good if { x := 1; x }",
        "good if { x = 1; x }",
        "good if { 1 = x; x }",
        "good if { some x; input.rows[x] }",
        "good if { some x in input.rows; x }",
        "good if { some i, x in input.rows; i > x }",
        "good if { every x in input.rows { x } }",
        "good if { every i, x in input.rows { i > x } }",
        "good if { input.rows[x]; x > 1 }",
        "good if { [x, y] := input.pair; x > y }",
        "good if { walk(input, [path, value]); path; value }",
        "good := [x | some x in input.rows]",
        "good := {x: y | some x, y in input.rows}",
        "good := x if { x := 1 }",
        "good contains x if { some x in input.rows }",
        "f(x, [y, z]) if { x; y; z }",
        "good if other\nother := 1",
        "good if data.other.rule",
        "import data.other\ngood if other.rule",
        "import data.other as another\ngood if another.rule",
        "good if time.now_ns() > 1",
        "good if other with time.now_ns as 1\nother := 1",
        "good if other with input.x as 1\nother := 1",
        "other.part := 1\ngood if other.part",
        'good if input.rows["name"]',
        "good if set() == input.rows",
        "good if _ = input.rows",
    ],
)
def test_names_that_something_binds(text):
    assert list(names.lint(subject(text))) == []


def test_a_rule_of_another_file_of_the_package_is_known():
    assert not messages(names, "good if other", ("b.rego", "other := 1"))


def test_a_name_is_told_once():
    assert len(messages(names, "bad if { nobody > 1; nobody < 3 }")) == 1


def test_a_name_that_is_used_above_its_binding():
    text = "bad if {\n  x > 2\n  x := input.n\n}\nworse if {\n  y == 1\n  some y in input.rows\n}"
    assert told(names.lint(subject(text))) == [
        (2, "error", "x is used above the line that binds it"),
        (6, "error", "y is used above the line that binds it"),
    ]
    assert not messages(
        names, "good if {\n  z := [x | some x in input.rows]\n  x := 1\n  x == z\n}"
    )
    assert not messages(names, "good if {\n  x > 2\n  x = input.n\n}")
    assert not messages(names, "x := 1\ngood if {\n  x > 2\n  y := x\n  y\n}")


# Input


def test_a_path_that_no_case_provides():
    text = "a if input.subjet\nb if input.env.mfa\nc if input.env.mfaa.x\nd if input.zzz\ne if input.subjet.x\n"
    assert told(inputs.lint(subject(text))) == [
        (1, "warning", 'no case provides input.subjet; did you mean "subject"?'),
        (3, "warning", 'no case provides input.env.mfaa; did you mean "mfa"?'),
        (4, "info", "no case provides input.zzz"),
    ]


def test_paths_are_not_missed_where_there_is_no_case():
    assert not messages(inputs, "a if input.subjet", inputs=())
    assert not messages(inputs, "a if b with input.subjet as 1\nb := 1")
    assert not messages(inputs, ("p_test.rego", "a if input.subjet"))


def test_samples_of_several_inputs():
    samples = Samples([INPUT, {"env": {"ip": 1}, "tier": 3}])
    assert samples.kinds(("tier",)) == {"string", "number"}
    assert samples.kinds(("env", "ip")) == {"number"}
    assert samples.kinds(("tier", "x")) == frozenset()
    assert samples.keys(("env",)) == {"mfa", "ip"}
    assert samples.keys(("tier",)) == set()


# The world outside


@pytest.mark.parametrize(
    "call", ["http.send", "net.lookup_ip_addr", "opa.runtime", "rand.intn", "uuid.rfc4122"]
)
def test_what_leaves_the_input_is_refused(call):
    text = f'bad if {call}("x") == 1'
    (found,) = told(impure.lint(subject(text)))
    assert found[:2] == (1, "error")
    assert found[2].startswith(f"{call} ")
    assert not messages(impure, ("p_test.rego", text))
    assert not messages(impure, f"good if {call}")


def test_the_clock_is_a_warning_unless_it_stands_still():
    text = "late if time.now_ns() > 1\n"
    (found,) = told(impure.lint(subject(text, fixed_clock=False)))
    assert found == (1, "warning", "time.now_ns: what is decided depends on the day")
    assert not messages(impure, text, fixed_clock=True)


@pytest.mark.parametrize(
    "text, out",
    [
        ('a if http.send("x")', True),
        ('a if net.lookup_ip_addr("x")', True),
        ("a if time.now_ns()", False),
    ],
)
def test_what_would_be_sent_is_known_before(text, out):
    assert impure.reaches_out(parse("p.rego", HEAD + text)) is out


# Tests that prove nothing


def test_tests_that_do_not_run_or_hide_each_other():
    text = (
        "test_a if true\ntest_a if false\ntest_f(x) if x\ntest_k contains 1 if true\n"
        "todo_test_b if true\ntest_c if true\nelse if false\n"
    )
    assert told(shadowed.lint(subject(("p_test.rego", text)))) == [
        (2, "error", "test_a is in p_test.rego, too: it passes if either holds"),
        (3, "error", "test_f has an argument or a key and does not run"),
        (4, "error", "test_k has an argument or a key and does not run"),
        (5, "warning", "todo_test_b is put off and does not run"),
    ]
    both = messages(shadowed, ("a_test.rego", "test_a if true"), ("b_test.rego", "test_a if true"))
    assert both == ["test_a is in a_test.rego, too: it passes if either holds"]
    assert not messages(shadowed, "tested if true\nnot_test_x if true\nx := 1")


# Rewriting


def rewritten(text, **more):
    ((_, changed),) = rewriting.prepared([parse("p.rego", HEAD + text)], **more)
    return changed.removeprefix(HEAD)


@pytest.mark.parametrize(
    "text, changed",
    [
        ("a if time.now_ns() > 1", "a if data.cockpit_clock.now > 1"),
        ("a if b with time.now_ns as 5", "a if b with data.cockpit_clock.now as 5"),
        ("a if x.time.now_ns()", "a if x.time.now_ns()"),
        ('a := "time.now_ns()"', 'a := "time.now_ns()"'),
        ("a := time.now_ns", "a := time.now_ns"),
        ("a if input.x", "a if input.x"),
    ],
)
def test_the_clock_is_a_value_of_the_base_document(text, changed):
    assert rewritten(text) == changed


@pytest.mark.parametrize(
    "text, changed",
    [
        ("a if b with input as c", "a if b with data.cockpit_input as [c][0]"),
        ("a if b with input as c.d", "a if b with data.cockpit_input as [c.d][0]"),
        ("a if b with input as f(c)", "a if b with data.cockpit_input as f(c)"),
        ('a if b with input as {"x": c}', 'a if b with data.cockpit_input as {"x": c}'),
        ("a if b with input.x as 5", "a if b with data.cockpit_input.x as 5"),
        ("f(x) := 1\na if b with data.g as f", "f(x) := 1\na if b with data.g as f"),
        ("import data.x as y", "import data.x as y"),
        ("a if x.input == 1", "a if x.input == 1"),
    ],
)
def test_the_input_of_unit_tests_is_one_too(text, changed):
    assert rewritten(text, unit_tests=True) == changed


def test_traces_stand_behind_the_last_condition():
    text = "a if {\n  b # why\n}\nc if d\nelse if {e}\nf := 1\n"
    module = parse("p.rego", HEAD + text)
    bodies = rewriting.traceable([module])
    assert [clause.line - HEAD.count("\n") for _, clause in bodies] == [1, 4, 5]
    assert rewritten(text) == text
    ((_, changed),) = rewriting.prepared([module], traced=bodies, mark="m-")
    assert changed.removeprefix(HEAD) == (
        'a if {\n  b # why\n\nprint("m-0")\n}\n'
        'c if { d\nprint("m-1")\n}\n'
        'else if {e\nprint("m-2")\n}\n'
        "f := 1\n"
    )
    other = parse("q.rego", HEAD + text)
    assert rewriting.prepared([other], traced=bodies, mark="m-")[0][1] == HEAD + text


# Findings

LINE = HEAD.count("\n") + 1


@pytest.mark.parametrize(
    "trap, text, expected",
    [
        (
            membership,
            'x := {"a": 1}\nbad if input.tier in x',
            (
                "matriz.policy-membership",
                "error",
                "policy.rego",
                LINE + 1,
                "write `in object.keys(x)`, or `some value in …` to test values",
            ),
        ),
        (
            membership,
            "bad if input.tier in {input.x: 1}",
            (
                "matriz.policy-membership",
                "error",
                "policy.rego",
                LINE,
                "write `in object.keys(…)`, or `some value in …` to test values",
            ),
        ),
        (
            never,
            "bad if false",
            (
                "matriz.policy-never-true",
                "error",
                "policy.rego",
                LINE,
                "correct the condition, or remove the body",
            ),
        ),
        (
            names,
            "bad if nobody",
            (
                "matriz.policy-name",
                "error",
                "policy.rego",
                LINE,
                "correct the name, or bind it with `:=` or `some`",
            ),
        ),
        (
            names,
            "bad if {\n  x == 1\n  x := 1\n}",
            (
                "matriz.policy-name",
                "error",
                "policy.rego",
                LINE + 1,
                "move it below the line that binds x",
            ),
        ),
        (
            inputs,
            "bad if input.zzz",
            (
                "matriz.policy-input",
                "info",
                "policy.rego",
                LINE,
                "correct the name, or add a case that provides it",
            ),
        ),
        (
            impure,
            'bad if http.send("x")',
            (
                "matriz.policy-impure",
                "error",
                "policy.rego",
                LINE,
                "let whoever asks put the value into the input",
            ),
        ),
        (
            impure,
            "bad if time.now_ns() > 1",
            (
                "matriz.policy-impure",
                "warning",
                "policy.rego",
                LINE,
                "set tool.cockpit.gate.matriz.policy.now, or take the time from the input",
            ),
        ),
        (
            shadowed,
            "test_a if true\ntest_a if true",
            (
                "matriz.policy-test-shadowed",
                "error",
                "policy.rego",
                LINE + 1,
                "rename one of them",
            ),
        ),
        (
            shadowed,
            "todo_test_a if true",
            (
                "matriz.policy-test-shadowed",
                "warning",
                "policy.rego",
                LINE,
                "name it test_a",
            ),
        ),
        (
            shadowed,
            "test_a(x) if x",
            (
                "matriz.policy-test-shadowed",
                "error",
                "policy.rego",
                LINE,
                "make it a rule without",
            ),
        ),
    ],
)
def test_a_finding_says_where_and_what_to_do(trap, text, expected):
    (found,) = trap.lint(subject(text, fixed_clock=False))
    assert whole(found) == expected


def test_a_missing_path_is_evidence():
    (found,) = inputs.lint(subject("bad if input.env.zzz.x"))
    assert found.evidence == {"path": ["env", "zzz"]}
    assert not messages(inputs, "good if input.tier\nfine if input", inputs=[INPUT])


def test_only_what_stands_left_of_a_sign_is_bound():
    assert messages(names, "bad if { nobody > 1; x := 2; x > 1 }")
    assert messages(names, "bad if {\n  nobody > 1\n  x := 2\n  x > 1\n}")
    assert messages(names, "bad := {y | nobody > 1; y := 2}")
    assert not messages(names, 'good if { {"k": v} = input.pair; v }')
