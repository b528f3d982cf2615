"""Small trees that show each rule failing, and trees the gate accepts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_cockpit.api import SHIM_MARK, Move, Proof, Verdict

_MODULE = {"core/common.py": "LIMIT = 3\n"}
_PATH = "contracts/matrix_core_common.json"
_MOVE = Move("candidate/core/common.py", "core/common.py", "0" * 40)
_OPEN = {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"}
_STRICT = {**_OPEN, "required": ["reviewed_by"]}
_IDENTITY: Mapping[str, Any] = {
    "requires_auth": True,
    "accepted_subjects": ["lukhas:user:*", "lukhas:svc:harbour"],
    "required_tiers": ["friend", "trusted"],
    "required_tiers_numeric": [2, 3],
    "scopes": ["common.read"],
    "webauthn_required": False,
    "api_policies": [],
}


def of_documents() -> Iterator[Proof]:
    """Proofs of the rules for contracts as documents, and trees the gate accepts."""
    yield from _accepted()
    yield from _documents()
    yield from _schemas()


def _accepted() -> Iterator[Proof]:
    yield Proof("accepts-valid-contract", {**_MODULE, **contract_of()}, Verdict.PASS)
    yield Proof(
        "accepts-contracts-that-follow-a-move",
        {**_MODULE, **contract_of(), _MOVE.source: _shim()},
        Verdict.PASS,
        moves=(_MOVE,),
        batch_id="proof",
    )
    yield Proof(
        "accepts-one-schema-for-each-version",
        {
            **_MODULE,
            **contract_of(schema_version="7.0.0"),
            "schemas/seven.json": _text({**_OPEN, "properties": {"module": {"type": "string"}}}),
        },
        Verdict.PASS,
        settings={"schemas": {"7.0.0": "schemas/seven.json"}},
    )


def _documents() -> Iterator[Proof]:
    other = {_PATH.replace("matrix_", "Matrix_"): "{"}
    tree = {**_MODULE, **contract_of(), **other}
    yield Proof("warns-of-another-case", tree, Verdict.WARN, "matriz.contract-name")
    rule = "matriz.invalid-json"
    broken: Mapping[str, str | bytes] = {
        "cut-off": '{"module": "core.common"',
        "duplicate-key": '{"module": "core.common",\n "module": "core.other"}',
        "not-a-number": '{"module": "core.common", "gates": [NaN]}',
        "no-utf-8": b'{"module": "core.\xff"}',
        "utf-16": '{"module": "core.common"}'.encode("utf-16"),
    }
    for name, content in broken.items():
        yield Proof(f"refuses-{name}", {**_MODULE, _PATH: content}, Verdict.FAIL, rule)
    yield Proof(
        "refuses-missing-owner",
        {**_MODULE, **contract_of(owner=None)},
        Verdict.FAIL,
        "matriz.schema",
    )
    yield Proof(
        "refuses-unknown-key",
        {**_MODULE, **contract_of(ownr={})},
        Verdict.FAIL,
        "matriz.schema",
    )
    yield Proof(
        "refuses-version-of-no-schema",
        {**_MODULE, **contract_of(schema_version="7.0.0")},
        Verdict.FAIL,
        "matriz.schema-version",
    )
    yield Proof(
        "refuses-version-not-configured",
        {**_MODULE, **contract_of(), "schemas/seven.json": _text(_OPEN)},
        Verdict.FAIL,
        "matriz.schema-version",
        settings={"schemas": {"7.0.0": "schemas/seven.json"}},
    )
    yield Proof("knows-nothing-without-contracts", _MODULE, Verdict.UNKNOWN, "matriz.no-contracts")


def _schemas() -> Iterator[Proof]:
    rule = "matriz.schema-invalid"
    settings = {"schema": "schemas/own.json"}
    broken: Mapping[str, str] = {
        "broken-schema": _text({**_OPEN, "type": "objekt"}),
        "schema-from-the-network": _text({**_OPEN, "$ref": "https://schemas.invalid/one.json"}),
        "schema-that-is-no-json": "{",
    }
    for name, content in broken.items():
        files = {**_MODULE, **contract_of(), "schemas/own.json": content}
        yield Proof(f"refuses-{name}", files, Verdict.FAIL, rule, settings=settings)
    yield Proof(
        "refuses-missing-schema",
        {**_MODULE, **contract_of()},
        Verdict.FAIL,
        rule,
        settings=settings,
    )
    yield Proof(
        "knows-nothing-between-two-schemas",
        {
            **_MODULE,
            **contract_of(),
            "contracts/open.schema.json": _text(_OPEN),
            "contracts/strict.schema.json": _text(_STRICT),
        },
        Verdict.UNKNOWN,
        "matriz.schema-ambiguous",
    )


def of_modules() -> Iterator[Proof]:
    """Proofs of the rules for the modules that contracts name."""
    yield Proof("warns-of-missing-module", contract_of(), Verdict.WARN, "matriz.module-missing")
    yield Proof(
        "refuses-missing-module-where-demanded",
        contract_of(),
        Verdict.FAIL,
        "matriz.module-missing",
        settings={"module_missing": "error"},
    )
    yield Proof(
        "refuses-contract-left-behind-by-a-move",
        {**_MODULE, **contract_of(module="candidate.core.common"), _MOVE.source: _shim()},
        Verdict.FAIL,
        "matriz.stale-module",
        moves=(_MOVE,),
        batch_id="proof",
    )
    yield Proof(
        "warns-of-contract-that-names-a-shim",
        {**_MODULE, **contract_of(module="candidate.core.common"), _MOVE.source: _shim()},
        Verdict.WARN,
        "matriz.stale-module",
    )
    second = {f"teams/{_PATH}": contract_of()[_PATH]}
    yield Proof(
        "refuses-second-contract",
        {**_MODULE, **contract_of(), **second},
        Verdict.FAIL,
        "matriz.duplicate-module",
    )


def contract_of(**changes: Any) -> dict[str, str]:
    """A valid contract of `core.common` with these keys changed, or left out where None."""
    content = {
        "schema_version": "1.0.0",
        "module": "core.common",
        "owner": {"team": "core", "codeowners": ["@core"]},
        "gates": [{"metric": "coverage", "op": ">=", "value": 90}],
        "identity": _IDENTITY,
        **changes,
    }
    return {_PATH: _text({key: value for key, value in content.items() if value is not None})}


def identity_of(**changes: Any) -> dict[str, Any]:
    """The key `identity` of a contract, with members changed, or left out where None."""
    content = {**_IDENTITY, **changes}
    return {"identity": {key: value for key, value in content.items() if value is not None}}


def _text(value: Any) -> str:
    return json.dumps(value, indent=2) + "\n"


def _shim() -> str:
    return f"{SHIM_MARK}core.common\nfrom core.common import *\n"
