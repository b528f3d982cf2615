from __future__ import annotations

import pytest

from pytest_cockpit.testing import prove, shortcomings
from pytest_cockpit_gates.matriz import gate
from pytest_cockpit_gates.matriz.telemetry import RULES, proofs


@pytest.mark.parametrize("proof", proofs(), ids=lambda proof: proof.name)
def test_a_proof_holds(tmp_path, proof):
    report = prove(gate, proof, tmp_path)
    assert shortcomings(gate, proof, report) == [], report.findings


def test_every_rule_has_a_proof():
    assert {rule.id for rule in RULES} == {proof.rule for proof in proofs() if proof.rule}
