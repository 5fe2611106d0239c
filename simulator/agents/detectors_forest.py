"""An isolation forest (Liu, Ting, Zhou 2008) of scikit-learn: a training sample goes in, how alone rows are comes out.

What is saved is the sample and the seed; the forest is made of them again whenever it is needed and not there, so a run
that was resumed scores exactly as the other. The trees are laid out in arrays, for scikit-learn spends milliseconds on
asking its trees about a few dozen rows; the scores are those of its `score_samples` (a test compares them).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.snapshot import DERIVED

Floats = NDArray[np.float64]
Rows = NDArray[np.float32]

TREES = 32
SUBSAMPLE = 256
ONE = float(1 << 20)
"""Lengths of paths are whole multiples of 1 / ONE, so that their sum is exact in any order."""
FAR = 0.45
"""Who is cut off this share of the middle path earlier is as alone as can be: about 0.7 in the score of the paper."""


@dataclass(frozen=True, slots=True)
class Trees:
    """All nodes of all trees, one tree after the other. A leaf leads to itself."""

    feature: NDArray[np.int64]
    threshold: Floats
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    length: NDArray[np.int64]
    """At leaves: the expected length of the path, in units of 1 / `ONE`."""
    roots: NDArray[np.int64]
    depth: int
    calm: float
    """The mean length of paths in the middle of the sample."""


@dataclass(slots=True)
class Forest:
    sample: Rows = field(default_factory=lambda: np.zeros((0, 0), dtype=np.float32))
    seed: int = 0
    trees: Trees | None = field(default=None, metadata=DERIVED)


def train(forest: Forest, sample: Rows, seed: int) -> None:
    """From now on the forest is that of another sample. It grows when it is first asked."""
    forest.sample, forest.seed, forest.trees = np.array(sample, dtype=np.float32), seed, None


def alone(forest: Forest, rows: Rows) -> Floats:
    """From 0 (like the middle of the sample) to 1 (cut off by the first questions); 0 for all while there is no
    sample."""
    if len(forest.sample) < 2 or not len(rows):
        return np.zeros(len(rows))
    if forest.trees is None:
        forest.trees = _grown(forest.sample, forest.seed)
    trees = forest.trees
    found: Floats = np.clip((trees.calm - lengths(trees, rows)) / (FAR * trees.calm), 0.0, 1.0)
    return found


def lengths(trees: Trees, rows: Rows) -> Floats:
    """The mean length of the path to each row."""
    width = rows.shape[1]
    flat = np.ascontiguousarray(rows).ravel()
    starts = (np.arange(len(rows)) * width)[:, None]
    node = np.broadcast_to(trees.roots, (len(rows), trees.roots.size))
    for _ in range(trees.depth):
        value = flat.take(starts + trees.feature.take(node))
        node = np.where(value <= trees.threshold.take(node), trees.left.take(node), trees.right.take(node))
    total = trees.length.take(node).sum(axis=1)
    found: Floats = total / (ONE * trees.roots.size)
    return found


def unsuccessful(n: int) -> float:
    """The mean path of an unsuccessful search in a binary tree of `n` values: 2 H(n - 1) - 2 (n - 1) / n."""
    if n <= 1:
        return 0.0
    harmonic = float(np.cumsum(1.0 / np.arange(1, n))[-1])
    return 2.0 * harmonic - 2.0 * (n - 1) / n


def _grown(sample: Rows, seed: int) -> Trees:
    # Loading scikit-learn takes a second, and most runs without an attack never ask a forest.
    from sklearn.ensemble import IsolationForest

    model = IsolationForest(n_estimators=TREES, max_samples=min(SUBSAMPLE, len(sample)), random_state=seed)
    model.fit(sample)
    table = np.array([unsuccessful(n) for n in range(SUBSAMPLE + 1)])
    parts: list[tuple[Any, ...]] = []
    start = depth = 0
    for estimator in model.estimators_:
        tree = estimator.tree_
        own = np.arange(tree.node_count)
        leaf = tree.children_left < 0
        left = np.where(leaf, own, tree.children_left) + start
        right = np.where(leaf, own, tree.children_right) + start
        length = np.rint((_depths(tree) + table[tree.n_node_samples]) * ONE)
        parts.append((np.where(leaf, 0, tree.feature), np.where(leaf, np.inf, tree.threshold), left, right, length))
        depth, start = max(depth, int(tree.max_depth)), start + tree.node_count
    feature, threshold, left, right, whole = (np.concatenate(columns) for columns in zip(*parts))
    roots = np.cumsum([0, *(len(p[0]) for p in parts[:-1])])
    trees = Trees(feature, threshold, left, right, whole.astype(np.int64), roots, depth, 0.0)
    some = np.sort(lengths(trees, sample[:: max(1, len(sample) // 500)]))
    return Trees(feature, threshold, left, right, trees.length, roots, depth, float(some[len(some) // 2]))


def _depths(tree: Any) -> NDArray[np.int64]:
    """The number of questions before each node; children come after their parents."""
    found = np.zeros(tree.node_count, dtype=np.int64)
    for node, (left, right) in enumerate(zip(tree.children_left.tolist(), tree.children_right.tolist())):
        if left >= 0:
            found[left] = found[right] = found[node] + 1
    return found
