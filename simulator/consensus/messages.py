"""What members of a committee tell each other: plain tuples, each signed by its sender as a whole.

Names are those of the paper. `view` says who leads (member `view % n`), `seq` is the place in the log that is decided,
and `digest` stands for a request.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple, TypeAlias

Digest: TypeAlias = bytes


class Request(NamedTuple):
    """What a client asks the committee to decide; `number` tells requests of one client apart."""

    client: int
    number: int
    value: str


class PrePrepare(NamedTuple):
    view: int
    seq: int
    digest: Digest
    request: Signed
    """Signed by its client."""


class Prepare(NamedTuple):
    view: int
    seq: int
    digest: Digest


class Commit(NamedTuple):
    view: int
    seq: int
    digest: Digest


class Checkpoint(NamedTuple):
    seq: int
    state: Digest
    """The state after `seq`."""


class Prepared(NamedTuple):
    """A certificate: no other request can have been decided at this place in this view or before."""

    pre_prepare: Signed
    prepares: tuple[Signed, ...]
    """Of 2f members other than the leader."""


class ViewChange(NamedTuple):
    view: int
    stable: int
    """The last stable checkpoint of the sender, with the 2f+1 messages that show it (none for 0)."""
    proof: tuple[Signed, ...]
    prepared: tuple[Prepared, ...]


class NewView(NamedTuple):
    view: int
    changes: tuple[Signed, ...]
    proposals: tuple[Signed, ...]
    """Pre-prepares of the new view, for all places that may have been decided."""


class Status(NamedTuple):
    """A call for what the sender lacks. The paper leaves sending again to the implementation."""

    view: int
    changing: bool
    stable: int
    executed: int


class Decided(NamedTuple):
    """One decision, with the commits of 2f+1 members: whoever missed it needs nothing else."""

    seq: int
    request: Signed
    commits: tuple[Signed, ...]


class State(NamedTuple):
    """The log from `after` to the stable checkpoint `seq`, for those who come so late that its messages are gone."""

    after: int
    seq: int
    requests: tuple[Request, ...]
    proof: tuple[Signed, ...]


Body: TypeAlias = Request | PrePrepare | Prepare | Commit | Checkpoint | ViewChange | NewView | Status | Decided | State


class Signed(NamedTuple):
    sender: int
    """The number of a member, or `as_client` of a client."""
    body: Body
    signature: int | bytes


NOTHING = Request(-1, 0, "")
"""What a new view proposes where nothing was prepared. Deciding it does nothing."""
NOBODY = -1
UNSIGNED_NOTHING = Signed(NOBODY, NOTHING, b"")


def as_client(client: int) -> int:
    """The name under which a client signs, different from those of members."""
    return -2 - client


def digest_of(request: Request) -> Digest:
    return hashlib.sha256(repr(tuple(request)).encode()).digest()


def next_state(state: Digest, request: Request) -> Digest:
    """A state is the chain of what was decided."""
    return hashlib.sha256(state + digest_of(request)).digest()
