"""The flaws of the first sketch: each run that refutes it succeeds on an EVM against that contract, and fails against
the repaired one."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from evm import CONTRACTS, ROOT, machine, system_of

from policyctl.cli import run
from policyctl.replay_on_evm import contract_names
from policydsl.core.types import EntityType, Value
from policydsl.interp import Request
from policydsl.trace import Cell, Trace
from policydsl.trace_json import to_json
from runtime.evm import EvmError
from runtime.evm_names import names_of
from runtime.evm_twin import EvmTwin, twin_of
from verifier.verdict import Refuted
from verifier.verify import verify

POLICY = "specs/mvg/seed_contract.policy"
SYSTEM = system_of(POLICY)
SKETCH = CONTRACTS / "seed" / "artifacts" / "SeedGovernance.json"
REPAIRED = CONTRACTS / "artifacts" / "MVGGovernance.json"


@cache
def refutations() -> dict[str, Trace]:
    """The run that the verifier finds for each flaw."""
    outcomes = verify(SYSTEM).outcomes
    return {o.property.name: o.verdict.trace for o in outcomes if isinstance(o.verdict, Refuted)}


def before(flaw: str, artifact: Path) -> tuple[EvmTwin, list[Request]]:
    """The contract at the start of the run, and the run."""
    machine()
    trace = refutations()[flaw]
    return twin_of(SYSTEM, contract_names(artifact), trace), [Request(s.action, dict(s.inputs)) for s in trace.steps]


def shown(twin: EvmTwin, var: str, *keys: str) -> int:
    """The integer in a cell on the chain."""
    value = twin.shows(Cell(var, keys, 0))
    assert type(value) is int
    return value


def counted_twice(twin: EvmTwin, run: list[Request]) -> None:
    """More votes than the only voter has reputation."""
    last = run[-1].inputs
    votes = shown(twin, "yes_votes", str(last["proposal"])) + shown(twin, "no_votes", str(last["proposal"]))
    assert {r.inputs["principal"] for r in run if r.action == "vote"} == {last["principal"]}
    assert votes == 2 * shown(twin, "reputation", str(last["principal"]))


def above_the_ceiling(twin: EvmTwin, run: list[Request]) -> None:
    assert max(shown(twin, "reputation", a) for a in twin.people.known[EntityType("Address")]) > 1_000


def grown_weight(twin: EvmTwin, run: list[Request]) -> None:
    """The last vote counts more than its voter had when the proposal was made."""
    last = run[-1].inputs
    votes = shown(twin, "yes_votes", str(last["proposal"])) + shown(twin, "no_votes", str(last["proposal"]))
    held: Value = dict(refutations()["weight_was_held_at_opening"].params)["INITIAL_REPUTATION"]
    assert type(held) is int
    assert votes > held


def executed_by_few(twin: EvmTwin, run: list[Request]) -> None:
    proposal = str(run[-1].inputs["proposal"])
    assert twin.shows(Cell("executed", (proposal,), False)) is True
    assert shown(twin, "yes_votes", proposal) + shown(twin, "no_votes", proposal) < 300


def executed_at_once(twin: EvmTwin, run: list[Request]) -> None:
    proposal = str(run[-1].inputs["proposal"])
    assert twin.shows(Cell("executed", (proposal,), False)) is True
    assert twin.at * 1000 < shown(twin, "vote_end", proposal) + 48 * 3_600_000


FLAWS: dict[str, tuple[Callable[[EvmTwin, list[Request]], None], str]] = {
    "one_ballot_per_voter": (counted_twice, "already voted"),
    "honest_tally": (counted_twice, "already voted"),
    "bounded_reputation": (above_the_ceiling, "not approved"),
    "weight_was_held_at_opening": (grown_weight, "not approved"),
    "executed_had_quorum": (executed_by_few, "not approved"),
    "execution_waits": (executed_at_once, "not approved"),
}


def test_every_flaw_has_a_run() -> None:
    assert set(refutations()) == set(FLAWS)


@pytest.mark.parametrize("flaw", FLAWS)
def test_the_run_succeeds_against_the_sketch(flaw: str) -> None:
    twin, run = before(flaw, SKETCH)
    assert twin.differences() == []
    for request in run:
        answer = twin.ask(request)
        assert answer.agrees
        assert answer.receipt.ok
        assert twin.differences() == []
    FLAWS[flaw][0](twin, run)


@pytest.mark.parametrize("flaw", FLAWS)
def test_the_run_fails_against_the_repaired_contract(flaw: str) -> None:
    """All of it is sent, whatever is refused on the way; in the end the flaw does not show."""
    twin, run = before(flaw, REPAIRED)
    answers = [twin.ask(request) for request in run]
    assert [a.said for a in answers if not a.receipt.ok][:1] == [FLAWS[flaw][1]]
    with pytest.raises(AssertionError):
        FLAWS[flaw][0](twin, run)


def test_nobody_can_propose_to_the_sketch_as_it_stands() -> None:
    """The text gives nobody a reputation; the policy proves what follows for a start of zero."""
    twin, (propose, *_) = before("honest_tally", SKETCH)
    bare = EvmTwin(
        SYSTEM, twin.names, {"INITIAL_REPUTATION": 0}, {}, {s: tuple(n) for s, n in twin.people.known.items()}
    )
    assert bare.ask(propose).agrees
    assert bare.ask(propose).said == "Insufficient reputation"


def test_denials_of_the_sketch_agree_with_their_reasons() -> None:
    twin, (propose, vote, _) = before("honest_tally", SKETCH)
    proposal, now = str(propose.inputs["proposal"]), 25 * 3_600_000
    execute = Request("execute", {"principal": propose.inputs["principal"], "proposal": proposal})
    heard = []
    for request in (
        vote,  # there is no such proposal yet
        propose,
        Request("execute", {**execute.inputs, "now": propose.inputs["now"]}),
        Request("execute", {**execute.inputs, "now": now}),
        Request("vote", {**vote.inputs, "now": now}),
    ):
        answer = twin.ask(request)
        assert answer.agrees
        heard.append(answer.said)
    assert heard == ["Voting ended", "", "Voting not ended", "Proposal rejected", "Voting ended"]


def test_the_command_sends_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    machine()
    trace = tmp_path / "run.trace.json"
    trace.write_text(to_json(refutations()["one_ballot_per_voter"]), encoding="utf-8")
    command = ["replay", str(trace), str(ROOT / POLICY), "--on-evm"]
    assert run([*command, str(SKETCH)]) == 0
    said = capsys.readouterr().out
    assert "gas" in said
    assert "SeedGovernance answers each request as the policy does, and after each its 7 cells read as" in said
    assert run([*command, str(REPAIRED)]) == 3
    said = capsys.readouterr().out
    assert "deny: already voted" in said
    assert "<- the policy says allow" in said
    assert run([*command, str(ROOT / "contracts" / "package.json")]) == 1
    assert "there is no" in capsys.readouterr().err


def test_a_contract_that_counts_otherwise_is_found_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two getters exchanged: what the contract shows is not what the policy has."""
    machine()
    trace = tmp_path / "run.trace.json"
    trace.write_text(to_json(refutations()["honest_tally"]), encoding="utf-8")
    (tmp_path / "SeedGovernance.json").write_bytes(SKETCH.read_bytes())
    names = (CONTRACTS / "seed" / "SeedGovernance.names.json").read_text(encoding="utf-8")
    swapped = names.replace("yesVotes", "?").replace("noVotes", "yesVotes").replace("?", "noVotes")
    (tmp_path / "SeedGovernance.names.json").write_text(swapped, encoding="utf-8")
    assert run(["replay", str(trace), str(ROOT / POLICY), "--on-evm", str(tmp_path / "SeedGovernance.json")]) == 3
    assert "<- the contract shows" in capsys.readouterr().out


BROKEN = [
    ('"propose": "propose"', '"propose": "ask"', "SeedGovernance has no function for `propose` that takes 1 arguments"),
    ("proposals.yesVotes", "proposals.yes", "`proposals` of SeedGovernance does not return `yes`"),
    ('"proposals.executed"', '"proposalCount"', "SeedGovernance has no function `proposalCount` that shows `executed`"),
    ("MIN_REPUTATION", "LEAST", "that is not what the constructor of SeedGovernance is given: 'LEAST'"),
    ('{"param": "MIN_REPUTATION"},', "", "that is not what the constructor of SeedGovernance is given"),
    ('["a proposal"]', "[7]", "no transaction can say that"),
    ("mvg.seed_contract", "mvg.governance", "SeedGovernance is a contract of `mvg.governance`"),
    ('"functions"', '"function"', "that is no artifact with its names"),
]


@pytest.mark.parametrize(("right", "wrong", "said"), BROKEN)
def test_names_that_do_not_fit_are_told(right: str, wrong: str, said: str) -> None:
    machine()
    text = (CONTRACTS / "seed" / "SeedGovernance.names.json").read_text(encoding="utf-8")
    assert right in text

    def ask() -> None:
        trace = refutations()["honest_tally"]
        names = names_of(text.replace(right, wrong), SKETCH.read_text(encoding="utf-8"))
        twin_of(SYSTEM, names, trace).ask(Request(trace.steps[0].action, dict(trace.steps[0].inputs)))

    with pytest.raises(EvmError, match=re.escape(said)):
        ask()
