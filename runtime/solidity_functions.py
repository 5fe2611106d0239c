"""A layout to the functions of a contract that do no action: getters, what finds records, the rolls, arithmetic."""

from __future__ import annotations

from policydsl.core.expr import Op
from policydsl.core.types import EntityType
from runtime.solidity_action import INDENT, doc
from runtime.solidity_copies import Copy, always
from runtime.solidity_expr import Block
from runtime.solidity_layout import Layout, Past, Place
from runtime.solidity_names import Unique, lower_camel

# Names of the policy never end like those in here.
HELPERS = {
    Op.MIN: "function _min(int256 a_, int256 b_) private pure returns (int256) {\n    return a_ < b_ ? a_ : b_;\n}",
    Op.MAX: "function _max(int256 a_, int256 b_) private pure returns (int256) {\n    return a_ > b_ ? a_ : b_;\n}",
    Op.DIV: "/// Rounds down, as the core does; Solidity rounds towards zero.\n"
    "function _div(int256 a_, int256 b_) private pure returns (int256) {\n"
    "    if (b_ <= 0) return 0;\n    return a_ % b_ < 0 ? a_ / b_ - 1 : a_ / b_;\n}",
    Op.MOD: "/// Never negative, as in the core; in Solidity it has the sign of `a_`.\n"
    "function _mod(int256 a_, int256 b_) private pure returns (int256) {\n"
    "    if (b_ <= 0) return 0;\n    int256 rest_ = a_ % b_;\n    return rest_ < 0 ? rest_ + b_ : rest_;\n}",
}
NARROW = (
    "function _int128(int256 value_) private pure returns (int128 narrow_) {\n"
    "    narrow_ = int128(value_);\n    if (narrow_ != value_) revert NumberTooLarge();\n}"
)


def local(layout: Layout) -> Unique:
    """Names for what is inside of a function."""
    names = Unique()
    for n in layout.outside():
        names.take(n)
    return names


def getter(layout: Layout, place: Place) -> list[str]:
    """The function that shows the cells of a variable."""
    v = place.var
    names = local(layout)
    keys = [names.take(f"{lower_camel(k.name)}_") for k in v.keys]
    cell = place.member
    past = layout.past(place.row)
    if place.row:
        row = (
            f"{layout.store(place.row)}{''.join(f'[{k}]' for k in keys)}" if past is None else f"{past.now}({keys[0]})"
        )
        cell = f"{row}.{place.member}"
    block = Block(layout, names, ())
    text = block.decoded(v.name, cell)
    shown = ", ".join(f"{layout.type(s)} {k}" for s, k in zip(v.keys, keys, strict=True))
    head = f"function {place.getter}({shown}) public view returns ({layout.type(v.type)}) {{"
    return [*doc(v.doc), head, f"{INDENT}return {text};", "}"]


def lookup(layout: Layout, copy: Copy, used: set[Op]) -> list[str]:
    """The getter of a variable that is copied to: what was known of somebody when the last copy was made that was of
    him."""
    place, past = layout.places[copy.var], layout.pasts[copy.sort]
    v, names = place.var, local(layout)
    keys = [names.take(f"{lower_camel(k.name)}_") for k in v.keys]
    who = next(n for n, k in zip(keys, copy.keys, strict=True) if k is copy.binder)
    others = "".join(f"[{n}]" for n, k in zip(keys, copy.keys, strict=True) if k is not copy.binder)
    record, copies, i = names.take("record"), names.take("copies"), names.take("i")
    block = Block(layout, names, (), None, {copy.binder: who}, used)
    block.knows(past.row, (copy.binder,), record)
    value, test = block.text(copy.value), block.text(copy.condition)
    start = v.init
    assert start is not None
    look = [*block.lines, f"return {value};" if always(copy) else f"if ({test}) return {value};"]
    shown = ", ".join(f"{layout.type(s)} {k}" for s, k in zip(v.keys, keys, strict=True))
    found = f"{past.row} storage {record} = {past.then}({who}, {copies}[{i} - 1]);"
    walk = [f"for (uint256 {i} = {copies}.length; {i} > 0; --{i}) {{"]
    if always(copy):
        found = found.replace(f"[{i} - 1]", f"[{copies}.length - 1]")
        walk = [f"if ({copies}.length > 0) {{"]
    return [
        *doc(v.doc),
        "/// Looked up: what was known when it was copied.",
        f"function {place.getter}({shown}) public view returns ({layout.type(v.type)}) {{",
        f"{INDENT}uint64[] storage {copies} = {layout.store(place.row)}{others}.{place.member};",
        *(f"{INDENT}{x}" for x in walk),
        *(f"{INDENT * 2}{x}" for x in (found, *look)),
        f"{INDENT}}}",
        f"{INDENT}return {block.text(start)};",
        "}",
    ]


def keeping(layout: Layout, sort: EntityType, past: Past) -> list[list[str]]:
    """The functions that find records."""
    names = local(layout)
    kind, who = layout.type(sort), f"{lower_camel(sort.name)}_"
    records, copy, low, high, middle = map(names.take, ("records", "copy", "low", "high", "middle"))
    theirs = f"{past.row}[] storage {records} = {layout.store(past.row)}[{who}];"
    last = f"{records}[{records}.length - 1]"
    return [
        [
            f"/// What is known of a {sort.name} now.",
            f"function {past.now}({kind} {who}) private view returns ({past.row} storage) {{",
            f"{INDENT}{theirs}",
            f"{INDENT}return {records}.length > 0 ? {last} : {past.start};",
            "}",
        ],
        [
            f"/// What was known of a {sort.name} when this copy was made: the latest record that began before it.",
            f"function {past.then}({kind} {who}, uint64 {copy}) private view returns ({past.row} storage) {{",
            f"{INDENT}{theirs}",
            f"{INDENT}uint256 {low} = 0;",
            f"{INDENT}uint256 {high} = {records}.length;",
            f"{INDENT}while ({low} < {high}) {{",
            f"{INDENT * 2}uint256 {middle} = ({low} + {high}) / 2;",
            f"{INDENT * 2}if ({records}[{middle}].since < {copy}) {low} = {middle} + 1;",
            f"{INDENT * 2}else {high} = {middle};",
            f"{INDENT}}}",
            f"{INDENT}return {low} > 0 ? {records}[{low} - 1] : {past.start};",
            "}",
        ],
        [
            f"/// The record of a {sort.name} to write to: a new one, like the last, if a copy was made since.",
            f"function {past.change}({kind} {who}) private returns ({past.row} storage) {{",
            f"{INDENT}{theirs}",
            f"{INDENT}if ({records}.length == 0 || {last}.since < _copies) {{",
            f"{INDENT * 2}{records}.push({past.now}({who}));",
            f"{INDENT * 2}{last}.since = _copies;",
            f"{INDENT}}}",
            f"{INDENT}return {last};",
            "}",
        ],
    ]


def enlisting(layout: Layout, sort: EntityType) -> list[str]:
    kind, roll, on_roll = layout.type(sort), layout.roll(sort), layout.on_roll(sort)
    who = f"{lower_camel(sort.name)}_"
    return [
        f"/// Puts somebody on the roll of {sort.name}, once.",
        f"function {layout.enlist(sort)}({kind} {who}) private {{",
        f"{INDENT}if ({on_roll}[{who}]) return;",
        f"{INDENT}if ({roll}.length >= {layout.most(sort)}) revert RollIsFull();",
        f"{INDENT}{on_roll}[{who}] = true;",
        f"{INDENT}{roll}.push({who});",
        "}",
    ]
