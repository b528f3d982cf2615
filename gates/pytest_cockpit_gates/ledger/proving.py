"""Small trees that show each rule failing, and trees the gate accepts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_cockpit.api import SHIM_MARK, Move, Proof, Verdict
from pytest_cockpit.records.ledger import extend
from pytest_cockpit_gates.ledger.blobs import blob_id

_PATH = ".cockpit/promotions.ndjson"
_PLAN = "5" * 64
_BATCH = "0123456-89abcdef"
_CONTENT = b"LIMIT = 3\n"
_BLOB = blob_id(_CONTENT, 40)
_MOVE = Move("candidate/core/common.py", "core/common.py", _BLOB)
_TREE = {_MOVE.target: _CONTENT, _MOVE.source: f"{SHIM_MARK}core.common\n".encode()}


def proofs() -> Iterator[Proof]:
    """Every proof of the gate."""
    yield Proof("accepts-whole-ledger", {_PATH: _ledger(3)}, Verdict.PASS)
    yield Proof(
        "accepts-grown-ledger", {_PATH: _ledger(3)}, Verdict.PASS, base_files={_PATH: _ledger(2)}
    )
    yield _batch("accepts-recorded-batch", Verdict.PASS)
    yield _batch(
        "accepts-recorded-batch-in-git-of-sha256",
        Verdict.PASS,
        row=_row(source_blob="b" * 64, target_blob=blob_id(_CONTENT, 64)),
        move=Move(_MOVE.source, _MOVE.target, "b" * 64),
    )
    yield from _chains()
    yield from _missing()
    yield from _rewritten()
    yield from _batches()


def _chains() -> Iterator[Proof]:
    rule = "ledger.chain"
    first, second, third = _ledger(3).splitlines(keepends=True)
    damaged = {
        "edited-row": [first, second.replace(b"candidate/b1.py", b"candidate/c1.py"), third],
        "deleted-row": [first, third],
        "inserted-row": [first, extend(b"", [_row(batch_id="other")]), second, third],
        "reordered-rows": [first, third, second],
        "repeated-row": [first, second, second, third],
        "line-that-is-no-json": [first, b"promoted\n", second, third],
    }
    for name, lines in damaged.items():
        yield Proof(f"refuses-{name}", {_PATH: b"".join(lines)}, Verdict.FAIL, rule)
    yield Proof(
        "refuses-torn-line", {_PATH: first + second + third[:-9]}, Verdict.FAIL, "ledger.torn"
    )
    bare = extend(b"", [{"kind": "promotion", "batch_id": _BATCH}])
    yield Proof("refuses-promotion-without-moves", {_PATH: bare}, Verdict.FAIL, "ledger.row-schema")
    yield Proof(
        "refuses-row-without-kind", {_PATH: b'{"seq":0}\n'}, Verdict.FAIL, "ledger.row-schema"
    )


def _missing() -> Iterator[Proof]:
    rule = "ledger.missing"
    yield Proof("knows-nothing-before-the-first-batch", {"a.py": ""}, Verdict.UNKNOWN, rule)
    yield Proof("refuses-shim-without-ledger", _TREE, Verdict.FAIL, rule)
    yield Proof("refuses-empty-ledger-beside-shim", {**_TREE, _PATH: ""}, Verdict.FAIL, rule)
    yield Proof(
        "refuses-removed-ledger",
        {"a.py": ""},
        Verdict.FAIL,
        rule,
        base_files={_PATH: _ledger(1)},
    )
    yield Proof(
        "refuses-batch-without-ledger", _TREE, Verdict.FAIL, rule, moves=(_MOVE,), batch_id=_BATCH
    )


def _rewritten() -> Iterator[Proof]:
    rule = "ledger.rewritten"
    base = {_PATH: _ledger(3)}
    anew = extend(b"", [_row(batch_id="other"), *_rows(3)])
    for name, data in (("shortened-ledger", _ledger(2)), ("ledger-written-anew", anew)):
        yield Proof(f"refuses-{name}", {_PATH: data}, Verdict.FAIL, rule, base_files=base)


def _batches() -> Iterator[Proof]:
    rule = "ledger.batch-row-missing"
    rows: Mapping[str, list[dict[str, Any]]] = {
        "batch-without-row": [_row(batch_id="other")],
        "batch-with-two-rows": [_row(), _row()],
        "row-of-another-plan": [_row(plan_sha256="6" * 64)],
        "row-of-another-move": [_row(source="candidate/core/other.py")],
        "row-of-another-blob": [_row(source_blob="b" * 40)],
    }
    for name, content in rows.items():
        yield _batch(f"refuses-{name}", Verdict.FAIL, rule, rows=content)
    rule = "ledger.blob-mismatch"
    changed = {**_TREE, _MOVE.target: b"LIMIT = 4\n"}
    gone = {path: content for path, content in _TREE.items() if path != _MOVE.target}
    yield _batch("refuses-changed-target", Verdict.FAIL, rule, tree=changed)
    yield _batch("refuses-missing-target", Verdict.FAIL, rule, tree=gone)


def _batch(
    name: str,
    expect: Verdict,
    rule: str | None = None,
    *,
    tree: Mapping[str, bytes] = _TREE,
    row: dict[str, Any] | None = None,
    rows: list[dict[str, Any]] | None = None,
    move: Move = _MOVE,
) -> Proof:
    """A tree within a batch of one move, and the ledger with the rows given."""
    data = extend(_ledger(2), rows or [row or _row()])
    return Proof(
        name,
        {**tree, _PATH: data},
        expect,
        rule,
        moves=(move,),
        changed=(move.target, _PATH),
        batch_id=_BATCH,
        plan_sha256=_PLAN,
    )


def _ledger(count: int) -> bytes:
    return extend(b"", _rows(count))


def _rows(count: int) -> list[dict[str, Any]]:
    """Rows of earlier batches."""
    return [
        _row(batch_id=f"batch-{n}", source=f"candidate/b{n}.py", target=f"b{n}.py")
        for n in range(count)
    ]


def _row(**changes: str) -> dict[str, Any]:
    """The row of the proofs' batch with these keys of it, or of its one move, changed."""
    move = {
        "source": _MOVE.source,
        "target": _MOVE.target,
        "source_blob": _BLOB,
        "target_blob": _BLOB,
    }
    facts = {"batch_id": _BATCH, "base": "a" * 40, "plan_sha256": _PLAN}
    return {
        "kind": "promotion",
        **{key: changes.get(key, value) for key, value in facts.items()},
        "moves": [{key: changes.get(key, value) for key, value in move.items()}],
        "shims": [],
    }
