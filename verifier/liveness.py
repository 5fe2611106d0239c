"""`P leads to Q` to a verdict: phases in between, each left by a fair action that in the end stays possible.

The argument: until Q one of finitely many phases holds, and they cannot follow one another in a circle; so a fair run
that avoids Q stays in one phase for ever. Then its deadlines pass, an exit becomes possible, and stays so; by fairness
it happens, and leaves the phase. See NOTE(fair-runs).
"""

from __future__ import annotations

from collections.abc import Sequence

from policydsl.core.expr import Expr, Ref, Space, free_bounds, substitute
from policydsl.core.system import Property, System
from policydsl.to_words import words
from verifier.bounded import Limits
from verifier.ground import UngroundableError
from verifier.liveness_ask import Asker, Discharge, Steps
from verifier.liveness_exits import Exit
from verifier.liveness_judge import Left, Waits, about, judge
from verifier.liveness_phases import Pending, Split, pending, splits
from verifier.liveness_stuck import Dead, Waiting, explain
from verifier.verdict import Proved, Refuted, Unknown, Verdict

LIMITS = Limits(depth=10, rlimit=1_000_000, total=20_000_000)
"""How far to look for a run that shows why there is no proof."""


def prove_leads_to(
    system: System, prop: Property, known: Sequence[Expr], discharge: Discharge, limits: Limits = LIMITS
) -> Verdict:
    """`prop` for all individuals that are free in it. `known` are invariants that have been proved."""
    asker = Asker(system, (), discharge)
    try:
        asker, found = _argue(asker, prop, known)
        if isinstance(found, Proved):
            return found
        return _explained(asker, prop, *_about(prop), found, limits)
    except UngroundableError as e:
        return Unknown(f"a quantifier or a sum stands where it cannot be handled: `{words(e.args[0])}`")


def needed_steps(system: System, prop: Property, known: Sequence[Expr], discharge: Discharge) -> tuple[Steps, ...]:
    """The steps that the proof of `prop` rests on being impossible; none if there is no proof."""
    try:
        asker, found = _argue(Asker(system, (), discharge), prop, known)
    except UngroundableError:
        return ()
    return tuple(asker.excluded) if isinstance(found, Proved) else ()


def _about(prop: Property) -> tuple[Expr, Expr, list[Ref]]:
    """What leads to what, about which individuals."""
    assert prop.goal is not None
    bounds = tuple(dict.fromkeys([*free_bounds(prop.expr), *free_bounds(prop.goal)]))
    # A name of their own, since an invariant may bind an individual of the same name.
    individuals = [Ref(f"{b.name.partition('#')[0]}#one{i}", b.type, Space.BOUND) for i, b in enumerate(bounds)]
    images: dict[Expr, Expr] = dict(zip(bounds, individuals, strict=True))
    return substitute(prop.expr, images), substitute(prop.goal, images), individuals


def _argue(alone: Asker, prop: Property, known: Sequence[Expr]) -> tuple[Asker, Proved | _Failure]:
    """Without what is known, which takes less time; else with it. Also who was asked last."""
    first = _attempt(alone, prop, *_about(prop))
    if isinstance(first, Proved) or not known:
        return alone, first
    helped = alone.helped_by(known)
    return helped, _attempt(helped, prop, *_about(prop))


class _Failure:
    """Why the phases of one way to tell them apart do not prove it."""

    def __init__(self, reason: str, waits: tuple[Waits, ...] = ()) -> None:
        self.reason = reason
        self.waits = waits


def _attempt(asker: Asker, prop: Property, given: Expr, goal: Expr, individuals: Sequence[Ref]) -> Proved | _Failure:
    if not asker.time_is_sane():
        return _Failure("the clock may run ahead of the time of requests")
    failures: list[_Failure] = []
    exits = [e for a in asker.system.actions if a.fair for e in about(a, individuals)]
    for split in splits(given, goal, exits, individuals):
        found = _by_phases(asker, prop, split, given, goal, individuals)
        if isinstance(found, Proved):
            return found
        failures.append(found)
    return failures[0]


def _by_phases(
    asker: Asker, prop: Property, split: Split, given: Expr, goal: Expr, individuals: Sequence[Ref]
) -> Proved | _Failure:
    found = pending(asker, split, given, goal)
    if not found.phases:
        return _proved(asker, prop, found, [])
    if found.cycle:
        names = ", ".join(f"`{n}`" for n in found.cycle)
        return _Failure(f"the phases {names} can follow one another for ever")
    judged = [judge(asker, p, individuals) for p in found.in_order]
    waits = tuple(j for j in judged if isinstance(j, Waits))
    if waits:
        return _Failure("; ".join(w.reason for w in waits), waits)
    return _proved(asker, prop, found, [j for j in judged if isinstance(j, Left)])


def _proved(asker: Asker, prop: Property, found: Pending, left: Sequence[Left]) -> Proved:
    if not found.phases:
        return Proved("the goal holds wherever it is asked for", _uses(asker, prop))
    exits = list(dict.fromkeys(_happens(e) for j in left for e in j.exits))
    time = ["time goes on"] if asker.timed else []
    names = ", ".join(f"`{p.name}`" for p in found.in_order)
    how = f"phase{'s' if len(found.phases) > 1 else ''} {names}, left by fair actions"
    return Proved(how, _uses(asker, prop), assumptions=(*time, *exits))


def _happens(e: Exit) -> str:
    others = [(i.name, x) for i, x in e.chosen if not (isinstance(x, Ref) and x.space is Space.BOUND)]
    choice = ", ".join(f"`{name}` = `{words(x)}`" for name, x in others)
    return f"`{e.action.name}`{f' with {choice}' if choice else ''} happens if it stays possible"


def _uses(asker: Asker, prop: Property) -> tuple[str, ...]:
    return tuple(p.name for p in asker.system.properties if p.expr in asker.needed and p.name != prop.name)


def _explained(
    asker: Asker,
    prop: Property,
    given: Expr,
    goal: Expr,
    individuals: Sequence[Ref],
    failure: _Failure,
    limits: Limits,
) -> Refuted | Unknown:
    shown: Waiting | None = None
    for waits in failure.waits:
        found = explain(asker, prop, given, goal, individuals, waits, limits)
        if isinstance(found, Dead):
            return Refuted(found.trace, waits.reason)
        shown = shown or found
    return Unknown(failure.reason, shown.trace if shown else None)
