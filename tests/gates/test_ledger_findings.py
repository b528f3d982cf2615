"""What every proof of the ledger's gate is told, word for word."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from pytest_cockpit.records.ledger_git import Blob
from pytest_cockpit.records.text import canonical
from pytest_cockpit.testing import prove
from pytest_cockpit_gates.ledger import gate
from pytest_cockpit_gates.ledger.history import extends

EXPECTED = Path(__file__).parents[1] / "data/ledger/findings.json"


def told(proof, tmp_path):
    report = prove(gate, proof, tmp_path)
    found = [dataclasses.asdict(finding) for finding in report.findings]
    return json.loads(canonical({"summary": report.summary, "findings": found}))


@pytest.mark.parametrize("proof", gate.proofs(), ids=lambda proof: proof.name)
def test_a_proof_is_told_in_these_words(proof, tmp_path):
    assert told(proof, tmp_path) == json.loads(EXPECTED.read_bytes())[proof.name]


class Store:
    """Blobs by id, as git has them."""

    def __init__(self, **contents: bytes) -> None:
        self.contents = contents

    def read(self, oid: str) -> bytes:
        return self.contents[oid]

    def blob(self, oid: str) -> Blob:
        return Blob(oid, len(self.contents[oid]))


def test_a_ledger_extends_what_it_begins_with():
    store = Store(a=b"1\n", b=b"1\n2\n", c=b"3\n2\n", d=b"3\n")
    a, b, c, d = map(store.blob, "abcd")
    git = store
    for after, before, expected in (
        (a, None, True),
        (None, None, True),
        (None, a, False),
        (a, a, True),
        (b, a, True),
        (a, b, False),
        (c, a, False),
        (a, d, False),
    ):
        assert extends(git, after, before) is expected, (after, before)  # type: ignore[arg-type]
