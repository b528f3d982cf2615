"""The authorization policy: a decision for each of 10,000 contracts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_cockpit.api import Context, Verdict
from pytest_cockpit_gates.matriz import documents, policy
from pytest_cockpit_gates.matriz.policy import bundle, casefiles
from pytest_cockpit_gates.matriz.policy.asking import Asker
from pytest_cockpit_gates.matriz.policy.settings import Settings

CONTRACTS = 10_000
FEW = 200
EXAMPLE = Path(__file__).parents[1] / "examples" / "policy"
ENTRY = "matriz/authz/allow"

_GROUP = pytest.mark.benchmark(group="policy: 10,000 contracts")


@dataclass(frozen=True)
class Read:
    """A contract as it is after reading."""

    path: str
    module: str
    value: Any


def _contract(index):
    module = f"prod.q{index // 50:04d}.m{index:06d}"
    return {
        "schema_version": "1.0.0",
        "module": module,
        "owner": {"team": f"team {index % 20}", "codeowners": ["@one"]},
        "interface": {"public_api": [{"fn": f"total_{n}", "stability": "stable"} for n in (1, 2)]},
        "gates": [{"metric": "coverage", "op": ">=", "value": 90}],
        "telemetry": {"spans": [{"name": f"call {n}"} for n in range(20)]},
        "identity": {
            "requires_auth": True,
            "accepted_subjects": ["lukhas:user:*", "lukhas:svc:billing"],
            "required_tiers": ["friend", "trusted"],
            "required_tiers_numeric": [2, 3],
            "scopes": [f"m{index}.read", f"m{index}.write"],
            "webauthn_required": False,
            "api_policies": [{"fn": "total_2", "requires_step_up": True}],
        },
    }


def _case(index):
    tier, number = (("friend", 2), ("guest", 0))[index % 2]
    return {
        "name": f"{tier}_reads",
        "input": {
            "subject": "lukhas:user:ann",
            "tier": tier,
            "tier_num": number,
            "scopes": [f"m{index}.read", f"m{index}.write"],
            "action": "total_1(a: int) -> int",
            "env": {"mfa": False, "webauthn_verified": False},
        },
        "expected": tier == "friend",
    }


@pytest.fixture(scope="module")
def pairs():
    made = []
    for index in range(CONTRACTS):
        value, row = _contract(index), _case(index)
        path = f"tests/m{index}_authz.yaml"
        case = casefiles.AuthzCase(
            path, row["name"], path, 1, 0, value["module"], row["input"], row["expected"]
        )
        made.append((case, Read(f"c{index}.json", value["module"], value)))
    return made


@_GROUP
def test_one_compiled_policy(meter, pairs, tmp_path):
    """What the gate does: one child process, one compilation, one answer for each case."""
    found = bundle.read(EXAMPLE, "policies", None)
    asker = Asker(found, Settings(), tmp_path)
    asked = meter(
        "decisions, compiled once, in a child process",
        lambda: asker.cases(ENTRY, pairs),
        rounds=3,
        ours=True,
        goal="≤ 10 s CPU",
    )
    assert [one.value for one in asked.outcome.answers] == [case.expected for case, _ in pairs]


@_GROUP
def test_an_interpreter_for_each_query(meter, pairs):
    regopy = pytest.importorskip("regopy")
    text = (EXAMPLE / "policies/matriz/authz.rego").read_text()

    def decide():
        answers = []
        for case, contract in pairs[:FEW]:
            interpreter = regopy.Interpreter()
            interpreter.add_module("authz.rego", text)
            interpreter.set_input({**case.input, "contract": contract.value})
            answers.append(interpreter.query("v := data.matriz.authz.allow").results[0]["v"])
        return answers

    answers = meter(
        "decisions, an interpreter for each",
        decide,
        rounds=1,
        scaled=CONTRACTS / FEW,
        note=f"measured on {FEW}",
    )
    assert answers == [case.expected for case, _ in pairs[:FEW]]


@_GROUP
def test_whole_part(meter, tmp_path):
    """Files of cases found and read, linted, decided, and what was reached measured."""
    root = tmp_path / "tree"
    for index in range(CONTRACTS):
        value = _contract(index)
        folder = root / f"d{index // 100}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"matrix_{index}.json").write_text(json.dumps(value))
        cases = {"module": value["module"], "test_cases": [_case(index)]}
        (folder / f"m{index}_authz.yaml").write_text(json.dumps(cases, indent=1))
    (root / "policies").mkdir()
    (root / "policies/authz.rego").write_text((EXAMPLE / "policies/matriz/authz.rego").read_text())
    context = Context(root=root, scratch=tmp_path)
    contracts = documents.find(context)
    part = meter("the whole part, from files", lambda: policy.judge(context, contracts), rounds=1)
    assert len(part.cases) == CONTRACTS
    assert {case.verdict for case in part.cases} == {Verdict.PASS}
