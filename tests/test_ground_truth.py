"""No agent reads ground truth: while the agents act it cannot be touched, and all goes as if nothing were different."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pytest

from simulator import goals
from simulator import team as teams
from simulator.agents import threat_hunter
from simulator.agents.base import View
from simulator.engine import Engine, begin
from simulator.world import World

TRUTH = {
    "bots": ("kind", "activity", "sensitivity", "accuracy", "favourite", "taken_over", "first_harm"),
    "skills": ("developer", "harmful"),
    "links": ("harmful", "used", "benign"),
    "proposals": ("proposer", "good", "submitted", "ready", "executed"),
}
"""What of the world only the world may know; the texts of skills and the mail are read by those whose trade it is."""


class TouchedError(Exception):
    """Somebody looked at what nobody may know."""


class Secret:
    """Whatever is done with it raises."""

    def _no(self, *_: Any, **__: Any) -> Any:
        raise TouchedError

    __getattr__ = __getitem__ = __setitem__ = __len__ = __iter__ = __array__ = __bool__ = __int__ = __index__ = _no
    __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = __invert__ = __add__ = __radd__ = __sub__ = _no
    __lt__ = __le__ = __gt__ = __ge__ = __float__ = __contains__ = _no
    __eq__ = __ne__ = __hash__ = _no


def hide(world: World) -> list[tuple[Any, str, Any]]:
    """Puts secrets in the place of the truth; what was there."""
    kept = []
    for part, names in TRUTH.items():
        for name in names:
            record = getattr(world, part)
            kept.append((record, name, getattr(record, name)))
            setattr(record, name, Secret())
    return kept


def show(kept: list[tuple[Any, str, Any]]) -> None:
    for record, name, value in kept:
        setattr(record, name, value)


@contextmanager
def hidden(world: World) -> Iterator[None]:
    kept = hide(world)
    try:
        yield
    finally:
        show(kept)


def course(engine: Engine) -> tuple[list[str], str]:
    """All that was noted in a run, and the state at its end."""
    noted = [f"{h}" for _ in range(engine.scenario.ticks) for h in engine.step().happenings]
    return noted, engine.digest()


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> list[Engine]:
    """While the agents and humans act, the truth of the engines in this list is hidden from all but `truth`."""
    engines_: list[Engine] = []
    tick = teams.tick

    def blinded(team: Any, who: Any, around: teams.Around) -> Any:
        world = engines_[-1].state.world
        kept = hide(world)

        def truth(*asked: Any) -> Any:
            show(kept)
            try:
                return around.truth(*asked)
            finally:
                hide(world)

        given = {f.name: getattr(around, f.name) for f in fields(around)}
        try:
            return tick(team, who, teams.Around(**{**given, "truth": truth}))
        finally:
            show(kept)

    monkeypatch.setattr(teams, "tick", blinded)
    return engines_


MIXED = ("malicious=0.2", "ticks=160", "bots=300", *(f"mix.{k}=1.0" for k in goals.GOALS if k != goals.SKILL))
MIXED += ("skills.malicious=0.3", "skills.new_per_tick=0.3", "humans.reaction_ticks=5")


def test_agents_do_the_same_whether_the_truth_is_there_or_not(blind: list[Engine], monkeypatch: Any) -> None:
    scenario = goals.scenario_of("spammer", *MIXED)
    blind.append(begin(scenario, 3))
    noted, digest = course(blind[0])
    monkeypatch.undo()
    assert course(begin(scenario, 3)) == (noted, digest)
    # And there was something to do, for agents of all kinds.
    assert {"alarm", "contained", "audit", "human", "consensus", "reputation"} <= {
        n.split("kind='")[1].split("'")[0] for n in noted
    }


def test_who_looks_is_caught(blind: list[Engine], monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the test above would say nothing."""
    scenario = goals.scenario_of("spammer", *MIXED)
    blind.append(begin(scenario, 3))
    world, hunt = blind[0].state.world, threat_hunter.tick

    def cheat(state: threat_hunter.State, view: View) -> None:
        hunt(state, view)
        if view.tick == 5:
            np.flatnonzero(world.bots.kind > 1)

    monkeypatch.setattr(threat_hunter, "tick", cheat)
    with pytest.raises(TouchedError):
        course(blind[0])


@pytest.mark.parametrize(("part", "name"), [(p, n) for p, names in TRUTH.items() for n in names])
def test_a_secret_cannot_be_read(part: str, name: str) -> None:
    world = begin(goals.scenario_of("spammer", "bots=60", "committee_faults=1"), 1).state.world
    with hidden(world):
        secret = getattr(getattr(world, part), name)
        for look in (np.asarray, len, bool, int, lambda s: s[0], lambda s: s == 1, lambda s: s > 1, lambda s: s.any()):
            with pytest.raises(TouchedError):
                look(secret)
    assert not isinstance(getattr(getattr(world, part), name), Secret)


def reachable(thing: Any) -> list[Any]:
    """All that can be reached from something by its fields and attributes."""
    seen: dict[int, Any] = {}
    left = [thing]
    while left:
        one = left.pop()
        if id(one) in seen or isinstance(one, str | bytes | int | float | type | None) or callable(one):
            continue
        seen[id(one)] = one
        if isinstance(one, dict):
            left += [*one.keys(), *one.values()]
        elif isinstance(one, list | tuple | set | frozenset):
            left += one
        elif is_dataclass(one):
            left += [getattr(one, f.name, None) for f in fields(one)]
        elif hasattr(one, "__dict__"):
            left += vars(one).values()
    return list(seen.values())


def test_nothing_that_an_agent_holds_leads_to_the_truth(monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = goals.scenario_of("spammer", *MIXED, "ticks=100")
    engine, views, view_of = begin(scenario, 3), [], teams._view

    def watched(*asked: Any) -> View:
        views.append(view_of(*asked))
        return views[-1]

    monkeypatch.setattr(teams, "_view", watched)
    for _ in range(scenario.ticks):
        views.clear()
        engine.step()
    assert len(views) == 8
    state = engine.state.team
    agents = (state.intelligence, state.hunter, state.responder, state.coordination, state.enforcer)
    found = reachable([*views, *agents, state.tracker, state.auditor, state.bus])
    reached = [a for a in found if isinstance(a, np.ndarray)]
    assert len(reached) > 50
    assert not any(isinstance(thing, World) for thing in found)
    for part, names in TRUTH.items():
        for name in names:
            secret = getattr(getattr(engine.state.world, part), name)
            if isinstance(secret, np.ndarray):
                assert not any(np.shares_memory(secret, a) for a in reached if a.dtype != object), (part, name)
