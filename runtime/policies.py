"""A bundle as it runs: a machine for each policy, and which action belongs to which."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from policydsl.core.system import CLOCK, Action, System
from policydsl.core.types import BoolType
from policydsl.interp import EVERYONE_ELSE, UnfitError, initial, well_typed
from policydsl.trace import Cell
from runtime.bundle import Bundle, Policy
from runtime.decision import Basis
from runtime.machine import Machine
from runtime.settings import Settings


class SettingsError(ValueError):
    """What is given does not fit the policies."""


@dataclass(slots=True)
class Running:
    """One policy and its state. `clock` holds the time of the last allowed request, under `()`; None without time."""

    policy: Policy
    machine: Machine
    cells: tuple[Cell, ...]
    clock: Mapping[Any, Any] | None

    @property
    def name(self) -> str:
        return self.policy.system.name


@dataclass(slots=True)
class Policies:
    """All policies of a bundle. An action is called by its name, or as `module.action` where several have it."""

    bundle: Bundle
    running: tuple[Running, ...]
    routes: Mapping[str, tuple[Running, Action]]

    def named(self, name: str) -> Running | None:
        return next((r for r in self.running if r.name == name), None)


def start(bundle: Bundle, settings: Settings) -> Policies:
    """The policies of `bundle`, each in its initial state as `settings` has it. Raises `SettingsError`."""
    names = {p.system.name for p in bundle.policies}
    for what, chosen in (("given", settings.given), ("params", settings.params)):
        for name in chosen.keys() - names:
            known = ", ".join(sorted(names))
            raise SettingsError(f"`{what}` is about `{name}`, and there is no such policy; there are {known}")
    running = tuple(_run(p, settings) for p in bundle.policies)
    return Policies(bundle, running, _routes(running))


def _run(policy: Policy, settings: Settings) -> Running:
    system = policy.system
    basis = Basis(system.name, policy.digest, policy.certificate, not policy.unproved)
    params = settings.params.get(system.name)
    cells = tuple(_cells(system, settings.given.get(system.name, {})))
    try:
        machine, first = Machine(system, params, basis), initial(system, params, cells)
    except UnfitError as error:
        raise SettingsError(f"{system.name}: {error}") from error
    if cells:
        # Not `cells` alone: running sums over what is given start with their true values.
        rows = ((v.name, keys, value) for v in system.state for keys, value in first.rows(v.name).items())
        machine.content.set(row for row in rows if EVERYONE_ELSE not in row[1])
    return Running(
        policy, machine, cells, machine.content.cells[machine.content.numbers[CLOCK]] if system.timed else None
    )


def _routes(running: tuple[Running, ...]) -> dict[str, tuple[Running, Action]]:
    routes: dict[str, tuple[Running, Action]] = {}
    plain: dict[str, int] = {}
    for r in running:
        for action in r.policy.system.actions:
            routes[f"{r.name}.{action.name}"] = routes[action.name] = r, action
            plain[action.name] = plain.get(action.name, 0) + 1
    # SOUND: a name that two policies have decides nothing, rather than one of them at random.
    return {name: found for name, found in routes.items() if plain.get(name, 1) == 1}


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
