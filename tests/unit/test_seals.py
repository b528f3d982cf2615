"""Branches, pushes, and the user's checkout brought forward: nothing of theirs is ever lost."""

from __future__ import annotations

import copy
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_cockpit import process
from pytest_cockpit.api import CockpitError
from pytest_cockpit.git import GitError, Repository
from pytest_cockpit.seals import branch, checkout, disk, index, push
from pytest_cockpit.seals.checkout import Taken
from tests.unit.conftest import create

MAIN = "refs/heads/main"
SEALED = "refs/heads/cockpit/batch"
ROOT_OF_OURS = Path(process.__file__).parents[1]
BASE = {
    "lane/a.py": "a\n",
    "lane/gone/b.py": "b\n",
    "lane/c d.py": "c\n",
    "user.py": "import lane.a\n",
    "other.py": "1\n",
    "docs/x": "x\n",
    "later": "l\n",
    ".gitignore": "*.tmp\n",
}


class Ship:
    """A checkout at base, and a sealed commit it could be brought to."""

    def __init__(self, checkout, branches=("main",)):
        self.it = checkout
        self.base = checkout.text("rev-parse", "HEAD")
        checkout.git("checkout", "-q", "-b", "cockpit/batch")
        checkout.git("mv", "lane/a.py", "core-a.py")
        checkout.git("rm", "-q", "lane/gone/b.py")
        checkout.write(
            {
                "lane/a.py": "# shim\n",
                "core/deep/b.py": "b\n",
                "core/Λ $(date).py": "odd\n",
                "user.py": "import core_a\n",
                "run": "#!/bin/sh\n",
            }
        )
        (checkout.root / "run").chmod(0o755)
        (checkout.root / "core/link").symlink_to("deep/b.py")
        self.commit = checkout.commit({}, "sealed")
        checkout.git("checkout", "-q", *branches)

    def take(self):
        return checkout.take(self.it.repo, MAIN, self.base, self.commit)

    def refused(self, *words):
        """It refuses, says why, and has changed nothing."""
        state = self.it.state()
        taken = self.take()
        assert not taken.done
        assert "\n" not in taken.reason
        for word in words:
            assert word in taken.reason, taken.reason
        assert self.it.state() == state
        assert self.leftovers() == []
        assert checkout.resume(self.it.repo) is None
        return True

    def leftovers(self):
        git_dir = self.it.root / ".git"
        found = [path.name for path in (git_dir / "cockpit").glob("take*")]
        return found + [path.name for path in git_dir.rglob("*.lock")]

    def arrived(self, status=""):
        """The checkout shows the commit, but for what the user has."""
        assert self.it.text("rev-parse", "HEAD") == self.commit
        assert self.it.text("symbolic-ref", "HEAD") == MAIN
        assert self.it.text("status", "--porcelain", "--untracked-files=all") == status
        assert self.it.text("diff-files", "--name-only") == ""
        assert self.leftovers() == []
        return True


@pytest.fixture(scope="module")
def pattern(tmp_path_factory):
    """To be copied, not used."""
    return Ship(create(tmp_path_factory.mktemp("pattern") / "repo", BASE))


@pytest.fixture
def ship(pattern, tmp_path):
    made = copy.copy(pattern)
    made.it = type(pattern.it)(tmp_path / "repo")
    shutil.copytree(pattern.it.root, made.it.root, symlinks=True)
    made.it.git("update-index", "-q", "--refresh")
    return made


# ------------------------------------------------------------------ a branch


@pytest.mark.parametrize("form", ["sha1", "sha256"])
def test_a_branch_is_created_once(make_checkout, form):
    made = make_checkout({"a": "1"}, "repo", f"--object-format={form}")
    first, second = made.text("rev-parse", "HEAD"), made.commit({"a": "2"})
    branch.seal(made.repo, branch.Settings(SEALED, first))
    branch.seal(made.repo, branch.Settings(SEALED, first))
    assert made.text("rev-parse", SEALED) == first
    with pytest.raises(GitError, match=r"cockpit/batch: exists at .* and is never moved"):
        branch.seal(made.repo, branch.Settings(SEALED, second))
    assert made.text("rev-parse", SEALED) == first


def test_a_branch_in_the_way_of_the_folder(make_checkout):
    made = make_checkout({"a": "1"})
    made.git("branch", "cockpit")
    settings = branch.Settings(SEALED, made.text("rev-parse", "HEAD"))
    with pytest.raises(
        GitError, match=r"cannot be created .*set tool\.cockpit\.seal\.branch_prefix"
    ):
        branch.seal(made.repo, settings)


def test_a_branch_of_an_impossible_name_or_commit(make_checkout):
    made = make_checkout({"a": "1"})
    head = made.text("rev-parse", "HEAD")
    for settings in (branch.Settings("refs/heads/a..b", head), branch.Settings(SEALED, "1" * 40)):
        with pytest.raises(GitError, match="cannot be created"):
            branch.seal(made.repo, settings)


# ------------------------------------------------------------------ a push


@pytest.fixture
def remote(ship, tmp_path):
    place = tmp_path / "remote.git"
    subprocess.run(["git", "init", "-q", "--bare", place], check=True)
    ship.it.git("remote", "add", "origin", str(place))
    return place


def heads(place):
    done = subprocess.run(
        ["git", "for-each-ref", "--format=%(refname) %(objectname)"],
        cwd=place,
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(row.split() for row in done.stdout.splitlines())


def test_push(ship, remote):
    ship.it.git("tag", "-a", "-m", "x", "v1", SEALED)
    ship.it.git("config", "push.followTags", "true")
    ship.it.git("config", "--unset-all", "remote.origin.fetch")
    state = ship.it.state()
    settings = push.Settings("origin", SEALED)
    push.seal(ship.it.repo, settings)
    push.seal(ship.it.repo, settings)
    assert heads(remote) == {SEALED: ship.commit}
    assert ship.it.state() == state


def test_push_is_never_forced(ship, remote):
    ship.it.git("push", "-q", "origin", f"{ship.base}:{SEALED}")
    other = ship.it.commit({"other.py": "2\n"})
    ship.it.git("push", "-q", "origin", f"{other}:{SEALED}")
    ship.it.git("config", "remote.origin.push", "+refs/heads/*:refs/heads/*")
    with pytest.raises(GitError, match=r"git push origin .*rejected.*(fetch first|fast-forward)"):
        push.seal(ship.it.repo, push.Settings("origin", SEALED))
    assert heads(remote) == {SEALED: other}


def test_push_refused_by_the_remote(ship, remote):
    hook = remote / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'branch policy: no' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(GitError, match=r"hook declined.*branch policy: no") as caught:
        push.seal(ship.it.repo, push.Settings("origin", SEALED))
    assert "\n" not in str(caught.value)
    assert heads(remote) == {}


@pytest.mark.parametrize("name", ["nowhere", "../remote.git", "--all"])
def test_push_to_no_such_remote(ship, remote, name):
    with pytest.raises(GitError, match="no such remote"):
        push.seal(ship.it.repo, push.Settings(name, SEALED))
    assert heads(remote) == {}


def test_push_to_a_remote_that_is_gone(ship, tmp_path):
    ship.it.git("remote", "add", "origin", str(tmp_path / "gone.git"))
    with pytest.raises(GitError, match="does not appear to be a git repository"):
        push.seal(ship.it.repo, push.Settings("origin", SEALED))


def test_push_does_not_tell_secrets(ship):
    url = "https://me:ghp_secret@127.0.0.1:1/r.git"
    ship.it.git("remote", "add", "origin", url)
    with pytest.raises(GitError, match="git push origin") as caught:
        push.seal(ship.it.repo, push.Settings("origin", SEALED))
    assert "ghp_secret" not in str(caught.value)
    with pytest.raises(GitError, match=r"\*\*\*@127") as caught:
        ship.it.repo.push(url, f"{SEALED}:{SEALED}")
    assert "ghp_secret" not in str(caught.value)


# ------------------------------------------------------------------ the checkout


def test_take(ship):
    before = (ship.it.root / "other.py").stat()
    assert ship.take() == Taken(True, f"main is at {ship.commit[:12]}")
    assert ship.arrived()
    assert not (ship.it.root / "lane/gone").exists()
    assert (ship.it.root / "lane/a.py").read_text() == "# shim\n"
    assert (ship.it.root / "core-a.py").read_text() == "a\n"
    assert (ship.it.root / "core/Λ $(date).py").read_text() == "odd\n"
    assert os.access(ship.it.root / "run", os.X_OK)
    assert (ship.it.root / "core/link").readlink() == Path("deep/b.py")
    assert (ship.it.root / "other.py").stat() == before
    assert ship.it.text("log", "-g", "-1", "--format=%gs").startswith("cockpit: take")
    assert checkout.resume(ship.it.repo) is None


def test_taking_twice(ship):
    assert ship.take().done
    again = ship.take()
    assert not again.done
    assert f"HEAD is not main at {ship.base[:12]} any more" in again.reason
    assert ship.arrived()


def test_sha256(make_checkout):
    ship = Ship(make_checkout(BASE, "repo", "--object-format=sha256"))
    assert ship.take().done
    assert ship.arrived()


@pytest.mark.parametrize("how", ["another branch", "detached", "moved on", "no such base"])
def test_head_elsewhere(ship, how):
    if how == "another branch":
        ship.it.git("checkout", "-q", "-b", "other")
    elif how == "detached":
        ship.it.git("checkout", "-q", "--detach")
    elif how == "moved on":
        ship.it.commit({"other.py": "2\n"})
    else:
        ship.base = "1" * 40
    assert ship.refused("HEAD is not main at")


def test_a_merge_under_way(ship):
    ship.it.git("checkout", "-q", "-b", "side")
    ship.it.commit({"other.py": "side\n"})
    ship.it.git("checkout", "-q", "main")
    ship.it.git("merge", "-q", "--no-commit", "--no-ff", "side")
    assert ship.refused("MERGE_HEAD", "git merge --ff-only cockpit/batch")


BY_HAND = "`git merge --ff-only cockpit/batch`"


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda s: s.it.write({"user.py": "mine\n"}), ["user.py (changed)"]),
        (lambda s: s.it.write({"lane/a.py": "mine\n"}), ["lane/a.py (changed)"]),
        (lambda s: s.it.write({"lane/gone/b.py": "mine\n"}), ["lane/gone/b.py (changed)"]),
        (lambda s: s.it.write({"core-a.py": "mine\n"}), ["core-a.py (untracked)"]),
        (lambda s: s.it.write({"core": "mine\n"}), ["core/deep/b.py (below the file core)"]),
        (lambda s: s.it.write({"core-a.py/x": "mine\n"}), ["core-a.py (a folder)"]),
        (lambda s: (s.it.root / "core-a.py").mkdir(), ["core-a.py (a folder)"]),
        (lambda s: os.mkfifo(s.it.root / "core-a.py"), ["core-a.py (no file)"]),
        (lambda s: (s.it.root / "core-a.py").symlink_to("x"), ["core-a.py (untracked)"]),
        (lambda s: (s.it.root / "user.py").unlink(), ["user.py (deleted)"]),
        (lambda s: (s.it.root / "user.py").chmod(0o755), ["user.py (changed)"]),
        (lambda s: s.it.git("rm", "-q", "--cached", "user.py"), ["user.py (staged)"]),
        (lambda s: s.it.git("rm", "-q", "user.py"), ["user.py (staged)"]),
    ],
)
def test_what_is_in_the_way_is_named(ship, prepare, words):
    prepare(ship)
    assert ship.refused(*words, BY_HAND)


def test_staged_changes_to_touched_paths(ship):
    ship.it.write({"user.py": "mine\n", "core-a.py": "mine\n"})
    ship.it.git("add", "user.py")
    ship.it.git("add", "-N", "core-a.py")
    ship.it.write({"user.py": "import lane.a\n"})
    assert ship.refused("core-a.py (staged)", "user.py (staged)")


def test_unmerged_paths(ship):
    ship.it.git("checkout", "-q", "-b", "side")
    ship.it.commit({"other.py": "side\n"})
    ship.it.git("checkout", "-q", "main")
    ship.base = ship.it.commit({"other.py": "main\n"})
    ship.it.git("merge", "-q", "side", code=1)
    (ship.it.root / ".git/MERGE_HEAD").unlink()
    assert ship.refused("other.py (unmerged)")


def test_many_paths_in_the_way(ship):
    for name in ("user.py", "lane/a.py", "lane/gone/b.py", "core-a.py", "core/deep/b.py"):
        ship.it.write({name: "mine\n"})
    assert ship.refused("and 2 more; commit, stash or move them, then", BY_HAND)


def test_a_change_git_was_told_to_overlook(ship):
    ship.it.git("update-index", "--assume-unchanged", "user.py")
    ship.it.write({"user.py": "mine\n"})
    assert ship.refused("user.py (changed)")


def test_a_change_of_the_same_size_and_time(ship):
    place = ship.it.root / "user.py"
    times = place.stat()
    ship.it.git("status")
    place.write_text("import lane.b\n")
    os.utime(place, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert ship.refused("user.py (changed)")


def test_a_folder_behind_a_symlink(ship, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (ship.it.root / "core").symlink_to(outside)
    assert ship.refused("behind the symlink core")
    assert list(outside.iterdir()) == []


def test_submodules(make_checkout):
    made = make_checkout(BASE)
    head = made.text("rev-parse", "HEAD")
    ship = Ship(made)
    made.git("checkout", "-q", "cockpit/batch")
    made.git("update-index", "--add", "--cacheinfo", f"160000,{head},module")
    made.git("commit", "-q", "-m", "module")
    ship.commit = made.text("rev-parse", "HEAD")
    made.git("checkout", "-q", "main")
    assert ship.refused("module (a submodule)")


# Root may write where others may not, unless that right is dropped.
AS_OTHERS = [] if os.getuid() else ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-all"]
READ_ONLY = """
import sys
from pathlib import Path
from pytest_cockpit.git import Repository
from pytest_cockpit.seals import checkout
print(checkout.take(Repository.discover(Path(sys.argv[1])), *sys.argv[2:]).reason)
"""


@pytest.mark.skipif(
    bool(AS_OTHERS) and not shutil.which("setpriv"), reason="root needs setpriv to be like others"
)
def test_a_read_only_folder(ship):
    state = ship.it.state()
    (ship.it.root / "lane").chmod(0o500)
    done = subprocess.run(
        [*AS_OTHERS, sys.executable, "-c", READ_ONLY, ship.it.root, MAIN, ship.base, ship.commit],
        env={**process.environment(), "PYTHONPATH": str(ROOT_OF_OURS)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "lane/a.py (in a read-only folder)" in done.stdout
    (ship.it.root / "lane").chmod(0o755)
    assert ship.it.state() == state
    assert ship.take().done


def test_new_content_that_is_there_already_is_no_obstacle(ship):
    ship.it.write({"core-a.py": "a\n", "lane/a.py": "# shim\n", "user.py": "import core_a\n"})
    ship.it.git("add", "user.py")
    (ship.it.root / "lane/gone/b.py").unlink()
    kept = (ship.it.root / "core-a.py").stat()
    assert ship.take().done
    assert ship.arrived()
    assert (ship.it.root / "core-a.py").stat().st_mtime_ns == kept.st_mtime_ns


def test_an_ignored_file_with_the_new_content_is_no_obstacle(make_checkout):
    made = make_checkout({**BASE, ".gitignore": "core-a.py\n"})
    base = made.text("rev-parse", "HEAD")
    made.git("checkout", "-q", "-b", "cockpit/batch")
    made.write({"core-a.py": "new\n"})
    made.git("add", "-f", "core-a.py")
    made.git("commit", "-q", "-m", "sealed")
    commit = made.text("rev-parse", "HEAD")
    made.git("checkout", "-q", "main")
    made.write({"core-a.py": "precious\n"})
    taken = checkout.take(made.repo, MAIN, base, commit)
    assert (taken.done, "core-a.py (untracked)" in taken.reason) == (False, True)
    assert (made.root / "core-a.py").read_text() == "precious\n"
    made.write({"core-a.py": "new\n"})
    assert checkout.take(made.repo, MAIN, base, commit).done


def entries(made, *without):
    """What the index says of paths, flags included, but for some."""
    rows = made.git("ls-files", "-s", "-t", "-v", "-z").decode().split("\0")[:-1]
    return {row for row in rows if row.partition("\t")[2] not in without}


TOUCHED = {
    "lane/a.py",
    "lane/gone/b.py",
    "core-a.py",
    "core/deep/b.py",
    "core/Λ $(date).py",
    "user.py",
    "run",
    "core/link",
}


def test_everything_else_of_the_users_is_kept(ship):
    made = ship.it
    made.write({"other.py": "staged\n", "new.py": "staged new\n", "intended.py": "later\n"})
    made.git("add", "other.py", "new.py")
    made.write({"other.py": "staged and changed\n", "loose.tmp": "ignored\n", "loose": "untracked"})
    made.git("add", "-N", "intended.py")
    made.git("rm", "-q", "--cached", "later")
    made.git("update-index", "--assume-unchanged", "lane/c d.py")
    made.git("update-index", "--skip-worktree", "docs/x")
    (made.root / "docs/x").unlink()
    status = made.text("status", "--porcelain=v2", "--untracked-files=all")
    kept = entries(made, *TOUCHED)
    files = {name: (made.root / name).read_bytes() for name in ("other.py", "loose", "loose.tmp")}
    assert ship.take().done
    assert made.text("rev-parse", "HEAD") == ship.commit
    assert made.text("status", "--porcelain=v2", "--untracked-files=all") == status
    assert entries(made, *TOUCHED) == kept
    assert {name: (made.root / name).read_bytes() for name in files} == files
    assert not (made.root / "docs/x").exists()
    assert ship.leftovers() == []


@pytest.mark.parametrize("cone", ["--cone", "--no-cone"])
def test_sparse_checkout(ship, cone):
    made = ship.it
    made.git("sparse-checkout", "set", cone, "core", "docs")
    assert not (made.root / "lane").exists()
    assert ship.take().done
    assert made.text("rev-parse", "HEAD") == ship.commit
    assert made.text("status", "--porcelain") == ""
    assert not (made.root / "lane").exists()
    assert (made.root / "core/deep/b.py").read_text() == "b\n"
    made.git("sparse-checkout", "disable")
    assert made.text("status", "--porcelain") == ""
    assert (made.root / "lane/a.py").read_text() == "# shim\n"


def test_a_file_made_where_a_sparse_checkout_has_none(ship):
    ship.it.git("sparse-checkout", "set", "--cone", "core")
    ship.it.write({"lane/a.py": "mine\n"})
    assert ship.refused("lane/a.py (changed)")


def test_line_endings_and_filters_are_those_of_a_checkout(make_checkout):
    made = make_checkout({"a.py": "1\n", ".gitattributes": "*.bat text eol=crlf\n*.up filter=up\n"})
    made.git("config", "filter.up.smudge", "tr a-z A-Z")
    made.git("config", "filter.up.clean", "tr A-Z a-z")
    base = made.text("rev-parse", "HEAD")
    made.git("checkout", "-q", "-b", "cockpit/batch")
    commit = made.commit({"x.bat": "one\r\ntwo\r\n", "y.up": "WORD\n"})
    made.git("checkout", "-q", "main")
    assert checkout.take(made.repo, MAIN, base, commit).done
    assert (made.root / "x.bat").read_bytes() == b"one\r\ntwo\r\n"
    assert (made.root / "y.up").read_bytes() == b"WORD\n"
    assert made.text("status", "--porcelain") == ""
    assert made.show("HEAD", "x.bat") == b"one\ntwo\n"


def test_modes_are_ignored_where_git_ignores_them(ship):
    ship.it.git("config", "core.fileMode", "false")
    (ship.it.root / "user.py").chmod(0o755)
    assert ship.take().done
    assert ship.arrived()


def test_a_file_becomes_a_folder(make_checkout):
    made = make_checkout({"a": "1\n", "b": "2\n"})
    base = made.text("rev-parse", "HEAD")
    made.git("checkout", "-q", "-b", "cockpit/batch")
    made.git("rm", "-q", "a")
    commit = made.commit({"a/x": "3\n"})
    made.git("checkout", "-q", "main")
    assert checkout.take(made.repo, MAIN, base, commit).done
    assert (made.root / "a/x").read_text() == "3\n"
    assert made.text("status", "--porcelain") == ""


def test_the_folder_one_stands_in_is_not_removed(ship, monkeypatch):
    monkeypatch.chdir(ship.it.root / "lane/gone")
    assert ship.take().done
    assert Path.cwd().is_dir()


def test_folders_with_files_of_the_users_are_kept(ship):
    ship.it.write({"lane/gone/mine.tmp": "x"})
    assert ship.take().done
    assert (ship.it.root / "lane/gone/mine.tmp").exists()


def linked(ship, place):
    ship.it.git("checkout", "-q", "--detach")
    ship.it.git("worktree", "add", "-q", str(place), "main")
    return type(ship.it)(place)


def test_linked_work_trees_have_takes_of_their_own(ship, tmp_path):
    place = linked(ship, tmp_path / "linked")
    assert checkout.take(place.repo, MAIN, ship.base, ship.commit).done
    assert place.text("status", "--porcelain") == ""
    assert place.text("rev-parse", "HEAD") == ship.commit
    journal = place.repo.git_dir() / "cockpit" / "take.json"
    journal.write_text("{}")
    assert checkout.resume(ship.it.repo) is None
    assert journal.exists()


def test_a_linked_work_tree_on_another_disk(ship, tmp_path):
    here = tmp_path.stat().st_dev
    places = map(Path, ("/dev/shm", "/var/tmp"))  # noqa: S108 - a folder of its own, removed
    others = [it for it in places if os.access(it, os.W_OK) and it.stat().st_dev != here]
    if not others:
        pytest.skip("there is no other disk")
    shared = others[0]
    place = linked(ship, shared / f"cockpit-{os.getpid()}")
    try:
        assert checkout.take(place.repo, MAIN, ship.base, ship.commit).done
        assert place.text("status", "--porcelain", "--ignored") == ""
        assert (place.root / "core/link").is_symlink()
        assert os.access(place.root / "run", os.X_OK)
    finally:
        ship.it.git("worktree", "remove", "--force", str(place.root))


def test_a_lost_object_changes_nothing(ship):
    oid = ship.it.text("rev-parse", f"{ship.commit}:run")
    (ship.it.root / ".git/objects" / oid[:2] / oid[2:]).unlink()
    state = ship.it.state()
    with pytest.raises(GitError, match=oid):
        ship.take()
    assert ship.it.state() == state


def test_an_edit_in_the_last_moment_stops_it(ship, monkeypatch):
    put = disk.Disk.put

    def edit_then_put(self, path, ready):
        put(self, path, ready)
        ship.it.write({"user.py": "mine, just saved\n"})

    monkeypatch.setattr(disk.Disk, "put", edit_then_put)
    taken = ship.take()
    monkeypatch.undo()
    assert not taken.done
    assert "user.py was changed just now" in taken.reason
    assert (ship.it.root / "user.py").read_text() == "mine, just saved\n"
    again = checkout.resume(ship.it.repo)
    assert not again.done
    assert "user.py (changed)" in again.reason
    assert ship.take() == again
    ship.it.git("checkout", "-q", "user.py")
    assert checkout.resume(ship.it.repo).done
    assert ship.arrived()


def test_the_users_git_goes_first(ship, monkeypatch):
    monkeypatch.setattr(index, "_TRIES", 2)
    lock = ship.it.root / ".git/index.lock"
    lock.write_text("the user's git is at work")
    with pytest.raises(GitError, match="held by another git process"):
        ship.take()
    assert lock.read_text() == "the user's git is at work"
    with pytest.raises(GitError, match="held by another git process"):
        checkout.resume(ship.it.repo)
    lock.unlink()
    assert checkout.resume(ship.it.repo).done
    assert ship.arrived()


def test_something_staged_while_it_runs_is_kept(ship, monkeypatch):
    replace = index.NextIndex._replace
    seen: list[int] = []

    def stage_then_replace(self, before):
        if not seen:
            seen.append(1)
            ship.it.write({"other.py": "staged meanwhile\n"})
            ship.it.git("add", "other.py")
        return replace(self, before)

    monkeypatch.setattr(index.NextIndex, "_replace", stage_then_replace)
    assert ship.take().done
    assert ship.it.text("status", "--porcelain") == "M  other.py"
    assert ship.it.text("rev-parse", "HEAD") == ship.commit


def begun(ship):
    """Leave the journal of a take that was killed before it had done anything."""
    journal = ship.it.root / ".git/cockpit/take.json"
    journal.parent.mkdir(exist_ok=True)
    journal.write_text(f'{{"base": "{ship.base}", "commit": "{ship.commit}", "ref": "{MAIN}"}}\n')


def test_resume_completes(ship):
    begun(ship)
    assert checkout.resume(ship.it.repo) == Taken(True, f"main is at {ship.commit[:12]}")
    assert ship.arrived()


def test_resume_after_the_user_went_elsewhere(ship):
    begun(ship)
    ship.it.git("checkout", "-q", "-b", "elsewhere")
    state = ship.it.state()
    taken = checkout.resume(ship.it.repo)
    assert not taken.done
    assert "HEAD was moved off main" in taken.reason
    assert ship.it.state() == state
    assert ship.leftovers() == []


def test_resume_with_a_journal_that_is_no_journal(ship):
    begun(ship)
    (ship.it.root / ".git/cockpit/take.json").write_text("{")
    with pytest.raises(CockpitError, match=r"take\.json: not JSON"):
        checkout.resume(ship.it.repo)


def test_a_commit_made_while_it_was_interrupted_is_kept(ship):
    begun(ship)
    mine = ship.it.commit({"other.py": "mine\n"})
    taken = checkout.resume(ship.it.repo)
    assert not taken.done
    assert ship.it.text("rev-parse", "HEAD") == mine
    assert ship.leftovers() == []


# ------------------------------------------------------------------ killed

KILLS = """
import itertools, json, os, random, shutil, signal, sys, time
from pathlib import Path
from pytest_cockpit.git import Repository
from pytest_cockpit.seals import checkout

template, work, base, commit, how, count = Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:]
EFFECTS = {"os.rename", "os.remove", "os.link", "os.rmdir", "os.mkdir", "subprocess.Popen"}


def kill_before(number):
    left = itertools.count(1)

    def hook(event, arguments):
        if event in EFFECTS and next(left) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def child(number, action):
    pid = os.fork()
    if not pid:
        code = 1
        try:
            if number:
                kill_before(number)
            action(Repository(work, work / ".git"))
            code = 0
        finally:
            os._exit(code)
    if how == "moments":
        time.sleep(chooser.uniform(0, duration))
        os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def begin(repo):
    assert checkout.take(repo, "refs/heads/main", base, commit).done


chooser, duration = random.Random(int(base[:6], 16)), 0.3
numbers = itertools.count(1) if how == "effects" else [0] * int(count)
for number in numbers:
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(template, work, symlinks=True)
    Repository(work, work / ".git").run("update-index", "-q", "--refresh", check=False)
    code = child(number, begin)
    print(json.dumps([number, code]), flush=True)
    sys.stdin.readline()
    if how == "effects" and code == 0:
        break
    # Too late for a kill: on this machine the next ones have to come sooner.
    duration = duration / 2 if code == 0 else duration
"""


def states(made, commit):
    """Content and mode of every tracked path in a commit, as they are in a checkout."""
    return {path: (mode, made.show(commit, path)) for path, (mode, _) in made.tree(commit).items()}


def on_disk(root):
    found = {}
    for folder, names, members in os.walk(root):
        if Path(folder) == root:
            names.remove(".git")
        for name in [*members, *(name for name in names if Path(folder, name).is_symlink())]:
            path = Path(folder, name)
            if path.is_symlink():
                mode, content = "120000", os.fsencode(path.readlink())
            else:
                mode = "100755" if os.access(path, os.X_OK) else "100644"
                content = path.read_bytes()
            found[path.relative_to(root).as_posix()] = mode, content
    return found


def in_git(root):
    """What git's folder holds; of an index and a log, which tell the time, no more than the size."""
    found = {}
    for path in (root / ".git").rglob("*"):
        if path.is_file() and "objects" not in path.parts:
            data = path.read_bytes()
            timed = path.name.endswith("index") or "logs" in path.parts
            found[str(path)] = len(data) if timed else data
    return found


@pytest.mark.parametrize("how", ["effects", "moments"])
def test_killed_anywhere_it_is_completed(ship, tmp_path, how):
    template = ship.it
    template.write({"other.py": "staged\n", "loose": "mine\n"})
    template.git("add", "other.py")
    mine = {"other.py": ("100644", b"staged\n"), "loose": ("100644", b"mine\n")}
    old = {**states(template, ship.base), **mine}
    new = {**states(template, ship.commit), **mine}
    kept = entries(template, *TOUCHED)
    work = tmp_path / "work"
    driver = subprocess.Popen(
        [sys.executable, "-c", KILLS, template.root, work, ship.base, ship.commit, how, "12"],
        env={**process.environment(), "PYTHONPATH": str(ROOT_OF_OURS)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    halfway, killed = 0, 0
    completed: list[object] = []
    for line in driver.stdout:
        killed += b"-9" in line
        made = type(template)(work)
        seen = on_disk(work)
        # Most commands of git only look: what was completed from this state is not done again.
        state = seen, entries(made), in_git(work)
        if state in completed:
            driver.stdin.write(b"\n")
            driver.stdin.flush()
            continue
        completed.append(state)
        for path, state in seen.items():
            assert state in (old.get(path), new.get(path)), (line, path)
        assert {path for path in old if old.get(path) == new.get(path)} <= seen.keys()
        halfway += seen not in (old, new)
        checkout.resume(Repository(work, work / ".git"))
        if made.text("rev-parse", "HEAD") == ship.base:
            assert on_disk(work) == old, line
            assert made.text("status", "--porcelain") == "M  other.py\n?? loose"
            assert checkout.take(made.repo, MAIN, ship.base, ship.commit).done
        assert on_disk(work) == new, line
        assert made.text("rev-parse", "HEAD") == ship.commit
        assert made.text("status", "--porcelain") == "M  other.py\n?? loose"
        assert entries(made, *TOUCHED) == kept
        ship.it = made
        assert ship.leftovers() == [], line
        driver.stdin.write(b"\n")
        driver.stdin.flush()
    driver.stdin.close()
    assert driver.wait() == 0
    driver.stdout.close()
    assert killed >= (20 if how == "effects" else 1)
    assert halfway or how == "moments"
