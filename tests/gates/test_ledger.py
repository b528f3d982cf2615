from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_cockpit.api import SHIM_MARK, Context, Gate, Lane, Move, Severity, Verdict
from pytest_cockpit.records import ledger, merkle
from pytest_cockpit.records.artifacts import sha256
from pytest_cockpit.testing import check_proofs, prove, run_gate, shortcomings
from pytest_cockpit_gates.ledger import batch, blobs, gate, history
from pytest_cockpit_gates.ledger.held import Held
from pytest_cockpit_gates.ledger.scanning import Scan, scan

PATH = ".cockpit/promotions.ndjson"
BATCH, PLAN = "0123456-89abcdef", "5" * 64
CONTENT = b"LIMIT = 3\n"


def row(number: int = 0, **changes) -> dict[str, Any]:
    move = {
        "source": f"candidate/b{number}.py",
        "target": f"b{number}.py",
        "source_blob": blobs.blob_id(CONTENT, 40),
        "target_blob": blobs.blob_id(CONTENT, 40),
    }
    facts = {"batch_id": f"batch-{number}", "base": "a" * 40, "plan_sha256": PLAN}
    return {"kind": "promotion", **facts, "moves": [move], "shims": [], **changes}


def whole(count: int) -> bytes:
    return ledger.extend(b"", [row(number) for number in range(count)])


def judged(tmp_path, data: bytes, **context):
    return run_gate(gate, {PATH: data, **context.pop("files", {})}, tmp_path=tmp_path, **context)


def in_batch(tmp_path, recorded: list[dict[str, Any]], moves: list[Move], files=None, **context):
    return judged(
        tmp_path,
        ledger.extend(whole(1), recorded),
        files=files or {},
        moves=tuple(moves),
        batch_id=BATCH,
        plan_sha256=PLAN,
        **context,
    )


def read(data: bytes) -> Scan:
    return scan(Held(memoryview(data)), PATH, 300, None, [], None)


def lines(report, rule):
    return [item.line for item in report.findings if item.rule == f"ledger.{rule}"]


def git(root: Path, *arguments: str) -> str:
    clean = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null", "HOME": "/nowhere"}
    names = ["-c", "user.name=t", "-c", "user.email=t@example.invalid"]
    done = subprocess.run(
        ["git", *names, *arguments], cwd=root, env=clean, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_it_is_a_gate_with_complete_proofs():
    assert isinstance(gate, Gate)
    assert check_proofs(gate) == []


@pytest.mark.parametrize("proof", gate.proofs(), ids=lambda proof: proof.name)
def test_a_proof_holds(tmp_path, proof):
    assert shortcomings(gate, proof, prove(gate, proof, tmp_path)) == []


# The chain


@pytest.mark.parametrize("index", range(4))
def test_an_edited_row_is_found_by_the_row_after_it(tmp_path, index):
    edited = whole(5).splitlines(keepends=True)
    edited[index] = edited[index].replace(b"candidate/", b"kandidate/")
    report = judged(tmp_path, b"".join(edited))
    assert report.verdict is Verdict.FAIL
    assert lines(report, "chain") == [index + 2]
    assert f"line {index + 1} or this one was changed" in report.findings[0].message


@given(st.data())
@settings(max_examples=60)
def test_no_change_to_the_order_of_rows_goes_unseen(data):
    kept = whole(6).splitlines(keepends=True)
    order = data.draw(st.lists(st.integers(0, 5), min_size=1, max_size=8))
    content = b"".join(kept[number] for number in order)
    found = read(content).reader.findings
    # Rows taken from the end leave a whole chain: the base commit's ledger tells that apart.
    assert bool(found) == (order != list(range(len(order))))
    assert all(item.line and 1 <= item.line <= len(order) for item in found)


def test_a_line_in_another_form_is_an_edit(tmp_path):
    first, second = whole(2).splitlines(keepends=True)
    report = judged(tmp_path, first.replace(b'{"base"', b'{ "base"') + second)
    assert 1 in lines(report, "chain")


def test_a_torn_line_is_told_apart_from_an_edit(tmp_path):
    report = judged(tmp_path, whole(3)[:-5])
    assert lines(report, "torn") == [3]
    assert lines(report, "chain") == []
    assert report.checked == 3


def test_a_row_of_another_kind_is_held_to_the_common_form_alone(tmp_path):
    data = ledger.extend(whole(1), [{"kind": "opinion", "reason": "x"}])
    report = judged(tmp_path, data)
    assert (report.verdict, report.checked) == (Verdict.PASS, 2)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"moves": []}, "/moves"),
        ({"moves": [{"source": "a"}]}, "/moves/0/target"),
        ({"plan_sha256": "5"}, "/plan_sha256"),
        ({"base": "HEAD"}, "/base"),
        ({"shims": "a.py"}, "/shims"),
        ({"batch_id": ""}, "/batch_id"),
    ],
)
def test_a_promotion_has_the_keys_of_one(tmp_path, changes, place):
    report = judged(tmp_path, ledger.extend(whole(1), [row(1, **changes)]))
    assert report.verdict is Verdict.FAIL
    assert 2 in lines(report, "row-schema")
    assert any(place in item.message for item in report.findings)


def test_the_path_is_a_setting(tmp_path):
    report = run_gate(
        gate, {"log/p.ndjson": whole(2)}, tmp_path=tmp_path, settings={"path": "log/p.ndjson"}
    )
    assert (report.verdict, report.checked) == (Verdict.PASS, 2)
    report = run_gate(gate, {}, tmp_path=tmp_path, settings={"path": "../p.ndjson"})
    assert report.verdict is Verdict.ERROR


def test_the_records_folder_is_the_contexts(tmp_path):
    report = run_gate(gate, {"rec/promotions.ndjson": whole(1)}, tmp_path=tmp_path, records="rec")
    assert report.verdict is Verdict.PASS


def test_evidence_is_enough_to_compare_later(tmp_path):
    data = whole(2)
    report = judged(tmp_path, data, base_files={PATH: whole(1)})
    found = {item.name: item.data for item in report.evidence}
    assert found["ledger"] == {
        "rows": 2,
        "bytes": len(data),
        "head": ledger.head(data),
        "root": merkle.root([merkle.leaf(line) for line in data.splitlines(keepends=True)]).hex(),
        "resumed": 0,
    }
    assert found["ledger-at-base"]["bytes"] == len(whole(1))
    assert found["ledger-at-base"]["blob"] == blobs.blob_id(whole(1), 40)


# No ledger


def test_a_shim_anywhere_in_the_lane_needs_a_ledger(tmp_path):
    files = {"attic/a/b.py": f"{SHIM_MARK}a.b\n"}
    report = run_gate(gate, files, tmp_path=tmp_path, lane=Lane(path="attic"))
    assert report.verdict is Verdict.FAIL
    assert "attic/a/b.py is the shim of a promoted module" in report.findings[0].message
    elsewhere = run_gate(gate, files, tmp_path=tmp_path, lane=Lane(path="candidate"))
    assert elsewhere.verdict is Verdict.UNKNOWN


def test_a_ledger_that_is_a_link_or_a_folder_is_refused(tmp_path):
    (tmp_path / "real.ndjson").write_bytes(whole(1))
    (tmp_path / "link.ndjson").symlink_to("real.ndjson")
    (tmp_path / "folder.ndjson").mkdir()
    for name, reason in (("link", "is a link"), ("folder", "cannot be read")):
        context = Context(root=tmp_path, scratch=tmp_path, settings={"path": f"{name}.ndjson"})
        report = gate.check(context)
        assert report.verdict is Verdict.FAIL
        assert reason in report.findings[0].message


# Against the base commit


def test_a_shortened_ledger_is_found_where_it_ends(tmp_path):
    report = judged(tmp_path, whole(2), base_files={PATH: whole(4)})
    assert lines(report, "rewritten") == [3]


def test_an_edited_last_row_is_found_by_the_base_alone(tmp_path):
    first, last = whole(2).splitlines(keepends=True)
    data = first + last.replace(b"candidate/", b"kandidate/")
    assert judged(tmp_path, data).verdict is Verdict.PASS
    report = judged(tmp_path, data, base_files={PATH: whole(2)})
    assert lines(report, "rewritten") == [2]


def test_a_first_ledger_grows_from_nothing(tmp_path):
    report = judged(tmp_path, whole(1), base_files={"a.py": ""})
    assert report.verdict is Verdict.PASS


def test_a_torn_tail_may_be_moved_aside_when_a_row_accounts_for_it(tmp_path):
    torn = whole(3)[:-7]
    path = tmp_path / "promotions.ndjson"
    path.write_bytes(torn)
    ledger.append(path, row(9))
    report = judged(tmp_path, path.read_bytes(), base_files={PATH: torn})
    assert report.verdict is Verdict.PASS
    dropped = ledger.extend(whole(2), [row(9)])
    assert lines(judged(tmp_path, dropped, base_files={PATH: torn}), "rewritten") == [3]


@pytest.mark.parametrize("lie", [{"sha256": "0" * 64}, {"length": 3}, {"kind": "tail"}])
def test_a_row_that_does_not_account_for_the_torn_tail_is_none(tmp_path, lie):
    torn = whole(3)[:-7]
    tail = torn[len(whole(2)) :]
    note = {"kind": "torn-tail", "sha256": sha256(tail), "length": len(tail), "file": "x"}
    honest = ledger.extend(whole(2), [note])
    assert judged(tmp_path, honest, base_files={PATH: torn}).verdict is Verdict.PASS
    data = ledger.extend(whole(2), [note | lie])
    assert lines(judged(tmp_path, data, base_files={PATH: torn}), "rewritten") == [3]


@pytest.mark.parametrize("base", ["f" * 40, "not-a-commit", "--help"])
def test_a_base_that_cannot_be_read_leaves_the_verdict_open(tmp_path, base):
    (tmp_path / ".cockpit").mkdir()
    (tmp_path / PATH).write_bytes(whole(1))
    git(tmp_path, "init", "--quiet")
    report = gate.check(Context(root=tmp_path, scratch=tmp_path, base=base))
    assert report.verdict is Verdict.UNKNOWN
    assert report.findings[0].severity is Severity.UNKNOWN
    assert report.findings[0].rule == "ledger.rewritten"


def test_outside_git_a_base_cannot_be_read(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    report = judged(tmp_path, whole(1), base="a" * 40)
    assert report.verdict is Verdict.UNKNOWN


def test_without_git_installed_a_base_cannot_be_read(tmp_path, monkeypatch):
    tree = tmp_path / "tree"
    (tree / ".cockpit").mkdir(parents=True)
    (tree / PATH).write_bytes(whole(1))
    monkeypatch.setenv("PATH", str(tmp_path))
    report = gate.check(Context(root=tree, scratch=tmp_path, base="a" * 40))
    assert report.verdict is Verdict.UNKNOWN
    (finding,) = report.findings
    assert "git: cannot be run or entered (No such file" in finding.message


def test_the_base_is_read_below_the_repositorys_top_too(tmp_path):
    git(tmp_path, "init", "--quiet")
    (tmp_path / "sub/.cockpit").mkdir(parents=True)
    (tmp_path / "sub" / PATH).write_bytes(whole(2))
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message=base")
    base = git(tmp_path, "rev-parse", "HEAD")
    context = Context(root=tmp_path / "sub", scratch=tmp_path, base=base)
    assert gate.check(context).verdict is Verdict.PASS
    (tmp_path / "sub" / PATH).write_bytes(whole(1))
    assert lines(gate.check(context), "rewritten") == [2]


def test_a_ledger_whose_blob_is_missing_is_not_taken_for_none(tmp_path):
    git(tmp_path, "init", "--quiet")
    (tmp_path / "p.ndjson").write_bytes(whole(1))
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message=base")
    base = git(tmp_path, "rev-parse", "HEAD")
    oid = git(tmp_path, "rev-parse", "HEAD:p.ndjson")
    (tmp_path / ".git/objects" / oid[:2] / oid[2:]).unlink()
    context = Context(root=tmp_path, scratch=tmp_path, base=base, settings={"path": "p.ndjson"})
    report = gate.check(context)
    assert report.verdict is Verdict.UNKNOWN
    assert lines(report, "rewritten") == [None]


# Against the batch


def test_the_row_is_compared_move_by_move(tmp_path):
    moves = [Move(f"candidate/b{n}.py", f"b{n}.py", blobs.blob_id(CONTENT, 40)) for n in range(7)]
    recorded = row(0, batch_id=BATCH)
    report = in_batch(tmp_path, [recorded], moves, {"b0.py": CONTENT})
    (finding,) = report.findings
    assert finding.rule == batch.ROW
    assert finding.message.startswith("moved but not recorded: candidate/b1.py → b1.py, ")
    assert finding.message.endswith(" and 1 more")
    assert len(finding.evidence["moves"]) == 6


def test_a_move_recorded_twice_is_not_the_same_as_once(tmp_path):
    recorded = row(0, batch_id=BATCH)
    recorded["moves"] *= 2
    move = Move("candidate/b0.py", "b0.py", blobs.blob_id(CONTENT, 40))
    report = in_batch(tmp_path, [recorded], [move], {"b0.py": CONTENT})
    assert "recorded but not moved" in report.findings[0].message


def test_the_row_names_the_base_it_was_planned_from(tmp_path):
    move = Move("candidate/b0.py", "b0.py", blobs.blob_id(CONTENT, 40))
    files = {"b0.py": CONTENT}
    report = in_batch(
        tmp_path, [row(0, batch_id=BATCH)], [move], files, base_files={PATH: whole(1)}
    )
    (finding,) = report.findings
    assert finding.message.startswith("base is aaaaaaaa")


def test_names_that_are_no_utf8_are_followed(tmp_path):
    target = os.fsdecode(b"caf\xe9.py")
    move = Move(f"candidate/{target}", target, blobs.blob_id(CONTENT, 40))
    recorded = row(0, batch_id=BATCH)
    recorded["moves"][0] |= {"source": move.source, "target": move.target}
    report = in_batch(tmp_path, [recorded], [move], {target: CONTENT})
    assert report.verdict is Verdict.PASS
    report = in_batch(tmp_path, [recorded], [move], {target: b"else"})
    assert [item.rule for item in report.findings] == [batch.BLOB]


def test_a_row_with_garbage_for_moves_is_told_not_tripped_over(tmp_path):
    data = ledger.extend(b"", [row(0, batch_id=BATCH, moves=[3, None, {"target": ["x"]}])])
    move = Move("candidate/b0.py", "b0.py", "0" * 40)
    report = judged(tmp_path, data, moves=(move,), batch_id=BATCH, plan_sha256=PLAN)
    assert report.verdict is Verdict.FAIL
    assert {"ledger.row-schema", batch.ROW} <= {item.rule for item in report.findings}


@pytest.mark.parametrize(("length", "kind"), [(40, "sha1"), (64, "sha256")])
def test_a_blob_id_is_gits(tmp_path, length, kind):
    git(tmp_path, "init", "--quiet", f"--object-format={kind}")
    (tmp_path / "a").write_bytes(CONTENT)
    assert git(tmp_path, "hash-object", "a") == blobs.blob_id(CONTENT, length)


def test_a_link_is_the_blob_of_its_text(tmp_path):
    (tmp_path / "link").symlink_to("./a/../b")
    assert blobs.differing(tmp_path, {"link": blobs.blob_id(b"./a/../b", 40)}) == {}
    assert blobs.differing(tmp_path, {"link": "0" * 40}) != {}


def test_line_endings_of_a_checkout_are_no_difference(tmp_path):
    git(tmp_path, "init", "--quiet")
    (tmp_path / ".gitattributes").write_text("*.py text eol=crlf\n")
    (tmp_path / "a.py").write_bytes(b"A = 1\r\n")
    assert blobs.differing(tmp_path, {"a.py": blobs.blob_id(b"A = 1\n", 40)}) == {}
    (tmp_path / "a.txt").write_bytes(b"A = 1\r\n")
    assert list(blobs.differing(tmp_path, {"a.txt": blobs.blob_id(b"A = 1\n", 40)})) == ["a.txt"]


# Nothing brings it down


@given(st.binary(max_size=300))
def test_any_bytes_are_judged(data):
    assert read(data).reader.findings or data == b""


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_any_bytes_are_compared(data, base):
    line = history._first_difference(data, base)
    assert line >= 1
    assert data.split(b"\n")[: line - 1] == base.split(b"\n")[: line - 1]


@pytest.mark.parametrize("seed", range(30))
def test_a_damaged_ledger_fails_and_never_crashes_the_gate(tmp_path, seed):
    dice = random.Random(seed)
    data = bytearray(whole(4))
    # The last row's damage may only show against the base commit.
    end = len(whole(3)) - 1
    place = dice.randrange(end)
    data[place : place + dice.randint(1, 9)] = dice.randbytes(dice.randint(0, 4)) + b"\x00"
    assert judged(tmp_path, bytes(data)).verdict is Verdict.FAIL
