"""One script, one answer, from each of two solvers, with resources counted by the solver and not by the clock."""

from __future__ import annotations

from enum import Enum

import cvc5
import z3

RLIMIT = 4_000_000
"""Default limit on Z3's resource counter for one script; typical obligations use a few thousand."""
CVC5_RLIMIT = 1_000_000


class Answer(Enum):
    UNSAT = "unsat"
    SAT = "sat"
    UNKNOWN = "unknown"


def with_z3(script: str, rlimit: int = RLIMIT, context: z3.Context | None = None) -> Answer:
    """Z3's answer, from a solver of its own with fixed seeds."""
    context = context or z3.Context()
    # Choosing tactics takes longer than most answers, and rarely leads to another one.
    first = _answer(z3.SimpleSolver(ctx=context), script, rlimit)
    return first if first is not Answer.UNKNOWN else _answer(z3.Solver(ctx=context), script, rlimit)


def _answer(solver: z3.Solver, script: str, rlimit: int) -> Answer:
    solver.set("random_seed", 0)
    solver.set("rlimit", rlimit)
    solver.from_string(script)
    answer = solver.check()
    if answer == z3.unsat:
        return Answer.UNSAT
    return Answer.SAT if answer == z3.sat else Answer.UNKNOWN


def values(
    script: str, name: str, context: z3.Context, rlimit: int = RLIMIT, most: int | None = None
) -> frozenset[int] | None:
    """The values that the integer `name` has in models of `script`, according to Z3; None when it gives up, or when
    they are more than `most`."""
    solver = z3.Solver(ctx=context)
    solver.set("random_seed", 0)
    solver.set("rlimit", rlimit)
    solver.from_string(script)
    constant = z3.Int(name, context)
    found: set[int] = set()
    while (answer := solver.check()) == z3.sat:
        value = solver.model().eval(constant, model_completion=True).as_long()
        found.add(value)
        if most is not None and len(found) > most:
            return None
        solver.add(constant != value)
    return frozenset(found) if answer == z3.unsat else None


def with_cvc5(script: str, rlimit: int = CVC5_RLIMIT) -> Answer:
    """cvc5's answer to the same text."""
    solver = cvc5.Solver(cvc5.TermManager())
    solver.setOption("rlimit-per", str(rlimit))
    solver.setOption("seed", "0")
    parser = cvc5.InputParser(solver)
    parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, script + "(check-sat)\n", "obligation")
    symbols = parser.getSymbolManager()
    answer = ""
    while not (command := parser.nextCommand()).isNull():
        answer = str(command.invoke(solver, symbols)).strip() or answer
    return {"unsat": Answer.UNSAT, "sat": Answer.SAT}.get(answer, Answer.UNKNOWN)


def with_both(script: str, rlimit: int = RLIMIT, context: z3.Context | None = None) -> Answer:
    """UNSAT only when both solvers say so; SAT when Z3 says so; a disagreement raises."""
    first = with_z3(script, rlimit, context)
    if first is not Answer.UNSAT:
        return first
    second = with_cvc5(script)
    if second is Answer.SAT:
        raise DisagreementError(script)
    # SOUND: `unsat` is only ever returned when two independent solvers derived it from the same text.
    return second


class DisagreementError(Exception):
    """Z3 says unsatisfiable, cvc5 has a model: one of them is wrong, so nothing may be concluded."""


def versions() -> dict[str, str]:
    """The solvers' names and versions, as they stand in certificates."""
    return {"z3": z3.get_version_string(), "cvc5": cvc5.__version__}
