"""Twelve ways to tamper with a ledger, each as somebody with write access would go about it."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pytest_cockpit.api import Context, Report, Severity, Verdict
from pytest_cockpit.records import checkpoint, ledger, ledger_epoch, ledger_keys, ledger_merge
from pytest_cockpit.records.ledger_content import blob_id, row
from pytest_cockpit.records.text import sha256
from pytest_cockpit_gates.ledger import gate

PATH = ".cockpit/promotions.ndjson"
CHECKPOINT = ".cockpit/promotions.checkpoint"
START = datetime(2026, 1, 31, 12, tzinfo=UTC)


@dataclass
class Port:
    """A repository with a ledger, and those who write to it."""

    root: Path
    clock: datetime = START
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def ledger(self) -> Path:
        return self.root / PATH

    @property
    def data(self) -> bytes:
        return self.ledger.read_bytes()

    @property
    def lines(self) -> list[bytes]:
        return self.data.splitlines(keepends=True)

    def git(self, *arguments: str, check: bool = True) -> str:
        clean = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null", "HOME": "/nowhere"}
        when = f"{int(self.clock.timestamp())} +0000"
        clean |= {"GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when}
        names = ["-c", "user.name=t", "-c", "user.email=t@example.invalid"]
        done = subprocess.run(
            ["git", *names, *arguments],
            cwd=self.root,
            env=clean,
            check=check,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def head(self) -> str:
        return self.git("rev-parse", "HEAD")

    def commit(self, message: str = "change", *options: str) -> str:
        self.clock += timedelta(minutes=1)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", f"--message={message}", *options)
        return self.head()

    def at(self) -> str:
        return self.clock.strftime("%Y-%m-%dT%H:%M:%SZ")

    def note(self, text: str, **more: Any) -> None:
        """An honest row of no particular kind."""
        ledger.append(self.ledger, {"kind": "note", "text": text, "at": self.at(), **more})

    def write(self, path: str, content: bytes) -> None:
        """An honest change of a file: with its row."""
        place = self.root / path
        old = place.read_bytes() if place.is_file() else None
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        previous = None if old is None else sha256(old)
        made = row(path, content, previous, self.head(), 40)
        ledger.append(self.ledger, {**made, "at": self.at()})

    def vouch(self, *keys: Path) -> None:
        """Write a checkpoint."""
        signers = [ledger_keys.signer(key) for key in keys]
        data = checkpoint.write(io.BytesIO(self.data), "port.example", signers)
        (self.root / CHECKPOINT).write_bytes(data)

    def judge(self, base: str = "HEAD", **settings: Any) -> Report:
        context = Context(
            root=self.root,
            scratch=self.root.parent / "scratch",
            settings={**self.settings, **settings},
            base=self.git("rev-parse", base),
        )
        return gate.check(context)

    def rules(self, base: str = "HEAD", **settings: Any) -> set[str]:
        """The rules that are broken; none of them only unknown."""
        report = self.judge(base, **settings)
        broken = [found for found in report.findings if found.severity is Severity.ERROR]
        assert (report.verdict is Verdict.FAIL) == bool(broken), report
        assert all(found.remedy for found in report.findings)
        assert all("\n" not in found.message for found in report.findings)
        return {found.rule.removeprefix("ledger.") for found in broken}


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Port:
    """Six commits, each with a row, and a work tree that is clean; to be copied, not used."""
    root = tmp_path_factory.mktemp("pattern") / "port"
    root.mkdir()
    (root.parent / "scratch").mkdir()
    made = Port(root)
    made.git("init", "--quiet", "--initial-branch=main", "--template=")
    made.git("config", "maintenance.auto", "false")
    made.commit("before")
    for number in range(6):
        made.note(f"ship {number}")
        made.commit(f"row {number}")
    assert made.judge().verdict is Verdict.PASS
    return made


@pytest.fixture
def port(pattern: Port, tmp_path: Path) -> Port:
    """A repository of six commits, each with a row, and a work tree that is clean."""
    shutil.copytree(pattern.root, tmp_path / "port", symlinks=True)
    (tmp_path / "scratch").mkdir()
    made = Port(tmp_path / "port")
    made.clock = pattern.clock
    return made


@pytest.fixture
def key(tmp_path: Path) -> tuple[Path, str]:
    """A key to sign with, which the attacker does not have."""
    private, public = ledger_keys.generate("port.example")
    path = tmp_path / "key"
    path.write_text(private)
    return path, public


def rehashed(lines: Iterable[bytes], change: Callable[[list[dict[str, Any]]], None]) -> bytes:
    """A ledger with its rows changed and its whole chain computed anew: no broken link."""
    rows = [json.loads(line) for line in lines]
    for each in rows:
        del each["seq"], each["prev"]
    change(rows)
    data = ledger.extend(b"", rows)
    assert ledger.verify(data) == []
    return data


def edit_text(rows: list[dict[str, Any]]) -> None:
    rows[2]["text"] = "no ship"


# 1 to 5: within the chain. Each is tried in the work tree and as a commit, and told with its line


def edited(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], lines[2].replace(b"ship 2", b"shop 2"), *lines[3:]]


def deleted(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], *lines[3:]]


def inserted(lines: list[bytes]) -> list[bytes]:
    forged = ledger.extend(b"".join(lines[:2]), [{"kind": "note", "text": "forged"}])
    return [*lines[:2], forged.splitlines(keepends=True)[2], *lines[2:]]


def reordered(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], lines[3], lines[2], *lines[4:]]


def duplicated(lines: list[bytes]) -> list[bytes]:
    return [*lines[:3], *lines[2:]]


@pytest.mark.parametrize("committed", [False, True])
@pytest.mark.parametrize(
    ("tamper", "line"), [(edited, 4), (deleted, 3), (inserted, 4), (reordered, 3), (duplicated, 4)]
)
def test_a_row_is_edited_deleted_inserted_moved_or_repeated(port: Port, tamper, line, committed):
    base = port.head()
    port.ledger.write_bytes(b"".join(tamper(port.lines)))
    if committed:
        port.commit("tidy up")
        port.note("ship 7")
        port.commit("row 7")
    report = port.judge(base)
    chain = [found.line for found in report.findings if found.rule == "ledger.chain"]
    assert chain[0] == line
    assert {"chain", "rewritten"} <= port.rules(base)
    if committed:
        # The base of everyday use is HEAD, which has the forged ledger too; its past tells.
        assert {"chain", "rewritten"} <= port.rules()


# 6: tail truncation, which leaves a whole chain


@pytest.mark.parametrize("kept", [1, 4, 5])
def test_the_last_rows_are_cut_off(port: Port, kept: int):
    port.ledger.write_bytes(b"".join(port.lines[:kept]))
    assert ledger.verify(port.data) == []
    assert port.rules() == {"rewritten"}
    [found] = port.judge().findings
    assert found.line == kept + 1
    port.commit("tidy up")
    assert port.rules() == {"rewritten"}


def test_the_last_rows_are_cut_off_and_the_ledger_grows_again(port: Port):
    port.ledger.write_bytes(b"".join(port.lines[:3]))
    port.commit("tidy up")
    for number in range(9):
        port.note(f"else {number}")
        port.commit()
    assert port.rules() == {"rewritten"}


def test_the_ledger_is_removed_and_started_again(port: Port):
    port.ledger.unlink()
    assert port.rules() == {"missing"}
    port.commit("tidy up")
    port.note("ship 0")
    port.commit()
    assert port.rules() == {"rewritten"}


def test_the_last_rows_are_cut_off_under_a_checkpoint(port: Port):
    port.vouch()
    port.ledger.write_bytes(b"".join(port.lines[:4]))
    report = port.judge()
    assert {"checkpoint", "rewritten"} == port.rules()
    assert any("is of 6 rows, the ledger has 4" in found.message for found in report.findings)


# 7: forward re-hash, after which no link is broken


def test_the_chain_is_computed_anew_after_an_edit(port: Port):
    port.ledger.write_bytes(rehashed(port.lines, edit_text))
    assert port.rules() == {"rewritten"}
    [found] = port.judge().findings
    assert found.line == 3
    port.commit("tidy up")
    port.note("ship 7")
    port.commit()
    assert port.rules() == {"rewritten"}


def test_all_of_history_is_written_anew_but_for_what_a_key_has_signed(
    port: Port, key: tuple[Path, str]
):
    private, public = key
    port.vouch(private)
    port.commit("vouch")
    signed = (port.root / CHECKPOINT).read_bytes()
    forged = rehashed(port.lines, edit_text)
    port.git("checkout", "--quiet", "--orphan", "forged")
    port.ledger.write_bytes(forged)
    port.commit("all of it")
    # In git there is nothing to be seen; neither is there under a checkpoint that anybody can write.
    assert port.rules(keys=[public], published=[]) == {"checkpoint"}
    port.vouch()
    assert "checkpoint-signature" in port.rules(keys=[public], published=[])
    (port.root / CHECKPOINT).unlink()
    assert "checkpoint-signature" in port.rules(keys=[public], published=[])
    # The old signature under the new tree head.
    point = checkpoint.over(io.BytesIO(forged), "port.example").text
    (port.root / CHECKPOINT).write_bytes(point.encode() + b"\n" + signed.partition(b"\n\n")[2])
    assert "checkpoint-signature" in port.rules(keys=[public], published=[])


def test_another_key_signs_what_was_forged(port: Port, key: tuple[Path, str], tmp_path: Path):
    _, public = key
    other = tmp_path / "other"
    other.write_text(ledger_keys.generate("port.example")[0])
    port.ledger.write_bytes(rehashed(port.lines, edit_text))
    port.vouch(other)
    assert "checkpoint-signature" in port.rules(keys=[public])


# 8: laundering through a migration


def washed(port: Port, content: bytes, place: str = "history/old.ndjson") -> None:
    """Import `content` into a ledger, as `cockpit ledger import` would not do it."""
    path = port.root / place
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    file = {"path": place, "sha256": sha256(content), "bytes": len(content), "rows": 1}
    ledger.append(port.ledger, {"kind": "epoch", "verified": False, "files": [file]})


def stripped(data: bytes) -> bytes:
    """Rows without their chain, as an export would have them."""
    rows = [json.loads(line) for line in data.splitlines()]
    for each in rows:
        del each["seq"], each["prev"]
    return b"".join(json.dumps(each).encode() + b"\n" for each in rows)


def test_edited_rows_come_back_as_unverified_history_of_a_new_ledger(port: Port):
    forged = rehashed(port.lines, edit_text)
    port.ledger.unlink()
    washed(port, forged)
    assert {"laundered", "rewritten"} <= port.rules()
    port.commit("migrate")
    assert {"laundered", "rewritten"} <= port.rules()


def test_edited_rows_come_back_stripped_of_their_chain(port: Port):
    port.write("quay/manifest.json", b"{}\n")
    port.commit()
    old = port.data
    port.ledger.unlink()
    washed(port, stripped(rehashed(old.splitlines(keepends=True), edit_text)))
    # One of its rows is of a kind that only verified rows have.
    assert {"laundered", "rewritten"} <= port.rules()


def test_a_new_ledger_elsewhere_takes_the_place_of_the_old_one(port: Port):
    new = ".cockpit/rows.ndjson"
    port.ledger.unlink()
    ledger.append(port.root / new, {"kind": "opened"})
    assert port.rules(path=new) == {"laundered"}
    port.commit("migrate")
    assert port.rules(path=new) == {"laundered"}
    port.note("ship 0")
    port.commit("an empty one at the old place")
    assert port.rules(path=new) == {"laundered"}


def test_a_ledger_that_is_left_lying_is_edited(port: Port):
    """The ledger has moved on to another file; the old one still may not change."""
    new = ".cockpit/rows.ndjson"
    ledger.append(port.root / new, {"kind": "opened"})
    port.commit("a second ledger")
    assert port.rules(path=new) == set()
    port.ledger.write_bytes(rehashed(port.lines, edit_text))
    assert port.rules(path=new) == {"laundered"}


def test_a_file_that_rows_vouch_for_is_imported_as_unverified(port: Port):
    port.write("manifests/quay.ndjson", b'{"module":"quay"}\n')
    port.commit()
    washed(port, b'{"module":"pier"}\n', "manifests/quay.ndjson")
    assert {"laundered", "unbound-change"} <= port.rules()


def test_imported_history_is_edited_after_its_import(port: Port):
    washed(port, b'{"module":"quay"}\n')
    port.commit("import")
    assert port.rules() == set()
    (port.root / "history/old.ndjson").write_bytes(b'{"module":"pier"}\n')
    assert port.rules() == {"epoch-changed"}
    washed(port, b'{"module":"pier"}\n')
    assert {"epoch-changed", "laundered"} <= port.rules()


# 9: diverging branches


def diverged(port: Port) -> None:
    """Two branches that both have rows of their own."""
    port.git("checkout", "--quiet", "-b", "side")
    port.note("side ship")
    port.commit("side row")
    port.git("checkout", "--quiet", "main")
    port.note("main ship")
    port.commit("main row")


def merged(port: Port, data: bytes) -> None:
    port.git("merge", "--quiet", "--no-commit", "side", check=False)
    port.ledger.write_bytes(data)


@pytest.mark.parametrize("kept", ["main", "side"])
def test_a_merge_drops_the_rows_of_one_side(port: Port, kept: str):
    diverged(port)
    merged(port, port.git("show", f"{kept}:{PATH}").encode() + b"\n")
    # Before it is committed, the first side is the base of what is judged.
    assert port.rules() == {"diverged" if kept == "main" else "rewritten"}
    port.commit("merge")
    assert port.rules() == {"diverged"}
    [found] = port.judge().findings
    assert found.line == 7
    assert len(str(found.evidence["commit"])) == 40


def test_a_merge_chains_the_rows_of_one_side_anew(port: Port):
    diverged(port)
    ours = port.git("show", f"main:{PATH}").encode() + b"\n"
    theirs = json.loads(port.git("show", f"side:{PATH}").splitlines()[-1])
    del theirs["seq"], theirs["prev"]
    merged(port, ledger.extend(ours, [theirs]))
    assert port.rules() == {"diverged"}
    port.commit("merge")
    assert port.rules() == {"diverged"}
    port.note("ship 9")
    port.commit("long ago")
    assert port.rules() == {"diverged"}


def test_a_fork_of_the_ledger_is_not_merged_by_a_fast_forward_of_one_parent(port: Port):
    """What `--first-parent` would not see: the side's rows are dropped before the merge."""
    diverged(port)
    port.git("checkout", "--quiet", "side")
    port.ledger.write_bytes(b"".join(port.lines[:6]))
    port.commit("drop it on the side")
    port.git("checkout", "--quiet", "main")
    port.git("merge", "--quiet", "--no-edit", "side")
    assert port.rules() == {"rewritten"}


# A merge that was made by `cockpit ledger merge` keeps both sides; nothing else does.


def sides(port: Port) -> tuple[bytes, bytes]:
    ours, theirs = (
        port.git("show", f"{side}:{PATH}").encode() + b"\n" for side in ("main", "side")
    )
    return ours, theirs


def more_diverged(port: Port) -> None:
    """Two branches with three and two rows of their own, of several kinds."""
    port.git("checkout", "--quiet", "-b", "side")
    port.write("quay/manifest.json", b'{"side":1}\n')
    port.note("side ship")
    port.commit("side rows")
    port.write("quay/manifest.json", b'{"side":2}\n')
    port.commit("side row")
    port.git("checkout", "--quiet", "main")
    port.clock += timedelta(days=1)
    port.note("main ship")
    port.note("main boat")
    port.commit("main rows")


@pytest.mark.parametrize("first", ["main", "side"])
def test_a_merge_by_the_command_is_whole_ever_after(port: Port, first: str):
    more_diverged(port)
    main, side = sides(port)
    order = (main, side) if first == "main" else (side, main)
    merged(port, ledger_merge.merged(*order))
    assert port.rules() == set()
    port.commit("merge")
    assert port.rules() == set()
    port.note("ship 9")
    port.write("quay/manifest.json", b'{"berths":9}\n')
    port.commit("long ago")
    assert port.rules() == set()
    assert port.rules(base="HEAD~1") == set()


def test_a_merge_of_merges_is_whole(port: Port):
    more_diverged(port)
    main, side = sides(port)
    port.git("checkout", "--quiet", "-b", "third", "main~1")
    port.note("third ship")
    port.commit("third row")
    port.git("merge", "--quiet", "--no-commit", "side", check=False)
    port.ledger.write_bytes(ledger_merge.merged(port_show(port, "third"), side))
    port.commit("merge side into third")
    assert port.rules() == set()
    port.git("checkout", "--quiet", "main")
    port.git("merge", "--quiet", "--no-commit", "third", check=False)
    port.ledger.write_bytes(ledger_merge.merged(main, port_show(port, "third")))
    assert port.rules() == set()
    port.commit("merge third into main")
    assert port.rules() == set()
    assert len(port.lines) == 6 + 2 + 1 + (1 + 1 + 3)
    # What the inner merge brought is held as firmly as what the outer one did.
    data = port.data
    for line in range(9, 14):
        port.ledger.write_bytes(rechained(data.splitlines(keepends=True), line))
        assert "diverged" in port.rules()
        port.ledger.write_bytes(data)


def port_show(port: Port, rev: str) -> bytes:
    return port.git("show", f"{rev}:{PATH}").encode() + b"\n"


def rechained(lines: list[bytes], place: int, change=None) -> bytes:
    """The ledger without the row at this place, or with it changed, and a whole chain."""
    rows = [json.loads(line) for line in lines]
    for each in rows:
        del each["seq"], each["prev"]
    rows[place : place + 1] = [] if change is None else [change(rows[place])]
    return ledger.extend(b"", rows)


@pytest.mark.parametrize("committed", [False, True])
@pytest.mark.parametrize("place", [8, 9, 10, 11])
@pytest.mark.parametrize(
    "how", ["dropped", "edited", "swapped", "inserted", "kind", "head", "rows", "common"]
)
def test_a_merge_that_is_not_exactly_both_sides_is_seen(
    port: Port, place: int, how: str, committed: bool
):
    more_diverged(port)
    data = ledger_merge.merged(*sides(port))
    lines = data.splitlines(keepends=True)
    assert json.loads(lines[8])["kind"] == "merged"
    merged(port, spoiled(lines, place, how))
    if committed:
        port.commit("merge")
    assert "diverged" in port.rules()


def spoiled(lines: list[bytes], place: int, how: str) -> bytes:
    if how == "dropped":
        return rechained(lines, place)
    if how == "edited":
        return rechained(lines, place, lambda row: {**row, "reason": "another"})
    if how in ("swapped", "inserted"):
        place = min(place, 10)
        other = lines[place + 1] if how == "swapped" else lines[2]
        lines = [
            *lines[:place],
            other,
            lines[place],
            *lines[place + (2 if how == "swapped" else 1) :],
        ]
        return rechained(lines, 0, lambda row: row)
    changes = {
        "kind": lambda row: {**row, "kind": "note"},
        "head": lambda row: {**row, "second": {**row["second"], "head": "0" * 64}},
        "rows": lambda row: {**row, "second": {**row["second"], "rows": 8}},
        "common": lambda row: {**row, "common": 5},
    }
    return rechained(lines, 8, changes[how])


def test_a_merge_is_told_nothing_of_rows_that_came_later(port: Port):
    """The side went on after what was merged of it: those rows are dropped."""
    more_diverged(port)
    main, side = sides(port)
    early = b"".join(side.splitlines(keepends=True)[:-1])
    merged(port, ledger_merge.merged(main, early))
    assert "diverged" in port.rules()
    port.commit("merge")
    assert "diverged" in port.rules()


def test_rows_are_merged_by_merges_alone(port: Port):
    """Chained anew in a commit of one parent, rows of the ledger itself are rewritten."""
    more_diverged(port)
    main, side = sides(port)
    port.ledger.write_bytes(ledger_merge.merged(side, main))
    assert port.rules() == {"rewritten", "unbound-change"}
    port.commit("no merge")
    assert "rewritten" in port.rules()


def test_a_published_ledger_is_not_merged_behind_another(port: Port):
    more_diverged(port)
    main, side = sides(port)
    port.git("update-ref", "--create-reflog", "refs/remotes/origin/main", "main")
    merged(port, ledger_merge.merged(side, main))
    port.commit("merge")
    port.git("update-ref", "--create-reflog", "refs/remotes/origin/main", "HEAD")
    assert port.rules() == {"force-pushed"}


def test_a_checkpoint_before_the_merge_holds_behind_it(port: Port):
    more_diverged(port)
    port.vouch()
    port.commit("vouch")
    merged(port, ledger_merge.merged(*sides(port)))
    assert port.rules() == set()
    port.vouch()
    port.commit("merge")
    assert port.rules() == set()


def test_both_sides_have_undone_the_same_batch_and_recorded_the_same_tag(port: Port):
    port.git("tag", "v1", "HEAD")
    at = {"tag": "v1", "object": port.head(), "commit": port.head()}
    blobs = {"source_blob": "a" * 40, "target_blob": "b" * 40}
    move = {"source": "a", "target": "b", **blobs}
    plan = {"base": port.head(), "plan_sha256": "0" * 64}
    ledger.append(
        port.ledger,
        {"kind": "promotion", "batch_id": "b1", **plan, "moves": [move], "shims": []},
    )
    port.commit()
    port.git("branch", "side")
    for branch in ("main", "side"):
        port.git("checkout", "--quiet", branch)
        port.note(branch)
        ledger.append(port.ledger, {"kind": "tag", **at})
        back = {"source": "b", "target": "a", **blobs}
        ledger.append(
            port.ledger,
            {"kind": "rollback", "batch_id": branch, "rolls_back": "b1", **plan, "moves": [back]},
        )
        port.commit()
    assert port.rules() == set(), port.judge().findings
    port.git("checkout", "--quiet", "main")
    merged(port, ledger_merge.merged(*sides(port)))
    assert port.rules() == set(), port.judge().findings
    port.commit("merge")
    assert port.rules() == set()


# 10: force-push


def pushed(port: Port) -> Path:
    origin = port.root.parent / "origin.git"
    port.git("clone", "--quiet", "--bare", str(port.root), str(origin))
    port.git("remote", "add", "origin", str(origin))
    port.git("fetch", "--quiet", "origin")
    return origin


def test_the_published_branch_is_replaced(port: Port, tmp_path: Path):
    origin = pushed(port)
    # Somebody else writes all of history anew and pushes it over the branch.
    other = Port(tmp_path / "other", port.clock)
    port.git("clone", "--quiet", str(origin), str(other.root))
    other.git("reset", "--quiet", "--hard", "HEAD~3")
    other.note("forged")
    other.commit("forged")
    other.git("push", "--quiet", "--force", "origin", "main")
    port.git("fetch", "--quiet", "origin")
    assert port.rules() == {"force-pushed"}
    port.git("reset", "--quiet", "--hard", "origin/main")
    assert port.rules() == {"force-pushed"}
    [found] = port.judge().findings
    assert found.evidence["ref"] == "refs/remotes/origin/main"
    port.note("work goes on")
    port.commit()
    assert port.rules() == {"force-pushed"}


def test_what_was_forced_is_taken_back(port: Port):
    pushed(port)
    honest = port.head()
    port.git("reset", "--quiet", "--hard", "HEAD~2")
    port.git("push", "--quiet", "--force", "origin", "main")
    assert port.rules() == {"force-pushed"}
    port.git("reset", "--quiet", "--hard", honest)
    port.git("push", "--quiet", "--force", "origin", "main")
    assert port.rules() == set()


def test_a_branch_may_be_forced_whose_rows_stay(port: Port):
    pushed(port)
    port.git("commit", "--quiet", "--amend", "--message=another word")
    port.git("push", "--quiet", "--force", "origin", "main")
    port.git("fetch", "--quiet", "origin")
    assert port.rules() == set()


# 11: timestamp regression


def test_a_row_is_dated_back(port: Port):
    port.clock -= timedelta(hours=2)
    port.note("forged")
    report = port.judge()
    assert port.rules() == {"time-regression"}
    assert report.findings[0].line == 7
    port.clock += timedelta(hours=3)
    port.commit()
    port.note("ship 8")
    port.commit()
    assert port.rules() == {"time-regression"}


def test_a_clock_creeps_back_row_by_row(port: Port):
    for _ in range(4):
        port.clock -= timedelta(seconds=200)
        port.note("creeping")
    assert port.rules() == {"time-regression"}
    assert port.rules(clock_skew_s=86400) == set()


# 12: moved tag


@pytest.mark.parametrize("annotated", [False, True])
def test_a_recorded_tag_is_moved(port: Port, annotated: bool):
    options = ["--annotate", "--message=freeze"] if annotated else []
    port.git("tag", *options, "v1.0")
    held, commit = port.git("rev-parse", "v1.0"), port.git("rev-parse", "v1.0^{commit}")
    assert (held != commit) == annotated
    tag = {"kind": "tag", "tag": "v1.0", "object": held, "commit": commit}
    ledger.append(port.ledger, {**tag, "at": port.at()})
    port.commit("freeze")
    assert port.rules() == set()
    port.git("tag", "--force", *options, "v1.0", "HEAD~2")
    assert port.rules() == {"moved-tag"}
    port.git("tag", "--force", *options, "v1.0", commit)
    # An annotated tag made again is another object, even at the same commit and moment.
    port.git("update-ref", "refs/tags/v1.0", held)
    assert port.rules() == set()
    port.git("tag", "--delete", "v1.0")
    assert port.judge().verdict is Verdict.UNKNOWN


def test_a_moved_tag_is_recorded_again(port: Port):
    for commit in (port.head(), port.git("rev-parse", "HEAD~1")):
        port.git("tag", "--force", "v1.0", commit)
        tag = {"kind": "tag", "tag": "v1.0", "object": commit, "commit": commit}
        ledger.append(port.ledger, {**tag, "at": port.at()})
    assert port.rules() == {"moved-tag"}


def frozen(port: Port, tag: str = "v2.0", kind: str = "baseline") -> str:
    """Freeze what is there, as a session does; return the commit of the freeze."""
    row = {
        "kind": "freeze",
        "tag": tag,
        "freeze": kind,
        "base": port.head(),
        "manifest": f"{kind}.json",
        "manifest_sha256": sha256(tag.encode()),
    }
    (port.root / f"{kind}.json").write_text(tag)
    ledger.append(port.ledger, {**row, "at": port.at()})
    commit = port.commit("freeze")
    port.git("tag", "--annotate", "--message=freeze", tag)
    return commit


def test_the_tag_of_a_freeze_is_moved(port: Port):
    commit = frozen(port)
    held = port.git("rev-parse", "v2.0")
    port.note("later")
    port.commit("later")
    assert port.rules() == set()
    # To the commit before and the one after, and to one that is no tag's object.
    for place in ("HEAD~2", "HEAD"):
        port.git("tag", "--force", "--annotate", "--message=freeze", "v2.0", place)
        assert port.rules() == {"moved-tag"}
    port.git("tag", "--force", "v2.0", commit)
    assert port.rules() == {"moved-tag"}
    port.git("update-ref", "refs/tags/v2.0", held)
    assert port.rules() == set()
    port.git("tag", "--delete", "v2.0")
    report = port.judge()
    assert report.verdict is Verdict.UNKNOWN
    assert "v2.0 of a freeze is not in this clone" in report.findings[0].message


def test_the_tag_of_a_freeze_is_missed_in_a_linked_work_tree(port: Port):
    """Its `HEAD` has the freeze, that of the repository's own work tree has not."""
    linked = Port(port.root.parent / "linked", port.clock)
    port.git("worktree", "add", "--quiet", "-b", "release", str(linked.root))
    frozen(linked)
    port.git("tag", "--delete", "v2.0")
    scratch = port.root / ".git/cockpit/scratch/ledger-1"
    scratch.mkdir(parents=True)
    report = gate.check(Context(root=linked.root, scratch=scratch, base=linked.head()))
    assert report.verdict is Verdict.UNKNOWN
    assert "v2.0 of a freeze is not in this clone" in report.findings[0].message


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("quay/berth.py", "which changes quay/berth.py too"),
        ("baseline.json", "where baseline.json is not the manifest of this row"),
        (".cockpit/promotions.ndjson", "whose ledger is not the one that was frozen"),
    ],
)
def test_the_tag_of_a_freeze_is_moved_to_one_beside_it(port: Port, path: str, said: str):
    """With the same parent and the same row, and another tree."""
    commit = frozen(port)
    port.git("checkout", "--quiet", "--detach")
    place = port.root / path
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(port.lines[-1] if place.exists() else b"BERTHS = 0\n")
    port.git("add", "--all")
    port.git("commit", "--quiet", "--amend", "--no-edit")
    port.git("tag", "--force", "--annotate", "--message=freeze", "v2.0")
    port.git("checkout", "--quiet", "main")
    assert port.head() == commit
    [found] = port.judge().findings
    assert found.rule == "ledger.moved-tag"
    assert said in found.message


def test_a_freeze_that_no_branch_has_yet_may_lack_its_tag(port: Port):
    row = {"kind": "freeze", "tag": "v2.0", "freeze": "baseline", "base": port.head()}
    more = {"manifest": "baseline.json", "manifest_sha256": "a" * 64, "at": port.at()}
    ledger.append(port.ledger, {**row, **more})
    assert port.rules() == set()


def test_a_tag_is_frozen_twice(port: Port):
    frozen(port)
    port.git("tag", "--delete", "v2.0")
    frozen(port)
    assert port.rules() == {"moved-tag"}


# An honest history


def test_an_honest_history_passes(port: Port, key: tuple[Path, str]):
    private, public = key
    port.settings = {"bound": ["**/manifest.json"], "keys": [public], "origin": "port.example"}
    port.write("quay/manifest.json", b'{"berths":3}\n')
    port.vouch(private)
    port.commit("a manifest")
    base = port.head()
    # A branch without rows of its own, merged beside others.
    port.git("checkout", "--quiet", "-b", "docs")
    (port.root / "README.md").write_text("quay\n")
    port.commit("words")
    port.git("checkout", "--quiet", "main")
    port.write("quay/manifest.json", b'{"berths":4}\n')
    port.commit("a berth")
    port.git("merge", "--quiet", "--no-ff", "--no-edit", "docs")
    # A branch with rows, merged into one without.
    port.git("checkout", "--quiet", "-b", "more")
    port.clock -= timedelta(seconds=120)
    port.note("a clock that is two minutes slow")
    port.commit("skewed")
    port.git("checkout", "--quiet", "main")
    (port.root / "NEWS.md").write_text("berths\n")
    port.commit("news")
    port.git("merge", "--quiet", "--no-ff", "--no-edit", "more")
    # A rename, which is a deletion and a new file.
    content = (port.root / "quay/manifest.json").read_bytes()
    gone = row("quay/manifest.json", None, sha256(content), port.head(), 40)
    port.git("mv", "quay", "pier")
    ledger.append(port.ledger, {**gone, "at": port.at()})
    made = row("pier/manifest.json", content, None, port.head(), 40)
    ledger.append(port.ledger, {**made, "at": port.at()})
    port.git("tag", "v1.0")
    port.vouch(private)
    port.commit("rename")
    report = port.judge()
    assert report.verdict is Verdict.PASS, report.findings
    assert "checkpoint at" in report.summary
    assert "signed by port.example" in report.summary
    assert port.judge(base).verdict is Verdict.PASS
    # The ledger itself moves to another place.
    (port.root / ".cockpit/rows.ndjson").write_bytes(port.data)
    port.ledger.unlink()
    (port.root / CHECKPOINT).rename(port.root / ".cockpit/rows.checkpoint")
    port.settings |= {"path": ".cockpit/rows.ndjson", "formerly": [PATH]}
    assert port.judge().findings == ()
    port.commit("move")
    assert port.judge().findings == ()
    assert port.judge(base).findings == ()


def test_history_before_a_reviewed_commit_is_not_judged(port: Port):
    port.ledger.write_bytes(rehashed(port.lines, edit_text))
    since = port.commit("a reviewed repair")
    port.note("ship 7")
    port.commit()
    assert port.rules() == {"rewritten"}
    assert port.rules(since=since) == set()
    assert port.judge(since="0" * 40).verdict is Verdict.UNKNOWN
    port.ledger.write_bytes(rehashed(port.lines, edit_text)[:-9])
    assert "rewritten" in port.rules(since=since)


def test_a_shallow_clone_cannot_say(port: Port, tmp_path: Path):
    shallow = Port(tmp_path / "shallow", port.clock)
    port.git("clone", "--quiet", "--depth=2", f"file://{port.root}", str(shallow.root))
    report = shallow.judge()
    assert report.verdict is Verdict.UNKNOWN
    assert "this clone is shallow" in report.findings[0].message
    assert shallow.judge(since=shallow.head()).verdict is Verdict.PASS


def test_imports_are_refused_as_they_are_judged(port: Port):
    port.write("manifests/quay.ndjson", b'{"module":"quay"}\n')
    rows = ledger.rows(port.data)
    for files, words in (
        ({"a": port.data}, "a:1: a row of a chained ledger"),
        ({"a": stripped(port.data)}, "a:7: a row of a chained ledger"),
        ({"manifests/quay.ndjson": b'{"module":"pier"}\n'}, "row 6 is about it and was verified"),
        ({"a": b"\n"}, "a: holds no rows"),
        ({"a": b"{}\n", "b": b"{}\n"}, "b: imported before, by row 7"),
    ):
        with pytest.raises(ledger.LedgerError, match=words):
            ledger_epoch.row(files, rows)
    first = ledger_epoch.row({"a": b"{}\n"}, rows)
    assert first["files"] == [{"path": "a", "sha256": sha256(b"{}\n"), "bytes": 3, "rows": 1}]
    for files in ({"a": b"[]\n"}, {"b": b"{}\n"}):
        with pytest.raises(ledger.LedgerError, match="imported before, by row 9"):
            ledger_epoch.row(files, [*rows, {**first, "seq": 9}])


def test_ids_are_of_the_right_bytes():
    assert blob_id(b"", 40) == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    assert len(base64.b16decode(blob_id(b"", 64), casefold=True)) == 32
