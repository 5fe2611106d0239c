"""What is allowed and still most likely a mistake: warnings about a policy that has no errors."""

from __future__ import annotations

from policydsl import syntax as s
from policydsl.check.scope import World, kind_of
from policydsl.core.expr import FALSE, Space, refs
from policydsl.core.system import GuardKind, PropertyKind, System


def lint(module: s.Module, world: World, system: System) -> None:
    """Warn about the declarations of `module` itself, not of what it imports."""
    mine = tuple(d for d in module.declarations if d.span.path == module.path or not d.span.path)
    _rules(mine, world, system)
    _properties(mine, world, system)
    if system.actions:
        _unused(mine, world)


def _unused(mine: tuple[s.Decl, ...], world: World) -> None:
    asked = _input_enums(world)
    for decl in mine:
        match decl:
            case s.Import() | s.ActionDecl() | s.RuleDecl() | s.PropertyDecl() | s.TestDecl():
                pass
            case s.AllowDecl() | s.PhasesDecl():
                pass
            case s.ObligationDecl(name=name):
                if f"obligation {name}" not in world.used:
                    _never_used(decl, name, world)
            case s.StateDecl(name=name) if name in world.written and name not in world.used:
                text = f"the state variable `{name}` is assigned and never read"
                world.report.warn("W701", text, decl.name_span, help="remove it, or say in a property what it is for")
            case _ if decl.name not in world.used:
                _never_used(decl, decl.name, world)
            case s.EnumDecl(name=name, cases=cases) if name not in asked:
                for case in cases:
                    if (name, case.name) not in world.used_cases:
                        text = f"the case `{case.name}` of `{name}` is never used"
                        world.report.warn("W705", text, case.span, help="remove it, or say when it is reached")
            case s.StateDecl(name=name, init=init) if name not in world.written and init is not None:
                text = f"the state variable `{name}` never changes"
                help_ = (
                    "assign it in an action, make it a `const` or `param`, or write `= any` if it is given from outside"
                )
                world.report.warn("W702", text, decl.name_span, help=help_)


def _never_used(decl: s.Decl, name: str, world: World) -> None:
    text = f"the {kind_of(decl)} `{name}` is never used"
    world.report.warn("W701", text, decl.name_span, help="remove it")


def _input_enums(world: World) -> set[str]:
    """Enums whose values come with requests: no case of theirs is useless."""
    found: set[str] = set()
    todo = [t for a in world.actions.values() for _, t in a.params]
    while todo:
        type_ = todo.pop()
        todo += [t for t in (getattr(type_, "value", None), getattr(type_, "element", None)) if t is not None]
        todo += [t for _, t in getattr(type_, "fields", ())]
        if str(type_) in world.enums:
            found.add(str(type_))
    return found


def _rules(mine: tuple[s.Decl, ...], world: World, system: System) -> None:
    declared = {d.name: d for d in mine if isinstance(d, s.RuleDecl)}
    seen: dict[object, str] = {}
    uses: dict[str, list[tuple[str, object]]] = {}
    for action in system.actions:
        for use in action.rules:
            uses.setdefault(use.rule, []).append((action.name, use.condition))
    for name, decl in declared.items():
        if decl.effect in ("permit", "forbid") and name in uses:
            content = (decl.effect, tuple(uses[name]), tuple((o.name, o.args) for o in decl.then))
            first = seen.setdefault(content, name)
            if first != name:
                text = f"the rule `{name}` says the same as `{first}`"
                world.report.warn("W704", text, decl.name_span, help="remove one of them")
        if name in uses and all(condition is FALSE for _, condition in uses[name]):
            text = f"the rule `{name}` never matches"
            world.report.warn("W708", text, decl.name_span, help="its condition is false whatever the request is")
    own = {d.name: d for d in mine if isinstance(d, s.ActionDecl)}
    for action in system.actions:
        if action.name in own and any(g.kind is GuardKind.PERMIT and not g.rule for g in action.guards):
            text = f"no rule permits `{action.name}`, so it is always denied"
            help_ = f"write `permit ... on {action.name} when ...`, or a body: `action {action.name}(...) {{ }}`"
            world.report.warn("W707", text, own[action.name].name_span, help=help_)


def _properties(mine: tuple[s.Decl, ...], world: World, system: System) -> None:
    own = {d.name: d for d in mine if isinstance(d, s.PropertyDecl)}
    for claim in system.properties:
        decl = own.get(claim.name)
        if decl is None or claim.kind not in (PropertyKind.INVARIANT, PropertyKind.LEMMA, PropertyKind.REACHABLE):
            continue
        if not refs(claim.expr, space=Space.STATE):
            text = f"the {decl.kind} `{claim.name}` mentions no state"
            world.report.warn("W706", text, decl.name_span, help="it is true or false whatever the policy does")
