"""What four detectors say of bots goes in; the threat of each, and an alert with its words, comes out.

NOTE(ensemble): robust distances from the peers, an isolation forest, patterns, and what Intelligence said are witnesses
that may be wrong, each by itself (a noisy or). To be strange is not to be bad, so distances and forest alone never
reach `THRESHOLD`: there must be a pattern, or a word from Intelligence with both of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.agents import patterns
from simulator.agents.base import Alert, Subject

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]

THRESHOLD = 0.7
"""From this threat score on an alarm is raised, if it lasts."""
ROBUST, FOREST, PATTERN, INTELLIGENCE = 0.35, 0.25, 0.9, 0.45
"""What each of the ensemble weighs."""
NAMED = 0.3
"""A pattern that matches less gives its name to nothing."""
MOST_PARTNERS = 8
"""So many partners are named in an alert."""


class Scored(NamedTuple):
    """Bots that were scored, and for each what made its score."""

    bots: Ids
    threat: Floats
    best: Ids
    """The place of the best pattern among those for bots."""
    match: Floats
    """How well it matches."""
    parts: Mapping[str, Floats]
    seen: Floats
    """A row for each of `patterns.SEEN`."""


def combine(robust: Any, forest: Any, pattern: Any, intelligence: Any) -> Floats:
    """The threat score: as if each of the four were an independent witness who may be wrong (noisy or)."""
    calm = (1.0 - ROBUST * robust) * (1.0 - FOREST * forest)
    found: Floats = 1.0 - calm * (1.0 - PATTERN * pattern) * (1.0 - INTELLIGENCE * intelligence)
    return found


def in_words(scored: Scored, at: int, tick: int, link: int, partners: list[int]) -> tuple[Alert, str]:
    """The alert about one of the scored bots, and what people are told. `link` is the last bad one that it sent, or -1;
    `partners` are those with whom it votes."""
    bot, threat = int(scored.bots[at]), float(scored.threat[at])
    known = patterns.shipped_table(Subject.BOT)
    best = int(scored.best[at])
    pattern, named = known.patterns[best], float(scored.match[at]) >= NAMED
    kind = pattern.kind if named else "anomaly"
    says = f"{pattern.name}: {pattern.says}" if named else "strange, and near what Intelligence warns of"
    evidence = [(name, round(float(part[at]), 3)) for name, part in scored.parts.items()]
    if named:
        seen = scored.seen[:, at].round(3).tolist()
        evidence += [(name, seen[row]) for name, row in known.looks[best]]
    if kind == "phishing" and link >= 0:
        evidence.append(("link", float(link)))
    if kind in ("collusion", "sybil"):
        evidence += [("with", float(other)) for other in partners[:MOST_PARTNERS]]
    alert = Alert(Subject.BOT, bot, kind, round(threat, 3), tick, tuple(evidence))
    return alert, f"bot {bot}: {says} (threat {threat:.2f})"
