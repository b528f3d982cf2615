"""The digests of a tree: their form, and that whatever changes is told."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_cockpit.freeze import folding
from pytest_cockpit.freeze.folding import Leaf, changed, fold, spelled

A, B = "a" * 64, "b" * 64
NAMES = st.binary(min_size=1, max_size=3).filter(
    lambda name: not set(name) & {0, ord("/")} and name not in (b".", b"..")
)
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(b"/".join)
LEAVES = st.tuples(st.sampled_from(["100644", "100755", "120000"]), st.sampled_from([A, B]))


def _fit(paths: set[bytes]) -> bool:
    """Whether no path is the folder of another."""
    return not any(path.startswith(other + b"/") for path in paths for other in paths)


TREES = st.dictionaries(PATHS, LEAVES, max_size=8).filter(lambda tree: _fit(set(tree)))


def folded(tree: dict[bytes, tuple[str, str]]) -> folding.Folded:
    return fold(Leaf(path, mode, digest) for path, (mode, digest) in tree.items())


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_the_form_is_the_one_that_is_documented():
    found = folded({b"quay/b": ("100644", A), b"run.sh": ("100755", B), b"quay/a": ("120000", B)})
    quay = sha(f"120000 {B} a\x00100644 {A} b\0".encode())
    assert found.folders == {
        "quay": quay,
        ".": sha(f"040000 {quay} quay\x00100755 {B} run.sh\0".encode()),
    }
    assert found.digest == found.folders["."]
    assert (found.files, found.symlinks, found.submodules) == (2, 1, 0)


def test_of_nothing_there_is_a_digest():
    assert fold([]).folders == {".": sha(b"")}


def test_names_are_in_the_order_of_their_bytes():
    # Git sorts the folder `a` behind `a.b`; the form does not depend on that.
    found = folded({b"a.b": ("100644", A), b"a/c": ("100644", A)})
    inner = sha(f"100644 {A} c\0".encode())
    assert found.digest == sha(f"040000 {inner} a\x00100644 {A} a.b\0".encode())


def test_odd_names_are_spelled_as_git_spells_them():
    assert spelled("pier/café".encode()) == "pier/café"
    assert spelled(b"pier/caf\xe9") == '"pier/caf\\351"'
    # Or a name in quotes could be taken for an odd one.
    assert spelled(b'"a"') == '"\\042a\\042"'


@given(TREES)
def test_the_order_in_which_paths_come_does_not_matter(tree):
    backwards = dict(reversed(tree.items()))
    assert folded(tree) == folded(backwards)


@given(TREES, st.data())
def test_every_change_is_told_with_its_folder(tree, data):
    other = dict(tree)
    path = data.draw(st.sampled_from(sorted(tree)) if tree else PATHS)
    what = data.draw(st.sampled_from(["edit", "mode", "remove", "add"]))
    if what == "edit" and path in tree:
        other[path] = (tree[path][0], "c" * 64)
    elif what == "mode" and path in tree:
        other[path] = ("100664", tree[path][1])
    elif what == "remove" and path in tree:
        del other[path]
    else:
        path = data.draw(PATHS)
        other[path] = ("100644", "d" * 64)
        assume(path not in tree and _fit(set(other)))
    assume(other != tree)
    frozen, now = folded(tree), folded(other)
    assert frozen.digest != now.digest
    assert changed(frozen.folders, frozen) == []
    told = changed(frozen.folders, now)
    # The folder itself, or the folder above of one that came or went with it.
    parents = [path.rsplit(b"/", depth)[0] for depth in range(1, path.count(b"/") + 1)]
    assert set(told) & {*map(spelled, parents), "."}
    untouched = {
        spelled(other_path.rpartition(b"/")[0])
        for other_path in tree
        if b"/" in other_path and not path.startswith(other_path.partition(b"/")[0] + b"/")
    }
    assert not set(told) & untouched


def test_a_change_below_names_no_folder_above():
    tree = {b"a/b/c": ("100644", A), b"a/d": ("100644", A), b"e/f": ("100644", A)}
    assert changed(folded(tree).folders, folded({**tree, b"a/b/c": ("100644", B)})) == ["a/b"]
    both = {**tree, b"a/b/c": ("100644", B), b"a/d": ("100644", B)}
    assert changed(folded(tree).folders, folded(both)) == ["a", "a/b"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # A folder is not a file with the same bytes, nor a link one that holds its target.
        ({b"x/y": ("100644", A)}, {b"x": ("100644", sha(f"100644 {A} y\0".encode()))}),
        ({b"x": ("120000", A)}, {b"x": ("100644", A)}),
        # Names do not run into each other.
        ({b"a b": ("100644", A)}, {b"a": ("100644", A), b"b": ("100644", A)}),
    ],
)
def test_what_is_alike_is_told_apart(one, other):
    assert folded(one).digest != folded(other).digest
