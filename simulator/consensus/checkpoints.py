"""Checkpoints: a member's memory goes in, and comes out without what 2f+1 members have shown to be settled."""

from __future__ import annotations

from simulator.consensus.messages import Checkpoint, Request, Signed, next_state
from simulator.consensus.state import RESEND, VIEW, Effects, Replica, arm, disarm, everyone


def append(r: Replica, request: Request) -> None:
    """The request is decided for the next place; it takes effect unless it did so before."""
    r.history.append(request)
    r.state = next_state(r.state, request)
    r.waiting.pop(request, None)
    r.done.add(request)


def make_checkpoint(r: Replica, out: Effects) -> None:
    if r.executed % r.settings.interval == 0:
        r.states[r.executed] = r.state
        message = r.sign(Checkpoint(r.executed, r.state))
        everyone(message, out)
        count_checkpoint(r, message, out)


def count_checkpoint(r: Replica, message: Signed, out: Effects) -> None:
    body = message.body
    if type(body) is not Checkpoint or not 0 <= message.sender < r.n:
        return
    if body.seq <= r.stable or body.seq % r.settings.interval:
        return
    votes = r.checkpoints.setdefault((body.seq, body.state), {})
    votes[message.sender] = message
    if len(votes) < r.quorum:
        return
    if r.states.get(body.seq) == body.state:
        stabilise(r, body.seq, tuple(votes.values())[: r.quorum])
    elif body.seq > r.executed:
        r.behind = max(r.behind, body.seq)
        arm(r, RESEND, out)


def stabilise(r: Replica, seq: int, proof: tuple[Signed, ...]) -> None:
    """Forgets what led to `seq`."""
    r.stable, r.proof = seq, proof
    r.slots = {at: slot for at, slot in r.slots.items() if at[1] > seq}
    r.early = {at: message for at, message in r.early.items() if at[1] > seq}
    r.decided = {at: decided for at, decided in r.decided.items() if at > seq}
    r.prepared = {at: certificate for at, certificate in r.prepared.items() if at > seq}
    r.states = {at: state for at, state in r.states.items() if at > seq}
    r.checkpoints = {at: votes for at, votes in r.checkpoints.items() if at[0] > seq}


def progressed(r: Replica, out: Effects) -> None:
    """Something was decided: the leader has earned as much patience as at first, and nobody needs to be called yet."""
    r.patience = 1
    disarm(r, RESEND)
    if r.waiting or r.changing or r.behind > r.executed:
        arm(r, RESEND, out)
    if not r.changing:
        disarm(r, VIEW)
        if r.waiting:
            arm(r, VIEW, out)
