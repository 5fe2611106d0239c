"""The face of the simulated gateway: a request as over HTTP goes in, a status and JSON come out.

These are the endpoints and message types of the framework for which the twin stands in. Whatever changes something is
asked of the enforcer, so what it denies is answered with 403 and its reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from simulator.agents.stigmergy import adapted, deposited
from simulator.engine import Engine
from simulator.layers.community import enlist
from simulator.layers.swarm import urgency

Answer = tuple[int, dict[str, Any]]

MESSAGES: Mapping[str, tuple[str, ...]] = {
    "gov_proposal": ("draft", "submit", "open_voting", "withdraw"),
    "gov_vote": ("vote", "vote_for", "stand", "step_down", "delegate", "revoke"),
    "gov_decision": (
        "close_voting",
        "execute",
        "monitor",
        "collect_feedback",
        "update_reputation",
        "penalise",
        "archive",
        "optimize",
        "settle",
    ),
    "gov_reputation": ("score", "report_conduct", "decay", "admit"),
    "gov_signal": ("signal", "emergency", "stand_down"),
    "gov_security": (
        "raise_alarm",
        "quarantine",
        "confirm",
        "let_out",
        "disable_skill",
        "enable_skill",
        "audit_skill",
        "suspend",
        "reinstate",
        "appoint",
    ),
    "gov_policy": (
        "lock_down",
        "lift_lockdown",
        "end_lockdown",
        "set_threat_level",
        "block_link",
        "unblock_link",
    ),
}
"""The types of governance messages, and the actions of the policy that travel in each. What bots do all day (`send`,
`use_skill`, `submit_skill`) is no message of governance."""


def messages(engine: Engine) -> dict[str, int]:
    """How many messages of each type were allowed in the whole run."""
    tallies = engine.gateway.tallies
    return {kind: sum(int(tallies[a][0]) for a in actions) for kind, actions in MESSAGES.items()}


def handle(engine: Engine, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
    """Answers one request, at the time of the last tick. Never raises for what is asked."""
    for verb, pattern, answer in ROUTES:
        found = re.fullmatch(pattern, path)
        if found and verb == method:
            numbers = [int(n) for n in found.groups()]
            try:
                return answer(engine, body or {}, *numbers)
            except (KeyError, TypeError, ValueError, OverflowError) as error:
                return 400, {"error": f"{type(error).__name__}: {error}"}
    return 404, {"error": f"there is no {method} {path}"}


def _proposals(engine: Engine, _body: Mapping[str, Any]) -> Answer:
    return 200, {"proposals": [_view(engine, n) for n in range(len(engine.state.world.proposals.proposer))]}


def _proposal(engine: Engine, _body: Mapping[str, Any], number: int) -> Answer:
    if number >= len(engine.state.world.proposals.proposer):
        return 404, {"error": f"there is no proposal {number}"}
    return 200, _view(engine, number)


def _view(engine: Engine, number: int) -> dict[str, Any]:
    read, world = engine.gateway.read, engine.state.world
    return {
        "id": number,
        "proposer": int(world.proposals.proposer[number]),
        "stage": engine.gateway.name("stage", int(read("stage")[number])),
        "yes": int(read("yes")[number]),
        "no": int(read("no")[number]),
        "quorum": engine.gateway.parameter("QUORUM"),
        "votingEndsAt": int(read("vote_end")[number]),
        "executedAt": int(world.proposals.executed[number]),
    }


def _propose(engine: Engine, body: Mapping[str, Any]) -> Answer:
    """A proposal of a bot; whether it is good is for others to find out, so it is not."""
    world, gateway = engine.state.world, engine.gateway
    principal = _bot(engine, body["principal"])
    (number,) = enlist(world, gateway, np.array([principal]), np.zeros(1, dtype=np.bool_)).tolist()
    steps: tuple[tuple[str, dict[str, int]], ...] = (
        ("draft", {"principal": principal, "what": 0}),
        ("submit", {"principal": principal}),
        ("open_voting", {}),
    )
    for action, inputs in steps:
        status, told = _asked(engine, action, {"proposal": number, **inputs})
        if status != 200:
            return status, told
    engine.state.layers.community.voting.append(number)
    return 201, _view(engine, number)


def _vote(engine: Engine, body: Mapping[str, Any], number: int) -> Answer:
    if number >= len(engine.state.world.proposals.proposer):
        return 404, {"error": f"there is no proposal {number}"}
    if not isinstance(body["support"], bool):
        raise TypeError("`support` is true or false")
    principal = _bot(engine, body["principal"])
    status, told = _asked(engine, "vote", {"principal": principal, "proposal": number, "support": body["support"]})
    return (status, told) if status != 200 else (200, _view(engine, number))


def _reputation(engine: Engine, _body: Mapping[str, Any], bot: int) -> Answer:
    if bot >= engine.who.all:
        return 404, {"error": f"there is no bot {bot}"}
    read, tracker = engine.gateway.read, engine.state.team.tracker
    root = tracker.roots[-1] if tracker is not None and tracker.roots else None
    return 200, {
        "bot": bot,
        "reputation": int(read("reputation")[bot]),
        "quarantined": bool(read("quarantined")[bot]),
        "root": root,
    }


def _metrics(engine: Engine, _body: Mapping[str, Any]) -> Answer:
    read, tallies = engine.gateway.read, engine.gateway.tallies
    return 200, {
        "tick": engine.tick,
        "members": engine.state.world.members,
        "quarantined": int(np.count_nonzero(read("quarantined"))),
        "threatLevel": int(read("threat_level")),
        "lockdown": bool(read("lockdown")),
        "emergency": bool(read("in_emergency")),
        "messages": messages(engine),
        "allowed": {action: int(t[0]) for action, t in tallies.items() if t[0]},
        "denied": {action: int(t[1:].sum()) for action, t in tallies.items() if t[1:].any()},
        "logRoot": engine.state.log.root,
    }


def _signals(engine: Engine, body: Mapping[str, Any]) -> Answer:
    principal = _bot(engine, body["principal"])
    channel = engine.scenario.channels.index(body["channel"])
    strength = body["strength"]
    if type(strength) is not int:
        raise TypeError("`strength` is a whole number")
    status, told = _asked(engine, "signal", {"principal": principal, "channel": channel, "strength": strength})
    if status == 200:
        found = engine.state.world.swarm
        found.strength = deposited(found.strength, [channel], adapted(strength, urgency(engine.gateway)))
        told = {"channel": body["channel"], "strength": float(found.strength[channel])}
    return status, told


def _alerts(engine: Engine, _body: Mapping[str, Any]) -> Answer:
    alarmed = engine.gateway.read("alarm.has")[: engine.who.all]
    raised = engine.gateway.read("alarm.value")[: engine.who.all]
    return 200, {"alerts": [{"bot": b, "raisedBy": int(raised[b])} for b in np.flatnonzero(alarmed).tolist()]}


def _asked(engine: Engine, action: str, inputs: Mapping[str, Any]) -> Answer:
    answers = engine.gateway.ask(action, **inputs)
    if answers.allowed[0]:
        return 200, {}
    return 403, {"error": engine.gateway.reason(action, int(answers.guard[0])), "action": action}


def _bot(engine: Engine, given: Any) -> int:
    if type(given) is not int or not 0 <= given < engine.who.all:
        raise ValueError(f"`principal` is the number of a bot, below {engine.who.all}")
    return given


ROUTES: tuple[tuple[str, str, Callable[..., Answer]], ...] = (
    ("GET", "/governance/proposals", _proposals),
    ("POST", "/governance/proposals", _propose),
    ("GET", r"/governance/proposals/(\d{1,9})", _proposal),
    ("POST", r"/governance/proposals/(\d{1,9})/vote", _vote),
    ("GET", r"/governance/reputation/(\d{1,9})", _reputation),
    ("GET", "/governance/metrics", _metrics),
    ("POST", "/governance/signals", _signals),
    ("GET", "/governance/security/alerts", _alerts),
)
