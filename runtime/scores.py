"""Scores of an epoch to one root, and proofs against it of what a bot has, or that it has no score, as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from runtime.merkle import HASH_SIZE
from runtime.sparse_merkle import Leaf, Proof, SparseTree, root_of_proof

FORMAT = "policyctl.reputation/1"
LARGEST = 2**63
_ROOT = b"\x02policyctl.reputation/1\x00"
_FIELDS = ("format", "epoch", "bot", "score", "path", "other")


class ScoreError(ValueError):
    """A proof that is none, or does not belong to the root; the text says why."""


@dataclass(frozen=True, slots=True)
class Statement:
    """`score` is None for a bot that has none in this epoch."""

    epoch: int
    bot: str
    score: int | None


@dataclass(frozen=True, slots=True)
class ScoreProof:
    statement: Statement
    proof: Proof


class Scores:
    """The scores of all bots at the end of an epoch."""

    def __init__(self, scores: Mapping[str, int], epoch: int = 0) -> None:
        self.scores, self.epoch = scores, epoch
        # There are far fewer scores than bots.
        values = {score: _value(score) for score in set(scores.values())}
        self._tree = SparseTree({bot: values[score] for bot, score in scores.items()})

    @property
    def root(self) -> bytes:
        return _with_epoch(self.epoch, self._tree.root)

    def prove(self, bot: str) -> ScoreProof:
        """What `bot` has, or that it has no score."""
        return ScoreProof(Statement(self.epoch, bot, self.scores.get(bot)), self._tree.prove(bot))


def check(proof: ScoreProof, root: bytes) -> Statement:
    """What `proof` shows of the scores with this `root`. Raises `ScoreError`."""
    said = proof.statement
    value = None if said.score is None else _value(said.score)
    tree = root_of_proof(said.bot, value, proof.proof)
    if tree is None:
        raise ScoreError("the proof shows nothing: its parts do not fit the bot that it names")
    if _with_epoch(said.epoch, tree) != root:
        raise ScoreError("the proof does not lead to this root")
    return said


def _value(score: int) -> bytes:
    return str(score).encode("ascii")


def _with_epoch(epoch: int, tree: bytes) -> bytes:
    # SOUND: the prefix is that of neither a leaf nor a node, so no subtree passes for an epoch.
    return sha256(_ROOT + epoch.to_bytes(8, "big") + tree).digest()


def to_json(proof: ScoreProof) -> str:
    said, other = proof.statement, proof.proof.other
    found = {
        "format": FORMAT,
        "epoch": said.epoch,
        "bot": said.bot,
        "score": said.score,
        "path": [h.hex() for h in proof.proof.siblings],
        "other": None if other is None else [other.place.hex(), other.digest.hex()],
    }
    return json.dumps(found, indent=2) + "\n"


def from_json(text: str) -> ScoreProof:
    """Raises `ScoreError` for whatever `to_json` would not write."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ScoreError(f"it is no JSON: {error}") from None
    if not isinstance(data, dict) or tuple(data) != _FIELDS:
        raise ScoreError(f"it does not have exactly the fields {', '.join(_FIELDS)}")
    if data["format"] != FORMAT:
        raise ScoreError(f"it is not in the format `{FORMAT}`")
    epoch, bot, score, path, other = (data[name] for name in _FIELDS[1:])
    if not (_whole(epoch) and epoch >= 0 and isinstance(bot, str) and (score is None or _whole(score))):
        raise ScoreError("epoch and score are whole numbers, and bot is a text")
    if not isinstance(path, list) or not (other is None or (isinstance(other, list) and len(other) == 2)):
        raise ScoreError("path is a list of hashes, and other is null or two hashes")
    try:
        bot.encode()
    except UnicodeEncodeError:
        raise ScoreError("bot is not a text in Unicode") from None
    leaf = None if other is None else Leaf(_hash(other[0]), _hash(other[1]))
    return ScoreProof(Statement(epoch, bot, score), Proof(tuple(map(_hash, path)), leaf))


def _whole(value: object) -> bool:
    return type(value) is int and abs(value) < LARGEST


def _hash(text: object) -> bytes:
    if isinstance(text, str) and len(text) == 2 * HASH_SIZE and not set(text) - set("0123456789abcdef"):
        return bytes.fromhex(text)
    raise ScoreError(f"a hash is {2 * HASH_SIZE} lower-case hexadecimal digits")
