"""What a clone remembers of a ledger saves time and hides nothing."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.api import Context, Verdict
from pytest_cockpit.records import artifacts, checkpoint, ledger
from pytest_cockpit_gates.ledger import gate, judging, memory
from pytest_cockpit_gates.ledger.memory import Memory, Store
from pytest_cockpit_gates.ledger.rows import Facts

PATH = "promotions.ndjson"


class Clone:
    """A tree outside of git, and the folder where the engine would let a gate remember."""

    def __init__(self, root: Path) -> None:
        self.root = root / "tree"
        self.scratch = root / ".git/cockpit/scratch/ledger-1"
        self.scratch.mkdir(parents=True)
        self.root.mkdir()
        self.path = self.root / PATH
        self.memory = root / ".git/cockpit" / memory.NAME
        for number in range(8):
            self.note(number)

    def note(self, number: int, **more: Any) -> None:
        ledger.append(self.path, {"kind": "note", "number": number, **more})

    def judge(self, **more: Any):
        settings = {"path": PATH, **more.pop("settings", {})}
        report = gate.check(
            Context(root=self.root, scratch=self.scratch, settings=settings, **more)
        )
        [found] = [item.data for item in report.evidence if item.name == "ledger"]
        return report, found["resumed"]

    def rules(self, **more: Any) -> list[tuple[str, int | None]]:
        return [(found.rule, found.line) for found in self.judge(**more)[0].findings]


@pytest.fixture
def clone(tmp_path: Path, monkeypatch) -> Clone:
    monkeypatch.setattr(judging, "_LINES", 1)
    return Clone(tmp_path)


@pytest.fixture(params=["poly1305", "sha256"])
def mac(request, monkeypatch):
    if request.param == "sha256":
        monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives", None)
    return request.param


def test_only_what_is_new_is_read_again(clone: Clone, mac: str):
    assert clone.judge()[1] == 0
    assert json.loads(clone.memory.read_bytes())["mac"] == mac
    assert clone.memory.stat().st_mode & 0o777 == 0o600
    before = clone.judge()[0]
    assert clone.judge()[1] == 8
    clone.note(8)
    report, resumed = clone.judge()
    assert (report.verdict, resumed, report.checked) == (Verdict.PASS, 8, 9)
    assert clone.judge()[1] == 9
    clone.memory.unlink()
    again, _ = clone.judge()
    assert [item.data | {"resumed": 0} for item in report.evidence] == [
        item.data for item in again.evidence
    ]
    assert before.summary == "promotions.ndjson: rows: 8, of promotions: 0, no checkpoint, whole"


# An edit of the last line alone leaves a whole chain, which only git or a checkpoint can tell.
@pytest.mark.parametrize("line", range(7))
def test_an_edit_of_what_is_remembered_is_seen(clone: Clone, mac: str, line: int):
    clone.judge()
    rows = clone.path.read_bytes().splitlines(keepends=True)
    rows[line] = rows[line].replace(b'"number":', b'"numbed":')
    clone.path.write_bytes(b"".join(rows))
    clone.note(8)
    assert clone.rules() == [("ledger.chain", line + 2)]


def test_a_few_rows_more_are_read_again_and_not_remembered(clone: Clone, monkeypatch):
    clone.judge()
    before = clone.memory.read_bytes()
    monkeypatch.setattr(judging, "_LINES", 3)
    for number in (8, 9):
        clone.note(number)
        assert clone.judge()[1] == 8
        assert clone.memory.read_bytes() == before
    clone.note(10)
    assert clone.judge()[1] == 8
    assert clone.judge()[1] == 11


@pytest.mark.parametrize("size", [0, 1, 4, 6])
def test_a_shorter_ledger_is_not_taken_for_the_remembered_one(clone: Clone, size: int):
    clone.judge()
    rows = clone.path.read_bytes().splitlines(keepends=True)
    clone.path.write_bytes(b"".join(rows[: size + 1]))
    assert clone.judge()[1] == 0


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    folder = tmp_path_factory.mktemp("git") / "cockpit/scratch/x"
    folder.mkdir(parents=True)
    return Store(Context(root=folder, scratch=folder), PATH, {})


@given(at=st.integers(0, 10_000), byte=st.integers(1, 255))
def test_any_changed_byte_is_seen(store: Store, at: int, byte: int):
    data = bytearray(ledger.extend(b"", [{"kind": "x"}] * 40))
    held = memoryview(bytes(data))
    store.keep(
        held, Memory(len(data), 40, "0" * 64, ("00" * 32,) * 2, Facts().to_json(), {}, (), {})
    )
    assert store.recall(held) is not None
    data[at % len(data)] ^= byte
    assert store.recall(memoryview(bytes(data))) is None


def test_a_broken_ledger_is_not_remembered(clone: Clone):
    clone.path.write_bytes(clone.path.read_bytes()[:-3])
    clone.judge()
    assert not clone.memory.exists()


def test_a_ledger_that_breaks_later_is_remembered_as_it_was(clone: Clone):
    clone.judge()
    whole = clone.path.read_bytes()
    clone.path.write_bytes(whole + b"{}\n")
    assert clone.rules() == [("ledger.row-schema", 9)]
    assert clone.rules() == [("ledger.row-schema", 9)]
    clone.path.write_bytes(whole)
    assert clone.judge()[1] == 8


@pytest.mark.parametrize(
    "change",
    [
        {"settings": {"clock_skew_s": 5}},
        {"settings": {"keys": []}},
    ],
)
def test_other_settings_judge_anew(clone: Clone, change):
    clone.judge()
    assert clone.judge(**change)[1] == 0


def test_another_version_judges_anew(clone: Clone, monkeypatch):
    clone.judge()
    monkeypatch.setattr(memory, "__version__", "0")
    assert clone.judge()[1] == 0


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'{"mac":1}',
        lambda kept: {**kept, "tag": "00"},
        lambda kept: {**kept, "tag": None},
        lambda kept: {**kept, "key": "zz"},
        lambda kept: {**kept, "mac": "none"},
        lambda kept: {**kept, "lines": 5},
        lambda kept: {**kept, "size": 0},
        lambda kept: {**kept, "size": 10**9},
        lambda kept: {**kept, "facts": {}},
        lambda kept: {**kept, "tree": ["zz"] * len(kept["tree"])},
        lambda kept: {**kept, "more": 1},
    ],
)
def test_a_damaged_memory_is_no_memory(clone: Clone, damage):
    clone.judge()
    kept = json.loads(clone.memory.read_bytes())
    clone.memory.write_bytes(
        damage if isinstance(damage, bytes) else json.dumps(damage(kept)).encode()
    )
    report, resumed = clone.judge()
    assert (report.verdict, resumed) == (Verdict.PASS, 0)


def test_a_memory_that_cannot_be_kept_is_none(clone: Clone):
    clone.memory.mkdir()
    assert clone.judge()[0].verdict is Verdict.PASS
    assert clone.judge()[1] == 0


def test_facts_over_rows_are_remembered(clone: Clone):
    old = b'{"module":"quay"}\n'
    (clone.root / "old.ndjson").write_bytes(old)
    file = {"path": "old.ndjson", "sha256": artifacts.sha256(old), "bytes": 18, "rows": 1}
    ledger.append(clone.path, {"kind": "epoch", "verified": False, "files": [file]})
    content = {
        "kind": "content",
        "path": "a.json",
        "blob": "a" * 40,
        "previous": None,
        "base": None,
    }
    ledger.append(
        clone.path,
        {**content, "sha256": artifacts.sha256(b"{}"), "at": "2026-01-31T12:00:00Z"},
    )
    (clone.root / "a.json").write_bytes(b"{}")
    assert clone.judge()[0].verdict is Verdict.PASS
    clone.note(11, at="2026-01-31T11:00:00Z")
    ledger.append(clone.path, {**content, "sha256": "c" * 64, "previous": "b" * 64})
    (clone.root / "old.ndjson").unlink()
    report, resumed = clone.judge()
    assert resumed == 10
    seen = {(found.rule, found.line) for found in report.findings}
    assert ("ledger.time-regression", 11) in seen
    assert ("ledger.unbound-change", 12) in seen
    assert ("ledger.epoch-changed", None) in seen
    state = artifacts.read(clone.scratch / "artifacts/ledger_state.json", "ledger-state")
    assert state["kinds"] == {"note": 9, "epoch": 1, "content": 2}
    assert (state["rows"], state["resumed"]) == (12, 10)


def test_what_was_rolled_back_is_remembered(clone: Clone):
    move = {"source": "a.py", "target": "b.py", "source_blob": "a" * 40, "target_blob": "a" * 40}
    facts = {"base": "a" * 40, "plan_sha256": "5" * 64, "moves": [move]}
    for batch in ("b-1", "b-2"):
        ledger.append(clone.path, {"kind": "promotion", "batch_id": batch, "shims": [], **facts})
    back = {"kind": "rollback", "batch_id": "c-1", **facts}
    ledger.append(clone.path, {**back, "rolls_back": "b-1"})
    assert clone.judge()[0].verdict is Verdict.PASS
    for batch in ("b-1", "b-2", "b-2", "b-3"):
        ledger.append(clone.path, {**back, "rolls_back": batch})
    report, resumed = clone.judge()
    assert resumed
    lines = [found.line for found in report.findings if found.rule == "ledger.rollback"]
    assert lines == [resumed + 1, resumed + 3, resumed + 4]


def test_a_checkpoint_within_what_is_remembered_is_verified(clone: Clone):
    place = clone.root / "promotions.checkpoint"
    data = clone.path.read_bytes()
    place.write_bytes(checkpoint.write(io.BytesIO(data), "port.example"))
    assert clone.judge()[0].verdict is Verdict.PASS
    clone.note(8)
    assert clone.judge()[1] == 8
    assert clone.judge()[1] == 9
    # One of a size that was not asked for before makes the rows be read again.
    first = data.splitlines(keepends=True)[0]
    place.write_bytes(checkpoint.write(io.BytesIO(first), "port.example"))
    assert clone.judge()[1] == 0
    assert clone.judge()[1] == 9
    other = ledger.extend(b"", [{"kind": "else"}])
    place.write_bytes(checkpoint.write(io.BytesIO(other), "port.example"))
    assert clone.rules() == [("ledger.checkpoint", 3)]


def test_a_batch_finds_its_row_among_remembered_ones(clone: Clone):
    move = {"source": "a", "target": "b", "source_blob": "a" * 40, "target_blob": "a" * 40}
    row = {"kind": "promotion", "batch_id": "b-1", "base": "a" * 40, "plan_sha256": "5" * 64}
    ledger.append(clone.path, {**row, "moves": [move], "shims": []})
    clone.judge()
    assert clone.judge()[1] == 9
    report, resumed = clone.judge(batch_id="b-1", plan_sha256="5" * 64)
    assert resumed == 0
    assert [found.message for found in report.findings] == ["recorded but not moved: a → b"]


def _git(root: Path, *words: str) -> str:
    names = ["-c", "user.name=t", "-c", "user.email=t@example.invalid"]
    done = subprocess.run(["git", *names, *words], cwd=root, capture_output=True, check=True)
    return done.stdout.decode().strip()


@pytest.mark.parametrize("kind", ["rewritten", "laundered"])
def test_a_past_that_is_not_good_is_not_remembered_as_good(clone: Clone, kind: str):
    root = clone.root
    _git(root, "init", "--quiet")
    clone.scratch = root / ".git/cockpit/scratch/ledger-1"
    clone.scratch.mkdir(parents=True)
    for _ in range(2):
        _git(root, "add", "--all")
        _git(root, "commit", "--quiet", "--message=rows")
        assert clone.judge(base=_git(root, "rev-parse", "HEAD"))[0].verdict is Verdict.PASS
        clone.note(9)
    other = root / "other.ndjson"
    if kind == "rewritten":
        clone.path.write_bytes(ledger.extend(b"", [{"kind": "else"}]))
    else:
        ledger.append(other, {"kind": "x"})
    _git(root, "add", "--all")
    _git(root, "commit", "--quiet", "--message=before")
    other.unlink(missing_ok=True)
    _git(root, "add", "--all")
    _git(root, "commit", "--quiet", "--allow-empty", "--message=after")
    base = _git(root, "rev-parse", "HEAD")
    for _ in range(3):
        found = {item.rule for item in clone.judge(base=base, records=".")[0].findings}
        assert found == {f"ledger.{kind}"}


def test_nothing_is_remembered_outside_of_the_engines_folder(tmp_path: Path):
    (tmp_path / "scratch").mkdir()
    (tmp_path / PATH).write_bytes(ledger.extend(b"", [{"kind": "x"}]))
    context = Context(root=tmp_path, scratch=tmp_path / "scratch", settings={"path": PATH})
    assert gate.check(context).verdict is Verdict.PASS
    assert not list(tmp_path.rglob(memory.NAME))
