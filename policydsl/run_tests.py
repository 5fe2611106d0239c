"""Runs the `test` blocks of a policy in the reference interpreter: a test and a system become what failed."""

from __future__ import annotations

from dataclasses import dataclass

from policydsl.core.expr import Apply, Expr, Op, Ref, Space, subterms
from policydsl.core.system import System, Test, TestCheck, TestStep
from policydsl.core.to_json import digest
from policydsl.core.types import MapType, Scalar
from policydsl.interp import Request, State, UnfitError, evaluate, initial, step
from policydsl.source import Span
from policydsl.to_words import quoted, value_words, words
from policydsl.trace import Cell, Decision, Step, Trace


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


def run_test(system: System, test: Test) -> TestResult:
    """Run `test` to its end, and collect everything that fails."""
    params = {name: c.value for name, c in test.params}
    start = tuple(Cell(g.var, tuple(str(k.value) for k in g.keys), g.value.value) for g in test.given)
    try:
        state = initial(system, params, start)
    except UnfitError as e:
        return TestResult(False, (Failure(test.span, str(e)),), None)
    failures: list[Failure] = []
    steps: list[Step] = []
    for item in test.steps:
        match item:
            case TestCheck():
                failures += _checked(item, state, len(steps))
            case TestStep():
                inputs = tuple((name, c.value) for name, c in item.inputs)
                result = step(system, state, Request(item.action, dict(inputs)))
                steps.append(Step(item.action, inputs, result.decision, result.changes))
                failures += [Failure(item.span, text, len(steps)) for text in _answered(item, result.decision)]
                state = result.state
    chosen = tuple((p.name, state.params[p.name]) for p in system.params)
    trace = Trace(system.name, digest(system), chosen, start, tuple(steps))
    return TestResult(not failures, tuple(failures), trace)


def _answered(item: TestStep, decision: Decision) -> list[str]:
    """How `decision` differs from what is expected."""
    if item.effect is not None and item.effect.value != decision.effect:
        because = f": {decision.reason}" if decision.reason else ""
        by = f" by {', '.join(decision.rules)}" if decision.rules else ""
        return [f"expected {item.effect.value}, got {decision.effect}{by}{because}"]
    found = []
    if item.by and item.by not in decision.rules:
        found.append(f"expected it by `{item.by}`, got {_rules(decision)}")
    if item.reason and item.reason != decision.reason:
        found.append(f"expected the reason {quoted(item.reason)}, got {quoted(decision.reason)}")
    return found


def _rules(decision: Decision) -> str:
    because = f" ({decision.reason})" if decision.reason else ""
    return (", ".join(f"`{r}`" for r in decision.rules) or "no rule") + because


def _checked(item: TestCheck, state: State, step: int) -> list[Failure]:
    if evaluate(item.expr, state) is True:
        return []
    values = ", ".join(f"{words(e)} is {_shown(e, state)}" for e in _reads(item.expr))
    text = f"expected {item.text or words(item.expr)}" + (f", but {values}" if values else "")
    return [Failure(item.span, text, step)]


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


def _shown(e: Expr, state: State) -> str:
    assert isinstance(e.type, Scalar)
    return value_words(evaluate(e, state), e.type)
