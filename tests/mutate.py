"""A system to its mutants: each is the system with one small mistake in a guard or an update of one action."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from policydsl.check.sums_delta import ghost_writes
from policydsl.check.sums_shape import SumError
from policydsl.core.after import after
from policydsl.core.expr import (
    Apply,
    Const,
    Expr,
    Op,
    Ref,
    Space,
    conj,
    eq,
    forall,
    implies,
    ite,
    le,
    lt,
    negate,
    number,
    select,
    substitute,
    subterms,
)
from policydsl.core.system import Action, GuardKind, Input, Origin, Property, PropertyKind, System, Write
from policydsl.core.types import BOOL, INT
from policydsl.to_words import words


@dataclass(frozen=True)
class Mutant:
    """`label` says what was changed where; `system` is the system with that change."""

    label: str
    action: str
    system: System


def mutants(system: System) -> Iterator[Mutant]:
    """All mutants, action by action, no two the same."""
    for action in system.actions:
        seen = {action}
        for what, changed in _changes(system, action):
            try:
                kept = _sums_kept(system, changed)
            except SumError:
                continue
            if kept not in seen:
                seen.add(kept)
                actions = tuple(kept if a.name == action.name else a for a in system.actions)
                yield Mutant(f"{action.name}: {what}", action.name, replace(system, actions=actions))


def _ghosts(system: System) -> set[str]:
    return {v.name for v in system.state if v.origin is Origin.GHOST}


def _sums_kept(system: System, action: Action) -> Action:
    """`action` with the writes that keep the sums, of what it writes now: they are no part of a policy."""
    ghosts = _ghosts(system)
    plain = replace(action, writes=tuple(w for w in action.writes if w.var not in ghosts))
    added: list[Write] = []
    for s in system.sums:
        added += ghost_writes(plain, s, system.variable(s.var).ref)
    return replace(plain, writes=(*plain.writes, *added))


def _changes(system: System, action: Action) -> Iterator[tuple[str, Action]]:
    ghosts, clock = _ghosts(system), {v.name for v in system.state if v.origin is Origin.CLOCK}
    for i, guard in enumerate(action.guards):
        if guard.kind is GuardKind.ASSUME:
            continue
        rest = (*action.guards[:i], *action.guards[i + 1 :])
        yield f"without `{words(guard.expr)}`", replace(action, guards=rest)
        for what, e in _variants(guard.expr, action.inputs):
            changed = (*action.guards[:i], replace(guard, expr=e), *action.guards[i + 1 :])
            yield f"{what} in `{words(guard.expr)}`", replace(action, guards=changed)
    for i, write in enumerate(action.writes):
        if write.var in ghosts or write.var in clock:
            continue
        where = f"`{write.var}[{', '.join(map(words, write.keys))}] := {words(write.value)}`"
        yield f"without {where}", replace(action, writes=(*action.writes[:i], *action.writes[i + 1 :]))
        for what, e in _variants(write.value, action.inputs):
            changed_writes = (*action.writes[:i], replace(write, value=e), *action.writes[i + 1 :])
            yield f"{what} in {where}", replace(action, writes=changed_writes)
        for what, keys in _other_keys(write, action.inputs):
            changed_writes = (*action.writes[:i], replace(write, keys=keys), *action.writes[i + 1 :])
            yield f"{what} in the place of {where}", replace(action, writes=changed_writes)


def _variants(root: Expr, inputs: tuple[Input, ...]) -> Iterator[tuple[str, Expr]]:
    """`root` with one thing in it changed, everywhere that it occurs."""
    for e in subterms(root):
        for what, image in _images(e, inputs):
            yield what, substitute(root, {e: image})


def _images(e: Expr, inputs: tuple[Input, ...]) -> Iterator[tuple[str, Expr]]:
    match e:
        case Const(type=t) if t == INT:
            yield f"{e.value} is {int(e.value) + 1}", number(int(e.value) + 1)
            yield f"{e.value} is {int(e.value) - 1}", number(int(e.value) - 1)
        case Ref(space=Space.INPUT):
            for other in inputs:
                if other.type == e.type and other.ref is not e:
                    yield f"{e.name} is {other.name}", other.ref
        case Apply(op=Op.LE):
            yield "<= is <", lt(*e.args)
        case Apply(op=Op.LT):
            yield "< is <=", le(*e.args)
        case Apply(op=Op.ITE):
            c, a, b = e.args
            yield "branches are swapped", ite(c, b, a)
        case Apply(op=Op.EQ):
            if e.args[0].type == BOOL or e.type == BOOL:
                yield "== is !=", negate(e)


def _other_keys(write: Write, inputs: tuple[Input, ...]) -> Iterator[tuple[str, tuple[Expr, ...]]]:
    for i, key in enumerate(write.keys):
        for other in inputs:
            if other.type == key.type and other.ref is not key and key not in write.binders:
                yield f"{words(key)} is {other.name}", (*write.keys[:i], other.ref, *write.keys[i + 1 :])


def same(system: System, mutant: Mutant) -> Property:
    """The claim, about `system`, that the action of `mutant` decides and does what it did before, wherever one gets."""
    old, new = system.action(mutant.action), mutant.system.action(mutant.action)
    written = {w.var for w in (*old.writes, *new.writes)}
    effects: list[Expr] = []
    for v in system.state:
        if v.name in written:
            keys = [Ref(f"same{i}#{v.name}", k, Space.BOUND) for i, k in enumerate(v.keys)]
            cell = select(v.ref, *keys)
            effect = eq(after(cell, old.writes), after(cell, new.writes))
            for key in reversed(keys):
                effect = forall(key, effect)
            effects.append(effect)
    claim = conj(eq(old.allowed, new.allowed), implies(old.allowed, conj(*effects)))
    return Property("same", PropertyKind.ASSERT, claim, action=mutant.action)
