"""Lemmas that are guessed: protocols of flags are proved without a word from their authors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from policydsl.core.system import PropertyKind, System
from tests.checked import program
from verifier import infer
from verifier.certificate import certificate
from verifier.guesses import guess
from verifier.recheck import recheck
from verifier.verdict import Proved
from verifier.verify import verify_with_proofs

ROOT = Path(__file__).parent.parent

STORE = """
entity Node
entity Key
state assigned : Key -> Bool = false
state owner    : (Node, Key) -> Bool = false
state moving   : (Node, Key) -> Bool = false
action assign(node: Node, key: Key) {
  require not assigned[key]
  assigned[key] := true  owner[node, key] := true
}
action reshard(node: Node, to: Node, key: Key) {
  require owner[node, key]
  owner[node, key] := false  moving[to, key] := true
}
action receive(node: Node, key: Key) {
  require moving[node, key]
  moving[node, key] := false  owner[node, key] := true
}
invariant one_owner: forall m: Node, n: Node, k: Key . owner[m, k] and owner[n, k] implies m == n
"""


def without_lemmas(path: str) -> System:
    system = program((ROOT / path).read_text(encoding="utf-8")).system
    return replace(system, properties=tuple(p for p in system.properties if p.kind is not PropertyKind.LEMMA))


def test_what_is_guessed_is_proved_by_both_solvers_and_can_be_checked_again() -> None:
    system = program(STORE).system
    verification, proofs = verify_with_proofs(system)
    (outcome,) = verification.outcomes
    assert isinstance(outcome.verdict, Proved)
    assert len(outcome.verdict.lemmas) > 1
    assert [r.fault for r in recheck(certificate(system, verification, proofs)) if r.fault] == []


@pytest.mark.parametrize("broken", ["not assigned[key]", "owner[node, key]", "moving[node, key]"])
def test_nothing_is_guessed_of_what_is_false(broken: str) -> None:
    system = program(STORE.replace(f"require {broken}\n", "", 1)).system
    assert guess(system, system.claim("one_owner").expr, []) is None
    verification, _ = verify_with_proofs(system)
    assert [o.status for o in verification.outcomes] == ["refuted"]


def test_a_wrong_guess_is_no_lemma(monkeypatch: pytest.MonkeyPatch) -> None:
    system = program(STORE.replace("require owner[node, key]\n", "", 1)).system
    goal = system.claim("one_owner").expr
    monkeypatch.setattr(infer, "guess", lambda *_: [goal])
    verification, _ = verify_with_proofs(system)
    assert [o.status for o in verification.outcomes] == ["refuted"]


def test_where_numbers_decide_nothing_is_guessed() -> None:
    text = STORE.replace("require not assigned[key]", "require count_ < 9").replace(
        "assigned[key] := true", "count_ += 1"
    )
    system = program(text.replace("state assigned : Key -> Bool = false", "state count_ : Int = 0")).system
    assert guess(system, system.claim("one_owner").expr, []) is None


@pytest.mark.slow
@pytest.mark.parametrize("path", ["specs/protocols/sharded_store.policy", "specs/protocols/lock_server.policy"])
def test_protocols_are_proved_without_the_lemmas_of_their_authors(path: str) -> None:
    verification, _ = verify_with_proofs(without_lemmas(path))
    assert {o.status for o in verification.outcomes} == {"proved"}
