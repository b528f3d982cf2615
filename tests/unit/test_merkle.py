from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.records import merkle

# The reference vectors of certificate-transparency (merkle_tree_test.cc), for the hash of RFC 6962.
ENTRIES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
A = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
B = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
C = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
D = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
E = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
F = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
LEAVES = [merkle.leaf(entry) for entry in ENTRIES]


def heads(leaves):
    return [merkle.root(leaves[:size]) for size in range(len(leaves) + 1)]


def naive(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + naive(leaves[:split]) + naive(leaves[split:])).digest()


def test_the_empty_tree_has_the_hash_of_nothing():
    assert merkle.root([]) == merkle.EMPTY == sha256(b"").digest()


@pytest.mark.parametrize("size", range(1, 9))
def test_published_tree_heads(size):
    assert merkle.root(LEAVES[:size]).hex() == ROOTS[size - 1]


@pytest.mark.parametrize(
    ("index", "size", "path"),
    [
        (0, 1, []),
        (0, 8, [A, B, C]),
        (5, 8, [D, E, ROOTS[3]]),
        (2, 3, [ROOTS[1]]),
        (1, 5, [ROOTS[0], B, D]),
    ],
)
def test_published_inclusion_proofs(index, size, path):
    assert [found.hex() for found in merkle.inclusion(LEAVES[:size], index)] == path


@pytest.mark.parametrize(
    ("old", "size", "path"),
    [(1, 1, []), (1, 8, [A, B, C]), (6, 8, [F, E, ROOTS[3]]), (2, 5, [B, D])],
)
def test_published_consistency_proofs(old, size, path):
    assert [found.hex() for found in merkle.consistency(LEAVES[:size], old)] == path


@given(st.lists(st.binary(max_size=3), max_size=70))
def test_a_head_is_that_of_the_definition(entries):
    leaves = [merkle.leaf(entry) for entry in entries]
    assert merkle.root(leaves) == naive(leaves)


@given(st.lists(st.binary(max_size=3), max_size=40), st.data())
def test_a_frontier_grows_from_anywhere(entries, data):
    leaves = [merkle.leaf(entry) for entry in entries]
    cut = data.draw(st.integers(0, len(leaves)))
    first = merkle.Frontier()
    for leaf in leaves[:cut]:
        first.add(leaf)
    second = merkle.Frontier(first.size, first.hashes)
    for leaf in leaves[cut:]:
        second.add(leaf)
    assert (second.size, second.root()) == (len(leaves), naive(leaves))
    assert first.root() == naive(leaves[:cut])


def test_a_frontier_has_one_hash_for_each_bit():
    with pytest.raises(ValueError, match="a tree of 5 leaves has 2 perfect subtrees"):
        merkle.Frontier(5, [b"x"])


@pytest.mark.parametrize("size", range(1, 20))
def test_every_inclusion_proof_holds_for_its_leaf_alone(size):
    leaves = [merkle.leaf(bytes([number])) for number in range(size)]
    head = merkle.root(leaves)
    for index, leaf in enumerate(leaves):
        path = merkle.inclusion(leaves, index)
        for other in range(size + 1):
            assert merkle.includes(leaf, other, size, path, head) == (other == index)
        assert not merkle.includes(merkle.leaf(b"else"), index, size, path, head)
        assert not merkle.includes(leaf, index, size, [*path, head], head)
        assert not merkle.includes(leaf, index, size, path, merkle.EMPTY)
        if path:
            assert not merkle.includes(leaf, index, size, path[:-1], head)
            changed = [merkle.leaf(path[0]), *path[1:]]
            assert not merkle.includes(leaf, index, size, changed, head)


@pytest.mark.parametrize("size", range(1, 20))
def test_every_consistency_proof_holds_for_its_heads_alone(size):
    leaves = [merkle.leaf(bytes([number])) for number in range(size)]
    known = heads(leaves)
    for old in range(1, size + 1):
        proof = merkle.consistency(leaves, old)
        assert merkle.grew(old, known[old], size, known[size], proof)
        assert not merkle.grew(old, merkle.leaf(b"else"), size, known[size], proof)
        assert not merkle.grew(old, known[old], size, merkle.leaf(b"else"), proof)
        assert not merkle.grew(old, known[old], size, known[size], [*proof, known[size]])
        assert old == size or not merkle.grew(old + 1, known[old + 1], size, known[size], proof)
        if proof:
            assert not merkle.grew(old, known[old], size, known[size], proof[:-1])
            assert not merkle.grew(old, known[old], size, known[size], [])
            changed = [*proof[:-1], merkle.leaf(proof[-1])]
            assert not merkle.grew(old, known[old], size, known[size], changed)


@given(st.data())
def test_no_history_that_was_rewritten_can_be_proven(data):
    size = data.draw(st.integers(2, 60))
    old = data.draw(st.integers(1, size))
    at = data.draw(st.integers(0, old - 1))
    leaves = [merkle.leaf(bytes([number])) for number in range(size)]
    before = merkle.root(leaves[:old])
    leaves[at] = merkle.leaf(b"rewritten")
    proof = merkle.consistency(leaves, old)
    assert not merkle.grew(old, before, size, merkle.root(leaves), proof)


def test_everything_grew_from_nothing():
    assert merkle.grew(0, merkle.EMPTY, 3, merkle.root(LEAVES[:3]), [])
    assert not merkle.grew(0, LEAVES[0], 3, merkle.root(LEAVES[:3]), [])
    assert not merkle.grew(0, merkle.EMPTY, 3, merkle.root(LEAVES[:3]), [LEAVES[0]])


def test_sizes_that_cannot_be_are_refused():
    head = merkle.root(LEAVES[:3])
    assert not merkle.grew(4, head, 3, head, [])
    assert not merkle.grew(-1, head, 3, head, [])
    assert not merkle.includes(LEAVES[0], -1, 3, [], head)
    for index in (-1, 3):
        with pytest.raises(ValueError, match="a tree of 3 leaves has no leaf"):
            merkle.inclusion(LEAVES[:3], index)
    for old in (0, 4):
        with pytest.raises(ValueError, match="a tree of 3 leaves did not grow from one of"):
            merkle.consistency(LEAVES[:3], old)


@given(
    st.integers(-2, 40),
    st.integers(-2, 40),
    st.lists(st.sampled_from(LEAVES), max_size=7),
    st.sampled_from(LEAVES),
)
def test_any_path_is_judged(first, second, path, head):
    merkle.includes(LEAVES[0], first, second, path, head)
    merkle.grew(first, LEAVES[1], second, head, path)
