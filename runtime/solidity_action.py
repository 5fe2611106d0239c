"""An action of the core to a function: guards that revert, loops over rolls, writes, an event.

NOTE(order-of-writes): all writes of the core happen at once. In the function, bulk writes come first, and a point write
whose value reads what an earlier one has changed gets that value computed before all of them.
"""

from __future__ import annotations

import re

from policydsl.core.after import reads
from policydsl.core.expr import Apply, Expr, Op, Ref, Space, negate, select
from policydsl.core.system import NOW, PRINCIPAL, Action, Guard, GuardKind, Write
from policydsl.core.types import EntityType
from runtime.solidity_copies import Copy, conditional
from runtime.solidity_expr import TIME, Block
from runtime.solidity_layout import Layout, is_clock_guard
from runtime.solidity_names import Unique, lower_camel

INDENT = "    "
_BREAK = re.compile(r" (?=(?:[?:]|&&|\|\||revert) )")


def function_of(layout: Layout, action: Action, used: set[Op]) -> list[str]:
    """The lines of the function, with what it says of itself; `used` collects the helpers that it calls."""
    guards = [g for g in ordered(action) if not is_clock_guard(g.expr)]
    writes = in_order(layout, action)
    names = Unique()
    for n in layout.outside():
        names.take(n)
    arguments = {i.ref: names.take(lower_camel(i.name)) for i in action.inputs if i.name not in (PRINCIPAL, NOW)}
    roots = [*(g.expr for g in guards), *(w.value for w in writes if not w.binders)]
    block = Block(layout, names, roots, None, dict(arguments), used, names.take("time"))
    for g in guards:
        _guard(layout, block, g)
    if writes:
        block.lines.append("")
    frozen = _frozen(block, writes)
    for w in writes:
        if w.var in layout.copies:
            _noted(layout, block, layout.copies[w.var])
        elif w.binders:
            _bulk(layout, block, w)
        else:
            _point(layout, block, w, frozen.get(w))
    block.lines += ["", f"emit {layout.events[action.name]}({', '.join(_told(action, arguments))});"]
    body = block.lines
    if any(block.now in line for line in body):
        body = [f"int256 {block.now} = {TIME};", *body]
    shown = ", ".join(f"{layout.type(r.type)} {n}" for r, n in arguments.items())  # type: ignore[arg-type]
    head = f"function {layout.functions[action.name]}({shown}) public {{"
    return [*doc(action.doc), head, *(f"{INDENT}{x}" if x else "" for x in _tidy(body)), "}"]


def event_of(layout: Layout, action: Action) -> str:
    """The event that says that `action` was allowed; up to three individuals can be searched for."""
    parts, indexed, names = [], 0, Unique()
    for i in action.inputs:
        if i.name == NOW:
            continue
        mark = isinstance(i.type, EntityType) and indexed < 3
        indexed += mark
        parts.append(f"{layout.type(i.type)}{' indexed' if mark else ''} {names.take(lower_camel(i.name))}")
    return f"event {layout.events[action.name]}({', '.join(parts)});"


def ordered(action: Action) -> list[Guard]:
    """The guards in the order in which the first that fails gives the reason."""
    order = list(GuardKind)
    return sorted(action.guards, key=lambda g: order.index(g.kind))


def in_order(layout: Layout, action: Action) -> list[Write]:
    """The writes as the function does them: copies, walks, then cells, see NOTE(order-of-writes)."""
    writes = [w for w in action.writes if w.var in layout.places]
    # SOUND: a copy is of what is known before the step, and the others change that.
    return sorted(writes, key=lambda w: (w.var not in layout.copies, not w.binders))


def rolled(layout: Layout, var: str, keys: tuple[Expr, ...], block: Block) -> list[str]:
    """The lines that put on their rolls those who get a cell on which bulk writes depend."""
    found = []
    for k in keys:
        if _depended_on(layout, var, k) and not _is_bound(k):
            assert isinstance(k.type, EntityType)
            found.append(f"{layout.enlist(k.type)}({block.text(k)});")
    return found


def _depended_on(layout: Layout, var: str, key: Expr) -> bool:
    return isinstance(key.type, EntityType) and var in layout.rolls.get(key.type, ())


def doc(text: str) -> list[str]:
    """`text` as comments; an `@` would be a tag."""
    return [f"/// {line.replace('@', '(at)')}".rstrip() for line in text.strip().splitlines()]


def _is_bound(e: Expr) -> bool:
    return isinstance(e, Ref) and e.space is Space.BOUND


def _told(action: Action, arguments: dict[Ref, str]) -> list[str]:
    return ["msg.sender" if i.name == PRINCIPAL else arguments[i.ref] for i in action.inputs if i.name != NOW]


def _guard(layout: Layout, block: Block, guard: Guard) -> None:
    test = block.text(negate(guard.expr))
    block.lines.append(f"if ({test}) revert {layout.errors[guard.reason]}();")


def _frozen(block: Block, writes: list[Write]) -> dict[Write, str]:
    """Names for the values of point writes that read what a write before them has changed."""
    found: dict[Write, str] = {}
    done: set[str] = set()
    for w in writes:
        if not w.binders:
            if reads(w.value, *w.keys) & done:
                found[w] = block.name(w.value)
                past = block.layout.past(block.layout.places[w.var].row)
                if w.keys and past is None:
                    block.row(w.var, w.keys)
                for key in w.keys:
                    if isinstance(key, Apply) and (past is not None or _depended_on(block.layout, w.var, key)):
                        block.name(key)
        done.add(w.var)
    return found


def _own(layout: Layout, w: Write) -> Expr:
    variable = layout.places[w.var].var.ref
    return select(variable, *w.keys) if w.keys else variable


def _point(layout: Layout, block: Block, w: Write, frozen: str | None) -> None:
    block.lines += rolled(layout, w.var, w.keys, block)
    if frozen is not None:
        block.lines.append(f"{block.target(w.var, w.keys)} = {block.encode(w.var, frozen)};")
        return
    own = _own(layout, w)
    condition, value = conditional(w.value, own)
    if value is not own:
        test, line = block.text(condition), _assignment(block, w, value, own)
        block.lines += _when(test, [line])


def _assignment(block: Block, w: Write, value: Expr, own: Expr) -> str:
    step = _increment(value, own)
    if step is None:
        said = block.encode(w.var, block.text(value))
        return f"{block.target(w.var, w.keys)} = {said};"
    # A difference from the start moves by as much as the value does.
    sign, by = step
    said = block.narrow(w.value.type, block.text(by))  # type: ignore[arg-type]  # only scalars are written
    return f"{block.target(w.var, w.keys)} {sign}= {said};"


def _when(test: str, lines: list[str]) -> list[str]:
    """The lines, for the case that `test` is true."""
    if test == "true":
        return lines
    if len(lines) == 1 and len(test) + len(lines[0]) < 90:
        return [f"if ({test}) {lines[0]}"]
    return [f"if ({test}) {{", *(f"{INDENT}{x}" for x in lines), "}"]


def _increment(value: Expr, own: Expr) -> tuple[str, Expr] | None:
    match value:
        case Apply(op=Op.ADD, args=(a, b)) if a is own and not _mentions(b, own):
            return "+", b
        case Apply(op=Op.SUB, args=(a, b)) if a is own and not _mentions(b, own):
            return "-", b
        case _:
            return None


def _mentions(e: Expr, own: Expr) -> bool:
    return bool(reads(e) & reads(own))


def _noted(layout: Layout, block: Block, copy: Copy) -> None:
    """The line that stands for a copy: its number is noted."""
    place = layout.places[copy.var]
    block.lines.append(f"{block.row(copy.var, copy.others)}.{place.member}.push(++_copies);")


def _bulk(layout: Layout, block: Block, w: Write) -> None:
    (binder,) = w.binders
    sort = binder.type
    assert isinstance(sort, EntityType)
    name = block.names.take(lower_camel(sort.name))
    bound = {**block.bound, binder: name}
    inner = Block(layout, block.names, (w.value,), block, bound, block.used, block.now)
    own = _own(layout, w)
    condition, value = conditional(w.value, own)
    test = inner.text(condition)
    before = list(inner.lines)
    # What only the value needs is computed only for those whose cell is written.
    inner.lines.clear()
    line = _assignment(inner, w, value, own)
    lines = [*before, *_when(test, [*inner.lines, line])]
    roll, count = layout.roll(sort), block.names.take("i")
    block.lines += [
        *rolled(layout, w.var, w.keys, block),
        f"for (uint256 {count} = 0; {count} < {roll}.length; ++{count}) {{",
        f"{INDENT}{layout.type(sort)} {name} = {roll}[{count}];",
        *(f"{INDENT}{line}" for line in lines),
        "}",
    ]


def _tidy(lines: list[str]) -> list[str]:
    """No blank line at the start, nor two in a row, and no line that is too long."""
    kept: list[str] = []
    for line in lines:
        if line or (kept and kept[-1]):
            kept += wrapped(line)
    return kept


def wrapped(line: str, most: int = 108) -> list[str]:
    """`line`, broken before operators where it is too long."""
    if len(line) <= most:
        return [line]
    indent = line[: len(line) - len(line.lstrip())] + INDENT
    pieces = _BREAK.split(line)
    found = [pieces[0]]
    for piece in pieces[1:]:
        if len(found[-1]) + len(piece) + 1 <= most:
            found[-1] += f" {piece}"
        else:
            found.append(indent + piece)
    return found
