"""Mistakes: each is found once, at the words that make it, and draws no others after it."""

from __future__ import annotations

import pytest
from checked import check, complaints

BASE = """
entity Bot {{ root }}
entity Item
enum Stage {{ Open, Shut }}
record Deal {{ price: Int, buyer: Bot? }}
group Admins of Bot
param RATE: Int[1..9] = 3
state trust : Bot -> Int = 0
state owner : Item -> Bot? = none
state stage : Item -> Stage = Open
state deal  : Item -> Deal = Deal(0, none)
state since_when : Time = 0
state likes : Bot -> Set<Bot> = {{}}
action use(principal: Bot, item: Item, text: String, count: Int) {{
{body}
}}
{more}
"""


def in_action(statement: str) -> list[tuple[str, str]]:
    text = BASE.format(body=statement, more="")
    return [(code, words) for code, words in complaints(text) if code[0] == "E"]


def in_policy(declaration: str) -> list[tuple[str, str]]:
    text = BASE.format(body="", more=declaration)
    return [(code, words) for code, words in complaints(text) if code[0] == "E"]


@pytest.mark.parametrize(
    ("statement", "code", "words"),
    [
        ("require trus[principal] > 0", "E101", "trus"),
        ("trus[principal] := 1", "E101", "trus"),
        ("require stage[item] == Opne", "E101", "Opne"),
        ("require principal in Admin", "E101", "Admin"),
        ("require stage[item] == Stage.Opne", "E103", "Opne"),
        ("require deal[item].cost > 0", "E103", "cost"),
        ("require principal.trust > 0", "E103", "trust"),
        ("require forall b: Bots . trust[b] > 0", "E102", "Bots"),
        ("require helper(count) > 0", "E108", "helper"),
        ("require trust(principal) > 0", "E108", "trust"),
        ("require old(count) > 0", "E111", "old(count)"),
        ("require permit x", "E111", "permit x"),
        ("require count", "E201", "count"),
        ("require principal == item", "E201", "principal == item"),
        ("require trust[item] > 0", "E201", "item"),
        ("require now > 5", "E201", "now > 5"),
        ("require now < since_when + 24", "E204", "since_when + 24"),
        ("require count > 24h", "E201", "count > 24h"),
        ("since_when := 24h", "E201", "24h"),
        ("since_when := 24", "E201", "24"),
        ("trust[principal] := true", "E201", "true"),
        ("trust[principal] += now", "E204", "trust[principal] += now"),
        ("require trust[principal, item] > 0", "E203", "trust[principal, item]"),
        ("require trust > 0", "E203", "trust"),
        ("require trust == 0", "E203", "trust"),
        ("trust := 0", "E203", "trust"),
        ("require since_when[principal] == 0", "E203", "since_when[principal]"),
        ("require max(count) > 1", "E202", "max(count)"),
        ("deal[item] := Deal(1)", "E202", "Deal(1)"),
        ("require principal < root", "E204", "principal < root"),
        ("require text + text == text", "E204", "text + text"),
        ('require count like "a"', "E201", "count"),
        ("require text has x", "E204", "text has x"),
        ("require likes[principal] + likes[root] == {}", "E204", "likes[principal] + likes[root]"),
        ("likes[principal] += root", "E204", "likes[principal] += root"),
        ("let x = none", "E205", "none"),
        ("let x = {}", "E205", "{}"),
        ("require count != none", "E201", "count != none"),
        ("require trust[owner[item]] > 0", "E301", "owner[item]"),
        ("require deal[item].buyer in Admins", "E301", "deal[item].buyer"),
        ("require owner[item] has o or trust[o] > 0", "E101", "o"),
        ("require not (owner[item] has o) and trust[o] > 0", "E101", "o"),
        ("require count / count > 0", "E302", "count"),
        ("require count % (RATE - 1) > 0", "E302", "RATE - 1"),
        ("require count / 0 > 0", "E302", "0"),
        ("trust[principal] := count / trust[principal]", "E302", "trust[principal]"),
        ("trust[principal] := count * RATE", "E303", "count * RATE"),
        ("require exists n: Int . n > count", "E305", "n"),
        ("require exists n: Int[0..100] . n > count", "E305", "n"),
        ("require text contains text", "E306", "text"),
        ('require text matches "(a"', "E307", '"(a"'),
        ("trust[principal] += 1 require count > 0", "E401", "require count > 0"),
        ("if count > 0 { trust[principal] += 1 } require count > 0", "E401", "require count > 0"),
        ("for each b: Bot { trust[principal] := 0 }", "E402", "trust[principal]"),
        ("for each b: Bot { likes[b] := {} }", "E403", "likes[b]"),
        ("for each i: Item { stage[i] := Open for each b: Bot { trust[b] := 0 } }", "E403",
         "for each b: Bot { trust[b] := 0 }"),
        ("for each b: Bot { require trust[b] > 0 }", "E405", "require trust[b] > 0"),
        ("count := 3", "E404", "count"),
        ("RATE := 3", "E404", "RATE"),
        ("add root to trust[principal]", "E204", "trust[principal]"),
        ("add item to Admins", "E201", "item"),
        ("require count(use by principal) > 3", "E501", "count(use by principal)"),
        ("require use(principal, item, text, count)", "E503", "use(principal, item, text, count)"),
        ("require once (used by principal)", "E106", "used"),
        ("require once use(principal)", "E202", "use(principal)"),
        ("require historically (use by principal)", "E505", "historically (use by principal)"),
        ("require count(use by principal within 1h) > count", "E504", "count"),
        ("require once within count (use by principal)", "E101", "count"),
        ("require once within 5 (use by principal)", "E201", "5"),
        ("require sum(use.count by principal within 1h) > 3", "E508", "sum(use.count by principal within 1h)"),
        ("require sum(use.amount by principal within 1h) > 3", "E508", "sum(use.amount by principal within 1h)"),
    ],
)  # fmt: skip
def test_a_mistake_in_an_action(statement: str, code: str, words: str) -> None:
    assert in_action(statement) == [(code, words)]


@pytest.mark.parametrize(
    ("declaration", "code", "words"),
    [
        ("const A = B\nconst B = 1 + A", "E208", "A"),
        ("const A = RATE", "E111", "RATE"),
        ("const A = trust[root]", "E111", "trust"),
        ("const A = now", "E111", "now"),
        ("const A: Int[0..5] = 6", "E210", "6"),
        ("param P: Int[5..1] = 3", "E207", "Int[5..1]"),
        ("param P: Int[0..RATE] = 3", "E111", "RATE"),
        ("param P: Duration[2h..1h] = 2h", "E207", "Duration[2h..1h]"),
        ("param P: Duration[1..48h] = 2h", "E207", "1"),
        ("param P: Int[1..48h] = 2", "E207", "48h"),
        ("param P: Duration[1h..2h] = 3h", "E210", "3h"),
        ("param P: Duration[1h..2h] = 1", "E201", "1"),
        ("state s: Duration[1h..2h] = 0s", "E210", "0s"),
        ("state s: Time = 1s", "E201", "1s"),
        ("param P: Bot = root", "E206", "Bot"),
        ("param P: Int[0..5] = 6", "E210", "6"),
        ("record R { r: R? }", "E410", "R"),
        ("record R { a: Int, a: Int }", "E104", "a: Int"),
        ("enum E { A, A }", "E104", "A"),
        ("state s: Int[0..5] = 6", "E210", "6"),
        ("state s: Int[0..5] = any", "E412", "s"),
        ("state s: Bot -> Set<Bot> = {root}", "E412", "{root}"),
        ("state s: Int -> Int = 0", "E206", "Int"),
        ("state s: Set<Int> = {}", "E206", "Int"),
        ("state s: Int = clock", "E101", "clock"),
        ("action a(p: Set<Bot>) { }", "E206", "Set<Bot>"),
        ("action a(now: Int) { }", "E105", "now"),
        ("action a(p: Int, p: Int) { }", "E104", "p: Int"),
        ("action use() { }", "E104", "use"),
        ("group G of Bots", "E102", "Bots"),
        ("group G of Item in Admins", "E201", "Admins"),
        ("group G of Bot in G", "E409", "G"),
        ("actions A = use, B\nactions B = A\npermit p on A", "E409", "A"),
        ('pattern p = "["', "E307", 'pattern p = "["'),
        ("function f(x: Int): Int = f(x)", "E304", "f(x)"),
        ("function f(x: Int): Int = y", "E101", "y"),
        ("function f(x: Int): Bool = x", "E201", "x"),
        ("function f(x: Int): Int = now", "E111", "now"),
        ("function f(x: Bot): Bool = once (use by x)", "E503", "once (use by x)"),
        ("permit p on used", "E106", "used"),
        ("permit p on use when text", "E201", "text"),
        ("permit p on use when amount > 0", "E101", "amount"),
        ("permit p on use\npermit p on use", "E104", "p"),
        ("forbid f on use then freeze(principal)", "E112", "freeze"),
        ("obligation freeze(who: Bot)\nforbid f on use then freeze(item)", "E201", "item"),
        ("obligation freeze(who: Bot)\nforbid f on use then freeze()", "E202", "freeze()"),
        ("obligation notify(who: Bot)", "E105", "notify"),
        ("limit l on use to count per 1h for each principal", "E504", "count"),
        ("limit l on use to 5 per 0h for each principal", "E507", "0h"),
        ("limit l on use to 5 per 1h for each trust[principal]", "E509", "trust[principal]"),
        ("budget b on use.count to 5 per 1h for each principal", "E508", "b"),
        ('redact r on use when count > 3 replace with ""', "E406", "r"),
        ("invariant i: trust[root]", "E201", "trust[root]"),
        ("invariant i: now > 0", "E111", "now"),
        ("invariant i: count > 0", "E101", "count"),
        ("invariant i: allowed", "E101", "allowed"),
        ("invariant i: old(trust[root]) > 0", "E111", "old(trust[root])"),
        ("invariant i on use: trust[root] > 0", "E413", "use"),
        ("assert a: permit p", "E107", "permit p"),
        ("permit p on use\nassert a: forbid p", "E107", "forbid p"),
        ("assert a on used: allowed", "E106", "used"),
        ("step s on used: true", "E106", "used"),
        ("eventually e: forall n: Int . n > 0 leads to trust[root] > 0", "E305", "n: Int"),
        ('test "t" { used(root) }', "E106", "used"),
        ('test "t" { use(root) }', "E202", "use(root)"),
        ('test "t" { use(root, i, 3, 3) }', "E201", "3"),
        ('test "t" { use(root, i, "", 3) expect deny by nobody }', "E107", "nobody"),
        ('test "t" { given trust[a] = trust[b] }', "E604", "trust[b]"),
        ('test "t" { given trusted[a] = 1 }', "E101", "trusted"),
        ('test "t" { given RATE = 10 }', "E210", "10"),
        ('test "t" { expect trust[a] == b }', "E101", "b"),
        ("import nowhere", "E601", "import nowhere"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_declaration(declaration: str, code: str, words: str) -> None:
    assert in_policy(declaration) == [(code, words)]


@pytest.mark.parametrize(
    ("statement", "help_"),
    [
        ("require trus[principal] > 0", "did you mean `trust`?"),
        ("require stage[item] == open", "did you mean `Open`?"),
        ("require once (uze by principal)", "did you mean `use`?"),
        ("require maxx(1, 2) > 0", "did you mean `max`?"),
        ("require forall b: bot . trust[b] > 0", "did you mean `Bot`?"),
        ("require deal[item].pirce > 0", "did you mean `price`?"),
    ],
)
def test_a_suggestion_is_made(statement: str, help_: str) -> None:
    assert [d.help for d in check(BASE.format(body=statement, more=""))[1] if d.code[0] == "E"] == [help_]


@pytest.mark.parametrize(
    "statement",
    [
        "require owner[item] has o and trust[o] > 0",
        "require owner[item] has o implies trust[o] > 0",
        "require not (owner[item] has o) or trust[o] > 0",
        "require (if owner[item] has o then trust[o] else 0) >= 0",
        "require owner[item] has o trust[o] += 1",
        "require owner[item] has _o or count > 0",
        "if owner[item] has o { trust[o] += 1 } else { stage[item] := Shut }",
        "if not (owner[item] has o) { stage[item] := Shut } else { trust[o] += 1 }",
        "if owner[item] != none { trust[owner[item]] += 1 }",
        "if owner[item] == none { stage[item] := Shut } else { trust[owner[item]] += 1 }",
        "require owner[item] == none or trust[owner[item]] > 0",
        "require owner[item] == principal or owner[item] == deal[item].buyer",
        "require owner[item] in {principal, root} or owner[item] == none",
        "require forall i: Item . owner[i] has o implies trust[o] >= 0",
        "if deal[item].buyer has b { deal[item].buyer := none owner[item] := b }",
        "owner[item] := if count > 0 then principal else none",
        "owner[item] := if count > 0 then none else owner[item]",
        "require count / 2 > count % RATE and count / max(1, count) > 0",
        "require count * 2 > -count * 3 and abs(count - 1) < 2",
        "require now - since_when < 24h * 2 and (now - since_when) / 1h < 3 and since_when + 1h > now - 2h",
        "require 0 < since_when and since_when != 0 and max(0, since_when) == 0",
        "require (now - since_when) * 2 <= 48h and since_when < now",
        "require forall s: Stage, n: Int[0..3] . stage[item] == s implies n < 4",
        "require count(s: Stage where stage[item] == s) == 1 and sum(n: Int[1..3] . n * count) > 6",
        'require text in {"a", "b"} and count in {1, 2} and stage[item] in {Open}',
        "require likes[principal] contains root and {root} <= likes[principal]",
        "require once (use by principal) and not once within 1h use(_, item, _, _)",
        'require use since (use by principal) or no use(_, _, "a", _) since within 5m (use by principal)',
        "require historically (trust[principal] >= 0) or previously (use by principal)",
        "require count(use by principal within 1h) < RATE and 3 >= count(use(_, item, _, _) within 2h)",
    ],
)
def test_what_is_safe_is_accepted(statement: str) -> None:
    assert in_action(statement) == []


def test_an_unknown_type_draws_no_other_errors() -> None:
    text = """
    entity Bot
    state trust: Bots -> Int = 0
    action use(principal: Bot, item: Item) { require trust[principal] > 0 and item == item  trust[item] := 1 }
    forbid bad on use when item in {principal} then quarantine(item)
    invariant some: forall b: Bot . trust[b] > 0
    test "t" { given trust[a] = 1  use(a, b) expect allow  expect trust[a] == c }
    """
    assert complaints(text) == [("E102", "Bots"), ("E102", "Item")]


def test_deep_nesting_is_no_traceback() -> None:
    calls = "\n".join(f"function f{n}(x: Int): Int = f{n - 1}(x) + f{n - 1}(x)" for n in range(1, 40))
    text = f"state n: Int = 0\nfunction f0(x: Int): Int = x\n{calls}\naction go() {{ n := f39(n) }}\n"
    assert {d.code for d in check(text)[1]} == {"I911"}
    chain = "\n".join(f"function g{n}(x: Int): Int = g{n - 1}(x)" for n in range(1, 400))
    text = f"state n: Int = 0\nfunction g0(x: Int): Int = x\n{chain}\naction go() {{ n := g399(n) }}\n"
    assert {d.code for d in check(text)[1]} <= {"I912", "I911"}


@pytest.mark.parametrize("word", ["and", "or", "implies"])
def test_long_chains_are_checked(word: str) -> None:
    chain = f" {word} ".join(f"count > {n}" for n in range(190))
    assert in_action(f"require {chain}") == []
