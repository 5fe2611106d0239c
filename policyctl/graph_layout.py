"""Boxes and arrows between them to places: layer below layer, with few crossings and room for every label.

The method is that of Sugiyama, Tagawa and Toda (1981): break cycles, put every box below those that lead to it, order
each layer by the barycentres of its neighbours, then find the coordinates. Between two layers of boxes lies one of
labels, so a label has a place of its own. Everything is done in a fixed order: the same graph gives the same picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import fsum

import networkx as nx

SWEEPS = 24
GAP = 28.0
"""Between neighbours in a layer."""
DROP = 18.0
"""Between one layer and the next."""
NEAR = 0.5
"""Neighbours that are nearer than this are straight above each other."""
_FAR, _COOLING = 200.0, 0.97
"""How near counts as near at first, and what is left of that after a sweep."""
_STRAIGHT = 8.0
"""How much more a long arrow is drawn to be straight than a short one."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How far something reaches from the point where it is put."""

    left: float = 0.0
    right: float = 0.0
    height: float = 0.0


@dataclass(frozen=True, slots=True)
class Point:
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Layout:
    """`boxes` and `labels` have centres; `routes` the points from the source of each arrow to its target, of which the
    first and the last are the centres of boxes."""

    boxes: Mapping[str, Point]
    labels: tuple[Point, ...]
    routes: tuple[tuple[Point, ...], ...]
    width: float
    height: float


@dataclass(slots=True)
class _Plan:
    """Layers of items, each a number. Boxes come first; then, for each arrow, the items that it passes."""

    layers: list[list[int]]
    extents: list[Extent]
    chains: list[list[int]]
    label_at: list[int]
    boxes: int
    above: dict[int, list[int]] = field(default_factory=dict)
    below: dict[int, list[int]] = field(default_factory=dict)

    def straightness(self, a: int, b: int) -> float:
        return _STRAIGHT if a >= self.boxes and b >= self.boxes else 1.0


def lay_out(boxes: Mapping[str, Extent], arrows: Sequence[tuple[str, str, Extent]]) -> Layout:
    """Places for `boxes`, and for `arrows`: each a source, another box as its target, and the extent of its label."""
    plan = _planned(boxes, arrows)
    _order(plan)
    xs = _across(plan)
    ys, height = _down(plan)
    shift = -min(x - e.left for x, e in zip(xs, plan.extents, strict=True))
    points = [Point(round(x + shift, 1), round(y, 1)) for x, y in zip(xs, ys, strict=True)]
    width = max(p.x + e.right for p, e in zip(points, plan.extents, strict=True))
    return Layout(
        dict(zip(boxes, points, strict=False)),
        tuple(points[i] for i in plan.label_at),
        tuple(tuple(points[i] for i in chain) for chain in plan.chains),
        round(width, 1),
        round(height, 1),
    )


def _planned(boxes: Mapping[str, Extent], arrows: Sequence[tuple[str, str, Extent]]) -> _Plan:
    number = {name: i for i, name in enumerate(boxes)}
    turned = _backward(list(boxes), [(s, t) for s, t, _ in arrows])
    downward = [(t, s) if (s, t) in turned else (s, t) for s, t, _ in arrows]
    rank = _ranks(list(boxes), downward)
    plan = _Plan([[] for _ in range(max(rank.values()) + 1)], list(boxes.values()), [], [], len(boxes))
    for name, i in number.items():
        plan.layers[rank[name]].append(i)
    for (upper, lower), (source, target, label) in zip(downward, arrows, strict=True):
        chain = [number[upper]]
        for layer in range(rank[upper] + 1, rank[lower]):
            item = len(plan.extents)
            # The label stands near the source, which is the upper end unless the arrow goes up.
            labelled = layer == (rank[lower] - 1 if (source, target) in turned else rank[upper] + 1)
            if labelled:
                plan.label_at.append(item)
            plan.extents.append(label if labelled else Extent())
            plan.layers[layer].append(item)
            chain.append(item)
        chain.append(number[lower])
        for a, b in pairwise(chain):
            plan.below.setdefault(a, []).append(b)
            plan.above.setdefault(b, []).append(a)
        plan.chains.append(chain[::-1] if (source, target) in turned else chain)
    return plan


def _backward(names: list[str], arrows: list[tuple[str, str]]) -> set[tuple[str, str]]:
    """Arrows without which there is no cycle: those that lead back to where a depth-first walk comes from."""
    graph = nx.DiGraph()
    graph.add_nodes_from(names)
    graph.add_edges_from(arrows)
    found: set[tuple[str, str]] = set()
    entered: dict[str, int] = {}
    left: set[str] = set()
    for name in names:
        if name not in entered:
            for a, b, kind in nx.dfs_labeled_edges(graph, name):
                if kind == "forward":
                    entered[b] = len(entered)
                elif kind == "reverse":
                    left.add(b)
                elif b in entered and b not in left:
                    found.add((a, b))
    return found


def _ranks(names: list[str], arrows: list[tuple[str, str]]) -> dict[str, int]:
    """Two layers below the lowest of those that lead there."""
    graph = nx.DiGraph()
    graph.add_nodes_from(names)
    graph.add_edges_from(arrows)
    rank: dict[str, int] = {}
    for name in nx.topological_sort(graph):
        rank[name] = max((rank[p] + 2 for p in graph.predecessors(name)), default=0)
    return rank


def _order(plan: _Plan) -> None:
    best, fewest = [list(layer) for layer in plan.layers], _crossings(plan)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for layer in plan.layers[1:] if down else plan.layers[-2::-1]:
            neighbours = plan.above if down else plan.below
            place = {item: i for layer in plan.layers for i, item in enumerate(layer)}
            layer.sort(key=lambda item: _mean([place[n] for n in neighbours.get(item, ())], place[item]))
        now = _crossings(plan)
        if now < fewest:
            best, fewest = [list(layer) for layer in plan.layers], now
    plan.layers = best


def _mean(values: list[int], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _crossings(plan: _Plan) -> int:
    total = 0
    for upper, lower in pairwise(plan.layers):
        place = {item: i for i, item in enumerate(lower)}
        ends = [place[b] for a in upper for b in sorted(plan.below.get(a, ()), key=place.__getitem__)]
        total += sum(a > b for i, a in enumerate(ends) for b in ends[i + 1 :])
    return total


def _across(plan: _Plan) -> list[float]:
    """Each item as near as it can be to its neighbours: first to those above or below, then to all of them.

    The nearer one is, the more it counts, which makes most arrows upright, and a few slanting ones take the rest.
    """
    xs = [0.0] * len(plan.extents)
    for layer in plan.layers:
        _place(plan, layer, [0.0] * len(layer), [1.0] * len(layer), xs)
    close = _FAR
    for sweep in range(12 * SWEEPS):
        down, every = sweep % 2 == 0, sweep >= SWEEPS
        close = max(NEAR, close * _COOLING)
        for layer in plan.layers if down else reversed(plan.layers):
            wanted, weights = [], []
            for item in layer:
                near = plan.above.get(item, []) if down or every else []
                near = near + (plan.below.get(item, []) if not down or every else [])
                pulls = [plan.straightness(item, n) / max(close, abs(xs[item] - xs[n])) for n in near]
                weight = fsum(pulls)
                wanted.append(fsum(p * xs[n] for p, n in zip(pulls, near, strict=True)) / weight if near else xs[item])
                weights.append(weight or 1 / close)
            _place(plan, layer, wanted, weights, xs)
    return xs


def _place(plan: _Plan, layer: list[int], wanted: list[float], weights: list[float], xs: list[float]) -> None:
    for item, x in zip(layer, _settle(plan, layer, wanted, weights), strict=True):
        xs[item] = x


def _settle(plan: _Plan, layer: list[int], wanted: list[float], weights: list[float]) -> list[float]:
    """The places nearest to `wanted`, by least squares, that keep distances: isotonic regression, pooling violators."""
    offsets = [0.0]
    for a, b in pairwise(layer):
        offsets.append(offsets[-1] + plan.extents[a].right + GAP + plan.extents[b].left)
    pools: list[tuple[float, float, int]] = []
    for x, offset, weight in zip(wanted, offsets, weights, strict=True):
        pools.append((x - offset, weight, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (p, wp, np), (q, wq, nq) = pools[-2:]
            pools[-2:] = [((p * wp + q * wq) / (wp + wq), wp + wq, np + nq)]
    found = [mean for mean, _, count in pools for _ in range(count)]
    return [mean + offset for mean, offset in zip(found, offsets, strict=True)]


def _down(plan: _Plan) -> tuple[list[float], float]:
    ys = [0.0] * len(plan.extents)
    y = 0.0
    for layer in plan.layers:
        height = max((plan.extents[i].height for i in layer), default=0.0)
        for item in layer:
            ys[item] = y + height / 2
        y += height + DROP
    return ys, y - DROP
