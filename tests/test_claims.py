"""Claims: formulas with their quantifiers in front mean what they meant."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from strategies import BOT, Shape, environment, exprs

from policydsl.core.expr import ZERO, Apply, Op, Ref, Space, conj, exists, le, number, select
from policydsl.core.system import StateVar, System
from policydsl.core.types import BOOL, INT
from policydsl.interp import evaluate, initial
from policydsl.trace import Cell
from tests.checked import program
from verifier.claims import hoisted, never
from verifier.verdict import Proved
from verifier.verify import verify

M = StateVar("m", (BOT,), INT, ZERO)
SYSTEM = System("s", (), (M,), (), ())
B = Ref("b", BOT, Space.BOUND)
ENV = environment((M,), (), (), (), Shape(strings=False, quantifiers=2))


@given(exprs(BOOL, ENV), st.lists(st.tuples(st.sampled_from("abc"), st.integers(-1, 2)), max_size=3))
def test_nothing_is_lost_in_front(e: Apply, cells: list[tuple[str, int]]) -> None:
    state = initial(SYSTEM, {}, [Cell("m", (k,), v) for k, v in dict(cells).items()])
    assert evaluate(never(e), state) is not evaluate(e, state)
    assert evaluate(hoisted(e), state) is evaluate(e, state)


def test_two_that_are_asked_for_under_one_name() -> None:
    some = exists(B, le(number(1), select(M.ref, B)))
    none = exists(B, le(select(M.ref, B), number(-1)))
    found = never(conj(some, none))
    binders = []
    while isinstance(found, Apply) and found.op is Op.FORALL:
        binders.append(found.args[0])
        found = found.args[1]
    assert len(set(binders)) == 2
    state = initial(SYSTEM, {}, [Cell("m", ("a",), 1), Cell("m", ("c",), -1)])
    assert evaluate(never(conj(some, none)), state) is False


def test_what_nobody_gets_to_is_shown_to_be_out_of_reach() -> None:
    found = verify(
        program("""
entity P
enum S { A, B, C }
state s: P -> S = A
state n: P -> Int = 0
action go(p: P) { require s[p] == C  n[p] += 1 }
action mv(p: P) { require s[p] == A  s[p] := B }
reachable win: exists p: P . n[p] == 1
""").system
    )
    [outcome] = found.outcomes
    assert isinstance(outcome.verdict, Proved)
    assert outcome.status == "refuted"
