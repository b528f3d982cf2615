"""What every proof of the ledger's gate is told, word for word."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from pytest_cockpit.records.text import canonical
from pytest_cockpit.testing import prove
from pytest_cockpit_gates.ledger import gate

EXPECTED = Path(__file__).parents[1] / "data/ledger/findings.json"


def told(proof, tmp_path):
    report = prove(gate, proof, tmp_path)
    found = [dataclasses.asdict(finding) for finding in report.findings]
    return json.loads(canonical({"summary": report.summary, "findings": found}))


@pytest.mark.parametrize("proof", gate.proofs(), ids=lambda proof: proof.name)
def test_a_proof_is_told_in_these_words(proof, tmp_path):
    assert told(proof, tmp_path) == json.loads(EXPECTED.read_bytes())[proof.name]
