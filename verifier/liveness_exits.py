"""A phase to the ways in which fair actions leave it: requests whose inputs are terms about the same individuals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product

from policydsl.core.expr import (
    FALSE,
    TRUE,
    ZERO,
    Apply,
    Const,
    Expr,
    Op,
    Ref,
    Space,
    case,
    negate,
    number,
    refs,
    string,
    substitute,
    subterms,
    truth,
)
from policydsl.core.system import Action, GuardKind, Input
from policydsl.core.types import BoolType, EntityType, EnumType, IntType, Scalar, StringType
from verifier.liveness_ask import TIME, Asker, primed

MOST_REQUESTS = 64
"""Choices of inputs tried for one action."""
MOST_NUMBERS = 4


@dataclass(frozen=True, slots=True)
class Exit:
    """`action` with inputs chosen: `request` has none left but the time, and those for which any value will do."""

    action: Action
    inputs: tuple[tuple[Input, Expr], ...]
    request: Action

    @property
    def enabled(self) -> Expr:
        return self.request.allowed

    @property
    def chosen(self) -> list[tuple[Input, Expr]]:
        """The inputs for which not any value will do."""
        return [(i, e) for i, e in self.inputs if not (isinstance(e, Ref) and e.space is Space.INPUT)]

    @property
    def unsettled(self) -> list[Expr]:
        """Choices that the state makes: they must not change while one waits."""
        return [e for _, e in self.inputs if refs(e, space=Space.STATE)]


@dataclass(frozen=True, slots=True)
class Phase:
    """What is true of the individuals in a phase; the goal does not hold."""

    name: str
    formula: Expr


def leavers(asker: Asker, phase: Phase) -> list[Action]:
    """The actions that may leave the phase."""
    left = primed(negate(phase.formula))
    return [
        a
        for a in asker.system.actions
        if not asker.no_step(f"{phase.name}: not left by {a.name}", phase.formula, left, a)
    ]


def exits(asker: Asker, phase: Phase, action: Action, individuals: Sequence[Ref]) -> Iterator[Exit]:
    """Requests of `action` that leave the phase whenever they are allowed, and are possible in it."""
    for found in islice(_requests(asker, action, individuals), MOST_REQUESTS):
        name = f"{phase.name}: {action.name}"
        # SOUND: a request leaves the phase only if no allowed step of it ends in the phase.
        if asker.no_step(f"{name} leaves", phase.formula, primed(phase.formula), found.request) and not asker.never(
            f"{name} is never possible", phase.formula, found.enabled
        ):
            yield found


def _requests(asker: Asker, action: Action, individuals: Sequence[Ref]) -> Iterator[Exit]:
    """Fewest choices first: whoever may ask need not be a certain one."""
    pools = [list(enumerate(_choices(asker, action, i, individuals))) for i in action.inputs]
    for combination in sorted(product(*pools), key=lambda c: sum(rank for rank, _ in c)):
        images: dict[Expr, Expr] = {i.ref: e for i, (_, e) in zip(action.inputs, combination, strict=True)}
        yield Exit(action, tuple((i, images[i.ref]) for i in action.inputs), _with_inputs(action, images))


def _with_inputs(action: Action, images: dict[Expr, Expr]) -> Action:
    guards = tuple(replace(g, expr=substitute(g.expr, images)) for g in action.guards)
    writes = tuple(
        replace(w, keys=tuple(substitute(k, images) for k in w.keys), value=substitute(w.value, images))
        for w in action.writes
    )
    return Action(action.name, (), guards, writes, fair=action.fair)


def _choices(asker: Asker, action: Action, input: Input, individuals: Sequence[Ref]) -> list[Expr]:
    if asker.timed and input.ref is TIME:
        return [TIME]
    if input.name in _answers(action):
        # SOUND: that a human approves is nothing that fairness of the action may promise.
        return [FALSE if isinstance(input.type, BoolType) else ZERO]
    anything = Ref(f"{action.name}:{input.name}", input.type, Space.INPUT)
    roots = [*(g.expr for g in action.guards), *(e for w in action.writes for e in (*w.keys, w.value))]
    if input.ref not in refs(*roots):
        return [anything]
    return list(dict.fromkeys([anything, *_terms(asker, action, input.type, input.ref, individuals)]))


def _answers(action: Action) -> set[str]:
    """The inputs that say whether and when somebody approved."""
    rules = {g.rule for g in action.guards if g.kind is GuardKind.APPROVE}
    return {f"{prefix}_{rule}" for rule in rules for prefix in ("approved", "asked")}


def _terms(asker: Asker, action: Action, type: Scalar, own: Ref, individuals: Sequence[Ref]) -> list[Expr]:
    guards = [g.expr for g in action.guards]
    match type:
        case BoolType():
            return [truth(True), truth(False)]
        case EnumType():
            return [case(type, c) for c in type.cases]
        case IntType():
            near = [e for e in subterms(*guards) if isinstance(e, Apply) and e.type == TRUE.type and own in refs(e)]
            seen = {int(c.value) for c in subterms(*near) if isinstance(c, Const) and isinstance(c.type, IntType)}
            return [number(n) for n in sorted({0, 1} | set(sorted(seen, key=abs)[:MOST_NUMBERS]))]
        case StringType():
            patterns = {e.args[1] for e in subterms(*guards) if isinstance(e, Apply) and e.op is Op.MATCHES}
            texts = [c for c in subterms(*guards) if isinstance(c, Const) and c.type == type and c not in patterns]
            return [string(""), *texts]
        case EntityType():
            same: list[Expr] = [x for x in individuals if x.type == type]
            named: list[Expr] = [c for c in asker.system.individuals if c.type == type]
            return [*same, *_reads(action, type, individuals), *named]


def _reads(action: Action, type: EntityType, individuals: Sequence[Ref]) -> list[Expr]:
    """Individuals that the guards look up at ours: the author of this proposal."""
    found: dict[Expr, None] = {}
    keys = [i for i in action.inputs if isinstance(i.type, EntityType)]
    reads = [
        e
        for e in subterms(*(g.expr for g in action.guards))
        if e.type == type and (_is_select(e) or (isinstance(e, Ref) and e.space is Space.STATE))
    ]
    for choice in islice(
        product(*([None, *(x for x in individuals if x.type == k.type)] for k in keys)), MOST_REQUESTS
    ):
        images: dict[Expr, Expr] = {k.ref: x for k, x in zip(keys, choice, strict=True) if x is not None}
        for read in reads:
            term = substitute(read, images)
            if not refs(term, space=Space.INPUT) and set(refs(term, space=Space.BOUND)) <= set(individuals):
                found[term] = None
    return list(found)


def _is_select(e: Expr) -> bool:
    return isinstance(e, Apply) and e.op is Op.SELECT
