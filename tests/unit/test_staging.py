"""The staged tree, against code that misbehaves in it and kills at any moment."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pytest_cockpit import process
from pytest_cockpit.api import CockpitError
from pytest_cockpit.git import GitError, Repository
from pytest_cockpit.promotion import staging
from pytest_cockpit.promotion.staging import StagedTree

ROOT_OF_OURS = Path(process.__file__).parents[1]


def found(root):
    """Mode and object id of everything that lies below a folder, `.git` aside."""
    seen: dict[str, object] = {}
    for folder, names, members in os.walk(root):
        if Path(folder) == root:
            names.remove(".git")
        links = [name for name in names if Path(folder, name).is_symlink()]
        if Path(folder) != root and not names and not members:
            seen[os.path.relpath(folder, root)] = "an empty folder"
        for name in [*members, *links]:
            path = Path(folder, name)
            assert path.is_symlink() or path.is_file(), f"{path} is no file"
            if path.is_symlink():
                mode, content = "120000", os.fsencode(path.readlink())
            else:
                mode = "100755" if path.stat().st_mode & stat.S_IXUSR else "100644"
                content = path.read_bytes()
            digest = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
            seen[os.path.relpath(path, root)] = (mode, digest.hexdigest())
    return seen


@pytest.fixture
def checkout(make_checkout):
    made = make_checkout(
        {
            "a.py": "1\n",
            "lane/b.py": "2\n",
            "lane/deep/c.py": "3\n",
            ".gitignore": "*.pyc\nbuild/\n",
            " odd $(date) \n name": "4\n",
            os.fsdecode(b"latin-\xe9.py"): "5\n",
            "same": "s",
            "SAME": "S",
            "run": "#!/bin/sh\n",
        }
    )
    (made.root / "run").chmod(0o755)
    (made.root / "link").symlink_to("nowhere")
    (made.root / "folder-link").symlink_to("lane")
    made.commit({}, "modes")
    return made


def test_it_holds_the_commit(checkout):
    state, tree = checkout.state(), checkout.tree("HEAD")
    head = checkout.text("rev-parse", "HEAD")
    with StagedTree(checkout.repo).at("HEAD") as root:
        assert root == StagedTree(checkout.repo).place.folder / "tree"
        assert not root.is_relative_to(checkout.root)
        assert found(root) == tree
        inside = Repository.discover(root)
        assert inside.root == root
        assert inside.branch() is None
        assert inside.resolve("HEAD") == head
        assert inside.dirty() == []
        assert inside.run("remote").stdout == b""
        assert inside.run("for-each-ref").stdout == b""
        assert inside.run("rev-list", "HEAD").stdout.split()[0].decode() == head
    assert checkout.state() == state


def test_it_is_updated_by_difference(checkout):
    first = checkout.text("rev-parse", "HEAD")
    second = checkout.commit({"a.py": "11\n", "new/d.py": "4\n"})
    checkout.git("rm", "-q", "lane/deep/c.py")
    third = checkout.commit({})
    tree = StagedTree(checkout.repo)
    with tree.at(first) as root:
        kept = (root / "lane/b.py").stat()
        changed = (root / "a.py").stat()
    for commit in (second, third, first, third, second, second):
        with tree.at(commit) as root:
            assert found(root) == checkout.tree(commit)
            assert (root / "lane/b.py").stat().st_mtime_ns == kept.st_mtime_ns
    assert (root / "a.py").stat() != changed


def test_leftovers_are_cleaned(checkout):
    tree = StagedTree(checkout.repo)
    with tree.at("HEAD") as root:
        (root / "left.txt").write_text("x")
        (root / "a.pyc").write_text("x")
        (root / "build/deep").mkdir(parents=True)
        (root / "build/deep/x").write_text("x")
        (root / "empty/er").mkdir(parents=True)
        (root / "dangling").symlink_to("x")
        (root / "lane/__pycache__").mkdir()
        nested = root / "nested"
        subprocess.run(["git", "init", "-q", nested], check=True)
        (nested / "x").write_text("x")
        os.mkfifo(root / "pipe")
        os.mkfifo(root / "lane/deep/pipe")
        os.mkfifo(root / "left-pipes")
    with tree.at("HEAD") as root:
        assert found(root) == checkout.tree("HEAD")


def test_tracked_files_are_restored(checkout):
    tree = StagedTree(checkout.repo)
    with tree.at("HEAD") as root:
        times = (root / "a.py").stat()
        (root / "a.py").write_text("9\n")
        os.utime(root / "a.py", ns=(times.st_atime_ns, times.st_mtime_ns))
        (root / "lane/b.py").unlink()
        (root / "run").chmod(0o644)
        (root / "link").unlink()
        (root / "link").write_text("no link")
        (root / "same").unlink()
        (root / "same").mkdir()
        (root / "same/x").write_text("x")
        (root / "SAME").rename(root / "moved")
    with tree.at("HEAD") as root:
        assert found(root) == checkout.tree("HEAD")


def test_what_was_made_read_only_is_restored(checkout):
    tree = StagedTree(checkout.repo)
    second = checkout.commit({"a.py": "11\n", "lane/deep/c.py": "33\n"})
    with tree.at("HEAD~1") as root:
        (root / "a.py").chmod(0o444)
        (root / "left").mkdir()
        (root / "left/x").write_text("x")
        for name in ("left/x", "left", "lane/deep/c.py", "lane/deep"):
            (root / name).chmod(0)
    with tree.at(second) as root:
        assert found(root) == checkout.tree(second)
        assert (root / "a.py").stat().st_mode & stat.S_IWUSR


# Root may write where others may not, unless that right is dropped.
AS_OTHERS = (
    []
    if os.getuid()
    else ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]
)
CLOSED = """
import pathlib, sys
from pytest_cockpit.git import Repository
from pytest_cockpit.promotion.staging import StagedTree
tree = StagedTree(Repository.discover(pathlib.Path(sys.argv[1])))
with tree.at("HEAD") as root:
    (root / "left").mkdir()
    (root / "left/x").write_text("x")
    for name in ("left", "lane/deep", "lane"):
        (root / name).chmod(int(sys.argv[2], 8))
    try:
        (root / "lane/x").touch()
    except PermissionError:
        print("closed")
with tree.at("HEAD~1") as root:
    (root / "lane/deep/c.py").unlink()
    print((root / "a.py").read_text())
"""


@pytest.mark.skipif(
    bool(AS_OTHERS) and not shutil.which("setpriv"), reason="root needs setpriv to be like others"
)
@pytest.mark.parametrize("mode", ["500", "0"])
def test_folders_that_were_closed_are_put_right(checkout, mode):
    checkout.commit({"lane/deep/c.py": "33\n"})
    done = subprocess.run(
        [*AS_OTHERS, sys.executable, "-c", CLOSED, checkout.root, mode],
        env={**process.environment(), "PYTHONPATH": str(ROOT_OF_OURS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["closed", "1"]
    with StagedTree(checkout.repo).at("HEAD") as root:
        assert found(root) == checkout.tree("HEAD")


def test_a_folder_replaced_by_a_symlink_is_not_written_through(checkout, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "b.py").write_text("precious")
    (outside / "precious").write_text("x")
    second = checkout.commit({"lane/b.py": "22\n"})
    tree = StagedTree(checkout.repo)
    with tree.at("HEAD~1") as root:
        (root / "lane").rename(root / "elsewhere")
        (root / "lane").symlink_to(outside)
    with tree.at(second) as root:
        assert found(root) == checkout.tree(second)
    assert (outside / "b.py").read_text() == "precious"
    assert (outside / "precious").exists()


def run_inside(root, *commands):
    for command in commands:
        subprocess.run(
            ["git", "-c", "user.name=x", "-c", "user.email=x@y", *command],
            cwd=root,
            env=process.environment(),
            capture_output=True,
            check=False,
        )


def test_git_run_inside_does_not_reach_the_user(checkout):
    state = checkout.state()
    head = checkout.text("rev-parse", "HEAD")
    tree = StagedTree(checkout.repo)
    with tree.at("HEAD") as root:
        (root / "a.py").write_text("changed inside")
        run_inside(
            root,
            ["add", "-A"],
            ["commit", "-q", "-m", "inside"],
            ["update-ref", "refs/heads/main", "HEAD"],
            ["update-ref", "refs/heads/new", "HEAD"],
            ["tag", "inside"],
            ["branch", "-D", "main"],
            ["checkout", "-q", "-b", "other"],
            ["update-index", "--assume-unchanged", "lane/b.py"],
            ["update-index", "--skip-worktree", "same"],
            ["config", "core.worktree", str(checkout.root)],
            ["config", "core.bare", "true"],
            ["config", "core.hooksPath", str(root)],
            ["config", "core.sparseCheckout", "true"],
            ["gc", "-q", "--prune=now"],
        )
        (root / "lane/b.py").write_text("unseen")
        (root / "same").write_text("u")
        (root / ".git/info").mkdir(exist_ok=True)
        (root / ".git/info/sparse-checkout").write_text("/nothing\n")
        (root / ".git/info/exclude").write_text("*\n")
        (root / ".git/index.lock").write_text("")
        (root / ".git/HEAD.lock").write_text("")
    assert checkout.state() == state
    with tree.at("HEAD") as root:
        assert found(root) == checkout.tree("HEAD")
        inside = Repository.discover(root)
        assert inside.resolve("HEAD") == head
        assert inside.branch() is None
        assert inside.run("for-each-ref").stdout == b""
        assert inside.dirty() == []
    assert checkout.state() == state
    assert checkout.text("fsck", "--no-dangling") == ""


@pytest.mark.parametrize("damage", ["removed", "emptied", "a file", "headless", "a link"])
def test_a_damaged_git_folder_does_not_lead_to_the_user(checkout, damage):
    state = checkout.state()
    tree = StagedTree(checkout.repo)
    with tree.at("HEAD") as root:
        own = root / ".git"
        if damage == "headless":
            (own / "HEAD").unlink()
        else:
            own.rename(root / "was-git")
        if damage == "emptied":
            own.mkdir()
        if damage == "a file":
            own.write_text("nonsense")
        if damage == "a link":
            own.symlink_to(checkout.root / ".git")
        # Through a link the code would have asked for the user's repository by name.
        if damage != "a link":
            run_inside(
                root,
                ["checkout", "-q", "--detach"],
                ["commit", "-q", "--allow-empty", "-m", "inside"],
                ["update-ref", "refs/heads/stray", "HEAD"],
                ["add", "-A"],
            )
            scratch = root.parent / "scratch"
            scratch.mkdir()
            run_inside(
                scratch, ["update-ref", "refs/heads/stray", checkout.text("rev-parse", "HEAD")]
            )
            scratch.rmdir()
    assert checkout.state() == state
    with tree.at("HEAD") as root:
        assert found(root) == checkout.tree("HEAD")
    assert checkout.state() == state


def test_users_settings_do_not_shape_the_tree(checkout, tmp_path, monkeypatch):
    checkout.commit({"text.py": "a\nb\n", "unix.txt": "a\n", ".gitattributes": "*.txt text\n"})
    settings = tmp_path / "gitconfig"
    settings.write_text(
        "[core]\n\tautocrlf = true\n\tsparseCheckout = true\n[status]\n\tbranch = true\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    with StagedTree(checkout.repo).at("HEAD") as root:
        assert found(root) == checkout.tree("HEAD")


def test_submodules_are_empty_folders(checkout):
    head = checkout.text("rev-parse", "HEAD")
    checkout.git("update-index", "--add", "--cacheinfo", f"160000,{head},module")
    checkout.git("commit", "-q", "-m", "a submodule without .gitmodules")
    tree = StagedTree(checkout.repo)
    for _ in range(2):
        with tree.at("HEAD") as root:
            seen = found(root)
            assert seen.pop("module") == "an empty folder"
            expected = checkout.tree("HEAD")
            del expected["module"]
            assert seen == expected
            subprocess.run(["git", "init", "-q", root / "module"], check=True)
            (root / "module/x").write_text("left by code that ran here")
    with tree.at("HEAD~1") as root:
        assert found(root) == checkout.tree("HEAD~1")


def test_shallow_clone(checkout, tmp_path):
    url = f"file://{checkout.root}"
    subprocess.run(["git", "clone", "-q", "--depth=1", url, tmp_path / "shallow"], check=True)
    shallow = Repository.discover(tmp_path / "shallow")
    with StagedTree(shallow).at("HEAD") as root:
        assert found(root) == checkout.tree("HEAD")
        assert Repository.discover(root).last_touched("HEAD", "").keys() == found(root).keys()


def test_sha256_and_borrowed_objects_and_an_odd_place(make_checkout, tmp_path):
    origin = make_checkout({"a": "1"}, "origin", "--object-format=sha256")
    place = tmp_path / 'clo"ne # \n'
    subprocess.run(["git", "clone", "-q", "--shared", origin.root, place], check=True)
    with StagedTree(Repository.discover(place)).at("HEAD") as root:
        assert (root / "a").read_text() == "1"
        assert Repository.discover(root).object_format() == "sha256"


def test_linked_work_trees_share_it(checkout, tmp_path):
    checkout.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "linked"))
    linked = Repository.discover(tmp_path / "linked")
    with StagedTree(linked).at("side") as root:
        assert root == StagedTree(checkout.repo).place.folder / "tree"
        assert found(root) == checkout.tree("HEAD")


def test_a_commit_that_is_not_there(checkout):
    with pytest.raises(GitError, match="names no commit"), StagedTree(checkout.repo).at("1" * 40):
        pass


def lose(checkout, *paths):
    for path in paths:
        oid = checkout.text("rev-parse", path)
        (checkout.root / ".git/objects" / oid[:2] / oid[2:]).unlink()


def test_lost_objects_are_left_out_and_named(checkout):
    second = checkout.commit({"a.py": "11\n", "big": "two\n", "all/lost": "x\n"})
    third = checkout.commit({"a.py": "111\n", "big": "three\n"})
    lose(checkout, f"{second}:big", f"{second}:all/lost", "HEAD~2:lane/b.py")
    always = {"all/lost", "lane/b.py"}
    tree = StagedTree(checkout.repo)
    for commit, lost in ((third, always), (second, always | {"big"}), (third, always)) * 2:
        with tree.at(commit) as root:
            assert {entry.path for entry in tree.lost} == lost
            expected = checkout.tree(commit)
            assert found(root) == {path: expected[path] for path in expected.keys() - lost}
            inside = Repository.discover(root)
            assert inside.dirty() == []
            assert {entry.path for entry in inside.entries("HEAD")} == expected.keys()
            (root / "all").mkdir()
            (root / "all/lost").write_text("made by code that ran here")


def test_a_lost_tree_is_an_error(checkout):
    lose(checkout, "HEAD:lane")
    oid = checkout.text("rev-parse", "HEAD:lane")
    with pytest.raises(GitError, match=oid), StagedTree(checkout.repo).at("HEAD"):
        pass


def test_a_partial_clone_fetches_what_the_tree_needs(checkout, tmp_path):
    checkout.git("config", "uploadpack.allowFilter", "true")
    place = tmp_path / "partial"
    command = ["git", "clone", "-q", "--no-checkout", "--filter=blob:none"]
    subprocess.run([*command, f"file://{checkout.root}", place], check=True)
    tree = StagedTree(Repository.discover(place))
    with tree.at("HEAD") as root:
        assert found(root) == checkout.tree("HEAD")
        assert tree.lost == ()


def test_a_place_that_cannot_be_written(checkout, monkeypatch):
    monkeypatch.setenv("COCKPIT_CACHE", "/dev/null/nowhere")
    (checkout.root / ".git/cockpit").write_text("in the way")
    with pytest.raises(CockpitError, match="cannot lock"), StagedTree(checkout.repo).at("HEAD"):
        pass


def test_only_one_at_a_time(checkout, monkeypatch):
    monkeypatch.setattr(staging, "_PATIENCE_S", 0.1)
    tree = StagedTree(checkout.repo)
    with tree.at("HEAD"):
        other = StagedTree(checkout.repo)
        with pytest.raises(GitError, match="another session has been using"), other.at("HEAD"):
            pass
    with other.at("HEAD"):
        pass


def test_an_error_in_the_body_is_the_bodys(checkout):
    tree = StagedTree(checkout.repo)
    with pytest.raises(ZeroDivisionError), tree.at("HEAD"):
        raise ZeroDivisionError
    with tree.at("HEAD") as root:
        assert found(root) == checkout.tree("HEAD")


LOOP = """
import itertools, pathlib, sys
from pytest_cockpit.git import Repository
from pytest_cockpit.promotion.staging import StagedTree
tree = StagedTree(Repository.discover(pathlib.Path(sys.argv[1])))
print("ready", flush=True)
for commit in itertools.cycle(sys.argv[2:]):
    with tree.at(commit) as root:
        (root / "left").write_text("x")
        (root / "f7.py").write_text("x")
"""


def test_killed_in_the_middle_of_an_update(make_checkout):
    checkout = make_checkout({f"d{n % 30}/f{n}.py": f"{n}\n" * 50 for n in range(400)})
    commits = [checkout.text("rev-parse", "HEAD")]
    commits.append(checkout.commit({f"d{n % 30}/f{n}.py": f"{n}!" * 70 for n in range(0, 400, 2)}))
    checkout.git("rm", "-r", "-q", "d1", "d2", "d3")
    commits.append(checkout.commit({f"new{n % 9}/g{n}.py": "g\n" * n for n in range(200)}))
    state = checkout.state()
    chooser = random.Random(20261121)
    # By night two hundred.
    for _ in range(int(os.environ.get("COCKPIT_KILLS", "8"))):
        victim = subprocess.Popen(
            [sys.executable, "-c", LOOP, checkout.root, *commits],
            env={**process.environment(), "PYTHONPATH": str(ROOT_OF_OURS)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert victim.stdout.readline() == b"ready\n"
        time.sleep(chooser.uniform(0, 0.3))
        victim.send_signal(signal.SIGKILL)
        _, err = victim.communicate()
        assert (victim.returncode, err) == (-signal.SIGKILL, b"")
        commit = chooser.choice(commits)
        with StagedTree(checkout.repo).at(commit) as root:
            assert found(root) == checkout.tree(commit)
        assert checkout.state() == state
