"""Mistakes in the encoder and in the ways of proof, one at a time: each makes something false look proved.

So the policy below is a trap for each of them, and a change that makes such a mistake fails this file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from policydsl import regular
from policydsl.core import after as after_module
from policydsl.core.expr import (
    Apply,
    Const,
    Expr,
    Op,
    Ref,
    Space,
    implies,
    le,
    number,
    rebuild,
    select,
    substitute,
)
from policydsl.core.system import System, Write
from policydsl.core.types import BOOL, INT
from tests.checked import program
from tests.enumerate import Pools, explore
from verifier import claims as claims_module
from verifier import ground, induction, joint, string_classes, sum_facts, to_smt
from verifier import verify as verify_module
from verifier.bounded import Limits
from verifier.solve import Answer
from verifier.verdict import Proved
from verifier.verify import Settings, verify

TRAPS = """
entity Bot { root, guest }
entity Item
enum Stage { Draft, Open, Done }
param LIMIT: Int[0..3] = 1
state m: Bot -> Int = 0
state bound: Bot -> Int = 0
state held: (Item, Bot) -> Bool = false
state stage: Item -> Stage = Draft
state note: String = "a"
state word: String = "z1"
state n: Int = 0
state lim: Int = LIMIT
state free: Int = any
state x: Int = 0
state y: Int = 0
state left: Int = 0
state right: Int = 0
state bal: Bot -> Int = 0

action twice(b: Bot, c: Bot) { m[b] := 1  m[c] := 2 }
action pay(principal: Bot, k: Int[0..3]) { require m[principal] + k <= 5  m[principal] += k }
action owe(principal: Bot) { n := -1 }
action set_stage(i: Item, s: Stage) { stage[i] := s }
action take(principal: Bot, i: Item) { held[i, principal] := true }
action raise_(b: Bot) { bound[b] := 3 }
action all() { for each b: Bot { m[b] := bound[b] } }
action say(text: String) { note := text }
action rename() { word := "z2" }
action copy() { x := y }
action grow() { y := min(y + 1, 4) }
action halves(k: Int[-4..4]) { left := k / 2  right := k % 2 }
action lend(a: Bot, b: Bot) { require a != b  bal[a] -= 1  bal[b] += 1 }

step last_wins on twice: m[b] == 1
step others on pay: forall b: Bot . m[b] == m[principal]
step alike on all: forall a: Bot, b: Bot . m[a] == m[b]
step same on pay: m[principal] == old(m[principal])
assert denied_too on pay: m[principal] + k <= 5
assert kept_order on twice: m[b] == m[c]
invariant not_done: forall i: Item . stage[i] != Done
invariant not_negative: n >= 0
invariant one: forall a: Bot, b: Bot . a != b implies not (m[a] > 0 and m[b] > 0)
invariant witnesses: (exists a: Bot . m[a] > 1) implies not (exists b: Bot . m[b] == 1)
invariant lifted: (if (exists b: Bot . m[b] > 0) then 1 else 0) == (if (exists b: Bot . bound[b] > 0) then 1 else 0)
invariant all_or_none: forall i: Item . (exists a: Bot . held[i, a]) implies forall b: Bot . held[i, b]
invariant at_least_one: LIMIT >= 1
invariant lim_is_one: lim == 1
invariant starts_high: lim >= 4
invariant free_is_zero: free == 0
invariant x_low: x <= 0
invariant y_low: y <= 0
invariant two: forall b: Bot . m[b] <= 2
invariant wordy: word matches "[0-9]*"
invariant no_ab: not (note like "a*" and note ends with "b")
invariant short: note matches "a|b"
invariant half: left >= -1
invariant rest: right == 0
invariant part: forall b: Bot . bal[b] <= sum(c: Bot . bal[c])
invariant named: m[root] == m[guest]
reachable never: lim == 9
"""
FALSE = {
    line.split()[1].rstrip(":") for line in TRAPS.splitlines() if line.startswith(("step ", "assert ", "invariant "))
}
# Without a search, which would find each claim to be false before a proof is tried.
PROOFS_ONLY = Settings(
    spacer_rlimit=1_000, spacer_rlimit_last=1_000, shallow=-1, limits=Limits(depth=-1), vacuity=False
)


@pytest.fixture(scope="module")
def traps() -> System:
    return program(TRAPS).system


def caught(system: System) -> set[str]:
    """The claims that are false and yet proved."""
    return {o.property.name for o in verify(system, PROOFS_ONLY).outcomes if isinstance(o.verdict, Proved)} & FALSE


def test_all_claims_are_false(traps: System) -> None:
    seen = explore(traps, 2, Pools(individuals=1, numbers=(0, 3, -4), texts=("", "ab"), steps=10_000))
    assert seen.at.keys() == FALSE


def test_nothing_false_is_proved(traps: System) -> None:
    assert caught(traps) == set()


# The mistakes. Each is given the function that it replaces.


def first_write_wins(right: Any) -> Any:
    return lambda variable, keys, writes: right(variable, keys, tuple(writes)[::-1])


def keys_always_meet(right: Any) -> Any:
    def wrong(variable: Ref, keys: tuple[Expr, ...], writes: Sequence[Write]) -> Expr:
        value = select(variable, *keys)
        for w in writes:
            if w.var == variable.name:
                value = substitute(w.value, {k: x for k, x in zip(w.keys, keys, strict=True) if k in w.binders})
        return value

    return wrong


def everybody_gets_the_same(right: Any) -> Any:
    def wrong(variable: Ref, keys: tuple[Expr, ...], writes: Sequence[Write]) -> Expr:
        roots = {b: Const("root", b.type) for w in writes for b in w.binders}
        return right(variable, keys, tuple(replace(w, value=substitute(w.value, roots)) for w in writes))

    return wrong


def nothing_is_written(right: Any) -> Any:
    return lambda variable, keys, writes: select(variable, *keys)


def quantifiers_do_not_turn(right: Any) -> Any:
    def wrong(e: Expr, positive: bool = True) -> Expr:
        if isinstance(e, Apply) and e.op in ground.QUANTIFIERS and not positive:
            return rebuild(e.op, (e.args[0], wrong(e.args[1], False)), BOOL)
        return right(e, positive)

    return wrong


def one_witness_for_all(right: Any) -> Any:
    return lambda self, bound: Ref(f"{bound.type}!1", bound.type, Space.BOUND)


def one_name_for_all_conditions(right: Any) -> Any:
    return lambda self: Ref("holds!1", BOOL, Space.BOUND)


def witnesses_are_instances(right: Any) -> Any:
    """An existential is given the first individual at hand."""

    def wrong(e: Expr, names: ground.Names) -> Expr:
        if isinstance(e, Apply) and e.op is Op.EXISTS:
            bound = e.args[0]
            return wrong(substitute(e.args[1], {bound: Ref(f"some {bound.type}", bound.type, Space.BOUND)}), names)
        return right(e, names)

    return wrong


def last_case_is_missing(right: Any) -> Any:
    return lambda term, enum: f"(assert (and (<= 0 {term}) (< {term} {len(enum.cases) - 1})))"


def no_negative_numbers(right: Any) -> Any:
    return lambda const: right(const).replace("(- ", "").rstrip(")")


def one_class_is_missing(right: Any) -> Any:
    return lambda patterns: (found := right(patterns)) and [c for c in found if sum(c.membership) < 2]


def nothing_is_a_member(right: Any) -> Any:
    return lambda pattern, text: not right(pattern, text)


def ranges_start_later(right: Any) -> Any:
    return lambda system, roots: [*right(system, roots), *(le(number(1), p.ref) for p in system.params)]


def starts_are_not_asked(right: Any) -> Any:
    return lambda system, what, goal: induction.Obligation(what, "(set-logic ALL)(assert false)")


def free_cells_start_at_the_default(right: Any) -> Any:
    return lambda system, goal: substitute(right(system, goal), {Ref("free", INT, Space.STATE): number(0)})


def only_the_first_action(right: Any) -> Any:
    return lambda system, goal: right(system, goal)[:1]


def goal_is_assumed_afterwards(right: Any) -> Any:
    return lambda action, goal, known: right(action, goal, [*known, induction.after(goal, action.writes)])


def only_what_is_allowed(right: Any) -> Any:
    return lambda prop, action, formula: right(prop, action, implies(action.allowed, formula))


def step_reads_one_state(right: Any) -> Any:
    return lambda expr, writes, space=Space.STATE: right(expr, (), space)


def the_first_round_is_enough(right: Any) -> Any:
    """Joint induction that keeps what needed something that fell."""

    def wrong(system: System, candidates: Any, known: Any, discharge: Any) -> Any:
        everything = {**known, **dict(candidates)}
        found = right(system, candidates, known, discharge)
        for name, expr in candidates:
            others = [e for n, e in everything.items() if n != name]
            asked = [
                induction.init_obligation(system, name, expr),
                induction.step_obligation(system, name, expr, others),
            ]
            if name not in found and all(o is None or discharge(o) is Answer.UNSAT for o in asked):
                found[name] = joint.Inductiveness("", tuple(o for o in asked if o), ())
        return found

    return wrong


def terms_are_never_negative(right: Any) -> Any:
    return lambda system, name, formula, known, discharge: (induction.Obligation(name, ""),)


MISTAKES: list[tuple[Any, str, Callable[[Any], Any], str]] = [
    (after_module, "read_after", first_write_wins, "last_wins"),
    (after_module, "read_after", keys_always_meet, "others"),
    (after_module, "read_after", everybody_gets_the_same, "alike"),
    (after_module, "read_after", nothing_is_written, "named"),
    (ground, "negation_normal", quantifiers_do_not_turn, "one"),
    (ground.Names, "fresh", one_witness_for_all, "witnesses"),
    (ground.Names, "truth", one_name_for_all_conditions, "lifted"),
    (ground, "skolemise", witnesses_are_instances, "all_or_none"),
    (to_smt, "_in_range", last_case_is_missing, "not_done"),
    (to_smt, "literal", no_negative_numbers, "half"),
    (string_classes, "_classes", one_class_is_missing, "no_ab"),
    (regular, "member", nothing_is_a_member, "wordy"),
    (induction, "parameters", ranges_start_later, "at_least_one"),
    (induction, "initially", free_cells_start_at_the_default, "free_is_zero"),
    (joint, "init_obligation", starts_are_not_asked, "starts_high"),
    (induction, "writers", only_the_first_action, "two"),
    (induction, "breaking_step", goal_is_assumed_afterwards, "not_negative"),
    (claims_module, "after", step_reads_one_state, "same"),
    (claims_module, "_request", only_what_is_allowed, "denied_too"),
    (verify_module, "inductive", the_first_round_is_enough, "x_low y_low"),
    (sum_facts, "_always", terms_are_never_negative, "part"),
]


@pytest.mark.parametrize(("where", "name", "mistake", "claims"), MISTAKES, ids=[m[2].__name__ for m in MISTAKES])
def test_a_mistake_is_caught(
    where: Any,
    name: str,
    mistake: Callable[[Any], Any],
    claims: str,
    traps: System,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trap = replace(traps, properties=tuple(p for p in traps.properties if p.name in claims.split()))
    monkeypatch.setattr(where, name, mistake(getattr(where, name)))
    assert caught(trap)
