"""What the enforcer answers: an effect, a stable code, the rules behind it with their places, and what must be done."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from policydsl.core.types import Value


class Code(Enum):
    """Why a decision is what it is. Codes never change their meaning, so programs may depend on them."""

    ALLOWED = "allowed"
    FAIL_OPEN = "allowed.fail_open"  # it only reads, and the state cannot be kept
    # The policy said no. What is meant is in `reason` and `rules`.
    REQUIRED = "denied.require"
    FORBIDDEN = "denied.forbid"
    LIMITED = "denied.limit"
    NOT_PERMITTED = "denied.default"
    TOGETHER = "denied.together"  # it would be allowed, but not what was asked together with it
    # A person has to answer, or nobody can.
    APPROVAL = "approval.required"
    NO_ROUTE = "approval.no_route"
    APPROVAL_LATE = "approval.late"
    REFUSED = "approval.refused"
    # The request is not one that the policy knows.
    UNKNOWN_ACTION = "request.unknown_action"
    MISSING_INPUT = "request.missing_input"
    UNKNOWN_INPUT = "request.unknown_input"
    ILL_TYPED = "request.ill_typed"
    OUT_OF_RANGE = "request.assumption"
    CLOCK = "request.clock_back"
    KEY_REUSED = "request.key_reused"
    RESERVATION = "reservation.unknown"
    # Something else had to be done, and nobody did it.
    OBLIGATION = "obligation.undischarged"
    TRANSFORM = "transform.unsettled"
    # The enforcer itself is in no state to allow anything.
    LOCKDOWN = "lockdown"
    BUNDLE = "bundle.invalid"
    UNPROVED = "bundle.unproved"
    STORE = "store.unavailable"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that determined a decision, and where it stands in the policy ("" when it stands nowhere)."""

    name: str
    place: str = ""


@dataclass(frozen=True, slots=True)
class Duty:
    """Something to be done beside: `quarantine(skill)`, `notify(principal)`."""

    name: str
    args: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True)
class Basis:
    """What a decision rests on: digests of the policy and of its certificate; `verified` says all of it is proved.

    A denial that is none of any policy rests on all that are in force: `a, b`, with their digests in the same order.
    """

    system: str
    policy: str
    certificate: str
    verified: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to one request.

    `effect` is "allow", "deny" or "approve" (a person must answer; see `ticket`). `transform` holds the inputs that
    the request must be made with instead of its own, if any. `serial` is the number of the record in the decision
    log, or -1 without one. `shadow` says that the answer was not enforced: `allowed` is then true whatever `effect`.
    `repeated` says that a request with the same key was given it before: what it allowed may have been done already.
    """

    effect: str
    code: Code
    reason: str = ""
    rules: tuple[Rule, ...] = ()
    obligations: tuple[Duty, ...] = ()
    transform: tuple[tuple[str, Value], ...] = ()
    basis: Basis | None = None
    ticket: str = ""
    serial: int = -1
    shadow: bool = False
    repeated: bool = field(default=False, compare=False)

    @property
    def allowed(self) -> bool:
        return self.shadow or self.effect == "allow"

    @property
    def policy(self) -> str:
        """The digest of the policy that it rests on, "" if there is none."""
        return self.basis.policy if self.basis else ""

    @property
    def proof(self) -> str:
        """The digest of the certificate by which all that the policy promises is proved, "" if not all is."""
        return self.basis.certificate if self.basis and self.basis.verified else ""
