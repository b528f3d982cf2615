"""Changes that each rule must refuse, and changes that are none of the guard's business."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pytest_cockpit.api import SHIM_MARK, Proof, Verdict
from pytest_cockpit.records.ledger import extend
from pytest_cockpit_gates.guard import rules
from pytest_cockpit_gates.guard.trees import blob_id

_LEDGER = ".cockpit/promotions.ndjson"
_TIDE = "def height(hour):\n    return 2.0 * hour + 1.5\n\n\ndef low(hour):\n    return -hour\n"
_QUAY = "def berth(ship):\n    return len(ship) % 7\n\n\ndef free(ship):\n    return not ship\n"
_SHIM = f"{SHIM_MARK}core.tide\nfrom core.tide import *\n"
_BASE: Mapping[str, str | bytes] = {"candidate/tide.py": _TIDE, "quay.py": _QUAY}
_BATCH = "0123456-89abcdef"


def proofs() -> Iterator[Proof]:
    """Every proof of the gate."""
    yield from _accepted()
    yield _refused("text-file", rules.NEW_FILE, {"candidate/notes.txt": "more\n"})
    yield _refused("new-module", rules.NEW_FILE, {"candidate/core/mole.py": "DEPTH = 3\n"})
    yield _refused("copy", rules.COPIED_IN, {"candidate/berth.py": _QUAY})
    yield _refused("copy-with-edits", rules.COPIED_IN, {"candidate/berth.py": f"{_QUAY}LAST = 1\n"})
    yield _refused("copy-within", rules.COPIED_IN, {"candidate/tides.py": _TIDE})
    yield _refused("rename", rules.RENAMED_IN, {"candidate/quay.py": _QUAY}, without="quay.py")
    edited = {"candidate/quay.py": f"{_QUAY}LAST = 1\n"}
    yield _refused("rename-with-edits", rules.RENAMED_IN, edited, without="quay.py")
    within = {"candidate/core/tide.py": _TIDE}
    yield _refused("move-within", rules.MOVED_WITHIN, within, without="candidate/tide.py")
    yield _refused(
        "move-within-behind-a-shim", rules.MOVED_WITHIN, {**within, "candidate/tide.py": _SHIM}
    )
    yield _refused("case-variant", rules.CASE_VARIANT, {"Candidate/mole.py": "DEPTH = 3\n"})
    yield _refused("unseen-letter", rules.CASE_VARIANT, {"candi\u200cdate/mole.py": "DEPTH = 3\n"})
    modules = '[submodule "mole"]\n\tpath = candidate/mole\n\turl = ../mole\n'
    yield _refused("submodule", rules.SUBMODULE, {".gitmodules": modules})
    yield _refused("link-in-lane", rules.LINK_IN_LANE, links={"candidate/quay.py": "../quay.py"})
    yield _refused(
        "link-into-lane", rules.LINK_INTO_LANE, links={"core/tide.py": "../candidate/tide.py"}
    )
    indirect = {"old": "candidate", "core/tide.py": "../old/tide.py"}
    yield _refused("link-into-lane-by-way-of-another", rules.LINK_INTO_LANE, links=indirect)
    yield from _resurrected()


def _accepted() -> Iterator[Proof]:
    changed = {
        **_BASE,
        "candidate/tide.py": f"{_TIDE}LAST = 1\n",
        "quay.py": "",
        "mole.py": "A = 1\n",
    }
    yield Proof("accepts-no-change", _BASE, Verdict.PASS, base_files=_BASE)
    yield Proof("accepts-edits-and-new-production", changed, Verdict.PASS, base_files=_BASE)
    moved = {**_BASE, "candidate/tide.py": _SHIM, "core/tide.py": _TIDE}
    yield Proof("accepts-promotion-with-a-shim", moved, Verdict.PASS, base_files=_BASE)
    drained = {"quay.py": _QUAY, "core/tide.py": _TIDE}
    yield Proof("accepts-promotion-without-a-shim", drained, Verdict.PASS, base_files=_BASE)
    yield Proof(
        "accepts-rollback-with-its-row",
        {**_BASE, _LEDGER: _rolled_back()},
        Verdict.PASS,
        base_files={**moved, _LEDGER: _promoted()},
    )
    yield Proof(
        "accepts-rollback-without-shims",
        {**_BASE, _LEDGER: _rolled_back()},
        Verdict.PASS,
        base_files={**drained, _LEDGER: _promoted()},
    )


def _resurrected() -> Iterator[Proof]:
    shim = {**_BASE, "candidate/tide.py": _SHIM, "core/tide.py": _TIDE, _LEDGER: _promoted()}
    drained = {key: value for key, value in shim.items() if key != "candidate/tide.py"}
    for name, before, after in (
        ("code-in-place-of-a-shim", shim, {**shim, "candidate/tide.py": _TIDE}),
        ("promoted-file-that-left-no-shim", drained, {**drained, "candidate/tide.py": _TIDE}),
        (
            "other-content-than-a-rollback-put-back",
            shim,
            {**_BASE, "candidate/tide.py": f"{_TIDE}LAST = 1\n", _LEDGER: _rolled_back()},
        ),
    ):
        yield Proof(f"refuses-{name}", after, Verdict.FAIL, rules.RESURRECTED, base_files=before)


def _refused(
    name: str,
    rule: str,
    files: Mapping[str, str | bytes] | None = None,
    *,
    without: str = "",
    links: Mapping[str, str] | None = None,
) -> Proof:
    kept = {path: content for path, content in _BASE.items() if path != without}
    return Proof(
        f"refuses-{name}",
        {**kept, **(files or {})},
        Verdict.FAIL,
        rule,
        base_files=_BASE,
        links=links or {},
    )


def _promoted() -> bytes:
    row = {
        "kind": "promotion",
        "batch_id": _BATCH,
        "base": "a" * 40,
        "plan_sha256": "5" * 64,
        "moves": [_move("candidate/tide.py", "core/tide.py")],
        "shims": [],
    }
    return extend(b"", [row])


def _rolled_back() -> bytes:
    row = {
        "kind": "rollback",
        "batch_id": "89abcde-01234567",
        "rolls_back": _BATCH,
        "base": "b" * 40,
        "plan_sha256": "6" * 64,
        "moves": [_move("core/tide.py", "candidate/tide.py")],
    }
    return extend(_promoted(), [row])


def _move(source: str, target: str) -> Mapping[str, str]:
    blob = blob_id(_TIDE.encode(), "a" * 40)
    return {"source": source, "target": target, "source_blob": blob, "target_blob": blob}
