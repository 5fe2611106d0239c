"""The normal case: proposals, prepares and commits of a view go in, votes and decisions come out."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.consensus.certificates import valid_pre_prepare, valid_request
from simulator.consensus.checkpoints import append, make_checkpoint, progressed
from simulator.consensus.messages import (
    NOTHING,
    Commit,
    Decided,
    Prepare,
    Prepared,
    PrePrepare,
    Request,
    Signed,
    digest_of,
)
from simulator.consensus.state import RESEND, VIEW, Effects, Replica, Slot, arm, everyone


def on_request(r: Replica, message: Signed, out: Effects) -> None:
    request = message.body
    if type(request) is Request and request not in r.done and valid_request(r.committee, message):
        wait_for(r, message, request, out)
        propose(r, out)


def wait_for(r: Replica, message: Signed, request: Request, out: Effects) -> None:
    r.waiting.setdefault(request, message)
    arm(r, RESEND, out)
    if not r.changing:
        arm(r, VIEW, out)


def propose(r: Replica, out: Effects) -> None:
    """The leader gives every request that waits a place, as far as the window reaches."""
    if not r.leads or r.changing:
        return
    for request, message in list(r.waiting.items()):
        # What is accepted here may be decided at once, if its votes came before.
        if request in r.proposed or request in r.done:
            continue
        if r.top >= r.stable + r.settings.window:
            break
        r.top += 1
        proposal = r.sign(PrePrepare(r.view, r.top, digest_of(request), message))
        everyone(proposal, out)
        accept(r, proposal, out)


def on_pre_prepare(r: Replica, message: Signed, out: Effects) -> None:
    body = message.body
    if type(body) is not PrePrepare or body.view < r.view or not _in_window(r, body.seq):
        return
    if not valid_pre_prepare(r.committee, message, nothing=False):
        return
    if body.view > r.view or r.changing:
        r.early.setdefault((body.view, body.seq), message)
    else:
        accept(r, message, out)


def accept(r: Replica, message: Signed, out: Effects) -> None:
    """Takes a valid proposal of this view as the only one for its place."""
    body = message.body
    if type(body) is not PrePrepare or not _in_window(r, body.seq):
        return
    slot = r.slots.setdefault((body.view, body.seq), Slot())
    # SOUND: one proposal for a place in a view, ever; this is the member's voice in every certificate.
    if slot.proposal is not None:
        return
    slot.proposal, slot.digest = message, body.digest
    request = body.request.body
    if type(request) is Request and request != NOTHING:
        r.proposed.add(request)
        if request not in r.done:
            wait_for(r, body.request, request, out)
    if message.sender != r.me:
        vote = r.sign(Prepare(body.view, body.seq, body.digest))
        slot.prepares.setdefault(body.digest, {})[r.me] = vote
        everyone(vote, out)
    _count(r, body, slot, out)


def on_vote(members: Sequence[Replica], message: Signed) -> list[Replica]:
    """Notes a prepare or commit with each member that it reached; those for whom it may be the last that it needed."""
    if not members or not counts(members[0].n, message):
        return []
    return [r for r in members if note(r, message.body, (message,))]  # type: ignore[arg-type]


def counts(n: int, message: Signed) -> bool:
    """Whether a prepare or commit is the voice of a member."""
    # SOUND: the leader's voice is its proposal; it has no second one.
    leads = type(message.body) is Prepare and message.sender == message.body.view % n
    return 0 <= message.sender < n and not leads


def note(r: Replica, body: Prepare | Commit, votes: Sequence[Signed]) -> bool:
    """Notes votes for one thing; whether they may be enough."""
    view, seq, digest = body
    prepares = type(body) is Prepare
    slot = r.slots.get((view, seq))
    if slot is None:
        if view < r.view or not _in_window(r, seq):
            return False
        slot = r.slots[view, seq] = Slot()
    elif slot.prepared if prepares else slot.committed:
        return False
    ballots = slot.prepares if prepares else slot.commits
    known = ballots.get(digest)
    if known is None:
        known = ballots[digest] = {}
    for vote in votes:
        known[vote.sender] = vote
    if slot.digest != digest:
        return False
    return len(known) >= r.quorum - 1 if prepares else slot.prepared and len(known) >= r.quorum


def is_settled(r: Replica, body: Prepare | Commit) -> bool:
    """Whether votes for this change nothing any more, ever."""
    slot = r.slots.get((body.view, body.seq))
    if slot is None:
        return body.view < r.view or body.seq <= r.stable
    return slot.prepared if type(body) is Prepare else slot.committed


def count(r: Replica, at: PrePrepare | Prepare | Commit, out: Effects) -> None:
    """Goes as far with a place of this view as its votes allow."""
    slot = r.slots.get((at.view, at.seq))
    # Two copies of a vote may arrive at once: with the first one the place may have been settled.
    if slot is not None:
        _count(r, at, slot, out)


def _count(r: Replica, at: PrePrepare | Prepare | Commit, slot: Slot, out: Effects) -> None:
    proposal, digest = slot.proposal, slot.digest
    if proposal is None or digest is None or type(proposal.body) is not PrePrepare:
        return
    if not slot.prepared:
        votes = slot.prepares.get(digest, {})
        if len(votes) < r.quorum - 1:
            return
        slot.prepared = True
        r.prepared[at.seq] = Prepared(proposal, tuple(votes.values())[: r.quorum - 1])
        vote = r.sign(Commit(at.view, at.seq, digest))
        slot.commits.setdefault(digest, {})[r.me] = vote
        everyone(vote, out)
    votes = slot.commits.get(digest, {})
    if len(votes) >= r.quorum and not slot.committed:
        slot.committed = True
        decide(r, Decided(at.seq, proposal.body.request, tuple(votes.values())[: r.quorum]), out)


def decide(r: Replica, decided: Decided, out: Effects) -> None:
    """Executes what is decided, in the order of places without a gap."""
    if decided.seq <= r.executed:
        return
    r.decided.setdefault(decided.seq, decided)
    r.behind = max(r.behind, decided.seq)
    before = r.executed
    while (following := r.decided.get(r.executed + 1)) is not None:
        request = following.request.body
        assert type(request) is Request
        append(r, request)
        make_checkpoint(r, out)
    if r.executed == before:
        arm(r, RESEND, out)
        return
    progressed(r, out)
    propose(r, out)


def _in_window(r: Replica, seq: int) -> bool:
    return r.stable < seq <= r.stable + r.settings.window
