"""Contracts whose identity contradicts itself, one for each rule, and some that do not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_cockpit.api import Proof, Verdict
from pytest_cockpit_gates.matriz.proving import contract_of, identity_of

_MODULE = {"core/common.py": "LIMIT = 3\n"}
# Takes anything, as the schemas of some repositories do.
_ANY = {"contracts/any.json": '{"$schema": "https://json-schema.org/draft/2020-12/schema"}\n'}

_BROKEN: tuple[tuple[str, str, Mapping[str, Any]], ...] = (
    ("identity-missing", "no-identity", {"identity": None}),
    ("tier-unknown", "unknown-tier", identity_of(required_tiers=["frend"])),
    ("tier-numbers", "number-of-another-tier", identity_of(required_tiers_numeric=[1, 3])),
    ("tier-numbers", "numbers-in-another-order", identity_of(required_tiers_numeric=[3, 2])),
    ("tier-numbers", "tiers-without-numbers", identity_of(required_tiers_numeric=None)),
    ("tiers-empty", "no-tiers", identity_of(required_tiers=[])),
    ("scopes-missing", "authentication-without-scopes", identity_of(scopes=[])),
    ("scopes-missing", "scopes-where-nothing-is-said", identity_of(requires_auth=None, scopes=[])),
    ("subject", "subject-of-another-kind", identity_of(accepted_subjects=["lukhas:users:*"])),
    ("subject", "subject-without-name", identity_of(accepted_subjects=["lukhas:user:"])),
    (
        "webauthn-missing",
        "high-tier-without-webauthn",
        identity_of(required_tiers=["root_dev"], required_tiers_numeric=[5]),
    ),
    (
        "webauthn-missing",
        "high-number-without-webauthn",
        identity_of(required_tiers_numeric=[2, 4]),
    ),
    ("tokenization-network", "tokens-without-network", {"tokenization": {"enabled": True}}),
)


def proofs() -> Iterator[Proof]:
    """Every proof of this part."""
    for rule, name, changes in _BROKEN:
        files = {**_MODULE, **contract_of(**changes)}
        yield Proof(f"refuses-{name}", files, Verdict.FAIL, f"matriz.{rule}")
    odd = identity_of(required_tiers="friend")
    yield Proof(
        "refuses-tiers-that-are-no-array",
        {**_MODULE, **contract_of(**odd), **_ANY},
        Verdict.FAIL,
        "matriz.shape",
        settings={"schema": "contracts/any.json"},
    )
    yield Proof(
        "refuses-critical-module-without-webauthn",
        {**_MODULE, **contract_of()},
        Verdict.FAIL,
        "matriz.webauthn-missing",
        settings={"critical": ["core.*"]},
    )
    yield Proof(
        "refuses-module-that-calls-itself-critical-without-webauthn",
        {**_MODULE, **contract_of(**{"x-risk": "high"})},
        Verdict.FAIL,
        "matriz.webauthn-missing",
        settings={"critical_fields": {"/x-risk": ["high"]}},
    )
    yield Proof(
        "warns-of-no-identity-where-told-so",
        {**_MODULE, **contract_of(identity=None)},
        Verdict.WARN,
        "matriz.identity-missing",
        settings={"severity": {"identity-missing": "warning"}},
    )
    yield Proof(
        "accepts-tiers-and-subjects-of-ones-own",
        {
            **_MODULE,
            **contract_of(
                **identity_of(
                    required_tiers=["crew"],
                    required_tiers_numeric=[7],
                    accepted_subjects=["port:pilot:*"],
                ),
            ),
            **_ANY,
        },
        Verdict.PASS,
        settings={
            "tiers": {"crew": 7},
            "subject_prefixes": ["port:pilot:"],
            "schema": "contracts/any.json",
        },
    )
    yield Proof(
        "accepts-high-tier-with-webauthn",
        {
            **_MODULE,
            **contract_of(
                **identity_of(
                    required_tiers=["inner_circle"],
                    required_tiers_numeric=[4],
                    webauthn_required=True,
                ),
                tokenization={"enabled": True, "network": "solana"},
            ),
        },
        Verdict.PASS,
    )
