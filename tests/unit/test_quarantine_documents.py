"""Edits of contracts and policies keep the rest of the file as it is."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.quarantine import reading
from pytest_cockpit.quarantine.candidates import Hints, candidates
from pytest_cockpit.quarantine.documents import (
    Document,
    Overlap,
    adding,
    applied,
    changing,
    removing,
)

SCALAR = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**6), 10**6), st.text(max_size=8), st.floats(-9, 9)
)
TREE = st.recursive(
    SCALAR,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)


def sound(path: str, text: str) -> Document:
    found = reading.read(path, text.encode())
    assert found is not None
    return found


def at(value, pointer):
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        value = value[int(key)] if isinstance(value, list) else value[key]
    return value


@given(TREE, st.sampled_from([None, 0, 2]), st.text(max_size=5))
def test_every_edit_of_json_does_what_it_says(tree, indent, new):
    text = json.dumps(tree, indent=indent, ensure_ascii=False)
    document = reading.read("c.json", text.encode("utf-8", "surrogatepass"))
    if document is None:
        return
    for value in document.values:
        assert at(tree, value.pointer) == value.value
        after = json.loads(applied(text, [changing(document, value, new)]))
        assert (after if not value.pointer else at(after, value.pointer)) == new
    for array in document.arrays:
        old = at(tree, array.pointer)
        assert at(json.loads(applied(text, [adding(document, array, new)])), array.pointer) == [
            *old,
            new,
        ]
        for index in range(len(old)):
            edit = removing(document, array, index)
            assert edit is not None
            kept = at(json.loads(applied(text, [edit])), array.pointer)
            assert kept == [*old[:index], *old[index + 1 :]]


WORD = st.from_regex(r"[a-z]{1,6}([.:][a-z]{1,4})?", fullmatch=True)


@given(
    st.dictionaries(
        WORD,
        st.one_of(st.lists(st.one_of(WORD, st.integers(0, 9)), max_size=4), WORD, st.booleans()),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from([None, True, False]),
    WORD,
)
def test_every_edit_of_yaml_does_what_it_says(tree, flow, new):
    text = yaml.safe_dump(tree, default_flow_style=flow)
    document = sound("c.yaml", text)
    for value in document.values:
        after = yaml.safe_load(applied(text, [changing(document, value, new)]))
        assert at(after, value.pointer) == new
    for array in document.arrays:
        old = at(tree, array.pointer)
        after = yaml.safe_load(applied(text, [adding(document, array, new)]))
        assert at(after, array.pointer) == [*old, new]
        for index in range(len(old)):
            edit = removing(document, array, index)
            if edit is not None:
                after = yaml.safe_load(applied(text, [edit]))
                assert at(after, array.pointer) == [*old[:index], *old[index + 1 :]]


@given(st.binary(max_size=80), st.sampled_from(["a.json", "a.yaml", "a.rego"]))
def test_any_bytes_are_a_document_or_none(data, path):
    document = reading.read(path, data)
    if document is not None:
        candidates([document], Hints.of(source="x = 'y.z'", failure="E assert 'a.b' in [1]"))


@given(st.text(alphabet="{}[]:,'\"& *!|>-\n a1", max_size=60))
def test_any_yaml_is_a_document_or_none(text):
    reading.read("a.yaml", text.encode())


@given(st.text(alphabet='{}[](),:"`#=\n a1.-_', max_size=60))
def test_any_rego_is_a_document(text):
    document = sound("a.rego", text)
    for value in document.values:
        assert text[value.start : value.end]


REGO = """\
package authz # "not this"
import data.roles

default allow := false

readers := {"lab:svc:index", "lab:svc:audit"}
tiers := [2, 3]
limits := {"a": 5}
allow if { input.tier >= 2; data.roles["admin"][_] == input.subject }
raw := `{"x", "y"}`
"""


def test_what_may_be_edited_in_rego():
    document = sound("p.rego", REGO)
    assert [(it.pointer, [v.value for v in it.items]) for it in document.arrays] == [
        ("line:6", ["lab:svc:index", "lab:svc:audit"]),
        ("line:7", [2, 3]),
    ]
    # What holds where no rule does is never turned round.
    assert all(value.pointer != "line:4" for value in document.values)
    assert "line:10" not in {value.pointer for value in document.values}


def test_a_block_keeps_its_indentation_and_its_last_item():
    text = "scopes:\n  - a.b # why\nother: 1\n"
    document = sound("c.yaml", text)
    (array,) = document.arrays
    assert yaml.safe_load(applied(text, [adding(document, array, "c.d")]))["scopes"] == [
        "a.b",
        "c.d",
    ]
    assert removing(document, array, 0) is None


def test_edits_of_the_same_place_are_refused():
    document = sound("c.json", '{"a": 1}')
    (value,) = document.values
    with pytest.raises(Overlap):
        applied(document.text, [changing(document, value, 2), changing(document, value, 3)])


@pytest.mark.parametrize(
    "path, data",
    [
        ("c.json", b"{"),
        ("c.json", b'{"a": 1, "a": 2}'),
        ("c.json", b"\xff"),
        ("c.json", b" " * (1 << 20) + b"1"),
        ("c.yaml", b"a: [1"),
        ("c.yaml", b""),
    ],
)
def test_what_cannot_be_read_has_no_places(path, data):
    assert reading.read(path, data) is None


def contract(path, **identity):
    return sound(path, json.dumps({"identity": identity}, indent=2))


def meanings(found):
    return [edit.meaning for edit in found]


def test_the_value_of_the_failure_comes_first_where_it_looks_at_home():
    mine = contract("c/matrix_a.json", subjects=["user:*"], scopes=["a.write"])
    hints = Hints.of(
        source="def test():\n    assert 'a.read' in contract['identity']['scopes']\n",
        failure="E       assert 'a.read' in ['a.write']\n",
    )
    assert meanings(candidates([mine], hints))[0] == (
        'adds "a.read" to /identity/scopes of c/matrix_a.json'
    )


def test_values_come_from_siblings_at_the_same_place():
    mine = contract("c/matrix_a.json", tiers=[2], auth=False, level=1, mode="x")
    other = contract("c/matrix_b.json", tiers=[7], auth=True, level=5, mode="strict")
    elsewhere = contract("d/matrix_b.json", tiers=[9], auth=True, level=8, mode="no")
    found = meanings(candidates([mine], Hints.of(source=""), [other, elsewhere]))
    for expected in (
        "adds 7 to /identity/tiers",
        "changes /identity/tiers/0 of c/matrix_a.json from 2 to 7",
        "changes /identity/auth of c/matrix_a.json from false to true",
        "changes /identity/level of c/matrix_a.json from 1 to 5",
        'changes /identity/mode of c/matrix_a.json from "x" to "strict"',
    ):
        assert any(expected in text for text in found), expected
    assert not any("9" in text or "to 8" in text or '"no"' in text for text in found)


def test_nothing_is_made_up():
    mine = contract("c/matrix_a.json", scopes=["a.write"], level=1)
    kinds = {(edit.kind, edit.after) for edit in candidates([mine], Hints.of(source=""))}
    assert kinds == {("remove", None)}


def test_parameters_and_constants_of_the_module_count():
    mine = contract("c/matrix_a.json", scopes=["a.write"])
    hints = Hints.of(source="", parameters=["a.fold", 4], module="SCOPE = 'a.dream'\n")
    values = [edit.after for edit in candidates([mine], hints) if edit.kind == "add"]
    assert values == ["a.fold", "a.dream"]


def test_a_large_document_has_as_many_candidates_as_can_be_held(monkeypatch):
    monkeypatch.setattr("pytest_cockpit.quarantine.candidates._MOST", 1000)
    rows = ",".join(f"[{number}]" for number in range(2000))
    document = sound("c.json", f"[{rows}]")
    assert 100 < len(candidates([document], Hints.of(source="x = [1, 2, 3]"))) <= 1000
