"""Trees whose history breaks a rule: merges, published branches and tags, made of git's files."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from hashlib import sha1

from pytest_cockpit.api import Proof, Verdict
from pytest_cockpit.records.ledger import extend
from pytest_cockpit.records.ledger_merge import merged

_PATH = ".cockpit/promotions.ndjson"


def proofs(ledger: Callable[[int], bytes]) -> Iterator[Proof]:
    """Proofs of the rules about history; `ledger` makes one of so many rows."""
    base: dict[str, str | bytes] = {_PATH: ledger(1)}
    ours = extend(ledger(1), [{"kind": "note", "side": "ours"}])
    theirs, files = _commit(extend(ledger(1), [{"kind": "note", "side": "theirs"}]))
    for name, data, expect in (
        ("accepts-merge-that-keeps-all-rows", ours, Verdict.PASS),
        ("refuses-merge-that-drops-rows", ours, Verdict.FAIL),
    ):
        side, laid = _commit(ledger(1)) if expect is Verdict.PASS else (theirs, files)
        rule = "ledger.diverged" if expect is Verdict.FAIL else None
        tree: dict[str, str | bytes] = {_PATH: data, ".git/MERGE_HEAD": f"{side}\n"}
        yield Proof(name, {**tree, **laid}, expect, rule, base_files=base)
    whole = merged(ours, extend(ledger(1), [{"kind": "note", "side": "theirs"}]))
    both: dict[str, str | bytes] = {_PATH: whole, ".git/MERGE_HEAD": f"{theirs}\n", **files}
    yield Proof("accepts-merged-rows", both, Verdict.PASS, base_files={_PATH: ours})
    edited = {**both, _PATH: _last_row_edited(whole)}
    yield Proof(
        "refuses-edited-merged-rows",
        edited,
        Verdict.FAIL,
        "ledger.diverged",
        base_files={_PATH: ours},
    )
    yield Proof(
        "refuses-force-push",
        {_PATH: ledger(2)},
        Verdict.FAIL,
        "ledger.force-pushed",
        settings={"published": ["refs/heads/main"]},
        base_files={_PATH: ledger(3)},
    )
    tag = {"kind": "tag", "tag": "v1.0", "object": "a" * 40, "commit": "a" * 40}
    tagged = extend(ledger(1), [tag])
    moved = {_PATH: tagged, ".git/refs/tags/v1.0": b"ref: refs/heads/main\n"}
    yield Proof("refuses-moved-tag", moved, Verdict.FAIL, "ledger.moved-tag", base_files=base)
    yield Proof(
        "knows-nothing-of-a-tag-that-is-not-here",
        {_PATH: tagged},
        Verdict.UNKNOWN,
        "ledger.moved-tag",
        base_files=base,
    )
    freeze = {
        "kind": "freeze",
        "at": "2026-01-31T12:00:00Z",
        "tag": "v1.0-prod",
        "freeze": "production",
        "base": "a" * 40,
        "manifest": "docs/_generated/PRODUCTION_FREEZE.json",
        "manifest_sha256": "b" * 64,
    }
    frozen = extend(ledger(1), [freeze])
    away = {_PATH: frozen, ".git/refs/tags/v1.0-prod": b"ref: refs/heads/main\n"}
    yield Proof("refuses-moved-freeze", away, Verdict.FAIL, "ledger.moved-tag", base_files=base)
    yield Proof(
        "knows-nothing-of-a-freeze-whose-tag-is-not-here",
        {_PATH: frozen},
        Verdict.UNKNOWN,
        "ledger.moved-tag",
        base_files=base,
    )


def _last_row_edited(ledger: bytes) -> bytes:
    """The ledger with another last row, chained as it should be."""
    return extend(ledger[: ledger.rindex(b"\n", 0, -1) + 1], [{"kind": "note", "side": "none"}])


def _commit(ledger: bytes) -> tuple[str, dict[str, bytes]]:
    """A commit of nothing but a ledger, and the files of git that hold it."""
    folder, name = _PATH.split("/")
    blob, files = _object("blob", ledger)
    inner, more = _object("tree", b"100644 " + name.encode() + b"\0" + bytes.fromhex(blob))
    files |= more
    outer, more = _object("tree", b"40000 " + folder.encode() + b"\0" + bytes.fromhex(inner))
    files |= more
    who = "port <port@example.org> 1767225600 +0000"
    text = f"tree {outer}\nauthor {who}\ncommitter {who}\n\nside\n"
    commit, more = _object("commit", text.encode())
    return commit, files | more


def _object(kind: str, content: bytes) -> tuple[str, dict[str, bytes]]:
    data = f"{kind} {len(content)}\0".encode() + content
    oid = sha1(data, usedforsecurity=False).hexdigest()
    return oid, {f".git/objects/{oid[:2]}/{oid[2:]}": zlib.compress(data)}
