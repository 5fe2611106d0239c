"""Measures the enforcer of a finite population, a column of requests at a time, and the compiled step beside.

    python benchmarks/population.py [--bots 100 1000 10000] [--ticks 200] [--single 5]

The policy is that of the digital twin. In a tick, three of ten bots act, each once: most send, others use a skill,
leave a signal or vote. Numbers are per second of processor time: decisions, and steps of agents (bots times ticks). The
compiled step is asked the same requests of the first ticks one by one, and every answer is compared.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from policydsl.core.system import System
from policydsl.core.types import EntityType, EnumType
from policydsl.diagnostics import Report
from policydsl.load import load
from policydsl.trace import Cell
from runtime.columns_decide import EFFECTS
from runtime.machine import Machine
from runtime.population import Population

POLICY = "specs/twin/ecosystem.policy"
SKILLS, LINKS, CHANNELS, PROPOSALS, PAYLOADS = 200, 100, 5, 20, 20
SHARES = {"send": 0.6, "use_skill": 0.2, "signal": 0.15, "vote": 0.05}
"""What those do who act."""
TICK = 1_000
LINE = "{:>9} {:>15} {:>15} {:>15} {:>10} {:>10}"

Columns = dict[str, Any]


def policy() -> System:
    root = Path(__file__).parent.parent
    report = Report()
    (found,) = load([POLICY], lambda path: (root / path).read_text(encoding="utf-8"), report)
    return found.system


def begin(system: System, bots: int, chance: np.random.Generator) -> dict[str, np.ndarray[Any, Any]]:
    """Some skills are not trusted, some links are blocked, some bots are in quarantine, all proposals are voted on."""
    stage = system.variable("stage").type
    assert isinstance(stage, EnumType)
    return {
        "Members": np.ones(bots, np.bool_),
        "quarantined": chance.random(bots) < 0.02,
        "trust": chance.integers(50, 100, SKILLS),
        "blocked": chance.random(LINKS) < 0.1,
        "stage": np.full(PROPOSALS, stage.cases.index("VotingOpen")),
        "vote_end": np.full(PROPOSALS, 10**9),
        "snapshot": chance.integers(0, 1_000, (PROPOSALS, bots)),
    }


def tick(bots: int, chance: np.random.Generator) -> Iterator[tuple[str, Columns]]:
    """What is asked in a tick."""
    acting = chance.permutation(bots)[: bots * 3 // 10]
    ends = np.cumsum([int(len(acting) * share) for share in SHARES.values()])
    for name, principal in zip(SHARES, np.split(acting, ends[:-1])):
        n = len(principal)
        columns: Columns = {"principal": principal}
        match name:
            case "send":
                columns["recipient"] = chance.integers(0, bots, n)
                columns["skill"] = chance.integers(0, SKILLS, n)
                columns["link"] = np.where(chance.random(n) < 0.2, chance.integers(0, LINKS, n), -1)
                columns["secret"] = chance.random(n) < 0.05
            case "use_skill":
                columns["skill"] = chance.integers(0, SKILLS, n)
            case "signal":
                columns["channel"] = chance.integers(0, CHANNELS, n)
                columns["strength"] = chance.integers(0, 101, n)
            case "vote":
                columns["proposal"] = chance.integers(0, PROPOSALS, n)
                columns["support"] = chance.random(n) < 0.5
        yield name, columns


def sizes(bots: int) -> dict[str, int]:
    return {
        "Bot": bots, "Skill": SKILLS, "Link": LINKS, "Channel": CHANNELS, "Proposal": PROPOSALS, "Payload": PAYLOADS
    }  # fmt: skip


def columns_of(system: System, bots: int, ticks: int, single: int) -> None:
    chance = np.random.default_rng(1)
    start = begin(system, bots, chance)
    asked = [list(tick(bots, chance)) for _ in range(ticks)]
    population = Population(system, sizes=sizes(bots), start=start)
    answers, allowed, decided = [], 0, 0
    before = time.process_time()
    for now, columns in enumerate(asked, start=1):
        for name, column in columns:
            found = population.step(name, now * TICK, column)
            answers.append(found)
    spent = time.process_time() - before
    decided = sum(map(len, answers))
    allowed = sum(int(a.allowed.sum()) for a in answers)
    one_by_one = machine(system, start, asked[:single], [a.effects for a in answers])
    print(
        LINE.format(
            bots, f"{decided / spent:,.0f}", f"{bots * ticks / spent:,.0f}", f"{one_by_one:,.0f}",
            f"{spent / ticks * 1e3:.2f} ms", f"{allowed / decided:.0%}",
        )
    )  # fmt: skip


def machine(system: System, start: dict[str, Any], asked: list[list[tuple[str, Columns]]], answers: list[Any]) -> float:
    """Decisions per second of the compiled step, all of which agree with `answers`."""
    compiled = Machine(system)
    compiled.content.set((c.var, c.keys, c.value) for c in cells(system, start))
    types = {a.name: {i.name: i.type for i in a.inputs} for a in system.actions}
    spent, decided = 0.0, 0
    for now, columns in enumerate(asked, start=1):
        for name, column in columns:
            rows = [named(types[name], row) for row in zip_rows(column)]
            before = time.process_time()
            effects = []
            for row in rows:
                decision, assignments, _ = compiled.decide(name, row, now * TICK)
                compiled.content.do(assignments or ())
                effects.append(decision.effect)
            spent += time.process_time() - before
            decided += len(rows)
            assert effects == [EFFECTS[e].value for e in answers.pop(0)], name
    return decided / spent


def zip_rows(columns: Columns) -> Iterator[dict[str, Any]]:
    for values in zip(*(c.tolist() for c in columns.values())):
        yield dict(zip(columns, values))


def named(types: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    """The inputs as the compiled step takes them."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        if name == "link":
            found |= {"link.has": value >= 0, "link.value": f"#{value}" if value >= 0 else ""}
        else:
            found[name] = f"#{value}" if isinstance(types[name], EntityType) else value
    return found


def cells(system: System, start: dict[str, Any]) -> Iterator[Cell]:
    for name, array in start.items():
        type = system.variable(name).type
        for at, value in np.ndenumerate(array):
            keys = tuple(f"#{i}" for i in at)
            yield Cell(name, keys, type.cases[value] if isinstance(type, EnumType) else value.item())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bots", type=int, nargs="+", default=[100, 1_000, 10_000])
    parser.add_argument("--ticks", type=int, default=200)
    parser.add_argument("--single", type=int, default=5, help="ticks that the compiled step does, too")
    wanted = parser.parse_args()
    system = policy()
    print(LINE.format("bots", "decisions/s", "agent steps/s", "one by one/s", "a tick", "allowed"))
    for bots in wanted.bots:
        columns_of(system, bots, wanted.ticks, wanted.single)


if __name__ == "__main__":
    main()
