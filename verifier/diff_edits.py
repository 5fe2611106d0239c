"""Two versions of a system to what was edited between them: a list of names, nothing about what it means."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from policydsl.core.expr import Expr
from policydsl.core.system import Action, GuardKind, Param, Property, System
from policydsl.core.types import EnumType
from verifier.diff_align import NEW, OLD, Alignment, Vocabulary

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Edit:
    """`what` (parameter, state, action, input, rule, requirement, effect, property) called `name` was added, removed or
    changed; `detail` says how, where a few words can."""

    what: str
    name: str
    how: str
    detail: str = ""


def edits(alignment: Alignment) -> tuple[Edit, ...]:
    """Everything that differs in the texts of both versions, as far as the core keeps it."""
    return tuple(_edits(alignment))


def _edits(al: Alignment) -> Iterator[Edit]:
    old, new = al.old, al.new
    for name in al.enums:
        cases = [set(c) for c in (_cases(old, name), _cases(new, name))]
        yield Edit("enum", name, "changed", _plus_minus(cases[0], cases[1]))
    yield from _compare("parameter", {p.name: p for p in old.params}, {p.name: p for p in new.params}, _param)
    said = {OLD: al.vocabulary(OLD, al.common), NEW: al.vocabulary(NEW, al.common)}
    yield from _compare("state", _states(old, said[OLD]), _states(new, said[NEW]))
    before, after = ({a.name: a for a in s.actions} for s in (old, new))
    yield from _compare("action", dict.fromkeys(before, ""), dict.fromkeys(after, ""))
    for name in (n for n in after if n in before):
        yield from _action(name, before[name], after[name], said)
    yield from _compare("property", _properties(old, said[OLD]), _properties(new, said[NEW]))


def _compare(
    what: str, old: Mapping[str, T], new: Mapping[str, T], detail: Callable[[T, T], str] = lambda _, __: ""
) -> Iterator[Edit]:
    for name in [*new, *(n for n in old if n not in new)]:
        if name not in old or name not in new:
            yield Edit(what, name, "added" if name in new else "removed")
        elif old[name] != new[name]:
            yield Edit(what, name, "changed", detail(old[name], new[name]))


def _param(old: Param, new: Param) -> str:
    return f"{_range(old)} -> {_range(new)}"


def _range(p: Param) -> str:
    if p.low is None and p.high is None:
        return str(p.default.value)
    return f"{p.default.value} in {'' if p.low is None else p.low}..{'' if p.high is None else p.high}"


def _states(system: System, say: Vocabulary) -> dict[str, object]:
    return {v.name: (v.keys, say.scalar(v.type), None if v.init is None else say(v.init)) for v in system.state}


def _properties(system: System, say: Vocabulary) -> dict[str, object]:
    return {p.name: _property(p, say) for p in system.properties}


def _property(p: Property, say: Vocabulary) -> tuple[object, ...]:
    return p.kind, say(p.expr), None if p.goal is None else say(p.goal), p.action, p.expected


def _action(name: str, old: Action, new: Action, said: Mapping[str, Vocabulary]) -> Iterator[Edit]:
    if (old.inputs, old.guards, old.writes, old.rules, old.obligations) == (
        new.inputs,
        new.guards,
        new.writes,
        new.rules,
        new.obligations,
    ):
        return
    where = f" on {name}"
    views = [_View(a, said[s]) for s, a in ((OLD, old), (NEW, new))]
    parts = [(v.inputs(), v.rules(), v.requirements(), v.effects()) for v in views]
    for what, of_old, of_new in zip(("input", "rule", "requirement", "effect"), *parts, strict=True):
        for edit in _compare(what, of_old, of_new):
            yield Edit(what, edit.name + where, edit.how)


class _View:
    """One action, taken apart into what has a name."""

    def __init__(self, action: Action, say: Vocabulary) -> None:
        self._action = action
        self._say = say

    def inputs(self) -> dict[str, object]:
        return {i.name: self._say.scalar(i.type) for i in self._action.inputs}

    def rules(self) -> dict[str, object]:
        obligations: dict[str, list[object]] = {}
        for o in self._action.obligations:
            obligations.setdefault(o.rule, []).append((o.name, self._all(o.args), self._say(o.condition), o.on))
        limits = {
            g.rule: self._say(g.expr) for g in self._action.guards if g.kind in (GuardKind.LIMIT, GuardKind.APPROVE)
        }
        return {
            r.rule: (r.effect, self._say(r.condition), limits.get(r.rule), obligations.get(r.rule))
            for r in self._action.rules
        }

    def requirements(self) -> dict[str, object]:
        found: dict[str, list[Expr]] = {}
        for g in self._action.guards:
            if g.kind in (GuardKind.REQUIRE, GuardKind.ASSUME):
                found.setdefault(f'"{g.reason}"', []).append(self._say(g.expr))
        return dict(found)

    def effects(self) -> dict[str, object]:
        found: dict[str, list[object]] = {}
        for before in self._action.writes:
            w = self._say.write(before)
            found.setdefault(before.var, []).append((w.keys, w.value, w.binders))
        return dict(found)

    def _all(self, args: Iterable[Expr]) -> tuple[Expr, ...]:
        return tuple(map(self._say, args))


def _cases(system: System, name: str) -> tuple[str, ...]:
    types = [v.type for v in system.state] + [i.type for a in system.actions for i in a.inputs]
    return next((t.cases for t in types if isinstance(t, EnumType) and t.name == name), ())


def _plus_minus(old: set[str], new: set[str]) -> str:
    return ", ".join([*(f"+{c}" for c in sorted(new - old)), *(f"-{c}" for c in sorted(old - new))])
