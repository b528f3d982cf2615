"""A freeze comes back byte for byte, into a folder of its own, or not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from pytest_cockpit import cli
from pytest_cockpit.api import CockpitError
from pytest_cockpit.freeze import restore as restoring
from pytest_cockpit.freeze.restore import restore
from pytest_cockpit.git import Entry
from tests.freezes import MANIFEST, ODD, TAG, Harbour, make


@pytest.fixture(scope="module")
def frozen_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    harbour = make(tmp_path_factory.mktemp("frozen") / "harbour")
    harbour.freeze()
    (harbour.root / "quay/berth.py").write_text("BERTHS = 4\n")
    (harbour.root / "run.sh").chmod(0o644)
    harbour.commit("later")
    return harbour.root


@pytest.fixture
def harbour(frozen_once: Path, tmp_path: Path) -> Harbour:
    shutil.copytree(frozen_once, tmp_path / "harbour", symlinks=True)
    return Harbour(tmp_path / "harbour")


def inventory(folder: Path) -> dict[bytes, object]:
    """Mode and content of everything below a folder but what is git's."""
    found: dict[bytes, object] = {}
    for path in sorted(folder.rglob("*")):
        inner = os.fsencode(path.relative_to(folder))
        if inner.split(b"/")[0] == b".git":
            continue
        if path.is_symlink():
            found[inner] = ("link", os.fsencode(path.readlink()))
        elif path.is_dir():
            found[inner] = "folder"
        else:
            found[inner] = (path.stat().st_mode & 0o111 != 0, path.read_bytes())
    return found


def refs(harbour: Harbour) -> str:
    return harbour.git("for-each-ref") + harbour.git("status", "--porcelain")


@pytest.mark.parametrize("export", [True, False], ids=["export", "worktree"])
def test_a_freeze_is_restored(harbour: Harbour, tmp_path: Path, export: bool):
    before = refs(harbour)
    folder = tmp_path / "new" / "restored"
    found = restore(harbour.repository, harbour.settings, TAG, folder, export=export)
    assert found.commit == harbour.git("rev-parse", f"{TAG}^{{commit}}")
    assert found.filtered == 0
    there = inventory(folder)
    assert there[b"quay/berth.py"] == (False, b"BERTHS = 3\n")
    assert there[b"run.sh"] == (True, b"#!/bin/sh\n")
    assert there[b"quay/link"] == ("link", b"deep/pilot.py")
    assert there[b"gone"] == ("link", b"no/such/../place")
    assert there[ODD] == (False, b"\0\xff\r\n")
    assert there[b"vendor/crane"] == "folder"
    assert MANIFEST.encode() in there
    # Every path that git has, and no other.
    names = os.fsencode(harbour.git("ls-tree", "-rtz", "--name-only", TAG)).split(b"\0")[:-1]
    assert set(there) == set(names)
    assert (folder / ".git").exists() != export
    assert refs(harbour) == before
    if not export:
        assert Harbour(folder).git("status", "--porcelain") == ""


def test_nothing_is_put_where_something_is(harbour: Harbour, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "dangling").symlink_to("nowhere")
    for name in ("empty", "dangling", "harbour"):
        with pytest.raises(CockpitError, match="exists; name a folder that does not"):
            restore(harbour.repository, harbour.settings, TAG, tmp_path / name, export=True)
    assert list((tmp_path / "empty").iterdir()) == []
    with pytest.raises(CockpitError, match="git's own folder"):
        restore(harbour.repository, harbour.settings, TAG, harbour.root / ".git/x", export=True)


def test_a_freeze_that_does_not_hold_is_not_restored(harbour: Harbour, tmp_path: Path):
    harbour.git("tag", "--force", "--annotate", "--message=x", TAG, "HEAD")
    with pytest.raises(
        CockpitError,
        match=r"does not hold: manifest is fail: .*the tag's text names no digest.*nothing was rest",
    ):
        restore(harbour.repository, harbour.settings, TAG, tmp_path / "x")
    with pytest.raises(CockpitError, match=r"^other: no such tag in this clone$"):
        restore(harbour.repository, harbour.settings, "other", tmp_path / "x")
    near = f"{TAG[:-2]}{TAG[-1]}"
    with pytest.raises(CockpitError, match=f"^{near}: no such tag .* did you mean {TAG}\\?$"):
        restore(harbour.repository, harbour.settings, near, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_files_that_git_checks_out_otherwise_are_counted(harbour: Harbour, tmp_path: Path):
    (harbour.root / ".gitattributes").write_text("*.py text eol=crlf\n")
    harbour.commit("line ends")
    harbour.freeze("v2")
    found = restore(harbour.repository, harbour.settings, "v2", tmp_path / "linked")
    assert found.filtered == 1
    assert (tmp_path / "linked/quay/berth.py").read_bytes() == b"BERTHS = 4\r\n"
    found = restore(harbour.repository, harbour.settings, "v2", tmp_path / "plain", export=True)
    assert found.filtered == 0
    assert (tmp_path / "plain/quay/berth.py").read_bytes() == b"BERTHS = 4\n"


@pytest.mark.parametrize("export", [True, False], ids=["export", "worktree"])
@pytest.mark.parametrize("what", ["edited", "gone", "mode", "link"])
def test_what_arrives_otherwise_is_told(
    harbour: Harbour, tmp_path: Path, monkeypatch, what: str, export: bool
):
    """Somebody is at the files before they are looked at again."""
    folder = tmp_path / "restored"
    compare = restoring._compare

    def tampered(*arguments, **options):
        path = folder / "quay/berth.py"
        if what == "edited":
            path.write_text("BERTHS = 9\n")
        elif what == "mode":
            path.chmod(0o755)
        else:
            path.unlink()
            if what == "link":
                path.symlink_to("/etc/passwd")
        return compare(*arguments, **options)

    monkeypatch.setattr(restoring, "_compare", tampered)
    with pytest.raises(CockpitError, match=r"1 path not as frozen: quay/berth\.py"):
        restore(harbour.repository, harbour.settings, TAG, folder, export=export)
    # It is left to be looked at.
    assert folder.exists()


@pytest.mark.parametrize(
    "path", ["../x", "a/../../x", ".git/config", "a/.GIT/x", "git~1/x", "a//b"]
)
def test_a_path_that_leads_elsewhere_is_not_written(harbour: Harbour, tmp_path: Path, path: str):
    oid = harbour.git("hash-object", "-w", "--stdin", stdin=b"x")
    entry = Entry(path, "100644", "blob", oid)
    with pytest.raises(CockpitError, match="not a path below a folder"):
        restoring._export(harbour.repository, [entry], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nothing_is_written_through_a_link(harbour: Harbour, tmp_path: Path):
    """No tree of git's has a file and a folder of one name, but a forged one may."""
    target = harbour.git("hash-object", "-w", "--stdin", stdin=os.fsencode(tmp_path))
    entries = [Entry("a", "120000", "blob", target), Entry("a/x", "100644", "blob", target)]
    with pytest.raises(CockpitError, match="cannot write"):
        restoring._export(harbour.repository, entries, tmp_path / "out")
    assert not (tmp_path / "x").exists()
    assert not (tmp_path / "out").exists()


def test_a_content_that_is_not_here_leaves_nothing_behind(harbour: Harbour, tmp_path: Path):
    entry = Entry("a", "100644", "blob", "0" * 39 + "1")
    with pytest.raises(CockpitError, match="not in this clone"):
        restoring._export(harbour.repository, [entry], tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["harbour"]


def test_the_command(harbour: Harbour, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(harbour.root)
    assert cli.main(["freeze", "verify", TAG]) == 0
    assert capsys.readouterr().out.endswith(f"{TAG}: PASS\n")
    assert cli.main(["freeze", "verify", "v9", "--json"]) == 1
    assert '"verdict": "fail"' in capsys.readouterr().out
    assert cli.main(["freeze", "verify", TAG, "--remote", "origin"]) == 2
    assert cli.main(["freeze", "verify", "a..b"]) == 2
    folder = tmp_path / "out"
    assert cli.main(["freeze", "restore", TAG, str(folder)]) == 0
    assert "git worktree remove" in capsys.readouterr().out
    assert cli.main(["freeze", "restore", TAG, str(folder), "--export"]) == 2
    assert "exists" in capsys.readouterr().err
    assert cli.main(["freeze", "diff", TAG, TAG]) == 0
    assert cli.main(["freeze", "diff", TAG, "v9"]) == 2
