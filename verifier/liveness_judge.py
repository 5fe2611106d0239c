"""A phase to why it is left in every fair run, or for whom it waits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product

from policydsl.core.expr import (
    FALSE,
    ZERO,
    Apply,
    Expr,
    Op,
    Ref,
    Space,
    conj,
    disj,
    eq,
    le,
    lt,
    negate,
    refs,
    substitute,
    subterms,
)
from policydsl.core.system import Action
from policydsl.core.types import INT, EntityType
from policydsl.to_words import words
from verifier.liveness_ask import LATER, TIME, Asker, primed
from verifier.liveness_exits import Exit, Phase, exits, leavers
from verifier.liveness_time import at_last, moments

MOST_LITERALS = 24
MOST_CHOICES = 16


@dataclass(frozen=True, slots=True)
class Left:
    """The phase is left in every fair run, by one of `exits`, at the latest some time after all of `deadlines`."""

    exits: tuple[Exit, ...]
    deadlines: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Waits:
    """No proof. `stuck`, over a state, is when no fair action is possible any more, if that can be said."""

    reason: str
    stuck: Expr | None
    deadlines: tuple[Expr, ...] = ()


def judge(asker: Asker, phase: Phase, individuals: Sequence[Ref]) -> Left | Waits:
    """Weak fairness: when it is late, some exit is possible, and stays so until the phase is left."""
    leaving = leavers(asker, phase)
    found = [e for a in leaving if a.fair for e in exits(asker, phase, a, individuals)]
    settled = [e for e in found if _is_settled(asker, phase, e)]
    passing: list[Expr] = []
    moving: list[Expr] = []
    good: list[Exit] = []
    # Fewer assumptions first: perhaps nobody need wait, or only for the moments that the exits themselves speak of.
    for moments_ in _waits(asker, found, individuals):
        for m in moments_:
            (passing if _comes(asker, phase, m) else moving).append(m)
        late = _late(asker, passing)
        good = []
        for e in settled:
            if _persists(asker, phase, late, e):
                good.append(e)
                if _covered(asker, phase, late, good):
                    return Left(_fewest(asker, phase, late, good), tuple(passing))
    reason = _reason(asker, phase, leaving, found, good, _late(asker, passing), moving, individuals)
    return Waits(reason, _stuck(phase, found), tuple(passing))


def _waits(asker: Asker, found: Sequence[Exit], individuals: Sequence[Ref]) -> Iterator[list[Expr]]:
    """Moments to wait for, in three portions: none, those that the exits speak of, those that all actions speak of."""
    yield []
    if not asker.timed or not found:
        return
    own = moments([e.enabled for e in found], individuals)
    yield own
    inputs = {r for e in found for r in refs(e.enabled, space=Space.INPUT)} - {TIME}
    every = moments([f for a in asker.system.actions for f in about(a, individuals)], individuals)
    yield [m for m in every if m not in own and set(refs(m, space=Space.INPUT)) <= inputs]


def about(action: Action, individuals: Sequence[Ref]) -> list[Expr]:
    """When `action` is allowed if all the individuals that it is about are ours."""
    about = [i.ref for i in action.inputs if any(x.type == i.type for x in individuals)]
    choices = product(*([x for x in individuals if x.type == r.type] for r in about))
    return [substitute(action.allowed, dict(zip(about, c, strict=True))) for c in islice(choices, MOST_CHOICES)]


def _comes(asker: Asker, phase: Phase, moment: Expr) -> bool:
    stays = primed(phase.formula)
    # SOUND: a moment that never grows while the phase lasts is passed, since time passes every bound.
    return asker.no_step(f"{phase.name}: {words(moment)} comes", phase.formula, conj(stays, lt(moment, primed(moment))))


def _late(asker: Asker, passing: Sequence[Expr]) -> Expr:
    after_all = [lt(m, TIME) for m in passing]
    return conj(asker.present(), *([le(ZERO, TIME), *after_all] if passing else []))


def _is_settled(asker: Asker, phase: Phase, e: Exit) -> bool:
    """Whether the choices that the state makes do not change in the phase: fairness is about one request."""
    changed = [negate(eq(primed(t), t)) for t in e.unsettled]
    if not changed:
        return True
    link = conj(primed(phase.formula), disj(*changed))
    # SOUND: else a different request might be possible each time, and none of them for long.
    return asker.no_step(f"{phase.name}: who does {e.action.name} is settled", phase.formula, link)


def _persists(asker: Asker, phase: Phase, late: Expr, e: Exit) -> bool:
    return asker.no_step(*_disabling(phase, late, e))


def _disabling(phase: Phase, late: Expr, e: Exit) -> tuple[str, Expr, Expr]:
    """A step, or the passing of time, after which `e` is not possible any more though the phase goes on."""
    before = conj(phase.formula, late, e.enabled)
    gone = substitute(primed(negate(e.enabled)), {TIME: LATER})
    # SOUND: after the step it is evaluated at every later moment, so neither steps nor time disable it.
    return f"{phase.name}: {e.action.name} stays possible", before, conj(primed(phase.formula), le(TIME, LATER), gone)


def _covered(asker: Asker, phase: Phase, late: Expr, chosen: Sequence[Exit]) -> bool:
    what = f"{phase.name}: in the end something is possible"
    return asker.never(what, phase.formula, late, *(negate(e.enabled) for e in chosen))


def _fewest(asker: Asker, phase: Phase, late: Expr, chosen: list[Exit]) -> tuple[Exit, ...]:
    for e in list(chosen):
        rest = [o for o in chosen if o is not e]
        if rest and _covered(asker, phase, late, rest):
            chosen = rest
    return tuple(chosen)


# What is missing, in words.


def _stuck(phase: Phase, found: Sequence[Exit]) -> Expr | None:
    """In the phase, and no exit is possible however late it gets. None if that depends on what is no individual."""
    possible: list[Expr] = []
    for e in found:
        formula = at_last(e.enabled)
        for r in refs(formula, space=Space.INPUT):
            if not isinstance(r.type, EntityType):
                return None
            bound = Ref(f"{r.name.partition(':')[2]}#any", r.type, Space.BOUND)
            formula = Apply(Op.EXISTS, (bound, substitute(formula, {r: bound})), formula.type)
        possible.append(formula)
    return conj(phase.formula, negate(disj(*possible)))


def _reason(
    asker: Asker,
    phase: Phase,
    leaving: Sequence[Action],
    found: Sequence[Exit],
    good: Sequence[Exit],
    late: Expr,
    moving: Sequence[Expr],
    individuals: Sequence[Ref],
) -> str:
    fair = [a for a in leaving if a.fair]
    if not leaving:
        return f"`{phase.name}` is never left: no action leads out of it"
    if not fair:
        return f"`{phase.name}` waits for a human: no fair action leaves it (only {_names(leaving)})"
    if not found:
        return f"`{phase.name}` waits: {_names(fair)} may leave it, but for no fixed choice of inputs always does"
    name = _names(list(dict.fromkeys(e.action for e in found)))
    possible = disj(*(at_last(e.enabled) for e in found))
    if asker.never(f"{phase.name}: too late", phase.formula, possible):
        early = disj(*(e.enabled for e in found))
        if not asker.never(f"{phase.name}: never possible", phase.formula, early):
            return f"`{phase.name}` is stuck once it is too late for {name}"
    if not asker.never(f"{phase.name}: possible at last", phase.formula, negate(possible)):
        return _when(asker, phase, possible, leaving, name)
    own = moments([e.enabled for e in found], individuals)
    for moment in moving:
        if moment not in own or asker.is_clock(moment):
            continue
        growing = conj(primed(phase.formula), lt(moment, primed(moment)))
        who = [a for a in asker.system.actions if not asker.no_step("puts off", phase.formula, growing, a)]
        said = words(moment, system=asker.system)
        return f"`{phase.name}` may last for ever: {_names(who)} can put off `{said}` again and again"
    for e in found:
        if e in good:
            continue
        _, before, link = _disabling(phase, late, e)
        who = [a for a in asker.system.actions if not asker.no_step("disables", before, link, a)]
        if who:
            return (
                f"`{phase.name}` may last for ever: {_names(who)} can make `{e.action.name}` impossible again and again"
            )
        return f"`{phase.name}` may last for ever: who can do `{e.action.name}` keeps changing"
    return f"`{phase.name}`: not shown that {name} stays possible"


def _when(asker: Asker, phase: Phase, possible: Expr, leaving: Sequence[Action], name: str) -> str:
    """When nothing is possible, as one simple condition if there is one."""
    for literal in _literals(possible):
        differs = [conj(literal, possible), conj(negate(literal), negate(possible))]
        if literal is FALSE or not asker.never(f"{phase.name}: stuck when", phase.formula, disj(*differs)):
            continue
        stuck, left = conj(phase.formula, literal), primed(negate(phase.formula))
        others = [a for a in leaving if not a.fair and not asker.no_step("leaves though stuck", stuck, left, a)]
        rest = f", so it waits for a human ({_names(others)})" if others else ""
        said = words(literal, system=asker.system)
        if isinstance(literal, Apply) and literal.op is Op.EQ and literal.args[0].type == INT:
            return f"the tie `{said}` is stuck in `{phase.name}`: no fair action is possible then{rest}"
        return f"`{phase.name}` is stuck when `{said}`: no fair action leaves it then{rest}"
    return f"`{phase.name}` may be stuck: no proof that {name} is possible in the end"


def _literals(e: Expr) -> list[Expr]:
    """Simple conditions about what `e` compares; those that say most first."""
    found: dict[Expr, None] = {}
    atoms = [t for t in subterms(e) if t.type == e.type and not _is_junction(t) and _is_closed(t)]
    for a in atoms:
        if isinstance(a, Apply) and a.op in (Op.LE, Op.LT, Op.EQ) and a.args[0].type == INT:
            x, y = a.args
            found.update(dict.fromkeys([eq(x, y), lt(x, y), lt(y, x), le(x, y), le(y, x), negate(eq(x, y))]))
        else:
            found.update(dict.fromkeys([a, negate(a)]))
    return list(found)[:MOST_LITERALS]


def _is_closed(e: Expr) -> bool:
    return not refs(e, space=Space.INPUT)


def _is_junction(e: Expr) -> bool:
    return isinstance(e, Apply) and e.op in (Op.AND, Op.OR, Op.NOT, Op.IMPLIES, Op.ITE, Op.FORALL, Op.EXISTS)


def _names(actions: Sequence[Action]) -> str:
    return ", ".join(f"`{a.name}`" for a in actions)
