"""Traces to words: `at 24h vote(bob, p1, true)` and `proposer[p1]: none -> alice`, in the author's own terms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from policydsl.core.expr import Expr, Space
from policydsl.core.system import NOW, Origin, System
from policydsl.core.types import BOOL, Scalar, Value
from policydsl.expr_words import place, quoted, value_words
from policydsl.state import State, well_typed
from policydsl.times import Kind, Kinds, Measure, duration_words, kinds_of
from policydsl.trace import Cell, Change, Step


def describe_step(step: Step, system: System) -> str:
    """The request of `step`, as a test would write it."""
    inputs = dict(step.inputs)
    types = {i.name: i.type for a in system.actions if a.name == step.action for i in a.inputs}
    prefix = f"at {duration_words(int(inputs.pop(NOW)))} " if system.timed and NOW in inputs else ""
    rules = {r.rule for a in system.actions if a.name == step.action for r in a.rules if r.effect == "approve"}
    answers = {f"{word}_{r}" for r in rules for word in ("approved", "asked")}
    kinds = kinds_of(system)
    texts = {n: value_of(v, types.get(n), kinds.get((Space.INPUT, n))) for n, v in inputs.items()}
    args = _arguments({n: t for n, t in texts.items() if n not in answers}, types)
    given = [_answered(r, inputs, texts) for r in sorted(rules) if inputs.get(f"approved_{r}")]
    return f"{prefix}{step.action}({', '.join(args)})" + (f" with {', '.join(given)}" if given else "")


def _answered(rule: str, inputs: dict[str, Value], texts: dict[str, str]) -> str:
    """That a human agreed, and when that was asked for unless it was at the beginning."""
    asked = f"asked_{rule}"
    return f"{rule} approved" + (f" (asked at {texts[asked]})" if inputs.get(asked) else "")


def describe_obligation(name: str, args: tuple[Value, ...], action: str, system: System) -> str:
    """`notify(ops)`, `approve(risky, human, within 30m)`, as a rule on `action` asks for it."""
    match name, args:
        case "approve", (rule, who, int(within)):
            return f"approve({rule}, {who}, within {duration_words(within)})"
        case "redact", (str(field), str(pattern), str(replacement)):
            return f"redact({field}, {quoted(pattern)}, {quoted(replacement)})"
    known = [o for a in system.actions if a.name == action for o in a.obligations if o.name == name]
    alike = (o.args for o in known if len(o.args) == len(args) and all(map(_fits, args, o.args)))
    exprs: tuple[Expr | None, ...] = next(alike, (None,) * len(args))
    measure = Measure(kinds_of(system))
    texts = [
        str(value) if e is None or not isinstance(e.type, Scalar) else value_of(value, e.type, measure(e))
        for value, e in zip(args, exprs, strict=True)
    ]
    return f"{name}({', '.join(texts)})"


def _fits(value: Value, e: Expr) -> bool:
    return isinstance(e.type, Scalar) and well_typed(value, e.type)


def value_of(value: Value, type: Scalar | None, kind: Kind | None) -> str:
    """A value of a number that is a time or a duration if `kind` says so."""
    if type is None:
        return str(value)
    return value_words(value, type) if kind is None else duration_words(int(value))


def _arguments(inputs: dict[str, str], types: dict[str, Scalar]) -> list[str]:
    """One text for each argument as declared; what was taken apart is put together again."""
    return list(_together(inputs, types, "").values())


def _together(texts: dict[str, str], types: dict[str, Scalar], prefix: str) -> dict[str, str]:
    """The parts below `prefix`, each as a whole."""
    groups: dict[str, dict[str, str]] = {}
    for name, text in texts.items():
        base, _, rest = name.partition(".")
        groups.setdefault(base, {})[rest] = text
    return {base: _whole(parts, types, f"{prefix}{base}") for base, parts in groups.items()}


def _whole(parts: dict[str, str], types: dict[str, Scalar], name: str) -> str:
    if "" in parts:
        return parts[""]
    if parts.get("has") == "false":
        return "none"
    if "has" in parts:
        return _together({n: text for n, text in parts.items() if n != "has"}, types, f"{name}.")["value"]
    if all(types.get(f"{name}.{f}") == BOOL and f[0].isupper() for f in parts):
        return "{" + ", ".join(f for f, text in parts.items() if text == "true") + "}"
    return "(" + ", ".join(f"{f}: {text}" for f, text in _together(parts, types, f"{name}.").items()) + ")"


_HIDDEN = frozenset({Origin.CLOCK, Origin.MONITOR, Origin.GHOST})
_Where = tuple[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class _Cells:
    """How cells of `system` are written."""

    types: dict[str, Scalar]
    written: dict[str, str]
    hidden: frozenset[str]
    kinds: Kinds

    def place(self, var: str, keys: tuple[str, ...]) -> str:
        shown = tuple(k or '""' for k in keys)
        if var in self.written:
            return self.written[var].format(*shown)
        base, _, field = var.rpartition(".")
        if base and field[0].isupper():
            return f"{field} in {place(base, shown)}"
        return place(var, shown)

    def whole_place(self, option: str, keys: tuple[str, ...]) -> str:
        return self.place(f"{option}.has", keys).removesuffix(".has")

    def value(self, var: str, value: Value) -> str:
        return value_of(value, self.types[var], self.kinds.get((Space.STATE, var)))

    def option(self, var: str) -> str | None:
        """The option of which `var` is the part that says whether it is there, or its only other part."""
        base, _, field = var.rpartition(".")
        if field == "has" and any(n.startswith(f"{base}.value") for n in self.types):
            return base
        return base if field == "value" and f"{base}.has" in self.types else None

    def whole(self, option: str, part: Callable[[str], Value | None]) -> str:
        """The value of an option of which `part` tells what is known."""
        if part(f"{option}.has") is False:
            return "none"
        value = part(f"{option}.value") if f"{option}.value" in self.types else None
        return "some" if value is None else self.value(f"{option}.value", value)


@lru_cache(maxsize=16)
def _cells_of(system: System) -> _Cells:
    groups = {v.name: f"{{0}} in {v.name}" for v in system.state if v.origin is Origin.GROUP and len(v.keys) == 1}
    return _Cells(
        {v.name: v.type for v in system.state},
        groups | {v.name: v.written for v in system.state if v.written},
        frozenset(v.name for v in system.state if v.origin in _HIDDEN),
        kinds_of(system),
    )


def describe_changes(
    changes: Sequence[Change], system: System, before: State | None = None, *, everything: bool = False
) -> list[str]:
    """One text for each cell that changes. `before` tells what stays beside it: the value of an option that goes.

    The clock, monitors and running sums are left out unless `everything` is wanted.
    """
    write = _cells_of(system)
    old = {(c.var, c.keys): c.before for c in changes}
    new = {(c.var, c.keys): c.after for c in changes}

    def known(side: dict[_Where, Value], keys: tuple[str, ...]) -> Callable[[str], Value | None]:
        return lambda name: side.get((name, keys), None if before is None else before.read(name, keys))

    found: dict[str, None] = {}
    for c in changes:
        option = write.option(c.var)
        if c.var in write.hidden and not everything:
            continue
        if option is not None:
            values = [write.whole(option, known(side, c.keys)) for side in (old, new)]
            if values != ["none", "none"]:
                found[f"{write.whole_place(option, c.keys)}: {values[0]} -> {values[1]}"] = None
        else:
            values = [write.value(c.var, v) for v in (c.before, c.after)]
            found[f"{write.place(c.var, c.keys)}: {values[0]} -> {values[1]}"] = None
    return list(found)


def describe_change(change: Change, system: System) -> str:
    """`yes[p1]: 0 -> 100`"""
    return "".join(describe_changes((change,), system, everything=True))


def describe_cells(cells: Iterable[Cell], system: System, state: State | None = None) -> list[str]:
    """The cells of a start, nearly as a test would give them: `trust[s1] = 80`, `bob in Admins`.

    `state`, of which they are some cells, tells what else there is to know of an option.
    """
    write = _cells_of(system)
    values = {(c.var, c.keys): c.value for c in cells}

    def known(keys: tuple[str, ...]) -> Callable[[str], Value | None]:
        return lambda name: values.get((name, keys)) if state is None else state.read(name, keys)

    found: dict[str, None] = {}
    for (var, keys), value in values.items():
        option = write.option(var)
        where = write.place(var, keys) if option is None else write.whole_place(option, keys)
        if option is not None:
            found[f"{where} = {write.whole(option, known(keys))}"] = None
        elif " in " in where:
            found[where if value else f"not {where}"] = None
        else:
            found[f"{where} = {write.value(var, value)}"] = None
    return list(found)
