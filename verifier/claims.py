"""Properties to claims: closed formulas that must hold in every reachable state, for every request."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from policydsl.core.after import after
from policydsl.core.expr import TRUE, Apply, Expr, Op, Ref, Space, conj, forall, implies, negate, refs, substitute
from policydsl.core.system import Action, Property, PropertyKind, System
from policydsl.core.types import EntityType


@dataclass(frozen=True, slots=True)
class Claim:
    """`formula` holds in every reachable state. It may mention inputs that are not individuals: then it holds for all
    their values. `over_requests` says that it is about requests, so a state alone does not decide it."""

    name: str
    formula: Expr
    over_requests: bool = False


def claims(system: System, prop: Property) -> list[Claim]:
    """The claims that together are `prop`; none for leads-to, and for `reachable` the claim that it is not."""
    match prop.kind:
        case PropertyKind.INVARIANT | PropertyKind.LEMMA:
            return [Claim(prop.name, hoisted(prop.expr))]
        case PropertyKind.REACHABLE:
            return [Claim(prop.name, never(prop.expr))]
        case PropertyKind.ASSERT:
            found = [_request(prop, a, implies(a.assumed, prop.expr)) for a in _about(system, prop)]
            return found or [Claim(prop.name, TRUE, over_requests=True)]
        case PropertyKind.STEP:
            found = [
                _request(prop, a, implies(a.allowed, after(prop.expr, a.writes, Space.NEXT)))
                for a in _about(system, prop)
            ]
            # In a part that no action belongs to, what happens elsewhere still has to keep the property.
            return found or [Claim(prop.name, after(prop.expr, (), Space.NEXT), over_requests=True)]
        case PropertyKind.LEADS_TO:
            return []


def hoisted(e: Expr) -> Expr:
    """`e` with the `forall`s of its conclusion in front, each with a name of its own there."""
    if isinstance(e, Apply) and e.op is Op.FORALL:
        bound, body = e.args
        assert isinstance(bound, Ref)
        return forall(bound, hoisted(body))
    if isinstance(e, Apply) and e.op is Op.IMPLIES:
        conclusion = hoisted(e.args[1])
        if isinstance(conclusion, Apply) and conclusion.op is Op.FORALL:
            bound, body = conclusion.args
            assert isinstance(bound, Ref)
            # SOUND: an argument that a function uses twice binds the same name in both places, so without a name of its
            # own the one that is moved would catch what the other binds, and instances of it would go astray.
            own = _apart(bound, refs(e.args[0], space=Space.BOUND))
            return forall(own, hoisted(implies(e.args[0], substitute(body, {bound: own}))))
    return e


def never(e: Expr) -> Expr:
    """The negation of `e`, with a `forall` in front for each `exists` that `e` asks for, each with its own name."""
    found: list[Ref] = []
    parts: list[Expr] = []
    taken = set(refs(e, space=Space.BOUND))
    todo = [e]
    while todo:
        match todo.pop():
            case Apply(op=Op.AND, args=args):
                todo += reversed(args)
            case Apply(op=Op.EXISTS, args=(Ref() as bound, body)):
                # SOUND: two parts may bind one name, and each asks for somebody of its own.
                own = _apart(bound, taken)
                taken.add(own)
                found.append(own)
                todo.append(substitute(body, {bound: own}))
            case part:
                parts.append(part)
    closed = negate(conj(*parts))
    for bound in reversed(found):
        closed = forall(bound, closed)
    return closed


def _apart(bound: Ref, taken: Collection[Ref]) -> Ref:
    while bound in taken:
        bound = Ref(f"{bound.name}'", bound.type, Space.BOUND)
    return bound


def _about(system: System, prop: Property) -> list[Action]:
    return [system.action(prop.action)] if prop.action else list(system.actions)


def _request(prop: Property, action: Action, formula: Expr) -> Claim:
    """Individuals among the inputs become bound: the claim is for all of them."""
    images: dict[Expr, Expr] = {}
    for ref in refs(formula, space=Space.INPUT):
        if isinstance(ref.type, EntityType):
            images[ref] = Ref(f"{ref.name}#request", ref.type, Space.BOUND)
    closed = hoisted(substitute(formula, images))
    for bound in reversed(list(images.values())):
        assert isinstance(bound, Ref)
        closed = forall(bound, closed)
    return Claim(f"{prop.name}@{action.name}", closed, over_requests=True)
