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
from policydsl.core.types import EntityType, EnumType, IntType
from runtime.solidity_action import INDENT, doc, event_of, function_of, wrapped
from runtime.solidity_check import UnsupportedError, gaps_of
from runtime.solidity_copies import copies_of
from runtime.solidity_expr import Block
from runtime.solidity_functions import HELPERS, NARROW, enlisting, getter, keeping, local, lookup
from runtime.solidity_layout import Layout, at_stranger, is_clock_guard, is_zero, kept, layout_of
from runtime.solidity_names import Unique, lower_camel

PRAGMA = "^0.8.24"
MOST = 400
"""How many individuals a roll holds by default: walking it then fits into what one transaction may cost."""


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
        *(getter(layout, p) for p in layout.places.values() if p.var.name not in layout.copies),
        *(lookup(layout, c, used) for c in layout.copies.values()),
        *(lines for s, p in layout.pasts.items() for lines in keeping(layout, s, p)),
        *(enlisting(layout, s) for s in layout.rolls),
        *([NARROW.splitlines()] if any(isinstance(p.var.type, IntType) for p in layout.places.values()) else []),
        *(HELPERS[op].splitlines() for op in HELPERS if op in used),
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
    names = {v.name for v in kept(system)} - set(copies_of(system))
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
        "/// Times and durations are in milliseconds; `time` is that of the block. Everybody may read everything, and",
        "/// whoever orders the calls of a block sees them before they count.",
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
        lasts = ", until the next record" if layout.past(row) is not None else ""
        lines = [f"/// What is known of each {' and '.join(k.name for k in keys)}{lasts}."]
        lines.append(f"struct {row} {{")
        if layout.past(row) is not None:
            lines += [f"{INDENT}/// How many copies had been made when this record began.", f"{INDENT}uint64 since;"]
        for p in places:
            if p.var.name in layout.copies:
                lines += [f"{INDENT}/// The numbers of the copies that `{p.getter}` looks up, the oldest first."]
                lines += [f"{INDENT}uint64[] {p.member};"]
                continue
            lines += [f"{INDENT}{x}" for x in doc(p.var.doc)] if p.member == p.getter else []
            if p.offset is not None:
                lines.append(f"{INDENT}/// Stored as the difference from the start, which untouched storage so means.")
            lines.append(f"{INDENT}{layout.stored(p.var.type)} {p.member};")
        found.append([*lines, "}"])
    return found


def _size(layout: Layout, v: StateVar) -> int:
    if v.name in layout.copies:
        return 32
    return {"int128": 16, "address": 20, "uint256": 32, "bytes32": 32}.get(layout.stored(v.type), 1)


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
            f"mapping({layout.type(sort)} => bool) private {layout.on_roll(sort)};",
        ]
    scalars: list[str] = []
    for place in layout.places.values():
        if not place.row:
            scalars += [*doc(place.var.doc), f"{layout.stored(place.var.type)} private {place.member};"]
    maps = []
    for row, keys in layout.rows.items():
        kind = row if layout.past(row) is None else f"{row}[]"
        for k in reversed(keys):
            kind = f"mapping({layout.type(k)} => {kind})"
        if layout.past(row) is not None:
            maps.append("/// The oldest first. Whoever has none is as everybody is at the start.")
        maps.append(f"{kind} private {layout.store(row)};")
    for past in layout.pasts.values():
        maps += ["/// Never written: what is known of whoever has no record.", f"{past.row} private {past.start};"]
    if layout.pasts:
        scalars += ["/// How many copies have been made, of what is known of everybody.", "uint64 private _copies;"]
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
    if any(isinstance(p.var.type, IntType) for p in layout.places.values()):
        found.append(["/// @notice a number has more than 128 bits", "error NumberTooLarge();"])
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
    names = local(layout)
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
        past = layout.past(place.row)
        row = f"{layout.store(place.row)}[{given}[i]]" if past is None else f"{past.change}({given}[i])"
        body += [f"{INDENT}{row}.{place.member} = true;", "}"]
    block = Block(layout, names, ())
    for place in layout.places.values():
        if not place.row and place.var.init is not None and not is_zero(place.var.init):
            body.append(f"{place.member} = {block.narrow(place.var.type, block.text(place.var.init))};")
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
