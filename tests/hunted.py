"""A small ecosystem for the tests of the Threat Hunter and of Intelligence: honest bots of many tempers, and attacks.

It stands in for the world and for the gateway. Nothing of it depends on what the agents do, but for bots in quarantine
and links that are blocked, when `contains` is set.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from simulator.agents.base import Alert, Bus, Name, Subject, View
from simulator.gateway import Answers, Asked
from simulator.observe import Observed, observed
from simulator.random_streams import Draw

LINKS, BENIGN, SKILLS = 120, 100, 10
VULNERABLE = 3


@dataclass
class Doors:
    """As much of a gateway as agents of these two kinds need."""

    bots: int
    now: int = 0
    asked: list[Asked] = field(default_factory=list)
    most: int = 1_000_000
    """So many alarms are allowed in all."""
    raised: list[tuple[int, int]] = field(default_factory=list)
    """When an alarm was raised, about whom."""
    state: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.state = {
            "quarantined": np.zeros(self.bots, dtype=np.bool_),
            "alarm.has": np.zeros(self.bots, dtype=np.bool_),
            "reputation": np.full(self.bots, 100, dtype=np.int64),
            "developer.value": np.arange(SKILLS),
        }

    def read(self, name: str) -> Any:
        return self.state[name]

    def of_tick(self, action: str) -> list[Asked]:
        return [a for a in self.asked if a.action == action]

    def ask(self, action: str, **columns: Any) -> Answers:
        assert action == "raise_alarm", f"`{action}` is not theirs to ask"
        suspects = np.asarray(columns["suspect"])
        allowed = np.arange(suspects.size) < self.most - len(self.raised)
        self.raised += [(self.now, int(s)) for s in suspects[allowed]]
        self.state["alarm.has"][suspects[allowed]] = True
        return Answers(allowed, np.where(allowed, -1, 0).astype(np.int16))


@dataclass
class Town:
    """`attackers` are the numbers of those who do `attack` from the tick `begins` on."""

    members: int
    attack: str = ""
    attackers: Any = ()
    begins: int = 60
    seed: int = 1
    contains: bool = False
    parts: int = 1
    """Into so many columns each table is cut."""
    tick: int = 0
    links_of: int = 4
    """So many bad links are in use."""
    observed: Observed = field(init=False)
    doors: Doors = field(init=False)
    bus: Bus = field(default_factory=Bus)
    alerts: list[Alert] = field(default_factory=list)

    def __post_init__(self) -> None:
        n = self.members
        self.observed = observed(n, SKILLS, LINKS)
        self.doors = Doors(n + 20)
        self.attackers = np.asarray(self.attackers, dtype=np.int64)
        # Tempers: some honest bots do five times as much as others.
        self.temper = Draw(self.seed, 0, -1, "temper").log_normal(np.arange(n), 1.0, 0.5)
        self.accuracy = np.clip(Draw(self.seed, 0, -1, "accuracy").normal(np.arange(n), 0.8, 0.1), 0.1, 0.99)
        if self.attack == "sybil cohort":
            # Some others join one by one.
            self.observed.joined[n - 60 :] = 1 + np.arange(60)
            self.observed.joined[self.attackers] = self.begins

    def draw(self, stream: str) -> Draw:
        return Draw(self.seed, 0, self.tick, stream)

    def view(self, name: Name) -> View:
        doors: Any = self.doors
        return View(
            self.tick,
            self.members + list(Name).index(name),
            name,
            doors,
            self.observed,
            self.bus,
            self.members,
            lambda part: self.draw(f"{name.value} {part}"),
        )

    def happens(self) -> None:
        """What bots do in this tick, and what is observed of it."""
        self.doors.now, self.doors.asked = self.tick * 1000, []
        bots = np.arange(self.members)
        sender, recipient, link, secret = self._messages(bots)
        gone = self.doors.state["quarantined"][sender] if self.contains else np.zeros(sender.size, dtype=np.bool_)
        seen = self.observed
        self._ask("send", ~gone, principal=sender, recipient=recipient, skill=sender * 0, link=link, secret=secret)
        sent = ~gone
        seen.add("messages", sender[sent])
        seen.add("links", sender[link >= 0])
        seen.add("secrets", sender[secret])
        seen.add("denied", sender[gone])
        seen.link_senders += np.bincount(link[sent & (link >= 0)], minlength=LINKS)
        self._complaints(sender[sent], recipient[sent], link[sent])
        self._skills(bots)
        self._votes(bots)

    def passes(self) -> None:
        self.observed.fade()
        self.tick += 1

    @property
    def striking(self) -> Any:
        return self.attackers if self.tick >= self.begins else self.attackers[:0]

    def _messages(self, bots: Any) -> tuple[Any, Any, Any, Any]:
        n = self.members
        sender = bots[self.draw("act").uniform(bots) < 0.15 * self.temper]
        number = np.arange(sender.size)
        recipient = self.draw("to").below(number, n)
        link = np.where(self.draw("linked").uniform(number) < 0.02, self.draw("link").below(number, BENIGN), -1)
        secret = self.draw("slip").uniform(number) < 0.0005
        copies, chance = {"spam": (4, 0.5), "phishing": (2, 0.5), "sybil": (4, 0.4), "sybil cohort": (1, 0.25)}.get(
            self.attack, (1, 0.25 if self.attack == "exfiltration" else 0.0)
        )
        more = self.striking
        more = np.repeat(more[self.draw("strike").uniform(more) < chance], copies)
        number = np.arange(more.size)
        theirs = self.draw("whom").below(number, n)
        if self.attack.startswith("sybil") and more.size:
            theirs = self.attackers[self.draw("whom").below(number, self.attackers.size)]
        bait = BENIGN + more % self.links_of if self.attack == "phishing" else np.full(more.size, -1)
        return (
            np.concatenate([sender, more]),
            np.concatenate([recipient, theirs]),
            np.concatenate([link, bait]),
            np.concatenate([secret, np.full(more.size, self.attack == "exfiltration")]),
        )

    def _complaints(self, sender: Any, recipient: Any, link: Any) -> None:
        seen = self.observed
        number = np.arange(sender.size)
        bad = np.zeros(self.members, dtype=np.bool_)
        bad[self.striking] = True
        chance = np.full(sender.size, 0.002)
        if self.attack in ("spam", "phishing"):
            chance[bad[sender]] = 0.12
        if self.attack == "slow poisoning":
            chance[bad[sender]] = 0.5
        complained = self.draw("complain").uniform(number) < chance
        seen.add("complaints", sender[complained])
        seen.link_complaints += np.bincount(link[complained & (link >= 0)], minlength=LINKS)
        fails = np.full(sender.size, 0.01)
        if self.attack == "byzantine":
            fails[bad[recipient]] = 0.9
        seen.add("failures", recipient[self.draw("fail").uniform(number) < fails])

    def _skills(self, bots: Any) -> None:
        seen = self.observed
        users = bots[self.draw("use").uniform(bots) < 0.09 * self.temper]
        skill = self.draw("skill").below(users, SKILLS)
        seen.add("calls", users)
        seen.skill_uses += np.bincount(skill, minlength=SKILLS)
        chance = np.full(users.size, 0.001)
        if self.attack == "vulnerable skill" and self.tick >= self.begins:
            chance[skill == VULNERABLE] = 0.05
        complained = skill[self.draw("of skill").uniform(users) < chance]
        seen.skill_complaints += np.bincount(complained, minlength=SKILLS)

    def _votes(self, bots: Any) -> None:
        """Ten proposals are open, each for a hundred ticks."""
        voters = bots[self.draw("vote").uniform(bots) < 0.06]
        proposal = self.tick // 10 - self.draw("which").below(voters, min(10, self.tick // 10 + 1))
        good = (proposal * 7919) % 10 < 7
        right = self.draw("judge").uniform(voters) < self.accuracy[voters]
        if self.attack == "collusion":
            right &= ~np.isin(voters, self.striking)
        if self.attack == "wrecking" and self.striking.size:
            # Wreckers vote in every tick.
            more = self.striking
            theirs = self.tick // 10 - self.draw("wreck").below(more, min(10, self.tick // 10 + 1))
            voters, proposal = np.concatenate([voters, more]), np.concatenate([proposal, theirs])
            good = (proposal * 7919) % 10 < 7
            right = np.concatenate([right, np.zeros(more.size, dtype=np.bool_)])
        # Who votes twice on one proposal changes nothing, and that would be denied.
        allowed = np.ones(voters.size, dtype=np.bool_)
        self._ask("vote", allowed, principal=voters, proposal=proposal, support=good == right)
        self.observed.add("votes", voters)

    def _ask(self, action: str, allowed: Any, **columns: Any) -> None:
        for rows in np.array_split(np.arange(allowed.size), self.parts):
            part = {name: column[rows] for name, column in columns.items()}
            guard = np.where(allowed[rows], -1, 0).astype(np.int16)
            self.doors.asked.append(Asked(action, part, Answers(allowed[rows], guard)))

    def contain(self) -> None:
        """What an Incident Responder would do at once, for the tests."""
        for alert in self.bus.alerts.pop(Name.RESPONDER.value, []):
            self.alerts.append(alert)
            if self.contains and alert.subject is Subject.BOT:
                self.doors.state["quarantined"][alert.number] = True


def area(score: Any, bad: Any) -> float:
    """The chance that an attacker has a higher score than an honest bot, ties half."""
    above = (score[bad][:, None] > score[~bad][None, :]).mean()
    equal = (score[bad][:, None] == score[~bad][None, :]).mean()
    return float(above + equal / 2)
