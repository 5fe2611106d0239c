"""What others say: the indicators of a feed go in, those that hold now, weighed by age, go to the Threat Hunter.

A feed is believed as a witness who may be wrong: what it says weighs as much as a word from Intelligence itself, which
alone raises no alarm (NOTE(ensemble)), and less the older it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from simulator.agents.base import Indicator, Name, Subject, View

WORTH = 0.2
"""What is believed less is not passed on."""
OLD = 200
"""After so many ticks what a feed says is worth half."""


@dataclass(frozen=True, slots=True)
class Tip:
    """One indicator."""

    subject: str
    number: int
    confidence: int
    """From 0 to 100."""
    valid_from: int
    valid_until: int


def worth(tip: Tip, tick: int) -> float:
    """How far it is believed now, from 0 to 1."""
    if not tip.valid_from <= tick < tip.valid_until:
        return 0.0
    return tip.confidence / 100.0 * OLD / (OLD + tick - tip.valid_from)


def heed(tips: list[Tip], view: View) -> None:
    """Tells the Threat Hunter what is worth it, about those that exist."""
    members = view.members
    for tip in tips:
        risk = worth(tip, view.tick)
        if risk >= WORTH and (tip.subject != Subject.BOT.value or tip.number < members):
            view.tell(Name.HUNTER, Indicator(Subject(tip.subject), tip.number, round(risk, 3)))
