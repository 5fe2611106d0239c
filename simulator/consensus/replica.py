"""A member of the committee: a message or a clock that rang goes in, messages and clocks to set come out.

`step` and `ring` change the member that they are given and nothing else, and look at nothing but their arguments: the
same messages in the same order lead to the same states, and a copy of a member goes on as the member does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
from simulator.consensus.order import on_commit, on_pre_prepare, on_prepare, on_request
from simulator.consensus.signatures import Notary
from simulator.consensus.state import VIEW, Effects, Replica
from simulator.consensus.views import on_new_view, on_view_change, start_change

Handler = Callable[[Replica, Signed, Effects], None]
HANDLERS: Mapping[type, Handler] = MappingProxyType(
    {
        Commit: on_commit,
        Prepare: on_prepare,
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
    out: Effects = []
    handler(r.sign.notary, message)(r, message, out)
    return out


def handler(notary: Notary, message: Signed) -> Handler:
    """What `step` does with a message: the same for all receivers, so it can be looked up once."""
    return HANDLERS[type(message.body)] if notary.trusts_network else _look_first


def _look_first(r: Replica, message: Signed, out: Effects) -> None:
    if r.sign.notary.genuine(message):
        HANDLERS[type(message.body)](r, message, out)


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
