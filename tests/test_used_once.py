"""Lemmas about things that are used once: what is fresh has left no traces."""

from __future__ import annotations

import pytest
from checked import program

from policydsl.core.system import System
from policydsl.interp import replay, start_faults
from verifier.certificate import certificate
from verifier.recheck import recheck
from verifier.used_once import likely
from verifier.verdict import Proved, Refuted
from verifier.verify import Settings, verify_with_proofs

TICKETS = """
entity Person
entity Service
entity Ticket

state ticket    : Service -> Ticket? = none
state used      : Ticket -> Bool = false
state requester : Service -> Person? = none
state approvals : Service -> Int = 0
state approved  : (Ticket, Person) -> Bool = false

action request(principal: Person, service: Service, t: Ticket) {
  require not used[t]
  used[t] := true
  ticket[service] := t
  requester[service] := principal
  approvals[service] := 0
}

action approve(principal: Person, service: Service) {
  require ticket[service] has t
  require requester[service] != principal
  require not approved[t, principal]
  approved[t, principal] := true
  approvals[service] += 1
}

invariant four_eyes:
  forall s: Service, p: Person . requester[s] == p and ticket[s] has t implies not approved[t, p]
invariant counted:
  forall s: Service, t: Ticket . ticket[s] == t implies approvals[s] == count(p: Person where approved[t, p])
"""


def tickets(old: str = "", new: str = "") -> System:
    assert old in TICKETS
    return program(TICKETS.replace(old, new) if old else TICKETS).system


def test_what_is_fresh_has_left_no_traces() -> None:
    system = tickets()
    verification, proofs = verify_with_proofs(system)
    for outcome in verification.outcomes:
        assert isinstance(outcome.verdict, Proved)
        assert 1 <= len(outcome.verdict.lemmas) <= 4
    assert [r for r in recheck(certificate(system, verification, proofs)) if r.fault] == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  used[t] := true\n", ""),
        ("  require not used[t]\n", ""),
        ("  used[t] := true\n", "  used[t] := false\n"),
        ("  require requester[service] != principal\n", ""),
        ("  approvals[service] += 1\n", "  approvals[service] += 1\n  used[t] := false\n"),
    ],
)
def test_what_is_used_again_is_refuted(old: str, new: str) -> None:
    system = tickets(old, new)
    verdicts = [o.verdict for o in verify_with_proofs(system, Settings(proofs=False))[0].outcomes]
    refuted = [v.trace for v in verdicts if isinstance(v, Refuted)]
    assert refuted
    for trace in refuted:
        assert replay(system, trace) == start_faults(system, trace) == []


def test_only_marks_are_believed_to_be_such() -> None:
    assert {name.partition(" ")[0] for name, _ in likely(tickets())} >= {"ticket.value", "approved"}
    assert likely(tickets("  used[t] := true\n", "  used[t] := false\n")) == ()
    assert likely(tickets("  require not used[t]\n", "")) == ()
    assert likely(tickets("-> Bool = false\nstate requester", "-> Bool = any\nstate requester")) == ()
