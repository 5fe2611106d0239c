"""Proofs to what they assume of the beginning: that a sum whose first terms are left open has finitely many of them.

A sum exists only if finitely many terms differ from zero. Steps keep it so, and where the first state is declared the
checker sees it; where it is `= any`, it is what a proof that speaks of the sum takes for granted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from policydsl.core.system import System
from policydsl.to_words import words
from verifier.to_smt import symbol


def finitely_many(
    system: System, proofs: Mapping[str, tuple[Sequence[str], Sequence[str]]]
) -> dict[str, tuple[str, ...]]:
    """The assumptions of each proof, given as the texts that were discharged and the names of what it rests on."""
    open_ = [s for s in system.sums if system.variable(s.var).init is None]
    if not open_:
        return dict.fromkeys(proofs, ())
    symbols = {s.var: symbol(system.variable(s.var).ref) for s in open_}
    found = {n: {s.var for s in open_ if any(symbols[s.var] in t for t in texts)} for n, (texts, _) in proofs.items()}
    grown = True
    while grown:
        more = {n: found[n].union(*(found.get(u, set()) for u in uses)) for n, (_, uses) in proofs.items()}
        grown, found = more != found, more
    said = {s.var: f"at first, `{words(s.body)}` is not 0 for finitely many only" for s in open_}
    return {n: tuple(dict.fromkeys(said[s.var] for s in open_ if s.var in vars_)) for n, vars_ in found.items()}
