"""A bundle and other numbers go in, the same bundle with these, verified again, comes out; or what they would break.

It is what `simulator.meta_loop` is handed, which has no verifier of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from policyctl.render_trace import render_trace
from policyctl.to_views import trace_view
from policydsl.core.expr import Ref, subterms
from policydsl.core.system import Property, System
from policydsl.core.to_json import digest, dumps
from policydsl.core.types import INT
from policydsl.interp import evaluate, initial, replay, violated
from policydsl.trace import Trace
from policydsl.trace_json import to_json
from runtime import amend
from runtime.bundle import Bundle, build, read
from simulator.meta_proof import Broken, Proof
from simulator.optimise_within import MEANS
from verifier.certificate import certificate
from verifier.solvers import Answers
from verifier.verdict import Refuted, Verification
from verifier.verify import Settings, verify, verify_with_proofs

SETTINGS = Settings(vacuity=False)
SEARCH = replace(SETTINGS.within(300_000), proofs=False, spacer_rlimit_last=300_000)
"""For what is refused anyway, and looked at only to say what it would break."""


@dataclass(frozen=True, slots=True)
class Reprove:
    """Verifies anew. `between` is about relations between numbers: its state has them, called as `MEANS` says."""

    between: System | None = None
    answers: Answers | None = None

    def __call__(self, bundle: Bundle, now: Mapping[str, int], amendment: Mapping[str, int]) -> Proof:
        wanted = {**now, **amendment}
        numbers = amend.numbers(bundle.policies)
        outside = amend.outside(numbers, amendment)
        if outside:
            return Proof("", b"", {}, {}, 0, tuple(self._outside(bundle, outside)), tuple(_words(outside, numbers)))
        parts, properties, unproved = [], 0, []
        digests, certificates = {}, {}
        broken: list[Broken] = []
        for policy in bundle.policies:
            system = amend.amended(policy.system, wanted)
            verification, proofs = verify_with_proofs(system, SETTINGS, answers=self.answers)
            text = dumps(certificate(system, verification, proofs).model_dump(mode="json"))
            parts.append((system, text))
            digests[system.name] = digest(system)
            certificates[system.name] = hashlib.sha256(text.encode()).hexdigest()
            properties += sum(o.as_expected for o in verification.outcomes)
            broken += _broken(system, verification)
            unproved += _open(verification)
        if self.between is not None:
            system = amend.begun(self.between, _named(wanted, self.between))
            verification, proofs = verify_with_proofs(system, SETTINGS, answers=self.answers)
            text = dumps(certificate(system, verification, proofs).model_dump(mode="json"))
            digests[system.name], certificates[system.name] = digest(system), hashlib.sha256(text.encode()).hexdigest()
            broken += self.relations(now, amendment)
            properties += sum(o.as_expected for o in verification.outcomes)
            unproved += _open(verification)
        if broken or unproved:
            return Proof("", b"", digests, certificates, properties, tuple(broken), tuple(unproved))
        data = build(parts)
        return Proof(read(data).digest, data, digests, certificates, properties)

    def relations(self, now: Mapping[str, int], amendment: Mapping[str, int]) -> tuple[Broken, ...]:
        if self.between is None:
            return ()
        before, after = (amend.begun(self.between, _named(v, self.between)) for v in (now, {**now, **amendment}))
        # What is so already is not what the amendment breaks.
        known = {b.property for b in _broken(before, verify(before, SETTINGS))}
        return tuple(b for b in _broken(after, verify(after, SETTINGS)) if b.property not in known)

    def _outside(self, bundle: Bundle, values: Mapping[str, int]) -> Iterator[Broken]:
        """What numbers that are outside their ranges would break."""
        for policy in bundle.policies:
            system = amend.pinned(policy.system, values)
            if system != policy.system:
                yield from _broken(system, verify(system, SEARCH))


def _words(outside: Mapping[str, int], numbers: Mapping[str, amend.Number]) -> Iterator[str]:
    for name, value in outside.items():
        n = numbers.get(name)
        yield f"{name} = {value} is outside {n.low}..{n.high}" if n else f"there is no parameter `{name}`"


def _broken(system: System, verification: Verification) -> Iterator[Broken]:
    for outcome in verification.outcomes:
        if outcome.as_expected or not isinstance(outcome.verdict, Refuted):
            continue
        trace = outcome.verdict.trace
        # SOUND: a run is shown only after the interpreter has replayed it; one of leads-to is broken by no finite run.
        assert not replay(system, trace)
        assert outcome.verdict.reason or violated(system, outcome.property, trace) is not None
        lines = render_trace(trace_view(system, trace), note=f"breaks `{outcome.property.name}`")
        yield Broken(
            system.name, outcome.property.name, (*_begins(system, outcome.property, trace), *lines), to_json(trace)
        )


def _begins(system: System, prop: Property, trace: Trace) -> Iterator[str]:
    """Of a run without a step, the numbers that the property is about."""
    if not trace.steps:
        state = initial(system, dict(trace.params), trace.start)
        read = {e.name: e for e in subterms(prop.expr) if isinstance(e, Ref) and e.type == INT}
        yield f"      start  {', '.join(f'{name} = {evaluate(e, state)}' for name, e in sorted(read.items()))}"


def _open(verification: Verification) -> list[str]:
    return [
        f"`{o.property.name}` of `{verification.system_name}` is {o.status}"
        for o in verification.outcomes
        if not o.as_expected and not isinstance(o.verdict, Refuted)
    ]


def _named(values: Mapping[str, int], relations: System) -> dict[str, int]:
    """The numbers under their names in the state of `relations`."""
    found = {}
    for var in relations.state:
        for name in (var.name.upper(), *MEANS.get(var.name, ())):
            if name in values:
                found[var.name] = values[name]
    return found
