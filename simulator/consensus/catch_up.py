"""Sending again: a call of somebody who waits goes in, what it lacks comes out; and what others sent is taken in.

Messages may be lost here, and members cut off for long. Whoever waits calls from time to time (`Status`), and everybody
answers with messages that prove themselves: decisions, the state at a checkpoint, the message that began the view; or
with its own votes once more.
"""

from __future__ import annotations

from simulator.consensus.certificates import missing, valid_decided
from simulator.consensus.checkpoints import append, count_checkpoint, progressed, stabilise
from simulator.consensus.messages import Decided, Signed, State, Status
from simulator.consensus.order import decide, propose
from simulator.consensus.state import RESEND, Effects, Replica, Send, arm, everyone


def lacks(r: Replica) -> bool:
    return bool(r.waiting) or r.changing or r.behind > r.executed


def call(r: Replica, out: Effects) -> None:
    """Asks everybody, and says once more that it gives up the leader, if it does."""
    if lacks(r):
        everyone(r.sign(Status(r.view, r.changing, r.stable, r.executed)), out)
        if r.changing and r.my_change is not None:
            everyone(r.my_change, out)
        arm(r, RESEND, out)


def on_status(r: Replica, message: Signed, out: Effects) -> None:
    body, to = message.body, (message.sender,)
    if type(body) is not Status or not 0 <= message.sender < r.n or message.sender == r.me or body.executed < 0:
        return
    if body.executed < r.stable:
        log = tuple(r.history[body.executed : r.stable])
        out.append(Send(r.sign(State(body.executed, r.stable, log, r.proof)), to))
    elif body.stable < r.stable:
        out.extend(Send(checkpoint, to) for checkpoint in r.proof)
    for votes in r.checkpoints.values():
        if r.me in votes:
            out.append(Send(votes[r.me], to))
    for seq in sorted(r.decided):
        if seq > body.executed:
            out.append(Send(r.sign(r.decided[seq]), to))
    if r.changing:
        if r.my_change is not None and r.view >= body.view:
            out.append(Send(r.my_change, to))
    elif r.new_view is not None and (r.view, False) > (body.view, not body.changing):
        out.append(Send(r.new_view, to))
    if not r.changing and r.view == body.view:
        _votes_again(r, body.executed, to, out)


def _votes_again(r: Replica, executed: int, to: tuple[int, ...], out: Effects) -> None:
    # In order of places: the order in which votes for them came does not count (NOTE(piles)).
    for view, seq in sorted(r.slots):
        slot = r.slots[view, seq]
        if view != r.view or seq <= executed or seq in r.decided or slot.proposal is None or slot.digest is None:
            continue
        if r.leads:
            out.append(Send(slot.proposal, to))
        for votes in (slot.prepares, slot.commits):
            mine = votes.get(slot.digest, {}).get(r.me)
            if mine is not None:
                out.append(Send(mine, to))


def on_decided(r: Replica, message: Signed, out: Effects) -> None:
    body = message.body
    if type(body) is Decided and body.seq > r.executed and body.seq not in r.decided:
        if valid_decided(r.committee, body):
            decide(r, body, out)


def on_state(r: Replica, message: Signed, out: Effects) -> None:
    body = message.body
    if type(body) is not State:
        return
    requests = missing(r.committee, body, r.executed, r.state)
    if requests is None:
        return
    for request in requests:
        append(r, request)
    stabilise(r, body.seq, body.proof)
    progressed(r, out)
    following = r.decided.get(r.executed + 1)
    if following is not None:
        decide(r, following, out)
    propose(r, out)


def on_checkpoint(r: Replica, message: Signed, out: Effects) -> None:
    count_checkpoint(r, message, out)
    propose(r, out)
