"""What the verifier and the interpreter answer, to words for the renderers."""

from __future__ import annotations

from dataclasses import replace

from policyctl.results import PropertyView, StepView, TestView, TraceView
from policyctl.to_advice import advice
from policydsl.core.expr import subterms
from policydsl.core.system import Program, Property, PropertyKind, System, Test
from policydsl.core.types import EntityType, MapType
from policydsl.diagnostics import Diagnostic, Severity
from policydsl.interp import states
from policydsl.run_tests import TestResult, run_test
from policydsl.start_words import from_anywhere
from policydsl.tidy import tidy
from policydsl.to_words import describe_changes, describe_obligation, describe_start, describe_step, words
from policydsl.trace import Step, Trace
from policydsl.trace_json import to_json
from verifier.verdict import Outcome, Proved, Refuted, Unknown, Verification, Witnessed


def properties_of(system: System, verification: Verification) -> tuple[PropertyView, ...]:
    return tuple(property_view(system, outcome) for outcome in verification.outcomes)


def property_view(system: System, outcome: Outcome) -> PropertyView:
    prop = outcome.property
    common = PropertyView(
        name=prop.name,
        kind=prop.kind.value,
        status=outcome.status,
        expected=prop.expected.value,
        because=prop.because,
        cached=outcome.cached,
        doc=prop.doc,
        span=prop.span,
    )
    match outcome.verdict:
        case Proved(how, uses, lemmas, guards, assumptions):
            return replace(
                common,
                scope=scope(prop),
                how=how,
                uses=uses,
                lemmas=tuple(words(tidy(lemma), system=system) for lemma in lemmas),
                guards=guards,
                assumptions=assumptions,
            )
        case Refuted(trace, reason):
            return replace(common, how=reason, trace=trace_view(system, replace(trace, property=prop.name)))
        case Witnessed(trace):
            return replace(common, trace=trace_view(system, replace(trace, property=prop.name)))
        case Unknown(reason, cti):
            # A run that shows why a leads-to may wait for ever begins where the policy does.
            losing = None if prop.kind is PropertyKind.LEADS_TO else prop
            shown = None if cti is None else trace_view(system, cti, losing)
            return replace(common, how=reason, advice=advice(prop), cti=shown)


def scope(prop: Property) -> str:
    """What a proof is for: `for any number of bots, proposals and steps`, from what the property speaks about."""
    roots = [prop.expr] if prop.goal is None else [prop.expr, prop.goal]
    sorts: dict[str, None] = {}
    for e in subterms(*roots):
        types = e.type.keys if isinstance(e.type, MapType) else (e.type,)
        for type in types:
            if isinstance(type, EntityType):
                sorts[_plural(type.name)] = None
    if prop.kind is PropertyKind.ASSERT:
        *front, last = [*sorts, "requests"]
    else:
        *front, last = [*sorts, "steps"]
    return "for any number of " + (f"{', '.join(front)} and {last}" if front else last)


def _plural(name: str) -> str:
    word = name[0].lower() + name[1:]
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith(("s", "x", "ch", "sh")) else f"{word}s"


def trace_view(system: System, trace: Trace, losing: Property | None = None) -> TraceView:
    """A run in words; one that loses the property `losing` in a step from any state, reachable or not, if given."""
    told = replace(trace, steps=trace.steps[:-1])  # where the last step leads to is not needed
    before = states(system if losing is None else from_anywhere(system), told)
    steps = (
        StepView(
            describe_step(step, system),
            step.decision.effect,
            _why(step),
            tuple(describe_changes(step.changes, system, before[i])),
            tuple(describe_obligation(n, args, step.action, system) for n, args in step.decision.obligations),
        )
        for i, step in enumerate(trace.steps)
    )
    return TraceView(describe_start(system, trace, losing), tuple(steps), to_json(trace))


def _why(step: Step) -> str:
    """The reason, else the rules, of an answer that is not a plain yes."""
    if step.decision.effect == "allow":
        return ""
    return step.decision.reason or (f"by {', '.join(step.decision.rules)}" if step.decision.rules else "")


def tests_of(program: Program) -> tuple[TestView, ...]:
    """Runs the tests of the program."""
    return tuple(view_of_test(program.system, test, run_test(program.system, test)) for test in program.tests)


def view_of_test(system: System, test: Test, result: TestResult, *, briefly: bool = False) -> TestView:
    """A test that was run; `briefly`, the run is only shown where it failed."""
    failures = tuple(
        Diagnostic("R805", Severity.ERROR, f"test `{test.name}`: {f.text}", f.span) for f in result.failures
    )
    if result.trace is None or (briefly and result.passed):
        return TestView(test.name, failures, None, test.span)
    view = trace_view(system, result.trace)
    notes = {f.step - 1: f.text for f in reversed(result.failures)}
    steps = tuple(replace(s, note=notes.get(i, "")) for i, s in enumerate(view.steps))
    return TestView(test.name, failures, replace(view, steps=steps), test.span)
