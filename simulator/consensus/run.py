"""One run of the protocol: a committee, its network, its traitors and requests go in, an outcome comes out.

Members are state machines (`replica.py`); here is what is around them: time, the network, clients, and the eye that
sees everything and checks, at every decision, that correct members agree and that somebody asked for what they decide.
Clients send a request to all members, and again to those that have not executed it; answers to clients are not modelled
as messages. Everything depends on the arguments alone, random times through `draw` (NOTE(counters)).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from simulator.consensus.byzantine import Fault, Traitor, receive, woken
from simulator.consensus.events import Events, pop, push
from simulator.consensus.messages import NOTHING, Request, Signed, as_client
from simulator.consensus.outcome import Decision, Outcome, Submission
from simulator.consensus.replica import ring, steps
from simulator.consensus.signatures import Book, Notary, Signer
from simulator.consensus.state import Effects, Replica, Send, Settings, Wake
from simulator.network import NEVER, Network, departures, is_cut, travel
from simulator.random_streams import Draw

FEW, MANY = 128, 8192
"""For how many messages times on the way are drawn at once, first and later."""


class Ask(NamedTuple):
    """A client sends a submission, or sends it again."""

    number: int


Item = tuple[list[int], "Signed | Wake | Ask"]
"""To whom what happens; a message that arrives at several members at once is one item."""


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
    others: list[list[int]]
    events: Events[Item] = field(default_factory=Events)
    drawn: int = 0
    """For how many messages times were drawn; how many of those in the lists are used."""
    used: int = 0
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
        [[m for m in range(n) if m != member] for member in range(n)],
        seen=[0] * n,
    )
    for number, submission in enumerate(submissions):
        push(run.events, submission.time, ([], Ask(number)))
    while run.events.times and run.events.times[0] <= until and not _is_over(run):
        _advance(run)
    return _outcome(run, submissions, until)


def _is_over(run: Run) -> bool:
    return not run.open


def _honest(run: Run) -> int:
    return len(run.replicas) - len(run.traitors)


def _advance(run: Run) -> None:
    """Everything that happens at the next moment."""
    for receivers, what in pop(run.events):
        match what:
            case Signed():
                _deliver(run, receivers, what)
            case Wake(kind, token, _):
                to = receivers[0]
                r, traitor = run.replicas[to], run.traitors.get(to)
                _carry_out(run, to, woken(traitor, r, kind, token) if traitor else ring(r, kind, token))
            case Ask():
                _ask(run, what)


def _deliver(run: Run, receivers: list[int], message: Signed) -> None:
    run.delivered += len(receivers)
    members, traitors = [run.replicas[to] for to in receivers], run.traitors
    if traitors:
        members = [r for r in members if r.me not in traitors]
    if members:
        for r, out in steps(members, message):
            if out:
                _carry_out(run, r.me, out)
            if len(r.history) != run.seen[r.me]:
                _look(run, r)
    for to in receivers if traitors else ():
        if to in traitors:
            _carry_out(run, to, receive(traitors[to], run.replicas[to], message))


def _ask(run: Run, what: Ask) -> None:
    message = run.requests[what.number]
    request = message.body
    assert type(request) is Request
    left = [m for m in range(len(run.replicas)) if m not in run.times.get(request, ())]
    if request in run.open:
        _send(run, request.client, message, left, run.events.now)
        push(run.events, run.events.now + run.settings.timeout, ([], what))


def _carry_out(run: Run, member: int, effects: Effects) -> None:
    now = run.events.now
    for effect in effects:
        if isinstance(effect, Wake):
            push(run.events, now + effect.after, ([member], effect))
        elif _may_send(run, member, effect):
            to = run.others[member] if effect.to is None else list(effect.to)
            _send(run, int(run.nodes[member]), effect.message, to, now + effect.delay)


def _may_send(run: Run, member: int, effect: Send) -> bool:
    # SOUND: receivers believe the network about the sender, so it delivers nothing that is forged.
    return member not in run.traitors or run.notary.genuine(effect.message)


def _send(run: Run, node: int, message: Signed, to: list[int], now: int) -> None:
    name = type(message.body).__name__
    run.sent[name] = run.sent.get(name, 0) + len(to)
    first, second = _times(run, len(to))
    arrivals: dict[int, list[int]] = {}
    if run.network.partitions and is_cut(run.network, now):
        for receiver, start, one, two in zip(to, _leave(run, node, to, now), first, second):
            for time in (one, two):
                if start != NEVER != time:
                    arrivals.setdefault(start + time, []).append(receiver)
    else:
        for receiver, time in zip(to, first):
            at = arrivals.get(time)
            if at is None:
                arrivals[time] = [receiver]
            else:
                at.append(receiver)
        if run.network.duplicates:
            for receiver, time in zip(to, second):
                arrivals.setdefault(time, []).append(receiver)
        arrivals.pop(NEVER, None)
        arrivals = {now + time: receivers for time, receivers in arrivals.items()}
    for time, receivers in arrivals.items():
        push(run.events, time, (receivers, message))


def _leave(run: Run, node: int, to: list[int], now: int) -> list[int]:
    found: list[int] = departures(run.network, node, run.nodes[to], now).tolist()
    return found


def _times(run: Run, count: int) -> tuple[list[int], list[int]]:
    """How long the next messages, and their copies, are on the way."""
    while len(run.first) - run.used < count:
        end = run.drawn + min(max(count, run.drawn, FEW), MANY)
        first, second = travel(run.network, run.draw, np.arange(run.drawn, end))
        run.first, run.second = run.first[run.used :] + first.tolist(), run.second[run.used :] + second.tolist()
        run.drawn, run.used = end, 0
    part = slice(run.used, run.used + count)
    run.used += count
    return run.first[part], run.second[part]


def _look(run: Run, r: Replica) -> None:
    """Checks new decisions of a correct member and writes down when they were made."""
    history, member = r.history, r.me
    new = range(run.seen[member], len(history))
    run.seen[member] = len(history)
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
