"""Temporal conditions: at every step of random runs, monitors say what the definitions say of the whole past."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import past
import pytest
from checked import program
from hypothesis import given, settings
from hypothesis import strategies as st
from past import History, Moment, Place

from policydsl import interp
from policydsl.check.monitor_window import NOW_REF
from policydsl.check.monitors import EventPattern, MonitorError, Monitors
from policydsl.core.expr import (
    FALSE,
    TRUE,
    ZERO,
    Expr,
    Ref,
    Space,
    add,
    case,
    conj,
    eq,
    exists,
    individual,
    ite,
    le,
    negate,
    number,
    select,
    string,
)
from policydsl.core.system import Action, Guard, GuardKind, Input, Origin, StateVar, System, Write
from policydsl.core.types import BOOL, INT, STRING, EntityType, EnumType

BOT, FILE = EntityType("Bot"), EntityType("File")
KIND = EnumType("Kind", ("Plain", "Secret"))
PEOPLE = {BOT: ("a", "b", "root"), FILE: ("f", "g")}

WHO, WHOM, WHAT = Input("principal", BOT), Input("other", BOT), Input("file", FILE)
OK, SORT, SIZE, TEXT, TIME = (
    Input("ok", BOOL),
    Input("kind", KIND),
    Input("size", INT),
    Input("text", STRING),
    Input("now", INT),
)
LOCKED = StateVar("locked", (BOT,), BOOL, FALSE)
OWNER = StateVar("owner", (FILE,), BOT, individual(BOT, "root"))
LEVEL = StateVar("level", (), INT, ZERO)
CLOCK = StateVar("clock", (), INT, ZERO, Origin.CLOCK)

GUARDS = (
    Guard(GuardKind.ASSUME, le(CLOCK.ref, TIME.ref), "the clock went back"),
    Guard(GuardKind.REQUIRE, OK.ref, "not ok"),
)
TICK = Write("clock", (), TIME.ref)
ACTIONS = (
    Action(
        "read",
        (WHO, WHAT, SORT, SIZE, OK, TIME),
        GUARDS,
        (Write("locked", (WHO.ref,), eq(SORT.ref, case(KIND, "Secret"))), TICK),
    ),
    Action("give", (WHO, WHOM, WHAT, OK, TIME), GUARDS, (Write("owner", (WHAT.ref,), WHOM.ref), TICK)),
    Action("tick", (SIZE, OK, TIME), GUARDS, (Write("level", (), SIZE.ref), TICK)),
)
OBSERVER = (WHO, WHOM, WHAT, SORT, TIME)
"""Every condition is asked at every step, for every choice of these."""


def inputs_of(name: str) -> tuple[Input, ...]:
    return next(a.inputs for a in ACTIONS if a.name == name)


BINDER = Ref("x1", BOT, Space.BOUND)
OWNER_OF_FILE = select(OWNER.ref, WHAT.ref)
INDIVIDUALS: dict[EntityType, tuple[Expr, ...]] = {
    BOT: (WHO.ref, WHOM.ref, individual(BOT, "root"), OWNER_OF_FILE),
    FILE: (WHAT.ref, individual(FILE, "f")),
}
FORMULAS: tuple[Expr, ...] = (
    select(LOCKED.ref, WHO.ref),
    negate(select(LOCKED.ref, WHO.ref)),
    eq(OWNER_OF_FILE, WHO.ref),
    conj(select(LOCKED.ref, individual(BOT, "root")), le(LEVEL.ref, number(2))),
    le(LEVEL.ref, number(1)),
    exists(BINDER, conj(select(LOCKED.ref, BINDER), eq(OWNER_OF_FILE, BINDER))),
    le(add(LEVEL.ref, number(3)), TIME.ref),
)

LIKELY = (ACTIONS[0], ACTIONS[1], ACTIONS[0], ACTIONS[1], ACTIONS[2])
KINDS = ("once", "prev", "since", "once_s", "hist", "prev_s", "since_s", "count", "ring", "sum")

Truth = Callable[[History, Moment, Place], object]


@dataclass(frozen=True)
class Condition:
    """A condition as lowered, and what it should be, given the past and the observer."""

    lowered: Expr
    truth: Truth


def matches(event: EventPattern, observer: Place) -> Callable[[Moment], bool]:
    wanted = {n: past.value(e, observer) for n, e in event.match}
    return lambda m: m.action == event.action and all(m.inputs[n] == v for n, v in wanted.items())


def held(phi: Expr, observer: Place) -> Callable[[Moment], bool]:
    """Whether `phi`, about the individuals of `observer`, holds at a moment."""
    return lambda m: bool(past.value(phi, replace(observer, cells=m.cells, inputs={**observer.inputs, "now": m.time})))


@st.composite
def events(draw: st.DrawFn) -> EventPattern:
    action = draw(st.sampled_from(LIKELY))
    match: list[tuple[str, Expr]] = []
    for i in action.inputs:
        if i.name in ("now", "ok") or draw(st.integers(0, 2)) > (1 if isinstance(i.type, EntityType) else 0):
            continue
        if isinstance(i.type, EntityType):
            match.append((i.name, draw(st.sampled_from(INDIVIDUALS[i.type]))))
        elif i.type == KIND:
            match.append((i.name, draw(st.sampled_from((SORT.ref, case(KIND, "Plain"), case(KIND, "Secret"))))))
        else:
            match.append((i.name, number(draw(st.integers(0, 3)))))
    return EventPattern(action.name, tuple(match))


WITHIN = st.none() | st.integers(1, 9)


@st.composite
def conditions(draw: st.DrawFn, m: Monitors, kind: str) -> Condition:
    """A condition of this kind, lowered by `m`."""
    e, f, phi, w = draw(events()), draw(events()), draw(st.sampled_from(FORMULAS)), draw(WITHIN)
    now = TIME.ref
    match kind:
        case "once":
            return Condition(m.once(e, w, now), lambda p, h, o: past.once(matches(e, o), p, h.time, w))
        case "prev":
            return Condition(m.previously(e), lambda p, _, o: past.previously(matches(e, o), p))
        case "since":
            no = draw(st.booleans())
            return Condition(
                m.since(e, f, no, w, now),
                lambda p, h, o: past.since(matches(e, o), matches(f, o), no, p, h.time, w),
            )
        case "once_s":
            return Condition(m.once_state(phi, w, now), lambda p, h, o: past.once_state(held(phi, o), p, h, w))
        case "hist":
            return Condition(
                m.historically_state(phi, w, now), lambda p, h, o: past.historically_state(held(phi, o), p, h, w)
            )
        case "prev_s":
            return Condition(m.previously_state(phi), lambda p, _, o: past.previously(held(phi, o), p))
        case "since_s":
            return Condition(
                m.since_state(phi, e, w, now),
                lambda p, h, o: past.since_state(held(phi, o), matches(e, o), p, h, w),
            )
        case "count":
            n = draw(st.integers(0, 4))
            return Condition(
                m.count_at_least(e, n, None, None), lambda p, h, o: past.count(matches(e, o), p, h.time) >= n
            )
        case "ring":
            n, w = draw(st.integers(1, 4)), draw(st.integers(1, 9))
            return Condition(
                m.count_at_least(e, n, w, now), lambda p, h, o: past.count(matches(e, o), p, h.time, w) >= n
            )
    field, length = EventPattern("read", e.match if e.action == "read" else ()), draw(st.integers(1, 9))
    return Condition(
        m.windowed_sum(field, "size", length, now),
        lambda p, h, o: past.in_quarters(matches(field, o), "size", p, h.time, length),
    )


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, dict[str, object], int]:
    """An action, its inputs without the time, and the time that passes before it."""
    action = draw(st.sampled_from(LIKELY))
    values: dict[str, object] = {}
    for i in action.inputs:
        if isinstance(i.type, EntityType):
            values[i.name] = draw(st.sampled_from(PEOPLE[i.type]))
        elif i.type == KIND:
            values[i.name] = draw(st.sampled_from(KIND.cases))
        elif i is SIZE:
            values[i.name] = draw(st.integers(-1, 3))
        elif i is OK:
            values[i.name] = draw(st.integers(0, 7)) > 0
    return action.name, values, draw(st.integers(0, 3))


def observers() -> list[dict[str, object]]:
    return [
        {"principal": x, "other": y, "file": f, "kind": k}
        for x, y in (("a", "b"), ("b", "b"), ("root", "a"))
        for f, k in (("f", "Secret"), ("g", "Plain"))
    ]


Run = list[tuple[str, dict[str, object], int]]


def disagreements(monitors: Monitors, asked: list[Condition], run: Run) -> list[str]:
    """Step through `run` and compare every condition at every step, for every observer."""
    added, actions = monitors.finish(ACTIONS)
    system = System("s", (), (LOCKED, OWNER, LEVEL, CLOCK, *added), actions, ())
    cells, now, found = past.start(system, PEOPLE), 0, []
    history: list[Moment] = []
    for number_, (name, values, passed) in enumerate([*run, ("tick", {"size": 0, "ok": True}, 2)]):
        now += passed
        for who in observers():
            at = Place(cells, {**who, "now": now}, PEOPLE, {})
            here = Moment(now, "", at.inputs, cells)
            for i, c in enumerate(asked):
                got, wanted = past.value(c.lowered, at), c.truth(history, here, at)
                if (type(got), got) != (type(wanted), wanted):
                    found.append(f"step {number_}, {who}, at {now}: condition {i} is {got}, not {wanted}")
        inputs = {**values, "now": now}
        after = past.step(system, system.action(name), cells, inputs, PEOPLE)
        if after is not None:
            history.append(Moment.of(name, inputs, cells))
            cells = after
    return found


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=70, deadline=None)
@given(st.data())
def test_a_condition_means_what_its_definition_says(kind: str, data: st.DataObject) -> None:
    monitors = Monitors(inputs_of)
    asked = [data.draw(conditions(monitors, kind)) for _ in range(3)]
    run = data.draw(st.lists(requests(), min_size=1, max_size=16))
    assert disagreements(monitors, asked, run) == []


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_conditions_of_all_kinds_do_not_disturb_each_other(data: st.DataObject) -> None:
    monitors = Monitors(inputs_of)
    asked = [data.draw(conditions(monitors, kind)) for kind in KINDS]
    run = data.draw(st.lists(requests(), min_size=1, max_size=10))
    assert disagreements(monitors, asked, run) == []


def test_a_large_limit_is_kept_in_every_window() -> None:
    found = program(
        "module m\nentity Bot\naction send(principal: Bot) { }\nlimit rate on send to 70 per 1m for each principal\n"
    )
    times = sorted({*range(0, 200_000, 400), *range(59_990, 60_010)})
    requests = [interp.Request("send", {"principal": "a", "now": t}) for t in times]
    trace, _ = interp.run(found.system, requests)
    allowed = [t for t, s in zip(times, trace.steps, strict=True) if s.decision.effect == "allow"]
    assert max(sum(1 for u in allowed if t - 60_000 < u <= t) for t in times) == 70
    assert len(allowed) >= 170


@settings(max_examples=200, deadline=None)
@given(events(), st.integers(1, 40), st.lists(requests(), max_size=14))
def test_a_windowed_sum_is_between_its_bounds(event: EventPattern, within: int, run: Run) -> None:
    event = EventPattern("read", event.match if event.action == "read" else ())
    monitors = Monitors(inputs_of)
    least = monitors.windowed_sum(event, "size", within, TIME.ref, least=True)
    most = monitors.windowed_sum(event, "size", within, TIME.ref)

    def bounded(p: History, h: Moment, o: Place) -> bool:
        def during(window: int) -> int:
            return past.amount(matches(event, o), "size", p, h.time, window)

        low, here, high = past.value(least, o), during(within), past.value(most, o)
        # Neither is far from the truth: what is all but two periods old counts at least, what is older than six never.
        period = -(-within // 4)
        close = during(max(within - 2 * period + 1, 0)) <= low and high <= during(6 * period)
        return bool(low <= here <= high and close)

    run = [(n, {**v, "size": abs(v.get("size", 0))}, t) for n, v, t in run if n != "give"]
    assert disagreements(monitors, [Condition(TRUE, bounded)], run) == []


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_reference_interpreter_gives_monitors_the_same_truth(data: st.DataObject) -> None:
    monitors = Monitors(inputs_of)
    kinds = data.draw(st.lists(st.sampled_from(KINDS), min_size=2, max_size=4))
    asked = [data.draw(conditions(monitors, kind)) for kind in kinds]
    added, actions = monitors.finish(ACTIONS)
    system = System("s", (), (LOCKED, OWNER, LEVEL, CLOCK, *added), actions, ())
    state, cells, now = interp.initial(system), past.start(system, PEOPLE), 0
    for name, values, passed in data.draw(st.lists(requests(), min_size=1, max_size=8)):
        now += passed
        for who in observers():
            inputs = {**who, "now": now}
            for c in asked:
                got = interp.evaluate(c.lowered, state, inputs)
                wanted = past.value(c.lowered, Place(cells, inputs, PEOPLE, {}))
                assert (type(got), got) == (type(wanted), wanted)
        request = interp.Request(name, {**values, "now": now})
        cells = past.step(system, system.action(name), cells, request.inputs, PEOPLE) or cells
        state = interp.step(system, state, request).state


def read(**match: Expr) -> EventPattern:
    return EventPattern("read", tuple(match.items()))


def give(**match: Expr) -> EventPattern:
    return EventPattern("give", tuple(match.items()))


def test_since_counts_steps_where_flags_would_be_kept_for_pairs() -> None:
    """In each run the last `start` is also the step at which the other thing happens, for the last time."""
    m = Monitors(inputs_of)
    pair, phi = give(principal=WHO.ref, other=WHOM.ref), FORMULAS[1]
    asked = [
        Condition(
            m.since(pair, give(), no, None, None),
            lambda p, h, o, no=no: past.since(matches(pair, o), matches(give(), o), no, p, h.time),  # type: ignore[misc]
        )
        for no in (False, True)
    ]
    start = read(principal=WHOM.ref)
    asked.append(
        Condition(
            m.since_state(phi, start, None, None),
            lambda p, h, o: past.since_state(held(phi, o), matches(start, o), p, h),
        )
    )
    assert {v.name for v in m.finish(ACTIONS)[0]} >= {"step:give()", "step:read(principal)"}
    lock: dict[str, object] = {"principal": "a", "file": "f", "kind": "Secret", "size": 0, "ok": True}
    run: Run = [
        ("give", {"principal": "a", "other": "b", "file": "f", "ok": True}, 1),
        ("read", lock, 1),
        ("read", {**lock, "principal": "b"}, 1),
        ("read", {**lock, "kind": "Plain"}, 1),
        ("read", {**lock, "principal": "b", "kind": "Plain"}, 1),
    ]
    for length in range(len(run) + 1):
        assert disagreements(m, asked, run[:length]) == []


def test_equal_conditions_share_their_monitors() -> None:
    m = Monitors(inputs_of)
    assert m.once(read(principal=WHO.ref), None, None) is m.once(read(principal=WHO.ref), None, None)
    m.once(read(principal=WHOM.ref), 5, TIME.ref)
    m.once(read(principal=WHOM.ref), 7, TIME.ref)
    state, _ = m.finish(ACTIONS)
    assert [(v.name, v.keys, v.origin) for v in state] == [
        ("once:read(principal)", (BOT,), Origin.MONITOR),
        ("last:read(principal)", (BOT,), Origin.MONITOR),
    ]
    assert all(v.doc for v in state)


def test_formulas_that_differ_in_the_names_of_individuals_share_a_monitor() -> None:
    m = Monitors(inputs_of)
    y = Ref("y7", BOT, Space.BOUND)
    for who, inner in ((WHO.ref, BINDER), (WHOM.ref, y)):
        own = eq(OWNER_OF_FILE, who)
        m.historically_state(exists(inner, conj(select(LOCKED.ref, inner), own)), None, None)
    assert len(m.finish(ACTIONS)[0]) == 1


def test_different_conditions_never_share_a_name() -> None:
    m = Monitors(inputs_of)
    m.since(read(principal=WHO.ref), EventPattern("give", (("principal", WHO.ref),)), False, None, None)
    m.since(read(principal=WHO.ref), EventPattern("give", (("principal", WHOM.ref),)), False, None, None)
    names = [v.name for v in m.finish(ACTIONS)[0]]
    assert len(set(names)) == 3
    assert "after:read(principal)/give(principal)#2" in names


def test_a_constant_filters_and_is_no_key() -> None:
    m = Monitors(inputs_of)
    m.once(read(principal=individual(BOT, "root"), kind=case(KIND, "Secret")), None, None)
    (var,), actions = m.finish(ACTIONS)
    assert (var.name, var.keys) == ("once:read(principal=root, kind=Secret)", ())
    assert [w.value for w in actions[0].writes if w.var == var.name] == [
        ite(conj(eq(WHO.ref, individual(BOT, "root")), eq(SORT.ref, case(KIND, "Secret"))), TRUE, var.ref)
    ]


def test_a_ring_is_as_long_as_the_largest_count() -> None:
    m = Monitors(inputs_of)
    for n in (2, 5, 3):
        m.count_at_least(read(), n, 10, NOW_REF)
    assert [v.name for v in m.finish(ACTIONS)[0]] == [*(f"time{i}:read()" for i in (1, 2)), "seen:read()"] + [
        f"time{i}:read()" for i in (3, 4, 5)
    ]


@pytest.mark.parametrize(
    ("code", "ask"),
    [
        ("E551", lambda m: m.count_at_least(read(), 65, 10, NOW_REF)),
        ("E507", lambda m: m.count_at_least(read(), 2, 0, NOW_REF)),
        ("E507", lambda m: m.windowed_sum(read(), "size", 0, NOW_REF)),
        ("E507", lambda m: m.once(read(), 0, NOW_REF)),
        ("E552", lambda m: m.once(read(size=SIZE.ref), None, None)),
        ("E552", lambda m: m.once(read(size=LEVEL.ref), None, None)),
        ("E553", lambda m: m.once_state(le(SIZE.ref, LEVEL.ref), None, None)),
        ("E554", lambda m: m.once_state(conj(*(select(LOCKED.ref, r) for r in (WHO.ref, WHOM.ref))), None, None)),
    ],
)
def test_what_cannot_be_kept_is_refused(code: str, ask: Callable[[Monitors], Expr]) -> None:
    with pytest.raises(MonitorError) as caught:
        ask(Monitors(inputs_of))
    assert caught.value.code == code
    assert caught.value.help


def test_a_count_of_64_is_still_kept() -> None:
    m = Monitors(inputs_of)
    m.count_at_least(read(), 64, 10, NOW_REF)
    assert len(m.finish(ACTIONS)[0]) == 65


def test_text_in_a_name_does_not_break_it() -> None:
    said = Action("say", (TEXT, TIME), (), ())
    m = Monitors(lambda _: said.inputs)
    m.once(EventPattern("say", (("text", string('a|b"\\')),)), None, None)
    (var,), _ = m.finish((said,))
    assert "|" not in var.name
    assert "\\" not in var.name
