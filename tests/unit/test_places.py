"""Where the private tree lies: somewhere safe, somewhere seen, and nothing left behind."""

from __future__ import annotations

import os
import stat
import subprocess
import sys

import platformdirs
import pytest
from filelock import FileLock

from pytest_cockpit.promotion import places
from pytest_cockpit.promotion.staging import StagedTree

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv(places.VARIABLE, str(tmp_path / "kept"))
    (tmp_path / "kept").mkdir(mode=0o755)
    return tmp_path / "kept/pytest-cockpit"


@pytest.fixture
def no_variable(monkeypatch):
    monkeypatch.delenv(places.VARIABLE, raising=False)


def git_dir(tmp_path, name="repo"):
    folder = tmp_path / name / ".git"
    folder.mkdir(parents=True)
    return folder


def test_every_repository_has_its_own_place(cache, tmp_path):
    one, two = git_dir(tmp_path, "one"), git_dir(tmp_path, "two")
    place = places.of(one)
    assert place == places.of(one)
    assert place.why == ""
    assert place.folder.parent == cache
    assert place.folder != places.of(two).folder
    assert (place.folder / "repository").read_bytes() == os.fsencode(one) + b"\n"
    for folder in (cache, place.folder):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(cache.parent.stat().st_mode) == 0o755
    assert not {".git", "node_modules", "build"} & set(place.folder.parts)


def test_a_folder_that_others_could_read_is_closed(cache, tmp_path):
    cache.mkdir(mode=0o755)
    cache.chmod(0o777)
    places.of(git_dir(tmp_path))
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700


def told(common_dir):
    """The reason why the tree lies below the git directory."""
    place = places.of(common_dir)
    assert place.folder == common_dir / "cockpit"
    assert place.why.endswith("; name one in COCKPIT_CACHE")
    return place.why


def test_a_link_is_not_followed(cache, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    cache.symlink_to(elsewhere)
    assert f"{cache}: is a link, not a folder" in told(git_dir(tmp_path))
    assert list(elsewhere.iterdir()) == []


def test_a_link_in_the_place_of_the_repositorys_folder(cache, tmp_path):
    common = git_dir(tmp_path)
    folder = places.of(common).folder
    (folder / "repository").unlink()
    folder.rmdir()
    folder.symlink_to(tmp_path)
    assert "is a link, not a folder" in told(common)


def test_a_file_in_the_way(cache, tmp_path):
    cache.write_text("")
    assert f"{cache}: File exists" in told(git_dir(tmp_path))


def test_a_relative_place_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv(places.VARIABLE, "cache")
    assert "cache/pytest-cockpit: is no absolute path" in told(git_dir(tmp_path))


@as_root
def test_anothers_folder_is_not_used(cache, tmp_path):
    cache.mkdir()
    os.chown(cache, NOBODY, NOBODY)
    assert f"{cache}: belongs to another user" in told(git_dir(tmp_path))
    assert list(cache.iterdir()) == []


HOMELESS = """
import os, pathlib, sys
sys.path[:0] = sys.argv[2:]
from pytest_cockpit.promotion import places
os.setgid(65534)
os.setuid(65534)
place = places.of(pathlib.Path(sys.argv[1]))
print(place.folder)
print(place.why)
"""


def test_no_place_is_taken_that_others_can_write_above(tmp_path, monkeypatch, no_variable):
    # Temporary folders lie below one that everybody can write to.
    for name in ("user_cache_path", "site_cache_path"):
        monkeypatch.setattr(platformdirs, name, lambda *_, **__: tmp_path / "port")
    assert "others can write to /" in told(git_dir(tmp_path))


def test_a_place_that_tests_see_is_taken_first(tmp_path, monkeypatch, no_variable):
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda *_, **__: tmp_path / ".cache/port")
    monkeypatch.setattr(platformdirs, "site_cache_path", lambda *_, **__: tmp_path / "site/port")
    monkeypatch.setattr(places, "_demand_alone", lambda _: None)
    expected = "site/port" if os.geteuid() == 0 else ".cache/port"
    assert places.of(git_dir(tmp_path)).folder.parent == tmp_path / expected


@as_root
def test_a_user_without_a_home_keeps_the_tree_in_the_repository(tmp_path):
    common = git_dir(tmp_path)
    paths = [path for path in sys.path if path]
    done = subprocess.run(
        [sys.executable, "-P", "-c", HOMELESS, common, *paths],
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    folder, why = done.stdout.splitlines()
    assert folder == str(common / "cockpit")
    assert "no cache folder can be used (/nonexistent/.cache/pytest-cockpit: " in why


def test_trees_of_repositories_that_are_gone_are_removed(cache, tmp_path):
    kept, gone, used = (git_dir(tmp_path, name) for name in ("kept-one", "gone", "used"))
    here, there, busy = (places.of(common) for common in (kept, gone, used))
    for place in (here, there, busy):
        (place.folder / "tree/deep").mkdir(parents=True)
        (place.folder / "tree/deep").chmod(0)
    strange = cache / "notes"
    strange.mkdir()
    gone.rmdir()
    used.rmdir()
    with FileLock(busy.folder / places.LOCK):
        places.tidy(here, kept)
        assert {path.name for path in cache.iterdir()} == {
            here.folder.name,
            busy.folder.name,
            "notes",
        }
    places.tidy(here, kept)
    assert {path.name for path in cache.iterdir()} == {here.folder.name, "notes"}
    (here.folder / "tree/deep").chmod(0o700)


def test_what_an_earlier_version_kept_in_git_is_removed(cache, make_checkout):
    checkout = make_checkout({"a.py": "1\n"})
    old = checkout.repo.common_dir / "cockpit"
    (old / "tree/.git").mkdir(parents=True)
    for name in ("tree.index", "tree.lock", ".git", "journal.ndjson", "facts-1.sqlite"):
        (old / name).write_text("")
    with FileLock(old / places.LOCK), StagedTree(checkout.repo).at("HEAD"):
        assert (old / "tree").is_dir()
    with StagedTree(checkout.repo).at("HEAD"):
        assert {path.name for path in old.iterdir()} == {
            "tree.lock",
            "journal.ndjson",
            "facts-1.sqlite",
        }
