"""Rules to guards, inputs and obligations of the actions that they are on."""

from __future__ import annotations

from dataclasses import dataclass, field

from policydsl import syntax as s
from policydsl.check import expr, limits, strings, types
from policydsl.check.declare import BUILT_IN_OBLIGATIONS
from policydsl.check.scope import ActionInfo, Context, read_state, select_actions, suggest
from policydsl.check.surface import DURATION_T, ERROR_T, STRING_T, MapT
from policydsl.check.values import One, Typed
from policydsl.core.expr import Const, Expr, Ref, Space, conj, disj, implies, le, negate, number, refs, string, sub
from policydsl.core.system import NOW, Effect, Guard, GuardKind, Input, Obligation, RuleUse
from policydsl.core.types import BOOL, INT

NOW_REF = Ref(NOW, INT, Space.INPUT)


@dataclass(slots=True)
class Combined:
    """What the rules on one action come to, in the order of declaration."""

    uses: list[RuleUse] = field(default_factory=list)
    forbids: list[Guard] = field(default_factory=list)
    limits: list[Guard] = field(default_factory=list)
    permits: list[RuleUse] = field(default_factory=list)
    approvals: list[Guard] = field(default_factory=list)
    inputs: list[Input] = field(default_factory=list)
    obligations: list[Obligation] = field(default_factory=list)


def request_context(info: ActionInfo, ctx: Context) -> Context:
    """Where one request of `info` is looked at: its inputs, the time and the past are known."""
    place = f"{ctx.place} on `{info.name}`"
    return Context(ctx.world, place, read_state, info.locals, now=NOW_REF, past=NOW_REF)


def combine(rule: s.RuleDecl, ctx: Context, combined: dict[str, Combined]) -> None:
    """Add `rule` to every action that it is on."""
    infos = select_actions(ctx.world, rule.on, f"the rule `{rule.name}` is")
    for info in infos:
        _apply(rule, info, infos, request_context(info, ctx), combined[info.name])


def _apply(rule: s.RuleDecl, info: ActionInfo, infos: tuple[ActionInfo, ...], ctx: Context, into: Combined) -> None:
    conditions: list[Expr] = []
    for clause in rule.when:
        condition, found = expr.boolean(clause, ctx)
        conditions.append(condition)
        ctx = ctx.bind(found.yes).knowing(condition)
    for clause in rule.unless:
        condition, found = expr.boolean(clause, ctx)
        conditions.append(negate(condition))
        ctx = ctx.bind(found.no).knowing(negate(condition))
    matches = conj(*conditions)
    use = RuleUse(rule.name, rule.effect, matches, rule.because, rule.span)
    into.uses.append(use)
    answer = Effect.ALLOW
    match rule.effect:
        case "permit":
            into.permits.append(use)
        case "forbid":
            answer = Effect.DENY
            reason = rule.because or f"forbidden by {rule.name}"
            into.forbids.append(Guard(GuardKind.FORBID, negate(matches), reason, rule.name, rule.span))
        case "approve":
            _approve(rule, matches, ctx, into)
        case "redact":
            _redact(rule, matches, info, ctx, into)
        case _:
            within = limits.condition(rule, info, infos, matches, ctx)
            reason = rule.because or f"over the {rule.effect} {rule.name}"
            guard = Guard(GuardKind.LIMIT, implies(matches, within), reason, rule.name, rule.span)
            into.limits.append(guard)
    into.obligations += [o for call in rule.then if (o := _obligation(call, matches, answer, rule, ctx)) is not None]


def _approve(rule: s.RuleDecl, matches: Expr, ctx: Context, into: Combined) -> None:
    approved = Input(f"approved_{rule.name}", BOOL, f"whether {rule.by or 'somebody'} approved: {rule.name}")
    into.inputs.append(approved)
    answered: Expr = approved.ref
    args: list[Expr] = [string(rule.name), string(rule.by)]
    if rule.within is not None:
        asked = Input(f"asked_{rule.name}", INT, f"when approval was asked for: {rule.name}")
        into.inputs.append(asked)
        within = expr.scalar(rule.within, ctx, DURATION_T)
        if within is not None and not (isinstance(within, Const) or refs(within, space=Space.PARAM) == (within,)):
            text = "how long an approval holds must be constant"
            ctx.report.error("E507", text, rule.within.span, help="write a duration, a constant or a parameter")
        elif within is not None:
            # SOUND: an answer to a question that is yet to be asked is no answer.
            in_time = conj(le(asked.ref, NOW_REF), le(sub(NOW_REF, asked.ref), within))
            answered = conj(answered, in_time)
            args.append(within)
    else:
        args.append(number(0))
    reason = rule.because or f"{rule.by or 'somebody'} must approve: {rule.name}"
    into.approvals.append(Guard(GuardKind.APPROVE, disj(negate(matches), answered), reason, rule.name, rule.span))
    wanted = conj(matches, negate(answered))
    into.obligations.append(Obligation("approve", tuple(args), wanted, Effect.PENDING, rule.name))


def _redact(rule: s.RuleDecl, matches: Expr, info: ActionInfo, ctx: Context, into: Combined) -> None:
    """What is replaced are the parts of inputs that a `contains` looks for; else the inputs that match as a whole."""
    texts = {name for name, type_ in info.params if type_ == STRING_T}
    tests = [t for t in _string_tests(rule.when) if isinstance(t.left, s.Name) and t.left.name in texts]
    for test in [t for t in tests if t.op == "contains"] or tests:
        assert isinstance(test.left, s.Name)
        pattern = strings.wanted(test.op, test.right, ctx)
        if pattern is not None:
            args = (string(test.left.name), string(pattern), string(rule.replacement))
            into.obligations.append(Obligation("redact", args, matches, Effect.ALLOW, rule.name))
    if not tests:
        text = f"the rule `{rule.name}` does not say what is replaced"
        help_ = "write `when text contains secret`, where `text` is an input and `secret` a pattern"
        ctx.report.error("E406", text, rule.name_span, help=help_)


def _string_tests(conditions: tuple[s.Expr, ...]) -> list[s.Binary]:
    """The tests of strings in `conditions`, in their order, none from below a negation."""
    found: list[s.Binary] = []
    todo = list(reversed(conditions))
    while todo:
        match todo.pop():
            case s.Binary(op="contains" | "matches" | "like") as test:
                found.append(test)
            case s.Binary(op="and" | "or", left=left, right=right):
                todo += [right, left]
            case _:
                pass
    return found


def _obligation(call: s.ObligationCall, matches: Expr, on: Effect, rule: s.RuleDecl, ctx: Context) -> Obligation | None:
    declared = ctx.world.obligations.get(call.name)
    if declared is None and call.name not in BUILT_IN_OBLIGATIONS:
        known = [*BUILT_IN_OBLIGATIONS, *ctx.world.obligations]
        help_ = suggest(call.name, known) or f"declare it: `obligation {call.name}(...)`"
        ctx.report.error(
            "E112", f"there is no obligation `{call.name}`", ctx.world.word(call.span, call.name), help=help_
        )
        return None
    ctx.world.used.add(f"obligation {call.name}")
    if declared is not None and len(declared.params) != len(call.args):
        text = f"`{call.name}` takes {len(declared.params)} values, and {len(call.args)} are given"
        names = ", ".join(p.name for p in declared.params)
        ctx.report.error("E202", text, call.span, help=f"write `{call.name}({names})`")
        return None
    args: list[Expr] = []
    for nth, arg in enumerate(call.args):
        if declared is not None:
            found = expr.check(arg, ctx, types.resolve(declared.params[nth].type, ctx.world))
        else:
            found = _plain(arg, ctx)
        if found.wrong:
            return None
        if not isinstance(found.value, One):
            ctx.report.error("E206", f"`{found.type}` cannot be handed over", arg.span, help="hand over plain values")
            return None
        args.append(found.value.expr)
    return Obligation(call.name, tuple(args), matches, on, rule.name)


def _plain(arg: s.Expr, ctx: Context) -> Typed:
    found = expr.elaborate(arg, ctx)
    if isinstance(found.type, MapT):
        return expr.coerce(found, ERROR_T, ctx, arg.span)
    return expr.unwrap(found, ctx, arg.span)


def permit_guard(info: ActionInfo, combined: Combined) -> Guard | None:
    """NOTE(combining): an action with a body needs a matching permit rule only if one names it; without a body, always.
    Forbid rules and limits come first, so a permit never overrides them."""
    if not combined.permits and info.decl.body is not None:
        return None
    names = ", ".join(u.rule for u in combined.permits)
    allowed = disj(*(u.condition for u in combined.permits))
    return Guard(GuardKind.PERMIT, allowed, f"no rule permits {info.name}", names, info.decl.span)
