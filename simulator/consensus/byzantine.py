"""Members that do not follow the protocol: what an honest member would do goes in, what they do instead comes out.

They know who their allies are and may say anything to anybody, but sign in their own name alone (NOTE(signatures)).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from simulator.consensus.messages import (
    Body,
    Commit,
    Decided,
    NewView,
    Prepare,
    Prepared,
    PrePrepare,
    Request,
    Signed,
    ViewChange,
    digest_of,
)
from simulator.consensus.replica import ring, step
from simulator.consensus.signatures import Signer
from simulator.consensus.state import Effects, Replica, Send, Wake
from simulator.consensus.views import start_change


class Fault(Enum):
    SILENT = "silent"
    """Says nothing."""
    EQUIVOCATE = "equivocate"
    """As leader proposes different requests to halves of the members; votes for everything it sees, at once."""
    CONFLICT = "conflict"
    """Votes for one thing to some and for another to others."""
    DELAY = "delay"
    """Honest, but late: up to thrice the patience of the others."""
    LIE = "lie"
    """Hides what it prepared, forges certificates and decisions, begins views as it likes."""


@dataclass(frozen=True, slots=True)
class Traitor:
    fault: Fault
    allies: frozenset[int]
    """Itself among them."""
    as_client: Signer
    """A member can be a client of the committee too."""
    client: int


def receive(t: Traitor, r: Replica, message: Signed) -> Effects:
    """What the traitor does with a message; `r` is the honest member that it would be."""
    if t.fault is Fault.SILENT:
        return []
    out = _twisted(t, r, step(r, message))
    if t.fault is Fault.EQUIVOCATE and type(message.body) is PrePrepare:
        out += _vote_for(r, message.body)
    if t.fault is Fault.LIE and type(message.body) is Request:
        out += _forged_decision(t, r)
        start_change(r, r.view + 1, out)
    return out


def woken(t: Traitor, r: Replica, kind: str, token: int) -> Effects:
    return [] if t.fault is Fault.SILENT else _twisted(t, r, ring(r, kind, token))


def _twisted(t: Traitor, r: Replica, effects: Effects) -> Effects:
    out: Effects = []
    for effect in effects:
        if isinstance(effect, Wake):
            out.append(effect)
            continue
        match t.fault:
            case Fault.EQUIVOCATE:
                out += _two_proposals(t, r, effect)
            case Fault.CONFLICT:
                out += _two_votes(t, r, effect)
            case Fault.DELAY:
                # Members are late by different times, the same in every run.
                late = 7919 * (r.executed + len(out) + r.me + 1) % (3 * r.settings.timeout)
                out.append(effect._replace(delay=late))
            case Fault.LIE:
                out += _lies(t, r, effect)
            case Fault.SILENT:
                pass
    return out


def _halves(t: Traitor, r: Replica) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The other members in two parts, with allies in both."""
    honest = [m for m in range(r.n) if m not in t.allies]
    friends = [m for m in t.allies if m != r.me]
    middle = (len(honest) + 1) // 2
    return tuple(sorted(honest[:middle] + friends)), tuple(sorted(honest[middle:] + friends))


def _own_request(t: Traitor, number: int) -> Signed:
    return t.as_client(Request(t.client, number, "mine"))


def _two_proposals(t: Traitor, r: Replica, effect: Send) -> Effects:
    body = effect.message.body
    if type(body) is PrePrepare and effect.message.sender == r.me:
        left, right = _halves(t, r)
        mine = _own_request(t, body.seq)
        assert type(mine.body) is Request
        other = PrePrepare(body.view, body.seq, digest_of(mine.body), mine)
        return [
            Send(effect.message, left),
            Send(r.sign(other), right),
            *_vote_for(r, body),
            *_vote_for(r, other),
        ]
    if type(body) in {Prepare, Commit} and effect.message.sender == r.me:
        return []
    return [effect]


def _vote_for(r: Replica, body: PrePrepare) -> Effects:
    at = (body.view, body.seq, body.digest)
    return [Send(r.sign(Prepare(*at)), None), Send(r.sign(Commit(*at)), None)]


def _two_votes(t: Traitor, r: Replica, effect: Send) -> Effects:
    body = effect.message.body
    if type(body) is not Prepare and type(body) is not Commit:
        return [effect]
    left, right = _halves(t, r)
    other = r.sign(body._replace(digest=digest_of(Request(t.client, body.seq, "other"))))
    return [Send(effect.message, left), Send(other, right), Send(other, left[:1])]


def _forged(name: int, body: Body, like: Signed) -> Signed:
    """A message in the name of somebody else, with a signature that is genuine elsewhere."""
    return Signed(name, body, like.signature)


def _lies(t: Traitor, r: Replica, effect: Send) -> Effects:
    body, left_right = effect.message.body, _halves(t, r)
    left, right = left_right
    if type(body) is ViewChange and effect.to is None:
        nothing = r.sign(ViewChange(body.view, 0, (), ()))
        made_up = r.sign(body._replace(prepared=(_forged_certificate(t, r, body, effect.message),)))
        return [Send(nothing, left), Send(made_up, right)]
    if type(body) is NewView:
        mine = _own_request(t, body.view)
        assert type(mine.body) is Request
        place = body.proposals[0].body.seq if body.proposals and type(body.proposals[0].body) is PrePrepare else 1
        proposal = r.sign(PrePrepare(body.view, place, digest_of(mine.body), mine))
        other = r.sign(body._replace(proposals=(proposal, *body.proposals[1:])))
        fewer = r.sign(NewView(body.view, body.changes[1:], (proposal,)))
        return [Send(other, left), Send(fewer, right)]
    return [effect]


def _forged_certificate(t: Traitor, r: Replica, body: ViewChange, like: Signed) -> Prepared:
    view, seq = body.view - 1, body.stable + 1
    mine = _own_request(t, seq)
    assert type(mine.body) is Request
    digest = digest_of(mine.body)
    leader = view % r.n
    pre = PrePrepare(view, seq, digest, mine)
    signed = r.sign(pre) if leader == r.me else _forged(leader, pre, like)
    voters = [m for m in range(r.n) if m != leader][: r.quorum - 1]
    vote = Prepare(view, seq, digest)
    return Prepared(signed, tuple(r.sign(vote) if m == r.me else _forged(m, vote, like) for m in voters))


def _forged_decision(t: Traitor, r: Replica) -> Effects:
    """All that would make half of the members decide what nobody proposed, in the names of the others."""
    seq, leader = r.executed + 1, r.view % r.n
    mine = _own_request(t, seq)
    assert type(mine.body) is Request
    at = (r.view, seq, digest_of(mine.body))
    own = r.sign(Commit(*at))
    everybody = [m for m in range(r.n) if m != r.me]
    votes = (own, *(_forged(m, Commit(*at), own) for m in everybody))
    proposal = PrePrepare(*at, mine)
    messages = [
        r.sign(proposal) if leader == r.me else _forged(leader, proposal, own),
        *(_forged(m, Prepare(*at), own) for m in everybody),
        *votes,
        r.sign(Decided(seq, mine, votes[: r.quorum])),
    ]
    _, right = _halves(t, r)
    return [Send(message, right) for message in messages]
