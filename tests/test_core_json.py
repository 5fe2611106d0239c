"""Systems and traces as JSON: nothing is lost, the digest covers the meaning, and what is malformed is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import BOT, ITEM, STAGE, requests, systems

from policydsl.core.expr import (
    TRUE,
    ZERO,
    Apply,
    Const,
    Expr,
    Op,
    Ref,
    Space,
    add,
    eq,
    forall,
    ite,
    le,
    number,
    select,
    total,
)
from policydsl.core.from_json import MalformedError, from_data, from_json
from policydsl.core.system import (
    Action,
    Effect,
    Expected,
    Guard,
    GuardKind,
    Input,
    Obligation,
    Origin,
    Param,
    Property,
    PropertyKind,
    RuleUse,
    StateVar,
    Sum,
    System,
    Write,
)
from policydsl.core.to_json import digest, to_data, to_json
from policydsl.core.types import BOOL, INT, STRING
from policydsl.interp import run
from policydsl.source import NOWHERE, Span
from policydsl.trace import Cell, Change, Decision, Step, Trace
from policydsl.trace_json import from_data as trace_from_data
from policydsl.trace_json import from_json as trace_from_json
from policydsl.trace_json import step_from_data, step_to_data
from policydsl.trace_json import to_data as trace_to_data
from policydsl.trace_json import to_json as trace_to_json

B = Ref("b#1", BOT, Space.BOUND)
M = StateVar("m", (BOT,), INT, number(3), doc="how much", span=Span("p", 1, 2, 1, 2))


def full() -> System:
    """A system with something in every field, and none of them at its default."""
    i = Ref("i#2", ITEM, Space.BOUND)
    who, what = Input("principal", BOT, "who"), Input("stage", STAGE, "which")
    cap = Param("CAP", INT, number(5), 1, 9, "the cap", Span("p", 3, 4, 1, 4))
    ghost = StateVar("g", (ITEM,), INT, None, Origin.GHOST, "a sum", Span("p", 5, 6, 2, 1))
    rule = RuleUse("r", "forbid", le(cap.ref, select(M.ref, who.ref)), "too much", Span("p", 7, 8, 3, 1))
    guard = Guard(GuardKind.FORBID, le(select(M.ref, who.ref), cap.ref), "no", "r", Span("p", 9, 10, 4, 1))
    write = Write(
        "m", (B,), ite(eq(what.ref, Const("Done", STAGE)), ZERO, select(M.ref, B)), (B,), Span("q", 1, 2, 1, 1)
    )
    duty = Obligation("notify", (who.ref, Const("x", STRING)), TRUE, Effect.DENY, "r")
    action = Action("a", (who, what), (guard,), (write,), (rule,), (duty,), True, "does a", Span("p", 0, 9, 1, 1))
    prop = Property(
        "p",
        PropertyKind.LEADS_TO,
        forall(i, le(select(ghost.ref, i), ZERO)),
        TRUE,
        "a",
        Expected.REFUTED,
        "y",
        "doc",
        M.span,
    )
    sums = (Sum("g", (i,), B, select(M.ref, B)),)
    return System("full", (cap,), (M, ghost), (action,), (prop,), sums, (Const("root", BOT),), "all of it")


def plain(value: Any) -> Any:
    """`value` with its types and places, neither of which equality looks at."""
    if isinstance(value, Const | Ref | Apply):
        return id(value)
    if isinstance(value, tuple):
        return tuple(map(plain, value))
    if is_dataclass(value):
        return (value.__class__, *(plain(getattr(value, f.name)) for f in fields(value)))
    return (value.__class__, value)


@settings(max_examples=100, deadline=None)
@given(systems())
def test_systems_round_trip(s: System) -> None:
    text = to_json(s)
    assert plain(from_json(text)) == plain(s)
    assert to_json(from_json(text)) == text


def test_every_field_round_trips() -> None:
    s = full()
    assert plain(from_json(to_json(s))) == plain(s)
    assert plain(from_data(json.loads(json.dumps(to_data(s), indent=1)))) == plain(s)


def variants(value: Any) -> list[Any]:
    """Each with one thing in `value` different."""
    if isinstance(value, Const | Ref | Apply):
        return [Ref("else", value.type, Space.PARAM)]
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, Enum):
        return [m for m in value.__class__ if m is not value][:1]
    if isinstance(value, int):
        return [value + 1]
    if isinstance(value, str):
        return [value + "x"]
    if value is None:
        return [ZERO]
    if isinstance(value, Span):
        return [NOWHERE]
    if value == ():
        return []
    if isinstance(value, tuple):
        return [(*value[:i], v, *value[i + 1 :]) for i, x in enumerate(value) for v in variants(x)] + [
            (*value, value[0])
        ]
    if is_dataclass(value) and fields(value):
        return [replace(value, **{f.name: v}) for f in fields(value) for v in variants(getattr(value, f.name))]  # type: ignore[type-var]
    return []


def strip(s: System) -> System:
    """`s` without documentation; places take no part in equality."""
    return replace(
        s,
        doc="",
        params=tuple(replace(p, doc="") for p in s.params),
        state=tuple(replace(v, doc="") for v in s.state),
        actions=tuple(replace(a, doc="", inputs=tuple(replace(i, doc="") for i in a.inputs)) for a in s.actions),
        properties=tuple(replace(p, doc="") for p in s.properties),
    )


def test_the_digest_covers_the_meaning_and_nothing_else() -> None:
    s = full()
    found = variants(s)
    assert len(found) > 80
    for v in found:
        assert (digest(v) == digest(s)) is (strip(v) == strip(s)), v
    assert sum(digest(v) == digest(s) for v in found) > 10


def test_the_digest_is_stable() -> None:
    """The certificate of a deployment names it, so it may not depend on the process or on what was built before."""
    s = System("s", (), (M,), (), (Property("p", PropertyKind.INVARIANT, forall(B, le(ZERO, select(M.ref, B)))),))
    assert digest(s) == "166344745d83793d06241cfe349e054d8f0371576914ec9b09092c2c843aff79"


def test_each_expression_stands_once() -> None:
    e: Expr = Ref("x", INT, Space.STATE)
    for _ in range(60):
        e = Apply(Op.ADD, (e, Apply(Op.MUL, (e, number(2)), INT)), INT)
    s = System("deep", (), (StateVar("x", (), INT, ZERO),), (), (Property("p", PropertyKind.INVARIANT, le(e, ZERO)),))
    assert len(to_json(s)) < 20_000
    assert plain(from_json(to_json(s))) == plain(s)
    assert total(B, add(select(M.ref, B), number(1))) is not None


def paths(data: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [here] if here else []
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return found + [p for k, v in items for p in paths(v, (*here, k))]


def changed(data: Any, path: tuple[Any, ...], change: Callable[[Any, Any], None]) -> Any:
    made = deepcopy(data)
    at = made
    for k in path[:-1]:
        at = at[k]
    change(at, path[-1])
    return made


def put(value: Any) -> Callable[[Any, Any], None]:
    def change(at: Any, key: Any) -> None:
        at[key] = value

    return change


def written(path: tuple[Any, ...]) -> str:
    return "".join(f"[{k}]" if isinstance(k, int) else f".{k}" for k in path).removeprefix(".")


@pytest.mark.parametrize("kind", ["system", "trace"])
def test_a_value_of_the_wrong_type_is_refused_with_its_place(kind: str) -> None:
    data, read = (to_data(full()), from_data) if kind == "system" else (trace_to_data(a_trace()), trace_from_data)
    for path in paths(data):
        with pytest.raises(MalformedError) as found:
            read(changed(data, path, put(1.5)))
        assert found.value.path == written(path)


@pytest.mark.parametrize("kind", ["system", "trace"])
def test_missing_and_unknown_fields_are_refused(kind: str) -> None:
    data, read = (to_data(full()), from_data) if kind == "system" else (trace_to_data(a_trace()), trace_from_data)
    free = ("params", "inputs")  # of a trace: names that the system chose
    for path in paths(data):
        if isinstance(path[-1], str) and not (kind == "trace" and len(path) > 1 and path[-2] in free):
            with pytest.raises(MalformedError):
                read(changed(data, path, lambda at, key: at.pop(key)))
            with pytest.raises(MalformedError):
                read(changed(data, path, lambda at, key: at.update({key + "?": 1})))


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        (("format",), "policyctl-core/2", "format"),
        (("system", "exprs", 0, "type"), 99, "system.exprs[0].type"),
        (("system", "actions", 0, "guards", 0, "kind"), "hope", "system.actions[0].guards[0].kind"),
        (("system", "actions", 0, "guards", 0, "expr"), 0, "system.actions[0].guards[0].expr"),
        (("system", "state", 0, "keys", 0), True, "system.state[0].keys[0]"),
        (("docs", "state"), [], "docs.state"),
        (("spans", "params", 0), ["p", 1, 2], "spans.params[0]"),
        (("system", "params", 0, "default"), 10**6, "system.params[0].default"),
    ],
)
def test_what_is_no_system_is_refused(path: tuple[Any, ...], value: Any, place: str) -> None:
    with pytest.raises(MalformedError) as found:
        from_data(changed(to_data(full()), path, put(value)))
    assert found.value.path == place
    assert str(found.value).startswith(place + ": ")


def test_arguments_come_before_the_terms_that_use_them() -> None:
    data = to_data(full())
    rows = data["system"]["exprs"]
    i = next(i for i, row in enumerate(rows) if "args" in row)
    for j in (i, i + 1, len(rows), -1):
        with pytest.raises(MalformedError, match="no such row yet"):
            from_data(changed(data, ("system", "exprs", i, "args", 0), put(j)))


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", "null", '{"a":1,"a":2}', "[NaN]", "[" * 100_000, '{"format":Infinity}']
)
def test_what_is_no_document_is_refused(text: str) -> None:
    with pytest.raises(MalformedError):
        from_json(text)
    with pytest.raises(MalformedError):
        trace_from_json(text)


def a_trace() -> Trace:
    decision = Decision("pending", ("r", "q"), "why", (("notify", ("bob", True, 3)), ("log", ())))
    steps = (
        Step("a", (("z", 1), ("principal", "bob"), ("yes", True)), decision, (Change("m", ("bob", "*"), 1, 2),)),
        Step("b", (), Decision("deny"), ()),
    )
    return Trace("s", "d1", (("P", 3), ("A", False)), (Cell("m", ("bob",), "x"), Cell("n", (), 0)), steps, "p")


def test_traces_round_trip_with_types_and_order() -> None:
    t = a_trace()
    assert repr(trace_from_json(trace_to_json(t))) == repr(t)
    assert repr(trace_from_json(trace_to_json(t, indent=2))) == repr(t)
    assert repr(step_from_data(json.loads(json.dumps(step_to_data(t.steps[0]))))) == repr(t.steps[0])


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_recorded_runs_round_trip(data: st.DataObject) -> None:
    s = data.draw(systems())
    t = run(s, data.draw(requests(s)))[0]
    assert repr(trace_from_json(trace_to_json(t))) == repr(t)
    assert t.digest == digest(s)


def test_an_unknown_effect_or_format_is_refused() -> None:
    data = trace_to_data(a_trace())
    for path, value in ((("format",), "policyctl-trace/2"), (("steps", 0, "decision", "effect"), "maybe")):
        with pytest.raises(MalformedError):
            trace_from_data(changed(data, path, put(value)))


def test_names_in_any_script_survive() -> None:
    s = System("größe", (), (StateVar("x", (), BOOL, TRUE, doc="— “доку” \ud800 \x00"),), (), ())
    assert plain(from_json(to_json(s))) == plain(s)
    assert to_json(s).isascii()
