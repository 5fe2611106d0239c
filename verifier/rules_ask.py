"""Conditions over one state and one request to an incremental solver: which of them can hold together, and why not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import z3

from policydsl.core.expr import Expr, Ref, Space, eq, implies, negate
from policydsl.core.system import Input, System
from policydsl.core.types import BOOL
from verifier.ground import UngroundableError, ground, has_quantifier
from verifier.induction import parameters
from verifier.situation import ModelReader, Situation, named, reads
from verifier.solve import Answer
from verifier.to_smt import script, symbol

RLIMIT = 400_000
"""Solver steps for one question about rules; typical ones use a few hundred."""


class Asker:
    """One solver for many questions about `conditions`, which are named by their index, under `hypotheses`."""

    def __init__(
        self,
        system: System,
        conditions: Sequence[Expr],
        hypotheses: Iterable[Expr],
        context: z3.Context,
        rlimit: int = RLIMIT,
    ) -> None:
        self._context = context
        self._system = system
        self.quantified = [has_quantifier(c) for c in conditions]
        self.lost: set[int] = set()
        self._asserted = self._formulas(conditions, [*hypotheses])
        terms = reads(self._asserted)
        asserted = [*self._asserted, *(eq(named(t, i), t) for i, t in enumerate(terms))]
        self._reader = ModelReader(system, asserted, terms, context)
        self._solver = z3.SimpleSolver(ctx=context)
        self._solver.set("random_seed", 0)
        self._solver.set("phase_selection", 1)
        self._solver.set("rlimit", rlimit)
        self._solver.from_string(script(asserted))
        self._yes = [z3.Bool(symbol(_yes(i))[1:-1], context) for i in range(len(conditions))]
        self._no = [
            z3.Bool(symbol(_no(i))[1:-1], context) if q else z3.Not(self._yes[i]) for i, q in enumerate(self.quantified)
        ]
        self._core: list[z3.BoolRef] = []

    def _formulas(self, conditions: Sequence[Expr], hypotheses: list[Expr]) -> list[Expr]:
        found: list[Expr] = []
        for i, c in enumerate(conditions):
            # SOUND: a quantified condition and its negation get a literal each, so that instances that are left out
            # only ever weaken what is assumed. Others are defined exactly.
            parts = [implies(_yes(i), c), implies(_no(i), negate(c))] if self.quantified[i] else [eq(_yes(i), c)]
            if not self.quantified[i] or groundable(parts):
                found += parts
            else:
                self.lost.add(i)
        everything = [*found, *(h for h in hypotheses if groundable([h]))]
        return ground([*everything, *parameters(self._system, everything)])

    def ask(self, hold: Iterable[int] = (), fail: Iterable[int] = ()) -> Answer:
        """Whether some state and request make all of `hold` true and all of `fail` false."""
        wanted, unwanted = list(hold), list(fail)
        if self.lost.intersection(wanted) or self.lost.intersection(unwanted):
            return Answer.UNKNOWN
        literals = [self._yes[i] for i in wanted] + [self._no[i] for i in unwanted]
        answer = self._solver.check(*literals)
        if answer == z3.unsat:
            self._core = list(self._solver.unsat_core())
            return Answer.UNSAT
        return Answer.SAT if answer == z3.sat else Answer.UNKNOWN

    def needed(self, hold: Sequence[int], fail: Sequence[int]) -> tuple[list[int], list[int]]:
        """After `UNSAT`: a small part of the question that is unsatisfiable by itself."""
        used = {c.get_id() for c in self._core}
        kept = [(i, True) for i in hold if self._yes[i].get_id() in used]
        kept += [(i, False) for i in fail if self._no[i].get_id() in used]
        for part in list(kept):
            rest = [k for k in kept if k != part]
            if self.ask([i for i, yes in rest if yes], [i for i, yes in rest if not yes]) is Answer.UNSAT:
                kept = rest
        return [i for i, yes in kept if yes], [i for i, yes in kept if not yes]

    def situation(self, inputs: Sequence[Input]) -> Situation:
        """After `SAT`: a state and a request that may be an answer, to be confirmed by the interpreter."""
        return self._reader.read(self._solver.model(), self._system.params, inputs)


def groundable(formulas: Sequence[Expr]) -> bool:
    try:
        ground(formulas, rounds=0, strict=True)
    except UngroundableError:
        return False
    return True


def _yes(i: int) -> Ref:
    return Ref(f"holds!{i}", BOOL, Space.BOUND)


def _no(i: int) -> Ref:
    return Ref(f"fails!{i}", BOOL, Space.BOUND)
