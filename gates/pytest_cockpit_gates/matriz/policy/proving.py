"""Small trees that show each rule of the policy failing, and trees the gate accepts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_cockpit.api import Proof, Verdict
from pytest_cockpit.records.text import sha256
from pytest_cockpit_gates.matriz.policy import engine, rules

_CONTRACT = "contracts/matrix_core_common.json"
_POLICY = "policies/authz.rego"
_TESTS = "policies/authz_test.rego"
_CASES = "tests/core_authz.yaml"

_HEAD = "package core.authz\n\nimport rego.v1\n\n"
_DEFAULT = "default allow := false\n\n"
_ALLOW = """allow if {
    input.tier in input.contract.identity.required_tiers
    every scope in input.contract.identity.scopes {
        scope in input.scopes
    }
}
"""
_GOOD = _HEAD + _DEFAULT + _ALLOW
_GOOD_TEST = """package core.authz_test

import data.core.authz
import rego.v1

test_nobody_is_denied if {
    not authz.allow with input as {"tier": "guest", "contract": {"identity": {"scopes": []}}}
}
"""


def proofs() -> Iterator[Proof]:
    """Every proof of the policy's rules."""
    yield _proof("accepts-policy-that-decides-as-expected", {}, Verdict.PASS)
    yield _proof(
        "accepts-policy-that-is-wholly-covered",
        {},
        Verdict.PASS,
        settings={"rule_coverage": 1.0, "decision_coverage": 1.0},
    )
    yield from _bundles()
    yield from _engines()
    yield from _lints()
    yield from _tests()
    yield from _cases()
    yield from _coverage()


def _bundles() -> Iterator[Proof]:
    yield _proof(
        "refuses-policy-data-that-cannot-be-read",
        {"policies/data.json": "{"},
        Verdict.FAIL,
        rules.BUNDLE,
    )
    lines = _line("authz.rego", _GOOD) + _line("authz_test.rego", _GOOD_TEST)
    digest = sha256(lines.encode())
    for name, text in {
        "list": lines,
        "digest": f"{digest}\n",
    }.items():
        yield _proof(
            f"accepts-policy-of-the-stated-{name}",
            {"policy.sha256": text},
            Verdict.PASS,
            settings={"bundle_sha256": "policy.sha256"},
        )
    for name, text in {
        "changed-byte": _line("authz.rego", _GOOD + "\n") + _line("authz_test.rego", _GOOD_TEST),
        "missing-file": lines + _line("more.rego", ""),
        "extra-file": _line("authz.rego", _GOOD),
        "beginning-of-a-digest": digest[:12],
        "digest-that-is-too-long": f"{digest}0",
        "digest-in-capitals": digest.upper(),
        "nothing": "",
    }.items():
        yield _proof(
            f"refuses-checksum-of-{name}",
            {"policy.sha256": text},
            Verdict.FAIL,
            rules.CHECKSUM,
            settings={"bundle_sha256": "policy.sha256"},
        )
    yield _proof(
        "knows-nothing-of-cases-without-policy",
        {_POLICY: None, _TESTS: None},
        Verdict.UNKNOWN,
        rules.MISSING,
    )
    yield _proof(
        "refuses-policy-folder-that-is-empty",
        {},
        Verdict.FAIL,
        rules.MISSING,
        settings={"bundle": "rules"},
    )


def _engines() -> Iterator[Proof]:
    endless = "\ncount([1 | numbers.range(1, 9999)[_]; numbers.range(1, 9999)[_]]) == 0"
    yield _proof(
        "knows-nothing-of-a-decision-that-takes-too-long",
        {_POLICY: _HEAD + _DEFAULT + f"allow if {{{endless}\n}}\n", _TESTS: None},
        Verdict.UNKNOWN,
        rules.ENGINE,
        settings={"timeout_s": 0.2},
    )
    yield _proof(
        "knows-nothing-of-a-file-that-does-not-compile",
        {_POLICY: _GOOD + "\nother if { input.tier == }\n"},
        Verdict.UNKNOWN,
        rules.COMPILE,
    )
    yield _proof(
        "knows-nothing-without-the-second-judge-that-is-demanded",
        {},
        Verdict.UNKNOWN,
        rules.OPA,
        settings={"opa": "opa-that-is-nowhere"},
    )
    yield _proof(
        "refuses-query-of-no-rule",
        {},
        Verdict.FAIL,
        rules.QUERY,
        settings={"query": "data.core.authz.permit"},
    )
    yield _proof(
        "knows-nothing-between-two-decisions",
        {"policies/other.rego": _GOOD.replace("core.authz", "other.authz")},
        Verdict.UNKNOWN,
        rules.QUERY,
    )


def _lints() -> Iterator[Proof]:
    traps = {
        "membership": (
            'limits := {"friend": {"calls": 9}}\n\nlimited if input.tier in limits\n',
            rules.MEMBERSHIP,
        ),
        "contradiction": (
            "odd if {\n    input.tier_num > 3\n    input.tier_num < 2\n}\n",
            rules.NEVER,
        ),
        "unbound-name": ("odd if input.tier == favourite\n", rules.NAME),
        "network": (
            'odd if http.send({"method": "get", "url": input.tier}).status_code == 200\n',
            rules.IMPURE,
        ),
    }
    for name, (text, rule) in traps.items():
        yield _proof(f"refuses-{name}", {_POLICY: f"{_GOOD}\n{text}"}, Verdict.FAIL, rule)
    yield _proof(
        "refuses-decision-without-default",
        {_POLICY: _HEAD + _ALLOW, _CASES: _case(tier="friend", number=2, expected=True)},
        Verdict.FAIL,
        rules.DEFAULT,
    )
    yield _proof(
        "refuses-default-that-lets-in",
        {_POLICY: _GOOD.replace(":= false", ":= true")},
        Verdict.FAIL,
        rules.DEFAULT,
    )
    yield _proof(
        "warns-of-misspelt-input",
        {_POLICY: f"{_GOOD}\nodd if input.scops\n"},
        Verdict.WARN,
        rules.INPUT,
    )


def _tests() -> Iterator[Proof]:
    failing = '\ntest_friend_is_denied if {\n    not authz.allow with input as {"tier": "friend"}\n'
    contract = '{"identity": {"required_tiers": ["friend"], "scopes": []}}'
    yield _proof(
        "refuses-unit-test-that-fails",
        {
            _TESTS: _GOOD_TEST
            + failing.replace('"friend"}', f'"friend", "contract": {contract}}}')
            + "}\n"
        },
        Verdict.FAIL,
        rules.TEST,
    )
    again = _GOOD_TEST.partition("test_")[1] + _GOOD_TEST.partition("test_")[2]
    yield _proof(
        "refuses-unit-test-that-hides-another",
        {_TESTS: f"{_GOOD_TEST}\n{again}"},
        Verdict.FAIL,
        rules.SHADOWED,
    )


def _cases() -> Iterator[Proof]:
    wrong = {
        "file-that-is-no-yaml": ("module: [", rules.FILE),
        "case-without-expectation": (_case(expected=None), rules.CASE),
        "case-of-unknown-tier": (_case(tier="frend"), rules.CASE),
        "case-whose-tier-is-not-its-number": (_case(number=3), rules.CASE),
        "cases-of-no-module": (_case(module="core.other"), rules.MODULE),
        "decision-that-is-not-expected": (_case(expected=True), rules.DECISION),
    }
    for name, (text, rule) in wrong.items():
        yield _proof(f"refuses-{name}", {_CASES: text}, Verdict.FAIL, rule)
    yield _proof(
        "warns-of-scope-that-no-contract-has",
        {_CASES: _case(tier="friend", number=2, expected=True, scopes=("core.read", "core.burn"))},
        Verdict.WARN,
        rules.CONTRACT,
    )
    yield _proof(
        "refuses-undefined-decision-where-false-is-expected",
        {_POLICY: _HEAD + _ALLOW},
        Verdict.FAIL,
        rules.UNDEFINED,
    )
    yield _proof(
        "refuses-decision-that-is-no-boolean",
        {
            _POLICY: _HEAD + 'default allow := false\n\nallow := "no" if input.tier == "guest"\n',
            _TESTS: None,
        },
        Verdict.FAIL,
        rules.EVALUATION,
    )


def _coverage() -> Iterator[Proof]:
    yield _proof(
        "knows-nothing-of-a-policy-that-nothing-asks",
        {_TESTS: None, _CASES: None},
        Verdict.UNKNOWN,
        rules.RULES_COVERED,
    )
    yield _proof(
        "refuses-rule-that-nothing-reaches",
        {_POLICY: f'{_GOOD}\nspare if input.tier == "trusted"\n'},
        Verdict.FAIL,
        rules.RULES_COVERED,
        settings={"rule_coverage": 1.0},
    )
    yield _proof(
        "refuses-decisions-that-nothing-shows",
        {_CASES: _case()},
        Verdict.FAIL,
        rules.DECISIONS_COVERED,
        settings={"decision_coverage": 0.5},
    )


def _proof(
    name: str,
    changes: Mapping[str, str | None],
    expect: Verdict,
    rule: str | None = None,
    *,
    settings: Mapping[str, Any] | None = None,
) -> Proof:
    """A tree with a good contract, policy, unit test and cases, changed; None leaves a file out."""
    files = {
        "core/common.py": "def read():\n    return 1\n",
        "core/__init__.py": "",
        _CONTRACT: _contract(),
        _POLICY: _GOOD,
        _TESTS: _GOOD_TEST,
        _CASES: _all_tiers(),
        **changes,
    }
    present = {path: text for path, text in files.items() if text is not None}
    judged = {"policy": dict(settings or {})}
    return Proof(name, present, expect, rule, settings=judged, needs=engine.NEEDED)


def _contract() -> str:
    content = {
        "schema_version": "1.0.0",
        "module": "core.common",
        "owner": {"team": "core", "codeowners": ["@core"]},
        "gates": [{"metric": "coverage", "op": ">=", "value": 90}],
        "interface": {"public_api": [{"fn": "read", "stability": "stable"}], "contracts": []},
        "identity": {
            "requires_auth": True,
            "accepted_subjects": ["lukhas:user:*"],
            "required_tiers": ["friend"],
            "required_tiers_numeric": [2],
            "scopes": ["core.read"],
            "webauthn_required": False,
            "api_policies": [],
        },
    }
    return json.dumps(content, indent=2) + "\n"


def _case(
    *,
    module: str = "core.common",
    tier: str = "guest",
    number: int = 0,
    expected: bool | None = False,
    scopes: tuple[str, ...] = ("core.read",),
) -> str:
    return _file(module, [(tier, number, expected)], scopes)


def _all_tiers() -> str:
    names = ["guest", "visitor", "friend", "trusted", "inner_circle", "root_dev"]
    return _file(
        "core.common",
        [(tier, number, tier == "friend") for number, tier in enumerate(names)],
        ("core.read",),
    )


def _file(module: str, rows: list[tuple[str, int, bool | None]], scopes: tuple[str, ...]) -> str:
    cases = [
        {
            "name": f"{tier}_reads",
            "input": {
                "subject": "lukhas:user:ann",
                "tier": tier,
                "tier_num": number,
                "scopes": list(scopes),
                "action": "read",
            },
            **({} if expected is None else {"expected": expected}),
        }
        for tier, number, expected in rows
    ]
    # JSON is YAML.
    return json.dumps({"module": module, "test_cases": cases}, indent=1) + "\n"


def _line(path: str, text: str) -> str:
    return f"{sha256(text.encode())}  {path}\n"
