"""Measurements that keep or break the gates of a contract, and such as say nothing of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_cockpit.api import JSON, Proof, Verdict
from pytest_cockpit.records.text import sha256
from pytest_cockpit_gates.matriz.proving import contract_of

_SOURCE = "def total(items):\n    return sum(items)\n"
_FILES = {"core/common.py": _SOURCE}
_DIGESTS = {"core/common.py": sha256(_SOURCE.encode())}
_OTHER = {"core/common.py": sha256(b"def total(items):\n    return 0\n")}
_METRICS = {"evidence": {"metrics": ["metrics.json"]}}
_COVERAGE = {"evidence": {"coverage": ["coverage.json"]}}
_GATE = "matriz.gate-evidence"
_BROKEN = "matriz.gate-broken"
_INVALID = "matriz.evidence-invalid"

_NEVER = [{"metric": "coverage", "op": ">=", "value": 101}]
_ALWAYS = [{"metric": "coverage", "op": ">=", "value": 0}]
_LATENCY = [{"metric": "latency_ms", "op": "<=", "value": 100}]

# Name, gates of the contract (None: coverage of at least 90), metrics, files, expectation.
_TRIES: tuple[tuple[str, Any, Any, Mapping[str, str], Verdict, str | None], ...] = (
    ("accepts-measured-value", None, {"coverage": 90}, _DIGESTS, Verdict.PASS, None),
    (
        "accepts-value-in-another-unit",
        _LATENCY,
        {"latency_ms": {"value": 0.1, "unit": "s"}},
        _DIGESTS,
        Verdict.PASS,
        None,
    ),
    ("refuses-broken-gate", None, {"coverage": 89.99}, _DIGESTS, Verdict.FAIL, _BROKEN),
    ("knows-nothing-of-older-files", None, {"coverage": 95}, _OTHER, Verdict.UNKNOWN, _GATE),
    ("knows-nothing-of-another-metric", None, {"speed": 95}, _DIGESTS, Verdict.UNKNOWN, _GATE),
    ("knows-nothing-of-a-wild-value", None, {"coverage": 950}, _DIGESTS, Verdict.UNKNOWN, _GATE),
    (
        "knows-nothing-in-another-unit",
        None,
        {"coverage": {"value": 95, "unit": "ms"}},
        _DIGESTS,
        Verdict.UNKNOWN,
        _GATE,
    ),
)


def proofs() -> Iterator[Proof]:
    """Every proof of this part."""
    for name, gates, metrics, files, expect, rule in _TRIES:
        contract = contract_of(**({} if gates is None else {"gates": gates}))
        tree = {**_FILES, **contract, "metrics.json": _metrics(metrics, files)}
        yield Proof(name, tree, expect, rule, settings=_METRICS)
    two = {"metrics": ["metrics.json", "more.json"]}
    yield Proof(
        "knows-nothing-where-measurements-disagree",
        {
            **_FILES,
            **contract_of(),
            "metrics.json": _metrics({"coverage": 95}, _DIGESTS),
            "more.json": _metrics({"coverage": 94}, _DIGESTS),
        },
        Verdict.UNKNOWN,
        _GATE,
        settings={"evidence": two},
    )
    yield from _contracts()
    yield from _reports()


def _contracts() -> Iterator[Proof]:
    yield Proof(
        "refuses-gate-that-nothing-can-meet",
        {**_FILES, **contract_of(gates=_NEVER)},
        Verdict.FAIL,
        "matriz.gate-condition",
    )
    yield Proof(
        "warns-of-gate-that-nothing-can-break",
        {**_FILES, **contract_of(gates=_ALWAYS)},
        Verdict.WARN,
        "matriz.gate-vacuous",
    )
    yield Proof("accepts-gates-that-are-not-judged", {**_FILES, **contract_of()}, Verdict.PASS)


def _reports() -> Iterator[Proof]:
    tree = {**_FILES, **contract_of()}
    yield Proof(
        "accepts-coverage-of-these-files",
        {**tree, "coverage.json": _coverage(10, 1, _DIGESTS)},
        Verdict.PASS,
        settings=_COVERAGE,
    )
    yield Proof(
        "refuses-coverage-below-the-gate",
        {**tree, "coverage.json": _coverage(10, 2, _DIGESTS)},
        Verdict.FAIL,
        _BROKEN,
        settings=_COVERAGE,
    )
    yield Proof(
        "knows-nothing-of-coverage-of-older-files",
        {**tree, "coverage.json": _coverage(10, 0, _OTHER)},
        Verdict.UNKNOWN,
        _GATE,
        settings=_COVERAGE,
    )
    yield Proof(
        "knows-nothing-without-the-report",
        tree,
        Verdict.UNKNOWN,
        _INVALID,
        settings=_COVERAGE,
    )
    yield Proof(
        "knows-nothing-from-a-broken-report",
        {**tree, "coverage.json": '{"files": '},
        Verdict.UNKNOWN,
        _INVALID,
        settings=_COVERAGE,
    )


def _metrics(metrics: JSON, files: Mapping[str, str]) -> str:
    document = {
        "schema": "pytest-cockpit/metrics/1",
        "files": files,
        "metrics": {"core.common": metrics},
    }
    return json.dumps(document, indent=2) + "\n"


def _coverage(statements: int, missing: int, files: Mapping[str, str]) -> str:
    document = {
        "schema": "pytest-cockpit/coverage_ratchet/1",
        "tests": {"exit": 0},
        "files": {
            path: {"sha256": digest, "statements": statements, "missing_lines": missing}
            for path, digest in files.items()
        },
    }
    return json.dumps(document, indent=2) + "\n"
