"""The parser: each construct becomes the node it should, where it stands; each mistake is told once, where it is."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mangle import SAMPLES, mangled

from policydsl import syntax as s
from policydsl.automaton import automaton, grammar_text
from policydsl.automaton_json import from_json, to_json
from policydsl.build import Builder
from policydsl.diagnostics import Diagnostic, Report
from policydsl.from_grammar import from_grammar
from policydsl.from_text import parse
from policydsl.lexer import MAX_CHARACTERS, RESERVED, lex
from policydsl.machine import machine
from policydsl.pages_parse import PAGES
from policydsl.source import Span

x, y, z = s.Name("x"), s.Name("y"), s.Name("z")
HERE = Path(__file__).parent


def read(text: str) -> s.Module:
    report = Report()
    module = parse("t.policy", text, report)
    assert report.found == []
    return module


def only(text: str) -> s.Decl:
    module = read(text)
    assert len(module.declarations) == 1
    return module.declarations[0]


def expr(text: str) -> s.Expr:
    found = only(f"invariant i: {text}")
    assert isinstance(found, s.PropertyDecl)
    return found.expr


def body(text: str) -> tuple[s.Stmt, ...]:
    found = only(f"action a() {{ {text} }}")
    assert isinstance(found, s.ActionDecl)
    assert found.body is not None
    return found.body


def errors(text: str) -> list[Diagnostic]:
    report = Report()
    parse("t.policy", text, report)
    return list(report.sorted())


def codes(text: str) -> list[tuple[str, int]]:
    return [(d.code, d.span.line) for d in errors(text)]


def op(name: str, left: s.Expr, right: s.Expr) -> s.Binary:
    return s.Binary(name, left, right)


# ---- expressions

EXPRESSIONS: dict[str, s.Expr] = {
    "1_000": s.IntLit(1000),
    "true": s.BoolLit(True),
    "false": s.BoolLit(False),
    "none": s.NoneLit(),
    r'"a\"b\\c\nd"': s.StrLit('a"b\\c\nd'),
    "250ms": s.DurationLit(250),
    "90s": s.DurationLit(90_000),
    "5m": s.DurationLit(300_000),
    "24h": s.DurationLit(86_400_000),
    "1w2d3h4m5s6ms": s.DurationLit(788_645_006),
    "24h1ms": s.DurationLit(86_400_001),
    "1h1_500ms": s.DurationLit(3_601_500),
    "7d": s.DurationLit(604_800_000),
    "1w": s.DurationLit(604_800_000),
    "{}": s.SetLit(()),
    "{x, y,}": s.SetLit((x, y)),
    "x.f.g": s.Field(s.Field(x, "f"), "g"),
    "x[y, z][x]": s.Index(s.Index(x, (y, z)), (x,)),
    "min(x, y)": s.Call("min", (x, y)),
    "f()": s.Call("f", ()),
    "-x": s.Unary("-", x),
    "- -x": s.Unary("-", s.Unary("-", x)),
    "x - -1": op("-", x, s.Unary("-", s.IntLit(1))),
    "x + y * z": op("+", x, op("*", y, z)),
    "(x + y) * z": op("*", op("+", x, y), z),
    "x - y - z": op("-", op("-", x, y), z),
    "x / y % z": op("%", op("/", x, y), z),
    "x union y minus z": op("minus", op("union", x, y), z),
    "x + y < z": op("<", op("+", x, y), z),
    "x == y": op("==", x, y),
    "x != y": op("!=", x, y),
    "x <= y": op("<=", x, y),
    "x >= y": op(">=", x, y),
    "x > y": op(">", x, y),
    "x in y": op("in", x, y),
    "x not in y": s.Unary("not", op("in", x, y)),
    "x like y": op("like", x, y),
    "x matches y": op("matches", x, y),
    "x contains y": op("contains", x, y),
    "x starts with y": op("starts with", x, y),
    "x ends with y": op("ends with", x, y),
    "x has y": s.Has(x, "y"),
    "x has value": s.Has(x, None),
    "not x == y": s.Unary("not", op("==", x, y)),
    "not not x": s.Unary("not", s.Unary("not", x)),
    "x and y or z": op("or", op("and", x, y), z),
    "x or y and z": op("or", x, op("and", y, z)),
    "x implies y implies z": op("implies", x, op("implies", y, z)),
    "x or y implies z": op("implies", op("or", x, y), z),
    "x iff y implies z": op("iff", x, op("implies", y, z)),
    "if x then y else z + x": s.IfExpr(x, y, op("+", z, x)),
    "x + if y then z else x": op("+", x, s.IfExpr(y, z, x)),
    "forall a: A . x and y": s.Quantified("forall", (s.Binder("a", s.NamedType("A")),), op("and", x, y)),
    "x and exists a: A, b: B . y or z": op(
        "and",
        x,
        s.Quantified("exists", (s.Binder("a", s.NamedType("A")), s.Binder("b", s.NamedType("B"))), op("or", y, z)),
    ),
    "forall a, b: A . x": s.Quantified("forall", (s.Binder("a", s.NamedType("A")), s.Binder("b", s.NamedType("A"))), x),
    "forall a: A.x": s.Quantified("forall", (s.Binder("a", s.NamedType("A")),), x),
    "sum(a: A where x . y)": s.Aggregate("sum", (s.Binder("a", s.NamedType("A")),), x, y),
    "sum(a: A where x == y.z . z)": s.Aggregate(
        "sum", (s.Binder("a", s.NamedType("A")),), op("==", x, s.Field(y, "z")), z
    ),
    "sum(a: A . y)": s.Aggregate("sum", (s.Binder("a", s.NamedType("A")),), None, y),
    "count(a: A where x)": s.Aggregate("count", (s.Binder("a", s.NamedType("A")),), x, None),
    "count(a: A)": s.Aggregate("count", (s.Binder("a", s.NamedType("A")),), None, None),
    "old(x)": s.Old(x),
    "permit x": s.RuleMatches("permit", "x"),
    "forbid x implies not permit y": op(
        "implies", s.RuleMatches("forbid", "x"), s.Unary("not", s.RuleMatches("permit", "y"))
    ),
}

# ---- the past

PAST: dict[str, s.Expr] = {
    "once e by x": s.Past("once", None, s.Event("e", x, None)),
    "once (e by x)": s.Past("once", None, s.Event("e", x, None)),
    "once within 1h (e by x)": s.Past("once", s.DurationLit(3_600_000), s.Event("e", x, None)),
    "once within y (e by x)": s.Past("once", s.Name("y"), s.Event("e", x, None)),
    "once within (y + z) e(x)": s.Past("once", op("+", y, z), s.Call("e", (x,))),
    "once e(x) and y": op("and", s.Past("once", None, s.Call("e", (x,))), y),
    "once e(x, _)": s.Past("once", None, s.Event("e", None, (x, None))),
    "once e(_, y) by x": s.Past("once", None, s.Event("e", x, (None, y))),
    "once e() by x": s.Past("once", None, s.Event("e", x, ())),
    "previously e": s.Past("previously", None, s.Name("e")),
    "historically x >= y": s.Past("historically", None, op(">=", x, y)),
    "not once x": s.Unary("not", s.Past("once", None, x)),
    "once not x": s.Past("once", None, s.Unary("not", x)),
    "x since (e by y)": s.Since(x, False, None, s.Event("e", y, None)),
    "x since e by y": s.Since(x, False, None, s.Event("e", y, None)),
    "x since within 5m e(y)": s.Since(x, False, s.DurationLit(300_000), s.Call("e", (y,))),
    "x >= y since e(z)": s.Since(op(">=", x, y), False, None, s.Call("e", (z,))),
    "(e by x) since (f by y)": s.Since(s.Event("e", x, None), False, None, s.Event("f", y, None)),
    "no e(x) since f(x)": s.Since(s.Call("e", (x,)), True, None, s.Call("f", (x,))),
    "no e by x since f(_)": s.Since(s.Event("e", x, None), True, None, s.Event("f", None, (None,))),
    "no (e by x) since within 1s f(y)": s.Since(s.Event("e", x, None), True, s.DurationLit(1000), s.Call("f", (y,))),
    "count(e by x within 1m) < 5": op(
        "<", s.Window("count", s.Event("e", x, None), None, s.DurationLit(60_000)), s.IntLit(5)
    ),
    "count(e within 1m) < 5": op(
        "<", s.Window("count", s.Event("e", None, None), None, s.DurationLit(60_000)), s.IntLit(5)
    ),
    "count(e(x, _) within 1m) < 5": op(
        "<", s.Window("count", s.Event("e", None, (x, None)), None, s.DurationLit(60_000)), s.IntLit(5)
    ),
    "sum(e.f by x within y) <= 5": op("<=", s.Window("sum", s.Event("e", x, None), "f", y), s.IntLit(5)),
    "sum(e.f) <= 5": op("<=", s.Window("sum", s.Event("e", None, None), "f", None), s.IntLit(5)),
}


@pytest.mark.parametrize(("text", "wanted"), [*EXPRESSIONS.items(), *PAST.items()], ids=[*EXPRESSIONS, *PAST])
def test_an_expression_becomes_its_node(text: str, wanted: s.Expr) -> None:
    assert repr(strip(expr(text))) == repr(strip(wanted))


def strip(node: object) -> object:
    """Nodes as nested tuples without places, so that types of values are compared, too."""
    if isinstance(node, s.Node):
        parts = (strip(getattr(node, f.name)) for f in fields(node) if f.compare)
        return (type(node).__name__, *parts)
    return tuple(strip(part) for part in node) if isinstance(node, tuple) else node


# ---- statements

STATEMENTS: dict[str, s.Stmt] = {
    "require x": s.Require(x, None),
    'require x else "no"': s.Require(x, "no"),
    "x := y": s.Assign(x, ":=", y),
    "x[y] += z": s.Assign(s.Index(x, (y,)), "+=", z),
    "x.f -= z": s.Assign(s.Field(x, "f"), "-=", z),
    "if x { y := z }": s.If(x, (s.Assign(y, ":=", z),), ()),
    "if x { } else { y := z }": s.If(x, (), (s.Assign(y, ":=", z),)),
    "if x { } else if y { } else { let a = z }": s.If(x, (), (s.If(y, (), (s.Let("a", z),)),)),
    "if x in {y} { }": s.If(op("in", x, s.SetLit((y,))), (), ()),
    "for each a: A { }": s.ForEach(s.Binder("a", s.NamedType("A")), None, ()),
    "for each a: A where x { y := z }": s.ForEach(s.Binder("a", s.NamedType("A")), x, (s.Assign(y, ":=", z),)),
    "add x to y": s.AddTo("add", x, y),
    "remove x from y[z]": s.AddTo("remove", x, s.Index(y, (z,))),
    "let a = x": s.Let("a", x),
}


@pytest.mark.parametrize(("text", "wanted"), STATEMENTS.items(), ids=list(STATEMENTS))
def test_a_statement_becomes_its_node(text: str, wanted: s.Stmt) -> None:
    assert strip(body(text)) == strip((wanted,))


def test_statements_need_no_separator() -> None:
    assert len(body('x := y no[x] += yes require x else "r" y := no add := 3 add[x] := 4 add x to y')) == 7


# ---- declarations

A, INT = s.NamedType("A"), s.NamedType("Int")
DECLARATIONS: dict[str, s.Decl] = {
    "import a.b": s.Import("a.b"),
    "const X = 1": s.ConstDecl("X", None, s.IntLit(1)),
    "const X: Int = 1": s.ConstDecl("X", INT, s.IntLit(1)),
    "param X: Int[1..y] = 1": s.ParamDecl("X", s.RangeType(s.IntLit(1), y), s.IntLit(1)),
    "param X: Duration[1..y] = 1": s.ParamDecl("X", s.RangeType(s.IntLit(1), y, "Duration"), s.IntLit(1)),
    "entity A": s.EntityDecl("A", ()),
    "entity A { x, y }": s.EntityDecl("A", (x, y)),
    "enum A { x, y, }": s.EnumDecl("A", (x, y)),
    "record A { a: A, b: Int }": s.RecordDecl("A", (s.Binder("a", A), s.Binder("b", INT))),
    "record A { a: A b: Int }": s.RecordDecl("A", (s.Binder("a", A), s.Binder("b", INT))),
    "group G of A": s.GroupDecl("G", "A", ()),
    "group G of A in x, y": s.GroupDecl("G", "A", (x, y)),
    'pattern p = "a+"': s.PatternDecl("p", "a+"),
    "function f(a: A): Int = x": s.FunctionDecl("f", (s.Binder("a", A),), INT, x),
    "state x : A -> Int = 0": s.StateDecl("x", s.MapTypeExpr((A,), INT), s.IntLit(0)),
    "state x : (A, Int) -> A? = none": s.StateDecl("x", s.MapTypeExpr((A, INT), s.OptionType(A)), s.NoneLit()),
    "state x : A -> Set<A> = {}": s.StateDecl("x", s.MapTypeExpr((A,), s.SetType(A)), s.SetLit(())),
    "state x : Set<Set<A>>= {}": s.StateDecl("x", s.SetType(s.SetType(A)), s.SetLit(())),
    "state x : Int = any": s.StateDecl("x", INT, None),
    "action a()": s.ActionDecl("a", (), None, False),
    "fair action a(x: A, y: Int) {}": s.ActionDecl("a", (s.Binder("x", A), s.Binder("y", INT)), (), True),
    "actions g = x, y": s.ActionGroupDecl("g", (x, y)),
    "obligation o(x: A)": s.ObligationDecl("o", (s.Binder("x", A),)),
    "allow x, y while unavailable": s.AllowDecl((x, y), "unavailable"),
    "allow x while locked down": s.AllowDecl((x,), "locked down"),
    "two phase p: reserve by x, commit by y, abort by z": s.PhasesDecl("p", x, y, z),
    "two phase p: expire by b, abort by z, commit by y, reserve by x,": s.PhasesDecl("p", x, y, z, s.Name("b")),
    'permit r on x, y when x when y unless z because "b" then o(x), log("m") then p()': s.RuleDecl(
        "permit", "r", (x, y), (x, y), (z,), "b",
        (s.ObligationCall("o", (x,)), s.ObligationCall("log", (s.StrLit("m"),)), s.ObligationCall("p", ())),
    ),
    "forbid r on x": s.RuleDecl("forbid", "r", (x,)),
    "approve r on x when y by human within 10m": s.RuleDecl(
        "approve", "r", (x,), (y,), by="human", within=s.DurationLit(600_000)
    ),
    'redact r on x when y contains z replace with "[]"': s.RuleDecl(
        "redact", "r", (x,), (op("contains", y, z),), replacement="[]"
    ),
    "limit r on x to 20 per 1m for each y, z": s.RuleDecl(
        "limit", "r", (x,), to=s.IntLit(20), per=s.DurationLit(60_000), keys=(y, z)
    ),
    "limit r on x to 20": s.RuleDecl("limit", "r", (x,), to=s.IntLit(20)),
    "budget r on x.amount to y per z": s.RuleDecl("budget", "r", (x,), field="amount", to=y, per=z),
    'invariant i because "b": x': s.PropertyDecl("invariant", "i", x, because="b"),
    "expect refuted lemma i: x": s.PropertyDecl("lemma", "i", x, expected="refuted"),
    "expect unknown reachable i: x": s.PropertyDecl("reachable", "i", x, expected="unknown"),
    "step i on x, y: old(z)": s.PropertyDecl("step", "i", s.Old(z), on=(x, y)),
    "assume i on x: y": s.PropertyDecl("assume", "i", y, on=(x,)),
    "assert i: denied": s.PropertyDecl("assert", "i", s.Name("denied")),
    "assert i: forbid x overrides permit y": s.PropertyDecl(
        "assert", "i", s.BoolLit(True),
        overrides=op("overrides", s.RuleMatches("forbid", "x"), s.RuleMatches("permit", "y")),
    ),
    "eventually i: forall a: A . forall b: A . x leads to y or z": s.PropertyDecl(
        "eventually", "i", x, goal=op("or", y, z), binders=(s.Binder("a", A), s.Binder("b", A))
    ),
    "eventually i: (forall a: A . x) leads to y": s.PropertyDecl(
        "eventually", "i", s.Quantified("forall", (s.Binder("a", A),), x), goal=y
    ),
    'test "t" { given x[y] = 1 given x in y at 5m f(x, 2) expect allow g() expect x == y f(x) expect deny by r "m" '
    'f() expect deny "m" f() expect deny f() expect pending }': s.TestDecl(
        "t",
        (
            s.GivenStmt(s.Index(x, (y,)), s.IntLit(1)),
            s.GivenStmt(op("in", x, y), None),
            s.TestAction(s.DurationLit(300_000), "f", (x, s.IntLit(2)), s.Outcome("allow")),
            s.TestAction(None, "g", ()),
            s.TestExpect(op("==", x, y)),
            s.TestAction(None, "f", (x,), s.Outcome("deny", s.Name("r"), "m")),
            s.TestAction(None, "f", (), s.Outcome("deny", None, "m")),
            s.TestAction(None, "f", (), s.Outcome("deny")),
            s.TestAction(None, "f", (), s.Outcome("pending")),
        ),
    ),
    # Words of the language stand for themselves where they are called, compared or read.
    'test "t" { f() expect pending by r "m" at 5m + 1s approve r expect allow by q with g(x, 2), h() without k, l '
    'approve(x) refuse r refuse() expect deny == x expect allow[x] expect pending and y }': s.TestDecl(
        "t",
        (
            s.TestAction(None, "f", (), s.Outcome("pending", s.Name("r"), "m")),
            s.TestAnswer(
                op("+", s.DurationLit(300_000), s.DurationLit(1_000)), s.Name("r"), True,
                s.Outcome(
                    "allow", s.Name("q"), None,
                    (s.ObligationCall("g", (x, s.IntLit(2))), s.ObligationCall("h", ())), (s.Name("k"), s.Name("l")),
                ),
            ),
            s.TestAction(None, "approve", (x,)),
            s.TestAnswer(None, s.Name("r"), False),
            s.TestAction(None, "refuse", ()),
            s.TestExpect(op("==", s.Name("deny"), x)),
            s.TestExpect(s.Index(s.Name("allow"), (x,))),
            s.TestExpect(op("and", s.Name("pending"), y)),
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "wanted"), DECLARATIONS.items(), ids=[text[:40] for text in DECLARATIONS])
def test_a_declaration_becomes_its_node(text: str, wanted: s.Decl) -> None:
    assert strip(only(text)) == strip(wanted)


def test_one_state_declaration_for_each_name() -> None:
    assert strip(read("state a, b : Int = 1").declarations) == strip(
        (s.StateDecl("a", INT, s.IntLit(1)), s.StateDecl("b", INT, s.IntLit(1)))
    )


def test_clauses_of_a_rule_come_in_any_order() -> None:
    one = only("limit r on a for each x per 1m to 3 when y")
    assert one == only("limit r on a when y to 3 per 1m for each x")


def test_a_comparison_after_a_set_type_stays_one() -> None:
    text = "action a(f: Set<A>, n: Int) { require n >= 3 }"
    found = only(text)
    assert isinstance(found, s.ActionDecl)
    assert found.body == (s.Require(op(">=", s.Name("n"), s.IntLit(3)), None),)


def test_an_empty_file_is_an_empty_module() -> None:
    assert read("") == s.Module("t.policy", None, "", ())
    assert read("// nothing\n") == s.Module("t.policy", None, "", ())


@pytest.mark.parametrize("sample", SAMPLES)
def test_samples_are_read(sample: str) -> None:
    module = read(sample)
    assert module.name is not None
    assert len(module.declarations) > 30


def test_these_texts_use_every_method_of_the_builder() -> None:
    texts = [*SAMPLES, *(f"invariant i: {t}" for t in (*EXPRESSIONS, *PAST)), *DECLARATIONS]
    texts += [f"action a() {{ {t} }}" for t in STATEMENTS]
    used = {name for text in texts for name in methods_of(text)}
    every = {a.method for row in automaton().actions for a in row.values() if not isinstance(a, int) and a.method}
    assert every - used == set()


def methods_of(text: str) -> set[str]:
    used: set[str] = set()
    report = Report()
    tokens = lex("t.policy", text, report)
    stack = machine(automaton(), Builder("t.policy", tokens.docs, report), report)
    for name, plain in stack.methods.items():
        stack.methods[name] = lambda *parts, name=name, plain=plain: used.add(name) or plain(*parts)
    assert all(stack.feed(token) for token in tokens.tokens)
    return used


# ---- names

SOFT = sorted(w for w in automaton().symbols if w.isalpha() and w not in RESERVED)


@pytest.mark.parametrize("word", SOFT)
def test_most_words_can_be_names(word: str) -> None:
    read(f"entity Bot\nstate {word} : Bot -> Int = 0\n")
    read(f"action pay({word}: Int, x: Int) {{ x := {word} + x }}\naction {word}(x: Int)\n")
    assert expr(f"{word}[x] + {word} == a.{word}") == op(
        "==", op("+", s.Index(s.Name(word), (x,)), s.Name(word)), s.Field(s.Name("a"), word)
    )
    found = only(f"action a() {{ y := x {word}[x] += {word} {word} := 2 }}")
    assert isinstance(found, s.ActionDecl)
    assert found.body is not None
    assert len(found.body) == 3


def test_a_name_at_the_end_of_a_line_does_not_swallow_the_next_declaration() -> None:
    text = 'const A = limit\nlimit r on a to limit per 1m\nactions g = a, b\ntest "t" { }\nstate state : Int = 0\n'
    assert [type(d).__name__ for d in read(text).declarations] == [
        "ConstDecl", "RuleDecl", "ActionGroupDecl", "TestDecl", "StateDecl",
    ]  # fmt: skip


# ---- places and documentation


def test_places_are_those_of_the_text() -> None:
    text = "module a\n\nstate x : Int = 0\n  /// doc\ninvariant long_name:\n  x + 1 < (2 * x)\n"
    state, invariant = read(text).declarations
    assert isinstance(invariant, s.PropertyDecl)
    assert isinstance(invariant.expr, s.Binary)
    assert cut(text, state.span) == "state x : Int = 0"
    assert (state.span.line, state.span.column) == (3, 1)
    assert cut(text, invariant.name_span) == "long_name"
    assert cut(text, invariant.span) == text[text.index("invariant") : -1]
    assert cut(text, invariant.expr.span) == "x + 1 < (2 * x)"
    assert (invariant.expr.span.line, invariant.expr.span.column) == (6, 3)
    assert cut(text, invariant.expr.left.span) == "x + 1"
    assert cut(text, invariant.expr.right.span) == "2 * x"
    assert invariant.span.path == "t.policy"


def cut(text: str, span: Span) -> str:
    return text[span.start : span.end]


@pytest.mark.parametrize(
    "text", [*SAMPLES, *(t.replace("\n", "\r\n") for t in SAMPLES), *("\ufeff" + t for t in SAMPLES)]
)
def test_every_node_knows_its_place(text: str) -> None:
    module = read(text)
    starts = [0, *(m.end() for m in re.finditer("\n", text))]
    for node, parent in nodes(module, None):
        span = node.span
        assert 0 <= span.start <= span.end <= len(text)
        assert span.start == starts[span.line - 1] + span.column - 1
        assert cut(text, span) == cut(text, span).strip()
        if isinstance(node, s.Declaration) and not isinstance(node, (s.TestDecl, s.Import)):
            assert cut(text, node.name_span) == node.name  # type: ignore[attr-defined]
        if isinstance(node, s.Name):
            assert cut(text, span) == node.name
        if parent is not None and not isinstance(parent, s.StateDecl | s.Binder):
            assert parent.span.start <= span.start
            assert span.end <= parent.span.end


def nodes(node: object, parent: s.Node | None) -> list[tuple[s.Node, s.Node | None]]:
    if isinstance(node, s.Node):
        inner = [pair for f in fields(node) for pair in nodes(getattr(node, f.name), node)]
        return [(node, parent), *inner]
    return [pair for part in node for pair in nodes(part, parent)] if isinstance(node, tuple) else []


def test_documentation_stands_directly_above() -> None:
    module = read(
        "/// A module.\n/// Two lines.\nmodule m\n\n/// far\n\n/// One\n///   two\nstate a, b : Int = 0  /// beside\n"
        "entity A\n// no\nentity B\n"
    )
    assert module.doc == "A module.\nTwo lines."
    assert [d.doc for d in module.declarations] == ["One\ntwo", "One\ntwo", "", ""]


# ---- mistakes


@pytest.mark.parametrize("code", [c for c in PAGES if c != "I901"])
def test_the_example_of_a_page_shows_its_code_and_nothing_else(code: str) -> None:
    assert [c for c, _ in codes(PAGES[code].example)] == [code]


def test_five_slips_are_five_errors() -> None:
    text = """module five

state n : Int = = 0
entity Bot

action pay(principal Bot, amount: Int) {
  require amount = 3 else "three"
  n := 1
}

invarient small: n < 3
action stop() {}
permit all on pay
  when n < 3 < 4
  because "so"
"""
    report = Report()
    module = parse("t.policy", text, report)
    assert [(d.code, d.span.line) for d in report.sorted()] == [
        ("E016", 3), ("E011", 6), ("E006", 7), ("E009", 11), ("E013", 14),
    ]  # fmt: skip
    assert [getattr(d, "name", "") for d in module.declarations] == ["n", "Bot", "pay", "small", "stop", "all"]


SLIPS = {
    "state n : Int = 0;\nentity A": [("E008", 1)],
    "action a() { require x && y || !z }": [("E007", 1), ("E007", 1), ("E007", 1)],
    "action a() { require x ≤ y }": [("E007", 1)],
    "action a() { x = 3 }": [("E006", 1)],
    "action a() { x == 3 }": [("E006", 1)],
    "const X := 3": [("E006", 1)],
    "const X == 3": [("E006", 1)],
    "invariant i: x = 3": [("E006", 1)],
    "invariant i: x := 3": [("E006", 1)],
    "invariant i: forall b: Bot x": [("E011", 1)],
    "invariant i: forall b . x": [("E001", 1)],
    "invariant i x": [("E011", 1)],
    "const X 3": [("E011", 1)],
    "state x : Int 3": [("E011", 1)],
    "invariant i: f(x y)": [("E011", 1)],
    "invariant i: (x + y\nentity A": [("E004", 1)],
    "invariant i: m[x\nentity A": [("E004", 1)],
    "action a() { if x { y := 1\n}\nentity A": [("E004", 1)],
    'action a() { require (x else "no" }': [("E004", 1)],
    'action a() { require x) else "no" }': [("E015", 1)],
    "invariant i: m[x)": [("E015", 1)],
    "entity A }\nentity B": [("E015", 1)],
    'pattern p = "abc\nentity A': [("E003", 1)],
    "pattern p = 'abc'\nentity A": [("E003", 1)],
    "action a() { requires x }": [("E009", 1)],
    'action a() { reqire x else "no" }': [("E009", 1)],
    'test "t" { givn x = 3 }': [("E009", 1)],
    'test "t" { f() exepct allow }': [("E009", 1)],
    "permit r on a wen x": [("E009", 1)],
    "allow r on a": [("E009", 1)],
    "def f(x: Int): Int = x": [("E009", 1)],
    "Invariant i: x": [("E009", 1)],
    "state forall : Int = 0": [("E010", 1)],
    "enum E { a, in, b }": [("E010", 1)],
    "invariant i: 0 < x < 3": [("E013", 1)],
    "invariant i: x == y == z": [("E013", 1)],
    "action a() {\n  require x else not ready\n  y := 1 +\n}\nentity A": [("E012", 2), ("E001", 4)],
    "permit r on a because reason\nentity A": [("E012", 1)],
    "redact r on a replace with nothing": [("E012", 1)],
    "state x : Map<A> = 0": [("E020", 1)],
    "state x : Time[0..3] = 0": [("E020", 1)],
    "const X = 5min": [("E018", 1)],
    "const X = 1.5": [("E018", 1)],
    "const X = 1h 5m\nconst Y = == 2": [("E018", 1), ("E001", 2)],
    "const X = 5m1h": [("E018", 1)],
    "const X = 5m5m": [("E018", 1)],
    'test "t" { f() expect pending }\nstate x : Int == 1': [("E006", 2)],
    'test "t" { f() expect allow\napprove r on f when true by human within 1h': [("E004", 1)],
    'test "t" {\n f() approve r expect allow "x"\n refuse r expect }': [("E001", 2), ("E001", 3)],
    "const X = 0x10": [("E018", 1)],
    "const X = " + "9" * 70: [("E018", 1)],
    "const X = " + "9" * 9000 + "d": [("E018", 1)],
    "const X = 3 # comment; (\nentity A": [("E002", 1)],
    "/* a\n comment ( */\nentity A )": [("E002", 1), ("E015", 3)],
    "const X = \0 3": [("E002", 1)],
    "const größe = 3\nentity A": [("E002", 1)],
    "const X = 3 @ 4\nentity A": [("E002", 1)],
    "entity A\nmodule m\nentity B": [("E025", 2)],
    "limit r on a per 1m": [("E014", 1)],
    "budget r on a to 3 per 1m": [("E014", 1)],
    "forbid r on a.b": [("E014", 1)],
    "approve r on a": [("E014", 1)],
    'forbid r on a because "a" because "b"': [("E023", 1)],
    "invariant i: sum(b: Bot)": [("E021", 1)],
    "invariant i: count(b: Bot . x)": [("E021", 1)],
    "invariant i: sum(e within 1m) < 3": [("E021", 1)],
    "invariant i: count(e.f within 1m) < 3": [("E021", 1)],
    'test "t" { f() expect allow expect allow }': [("E022", 1)],
    "expect wrong invariant i: x": [("E024", 1)],
    "invariant i: forbid a overrides permit b": [("E014", 1)],
    'pattern p = "\\d\\w"': [("E005", 1), ("E005", 1)],
    "action": [("E001", 1)],
    "state x : Int =": [("E001", 1)],
    "action a() {": [("E004", 1)],
    "state x : Int =\nstate y : Int = 0": [("E001", 1)],
    "invariant i: x and\n\ninvariant j: y": [("E001", 1)],
    "permit r on a because\n\nentity A": [("E012", 1)],
    "action a() {\n  m[x := 1\n  m[y] := 2\n  z := 3\n}": [("E004", 2)],
    'action a() { require require x == 1 else "no" }': [("E016", 1)],
    "action a() { x := := 1 }": [("E016", 1)],
    'test "t" {\n  x == 3\n  given y = 3\n  f( expect allow\n  given = 4\n}': [("E001", 2), ("E001", 4), ("E001", 5)],
    'forbid r on a\n  when x +\n  unless y *\n  because "z"\nentity A': [("E001", 3), ("E001", 4)],
}  # fmt: skip


@pytest.mark.parametrize(("text", "wanted"), SLIPS.items(), ids=[t[:60] for t in SLIPS])
def test_a_slip_is_told_once(text: str, wanted: list[tuple[str, int]]) -> None:
    assert codes(text) == wanted


def test_what_is_around_a_mistake_is_kept() -> None:
    report = Report()
    text = "entity A\naction a() {\n  x := 1\n  y := 2 +\n  if z { y := ) }\n  w := 4\n}\nentity B\n"
    module = parse("t.policy", text, report)
    assert len(report.found) == 2
    first, action, last = module.declarations
    assert first == s.EntityDecl("A", ())
    assert last == s.EntityDecl("B", ())
    assert isinstance(action, s.ActionDecl)
    assert action.body is not None
    assert s.Assign(x, ":=", s.IntLit(1)) in action.body
    assert s.Assign(s.Name("w"), ":=", s.IntLit(4)) in action.body


def test_recovery_that_goes_back_does_so_once() -> None:
    assert codes("action a() {\n  if if x { y := 1 }\n}") != []
    assert codes("action a() {\n  z := 1 +\n  if x { y := 1 }\n}") == [("E001", 3)]


def test_a_slip_that_is_understood_loses_nothing() -> None:
    report = Report()
    module = parse("t.policy", "action a(x Int) { requre x && y = 3 else 'no' z = 1; }", report)
    assert module.declarations == read('action a(x: Int) { require x and y == 3 else "no" z := 1 }').declarations
    assert len(report.found) == 7


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("invarant i: x", "did you mean `invariant`?"),
        ("action a() { requir x }", "did you mean `require`?"),
        ("deny r on a", "did you mean `forbid`?"),
        ("const X = a || b", "write `or`"),
        ("const X = 1h 1_500ms", "write `1h1_500ms`"),
        ("const X = 5m1h", "larger units first, each once: `1d2h30m`"),
        (
            'test "t" { approve r by ann expect allow }',
            "a test does not say who answers: `approve r` or `refuse r`, where `r` is the rule that asks",
        ),
    ],
)
def test_a_hint_says_what_to_write(text: str, word: str) -> None:
    assert [d.help for d in errors(text)] == [word]


def test_an_unclosed_bracket_is_shown_with_what_comes_next() -> None:
    (found,) = errors("entity A\naction a() {\n  x := 1\n\naction b() {}\n")
    assert (found.span.line, found.span.column, found.labels[0].span.line) == (2, 12, 5)
    (found,) = errors("invariant i:\n  f(x,\n    (y + z) and w\nentity A")
    assert (found.code, found.span.line, found.span.column) == ("E004", 2, 4)


# ---- anything at all

TERMINALS = re.compile(r"\b(?:" + "|".join(sorted(set(automaton().symbols.values()) | {"END", "ANON"})) + r")\b")


def holds(text: str) -> None:
    """Whatever the text, there is a module, and every diagnostic can be shown."""
    report = Report()
    module = parse("t.policy", text, report)
    assert isinstance(module, s.Module)
    known = {f: Report() for f in ("again",)}
    assert parse("t.policy", text, known["again"]) == module
    assert known["again"].found == report.found
    for declaration in module.declarations:
        assert isinstance(declaration, s.Declaration)
    for node, _ in nodes(module, None):
        assert 0 <= node.span.start <= node.span.end <= len(text)
    for found in report.sorted():
        assert found.code in PAGES
        assert 0 <= found.span.start <= found.span.end <= len(text)
        assert 1 <= found.span.line <= text.count("\n") + 1
        words = re.sub(r"`[^`]*`", "", found.text + found.help)
        assert not TERMINALS.search(words), found
        assert "$END" not in found.text
        assert "__" not in words
        assert found.text == found.text.strip()


@pytest.mark.parametrize("seed", range(300))
def test_damaged_policies_are_read(seed: int) -> None:
    holds(mangled(seed))


@pytest.mark.slow
@pytest.mark.parametrize("block", range(20))
def test_many_damaged_policies_are_read(block: int) -> None:
    for seed in range(1000 + block * 500, 1500 + block * 500):
        holds(mangled(seed))


@given(st.text(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_text_is_read(text: str) -> None:
    holds(text)


@pytest.mark.parametrize(
    "text",
    [
        "const X = " + "(" * 50_000,
        "const X = " + "(" * 50_000 + "1" + ")" * 50_000,
        "const X = " + "not " * 50_000 + "x",
        "const X = " + "-" * 50_000 + "1",
        "const X = " + "x + " * 50_000 + "x",
        "const X = " + "x implies " * 20_000 + "x",
        "const X = x" + "[x]" * 50_000,
        "const X = x" + ".x" * 50_000,
        "const X = " + "if x then y else " * 20_000 + "z",
        "const X = " + "forall x: X . " * 20_000 + "z",
        "state x : Bot" + "?" * 50_000 + " = 0",
        "state x : " + "Set<" * 50_000 + " = 0",
        "action a() { " + "if x { " * 50_000,
        "action a() { if x {} " + "else if x {} " * 20_000 + "}",
        "eventually e: " + "forall x: X . " * 20_000 + "x leads to y",
        "}" * 50_000,
        ")(" * 50_000,
        '"' * 50_001,
        "\\" * 50_000,
        "\n" * 200_000,
        "action\n" * 20_000,
        "state x = \n" * 20_000,
        "/*" * 50_000,
        "/// doc\n" * 50_000 + "entity A",
    ],
    ids=lambda text: text[:30].strip(),
)
def test_the_absurd_is_refused_in_good_time(text: str) -> None:
    report = Report()
    module = parse("t.policy", text, report)
    assert isinstance(module, s.Module)
    assert len(report.found) < 200
    assert hash(repr(module)) is not None


def test_a_text_that_is_too_long_is_not_read() -> None:
    assert codes(" " * MAX_CHARACTERS) == []
    assert codes(" " * (MAX_CHARACTERS + 1)) == [("I901", 1)]


@pytest.mark.parametrize(("depth", "wanted"), [(100, []), (101, [("E091", 1)])])
def test_how_deep_brackets_nest(depth: int, wanted: list[tuple[str, int]]) -> None:
    assert codes("const X = " + "(" * depth + "1" + ")" * depth) == wanted


# ---- the stored tables


def test_the_stored_tables_are_those_of_the_grammar() -> None:
    made = from_grammar(grammar_text())
    stored = (HERE.parent / "policydsl" / "grammar.json").read_text(encoding="utf-8")
    assert stored == to_json(made, grammar_text()), "run `python -m policydsl.automaton_json`"
    assert from_json(stored, grammar_text()) == made


def test_tables_of_another_grammar_are_not_used() -> None:
    stored = (HERE.parent / "policydsl" / "grammar.json").read_text(encoding="utf-8")
    assert from_json(stored, grammar_text() + "\n") is None
