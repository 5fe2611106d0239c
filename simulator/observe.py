"""What a gateway can see of bots, skills and links: requests, answers and complaints go in, rates come out.

Nothing here knows who is malicious. Rates are exponentially weighted: a count fades with a half-life of `HALF_LIFE`
ticks, so a rate says how much of something there was lately.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

HALF_LIFE = 30.0
FADE = 0.9771599684342459
"""What is left of a count after one tick: 2^(-1/30), written out for it to be the same everywhere."""

RATES = (
    "messages",  # allowed messages sent
    "fanout",  # different recipients among them, tick by tick
    "links",  # messages with a link
    "secrets",  # messages with a secret, denied ones too
    "denied",  # requests denied
    "complaints",  # complaints about it
    "calls",  # uses of skills
    "failures",  # requests to it that were not answered, or wrongly
    "signals",  # signals given
    "votes",  # votes cast
    "dissent",  # votes against what a human judged right afterwards
)


REMEMBERED = 16
"""So many dealings for each bot are remembered, on average: the latest of all."""


@dataclass(slots=True)
class Dealings:
    """The latest dealings between bots, in a ring: who asked whom for something, and whether the answer was right."""

    asker: NDArray[np.int32]
    asked: NDArray[np.int32]
    good: NDArray[np.bool_]
    written: int = 0
    """How many were ever written."""

    def add(self, asker: Any, asked: Any, good: Any) -> None:
        room = len(self.asker)
        count = len(asker)
        if count > room:
            asker, asked, good, count = asker[-room:], asked[-room:], good[-room:], room
        first = self.written % room
        places = (first + np.arange(count)) % room
        self.asker[places], self.asked[places], self.good[places] = asker, asked, good
        self.written += count

    def known(self) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.bool_]]:
        """Those that are remembered, in no particular order."""
        count = min(self.written, len(self.asker))
        return self.asker[:count], self.asked[:count], self.good[:count]


@dataclass(slots=True)
class Observed:
    """Rates by bot (a row for each of `RATES`), by skill and by link, and the last complaints."""

    bots: Floats
    """An array of `len(RATES)` rows and a column for each bot."""
    skill_uses: Floats
    skill_complaints: Floats
    link_senders: Floats
    link_complaints: Floats
    joined: NDArray[np.int64]
    """The tick at which each bot joined."""
    dealings: Dealings

    def rate(self, name: str) -> Floats:
        found: Floats = self.bots[RATES.index(name)]
        return found

    def add(self, name: str, bots: Any, amount: Any = None) -> None:
        """Counts something for bots, which may be there several times."""
        if len(bots):
            row = self.bots[RATES.index(name)]
            row += np.bincount(bots, weights=amount, minlength=row.size)

    def fade(self) -> None:
        """A tick passes."""
        for array in (self.bots, self.skill_uses, self.skill_complaints, self.link_senders, self.link_complaints):
            array *= FADE


def observed(bots: int, skills: int, links: int) -> Observed:
    """Nothing seen yet."""
    none = np.zeros
    room = REMEMBERED * bots
    dealings = Dealings(none(room, dtype=np.int32), none(room, dtype=np.int32), none(room, dtype=np.bool_))
    rates = none((len(RATES), bots))
    return Observed(rates, none(skills), none(skills), none(links), none(links), none(bots, dtype=np.int64), dealings)
