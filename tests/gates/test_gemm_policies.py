"""Policies: inheritance, cycles, unknown keys and values that are none, each named in one line."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_cockpit.api import CockpitError
from pytest_cockpit_gates.gemm.strict import inheritance, policies
from tests.gemm_artifacts import weekly_policy

ARCHIVED = Path(__file__).parents[1] / "data" / "gemm" / "policies"
MISSING = "policy_hardening_week10_block1_3.json"
T3_MISSING = "policy_controlled_block1.json"
GOOD = weekly_policy()


def tree(folder: Path, **documents: Any) -> Path:
    for name, document in documents.items():
        text = document if isinstance(document, str) else json.dumps(document)
        (folder / f"{name}.json").write_text(text)
    return folder


def archived(folder: Path) -> Path:
    """The archived policies beside each other, with the two that they lack."""
    for path in ARCHIVED.glob("policy_*.json"):
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / MISSING).write_text(json.dumps({"policy_id": "t5-1", "abft_mode": {}}))
    (folder / T3_MISSING).write_text(json.dumps({"policy_id": "t3-1", "selector_policy": {}}))
    return folder


def refused(root: Path, **paths: str) -> str:
    with pytest.raises(CockpitError) as caught:
        policies.read(root, **paths)
    said = str(caught.value)
    assert all(line.isprintable() and ": " in line for line in said.split("\n")), said
    return said


def test_no_path_is_no_policy(tmp_path):
    assert policies.read(tmp_path) == policies.Policies()
    assert policies.Policies().source("weekly") is None


def test_a_policy_is_read_with_its_digest_and_its_name(tmp_path):
    read = policies.read(tree(tmp_path, weekly=GOOD), weekly="weekly.json")
    assert read.weekly is not None
    assert read.weekly.platform == "rusticl"
    assert read.weekly.minimum_snapshots == 6
    assert read.weekly.rows["auto_t5_guarded:2048"].min_avg_gflops == pytest.approx(23.4)
    source = read.source("weekly")
    assert source is not None
    assert (source["path"], source["id"], len(source["sha256"])) == ("weekly.json", "weekly-1", 64)


@pytest.mark.parametrize(
    "name",
    ["week11_block3_weekly_slo_v1", "week13_block3_weekly_slo_v2", "week19_block2_weekly_slo_v3"],
)
def test_archived_weekly_policies_can_be_read_where_all_they_inherit_is_there(tmp_path, name):
    root = archived(tmp_path)
    read = policies.read(root, weekly=f"policy_{name}.json")
    assert read.weekly is not None
    assert read.weekly.platform == "clover"
    assert len(read.weekly.rows) == 4
    chain = [path for path, _ in read.sources["weekly"].chain]
    assert chain[-2:] == ["policy_hardening_week10_block2_4_long_horizon.json", MISSING]


def test_archived_t3_and_t5_policies_can_be_read(tmp_path):
    read = policies.read(
        archived(tmp_path),
        t3="policy_hardening_block3.json",
        t5="policy_hardening_week10_block2_4_long_horizon.json",
    )
    assert read.t3 is not None
    assert read.t3.max_fallback_rate == 0.08
    assert read.t5 is not None
    assert (read.t5.max_overhead_percent, read.t5.uniform_recall) == (3.5, 0.97)


def test_what_is_inherited_and_missing_is_named(tmp_path):
    root = archived(tmp_path)
    (root / MISSING).unlink()
    told = refused(root, weekly="policy_week19_block2_weekly_slo_v3.json")
    assert told.startswith("policy_hardening_week10_block2_4_long_horizon.json: inherits_from:")
    assert MISSING in told
    assert "is missing" in told


def test_a_child_stands_over_what_it_inherits(tmp_path):
    parent = copy.deepcopy(GOOD)
    child: dict[str, Any] = {"policy_id": "child", "inherits_from": "weekly.json"}
    child["weekly_slo"] = {"per_kernel_size": {"auto_t3_controlled:1400": {"min_avg_gflops": 25}}}
    parent["recalibration"] = {"method": "by hand"}
    read = policies.read(tree(tmp_path, weekly=parent, child=child), weekly="child.json")
    assert read.weekly is not None
    row = read.weekly.rows["auto_t3_controlled:1400"]
    slo = GOOD["weekly_slo"]["per_kernel_size"]
    assert row.min_avg_gflops == 25
    assert row.max_p95_time_ms == slo["auto_t3_controlled:1400"]["max_p95_time_ms"]
    assert len(read.weekly.rows) == 4
    assert read.sources["weekly"].id == "child"
    # Who recalibrated the parent has not recalibrated the child.
    assert "recalibration" not in read.sources["weekly"].merged


def test_another_parent_is_another_digest(tmp_path):
    child = {"policy_id": "child", "inherits_from": "weekly.json"}
    root = tree(tmp_path, weekly=GOOD, child=child)
    before = inheritance.resolve(root, "child.json").sha256
    tree(tmp_path, weekly={**GOOD, "policy_id": "weekly-2"})
    assert inheritance.resolve(root, "child.json").sha256 != before


def test_a_cycle_names_where_it_closes(tmp_path):
    root = tree(tmp_path, a={**GOOD, "inherits_from": "b.json"}, b={"inherits_from": "a.json"})
    assert refused(root, weekly="a.json").startswith("b.json: inherits_from: a.json leads back")
    root = tree(tmp_path, a={**GOOD, "inherits_from": "./a.json"})
    assert "leads back" in refused(root, weekly="a.json")


def test_a_chain_has_an_end(tmp_path):
    for number in range(40):
        tree(tmp_path, **{f"p{number}": {"inherits_from": f"p{number + 1}.json"}})
    assert "more than 16 policies in a row" in refused(tmp_path, weekly="p0.json")


@pytest.mark.parametrize("path", ["../outside.json", "/etc/hostname", "nope.json", "a\0b", ".", ""])
def test_a_policy_outside_the_tree_is_none(tmp_path, path):
    (tmp_path / "outside.json").write_text(json.dumps(GOOD))
    root = tmp_path / "root"
    root.mkdir()
    if path:
        assert "no file below the repository's root" in refused(root, weekly=path)
    child = {**GOOD, "inherits_from": path}
    told = refused(tree(root, child=child), weekly="child.json")
    assert "inherits_from" in told


def test_a_link_that_leads_outside_is_no_policy(tmp_path):
    (tmp_path / "outside.json").write_text(json.dumps(GOOD))
    root = tmp_path / "root"
    root.mkdir()
    (root / "weekly.json").symlink_to(tmp_path / "outside.json")
    assert "no file below" in refused(root, weekly="weekly.json")


@pytest.mark.parametrize(
    "text", ["", "{", '{"a": 1, "a": 2}', "[]", '{"x": NaN}', "\ufeff{}", "1" * 5000]
)
def test_what_is_no_json_object_is_named(tmp_path, text):
    assert refused(tree(tmp_path, weekly=text), weekly="weekly.json").startswith("weekly.json: ")


def test_a_huge_file_is_no_policy(tmp_path):
    tree(tmp_path, weekly=" " * (4 * 2**20 + 1))
    assert "larger than any policy" in refused(tmp_path, weekly="weekly.json")


SLO = ("weekly_slo", "global_guardrails")
ROW = ("weekly_slo", "per_kernel_size", "auto_t3_controlled:1400")


@pytest.mark.parametrize(
    "place, value, told",
    [
        (("wekly_slo",), {}, "wekly_slo"),
        ((*SLO, "minimum_snapshot"), 3, "minimum_snapshot"),
        ((*SLO, "minimum_snapshots"), "6", "/weekly_slo/global_guardrails/minimum_snapshots"),
        ((*SLO, "minimum_snapshots"), 0, "minimum_snapshots"),
        ((*SLO, "minimum_snapshots"), True, "minimum_snapshots"),
        ((*SLO, "max_correctness_error"), -1, "max_correctness_error"),
        ((*SLO, "max_correctness_error"), 1e300, "max_correctness_error"),
        ((*SLO, "max_t3_fallback_rate"), 2, "max_t3_fallback_rate"),
        ((*ROW, "min_avg_gflops"), 0, "min_avg_gflops"),
        ((*ROW, "min_avg_gflops"), None, "min_avg_gflops"),
        ((*ROW, "max_p95_time"), 3, "max_p95_time"),
        (("weekly_slo", "per_kernel_size", "auto_t3:big"), {}, "auto_t3:big"),
        (("weekly_slo", "per_kernel_size"), [], "per_kernel_size"),
        (("scope", "platform"), "../clover", "/scope/platform"),
        (("inherits_from",), 7, "inherits_from"),
    ],
)
def test_a_key_or_value_that_is_none_is_named(tmp_path, place, value, told):
    document = copy.deepcopy(GOOD)
    table = document
    for key in place[:-1]:
        table = table[key]
    table[place[-1]] = value
    said = refused(tree(tmp_path, weekly=document), weekly="weekly.json")
    assert said.startswith("weekly.json: ")
    assert told in said


@pytest.mark.parametrize(
    "place",
    [
        ("weekly_slo",),
        SLO,
        ("weekly_slo", "per_kernel_size"),
        (*SLO, "max_p95_drift_percent"),
        (*ROW, "max_p95_time_ms"),
    ],
)
def test_a_bound_that_nobody_states_is_named(tmp_path, place):
    document = copy.deepcopy(GOOD)
    table = document
    for key in place[:-1]:
        table = table[key]
    del table[place[-1]]
    said = refused(tree(tmp_path, weekly=document), weekly="weekly.json")
    assert "missing; add it, or inherit a policy that has it" in said
    assert place[-1] in said


def test_a_row_of_a_size_that_the_scope_does_not_name_is_a_contradiction(tmp_path):
    document = copy.deepcopy(GOOD)
    document["scope"]["sizes"] = [2048, 512]
    assert refused(tree(tmp_path, weekly=document), weekly="weekly.json") == (
        "weekly.json: /scope/sizes: 1400 has rows and is not named; add it, or take them out"
    )


def test_all_that_is_wrong_is_told_line_by_line(tmp_path):
    document = copy.deepcopy(GOOD)
    rows = document["weekly_slo"]["per_kernel_size"]
    rows["auto_t3_controlled:1400"] |= {"min_avg_gflop": 3, "max_p95_time_ms": -1}
    document["x"] = 1
    said = refused(tree(tmp_path, weekly=document), weekly="weekly.json").split("\n")
    assert [line.split(": ")[1] for line in said] == [
        "/weekly_slo/per_kernel_size/auto_t3_controlled:1400/max_p95_time_ms",
        "/weekly_slo/per_kernel_size/auto_t3_controlled:1400/min_avg_gflop",
        "/x",
    ]
    del document["weekly_slo"]["global_guardrails"]["max_p95_drift_percent"]
    said = refused(tree(tmp_path, weekly=document), weekly="weekly.json").split("\n")
    assert len(said) == 4
    assert said[3].startswith("weekly.json: /weekly_slo/global_guardrails/max_p95_drift_percent: m")
    for bounds in (rows["auto_t3_controlled:1400"], document["weekly_slo"]["global_guardrails"]):
        bounds.clear()
    del document["x"]
    said = refused(tree(tmp_path, weekly=document), weekly="weekly.json").split("\n")
    assert len(said) == 9
    assert "weekly.json: /weekly_slo/global_guardrails/max_p95_drift_percent: missing" in said[6]
    many = {f"new{number}": 1 for number in range(300)}
    said = refused(tree(tmp_path, weekly={**GOOD, **many}), weekly="weekly.json").split("\n")
    assert len(said) == 21
    assert said[-1] == "weekly.json: 280 more like these; correct them too"


@pytest.mark.parametrize(
    "number, told",
    [
        ("NaN", "NaN is no JSON number"),
        ("-Infinity", "-Infinity is no JSON number"),
        ("1e999", "1e999 is out of range"),
        ("1" * 5000, f"{'1' * 20} is beyond 64 bits"),
    ],
)
def test_a_number_that_is_none_has_its_key_and_its_line(tmp_path, number, told):
    text = json.dumps({"status": "NaN: 1e999", **GOOD}, indent=1)
    text = text.replace('"minimum_snapshots": 6', f'"minimum_snapshots": {number}')
    line = 1 + text[: text.index("minimum_snapshots")].count("\n")
    said = refused(tree(tmp_path, weekly=text), weekly="weekly.json")
    assert said == f"weekly.json: line {line}: minimum_snapshots: {told}; correct it"


def test_a_parent_that_is_missing_is_to_be_put_beside_its_policy(tmp_path):
    (tmp_path / "policies").mkdir()
    tree(tmp_path / "policies", weekly={**GOOD, "inherits_from": "research/old/parent.json"})
    said = refused(tmp_path, weekly="policies/weekly.json")
    assert "research/old/parent.json is missing; copy it to policies/parent.json, beside" in said
    tree(tmp_path / "policies", parent={"policy_id": "parent", "abft_mode": {}})
    assert policies.read(tmp_path, weekly="policies/weekly.json").weekly


def test_an_unknown_key_of_a_parent_is_named_by_its_own_file(tmp_path):
    t5 = {"policy_id": "t5", "abft_mode": {"sampling_periods": 3}}
    root = tree(tmp_path, t5=t5, weekly={**GOOD, "inherits_from": "t5.json"})
    said = refused(root, weekly="weekly.json")
    assert said.startswith("t5.json")
    assert "sampling_periods" in said


def test_a_policy_of_one_kind_is_none_of_another(tmp_path):
    root = tree(tmp_path, weekly=GOOD, t5={"abft_mode": {}}, t3={"selector_policy": {}})
    assert refused(root, t5="weekly.json") == "weekly.json: no policy of T5; name one"
    assert refused(root, t3="t5.json") == "t5.json: no policy of T3; name one"
    assert "weekly_slo: missing" in refused(root, weekly="t5.json")


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.sampled_from(["", "a", "weekly.json", "auto_t3_controlled:0"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=6), inner, max_size=2)
    ),
    max_leaves=6,
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_whatever_stands_in_a_policy_it_is_one_or_an_error_in_lines(tmp_path, data):
    document = copy.deepcopy(GOOD)
    table = document
    while True:
        key = data.draw(st.sampled_from([*sorted(table), "new"]))
        if isinstance(table.get(key), dict) and table[key] and data.draw(st.booleans()):
            table = table[key]
        else:
            table[key] = data.draw(VALUES)
            break
    tree(tmp_path, weekly=document)
    try:
        read = policies.read(tmp_path, weekly="weekly.json")
    except CockpitError as error:
        said = str(error).split("\n")
        assert all(line.isprintable() and line for line in said), said
    else:
        assert read.weekly is not None
