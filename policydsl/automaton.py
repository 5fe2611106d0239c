"""From grammar.lark to tables the parser runs: actions, gotos, how each reduction takes its children, terminals."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TypeAlias

from lark import Lark
from lark.grammar import Rule
from lark.lexer import PatternStr
from lark.parsers.lalr_analysis import Shift

END = "$END"
ABSENT = -1  # stands in `Reduction.children` for an optional part that is not written


@dataclass(frozen=True, slots=True)
class Reduction:
    """What to do with the top `size` values of the stack: hand `children` to `method`, and go on as `origin`.

    `children` holds positions among those values; `spliced` those whose list is to be poured out. Without a method the
    children form a list or a tuple (`gather`), or the only child stands for itself.
    """

    origin: str
    size: int
    method: str | None
    children: tuple[int, ...]
    spliced: frozenset[int]
    gather: type | None


Action: TypeAlias = int | Reduction  # an int is a shift to that state


@dataclass(frozen=True, slots=True)
class Automaton:
    actions: tuple[dict[str, Action], ...]
    gotos: tuple[dict[str, int], ...]
    start: int
    end: int
    regexes: tuple[tuple[str, str], ...]  # terminal, regular expression; first match wins
    symbols: dict[str, str]  # text of a fixed terminal -> its name


@cache
def automaton() -> Automaton:
    grammar = files("policydsl").joinpath("grammar.lark").read_text(encoding="utf-8")
    lark = Lark(grammar, parser="lalr", lexer="basic", start="module", maybe_placeholders=True)
    table = lark.parse_interactive("").parser_state.parse_conf
    size = len(table.states)
    actions: list[dict[str, Action]] = [{} for _ in range(size)]
    gotos: list[dict[str, int]] = [{} for _ in range(size)]
    reductions: dict[Rule, Reduction] = {}
    nonterminals = {_plain(rule.origin.name) for rule in lark.rules}
    for state, row in table.states.items():
        for token, (kind, target) in row.items():
            symbol = _plain(token)
            if symbol in nonterminals:
                gotos[state][symbol] = target
            elif kind is Shift:
                actions[state][symbol] = target
            else:
                actions[state][symbol] = reductions.setdefault(target, _reduction(target))
    terminals = {_plain(t.name): t.pattern for t in lark.terminals}
    return Automaton(
        tuple(actions),
        tuple(gotos),
        table.start_state,
        table.end_state,
        tuple((name, p.to_regexp()) for name, p in terminals.items() if not isinstance(p, PatternStr)),
        {_plain(p.value): name for name, p in terminals.items() if isinstance(p, PatternStr)},
    )


def _plain(text: str) -> str:
    """Lark's own kind of string compares and hashes several times more slowly."""
    return str(text)


def _reduction(rule: Rule) -> Reduction:
    options = rule.options
    absent = [len(ones) for ones in "".join(str(int(b)) for b in options.empty_indices).split("0")]
    absent = absent if options.empty_indices else [0] * (len(rule.expansion) + 1)
    children: list[int] = []
    spliced: set[int] = set()
    for position, symbol in enumerate(rule.expansion):
        children += [ABSENT] * absent[position]
        if options.keep_all_tokens or not (symbol.is_term and getattr(symbol, "filter_out", False)):
            if not symbol.is_term and symbol.name.startswith("_"):
                spliced.add(position)
            children.append(position)
    children += [ABSENT] * absent[-1]
    name = _plain(rule.origin.name)
    gather = list if name.startswith("_") else tuple if name.endswith("_list") else None
    alone = options.expand1 and not rule.alias and len(children) == 1 and not spliced and children[0] != ABSENT
    method = None if gather or alone else _plain(rule.alias or name)
    return Reduction(name, len(rule.expansion), method, tuple(children), frozenset(spliced), gather)
