"""Git through our module, against real repositories made with git itself."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_cockpit.git import Entry, GitError, Repository, masked, quoted

ODD_NAMES = [
    " lead and trail ",
    "$(date +%Y)",
    "=2.0.0",
    "quo\"te's",
    "back\\slash",
    "two\nlines",
    "\nfirst",
    "tab\there",
    "\x01control",
    "Λ.py",
    "\N{ROCKET}.py",
    ":(glob)star*",
    ":0",
    "-dash",
    "Case",
    "case",
    os.fsdecode(b"latin-\xe9.py"),
]
paths = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=30
)


# ------------------------------------------------------------------ finding the repository


def test_discover_from_a_folder_below(make_checkout):
    checkout = make_checkout({"a/b/c.py": ""})
    found = Repository.discover(checkout.root / "a" / "b")
    assert found == Repository(checkout.root.resolve(), checkout.root.resolve() / ".git")
    assert found.git_dir() == found.common_dir


@pytest.mark.parametrize("name", [" blank ", "two\nlines", 'quo"te', "Λ", os.fsdecode(b"\xff")])
def test_discover_in_a_folder_with_an_odd_name(make_checkout, name):
    checkout = make_checkout({"a.py": "x"}, name)
    repo = checkout.repo
    assert repo.root == checkout.root.resolve()
    assert repo.common_dir == checkout.root.resolve() / ".git"
    assert repo.git_dir() == repo.common_dir
    assert repo.blob("HEAD", "a.py") == b"x"


def test_no_repository(tmp_path):
    with pytest.raises(GitError, match="not in a git repository; run inside a checkout"):
        Repository.discover(tmp_path)


def test_bare_repository(tmp_path):
    subprocess.run(["git", "init", "-q", "--bare", tmp_path / "bare"], check=True)
    with pytest.raises(GitError, match="a bare repository"):
        Repository.discover(tmp_path / "bare")


def test_inside_the_git_folder(make_checkout):
    with pytest.raises(GitError, match="or a git folder"):
        Repository.discover(make_checkout({}).root / ".git" / "refs")


def test_missing_folder(tmp_path):
    with pytest.raises(GitError, match="No such file"):
        Repository.discover(tmp_path / "nowhere")


def test_git_not_installed(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GitError, match=r"git: cannot be run or entered .* install it"):
        Repository.discover(tmp_path)


@pytest.mark.skipif(os.getuid() != 0, reason="needs a folder of another user")
def test_a_repository_of_another_user(make_checkout, monkeypatch):
    checkout = make_checkout({"a": ""})
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.delenv("SUDO_UID", raising=False)
    os.chown(checkout.root, 12345, 12345)
    os.chown(checkout.root / ".git", 12345, 12345)
    with pytest.raises(GitError, match=r"another user.*safe\.directory"):
        Repository.discover(checkout.root)


def test_linked_work_tree(make_checkout, tmp_path):
    checkout = make_checkout({"a": ""})
    checkout.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "linked"))
    linked = Repository.discover(tmp_path / "linked")
    assert linked.root == (tmp_path / "linked").resolve()
    assert linked.common_dir == checkout.repo.common_dir
    assert linked.git_dir() == linked.common_dir / "worktrees" / "linked"
    assert linked.branch() == "refs/heads/side"


def test_variables_that_point_elsewhere_are_ignored(make_checkout, monkeypatch):
    checkout = make_checkout({"a": ""})
    other = make_checkout({"b": ""}, "other")
    for name, value in {
        "GIT_DIR": other.root / ".git",
        "GIT_WORK_TREE": other.root,
        "GIT_INDEX_FILE": other.root / ".git" / "index",
        "GIT_OBJECT_DIRECTORY": other.root / ".git" / "objects",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_CONFIG_PARAMETERS": "'core.bare'='true'",
    }.items():
        monkeypatch.setenv(name, str(value))
    repo = Repository.discover(checkout.root)
    assert repo.root == checkout.root.resolve()
    assert [entry.path for entry in repo.entries("HEAD")] == ["a"]


# ------------------------------------------------------------------ commits and refs


def test_resolve(make_checkout):
    checkout = make_checkout({"a": ""})
    head = checkout.text("rev-parse", "HEAD")
    assert checkout.repo.resolve("HEAD") == head
    assert checkout.repo.resolve("main") == head
    checkout.git("tag", "-a", "-m", "annotated", "v1")
    assert checkout.repo.resolve("v1") == head


@pytest.mark.parametrize("rev", ["nothing", "HEAD:a", "-x", "--all", ""])
def test_resolve_what_is_no_commit(make_checkout, rev):
    with pytest.raises(GitError, match="names no commit"):
        make_checkout({"a": ""}).repo.resolve(rev)


def test_no_commits(make_checkout):
    repo = make_checkout().repo
    with pytest.raises(GitError, match="no commits yet; commit something first"):
        repo.resolve("HEAD")
    assert repo.branch() == "refs/heads/main"
    assert repo.ref("HEAD") is None


def test_detached_head(make_checkout):
    checkout = make_checkout({"a": ""})
    checkout.git("checkout", "-q", "--detach")
    assert checkout.repo.branch() is None


def test_shallow(make_checkout, tmp_path):
    checkout = make_checkout({"a": "1"})
    checkout.commit({"a": "2"})
    assert not checkout.repo.is_shallow()
    url = f"file://{checkout.root}"
    subprocess.run(["git", "clone", "-q", "--depth=1", url, tmp_path / "s"], check=True)
    shallow = Repository.discover(tmp_path / "s")
    assert shallow.is_shallow()
    assert shallow.last_touched("HEAD", "").keys() == {"a"}


def test_ref_is_exact(make_checkout):
    checkout = make_checkout({"a": ""})
    head = checkout.text("rev-parse", "HEAD")
    assert checkout.repo.ref("refs/heads/main") == head
    assert checkout.repo.ref("refs/heads/none") is None
    # A tag with the name of the wanted ref is what `rev-parse` would answer with.
    checkout.git("update-ref", "refs/tags/refs/heads/none", head)
    assert checkout.repo.ref("refs/heads/none") is None


@pytest.mark.parametrize("form", ["sha1", "sha256"])
def test_update_ref_compares_and_swaps(make_checkout, form):
    checkout = make_checkout({"a": "1"}, "repo", f"--object-format={form}")
    repo = checkout.repo
    assert repo.object_format() == form
    first = repo.resolve("HEAD")
    second = checkout.commit({"a": "2"})
    assert len(first) == (40 if form == "sha1" else 64)
    repo.update_ref("refs/heads/x", first, "0" * 40)
    assert repo.ref("refs/heads/x") == first
    with pytest.raises(GitError, match="already exists"):
        repo.update_ref("refs/heads/x", second, "0" * 40)
    with pytest.raises(GitError, match="but expected"):
        repo.update_ref("refs/heads/x", first, second)
    repo.update_ref("refs/heads/x", second, first)
    assert repo.ref("refs/heads/x") == second


def test_hooks_do_not_run(make_checkout):
    checkout = make_checkout({"a": "1"})
    hook = checkout.root / ".git" / "hooks" / "reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    checkout.git("update-ref", "refs/heads/y", "HEAD", code=128)
    checkout.repo.update_ref("refs/heads/x", checkout.repo.resolve("HEAD"), "0" * 40)


# ------------------------------------------------------------------ trees and contents


def test_entries_with_odd_names(make_checkout):
    checkout = make_checkout({name: name.encode("utf-8", "surrogateescape") for name in ODD_NAMES})
    entries = checkout.repo.entries("HEAD")
    assert sorted(entry.path for entry in entries) == sorted(ODD_NAMES)
    contents = dict(checkout.repo.blobs(entry.oid for entry in entries))
    for entry in entries:
        assert os.fsdecode(contents[entry.oid]) == entry.path
        if not entry.path.startswith(":"):
            assert checkout.repo.blob("HEAD", entry.path) == contents[entry.oid]
    assert set(checkout.repo.last_touched("HEAD", "")) == set(ODD_NAMES)
    assert set(checkout.repo.grep("HEAD", ["line", "date"])) == {"two\nlines", "$(date +%Y)"}
    for name in ODD_NAMES:
        (checkout.root / name).write_bytes(b"changed")
    assert set(checkout.repo.dirty()) == set(ODD_NAMES)


def test_modes_symlinks_and_gitlinks(make_checkout):
    checkout = make_checkout({"lane/run": "", "lane/plain": ""})
    (checkout.root / "lane/run").chmod(0o755)
    (checkout.root / "lane/link").symlink_to("nowhere at all")
    head = checkout.text("rev-parse", "HEAD")
    checkout.git("add", "-A")
    checkout.git("update-index", "--add", "--cacheinfo", f"160000,{head},lane/module")
    checkout.git("commit", "-q", "-m", "odd modes")
    found = {entry.path: entry for entry in checkout.repo.entries("HEAD", "lane")}
    assert {path: entry.mode for path, entry in found.items()} == {
        "lane/link": "120000",
        "lane/module": "160000",
        "lane/plain": "100644",
        "lane/run": "100755",
    }
    assert found["lane/module"] == Entry("lane/module", "160000", "commit", head)
    assert checkout.repo.blob("HEAD", "lane/link") == b"nowhere at all"
    assert checkout.repo.blob("HEAD", "lane/module") is None
    assert set(checkout.repo.last_touched("HEAD", "lane")) == set(found)


def test_entries_below_a_prefix_take_it_literally(make_checkout):
    checkout = make_checkout({"a/x": "", "ab/x": "", "a*/x": "", "b/a/x": ""})
    repo = checkout.repo
    assert [entry.path for entry in repo.entries("HEAD", "a")] == ["a/x"]
    assert [entry.path for entry in repo.entries("HEAD", "a*")] == ["a*/x"]
    assert repo.entries("HEAD", "none") == []
    assert len(repo.entries("HEAD", ".")) == 4
    assert set(repo.last_touched("HEAD", "a*")) == {"a*/x"}


def test_places_are_exact_and_show_the_folders_above(make_checkout):
    repo = make_checkout({"a/b/c": "", "a/d": "", "e": ""}).repo
    found = repo.places("HEAD", ["a/b/c", "a/none", "e/below", "zzz/y"])
    assert {path: entry.kind for path, entry in found.items()} == {
        "a": "tree",
        "a/b": "tree",
        "a/b/c": "blob",
    }
    assert repo.places("HEAD", []) == {}


def test_blob_of_what_is_not_there(make_checkout):
    repo = make_checkout({"a/b": "x"}).repo
    assert repo.blob("HEAD", "none") is None
    assert repo.blob("HEAD", "a") is None


def test_blobs_keep_order_and_bytes(make_checkout):
    contents = [b"", b"\n", b"no end", b"\0\xff\n\n", b"x" * 300_000]
    checkout = make_checkout({str(number): content for number, content in enumerate(contents)})
    oids = [checkout.text("rev-parse", f"HEAD:{number}") for number in (4, 0, 3, 1, 2, 0)]
    found = list(checkout.repo.blobs(iter(oids)))
    assert [oid for oid, _ in found] == oids
    assert [content for _, content in found] == [contents[n] for n in (4, 0, 3, 1, 2, 0)]
    assert list(checkout.repo.blobs([])) == []


def test_blobs_can_be_left_in_the_middle(make_checkout):
    checkout = make_checkout({str(number): f"{number}" * 9_000 for number in range(200)})
    oids = [entry.oid for entry in checkout.repo.entries("HEAD")] * 5
    reader = checkout.repo.blobs(oids)
    next(reader)
    reader.close()


def test_missing_objects_are_none(make_checkout):
    checkout = make_checkout({"a": "one", "b": "two", "c": "three"})
    oids = [checkout.text("rev-parse", f"HEAD:{name}") for name in "abc"]
    lost = checkout.root / ".git" / "objects" / oids[1][:2] / oids[1][2:]
    lost.unlink()
    assert [content for _, content in checkout.repo.blobs(oids)] == [b"one", None, b"three"]
    assert checkout.repo.blob("HEAD", "b") is None


def test_a_damaged_object_is_none(make_checkout):
    checkout = make_checkout({"a": "one", "b": "two" * 999, "c": "three"})
    oids = [checkout.text("rev-parse", f"HEAD:{name}") for name in "abc"]
    broken = checkout.root / ".git" / "objects" / oids[1][:2] / oids[1][2:]
    broken.chmod(0o644)
    broken.write_bytes(broken.read_bytes()[:12])
    assert [content for _, content in checkout.repo.blobs(oids)] == [b"one", None, b"three"]


def test_partial_clone_whose_remote_is_gone(make_checkout, tmp_path):
    origin = make_checkout({"a": "one", "b": "two", "c": "three"})
    origin.git("config", "uploadpack.allowFilter", "true")
    oids = [origin.text("rev-parse", f"HEAD:{name}") for name in "abc"]
    partial = tmp_path / "partial"
    command = ["git", "clone", "-q", "--no-checkout", "--filter=blob:none"]
    subprocess.run([*command, f"file://{origin.root}", partial], check=True)
    repo = Repository.discover(partial)
    subprocess.run(["git", "cat-file", "blob", oids[1]], cwd=partial, check=True)
    shutil.rmtree(origin.root)
    assert [content for _, content in repo.blobs(oids)] == [None, b"two", None]
    assert [entry.oid for entry in repo.entries("HEAD")] == oids


def test_a_partial_clone_fetches_what_it_is_asked_for(make_checkout, tmp_path):
    origin = make_checkout({"a": "one", "b": "two"})
    origin.git("config", "uploadpack.allowFilter", "true")
    partial = tmp_path / "partial"
    command = ["git", "clone", "-q", "--no-checkout", "--filter=blob:none"]
    subprocess.run([*command, f"file://{origin.root}", partial], check=True)
    repo = Repository.discover(partial)
    oids = [entry.oid for entry in repo.entries("HEAD")]
    assert [content for _, content in repo.blobs(oids)] == [b"one", b"two"]


def test_replaced_objects_are_read_as_they_are(make_checkout):
    checkout = make_checkout({"a": "one", "b": "two"})
    one, two = (checkout.text("rev-parse", f"HEAD:{name}") for name in "ab")
    checkout.git("replace", one, two)
    assert dict(checkout.repo.blobs([one])) == {one: b"one"}


# ------------------------------------------------------------------ searching and history


def test_grep(make_checkout):
    checkout = make_checkout(
        {
            "a.py": "import lane.x\n",
            "b.py": "a.*b\n",
            "c.txt": "lane.x\n",
            "d.bin": b"\0lane.x",
            "e.py": "nothing",
            "sub/f.py": "axxb",
            ".gitattributes": "a.py -diff\n",
        }
    )
    repo = checkout.repo
    assert repo.grep("HEAD", ["lane.x"], ["*.py"]) == ["a.py"]
    assert repo.grep("HEAD", ["lane.x"]) == ["a.py", "c.txt", "d.bin"]
    assert repo.grep("HEAD", ["lane.x"], [":!*.py"]) == ["c.txt", "d.bin"]
    assert repo.grep("HEAD", ["a.*b", "axxb"]) == ["b.py", "sub/f.py"]
    assert repo.grep("HEAD", ["nowhere at all"]) == []
    assert repo.grep("HEAD", []) == []
    checkout.write({"a.py": "lane is not mentioned"})
    assert repo.grep("HEAD", ["lane.x"], ["*.py"]) == ["a.py"]
    with pytest.raises(GitError, match="git grep"):
        repo.grep("no-such-commit", ["x"])


def test_grep_stays_out_of_submodules(make_checkout):
    checkout = make_checkout({"a": "needle"})
    inner = make_checkout({"b": "needle"}, "inner")
    checkout.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", inner.root, "m")
    checkout.commit()
    checkout.git("config", "submodule.recurse", "true")
    assert checkout.repo.grep("HEAD", ["needle"]) == ["a"]


def commit_at(checkout, when, files=None):
    checkout.write(files or {})
    checkout.git("add", "-A")
    date = f"@{when} +0000"
    done = subprocess.run(
        ["git", "commit", "-q", "-m", str(when)],
        cwd=checkout.root,
        env={**os.environ, "GIT_COMMITTER_DATE": date, "GIT_AUTHOR_DATE": "@1 +0000"},
        check=False,
    )
    assert done.returncode == 0


def test_last_touched(make_checkout):
    checkout = make_checkout()
    commit_at(checkout, 1000, {"lane/a": "1", "lane/b": "1", "other": "1"})
    commit_at(checkout, 2000, {"lane/b": "2", "\nlead": "1"})
    commit_at(checkout, 3000, {"other": "2"})
    checkout.git("config", "log.showRoot", "false")
    checkout.git("config", "log.showSignature", "true")
    assert checkout.repo.last_touched("HEAD", "lane") == {"lane/a": 1000, "lane/b": 2000}
    assert checkout.repo.last_touched("HEAD", "") == {
        "lane/a": 1000,
        "lane/b": 2000,
        "\nlead": 2000,
        "other": 3000,
    }
    assert checkout.repo.last_touched("HEAD~2", "lane") == {"lane/a": 1000, "lane/b": 1000}
    assert checkout.repo.last_touched("HEAD", "none") == {}


def test_last_touched_sees_through_merges(make_checkout):
    checkout = make_checkout()
    commit_at(checkout, 1000, {"a": "1", "c": "1"})
    checkout.git("checkout", "-q", "-b", "side")
    commit_at(checkout, 2000, {"b": "side"})
    checkout.git("checkout", "-q", "main")
    commit_at(checkout, 3000, {"c": "main"})
    checkout.git("merge", "-q", "--no-commit", "side")
    commit_at(checkout, 4000, {"only-in-the-merge": "evil"})
    assert checkout.repo.last_touched("HEAD", "") == {
        "a": 1000,
        "b": 2000,
        "c": 3000,
        "only-in-the-merge": 4000,
    }


def test_last_touched_says_when_history_cannot_be_read(make_checkout):
    checkout = make_checkout({"a": "1"})
    first = checkout.text("rev-parse", "HEAD")
    checkout.commit({"b": "2"})
    (checkout.root / ".git" / "objects" / first[:2] / first[2:]).unlink()
    with pytest.raises(GitError, match="git log"):
        checkout.repo.last_touched("HEAD", "")


def test_similarity_finds_a_rewritten_file_behind_a_shim(make_checkout):
    body = "".join(f"line {number} of some file\n" for number in range(40))
    checkout = make_checkout({"lane/a.py": body, "stays.py": "x\n"})
    base = checkout.text("rev-parse", "HEAD")
    moved = body.replace("line 3 ", "line three ")
    commit = checkout.commit({"a.py": moved, "lane/a.py": "# moved\n" * 3, "stays.py": "y\n"})
    assert checkout.repo.similarity(base, commit).keys() == {"a.py"}
    source, score = checkout.repo.similarity(base, commit)["a.py"]
    assert source == "lane/a.py"
    assert 80 < score < 100


# ------------------------------------------------------------------ the work tree


def test_dirty(make_checkout):
    checkout = make_checkout(
        {"kept": "1", "changed": "1", "staged": "1", "gone": "1", ".gitignore": "*.tmp\n"}
    )
    assert checkout.repo.dirty() == []
    checkout.write({"changed": "22", "staged": "2", "new/a b": "", "new/c": "", "x.tmp": ""})
    checkout.git("add", "staged")
    (checkout.root / "gone").unlink()
    everything = {"changed", "staged", "gone", "new/a b", "new/c"}
    assert set(checkout.repo.dirty()) == everything
    assert checkout.repo.dirty(["kept"]) == []
    assert checkout.repo.dirty([]) == []
    assert checkout.repo.dirty(["changed", "kept"]) == ["changed"]
    assert set(checkout.repo.dirty(["new/"])) == {"new/a b", "new/c"}
    assert checkout.repo.dirty(["ne", "chan"]) == []


def test_looking_does_not_write_the_index(make_checkout):
    checkout = make_checkout({"a": "1"})
    index = checkout.root / ".git" / "index"
    os.utime(checkout.root / "a", (1, 1))
    before = index.read_bytes(), index.stat().st_ino
    assert checkout.repo.dirty() == []
    assert (index.read_bytes(), index.stat().st_ino) == before


def test_an_edit_within_the_second_of_the_index_is_seen(make_checkout):
    checkout = make_checkout({"a": "1"})
    checkout.git("config", "core.trustctime", "false")
    for path in ("a", ".git/index"):
        os.utime(checkout.root / path, (9, 9))
    checkout.git("update-index", "--refresh")
    (checkout.root / "a").write_text("2")
    for path in ("a", ".git/index"):
        os.utime(checkout.root / path, (9, 9))
    (entry,) = checkout.repo.entries(checkout.repo.tracked())
    assert dict(checkout.repo.blobs([entry.oid])) == {entry.oid: b"2"}


def test_config(make_checkout):
    repo = make_checkout({}).repo
    assert repo.config("user.name") == "Port Master"
    assert repo.config("no.such") is None
    assert repo.remote_url("origin") is None
    repo.run("config", "remote.origin.url", " odd \n url ")
    assert repo.remote_url("origin") == " odd \n url "


def test_a_failure_is_one_telling_line(make_checkout):
    repo = make_checkout({}).repo
    with pytest.raises(GitError) as caught:
        repo.run("rev-list", "no-such")
    assert str(caught.value).startswith("git rev-list: fatal: ambiguous argument 'no-such'")
    assert "\n" not in str(caught.value)
    assert repo.run("rev-list", "no-such", check=False).returncode == 128


def test_an_unreadable_object_store_is_an_error(make_checkout):
    checkout = make_checkout({"a": ""})
    commit = checkout.repo.resolve("HEAD")
    shutil.rmtree(checkout.root / ".git" / "objects")
    (checkout.root / ".git" / "objects").mkdir(mode=stat.S_IRWXU)
    with pytest.raises(GitError, match="git ls-tree"):
        checkout.repo.entries(commit)


# ------------------------------------------------------------------ spelling


@given(path=paths)
def test_quoted_paths_are_plain_ascii(path):
    spelled = quoted(path)
    assert spelled.isascii()
    assert spelled[1:-1].decode("unicode_escape").encode("latin-1") == os.fsencode(path)


@pytest.fixture
def empty(make_checkout):
    """A repository that examples share: each makes a tree of its own in it."""
    return make_checkout()


@settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(names=st.lists(paths, min_size=1, max_size=8))
def test_any_name_comes_back_from_a_tree(empty, names):
    parts = {name.replace("/", "|") for name in names} - {".", ".."}
    names = sorted(name for name in parts if ".git" not in name.lower())
    blob = empty.git("hash-object", "-w", "--stdin", feed=b"").strip()
    rows = [b"100644 blob %s\t%s\0" % (blob, os.fsencode(name)) for name in names]
    tree = empty.git("mktree", "-z", feed=b"".join(rows)).decode().strip()
    assert sorted(entry.path for entry in empty.repo.entries(tree)) == names
    assert sorted(empty.repo.places(tree, names)) == names


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://me:ghp_x@example.org/r.git", "https://***@example.org/r.git"),
        (
            "https://tok@example.org/r and ssh://git@h/x",
            "https://***@example.org/r and ssh://***@h/x",
        ),
        ("https://me:p@ss@example.org/r", "https://***@example.org/r"),
        ("https://h/r?private_token=abc&x=1", "https://h/r?***&x=1"),
        ("plain me@example.org text", "plain me@example.org text"),
        ("file:///a/b@c", "file:///a/b@c"),
    ],
)
def test_masked(text, expected):
    assert masked(text) == expected
