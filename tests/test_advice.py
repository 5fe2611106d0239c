"""What is said to those who make the mistakes that people make: each line of help names what to write instead."""

from __future__ import annotations

import pytest
from checked import check

BASE = """
entity Bot
entity Item
enum Mood { Calm, Alert }
group Staff of Bot
state n : Bot -> Int = 0
state mood : Mood = Calm
state flag : Bool = false
state due : Time = 0s
"""


def helps(text: str) -> list[tuple[str, str]]:
    return [(d.code, d.help) for d in check(BASE + text)[1] if d.code.startswith("E")]


@pytest.mark.parametrize(
    ("text", "code", "help"),
    [
        ("action a(b: Bot) { n[b] := if flag then 1 }", "E001", "`if c then a else b`"),
        ("action a(b: Bot) { if flag then n[b] := 1 }", "E001", "`if c { ... } else { ... }`"),
        ('action a(b: Bot) { require flag, "no" }', "E001", '`require c else "reason"`'),
        ("action a(b: Bot) { n[b]++ }", "E001", "`n += 1`"),
        ("action a(b: Bot) { n[b] := n[b] * 15% }", "E001", "`15 * n / 100`"),
        ("invariant p: forall b . n[b] >= 0", "E001", "`forall b: Bot . ...`"),
        ("invariant p: forall b: Bot, n[b] >= 0", "E001", "`forall b: Bot . ...`"),
        ("invariant p: forall b in Staff . n[b] >= 0", "E001", "`forall b: Bot . b in Staff implies ...`"),
        ("invariant p: for all b: Bot . n[b] >= 0", "E001", "`forall b: Bot . ...`"),
        ("invariant p: sum(n) >= 0", "E021", "`sum(b: Bot . amount[b])`"),
        ("eventually p: flag", "E001", "`true leads to b`"),
        ("action a(b: Bot)\nlimit x on a to 5 per 1m per b", "E023", "`for each`"),
        ("action a(b: Bot)\nlimit x on a to 5 per minute for each b", "E101", "write `1m`"),
        ("action a(b: Bot)\nbudget x on a.b.c to 5 per 1h for each b", "E001", "an input of its own"),
        ('action a(b: Bot) { mood := "Alert" }', "E201", "`Calm`, `Alert`"),
        ('action a(b: Bot) { flag := "yes" }', "E201", "`true` or `false`"),
        ("action a(b: Bot) { require b in {ann} }", "E101", "`entity Bot { ann }`"),
        ("action a(b: Bot) { remove b from Staf }", "E101", "did you mean `Staff`?"),
        ("action a(b: Bot) { due := 5m }", "E201", "`now`"),
        ("const A = LIMIT", "E101", "only constants"),
        ('action a(b: Bot) { }\ntest "t" { a("ann") expect allow }', "E201", "without quotes"),
        ('action a(b: Bot) { }\ntest "t" { a(ann) expect allowed }', "E604", "`expect allow`"),
        ("param P: Int[1h..2h] = 1h", "E207", "`Duration[1h..48h]`"),
        ("param P: Duration[1..2] = 1h", "E207", "`Duration[1h..48h]`"),
        ("param P: Time[0s..2h] = 1h", "E020", "`Duration[1h..48h]`"),
        ("action a(b: Bot) { for each c: Bot { n[c] := 0 } }\ninvariant p: sum(c: Bot . n[c]) == 0", "E341", "round"),
    ],
)
def test_the_help_says_what_to_write(text: str, code: str, help: str) -> None:
    found = helps(text)
    assert [c for c, _ in found] == [code]
    assert help in found[0][1]


def test_what_cannot_be_summed_shows_the_write_and_the_sum() -> None:
    text = BASE + "action a() { for each c: Bot { n[c] := 0 } }\ninvariant p: sum(c: Bot . n[c]) == 0"
    (found,) = [d for d in check(text)[1] if d.code == "E341"]
    assert text[found.span.start : found.span.end] == "n[c]"
    assert [text[x.span.start : x.span.end].split(":")[0] for x in found.labels] == ["invariant p"]


def test_a_sum_about_a_computed_individual_tells_whether_a_name_would_do() -> None:
    state = "state at : Item -> Bot? = none\nstate seen : (Bot, Item) -> Bool = false\n"
    named = "invariant p: forall i: Item . at[i] has b implies count(j: Item where seen[b, j]) >= 0"
    within = "invariant p: sum(i: Item where at[i] has b . if at[i] has b then n[b] else 0) >= 0"
    assert helps(state + named) == [("E344", "name that individual before: `forall b: Bot . ... == b implies ...`")]
    assert helps(state + within) == [("E344", "keep what is summed in a map from `Item` itself")]


def test_a_parameter_with_a_mistake_is_reported_once() -> None:
    assert [c for c, _ in helps('param P: Int[5..1] = 3\naction a() { }\ntest "t" { given P = 2 a() }')] == ["E207"]
