"""Mistakes in the emitter, one at a time: each makes a contract that does otherwise than the interpreter, and the
policy below shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from evm import check, compiled, deployed, fast_machine, requests, timed

from policydsl.core.expr import TRUE, Op
from policydsl.core.system import System
from policydsl.diagnostics import Report
from policydsl.interp import decide
from policydsl.load import load
from runtime import solidity, solidity_action, solidity_copies, solidity_expr, solidity_functions, solidity_layout
from runtime.evm import EvmError
from runtime.evm_twin import EvmTwin
from runtime.solidity import to_solidity

TRAPS = """
entity Bot { root }
entity Item
group Admins of Bot
enum Stage { Draft, Open, Done }
param MOST : Int[1..9] = 3

state level : Bot -> Int   = 7
state able  : Bot -> Bool  = true
state stage : Bot -> Stage = Open
state count : Int          = 2
state last  : Time         = 0

state owner : Item -> Bot?         = none
state seen  : Item -> Int          = 0
state voted : (Item, Bot) -> Bool  = false
state noted : (Item, Bot) -> Int   = 5
state spare : (Bot, Item) -> Stage = Draft

action lift(principal: Bot, by: Int[-100..100]) {
  require principal in Admins or level[principal] >= 5 else "not you"
  require level[principal] / 2 <= 9                    else "high"
  require level[principal] + by >= -2                  else "low"
  level[principal] := level[principal] + by + by / 3 + by % 3
  able[principal]  := level[principal] > MOST
  stage[principal] := if by > 0 then Done else Draft
}

action swap(principal: Bot, other: Bot) {
  require able[principal] or principal == root else "not able"
  require principal != other or count > -4     else "alone"
  level[principal] := level[other]
  level[other]     := level[principal] - 1
  count            -= 1
}

action admit(principal: Bot, who: Bot) {
  require principal == root or principal in Admins else "not you"
  add who to Admins
}

action note(principal: Bot, item: Item) {
  require now >= last + 1s  else "too soon"
  for each b: Bot where able[b] and level[b] > MOST or b in Admins { noted[item, b] := level[b] * 2 }
  for each b: Bot { spare[b, item] := stage[b] }
  level[principal] += 1
  owner[item]      := principal
  last             := now
}

action vote(principal: Bot, item: Item) {
  require noted[item, principal] > 5 else "no weight"
  voted[item, principal] := true
  seen[item]             += noted[item, principal]
}

action settle(item: Item) {
  for each b: Bot where voted[item, b] { level[b] := min(20, level[b] + noted[item, b] % 4) }
  if owner[item] has who { level[who] := max(-5, level[who] - 3) }
}
"""


def traps() -> System:
    report = Report()
    (program,) = load(["traps.policy"], lambda _: TRAPS, report)
    assert not report.failed, report.sorted()
    return program.system


SYSTEM = traps()
PEOPLE = {"Bot": ("root", "alice", "bob"), "Item": ("i1", "i2")}
Patch = Callable[[pytest.MonkeyPatch], None]


def put(module: object, name: str, value: object) -> Patch:
    return lambda patch: patch.setattr(module, name, value)


def helper(op: Op, text: str) -> Patch:
    return lambda patch: patch.setitem(solidity_functions.HELPERS, op, text)


def reworded(function: str, right: str, wrong: str) -> Patch:
    """What a function of the emitter writes, with other words in it."""

    def apply(patch: pytest.MonkeyPatch) -> None:
        write = getattr(solidity, function)

        def wrongly(*given: object) -> object:
            return [
                [line.replace(right, wrong) for line in x] if isinstance(x, list) else x.replace(right, wrong)
                for x in write(*given)
            ]

        patch.setattr(solidity, function, wrongly)

    return apply


HEAD = "function {}(int256 a, int256 b) private pure returns (int256)"
_in_order, _increment, _ordered = solidity_action.in_order, solidity_action._increment, solidity_action.ordered
_conditional, _rotated, _compared = (
    solidity_copies.conditional,
    solidity_expr._rotated,
    solidity_expr.Block._compared,
)

MUTANTS: dict[str, Patch] = {
    "guards in another order": put(solidity_action, "ordered", lambda action: _ordered(action)[::-1]),
    "writes in another order": put(solidity_action, "in_order", lambda *given: _in_order(*given)[::-1]),
    "values after other writes": put(solidity_action, "_frozen", lambda *_: {}),
    "increments the wrong way": put(
        solidity_action, "_increment", lambda *given: (found := _increment(*given)) and ("-", found[1])
    ),
    "conditions of writes dropped": put(
        solidity_action, "conditional", lambda *given: (TRUE, _conditional(*given)[1])
    ),
    "nobody on the roll": put(solidity_action, "rolled", lambda *_: []),
    "starts dropped": put(solidity_layout.Place, "offset", None),
    "cases not turned back": put(solidity_expr, "_rotated", lambda *given: _rotated(*given[:3], 1)),
    "times in seconds": put(solidity_action, "TIME", "int256(block.timestamp)"),
    "comparisons that lose equality": put(
        solidity_expr.Block, "_compared", lambda *given: _compared(*given).replace(">=", ">").replace("<=", "<")
    ),
    "division towards zero": helper(Op.DIV, f"{HEAD.format('_div')} {{ return a / b; }}"),
    "rests with a sign": helper(Op.MOD, f"{HEAD.format('_mod')} {{ return a % b; }}"),
    "the smaller for the larger": helper(Op.MAX, solidity_functions.HELPERS[Op.MIN].replace("_min", "_max")),
    "a copy sees what comes after": reworded("keeping", "since < copy", "since <= copy"),
    "a copy sees only the start": reworded("keeping", "low > 0 ?", "low > 99 ?"),
    "a copy sees the latest": reworded("keeping", "records[low - 1]", "records[records.length - 1]"),
    "records that a copy has seen are changed": reworded("keeping", ".since < _copies", ".since < 0"),
    "new records are not like the last": reworded("keeping", "records.push(_botNow(bot_));", "records.push();"),
    "everybody is copied": put(solidity_functions, "always", lambda _: True),
    "only the first copy counts": reworded("lookup", "[i - 1]", "[0]"),
    "copies start at nothing": reworded("lookup", "return 5;", "return 0;"),
    "members without a record": reworded("_constructor", "_botChange(admins_[i]).admins = true;", ""),
}  # fmt: skip


def walked(twin: EvmTwin, seed: int = 3) -> None:
    """Requests that come far: of each round some that are allowed, and any one."""
    random = Random(seed)
    assert twin.differences() == []
    every = requests(SYSTEM, twin.people.known)
    for _ in range(150):
        wait = random.choice([0, 0, 1, 2])
        allowed = [r for r in every if decide(SYSTEM, twin.state, timed(twin, r, wait)).effect == "allow"]
        name = random.choice(sorted({r.action for r in allowed}))
        check(twin, random.choice([r for r in allowed if r.action == name]), wait)
        check(twin, random.choice(every))


@pytest.mark.slow
def test_each_mistake_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = tmp_path / "sources"
    sources.mkdir()
    names: dict[str, str] = {}
    for number, (name, patch) in enumerate({"": lambda _: None, **MUTANTS}.items()):
        with monkeypatch.context() as patched:
            patch(patched)
            made = to_solidity(replace(SYSTEM, name=f"mutant{number}"))
        names[name] = made.name
        (sources / f"{made.name}.sol").write_text(made.text, encoding="utf-8")
    artifacts = compiled(sources, tmp_path / "out")

    def beside(name: str) -> EvmTwin:
        system = replace(SYSTEM, name=names[name].lower())
        return deployed(system, artifacts[names[name]], {}, {"Admins": ("alice",)}, PEOPLE, evm=fast_machine())

    for seed in range(8):
        walked(beside(""), seed)
    survivors = []
    for name in MUTANTS:
        try:
            walked(beside(name))
        except (AssertionError, EvmError, RuntimeError):
            continue
        survivors.append(name)
    assert survivors == []
