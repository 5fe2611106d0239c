"""Proofs of scores: they convince of what is so, and of nothing else, whatever is done to them."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policydsl.core.expr import number
from policydsl.core.system import System
from policydsl.diagnostics import Report
from policydsl.load import load
from runtime.merkle import EMPTY, leaf_hash, node_hash
from runtime.scores import FORMAT, ScoreError, ScoreProof, Scores, Statement, check, from_json, to_json
from runtime.sparse_merkle import DEPTH, Leaf, Proof, SparseTree, bit, leaf, place, root_of_proof
from simulator.agents.reputation_tracker import PROFILES

ROOT = Path(__file__).parent.parent
NAMES = st.text(min_size=1, max_size=4) | st.integers(0, 40).map(str)
SCORES = st.dictionaries(NAMES, st.integers(-5, 1000), max_size=24)


def full_root(leaves: dict[str, bytes], prefix: str = "") -> bytes:
    """The root by its definition: `leaves` by the bits of their places."""
    below = {p: h for p, h in leaves.items() if p.startswith(prefix)}
    if len(below) < 2:
        return next(iter(below.values()), EMPTY)
    return node_hash(full_root(below, prefix + "0"), full_root(below, prefix + "1"))


def bits(at: bytes) -> str:
    return "".join(str(bit(at, i)) for i in range(DEPTH))


# The tree.


@settings(deadline=None)
@given(SCORES)
def test_the_root_is_the_one_of_the_definition(scores: dict[str, int]) -> None:
    values = {n: str(s).encode() for n, s in scores.items()}
    assert SparseTree(values).root == full_root({bits(place(n)): leaf(n, v).hash for n, v in values.items()})


def test_hashes_that_others_must_find_too() -> None:
    at = sha256(b"policyctl.map.name/1\x00alice").digest()
    tagged = b"policyctl.map.leaf/1\x00" + at + sha256(b"112").digest()
    assert (place("alice"), leaf("alice", b"112").hash) == (at, leaf_hash(tagged))
    assert int(bits(at), 2) == int.from_bytes(at, "big")
    tree = leaf_hash(tagged)
    wanted = sha256(b"\x02policyctl.reputation/1\x00" + (7).to_bytes(8, "big") + tree).digest()
    assert Scores({"alice": 112}, 7).root == wanted


def test_places_that_begin_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """As deep as it gets: two places that differ in the last bit alone."""
    known = {"a": bytes(32), "b": bytes(31) + b"\x01", "c": bytes(31) + b"\x03"}
    monkeypatch.setattr("runtime.sparse_merkle.place", known.__getitem__)
    tree = SparseTree({"a": b"1", "b": b"2"})
    assert len(tree.prove("a").siblings) == DEPTH
    assert root_of_proof("a", b"1", tree.prove("a")) == root_of_proof("b", b"2", tree.prove("b")) == tree.root
    assert root_of_proof("c", None, tree.prove("c")) == tree.root
    assert tree.prove("c") == Proof((*tree.prove("a").siblings[:254], tree.prove("c").siblings[254]))


# What is so can be shown.


@settings(deadline=None)
@given(SCORES, st.lists(NAMES), st.integers(0, 9))
def test_everybody_can_be_shown(scores: dict[str, int], others: list[str], epoch: int) -> None:
    found = Scores(scores, epoch)
    for bot in [*scores, *others]:
        proof = from_json(to_json(found.prove(bot)))
        assert check(proof, found.root) == Statement(epoch, bot, scores.get(bot))


def test_the_empty_epoch() -> None:
    nobody = Scores({})
    assert check(nobody.prove("alice"), nobody.root) == Statement(0, "alice", None)
    assert nobody.prove("alice").proof == Proof(())


@settings(deadline=None)
@given(SCORES, st.data())
def test_any_other_scores_have_another_root(scores: dict[str, int], data: st.DataObject) -> None:
    other = data.draw(SCORES)
    assert (Scores(scores).root == Scores(other).root) == (scores == other)
    assert Scores(scores, 1).root != Scores(scores, 2).root


# What is not so cannot.


@settings(deadline=None)
@given(SCORES.filter(bool), st.data())
def test_no_tampering_goes_unnoticed(scores: dict[str, int], data: st.DataObject) -> None:
    """Any other character anywhere in the text: it is refused, or what it says is so, all the same."""
    found = Scores(scores, 3)
    text = to_json(found.prove(data.draw(st.sampled_from(sorted(scores)) | NAMES)))
    at = data.draw(st.integers(0, len(text) - 1))
    changed = text[:at] + data.draw(st.characters(codec="utf-8") | st.just("")) + text[at + 1 :]
    try:
        said = check(from_json(changed), found.root)
    except ScoreError:
        return
    assert said == Statement(3, said.bot, scores.get(said.bot))
    # What shows that somebody has no score may show it of others; a score belongs to one bot.
    assert json.loads(changed) == json.loads(text) or said.score is None


@settings(deadline=None)
@given(SCORES.filter(bool), st.data())
def test_no_part_can_be_exchanged(scores: dict[str, int], data: st.DataObject) -> None:
    found = Scores(scores, 3)
    proof = found.prove(data.draw(st.sampled_from(sorted(scores)) | NAMES))
    said, path = proof.statement, proof.proof
    spare = data.draw(st.binary(min_size=32, max_size=32))
    lies = [
        *(replace(said, score=s) for s in (None, 0, 1001, -said.score if said.score else 7) if s != said.score),
        replace(said, epoch=4),
        *([] if said.score is None else [replace(said, bot=said.bot + "x")]),
    ]
    broken = [
        Proof((*path.siblings, spare), path.other),
        *(Proof(path.siblings[:i] + path.siblings[i + 1 :], path.other) for i in range(len(path.siblings))),
        *(Proof((*path.siblings[:i], spare, *path.siblings[i + 1 :]), path.other) for i in range(len(path.siblings))),
        Proof(path.siblings, Leaf(spare, spare)),
        Proof(path.siblings, Leaf(place(said.bot), spare)),
    ]
    if path.other is not None:
        broken += [Proof(path.siblings), Proof(path.siblings, replace(path.other, digest=spare))]
    for lie in [*(ScoreProof(s, path) for s in lies), *(ScoreProof(said, p) for p in broken)]:
        with pytest.raises(ScoreError):
            check(lie, found.root)
    with pytest.raises(ScoreError, match="does not lead to this root"):
        check(proof, spare)


def walks(node: object, at: bytes, siblings: tuple[bytes, ...] = ()) -> tuple[object, tuple[bytes, ...]]:
    """What a tree of anybody's making has at the end of the way to `at`, and what lies beside the way."""
    if isinstance(node, tuple):
        turn = bit(at, len(siblings))
        return walks(node[turn], at, (*siblings, hashed(node[1 - turn])))
    return node, siblings


def hashed(node: object) -> bytes:
    match node:
        case Leaf():
            return node.hash
        case (left, right):
            return node_hash(hashed(left), hashed(right))
        case _:
            return EMPTY


LEAVES = st.builds(lambda n, v: leaf(str(n), str(v).encode()), st.integers(0, 5), st.integers(0, 2)) | st.none()
TREES = st.recursive(LEAVES, lambda below: st.tuples(below, below), max_leaves=12)


@settings(deadline=None)
@given(TREES)
def test_no_tree_has_two_answers(tree: object) -> None:
    """Whatever somebody puts wherever he wants: all that can be shown of a name is one thing."""
    root = hashed(tree)
    for name in map(str, range(6)):
        end, siblings = walks(tree, place(name))
        others = (None, *(leaf(str(n), str(v).encode()) for n in range(6) for v in range(3)))
        ways = [Proof(siblings[:i], o) for i in range(len(siblings) + 1) for o in others]
        values = (None, b"0", b"1", b"2")
        shown = {v for v in values for p in ways if root_of_proof(name, v, p) == root}
        assert len(shown) <= 1
        if isinstance(end, Leaf) and end.place == place(name):
            assert None not in shown


# The text.


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("format", "policyctl.reputation/2", "format"),
        ("epoch", -1, "whole"),
        ("epoch", True, "whole"),
        ("epoch", 2**64, "whole"),
        ("bot", 7, "text"),
        ("bot", "\ud800", "Unicode"),
        ("score", 1.0, "whole"),
        ("score", "112", "whole"),
        ("path", "00", "list"),
        ("path", ["00"], "64 lower-case"),
        ("path", ["A" * 64], "64 lower-case"),
        ("path", [None], "64 lower-case"),
        ("other", ["0" * 64], "null or two"),
        ("other", {}, "null or two"),
    ],
)
def test_what_is_no_proof(field: str, value: object, why: str) -> None:
    data = json.loads(to_json(Scores({"alice": 112}).prove("alice")))
    assert data == {"format": FORMAT, "epoch": 0, "bot": "alice", "score": 112, "path": [], "other": None}
    with pytest.raises(ScoreError, match=why):
        from_json(json.dumps({**data, field: value}))


def test_nothing_may_stand_beside_it() -> None:
    data = json.loads(to_json(Scores({"alice": 112}).prove("alice")))
    for text in ("", "[]", "{", "[" * 100_000, json.dumps({**data, "more": 1}), json.dumps({"format": FORMAT})):
        with pytest.raises(ScoreError):
            from_json(text)


# One meaning.


def system(name: str) -> System:
    [found] = load([f"specs/{name}.policy"], lambda p: (ROOT / p).read_text(encoding="utf-8"), Report())
    return found.system


@pytest.mark.parametrize("name", ["mvg/reputation", "mvg/seed_reputation"])
def test_a_deed_is_worth_the_same_everywhere(name: str) -> None:
    machine = {p.name: p.default for p in system("mvg/governance").params}
    deeds = {p.name: p.default for p in system(name).params}
    assert len(deeds) == 7
    assert {n: machine[n] for n in deeds} == deeds


def test_the_tracker_weighs_as_the_policy_says() -> None:
    cells = {v.name: v.init for v in system("mvg/parameters").state}
    parts = ("security", "participation", "quality", "community")
    for profile, weights in PROFILES.items():
        assert [cells[f"{profile}.{part}"] for part in parts] == [number(w) for w in weights]
