from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.api import CockpitError, Lane, Move
from pytest_cockpit.promotion.plan import Plan, PlannedMove, Refusal, contained
from pytest_cockpit.records import artifacts

BASE = "1234567" + "8" * 33
BLOB = "a" * 40
LANE = Lane(exclude=("candidate/old",), aliases={"acme": ("", "candidate")})


def planned(name: str, **changes: object) -> PlannedMove:
    values = {
        "move": Move(f"candidate/{name}.py", f"{name}.py", BLOB, "100644"),
        "old_module": "candidate." + name.replace("/", "."),
        "new_module": name.replace("/", "."),
        "score": 0.7,
        "reasons": {"import_frequency": 1.0, "recency": 0.0, "criticality": 0.0},
        "because": "rank",
        "notes": ("empty file",),
        **changes,
    }
    return PlannedMove(**values)  # type: ignore[arg-type]  # the values of one test's row


def make(*moves: PlannedMove, refusals: tuple[Refusal, ...] = (), **changes: object) -> Plan:
    values = {
        "base": BASE,
        "lane": LANE,
        "size": 50,
        "modules": ("core",),
        "settings_sha256": "f" * 64,
        "counts": {
            "lane": len(moves) + len(refusals),
            "movable": len(moves),
            "moves": len(moves),
            "refusals": len(refusals),
            "shims": 0,
        },
        "moves": moves,
        "refusals": refusals,
        "gates": (("matriz", "no contracts"), ("imports", None)),
        **changes,
    }
    return Plan.make(**values)  # type: ignore[arg-type]  # the values of one test's plan


PLAN = make(
    planned("core/x"),
    planned("core/\u039b"),
    refusals=(
        Refusal("candidate/z.py", "syntax-error", "line 1: no"),
        Refusal("candidate/\udcff.py", "non-utf8-name", "rename \udcff"),
    ),
)


def refusal_of(data: bytes) -> str:
    with pytest.raises(CockpitError) as caught:
        Plan.read(data, "plan.jsonl")
    message = str(caught.value)
    assert message.startswith("plan.jsonl")
    assert message.endswith("name no file to plan again")
    assert "\n" not in message
    return message


def test_what_was_written_is_read():
    again = Plan.read(PLAN.to_bytes(), "plan.jsonl")
    assert again.header == PLAN.header
    assert again.moves == PLAN.moves
    assert again.gates == PLAN.gates
    assert again.to_bytes() == PLAN.to_bytes()
    assert again.sha256 == PLAN.sha256 == artifacts.sha256(PLAN.to_bytes())


def test_refusals_are_sorted_and_printable():
    again = Plan.read(PLAN.to_bytes(), "plan.jsonl")
    assert [refusal.source for refusal in again.refusals] == [
        "candidate/\\udcff.py",
        "candidate/z.py",
    ]


def test_every_row_is_a_canonical_line_in_order():
    rows = [json.loads(line) for line in PLAN.to_bytes().splitlines()]
    assert [row["kind"] for row in rows] == [
        "plan", "move", "move", "refusal", "refusal", "gate", "gate", "seal",
    ]  # fmt: skip
    assert PLAN.to_bytes() == b"".join(map(artifacts.canonical_line, rows))
    assert rows[5] == {"kind": "gate", "gate": "matriz", "skip": "no contracts"}
    assert rows[6] == {"kind": "gate", "gate": "imports"}


def test_the_batch_id_follows_from_everything():
    assert PLAN.header.batch_id.startswith(BASE[:7] + "-")
    others = [
        make(planned("core/x")),
        make(planned("core/x", score=0.6)),
        make(planned("core/x"), size=49),
        make(planned("core/x"), settings_sha256="e" * 64),
        make(planned("core/x"), gates=()),
    ]
    assert len({plan.header.batch_id for plan in others}) == len(others)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b'"because":"rank"', b'"because":"Rank"', 1),
        lambda data: data.replace(b'"size":50', b'"size":51'),
        lambda data: data.replace(b'"size":50', b'"size": 50'),
        lambda data: data.replace(b"1234567-", b"1234568-"),
        lambda data: b"\n".join(data.splitlines()[:2] + data.splitlines()[3:]) + b"\n",
    ],
    ids=["row", "header", "blank", "id", "missing row"],
)
def test_edited_by_hand(change):
    data = change(PLAN.to_bytes())
    assert data != PLAN.to_bytes()
    assert refusal_of(data) == "plan.jsonl: edited by hand; name no file to plan again"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"x\n",
        b"[]\n",
        b'{"kind":"plan"}\n',
        b'{"kind":"other"}\n',
        PLAN.to_bytes()[:-1],
        PLAN.to_bytes() + b"\n",
        PLAN.to_bytes() + PLAN.to_bytes(),
        PLAN.to_bytes() + b'{"kind":"seal"}\n',
        b"\n".join(reversed(PLAN.to_bytes().splitlines())) + b"\n",
        PLAN.to_bytes().replace(b'"score":0.7', b'"score":1e400'),
        PLAN.to_bytes().replace(b'"score":0.7', b'"score":"0.7"'),
        PLAN.to_bytes().replace(b'"mode":"100644"', b'"mode":"120000"'),
        PLAN.to_bytes().replace(b'"mode":"100644"', b'"mode":"100644","mode":"100644"'),
    ],
)
def test_no_plan(data):
    refusal_of(data)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("../x.py", "leaves the tree"),
        ("core/../../x.py", "leaves the tree"),
        (".git/hooks/x.py", "leaves the tree"),
        (".GIT/x.py", "leaves the tree"),
        ("core/.git /x.py", "leaves the tree"),
        ("git~1/x.py", "leaves the tree"),
        (".g\u200cit/x.py", "leaves the tree"),
        ("core//x.py", "leaves the tree"),
        ("./x.py", "leaves the tree"),
        ("core\\x.py", "leaves the tree"),
        ("core/\x07x.py", "leaves the tree"),
        ("candidate/y.py", "is not out of the lane"),
        ("elsewhere/x.py", "is not where"),
    ],
)
def test_a_forged_target(target, words):
    row = planned("core/x", move=Move("candidate/core/x.py", target, BLOB))
    assert words in refusal_of(make(row).to_bytes())


def test_an_absolute_target_is_no_plan():
    row = planned("core/x", move=Move("candidate/core/x.py", "/etc/x.py", BLOB))
    assert "/target" in refusal_of(make(row).to_bytes())


def test_a_forged_source():
    row = planned("core/x", move=Move("app/x.py", "core/x.py", BLOB))
    assert "is not out of the lane" in refusal_of(make(row).to_bytes())


def test_a_forged_module_name():
    assert "other module names" in refusal_of(make(planned("core/x", new_module="os")).to_bytes())


def test_a_file_named_twice():
    assert "named twice" in refusal_of(make(planned("core/x"), planned("core/x")).to_bytes())


def test_forged_counts():
    plan = make(planned("x"), counts=dict.fromkeys(PLAN.header.counts, 0))
    assert "/counts/moves: expected 1, got 0" in refusal_of(plan.to_bytes())


def test_a_plan_keeps_the_lane_it_was_made_for():
    assert Plan.read(PLAN.to_bytes(), "plan.jsonl").header.lane["exclude"] == ["candidate/old"]


@given(st.binary())
def test_any_bytes(data):
    read_or_refuse(data)


@given(st.data())
def test_any_mutation(data):
    content = bytearray(PLAN.to_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        how = data.draw(st.sampled_from(["set", "drop", "insert", "cut"]))
        if how == "set":
            content[at] = data.draw(st.integers(0, 255))
        elif how == "drop":
            del content[at : at + data.draw(st.integers(1, 40))]
        elif how == "insert":
            content[at:at] = data.draw(st.binary(max_size=8))
        else:
            del content[at:]
        content = content or bytearray(b"\n")
    read_or_refuse(bytes(content))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.data())
def test_any_value_in_any_place(data):
    rows = [json.loads(line) for line in PLAN.to_bytes().splitlines()]
    row = data.draw(st.sampled_from(rows))
    row[data.draw(st.sampled_from(sorted(row)))] = data.draw(JSON)
    read_or_refuse("".join(json.dumps(row) + "\n" for row in rows).encode())


def read_or_refuse(data: bytes) -> None:
    message = ""
    try:
        assert Plan.read(data, "plan.jsonl").to_bytes() == data
    except CockpitError as error:
        message = str(error)
    assert "\n" not in message


@pytest.mark.parametrize("path", ["x.py", "a/b.py", "a b/c.py", ".gitignore", "a/.github/x.py"])
def test_contained(path):
    assert contained(path)
