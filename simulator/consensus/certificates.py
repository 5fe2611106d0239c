"""Which messages prove what they claim: a signed message goes in, whether to believe it comes out."""

from __future__ import annotations

from typing import NamedTuple

from simulator.consensus.messages import (
    NOTHING,
    UNSIGNED_NOTHING,
    Checkpoint,
    Commit,
    Decided,
    Digest,
    NewView,
    Prepare,
    Prepared,
    PrePrepare,
    Request,
    Signed,
    State,
    ViewChange,
    as_client,
    digest_of,
    next_state,
)
from simulator.consensus.signatures import Notary


class Committee(NamedTuple):
    """Against what certificates are checked."""

    n: int
    window: int
    notary: Notary

    @property
    def quorum(self) -> int:
        # SOUND: any two sets of 2f+1 of 3f+1 members share f+1, so one that is correct.
        return 2 * ((self.n - 1) // 3) + 1


def valid_request(c: Committee, message: Signed) -> bool:
    body = message.body
    return type(body) is Request and message.sender == as_client(body.client) and c.notary.genuine(message)


def _votes(c: Committee, votes: tuple[Signed, ...], body: Prepare | Commit | Checkpoint, count: int) -> bool:
    """Whether `count` different members have signed this very body."""
    return len({v.sender for v in votes if 0 <= v.sender < c.n}) >= count and all(
        # A prepare and a commit are equal as tuples.
        type(v.body) is type(body) and v.body == body and c.notary.genuine(v)
        for v in votes
    )


def valid_pre_prepare(c: Committee, message: Signed, nothing: bool) -> bool:
    """Its leader signed it, and its digest is that of a client's request, or of nothing where that is allowed."""
    body = message.body
    if type(body) is not PrePrepare or message.sender != body.view % c.n or not c.notary.genuine(message):
        return False
    request = body.request
    if request == UNSIGNED_NOTHING:
        return nothing and body.digest == digest_of(NOTHING)
    return valid_request(c, request) and type(request.body) is Request and body.digest == digest_of(request.body)


def valid_prepared(c: Committee, certificate: Prepared) -> bool:
    pre, body = certificate.pre_prepare, certificate.pre_prepare.body
    if type(body) is not PrePrepare or not valid_pre_prepare(c, pre, nothing=body.view > 0):
        return False
    # SOUND: with the leader's own proposal these are 2f+1 voices, each of which proposes one request for a place.
    if any(v.sender == pre.sender for v in certificate.prepares):
        return False
    return _votes(c, certificate.prepares, Prepare(body.view, body.seq, body.digest), c.quorum - 1)


def valid_proof(c: Committee, seq: int, proof: tuple[Signed, ...]) -> bool:
    """Whether 2f+1 members have signed one checkpoint at `seq`; 0 needs no proof."""
    if seq == 0:
        return not proof
    first = proof[0].body if proof else None
    return type(first) is Checkpoint and first.seq == seq and _votes(c, proof, first, c.quorum)


def valid_change(c: Committee, message: Signed) -> bool:
    found = c.notary.remembered(message)
    if found is None:
        found = _valid_change(c, message)
        c.notary.remember(message, found)
    return found


def _valid_change(c: Committee, message: Signed) -> bool:
    body = message.body
    if type(body) is not ViewChange or not c.notary.genuine(message):
        return False
    if not valid_proof(c, body.stable, body.proof):
        return False
    seen: set[int] = set()
    for certificate in body.prepared:
        pre = certificate.pre_prepare.body
        if type(pre) is not PrePrepare or pre.view >= body.view or pre.seq in seen:
            return False
        if not body.stable < pre.seq <= body.stable + c.window or not valid_prepared(c, certificate):
            return False
        seen.add(pre.seq)
    return True


def proposals(changes: tuple[Signed, ...]) -> tuple[int, list[tuple[int, Digest, Signed]]]:
    """What a new view has to propose, from valid messages: the latest stable checkpoint, a request per place after it.

    SOUND: whatever is decided at a place above the checkpoint was prepared by f+1 correct members, one of which is
    among the 2f+1 senders; and no other request can have been prepared there in a later view.
    """
    low = max((m.body.stable for m in changes if type(m.body) is ViewChange), default=0)
    best: dict[int, PrePrepare] = {}
    for message in changes:
        for certificate in message.body.prepared if type(message.body) is ViewChange else ():
            pre = certificate.pre_prepare.body
            if type(pre) is PrePrepare and (pre.seq not in best or best[pre.seq].view < pre.view):
                best[pre.seq] = pre
    found = []
    for seq in range(low + 1, max(best, default=low) + 1):
        chosen = best.get(seq)
        found.append((seq, chosen.digest, chosen.request) if chosen else (seq, digest_of(NOTHING), UNSIGNED_NOTHING))
    return low, found


def valid_new_view(c: Committee, message: Signed) -> bool:
    found = c.notary.remembered(message)
    if found is None:
        found = _valid_new_view(c, message)
        c.notary.remember(message, found)
    return found


def _valid_new_view(c: Committee, message: Signed) -> bool:
    body = message.body
    if type(body) is not NewView or message.sender != body.view % c.n or not c.notary.genuine(message):
        return False
    senders = {m.sender for m in body.changes if 0 <= m.sender < c.n}
    if len(senders) < c.quorum or len(senders) != len(body.changes):
        return False
    for change in body.changes:
        if type(change.body) is not ViewChange or change.body.view != body.view or not valid_change(c, change):
            return False
    _, due = proposals(body.changes)
    made = []
    for proposal in body.proposals:
        pre = proposal.body
        if type(pre) is not PrePrepare or pre.view != body.view or not valid_pre_prepare(c, proposal, nothing=True):
            return False
        made.append((pre.seq, pre.digest, pre.request))
    return made == due


def valid_decided(c: Committee, body: Decided) -> bool:
    first = body.commits[0].body if body.commits else None
    if type(first) is not Commit or first.seq != body.seq or not _votes(c, body.commits, first, c.quorum):
        return False
    return type(body.request.body) is Request and first.digest == digest_of(body.request.body)


def missing(c: Committee, body: State, executed: int, state: Digest) -> tuple[Request, ...] | None:
    """The requests of a log that follow the first `executed` ones, or nothing if they do not lead to a proven state."""
    if not body.after <= executed < body.seq or len(body.requests) != body.seq - body.after:
        return None
    if not valid_proof(c, body.seq, body.proof):
        return None
    found = body.requests[executed - body.after :]
    for request in found:
        state = next_state(state, request)
    first = body.proof[0].body
    return found if type(first) is Checkpoint and first.state == state else None
