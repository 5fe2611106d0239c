"""From the text of grammar.lark to the tables of the parser, by way of Lark."""

from __future__ import annotations

from collections import deque

from lark import Lark
from lark.grammar import Rule
from lark.lexer import PatternStr
from lark.parsers.lalr_analysis import Shift

from policydsl.automaton import ABSENT, Action, Automaton, Reduction


def from_grammar(grammar: str) -> Automaton:
    """The same grammar always gives the same tables: states are numbered as they are first reached."""
    lark = Lark(grammar, parser="lalr", lexer="basic", start="module", maybe_placeholders=True)
    table = lark.parse_interactive("").parser_state.parse_conf
    nonterminals = {str(rule.origin.name) for rule in lark.rules}
    reductions = {rule: _reduction(rule) for rule in lark.rules}
    order = {table.start_state: 0}
    waiting = deque(order)
    actions: list[dict[str, Action]] = []
    gotos: list[dict[str, int]] = []
    while waiting:
        row = table.states[waiting.popleft()]
        actions.append({})
        gotos.append({})
        for symbol, (kind, target) in sorted((str(token), action) for token, action in row.items()):
            if kind is not Shift:
                actions[-1][symbol] = reductions[target]
                continue
            if target not in order:
                order[target] = len(order)
                waiting.append(target)
            (gotos if symbol in nonterminals else actions)[-1][symbol] = order[target]
    terminals = {str(t.name): t.pattern for t in lark.terminals}
    return Automaton(
        tuple(actions),
        tuple(gotos),
        order[table.end_state],
        tuple((name, p.to_regexp()) for name, p in terminals.items() if not isinstance(p, PatternStr)),
        {str(p.value): name for name, p in sorted(terminals.items()) if isinstance(p, PatternStr)},
    )


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
    name = str(rule.origin.name)
    gather = list if name.startswith("_") else tuple if name.endswith("_list") else None
    alone = options.expand1 and not rule.alias and len(children) == 1 and not spliced and children[0] != ABSENT
    method = None if gather or alone else str(rule.alias or name)
    return Reduction(name, len(rule.expansion), method, tuple(children), frozenset(spliced), gather)
