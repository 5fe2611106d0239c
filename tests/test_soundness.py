"""No verdict is ever contradicted: small systems against all of their runs, and against solvers that fail or lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from policydsl.core.expr import FALSE, TRUE, Expr, conj, disj, eq, le, negate, number
from policydsl.core.system import Property, PropertyKind, System
from policydsl.core.types import BOOL, INT
from policydsl.interp import replay, start_faults, violated
from tests import tiny
from tests.checked import program
from tests.enumerate import Pools, explore, mentions_nobody
from tests.machines import machines
from tests.strategies import Shape, systems
from verifier import solve, solvers, spacer
from verifier.bounded import Limits
from verifier.horn import Problem
from verifier.solve import Answer, DisagreementError
from verifier.verdict import Proved, Refuted, Verification, Witnessed
from verifier.verify import Proof, Settings, verify_with_proofs

SMALL = Settings(
    rlimit=1_000_000,
    spacer_rlimit=300_000,
    spacer_rlimit_last=600_000,
    limits=Limits(depth=4, rlimit=500_000, total=10_000_000),
)
POOLS = Pools(steps=800)


def quiet(examples: int) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.reuse, Phase.generate),  # the systems are small already
    )


def contradictions(system: System, found: Verification, proofs: dict[str, Proof], pools: Pools = POOLS) -> list[str]:
    """Where a verdict, or a lemma that a proof rests on, is not what the runs of the system say."""
    lemmas = [
        Property(f"lemma {i} of {name}", PropertyKind.INVARIANT, lemma)
        for name, proof in proofs.items()
        for i, lemma in enumerate(proof.lemmas)
    ]
    seen = explore(replace(system, properties=(*system.properties, *lemmas)), 3, pools)
    wrong = [f"{p.name} is broken: {seen.runs[p.name]}" for p in lemmas if p.name in seen.at]
    searchable = not mentions_nobody(system)
    for o in found.outcomes:
        name, verdict, first = o.property.name, o.verdict, seen.at.get(o.property.name)
        match verdict:
            case Proved() if first is not None:
                wrong.append(f"{name} is proved, and decided otherwise by {seen.runs[name]}")
            case Proved() if name not in proofs or not proofs[name].obligations:
                wrong.append(f"{name} is proved without an obligation")
            case Refuted(trace) | Witnessed(trace):
                wrong += [f"{name}: {fault}" for fault in [*replay(system, trace), *start_faults(system, trace)]]
                if (isinstance(verdict, Witnessed)) != (o.property.kind is PropertyKind.REACHABLE):
                    wrong.append(f"{name}: the wrong kind of answer")
                if violated(system, o.property, trace) != len(trace.steps):
                    wrong.append(f"{name}: the run decides it elsewhere than at its end")
                if searchable and first is not None and first < len(trace.steps):
                    wrong.append(f"{name}: {len(trace.steps)} steps, and {first} do: {seen.runs[name]}")
    return wrong


@quiet(60)
@given(machines())
def test_no_run_contradicts_a_verdict(system: System) -> None:
    assert contradictions(system, *verify_with_proofs(system, SMALL)) == []


@quiet(40)
@given(systems(Shape(quantifiers=2)))
def test_no_run_of_anything_at_all_contradicts_a_verdict(system: System) -> None:
    assert contradictions(system, *verify_with_proofs(system, SMALL)) == []


@pytest.mark.slow
@quiet(1500)
@given(st.one_of(machines(), machines(), systems(Shape(quantifiers=2))))
def test_no_run_contradicts_many_verdicts(system: System) -> None:
    assert contradictions(system, *verify_with_proofs(system, SMALL)) == []


# Solvers that give up or lie. What is false must not be proved, whatever one of them says.

FALSE_CLAIMS = """
entity Bot
enum Stage { Draft, Open, Done }
state m: Bot -> Int = 0
state stage: Bot -> Stage = Draft
state total: Int = 0
action start(principal: Bot) { require stage[principal] == Draft  stage[principal] := Open }
action pay(principal: Bot, n: Int[0..3]) {
  require stage[principal] == Open and m[principal] + n <= 5
  m[principal] += n
  total += n
}
invariant early: forall b: Bot . stage[b] == Draft or m[b] == 0
invariant late: forall b: Bot . m[b] <= 4
invariant sums: total == 0
assert nobody on pay: not allowed
step same: total == old(total)
reachable paid: exists b: Bot . m[b] == 5
"""
TRUE_CLAIMS = """
invariant bounded: forall b: Bot . m[b] <= 5
invariant opened: forall b: Bot . m[b] == 0 or stage[b] == Open
assert only_open on pay: allowed implies stage[principal] == Open
step grows: total >= old(total)
reachable six: exists b: Bot . m[b] == 6
"""
FALSE_NAMES = {"early", "late", "sums", "nobody", "same", "paid"}
TRUE_NAMES = {"bounded", "opened", "only_open", "grows", "six"}


def proved(found: Verification) -> set[str]:
    return {o.property.name for o in found.outcomes if isinstance(o.verdict, Proved)}


def answer() -> set[str]:
    """What is proved of a system with claims of both kinds; nothing if the solvers are seen to disagree."""
    try:
        found, proofs = verify_with_proofs(program(FALSE_CLAIMS + TRUE_CLAIMS).system, SMALL)
    except DisagreementError:
        return set()
    assert set(proofs) == proved(found)
    return proved(found)


def test_what_is_true_is_proved_and_nothing_else() -> None:
    assert answer() == TRUE_NAMES


@pytest.mark.parametrize("says", list(Answer), ids=lambda a: a.name)
@pytest.mark.parametrize("which", ["with_z3", "with_cvc5"])
def test_one_solver_alone_proves_nothing(which: str, says: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solve, which, lambda *_, **__: says)
    assert answer() <= (TRUE_NAMES if says is Answer.UNSAT else set())


def test_two_lying_solvers_are_what_this_suite_would_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solve, "with_z3", lambda *_, **__: Answer.UNSAT)
    monkeypatch.setattr(solve, "with_cvc5", lambda *_, **__: Answer.UNSAT)
    assert answer() & FALSE_NAMES


def test_a_disagreement_is_never_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solve, "with_cvc5", lambda *_, **__: Answer.SAT)
    with pytest.raises(DisagreementError):
        verify_with_proofs(program(FALSE_CLAIMS + TRUE_CLAIMS).system, SMALL)


@pytest.mark.parametrize("which", ["with_z3", "with_cvc5"])
@quiet(8)
@given(st.data())
def test_each_obligation_of_a_proof_was_discharged_by_both(which: str, data: st.DataObject) -> None:
    """Some answers of one solver get lost; no proof rests on one of those."""
    said: dict[str, dict[str, Answer]] = {"with_z3": {}, "with_cvc5": {}}
    lost = data.draw(st.sets(st.integers(0, 40)))
    with pytest.MonkeyPatch.context() as patch:
        for name, answers in said.items():
            patch.setattr(solve, name, forgetful(getattr(solve, name), answers, lost if name == which else set()))
        found, proofs = verify_with_proofs(program(FALSE_CLAIMS + TRUE_CLAIMS).system, SMALL)
    assert set(proofs) == proved(found) <= TRUE_NAMES
    for proof in proofs.values():
        assert proof.obligations
        for obligation in proof.obligations:
            assert all(answers[obligation.text] is Answer.UNSAT for answers in said.values())


def forgetful(ask: Callable[..., Answer], said: dict[str, Answer], lost: set[int]) -> Callable[..., Answer]:
    def asked(script: str, *limits: object) -> Answer:
        found = Answer.UNKNOWN if len(said) in lost else ask(script, *limits)
        said[script] = found
        return found

    return asked


# Candidates that come from elsewhere: whatever is proposed, only what both solvers confirm is used.


@st.composite
def candidates(draw: Callable[..., object], problem: Problem) -> Expr:
    """A formula over the cells of `problem`: trivial, or a few comparisons put together."""
    atoms: list[Expr] = [TRUE, FALSE]
    for a in problem.arguments:
        if a.type == BOOL:
            atoms += [a, negate(a)]
        elif a.type == INT:
            limit = number(draw(st.integers(-1, 6)))  # type: ignore[arg-type]
            atoms += [le(a, limit), le(limit, a), eq(a, limit)]
    parts: list[Expr] = [draw(st.sampled_from(atoms)) for _ in range(draw(st.integers(1, 3)))]  # type: ignore[arg-type]
    return conj(*parts) if draw(st.booleans()) else disj(*parts)


@quiet(8)
@given(st.data(), machines())
def test_a_proposal_is_never_believed(data: st.DataObject, system: System) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(solvers.Solvers, "propose", lambda self, problem, rlimit, options: data.draw(candidates(problem)))
        for chosen in (system, tiny.system(good=False), program(FALSE_CLAIMS + TRUE_CLAIMS).system):
            assert contradictions(chosen, *verify_with_proofs(chosen, SMALL)) == []


@pytest.mark.parametrize("text", ["true", "false", "(= x0 x0)", "(", "", "(foo x0)", "GAVE_UP", "x99", "3", "(+ x0 1)"])
def test_no_answer_of_the_proposer_breaks_anything(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spacer, "propose", lambda *_: text)
    found = answer()
    assert {"bounded", "grows"} <= found <= TRUE_NAMES


# The helper itself.


def test_the_enumeration_sees_what_there_is() -> None:
    system = program(FALSE_CLAIMS + TRUE_CLAIMS).system
    seen = explore(system, 3, Pools(numbers=(0, 3, 2), steps=4000))
    assert seen.at == {"early": 2, "late": 3, "sums": 2, "nobody": 2, "same": 2, "paid": 3}
    for name, run in seen.runs.items():
        assert len(run) == seen.at[name]


def test_a_false_verdict_is_a_contradiction() -> None:
    system = program(FALSE_CLAIMS).system
    found, proofs = verify_with_proofs(system, SMALL)
    lies = tuple(replace(o, verdict=Proved("because")) for o in found.outcomes)
    assert len(contradictions(system, replace(found, outcomes=lies), proofs)) == len(lies)
