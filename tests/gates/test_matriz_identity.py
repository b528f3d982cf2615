from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.api import Severity, Verdict
from pytest_cockpit.records.schema import problems_by
from pytest_cockpit.testing import run_gate
from pytest_cockpit_gates.matriz import gate
from pytest_cockpit_gates.matriz.contracts import Contract
from pytest_cockpit_gates.matriz.faults import DEFAULTS, Fault, located
from pytest_cockpit_gates.matriz.identity import Policy, faults

GOOD = {
    "requires_auth": True,
    "accepted_subjects": ["lukhas:user:*", "lukhas:svc:guardian"],
    "required_tiers": ["friend", "trusted"],
    "required_tiers_numeric": [2, 3],
    "scopes": ["core.read"],
    "webauthn_required": False,
}


def contract(value) -> Contract:
    return Contract("c.json", json.dumps(value, indent=1).encode(), value)


def told(changes, settings=None, **top):
    """Rule, place and message of every fault of a contract whose identity has these changes."""
    value = {**GOOD, **changes}
    value = {key: item for key, item in value.items() if item is not ...}
    document = contract({"module": "core.common", "identity": value, **top})
    return [
        (fault.rule.removeprefix("matriz."), "/".join(map(str, fault.keys)), fault.message)
        for fault in faults(document, Policy.of(settings or {}))
    ]


def rules(changes, settings=None, **top):
    return [rule for rule, _, _ in told(changes, settings, **top)]


def test_an_identity_without_contradiction_has_no_fault():
    assert told({}) == []


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({}, ()),
        ({"identity": None}, ("identity",)),
        ({"identity": []}, ("identity",)),
        ({"identity": "none"}, ("identity",)),
    ],
)
def test_a_contract_says_who_may_call_its_module(value, place):
    (fault,) = faults(contract(value), Policy.of({}))
    assert (fault.rule, fault.keys) == ("matriz.identity-missing", place)
    assert "required_tiers_numeric" in str(fault.remedy)


def test_a_contract_that_is_no_object_is_the_schemas_affair():
    assert faults(contract([1]), Policy.of({})) == []


# Tiers


def test_every_known_tier_has_its_number():
    names = ["guest", "visitor", "friend", "trusted", "inner_circle", "root_dev"]
    for number, name in enumerate(names):
        right = {"required_tiers": [name], "required_tiers_numeric": [number]}
        assert rules({**right, "webauthn_required": True}) == []
        wrong = {**right, "required_tiers_numeric": [number + 1]}
        assert rules({**wrong, "webauthn_required": True}) == ["tier-numbers"]


def test_an_unknown_tier_is_told_with_the_known_ones():
    (fault,) = told({"required_tiers": ["friend", "frend"]})
    assert fault == (
        "tier-unknown",
        "identity/required_tiers/1",
        (
            'tier "frend" is not one of guest, visitor, friend, trusted, inner_circle, root_dev'
            '; did you mean "friend"?'
        ),
    )


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ([2], "are numbered [2]"),
        ([2, 3, 3], "are numbered [2, 3, 3]"),
        ([3, 2], "are numbered [3, 2]"),
        ([2, True], "are numbered [2, true]"),
        ([2, "3"], 'are numbered [2, "3"]'),
        ([2, 3.5], "are numbered [2, 3.5]"),
        ([2, None], "are numbered [2, null]"),
        ([], "are numbered []"),
        (..., "have no numbers"),
    ],
)
def test_numbers_are_those_of_the_names(numbers, said):
    (fault,) = told({"required_tiers_numeric": numbers})
    place = "required_tiers" if numbers is ... else "required_tiers_numeric"
    assert fault == (
        "tier-numbers",
        f"identity/{place}",
        f"tiers friend, trusted {said}, expected [2, 3]",
    )


def test_a_truth_value_is_no_number():
    changes = {"required_tiers": ["visitor"], "required_tiers_numeric": [True]}
    assert rules(changes) == ["tier-numbers"]


def test_a_whole_number_may_be_written_with_a_point():
    assert rules({"required_tiers_numeric": [2.0, 3]}) == []


def test_many_numbers_are_cut_off():
    (fault,) = told({"required_tiers_numeric": [9] * 100})
    assert len(fault[2]) < 120
    assert "…]" in fault[2]


def test_a_tier_that_is_no_text_is_odd_and_its_numbers_are_not_judged():
    assert told({"required_tiers": ["friend", 3]}) == [
        ("shape", "identity/required_tiers/1", "expected text, got 3")
    ]


@pytest.mark.parametrize(("tiers", "place"), [([], "identity/required_tiers"), (..., "identity")])
def test_at_least_one_tier_is_required(tiers, place):
    (fault,) = told({"required_tiers": tiers})
    assert fault[:2] == ("tiers-empty", place)


def test_tiers_of_another_shape_are_told_once():
    assert told({"required_tiers": "friend"}) == [
        ("shape", "identity/required_tiers", 'expected an array, got "friend"')
    ]


def test_tiers_are_a_setting():
    own = {"required_tiers": ["crew"], "required_tiers_numeric": [7]}
    assert rules(own, {"tiers": {"crew": 7}}) == []
    assert rules(own, {"tiers": {"crew": 8}}) == ["tier-numbers"]
    assert rules(own) == ["tier-unknown"]


def test_every_odd_member_is_told():
    found = told({"required_tiers": "x", "accepted_subjects": "y", "webauthn_required": "z"})
    assert [rule for rule, _, _ in found] == ["shape"] * 3


# Scopes


@pytest.mark.parametrize("scopes", [..., [], [""], [" "], ["\u200b"]])
@pytest.mark.parametrize("auth", [True, ...])
def test_a_module_that_requires_authentication_names_scopes(scopes, auth):
    assert rules({"scopes": scopes, "requires_auth": auth}) == ["scopes-missing"]


def test_a_module_for_everybody_needs_no_scope():
    assert rules({"scopes": [], "requires_auth": False}) == []


def test_what_is_no_truth_value_does_not_free_of_scopes():
    assert rules({"scopes": [], "requires_auth": 0}) == ["scopes-missing", "shape"]


def test_scopes_of_another_shape_are_none():
    assert rules({"scopes": "core.read"}) == ["scopes-missing", "shape"]
    assert rules({"scopes": [1]}) == ["scopes-missing", "shape"]


# Subjects


@pytest.mark.parametrize(
    ("subject", "said"),
    [
        ("lukhas:users:*", "does not start with"),
        ("user:*", "does not start with"),
        ("LUKHAS:user:*", "does not start with"),
        (" lukhas:user:*", "does not start with"),
        ("lukhas:user:", "names nobody behind"),
        ("lukhas:svc: ", "names nobody behind"),
        ("lukhas:svc:\u200b", "names nobody behind"),
        ("lukhas:svc:a b", "names nobody behind"),
    ],
)
def test_a_subject_has_a_prefix_and_a_name(subject, said):
    (fault,) = told({"accepted_subjects": ["lukhas:user:*", subject]})
    assert fault[:2] == ("subject", "identity/accepted_subjects/1")
    assert said in fault[2]


def test_prefixes_are_a_setting():
    changes = {"accepted_subjects": ["port:pilot:7"]}
    assert rules(changes) == ["subject"]
    assert rules(changes, {"subject_prefixes": ["ship:", "port:pilot:"]}) == []


def test_no_subject_is_no_fault():
    assert rules({"accepted_subjects": ...}) == []
    assert rules({"accepted_subjects": []}) == []


# WebAuthn


@pytest.mark.parametrize("missing", [..., False])
@pytest.mark.parametrize(
    ("tier", "number"), [("inner_circle", 4), ("root_dev", 5)], ids=["inner_circle", "root_dev"]
)
def test_high_tiers_require_webauthn(tier, number, missing):
    changes = {
        "required_tiers": ["trusted", tier],
        "required_tiers_numeric": [3, number],
        "webauthn_required": missing,
    }
    (fault,) = told(changes)
    place = "identity" if missing is ... else "identity/webauthn_required"
    assert fault == (
        "webauthn-missing",
        place,
        f"does not require WebAuthn, though tier {tier} is required",
    )
    assert rules({**changes, "webauthn_required": True}) == []


def test_a_high_number_counts_where_the_name_is_missing():
    assert rules({"required_tiers": [], "required_tiers_numeric": [4]}) == [
        "tiers-empty",
        "webauthn-missing",
    ]


def test_text_is_no_webauthn():
    changes = {"required_tiers": ["root_dev"], "required_tiers_numeric": [5]}
    assert rules({**changes, "webauthn_required": "true"}) == ["webauthn-missing", "shape"]


def test_all_reasons_are_told_lowest_tier_first():
    changes = {"required_tiers": ["root_dev", "inner_circle"], "required_tiers_numeric": [5, 4]}
    (fault,) = told(changes, {"critical": ["core.*"]})
    assert fault[2].endswith(
        "tier inner_circle is required and tier root_dev is required and core.common is critical"
    )


@pytest.mark.parametrize(
    ("patterns", "critical"),
    [
        (["core.common"], True),
        (["core.*"], True),
        (["*.common"], True),
        (["other", "core.?ommon"], True),
        (["core"], False),
        (["CORE.*"], False),
        ([], False),
    ],
)
def test_modules_are_critical_by_name(patterns, critical):
    assert (rules({}, {"critical": patterns}) == ["webauthn-missing"]) is critical


@pytest.mark.parametrize(
    ("fields", "critical"),
    [
        ({"/x-risk/level": ["high"]}, True),
        ({"/x-risk/level": ["low"]}, False),
        ({"/x-risk/level": [True, "high"]}, True),
        ({"/x-risk/flag": [True]}, True),
        ({"/x-risk/flag": [1]}, False),
        ({"/x-risk/a~1b~0c": [2]}, True),
        ({"/x-risk/list/1": ["b"]}, True),
        ({"/x-risk/list/2": ["b"]}, False),
        ({"/x-risk/list/x": ["b"]}, False),
        ({"/x-risk/none": [None]}, True),
        ({"/x-risk/level/deeper": ["high"]}, False),
        ({"/missing/deeper": ["high"]}, False),
    ],
)
def test_modules_are_critical_by_a_field(fields, critical):
    risk = {"level": "high", "flag": True, "a/b~c": 2, "list": ["a", "b"], "none": None}
    found = rules({}, {"critical_fields": fields}, **{"x-risk": risk})
    assert (found == ["webauthn-missing"]) is critical


def test_high_tiers_are_a_setting():
    assert rules({}, {"webauthn_tiers": ["trusted"]}) == ["webauthn-missing"]
    high = {"required_tiers": ["root_dev"], "required_tiers_numeric": [5]}
    assert rules(high, {"webauthn_tiers": []}) == []


def test_a_high_tier_that_the_table_does_not_know_matches_no_odd_number():
    assert rules({"required_tiers_numeric": [2, None]}, {"webauthn_tiers": ["captain"]}) == [
        "tier-numbers"
    ]


# Tokens


@pytest.mark.parametrize(
    ("token", "found"),
    [
        ({"enabled": True, "network": "solana"}, []),
        ({"enabled": False}, []),
        ({}, []),
        ({"enabled": True}, [("tokenization-network", "tokenization")]),
        ({"enabled": True, "network": None}, [("tokenization-network", "tokenization/network")]),
        ({"enabled": True, "network": " "}, [("tokenization-network", "tokenization/network")]),
        (
            {"enabled": True, "network": "\ufeff"},
            [("tokenization-network", "tokenization/network")],
        ),
        ({"enabled": "true"}, [("shape", "tokenization/enabled")]),
        ([], [("shape", "tokenization")]),
        (None, [("shape", "tokenization")]),
    ],
)
def test_tokens_need_a_network(token, found):
    assert [fault[:2] for fault in told({}, tokenization=token)] == found


# Findings


@pytest.mark.parametrize(
    ("value", "message", "remedy"),
    [
        (
            {},
            "says nothing of who may call the module",
            'add "identity" with requires_auth, required_tiers and required_tiers_numeric',
        ),
        (
            {"identity": {**GOOD, "required_tiers": ["x"]}},
            'tier "x" is not one of guest, visitor, friend, trusted, inner_circle, root_dev',
            "use one of guest, visitor, friend, trusted, inner_circle, root_dev",
        ),
        (
            {"identity": {**GOOD, "required_tiers": []}},
            "requires no tier",
            'name the tiers in "required_tiers", such as "guest"',
        ),
        (
            {"identity": {**GOOD, "required_tiers_numeric": [2]}},
            "tiers friend, trusted are numbered [2], expected [2, 3]",
            'write "required_tiers_numeric": [2, 3]',
        ),
        (
            {"identity": {**GOOD, "scopes": []}},
            "requires authentication and names no scope",
            'name the scopes in "scopes", or set requires_auth to false',
        ),
        (
            {"identity": {**GOOD, "accepted_subjects": ["x"]}},
            'subject "x" does not start with "lukhas:user:" or "lukhas:svc:"',
            'start it with "lukhas:user:" or "lukhas:svc:"',
        ),
        (
            {"identity": {**GOOD, "accepted_subjects": ["lukhas:svc:"]}},
            'subject "lukhas:svc:" names nobody behind "lukhas:svc:"',
            'write a name or "*" behind "lukhas:svc:"',
        ),
        (
            {"identity": {**GOOD, "required_tiers": ["root_dev"], "required_tiers_numeric": [5]}},
            "does not require WebAuthn, though tier root_dev is required",
            'set "webauthn_required" to true',
        ),
        (
            {"identity": GOOD, "tokenization": {"enabled": True}},
            "tokenization is enabled without a network",
            'name the "network"',
        ),
        (
            {"identity": {**GOOD, "scopes": "x"}, "tokenization": []},
            "expected an object, got an empty array",
            "write an object",
        ),
        (
            {"identity": {**GOOD, "webauthn_required": 1}},
            "expected true or false, got 1",
            "write true or false",
        ),
    ],
)
def test_each_rule_has_its_words(value, message, remedy):
    fault = faults(contract(value), Policy.of({}))[0]
    assert (fault.message, fault.remedy) == (message, remedy)


def test_what_a_number_should_have_been_is_evidence():
    value = {"identity": {**GOOD, "required_tiers_numeric": [2]}}
    (fault,) = faults(contract(value), Policy.of({}))
    assert fault.evidence == {"tiers": ["friend", "trusted"], "expected": [2, 3]}


def test_why_webauthn_is_needed_is_evidence():
    (fault,) = faults(contract({"module": "m", "identity": GOOD}), Policy.of({"critical": ["m"]}))
    assert fault.evidence == {"because": ["m is critical"]}


def test_the_value_of_a_field_is_a_reason():
    (fault,) = told({}, {"critical_fields": {"/x-risk": ["high"]}}, **{"x-risk": "high"})
    assert fault[2].endswith('though /x-risk is "high"')


def test_the_part_counts_contracts(tmp_path):
    text = json.dumps({"module": "core", "identity": GOOD})
    report = run_gate(gate, {"core.py": "", "matrix_a.json": text}, tmp_path=tmp_path)
    (parts,) = [it.data for it in report.evidence if it.name == "parts"]
    assert parts["identity"] == {"checked": 1, "summary": ""}


def test_a_finding_has_file_line_pointer_and_remedy(tmp_path):
    text = json.dumps({"module": "core", "identity": {**GOOD, "scopes": []}}, indent=1)
    schema = '{"$schema": "https://json-schema.org/draft/2020-12/schema"}'
    report = run_gate(
        gate,
        {"core.py": "", "matrix_a.json": text, "any.schema.json": schema},
        tmp_path=tmp_path,
        settings={"schema": "any.schema.json"},
    )
    (finding,) = report.findings
    line = text.split("\n").index('  "scopes": [],') + 1
    assert (finding.rule, finding.path, finding.line, finding.pointer) == (
        "matriz.scopes-missing",
        "matrix_a.json",
        line,
        "/identity/scopes",
    )
    assert finding.remedy == 'name the scopes in "scopes", or set requires_auth to false'
    assert report.verdict is Verdict.FAIL


@pytest.mark.parametrize("name", [name for name in DEFAULTS if not name.endswith("unknown")])
def test_severities_are_a_setting(name):
    value: dict[str, Any] = {"identity": {}}
    fault = Fault(f"matriz.{name}", ("identity",), "odd")
    (finding,) = located(contract(value), [fault], {})
    assert finding.severity is DEFAULTS[name]
    (finding,) = located(contract(value), [fault], {name: "info"})
    assert finding.severity is Severity.INFO
    assert problems_by({"severity": {name: "info"}}, gate.settings_schema) == []


def test_what_cannot_be_told_is_never_made_nothing():
    schema = gate.settings_schema
    for name in ("function-unknown", "tier-unknown"):
        allowed = schema["properties"]["severity"]["properties"][name]["enum"]
        assert ("info" in allowed) is (name == "tier-unknown")
    assert problems_by({"severity": {"gate-evidence": "info"}}, schema)
    assert problems_by({"severity": {"shape": "info"}}, schema)


@pytest.mark.parametrize(
    "settings",
    [
        {"tiers": {}},
        {"tiers": {"crew": -1}},
        {"tiers": {"crew": 1.5}},
        {"subject_prefixes": []},
        {"subject_prefixes": [""]},
        {"critical": "core.*"},
        {"critical_fields": {"x-risk": ["high"]}},
        {"critical_fields": {"/x-risk": []}},
        {"severity": {"tier": "info"}},
        {"severity": {"subject": "off"}},
    ],
)
def test_odd_settings_are_refused(settings):
    assert problems_by(settings, gate.settings_schema)


# Nothing brings it down

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["friend", "root_dev", "lukhas:user:*", "total", "a.b", "", " ", "\n", "é"])
    | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*GOOD, "api_policies", "fn", "enabled", "network"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from([*GOOD, "api_policies"]), ANYTHING), ANYTHING, ANYTHING)
def test_any_identity_is_judged(block, token, other):
    for value in (block, other):
        document = contract({"module": "m", "identity": value, "tokenization": token})
        policy = Policy.of({"critical_fields": {"/identity/scopes/0": ["a"]}, "critical": ["m"]})
        found = list(located(document, faults(document, policy), {}))
        assert all(item.path == "c.json" and "\n" not in item.message for item in found)
        places = [(item.rule, item.pointer) for item in found]
        assert len(places) == len(set(places))
