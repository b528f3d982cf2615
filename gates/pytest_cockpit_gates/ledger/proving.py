"""Small trees that show each rule failing, and trees the gate accepts."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_cockpit.api import SHIM_MARK, Move, Proof, Verdict
from pytest_cockpit.records import checkpoint
from pytest_cockpit.records.ledger import extend
from pytest_cockpit.records.text import sha256
from pytest_cockpit_gates.ledger import proving_git
from pytest_cockpit_gates.ledger.blobs import blob_id

_PATH = ".cockpit/promotions.ndjson"
_PLAN = "5" * 64
_BATCH = "0123456-89abcdef"
_CONTENT = b"LIMIT = 3\n"
_BLOB = blob_id(_CONTENT, 40)
_MOVE = Move("candidate/core/common.py", "core/common.py", _BLOB)
_KEY = "quay+58620358+AbFZx36T10MhzDQXdTWy2ldbbuFO1NMO2DpdJUVZf+sW"
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
    yield from _rollbacks()
    yield from _missing()
    yield from _rewritten()
    yield from _batches()
    yield from proving_git.proofs(_ledger)
    yield from _vouched()
    yield from _imported()
    yield from _bound()


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
    later, sooner = "2026-01-31T12:00:00Z", "2026-01-31T11:00:00Z"
    back = extend(b"", [{"kind": "note", "at": later}, {"kind": "note", "at": sooner}])
    yield Proof("refuses-older-row", {_PATH: back}, Verdict.FAIL, "ledger.time-regression")
    yield Proof(
        "refuses-row-without-kind", {_PATH: b'{"seq":0}\n'}, Verdict.FAIL, "ledger.row-schema"
    )


def _rollbacks() -> Iterator[Proof]:
    rule = "ledger.rollback"
    back = _rollback("batch-1")
    yield Proof("accepts-rollback", {_PATH: extend(_ledger(2), [back])}, Verdict.PASS)
    for name, rows in {
        "rollback-of-no-batch": [_rollback("batch-9")],
        "second-rollback": [back, back],
    }.items():
        yield Proof(f"refuses-{name}", {_PATH: extend(_ledger(2), rows)}, Verdict.FAIL, rule)


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


def _vouched() -> Iterator[Proof]:
    rule = "ledger.checkpoint"
    place = checkpoint.path_of(_PATH)
    point = checkpoint.write(io.BytesIO(_ledger(2)), "port.example/promotions")
    yield Proof("accepts-checkpoint", {_PATH: _ledger(3), place: point}, Verdict.PASS)
    edited = extend(b"", [_row(batch_id="other"), *_rows(3)[1:]])
    for name, data in (("edited", edited), ("shortened", _ledger(1))):
        files = {_PATH: data, place: point}
        yield Proof(f"refuses-{name}-ledger-under-checkpoint", files, Verdict.FAIL, rule)
    files = {_PATH: _ledger(3), place: b"no checkpoint\n"}
    yield Proof("refuses-checkpoint-that-is-none", files, Verdict.FAIL, rule)
    rule = "ledger.checkpoint-signature"
    settings = {"keys": [_KEY]}
    files = {_PATH: _ledger(3), place: point}
    yield Proof("refuses-unsigned-checkpoint", files, Verdict.FAIL, rule, settings=settings)
    yield Proof(
        "refuses-no-checkpoint-of-a-key",
        {_PATH: _ledger(3)},
        Verdict.FAIL,
        rule,
        settings=settings,
    )


def _imported() -> Iterator[Proof]:
    old, place = b'{"module":"quay","diff":["features"]}\n', "manifests/quay.ndjson"
    data = extend(b"", [_epoch(place, old), *_rows(1)])
    yield Proof("accepts-imported-history", {_PATH: data, place: old}, Verdict.PASS)
    edited = old.replace(b"quay", b"pier")
    rule = "ledger.epoch-changed"
    yield Proof("refuses-edited-import", {_PATH: data, place: edited}, Verdict.FAIL, rule)
    yield Proof("refuses-removed-import", {_PATH: data}, Verdict.FAIL, rule)
    rule = "ledger.laundered"
    washed = extend(b"", [_epoch(place, _ledger(2)), *_rows(1)])
    yield Proof(
        "refuses-import-of-verified-rows", {_PATH: washed, place: _ledger(2)}, Verdict.FAIL, rule
    )
    twice = extend(b"", [_epoch(place, old), _epoch(place, old)])
    yield Proof("refuses-import-twice", {_PATH: twice, place: old}, Verdict.FAIL, rule)
    yield Proof(
        "refuses-ledger-started-anew-elsewhere",
        {"log/p.ndjson": _ledger(1)},
        Verdict.FAIL,
        rule,
        settings={"path": "log/p.ndjson"},
        base_files={_PATH: _ledger(3)},
    )


def _bound() -> Iterator[Proof]:
    rule = "ledger.unbound-change"
    place, old, new = "quay/manifest.json", b'{"berths":3}\n', b'{"berths":4}\n'
    settings = {"bound": ["**/manifest.json"]}
    base = {_PATH: _ledger(1), place: old}
    recorded = extend(_ledger(1), [_content(place, old, new)])
    for name, files, expect in (
        ("accepts-recorded-change", {_PATH: recorded, place: new}, Verdict.PASS),
        ("refuses-unrecorded-change", {_PATH: _ledger(1), place: new}, Verdict.FAIL),
        ("refuses-change-after-its-row", {_PATH: recorded, place: old}, Verdict.FAIL),
        ("refuses-unrecorded-deletion", {_PATH: _ledger(1)}, Verdict.FAIL),
        ("refuses-deletion-after-its-row", {_PATH: recorded}, Verdict.FAIL),
    ):
        broken = rule if expect is Verdict.FAIL else None
        yield Proof(name, files, expect, broken, settings=settings, base_files=base)


def _epoch(path: str, content: bytes) -> dict[str, Any]:
    facts = {"path": path, "sha256": sha256(content), "bytes": len(content)}
    return {"kind": "epoch", "verified": False, "files": [{**facts, "rows": content.count(b"\n")}]}


def _content(path: str, old: bytes, new: bytes) -> dict[str, Any]:
    facts = {"sha256": sha256(new), "blob": blob_id(new, 40), "previous": sha256(old)}
    return {"kind": "content", "path": path, "base": None, **facts}


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


def _rollback(batch: str) -> dict[str, Any]:
    row = _row(batch_id=f"back-{batch}", source="b1.py", target="candidate/b1.py")
    del row["shims"]
    return {**row, "kind": "rollback", "rolls_back": batch}


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
