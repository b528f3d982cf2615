"""A work tree that is exactly a commit's, and all that makes it another."""

from __future__ import annotations

import pytest

from pytest_cockpit.sessions.unaltered import Unaltered

FILES = {"a.py": "X = 1\n", "b.py": "Y = 2\n", ".gitignore": "*.log\n"}


@pytest.fixture
def checkout(make_checkout):
    return make_checkout(FILES)


@pytest.fixture
def unaltered(checkout, tmp_path):
    (tmp_path / "own").mkdir()
    return Unaltered(checkout.repo, tmp_path / "own", "artifacts")


def test_an_unaltered_work_tree_is_the_commits(checkout, unaltered):
    tree = checkout.text("rev-parse", "HEAD^{tree}")
    assert unaltered.tree() == tree
    checkout.write({"x.log": "", "artifacts/.gitignore": "*\n!.gitignore\n", "artifacts/x": ""})
    assert unaltered.tree() == tree


@pytest.mark.parametrize(
    "files", [{"a.py": "X = 9\n"}, {"a.py": None}, {"c.py": ""}, {"artifacts/c.py": ""}]
)
def test_what_differs_is_no_commit(checkout, unaltered, files):
    assert unaltered.tree() is not None
    for name, content in files.items():
        if content is None:
            (checkout.root / name).unlink()
        else:
            checkout.write({name: content})
    assert unaltered.tree() is None


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_a_change_that_the_index_overlooks_is_seen(checkout, unaltered, flag):
    checkout.git("update-index", flag, "a.py")
    checkout.write({"a.py": "X = 9\n"})
    assert checkout.repo.dirty() == []
    assert unaltered.tree() is None


def test_what_is_staged_and_taken_back_in_the_work_tree_is_unaltered(checkout, unaltered):
    checkout.git("rm", "-q", "--cached", "a.py")
    assert unaltered.tree() == checkout.text("rev-parse", "HEAD^{tree}")


def test_settings_of_git_hide_no_untracked_file(checkout, unaltered):
    checkout.git("config", "status.showUntrackedFiles", "no")
    checkout.write({"c.py": ""})
    assert unaltered.tree() is None


def test_a_repository_without_commits_has_no_tree(make_checkout, tmp_path):
    assert Unaltered(make_checkout().repo, tmp_path, "artifacts").tree() is None
