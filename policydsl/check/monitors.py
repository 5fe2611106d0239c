"""Temporal conditions to ordinary state: each becomes an expression over keyed cells that every allowed request keeps.

NOTE(history): the history of a request is the allowed requests strictly before it. Writes happen on allowed requests
only and are computed in the state before them, so at a decision a monitor knows exactly that history.
"""

from __future__ import annotations

from collections.abc import Callable

from policydsl.check.monitor_formula import abstract
from policydsl.check.monitor_patterns import EventPattern, MonitorError, Occurrence, by_cases, occurrence
from policydsl.check.monitor_since import followed, unbroken
from policydsl.check.monitor_store import Store, Update, binders, keys_of, types_of
from policydsl.check.monitor_terms import words
from policydsl.check.monitor_window import NOW_REF, Rings, positive, windowed_sum
from policydsl.core.expr import (
    FALSE,
    TRUE,
    ZERO,
    Const,
    Expr,
    add,
    conj,
    disj,
    eq,
    le,
    negate,
    number,
    select,
    sub,
)  # fmt: skip
from policydsl.core.system import Action, Input, StateVar
from policydsl.core.types import BOOL, INT, STRING, EnumType, Scalar

__all__ = ["EventPattern", "MonitorError", "Monitors"]


class Monitors:
    """Collects the monitors of one specification; equal conditions share one."""

    def __init__(self, inputs: Callable[[str], tuple[Input, ...]]) -> None:
        self._inputs = inputs
        self._store = Store()
        self._rings = Rings(self._store)

    def once(self, event: EventPattern, within: int | None, now: Expr | None) -> Expr:
        """Such an event happened, at most `within` ago."""

        def build(e: EventPattern) -> Expr:
            observed: list[Expr] = []
            return self._once(self._occurrence(e, observed), tuple(observed), within, now)

        return by_cases(event, build)

    def previously(self, event: EventPattern) -> Expr:
        """The last allowed request was such an event."""
        flag = self._flag_of_last(event.action)
        inputs = {i.name: i for i in self._inputs(event.action)}
        return conj(flag.ref, *(eq(self._input_of_last(event.action, inputs[n]).ref, e) for n, e in event.match))

    def since(
        self, what: EventPattern, event: EventPattern, negated: bool, within: int | None, now: Expr | None
    ) -> Expr:
        """`event` happened, and since the last time `what` did; or did not, when `negated`."""

        def build(w: EventPattern, e: EventPattern) -> Expr:
            observed: list[Expr] = []
            last = self._occurrence(e, observed)
            happened = self._once(last, tuple(observed), within, now)
            so = followed(self._store, self._occurrence(w, observed), last, observed)
            return conj(happened, negate(so) if negated else so)

        return by_cases(what, lambda w: by_cases(event, lambda e: build(w, e)))

    def once_state(self, phi: Expr, within: int | None, now: Expr | None) -> Expr:
        """`phi` holds, or held when an earlier request was allowed, at most `within` ago."""
        formula = abstract(phi, [])
        doc = f"whether {words(phi)} held when an earlier request was allowed"
        held = self._store.flag(f"held:{words(phi)}", ("held", formula.content), formula.observed, doc)
        keys = binders(held)
        self._store.update(held, Update(None, keys, TRUE, formula.at(keys)))
        before = select(held.ref, *formula.observed)
        if within is not None:
            doc = f"when {words(phi)} last held"
            last = self._store.number(f"held_at:{words(phi)}", ("held_at", formula.content), formula.observed, doc)
            keys = binders(last)
            self._store.update(last, Update(None, keys, NOW_REF, formula.at(keys)))
            before = conj(before, _recent(last, formula.observed, within, now))
        return disj(before, phi)

    def historically_state(self, phi: Expr, within: int | None, now: Expr | None) -> Expr:
        """`phi` holds, and held whenever an earlier request was allowed, at most `within` ago."""
        return negate(self.once_state(negate(phi), within, now))

    def previously_state(self, phi: Expr) -> Expr:
        """`phi` held when the last allowed request was decided."""
        formula = abstract(phi, [])
        text, doc = f"held_last:{words(phi)}", f"whether {words(phi)} held when the last request was allowed"
        flag = self._store.flag(text, ("held_last", formula.content), formula.observed, doc)
        keys = binders(flag)
        self._store.update(flag, Update(None, keys, formula.at(keys)))
        return select(flag.ref, *formula.observed)

    def since_state(self, phi: Expr, event: EventPattern, within: int | None, now: Expr | None) -> Expr:
        """`event` happened, and `phi` has held ever since its last time, and holds."""

        def build(e: EventPattern) -> Expr:
            observed: list[Expr] = []
            start = self._occurrence(e, observed)
            happened = self._once(start, tuple(observed), within, now)
            return conj(happened, unbroken(self._store, phi, start, observed), phi)

        return by_cases(event, build)

    def count_at_least(self, event: EventPattern, n: int, within: int | None, now: Expr | None) -> Expr:
        """At least `n` such events happened, each less than `within` ago."""
        if n <= 0:
            return TRUE

        def build(e: EventPattern) -> Expr:
            observed: list[Expr] = []
            each = self._occurrence(e, observed)
            keys, types = tuple(observed), types_of(observed)
            if within is None:
                doc = f"how often `{each}` has happened"
                var = self._store.variable(f"count:{each}", ("count", each, types), types, INT, ZERO, doc)
                at = keys_of(each, var)
                self._store.update(var, Update(each.action, at, add(select(var.ref, *at), number(1)), each.happens))
                return le(number(n), select(var.ref, *keys))
            assert now is not None
            return self._rings.at_least(each, keys, types, n, positive(within), now)

        return by_cases(event, build)

    def windowed_sum(
        self, event: EventPattern, field: str | None, within: int, now: Expr, *, least: bool = False
    ) -> Expr:
        """At least the sum of the input `field` (None: at least the number) of such events less than `within` ago; with
        `least`, at most.

        See NOTE(buckets).
        """
        amount = next((i for i in self._inputs(event.action) if i.name == field), None)

        def build(e: EventPattern) -> Expr:
            observed: list[Expr] = []
            each = self._occurrence(e, observed)
            low, high = windowed_sum(self._store, each, tuple(observed), types_of(observed), amount, within, now)
            return low if least else high

        return by_cases(event, build)

    def finish(self, actions: tuple[Action, ...]) -> tuple[tuple[StateVar, ...], tuple[Action, ...]]:
        """The state variables of all monitors, and the actions with the writes that keep them."""
        return self._store.finish(actions)

    def _occurrence(self, event: EventPattern, observed: list[Expr]) -> Occurrence:
        return occurrence(event, self._inputs(event.action), observed)

    def _once(self, event: Occurrence, observed: tuple[Expr, ...], within: int | None, now: Expr | None) -> Expr:
        seen = self._store.flag(f"once:{event}", ("once", event), observed, f"whether `{event}` has happened")
        self._store.update(seen, Update(event.action, keys_of(event, seen), TRUE, event.happens))
        happened = select(seen.ref, *observed)
        if within is None:
            return happened
        last = self._store.number(f"last:{event}", ("last", event), observed, f"when `{event}` last happened")
        self._store.update(last, Update(event.action, keys_of(event, last), NOW_REF, event.happens))
        return conj(happened, _recent(last, observed, within, now))

    def _flag_of_last(self, action: str) -> StateVar:
        doc = f"whether the last allowed request was `{action}`"
        flag = self._store.variable(f"previous:{action}", ("previous", action), (), BOOL, FALSE, doc)
        self._store.update(flag, Update(None, (), FALSE), Update(action, (), TRUE))
        return flag

    def _input_of_last(self, action: str, given: Input) -> StateVar:
        doc = f"`{given.name}` of the last `{action}`"
        text, content = f"previous:{action}.{given.name}", ("previous", action, given.name)
        var = self._store.variable(text, content, (), given.type, _default(given.type), doc)
        self._store.update(var, Update(action, (), given.ref))
        return var


def _recent(last: StateVar, keys: tuple[Expr, ...], within: int, now: Expr | None) -> Expr:
    assert now is not None
    # SOUND: no later occurrence is missed: the clock does not go back, so the last one is also the youngest.
    return le(sub(now, select(last.ref, *keys)), number(positive(within)))


def _default(type: Scalar) -> Const:
    if type == BOOL:
        return FALSE
    if type == INT:
        return ZERO
    if isinstance(type, EnumType):
        return Const(type.cases[0], type)
    return Const("", STRING if type == STRING else type)
