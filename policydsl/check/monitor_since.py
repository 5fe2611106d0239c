"""The two forms of `since` to flags, or to numbers of steps where a flag would be kept for pairs of one sort."""

from __future__ import annotations

from policydsl.check.monitor_formula import abstract
from policydsl.check.monitor_patterns import Occurrence
from policydsl.check.monitor_store import Store, Update, binders, keys_of, repeated, types_of
from policydsl.check.monitor_terms import words
from policydsl.core.expr import FALSE, TRUE, Expr, add, conj, le, lt, negate, number, select
from policydsl.core.system import StateVar
from policydsl.core.types import INT

Observed = list[Expr]


def followed(store: Store, later: Occurrence, last: Occurrence, observed: Observed) -> Expr:
    """Whether `later` has happened after the last `last`; both are about some of the `observed`."""
    for event in (later, last):
        if repeated(types_of([e for i, e in enumerate(observed) if event.at(i) is None])):
            return lt(_step_of(store, last, observed), _step_of(store, later, observed))
    text, doc = f"after:{later}/{last}", f"whether `{later}` has happened after the last `{last}`"
    flag = store.flag(text, ("after", later, last), observed, doc)
    # SOUND: a request that is both starts anew: what happened with it did not happen after it.
    store.update(
        flag,
        Update(later.action, keys_of(later, flag), TRUE, later.happens),
        Update(last.action, keys_of(last, flag), FALSE, last.happens),
    )
    return select(flag.ref, *observed)


def unbroken(store: Store, phi: Expr, start: Occurrence, observed: Observed) -> Expr:
    """Whether `phi` held when each request after the last `start` was decided, provided that `start` has happened.

    The individuals of `phi` are added to the `observed`.
    """
    formula = abstract(phi, observed)
    if repeated(types_of(observed)):
        return le(_step_of_failure(store, phi), _step_of(store, start, observed))
    text, doc = f"since:{words(phi)}/{start}", f"whether {words(phi)} has held since the last `{start}`"
    flag = store.flag(text, ("since", formula.content, start), observed, doc)
    keys = binders(flag)
    store.update(
        flag,
        Update(None, keys, conj(select(flag.ref, *keys), formula.at(keys))),
        Update(start.action, keys_of(start, flag), TRUE, start.happens),
    )
    return select(flag.ref, *observed)


def _steps(store: Store) -> StateVar:
    """The number of the step that is being taken; the first one is number 1."""
    steps = store.variable("steps", "steps", (), INT, number(1), "how many requests have been allowed, and one")
    store.update(steps, Update(None, (), add(steps.ref, number(1))))
    return steps


def _step_of(store: Store, event: Occurrence, observed: Observed) -> Expr:
    """The number of the last step that was such an event; 0 if none was."""
    own = sorted({slot for _, slot in event.slots})
    event = Occurrence(event.action, event.filters, tuple((i, own.index(slot)) for i, slot in event.slots))
    exprs = [observed[slot] for slot in own]
    var = store.number(f"step:{event}", ("step", event), exprs, f"the number of the last step that was `{event}`")
    store.update(var, Update(event.action, keys_of(event, var), _steps(store).ref, event.happens))
    return select(var.ref, *exprs)


def _step_of_failure(store: Store, phi: Expr) -> Expr:
    """The number of the last step before which `phi` did not hold; 0 if there is none."""
    formula = abstract(phi, [])
    text, doc = f"broken:{words(phi)}", f"the number of the last step before which {words(phi)} did not hold"
    var = store.number(text, ("broken", formula.content), formula.observed, doc)
    keys = binders(var)
    store.update(var, Update(None, keys, _steps(store).ref, negate(formula.at(keys))))
    return select(var.ref, *formula.observed)
