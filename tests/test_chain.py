"""`policyctl chain` on a chain in this process: the words of the policy, what is deployed, what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from chains import on_chain
from evm import GOVERNANCE as SYSTEM
from shipped import CONTRACTS, contracts_json

from policyctl import cli_chain
from policyctl.chain import contracts, governance, node, state
from policyctl.chain.contracts import ANCHOR, GOVERNANCE, shipped
from policyctl.chain.talk import Chain, ChainError, contract_at, deploy, instant
from policyctl.main import main

TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC")


@pytest.fixture(scope="module")
def begun() -> tuple[Chain, str]:
    """One chain for all tests, and how it was before any of them: making one takes a second."""
    chain = on_chain()
    return chain, chain.w3.provider.make_request("evm_snapshot", [])["result"]


@pytest.fixture
def chain(begun: tuple[Chain, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Chain:
    """As it was at first, and what the commands connect to."""
    found, snapshot = begun
    found.w3.provider.make_request("evm_revert", [snapshot])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli_chain, "_connect", lambda _url: found)
    return found


@pytest.fixture
def up(chain: Chain) -> Chain:
    assert main(["chain", "up", "--url", "here"]) == 0
    return chain


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    capsys.readouterr()
    assert main(["chain", *arguments]) == code
    found = capsys.readouterr()
    return found.out + found.err


# ---- what ships


def test_the_contracts_that_ship_are_those_that_were_compiled() -> None:
    assert CONTRACTS.read_text(encoding="utf-8") == contracts_json(), "run `python tests/shipped.py`"


def test_every_action_is_there_and_every_reason_can_be_understood() -> None:
    ships = shipped()
    functions = ships.contracts[GOVERNANCE].functions()
    assert [a.name for a in SYSTEM.actions] == list(ships.actions)
    for action in ships.actions.values():
        assert len(functions[action.function]["inputs"]) == len(action.inputs)
    reasons = {g.reason for a in SYSTEM.actions for g in a.guards if g.reason != "the clock went back"}
    assert reasons <= set(ships.contracts[GOVERNANCE].reasons.values())
    assert len(reasons) > 20


def test_code_on_a_chain_is_compared_byte_by_byte(chain: Chain) -> None:
    compiled = shipped().contracts[GOVERNANCE]
    accounts = chain.w3.eth.accounts
    other = tuple(min(p.high, p.default + 7) for p in shipped().params)
    made = deploy(chain, compiled, accounts[0], other, [accounts[1]], [])
    code = bytes(chain.w3.eth.get_code(made.address))
    assert code != compiled.deployed
    assert compiled.is_code(code)
    holes = set(contracts._holes(compiled.deployed))
    inside = {h + i for h in holes for i in range(32)}
    assert len(holes) > len(shipped().params)
    for at in range(0, len(code), 97):
        changed = code[:at] + bytes([code[at] ^ 1]) + code[at + 1 :]
        assert compiled.is_code(changed) == (at in inside), at
    assert not compiled.is_code(code + b"\0")
    assert not compiled.is_code(code[:-1])


# ---- a proposal, from end to end


def test_a_proposal_is_walked_to_its_end(up: Chain, capsys: pytest.CaptureFixture[str]) -> None:
    shown = said(capsys, "propose", "lower the quorum", "--as", "alice")
    assert shown.startswith("✓ proposal 0 by alice: voting is open until ")
    for who in ("alice", "bob"):
        assert f"✓ {who} votes yes on proposal 0" in said(capsys, "vote", "0", "yes", "--as", who)
    assert "yes 200, no 100" in said(capsys, "vote", "0", "no", "--as", "judy")
    shown = said(capsys, "close", "0", code=3)
    assert shown.startswith("✗ denied: voting has not ended\n")
    assert "policyctl chain wait" in shown
    shown = said(capsys, "execute", "0", code=3)
    assert shown == "✗ denied: not approved\n    has voting ended, and was it closed? `policyctl chain close 0`\n"
    assert TIME.search(said(capsys, "wait", "24h"))
    assert "voting has ended: `policyctl chain close 0`" in said(capsys, "status")
    assert said(capsys, "close", "0").startswith("✓ proposal 0: Approved  ")
    assert "✗ denied: the timelock has not run out" in said(capsys, "execute", "0", code=3)
    assert "can be executed from " in said(capsys, "status")
    said(capsys, "wait", "48h")
    assert said(capsys, "execute", "0").startswith("✓ proposal 0: Executing  ")
    for step in (["monitor", "0"], ["collect_feedback", "0", "good", "--as", "judy"], ["update_reputation", "0"]):
        said(capsys, "act", *step)
    data = json.loads(said(capsys, "status", "--format", "json"))
    assert [(p["stage"], p["yes"], p["no"], p["text"]) for p in data["proposals"]] == [
        ("ReputationUpdate", 200, 100, "lower the quorum")
    ]
    worth = {p["name"]: (p["reputation"], p["standing"]) for p in data["people"]}
    assert worth == {
        "alice": (112, "member"),
        "bob": (102, "member"),
        "carol": (100, "member"),
        "dave": (100, "member"),
        "judy": (98, "auditor"),
        "eve": (100, "stranger"),
    }


def test_the_contract_says_no_in_the_words_of_the_policy(up: Chain, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "propose", "x", "--as", "alice")
    denied = {
        ("vote", "0", "yes", "--as", "eve"): "had no weight when voting opened",
        ("vote", "7", "yes", "--as", "bob"): "voting is not open",
        ("propose", "y", "--as", "eve"): "not a member",
        ("act", "withdraw", "0", "--as", "bob"): "not your proposal",
        ("act", "admit", "bob", "--as", "judy"): "already a member",
        ("act", "report_conduct", "judy", "good", "--as", "judy"): "nobody is the judge of himself",
        ("act", "draft", "0", "z", "--as", "dave"): "already written",
        ("act", "decay"): None,
    }
    for arguments, reason in denied.items():
        shown = said(capsys, *arguments, code=0 if reason is None else 3)
        assert reason is None or shown.splitlines()[0] == f"✗ denied: {reason}"
    block = up.w3.eth.block_number
    said(capsys, "vote", "0", "yes", "--as", "eve", code=3)
    assert up.w3.eth.block_number == block, "what is denied is not sent"


def test_what_is_drafted_under_another_number_is_shown_as_well(up: Chain, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "act", "draft", "42", "a plan", "--as", "dave")
    said(capsys, "propose", "one\x1b[31m\nred", "--as", "bob")
    shown = said(capsys, "status")
    assert "proposal 42  Drafted" in shown
    assert "one·[31m·red" in shown
    assert "\x1b" not in shown


def test_whoever_is_admitted_may_draft(up: Chain, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "act", "admit", "eve", "--as", "judy")
    said(capsys, "propose", "by eve", "--as", "eve")
    assert "by eve" in said(capsys, "status")


# ---- what a user can get wrong


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("act", "closevoting", "0"), "did you mean `close_voting`?"),
        (("act", "vote", "0", "--as", "bob"), "`vote` takes 2 inputs, and 1 are given: vote PROPOSAL SUPPORT"),
        (("act", "vote", "0", "perhaps", "--as", "bob"), "expected `yes` or `no`, not `perhaps`"),
        (("act", "vote", "first", "yes", "--as", "bob"), "expected the number of a proposal, not `first`"),
        (("vote", "0", "yes", "--as", "alicia"), "neither an address nor somebody's name; did you mean `alice`?"),
        (("vote", "0", "yes", "--as", "0x" + "12" * 20), "the node has no key of 0x1212"),
        (("act", "vote", "9" * 78, "yes", "--as", "bob"), "expected the number of a proposal, not"),
        (("wait", "soon"), "`soon` is no duration"),
        (("up", "--url", "here"), "contracts are up already"),
    ],
)
def test_what_is_said_wrongly(
    up: Chain, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str
) -> None:
    assert told in said(capsys, *arguments, code=1)


def test_it_has_to_be_said_who_asks(up: Chain, capsys: pytest.CaptureFixture[str]) -> None:
    assert "it matters who asks for `admit`" in said(capsys, "act", "admit", "eve", code=2)


def test_parameters_stay_in_the_ranges_of_the_proofs(chain: Chain, capsys: pytest.CaptureFixture[str]) -> None:
    shown = said(capsys, "up", "--url", "here", "--set", "QUORUM=0", code=1)
    assert "`QUORUM` was proved for 1 to 1000000, and 0 is outside" in shown
    assert "did you mean `QUORUM`?" in said(capsys, "up", "--url", "here", "--set", "QUORUMM=1", code=1)
    said(capsys, "up", "--url", "here", "--set", "QUORUM=200", "--set", "VOTING_PERIOD=1h", "--member", "ann")
    data = json.loads(said(capsys, "status", "--format", "json"))
    assert data["parameters"]["QUORUM"] == 200
    assert data["parameters"]["VOTING_PERIOD"] == 3_600_000
    assert data["parameters"]["TIMELOCK"] == 48 * 3_600_000
    assert [p["name"] for p in data["people"]] == ["ann", "judy", "eve"]


def test_names_are_given_once(chain: Chain, capsys: pytest.CaptureFixture[str]) -> None:
    shown = said(capsys, "up", "--url", "here", "--member", "ann", "--member", "judy", code=1)
    assert "two of those who act are called `judy`" in shown
    assert not Path(state.DIRECTORY).exists()


# ---- what is not there, or not what it was


def test_nothing_is_up(chain: Chain, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["status"], ["down"], ["vote", "0", "yes", "--as", "bob"]):
        shown = said(capsys, *command, code=1)
        assert "there is no .policyctl-chain/chain.json: `policyctl chain up`" in shown


def test_no_node_answers() -> None:
    on_chain()
    from policyctl.chain.talk import over_http

    with pytest.raises(ChainError, match=r"no node answers at http://127\.0\.0\.1:\d+: `policyctl chain up`"):
        over_http(f"http://127.0.0.1:{node.free_port()}")


def test_a_file_that_is_something_else(chain: Chain, capsys: pytest.CaptureFixture[str]) -> None:
    Path(state.DIRECTORY).mkdir()
    for text in ("", "[]", "{}", '{"format": "policyctl-chain/1"}'):
        (Path(state.DIRECTORY) / "chain.json").write_text(text, encoding="utf-8")
        assert "is not what `policyctl chain up` writes" in said(capsys, "status", code=1)


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("chain", 1, "has the chain 131277322940537, and the contracts are on 1"),
        ("genesis", "0x00", "was begun anew"),
        ("digests", {GOVERNANCE: "0", ANCHOR: "0"}, "another version of MVGGovernance was deployed"),
        ("governance", "0x" + "1" * 40, "there is no contract at 0x1111"),
    ],
)
def test_another_chain_than_was_deployed_to(
    up: Chain, capsys: pytest.CaptureFixture[str], field: str, value: object, told: str
) -> None:
    path = Path(state.DIRECTORY) / "chain.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    if field == "digests":
        value = {**data["digests"], GOVERNANCE: "0"}
    path.write_text(json.dumps({**data, field: value}), encoding="utf-8")
    assert told in said(capsys, "status", code=1)


def test_another_contract_stands_there(up: Chain, capsys: pytest.CaptureFixture[str]) -> None:
    path = Path(state.DIRECTORY) / "chain.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**data, "governance": data["anchor"]}), encoding="utf-8")
    assert "is not the MVGGovernance that ships with this version" in said(capsys, "status", code=1)
    with pytest.raises(ChainError, match="is not the Anchor"):
        contract_at(up, shipped().contracts[ANCHOR], data["governance"])


def test_down_forgets_what_was_deployed_and_ends_no_node_of_others(
    up: Chain, capsys: pytest.CaptureFixture[str]
) -> None:
    said(capsys, "down")
    assert not (Path(state.DIRECTORY) / "chain.json").exists()


def test_time_moves_on_nodes_for_trying_out_alone(up: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Chain, "id", 1)
    with pytest.raises(ChainError, match="the time of chain 1 cannot be moved"):
        up.wait(1)


# ---- starting a node


def test_without_a_node_it_is_said_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    shown = said(capsys, "up", code=1)
    assert "no node is installed. `--install` has npm install @foundry-rs/anvil@" in shown
    assert "`--url`" in shown
    assert "installed with npm, which is not there" in said(capsys, "up", "--install", code=1)
    assert not (tmp_path / state.DIRECTORY / "chain.json").exists()


def test_a_node_that_ends_at_once_is_told_with_its_own_words(tmp_path: Path) -> None:
    program = node.Program("x", ("sh", "-c", "echo no such genesis; exit 3"), "--host")
    with pytest.raises(ChainError, match="the node ended at once:\nno such genesis"):
        node.start(program, 0, tmp_path / "node.log")


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind((node.HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ChainError, match=f"port {port} of 127.0.0.1 is taken"):
            node.start(node.Program("x", ("true",), "--host"), port, tmp_path / "node.log")


def test_a_chain_that_is_lost_on_the_way_is_no_fault_of_the_tool(
    up: Chain, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def lost(_url: str) -> Chain:
        raise ConnectionResetError("connection reset by peer")

    monkeypatch.setattr(cli_chain, "_connect", lost)
    assert "cannot be reached: connection reset by peer" in said(capsys, "status", code=1)


def test_reasons_are_understood_however_a_node_tells_them(up: Chain) -> None:
    """Anvil gives the data, Hardhat wraps it, eth-tester prints it."""
    found = state.read(Path(state.DIRECTORY))
    contract = contract_at(up, shipped().contracts[GOVERNANCE], found.governance)
    selector = bytes(up.w3.keccak(text="AlreadyVoted()")[:4])

    class TransactionFailed(Exception):  # noqa: N818 as eth-tester calls it
        pass

    class NodeError(Exception):
        def __init__(self, data: object) -> None:
            self.data = data

    word = (32).to_bytes(32, "big")
    cases = {
        NodeError(f"0x{selector.hex()}"): "already voted",
        NodeError({"message": "reverted", "data": f"0x{selector.hex()}"}): "already voted",
        TransactionFailed(f"execution reverted: {selector!r}"): "already voted",
        NodeError("0x"): "it reverted without a reason",
        NodeError("0x01020304"): "it reverted with 0x01020304",
        NodeError(f"0x08c379a0{word.hex()}{(2).to_bytes(32, 'big').hex()}{b'no'.ljust(32, bytes(1)).hex()}"): "no",
        NodeError(f"0x4e487b71{(0x11).to_bytes(32, 'big').hex()}"): "it panicked with 0x11: a check of Solidity's own",
        NodeError(None): None,
        ValueError("something else"): None,
    }
    for error, expected in cases.items():
        reason = contract._reason(error)
        assert (reason is None) == (expected is None)
        assert expected is None or (reason or "").startswith(expected)


def test_far_away_times_can_be_told() -> None:
    assert instant(0) == "1970-01-01 00:00:00 UTC"
    assert instant(10**12) == "1,000,000,000,000 s after 1970"


def test_durations() -> None:
    assert governance.milliseconds("24h") == 24 * 3_600_000
    assert governance.milliseconds("90 s") == 90_000
    for wrong in ("", "h", "1.5h", "-1h", "1y"):
        with pytest.raises(ChainError, match="is no duration"):
            governance.milliseconds(wrong)
