"""Numbers that are known within bounds: formulas about them to formulas about the bound that is on the safe side.

NOTE(estimates): a sum over a window is kept in buckets, so it is known to be at least one number and at most another.
While policies are elaborated a reference stands for it. Then each guard, claim and rule is settled: a guard and a claim
become stronger than what is written, the condition of a rule that denies or asks for more becomes weaker. So what is
allowed, what is proved and what is shown to be reachable is so for the exact sum too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from policydsl.core.expr import (
    Apply,
    Const,
    Expr,
    Op,
    Ref,
    Space,
    arith,
    conj,
    disj,
    implies,
    ite,
    le,
    lt,
    negate,
    rebuild,
    sub,
    subterms,
)
from policydsl.core.system import Action, Property
from policydsl.core.types import BOOL, INT
from policydsl.diagnostics import Report
from policydsl.source import Span

_SAME = (Op.AND, Op.OR, Op.ADD, Op.MIN, Op.MAX, Op.FORALL, Op.EXISTS, Op.SUM)


class InexactError(Exception):
    """An estimate stands where only the exact number would do."""


@dataclass(slots=True)
class Estimates:
    """What each reference to a number that is not known exactly is at least, and at most."""

    bounds: dict[Expr, tuple[Expr, Expr]] = field(default_factory=dict)

    def number(self, least: Expr, most: Expr) -> Expr:
        """A number that is at least `least` and at most `most`, the same one each time."""
        same = next((e for e, bounds in self.bounds.items() if bounds == (least, most)), None)
        found = same or Ref(f"estimate#{len(self.bounds)}", INT, Space.BOUND)
        self.bounds[found] = least, most
        return found

    def among(self, *roots: Expr) -> bool:
        """Whether anything in `roots` is not known exactly."""
        return bool(self.bounds) and any(e in self.bounds for e in subterms(*roots))

    def least(self, root: Expr) -> Expr:
        """A number that is at most `root`, a formula that implies `root`; raises `InexactError` if there is none."""
        return self._settle(root, most=False)

    def most(self, root: Expr) -> Expr:
        """A number that is at least `root`, a formula that `root` implies; raises `InexactError` if there is none."""
        return self._settle(root, most=True)

    def _settle(self, root: Expr, *, most: bool) -> Expr:
        if not self.among(root):
            return root
        inexact: set[Expr] = set()
        for e in subterms(root):
            if e in self.bounds or (isinstance(e, Apply) and any(a in inexact for a in e.args)):
                inexact.add(e)
        memo: dict[tuple[Expr, bool], Expr] = {}

        def go(e: Expr, up: bool) -> Expr:
            if e not in inexact:
                return e
            if (e, up) not in memo:
                memo[e, up] = self.bounds[e][up] if e in self.bounds else _settled(e, up, go, inexact)
            return memo[e, up]

        return go(root, most)


# SOUND: each row goes up where its number or truth does; false is below true.
def _settled(e: Expr, up: bool, go: Callable[[Expr, bool], Expr], inexact: set[Expr]) -> Expr:
    assert isinstance(e, Apply)
    match e.op, e.args:
        case op, args if op in _SAME:
            return rebuild(op, tuple(go(a, up) for a in args), e.type)
        case Op.NOT, (a,):
            return negate(go(a, not up))
        case Op.IMPLIES, (a, b):
            return implies(go(a, not up), go(b, up))
        case Op.LE, (a, b):
            return le(go(a, not up), go(b, up))
        case Op.LT, (a, b):
            return lt(go(a, not up), go(b, up))
        case Op.EQ, (a, b) if a.type == INT:
            return conj(le(go(a, not up), go(b, up)), le(go(b, not up), go(a, up)))
        case Op.EQ, (a, b) if a.type == BOOL:
            return disj(conj(go(a, up), go(b, up)), conj(negate(go(a, not up)), negate(go(b, not up))))
        case Op.ITE, (c, a, b) if c not in inexact:
            return ite(c, go(a, up), go(b, up))
        case Op.ITE, (c, a, b) if e.type == BOOL:
            x, y = go(a, up), go(b, up)
            return disj(conj(go(c, up), x), conj(negate(go(c, not up)), y), conj(x, y))
        case Op.SUB, (a, b):
            return sub(go(a, up), go(b, not up))
        case Op.MUL, (Const(value=k) as a, b) | (b, Const(value=k) as a):
            return arith(Op.MUL, a, go(b, up if int(k) >= 0 else not up))
        case Op.DIV, (a, b) if b not in inexact:
            return arith(Op.DIV, go(a, up), b)
        case _:
            raise InexactError


_CAUTIOUS = ("permit",)
"""The effects of rules that must match for a request to be allowed; any other asks for more where it matches."""


def settled_action(action: Action, estimates: Estimates, report: Report) -> Action:
    """`action` with all estimates on the safe side; where there is none, that is reported."""
    effects = {u.rule: u.effect for u in action.rules}

    def condition(rule: str, e: Expr, span: Span) -> Expr:
        # SOUND: a rule that forbids matches when the exact sum would make it match, one that permits only then.
        return _or_report(estimates.least if effects.get(rule) in _CAUTIOUS else estimates.most, e, span, report)

    if not estimates.bounds:
        return action
    guards = tuple(replace(g, expr=_or_report(estimates.least, g.expr, g.span, report)) for g in action.guards)
    rules = tuple(replace(u, condition=condition(u.rule, u.condition, u.span)) for u in action.rules)
    places = {u.rule: u.span for u in action.rules}
    for w in action.writes:
        if estimates.among(w.value, *w.keys):
            _report("what is kept in state must be exact", w.span, report)
    for o in action.obligations:
        if estimates.among(*o.args):
            _report(f"what `{o.name}` is told must be exact", places.get(o.rule, action.span), report)
    obligations = tuple(
        replace(o, condition=condition(o.rule, o.condition, places.get(o.rule, action.span)))
        for o in action.obligations
    )
    return replace(action, guards=guards, rules=rules, obligations=obligations)


def settled_property(prop: Property, estimates: Estimates, report: Report) -> Property:
    """`prop` made to claim at least as much as is written, whatever the exact numbers are."""
    if not estimates.bounds:
        return prop
    if prop.goal is None:
        return replace(prop, expr=_or_report(estimates.least, prop.expr, prop.span, report))
    goal = _or_report(estimates.least, prop.goal, prop.span, report)
    return replace(prop, expr=_or_report(estimates.most, prop.expr, prop.span, report), goal=goal)


def _or_report(settle: Callable[[Expr], Expr], e: Expr, span: Span, report: Report) -> Expr:
    try:
        return settle(e)
    except InexactError:
        _report("only an exact number would do here", span, report)
        return e


def _report(why: str, span: Span, report: Report) -> None:
    text = f"{why}, and a sum over a window is known within bounds"
    help_ = "compare the sum with a number in the condition itself; or count, since `count(... within 1h)` is exact"
    report.error("E556", text, span, help=help_)
