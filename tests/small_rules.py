"""Rules over a handful of requests, so that every question about them can be answered by trying all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

from hypothesis import strategies as st

from policydsl.core.expr import Expr, case, conj, disj, eq, implies, le, matches, negate, number, string
from policydsl.core.system import Action, Guard, GuardKind, Input, Obligation, RuleUse, System, Write
from policydsl.core.types import BOOL, INT, STRING, EnumType, Value
from policydsl.evaluate import evaluate
from policydsl.interp import initial

Draw = Callable[[st.SearchStrategy[Any]], Any]

ROLE = EnumType("Role", ("Admin", "Member", "Guest"))
MOST = 2
TEXTS = ("", "a", "ab")
role, level, night, word = Input("role", ROLE), Input("level", INT), Input("night", BOOL), Input("word", STRING)
INPUTS = (role, level, night, word)
IN_RANGE = Guard(
    GuardKind.ASSUME, conj(le(number(0), level.ref), le(level.ref, number(MOST))), "`level` is out of range"
)
A_WORD = Guard(GuardKind.ASSUME, disj(*(eq(word.ref, string(t)) for t in TEXTS)), "`word` is out of range")
EVERY = [
    {"role": r, "level": n, "night": b, "word": t}
    for r, n, b, t in product(ROLE.cases, range(MOST + 1), (False, True), TEXTS)
]
"""All requests within the assumptions."""

REPRESENTATIVES = [
    {"role": r, "level": n, "night": b, "word": t}
    for r, n, b, t in product(
        ROLE.cases, range(-2, MOST + 3), (False, True), (*TEXTS, "b", "c", "cb", "ax", "axb", "x")
    )
]
"""One request at least of every kind that `conditions` can tell apart, within the assumptions or not."""

atoms = st.one_of(
    st.builds(lambda c: eq(role.ref, case(ROLE, c)), st.sampled_from(ROLE.cases)),
    st.builds(lambda n: le(level.ref, number(n)), st.integers(-1, MOST)),
    st.builds(lambda n: eq(level.ref, number(n)), st.integers(0, MOST + 1)),
    st.just(night.ref),
    st.builds(lambda p: matches(word.ref, p), st.sampled_from(("a.*", ".*b", "c.*"))),
    st.builds(lambda t: eq(word.ref, string(t)), st.sampled_from(TEXTS)),
)
conditions = st.recursive(
    atoms,
    lambda inner: st.one_of(
        inner.map(negate),
        st.lists(inner, min_size=2, max_size=3).map(lambda p: conj(*p)),
        st.lists(inner, min_size=2, max_size=3).map(lambda p: disj(*p)),
        st.tuples(inner, inner).map(lambda p: implies(*p)),
    ),
    max_leaves=5,
)


def permit(name: str, condition: Expr) -> RuleUse:
    return RuleUse(name, "permit", condition)


def forbid(name: str, condition: Expr) -> RuleUse:
    return RuleUse(name, "forbid", condition, f"{name} says no")


def action(
    uses: Sequence[RuleUse],
    guards: Sequence[Guard] = (),
    inputs: Sequence[Input] = INPUTS,
    writes: Sequence[Write] = (),
    obligations: Sequence[Obligation] = (),
    name: str = "act",
    assumed: Sequence[Guard] = (IN_RANGE, A_WORD),
) -> Action:
    """An action without a body: denied unless a permit matches."""
    permits = [u for u in uses if u.effect == "permit"]
    forbids = [Guard(GuardKind.FORBID, negate(u.condition), u.reason, u.rule) for u in uses if u.effect == "forbid"]
    permitted = disj(*(u.condition for u in permits))
    last = Guard(GuardKind.PERMIT, permitted, "no rule permits it", ", ".join(u.rule for u in permits))
    return Action(
        name, tuple(inputs), (*assumed, *guards, *forbids, last), tuple(writes), tuple(uses), tuple(obligations)
    )


def system(*actions: Action, **more: Any) -> System:
    return System("small", (), more.pop("state", ()), actions, (), **more)


def require(condition: Expr) -> Guard:
    return Guard(GuardKind.REQUIRE, condition, "not required")


NOWHERE = initial(system())


@st.composite
def rules(draw: Draw, least: int = 1, most: int = 7) -> list[RuleUse]:
    found = []
    for i in range(draw(st.integers(least, most))):
        make = draw(st.sampled_from((permit, permit, forbid)))
        found.append(make(f"r{i}", draw(conditions)))
    return found


def matching(condition: Expr, every: Sequence[dict[str, Value]] = EVERY) -> frozenset[int]:
    """The requests, by number, that satisfy a condition without state."""
    return frozenset(i for i, r in enumerate(every) if evaluate(condition, NOWHERE, r) is True)
