"""Invariant inference: a claim that is not inductive to a lemma that is and that implies it.

Track few variables first and widen along the cone of influence while the answer is an abstract counterexample. Spacer
proposes; induction, asked of both solvers, disposes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from policydsl.core.after import reads
from policydsl.core.expr import TRUE, Expr
from policydsl.core.system import Origin, System
from policydsl.core.types import BoolType, EntityType, EnumType, StringType, Type
from verifier import spacer
from verifier.cells import UnsupportedError
from verifier.guesses import guess
from verifier.horn import Problem, TooBigError, lemmas, problem, split_foralls
from verifier.induction import Obligation, entails_obligation, init_obligation, near, step_obligation, written_from
from verifier.solve import Answer
from verifier.used_once import with_fresh_things

Discharge: TypeAlias = Callable[[Obligation], Answer]
Propose: TypeAlias = Callable[[Problem, int], Expr | spacer.Failure]


UNNAMED = {Origin.CLOCK: "the time", Origin.MONITOR: "what is remembered of the past", Origin.GHOST: "the sums"}
"""How reasons speak of the variables to which no policy has given a name."""


@dataclass(frozen=True, slots=True)
class Inferred:
    """Lemmas that are inductive together and imply the claim, or make it inductive with them; with the obligations that
    say so, all discharged."""

    lemmas: tuple[Expr, ...]
    obligations: tuple[Obligation, ...]
    with_known: bool


@dataclass(frozen=True, slots=True)
class Attempt:
    tracked: frozenset[str]
    extra: tuple[EntityType, ...] = ()
    options: int = 0
    all_facts: bool = False


def infer(
    system: System,
    name: str,
    goal: Expr,
    known: Sequence[Expr],
    discharge: Discharge,
    propose: Propose,
) -> Inferred | str:
    """Lemmas for `goal`, or what was tried in vain."""
    failures: list[str] = []
    for number, attempt in enumerate(_attempts(system, goal)):
        if number == 1 and (guessed := guess(system, goal, known)) is not None:
            inferred = _checked(system, name, guessed, goal, known, discharge)
            if inferred is not None:
                return inferred
        try:
            clauses = problem(system, goal, attempt.tracked, known, attempt.extra, all_facts=attempt.all_facts)
        except TooBigError:
            failures.append(f"{len(attempt.tracked)} variables make too many cases")
            continue
        except UnsupportedError:
            return "the property has a quantifier under another; such lemmas are not searched for"
        candidate = propose(clauses, attempt.options)
        if isinstance(candidate, spacer.Failure):
            failures.append(f"tracking {_named(system, attempt.tracked)}: {candidate.value}")
            continue
        for found in lemmas(clauses, candidate):
            inferred = _checked(system, name, [found], goal, known, discharge)
            if inferred is not None:
                return inferred
        failures.append(f"tracking {_named(system, attempt.tracked)}: the candidate did not check")
    fresh = with_fresh_things(system, name, goal, known, discharge)
    if fresh is not None:
        return Inferred(*fresh, bool(known))
    return "; ".join(dict.fromkeys(failures)) or "no lemma found"


def _checked(
    system: System, name: str, found: Sequence[Expr], goal: Expr, known: Sequence[Expr], discharge: Discharge
) -> Inferred | None:
    """`found`, if both solvers agree that they are lemmas for `goal`."""
    for helpers in ([], known):  # most lemmas stand on their own, and short obligations are quick
        obligations = certify(system, name, found, goal, helpers)
        if all(discharge(o) is Answer.UNSAT for o in obligations):
            return Inferred(tuple(found), tuple(obligations), bool(helpers))
    return None


def _named(system: System, tracked: frozenset[str]) -> str:
    """The variables as the policy calls them; what remembers the past and what counts is called so, once."""
    own = [v for v in system.state if v.name in tracked]
    plain = {v.name.split(".")[0] for v in own if v.origin in (Origin.DECLARED, Origin.GROUP)}
    more = [what for origin, what in UNNAMED.items() if any(v.origin is origin for v in own)]
    return ", ".join([*sorted(plain), *more])


def certify(system: System, name: str, found: Sequence[Expr], goal: Expr, known: Sequence[Expr]) -> list[Obligation]:
    """What must be discharged for all of `found` to be invariants that imply `goal`, given invariants `known`."""
    obligations = [entails_obligation(system, f"{name}: follows from the lemma", [*found, *known], goal)]
    for lemma in found:
        if lemma is not TRUE:
            # SOUND: each is kept if all hold before, and all hold at first: so all hold always.
            others = [o for o in found if o is not lemma]
            obligations.append(init_obligation(system, f"lemma of {name}", lemma))
            step = step_obligation(system, f"lemma of {name}", lemma, [*others, *known])
            obligations += [step] if step else []
    return obligations


def _attempts(system: System, goal: Expr) -> Iterator[Attempt]:
    base = _trackable(system, reads(goal))
    seen: set[Attempt] = set()

    def new(attempt: Attempt) -> Iterator[Attempt]:
        if attempt not in seen:
            seen.add(attempt)
            yield attempt

    bounds, _ = split_foralls(goal)
    sorts = {b.type for b in bounds}
    yield from new(Attempt(base))
    phases = base | {
        v
        for v in _trackable(system, near(system, base))
        if isinstance(system.variable(v).type, (EnumType, BoolType)) and set(system.variable(v).keys) <= sorts
    }
    yield from new(Attempt(phases))
    counted = base | _trackable(system, written_from(system, base))
    yield from new(Attempt(counted, _missing(system, counted, sorts)[:2]))
    wide = phases
    for _ in range(3):
        wide = wide | {v for v in _trackable(system, near(system, wide)) if set(system.variable(v).keys) <= sorts}
        yield from new(Attempt(wide))
    yield from new(Attempt(wide, all_facts=True))
    yield from new(Attempt(wide, options=1))
    cone = base
    for _ in range(4):
        cone = cone | _trackable(system, near(system, cone))
    missing = _missing(system, cone, sorts)
    yield from new(Attempt(cone, missing[:2]))
    if len(missing) == 1:
        yield from new(Attempt(cone, missing * 2))


def _missing(system: System, names: frozenset[str], sorts: Collection[Type]) -> tuple[EntityType, ...]:
    """The sorts of the keys of `names` that are not among `sorts`."""
    return tuple(dict.fromkeys(k for v in sorted(names) for k in system.variable(v).keys if k not in sorts))


def _trackable(system: System, names: frozenset[str]) -> frozenset[str]:
    return frozenset(n for n in names if not isinstance(system.variable(n).type, StringType))
