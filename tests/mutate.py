"""The text of a policy to its mutants: each is the policy with one small mistake in a guard or an update.

Mutants are made of the text, so what the checker makes of a policy (sums, monitors, the decisions that asserts speak
of) is made of the mutant too. What does not check, or means the same, is no mutant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path

from policydsl import syntax as s
from policydsl.core.after import after
from policydsl.core.expr import FALSE, TRUE, Expr, Ref, Space, conj, eq, forall, implies, select
from policydsl.core.system import Action, GuardKind, Program, Property, PropertyKind, System
from policydsl.diagnostics import Report
from policydsl.from_text import parse
from policydsl.load import load
from policydsl.source import Span

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Mutant:
    """`label` says what was changed where; no two mutants of a policy have the same."""

    label: str
    program: Program


@dataclass(frozen=True)
class Edit:
    """`text` in place of what stands at `span`, for which `what` are the words."""

    span: Span
    text: str
    what: str


def instead(path: str, text: str) -> Callable[[str], str]:
    """Reads the files of the project, with `text` in place of the one at `path`."""
    return lambda p: text if p == path else (ROOT / p).read_text(encoding="utf-8")


def mutants(path: str, text: str) -> Iterator[Mutant]:
    """All mutants of the policy `text` in the order of their places; what it imports stays as it is."""
    [original] = load([path], instead(path, text), Report())
    seen, labels = {original.system.actions}, dict[str, int]()
    for owner, edit in _edits(parse(path, text, Report()), text):
        changed = text[: edit.span.start] + edit.text + text[edit.span.end :]
        for program in load([path], instead(path, changed), Report()):
            if program.system.actions not in seen:
                seen.add(program.system.actions)
                label = f"{owner}: {edit.what}"
                labels[label] = labels.get(label, 0) + 1
                yield Mutant(label if labels[label] == 1 else f"{label} (no. {labels[label]})", program)


def _edits(module: s.Module, text: str) -> Iterator[tuple[str, Edit]]:
    cases = [[c.name for c in d.cases] for d in module.declarations if isinstance(d, s.EnumDecl)]
    for decl in module.declarations:
        match decl:
            case s.ActionDecl(body=body, params=params) if body is not None:
                roots: tuple[s.Node, ...] = body
            case s.FunctionDecl(body=result, params=params):
                roots = (result,)
            case s.RuleDecl():
                params, roots = (), (*decl.when, *decl.unless, *(e for e in (decl.to, decl.per, decl.within) if e))
                if not decl.when:
                    yield decl.name, Edit(decl.span, "", "without the rule")
                unmatched = "true" if decl.effect in ("permit", "redact") else "false"
                for e in decl.when:
                    yield decl.name, _instead(e, unmatched, text)
                for e in decl.unless:
                    yield decl.name, _instead(e, "false", text)
            case _:
                continue
        names = [[p.name for p in params if p.type == q.type] for q in params]
        for node in _nodes(roots):
            for edit in _changes(node, text, [*cases, *names]):
                yield decl.name, edit


def _nodes(root: object) -> Iterator[s.Node]:
    if isinstance(root, s.Node):
        yield root
    if isinstance(root, tuple):
        for part in root:
            yield from _nodes(part)
    elif is_dataclass(root):
        for f in fields(root):
            yield from _nodes(getattr(root, f.name))


def _at(node: s.Node, text: str) -> str:
    return text[node.span.start : node.span.end]


def _words(node: s.Node, text: str) -> str:
    return re.sub(r"\s+", " ", _at(node, text))


def _instead(node: s.Node, other: str, text: str) -> Edit:
    return Edit(node.span, f"({other})", f"{_words(node, text)} -> {other}")


def _without(node: s.Node, text: str) -> Edit:
    return Edit(node.span, "", f"without {_words(node, text)}")


PAIRS = (("<", "<="), (">", ">="), ("==", "!="), ("+", "-"), ("and", "or"))
OTHER = {a: b for x, y in PAIRS for a, b in ((x, y), (y, x))}


def _changes(node: s.Node, text: str, alike: list[list[str]]) -> Iterator[Edit]:
    """`alike` are the names that may stand for each other: the cases of an enum, parameters of one type."""
    match node:
        case s.Require() | s.AddTo():
            yield _without(node, text)
        case s.Assign(target=target, op=op, value=value):
            yield _without(node, text)
            if op != ":=":
                other = "-=" if op == "+=" else "+="
                changed = f"{_at(target, text)} {other} {_at(value, text)}"
                yield Edit(node.span, changed, _instead(node, other, text).what)
        case s.If(condition=c):
            yield _instead(c, f"not ({_at(c, text)})", text)
            yield _instead(c, "true", text)
        case s.ForEach(where=where) if where is not None:
            yield _instead(where, "true", text)
        case s.IfExpr(condition=c, then=a, other=b):
            swapped = f"if {_at(c, text)} then {_at(b, text)} else {_at(a, text)}"
            yield Edit(node.span, f"({swapped})", f"branches of {_words(node, text)}")
        case s.IntLit() | s.DurationLit():
            found = re.match(r"[0-9_]+", _at(node, text))
            if found:
                rest = _at(node, text)[found.end() :]
                yield Edit(node.span, f"{int(found[0]) + 1}{rest}", f"{_at(node, text)} + 1")
                yield Edit(node.span, f"{max(0, int(found[0]) - 1)}{rest}", f"{_at(node, text)} - 1")
        case s.BoolLit(value=value):
            yield _instead(node, str(not value).lower(), text)
        case s.Name(name=name):
            for names in alike:
                if name in names:
                    here = names.index(name)
                    for other in {names[here - 1]: None, names[(here + 1) % len(names)]: None}:
                        yield Edit(node.span, other, f"{name} -> {other}")
        case s.Since(negated=True):
            yield Edit(node.span, _at(node, text).removeprefix("no "), f"{_words(node, text)} without `no`")
        case s.Unary(op="not", arg=arg):
            yield _instead(node, _at(arg, text), text)
        case s.Call(name="min" | "max" as name):
            other = "max" if name == "min" else "min"
            span = node.span
            yield Edit(span, other + _at(node, text)[len(name) :], _instead(node, other, text).what)
        case s.Binary(op=op, left=a, right=b):
            if op in OTHER:
                changed = f"(({_at(a, text)}) {OTHER[op]} ({_at(b, text)}))"
                yield Edit(node.span, changed, _instead(node, OTHER[op], text).what)
            if op in ("and", "or"):
                yield Edit(node.span, f"({_at(a, text)})", _without(b, text).what)
                yield Edit(node.span, f"({_at(b, text)})", _without(a, text).what)


def same(old: System, new: System) -> list[Property] | None:
    """Claims about `old` that together say that `new` decides and does the same wherever one gets; None when the two
    cannot be compared like that."""
    if old.state != new.state or old.sums != new.sums:
        return None
    claims = []
    for a in old.actions:
        b = new.action(a.name)
        if a != b:
            for what, claim in _alike(old, a, b):
                claims.append(Property(f"same {what}@{a.name}", PropertyKind.ASSERT, claim, action=a.name))
    return claims


def _alike(system: System, old: Action, new: Action) -> Iterator[tuple[str, Expr]]:
    yield "duties", TRUE if (old.inputs, old.obligations) == (new.inputs, new.obligations) else FALSE
    yield "decision", conj(eq(_settled(old), _settled(new)), eq(old.allowed, new.allowed))
    written = {w.var for w in (*old.writes, *new.writes)}
    for v in system.state:
        if v.name in written:
            keys = [Ref(f"same{i}#{v.name}", k, Space.BOUND) for i, k in enumerate(v.keys)]
            cell = select(v.ref, *keys)
            effect = implies(old.allowed, eq(after(cell, old.writes), after(cell, new.writes)))
            for key in reversed(keys):
                effect = forall(key, effect)
            yield v.name, effect


def _settled(action: Action) -> Expr:
    """That at most a human's answer is missing."""
    return conj(*(g.expr for g in action.guards if g.kind is not GuardKind.APPROVE))
