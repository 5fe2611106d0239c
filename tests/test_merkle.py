"""The Merkle tree: as the RFC defines it, as another implementation computes it, and proofs that cannot be bent."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.merkle import (
    EMPTY,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)

MOST = 70
RECORDS = [b"", *(f"record {i} ".encode() * (i % 5 + 1) for i in range(1, MOST))]
LEAVES = [leaf_hash(r) for r in RECORDS]
SIZES = range(1, MOST + 1)


def defined_root(records: Sequence[bytes]) -> bytes:
    """MTH, word for word."""
    n = len(records)
    if n == 0:
        return sha256(b"").digest()
    if n == 1:
        return sha256(b"\x00" + records[0]).digest()
    k = largest_power_below(n)
    return sha256(b"\x01" + defined_root(records[:k]) + defined_root(records[k:])).digest()


def largest_power_below(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def defined_path(m: int, records: Sequence[bytes]) -> list[bytes]:
    """PATH, word for word."""
    n = len(records)
    if n == 1:
        return []
    k = largest_power_below(n)
    if m < k:
        return [*defined_path(m, records[:k]), defined_root(records[k:])]
    return [*defined_path(m - k, records[k:]), defined_root(records[:k])]


def defined_subproof(m: int, records: Sequence[bytes], complete: bool) -> list[bytes]:
    """SUBPROOF, word for word."""
    n = len(records)
    if m == n:
        return [] if complete else [defined_root(records)]
    k = largest_power_below(n)
    if m <= k:
        return [*defined_subproof(m, records[:k], complete), defined_root(records[k:])]
    return [*defined_subproof(m - k, records[k:], False), defined_root(records[:k])]


def grown(records: Sequence[bytes]) -> Frontier:
    tree = Frontier()
    for r in records:
        tree.append(r)
    return tree


# ---- the tree


def test_known_roots() -> None:
    assert EMPTY.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert grown([]).root() == EMPTY
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    # The tree of eight records that implementations of certificate transparency test with.
    records = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    root = "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    assert grown([bytes.fromhex(r) for r in records]).root().hex() == root


@pytest.mark.parametrize("size", range(MOST + 1))
def test_a_tree_has_the_root_that_is_defined(size: int) -> None:
    tree = grown(RECORDS[:size])
    assert tree.size == size
    assert tree.root() == defined_root(RECORDS[:size])
    assert root_of(LEAVES[:size]) == tree.root()


@given(st.lists(st.binary(max_size=8), max_size=40), st.lists(st.binary(max_size=8), max_size=40))
def test_a_frontier_survives_being_bytes(before: list[bytes], after: list[bytes]) -> None:
    tree = grown(before)
    again = Frontier.from_bytes(tree.to_bytes())
    assert again == tree
    assert hash(again) == hash(tree)
    for r in after:
        again.append(r)
    assert again == grown(before + after)
    assert again.root() == defined_root(before + after)
    assert tree.size == len(before), "the one it was made of stays as it was"


def test_a_copy_goes_its_own_way() -> None:
    tree = grown(RECORDS[:5])
    copy = tree.copy()
    copy.append(b"more")
    assert tree == grown(RECORDS[:5])
    assert copy == grown([*RECORDS[:5], b"more"])
    assert tree != copy
    assert tree != tree.to_bytes()


@pytest.mark.parametrize(
    "data",
    [b"", b"\x00" * 7, b"\x00" * 9, b"\x00" * 40, b"\x00" * 7 + b"\x01", b"\x00" * 7 + b"\x03" + b"a" * 32],
)
def test_what_is_no_frontier_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"consist|no frontier"):
        Frontier.from_bytes(data)


def test_roots_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="consist"):
        Frontier(1, [b"short"])
    with pytest.raises(ValueError, match="consist"):
        Frontier(-1, [])


# ---- proofs


@pytest.mark.parametrize("size", SIZES)
def test_inclusion_proofs_are_those_of_the_rfc_and_hold(size: int) -> None:
    root = defined_root(RECORDS[:size])
    for i in range(size):
        proof = inclusion_proof(LEAVES[:size], i)
        assert proof == defined_path(i, RECORDS[:size])
        assert verify_inclusion(LEAVES[i], i, size, proof, root)


@pytest.mark.parametrize("size", SIZES)
def test_consistency_proofs_are_those_of_the_rfc_and_hold(size: int) -> None:
    root = defined_root(RECORDS[:size])
    for first in range(1, size + 1):
        proof = consistency_proof(LEAVES[:size], first)
        assert proof == defined_subproof(first, RECORDS[:size], True)
        assert verify_consistency(first, size, defined_root(RECORDS[:first]), root, proof)


def test_every_tree_begins_with_the_empty_one() -> None:
    assert consistency_proof(LEAVES[:3], 0) == []
    assert verify_consistency(0, 3, EMPTY, root_of(LEAVES[:3]), [])
    assert verify_consistency(0, 0, EMPTY, EMPTY, [])
    assert not verify_consistency(0, 0, EMPTY, LEAVES[0], [])
    assert not verify_consistency(0, 3, LEAVES[0], root_of(LEAVES[:3]), [])
    assert not verify_consistency(0, 3, EMPTY, root_of(LEAVES[:3]), [LEAVES[0]])


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0), (1, 1)])
def test_there_is_no_proof_for_what_is_not_there(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no record"):
        inclusion_proof(LEAVES[:size], index)
    assert not verify_inclusion(LEAVES[0], index, size, [], LEAVES[0])


@pytest.mark.parametrize("first", [-1, 4])
def test_there_is_no_proof_from_a_later_tree(first: int) -> None:
    with pytest.raises(ValueError, match="not among"):
        consistency_proof(LEAVES[:3], first)
    assert not verify_consistency(first, 3, EMPTY, root_of(LEAVES[:3]), [])


def bent(proof: list[bytes]) -> list[list[bytes]]:
    """Proofs that differ from `proof`: a bit flipped, one left out, doubled, two swapped, one added, one too short."""
    found = []
    for i, p in enumerate(proof):
        found += [
            [*proof[:i], bytes([p[0] ^ 1]) + p[1:], *proof[i + 1 :]],
            [*proof[:i], *proof[i + 1 :]],
            [*proof[: i + 1], *proof[i:]],
            [*proof[:i], p[:-1], *proof[i + 1 :]],
        ]
        if i and proof[i - 1] != p:
            found.append([*proof[: i - 1], p, proof[i - 1], *proof[i + 1 :]])
    return [*found, [*proof, LEAVES[0]], [LEAVES[0], *proof]]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 8, 11, 16, 21])
def test_bent_inclusion_proofs_fail(size: int) -> None:
    root = root_of(LEAVES[:size])
    for i in range(size):
        proof = inclusion_proof(LEAVES[:size], i)
        for wrong in bent(proof):
            assert not verify_inclusion(LEAVES[i], i, size, wrong, root)
        assert not verify_inclusion(LEAVES[size], i, size, proof, root)
        assert not verify_inclusion(LEAVES[i], i, size, proof, LEAVES[-1])
        assert not verify_inclusion(LEAVES[i][:-1], i, size, proof, root)
        for other in set(range(size)) - {i}:
            assert not verify_inclusion(LEAVES[i], other, size, proof, root)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 8, 11, 16, 21])
def test_bent_consistency_proofs_fail(size: int) -> None:
    root = root_of(LEAVES[:size])
    for first in range(1, size + 1):
        proof = consistency_proof(LEAVES[:size], first)
        old = root_of(LEAVES[:first])
        for wrong in bent(proof):
            assert not verify_consistency(first, size, old, root, wrong)
        assert not verify_consistency(first, size, LEAVES[-1], root, proof)
        assert not verify_consistency(first, size, old, LEAVES[-1], proof)


def test_a_rewritten_past_has_no_proof() -> None:
    for size in (2, 6, 13):
        for first in range(1, size):
            forged = [*LEAVES[: first - 1], LEAVES[-1], *LEAVES[first:size]]
            proof = consistency_proof(forged, first)
            assert not verify_consistency(first, size, root_of(LEAVES[:first]), root_of(forged), proof)


def test_a_way_that_ends_too_early_or_too_late_shows_nothing() -> None:
    """Whatever roots are claimed: the sizes say how long the way is."""
    a, b, c, d = LEAVES[:4]
    assert not verify_inclusion(a, 0, 5, [], a)
    assert not verify_inclusion(a, 0, 1, [b], node_hash(b, a))
    assert not verify_consistency(4, 8, a, a, [])
    old, new = node_hash(c, a), node_hash(c, node_hash(a, b))
    assert verify_consistency(3, 4, old, new, [a, b, c])
    assert not verify_consistency(3, 4, node_hash(d, old), node_hash(d, new), [a, b, c, d])


def test_a_node_is_no_record() -> None:
    """Without prefixes, the two children of a node would be a record of a smaller tree."""
    inner = [node_hash(LEAVES[0], LEAVES[1]), node_hash(LEAVES[2], LEAVES[3])]
    assert node_hash(*inner) == root_of(LEAVES[:4])
    assert leaf_hash(inner[0] + inner[1]) != root_of(LEAVES[:4])


# ---- another implementation


def oracle(records: Sequence[bytes]) -> Any:
    pymerkle = pytest.importorskip("pymerkle")
    return pymerkle.InmemoryTree.init_from_entries(list(records), algorithm="sha256")


@given(st.lists(st.binary(max_size=12), min_size=1, max_size=60), st.data())
def test_pymerkle_agrees(records: list[bytes], data: st.DataObject) -> None:
    pymerkle = pytest.importorskip("pymerkle")
    tree = oracle(records)
    leaves = [leaf_hash(r) for r in records]
    assert tree.get_root() == grown(records).root()
    size = data.draw(st.integers(1, len(records)))
    assert tree.get_root(size) == root_of(leaves[:size])
    index = data.draw(st.integers(0, size - 1))
    theirs = tree.prove_inclusion(index + 1, size)
    # Their path begins with the record itself.
    assert theirs.path[1:] == inclusion_proof(leaves[:size], index)
    assert verify_inclusion(leaves[index], index, size, theirs.path[1:], tree.get_root(size))
    first = data.draw(st.integers(1, size))
    ours = consistency_proof(leaves[:size], first)
    assert verify_consistency(first, size, tree.get_root(first), tree.get_root(size), ours)
    # Their proofs of consistency are of another shape; that both hold for the same roots is what counts.
    theirs = tree.prove_consistency(first, size)
    pymerkle.verify_consistency(root_of(leaves[:first]), root_of(leaves[:size]), theirs)
