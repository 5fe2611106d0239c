"""What governs and what is shown for it: a gateway and certificates go in, what is wrong with the proofs comes out.

Digests alone say that a certificate is about a policy, not that it proves anything: whoever writes both makes them fit.
So a `Verifier` is handed in that works through the certificates with a second solver. Without one, digests are all that
is looked at, and the record of a run says so.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from policydsl.core.system import System
from policydsl.core.to_json import digest
from runtime.bundle import BundleError, build, read
from simulator.gateway import Gateway


@dataclass(frozen=True, slots=True)
class Verifier:
    """Whoever checks certificates: `faults` says what is wrong with the text of one, nothing if all of it holds."""

    name: str
    faults: Callable[[str], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Certificate:
    """The text that is shown for a policy, and its digest."""

    text: str
    digest: str


def certificate(text: str) -> Certificate:
    return Certificate(text, hashlib.sha256(text.encode()).hexdigest())


@dataclass(slots=True)
class Proofs:
    """The proofs of what is in force in a gateway. Only what has changed is worked through again."""

    gateway: Gateway
    shown: tuple[Certificate, ...]
    """The certificate of each of its policies."""
    verifier: Verifier | None = None
    _known: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """Another one whenever a policy, its certificate or a parameter is another one."""
        found = hashlib.blake2b(json.dumps(self.gateway.params, sort_keys=True).encode(), digest_size=8)
        for enforcer, proof in zip(self.gateway.enforcers, self.shown, strict=True):
            found.update(f"{digest(enforcer.system)} {proof.digest}\n".encode())
        return found.hexdigest()

    def faults(self) -> tuple[str, ...]:
        """What is wrong; nothing if all that the policies promise is proved of them, with these parameters."""
        pairs = zip(self.gateway.enforcers, self.shown, strict=True)
        found = [fault for enforcer, proof in pairs for fault in self._of_policy(enforcer.system, proof)]
        for name, (low, high) in self.gateway.ranges.items():
            # SOUND: the proofs are for parameters inside their ranges.
            if not low <= self.gateway.parameter(name) <= high:
                found.append(f"`{name}` is {self.gateway.parameter(name)}, and the proofs are for {low} to {high}")
        return tuple(found)

    def _of_policy(self, system: System, proof: Certificate) -> tuple[str, ...]:
        key = digest(system), proof.digest
        if key not in self._known:
            self._known[key] = faults(system, proof.text, self.verifier)
        return self._known[key]


def faults(system: System, text: str, verifier: Verifier | None) -> tuple[str, ...]:
    """What is wrong with a certificate as the proof of all that a policy promises."""
    try:
        # SOUND: read as any bundle is: the certificate is about this very core, and says that all it promises holds.
        policy = read(build([(system, text)])).policies[0]
    except BundleError as error:
        return (str(error),)
    if policy.unproved:
        return (f"`{policy.unproved[0]}` of `{system.name}` is not proved",)
    # SOUND: what the certificate says is believed only when the verifier has worked through it.
    found = () if verifier is None else verifier.faults(text)
    if not found:
        return ()
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    return (f"the certificate of `{system.name}` does not hold: {found[0]}{more}",)
