"""Statements: one after the other in a small world, and as the parallel writes that the checker makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from policydsl.diagnostics import Report
from policydsl.interp import Request, initial, step
from policydsl.load import load
from policydsl.trace import Cell

BOTS = ("a", "b", "c")
STAGES = ("Open", "Shut")
HEADER = """
entity Bot
enum Stage { Open, Shut }
group Staff of Bot
state n : Int = 0
state bal : Bot -> Int = 0
state met : (Bot, Bot) -> Bool = false
state stage : Bot -> Stage = Open
state best : Bot? = none
state friends : Bot -> Set<Bot> = {}
state marks : Bot -> Set<Stage> = {}
state tally : (Bot, Stage) -> Int = 0
action go(p: Bot, q: Bot, x: Int, s: Stage) {
"""

World = dict[str, Any]
Env = Mapping[str, Any]


@dataclass(frozen=True)
class Code:
    """A piece of policy with its meaning by hand: `run(world, env)`."""

    text: str
    run: Any


def cells(world: World, name: str) -> dict[Any, Any]:
    found: dict[Any, Any] = world[name]
    return found


def bots(names: tuple[str, ...]) -> st.SearchStrategy[Code]:
    return st.sampled_from(names).map(lambda n: Code(n, lambda _w, e: e[n]))


def stages() -> st.SearchStrategy[Code]:
    fixed = st.sampled_from(STAGES).map(lambda c: Code(f"Stage.{c}", lambda _w, _e: c))
    return st.one_of(st.just(Code("s", lambda _w, e: e["s"])), fixed)


def numbers(names: tuple[str, ...], depth: int) -> st.SearchStrategy[Code]:
    leaf = st.one_of(
        st.integers(0, 3).map(lambda k: Code(str(k), lambda _w, _e: k)),
        st.just(Code("x", lambda _w, e: e["x"])),
        st.just(Code("n", lambda w, _e: w["n"])),
        bots(names).map(lambda b: Code(f"bal[{b.text}]", lambda w, e: cells(w, "bal")[b.run(w, e)])),
        st.tuples(bots(names), stages()).map(
            lambda t: Code(
                f"tally[{t[0].text}, {t[1].text}]",
                lambda w, e: cells(w, "tally")[t[0].run(w, e), t[1].run(w, e)],
            )
        ),
    )
    if not depth:
        return leaf
    both = st.tuples(numbers(names, depth - 1), numbers(names, depth - 1))
    return st.one_of(
        leaf,
        both.map(lambda t: Code(f"({t[0].text} + {t[1].text})", lambda w, e: t[0].run(w, e) + t[1].run(w, e))),
        st.tuples(conditions(names, depth - 1), both).map(
            lambda t: Code(
                f"(if {t[0].text} then {t[1][0].text} else {t[1][1].text})",
                lambda w, e: t[1][0].run(w, e) if t[0].run(w, e) else t[1][1].run(w, e),
            )
        ),
    )


def conditions(names: tuple[str, ...], depth: int) -> st.SearchStrategy[Code]:
    pair = st.tuples(bots(names), bots(names))
    at = st.tuples(bots(names), stages())
    leaf = st.one_of(
        pair.map(lambda t: Code(f"{t[0].text} == {t[1].text}", lambda w, e: t[0].run(w, e) == t[1].run(w, e))),
        pair.map(
            lambda t: Code(
                f"met[{t[0].text}, {t[1].text}]", lambda w, e: cells(w, "met")[t[0].run(w, e), t[1].run(w, e)]
            )
        ),
        pair.map(
            lambda t: Code(
                f"{t[0].text} in friends[{t[1].text}]",
                lambda w, e: t[0].run(w, e) in cells(w, "friends")[t[1].run(w, e)],
            )
        ),
        at.map(
            lambda t: Code(
                f"{t[1].text} in marks[{t[0].text}]",
                lambda w, e: t[1].run(w, e) in cells(w, "marks")[t[0].run(w, e)],
            )
        ),
        at.map(
            lambda t: Code(
                f"stage[{t[0].text}] == {t[1].text}",
                lambda w, e: cells(w, "stage")[t[0].run(w, e)] == t[1].run(w, e),
            )
        ),
        bots(names).map(lambda b: Code(f"best == {b.text}", lambda w, e: w["best"] == b.run(w, e))),
        bots(names).map(lambda b: Code(f"{b.text} in Staff", lambda w, e: b.run(w, e) in w["Staff"])),
    )
    if not depth:
        return leaf
    sums = st.tuples(numbers(names, depth - 1), numbers(names, depth - 1))
    more = sums.map(lambda t: Code(f"{t[0].text} < {t[1].text}", lambda w, e: t[0].run(w, e) < t[1].run(w, e)))
    no = conditions(names, depth - 1).map(lambda c: Code(f"not ({c.text})", lambda w, e: not c.run(w, e)))
    return st.one_of(leaf, more, no)


def change(text: str, keys: Any, write: Any) -> Code:
    """A statement as what `write(world, computed)` does with what `keys(world, env)` computes."""
    return Code(text, (keys, write))


def put(name: str) -> Any:
    def write(world: World, computed: Any) -> None:
        key, value = computed
        cells(world, name)[key] = value

    return write


def keep(name: str, inside: bool) -> Any:
    def write(world: World, computed: Any) -> None:
        key, value = computed
        held = cells(world, name)[key]
        cells(world, name)[key] = held | {value} if inside else held - {value}

    return write


def assignments(names: tuple[str, ...], first: str | None) -> st.SearchStrategy[Code]:
    """Assignments; inside a loop, the first key is the individual of the loop and no other is."""
    others = tuple(n for n in names if n != first)
    key = bots((first,) if first else names)
    other = bots(others)
    where = st.tuples(key, numbers(names, 1))

    def set_members(t: Any) -> Code:
        add, element, owner = t
        text = (
            f"add {element.text} to friends[{owner.text}]"
            if add
            else f"remove {element.text} from friends[{owner.text}]"
        )
        return change(text, lambda w, e: (owner.run(w, e), element.run(w, e)), keep("friends", add))

    def set_marks(t: Any) -> Code:
        add, stage, owner = t
        text = f"add {stage.text} to marks[{owner.text}]" if add else f"remove {stage.text} from marks[{owner.text}]"
        return change(text, lambda w, e: (owner.run(w, e), stage.run(w, e)), keep("marks", add))

    def set_staff(t: Any) -> Code:
        add, one = t

        def write(world: World, computed: Any) -> None:
            world["Staff"] = world["Staff"] | {computed} if add else world["Staff"] - {computed}

        return change(f"add {one.text} to Staff" if add else f"remove {one.text} from Staff", one.run, write)

    found = [
        where.map(
            lambda t: change(
                f"bal[{t[0].text}] := {t[1].text}", lambda w, e: (t[0].run(w, e), t[1].run(w, e)), put("bal")
            )
        ),
        where.map(
            lambda t: change(
                f"bal[{t[0].text}] += {t[1].text}",
                lambda w, e: (t[0].run(w, e), cells(w, "bal")[t[0].run(w, e)] + t[1].run(w, e)),
                put("bal"),
            )
        ),
        st.tuples(key, other, conditions(names, 1)).map(
            lambda t: change(
                f"met[{t[0].text}, {t[1].text}] := {t[2].text}",
                lambda w, e: ((t[0].run(w, e), t[1].run(w, e)), t[2].run(w, e)),
                put("met"),
            )
        ),
        st.tuples(key, stages()).map(
            lambda t: change(
                f"stage[{t[0].text}] := {t[1].text}", lambda w, e: (t[0].run(w, e), t[1].run(w, e)), put("stage")
            )
        ),
        st.tuples(key, stages(), numbers(names, 1)).map(
            lambda t: change(
                f"tally[{t[0].text}, {t[1].text}] -= {t[2].text}",
                lambda w, e: (
                    (t[0].run(w, e), t[1].run(w, e)),
                    cells(w, "tally")[t[0].run(w, e), t[1].run(w, e)] - t[2].run(w, e),
                ),
                put("tally"),
            )
        ),
        st.tuples(st.booleans(), other, key).map(set_members),
        st.tuples(st.booleans(), stages(), key).map(set_marks),
        st.tuples(st.booleans(), key).map(set_staff),
    ]
    if first is None:

        def set_n(world: World, computed: Any) -> None:
            world["n"] = computed

        def set_best(world: World, computed: Any) -> None:
            world["best"] = computed

        found += [
            key.map(
                lambda b: change(f"friends[{b.text}] := {{}}", lambda w, e: (b.run(w, e), frozenset()), put("friends"))
            ),
            st.tuples(key, other).map(
                lambda t: change(
                    f"friends[{t[0].text}] := friends[{t[1].text}] union {{p}}",
                    lambda w, e: (t[0].run(w, e), cells(w, "friends")[t[1].run(w, e)] | {e["p"]}),
                    put("friends"),
                )
            ),
        ]
        found.append(numbers(names, 2).map(lambda v: change(f"n := {v.text}", v.run, set_n)))
        found.append(bots(names).map(lambda b: change(f"best := {b.text}", b.run, set_best)))
        found.append(st.just(change("best := none", lambda _w, _e: None, set_best)))
    return st.one_of(*found)


def execute(statements: list[Any], world: World, env: Env, bound: str | None, taken: tuple[str, ...]) -> None:
    """Run `statements`; in a loop, for all individuals `taken` at once, one statement after the other."""
    for statement in statements:
        if isinstance(statement, Code):
            compute, write = statement.run
            envs = [env] if bound is None else [{**env, bound: one} for one in taken]
            for computed in [compute(world, one) for one in envs]:
                write(world, computed)
            continue
        kind, condition, then, other = statement
        if kind == "if" and bound is None:
            execute(then if condition.run(world, env) else other, world, env, None, ())
        elif kind == "if":
            yes = tuple(one for one in taken if condition.run(world, {**env, bound or "": one}))
            execute(then, world, env, bound, yes)
            execute(other, world, env, bound, tuple(one for one in taken if one not in yes))
        elif kind == "has":
            if world["best"] is None:
                execute(other, world, env, None, ())
            else:
                execute(then, world, {**env, "w": world["best"]}, None, ())
        else:
            chosen = tuple(one for one in BOTS if condition.run(world, {**env, "b": one}))
            execute(then, world, env, "b", chosen)


def text_of(statements: list[Any], indent: str = "  ") -> str:
    lines = []
    for statement in statements:
        if isinstance(statement, Code):
            lines.append(indent + statement.text)
            continue
        kind, condition, then, other = statement
        head = "if best has w"
        if condition is not None:
            head = f"if {condition.text}" if kind == "if" else f"for each b: Bot where {condition.text}"
        lines += [f"{indent}{head} {{", text_of(then, indent + "  "), f"{indent}}}"]
        if kind != "for":
            lines += [f"{indent}else {{", text_of(other, indent + "  "), f"{indent}}}"]
    return "\n".join(lines)


def bodies(names: tuple[str, ...], bound: str | None, depth: int) -> st.SearchStrategy[list[Any]]:
    one: Any = assignments(names, bound)
    if depth:
        inner = bodies(names, bound, depth - 1)
        one = st.one_of(one, st.tuples(st.just("if"), conditions(names, 1), inner, inner))
        if bound is None:
            named = bodies((*names, "w"), None, 0)
            loop = bodies((*names, "b"), "b", 1)
            one = st.one_of(
                one,
                st.tuples(st.just("has"), st.just(None), named, inner),
                st.tuples(st.just("for"), conditions((*names, "b"), 1), loop, st.just([])),
            )
    return st.lists(one, min_size=1, max_size=3)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    bot, truth, small = st.sampled_from(BOTS), st.booleans(), st.integers(0, 3)
    some = st.frozensets(bot)
    return {
        "n": draw(small),
        "bal": {b: draw(small) for b in BOTS},
        "met": {(a, b): draw(truth) for a in BOTS for b in BOTS},
        "stage": {b: draw(st.sampled_from(STAGES)) for b in BOTS},
        "best": draw(st.none() | bot),
        "friends": {b: draw(some) for b in BOTS},
        "marks": {b: draw(st.frozensets(st.sampled_from(STAGES))) for b in BOTS},
        "tally": {(b, c): draw(small) for b in BOTS for c in STAGES},
        "Staff": draw(some),
    }


def as_cells(world: World) -> list[Cell]:
    found = [Cell("n", (), world["n"]), Cell("best.has", (), world["best"] is not None)]
    found.append(Cell("best.value", (), world["best"] or ""))
    for b in BOTS:
        found += [Cell("bal", (b,), cells(world, "bal")[b]), Cell("stage", (b,), cells(world, "stage")[b])]
        found.append(Cell("Staff", (b,), b in world["Staff"]))
        found += [Cell("met", (b, c), cells(world, "met")[b, c]) for c in BOTS]
        found += [Cell("friends", (b, c), c in cells(world, "friends")[b]) for c in BOTS]
        found += [Cell(f"marks.{c}", (b,), c in cells(world, "marks")[b]) for c in STAGES]
        found += [Cell(f"tally.{c}", (b,), cells(world, "tally")[b, c]) for c in STAGES]
    return found


@settings(deadline=None, max_examples=150)
@given(
    bodies(("p", "q"), None, 2),
    worlds(),
    st.sampled_from(BOTS),
    st.sampled_from(BOTS),
    st.integers(-2, 4),
    st.sampled_from(STAGES),
)
def test_parallel_writes_do_what_the_statements_say(
    body: list[Any], world: World, p: str, q: str, x: int, s: str
) -> None:
    text = HEADER + text_of(body) + "\n}\n"
    report = Report()
    programs = load(["example.policy"], lambda _path: text, report)
    assert programs, (text, [d.text for d in report.found])
    system = programs[0].system
    state = initial(system, start=as_cells(world))
    result = step(system, state, Request("go", {"p": p, "q": q, "x": x, "s": s}))
    assert result.decision.effect == "allow"
    after = deepcopy(world)
    execute(body, after, {"p": p, "q": q, "x": x, "s": s}, None, ())
    for cell in as_cells(after):
        found = result.state.read(cell.var, cell.keys)
        assert (type(found), found) == (type(cell.value), cell.value), (text, cell, found)
