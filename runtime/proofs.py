"""Proofs that one record is in a log, as `policyctl-proof/1` JSON: the record, and the way from it to the root."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from policydsl.core.read_json import MalformedError, Reader, parse
from runtime.heads import Head
from runtime.merkle import inclusion_proof, leaf_hash, verify_inclusion
from runtime.records import canonical, from_bytes

__all__ = ["FORMAT", "MalformedError", "Proof", "fault", "from_text", "prove", "to_text"]

FORMAT = "policyctl-proof/1"


@dataclass(frozen=True, slots=True)
class Proof:
    """That `record` is number `n` of the first `size` records of a log; the head of that size decides whether it is."""

    n: int
    size: int
    record: bytes
    path: tuple[bytes, ...]


def prove(records: Sequence[bytes], n: int, size: int) -> Proof:
    """The proof for record `n` among the first `size`; raises `ValueError` when it is not among them."""
    path = inclusion_proof([leaf_hash(r) for r in records[:size]], n)
    return Proof(n, size, records[n], tuple(path))


def fault(proof: Proof, head: Head) -> str | None:
    """Why `proof` does not show that its record is in the log with this head; None when it does."""
    if proof.size != head.size:
        return f"the proof is for the head of {proof.size} records, and this is the one of {head.size}"
    if not verify_inclusion(leaf_hash(proof.record), proof.n, proof.size, proof.path, head.root):
        return "the way from the record does not lead to the root in the head"
    return None


def to_text(proof: Proof) -> str:
    """`proof` as JSON, in which the record can be read; `from_text` reads it back."""
    data = {
        "format": FORMAT,
        "n": proof.n,
        "size": proof.size,
        "record": parse(proof.record.decode("ascii")),
        "path": [p.hex() for p in proof.path],
    }
    return json.dumps(data, indent=2, ensure_ascii=True, allow_nan=False)


def from_text(text: str) -> Proof:
    """The proof that `to_text` made `text` of; raises `MalformedError` for anything else."""
    r = Reader(parse(text))
    r.fields("format", "n", "size", "record", "path")
    if r["format"].text() != FORMAT:
        raise r["format"].malformed(f"expected {FORMAT!r}")
    try:
        path = tuple(bytes.fromhex(p.text()) for p in r["path"].items())
    except ValueError as error:
        raise error if isinstance(error, MalformedError) else r["path"].malformed("expected hexadecimal") from None
    # Records are canonical, so what was laid out to be read becomes the bytes again that the tree is over.
    record = canonical(r["record"].value)
    if from_bytes(record).n != r["n"].whole():
        raise r["n"].malformed("the record has another number")
    return Proof(r["n"].whole(), r["size"].whole(), record, path)
