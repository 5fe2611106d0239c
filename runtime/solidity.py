"""A verified system to the text of a Solidity contract that is its transition function, or to the reasons why not.

Each action is a function. A request that the core denies reverts with the error of the first guard that fails; one
that it allows does all its writes. Whatever the contract adds (a roll that is full, an integer of more than 256 bits)
makes it deny more than the core does, never less, so what is proved of the core's states holds of the contract's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from policydsl.core.expr import Op
from policydsl.core.system import Param, StateVar, System
from policydsl.core.to_json import digest
from policydsl.core.types import EntityType, EnumType
from runtime.solidity_action import INDENT, doc, event_of, function_of, wrapped
from runtime.solidity_check import UnsupportedError, gaps_of
from runtime.solidity_expr import Block
from runtime.solidity_layout import Layout, Place, at_stranger, is_clock_guard, is_zero, kept, layout_of
from runtime.solidity_names import Unique, lower_camel

PRAGMA = "^0.8.24"
MOST = 500
"""How many individuals a roll holds by default: walking it then fits into what one transaction may cost."""

_HELPERS = {
    Op.MIN: "function _min(int256 a, int256 b) private pure returns (int256) {\n    return a < b ? a : b;\n}",
    Op.MAX: "function _max(int256 a, int256 b) private pure returns (int256) {\n    return a > b ? a : b;\n}",
    Op.DIV: "/// Rounds down, as the core does; Solidity rounds towards zero.\n"
    "function _div(int256 a, int256 b) private pure returns (int256) {\n"
    "    if (b <= 0) return 0;\n    return a % b < 0 ? a / b - 1 : a / b;\n}",
    Op.MOD: "/// Never negative, as in the core; in Solidity it has the sign of `a`.\n"
    "function _mod(int256 a, int256 b) private pure returns (int256) {\n"
    "    if (b <= 0) return 0;\n    int256 rest = a % b;\n    return rest < 0 ? rest + b : rest;\n}",
}


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract, and what those who talk to it need.

    `functions`, `getters` and `errors` are from names and texts of the specification to names in Solidity; `starts` are
    the sets that the constructor is given, in order, and `constructor` is all that it is given (`evm_names.Names`).
    """

    name: str
    text: str
    functions: dict[str, str]
    getters: dict[str, str]
    errors: dict[str, str]
    starts: tuple[str, ...]
    constructor: tuple[Any, ...]
    digest: str


def to_solidity(system: System, *, proved: bool = True, most: int = MOST) -> Contract:
    """The contract for `system`. Raises `UnsupportedError`, with places and reasons, if it has no exact one.

    `proved` is whether everything that the system promises is proved, and is said in the contract; `most` bounds each
    roll (see NOTE(rolls)).
    """
    gaps = gaps_of(system)
    if gaps:
        raise UnsupportedError(gaps)
    layout = layout_of(system, _rolls(system))
    used: set[Op] = set()
    functions = [function_of(layout, a, used) for a in system.actions]
    parts = [
        *_types(layout),
        *_storage(layout, most),
        [event_of(layout, a) for a in system.actions],
        *_errors(layout),
        _constructor(layout),
        *functions,
        *(_getter(layout, p) for p in layout.places.values()),
        *(_enlisting(layout, s) for s in layout.rolls),
        *(_HELPERS[op].splitlines() for op in _HELPERS if op in used),
    ]
    body = "\n\n".join("\n".join(f"{INDENT}{x}" if x else "" for x in part) for part in parts if part)
    text = f"{_head(system, proved)}\ncontract {layout.contract} {{\n{body}\n}}\n"
    return Contract(
        layout.contract,
        text,
        dict(layout.functions),
        {v: p.getter for v, p in layout.places.items()},
        dict(layout.errors),
        tuple(v.name for v in _starts(layout)),
        _given(layout),
        digest(system),
    )


def _rolls(system: System) -> dict[EntityType, frozenset[str]]:
    names = {v.name for v in kept(system)}
    found: dict[EntityType, frozenset[str]] = {}
    for action in system.actions:
        for w in action.writes:
            for b in w.binders if w.var in names else ():
                assert isinstance(b.type, EntityType)
                found[b.type] = found.get(b.type, frozenset()) | at_stranger(w, system)[1]
    return found


def _head(system: System, proved: bool) -> str:
    state = (
        f"{len(system.properties)} properties of that specification have the verdict that it states."
        if proved
        else "NOT EVERYTHING THAT THE SPECIFICATION PROMISES IS PROVED."
    )
    lines = [
        "// SPDX-License-Identifier: Apache-2.0",
        f"pragma solidity {PRAGMA};",
        "",
        f"/// @title {system.name}",
        *(["/// @notice", *doc(system.doc)] if system.doc else []),
        f"/// @dev Written by `policyctl emit solidity` from the core {digest(system)[:16]} of `{system.name}`.",
        f"/// {state}",
        "/// Times and durations are in milliseconds; `time` is that of the block. Everybody may read everything.",
    ]
    return "\n".join(lines)


def _types(layout: Layout) -> list[list[str]]:
    found = []
    for type, name in layout.types.items():
        assert isinstance(type, EnumType)
        cases, line = [], INDENT
        for i, c in enumerate(type.cases):
            piece = c + (", " if i + 1 < len(type.cases) else "")
            if len(line + piece) > 110:
                cases.append(line.rstrip())
                line = INDENT
            line += piece
        found.append([f"enum {name} {{", *cases, line, "}"])
    for row, keys in layout.rows.items():
        # Small ones side by side share a slot.
        places = sorted((p for p in layout.places.values() if p.row == row), key=lambda p: _size(layout, p.var))
        lines = [f"/// What is known of each {' and '.join(k.name for k in keys)}."]
        lines.append(f"struct {row} {{")
        if len(keys) == 1 and keys[0] in layout.rolls:
            lines.append(f"{INDENT}bool onRoll;")
        for p in places:
            lines += [f"{INDENT}{x}" for x in doc(p.var.doc)] if p.member == p.getter else []
            if p.offset is not None:
                lines.append(f"{INDENT}/// Stored as the difference from the start, which untouched storage so means.")
            lines.append(f"{INDENT}{layout.type(p.var.type)} {p.member};")
        found.append([*lines, "}"])
    return found


def _size(layout: Layout, v: StateVar) -> int:
    return {"bool": 1, "address": 20, "int256": 32, "uint256": 32, "bytes32": 32}.get(layout.type(v.type), 1)


def _storage(layout: Layout, most: int) -> list[list[str]]:
    params: list[str] = []
    for p in layout.system.params:
        params += [*doc(p.doc), f"{layout.type(p.type)} public immutable {layout.params[p.name]};"]
    params += [f"address public immutable {n};" for n in layout.individuals.values()]
    rolls: list[str] = []
    for sort in layout.rolls:
        rolls += [
            f"/// The roll of {sort.name}, which every `for each` walks; beyond this bound nobody gets on it.",
            f"uint256 public constant {layout.most(sort)} = {most};",
            f"{layout.type(sort)}[] private {layout.roll(sort)};",
        ]
    scalars: list[str] = []
    for place in layout.places.values():
        if not place.row:
            scalars += [*doc(place.var.doc), f"{layout.type(place.var.type)} private {place.member};"]
    maps = []
    for row, keys in layout.rows.items():
        kind = row
        for k in reversed(keys):
            kind = f"mapping({layout.type(k)} => {kind})"
        maps.append(f"{kind} private {layout.store(row)};")
    return [params, rolls, scalars, maps]


def _errors(layout: Layout) -> list[list[str]]:
    used = {g.reason for a in layout.system.actions for g in a.guards if not is_clock_guard(g.expr)}
    found = [[f"/// @notice {reason}", f"error {name}();"] for reason, name in layout.errors.items() if reason in used]
    if layout.system.params:
        found.append(
            ["/// @notice a parameter lies outside its declared range", "error ParameterOutOfRange(string name);"]
        )
    if layout.rolls:
        found.append(["/// @notice the roll is full", "error RollIsFull();"])
    if layout.individuals:
        found.append(["/// @notice named individuals must differ, and be somebody", "error NamedTwice();"])
    return [[line for lines in found for line in lines]]


def _starts(layout: Layout) -> list[StateVar]:
    return [p.var for p in layout.places.values() if p.var.init is None and p.var.keys]


def _given(layout: Layout) -> tuple[Any, ...]:
    """What the constructor is given, in words of the specification."""
    found: list[Any] = []
    if layout.system.params:
        found.append([{"param": p.name} for p in layout.system.params])
    found += [{"individual": c.value, "of": str(c.type)} for c in layout.individuals]
    found += [{"start": v.name, "of": str(v.keys[0])} for v in _starts(layout)]
    return tuple(found)


def _constructor(layout: Layout) -> list[str]:
    names = Unique()
    for n in layout.immutables():
        names.take(n)
    before: list[str] = []
    body: list[str] = []
    inputs: list[str] = []
    if layout.system.params:
        fields = Unique()
        before = ["struct Parameters {"]
        for p in layout.system.params:
            member = fields.take(lower_camel(p.name.lower()))
            before.append(f"{INDENT}{layout.type(p.type)} {member};")
            body += [*_range(p, f"parameters.{member}"), f"{layout.params[p.name]} = parameters.{member};"]
        before += ["}", ""]
        inputs.append(f"Parameters memory {names.take('parameters')}")
    people = list(layout.individuals.values())
    for n in people:
        given = names.take(f"{n}_")
        inputs.append(f"address {given}")
        body.append(f"{n} = {given};")
    for i, a in enumerate(people):
        body += [f"if ({a}_ == {b}) revert NamedTwice();" for b in ("address(0)", *(f"{x}_" for x in people[:i]))]
    for v in _starts(layout):
        given = names.take(f"{lower_camel(v.name)}_")
        place, sort = layout.places[v.name], v.keys[0]
        inputs.append(f"{layout.type(sort)}[] memory {given}")
        body.append(f"for (uint256 i = 0; i < {given}.length; ++i) {{")
        if v.name in layout.rolls.get(sort, ()):
            body.append(f"{INDENT}{layout.enlist(sort)}({given}[i]);")
        body += [f"{INDENT}{layout.store(place.row)}[{given}[i]].{place.member} = true;", "}"]
    block = Block(layout, names, ())
    for place in layout.places.values():
        if not place.row and place.var.init is not None and not is_zero(place.var.init):
            body.append(f"{place.member} = {block.text(place.var.init)};")
    head = f"constructor({', '.join(inputs)}) {{"
    if len(head) > 100:
        head = "\n".join(["constructor(", *(f"{INDENT * 2}{x}," for x in inputs[:-1]), f"{INDENT * 2}{inputs[-1]}"])
        head += f"\n{INDENT}) {{"
    return [
        *before,
        *head.splitlines()[:1],
        *(x[4:] for x in head.splitlines()[1:]),
        *(INDENT + y for x in body for y in wrapped(x)),
        "}",
    ]


def _range(p: Param, text: str) -> list[str]:
    tests = [] if p.low is None else [f"{text} < {p.low}"]
    tests += [] if p.high is None else [f"{text} > {p.high}"]
    return [f'if ({" || ".join(tests)}) revert ParameterOutOfRange("{p.name}");'] if tests else []


def _getter(layout: Layout, place: Place) -> list[str]:
    v = place.var
    names = Unique()
    keys = [names.take(f"{lower_camel(k.name)}_") for k in v.keys]
    cell = place.member
    if place.row:
        cell = f"{layout.store(place.row)}{''.join(f'[{k}]' for k in keys)}.{place.member}"
    block = Block(layout, names, ())
    text = block.decoded(v.name, cell)
    shown = ", ".join(f"{layout.type(s)} {k}" for s, k in zip(v.keys, keys, strict=True))
    head = f"function {place.getter}({shown}) public view returns ({layout.type(v.type)}) {{"
    return [*doc(v.doc), head, f"{INDENT}return {text};", "}"]


def _enlisting(layout: Layout, sort: EntityType) -> list[str]:
    kind, roll = layout.type(sort), layout.roll(sort)
    row = next((r for r, keys in layout.rows.items() if keys == (sort,)), None)
    assert row is not None
    who = f"{lower_camel(sort.name)}_"
    return [
        f"/// Puts somebody on the roll of {sort.name}, once.",
        f"function {layout.enlist(sort)}({kind} {who}) private {{",
        f"{INDENT}{row} storage row = {layout.store(row)}[{who}];",
        f"{INDENT}if (row.onRoll) return;",
        f"{INDENT}if ({roll}.length >= {layout.most(sort)}) revert RollIsFull();",
        f"{INDENT}row.onRoll = true;",
        f"{INDENT}{roll}.push({who});",
        "}",
    ]
