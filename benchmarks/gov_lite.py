"""A small workload of governance, thrice: with NumPy, with NumPy under the enforcer, and with Mesa.

In each tick every bot acts with probability 0.3. A bot that acts votes on one of 16 open proposals with its reputation
as weight, and gives a signal on one of 32 channels, to which it responds in proportion to the channel's strength; its
reputation moves by one point up or two down. Everybody's reputation drifts a thousandth of the way to the middle, and
signals evaporate. One proposal in 16 is replaced in every tick.

Under the enforcer, both acts are requests to `specs/twin/ecosystem.policy`: who has voted already is denied, weights
are those of the snapshot at opening, tallies are its state.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from runtime.population import Population
from simulator.policies import governing, shipped
from simulator.random_streams import Draw

OPEN, CHANNELS, ACTS = 16, 32, 0.3
EVAPORATION = 0.9


class Plain:
    """Arrays, and no policy."""

    def __init__(self, bots: int) -> None:
        self.everybody = np.arange(bots, dtype=np.int64)
        self.reputation = np.full(bots, 0.5)
        self.tally = np.zeros(OPEN)
        self.strength = np.zeros(CHANNELS)
        self.tick = 0

    def step(self) -> None:
        words = Draw(1, 0, self.tick, "act").words(self.everybody)
        acting = np.flatnonzero((words >> np.uint64(40)).astype(np.float64) * 2.0**-24 < ACTS)
        word = words[acting]
        proposal = (word & np.uint64(OPEN - 1)).astype(np.int64)
        channel = (word >> np.uint64(4) & np.uint64(CHANNELS - 1)).astype(np.int64)
        right = (word >> np.uint64(9) & np.uint64(1)).astype(np.bool_)
        self._decided(acting, proposal, channel, right)
        strength = self.strength[channel]
        chance = (word >> np.uint64(16) & np.uint64(0xFFFF)).astype(np.float64) / 65536.0
        responding = chance < strength / (1.0 + strength)
        self.strength += np.bincount(channel[responding], minlength=CHANNELS)
        self.strength *= EVAPORATION
        self.reputation[acting] = np.clip(self.reputation[acting] + np.where(right, 0.01, -0.02), 0.0, 1.0)
        self.reputation += 0.001 * (0.5 - self.reputation)
        self.tick += 1

    def _decided(self, acting: Any, proposal: Any, channel: Any, right: Any) -> None:
        self.tally[self.tick % OPEN] = 0.0
        weight = self.reputation[acting]
        self.tally += np.bincount(proposal, weights=np.where(right, weight, -weight), minlength=OPEN)


class Enforced(Plain):
    """The same, and every act is a request."""

    def __init__(self, bots: int, ticks: int) -> None:
        super().__init__(bots)
        system = governing(shipped())[0].system
        sizes = {"Bot": bots, "Proposal": OPEN + ticks, "Channel": CHANNELS, "Payload": 1}
        everybody = np.ones(bots, dtype=np.bool_)
        params = {p.name: p.default.value for p in system.params}
        self.policy = Population(system, params, sizes, {"Members": everybody})
        self.open = np.arange(OPEN, dtype=np.int64)
        for number in self.open.tolist():
            self._open(number)
        self.denied = 0

    def _open(self, number: int) -> None:
        for action, inputs in (("draft", {"what": 0}), ("submit", {})):
            self._must(action, {"principal": number, "proposal": number, **inputs})
        self._must("open_voting", {"proposal": number})

    def _must(self, action: str, inputs: dict[str, Any]) -> None:
        if not self.policy.step(action, self.tick, inputs).allowed.all():
            raise RuntimeError(f"{action} is denied")

    def _decided(self, acting: Any, proposal: Any, channel: Any, right: Any) -> None:
        place = self.tick % OPEN
        self.open[place] = OPEN + self.tick
        self._open(OPEN + self.tick)
        votes = {"principal": acting, "proposal": self.open[proposal], "support": right}
        voted = self.policy.step("vote", self.tick, votes)
        self.denied += int(np.count_nonzero(~voted.allowed))
        self._must("signal", {"principal": acting, "channel": channel, "strength": 50})


def in_mesa(bots: int) -> Any:
    """The same as agents of Mesa. Raises `ImportError` where it is not installed."""
    import mesa

    class Bot(mesa.Agent):  # type: ignore[misc]
        def __init__(self, model: Any) -> None:
            super().__init__(model)
            self.reputation = 0.5

        def step(self) -> None:
            model, random = self.model, self.random
            if random.random() < ACTS:
                right = random.random() < 0.5
                model.tally[random.randrange(OPEN)] += self.reputation if right else -self.reputation
                channel = random.randrange(CHANNELS)
                strength = model.strength[channel]
                if random.random() < strength / (1.0 + strength):
                    model.strength[channel] += 1.0
                self.reputation = min(1.0, max(0.0, self.reputation + (0.01 if right else -0.02)))
            self.reputation += 0.001 * (0.5 - self.reputation)

    class Ecosystem(mesa.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(seed=1)
            self.tally = [0.0] * OPEN
            self.strength = [0.0] * CHANNELS
            Bot.create_agents(self, bots)

        def step(self) -> None:
            self.tally[self.steps % OPEN] = 0.0
            self.agents.do("step")
            self.strength = [s * EVAPORATION for s in self.strength]

    return Ecosystem()


def speed(model: Any, bots: int, ticks: int) -> float:
    """Agent-steps for each second of the processor: the best of three parts of the run."""
    model.step()
    best = float("inf")
    part = max(1, ticks // 3)
    for _ in range(3):
        begun = time.process_time()
        for _ in range(part):
            model.step()
        best = min(best, time.process_time() - begun)
    return bots * part / best
