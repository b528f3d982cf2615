"""No path of this machine in what others read."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.records import paths


@pytest.fixture
def told(tmp_path, monkeypatch):
    home = tmp_path / "home/me"
    root = home / ".cache/tree"
    root.mkdir(parents=True)
    (home / "way").symlink_to(root)
    monkeypatch.setenv("HOME", str(home))

    def tell(text, below=root):
        return paths.told(text.format(root=root, home=home).encode(), below).decode()

    return tell


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("'{root}/a/b.py'", "'a/b.py'"),
        ("{root}/a/b.py:3, {root}/c.py", "a/b.py:3, c.py"),
        ("cd {root}", "cd ."),
        ("cd {root}/ && ls", "cd ./ && ls"),
        ("it lies in {root}.", "it lies in .."),
        ("PATH={home}/bin:{root}/bin", "PATH=~/bin:bin"),
        ("file://{root}/a.py", "file://a.py"),
        ("{home}/.cache/tree.index", "~/.cache/tree.index"),
        ("{home}-too/x and {home}.old/y", "{home}-too/x and {home}.old/y"),
        ("/srv{home}/x", "/srv{home}/x"),
        ("{root}/\N{GREEK CAPITAL LETTER LAMDA}.py", "./\N{GREEK CAPITAL LETTER LAMDA}.py"),
        ("nothing", "nothing"),
    ],
)
def test_a_path_is_told_from_the_tree_or_from_the_home(told, tmp_path, text, said):
    home = tmp_path / "home/me"
    assert told(text) == said.format(home=home)


def test_a_tree_behind_a_link_is_known_by_both_its_names(told, tmp_path):
    way = tmp_path / "home/me/way"
    assert told("{home}/way/a.py {root}/b.py", way) == "a.py b.py"


@pytest.mark.parametrize("home", ["/", "", "relative"])
def test_a_home_that_says_nothing_is_left_alone(tmp_path, monkeypatch, home):
    monkeypatch.setenv("HOME", home)
    text = f"/usr/bin {tmp_path}/x relative/y".encode()
    assert paths.told(text, tmp_path / "none") == text


@given(st.binary())
def test_whatever_follows_a_path_does_not_keep_it(tmp_path_factory, data):
    root = tmp_path_factory.getbasetemp()
    assert os.fsencode(root) not in paths.told(os.fsencode(root) + b"/" + data, root)
