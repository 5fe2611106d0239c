"""One action of the core to the Python text of four functions over arrays, and what is needed to call them.

`judge(i8, now, ...columns)` says of each guard where it holds; `cells(...)` gives the cells of each group (see
`population_order`); `values(...)` gives what the rows handed in would write, and where. `single(i8, now, ...)` decides
one request and does what it writes: its answer is the number of the first guard that fails, or -1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from policydsl.core.expr import TRUE, Apply, Expr, Ref, Space, refs, subterms, total
from policydsl.core.system import NOW, Action, Effect, Guard, GuardKind, Input, System, Write
from policydsl.core.types import INT, EntityType, IntType, StringType
from runtime.columns_decide import EFFECTS
from runtime.population_bounds import Analysis, Bounds, is_number
from runtime.population_cells import LARGEST, Cells, Layout, UnsupportedError
from runtime.population_code import ArrayBlock
from runtime.population_order import Order, order
from runtime.to_python import QUANTIFIERS, Names


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """How requests of `action` are decided.

    `guards` are in order of evaluation; `effects` has the code of the effect when one of them is the first to fail, and
    last that when none does. `order` is None where rows are done one by one: `bulk` says that this is because of what
    allowed ones write, so that a column can be judged. `numbers` are the variables and inputs that are numbers.
    """

    action: Action
    guards: tuple[Guard, ...]
    effects: NDArray[np.uint8]
    inputs: tuple[Input, ...]
    order: Order | None
    bulk: bool
    text: str
    number: int
    roots: tuple[Expr, ...]
    numbers: tuple[Ref, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Compiled:
    """All that populations of one system share. `begin` is the number of the function that sums up what a start gives
    to sums."""

    layout: Layout
    plans: tuple[Plan, ...]
    spare: Mapping[EntityType, int]
    source: str
    code: CodeType
    constants: Mapping[str, object]
    begin: int


@lru_cache(maxsize=16)
def compiled(system: System) -> Compiled:
    """Raises `UnsupportedError` for a policy that cannot be decided for a population."""
    for v in system.state:
        if isinstance(v.type, StringType):
            raise UnsupportedError(f"`{v.name}` holds texts, which a population does not store")
    layout = Layout(system)
    refs = {Ref(NOW, INT, Space.INPUT): NOW, **{p.ref: f"p{i}" for i, p in enumerate(system.params)}}
    names = Names(refs, lambda v, _: f"f{layout.numbers[v.name]}.item(0)", _unused)
    begin = Action("", (), (), tuple(Write(s.var, s.keys, total(s.bound, s.body), s.keys) for s in system.sums))
    plans = tuple(_plan(system, a, n, layout, names) for n, a in enumerate((*system.actions, begin)))
    source = "\n".join(p.text for p in plans)
    # The text is made of names that are chosen here and of `repr`s of values; nothing in it comes from a request.
    code = compile(source, f"<{system.name}>", "exec")
    return Compiled(layout, plans[:-1], nesting(system), source, code, names.constants, len(system.actions))


def _plan(system: System, action: Action, number: int, layout: Layout, names: Names) -> Plan:
    """The plan of an action. What its text refers to is added to the constants of `names`."""
    kinds = list(GuardKind)
    guards = tuple(sorted(action.guards, key=lambda g: kinds.index(g.kind)))
    codes = [EFFECTS.index(Effect.PENDING if g.kind is GuardKind.APPROVE else Effect.DENY) for g in guards]
    inputs = tuple(i for i in action.inputs if i.name != NOW)
    roots = [*(g.expr for g in guards), *(e for w in action.writes for e in (*w.keys, w.value))]
    slow = any(isinstance(e, Apply) and e.op in QUANTIFIERS for e in subterms(*(g.expr for g in guards)))
    bulk = any(w.binders for w in action.writes) or any(
        isinstance(e, Apply) and e.op in QUANTIFIERS for e in subterms(*roots)
    )
    how = None if slow or bulk else order(action, system.state)
    writer = _Writer(action, number, guards, inputs, layout, names)
    lines = writer.single()
    if not slow:
        lines += writer.judge()
    if how is not None:
        lines += writer.cells_of(how) + writer.values(how)
    stored = [p.value for put in how.puts for p in put.parts] if how else []
    return Plan(
        action, guards, np.array([*codes, EFFECTS.index(Effect.ALLOW)], np.uint8), inputs, how, bulk and not slow,
        "\n".join(lines), number, (*roots, *stored), _numbers(roots),
    )  # fmt: skip


def nesting(system: System) -> dict[EntityType, int]:
    """How many individuals of each sort that occur nowhere quantifiers can tell apart from one such."""
    found: dict[EntityType, int] = {}

    def depths(e: Expr, memo: dict[Expr, dict[EntityType, int]]) -> dict[EntityType, int]:
        if not isinstance(e, Apply):
            return {}
        if e not in memo:
            deepest: dict[EntityType, int] = {}
            for a in e.args:
                for sort, depth in depths(a, memo).items():
                    deepest[sort] = max(deepest.get(sort, 0), depth)
            if e.op in QUANTIFIERS:
                _one_more(deepest, e.args[0])
            memo[e] = deepest
        return dict(memo[e])

    memo: dict[Expr, dict[EntityType, int]] = {}
    for a in system.actions:
        for e, binders in [*((g.expr, ()) for g in a.guards), *((w.value, w.binders) for w in a.writes)]:
            deepest = depths(e, memo)
            for b in binders:
                _one_more(deepest, b)
            for sort, depth in deepest.items():
                found[sort] = max(found.get(sort, 0), depth - 1)
    return found


def _one_more(depths: dict[EntityType, int], bound: Expr) -> None:
    assert isinstance(bound.type, EntityType)
    depths[bound.type] = depths.get(bound.type, 0) + 1


def _numbers(roots: Sequence[Expr]) -> tuple[Ref, ...]:
    """The variables and inputs that are numbers."""
    return tuple(r for r in refs(*roots) if is_number(r) and r.space in (Space.STATE, Space.INPUT))


class _Writer:
    def __init__(
        self,
        action: Action,
        number: int,
        guards: Sequence[Guard],
        inputs: Sequence[Input],
        layout: Layout,
        names: Names,
    ) -> None:
        self.action = action
        self.number = number
        self.guards = guards
        self.layout = layout
        self.names = names
        self.inputs = {i.ref: f"x{n}" for n, i in enumerate(inputs)}
        names.refs.update(self.inputs)
        self.arguments = ", ".join(["i8", "now", *self.inputs.values()])
        self.place = f"action `{action.name}`"

    def _block(self, roots: Sequence[Expr], columns: bool) -> ArrayBlock:
        return ArrayBlock(self.names, roots, self.layout, self.inputs if columns else (), self.place)

    def _define(self, letter: str, block: ArrayBlock) -> list[str]:
        return [f"def {letter}{self.number}({self.arguments}):", *(f"    {line}" for line in block.lines)]

    def judge(self) -> list[str]:
        block = self._block([g.expr for g in self.guards], columns=True)
        truths = [block.text(g.expr) for g in self.guards]
        block.add(f"return ({''.join(f'{t}, ' for t in truths)})")
        return self._define("j", block)

    def cells_of(self, how: Order) -> list[str]:
        """Of each group the cells at each of its keys."""
        block = self._block([k for g in how.groups for keys in g.keys for k in keys], columns=True)
        found = []
        for g in how.groups:
            at = "".join(f"{block.cell_of(keys)}, " for keys in g.keys)
            found.append(f"({at}), ")
        block.add(f"return ({''.join(found)})")
        return self._define("c", block)

    def values(self, how: Order) -> list[str]:
        """Of each write the cells, the values, and where it is done (None: everywhere)."""
        parts = [p for put in how.puts for p in put.parts]
        block = self._block([e for p in parts for e in (*p.keys, p.value, p.where)], columns=True)
        found = []
        for p in parts:
            where = "None" if p.where is TRUE else block.text(p.where)
            value = block.wide(p.value) if isinstance(p.value.type, IntType) else block.text(p.value)
            found.append(f"({block.cell_of(p.keys)}, {value}, {where}), ")
        block.add(f"return ({''.join(found)})")
        return self._define("w", block)

    def single(self) -> list[str]:
        writes = self.action.writes
        block = self._block(
            [*(g.expr for g in self.guards), *(e for w in writes for e in (*w.keys, w.value))], columns=False
        )
        for i, g in enumerate(self.guards):
            block.add(f"if not {block.text(g.expr)}:")
            block.add(f"    return {i}")
        done = [self._bulk(block, w) if w.binders else self._point(block, w) for w in writes]
        for line in done:
            block.add(line)
        block.add("return -1")
        return self._define("s", block)

    def _point(self, block: ArrayBlock, w: Write) -> str:
        """The text of an assignment. What it assigns is computed, and found to fit, before any is done."""
        number = self.layout.numbers[w.var]
        value = block.assign(block.text(w.value))
        cell = block.cell_of(w.keys)
        if not cell.isidentifier() and not cell.isdigit():
            cell = block.assign(cell)
        if isinstance(w.value.type, IntType):
            block.add(f"if not l{number} <= {value} <= h{number}:")
            block.add(f"    fit({number}, {value})")
        return f"f{number}[{cell}] = {value}"

    def _bulk(self, block: ArrayBlock, w: Write) -> str:
        """The same of a write for everyone: binders are axes, in the order of the keys that they are."""
        number = self.layout.numbers[w.var]
        behind = block.height(w.value)
        at = [b for b in w.keys if b in w.binders]
        for i, b in enumerate(reversed(at)):
            assert isinstance(b, Ref)
            block.bind(b, behind + i)
        rooms = "".join(f"d{self.layout.places[b.type]}, " for b in at if isinstance(b.type, EntityType))
        value = block.assign(f"spread({block.text(w.value)}, ({rooms}), {behind})")
        # Keys are looked up before anything is assigned.
        keys = ", ".join(":" if k in w.binders else block.assign(block.text(k)) for k in w.keys)
        if isinstance(w.value.type, IntType):
            block.add(f"fit({number}, {value})")
        for b in w.binders:
            block.forget(b)
        return f"v{number}[{keys}] = {value}"


def _unused(*_: object) -> str:
    raise AssertionError("quantifiers are axes here")


def spread(value: Any, shape: tuple[int, ...], behind: int) -> NDArray[Any]:
    """A value for each cell of `shape`, which has nothing to do with any array of the state."""
    return np.array(np.broadcast_to(value, (*shape, *[1] * behind))).reshape(shape)


def analyse(how: Plan, cells: Cells, inputs: Mapping[Ref, Bounds]) -> tuple[bool, tuple[bool, ...]]:
    """Whether everything that `how` computes has 64 bits, and of each value that it stores whether it must fit, as
    arrays are now."""
    known: dict[Ref, Bounds] = {}
    for r in how.numbers:
        if r.space is Space.STATE:
            n = cells.numbers[r.name]
            known[r] = cells.scope[f"l{n}"], cells.scope[f"h{n}"]
        else:
            known[r] = inputs.get(r, (-LARGEST, LARGEST))
    for p_name, p_value in cells.params.items():
        if p_value.__class__ is int:
            known[Ref(p_name, IntType(), Space.PARAM)] = p_value, p_value
    found = Analysis(known)
    found.all(how.roots)
    safe = []
    if how.order is not None:
        for put in how.order.puts:
            low, high = 0, 0
            n = cells.numbers[put.var.name]
            if isinstance(put.var.type, IntType):
                low, high = cells.scope[f"l{n}"], cells.scope[f"h{n}"]
            for p in put.parts:
                least, most = found.bounds(p.value)
                safe.append(not put.adds and low <= least and most <= high)
    return found.exact, tuple(safe)
