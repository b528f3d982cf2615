"""One small tree that breaks each rule, and some that keep them all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

from pytest_cockpit.api import Proof, Verdict
from pytest_cockpit.quarantine.marks import utc_today
from pytest_cockpit_gates.quarantine import rules

_TEST = "tests/test_gate.py"
_MOVED = "tests/port/test_gate.py"
_RED = "    assert 'moor' in ()"


def proofs() -> Iterator[Proof]:
    """Made when they are asked for: a marker's days are counted from today."""
    day = utc_today() + timedelta(30)
    past = utc_today() - timedelta(1)
    kept = _baseline(_TEST)
    red = {_TEST: _test(f"issue='#7', owner='@gate', expires='{day}'")}
    yield Proof("new-test", red, Verdict.FAIL, rules.NEW)
    yield Proof(
        "expired",
        {_TEST: _test(f"issue='#7', owner='@gate', expires='{past}'"), **kept},
        Verdict.FAIL,
        rules.EXPIRED,
    )
    yield Proof(
        "passes",
        {_TEST: _test(f"issue='#7', owner='@gate', expires='{day}'", "    pass"), **kept},
        Verdict.FAIL,
        rules.PASSES,
    )
    yield Proof(
        "malformed-marker",
        {_TEST: _test(f"owner='@gate', expires='{day}'"), **kept},
        Verdict.FAIL,
        rules.MALFORMED,
    )
    yield Proof(
        "not-collected",
        {_TEST: f"import a_module_that_is_nowhere\n{red[_TEST]}", **kept},
        Verdict.UNKNOWN,
        rules.LOST,
    )
    yield Proof(
        "not-run",
        {
            _TEST: _test(
                f"issue='#7', owner='@gate', expires='{day}'", "    import os\n    os._exit(3)"
            ),
            **kept,
        },
        Verdict.UNKNOWN,
        rules.NOT_RUN,
    )
    yield Proof(
        "loosened-baseline",
        {**red, **kept},
        Verdict.FAIL,
        rules.LOOSENED,
        base_files={_TEST: "def test_gate():\n    pass\n", **_baseline()},
    )
    yield Proof(
        "baseline-slack",
        {_TEST: "def test_gate():\n    pass\n", **kept},
        Verdict.WARN,
        rules.SLACK,
    )
    yield Proof("known-accepted", {**red, **kept}, Verdict.PASS)
    yield Proof("none-accepted", {_TEST: "def test_gate():\n    pass\n"}, Verdict.PASS)
    yield Proof(
        "moved-accepted",
        {_MOVED: red[_TEST], **_baseline(_MOVED)},
        Verdict.PASS,
        base_files={**red, **kept},
    )


def _test(arguments: str, body: str = _RED) -> str:
    return (
        f"import pytest\n\n\n@pytest.mark.authz_quarantine({arguments})\ndef test_gate():\n{body}\n"
    )


def _baseline(*paths: str) -> dict[str, str]:
    document = {
        "schema": "pytest-cockpit/baseline/1",
        "gate": "quarantine",
        "entries": {path: {"tests": {"test_gate": "#7"}} for path in paths},
        "meta": {},
    }
    return {".cockpit/baselines/quarantine.json": json.dumps(document)}
