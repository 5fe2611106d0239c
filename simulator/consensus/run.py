"""One run of the protocol: a committee, its network, its traitors and requests go in, an outcome comes out.

Members are state machines (`replica.py`); here is what is around them: time, the network, clients, and the eye that
sees everything and checks, at every decision, that correct members agree and that somebody asked for what they decide.
Clients send a request to all members, and again to those that have not executed it; answers to clients are not modelled
as messages. Everything depends on the arguments alone, random times through `draw` (NOTE(counters)).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from simulator.consensus.byzantine import Fault, Traitor, receive, woken
from simulator.consensus.events import Events, pop, push
from simulator.consensus.messages import NOTHING, Request, Signed, as_client
from simulator.consensus.outcome import Decision, Outcome, Submission
from simulator.consensus.replica import ring, step
from simulator.consensus.signatures import Book, Notary, Signer
from simulator.consensus.state import Effects, Replica, Send, Settings, Wake
from simulator.network import NEVER, Network, departures, is_cut, travel
from simulator.random_streams import Draw

BLOCK = 4096
"""Messages whose times on the way are drawn at once."""


class Ask(int):
    """The number of a submission that its client sends, or sends again."""


Item = tuple[int, "Signed | Wake | Ask"]


@dataclass(slots=True)
class Run:
    nodes: np.ndarray[tuple[int], np.dtype[np.int64]]
    network: Network
    draw: Draw
    settings: Settings
    notary: Notary
    replicas: list[Replica]
    traitors: dict[int, Traitor]
    requests: list[Signed]
    open: set[Request]
    """What is not yet executed everywhere."""
    asked: frozenset[Request]
    deceitful: frozenset[int]
    """Bots of traitors: what they asked for as clients is not known."""
    events: Events[Item] = field(default_factory=Events)
    number: int = 0
    """Of the next message."""
    first: list[int] = field(default_factory=list)
    second: list[int] = field(default_factory=list)
    sent: dict[str, int] = field(default_factory=dict)
    delivered: int = 0
    seen: list[int] = field(default_factory=list)
    """How many decisions of each member were looked at."""
    log: list[Request] = field(default_factory=list)
    """The first decision for each place."""
    times: dict[Request, dict[int, int]] = field(default_factory=dict)
    """When which correct member executed what."""
    violations: list[str] = field(default_factory=list)


def decide(
    nodes: Sequence[int],
    network: Network,
    draw: Draw,
    submissions: Sequence[Submission],
    *,
    faults: Mapping[int, Fault] | None = None,
    settings: Settings | None = None,
    until: int = 60_000,
    notary: Notary | None = None,
) -> Outcome:
    """Runs until all correct members have executed all submissions, or the time `until` is reached.

    `nodes` are the bots of the committee, 3f+1 of them; the first leads. They are nodes of the network, as clients are.
    `faults` says which members (places in `nodes`) are traitors, as many as you like: with more than f, agreement may
    break, and the outcome says how. Times are milliseconds.
    """
    n = len(nodes)
    if n < 4 or n % 3 != 1 or len(set(nodes)) != n:
        raise ValueError("a committee has 3f+1 different members, f at least 1")
    if faults and not all(0 <= m < n for m in faults):
        raise ValueError("a traitor is not a member")
    faults, settings, notary = faults or {}, settings or Settings(), notary if notary is not None else Book()
    allies = frozenset(faults)
    requests = [Request(s.client, i, s.value) for i, s in enumerate(submissions)]
    run = Run(
        np.asarray(nodes, dtype=np.int64),
        network,
        draw,
        settings,
        notary,
        [Replica(m, n, Signer(notary, m), settings) for m in range(n)],
        {m: Traitor(fault, allies, Signer(notary, as_client(nodes[m])), nodes[m]) for m, fault in faults.items()},
        [notary.sign(as_client(request.client), request) for request in requests],
        set(requests),
        frozenset(requests) | {NOTHING},
        frozenset(nodes[m] for m in faults),
        seen=[0] * n,
    )
    for number, submission in enumerate(submissions):
        push(run.events, submission.time, (submission.client, Ask(number)))
    while run.events.times and run.events.times[0] <= until and not _is_over(run):
        _advance(run)
    return _outcome(run, submissions, until)


def _is_over(run: Run) -> bool:
    return not run.open


def _honest(run: Run) -> int:
    return len(run.replicas) - len(run.traitors)


def _advance(run: Run) -> None:
    """Everything that happens at the next moment."""
    replicas, traitors, seen = run.replicas, run.traitors, run.seen
    for to, what in pop(run.events):
        if type(what) is Ask:
            _ask(run, to, what)
            continue
        r = replicas[to]
        if type(what) is Signed:
            run.delivered += 1
            effects = receive(traitors[to], r, what) if to in traitors else step(r, what)
        else:
            assert type(what) is Wake
            kind, token, _ = what
            effects = woken(traitors[to], r, kind, token) if to in traitors else ring(r, kind, token)
        if effects:
            _carry_out(run, to, effects)
        if len(r.history) != seen[to]:
            _look(run, to)


def _ask(run: Run, client: int, number: Ask) -> None:
    request = run.requests[number]
    assert type(request.body) is Request
    done = run.times.get(request.body, {})
    left = [m for m in range(len(run.replicas)) if m not in done]
    if any(m not in run.traitors for m in left):
        _send(run, client, request, left, run.events.now)
        push(run.events, run.events.now + run.settings.timeout, (client, number))


def _carry_out(run: Run, member: int, effects: Effects) -> None:
    now = run.events.now
    for effect in effects:
        if isinstance(effect, Wake):
            push(run.events, now + effect.after, (member, effect))
        elif _may_send(run, member, effect):
            to = [m for m in range(len(run.replicas)) if m != member] if effect.to is None else list(effect.to)
            _send(run, int(run.nodes[member]), effect.message, to, now + effect.delay)


def _may_send(run: Run, member: int, effect: Send) -> bool:
    # SOUND: receivers believe the network about the sender, so it delivers nothing that is forged.
    return member not in run.traitors or run.notary.genuine(effect.message)


def _send(run: Run, node: int, message: Signed, to: list[int], now: int) -> None:
    name, count = type(message.body).__name__, len(to)
    run.sent[name] = run.sent.get(name, 0) + count
    at = run.number % BLOCK
    leave = None
    if run.network.partitions and is_cut(run.network, now):
        leave = departures(run.network, node, run.nodes[to], now).tolist()
    for i, receiver in enumerate(to):
        at = run.number % BLOCK
        if not at:
            numbers = np.arange(run.number, run.number + BLOCK)
            run.first, run.second = (times.tolist() for times in travel(run.network, run.draw, numbers))
        run.number += 1
        start = now if leave is None else leave[i]
        if start == NEVER or run.first[at] == NEVER:
            continue
        push(run.events, start + run.first[at], (receiver, message))
        if run.second[at] != NEVER:
            push(run.events, start + run.second[at], (receiver, message))


def _look(run: Run, member: int) -> None:
    """Checks new decisions of a member and writes down when they were made."""
    history = run.replicas[member].history
    new = range(run.seen[member], len(history))
    run.seen[member] = len(history)
    if member in run.traitors:
        return
    for place in new:
        request = history[place]
        if place == len(run.log):
            run.log.append(request)
            if request not in run.asked and request.client not in run.deceitful:
                run.violations.append(f"validity: nobody asked for {request}, decided at {place + 1}")
        elif run.log[place] != request:
            run.violations.append(f"agreement: {run.log[place]} and {request} are decided at {place + 1}")
        times = run.times.setdefault(request, {})
        times.setdefault(member, run.events.now)
        if len(times) == _honest(run):
            run.open.discard(request)


def _outcome(run: Run, submissions: Sequence[Submission], until: int) -> Outcome:
    f = (len(run.replicas) - 1) // 3
    decisions = []
    for submission, message in zip(submissions, run.requests):
        assert type(message.body) is Request
        times = sorted(run.times.get(message.body, {}).values())
        decisions.append(
            Decision(
                message.body,
                submission.time,
                times[0] if times else None,
                times[f] if len(times) > f else None,
                times[-1] if len(times) == _honest(run) else None,
            )
        )
    return Outcome(
        tuple(decisions),
        tuple(() if r.me in run.traitors else tuple(r.history) for r in run.replicas),
        tuple(run.violations),
        tuple(r.view for r in run.replicas),
        dict(sorted(run.sent.items())),
        run.delivered,
        run.events.now if _is_over(run) else until,
    )
