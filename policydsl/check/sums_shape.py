"""A sum in a specification to its shape: a body whose free individuals are keys, checked to be one that can be kept."""

from __future__ import annotations

from dataclasses import dataclass

from policydsl.check.monitor_terms import canonical
from policydsl.core.expr import (
    FALSE,
    ZERO,
    Apply,
    Const,
    Expr,
    Op,
    Ref,
    Space,
    conj,
    ite,
    refs,
    substitute,
    subterms,
    total,
    transform,
)
from policydsl.core.system import StateVar, System
from policydsl.core.types import BOOL, INT, EntityType, EnumType, MapType
from policydsl.source import NOWHERE, Span

_BINDING = (Op.FORALL, Op.EXISTS, Op.SUM)


class SumError(ValueError):
    """A sum that cannot be kept: a diagnostic without its place."""

    def __init__(self, code: str, text: str, help: str, span: Span = NOWHERE) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.help = help
        self.span = span


@dataclass(frozen=True, slots=True)
class Read:
    """One place where a body looks at the state."""

    map: Ref
    keys: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """The sum of `body` over `bound`. `body` reads the current state; `individuals`, as the specification calls them,
    stand for the keys."""

    bound: Ref
    body: Expr
    individuals: tuple[Ref | Const, ...]
    space: Space
    """Which state the specification asks about."""

    @property
    def content(self) -> Expr:
        """What identifies the sum, whatever the individuals are called."""
        images: dict[Expr, Expr] = {e: Ref(f"#k{i}", e.type, Space.BOUND) for i, e in enumerate(self.individuals)}
        return canonical(total(self.bound, self.body), images)

    @property
    def reads(self) -> tuple[Read, ...]:
        return reads(self.body)


def reads(body: Expr) -> tuple[Read, ...]:
    """Where `body` looks at the current state, each place once."""
    found: dict[Read, None] = {}
    for e in subterms(body):
        if isinstance(e, Apply) and e.op is Op.SELECT and isinstance(e.args[0], Ref):
            found[Read(e.args[0], e.args[1:])] = None
        elif isinstance(e, Ref) and e.space is Space.STATE and not isinstance(e.type, MapType):
            found[Read(e, ())] = None
    return tuple(found)


def split(bound: Ref, body: Expr) -> Expr:
    """The sum of `body`, with what does not depend on `bound` moved out of it."""
    if isinstance(body, Apply) and body.op is Op.ITE:
        condition, then, other = body.args
        parts = condition.args if isinstance(condition, Apply) and condition.op is Op.AND else (condition,)
        fixed = [p for p in parts if bound not in refs(p)]
        if fixed and (other is ZERO or len(fixed) == len(parts)):
            rest = ite(conj(*(p for p in parts if p not in fixed)), then, other)
            return ite(conj(*fixed), split(bound, rest), split(bound, other))
    return total(bound, body)


def shape(sum_: Apply) -> Shape:
    """The shape of a sum that `split` left. Raises `SumError`."""
    bound, body = sum_.args
    assert isinstance(bound, Ref)
    if any(isinstance(e, Apply) and e.op in _BINDING for e in subterms(body)):
        raise SumError(
            "E345",
            "a sum whose body contains another sum or a quantifier",
            "keep the inner part in a state variable of its own",
        )
    spaces = {r.space for r in refs(body)} & {Space.STATE, Space.NEXT}
    if len(spaces) == 2:
        raise SumError(
            "E346", "a sum that mixes the states before and after the step", "compare two sums, one of them under `old`"
        )
    current: dict[Expr, Expr] = {r: Ref(r.name, r.type, Space.STATE) for r in refs(body, space=Space.NEXT)}
    body = substitute(body, current)
    for read in reads(body):
        for key in read.keys:
            if not isinstance(key, Ref | Const):
                name = str(key.type)[0].lower()
                raise SumError(
                    "E344",
                    f"a sum that reads `{read.map.name}` at a computed individual",
                    f"keep what is summed in a map from `{bound.type}` itself"
                    if bound in subterms(key)
                    else f"name that individual before: `forall {name}: {key.type} . ... == {name} implies ...`",
                )
    individuals: dict[Ref | Const, None] = {}
    for e in _abstracted(bound, body):
        individuals[e] = None
    return Shape(bound, body, tuple(individuals), Space.NEXT if Space.NEXT in spaces else Space.STATE)


def _abstracted(bound: Ref, body: Expr) -> list[Ref | Const]:
    """The individuals that become keys: all references but `bound`, and constants that occur as keys only."""
    as_keys = [k for read in reads(body) for k in read.keys]
    elsewhere = {
        a
        for e in subterms(body)
        if isinstance(e, Apply) and e.op is not Op.SELECT
        for a in e.args
        if isinstance(a, Const) and isinstance(a.type, EntityType)
    }
    found: list[Ref | Const] = []
    for e in (*as_keys, *refs(body)):
        if e is bound or not isinstance(e, Ref | Const):
            continue
        if isinstance(e, Const):
            if e not in elsewhere:
                found.append(e)
        elif e.space in (Space.BOUND, Space.INPUT):
            if not isinstance(e.type, EntityType):
                raise SumError(
                    "E343",
                    f"a sum that depends on `{e.name}` of the request",
                    "only the state, parameters and individuals may occur in a sum",
                )
            found.append(e)
    return found


def initial(shape: Shape, system: System) -> Const | None:
    """The initial value of the sum: 0, or None when it depends on initial values that are free. Raises `SumError`."""
    variables = {v.name: v for v in system.state}
    # SOUND: a sum over all individuals exists only if no more than finitely many contribute, so a contribution of
    # everybody, however small, has no sum. Free initial values are taken to differ from the default for finitely many.
    if _instead(shape.body, variables, free=False) is not ZERO:
        raise SumError(
            "E342",
            "a sum to which everyone contributes in the initial state",
            "sum over what starts at zero, or restrict the sum with `where` to those that are known",
        )
    return ZERO if _instead(shape.body, variables, free=True) is ZERO else None


def _instead(body: Expr, variables: dict[str, StateVar], free: bool) -> Expr:
    """`body` in the initial state; free values are left as they are if `free`, else they are the default."""

    def leaf(e: Expr) -> Expr | None:
        name: Expr | None = None
        if isinstance(e, Apply) and e.op is Op.SELECT:
            name = e.args[0]
        elif isinstance(e, Ref):
            name = e
        if not isinstance(name, Ref) or name.space is not Space.STATE:
            return None
        var = variables[name.name]
        if var.init is None:
            return e if free else _default(var)
        return var.init

    return transform(body, leaf)


def _default(var: StateVar) -> Const:
    if var.type == BOOL:
        return FALSE
    if var.type == INT:
        return ZERO
    return Const(var.type.cases[0] if isinstance(var.type, EnumType) else "", var.type)


def label(shape: Shape) -> str:
    """A readable name: what is summed, and for whom."""
    body = shape.body
    amount = body.args[1] if isinstance(body, Apply) and body.op is Op.ITE else body
    maps = dict.fromkeys(r.map.name for r in (reads(amount) or reads(body)))
    whom = ", ".join(str(e.value) if isinstance(e, Const) else e.name for e in shape.individuals)
    kind = "sum" if reads(amount) else "count"
    return f"{kind}:{','.join(maps)}" + (f"({whom})" if whom else "")
