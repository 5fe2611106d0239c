"""What one member of a committee remembers, and what a step of it can ask for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from simulator.consensus.certificates import Committee
from simulator.consensus.messages import Decided, Digest, Prepared, Request, Signed
from simulator.consensus.signatures import Signer
from simulator.network import Latency


@dataclass(frozen=True, slots=True)
class Settings:
    """Times in milliseconds."""

    timeout: int = 400
    """How long a request may wait before its leader is given up; twice as long in each view without a decision."""
    resend: int = 200
    """How long to wait before calling for what is lacking; longer as the patience is."""
    longest: int = 32
    """How often the time-out fits into the longest patience. It must be enough for a change of views."""
    interval: int = 16
    """Places from one checkpoint to the next."""
    window: int = 32
    """Places beyond the stable checkpoint on which members work."""

    def __post_init__(self) -> None:
        if min(self.timeout, self.resend, self.longest, self.interval) < 1 or self.window < self.interval:
            raise ValueError("settings are 1 or more, and a window has an interval at least")


def settings_for(latency: Latency) -> Settings:
    """Patience that suits a network: some five rounds of slow messages."""
    slow = latency.base + latency.median * (1 + 2 * latency.sigma)
    return Settings(timeout=int(20 * slow), resend=int(10 * slow))


class Send(NamedTuple):
    message: Signed
    to: tuple[int, ...] | None
    """Members, or all others."""
    delay: int = 0
    """Honest members send at once."""


class Wake(NamedTuple):
    """Call back after some time with the token; only the newest token of a kind counts."""

    kind: str
    token: int
    after: int


Effects: TypeAlias = list[Send | Wake]
VIEW, RESEND = "view", "resend"
"""The two clocks of a member: the patience with a leader, and calls for what it lacks."""

Votes: TypeAlias = dict[Digest, dict[int, Signed]]


@dataclass(slots=True)
class Slot:
    """One place in one view."""

    proposal: Signed | None = None
    digest: Digest | None = None
    prepares: Votes = field(default_factory=dict)
    commits: Votes = field(default_factory=dict)
    prepared: bool = False
    committed: bool = False


@dataclass(slots=True)
class Replica:
    me: int
    n: int
    sign: Signer
    settings: Settings
    view: int = 0
    changing: bool = False
    """Whether `view` is only asked for yet."""
    slots: dict[tuple[int, int], Slot] = field(default_factory=dict)
    early: dict[tuple[int, int], Signed] = field(default_factory=dict)
    """Proposals for views in which this member is not yet."""
    waiting: dict[Request, Signed] = field(default_factory=dict)
    """What clients asked for and is not executed, in the order of arrival."""
    proposed: set[Request] = field(default_factory=set)
    """What was proposed in this view."""
    top: int = 0
    """The last place for which the leader of this view has made a proposal."""
    history: list[Request] = field(default_factory=list)
    """What was decided, place by place from 1 on."""
    done: set[Request] = field(default_factory=set)
    state: Digest = bytes(32)
    decided: dict[int, Decided] = field(default_factory=dict)
    prepared: dict[int, Prepared] = field(default_factory=dict)
    """The certificate of the highest view for each place above the stable checkpoint."""
    stable: int = 0
    proof: tuple[Signed, ...] = ()
    checkpoints: dict[tuple[int, Digest], dict[int, Signed]] = field(default_factory=dict)
    states: dict[int, Digest] = field(default_factory=dict)
    """The member's own state at checkpoints that are not stable."""
    changes: dict[int, dict[int, Signed]] = field(default_factory=dict)
    asked: dict[int, int] = field(default_factory=dict)
    """The highest view for which each member has asked."""
    my_change: Signed | None = None
    new_view: Signed | None = None
    """What began this view."""
    behind: int = 0
    """The last place of which this member knows that it is decided."""
    patience: int = 1
    """How many time-outs the leader has."""
    tokens: dict[str, int] = field(default_factory=lambda: {VIEW: 0, RESEND: 0})
    armed: dict[str, bool] = field(default_factory=lambda: {VIEW: False, RESEND: False})

    quorum: int = field(init=False)

    def __post_init__(self) -> None:
        self.quorum = self.committee.quorum

    @property
    def committee(self) -> Committee:
        return Committee(self.n, self.settings.window, self.sign.notary)

    @property
    def executed(self) -> int:
        return len(self.history)

    @property
    def leads(self) -> bool:
        return self.view % self.n == self.me


def arm(r: Replica, kind: str, out: Effects) -> None:
    """Starts a clock that does not run."""
    if not r.armed[kind]:
        r.armed[kind] = True
        r.tokens[kind] += 1
        time = r.settings.timeout if kind == VIEW else r.settings.resend
        out.append(Wake(kind, r.tokens[kind], r.patience * time))


def disarm(r: Replica, kind: str) -> None:
    r.armed[kind] = False
    r.tokens[kind] += 1


def everyone(message: Signed, out: Effects) -> None:
    out.append(Send(message, None))
