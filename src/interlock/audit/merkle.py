"""The Merkle tree of RFC 6962: one hash that stands for all records, grown in O(1), and proofs against it.

A leaf is SHA-256(0x00 || record bytes), an inner node SHA-256(0x01 || left || right); the left subtree of n
leaves holds the largest power of two smaller than n. Numbers and sizes are counts of leaves; hashes are 32
bytes. Proofs are lists of hashes from the leaf upwards, verified as in RFC 9162 sections 2.1.3.2 and 2.1.4.2.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(record: bytes) -> bytes:
    """The hash of a leaf."""
    return sha256(b"\x00" + record).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """A growing tree, kept as the roots of its whole subtrees: `size` leaves need at most 64 hashes.

    `hashes` has one root for each 1 in the binary form of `size`, the largest subtree first. Appending costs
    less than two hashes on average. It cannot prove anything about single leaves: that needs the leaves.
    """

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        self.size = size
        self.hashes = list(hashes)
        if size < 0 or len(self.hashes) != size.bit_count() or any(len(h) != HASH_BYTES for h in self.hashes):
            raise ValueError(f"a tree of {size} leaves does not have {len(self.hashes)} whole subtrees")

    def append(self, leaf: bytes) -> None:
        """Add a leaf's hash at the right."""
        full = self.size
        self.size += 1
        while full & 1:
            leaf = node_hash(self.hashes.pop(), leaf)
            full >>= 1
        self.hashes.append(leaf)

    def root(self) -> bytes:
        """The root hash of all leaves so far."""
        if not self.hashes:
            return EMPTY_ROOT
        root = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            root = node_hash(left, root)
        return root


def root(leaves: Iterable[bytes]) -> bytes:
    """The root hash of these leaf hashes."""
    tree = Frontier()
    for leaf in leaves:
        tree.append(leaf)
    return tree.root()


def inclusion_proof(leaves: Sequence[bytes], n: int) -> list[bytes]:
    """The proof that leaf `n` is in the tree of all `leaves`. O(len(leaves)) hashes."""
    if not 0 <= n < len(leaves):
        raise ValueError(f"there is no leaf {n} in a tree of {len(leaves)}")
    if len(leaves) == 1:
        return []
    k = _split(len(leaves))
    if n < k:
        return [*inclusion_proof(leaves[:k], n), root(leaves[k:])]
    return [*inclusion_proof(leaves[k:], n - k), root(leaves[:k])]


def consistency_proof(leaves: Sequence[bytes], size: int) -> list[bytes]:
    """The proof that the tree of the first `size` leaves is the beginning of the tree of all `leaves`."""
    if not 0 < size <= len(leaves):
        raise ValueError(f"a tree of {len(leaves)} leaves has no beginning of {size}")
    return _subproof(leaves, size, whole=True)


def _subproof(leaves: Sequence[bytes], size: int, *, whole: bool) -> list[bytes]:
    """SUBPROOF of RFC 6962 section 2.1.2; `whole`: the verifier knows this subtree's root already."""
    if size == len(leaves):
        return [] if whole else [root(leaves)]
    k = _split(len(leaves))
    if size <= k:
        return [*_subproof(leaves[:k], size, whole=whole), root(leaves[k:])]
    return [*_subproof(leaves[k:], size - k, whole=False), root(leaves[:k])]


def verify_inclusion(leaf: bytes, n: int, size: int, proof: Sequence[bytes], expected: bytes) -> bool:
    """Whether `proof` shows that leaf hash `leaf` has number `n` in the tree of `size` leaves with that root."""
    if not 0 <= n < size:
        return False
    node, last, current = n, size - 1, leaf
    for part in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            current = node_hash(part, current)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            current = node_hash(current, part)
        node, last = node >> 1, last >> 1
    return last == 0 and current == expected


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether `proof` shows that the tree of `old` leaves is the beginning of the tree of `new` leaves.

    The empty tree is the beginning of every tree, and needs no proof (RFC 9162 leaves that case out).
    """
    if not 0 <= old <= new:
        return False
    if old == new:
        return not proof and old_root == new_root
    if old == 0:
        return not proof and old_root == EMPTY_ROOT
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    first = second = path[0]
    for part in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            first, second = node_hash(part, first), node_hash(part, second)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            second = node_hash(second, part)
        node, last = node >> 1, last >> 1
    return last == 0 and first == old_root and second == new_root


def _split(size: int) -> int:
    """The largest power of two smaller than `size`."""
    return 1 << ((size - 1).bit_length() - 1)
