"""What is wrong with an election, and where: a code out of a closed list, a place on the bulletin board, and words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """Why something is refused; `docs/election.md` lists them."""

    JSON = "json"
    CANONICAL = "canonical"
    CHAIN = "chain"
    SHAPE = "shape"
    POINT = "point"
    SCALAR = "scalar"
    ELECTION = "election"
    AUTHOR = "author"
    SIGNATURE = "signature"
    STAGE = "stage"
    DUPLICATE = "duplicate"
    WEIGHT = "weight"
    ROLL = "roll"
    THRESHOLD = "threshold"
    PROOF = "proof"
    COMPLAINT = "complaint"
    KEY = "key"
    HEAD = "head"
    RESULT = "result"


@dataclass(frozen=True, slots=True)
class Fault:
    code: Code
    place: str
    text: str

    def __str__(self) -> str:
        shown = f"{self.place}: {self.text} [{self.code}]" if self.place else f"{self.text} [{self.code}]"
        # A place may name a field that somebody made up, and what goes to a terminal must not move its cursor.
        return "".join(c if c.isprintable() else "?" for c in shown)


class RefusedError(Exception):
    """Something was not accepted."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(str(f) for f in faults))
        self.faults = faults


def refuse(code: Code, place: str, text: str) -> RefusedError:
    return RefusedError(Fault(code, place, text))
