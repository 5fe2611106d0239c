"""Damaged policies: the sample policies with a few mistakes, or plain noise, by a seed."""

from __future__ import annotations

import random
import re
from pathlib import Path

SAMPLES = tuple(
    p.read_text(encoding="utf-8") for p in sorted(Path(__file__).parent.joinpath("samples").glob("*.policy"))
)
WORD = re.compile(r"\w+|\s+|[^\w\s]")
NOISE = "(){}[]<>.,:;=!&|+-*/%?#@$^~`'\"\\ \t\n\r\0\ufeffäß→≤∀“𝒳_09azAZ"
SNIPPETS = (
    "action", "state", "invariant", "forall", "sum(", "count(", "when", "then", "else", "if", "}", "{", "(", ")", ":=",
    "=", "==", "..", "permit r on a", "\nstate x : Int = 0\n", '\ntest "t" {', "expect", "since", "once within", "no",
    "not", "_", '"', "//", "///", "/*", "\nmodule m\n", "1.5", "12x", "-", "->", "Set<", ">", "Int[", "has", "old(",
    "by", "each", "for each b: Bot {", "1h5m", "approve r", "refuse r", "with g(x)", "without g", "expect pending",
)  # fmt: skip


def mangled(seed: int) -> str:
    rng = random.Random(seed)
    if rng.random() < 0.1:
        return "".join(rng.choice(NOISE) for _ in range(rng.randrange(200)))
    if rng.random() < 0.1:
        return " ".join(rng.choice(SNIPPETS) for _ in range(rng.randrange(60)))
    parts = WORD.findall(rng.choice(SAMPLES))
    if rng.random() < 0.8:
        start = rng.randrange(len(parts))
        parts = parts[start : start + rng.randrange(20, 300)]
    for _ in range(rng.randrange(1, 9)):
        at = rng.randrange(len(parts)) if parts else 0
        match rng.randrange(7):
            case 0:
                del parts[at : at + 1]
            case 1:
                parts.insert(at, rng.choice(SNIPPETS))
            case 2:
                parts.insert(at, rng.choice(NOISE))
            case 3:
                parts[at : at + 1] = parts[at : at + 1] * 2
            case 4:
                parts[at : at + 2] = reversed(parts[at : at + 2])
            case 5:
                del parts[at : at + rng.randrange(30)]
            case _:
                parts.insert(at, parts[rng.randrange(len(parts))] if parts else "x")
    return "".join(parts)
