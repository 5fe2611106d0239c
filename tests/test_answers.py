"""The solvers' answers are remembered by the whole of what they depend on, and a broken store is an empty one."""

from __future__ import annotations

from pathlib import Path

import pytest
from checked import program

from policyctl.answers import FILE, StoredAnswers
from verifier import solve
from verifier.solve import Answer
from verifier.solvers import Solvers
from verifier.verify import verify, verify_with_proofs

POLICY = """
module jobs
entity Bot
entity Job
state done : Job -> Bool = false
state paid : Job -> Int = 0
action finish(principal: Bot, job: Job) {
  require not done[job] else "done"
  done[job] := true
  paid[job] += 10
}
invariant paid_once: forall j: Job . paid[j] <= 10
reachable somebody_is_paid: exists j: Job . paid[j] == 10
"""
UNSAT = "(declare-const x Int)(assert (and (< x 0) (> x 0)))"
SAT = "(declare-const x Int)(assert (> x 0))"


def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collects the scripts that really go to Z3."""
    seen: list[str] = []
    real = solve.with_z3

    def counted(script: str, *args: object) -> Answer:
        seen.append(script)
        return real(script, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(solve, "with_z3", counted)
    return seen


def test_a_second_run_asks_nothing_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = asked(monkeypatch)
    for _ in range(2):
        store = StoredAnswers(tmp_path)
        solvers = Solvers(answers=store)
        assert solvers.ask(UNSAT) is Answer.UNSAT
        assert solvers.ask(SAT) is Answer.SAT
        store.close()
    assert seen == [UNSAT, SAT]


def test_another_limit_is_another_question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = asked(monkeypatch)
    store = StoredAnswers(tmp_path)
    for rlimit in (1_000_000, 2_000_000):
        assert Solvers(rlimit, store).ask(UNSAT) is Answer.UNSAT
    assert len(seen) == 2


def test_verdicts_are_the_same_from_the_store(tmp_path: Path) -> None:
    system = program(POLICY).system
    first, second = (verify_with_proofs(system, answers=StoredAnswers(tmp_path))[0].outcomes for _ in range(2))
    assert first == second == verify(system).outcomes
    assert {o.status for o in first} == {"proved"}


@pytest.mark.parametrize("content", [b"", b"not a database", b"SQLite format 3\0" + b"x" * 4096])
def test_a_broken_file_is_an_empty_store(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    store = StoredAnswers(tmp_path)
    assert store.get("k") is None
    store.put("k", "UNSAT")
    assert Solvers(answers=store).ask(UNSAT) is Answer.UNSAT


def test_an_answer_that_nobody_knows_is_asked_again(tmp_path: Path) -> None:
    store = StoredAnswers(tmp_path)
    solvers = Solvers(answers=store)
    store.put(solvers._key("ask", UNSAT, solve.RLIMIT), "PROBABLY")
    assert solvers.ask(UNSAT) is Answer.UNSAT
