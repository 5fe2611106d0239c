"""Traces to words: `at 24h vote(bob, p1, true)` and `proposer[p1]: none -> alice`, in the author's own terms."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from policydsl.core.system import NOW, Origin, System
from policydsl.core.types import BOOL, BoolType, Scalar, Value
from policydsl.expr_words import place, value_words
from policydsl.state import State
from policydsl.trace import Cell, Change, Step

_UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"))


def duration_words(milliseconds: int) -> str:
    """In the largest unit that divides it; a single day is `24h`."""
    for size, unit in _UNITS:
        if milliseconds and milliseconds % size == 0 and not (unit == "d" and milliseconds == size):
            return f"{milliseconds // size:_}{unit}"
    return f"{milliseconds:_}ms" if milliseconds else "0s"


def describe_step(step: Step, system: System) -> str:
    """The request of `step`, as a test would write it."""
    inputs = dict(step.inputs)
    types = {i.name: i.type for a in system.actions if a.name == step.action for i in a.inputs}
    prefix = f"at {duration_words(int(inputs.pop(NOW)))} " if system.timed and NOW in inputs else ""
    rules = {r.rule for a in system.actions if a.name == step.action for r in a.rules if r.effect == "approve"}
    answers = {f"{word}_{r}" for r in rules for word in ("approved", "asked")}
    args = _arguments({n: v for n, v in inputs.items() if n not in answers}, types)
    given = [f"{n} = {_plain(v, types.get(n))}" for n, v in inputs.items() if n in answers and v]
    return f"{prefix}{step.action}({', '.join(args)})" + (f" with {', '.join(given)}" if given else "")


def _plain(value: Value, type: Scalar | None) -> str:
    return str(value) if type is None else value_words(value, type)


def _arguments(inputs: dict[str, Value], types: dict[str, Scalar]) -> list[str]:
    """One text for each argument as declared; what was taken apart is put together again."""
    groups: dict[str, dict[str, str]] = {}
    flags: dict[str, bool] = {}
    for name, value in inputs.items():
        base, _, field = name.partition(".")
        groups.setdefault(base, {})[field] = _plain(value, types.get(name))
        flags[base] = flags.get(base, True) and types.get(name) == BOOL
    found = []
    for base, fields in groups.items():
        if fields.keys() == {"has", "value"}:
            found.append(fields["value"] if fields["has"] == "true" else "none")
        elif "" in fields:
            found.append(fields[""])
        elif flags[base]:
            found.append("{" + ", ".join(f for f, v in fields.items() if v == "true") + "}")
        else:
            found.append("(" + ", ".join(f"{f}: {v}" for f, v in fields.items()) + ")")
    return found


_HIDDEN = frozenset({Origin.CLOCK, Origin.MONITOR, Origin.GHOST})


def describe_changes(
    changes: Sequence[Change], system: System, before: State | None = None, *, everything: bool = False
) -> list[str]:
    """One text for each cell that changes. `before` tells what stays beside it: the value of an option that goes.

    The clock, monitors and running sums are left out unless `everything` is wanted.
    """
    types = {v.name: v.type for v in system.state}
    options = _options(types)
    by_cell = {(c.var, c.keys): c for c in changes}
    found: dict[str, None] = {}
    for c in changes:
        if system.variable(c.var).origin in _HIDDEN and not everything:
            continue
        option = c.var.rpartition(".")[0]
        if option in options:
            old, new = (_option(option, c.keys, by_cell, before, types, side) for side in (_before, _after))
            found[f"{place(option, c.keys)}: {old} -> {new}"] = None
        else:
            old, new = value_words(c.before, types[c.var]), value_words(c.after, types[c.var])
            found[f"{place(c.var, c.keys)}: {old} -> {new}"] = None
    return list(found)


def describe_change(change: Change, system: System) -> str:
    """`yes[p1]: 0 -> 100`"""
    return "".join(describe_changes((change,), system, everything=True))


def describe_cells(cells: Sequence[Cell], system: System) -> list[str]:
    """The cells of a start, as a test would give them: `trust[s1] = 80`."""
    types = {v.name: v.type for v in system.state}
    options = _options(types)
    values = {(c.var, c.keys): c.value for c in cells}
    found: dict[str, None] = {}
    for c in cells:
        option = c.var.rpartition(".")[0]
        if option in options:
            has = values.get((f"{option}.has", c.keys), True)
            value = values.get((f"{option}.value", c.keys))
            type = types[f"{option}.value"]
            text = "none" if not has else "some" if value is None else value_words(value, type)
            found[f"{place(option, c.keys)} = {text}"] = None
        else:
            found[f"{place(c.var, c.keys)} = {value_words(c.value, types[c.var])}"] = None
    return list(found)


def _options(types: dict[str, Scalar]) -> set[str]:
    bases = {n.removesuffix(".has") for n, t in types.items() if n.endswith(".has") and isinstance(t, BoolType)}
    return {b for b in bases if f"{b}.value" in types}


def _before(c: Change) -> Value:
    return c.before


def _after(c: Change) -> Value:
    return c.after


def _option(
    option: str,
    keys: tuple[str, ...],
    changes: dict[tuple[str, tuple[str, ...]], Change],
    before: State | None,
    types: dict[str, Scalar],
    side: Callable[[Change], Value],
) -> str:
    def part(name: str) -> Value | None:
        change = changes.get((name, keys))
        if change is not None:
            return side(change)
        return None if before is None else before.read(name, keys)

    if part(f"{option}.has") is False:
        return "none"
    value = part(f"{option}.value")
    return "some" if value is None else value_words(value, types[f"{option}.value"])
