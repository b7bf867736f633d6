"""The Merkle tree against RFC 6962 written down naively, and against published vectors."""

from collections.abc import Sequence
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.audit.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root,
    verify_consistency,
    verify_inclusion,
)

# The test vectors of the Certificate Transparency reference implementation.
CT_RECORDS = [
    bytes.fromhex(h)
    for h in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
CT_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
trees = st.integers(1, 40)


def leaves(size: int) -> list[bytes]:
    return [leaf_hash(b"%d" % n) for n in range(size)]


def naive_root(hashes: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962 section 2.1."""
    if not hashes:
        return sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    return sha256(b"\x01" + naive_root(hashes[:k]) + naive_root(hashes[k:])).digest()


def test_published_roots() -> None:
    assert [root(map(leaf_hash, CT_RECORDS[: n + 1])).hex() for n in range(8)] == CT_ROOTS
    assert Frontier().root() == EMPTY_ROOT == naive_root([])


@given(st.integers(0, 70))
def test_the_frontier_has_the_naive_root_and_can_be_put_down_and_taken_up(size: int) -> None:
    tree = Frontier()
    for leaf in leaves(size):
        tree = Frontier(tree.size, tree.hashes)
        tree.append(leaf)
    assert (tree.size, tree.root()) == (size, naive_root(leaves(size)))
    assert len(tree.hashes) == size.bit_count()


@pytest.mark.parametrize(("size", "hashes"), [(-1, []), (1, []), (0, [b"x" * 32]), (2, [b"x" * 31]), (3, [b"x" * 32])])
def test_a_frontier_that_cannot_be_is_refused(size: int, hashes: list[bytes]) -> None:
    with pytest.raises(ValueError, match="whole subtrees"):
        Frontier(size, hashes)


@given(trees, st.data())
def test_inclusion_is_proven_for_this_leaf_number_and_root_only(size: int, data: st.DataObject) -> None:
    n = data.draw(st.integers(0, size - 1))
    all_leaves = leaves(size)
    top, proof = root(all_leaves), inclusion_proof(all_leaves, n)
    assert verify_inclusion(all_leaves[n], n, size, proof, top)
    assert not verify_inclusion(leaf_hash(b"other"), n, size, proof, top)
    assert not verify_inclusion(all_leaves[n], n, size, proof, leaf_hash(b"other"))
    assert not verify_inclusion(all_leaves[n], n, size, [*proof, top], top)
    assert not verify_inclusion(all_leaves[n], size, size, proof, top)
    assert not verify_inclusion(all_leaves[n], -1, size, proof, top)
    if proof:
        assert not verify_inclusion(all_leaves[n], n, size, proof[:-1], top)
    for other in range(size):
        assert verify_inclusion(all_leaves[n], other, size, proof, top) == (other == n)


@given(trees, st.data())
def test_consistency_is_proven_for_these_two_trees_only(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, new))
    all_leaves = leaves(new)
    old_root, new_root = root(all_leaves[:old]), root(all_leaves)
    proof = consistency_proof(all_leaves, old)
    assert verify_consistency(old, new, old_root, new_root, proof)
    assert not verify_consistency(old, new, leaf_hash(b"x"), new_root, proof)
    assert not verify_consistency(old, new, old_root, leaf_hash(b"x"), proof)
    assert not verify_consistency(old, new, old_root, new_root, [*proof, new_root])
    assert not verify_consistency(new + 1, new, old_root, new_root, proof)
    if proof:
        assert not verify_consistency(old, new, old_root, new_root, proof[:-1])
        assert not verify_consistency(old, new, old_root, new_root, [])


def test_the_empty_tree_begins_every_tree() -> None:
    assert verify_consistency(0, 3, EMPTY_ROOT, root(leaves(3)), [])
    assert not verify_consistency(0, 3, root(leaves(1)), root(leaves(3)), [])
    assert not verify_consistency(0, 3, EMPTY_ROOT, root(leaves(3)), leaves(1))


def test_there_is_no_proof_of_what_is_not_there() -> None:
    with pytest.raises(ValueError, match="no leaf 3"):
        inclusion_proof(leaves(3), 3)
    with pytest.raises(ValueError, match="no beginning of 4"):
        consistency_proof(leaves(3), 4)
    with pytest.raises(ValueError, match="no beginning of 0"):
        consistency_proof(leaves(3), 0)
