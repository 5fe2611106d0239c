"""Names of a specification to names in Solidity: readable, unique, and none that the language keeps for itself."""

from __future__ import annotations

import re

_WORD = re.compile(r"[A-Za-z0-9]+")
_RESERVED = frozenset(
    _WORD.findall(
        """abstract address after alias anonymous apply as assembly assert auto block bool break byte bytes bytes32
        calldata case catch constant constructor continue contract copyof days default define delete do else emit enum
        error ether event external fallback false final fixed for from function gasleft global gwei hex hours if
        immutable implements import in indexed inline int int256 interface internal is keccak256 leave let library macro
        mapping match memory minutes modifier msg mutable new now null of override partial payable pragma private
        promise public pure receive reference relocatable require return returns revert sealed seconds selfdestruct
        sizeof static storage string struct super supports switch this throw true try tx type typedef typeof ufixed
        uint uint256 unchecked unicode unit using var view virtual weeks wei while years"""
    )
)


def words(name: str) -> list[str]:
    """`vote_start`, `voteStart`, `proposer.value` and `not a member` are two or three words each."""
    return _WORD.findall(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name))


def upper_camel(name: str) -> str:
    """`open_voting` to `OpenVoting`."""
    found = "".join(w[0].upper() + (w[1:].lower() if w.isupper() and len(w) > 1 else w[1:]) for w in words(name))
    return found if found[:1].isalpha() else f"The{found}"


def lower_camel(name: str) -> str:
    """`open_voting` to `openVoting`, and the parts of an option `proposer` to `hasProposer` and `proposer`."""
    base, _, part = name.rpartition(".")
    if base and part == "has":
        return f"has{upper_camel(base)}"
    if base and part == "value":
        return lower_camel(base)
    found = upper_camel(name)
    return found[0].lower() + found[1:]


class Unique:
    """Gives out each name once; the second asker gets it with a number behind."""

    def __init__(self) -> None:
        self._taken = set(_RESERVED)

    def take(self, wanted: str) -> str:
        name, count = wanted, 1
        while name in self._taken:
            count += 1
            name = f"{wanted}{count}"
        self._taken.add(name)
        return name
