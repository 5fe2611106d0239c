"""What a run comes to when one knows who is malicious: the tick's requests and the world go in, measures come out.

Security agents see none of this.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.agents.base import Happening
from simulator.behaviour import Sends
from simulator.gateway import Gateway
from simulator.measures import FIRST_HARM, HINDSIGHT, NAMES
from simulator.world import NOBODY, Bools, Ids, Kind, World

ALARMS = ("alarm", "detected")
"""The kinds of happenings that say that something is held to be bad."""
SUBJECTS = ("bot", "skill", "link")
"""What an alarm can be about. A campaign is a name for several of them."""
CLOSING = ("close", "decide")
"""The actions that close an incident."""


@dataclass(slots=True)
class Ledger:
    """The measures of one tick, as they are counted."""

    counts: dict[str, float] = field(default_factory=lambda: dict.fromkeys(NAMES, 0.0))

    def add(self, name: str, amount: Any) -> None:
        self.counts[name] += float(amount)


def of_sends(ledger: Ledger, world: World, sends: Sends, allowed: Bools) -> Bools:
    """Counts messages; which of them were meant to do harm."""
    link = sends.link
    harmful: Bools = (link != NOBODY) & world.links.harmful[link] | sends.spam | sends.secret
    honest = ~world.malicious[sends.sender]
    ledger.add("messages", sends.size)
    ledger.add("harmful_delivered", np.count_nonzero(harmful & allowed))
    ledger.add("harmful_denied", np.count_nonzero(harmful & ~allowed))
    ledger.add("honest_denied", np.count_nonzero(honest & ~harmful & ~allowed))
    ledger.add("service_asked", np.count_nonzero(sends.request & (world.bots.kind[sends.sender] <= Kind.LAZY)))
    return harmful


def of_skills(ledger: Ledger, world: World, users: Ids, skills: Ids, allowed: Bools) -> None:
    """Counts uses of skills."""
    harmful = world.skills.harmful[skills]
    honest = ~world.malicious[users]
    ledger.add("skill_uses", np.count_nonzero(allowed))
    ledger.add("harmful_delivered", np.count_nonzero(harmful & allowed))
    ledger.add("harmful_denied", np.count_nonzero(harmful & ~allowed))
    ledger.add("honest_denied", np.count_nonzero(honest & ~harmful & ~allowed))


def first_harms(world: World, who: Ids, tick: int, now: int) -> list[Happening]:
    """Notes whoever does harm for the first time."""
    new = np.unique(who[world.bots.first_harm[who] == NOBODY])
    world.bots.first_harm[new] = tick
    return [
        Happening(tick, now, HINDSIGHT, FIRST_HARM, f"bot {b} does harm for the first time", -1, "bot", b)
        for b in new.tolist()
    ]


def of_state(ledger: Ledger, world: World, gateway: Gateway, trusted: int, auc: bool) -> None:
    """Counts what there is at the end of a tick. The share of pairs in the right order takes long, so it is asked for
    now and then."""
    n = world.members
    counts, bad = ledger.counts, world.malicious
    quarantined = gateway.read("quarantined")[:n]
    counts["quarantined"] = float(np.count_nonzero(quarantined))
    counts["quarantined_honest"] = float(np.count_nonzero(quarantined & ~bad))
    counts["malicious_active"] = float(np.count_nonzero(bad & ~quarantined))
    counts["compromised"] = float(np.count_nonzero(world.bots.taken_over))
    counts["members"] = float(n)
    made = len(world.skills.developer)
    live = (gateway.read("trust")[:made] >= trusted) & ~gateway.read("disabled")[:made]
    counts["skills_live"] = float(np.count_nonzero(live))
    counts["skills_malicious_live"] = float(np.count_nonzero(live & world.skills.harmful))
    counts["threat_level"] = float(gateway.read("threat_level"))
    counts["lockdown"] = float(gateway.read("lockdown"))
    counts["emergency"] = float(gateway.read("in_emergency"))
    reputation = gateway.read("reputation")[:n].astype(np.int64)
    attackers = world.bots.kind > Kind.LAZY
    good, ill = int(np.count_nonzero(~attackers)), int(np.count_nonzero(attackers))
    total = int(reputation.sum())
    of_ill = int(reputation[attackers].sum())
    counts["reputation_honest"] = (total - of_ill) / good if good else float("nan")
    counts["reputation_malicious"] = of_ill / ill if ill else float("nan")
    counts["reputation_auc"] = area(reputation, attackers) if auc else float("nan")


def of_happenings(ledger: Ledger, world: World, happenings: list[Happening], gateway: Gateway) -> None:
    """Counts alarms and incidents, and what was denied."""
    counts = ledger.counts
    for h in happenings:
        if h.kind in ALARMS and h.subject in SUBJECTS:
            counts["alarms"] += 1
            counts["alarms_false"] += not _is_harmful(world, h)
    for one in gateway.asked:
        counts["denied"] += int(np.count_nonzero(~one.answers.allowed))
        if one.action == "report":
            counts["incidents_opened"] += one.answers.count
        elif one.action in CLOSING:
            counts["incidents_closed"] += one.answers.count
    opened, closed = int(gateway.tallies["report"][0]), 0
    for action in CLOSING:
        closed += int(gateway.tallies[action][0])
    counts["incidents_open"] = float(opened - closed)


def _is_harmful(world: World, h: Happening) -> bool:
    if h.number < 0:
        return False
    known = {"bot": world.malicious, "skill": world.skills.harmful, "link": world.links.harmful}
    return bool(known[h.subject][h.number]) if h.subject in known else False


def area(score: NDArray[np.int64], bad: Bools) -> float:
    """The chance that one of the good has a higher score than one of the bad, ties half: the area under the curve of
    receiver operating characteristics (Hanley and McNeil 1982), exactly."""
    low, high = int(score.min()), int(score.max())
    ill = np.bincount(score[bad] - low, minlength=high - low + 1)
    good = np.bincount(score[~bad] - low, minlength=high - low + 1)
    pairs = int(ill.sum()) * int(good.sum())
    if not pairs:
        return float("nan")
    below = np.cumsum(ill) - ill
    return (2 * int((good * below).sum()) + int((good * ill).sum())) / (2 * pairs)
