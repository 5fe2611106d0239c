"""Runs the `test` blocks of a policy in the reference interpreter: a test and a system become what failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from policydsl.core.expr import Apply, Expr, Op, Ref, Space, subterms
from policydsl.core.system import NOW, Awaited, Effect, System, Test, TestAnswer, TestCheck, TestStep
from policydsl.core.to_json import digest
from policydsl.core.types import MapType, Scalar, Value
from policydsl.interp import Request, State, UnfitError, evaluate, initial, step
from policydsl.source import Span
from policydsl.times import Measure, kinds_of
from policydsl.to_words import describe_obligation, quoted, words
from policydsl.trace import Cell, Decision, Step, Trace
from policydsl.trace_words import value_of


@dataclass(frozen=True, slots=True)
class Failure:
    """What did not turn out as the test says, and where it says so: after `step` requests, or at that one."""

    span: Span
    text: str
    step: int = 0


@dataclass(frozen=True, slots=True)
class TestResult:
    """`trace` is the run of the test, whether it passed or not; None when it could not begin."""

    passed: bool
    failures: tuple[Failure, ...]
    trace: Trace | None


@dataclass(slots=True)
class _Run:
    """How far a test has come. `waiting` are the requests that a human has not answered yet, the latest last."""

    system: System
    state: State
    steps: list[Step] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    waiting: list[_Waiting] = field(default_factory=list)

    def fail(self, span: Span, *texts: str) -> None:
        self.failures += [Failure(span, text, len(self.steps)) for text in texts]

    def ask(self, action: str, inputs: dict[str, Value], asked: Mapping[str, Value] | None = None) -> Decision:
        """Put a request; one that is pending waits from then on. `asked` says since when its rules wait, if not now."""
        result = step(self.system, self.state, Request(action, inputs))
        self.steps.append(Step(action, tuple(inputs.items()), result.decision, result.changes))
        self.state = result.state
        if result.decision.effect == Effect.PENDING.value:
            since = dict.fromkeys(result.decision.rules, inputs.get(NOW, 0))
            self.waiting.append(
                _Waiting(action, inputs, since | {r: t for r, t in (asked or {}).items() if r in since})
            )
        return result.decision

    def compare(self, item: TestStep | TestAnswer, action: str, decision: Decision) -> None:
        """Note how `decision` differs from what is expected."""
        if item.expected is not None:
            told = [describe_obligation(name, args, action, self.system) for name, args in decision.obligations]
            self.fail(item.span, *_answered(item.expected, decision, ", ".join(told) or "no obligation"))

    def answer(self, item: TestAnswer) -> tuple[str, Decision] | None:
        """What comes of a human's answer; None when nothing waits for it. One that comes too late is a refusal."""
        request = next((w for w in reversed(self.waiting) if item.rule in w.since), None)
        if request is None:
            return None
        self.waiting.remove(request)
        if not item.approved:
            return request.action, Decision(Effect.DENY.value, (item.rule,), "refused")
        given = {f"approved_{item.rule}": True, f"asked_{item.rule}": request.since[item.rule], NOW: item.at}
        inputs = request.inputs | {name: value for name, value in given.items() if name in request.inputs}
        decision = self.ask(request.action, inputs, request.since)
        if decision.effect == Effect.PENDING.value and item.rule in decision.rules:
            self.waiting.pop()
            self.steps.pop()
            decision = Decision(Effect.DENY.value, (item.rule,), "the answer came too late")
        return request.action, decision


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A pending request, and since when each of its rules waits for an answer."""

    action: str
    inputs: dict[str, Value]
    since: dict[str, Value]


def run_test(system: System, test: Test) -> TestResult:
    """Run `test` to its end, and collect everything that fails. A refusal by a human is no step of the trace."""
    params = {name: c.value for name, c in test.params}
    start = tuple(Cell(g.var, tuple(str(k.value) for k in g.keys), g.value.value) for g in test.given)
    try:
        run = _Run(system, initial(system, params, start))
    except UnfitError as e:
        return TestResult(False, (Failure(test.span, str(e)),), None)
    for item in test.steps:
        match item:
            case TestCheck():
                run.fail(item.span, *_checked(item, run.state))
            case TestStep():
                decision = run.ask(item.action, {name: c.value for name, c in item.inputs})
                run.compare(item, item.action, decision)
            case TestAnswer():
                answered = run.answer(item)
                if answered is None:
                    run.fail(item.span, f"no request waits for `{item.rule}`")
                else:
                    run.compare(item, *answered)
    chosen = tuple((p.name, run.state.params[p.name]) for p in system.params)
    trace = Trace(system.name, digest(system), chosen, start, tuple(run.steps))
    return TestResult(not run.failures, tuple(run.failures), trace)


def _answered(expected: Awaited, decision: Decision, told: str) -> list[str]:
    """How `decision`, with the obligations `told`, differs from what is expected."""
    if expected.effect.value != decision.effect:
        because = f": {decision.reason}" if decision.reason else ""
        by = f" by {', '.join(decision.rules)}" if decision.rules else ""
        return [f"expected {expected.effect.value}, got {decision.effect}{by}{because}"]
    found = []
    if expected.by and expected.by not in decision.rules:
        found.append(f"expected it by `{expected.by}`, got {_rules(decision)}")
    if expected.reason and expected.reason != decision.reason:
        found.append(f"expected the reason {quoted(expected.reason)}, got {quoted(decision.reason)}")
    for name, args in expected.obligations:
        values = tuple(a.value for a in args)
        if not any(name == o and repr(values) == repr(given[: len(values)]) for o, given in decision.obligations):
            wanted = ", ".join(str(a.value) if name == "redact" else words(a) for a in args)
            found.append(f"expected {name}({wanted}), got {told}")
    there = {name for name, _ in decision.obligations}
    return found + [f"expected no `{n}`, got {told}" for n in expected.without if n in there]


def _rules(decision: Decision) -> str:
    because = f" ({decision.reason})" if decision.reason else ""
    return (", ".join(f"`{r}`" for r in decision.rules) or "no rule") + because


def _checked(item: TestCheck, state: State) -> list[str]:
    if evaluate(item.expr, state) is True:
        return []
    measure = Measure(kinds_of(state.system))
    values = ", ".join(f"{words(e)} is {_shown(e, state, measure)}" for e in _reads(item.expr))
    return [f"expected {item.text or words(item.expr)}" + (f", but {values}" if values else "")]


_MANY = 4


def _reads(root: Expr) -> list[Expr]:
    """The cells at named individuals that a check reads: few enough to show."""
    found = []
    for e in subterms(root):
        state = isinstance(e, Ref) and e.space is Space.STATE and not isinstance(e.type, MapType)
        cell = isinstance(e, Apply) and e.op is Op.SELECT
        if (state or cell) and not any(isinstance(x, Ref) and x.space is Space.BOUND for x in subterms(e)):
            found.append(e)
    return found if len(found) <= _MANY else []


def _shown(e: Expr, state: State, measure: Measure) -> str:
    assert isinstance(e.type, Scalar)
    return value_of(evaluate(e, state), e.type, measure(e))
