"""Every run that the verifier finds against a flawed policy is stopped by an enforcer of the repaired one, at the
request at which the repaired policy says no."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from enforcing import ROOT, Clock, audit, bundle, enforcer, memory, settings, system

from policydsl.core.system import NOW, System
from policydsl.core.types import Value
from policydsl.interp import Request, initial, step, well_typed
from policydsl.trace import Trace
from runtime.decision import Code
from runtime.enforcer import Enforcer
from runtime.inputs import by_enforcer
from verifier.verdict import Refuted
from verifier.verify import verify

PAIRS = {
    flawed.relative_to(ROOT).as_posix(): flawed.relative_to(ROOT).as_posix().replace("_flawed", "_repaired")
    for flawed in sorted(ROOT.glob("specs/failures/*_flawed.policy"))
} | {
    "specs/mvg/seed_contract.policy": "specs/mvg/governance.policy",
    "specs/mvg/seed_reputation.policy": "specs/mvg/reputation.policy",
}


def given(s: System, trace: Trace) -> dict[str, dict[tuple[str, ...], Value]]:
    """What a run takes for granted, as far as it is for whoever runs the policy to say."""
    free = {v.name: v for v in s.state if v.init is None}
    found: dict[str, dict[tuple[str, ...], Value]] = {}
    for c in trace.start:
        if c.var in free and "*" not in c.keys and well_typed(c.value, free[c.var].type):
            found.setdefault(c.var, {})[c.keys] = c.value
    return found


def asked(s: System, action: str, inputs: Mapping[str, Value]) -> dict[str, Value]:
    """What a caller gives."""
    known = next((a for a in s.actions if a.name == action), None)
    own = by_enforcer(known) if known is not None else frozenset({NOW})
    return {n: v for n, v in inputs.items() if n not in own}


def completed(s: System, action: str, inputs: dict[str, Value], now: int) -> dict[str, Value]:
    """With the time, if the action has one in this policy."""
    timed = any(a.name == action and any(i.name == NOW for i in a.inputs) for a in s.actions)
    return inputs | {NOW: now} if timed else {n: v for n, v in inputs.items() if n != NOW}


def params(s: System, trace: Trace) -> dict[str, Value]:
    return {n: v for n, v in trace.params if n in {p.name for p in s.params}}


def refutations(path: str) -> list[Trace]:
    found = [o.verdict.trace for o in verify(system(path)).outcomes if isinstance(o.verdict, Refuted)]
    assert found, "nothing is refuted of it"
    return found


@pytest.mark.parametrize("flawed", PAIRS)
def test_what_breaks_the_flawed_policy_is_refused_by_the_repaired_one(flawed: str) -> None:
    repaired = system(PAIRS[flawed])
    for trace in refutations(flawed):
        clock, store = Clock(0), memory()
        chosen: dict[str, Any] = {"given": {repaired.name: given(repaired, trace)}}
        chosen["params"] = {repaired.name: params(repaired, trace)}
        e = enforcer(repaired, store=store, clock=clock, tolerance=0, **chosen)
        assert e.policies is not None
        state = initial(repaired, params(repaired, trace), e.policies.running[0].cells)
        refused = 0
        for s in trace.steps:
            inputs = dict(s.inputs)
            clock.now = int(inputs.get(NOW, 0))
            d = e.decide_request(s.action, asked(repaired, s.action, inputs))
            expected = step(repaired, state, Request(s.action, completed(repaired, s.action, inputs, clock.now)))
            state = expected.state
            assert {"approve": "pending"}.get(d.effect, d.effect) == expected.decision.effect, s
            refused += d.effect != "allow"
        assert refused, "the repaired policy lets it happen"
        audit(store, repaired)


@pytest.mark.parametrize("flawed", PAIRS)
def test_the_flawed_policy_lets_it_happen_and_is_not_enforced_unasked(flawed: str) -> None:
    own = system(flawed)
    assert Enforcer(bundle(own), None, settings(unproved=False)).fault is not None
    for trace in refutations(flawed):
        clock = Clock(0)
        chosen: dict[str, Any] = {"given": {own.name: given(own, trace)}, "params": {own.name: params(own, trace)}}
        e = enforcer(own, store=memory(), clock=clock, **chosen)
        for s in trace.steps:
            clock.now = int(dict(s.inputs).get(NOW, 0))
            d = e.decide_request(s.action, asked(own, s.action, dict(s.inputs)))
            effect = {"pending": "approve"}.get(s.decision.effect, s.decision.effect)
            assert (d.effect, d.reason) == (effect, s.decision.reason)
            assert d.code is not Code.INTERNAL
