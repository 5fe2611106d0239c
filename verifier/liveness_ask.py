"""Questions about states and steps of a system to answers of both solvers: only `unsat` counts as an answer.

NOTE(fair-runs): a run goes on for ever. At each moment either a request is allowed or time passes; the time of requests
never goes back and passes every bound. A fair action, with given values of its inputs other than the time, does not
stay possible from some moment on without happening. `eventually` speaks about these runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import z3

from policydsl.core.after import after, reads
from policydsl.core.expr import (
    FALSE,
    TRUE,
    Apply,
    Const,
    Expr,
    Op,
    Ref,
    Space,
    conj,
    disj,
    eq,
    le,
    negate,
    number,
    rebuild,
    refs,
    substitute,
    subterms,
    transform,
)
from policydsl.core.system import NOW, Action, System
from policydsl.core.types import INT, EnumType
from verifier.ground import UngroundableError, ground
from verifier.induction import Obligation, parameters
from verifier.solve import Answer, values
from verifier.to_smt import script, symbol

TIME = Ref(NOW, INT, Space.INPUT)
"""The present moment; where a step is spoken of, the moment of the step."""
LATER = Ref("later!", INT, Space.INPUT)
"""Any moment after the step."""

WAY = Ref("way!", INT, Space.INPUT)
"""Tells options apart that are explored together."""

Discharge = Callable[[Obligation], Answer]


def primed(e: Expr) -> Expr:
    """`e` over the state after a step."""
    return transform(e, lambda r: Ref(r.name, r.type, Space.NEXT) if isinstance(r, Ref) and _is_state(r) else None)


def _is_state(r: Ref) -> bool:
    return r.space is Space.STATE


@dataclass(frozen=True, slots=True)
class Steps:
    """Steps of `actions` from a state with `before`, as far as they satisfy `link`."""

    actions: tuple[Action, ...]
    before: Expr
    link: Expr


class Asker:
    """Asks about `system`, with `known` invariants where they are needed. Remembers what it asked, and what it needed.

    `excluded` are the steps that were shown to be impossible, but for those of a single action of the system: these
    are asked about to sort actions, and nothing rests on them.

    All references that are free in a question stand for any values, so what is never so is never so for any of them.
    """

    def __init__(self, system: System, known: Sequence[Expr], discharge: Discharge) -> None:
        self.system = system
        self.needed: dict[Expr, None] = {}
        self.excluded: dict[Steps, None] = {}
        self._known = [k for k in known if not _has_sum(k)]
        self._discharge = discharge
        self._answers: dict[str, bool] = {}
        self._context = z3.Context()
        self._after: dict[str, dict[Expr, Expr]] = {}
        self._clock = next((v.ref for v in system.state if v.origin.value == "clock"), None)

    def helped_by(self, known: Sequence[Expr]) -> Asker:
        """The same, with what it has learnt so far and these invariants."""
        helped = Asker(self.system, known, self._discharge)
        helped._answers = self._answers
        return helped

    @property
    def timed(self) -> bool:
        return self._clock is not None

    def is_clock(self, e: Expr) -> bool:
        return e is self._clock

    def present(self) -> Expr:
        """What is true of the present moment in every state of a run, once time has begun."""
        return conj() if self._clock is None else le(self._clock, TIME)

    def time_is_sane(self) -> bool:
        """The clock never shows more than the present, so that `present` holds for ever once it does."""
        if self._clock is None:
            return True
        later = primed(self._clock)
        # SOUND: `present` is used of every moment; it rests on this and on time passing the clock's first value.
        return self.no_step("the clock is not ahead", conj(), negate(disj(le(later, TIME), eq(later, self._clock))))

    def never(self, what: str, *facts: Expr) -> bool:
        """No reachable state satisfies `facts`."""
        return self._impossible(what, [conj(*facts)])

    def no_step(self, what: str, before: Expr, link: Expr, action: Action | None = None) -> bool:
        """No allowed step, and no passing of time, is from a reachable state with `before` and satisfies `link`, which
        reads the state after the step through `NEXT`. With `action`: no step of that one."""
        if not self._impossible(what, [self._case(action, before, link)] if action else self._cases(before, link)):
            return False
        self._exclude(before, link, action)
        return True

    def which(self, what: str, before: Expr, options: Sequence[Expr]) -> list[int]:
        """Which of `options` may hold in a reachable state with `before`: all that are not shown to be impossible."""
        return self._ways(what, options, lambda option: [conj(before, option)])

    def which_steps(self, what: str, before: Expr, links: Sequence[Expr]) -> list[int]:
        """Which of `links` some step from `before` may satisfy; see `no_step`."""
        found = self._ways(what, links, lambda link: self._cases(before, link))
        self._exclude(before, disj(*(link for i, link in enumerate(links) if i not in found)))
        return found

    def _exclude(self, before: Expr, link: Expr, action: Action | None = None) -> None:
        if action not in self.system.actions:
            actions = self._moving(link) if action is None else [action]
            self.excluded[Steps(tuple(actions), before, link)] = None

    def _ways(self, what: str, options: Sequence[Expr], cases: Callable[[Expr], list[Expr]]) -> list[int]:
        marked = disj(*(conj(eq(WAY, number(i)), option) for i, option in enumerate(options)))
        likely = self._models(cases(marked)) if options else frozenset()
        ruled_out = [i for i in range(len(options)) if likely is not None and i not in likely]
        # SOUND: Z3 alone has only sorted them: what is left out is shown to be impossible as everything else is.
        if self._impossible(what, cases(disj(*(options[i] for i in ruled_out)))):
            return [i for i in range(len(options)) if i not in ruled_out]
        return [i for i, option in enumerate(options) if not self._impossible(f"{what} ({i})", cases(option))]

    def _models(self, cases: Sequence[Expr]) -> frozenset[int] | None:
        """The values of `WAY` in models of `cases`."""
        possible = _possible(cases)
        named = reads(*possible)
        text = self._text(possible, [k for k in self._known if reads(k) & named])
        return values(text, symbol(WAY)[1:-1], self._context)

    def _cases(self, before: Expr, link: Expr) -> list[Expr]:
        # SOUND: the last stands for time passing and for all actions that write nothing which `link` reads.
        passing = conj(before, given(before, after(link, (), Space.NEXT)))
        return [*(self._case(a, before, link) for a in self._moving(link)), passing]

    def _moving(self, link: Expr) -> list[Action]:
        """The actions that write what `link` reads after the step."""
        touched = {r.name for r in refs(link, space=Space.NEXT)}
        return [a for a in self.system.actions if any(w.var in touched for w in a.writes)]

    def _case(self, action: Action, before: Expr, link: Expr) -> Expr:
        apart: dict[Expr, Expr] = {
            i.ref: Ref(f"{action.name}.{i.name}", i.type, Space.INPUT)
            for i in action.inputs
            if not (self.timed and i.ref is TIME)
        }
        memo = self._after.setdefault(action.name, {}) if action in self.system.actions else None
        step = substitute(conj(action.allowed, after(link, action.writes, Space.NEXT, memo)), apart)
        return conj(before, given(before, step))

    def _impossible(self, what: str, cases: Sequence[Expr]) -> bool:
        cases = _possible(cases)
        if not cases or self._unsatisfiable(what, cases, ()):
            return True
        named = reads(*cases)
        relevant = [k for k in self._known if reads(k) & named]
        if relevant and self._unsatisfiable(what, cases, relevant):
            self.needed.update(dict.fromkeys(relevant))
            return True
        return False

    def _text(self, cases: Sequence[Expr], known: Sequence[Expr]) -> str:
        main = disj(*(_apart(i, case, ground([case, *known], strict=True)) for i, case in enumerate(cases)))
        return script([main, *parameters(self.system, [main])])

    def _unsatisfiable(self, what: str, cases: Sequence[Expr], known: Sequence[Expr]) -> bool:
        text = self._text(cases, known)
        found = self._answers.get(text)
        if found is None:
            # SOUND: anything but `unsat`, found by both solvers, leaves the possibility open.
            found = self._answers[text] = self._discharge(Obligation(what, text)) is Answer.UNSAT
        return found


def _possible(cases: Sequence[Expr]) -> list[Expr]:
    for c in cases:
        if _has_sum(c):
            raise UngroundableError(c)
    return [c for c in cases if c is not FALSE]


def given(before: Expr, e: Expr) -> Expr:
    """What remains of `e` where `before` holds, which may say what some terms with few values are."""
    values: dict[Expr, Expr] = {}
    for part in before.args if isinstance(before, Apply) and before.op is Op.AND else (before,):
        values[part] = TRUE
        values[negate(part)] = FALSE
        if (sides := _sides(part)) is not None:
            values[sides[0]] = sides[1]

    # SOUND: equals are put for equals, beside the formula that says that they are equal.
    def fold(t: Expr) -> Expr:
        found = values.get(t)
        if found is None:
            if not isinstance(t, Apply):
                return t
            if (sides := _sides(t)) is not None:
                found = _equal(fold(sides[0]), sides[1])
            else:
                args = tuple([fold(a) for a in t.args])
                found = t if args == t.args else rebuild(t.op, args, t.type)
            values[t] = found
        return found

    return fold(e)


def _sides(e: Expr) -> tuple[Expr, Const] | None:
    """The term and the case, if `e` says that a term is a certain case of an enumeration."""
    if not isinstance(e, Apply) or e.op is not Op.EQ or not isinstance(e.args[0].type, EnumType):
        return None
    a, b = e.args
    if isinstance(b, Const):
        return a, b
    return (b, a) if isinstance(a, Const) else None


def _equal(e: Expr, value: Const) -> Expr:
    if isinstance(e, Apply) and e.op is Op.ITE:
        c, a, b = e.args
        return disj(conj(c, _equal(a, value)), conj(negate(c), _equal(b, value)))
    return eq(e, value)


def _has_sum(e: Expr) -> bool:
    return any(isinstance(t, Apply) and t.op is Op.SUM for t in subterms(e))


def _apart(index: int, case: Expr, parts: Iterable[Expr]) -> Expr:
    """The witnesses that grounding named, renamed so that those of several cases cannot meet in one script."""
    whole = conj(*parts)
    own = set(refs(case, space=Space.BOUND))
    images: dict[Expr, Expr] = {
        r: Ref(f"{r.name}@{r.type}{index}", r.type, Space.BOUND) for r in refs(whole, space=Space.BOUND) if r not in own
    }
    return substitute(whole, images)
