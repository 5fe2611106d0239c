"""A member of the committee: a message or a clock that rang goes in, messages and clocks to set come out.

`step` and `ring` change the member that they are given and nothing else, and look at nothing but their arguments: the
same messages in the same order lead to the same states, and a copy of a member goes on as the member does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

from simulator.consensus.catch_up import call, lacks, on_checkpoint, on_decided, on_state, on_status
from simulator.consensus.messages import (
    Checkpoint,
    Commit,
    Decided,
    NewView,
    Prepare,
    PrePrepare,
    Request,
    Signed,
    State,
    Status,
    ViewChange,
)
from simulator.consensus.order import count, on_pre_prepare, on_request, on_vote
from simulator.consensus.state import VIEW, Effects, Replica
from simulator.consensus.views import on_new_view, on_view_change, start_change

Handler = Callable[[Replica, Signed, Effects], None]
HANDLERS: Mapping[type, Handler] = MappingProxyType(
    {
        PrePrepare: on_pre_prepare,
        Request: on_request,
        Checkpoint: on_checkpoint,
        ViewChange: on_view_change,
        NewView: on_new_view,
        Status: on_status,
        Decided: on_decided,
        State: on_state,
    }
)


def step(r: Replica, message: Signed) -> Effects:
    """Takes one message that the network delivered."""
    return [effect for _, out in steps([r], message) for effect in out]


def steps(members: Sequence[Replica], message: Signed) -> Iterator[tuple[Replica, Effects]]:
    """What each member does that a message reaches at one time; those that only take note of it are left out."""
    notary, body = members[0].sign.notary, message.body
    if not notary.trusts_network:
        members = [r for r in members if notary.genuine(message)]
    if type(body) is Prepare or type(body) is Commit:
        for r in on_vote(members, message):
            out: Effects = []
            count(r, body, out)
            yield r, out
        return
    handle = HANDLERS[type(body)]
    for r in members:
        out = []
        handle(r, message, out)
        yield r, out


def ring(r: Replica, kind: str, token: int) -> Effects:
    """A clock rang that was set by a `Wake`."""
    out: Effects = []
    if token == r.tokens[kind]:
        r.armed[kind] = False
        if kind != VIEW:
            call(r, out)
        elif r.changing or r.waiting:
            start_change(r, r.view + 1, out)
    return out


def is_idle(r: Replica) -> bool:
    """Whether the member waits for nothing."""
    return not lacks(r)
