"""What monitors remember and how it changes: updates of keyed cells, turned into state variables and writes."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import cast

from policydsl.check.monitor_patterns import MonitorError, Occurrence
from policydsl.check.monitor_terms import after
from policydsl.core.expr import FALSE, TRUE, ZERO, Const, Expr, Ref, Space, ite
from policydsl.core.system import Action, Origin, StateVar, Write
from policydsl.core.types import BOOL, INT, EntityType, Scalar, Type


@dataclass(frozen=True, slots=True)
class Update:
    """In `action` (None: in every action), where `condition` holds, the cell at `keys` becomes `value`.

    `keys` are inputs of the action, or binders, over all of whose values the update goes.
    """

    action: str | None
    keys: tuple[Ref, ...]
    value: Expr
    condition: Expr = TRUE


class Store:
    """State variables by content, each with its updates; a later update of a cell sees the earlier ones."""

    def __init__(self) -> None:
        self._variables: dict[Hashable, StateVar] = {}
        self._names: set[str] = set()
        self._updates: dict[str, tuple[Update, ...]] = {}

    def variable(
        self, text: str, content: Hashable, keys: tuple[EntityType, ...], type: Scalar, init: Const, doc: str
    ) -> StateVar:
        """The variable for `content`: the same for the same content, else a new one whose name is made from `text`."""
        found = self._variables.get(content)
        if found is None:
            wanted = text.replace("|", "_").replace("\\", "_")
            name, copies = wanted, 1
            while name in self._names:
                copies += 1
                name = f"{wanted}#{copies}"
            self._names.add(name)
            found = self._variables[content] = StateVar(name, keys, type, init, Origin.MONITOR, doc)
        return found

    def flag(self, text: str, content: tuple[object, ...], observed: Sequence[Expr], doc: str) -> StateVar:
        """A Boolean for each choice of the observed individuals, false at first."""
        types = types_of(observed)
        return self.variable(text, (*content, types), types, BOOL, FALSE, _each(doc, types))

    def number(self, text: str, content: tuple[object, ...], observed: Sequence[Expr], doc: str) -> StateVar:
        """An integer for each choice of the observed individuals, 0 at first."""
        types = types_of(observed)
        return self.variable(text, (*content, types), types, INT, ZERO, _each(doc, types))

    def update(self, var: StateVar, *updates: Update) -> None:
        """Say how `var` changes; what was said before is replaced."""
        for update in updates:
            sorts = [k.type for k in update.keys if k.space is Space.BOUND]
            if repeated(sorts):
                raise MonitorError(
                    "E554",
                    f"the past is not kept for everyone of {' and '.join(map(str, sorts))} at once",
                    "ask for the past of an action that names both, or of a formula about one of them",
                )
        self._updates[var.name] = updates

    def finish(self, actions: tuple[Action, ...]) -> tuple[tuple[StateVar, ...], tuple[Action, ...]]:
        """All variables, and the actions with the writes that keep them."""
        return tuple(self._variables.values()), tuple(replace(a, writes=a.writes + self._writes(a)) for a in actions)

    def _writes(self, action: Action) -> tuple[Write, ...]:
        writes: list[Write] = []
        for var in self._variables.values():
            own: list[Write] = []
            for update in self._updates.get(var.name, ()):
                if update.action in (None, action.name):
                    # SOUND: where the condition fails the cell keeps what the updates before this one made of it,
                    # not its old value: the keys of two events of one action may be the same individual.
                    value = ite(update.condition, update.value, after(own, var.ref, update.keys))
                    binders = tuple(k for k in update.keys if k.space is Space.BOUND)
                    own.append(Write(var.name, update.keys, value, binders))
            writes += own
        return tuple(writes)


def types_of(observed: Sequence[Expr]) -> tuple[EntityType, ...]:
    return tuple(cast(EntityType, e.type) for e in observed)


def repeated(sorts: Sequence[Type]) -> bool:
    """Whether an update over all values of these sorts would go over pairs of one sort, which the core does not do."""
    return len(set(sorts)) < len(sorts)


def _each(doc: str, types: tuple[EntityType, ...]) -> str:
    return f"{doc}, for each {' and '.join(map(str, types))}" if types else doc


def binders(var: StateVar) -> tuple[Ref, ...]:
    """One binder for each key of `var`, named after it so that no other term binds the same name."""
    return tuple(Ref(f"{var.name}.{i}", key, Space.BOUND) for i, key in enumerate(var.keys))


def keys_of(event: Occurrence, var: StateVar) -> tuple[Ref, ...]:
    """Where `event` updates `var`: at its own inputs, and at all values of the keys that it does not mention."""
    return tuple(event.at(i) or binder for i, binder in enumerate(binders(var)))
