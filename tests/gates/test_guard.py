from __future__ import annotations

import pytest

from pytest_cockpit.testing import check_proofs, prove, shortcomings
from pytest_cockpit_gates.guard import gate


@pytest.mark.parametrize("proof", gate.proofs(), ids=lambda proof: proof.name)
def test_a_proof_holds(proof, tmp_path):
    assert shortcomings(gate, proof, prove(gate, proof, tmp_path)) == []


def test_every_rule_has_a_proof():
    assert check_proofs(gate) == []
