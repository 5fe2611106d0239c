"""Changing the leader: clocks that ran out and what others ask for go in, view changes and new views come out."""

from __future__ import annotations

from simulator.consensus.certificates import proposals, valid_change, valid_new_view
from simulator.consensus.messages import NewView, PrePrepare, Signed, ViewChange
from simulator.consensus.order import accept, propose
from simulator.consensus.state import RESEND, VIEW, Effects, Replica, arm, disarm, everyone


def start_change(r: Replica, view: int, out: Effects) -> None:
    """Gives up the leader, and says what may have been decided under it and before."""
    _leave_for(r, view)
    r.changing = True
    r.patience = min(2 * r.patience, r.settings.longest)
    certificates = tuple(r.prepared[seq] for seq in sorted(r.prepared))
    r.my_change = r.sign(ViewChange(view, r.stable, r.proof, certificates))
    _note(r, r.my_change, view)
    everyone(r.my_change, out)
    arm(r, RESEND, out)
    _settle(r, out)


def _leave_for(r: Replica, view: int) -> None:
    # SOUND: votes of earlier views are not counted from here on, so what was prepared is all in the message.
    r.view = view
    r.slots = {at: slot for at, slot in r.slots.items() if at[0] >= view}
    r.proposed = set()
    disarm(r, VIEW)


def _note(r: Replica, message: Signed, view: int) -> None:
    r.changes.setdefault(view, {}).setdefault(message.sender, message)
    r.asked[message.sender] = max(r.asked.get(message.sender, 0), view)


def on_view_change(r: Replica, message: Signed, out: Effects) -> None:
    body = message.body
    if type(body) is not ViewChange or not 0 <= message.sender < r.n or not _is_ahead(r, body.view):
        return
    if message.sender in r.changes.get(body.view, {}) or not valid_change(r.committee, message):
        return
    _note(r, message, body.view)
    # Of f+1 that have gone ahead one is correct: its clock ran out, and others must not leave it alone.
    higher = sorted(view for view in r.asked.values() if view > r.view)
    if len(higher) > (r.n - 1) // 3:
        start_change(r, higher[0], out)
    else:
        _settle(r, out)


def _is_ahead(r: Replica, view: int) -> bool:
    return view > r.view or (view == r.view and r.changing)


def _settle(r: Replica, out: Effects) -> None:
    """Waits for the new leader from when 2f+1 are as far, so that members do not run away from each other alone."""
    if not r.changing:
        return
    if sum(view >= r.view for view in r.asked.values()) >= r.quorum:
        arm(r, VIEW, out)
    changes = r.changes.get(r.view, {})
    if r.leads and len(changes) >= r.quorum:
        chosen = tuple(changes.values())[: r.quorum]
        _, due = proposals(chosen)
        made = tuple(r.sign(PrePrepare(r.view, seq, digest, request)) for seq, digest, request in due)
        message = r.sign(NewView(r.view, chosen, made))
        everyone(message, out)
        _enter(r, message, out)


def on_new_view(r: Replica, message: Signed, out: Effects) -> None:
    body = message.body
    if type(body) is NewView and _is_ahead(r, body.view) and valid_new_view(r.committee, message):
        _enter(r, message, out)


def _enter(r: Replica, message: Signed, out: Effects) -> None:
    body = message.body
    assert type(body) is NewView
    _leave_for(r, body.view)
    r.changing, r.new_view, r.my_change = False, message, None
    low, due = proposals(body.changes)
    r.top = due[-1][0] if due else low
    r.behind = max(r.behind, low)
    for proposal in body.proposals:
        accept(r, proposal, out)
    early = [r.early[at] for at in sorted(r.early) if at[0] == r.view]
    r.early = {at: proposal for at, proposal in r.early.items() if at[0] > r.view}
    for proposal in early:
        accept(r, proposal, out)
    r.changes = {view: changes for view, changes in r.changes.items() if view > r.view}
    if r.waiting:
        arm(r, VIEW, out)
    if r.waiting or r.behind > r.executed:
        arm(r, RESEND, out)
    propose(r, out)
