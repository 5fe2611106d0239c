"""The tables of the parser as JSON, and back; run as a program, it writes grammar.json anew from grammar.lark."""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

from policydsl.automaton import Action, Automaton, Reduction, grammar_text


def to_json(table: Automaton, grammar: str) -> str:
    """Names are replaced by numbers, and the sets of tokens upon which a state reduces are written once."""
    names = sorted({name for row in table.actions for name in row} | {name for row in table.gotos for name in row})
    number = {name: at for at, name in enumerate(names)}
    reductions: dict[Reduction, int] = {}
    sets: dict[tuple[int, ...], int] = {}
    states = []
    for row, goto in zip(table.actions, table.gotos):
        shifts = [(number[name], to) for name, to in (*row.items(), *goto.items()) if isinstance(to, int)]
        upon: dict[int, list[int]] = {}
        for name, action in row.items():
            if isinstance(action, Reduction):
                upon.setdefault(reductions.setdefault(action, len(reductions)), []).append(number[name])
        reduces = [(by, sets.setdefault(tuple(sorted(tokens)), len(sets))) for by, tokens in upon.items()]
        states.append([_flat(sorted(shifts)), _flat(sorted(reduces))])
    content = {
        "grammar": _digest(grammar),
        "end": table.end,
        "regexes": table.regexes,
        "symbols": table.symbols,
        "names": names,
        "reductions": [
            [r.origin, r.size, r.method, r.children, sorted(r.spliced), r.gather.__name__ if r.gather else ""]
            for r in reductions
        ],
        "sets": list(sets),
        "states": states,
    }
    lines = (f'"{key}": {json.dumps(value, separators=(",", ":"))}' for key, value in content.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def from_json(text: str, grammar: str) -> Automaton | None:
    """None when these are not the tables of this grammar."""
    content: dict[str, Any] = json.loads(text)
    if content["grammar"] != _digest(grammar):
        return None
    names: list[str] = content["names"]
    reductions = [
        Reduction(origin, size, method, tuple(children), frozenset(spliced), _gather(gather))
        for origin, size, method, children, spliced, gather in content["reductions"]
    ]
    nonterminals = {r.origin for r in reductions}
    sets = [[names[at] for at in numbers] for numbers in content["sets"]]
    actions: list[dict[str, Action]] = []
    gotos: list[dict[str, int]] = []
    for shifts, reduces in content["states"]:
        row: dict[str, Action] = {}
        goto: dict[str, int] = {}
        for at in range(0, len(shifts), 2):
            name = names[shifts[at]]
            (goto if name in nonterminals else row)[name] = shifts[at + 1]
        for at in range(0, len(reduces), 2):
            row.update(dict.fromkeys(sets[reduces[at + 1]], reductions[reduces[at]]))
        actions.append(row)
        gotos.append(goto)
    regexes = tuple((name, regex) for name, regex in content["regexes"])
    return Automaton(tuple(actions), tuple(gotos), content["end"], regexes, content["symbols"])


def _gather(name: str) -> type[Any] | None:
    match name:
        case "list":
            return list
        case "tuple":
            return tuple
    return None


def _flat(pairs: Iterable[tuple[int, int]]) -> list[int]:
    return [number for pair in pairs for number in pair]


def _digest(grammar: str) -> str:
    return sha256(grammar.encode()).hexdigest()


if __name__ == "__main__":
    from policydsl.from_grammar import from_grammar

    here = Path(__file__).with_name("grammar.json")
    here.write_text(to_json(from_grammar(grammar_text()), grammar_text()), encoding="utf-8")
