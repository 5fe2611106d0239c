"""What suspects have to do with each other: alerts and messages go in; a graph, its clusters and risks come out.

The graph has human size: the bots, links and skills of alerts, and who is tied to them. Ties are counted as messages
pass, in sorted arrays of keys and counts; the graph of networkx is made of them when it is asked for. Nodes are pairs
of integers, and all that is sorted is sorted by them, so that no order depends on hashes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import chain
from typing import Any

import networkx as nx
import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
Node = tuple[int, int]
"""The sort of a thing and its number."""

BITS = 24
"""Of a number, within a key."""
MOST_TIES = 20_000
"""So many are remembered, and ..."""
MOST_DRAWN = 2_000
"""... so many of them are in the graph: those that were seen most."""
OLD = 0.98
"""What is left of a count when the ties are put together again."""


class Sort(IntEnum):
    BOT = 0
    SKILL = 1
    LINK = 2


class Tie(IntEnum):
    """How two things belong together, from the first of them."""

    SENT = 0  # a bot, a link
    WITH_SKILL = 1  # a bot, a skill with which it sent
    WROTE = 2  # two bots that wrote to each other, the lower number first
    MADE = 3  # a bot, its skill
    VOTED = 4  # two bots that dissent together
    JOINED = 5  # two bots that joined at the same time


FIRM = {Tie.SENT: 1.8, Tie.WITH_SKILL: 1.8, Tie.WROTE: 2.5, Tie.MADE: 1.0, Tie.VOTED: 1.0, Tie.JOINED: 1.0}
"""So often must it have been seen before it is more than chance."""
SORTS = {
    Tie.SENT: (Sort.BOT, Sort.LINK),
    Tie.WITH_SKILL: (Sort.BOT, Sort.SKILL),
    Tie.WROTE: (Sort.BOT, Sort.BOT),
    Tie.MADE: (Sort.BOT, Sort.SKILL),
    Tie.VOTED: (Sort.BOT, Sort.BOT),
    Tie.JOINED: (Sort.BOT, Sort.BOT),
}
WORDS = {
    Tie.SENT: "sent",
    Tie.WITH_SKILL: "sent with",
    Tie.WROTE: "wrote to",
    Tie.MADE: "made",
    Tie.VOTED: "voted with",
    Tie.JOINED: "joined with",
}
ENOUGH = np.array([FIRM[t] for t in Tie])
SORTS_OF = np.array([SORTS[t] for t in Tie], dtype=np.int64)
"""The same for arrays of ties."""


@dataclass(slots=True)
class Ties:
    keys: Ids = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """Sorted."""
    counts: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    fresh: list[Ids] = field(default_factory=list)
    """Keys that were not put together yet."""


def tie(ties: Ties, kind: Tie, one: Any, other: Any) -> None:
    """These things were seen to belong together, once more."""
    one, other = np.asarray(one, dtype=np.int64), np.asarray(other, dtype=np.int64)
    if not one.size:
        return
    if SORTS[kind][0] == SORTS[kind][1]:
        one, other = np.minimum(one, other), np.maximum(one, other)
    ties.fresh.append((np.int64(kind) << np.int64(2 * BITS)) | (one << np.int64(BITS)) | other)


def settle(ties: Ties) -> None:
    """Puts what is fresh together with what was there. When there are too many ties, the rarest are forgotten."""
    # Where something was seen once it is never less than that: counts fade, facts do not.
    counts = np.maximum(ties.counts * OLD, np.minimum(ties.counts, 1.0))
    if ties.fresh:
        new, times = np.unique(np.concatenate(ties.fresh), return_counts=True)
        place = np.searchsorted(ties.keys, new)
        known = np.isin(new, ties.keys, assume_unique=True)
        counts[place[known]] += times[known]
        ties.keys = np.insert(ties.keys, place[~known], new[~known])
        counts = np.insert(counts, place[~known], times[~known])
        ties.fresh = []
    if ties.keys.size > MOST_TIES:
        kept = np.sort(np.argsort(-counts, kind="stable")[:MOST_TIES])
        ties.keys, counts = ties.keys[kept], counts[kept]
    ties.counts = counts


def graph(ties: Ties, suspects: Mapping[Node, float]) -> nx.Graph:
    """The suspects with what each of them is held to have done (0 to 1), whom they are firmly tied to, and how."""
    found = nx.Graph()
    found.add_nodes_from((node, {"suspect": score}) for node, score in sorted(suspects.items()))
    kinds = ties.keys >> np.int64(2 * BITS)
    firm = np.flatnonzero(ties.counts >= ENOUGH[kinds])
    kinds, (one, other) = kinds[firm], _ends(ties.keys[firm], kinds[firm])
    theirs = np.array([(sort << BITS) | number for sort, number in suspects], dtype=np.int64)
    near = np.flatnonzero(np.isin(one, theirs) | np.isin(other, theirs))
    near = np.sort(near[np.argsort(-ties.counts[firm[near]], kind="stable")[:MOST_DRAWN]])
    pairs = list(zip(_nodes(one[near]), _nodes(other[near])))
    found.add_nodes_from((n for n in dict.fromkeys(chain.from_iterable(pairs)) if n not in suspects), suspect=0.0)
    words, times = (WORDS[kind] for kind in kinds[near].tolist()), ties.counts[firm[near]].tolist()
    found.add_edges_from((a, b, {"tie": word, "times": t}) for (a, b), word, t in zip(pairs, words, times))
    return found


def _ends(keys: Ids, kinds: Ids) -> tuple[Ids, Ids]:
    """The two things that each key ties together: the sort and the number of a thing in one."""
    mask = np.int64((1 << BITS) - 1)
    one, other = SORTS_OF[kinds].T << np.int64(BITS)
    return one | (keys >> np.int64(BITS)) & mask, other | keys & mask


def _nodes(things: Ids) -> Iterator[Node]:
    return zip((things >> np.int64(BITS)).tolist(), (things & np.int64((1 << BITS) - 1)).tolist())


def clusters(found: nx.Graph, fewest: int) -> list[list[Node]]:
    """Suspects that hang together, with the links and skills that tie them: at least `fewest` bots each, the largest
    first."""
    suspects = {n for n, score in found.nodes(data="suspect") if score > 0}

    def belongs(node: Node) -> bool:
        """Whether it is a suspect, or a link or a skill of two suspects at least."""
        return node in suspects or (node[0] != Sort.BOT and len(suspects.intersection(found.adj[node])) > 1)

    parts = []
    for component in nx.connected_components(found):
        if len(component) >= fewest:
            part = sorted(filter(belongs, component))
            if sum(sort == Sort.BOT for sort, _ in part) >= fewest:
                parts.append(part)
    return sorted(parts, key=lambda part: (-len(part), part))


def risks(found: nx.Graph, fades: float, reach: int) -> dict[Node, float]:
    """For whom there is no alert: how near it is to those for whom there is one, by the number of ties between them.

    One tie away from a suspect of score `s` is a risk of `s * fades`, two ties `s * fades * fades`, and so on; of
    several ways the worst counts.
    """
    suspects = {n: float(s) for n, s in found.nodes(data="suspect") if s > 0}
    risk, edge = dict(suspects), suspects
    for _ in range(reach):
        following: dict[Node, float] = {}
        for node, own in edge.items():
            through = own * fades
            for near in found.adj[node]:
                if through > risk.get(near, 0.0) and through > following.get(near, 0.0):
                    following[near] = through
        risk.update(following)
        edge = following
    return {n: r for n, r in sorted(risk.items()) if n not in suspects}


def bots_of(nodes: Iterable[Node]) -> tuple[int, ...]:
    return tuple(number for sort, number in nodes if sort == Sort.BOT)
