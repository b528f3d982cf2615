"""The gate of contracts: 10,000 of them against the shipped schema."""

from __future__ import annotations

import json

import jsonschema
import pytest

from pytest_cockpit.api import Context, Verdict
from pytest_cockpit_gates.matriz import bounds
from pytest_cockpit_gates.matriz.contracts import Contract
from pytest_cockpit_gates.matriz.identity import Policy, faults
from pytest_cockpit_gates.matriz.interface import offers
from pytest_cockpit_gates.matriz.judging import judge
from pytest_cockpit_gates.matriz.schemas import shipped

CONTRACTS = 10_000
FEW = 200

_GROUP = pytest.mark.benchmark(group="matriz: 10,000 contracts")


def _contract(index):
    return {
        "schema_version": "1.0.0",
        "module": f"prod.q{index // 50:04d}.m{index:06d}",
        "owner": {"team": f"team {index % 20}", "codeowners": ["@one", f"@team-{index % 20}"]},
        "interface": {"public_api": [{"fn": f"total_{n}", "stability": "stable"} for n in (1, 2)]},
        "params": {
            f"limit_{n}": {"type": "int", "default": n, "min": 0, "max": index + 10}
            for n in range(3)
        },
        "gates": [
            {"metric": "coverage", "op": ">=", "value": 90},
            {"metric": "error_rate", "op": "<=", "value": 0.01},
        ],
        "identity": {
            "requires_auth": True,
            "accepted_subjects": ["lukhas:user:*", f"lukhas:svc:s{index % 20}"],
            "required_tiers": ["trusted", "inner_circle"],
            "required_tiers_numeric": [3, 4],
            "scopes": [f"m{index}.read", f"m{index}.write"],
            "webauthn_required": True,
            "api_policies": [{"fn": "total_1", "requires_step_up": True}],
        },
        "telemetry": {"spans": [{"name": f"call {n}"} for n in range(2)]},
    }


@pytest.fixture(scope="module")
def contracts():
    return [_contract(index) for index in range(CONTRACTS)]


@_GROUP
def test_schema_check(meter, contracts):
    """What the gate does with each contract once it is read."""
    validator = shipped().fast
    valid = meter(
        "schema check, `jsonschema_rs`",
        lambda: sum(map(validator.is_valid, contracts)),
        rounds=5,
        ours=True,
        goal="≤ 0.2 s CPU",
    )
    assert valid == CONTRACTS


@_GROUP
def test_identity_check(meter, contracts):
    """What else the gate does with each contract that needs no other file."""
    policy = Policy.of({})
    read = [Contract(f"{index}.json", b"", value) for index, value in enumerate(contracts)]

    def judged():
        return [
            fault
            for contract in read
            for fault in (
                *faults(contract, policy),
                *offers(contract)[0],
                *bounds.read(contract)[0],
            )
        ]

    found = meter("identity, policies, conditions", judged, rounds=5)
    assert found == []


@_GROUP
def test_plain_jsonschema(meter, contracts):
    document = shipped().document
    validator = jsonschema.validators.validator_for(document)(document)
    valid = meter(
        "schema check, `jsonschema`",
        lambda: sum(map(validator.is_valid, contracts[:FEW])),
        scaled=CONTRACTS / FEW,
        note=f"measured on {FEW}",
    )
    assert valid == FEW


@_GROUP
def test_whole_gate(meter, contracts, tmp_path):
    """Files found, read, held against the schema, themselves and the modules of the tree."""
    for contract in contracts:
        folder = tmp_path / "tree" / contract["module"].replace(".", "/")
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text("def total_1(): ...\n\ndef total_2(): ...\n")
        (folder / "matrix_one.json").write_text(json.dumps(contract, indent=2))
    context = Context(root=tmp_path / "tree", scratch=tmp_path)
    report = meter("the whole gate, from files", lambda: judge(context), rounds=1)
    assert report.verdict is Verdict.PASS, report.summary
    assert report.checked == CONTRACTS
