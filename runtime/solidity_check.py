"""A system to the list of what in it has no exact counterpart in a contract: diagnostics `U…`, each with its place."""

from __future__ import annotations

from collections.abc import Container, Iterator

from policydsl.core.after import reads
from policydsl.core.expr import Apply, Const, Expr, Op, Ref, Space, subterms
from policydsl.core.system import PRINCIPAL, Action, Effect, GuardKind, StateVar, System, Write
from policydsl.core.types import BoolType, EntityType, EnumType, StringType
from policydsl.diagnostics import Diagnostic, Severity
from policydsl.source import NOWHERE, Span
from runtime.solidity_copies import copies_of
from runtime.solidity_layout import at_stranger, is_clock_guard, kept

LARGEST = 2**255 - 1


class UnsupportedError(ValueError):
    """The system has no exact counterpart in a contract; `gaps` says where and why."""

    def __init__(self, gaps: tuple[Diagnostic, ...]) -> None:
        super().__init__("; ".join(g.text for g in gaps))
        self.gaps = gaps


def gaps_of(system: System) -> tuple[Diagnostic, ...]:
    """Everything that does not translate; empty when the contract can be written."""
    found = [*_phases(system)]
    names = {v.name for v in kept(system)}
    for v in system.state:
        if v.name in names:
            found += _variable(v)
    for p in system.params:
        if isinstance(p.type, StringType | EntityType):
            found.append(_gap("U101", f"the parameter `{p.name}` is a {p.type}", p.span))
    sorts = {i.type for a in system.actions for i in a.inputs if i.name == PRINCIPAL}
    for c in system.individuals:
        if c.type not in sorts:
            found.append(_gap("U108", f"`{c.value}` is named, and is not of the sort of those who ask"))
    copies = copies_of(system)
    for action in system.actions:
        found += _action(system, action, names, copies)
    return tuple(dict.fromkeys(found))


def _gap(code: str, text: str, span: Span = NOWHERE) -> Diagnostic:
    return Diagnostic(code, Severity.ERROR, text, span)


def _phases(system: System) -> Iterator[Diagnostic]:
    for p in system.phases:
        yield _gap("U106", f"`{p.name}` reserves and commits: that is a dialogue with a gateway", p.span)


def _variable(v: StateVar) -> Iterator[Diagnostic]:
    if isinstance(v.type, StringType):
        yield _gap("U101", f"`{v.name}` holds a string", v.span)
    if isinstance(v.type, EntityType) and v.init is not None and not _nobody(v.init):
        yield _gap("U107", f"`{v.name}` starts with an individual", v.span)
    if v.keys and v.init is not None and isinstance(v.type, BoolType | EnumType) and not isinstance(v.init, Const):
        yield _gap("U107", f"the start of `{v.name}` depends on a parameter", v.span)
    if v.init is None and not (isinstance(v.type, BoolType) and len(v.keys) == 1):
        yield _gap("U107", f"`{v.name}` may start with any value, and is no set", v.span)


def _nobody(e: Expr) -> bool:
    return isinstance(e, Const) and e.value == ""


def _action(system: System, action: Action, names: set[str], copies: Container[str]) -> Iterator[Diagnostic]:
    for i in action.inputs:
        if isinstance(i.type, StringType):
            yield _gap("U101", f"the input `{i.name}` of `{action.name}` is a string", action.span)
        if i.name == PRINCIPAL and not isinstance(i.type, EntityType):
            yield _gap("U109", f"who asks for `{action.name}` is not an individual", action.span)
    for g in action.guards:
        if g.kind is GuardKind.APPROVE:
            yield _gap("U104", f"`{action.name}` may wait for a human's approval, which no caller can prove", g.span)
        elif not is_clock_guard(g.expr):
            yield from _expression(g.expr, f"a condition of `{action.name}`", g.span)
    for o in action.obligations:
        if o.on is not Effect.PENDING:
            yield _gap("U105", f"`{action.name}` obliges to `{o.name}`, and nobody would do it", action.span)
    writes = [w for w in action.writes if w.var in names]
    for w in writes:
        yield from _expression(w.value, f"what `{action.name}` writes to `{w.var}`", w.span)
        for k in w.keys:
            yield from _expression(k, f"a key of `{w.var}` in `{action.name}`", w.span)
    yield from _bulk(system, action, writes, copies)


def _expression(e: Expr, where: str, span: Span) -> Iterator[Diagnostic]:
    for x in subterms(e):
        match x:
            case Apply(op=Op.MATCHES):
                yield _gap("U101", f"{where} compares a text with a pattern", span)
            case Apply(op=Op.FORALL | Op.EXISTS | Op.SUM):
                yield _gap("U102", f"{where} is about all individuals, of whom there is no end", span)
            case Const(value=int(value)) if abs(value) > LARGEST:
                yield _gap("U110", f"{where} has a number of more than 256 bits", span)
            case Const(type=StringType()) | Ref(type=StringType(), space=Space.STATE | Space.INPUT):
                yield _gap("U101", f"{where} is about a string", span)
            case _:
                pass


def _bulk(system: System, action: Action, writes: list[Write], copies: Container[str]) -> Iterator[Diagnostic]:
    """What makes a bulk write more than a walk over a roll."""
    seen: set[str] = set()
    for w in writes:
        if not w.binders or w.var in copies:
            seen.add(w.var)
            continue
        where = f"the `for each` of `{action.name}` on `{w.var}`"
        if len(w.binders) > 1:
            yield _gap("U103", f"{where} is over pairs", w.span)
            continue
        stays, _ = at_stranger(w, system)
        if not stays:
            yield _gap("U103", f"{where} changes those of whom the contract has never heard", w.span)
        own = Apply(Op.SELECT, (system.variable(w.var).ref, *w.keys), w.value.type)
        others = {
            x for x in subterms(w.value) if isinstance(x, Apply) and x.op is Op.SELECT and x.bound and x is not own
        }
        read = {x.args[0].name for x in others if isinstance(x.args[0], Ref)}
        bulk = {o.var for o in writes if o.binders and o is not w}
        if w.var in seen or w.var in read or (reads(w.value, *w.keys) | {w.var}) & bulk:
            yield _gap("U103", f"{where} depends on other writes of the same step", w.span)
