"""Commits built from a stream, judged by git itself."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_cockpit import process
from pytest_cockpit.api import CockpitError
from pytest_cockpit.git import GitError
from pytest_cockpit.promotion.transaction import Delete, Rename, Write, build, recommit

REF = "refs/cockpit/staged"
ODD_NAMES = [
    " lead and trail ",
    "$(date +%Y)",
    "=2.0.0",
    "quo\"te's",
    "back\\slash",
    "back\\nslash n",
    "two\nlines",
    "tab\there",
    "\x01control\x7f",
    "Λ.py",
    "\N{ROCKET}.py",
    "-dash",
    "new.PY",
    os.fsdecode(b"latin-\xe9.py"),
]


def make(checkout, *operations, base="HEAD", message="moved"):
    base = checkout.text("rev-parse", base)
    return build(checkout.repo, base, operations, message=message, ref=REF)


def text(number, lines=40):
    return "".join(f"line {line} of file {number}\n" for line in range(lines))


def test_a_batch(make_checkout):
    body = text(1)
    checkout = make_checkout({"lane/a.py": body, "lane/b.py": "b", "user.py": "import lane.a\n"})
    before, state = checkout.tree("HEAD"), checkout.state()
    rewritten = body.replace("line 7 ", "line seven ").encode()
    commit = make(
        checkout,
        Write("lane/a.py", b"# shim\n"),
        Rename("lane/a.py", "core/deep/a.py"),
        Write("core/deep/a.py", rewritten),
        Write("user.py", b"import core.deep.a\n"),
        Write("new/run", b"#!/bin/sh\n", "100755"),
        Write("new/link", b"../user.py", "120000"),
        Delete("lane/b.py"),
    )
    assert checkout.tree(commit).keys() == {
        "core/deep/a.py",
        "lane/a.py",
        "new/link",
        "new/run",
        "user.py",
    }
    assert checkout.show(commit, "core/deep/a.py") == rewritten
    assert checkout.show(commit, "lane/a.py") == b"# shim\n"
    assert checkout.show(commit, "user.py") == b"import core.deep.a\n"
    assert checkout.tree(commit)["new/run"][0] == "100755"
    assert checkout.tree(commit)["new/link"][0] == "120000"
    assert checkout.text("rev-parse", f"{commit}^") == checkout.text("rev-parse", "HEAD")
    assert checkout.text("rev-parse", REF) == commit
    assert checkout.tree("HEAD") == before
    assert checkout.state() == state
    assert checkout.text("fsck", "--strict", "--no-dangling") == ""


def test_history_is_found_behind_a_shim_and_a_rewrite(make_checkout):
    checkout = make_checkout({"lane/a.py": text(1)})
    checkout.commit({"lane/a.py": text(1) + "more\n"}, "second")
    rewritten = (text(1) + "more\n").replace("line 7 ", "line seven ").encode()
    commit = make(
        checkout,
        Rename("lane/a.py", "core/a.py"),
        Write("core/a.py", rewritten),
        Write("lane/a.py", b"# moved to core.a\nimport core.a\n"),
    )
    followed = checkout.text("log", "--follow", "--format=%s", commit, "--", "core/a.py")
    assert followed.splitlines() == ["moved", "second", "start"]
    assert checkout.repo.similarity(f"{commit}^", commit)["core/a.py"][0] == "lane/a.py"
    raw = checkout.text("diff-tree", "-r", "-B", "-M", "--name-status", f"{commit}^", commit)
    assert raw.splitlines()[0].split("\t")[1:] == ["lane/a.py", "core/a.py"]


def test_odd_names(make_checkout):
    checkout = make_checkout({f"lane/{name}": f"is {n}" for n, name in enumerate(ODD_NAMES)})
    commit = make(
        checkout,
        *(Rename(f"lane/{name}", f"core/{name}") for name in ODD_NAMES),
        *(Write(f"lane/{name}", b"shim") for name in ODD_NAMES),
    )
    expected = {f"{folder}/{name}" for name in ODD_NAMES for folder in ("core", "lane")}
    assert checkout.tree(commit).keys() == expected
    for number, name in enumerate(ODD_NAMES):
        assert checkout.show(commit, f"core/{name}") == f"is {number}".encode()
    gone = make(checkout, *(Delete(f"core/{name}") for name in ODD_NAMES), base=commit)
    assert checkout.tree(gone).keys() == {f"lane/{name}" for name in ODD_NAMES}


part = st.text(
    st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1, max_size=20
).filter(lambda name: name not in {".", ".."} and "git" not in name.lower())


@pytest.fixture
def shared(make_checkout):
    """A repository that examples share: none of them changes a branch."""
    return make_checkout({"lane/a.py": "a"})


@settings(
    deadline=None,
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(parts=st.lists(part, min_size=1, max_size=6, unique=True), content=st.binary(max_size=99))
def test_any_path_and_content(shared, parts, content):
    names = [f"x/{name}/{number}" for number, name in enumerate(parts)]
    first, *rest = names
    commit = make(shared, Rename("lane/a.py", first), *(Write(name, content) for name in rest))
    assert shared.tree(commit).keys() == set(names)
    assert shared.show(commit, first) == b"a"
    assert {shared.show(commit, name) for name in rest} <= {content}


def test_paths_that_differ_only_in_case(make_checkout):
    checkout = make_checkout({"lane/a.py": "small", "lane/A.py": "large"})
    commit = make(checkout, Rename("lane/a.py", "a.py"), Rename("lane/A.py", "A.py"))
    assert checkout.show(commit, "a.py") == b"small"
    assert checkout.show(commit, "A.py") == b"large"
    other = make(checkout, Rename("lane/a.py", "lane/a.PY"))
    assert checkout.tree(other).keys() == {"lane/a.PY", "lane/A.py"}


def test_modes_move_along(make_checkout):
    checkout = make_checkout({"lane/run": "#!/bin/sh\n"})
    (checkout.root / "lane/run").chmod(0o755)
    (checkout.root / "lane/link").symlink_to("nowhere")
    head = checkout.text("rev-parse", "HEAD")
    checkout.git("add", "-A")
    checkout.git("update-index", "--add", "--cacheinfo", f"160000,{head},lane/module")
    checkout.git("commit", "-q", "-m", "odd modes")
    before = checkout.tree("HEAD")
    names = ("run", "link", "module")
    commit = make(checkout, *(Rename(f"lane/{name}", f"core/{name}") for name in names))
    assert checkout.tree(commit) == {f"core/{name}": before[f"lane/{name}"] for name in names}


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"no end", b"\0\xff\r\n", b"done\n", b"data 3\nabc"]
)
def test_any_content(make_checkout, content):
    checkout = make_checkout({"a": "1"})
    commit = make(checkout, Write("b", content), Write("c", b"after"))
    assert checkout.show(commit, "b") == content
    assert checkout.show(commit, "c") == b"after"


def test_a_file_may_become_a_folder_and_a_folder_a_file(make_checkout):
    checkout = make_checkout({"a": "1", "d/x": "2"})
    commit = make(checkout, Rename("a", "new"), Write("a/b", b"3"))
    assert checkout.tree(commit).keys() == {"new", "a/b", "d/x"}
    with pytest.raises(CockpitError, match="d: is no file at"):
        make(checkout, Delete("d/x"), Write("d", b"4"))


def test_a_target_may_take_the_place_of_a_deleted_file(make_checkout):
    checkout = make_checkout({"a": "1", "b": "2"})
    with pytest.raises(CockpitError, match="b: two operations"):
        make(checkout, Delete("b"), Rename("a", "b"))


@pytest.mark.parametrize("form", ["sha1", "sha256"])
def test_object_formats(make_checkout, form):
    checkout = make_checkout({"a": "1"}, "repo", f"--object-format={form}")
    commit = make(checkout, Rename("a", "b"), Write("a", b"shim"))
    assert len(commit) == len(checkout.text("rev-parse", "HEAD"))
    assert checkout.tree(commit).keys() == {"a", "b"}
    assert len(recommit(checkout.repo, commit, message="m")) == len(commit)


def test_a_second_build_replaces_the_first(make_checkout):
    checkout = make_checkout({"a": "1"})
    first = make(checkout, Rename("a", "b"))
    second = make(checkout, Rename("a", "c"))
    assert first != second
    assert checkout.text("rev-parse", REF) == second


def test_a_lock_left_by_a_killed_build_is_no_obstacle(make_checkout):
    checkout = make_checkout({"a": "1"})
    make(checkout, Rename("a", "b"))
    (checkout.root / ".git" / f"{REF}.lock").touch()
    commit = make(checkout, Rename("a", "c"))
    assert checkout.text("rev-parse", REF) == commit


def test_the_ref_is_private(make_checkout):
    checkout = make_checkout({"a": "1"})
    base = checkout.text("rev-parse", "HEAD")
    with pytest.raises(CockpitError, match="refs/heads/main: a batch is built below refs/cockpit/"):
        build(checkout.repo, base, [Write("b", b"")], message="m", ref="refs/heads/main")


def test_linked_work_tree(make_checkout, tmp_path):
    checkout = make_checkout({"a": "1"})
    checkout.git("worktree", "add", "-q", "-b", "side", str(tmp_path / "linked"))
    linked = type(checkout)(tmp_path / "linked")
    commit = make(linked, Rename("a", "b"))
    assert checkout.tree(commit).keys() == {"b"}


# ------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "../out",
        "a/../../out",
        "a/./b",
        "a//b",
        "a/",
        ".",
        "nul\0",
        ".git/config",
        "a/.git/hooks/pre-commit",
        ".GIT/config",
        ".git . /x",
        ".git::$INDEX_ALLOCATION/x",
        "GIT~1/x",
        ".g\u200cit/config",
    ],
)
def test_paths_that_are_never_written(make_checkout, path):
    checkout = make_checkout({"a": "1"})
    state = checkout.state()
    for operation in (Write(path, b""), Rename("a", path), Rename(path, "b"), Delete(path)):
        with pytest.raises(CockpitError, match=r"not a path below|git's own folder") as caught:
            make(checkout, operation)
        assert "\n" not in str(caught.value)
        assert checkout.git("for-each-ref", "refs/cockpit") == b""
    assert checkout.state() == state


@pytest.mark.parametrize(
    "path", [".gitignore", ".github/x", "git/x", "a.git/x", "..x", "...", "x:y"]
)
def test_paths_that_only_look_like_those(make_checkout, path):
    checkout = make_checkout({"a": "1"})
    assert path in checkout.tree(make(checkout, Write(path, b"")))


@pytest.mark.parametrize(
    ("operations", "message"),
    [
        ([Rename("a", "x"), Rename("a", "y")], "a: two operations"),
        ([Rename("a", "x"), Rename("b", "x")], "x: two operations"),
        ([Rename("a", "b"), Rename("b", "x")], "b: two operations"),
        ([Rename("a", "a")], "a: two operations"),
        ([Write("x", b"1"), Write("x", b"2")], "x: two operations"),
        ([Write("b", b"1"), Delete("b")], "b: two operations"),
        ([Rename("a", "x"), Delete("a")], "a: two operations"),
        ([Rename("a", "x"), Delete("x")], "x: two operations"),
        ([Rename("none", "x")], "none: no such file at"),
        ([Rename("d", "x")], "d: no such file at"),
        ([Rename("d/none", "x")], "d/none: no such file at"),
        ([Delete("none")], "none: no such file at"),
        ([Delete("d")], "d: no such file at"),
        ([Rename("a", "b")], "b: exists at .*; a move never overwrites"),
        ([Rename("a", "d")], "d: exists at"),
        ([Write("d", b"")], "d: is no file at"),
        ([Write("b/x", b"")], "b: is no folder at"),
        ([Write("b/x/y", b"")], "b: is no folder at"),
        ([Rename("a", "link/x")], "link: is no folder at"),
        ([Write("x", b""), Write("x/y", b"")], "x: would be a file and a folder"),
        ([Rename("a", "x/y/z"), Write("x/y", b"")], "x/y: would be a file and a folder"),
        ([Write("x", b"", "160000")], "x: 160000 is not the mode of a file"),
        ([Write("x", b"", "040000")], "x: 040000 is not the mode of a file"),
    ],
)
def test_operations_that_cannot_be(make_checkout, operations, message):
    checkout = make_checkout({"a": "1", "b": "2", "d/c": "3"})
    (checkout.root / "link").symlink_to("d")
    checkout.commit()
    state = checkout.state()
    with pytest.raises(CockpitError, match=message):
        make(checkout, *operations)
    assert checkout.state() == state
    assert checkout.git("for-each-ref", "refs/cockpit") == b""
    assert list((checkout.root / ".git").glob("fast_import_crash_*")) == []


def test_a_crash_of_git_leaves_no_report(make_checkout):
    checkout = make_checkout({"a": "1"})
    # A base that is gone is found by git alone.
    base = checkout.text("rev-parse", "HEAD")
    checkout.git("update-ref", "refs/cockpit/staged/in-the-way", base)
    with pytest.raises(GitError, match="nothing was changed"):
        make(checkout, Write("b", b""))
    assert list((checkout.root / ".git").glob("fast_import_crash_*")) == []


# ------------------------------------------------------------------ who, when, signed


def test_author_and_committer(make_checkout, monkeypatch):
    checkout = make_checkout({"a": "1"})
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Zoë <Author>")
    monkeypatch.setenv("GIT_AUTHOR_EMAIL", "zoe@example.org")
    commit = make(checkout, Write("b", b""), message="Subject Λ\n\nBody\n")
    assert checkout.text("log", "-1", "--format=%an|%ae|%cn|%ce|%B", commit) == (
        "Zoë Author|zoe@example.org|Port Master|port@example.org|Subject Λ\n\nBody"
    )
    when = int(checkout.text("log", "-1", "--format=%ct", commit))
    assert abs(when - time.time()) < 3600


@pytest.mark.parametrize("key", ["user.name", "user.email"])
def test_no_identity(make_checkout, monkeypatch, key):
    checkout = make_checkout({"a": "1"})
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.delenv("EMAIL", raising=False)
    checkout.git("config", "--unset", key)
    with pytest.raises(GitError, match=r"no author.*git config user\.name NAME") as caught:
        make(checkout, Write("b", b""))
    assert "\n" not in str(caught.value)


def test_recommit(make_checkout):
    checkout = make_checkout({"a": "1"})
    checkout.git("config", "i18n.commitEncoding", "iso-8859-1")
    commit = make(checkout, Rename("a", "b"))
    final = recommit(checkout.repo, commit, message="Promote Λ\n\nBatch-Id: x\n")
    assert checkout.text("log", "-1", "--format=%B", final) == "Promote Λ\n\nBatch-Id: x"
    for rev in ("^{tree}", "^@"):
        assert checkout.text("rev-parse", f"{final}{rev}") == checkout.text(
            "rev-parse", f"{commit}{rev}"
        )
    assert checkout.git("cat-file", "commit", final).endswith(
        b"\n\nPromote \xce\x9b\n\nBatch-Id: x\n"
    )
    assert b"encoding" not in checkout.git("cat-file", "commit", final)


def test_recommit_of_a_merge_and_of_a_root(make_checkout):
    checkout = make_checkout({"a": "1"})
    root = checkout.text("rev-parse", "HEAD")
    assert checkout.text("rev-list", "--count", recommit(checkout.repo, root, message="m")) == "1"
    checkout.git("checkout", "-q", "-b", "side")
    checkout.commit({"b": "1"})
    checkout.git("checkout", "-q", "main")
    checkout.commit({"c": "1"})
    checkout.git("merge", "-q", "side")
    again = recommit(checkout.repo, "HEAD", message="m")
    assert checkout.text("rev-parse", f"{again}^@") == checkout.text("rev-parse", "HEAD^@")


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="signs with a key made by ssh-keygen")
def test_recommit_signs_where_commits_are_signed(make_checkout, tmp_path):
    checkout = make_checkout({"a": "1"})
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    checkout.git("config", "gpg.format", "ssh")
    checkout.git("config", "user.signingKey", str(key))
    staged = make(checkout, Write("b", b""))
    assert b"gpgsig" not in checkout.git("cat-file", "commit", staged)
    checkout.git("config", "commit.gpgSign", "yes")
    final = recommit(checkout.repo, staged, message="signed")
    assert b"gpgsig" in checkout.git("cat-file", "commit", final)
    again = recommit(checkout.repo, final, message="again")
    assert checkout.git("cat-file", "commit", again).count(b"gpgsig") == 1
    key.unlink()
    key.with_suffix(".pub").unlink()
    with pytest.raises(GitError, match="git commit-tree: "):
        recommit(checkout.repo, staged, message="unsigned")


# ------------------------------------------------------------------ size


def test_400_renames_among_5000_files(make_checkout, capsys):
    checkout = make_checkout()
    rows = [f"100644 inline p{n % 50}/d{n % 7}/f{n}.py\ndata 5\n{n:04}\n" for n in range(4600)]
    bodies = [text(n).encode() for n in range(400)]
    rows += [
        f"100644 inline lane/d{n % 20}/f{n}.py\ndata {len(body)}\n{body.decode()}"
        for n, body in enumerate(bodies)
    ]
    stream = "commit refs/heads/main\ncommitter A <a@b> 1700000000 +0000\ndata 0\n"
    stream += "".join(f"M {row}\n" for row in rows)
    checkout.git("fast-import", "--quiet", feed=stream.encode())
    assert len(checkout.tree("main")) == 5000
    operations: list[Rename | Write] = []
    for n, body in enumerate(bodies):
        source, target = f"lane/d{n % 20}/f{n}.py", f"core/d{n % 20}/f{n}.py"
        operations.append(Rename(source, target))
        operations.append(Write(source, f"# moved to {target}\nimport x\n".encode()))
        if n % 2:
            operations.append(Write(target, body.replace(b"line 7 ", b"line seven ")))
    random.Random(1).shuffle(operations)
    start = time.perf_counter()
    commit = make(checkout, *operations)
    took = time.perf_counter() - start
    assert len(checkout.tree(commit)) == 5400
    start = time.perf_counter()
    found = checkout.repo.similarity("main", commit)
    compared = time.perf_counter() - start
    assert {target: source for target, (source, _) in found.items()} == {
        f"core/d{n % 20}/f{n}.py": f"lane/d{n % 20}/f{n}.py" for n in range(400)
    }
    with capsys.disabled():
        print(  # noqa: T201 - a figure to read, too dependent on the machine to be judged
            f"\n400 renames, 400 shims, 200 rewrites in 5,000 files: committed in "
            f"{took * 1000:.0f} ms, similarity found in {compared * 1000:.0f} ms"
        )


def test_a_killed_stream_changes_nothing(make_checkout):
    checkout = make_checkout({"a": "1"})
    state = checkout.state()
    head = f"commit {REF}\ncommitter A <a@b> 1700000000 +0000\ndata 1\nx\nM 100644 inline b\ndata 9"
    done = process.run(
        ["git", "fast-import", "--quiet", "--done"], cwd=checkout.root, input=head.encode()
    )
    assert done.returncode
    assert checkout.git("for-each-ref", "refs/cockpit") == b""
    assert checkout.state() == state
