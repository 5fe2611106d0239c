"""A bundle as it runs: a machine for each policy, and which action belongs to which."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from policydsl.core.expr import Const
from policydsl.core.system import CLOCK, NOW, Action, System
from policydsl.core.types import BoolType, IntType, Value
from policydsl.interp import EVERYONE_ELSE, UnfitError, default_value, initial, well_typed
from policydsl.state import Keys
from policydsl.trace import Cell
from runtime.bundle import Bundle, Policy
from runtime.decision import Basis, Code
from runtime.inputs import InputError, Shape, asked_of_callers, flatten, shape
from runtime.machine import Machine
from runtime.settings import Settings

REDACT = "redact"


class SettingsError(ValueError):
    """What is given does not fit the policies."""


@dataclass(slots=True)
class Running:
    """One policy and its state. It began with `cells`, which makes the rows `first`. `clock` holds the time of the last
    allowed request, under `()`; None without time."""

    policy: Policy
    machine: Machine
    cells: tuple[Cell, ...]
    first: tuple[tuple[str, Keys, Value], ...]
    clock: Mapping[Any, Any] | None

    @property
    def name(self) -> str:
        return self.policy.system.name


@dataclass(frozen=True, slots=True)
class Way:
    """What there is to know of requests for one action. `shape` is that of what callers give, and `classes` are the
    Python types of it, where all of it is scalar; `rest` are the inputs that the enforcer adds, with their values when
    nobody has answered (None: the time). `redactions` are what may have to be redacted: input, pattern, replacement.
    """

    policy: Running
    action: Action
    shape: Mapping[str, Shape]
    classes: Mapping[str, type] | None
    rest: tuple[tuple[str, Value | None], ...]
    redactions: tuple[tuple[str, str, str], ...]
    recovery: bool
    fail_open: bool

    @property
    def name(self) -> str:
        """The action with its policy."""
        return f"{self.policy.name}.{self.action.name}"

    def flat(self, given: Mapping[str, Any]) -> dict[str, Value]:
        """The inputs of the core that a request gives. Raises `InputError` for what is missing, unknown or ill-typed;
        that values are among those that their types have is left to the step."""
        classes = self.classes
        if classes is not None and given.__class__ is dict and len(given) == len(classes):
            for name, kind in classes.items():
                if name not in given or given[name].__class__ is not kind:
                    break
            else:
                return dict(given)
        if not _named(given):
            raise InputError(Code.ILL_TYPED, "the inputs are no mapping from names to values")
        return flatten(self.shape, given)

    def whole(self, flat: Mapping[str, Value], now: int, granted: Mapping[str, Value]) -> dict[str, Value]:
        """`flat` with the inputs that the enforcer adds."""
        found = dict(flat)
        for name, value in self.rest:
            found[name] = now if value is None else granted.get(name, value)
        return found


@dataclass(slots=True)
class Policies:
    """All policies of a bundle. An action is called by its name, or as `module.action` where several have it."""

    bundle: Bundle
    running: tuple[Running, ...]
    routes: Mapping[str, Way]
    basis: Basis | None

    def way(self, action: object) -> Way | None:
        """The way of an action, by whatever a caller gives as its name."""
        # Not as it is: what is only like a text may raise when it is compared.
        return self.routes.get(str.__str__(action)) if isinstance(action, str) else None

    def named(self, name: str) -> Running | None:
        return next((r for r in self.running if r.name == name), None)


def start(bundle: Bundle, settings: Settings, earlier: Iterable[str] = ()) -> Policies:
    """The policies of `bundle`, each in its initial state as `settings` has it; these may also be about `earlier` ones.
    Raises `SettingsError`."""
    names = {p.system.name for p in bundle.policies} | set(earlier)
    for what, chosen in (("given", settings.given), ("params", settings.params)):
        for name in chosen.keys() - names:
            known = ", ".join(sorted(names))
            raise SettingsError(f"`{what}` is about `{name}`, and there is no such policy; there are {known}")
    running = tuple(_run(p, settings) for p in bundle.policies)
    return Policies(bundle, running, _routes(running), basis_of(bundle))


def basis_of(bundle: Bundle) -> Basis | None:
    """What a denial rests on that none of the policies has made: all of them, in their order."""
    its = bundle.policies
    names, digests = ", ".join(p.system.name for p in its), ", ".join(p.digest for p in its)
    return Basis(names, digests, ", ".join(p.certificate for p in its), bundle.verified) if its else None


def _run(policy: Policy, settings: Settings) -> Running:
    system = policy.system
    basis = Basis(system.name, policy.digest, policy.certificate, not policy.unproved)
    params = settings.params.get(system.name)
    try:
        cells = tuple(_cells(system, settings.given.get(system.name, {})))
        machine, first = Machine(system, params, basis), initial(system, params, cells)
    except (UnfitError, TypeError, AttributeError) as error:
        raise SettingsError(f"{system.name}: {error}") from error
    if cells:
        # Not `cells` alone: running sums over what is given start with their true values.
        rows = ((v.name, keys, value) for v in system.state for keys, value in first.rows(v.name).items())
        machine.content.set(row for row in rows if EVERYONE_ELSE not in row[1])
    clock = machine.content.cells[machine.content.numbers[CLOCK]] if system.timed else None
    return Running(policy, machine, cells, tuple(machine.content.rows()), clock)


def _routes(running: tuple[Running, ...]) -> dict[str, Way]:
    routes: dict[str, Way] = {}
    plain: dict[str, int] = {}
    for r in running:
        for action in r.policy.system.actions:
            routes[f"{r.name}.{action.name}"] = routes[action.name] = _way(r, action)
            plain[action.name] = plain.get(action.name, 0) + 1
    # SOUND: a name that two policies have decides nothing, rather than one of them at random.
    return {name: found for name, found in routes.items() if plain.get(name, 1) == 1}


def _way(running: Running, action: Action) -> Way:
    system, asked = running.policy.system, asked_of_callers(action)
    scalar = not any("." in i.name for i in asked)
    kinds = {BoolType: bool, IntType: int}
    rest = [(i.name, None if i.name == NOW else default_value(i.type)) for i in action.inputs if i not in asked]
    redactions = [o.args for o in action.obligations if o.name == REDACT]
    return Way(
        running,
        action,
        shape(asked),
        {i.name: kinds.get(type(i.type), str) for i in asked} if scalar else None,
        tuple(rest),
        tuple(_constants(args) for args in redactions),
        action.name in system.recovery,
        action.name in system.fail_open,
    )


def _named(given: object) -> bool:
    return isinstance(given, Mapping) and all(isinstance(name, str) for name in given)


def _constants(args: tuple[object, ...]) -> tuple[str, str, str]:
    field, pattern, replacement = (str(a.value) if isinstance(a, Const) else "" for a in args)
    return field, pattern, replacement


def _cells(system: System, given: Mapping[str, Any]) -> Iterator[Cell]:
    free = {v.name: v for v in system.state if v.init is None}
    for name, value in given.items():
        var = free.get(name)
        if var is None:
            known = ", ".join(sorted(free)) or "none"
            raise SettingsError(f"{system.name}: `{name}` is no group or other free variable; there are: {known}")
        members = isinstance(var.type, BoolType) and not isinstance(value, Mapping | bool)
        content = dict.fromkeys(value, True) if members else value
        if not isinstance(content, Mapping):
            content = {(): content}
        for keys, cell in content.items():
            path = (keys,) if isinstance(keys, str) else tuple(keys)
            right = len(path) == len(var.keys) and all(well_typed(k, s) for k, s in zip(path, var.keys, strict=False))
            if not right or not well_typed(cell, var.type):
                raise SettingsError(f"{system.name}: `{name}` does not hold {cell!r} at {keys!r}")
            yield Cell(name, path, cell)
