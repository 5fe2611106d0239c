"""Horn clauses to a candidate invariant, by Z3's Spacer; its answers are candidates, never verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

import z3

from policydsl.core.expr import (
    FALSE,
    TRUE,
    ZERO,
    Const,
    Expr,
    Op,
    add,
    arith,
    case,
    conj,
    disj,
    eq,
    implies,
    ite,
    le,
    lt,
    negate,
    number,
    sub,
    substitute,
    subterms,
    truth,
)
from policydsl.core.types import BOOL, EnumType
from verifier.horn import Problem
from verifier.to_smt import sort

RLIMIT = 20_000_000


class Failure(Enum):
    """Why there is no candidate."""

    ABSTRACT_COUNTEREXAMPLE = "the tracked variables do not suffice, or the property is false"
    GAVE_UP = "the resource limit was reached"


OPTIONS: tuple[dict[str, bool], ...] = (
    {"fp.xform.slice": False, "fp.xform.inline_linear": False, "fp.xform.inline_eager": False},
    {
        "fp.xform.slice": False,
        "fp.xform.inline_linear": False,
        "fp.xform.inline_eager": False,
        "fp.spacer.global": True,
    },
)


def solve(problem: Problem, rlimit: int = RLIMIT, options: int = 0) -> Expr | Failure:
    """A formula over `problem.arguments` that satisfies the clauses, or why there is none."""
    return read(propose(problem.text, rlimit, options), problem, z3.Context())


def propose(text: str, rlimit: int, options: int) -> str:
    """What Spacer says to the clauses in `text`: the invariant as a term over `x0`, `x1`, ..., or a failure's name."""
    context = z3.Context()
    solver = z3.SolverFor("HORN", ctx=context)
    for name, value in OPTIONS[options].items():
        solver.set(name, value)
    solver.set("rlimit", rlimit)
    try:
        solver.from_string(text)
        answer = solver.check()
    except z3.Z3Exception:
        return Failure.GAVE_UP.name
    if answer == z3.unsat:
        return Failure.ABSTRACT_COUNTEREXAMPLE.name
    if answer != z3.sat:
        return Failure.GAVE_UP.name
    model = solver.model()
    for declaration in model.decls():
        if declaration.name() == "Inv":
            found = model[declaration]
            body = found.else_value() if isinstance(found, z3.FuncInterp) else found
            sorts = [declaration.domain(i) for i in range(declaration.arity())]
            named = z3.substitute_vars(body, *(z3.Const(f"x{i}", s) for i, s in enumerate(sorts)))
            return str(named.sexpr())
    return "true"


def read(answer: str, problem: Problem, context: z3.Context) -> Expr | Failure:
    """The core formula over `problem.arguments` that `propose` has written, or the failure that it has named."""
    if answer in Failure.__members__:
        return Failure[answer]
    arguments = {f"x{i}": a for i, a in enumerate(problem.arguments)}
    declared = "".join(f"(declare-const {x} {sort(a.type)})" for x, a in arguments.items())
    try:
        (term,) = z3.parse_smt2_string(f"{declared}(assert (or {answer}))", ctx=context)
        return _to_core(term, arguments)
    except (UnreadableError, z3.Z3Exception, ValueError):
        return Failure.GAVE_UP


class UnreadableError(Exception):
    """The answer uses something that the core cannot say."""


def _to_core(root: z3.ExprRef, arguments: Mapping[str, Expr]) -> Expr:
    memo: dict[int, Expr] = {}

    def go(e: z3.ExprRef) -> Expr:
        key = e.get_id()
        if key not in memo:
            memo[key] = _convert(e)
        return memo[key]

    def _convert(e: z3.ExprRef) -> Expr:
        if z3.is_const(e) and e.decl().name() in arguments:
            argument = arguments[e.decl().name()]
            return _index(argument) if isinstance(argument.type, EnumType) else argument
        if z3.is_true(e):
            return TRUE
        if z3.is_false(e):
            return FALSE
        if z3.is_int_value(e):
            return number(e.as_long())
        args = [go(c) for c in e.children()]
        kind = e.decl().kind()
        if kind == z3.Z3_OP_ITE:
            return ite(args[0], args[1], args[2])
        if kind in (z3.Z3_OP_EQ, z3.Z3_OP_LE, z3.Z3_OP_GE, z3.Z3_OP_LT, z3.Z3_OP_GT) and args[0].type != BOOL:
            return _compare(kind, args[0], args[1])
        match kind:
            case z3.Z3_OP_AND:
                return conj(*args)
            case z3.Z3_OP_OR:
                return disj(*args)
            case z3.Z3_OP_NOT:
                return negate(args[0])
            case z3.Z3_OP_IMPLIES:
                return implies(args[0], args[1])
            case z3.Z3_OP_EQ:
                return eq(args[0], args[1])
            case z3.Z3_OP_ADD:
                return add(*args)
            case z3.Z3_OP_SUB:
                return sub(args[0], args[1])
            case z3.Z3_OP_UMINUS:
                return sub(ZERO, args[0])
            case z3.Z3_OP_MUL:
                return arith(Op.MUL, args[0], args[1])
            case z3.Z3_OP_IDIV:
                return arith(Op.DIV, args[0], args[1])
            case z3.Z3_OP_MOD:
                return arith(Op.MOD, args[0], args[1])
            case _:
                raise UnreadableError(str(e.decl()))

    return go(root)


def _index(cell: Expr) -> Expr:
    """The number by which the solver knows the case that `cell` is."""
    assert isinstance(cell.type, EnumType)
    result: Expr = ZERO
    for i, name in enumerate(cell.type.cases):
        if i:
            result = ite(eq(cell, case(cell.type, name)), number(i), result)
    return result


def _compare(kind: int, a: Expr, b: Expr) -> Expr:
    plain = {
        z3.Z3_OP_EQ: lambda: eq(a, b),
        z3.Z3_OP_LE: lambda: le(a, b),
        z3.Z3_OP_GE: lambda: le(b, a),
        z3.Z3_OP_LT: lambda: lt(a, b),
        z3.Z3_OP_GT: lambda: lt(b, a),
    }[kind]()
    cells = {e.args[0].args[0] for e in subterms(plain) if _is_index(e)}  # type: ignore[union-attr]
    return _by_case(plain, next(iter(cells))) if len(cells) == 1 else plain


def _is_index(e: Expr) -> bool:
    from policydsl.core.expr import Apply

    return (
        isinstance(e, Apply)
        and e.op is Op.ITE
        and isinstance(e.args[0], Apply)
        and e.args[0].op is Op.EQ
        and isinstance(e.args[0].args[0].type, EnumType)
    )


def _by_case(atom: Expr, cell: Expr) -> Expr:
    """An atom about the number of one cell, as what it says for each case: `stage in {A, B}` instead of arithmetic."""
    type = cell.type
    assert isinstance(type, EnumType)
    worth = [
        substitute(atom, {eq(cell, case(type, other)): truth(other == name) for other in type.cases})
        for name in type.cases
    ]
    if len({*worth}) == 1:
        return worth[0]
    is_case = [eq(cell, case(type, name)) for name in type.cases]
    if all(isinstance(w, Const) for w in worth):
        yes = [c for c, w in zip(is_case, worth, strict=True) if w is TRUE]
        no = [c for c, w in zip(is_case, worth, strict=True) if w is FALSE]
        return disj(*yes) if len(yes) <= len(no) else conj(*map(negate, no))
    return conj(*(implies(c, w) for c, w in zip(is_case, worth, strict=True)))
