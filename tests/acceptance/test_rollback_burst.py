"""Rolling one batch of several back, however their commits came into the history."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from pytest_cockpit.records import ledger
from tests.acceptance.conftest import Sandbox

BURST = ("--cockpit-burst", "--cockpit-target=4", "--cockpit-batch-size=1", "-q")
# Each module needs the one before it, so that every batch builds on an earlier one.
CHAIN = {
    f"candidate/deck/m{number}.py": f"from candidate.deck import m{number - 1}\n\n"
    f"N = m{number - 1}.N + 1\n"
    for number in range(1, 5)
}
USES = "import app\n\nassert app.m4.N == 4\n"


def seen(done):
    return done.stdout + done.stderr


def tree(sandbox, commit):
    """Every path of a commit with mode and blob, but for what records sessions."""
    rows = sandbox.git("ls-tree", "-r", commit).splitlines()
    entries = dict(reversed(row.split("\t")) for row in rows)
    return {
        path: entry
        for path, entry in entries.items()
        if not path.startswith(".cockpit/") and path != "artifacts/promotion_log.md"
    }


def ids(sandbox, count):
    """The last batches' ids, oldest first."""
    shown = sandbox.git(
        "log", f"-{count}", "--reverse", "--format=%(trailers:key=Batch-Id,valueonly)"
    )
    return shown.split()


def works(sandbox):
    """The repository's own code runs in a checkout of HEAD."""
    subprocess.run([sys.executable, "-c", USES], cwd=sandbox.root, check=True)


@pytest.fixture(scope="session")
def burst(measured_quick, tmp_path_factory):
    """A repository with a merged burst of four batches; to be copied, not used."""
    root = tmp_path_factory.mktemp("burst") / "repo"
    shutil.copytree(measured_quick, root, symlinks=True)
    sandbox = Sandbox(root)
    sandbox.commit(CHAIN)
    done = sandbox.pytest(*BURST)
    assert done.returncode == 0, seen(done)
    return root


@pytest.fixture
def chain(burst, tmp_path):
    """A repository with a merged burst of four batches, each needing the one before."""
    shutil.copytree(burst, tmp_path / "repo", symlinks=True)
    sandbox = Sandbox(tmp_path / "repo")
    works(sandbox)
    return sandbox


@pytest.mark.parametrize("index", range(4))
def test_any_batch_of_a_burst_can_be_undone_alone(chain, index):
    batches = ids(chain, 4)
    commits = chain.git("rev-list", "--reverse", "-4", "HEAD").split()
    head = tree(chain, "HEAD")
    done = chain.pytest("--cockpit-rollback", batches[index], "-v")
    assert done.returncode == 0, seen(done)
    assert chain.git("status", "--porcelain") == ""
    after, before = tree(chain, "HEAD"), tree(chain, f"{commits[index]}^")
    [target] = [path for path in head if path not in after]
    assert target in tree(chain, commits[index])
    assert target not in before
    source = f"candidate/{target}"
    assert after[source] == before[source]
    if index == 3:
        assert after == before
    # What later batches did stays.
    for later in commits[index + 1 :]:
        for path in tree(chain, later).keys() - tree(chain, f"{later}^").keys():
            assert path in after
    works(chain)
    again = chain.pytest("--cockpit-batch", "-q")
    assert again.returncode == 0, seen(again)
    assert target in tree(chain, "HEAD")
    works(chain)


def test_all_batches_of_a_burst_can_be_undone_newest_first(chain):
    before = tree(chain, "HEAD~4")
    for batch in reversed(ids(chain, 4)):
        done = chain.pytest("--cockpit-rollback", batch, "-q")
        assert done.returncode == 0, seen(done)
    assert tree(chain, "HEAD") == before


def test_all_batches_of_a_burst_can_be_undone_oldest_first(chain):
    before = tree(chain, "HEAD~4")
    for batch in ids(chain, 4):
        done = chain.pytest("--cockpit-rollback", batch, "-q")
        assert done.returncode == 0, seen(done)
        works(chain)
    assert tree(chain, "HEAD") == before


def merged(sandbox, how):
    """Promote one batch on a branch of its own, and bring it into a main that went on."""
    sandbox.git("switch", "-q", "-c", "side")
    done = sandbox.pytest("--cockpit-batch", "--cockpit-batch-size=2", "-q")
    assert done.returncode == 0, seen(done)
    [batch] = ids(sandbox, 1)
    message = sandbox.git("log", "-1", "--format=%B")
    sandbox.git("switch", "-q", "main")
    sandbox.commit({"notes.txt": "meanwhile\n"}, "meanwhile")
    before = tree(sandbox, "HEAD")
    if how == "merged":
        sandbox.git("merge", "-q", "--no-ff", "-m", "Merge the batch", "side")
    elif how == "squashed":
        sandbox.git("merge", "-q", "--squash", "side")
        # A forge puts its own title and number above, and ends lines as mails do.
        title, _, rest = message.partition("\n")
        crlf = f"{title} (#7)\n{rest}".replace("\n", "\r\n")
        sandbox.git("commit", "-q", "--cleanup=verbatim", "-m", crlf)
    elif how == "rebased":
        sandbox.git("rebase", "-q", "main", "side")
        sandbox.git("switch", "-q", "main")
        sandbox.git("merge", "-q", "--ff-only", "side")
    else:
        sandbox.git("cherry-pick", "-x", "side")
    sandbox.git("branch", "-D", "side")
    names = sandbox.git("for-each-ref", "--format=%(refname:short)", "refs/heads/cockpit")
    for name in names.split():
        sandbox.git("branch", "-q", "-D", name)
    return batch, before


@pytest.mark.parametrize("how", ["merged", "squashed", "rebased", "cherry-picked"])
def test_a_batch_is_found_however_it_was_merged(quick, how):
    quick.commit(CHAIN)
    batch, before = merged(quick, how)
    assert tree(quick, "HEAD") != before
    quick.commit({"later.txt": "later\n"})
    done = quick.pytest("--cockpit-rollback", batch, "-v")
    assert done.returncode == 0, seen(done)
    after = tree(quick, "HEAD")
    assert after.pop("later.txt")
    assert after == before
    works(quick)


@pytest.mark.parametrize("told", ["all", "last"])
def test_a_squashed_burst_names_the_commit_to_revert(chain, told):
    batches, message = ids(chain, 4), chain.git("log", "-4", "--reverse", "--format=* %B")
    chain.git("reset", "-q", "--soft", "HEAD~4")
    said = message if told == "all" else chain.git("log", "-1", "--format=%B", "ORIG_HEAD")
    chain.git("commit", "-q", "-m", f"promote: 4 files (#8)\n\n{said}")
    before = chain.snapshot()
    done = chain.pytest("--cockpit-rollback", batches[1 if told == "all" else 3], "-q")
    assert done.returncode == 4, seen(done)
    head = chain.git("rev-parse", "HEAD")[:12]
    assert f"{head} holds other batches as well; undo it by hand: git revert {head}" in done.stderr
    assert chain.snapshot() == before


def test_what_a_later_batch_moved_on_is_refused_with_the_batch_that_did(chain):
    """A promoted file that was moved again by hand cannot be put back."""
    first = ids(chain, 4)[0]
    chain.git("mv", "deck/m0.py", "deck/zero.py")
    chain.commit({"deck/m1.py": "from deck import zero as m0\n\nN = m0.N + 1\n"})
    before = chain.snapshot()
    done = chain.pytest("--cockpit-rollback", first, "-v")
    assert done.returncode == 1, seen(done)
    assert "[gone]" in done.stdout
    assert chain.snapshot() == before


def test_a_later_commit_that_quotes_the_trailer_is_not_taken_for_the_batch(chain):
    last = ids(chain, 4)[3]
    before = tree(chain, "HEAD~1")
    path = chain.root / ".cockpit/promotions.ndjson"
    path.write_bytes(ledger.extend(path.read_bytes(), [{"kind": "note"}]))
    chain.commit({}, f"Note what was promoted\n\nBatch-Id: {last}")
    done = chain.pytest("--cockpit-rollback", last, "-v")
    assert done.returncode == 0, seen(done)
    assert tree(chain, "HEAD") == before


RELATIVE = {
    "candidate/pkg/__init__.py": "NAME = 'pkg'\n",
    "candidate/pkg/a.py": "X = 1\n\n\ndef a():\n    return X\n",
    "candidate/pkg/b.py": "from . import NAME\nfrom . import a as first\nfrom .a import X\n",
    "candidate/pkg/c.py": "from . import a, b\n\nfrom candidate.pkg.a import X\n",
}


def tried(sandbox, *names):
    """Every one of these modules can be imported in a checkout of HEAD, in a process of its own."""
    for name in names:
        subprocess.run([sys.executable, "-c", f"import {name}"], cwd=sandbox.root, check=True)


@pytest.fixture(scope="session")
def relative_burst(measured_quick, tmp_path_factory):
    """Two merged batches, the second of which imports the first relatively; to be copied."""
    root = tmp_path_factory.mktemp("relative") / "repo"
    shutil.copytree(measured_quick, root, symlinks=True)
    sandbox = Sandbox(root)
    sandbox.git("rm", "-q", "-r", "candidate/deck", "app.py")
    sandbox.commit(RELATIVE)
    done = sandbox.pytest("--cockpit-burst", "--cockpit-target=4", "--cockpit-batch-size=2", "-q")
    assert done.returncode == 0, seen(done)
    assert "pkg/b.py" not in tree(sandbox, "HEAD~1")
    return root


@pytest.fixture
def relative(relative_burst, tmp_path):
    """A copy of it."""
    shutil.copytree(relative_burst, tmp_path / "repo", symlinks=True)
    return Sandbox(tmp_path / "repo")


def test_relative_imports_of_what_goes_back_become_absolute(relative):
    before = tree(relative, "HEAD~2")
    first, second = ids(relative, 2)
    done = relative.pytest("--cockpit-rollback", first, "-v")
    assert done.returncode == 0, seen(done)
    assert "2 paths byte for byte as before the batch, 2 merged" in done.stdout
    assert relative.git("show", "HEAD:pkg/b.py").splitlines() == [
        "from candidate.pkg import NAME",
        "from candidate.pkg import a as first",
        "from candidate.pkg.a import X",
    ]
    assert relative.git("show", "HEAD:pkg/c.py").splitlines() == [
        "from . import b",
        "from candidate.pkg import a",
        "",
        "from candidate.pkg.a import X",
    ]
    tried(relative, "pkg.b", "pkg.c", "candidate.pkg.a", "candidate.pkg.b", "candidate.pkg.c")
    done = relative.pytest("--cockpit-rollback", second, "-v")
    assert done.returncode == 0, seen(done)
    tried(relative, "candidate.pkg.b", "candidate.pkg.c")
    assert tree(relative, "HEAD").keys() == before.keys()


def test_relative_imports_of_what_stays_become_absolute(relative):
    first, _ = ids(relative, 2)
    text = (relative.root / "pkg/a.py").read_text()
    relative.commit({"pkg/new.py": "N = 2\n", "pkg/a.py": f"{text}\n\nfrom .new import N\n"})
    done = relative.pytest("--cockpit-rollback", first, "-v")
    assert done.returncode == 0, seen(done)
    assert relative.git("show", "HEAD:candidate/pkg/a.py").endswith("from pkg.new import N")
    tried(relative, "candidate.pkg.a", "pkg.b", "pkg.c")


def test_relative_imports_are_followed_under_later_edits(relative):
    first, _ = ids(relative, 2)
    text = (relative.root / "pkg/b.py").read_text()
    relative.commit({"pkg/b.py": f"{text}\n\nMORE = X + 1\n"})
    done = relative.pytest("--cockpit-rollback", first, "-v")
    assert done.returncode == 0, seen(done)
    assert relative.git("show", "HEAD:pkg/b.py").splitlines()[2:] == [
        "from candidate.pkg.a import X",
        "",
        "",
        "MORE = X + 1",
    ]
    tried(relative, "candidate.pkg.a", "pkg.b", "pkg.c")
