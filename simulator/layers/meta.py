"""The meta layer: it watches how the ecosystem does, and proposes to change a parameter where that would help.

It proposes; the community votes on it like on anything else, and only what the policy's own ranges admit comes into
force (`specs/mvg/parameters.policy` and the ranges of parameters, for all values of which the proofs hold). What it may
propose to change are those of `RULES` that the policy declares with a range.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

WINDOW = 200
"""Ticks over which it looks before it proposes anything, and between two proposals."""
SMALLEST = 5
"""So many proposals must have been decided in a window for it to say anything about them ..."""
BUSY = 100
"""... and so many skills used, or messages sent lately, to say anything about those."""

Ranges = Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Amendment:
    parameter: str
    value: int
    why: str


@dataclass(slots=True)
class Meta:
    since: int = 0
    """The tick at which the window began."""
    approved: int = 0
    defeated: int = 0
    good: int = 0
    bad: int = 0
    """Of those that people have judged."""
    used: int = 0
    """Skills that bots wanted to use ..."""
    untrusted: int = 0
    """... and were not let, for want of trust in them."""
    limited: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    """The members who wanted to send more than they may, while nothing was alarming."""
    proposed: dict[str, int] = field(default_factory=dict)
    """The tick of the last amendment of each parameter."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What it judges by: shares are of 1."""

    approved: int = 0
    defeated: int = 0
    good: int = 0
    bad: int = 0
    limited: float = 0.0
    """Members who wanted to send more than they may."""
    sent: float = 0.0
    """Messages that the member in the middle has sent in its window of time, so far."""
    complaints: float = 0.0
    """Messages about which somebody complained lately."""
    skill_complaints: float = 0.0
    """Uses of skills about which somebody complained lately."""
    untrusted: float = 0.0
    """Uses of skills that were denied for want of trust."""
    highest: float = 0.0
    """Members with the highest reputation there is ..."""
    lowest: float = 0.0
    """... and the lowest."""


Rule = Callable[[Figures, int], tuple[int, str] | None]
"""What a parameter should be by the figures, and why; it is so much now."""


def _quorum(seen: Figures, now: int) -> tuple[int, str] | None:
    judged, decided = seen.good + seen.bad, seen.approved + seen.defeated
    if judged >= SMALLEST and 4 * seen.bad > judged:
        return 2 * now, f"{seen.bad} of {judged} proposals that were executed did harm: more have to agree"
    if decided >= SMALLEST and 10 * seen.approved < decided:
        return now // 2, f"{seen.approved} of {decided} proposals passed: fewer have to agree"
    return None


def _send_limit(seen: Figures, now: int) -> tuple[int, str] | None:
    if seen.limited > 0.25:
        return 2 * now, f"{seen.limited:.0%} of the members wanted to send more than they may"
    # An alert gateway lets a quarter pass, and windows are half over on average: that has to do for most members.
    if seen.complaints > 0.05 and now // 2 >= 8 * seen.sent:
        return now // 2, f"there are complaints about {seen.complaints:.0%} of the messages, and most members send few"
    return None


def _decay(seen: Figures, now: int) -> tuple[int, str] | None:
    if seen.highest > 0.25:
        return (
            2 * now + 1,
            f"{seen.highest:.0%} of the members have the highest reputation: old merit has to fade sooner",
        )
    if seen.lowest > 0.25:
        return now // 2, f"{seen.lowest:.0%} of the members have no reputation left: merit has to last longer"
    return None


def _min_trust(seen: Figures, now: int) -> tuple[int, str] | None:
    if seen.skill_complaints > 0.05:
        return now + 5, f"there are complaints about {seen.skill_complaints:.0%} of the uses of skills"
    if seen.untrusted > 0.25 and seen.skill_complaints < 0.01:
        return now - 5, f"{seen.untrusted:.0%} of the uses of skills were denied, and hardly anybody complains"
    return None


RULES: Mapping[str, Rule] = {
    "QUORUM": _quorum,
    "SEND_LIMIT": _send_limit,
    "DECAY": _decay,
    "MIN_TRUST": _min_trust,
}
"""The parameters that it may propose to change."""


def is_over(meta: Meta, tick: int) -> bool:
    """Whether it is time to look at the figures."""
    return tick >= meta.since + WINDOW


def consider(
    meta: Meta, tick: int, seen: Figures, params: Mapping[str, int], ranges: Ranges, pending: Collection[str] = ()
) -> Amendment | None:
    """An amendment, if the figures of a window call for one: of several, the one that was proposed longest ago. What is
    `pending` is not proposed again. A new window begins."""
    _renew(meta, tick)
    for name in sorted(RULES, key=lambda n: (meta.proposed.get(n, -1), list(RULES).index(n))):
        if name not in ranges or name in pending:
            continue
        wanted = RULES[name](seen, params[name])
        if wanted is not None:
            # SOUND: nothing is even proposed for which the policy is not proved.
            value = min(ranges[name][1], max(ranges[name][0], wanted[0]))
            if value != params[name]:
                meta.proposed[name] = tick
                return Amendment(name, value, wanted[1])
    return None


def _renew(meta: Meta, tick: int) -> None:
    """Counting begins anew."""
    meta.since = tick
    meta.approved = meta.defeated = meta.good = meta.bad = meta.used = meta.untrusted = 0
    meta.limited = np.zeros_like(meta.limited)
