"""What the enforcer is told about actions: names to actions, and whether they are fit for what is said of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from policydsl import syntax as s
from policydsl.check.remembers import causes
from policydsl.check.scope import ActionInfo, World, kind_of, select_actions, suggest
from policydsl.check.surface import ErrorT
from policydsl.core.system import Action, GuardKind, Origin, Phases, StateVar, System
from policydsl.diagnostics import Label
from policydsl.source import Span


@dataclass(frozen=True, slots=True)
class Told:
    """The fields of a `System` of the same names."""

    fail_open: tuple[str, ...]
    recovery: tuple[str, ...]
    phases: tuple[Phases, ...]


def told(world: World) -> Told:
    """What is declared, with names and types in order; what the actions do is left to `check_effects`."""
    seen: dict[str, tuple[s.Name, s.PhasesDecl]] = {}
    phases = tuple(p for decl in world.phases.values() if (p := _phases(decl, seen, world)) is not None)
    return Told(_named("unavailable", world), _named("locked down", world), phases)


def _named(situation: str, world: World) -> tuple[str, ...]:
    """The actions that are allowed in this situation."""
    found: dict[str, s.Name] = {}
    for name in [n for decl in world.allowances if decl.while_ == situation for n in decl.on]:
        for info in select_actions(world, (name,), "`allow`", "names"):
            first = found.setdefault(info.name, name)
            if first is not name:
                labels = (Label(first.span, "first named here"),)
                said = f"`{info.name}`" if name.name == info.name else f"`{info.name}`, one of `{name.name}`,"
                text = f"{said} is allowed twice while {situation}"
                world.report.error("E419", text, name.span, labels=labels, help="leave one of them out")
    return tuple(found)


def _parts(decl: s.PhasesDecl) -> Iterator[tuple[str, s.Name]]:
    yield from (("reserve", decl.reserve), ("commit", decl.commit), ("abort", decl.abort))
    if decl.expire is not None:
        yield "expire", decl.expire


def _phases(decl: s.PhasesDecl, seen: dict[str, tuple[s.Name, s.PhasesDecl]], world: World) -> Phases | None:
    infos: dict[str, ActionInfo] = {}
    for part, name in _parts(decl):
        info = _action(name, decl, world)
        if info is None:
            continue
        first, other = seen.setdefault(name.name, (name, decl))
        if first is name:
            infos[part] = info
        else:
            where = "twice" if other is decl else f"and in `two phase {other.name}`"
            text = f"`{name.name}` is in `two phase {decl.name}` {where}"
            help_ = "each phase is an action of its own, so that the enforcer knows what a request begins or ends"
            world.report.error("E420", text, name.span, labels=(Label(first.span, "first named here"),), help=help_)
    if len(infos) < len(list(_parts(decl))):
        return None
    for part, name in list(_parts(decl))[1:]:
        _inputs(part, name, infos[part], infos["reserve"], world)
    expire = decl.expire.name if decl.expire is not None else ""
    return Phases(decl.name, decl.reserve.name, decl.commit.name, decl.abort.name, expire, decl.span)


def _action(name: s.Name, decl: s.PhasesDecl, world: World) -> ActionInfo | None:
    found = world.declared.get(name.name)
    if isinstance(found, s.ActionDecl):
        world.used.add(name.name)
        return world.actions.get(name.name)
    known = [n for n, d in world.declared.items() if isinstance(d, s.ActionDecl)]
    what = "not an action" if found is None else f"a {kind_of(found)} and not one action"
    text = f"`two phase {decl.name}` names `{name.name}`, which is {what}"
    help_ = suggest(name.name, known) or f"declare the action: `action {name.name}(...)`"
    world.report.error("E106", text, name.span, help=help_)
    return None


def _inputs(part: str, name: s.Name, info: ActionInfo, reserve: ActionInfo, world: World) -> None:
    """What ends a reservation takes what it shares with it from there."""
    before = dict(reserve.params)
    places = {p.name: p.span for p in (*reserve.decl.params, *info.decl.params)}  # `info` has the last word
    promised = {p.name: p.span for p in reserve.decl.params}
    for input_, type_ in info.params:
        other = before.get(input_)
        if other is None and part != "commit":
            text = f"`{part}` by `{name.name}` needs `{input_}`, which `{reserve.name}` does not know"
            labels: tuple[Label, ...] = (Label(places[input_], "this input"),)
            help_ = f"make it an input of `{reserve.name}`, or leave it out; only a commit may bring something new"
            world.report.error("E422", text, name.span, labels=labels, help=help_)
        elif other is not None and other != type_ and not isinstance(other, ErrorT) and not isinstance(type_, ErrorT):
            text = f"`{input_}` is `{type_}` in `{info.name}` and `{other}` in `{reserve.name}`"
            labels = (Label(places[input_], f"`{type_}` here"), Label(promised[input_], f"`{other}` here"))
            help_ = "its value is taken from the reservation: give both the same type, or one of them another name"
            world.report.error("E421", text, name.span, labels=labels, help=help_)


def check_effects(system: System, world: World) -> None:
    """What is allowed while unavailable only reads; what aborts a reservation undoes some of it, and asks nobody."""
    places: dict[str, Span] = {}
    for name in [n for decl in world.allowances if decl.while_ == "unavailable" for n in decl.on]:
        for info in select_actions(world, (name,), "`allow`", "names"):
            places.setdefault(info.name, name.span)
    for action, span in places.items():
        found = causes(system.action(action), system, world)
        if found:
            text = f"`{action}` does more than read: {found[0].text}"
            labels = tuple(Label(c.span, c.text) for c in found if c.span.path)
            help_ = "leave it out: what is allowed while the state cannot be kept must not need it kept"
            world.report.error("E418", text, span, labels=labels, help=help_)
    for decl in world.phases.values():
        if decl.span.path == world.path:
            _undone(decl, system, world)
            for end in (decl.abort, *([decl.expire] if decl.expire else [])):
                _unasked(end, system, world)


def _unasked(name: s.Name, system: System, world: World) -> None:
    rules = [g for g in system.action(name.name).guards if g.kind is GuardKind.APPROVE]
    if rules:
        text = f"`{name.name}` waits for a person (`{rules[0].rule}`), and what was reserved stays reserved meanwhile"
        help_ = "an end that nobody may be there for asks nobody: take the rule off it"
        labels = (Label(rules[0].span, "asked for here"),)
        world.report.warn("W715", text, name.span, labels=labels, help=help_)


def _undone(decl: s.PhasesDecl, system: System, world: World) -> None:
    variables = {v.name: v for v in system.state}
    begins = _changed(system.action(decl.reserve.name), variables)
    if not begins:
        text = f"`{decl.reserve.name}` changes no state, so nothing is reserved in `two phase {decl.name}`"
        help_ = "keep what is promised in a state variable, and take it back when the effect is aborted"
        world.report.warn("W714", text, decl.reserve.span, help=help_)
    elif not begins & _changed(system.action(decl.abort.name), variables):
        text = f"`{decl.abort.name}` undoes nothing of what `{decl.reserve.name}` does"
        changed = " and ".join(f"`{name}`" for name in sorted(begins))
        help_ = f"an effect that does not happen gives back what was reserved for it: {changed}"
        world.report.warn("W714", text, decl.abort.span, help=help_)


def _changed(action: Action, variables: dict[str, StateVar]) -> set[str]:
    """What the policy itself declares and the action assigns, as authors call it."""
    own = (Origin.DECLARED, Origin.GROUP)
    return {w.var.partition(".")[0] for w in action.writes if variables[w.var].origin in own}
