"""Every way in which a freeze can be wrong, each seen on a real repository."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.api import CockpitError, Verdict
from pytest_cockpit.freeze import folding, manifest, origin, phase, tagged
from pytest_cockpit.freeze.verify import Verification, verify
from pytest_cockpit.git import GitError
from pytest_cockpit.promotion.transaction import Delete, Write
from pytest_cockpit.records import artifacts, checkpoint, ledger
from pytest_cockpit.records.ledger_merge import merged
from pytest_cockpit.records.text import canonical, sha256
from pytest_cockpit.seals import tag
from tests.freezes import LEDGER, MANIFEST, ODD, TAG, Harbour, make


@pytest.fixture(scope="module")
def frozen_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A freeze, and a commit on top of it."""
    harbour = make(tmp_path_factory.mktemp("frozen") / "harbour")
    harbour.freeze(checks=[("registry", "pass")])
    (harbour.root / "quay/berth.py").write_text("BERTHS = 4\n")
    harbour.commit("later")
    return harbour.root


@pytest.fixture
def harbour(frozen_once: Path, tmp_path: Path) -> Harbour:
    shutil.copytree(frozen_once, tmp_path / "harbour", symlinks=True)
    return Harbour(tmp_path / "harbour")


def look(harbour: Harbour, name: str = TAG, remote: str | None = None) -> Verification:
    found = verify(harbour.repository, harbour.settings, name, remote=remote)
    assert artifacts.validate(found.document(), "freeze-verification") == []
    assert all("\n" not in line for line in found.lines())
    return found


def red(harbour: Harbour, name: str = TAG, remote: str | None = None) -> dict[str, Verdict]:
    """The checks that did not pass, but for an unsigned tag where nobody has to sign."""
    checks = look(harbour, name, remote).checks
    return {
        check.name: check.verdict
        for check in checks
        if check.verdict is not Verdict.PASS and check.name != "signature"
    }


def said(harbour: Harbour, check: str, name: str = TAG) -> str:
    return next(each.summary for each in look(harbour, name).checks if each.name == check)


def content(harbour: Harbour) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(harbour.git("show", f"{TAG}:{MANIFEST}"))
    return found


def rows(harbour: Harbour) -> list[dict[str, Any]]:
    return ledger.rows((harbour.root / LEDGER).read_bytes())


def enter(changed: list[dict[str, Any]]) -> bytes:
    """A ledger of these rows, chained as it should be."""
    return ledger.extend(
        b"", [{key: row[key] for key in row if key not in ("seq", "prev")} for row in changed]
    )


def as_frozen(harbour: Harbour, *paths: str) -> list[Write]:
    """What the commit of the freeze wrote."""
    return [
        Write(path, harbour.repository.blob(TAG, path) or b"")
        for path in paths or (MANIFEST, LEDGER)
    ]


def test_a_freeze_holds(harbour: Harbour):
    found = look(harbour)
    assert found.verdict is Verdict.PASS
    assert found.commit == harbour.git("rev-parse", "HEAD~1")
    assert [check.name for check in found.checks] == [
        "tag",
        "manifest",
        "tree",
        "ledger",
        "history",
        "signature",
    ]
    told = content(harbour)
    assert (told["files"], told["symlinks"], told["submodules"]) == (4, 2, 1)
    assert told["base"]["commit"] == harbour.git("rev-parse", "HEAD~2")
    assert told["excluded"] == [LEDGER, MANIFEST]
    assert said(harbour, "signature").startswith("unsigned: ")


def test_a_freeze_holds_after_a_merge_of_ledgers(harbour: Harbour):
    """Its row has another number and another digest before it by then."""
    data = (harbour.root / LEDGER).read_bytes()
    harbour.git("switch", "--quiet", "--create", "side", "HEAD~2")
    ours = ledger.extend((harbour.root / LEDGER).read_bytes(), [{"kind": "note"}])
    (harbour.root / LEDGER).write_bytes(ours)
    harbour.commit("side")
    harbour.git("merge", "--quiet", "--no-commit", "--strategy=ours", "main")
    (harbour.root / LEDGER).write_bytes(merged(ours, data))
    harbour.commit("merge")
    assert red(harbour) == {}


def test_a_tag_is_missing(harbour: Harbour):
    harbour.git("tag", "--delete", TAG)
    assert red(harbour) == {"tag": Verdict.FAIL}
    assert said(harbour, "tag") == "no such tag in this clone"
    harbour.git("tag", f"{TAG}x")
    assert said(harbour, "tag") == f"no such tag in this clone; did you mean {TAG}x?"


def test_a_tag_is_a_lightweight_one(harbour: Harbour):
    harbour.git("tag", "--force", TAG, f"{TAG}^{{commit}}")
    assert red(harbour)["tag"] is Verdict.FAIL
    assert "lightweight" in said(harbour, "tag")


def test_a_tag_is_of_a_tag(harbour: Harbour):
    harbour.git("tag", "--force", "--annotate", "--message=again", TAG, TAG)
    assert red(harbour)["tag"] is Verdict.FAIL
    assert "a tag of a tag" in said(harbour, "tag")


def test_a_tag_of_a_tag_says_below_that_it_is_of_a_commit(harbour: Harbour):
    """Git reads the first line of each kind, so another one further down must not count."""
    raw = harbour.git("cat-file", "tag", TAG)
    inner, commit = harbour.git("rev-parse", TAG), harbour.git("rev-parse", f"{TAG}^{{commit}}")
    forged = raw.replace(f"object {commit}\ntype commit", f"object {inner}\ntype tag", 1)
    forged = forged.replace("\n\n", f"\ntype commit\nobject {commit}\n\n", 1)
    words = ("hash-object", "-t", "tag", "-w", "--literally", "--stdin")
    oid = harbour.git(*words, stdin=forged.encode() + b"\n")
    harbour.git("update-ref", f"refs/tags/{TAG}", oid)
    assert red(harbour)["tag"] is Verdict.FAIL
    assert "a tag of a tag" in said(harbour, "tag")


def test_a_tag_is_of_something_else(harbour: Harbour):
    harbour.git("tag", "--force", "--annotate", "--message=tree", TAG, "HEAD^{tree}")
    assert red(harbour) == {"tag": Verdict.FAIL}


def test_a_tag_goes_by_another_name(harbour: Harbour):
    harbour.git("update-ref", "refs/tags/v9", harbour.git("rev-parse", TAG))
    assert red(harbour, "v9")["tag"] is Verdict.FAIL
    assert "under another name" in said(harbour, "tag", "v9")


@pytest.mark.parametrize("place", ["HEAD", "HEAD~2"])
def test_a_tag_is_moved(harbour: Harbour, place: str):
    text = harbour.git("tag", "--list", "--format=%(contents)", TAG)
    harbour.git("tag", "--force", "--annotate", f"--message={text}", TAG, place)
    assert red(harbour)["history"] is Verdict.FAIL
    assert "moved" in said(harbour, "history")


def test_a_tag_is_made_again_at_the_same_commit_though_it_was_recorded(harbour: Harbour):
    oid, commit = harbour.git("rev-parse", TAG), harbour.git("rev-parse", f"{TAG}^{{commit}}")
    row = {"kind": "tag", "tag": TAG, "object": oid, "commit": commit}
    data = ledger.extend((harbour.root / LEDGER).read_bytes(), [row])
    (harbour.root / LEDGER).write_bytes(data)
    harbour.commit("record the tag")
    assert red(harbour) == {}
    text = harbour.git("tag", "--list", "--format=%(contents)", TAG)
    harbour.git("-c", "user.name=Else", "tag", "-f", "-a", f"-m{text}", TAG, commit)
    assert red(harbour) == {"history": Verdict.FAIL}


def test_a_file_is_changed_under_the_tag(harbour: Harbour):
    base = harbour.git("rev-parse", f"{TAG}~1")
    writes = [*as_frozen(harbour), Write("quay/berth.py", b"BERTHS = 9\n"), Write("new", b"")]
    harbour.forge(writes, base=base)
    assert red(harbour) == {"tree": Verdict.FAIL, "history": Verdict.FAIL}
    found = next(check for check in look(harbour).checks if check.name == "tree")
    assert found.paths == ("new", "quay/berth.py")
    assert "quay/berth.py" in found.summary


@pytest.mark.parametrize(
    "operation",
    [
        Write("run.sh", b"#!/bin/sh\n"),
        Write("quay/link", b"deep/other.py", "120000"),
        Delete("quay/deep/pilot.py"),
        Write("pier/more", b""),
    ],
    ids=["mode", "link", "deletion", "addition"],
)
def test_whatever_changes_under_the_tag_is_named(harbour: Harbour, operation: Write | Delete):
    harbour.forge([*as_frozen(harbour), operation], base=harbour.git("rev-parse", f"{TAG}~1"))
    found = next(check for check in look(harbour).checks if check.name == "tree")
    assert (found.verdict, found.paths) == (Verdict.FAIL, (operation.path,))


def test_all_of_history_is_written_anew(harbour: Harbour):
    """With another base there is no commit to name paths by: the digests name the folder."""
    harbour.git("switch", "--quiet", "--orphan", "forged")
    harbour.git("read-tree", "--reset", "-u", f"{TAG}~1")
    (harbour.root / "quay/deep/pilot.py").write_text("forged\n")
    harbour.git("add", "--update")
    harbour.git("commit", "--quiet", "--message=one")
    forged = harbour.git("rev-parse", "HEAD")
    told = content(harbour) | {"base": {**content(harbour)["base"], "commit": forged}}
    harbour.forge([Write(MANIFEST, canonical(told)), *as_frozen(harbour, LEDGER)], base=forged)
    harbour.git("switch", "--quiet", "main")
    found = {check.name: check for check in look(harbour).checks}
    assert found["tree"].verdict is Verdict.FAIL
    assert found["manifest"].verdict is Verdict.FAIL
    assert found["history"].verdict is Verdict.FAIL


def test_folders_are_named_where_the_frozen_commit_is_not_to_be_had(harbour: Harbour, monkeypatch):
    harbour.forge(
        [*as_frozen(harbour), Write("quay/deep/pilot.py", b"x")],
        base=harbour.git("rev-parse", f"{TAG}~1"),
    )
    base = content(harbour)["base"]["commit"]
    told = content(harbour) | {"base": {**content(harbour)["base"], "commit": "f" * len(base)}}
    harbour.forge(
        [
            Write(MANIFEST, canonical(told)),
            *as_frozen(harbour, LEDGER),
            Write("quay/deep/pilot.py", b"x"),
        ],
        base=base,
    )
    found = next(check for check in look(harbour).checks if check.name == "tree")
    assert found.paths == ("quay/deep/",)


def test_a_manifest_is_edited(harbour: Harbour):
    told = content(harbour) | {"checks": [{"name": "registry", "verdict": "fail"}]}
    base = harbour.git("rev-parse", f"{TAG}~1")
    harbour.forge([Write(MANIFEST, canonical(told)), *as_frozen(harbour, LEDGER)], base=base)
    assert red(harbour) == {"manifest": Verdict.FAIL, "history": Verdict.FAIL}
    assert "the tag's text says" in said(harbour, "manifest")


def test_a_manifest_is_edited_and_the_tag_with_it(harbour: Harbour):
    told = canonical(content(harbour) | {"checks": None})
    base, text = (
        harbour.git("rev-parse", f"{TAG}~1"),
        harbour.git("tag", "--list", "--format=%(contents)", TAG),
    )
    old = sha256(harbour.repository.blob(TAG, MANIFEST) or b"")
    harbour.forge(
        [Write(MANIFEST, told), *as_frozen(harbour, LEDGER)],
        base=base,
        message=text.replace(old, sha256(told)),
    )
    assert red(harbour)["manifest"] is Verdict.FAIL
    assert "the ledger says" in said(harbour, "manifest")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("Freeze: baseline", "Freeze: production", "the tag says Freeze: production"),
        ("Freeze-Base: ", "Freeze-Base: 0", "the tag says Freeze-Base: 0"),
        ("Manifest: ", "Manifest: no/", "the tag says Manifest: no/docs"),
        ("Tree-Sha256: ", "Tree: ", "no Tree-Sha256 in the tag"),
    ],
)
def test_a_tag_says_of_its_freeze_what_is_not_so(harbour: Harbour, old: str, new: str, told: str):
    """At the commit that it was at, and with the manifest's digest."""
    text = harbour.git("tag", "--list", "--format=%(contents)", TAG)
    commit = harbour.git("rev-parse", f"{TAG}^{{commit}}")
    said_now = text.replace(f"\n{old}", f"\n{new}", 1)
    assert said_now != text
    harbour.git("tag", "-f", "-a", "--cleanup=verbatim", f"-m{said_now}", TAG, commit)
    assert red(harbour) == {"manifest": Verdict.FAIL}
    assert told in said(harbour, "manifest")


def test_all_of_a_freeze_is_forged_but_history(harbour: Harbour):
    """Manifest, row, tag and digests all fit together; only the row's own commit is another."""
    base = harbour.git("rev-parse", f"{TAG}~1")
    harbour.git("switch", "--quiet", "--detach", base)
    place = harbour.place()
    result = phase.run(place, kind="baseline", tag=TAG, checks=[("registry", "fail")])
    row = dict(result.changes.rows[0])
    writes = [
        Write(MANIFEST, result.changes.files[MANIFEST]),
        Write(LEDGER, enter([*place.rows, row])),
    ]
    harbour.forge(writes, base=base, message=phase.message(result.facts))
    harbour.git("switch", "--quiet", "main")
    assert red(harbour) == {"history": Verdict.FAIL}


def test_a_manifest_leaves_out_more_than_it_may(harbour: Harbour):
    told = content(harbour)
    told["excluded"] = sorted([*told["excluded"], "quay/berth.py"])
    base = harbour.git("rev-parse", f"{TAG}~1")
    harbour.forge([Write(MANIFEST, canonical(told)), *as_frozen(harbour, LEDGER)], base=base)
    assert "leaves out quay/berth.py" in said(harbour, "tree")
    assert red(harbour)["tree"] is Verdict.FAIL


@pytest.mark.parametrize(
    "change",
    [
        lambda told: {"files": told["files"] + 1},
        lambda told: {"folders": {**told["folders"], "quay": "0" * 64}},
        lambda _: {"digest": "0" * 64},
    ],
    ids=["count", "folder", "digest"],
)
def test_a_manifest_does_not_fit_together(
    harbour: Harbour, change: Callable[[dict[str, Any]], dict[str, Any]]
):
    told = content(harbour)
    base = harbour.git("rev-parse", f"{TAG}~1")
    data = canonical(told | change(told))
    harbour.forge([Write(MANIFEST, data), *as_frozen(harbour, LEDGER)], base=base)
    assert red(harbour)["tree"] is Verdict.FAIL


@pytest.mark.parametrize("data", [b"{", b"[]", b'{"schema":"x"}', b"\xff"])
def test_a_manifest_is_none(harbour: Harbour, data: bytes):
    base = harbour.git("rev-parse", f"{TAG}~1")
    harbour.forge([Write(MANIFEST, data), *as_frozen(harbour, LEDGER)], base=base)
    assert red(harbour)["manifest"] is Verdict.FAIL
    harbour.forge(as_frozen(harbour, LEDGER), base=base)
    assert "not in " in said(harbour, "manifest")


def test_a_manifest_lies_behind_a_link(harbour: Harbour):
    base = harbour.git("rev-parse", f"{TAG}~1")
    link = Write(MANIFEST, b"/etc/passwd", "120000")
    harbour.forge([link, *as_frozen(harbour, LEDGER)], base=base)
    assert red(harbour)["manifest"] is Verdict.FAIL


def test_the_row_is_missing_under_the_tag(harbour: Harbour):
    base = harbour.git("rev-parse", f"{TAG}~1")
    harbour.forge(as_frozen(harbour, MANIFEST), base=base)
    assert red(harbour).keys() >= {"manifest", "ledger", "history"}
    assert "the ledger names no digest" in said(harbour, "manifest")


@pytest.mark.parametrize("value", [3, None, [], {"x": 1}, "../../etc/passwd"])
def test_the_row_under_the_tag_holds_something_else(harbour: Harbour, value: object):
    base = harbour.git("rev-parse", f"{TAG}~1")
    opened, row = rows(harbour)
    for key in ("manifest", "manifest_sha256", "freeze"):
        data = enter([opened, {**row, key: value}])
        harbour.forge([*as_frozen(harbour, MANIFEST), Write(LEDGER, data)], base=base)
        assert red(harbour)["manifest"] is Verdict.FAIL


def test_the_ledger_under_the_tag_is_another(harbour: Harbour):
    base = harbour.git("rev-parse", f"{TAG}~1")
    opened, row = rows(harbour)
    for data in (
        enter([opened, {"kind": "note"}, row]),
        enter([opened, row, {"kind": "note"}]),
        (harbour.root / LEDGER).read_bytes()[:-1],
    ):
        harbour.forge([*as_frozen(harbour, MANIFEST), Write(LEDGER, data)], base=base)
        assert red(harbour)["ledger"] is Verdict.FAIL


@pytest.mark.parametrize("key", ["manifest_sha256", "base", "at"])
def test_the_row_is_altered_since(harbour: Harbour, key: str):
    opened, row = rows(harbour)
    other = {"at": "2026-02-01T00:00:00Z"}.get(key, "0" * len(row[key]))
    (harbour.root / LEDGER).write_bytes(enter([opened, {**row, key: other}]))
    harbour.commit("alter")
    assert red(harbour) == {"history": Verdict.FAIL}
    assert "altered" in said(harbour, "history")


def test_the_row_is_gone_since(harbour: Harbour):
    (harbour.root / LEDGER).write_bytes(enter(rows(harbour)[:1]))
    harbour.commit("launder")
    assert red(harbour) == {"history": Verdict.FAIL}
    (harbour.root / LEDGER).write_bytes(b"broken\n")
    harbour.commit("break")
    assert red(harbour) == {"history": Verdict.FAIL}


def test_the_row_is_there_twice(harbour: Harbour):
    opened, row = rows(harbour)
    (harbour.root / LEDGER).write_bytes(enter([opened, row, row]))
    harbour.commit("twice")
    assert red(harbour) == {"history": Verdict.FAIL}


def test_elsewhere_and_where_history_is_cut_off_nobody_can_tell(harbour: Harbour, tmp_path: Path):
    harbour.git("switch", "--quiet", "--detach", "HEAD~2")
    assert red(harbour) == {"history": Verdict.UNKNOWN}
    harbour.git("switch", "--quiet", "main")
    url = harbour.root.as_uri()
    harbour.git("clone", "--quiet", "--depth=1", f"--branch={TAG}", url, str(tmp_path / "shallow"))
    shallow = Harbour(tmp_path / "shallow")
    assert red(shallow)["history"] is Verdict.UNKNOWN
    assert look(shallow).verdict is not Verdict.PASS


def test_a_remote_has_the_tag_or_not(harbour: Harbour, tmp_path: Path):
    remote = tmp_path / "remote.git"
    harbour.git("init", "--quiet", "--bare", str(remote))
    harbour.git("remote", "add", "origin", str(remote))
    assert red(harbour, remote="origin") == {"remote": Verdict.FAIL}
    harbour.git("push", "--quiet", "--atomic", "origin", "main", TAG)
    assert red(harbour, remote="origin") == {}
    there = Harbour(remote)
    there.git("update-ref", f"refs/tags/{TAG}", harbour.git("rev-parse", "HEAD"))
    assert red(harbour, remote="origin") == {"remote": Verdict.FAIL}
    shutil.rmtree(remote)
    assert red(harbour, remote="origin") == {"remote": Verdict.UNKNOWN}
    with pytest.raises(GitError, match="no such remote"):
        look(harbour, remote="elsewhere")


@pytest.mark.parametrize(
    "name", ["-x", "--all", "a..b", "a b", "HEAD", "x.lock", "", "a\nb", "/a", "@{-1}", "a~1"]
)
def test_a_name_that_is_none_is_refused(harbour: Harbour, name: str):
    with pytest.raises(GitError, match="no name for a tag"):
        look(harbour, name)
    with pytest.raises(GitError, match="no name for a tag"):
        tag.made(harbour.repository, tag.Settings(name, "HEAD", "x"))


def test_a_published_freeze_without_digests_is_never_passed(harbour: Harbour):
    """As `docs/_generated/*FREEZE.json` of a published run are: a tag, a time and a commit."""
    old = {"tag": "v0.01", "frozen_at": "2025-10-05T11:11:15Z", "commit": "ec3394d0" * 5}
    (harbour.root / MANIFEST).write_text(json.dumps(old))
    commit = harbour.commit("published")
    assert red(harbour, "v0.01") == {"tag": Verdict.UNKNOWN}
    assert "holds no digests" in said(harbour, "tag", "v0.01")
    harbour.git("tag", "--annotate", "--message=v0.01", "v0.01", commit)
    found = red(harbour, "v0.01")
    assert set(found) == {"manifest", "tree", "ledger", "history"}
    assert set(found.values()) == {Verdict.UNKNOWN}


# What is frozen


def test_a_tag_is_frozen_once(harbour: Harbour):
    harbour.git("tag", "--delete", TAG)
    with pytest.raises(CockpitError, match="line 2 records a freeze"):
        harbour.freeze()


def test_a_second_freeze_leaves_the_first_as_it_is(harbour: Harbour):
    harbour.freeze("v0.02-baseline")
    assert red(harbour) == {}
    assert red(harbour, "v0.02-baseline") == {}


def test_only_a_commit_is_frozen(harbour: Harbour):
    place = harbour.place()
    edited = type(place)(
        place.repository,
        place.settings,
        harbour.git("rev-parse", "HEAD~1^{tree}"),
        place.commit,
        place.now,
    )
    with pytest.raises(CockpitError, match="not edited files"):
        phase.run(edited, kind="baseline", tag="v2")


def test_a_freeze_goes_on_with_the_checkpoint_of_the_ledger(harbour: Harbour):
    data = (harbour.root / LEDGER).read_bytes()
    place = harbour.root / checkpoint.path_of(LEDGER)
    place.write_bytes(checkpoint.write(io.BytesIO(data), "port.example"))
    harbour.commit("checkpoint")
    harbour.freeze("v0.02-baseline")
    assert red(harbour, "v0.02-baseline") == {}
    told = json.loads((harbour.root / MANIFEST).read_text())
    assert told["excluded"] == [checkpoint.path_of(LEDGER), LEDGER, MANIFEST]
    assert checkpoint.read(place.read_bytes())[1].size == 3


def test_the_same_commit_gives_the_same_manifest(harbour: Harbour, tmp_path: Path):
    harbour.git("clone", "--quiet", str(harbour.root), str(tmp_path / "clone"))
    two = [
        phase.run(each.place(), kind="production", tag="v2").changes.files
        for each in (harbour, Harbour(tmp_path / "clone"))
    ]
    assert two[0] == two[1]


def test_a_repository_that_names_objects_by_sha256(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("GIT_DEFAULT_HASH", "sha256")
    root = tmp_path / "harbour"
    root.mkdir()
    harbour = Harbour(root)
    harbour.git("init", "--quiet", "--initial-branch=main", "--object-format=sha256")
    harbour.git("config", "user.name", "Port")
    harbour.git("config", "user.email", "port@example.org")
    (root / "a").write_text("a\n")
    harbour.commit("one")
    harbour.freeze()
    assert red(harbour) == {}
    assert content(harbour)["base"]["object_format"] == "sha256"


def test_a_tag_is_made_in_a_linked_work_tree(harbour: Harbour, tmp_path: Path):
    harbour.git("worktree", "add", "--quiet", "-b", "side", str(tmp_path / "side"))
    side = Harbour(tmp_path / "side")
    side.freeze("v0.02-baseline")
    assert red(side, "v0.02-baseline") == {}


def test_a_tag_needs_somebody_who_makes_it(harbour: Harbour, monkeypatch):
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    harbour.git("config", "--unset", "user.email")
    with pytest.raises(GitError, match="git tag: "):
        tag.made(harbour.repository, tag.Settings("v2", harbour.git("rev-parse", "HEAD"), "x"))
    assert harbour.git("tag", "--list") == TAG


def test_the_documented_program_gives_the_same_digest(harbour: Harbour, tmp_path: Path):
    page = (Path(__file__).parents[2] / "docs/freeze.md").read_text(encoding="utf-8")
    program = tmp_path / "digest.py"
    program.write_text(page.split("```python\n")[1].split("```")[0], encoding="utf-8")
    told = content(harbour)
    done = subprocess.run(
        [sys.executable, program, TAG, *told["excluded"]],
        cwd=harbour.root,
        capture_output=True,
        check=True,
        text=True,
    )
    assert done.stdout.strip() == told["digest"]


# Readers


def ledger_line(row: object) -> bytes:
    return json.dumps(row, sort_keys=True, separators=(",", ":")).encode()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()))
def test_whatever_lies_where_a_manifest_should_is_read_or_refused(data: bytes):
    manifest.legacy(data)
    with pytest.raises(CockpitError) as refused:
        manifest.read(data, "x.json")
    assert "\n" not in str(refused.value)


@given(
    st.binary(max_size=60)
    | st.dictionaries(st.sampled_from(["kind", "tag"]), JSON).map(ledger_line)
)
def test_whatever_is_in_a_ledger_is_a_row_of_a_freeze_or_none(line: bytes):
    row = {"kind": "freeze", "tag": TAG}
    found = origin.rows_of(line + b"\n" + ledger_line(row) + b"\n" + line, TAG)
    assert row in found
    assert all(one["tag"] == TAG for one in found)


@given(st.data())
def test_a_manifest_with_another_value_is_read_or_refused(data: st.DataObject):
    whole = manifest.document(
        tag=TAG,
        kind="baseline",
        base={"commit": "a" * 40, "tree": "b" * 40, "object_format": "sha1"},
        folded=folding.fold([]),
        excluded=["a", "b"],
        ledger={"path": "b", "rows": 0, "size": 0, "sha256": "c" * 64, "head": "d" * 64},
        checks=None,
        gates=[],
    )
    assert manifest.read(manifest.dump(whole), "x.json") == whole
    key = data.draw(st.sampled_from(sorted(whole)))
    other = {**whole, key: data.draw(JSON)}
    try:
        assert manifest.read(canonical(other), "x.json") == other
    except CockpitError:
        # Not by `!=`: to Python, False is 0.
        assert repr(other) != repr(whole)


@given(st.dictionaries(st.sampled_from(["tag", "commit", "schema"]), JSON | st.just("a" * 40)))
def test_a_freeze_without_digests_is_told_from_all_else(found: dict[str, Any]):
    old = manifest.legacy(json.dumps(found).encode())
    fit = isinstance(found.get("tag"), str) and found.get("commit") == "a" * 40
    assert (old is not None) == (fit and "schema" not in found)


@given(st.text(max_size=60))
def test_whatever_a_tag_says_has_trailers_or_none(text: str):
    for key, value in tagged.trailers(text).items():
        assert key
        assert value is None or value
        assert value is None or f"{key}: {value}" in text


def test_a_trailer_that_is_there_twice_says_nothing():
    assert tagged.trailers("x\n\nManifest: a\nManifest: b\nFreeze: c\n") == {
        "Manifest": None,
        "Freeze": "c",
    }


def test_the_odd_name_is_frozen_with_its_bytes(harbour: Harbour):
    assert ODD.decode("latin-1").startswith("pier/")
    assert "pier" in content(harbour)["folders"]
