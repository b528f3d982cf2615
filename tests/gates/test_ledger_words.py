"""What each rule of the ledger's gate finds in plain data, word for word."""

from __future__ import annotations

import base64
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_cockpit.api import CockpitError, Finding, Severity
from pytest_cockpit.records import ledger_content, ledger_keys
from pytest_cockpit.records.checkpoint import Checkpoint
from pytest_cockpit.records.ledger_git import Change, Unreadable
from pytest_cockpit.records.ledger_rows import START, Break, line_of
from pytest_cockpit.records.ledger_scan import Seen
from pytest_cockpit.records.merkle import EMPTY, Frontier, leaf
from pytest_cockpit.records.signed_note import Note, Signature
from pytest_cockpit.records.text import sha256
from pytest_cockpit_gates.ledger import bound, checkpoints, epochs, rows, tags
from pytest_cockpit_gates.ledger.bound import Place
from pytest_cockpit_gates.ledger.held import Held
from pytest_cockpit_gates.ledger.history import Past
from pytest_cockpit_gates.ledger.memory import Memory
from pytest_cockpit_gates.ledger.rows import Facts, Reader, Row
from pytest_cockpit_gates.ledger.scanning import scan

LEDGER = ".cockpit/l.ndjson"
BASE = "0123456789abcdef" * 4
ONE, TWO = sha256(b"one"), sha256(b"two")
UNSET: Any = object()


class Stored:
    """Stands in for `ledger_content.stored`: files by path, and what was asked about them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **files: bytes) -> None:
        self.files = files
        self.asked: list[tuple[Any, ...]] = []
        monkeypatch.setattr(ledger_content, "stored", self)

    def __call__(self, *asked: Any) -> bytes | None:
        self.asked.append(asked)
        return self.files.get(asked[2])


# Bound files


class Differing:
    """Git, asked which files differ from the base commit."""

    def __init__(self, found: dict[str, str | None], **contents: bytes) -> None:
        self.found = found
        self.contents = contents
        self.asked: list[tuple[str, ...]] = []

    def differing(self, *asked: str) -> dict[str, str | None]:
        self.asked.append(asked)
        return self.found

    def read(self, oid: str) -> bytes:
        if oid not in self.contents:
            raise Unreadable(f"no {oid}")
        return self.contents[oid]


def unbound(path, message, **evidence):
    return Finding(
        "ledger.unbound-change",
        message,
        path=path,
        remedy=f"cockpit ledger record {path}",
        evidence=evidence,
    )


def unseen(reason):
    return Finding(
        "ledger.unbound-change",
        f"changes of bound files cannot be seen: {reason}",
        severity=Severity.UNKNOWN,
        remedy="judge in a clone that has the base commit",
    )


def test_a_file_with_a_row_is_what_the_row_says(monkeypatch, tmp_path):
    stored = Stored(monkeypatch, changed=b"two", back=b"one", same=b"one")
    facts = Facts(
        contents={
            "same": (ONE, None, 1),
            "gone": (ONE, None, 2),
            "deleted": (None, None, 3),
            "changed": (ONE, None, 4),
            "back": (None, None, 5),
        }
    )
    git: Any = object()
    assert list(bound.judge(Place(tmp_path, git, "", None), [], facts)) == [
        unbound(
            "back",
            "is there, line 5 of the ledger says that it was deleted",
            row=None,
            found=ONE,
        ),
        unbound(
            "changed",
            f"is {TWO[:12]}, its newest row, line 4, says {ONE[:12]}",
            row=ONE,
            found=TWO,
        ),
        unbound("gone", f"is gone, its newest row, line 2, says {ONE[:12]}", row=ONE, found=None),
    ]
    assert stored.asked[0] == (tmp_path, git, "back", None)
    assert stored.asked[1] == (tmp_path, git, "changed", ONE)


def test_a_bound_file_without_a_row_is_what_it_was(monkeypatch, tmp_path):
    stored = Stored(monkeypatch, changed=b"two", new=b"one", same=b"one", a_rowed=b"one")
    found = {
        "s[b]/a_rowed": "1",
        "s[b]/changed": "1",
        "s[b]/gone": "1",
        "s[b]/new": None,
        "s[b]/same": "1",
        "s[b]/never": None,
    }
    git: Any = Differing(found, **{"1": b"one"})
    facts = Facts(contents={"a_rowed": (ONE, None, 1)})
    globs = ["docs/**", "*.toml"]
    since = f"since commit {BASE[:12]}, and no row says so"
    assert list(bound.judge(Place(tmp_path, git, "s[b]/", BASE), globs, facts)) == [
        unbound("changed", f"has changed {since}", base=ONE, found=TWO),
        unbound("gone", f"was deleted {since}", base=ONE, found=None),
        unbound("new", f"is new {since}", base=None, found=ONE),
    ]
    assert git.asked == [(BASE, ":(top,glob)s\\[b]/docs/**", ":(top,glob)s\\[b]/*.toml")]
    assert stored.asked[1:3] == [(tmp_path, git, "changed", ONE), (tmp_path, git, "gone", ONE)]
    assert (tmp_path, git, "new", None) in stored.asked


@pytest.mark.parametrize(
    ("way", "told"), [("a*b?c/", r"a\*b\?c/"), ("a[b\\c/", r"a\[b\\c/"), ("abc/", "abc/")]
)
def test_what_has_a_meaning_in_a_pathspec_is_escaped(tmp_path, way, told):
    git: Any = Differing({})
    assert not list(bound.judge(Place(tmp_path, git, way, BASE), ["x*"], Facts()))
    assert git.asked == [(BASE, f":(top,glob){told}x*")]


@pytest.mark.parametrize(("git", "base"), [(None, None), (None, BASE), (object(), None)])
def test_without_a_commit_changes_cannot_be_seen(tmp_path, git, base):
    found = list(bound.judge(Place(tmp_path, git, "", base), ["x"], Facts()))
    assert found == [unseen("there is no commit to compare with")]
    assert not list(bound.judge(Place(tmp_path, git, "", base), [], Facts()))


def test_a_base_that_git_cannot_read_is_told(tmp_path):
    git: Any = Differing({"x": "9"})
    assert list(bound.judge(Place(tmp_path, git, "", BASE), ["x"], Facts())) == [unseen("no 9")]


# Checkpoints


RESTORE = "restore it from git, or write another: cockpit ledger checkpoint"
BESIDE = ".cockpit/l.checkpoint"
ROOT = bytes(range(32))
OWN = Checkpoint("example.org/l", 3, ROOT)


def wrong(message, line=None):
    return Finding("ledger.checkpoint", message, path=BESIDE, line=line, remedy=RESTORE)


def unsigned(message):
    remedy = "restore it from git, or sign another: cockpit ledger checkpoint --key FILE"
    return Finding("ledger.checkpoint-signature", message, path=BESIDE, remedy=remedy)


def written(tmp_path, data=UNSET, *names: str):
    signatures = tuple(Signature(name, b"hash", f"by {name}".encode()) for name in names)
    (tmp_path / ".cockpit").mkdir()
    data = Note(OWN.text, signatures).to_bytes() if data is UNSET else data
    (tmp_path / BESIDE).write_bytes(data)
    return data


@pytest.fixture
def verifiers(monkeypatch):
    """Keys by name, each of which has signed what says so."""

    def verifier(key: str) -> Any:
        if key == "missing":
            raise CockpitError("cryptography is not installed")
        told = f"by {key}".encode()
        return SimpleNamespace(name=key, hashed=b"hash", verify=lambda _, given: given == told)

    monkeypatch.setattr(ledger_keys, "verifier", verifier)


def test_the_checkpoint_is_read(tmp_path):
    written(tmp_path)
    found = checkpoints.read(tmp_path, LEDGER, [], None)
    assert found == checkpoints.Vouched(BESIDE, OWN)
    assert found.size == 3
    assert checkpoints.read(tmp_path, LEDGER, [], OWN.origin) == found


def test_no_checkpoint_is_none(tmp_path):
    found = checkpoints.read(tmp_path, LEDGER, [], OWN.origin)
    assert found == checkpoints.Vouched(BESIDE)
    assert found.size is None
    assert not list(found.heads(ROOT, 7))
    assert not list(found.heads(None, 7))
    with_keys = checkpoints.read(tmp_path, LEDGER, ["k"], None)
    assert with_keys.findings == [unsigned("is not there, but keys are configured")]
    assert with_keys.checkpoint is None


def test_a_checkpoint_that_is_none_is_told(tmp_path):
    written(tmp_path, b"x\n")
    found = checkpoints.read(tmp_path, LEDGER, ["k"], None)
    assert found.findings == [wrong("is no checkpoint: has no blank line below its text")]
    assert not found.signed


def test_a_link_is_no_checkpoint(tmp_path):
    data = written(tmp_path)
    (tmp_path / BESIDE).unlink()
    (tmp_path / "elsewhere").write_bytes(data)
    (tmp_path / BESIDE).symlink_to(tmp_path / "elsewhere")
    found = checkpoints.read(tmp_path, LEDGER, [], None)
    assert found.findings == [wrong("is no checkpoint: has no blank line below its text")]


def test_a_checkpoint_that_cannot_be_read_is_told(tmp_path):
    (tmp_path / BESIDE).mkdir(parents=True)
    found = checkpoints.read(tmp_path, LEDGER, ["k"], None)
    assert found == checkpoints.Vouched(BESIDE, findings=[wrong("cannot be read: Is a directory")])


def test_a_checkpoint_of_another_ledger_is_told(tmp_path):
    written(tmp_path)
    found = checkpoints.read(tmp_path, LEDGER, [], "example.org/m")
    assert found.findings == [wrong("is of example.org/l, not of example.org/m", line=1)]


def test_a_key_vouches_for_the_checkpoint(tmp_path, verifiers):
    written(tmp_path, UNSET, "k", "m")
    found = checkpoints.read(tmp_path, LEDGER, ["m", "o"], None)
    assert found == checkpoints.Vouched(BESIDE, OWN, signed=True, signed_by=["m"])
    assert checkpoints.read(tmp_path, LEDGER, [], None) == checkpoints.Vouched(
        BESIDE, OWN, signed=True
    )


def test_a_checkpoint_that_no_key_has_signed_is_told(tmp_path, verifiers):
    written(tmp_path, UNSET, "k")
    found = checkpoints.read(tmp_path, LEDGER, ["m"], None)
    assert found.findings == [unsigned("no configured key has signed it")]
    assert found.signed


def test_a_signature_that_does_not_hold_is_told(tmp_path, verifiers):
    forged = Note(OWN.text, (Signature("k", b"hash", b"by m"),)).to_bytes()
    written(tmp_path, forged)
    found = checkpoints.read(tmp_path, LEDGER, ["k"], "other")
    assert found.findings == [
        wrong("is of example.org/l, not of other", line=1),
        unsigned("the signature of k is not under this text"),
    ]
    assert found.signed_by == []


def test_a_signature_that_cannot_be_verified_is_unknown(tmp_path, verifiers):
    written(tmp_path, UNSET, "k")
    found = checkpoints.read(tmp_path, LEDGER, ["missing"], None)
    assert found.findings == [
        Finding(
            "ledger.checkpoint-signature",
            "its signatures cannot be verified: cryptography is not installed",
            severity=Severity.UNKNOWN,
            path=BESIDE,
            remedy="pip install 'pytest-cockpit[sign]', or install OpenSSH for its keys",
        )
    ]


def test_the_tree_head_is_the_ledgers():
    vouched = checkpoints.Vouched(BESIDE, OWN)

    def differs(message, found):
        return Finding(
            "ledger.checkpoint",
            message,
            path=BESIDE,
            line=3,
            remedy="restore the ledger from git; rows are only ever added",
            evidence={"expected": ROOT.hex(), "found": found},
        )

    assert not list(vouched.heads(ROOT, 7))
    assert list(vouched.heads(None, 2)) == [
        differs("is of 3 rows, the ledger has 2: rows were taken away", None)
    ]
    assert list(vouched.heads(EMPTY, 7)) == [
        differs("the first 3 rows are not those it was written for", EMPTY.hex())
    ]


@pytest.mark.parametrize(
    ("before", "now", "message"),
    [
        (4, 3, "is of 3 rows, that of 0123456789ab of 4"),
        (3, 3, None),
        (2, 3, None),
        (4, None, "commit 0123456789ab has a checkpoint of 4 rows, this tree has none"),
        (None, None, None),
    ],
)
def test_a_checkpoint_never_reaches_less_far(before, now, message):
    mine = checkpoints.Vouched(BESIDE, now and Checkpoint("o", now, ROOT))
    old = before and Note(Checkpoint("o", before, ROOT).text).to_bytes()
    expected = [wrong(message)] if message else []
    assert list(checkpoints.shrunk(mine, old, BASE)) == expected


def test_what_was_no_checkpoint_is_not_compared():
    assert not list(checkpoints.shrunk(checkpoints.Vouched(BESIDE), b"x", BASE))
    text = base64.b64encode(ROOT)
    assert not list(checkpoints.shrunk(checkpoints.Vouched(BESIDE), text, BASE))


# Imports


TAKE_BACK = "take the import back with git; what was verified stays in its own ledger"


def imported(*files: tuple[str, bytes]) -> dict[str, Any]:
    return {"files": [{"path": path, "sha256": sha256(content)} for path, content in files]}


def laundered(message, path, line=None, remedy=TAKE_BACK):
    return Finding("ledger.laundered", message, path=path, line=line, remedy=remedy)


def edited(path, message, recorded):
    return Finding(
        "ledger.epoch-changed",
        message,
        path=path,
        remedy="restore it from git; imported history is never edited",
        evidence={"recorded": recorded},
    )


def test_an_import_stays_as_it_was(monkeypatch, tmp_path):
    stored = Stored(monkeypatch, same=b"one", changed=b"two", chained=b"{}\n" + CHAINED)
    gone, changed = sha256(b"gone"), sha256(b"changed")
    epoch = imported(
        ("same", b"one"), ("gone", b"gone"), ("changed", b"changed"), ("chained", b"{}\n" + CHAINED)
    )
    git: Any = object()
    assert list(epochs.judge(tmp_path, git, Facts(epochs=[(4, epoch)]), LEDGER)) == [
        edited("gone", f"is gone, line 4 of {LEDGER} imported {gone[:12]}", gone),
        edited(
            "changed", f"is {TWO[:12]} now, line 4 of {LEDGER} imported {changed[:12]}", changed
        ),
        laundered(
            "holds rows of a chained ledger, but was imported as unverified", "chained", line=2
        ),
    ]
    assert stored.asked[0] == (tmp_path, git, "same", ONE)


def test_an_import_is_once(monkeypatch, tmp_path):
    Stored(monkeypatch, a=b"one", b=b"one", c=b"two")
    facts = Facts(
        epochs=[
            (2, imported(("a", b"one"))),
            (5, imported(("b", b"one"), ("c", b"two"))),
            (6, imported(("a", b"one"), ("c", b"two"))),
        ]
    )
    assert list(epochs.judge(tmp_path, None, facts, LEDGER)) == [
        laundered("b was imported before, on line 2", LEDGER, line=5),
        laundered("a was imported before, on line 2", LEDGER, line=6),
        laundered("c was imported before, on line 5", LEDGER, line=6),
    ]


def test_an_import_of_what_was_verified_is_told(monkeypatch, tmp_path):
    Stored(monkeypatch, a=b"one")
    facts = Facts(epochs=[(2, imported(("a", b"one")))], contents={"a": (ONE, None, 7)})
    assert list(epochs.judge(tmp_path, None, facts, LEDGER)) == [
        laundered(
            f"was imported as unverified, but line 7 of {LEDGER} is about it and was verified", "a"
        )
    ]


FIRST = line_of({"kind": "note"}, 0, START)
SECOND = line_of({"kind": "note"}, 1, sha256(FIRST))
CHAINED = FIRST + SECOND


class Changed:
    """Git, asked what changed in a folder and what is in it."""

    def __init__(self, changes=(), files=None, **contents: bytes) -> None:
        self.found = changes
        self.listed = files or {}
        self.contents = contents
        self.asked: list[tuple[Any, ...]] = []

    def changes(self, commits, folder):
        self.asked.append((commits, folder))
        return iter(self.found)

    def files(self, commit, folder):
        self.asked.append((commit, folder))
        return self.listed

    def read(self, oid: str) -> bytes:
        return self.contents[oid]


BRING_BACK = "bring it back with git; if it is this ledger's old place, add it to formerly"
CONTENTS = {"full": CHAINED, "more": CHAINED + b"x\n", "less": FIRST, "free": b"x\n"}


def vanished(git: Any, root):
    past = Past(git, ("s/r/l.ndjson",), ("t1", "t2", "t3"))
    return list(epochs.vanished(past, ["c1", "c2"], root, "s/", "r"))


def test_a_chained_ledger_is_never_taken_away(tmp_path):
    def change(path, old, new):
        return Change(BASE, path, old, new)

    git = Changed(
        [
            change("s/r/l.ndjson", "full", None),
            change("s/r/a.json", "full", None),
            change("s/r/b.ndjson", "free", None),
            change("s/r/c.ndjson", "full", "more"),
            change("s/r/d.ndjson", "full", "less"),
            change("s/r/e.ndjson", "full", None),
        ],
        **CONTENTS,
    )
    where = f"a chained ledger, whose rows were taken away in commit {BASE[:12]}"
    assert vanished(git, tmp_path) == [
        laundered(where, "s/r/d.ndjson", remedy=BRING_BACK),
        laundered(where, "s/r/e.ndjson", remedy=BRING_BACK),
    ]
    assert git.asked == [(["c1", "c2"], "s/r"), ("t3", "s/r")]


def test_a_chained_ledger_is_not_taken_away_in_the_tree(tmp_path):
    names = {"l": "full", "a": "full", "b": "full", "c": "full", "d": "free"}
    listed = {f"s/r/{name}.ndjson": oid for name, oid in names.items()}
    git = Changed(files={"s/r/a.json": "full", **listed}, **CONTENTS)
    (tmp_path / "r").mkdir()
    (tmp_path / "r/b.ndjson").write_bytes(CHAINED + b"x\n")
    (tmp_path / "r/c.ndjson").write_bytes(FIRST)
    where = "a chained ledger, whose rows were taken away in this tree"
    assert vanished(git, tmp_path) == [
        laundered(where, "s/r/a.ndjson", remedy=BRING_BACK),
        laundered(where, "s/r/c.ndjson", remedy=BRING_BACK),
    ]


@pytest.mark.parametrize(
    ("content", "chained"),
    [
        (FIRST, True),
        (FIRST[:-1], True),
        (CHAINED, True),
        (FIRST + b"\xff", True),
        (SECOND, False),
        (line_of({"kind": "note"}, 0, "1" * 64), False),
        (line_of({"kind": "note"}, 1, START), False),
        (b"", False),
        (b"{}\n" + FIRST, False),
    ],
)
def test_what_begins_like_a_ledger_is_chained(tmp_path, content, chained):
    git = Changed([Change(BASE, "s/r/x.ndjson", "it", None)], it=content)
    assert bool(vanished(git, tmp_path)) is (chained and bool(content))


# Tags


def test_a_tag_leads_where_its_row_says():
    told = {
        "refs/tags/same": ("a" * 40, "b" * 40),
        "refs/tags/moved": ("c" * 40, "d" * 40),
        "refs/tags/remade": ("c" * 40, "b" * 40),
    }

    def ref(name):
        if name == "refs/tags/bad":
            raise Unreadable("git broke")
        return told.get(name)

    def row(name):
        return {"kind": "tag", "tag": name, "object": "a" * 40, "commit": "b" * 40}

    names = ["same", "moved", "bad", "lost", "same", "remade"]
    facts = Facts(tags=[(line, row(name)) for line, name in enumerate(names, 3)])

    def finding(message, line, remedy, **more):
        return Finding("ledger.moved-tag", message, path=LEDGER, line=line, remedy=remedy, **more)

    def unknown(name, line, why):
        return finding(
            f"tag {name} cannot be compared: {why}",
            line,
            "git fetch --tags; a deleted tag is made again at the recorded object:"
            f" git update-ref refs/tags/{name} {'a' * 40}",
            severity=Severity.UNKNOWN,
        )

    def moved(name, line, *found):
        return finding(
            f"tag {name} leads to {found[1][:12]}, it was recorded at bbbbbbbbbbbb",
            line,
            f"put it back: git update-ref refs/tags/{name} {'a' * 40}",
            evidence={"recorded": ["a" * 40, "b" * 40], "found": list(found)},
        )

    git: Any = SimpleNamespace(ref=ref)
    assert list(tags.judge(facts, git, LEDGER)) == [
        moved("moved", 4, "c" * 40, "d" * 40),
        unknown("bad", 5, "git broke"),
        unknown("lost", 6, "is not in this clone"),
        finding(
            "tag same was recorded before, on line 3; a tag is never moved",
            7,
            "choose another name",
        ),
        moved("remade", 8, "c" * 40, "b" * 40),
    ]


# Rows


MOVE = {"source": "a", "target": "b", "source_blob": "1" * 40, "target_blob": "1" * 40}


def promotion(batch, **changes):
    facts = {"batch_id": batch, "base": "a" * 40, "plan_sha256": ONE, "moves": [MOVE], "shims": []}
    return {"kind": "promotion", **facts, **changes}


def rollback(batch):
    facts = {"batch_id": "r", "base": "a" * 40, "plan_sha256": ONE, "moves": [MOVE]}
    return {"kind": "rollback", "rolls_back": batch, **facts}


def content(path, digest, previous, blob=None):
    keys = {"path": path, "sha256": digest, "blob": blob, "previous": previous, "base": None}
    return {"kind": "content", **keys}


def taken(*given, skew=300.0, batch=None, start=1):
    reader = Reader(LEDGER, Facts(), skew, batch)
    for line, row in enumerate(given, start):
        reader.take(Seen(line, row, None))
    return reader


def found(rule, message, line, remedy, **more):
    return Finding(f"ledger.{rule}", message, path=LEDGER, line=line, remedy=remedy, **more)


def test_facts_survive_as_json():
    given = Facts(
        Counter(note=2),
        12.5,
        {"a": (ONE, "1" * 40, 3), "b": (None, None, 4)},
        [(5, {"files": []})],
        [(6, {"tag": "t"})],
        {"b": 7, "c": -8},
    )
    data = given.to_json()
    assert data == {
        "kinds": {"note": 2},
        "latest": 12.5,
        "contents": {"a": [ONE, "1" * 40, 3], "b": [None, None, 4]},
        "epochs": [[5, {"files": []}]],
        "tags": [[6, {"tag": "t"}]],
        "batches": {"b": 7, "c": -8},
    }
    assert type(data["kinds"]) is dict
    read = Facts.from_json({**data, "latest": "12.5", "batches": {1: "7"}})
    assert read == Facts(
        given.kinds, 12.5, given.contents, given.epochs, given.tags, batches={"1": 7}
    )
    assert isinstance(read.kinds, Counter)


def test_rows_are_counted_and_kept():
    epoch = {"kind": "epoch", "verified": False}
    epoch["files"] = [{"path": "a", "sha256": ONE, "bytes": 1, "rows": 1}]
    tag = {"kind": "tag", "tag": "t", "object": "a" * 40, "commit": "b" * 40}
    waiver = {"kind": "waiver-revoked", "id": "w", "reason": "r", "owner": "o"}
    note = {"kind": "note"}
    reader = taken(epoch, tag, waiver, note, note, promotion("p"), None, content("a", ONE, None))
    assert reader.findings == []
    assert reader.facts == Facts(
        Counter(
            {"epoch": 1, "tag": 1, "waiver-revoked": 1, "note": 2, "promotion": 1, "content": 1}
        ),
        contents={"a": (ONE, None, 8)},
        epochs=[(1, epoch)],
        tags=[(2, tag)],
        batches={"p": 6},
    )


def test_rows_of_the_running_batch_are_its_own():
    mine, lacking = promotion("p"), promotion("p", moves=[])
    reader = taken(mine, promotion("q"), mine, lacking, {"kind": "tag", "batch_id": "p"}, batch="p")
    assert reader.own == [Row(1, mine), Row(3, mine), Row(4, lacking)]
    assert reader.facts.batches == {"p": 1, "q": 2}
    assert taken(rollback("p"), promotion("r"), batch="r").own == [
        Row(1, rollback("p")),
        Row(2, promotion("r")),
    ]
    assert taken(rollback("r"), batch="q").own == []
    # A row of no batch is not the row of no running batch.
    assert taken(promotion("p"), batch=None).own == []


def test_a_batch_is_rolled_back_once():
    reader = taken(promotion("p"), rollback("p"), rollback("p"), rollback("q"))
    remedy = "take the row back with git; a batch is undone once, by pytest --cockpit-rollback"
    assert reader.findings == [
        found(
            "rollback",
            "undoes batch p, which was rolled back before, on line 2",
            3,
            remedy,
            evidence={"rolls_back": "p"},
        ),
        found(
            "rollback",
            "undoes batch q, which has no row above it",
            4,
            remedy,
            evidence={"rolls_back": "q"},
        ),
    ]
    assert reader.facts.batches == {"p": -2}


def merged(common, rows):
    side = {"rows": rows, "head": ONE}
    return {"kind": "merged", "common": common, "first": {**side, "rows": 9}, "second": side}


def note(at):
    return {"kind": "note", "at": f"2026-01-31T12:{at:02}:00Z"}


def test_rows_of_a_merged_side_are_about_that_side_alone():
    reader = taken(
        promotion("p"),
        rollback("p"),
        content("a", ONE, None),
        note(30),
        merged(2, 6),
        rollback("p"),
        content("a", TWO, "3" * 64),
        note(10),
        note(40),
        note(36),
        content("a", ONE, TWO),
        start=1,
    )
    assert reader.findings == []
    assert reader.merges == [5]
    assert reader.facts.batches == {"p": -2}
    assert reader.facts.contents["a"] == (ONE, None, 11)


def test_behind_a_merged_side_rows_are_about_both():
    reader = taken(note(30), merged(1, 3), note(10), note(20), note(24), skew=300)
    (told,) = reader.findings
    assert (told.rule, told.line) == ("ledger.time-regression", 5)
    assert "360 s before a row above it" in told.message
    reader = taken(note(30), merged(1, 3), note(10), note(50), note(44), skew=300)
    (told,) = reader.findings
    assert "360 s before" in told.message
    within = taken(note(30), merged(1, 3), note(20), note(10), skew=300)
    assert [told.line for told in within.findings] == [4]
    after = taken(content("a", ONE, None), merged(1, 2), note(1), content("a", TWO, "3" * 64))
    assert [told.rule for told in after.findings] == ["ledger.unbound-change"]
    twice = taken(promotion("p"), rollback("p"), merged(1, 2), note(1), rollback("p"))
    assert [told.line for told in twice.findings] == [5]
    none = taken(note(1), merged(1, 2), rollback("q"))
    assert [told.line for told in none.findings] == [3]


def test_a_merge_within_a_merged_side_is_that_sides_own():
    inner = (merged(1, 3), note(5), note(6))
    reader = taken(note(30), merged(1, 6), note(20), *inner, note(21), note(31), merged(1, 2))
    assert reader.findings == []
    assert reader.merges == [2, 9]
    late = taken(note(30), merged(1, 6), note(20), *inner, note(10), note(31), merged(1, 2))
    assert [told.line for told in late.findings] == [7]


def test_a_tag_that_both_sides_recorded_is_one():
    tag = {"kind": "tag", "tag": "v1", "object": "a" * 40, "commit": "a" * 40}
    other = {**tag, "object": "b" * 40}
    assert [line for line, _ in taken(tag, merged(1, 3), tag, other).facts.tags] == [1, 4]
    assert [line for line, _ in taken(tag, merged(1, 2), note(1), tag).facts.tags] == [1, 4]


def test_a_row_has_the_keys_of_its_kind():
    reader = taken({**content("a", ONE, None), "path": "/a", "blob": "y"}, start=9)
    remedy = "restore the row from git, or run again what wrote it"
    assert reader.findings == [
        found("row-schema", 'content row: /blob: expected git object id, got "y"', 9, remedy),
        found(
            "row-schema",
            'content row: /path: expected path below the repository\'s root, got "/a"',
            9,
            remedy,
        ),
    ]
    assert reader.facts.contents == {}


def test_a_content_row_says_what_the_file_was():
    reader = taken(
        content("a", ONE, None, "1" * 40),
        content("a", TWO, ONE),
        content("a", ONE, ONE),
        content("a", None, None),
        content("b", ONE, TWO),
        content("a", TWO, ONE, "2" * 40),
    )
    remedy = "restore the ledger from git and record the file again: cockpit ledger record a"
    assert reader.findings == [
        found("unbound-change", f"a was {ONE} before this row, but line 2 says {TWO}", 3, remedy),
        found(
            "unbound-change", f"a was not there before this row, but line 3 says {ONE}", 4, remedy
        ),
        found(
            "unbound-change",
            f"a was {ONE} before this row, but line 4 says it was deleted",
            6,
            remedy,
        ),
    ]
    assert reader.facts.contents == {"a": (TWO, "2" * 40, 6), "b": (ONE, None, 5)}


def at(text):
    return {"kind": "note", "at": text}


def test_time_goes_on():
    reader = taken(
        at("2026-01-01T12:00:00Z"),
        at("2026-01-01T11:55:00Z"),
        at("2026-01-01T11:54:59.400Z"),
        at("2026-01-01T12:00:01+00:00"),
        at("2026-01-01T11:55:00.500Z"),
    )
    remedy = "set the clock of the machine that wrote it, take the row back with git"
    remedy += " and write it again"

    def back(line, text, seconds, latest):
        evidence = {"at": text, "latest": latest, "skew_s": 300.0}
        message = f"is of {text}, {seconds} s before a row above it"
        return found("time-regression", message, line, remedy, evidence=evidence)

    assert reader.findings == [
        back(3, "2026-01-01T11:54:59.400Z", 301, "2026-01-01T12:00:00Z"),
        back(5, "2026-01-01T11:55:00.500Z", 300, "2026-01-01T12:00:01Z"),
    ]
    assert reader.facts.latest == 1767268801.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:01:00Z", 60.0),
        ("1970-01-01T00:00:60Z", 59.0),
        ("1970-01-01T00:00:60.500Z", 59.5),
        ("0000-01-01T00:00:00Z", -1e11),
    ],
)
def test_every_time_of_the_schema_has_seconds(text, seconds):
    assert rows._seconds(text) == seconds


def test_no_more_than_a_hundred_findings_are_kept():
    reader = taken(*[rollback("q")] * 99)
    reader.take(Seen(100, None, Break(99, 100, "torn")))
    assert (len(reader.findings), reader.hidden, list(rows.hidden(reader))) == (100, 0, [])
    for line in (101, 102):
        reader.take(Seen(line, rollback("q"), None))
    assert (len(reader.findings), reader.hidden) == (100, 2)
    remedy = "restore the ledger from git, or move the torn line to a file beside it"
    assert list(rows.hidden(reader)) == [found("torn", "2 more findings about lines", None, remedy)]


@pytest.mark.parametrize(
    ("reason", "rule", "message"),
    [
        ("not a ledger row (x)", "row-schema", "not a ledger row (x)"),
        ("not in canonical form", "chain", "not in canonical form"),
        ("seq is 3, expected 2", "chain", "seq is 3, expected 2"),
        ("prev is not it", "chain", "prev is not it: line 8 or this one was changed"),
    ],
)
def test_a_break_is_a_finding(reason, rule, message):
    reader = Reader(LEDGER, Facts(), 0)
    reader.take(Seen(9, None, Break(6, 9, reason)))
    remedy = "restore the ledger from git; rows are only ever added"
    assert reader.findings == [found(rule, f"row 6: {message}", 9, remedy, evidence={"seq": 6})]
    assert not reader.facts.kinds


def test_a_torn_line_is_a_finding():
    remedy = "restore the ledger from git, or move the torn line to a file beside it"
    assert rows.broken(Break(6, 9, "torn"), LEDGER) == found(
        "torn", "row 6: the last line is torn", 9, remedy, evidence={"seq": 6}
    )


# Reading


def ledger(*given):
    lines, head = [], START
    for seq, row in enumerate(given):
        lines.append(line_of(row, seq, head))
        head = sha256(lines[-1])
    return lines


LINES = ledger(
    promotion("p"), {"kind": "note"}, promotion("q"), {"kind": "note", "at": "2026-01-01T12:00:00Z"}
)


def heads(count):
    tree = Frontier()
    for line in LINES[:count]:
        tree.add(leaf(line))
    return tree


def remembered(count, **changes):
    reader = taken(*[{"kind": "note"}] * count)
    kept = {
        "size": len(b"".join(LINES[:count])),
        "lines": count,
        "head": sha256(LINES[count - 1]),
        "tree": tuple(one.hex() for one in heads(count).hashes),
        "facts": reader.facts.to_json(),
        "blobs": {"oid": 5},
        "commits": (),
        "roots": {"1": heads(1).root().hex()},
    }
    return Memory(**{**kept, **changes})


def read(sizes=(), batch=None, memory=None, lines=LINES):
    held = Held(memoryview(b"".join(lines)))
    return held, scan(held, LEDGER, 300.0, batch, sizes, memory)


def test_a_ledger_is_read_from_its_start():
    held, done = read([0, 2, 4, 9], batch="q")
    assert done.reader.findings == []
    assert done.reader.facts.kinds == {"promotion": 2, "note": 2}
    assert [row.line for row in done.reader.own] == [3]
    assert (done.resumed, done.chain.lines, done.chain.head) == (0, 4, sha256(LINES[3]))
    assert done.tree is done.chain.tree
    assert done.tree.root() == heads(4).root()
    assert done.roots == {0: EMPTY, 2: heads(2).root(), 4: heads(4).root()}
    assert held.known == {}


def test_what_is_wrong_names_the_ledger_and_the_skew():
    late = ledger(at("2026-01-01T12:00:00Z"), at("2026-01-01T11:00:00Z"))
    _, done = read(lines=[*late, b"x"])
    assert [(one.rule, one.path, one.line) for one in done.reader.findings] == [
        ("ledger.time-regression", LEDGER, 2),
        ("ledger.torn", LEDGER, 3),
    ]
    evidence: Any = done.reader.findings[0].evidence
    assert evidence["skew_s"] == 300.0


def test_a_ledger_is_read_on_from_the_memory():
    held, done = read([0, 1, 2, 4], memory=remembered(2))
    assert done.reader.findings == []
    # Its first two rows are as the memory has them.
    assert done.reader.facts.kinds == {"note": 3, "promotion": 1}
    assert (done.resumed, done.chain.lines, done.chain.head) == (2, 4, sha256(LINES[3]))
    assert done.tree.root() == heads(4).root()
    assert done.roots == {n: heads(n).root() for n in (0, 1, 2, 4)}
    assert held.known == {"oid": 5}


def test_a_size_that_is_not_remembered_is_read_from_the_start():
    _, done = read([1], memory=remembered(3, roots={}))
    assert done.resumed == 0
    _, done = read([1, 2], memory=remembered(3))
    assert done.resumed == 0
    _, done = read([3, 4], memory=remembered(3, roots={}))
    assert done.resumed == 3
    assert done.roots == {0: EMPTY, 3: heads(3).root(), 4: heads(4).root()}


def test_what_is_wrong_behind_the_memory_names_the_ledger():
    _, done = read(memory=remembered(2), lines=[*LINES, b"x"])
    assert [(one.path, one.line) for one in done.reader.findings] == [(LEDGER, 5)]


@pytest.mark.parametrize(("batch", "resumed"), [(None, 2), ("q", 2), ("p", 0), ("other", 0)])
def test_a_batch_whose_row_is_remembered_is_read_from_the_start(batch, resumed):
    _, done = read(batch=batch, memory=remembered(2))
    assert done.resumed == resumed
    assert len(done.reader.own) == (batch in {"p", "q"})
