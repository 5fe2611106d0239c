"""What messages do when they arrive, and skills when they run: columns go in, harm and complaints come out.

Complaints are what a gateway hears of it. Some harm is never complained about, honest bots complain by mistake about
what is harmless, and attackers complain about the innocent.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from simulator.attacks import is_byzantine
from simulator.behaviour import Sends
from simulator.mailbox import Columns, put
from simulator.network import Network, deliver, to_ticks
from simulator.scenario import Mistakes
from simulator.surroundings import Surroundings
from simulator.world import NOBODY, Bools, Ids, Kind, World

CLICKS = 0.03
"""How often an honest bot follows a harmful link, and is taken over."""
REPORTS = 0.15
"""How often an honest bot that gets a harmful link, or spam, complains."""
UNANSWERED = 0.5
"""How often an honest bot complains about an answer that is wrong or does not come."""
LAZINESS = 0.05
"""How often lazy bots do not answer."""
SLANDER = 0.002
"""How often a Byzantine bot complains about an innocent one, in a tick."""
HARM = 0.05
"""How often a harmful skill does harm when it runs: it sends a secret away."""
NOTICED = 0.2
"""How often who used it notices."""


@dataclass(frozen=True, slots=True, eq=False)
class Effects:
    """What came of the messages and skills of a tick, counted with hindsight."""

    delivered: int = 0
    answered: int = 0
    taken_over: int = 0
    leaked: int = 0
    failed: Ids = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """The attackers who did not answer, or wrongly."""


def dispatch(world: World, network: Network, around: Surroundings, tick_ms: int, sends: Sends, allowed: Bools) -> None:
    """Allowed messages set out, and arrive some ticks later, or never, or twice."""
    rows = np.flatnonzero(allowed)
    if not len(rows):
        return
    sender, recipient = sends.sender[rows], sends.recipient[rows]
    sent = np.full(len(rows), around.now, dtype=np.int64)
    places, arrival = deliver(network, around.draw("network"), np.arange(len(rows)), sender, recipient, sent)
    due = np.maximum(to_ticks(arrival, tick_ms), around.tick + 1)
    chosen = rows[places]
    put(
        world.mail,
        due,
        {
            "sender": sends.sender[chosen],
            "recipient": sends.recipient[chosen],
            "link": sends.link[chosen],
            "spam": sends.spam[chosen],
            "secret": sends.secret[chosen],
            "request": sends.request[chosen],
        },
    )


def arrive(world: World, around: Surroundings, mistakes: Mistakes, mail: Columns) -> Effects:
    """Messages are read. Who is in quarantine gets none, and answers none."""
    bots, observed = world.bots, world.observed
    sender, recipient = mail["sender"], mail["recipient"]
    if not len(sender):
        return Effects()
    reached = ~around.quarantined[recipient]
    number = np.arange(len(sender), dtype=np.int64)
    kind = bots.kind[recipient]
    honest = (kind <= Kind.LAZY) & reached
    answers = _answers(world, around, mail, number, reached)
    # A wrong answer, or none, is the fault of who should have answered.
    request = mail["request"]
    missed = request & ~answers & reached
    asked = np.flatnonzero(request & reached)
    observed.dealings.add(sender[asked], recipient[asked], answers[asked])
    if missed.any():
        observed.add("failures", recipient[missed])
        angry = number[missed & (bots.kind[sender] <= Kind.LAZY)]
        heard = angry[around.draw("unanswered").bernoulli(angry, UNANSWERED)]
        observed.add("complaints", recipient[heard])
    link = mail["link"]
    bad = (link != NOBODY) & world.links.harmful[link] & honest
    baited = number[bad]
    clicked = recipient[baited[around.draw("click").bernoulli(baited, CLICKS)]] if len(baited) else baited
    victims = np.unique(clicked[~bots.taken_over[clicked]])
    bots.taken_over[victims] = True
    annoyed = bad | (mail["spam"] & honest)
    # Who complains about what was in order does not know better.
    reading = number[honest]
    chance = np.where(annoyed[reading], REPORTS, mistakes.message)
    reported = reading[around.draw("report").bernoulli(reading, chance)]
    observed.add("complaints", sender[reported])
    about = link[reported]
    observed.link_complaints += np.bincount(about[about != NOBODY], minlength=len(observed.link_complaints))
    _slander(world, around)
    # A secret that reaches an attacker is out; one that slips to an honest bot is not.
    leaked = int(np.count_nonzero(mail["secret"] & (kind > Kind.LAZY)))
    kept = int(np.count_nonzero(answers & request & (bots.kind[sender] <= Kind.LAZY)))
    return Effects(len(sender), kept, len(victims), leaked, recipient[missed & (kind > Kind.LAZY)])


def _answers(world: World, around: Surroundings, mail: Columns, number: NDArray[np.int64], reached: Bools) -> Bools:
    recipient = mail["recipient"]
    answers = reached & mail["request"] & ~is_byzantine(world, around.attack)[recipient]
    lazy = answers & (world.bots.kind[recipient] == Kind.LAZY)
    if lazy.any():
        answers[lazy] = ~around.draw("lazy").bernoulli(number[lazy], LAZINESS)
    return answers


def _slander(world: World, around: Surroundings) -> None:
    if not around.attack:
        return
    liars = np.flatnonzero((world.bots.kind == Kind.BYZANTINE) & ~around.quarantined)
    slandering = liars[around.draw("slander").bernoulli(liars, SLANDER)]
    if len(slandering):
        world.observed.add("complaints", around.draw("slandered").below(slandering, world.members))


def run_skills(world: World, around: Surroundings, mistakes: Mistakes, users: Ids, skills: Ids) -> int:
    """Skills do what they do; some of the harm is noticed, and some that is none. So many secrets leak."""
    observed = world.observed
    observed.skill_uses += np.bincount(skills, minlength=len(observed.skill_uses))
    harmful = world.skills.harmful[skills] & around.attack
    harmed = harmful & around.draw("skill harm").bernoulli(users, HARM)
    honest = world.bots.kind[users] <= Kind.LAZY
    chance = np.where(harmed, NOTICED, np.where(honest & ~harmful, mistakes.skill, 0.0))
    noticed = skills[around.draw("skill noticed").bernoulli(users, chance)]
    observed.skill_complaints += np.bincount(noticed, minlength=len(observed.skill_complaints))
    developers = world.skills.developer[noticed]
    observed.add("complaints", developers[developers >= 0])
    return int(np.count_nonzero(harmed))
