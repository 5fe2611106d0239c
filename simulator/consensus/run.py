"""One run of the protocol: a committee, its network, its traitors and requests go in, an outcome comes out.

Members are state machines (`replica.py`); here is what is around them: time, the network, clients, and the eye that
sees everything and checks, at every decision, that correct members agree and that somebody asked for what they decide.
Clients send a request to all members, and again to those that have not executed it; answers to clients are not modelled
as messages. Everything depends on the arguments alone, random times through `draw` (NOTE(counters)).

`decide` does it in one go. A simulation that goes on meanwhile uses `begin`, `submit`, `advance` and `outcome`; a `Run`
between two of them is data, which can be copied or pickled and goes on alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from simulator.consensus.byzantine import Fault, Traitor, receive, woken
from simulator.consensus.events import Events, pop, push, push_each
from simulator.consensus.messages import NOTHING, Commit, Prepare, Request, Signed, as_client
from simulator.consensus.order import count, counts, is_settled, note
from simulator.consensus.outcome import Decision, Outcome, Submission
from simulator.consensus.piles import Pile, look, pile, put, take
from simulator.consensus.replica import ring, steps
from simulator.consensus.signatures import Book, Notary, Signer
from simulator.consensus.state import Effects, Replica, Send, Settings, Wake
from simulator.consensus.transport import Members, Transport, arrivals, by_time
from simulator.network import NEVER, Network
from simulator.random_streams import Draw


class Ask(NamedTuple):
    """A client sends a submission, or sends it again."""

    number: int


class Vote(NamedTuple):
    """A vote on a pile reaches somebody."""

    pile: Pile
    number: int


Item = tuple[list[int], "Signed | Vote | Wake | Ask"]
"""To whom what happens; a message that arrives at several members at once is one item."""
PILED = 32
"""A committee of so many members has piles for votes (NOTE(piles))."""


@dataclass(slots=True)
class Run:
    transport: Transport
    settings: Settings
    notary: Notary
    replicas: list[Replica]
    traitors: dict[int, Traitor]
    others: list[Members]
    """The members to which each member sends what is for everybody."""
    submissions: list[Submission] = field(default_factory=list)
    requests: list[Signed] = field(default_factory=list)
    open: set[Request] = field(default_factory=set)
    """What is not yet executed everywhere."""
    piled: bool = False
    """Whether votes lie on piles."""
    piles: dict[tuple[type, Prepare | Commit], Pile] = field(default_factory=dict)
    events: Events[Item] = field(default_factory=Events)
    until: int = 0
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
    """Runs until all correct members have executed all submissions, or the time `until` is reached."""
    run = begin(nodes, network, draw, faults=faults, settings=settings, notary=notary)
    for submission in submissions:
        submit(run, submission)
    advance(run, until)
    return outcome(run)


def begin(
    nodes: Sequence[int],
    network: Network,
    draw: Draw,
    *,
    faults: Mapping[int, Fault] | None = None,
    settings: Settings | None = None,
    notary: Notary | None = None,
) -> Run:
    """A committee at time 0. Times are milliseconds.

    `nodes` are the bots of the committee, 3f+1 of them; the first leads. They are nodes of the network, as clients are.
    `faults` says which members (places in `nodes`) are traitors, as many as you like: with more than f, agreement may
    break, and the outcome says how.
    """
    # NumPy's numbers have another text, and so another digest.
    nodes, n = [int(node) for node in nodes], len(nodes)
    if n < 4 or n % 3 != 1 or len(set(nodes)) != n:
        raise ValueError("a committee has 3f+1 different members, f at least 1")
    faults, settings, book = faults or {}, settings or Settings(), notary if notary is not None else Book()
    if not all(0 <= m < n for m in faults):
        raise ValueError("a traitor is not a member")
    allies = frozenset(faults)
    return Run(
        Transport(network, draw, np.array(nodes, dtype=np.int64)),
        settings,
        book,
        [Replica(m, n, Signer(book, m), settings) for m in range(n)],
        {m: Traitor(fault, allies, Signer(book, as_client(nodes[m])), nodes[m]) for m, fault in faults.items()},
        [np.delete(np.arange(n), member) for member in range(n)],
        # With signatures that receivers check each of them looks at each vote.
        piled=n >= PILED and book.trusts_network,
        seen=[0] * n,
    )


def submit(run: Run, submission: Submission) -> None:
    """A client will ask, later than anything that was looked at."""
    time, client, value = int(submission.time), int(submission.client), submission.value
    number = len(run.requests)
    request = Request(client, number, value)
    push(run.events, time, ([], Ask(number)))
    run.submissions.append(Submission(time, client, value))
    run.requests.append(run.notary.sign(as_client(client), request))
    run.open.add(request)


def advance(run: Run, until: int) -> None:
    """Lets time go on to `until`, or to when all correct members have executed everything that was submitted."""
    run.until = max(run.until, until)
    while run.open and run.events.times and run.events.times[0] <= until:
        _next(run)


def _honest(run: Run) -> int:
    return len(run.replicas) - len(run.traitors)


def _next(run: Run) -> None:
    """Everything that happens at the next moment."""
    for receivers, what in pop(run.events):
        match what:
            case Vote():
                _count(run, what.pile, what.number)
            case Signed():
                _deliver(run, receivers, what)
            case Wake(kind, token, _):
                to = receivers[0]
                r, traitor = run.replicas[to], run.traitors.get(to)
                _take(run, to)
                _carry_out(run, to, woken(traitor, r, kind, token) if traitor else ring(r, kind, token))
            case Ask():
                _ask(run, what)


def _deliver(run: Run, receivers: list[int], message: Signed) -> None:
    run.delivered += len(receivers)
    members, traitors = [run.replicas[to] for to in receivers], run.traitors
    if traitors:
        members = [r for r in members if r.me not in traitors]
    if members:
        for r in members if run.piles else ():
            _take(run, r.me)
        for r, out in steps(members, message):
            _did(run, r, out)
    for to in receivers if traitors else ():
        if to in traitors:
            _carry_out(run, to, receive(traitors[to], run.replicas[to], message))


def _count(run: Run, votes: Pile, number: int) -> None:
    """A vote on a pile has its turn."""
    if votes.now != run.events.now:
        run.delivered += look(votes, run.events.now)
    votes.handled = number
    for member in votes.due.get(number, ()):
        if not votes.settled[member]:
            r = run.replicas[member]
            out: Effects = []
            # Of all piles: with enough prepares, commits that came before may be enough, too.
            _take(run, member)
            count(r, votes.body, out)
            _did(run, r, out)
            votes.settled[member] = is_settled(r, votes.body)


def _take(run: Run, member: int) -> None:
    """A member takes all votes that have reached it."""
    for votes in run.piles.values():
        if votes.held[member] and not votes.settled[member]:
            note(run.replicas[member], votes.body, take(votes, member, run.events.now))


def _did(run: Run, r: Replica, effects: Effects) -> None:
    if effects:
        _carry_out(run, r.me, effects)
    if len(r.history) != run.seen[r.me]:
        _look(run, r)


def _ask(run: Run, what: Ask) -> None:
    message = run.requests[what.number]
    request = message.body
    assert type(request) is Request
    left = [m for m in range(len(run.replicas)) if m not in run.times.get(request, ())]
    if request in run.open:
        _send(run, request.client, message, np.array(left, dtype=np.int64), run.events.now)
        push(run.events, run.events.now + run.settings.timeout, ([], what))


def _carry_out(run: Run, member: int, effects: Effects) -> None:
    now = run.events.now
    for effect in effects:
        if isinstance(effect, Wake):
            push(run.events, now + effect.after, ([member], effect))
        elif _may_send(run, member, effect):
            to = run.others[member] if effect.to is None else np.array(effect.to, dtype=np.int64)
            _send(run, int(run.transport.nodes[member]), effect.message, to, now + effect.delay)


def _may_send(run: Run, member: int, effect: Send) -> bool:
    # SOUND: receivers believe the network about the sender, so it delivers nothing that is forged.
    return member not in run.traitors or run.notary.genuine(effect.message)


def _send(run: Run, node: int, message: Signed, to: Members, now: int) -> None:
    name = type(message.body).__name__
    run.sent[name] = run.sent.get(name, 0) + len(to)
    arriving = arrivals(run.transport, node, to, now)
    body = message.body
    if run.piled and isinstance(body, Prepare | Commit) and counts(len(run.replicas), message):
        votes = _pile(run, body)
        correct = ~votes.outside[to]
        for times in arriving:
            there = correct & (times != NEVER)
            number, moments = put(votes, message, to[there], times[there])
            push_each(run.events, moments, ([], Vote(votes, number)))
        to, arriving = to[~correct], [times[~correct] for times in arriving]
    for time, receivers in by_time(to, arriving).items():
        push(run.events, time, (receivers, message))


def _pile(run: Run, body: Prepare | Commit) -> Pile:
    """The pile for such votes."""
    # Prepares and commits are equal as tuples.
    found = run.piles.get((type(body), body))
    if found is None:
        run.piles = {key: votes for key, votes in run.piles.items() if not votes.settled.all()}
        # A member has its own vote, too, and a prepare less is needed than a commit, for the leader sends none.
        enough = run.replicas[0].quorum - (2 if type(body) is Prepare else 1)
        found = run.piles[type(body), body] = pile(body, len(run.replicas), enough, run.traitors)
    return found


def _look(run: Run, r: Replica) -> None:
    """Checks new decisions of a correct member and writes down when they were made."""
    history, member = r.history, r.me
    new = range(run.seen[member], len(history))
    run.seen[member] = len(history)
    for place in new:
        request = history[place]
        if place == len(run.log):
            run.log.append(request)
            if not _was_asked(run, request):
                run.violations.append(f"validity: nobody asked for {request}, decided at {place + 1}")
        elif run.log[place] != request:
            run.violations.append(f"agreement: {run.log[place]} and {request} are decided at {place + 1}")
        times = run.times.setdefault(request, {})
        times.setdefault(member, run.events.now)
        if len(times) == _honest(run):
            run.open.discard(request)


def _was_asked(run: Run, request: Request) -> bool:
    """What traitors ask for as clients is not known, and may be anything."""
    known = 0 <= request.number < len(run.requests) and run.requests[request.number].body == request
    return known or request == NOTHING or any(t.client == request.client for t in run.traitors.values())


def outcome(run: Run) -> Outcome:
    """What has come of it by now."""
    f = (len(run.replicas) - 1) // 3
    decisions = []
    for submission, message in zip(run.submissions, run.requests):
        assert type(message.body) is Request
        times = sorted(run.times.get(message.body, {}).values())
        first, certain = (times[k] if len(times) > k else None for k in (0, f))
        last = times[-1] if message.body not in run.open else None
        decisions.append(Decision(message.body, submission.time, first, certain, last))
    return Outcome(
        tuple(decisions),
        tuple(() if r.me in run.traitors else tuple(r.history) for r in run.replicas),
        tuple(run.violations),
        tuple(r.view for r in run.replicas),
        dict(sorted(run.sent.items())),
        run.delivered,
        run.until if run.open else run.events.now,
    )
