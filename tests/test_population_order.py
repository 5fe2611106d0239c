"""Rows of one column that get in each other's way, and numbers that need more room: done as one after the other."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policydsl.core.expr import Expr, Op, Ref, Space, add, arith, eq, exists, ite, le, number, select
from policydsl.core.system import NOW, Action, Guard, GuardKind, Input, StateVar, System, Write
from policydsl.core.types import BOOL, INT, EntityType, MapType
from policydsl.interp import Request, initial, step
from policydsl.trace import Cell
from runtime.columns_decide import EFFECTS
from runtime.population import Population
from runtime.population_cells import LARGEST
from runtime.population_order import order
from tests.checked import program
from tests.strategies import BOT, ITEM, Shape, environment, exprs
from tests.test_population import WAYS, Call, agree, compare, done, populated

POLICIES = {
    "transfers": """
entity Bot
state bal : Bot -> Int = 5
action pay(principal: Bot, to: Bot, n: Int[0..3]) {
  require bal[principal] >= n else "too little"
  bal[principal] -= n
  bal[to] += n
}
""",
    "one for all": """
entity Bot
state open : Bool = true
state left : Int = 7
state who : Bot -> Int = 0
action take(principal: Bot, n: Int[0..2]) {
  require left >= n else "nothing left"
  left -= n
  who[principal] += n
}
""",
    "first come": """
entity Bot
entity Item
state owner : Item -> Bot? = none
state had : Bot -> Int = 0
action claim(principal: Bot, item: Item) {
  require owner[item] == none else "taken"
  owner[item] := principal
  had[principal] += 1
}
action release(principal: Bot, item: Item) {
  require owner[item] == principal else "not yours"
  owner[item] := none
}
""",
    "places that depend on the state": """
entity Bot
entity Item
state owner : Item -> Bot = any
state money : Bot -> Int = 10
action buy(principal: Bot, item: Item) {
  require money[principal] > 0 else "poor"
  money[principal] -= 1
  money[owner[item]] += 1
  owner[item] := principal
}
""",
    "places that others move": """
entity Bot
entity Item
state owner : Item -> Bot = any
state money : Bot -> Int = 0
action hand(item: Item, to: Bot, who: Bot) {
  require money[who] < 3 else "rich"
  money[owner[item]] += 1
  owner[item] := to
}
action spend(principal: Bot) { money[principal] := 0 }
""",
    "once": """
entity Bot
state started : Time = 0
state seen : Bot -> Int = 0
action begin(principal: Bot) {
  require started == 0 else "started"
  started := now
  seen[principal] += 1
}
action again(principal: Bot) { started := 0 }
""",
    "pairs": """
entity Bot
state score : Bot -> Int = 3
state picked : Bot -> Bool = false
action pick(principal: Bot) {
  require exists a: Bot, b: Bot . a != b and not picked[a] and not picked[b] else "no two are left"
  picked[principal] := true
}
action lift(principal: Bot, n: Int[0..2]) {
  require forall a: Bot . score[a] <= 3 + n or exists b: Bot . b != a and score[b] == score[a] else "alone"
  score[principal] += n
  for each c: Bot where exists d: Bot . d != c and score[d] == score[c] and picked[d] { score[c] := 3 }
}
""",
    "the last word": """
entity Bot
entity Item
state said : Item -> Bot? = none
state twice : Item -> Int = 0
state rate : Bot -> Int = 0
action say(principal: Bot, item: Item, other: Item, n: Int[0..9], really: Bool) {
  require rate[principal] < 3 else "too often"
  rate[principal] += 1
  said[item] := principal
  twice[item] := n
  if really { twice[other] := n + 1 }
}
""",
    "overwritten": """
entity Bot
entity Item
state said : Item -> Bot = any
state rate : Bot -> Int = 0
action say(principal: Bot, item: Item) {
  require rate[principal] < 3 else "too often"
  rate[principal] += 1
  said[item] := principal
}
action calm(principal: Bot) { rate[principal] := 0 }
""",
    "two marks": """
entity Bot
entity Item
state mark : Item -> Int = 0
state rate : Bot -> Int = 0
action set(principal: Bot, item: Item, other: Item, n: Int[0..9]) {
  require rate[principal] < 2 else "too often"
  rate[principal] += 1
  mark[item] := n
  mark[other] := n + 1
}
action calm(principal: Bot) { rate[principal] := 0 }
""",
    "sometimes": """
entity Bot
entity Item
state said : Item -> Int = 0
state last : Int = 0
action note(item: Item, n: Int[0..9], really: Bool, ever: Bool) {
  if really { if ever { said[item] := n } else { said[item] := 0 - n } }
  if not ever { last := n }
}
""",
    "shifted": """
entity Bot
entity Item
state now_is, before, turn : Item -> Int = 0
state turns : Int = 0
action put(principal: Bot, item: Item, n: Int[0..9]) {
  before[item] := now_is[item]
  now_is[item] := n
  turn[item] := turns
  turns += 1
}
""",
    "a place that moves": """
entity Bot
entity Item
state at : Item = any
state slot : Item -> Int = 0
state link : Bot -> Bot = any
action put(principal: Bot, next: Item, n: Int[0..9]) {
  slot[at] := n
  at := next
}
action tie(principal: Bot, other: Bot) { link[link[principal]] := other }
""",
    "more where others have little": """
entity Bot
state m : Bot -> Int = 0
state sum : Int = 0
action give(principal: Bot, other: Bot, n: Int[0..3]) {
  if m[other] < 3 { m[principal] += n }
  if sum < 20 { sum += 1 }
}
action lose(principal: Bot, n: Int[0..3]) { m[principal] -= n }
""",
    "an old place": """
entity Bot
entity Item
state at : Item = any
state had : (Item, Bot) -> Int = 0
action move(principal: Bot, item: Item) {
  let old = at
  at := item
  for each b: Bot where b != principal { had[old, b] := had[item, b] + 1 }
}
action fill(principal: Bot, item: Item, n: Int[0..9]) {
  let old = at
  at := item
  for each b: Bot { had[old, b] := n }
}
""",
    "everybody": """
entity Bot
group Members of Bot
state score : Bot -> Int = 3
state turns : Int = 0
action join(principal: Bot) { require principal not in Members else "is one" add principal to Members }
action decay(principal: Bot, n: Int[0..3]) {
  require score[principal] >= n else "too low"
  turns += 1
  for each b: Bot where b in Members and b != principal { score[b] := max(0, score[b] - n) }
}
""",
    "quantifiers": """
entity Bot
state score : Bot -> Int = 3
state level : Int = 3
action raise_it(principal: Bot) {
  require forall b: Bot . score[b] <= level else "not all"
  score[principal] += 1
}
action follow(principal: Bot) {
  require exists b: Bot . score[b] > level and b != principal else "nobody"
  level += 1
}
""",
    "time": """
entity Bot
state last : Bot -> Time = 0
state n : Int = 0
action ping(principal: Bot) {
  require now >= last[principal] + 5ms else "too soon"
  last[principal] := now
  n += 1
}
action look(principal: Bot) { require once within 8ms (ping by principal) else "never" }
limit rate on look to 3 per 10ms for each principal
""",
    "edges": """
entity Bot
state trust : (Bot, Bot) -> Int = 0
state near : (Bot, Bot) -> Bool = false
state both : Int = 0
action meet(principal: Bot, other: Bot) {
  require not near[principal, other] else "met"
  near[principal, other] := true
  if near[other, principal] { both += 1 }
  trust[other, principal] += 2
  trust[principal, other] += 1
}
""",
}


def drawn(p: Population, chance: random.Random, count: int, most: int) -> list[Call]:
    now, found = 0, list[Call]()
    for _ in range(count):
        action = chance.choice(p.system.actions)
        now += chance.choice((0, 1, 3, 7, -1))
        rows = [
            {i.name: some(p, chance, i) for i in action.inputs if i.name != NOW} for _ in range(chance.randrange(most))
        ]
        found.append((action.name, now, rows))
    return found


def some(p: Population, chance: random.Random, i: Input) -> Any:
    if i.type == BOOL:
        return chance.random() < 0.5
    return chance.randrange(-1, 10) if i.type == INT else chance.randrange(p.size(str(i.type)))


def free_start(system: System, size: int, chance: random.Random) -> tuple[dict[str, Any], list[Cell]]:
    """For individuals that a policy leaves open, anybody: as a population takes them, and as the interpreter does."""
    start: dict[str, Any] = {}
    cells: list[Cell] = []
    for v in system.state:
        if v.init is None and isinstance(v.type, EntityType) and len(v.keys) == 1:
            chosen = [chance.randrange(size) for _ in range(size)]
            start[v.name] = np.array(chosen)
            cells += [Cell(v.name, (f"#{i}",), f"#{x}") for i, x in enumerate(chosen)]
    return start, cells


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", POLICIES)
def test_rows_that_meet(name: str, way: str) -> None:
    system = program(POLICIES[name]).system
    chance = random.Random(name)
    with done(way):
        for size in (1, 3) if name in ("pairs", "quantifiers") else (2, 5, 15):
            start, cells = free_start(system, size, chance)
            p = populated(system, size, start=start)
            agree(p, initial(system, start=cells), drawn(p, chance, 5, 80))


def test_growing_and_saving_between() -> None:
    for name, text in POLICIES.items():
        chance = random.Random(name)
        system = program(text).system
        p, state = populated(system, 2), initial(system)
        for size in (2, 3, 3, 9, 10):
            for sort in p.people.sorts:
                p.grow(sort, size)
            compare(p, state)
            state = agree(p, state, drawn(p, chance, 2, 40))
            saved = p.save()
            other = populated(system, 1)
            other.load(saved)
            compare(other, state)
            calls = drawn(p, chance, 2, 40)
            agree(other, state, calls)
            compare(p, state)
            p.load(other.save())
            p.load(saved)
            compare(p, state)


def kinds(name: str) -> dict[str, str]:
    """What becomes of each variable of the first action of a policy."""
    system = program(POLICIES[name]).system
    found = order(system.actions[0], system.state)
    seen = {r for g in found.groups for r in g.keys if not g.blind}
    return {
        put.var.name: "adds" if put.adds else "seen" if any(p.keys in seen for p in put.parts) else "set"
        for put in found.puts
    }


def test_what_commutes_does_not_wait() -> None:
    assert kinds("one for all") == {"left": "seen", "who": "adds"}
    assert kinds("first come") == {"owner.has": "seen", "owner.value": "seen", "had": "adds"}
    assert kinds("time")["n"] == "adds"
    assert kinds("time")["clock"] == "set"
    assert not order(program(POLICIES["transfers"]).system.actions[0], ()).puts


X, Y, OK, WHO = Input("x", INT), Input("y", INT), Input("ok", BOOL), Input("who", BOT)
WHAT = Input("what", ITEM)
EDGES = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([s * (2**k) + d for s in (-1, 1) for k in (7, 8, 15, 31, 32, 52) for d in (-1, 0, 1)]),
    st.sampled_from([LARGEST, -LARGEST]),
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_drawn_numbers_never_wrap(data: st.DataObject) -> None:
    """Terms over numbers at the edges of every width: exact, or refused before anything of the column is written."""
    first = data.draw(EDGES)
    m, k = StateVar("m", (BOT,), INT, number(first)), StateVar("k", (), INT, number(data.draw(EDGES)))
    env = environment((m, k), (X, Y, OK, WHO), shape=Shape(quantifiers=0, any_divisor=True, strings=False))
    value, limit = data.draw(exprs(INT, env, 4)), data.draw(exprs(INT, env, 3))
    guard = Guard(GuardKind.REQUIRE, le(limit, value), "no")
    writes = (Write("m", (WHO.ref,), value), Write("k", (), limit))[data.draw(st.integers(0, 1)) :]
    system = System("edges", (), (m, k), (Action("a", (X, Y, OK, WHO), (guard,), writes),), ())
    p = populated(system, 3)
    some_rows = st.fixed_dictionaries({"x": EDGES, "y": EDGES, "ok": st.booleans(), "who": st.integers(0, 2)})
    rows = data.draw(st.lists(some_rows, min_size=1, max_size=4)) * data.draw(st.sampled_from((1, 5)))
    state, beyond, guards = initial(system), False, []
    for row in rows:
        result = step(system, state, Request("a", {**row, "who": f"#{row['who']}"}))
        cells = [c.value for c in result.state.cells()]
        beyond |= any(isinstance(c, int) and abs(c) > LARGEST for c in cells)
        guards.append(result.decision.effect)
        state = result.state
    columns = {n: np.array([r[n] for r in rows]) for n in ("x", "y", "ok", "who")}
    with done(data.draw(st.sampled_from(WAYS))):
        if beyond:
            with pytest.raises(OverflowError, match="beyond"):
                p.step("a", 0, columns)
        else:
            found = p.step("a", 0, columns)
            assert [EFFECTS[e].value for e in found.effects] == guards
            compare(p, state)


@pytest.mark.parametrize("more", [1, 100, 2**20, 2**40, LARGEST - 5])
def test_sums_get_the_room_that_they_need(more: int) -> None:
    m, n = StateVar("m", (BOT,), INT, number(3)), StateVar("n", (), INT, number(3))

    def plus(v: StateVar, *keys: Expr) -> Write:
        return Write(v.name, keys, ite(OK.ref, add(select(v.ref, *keys), X.ref), select(v.ref, *keys)))

    system = System("sums", (), (m, n), (Action("a", (X, OK, WHO), (), (plus(m, WHO.ref), plus(n))),), ())
    p = populated(system, 4)
    rows = 30
    columns = {"x": np.full(rows, more), "ok": np.arange(rows) % 3 == 0, "who": np.arange(rows) % 2}
    if more * 10 + 3 > LARGEST:
        before = p.save()
        with pytest.raises(OverflowError, match="would be"):
            p.step("a", 0, columns)
        assert all(np.array_equal(before[name], a) for name, a in p.save().items())
    else:
        p.step("a", 0, columns)
        assert p.state["m"].tolist() == [3 + 5 * more, 3 + 5 * more, 3, 3]
        assert p.state["n"].item() == 3 + 10 * more
    assert p.state["m"].dtype == (np.int8 if more == 1 else p.state["m"].dtype)


def test_counters_outgrow_every_width() -> None:
    one = number(1)
    p = summing(Write("m", (WHO.ref,), add(select(M, WHO.ref), one)), Write("n", (), add(N, one)))
    for rows in (100, 100, 40_000, 30):
        p.step("a", 0, {"x": np.zeros(rows, np.int64), "who": 1})
    assert p.state["m"].tolist() == [0, 40_230, 0, 0]
    assert p.state["n"] == 40_230


def test_writes_for_everyone_that_grow_row_by_row() -> None:
    b = Ref("b#1", BOT, Space.BOUND)
    more = Write("m", (b,), add(arith(Op.MUL, number(3), select(M, b)), X.ref), (b,))
    p = summing(more)
    p.step("a", 0, {"x": np.ones(30, np.int64), "who": 1})
    assert p.state["m"].tolist() == [(3**30 - 1) // 2] * 4
    with pytest.raises(OverflowError, match="beyond"):
        p.step("a", 0, {"x": np.ones(30, np.int64), "who": 1})


def test_what_has_64_bits_at_first_and_not_later() -> None:
    b = Ref("b#1", BOT, Space.BOUND)
    own = select(M, b)
    larger = Write("m", (b,), arith(Op.MIN, number(LARGEST), add(arith(Op.MUL, number(1000), own), X.ref)), (b,))
    rest = Write("n", (), arith(Op.MOD, arith(Op.MUL, number(5000), select(M, WHO.ref)), number(7)))
    every = arith(Op.MOD, arith(Op.MUL, number(5000), own), number(1_000_003))
    p = summing(larger, rest)
    p.step("a", 0, {"x": np.ones(30, np.int64), "who": 1})
    assert p.state["m"].tolist() == [LARGEST] * 4
    assert p.state["n"] == LARGEST * 5000 % 7
    p = summing(replace(larger, value=ite(le(number(LARGEST), own), every, larger.value)))
    p.step("a", 0, {"x": np.ones(8, np.int64), "who": 1})
    assert p.state["m"].tolist() == [LARGEST * 5000 % 1_000_003] * 4


def test_writes_for_all_pairs() -> None:
    b, i = Ref("b#1", BOT, Space.BOUND), Ref("i#1", ITEM, Space.BOUND)
    m, k = StateVar("m", (BOT,), INT, number(1)), StateVar("k", (ITEM,), INT, number(2))
    pairs = StateVar("pairs", (ITEM, BOT), INT, number(0))
    whose = StateVar("whose", (ITEM, BOT), BOT, None)
    some = add(select(m.ref, b), arith(Op.MUL, number(10), select(k.ref, i)), select(pairs.ref, i, b))
    loved = exists(Ref("b#2", BOT, Space.BOUND), eq(select(whose.ref, i, Ref("b#2", BOT, Space.BOUND)), b))
    writes = (
        Write("pairs", (i, b), ite(loved, some, add(some, number(1))), (b, i)),
        Write("whose", (i, b), ite(le(select(m.ref, b), number(2)), b, WHO.ref), (i, b)),
        Write("m", (WHO.ref,), add(select(m.ref, WHO.ref), number(1))),
        Write("k", (WHAT.ref,), add(select(k.ref, WHAT.ref), number(1))),
    )
    system = System("pairs", (), (m, k, pairs, whose), (Action("a", (WHO, WHAT), (), writes),), ())
    p, state = populated(system, 3), initial(system)
    for rows in (1, 5, 30):
        chance = random.Random(rows)
        calls = [("a", 0, [{"who": chance.randrange(-1, 3), "what": chance.randrange(3)} for _ in range(rows)])]
        state = agree(p, state, calls)
    p.grow("Bot", 5)
    compare(p, state)


def test_columns_that_are_the_state() -> None:
    system = program("""
entity Bot
state flag : Bot -> Bool = false
state count : Bot -> Int = 5
action turn(principal: Bot, was: Bool, n: Int) {
  require flag[principal] == was and count[principal] == n else "changed"
  for each b: Bot { flag[b] := not flag[b] }
  count[principal] += 100_000_000_000_000
}
""").system
    p = populated(system, 30)
    found = p.step("turn", 0, {"principal": np.arange(30), "was": p.state["flag"], "n": p.state["count"]})
    assert found.allowed.tolist() == [True] + [False] * 29


def summing(*writes: Write) -> Population:
    m, n = StateVar("m", (BOT,), INT, number(0)), StateVar("n", (), INT, number(0))
    return populated(System("sums", (), (m, n), (Action("a", (X, WHO), (), writes),), ()), 4)


M, N = Ref("m", MapType((BOT,), INT), Space.STATE), Ref("n", INT, Space.STATE)


@pytest.mark.parametrize(
    "what", [Write("m", (WHO.ref,), add(select(M, WHO.ref), X.ref)), Write("n", (), add(N, X.ref))]
)
def test_large_terms_that_cancel_out(what: Write) -> None:
    """More than floating point has, on the way."""
    terms = [LARGEST, LARGEST - 1, LARGEST - 3, -LARGEST, -LARGEST, 1 - LARGEST, LARGEST - 5, *[0] * 30]
    p = summing(what)
    p.step("a", 0, {"x": np.array(terms), "who": 1})
    assert p.state[what.var].sum() == sum(terms)


@pytest.mark.parametrize("more", [X.ref, number(LARGEST)])
def test_sums_that_would_come_round_to_nothing(more: Expr) -> None:
    rows = {"x": np.full(2048, LARGEST), "who": np.zeros(2048, np.int64)}
    for what in (Write("m", (WHO.ref,), add(select(M, WHO.ref), more)), Write("n", (), add(N, more))):
        p = summing(what)
        with pytest.raises(OverflowError, match="beyond"):
            p.step("a", 0, rows)
        assert not p.state[what.var].any()
