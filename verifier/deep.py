"""Goals that a shallow search has left open, to longer runs: first among as few individuals as can be.

Few individuals make few choices, so that search gets far. What it finds of a property that is broken need not be the
shortest run there is, so shorter ones are still looked for among as many as usual.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from policydsl.core.system import System
from verifier.bounded import Goal, Limits, Search, Searcher
from verifier.distance import Graphs
from verifier.finite import fewest

FURTHER = 2
"""How many times as far the search among few individuals goes."""
EASY = 300_000
"""What may be spent before it is worth to begin another search."""
FAVOUR = 3
"""How many times as much it may spend as the search among all of them, while both go on."""
SHARE = 3
"""What part of all that may be spent it may spend in the end."""


def search(system: System, goals: Iterable[Goal], limits: Limits, tick: Callable[[], None] = lambda: None) -> Search:
    """Look for all `goals`, shallow runs first."""
    searcher = Searcher(system, list(goals), limits, tick)
    deepen(searcher)
    return searcher.result


def deepen(search: Searcher) -> None:
    """Take `search` to the depth of its limits, and its goals further if few individuals are enough."""
    while search.goes_on and search.spent < EASY:
        search.look(search.next)
    goals = search.open
    narrow = _among_few(search, goals)
    graphs = Graphs(search.system)
    search.measure(graphs)
    narrow.measure(graphs)
    found = narrow.result.found
    while search.goes_on or narrow.goes_on:
        if narrow.goes_on and (not search.goes_on or narrow.spent <= FAVOUR * search.spent):
            narrow.look(narrow.next)
            search.adopt({g.name: found[g.name] for g in goals if g.name in found and not g.minimal})
        else:
            # Shorter runs have been looked for, so those of that many steps are as short as any.
            search.adopt({name: trace for name, trace in found.items() if len(trace.steps) <= search.next})
            search.look(search.next)
            narrow.close(search.result.found)
    search.adopt(found)


def _among_few(search: Searcher, goals: list[Goal]) -> Searcher:
    """A search for `goals` with as few individuals as can be; for none of them if that are as many as there are."""
    limits, people = search.limits, fewest(search.system, [g.formula for g in goals])
    if all(count >= search.population.size[sort] for sort, count in people.size.items()):
        goals = []
    further = replace(limits, depth=FURTHER * limits.depth, rlimit=FURTHER * limits.rlimit, total=limits.total // SHARE)
    return Searcher(search.system, goals, further, search.tick, people=people)
