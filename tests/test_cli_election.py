"""`policyctl election`: what people type, what they are told, and what they are refused."""

from __future__ import annotations

import itertools
import json
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from elections import CHOICES, Held, whole

from policyctl import cli_election
from policyctl.cli import run
from policyctl.election_files import read_post
from policyctl.election_outcome import outcome
from policyctl.election_processes import CHUNK, in_parallel
from policyctl.loading import program_of
from policydsl.interp import Request, initial, step
from policydsl.trace import Cell
from runtime.scores import Scores
from voting.ballots import Choice, faults_of
from voting.board import read_board
from voting.election import Election
from voting.faults import Code
from voting.posts import Entry, receipt_of

PEOPLE = ("clerk", "rita", "sam", "tess", "alice", "bob", "carol", "mallory")
Say = Callable[..., tuple[int, str]]


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """Runs a command in a directory with everybody's keys and a roll; gives the exit code and what it says."""
    monkeypatch.chdir(tmp_path)

    def said(line: str) -> tuple[int, str]:
        code = run(["election", *line.split()])
        shown = capsys.readouterr()
        return code, shown.out + shown.err

    said("keygen " + " ".join(f"{name}.key" for name in PEOPLE))
    Path("voters.csv").write_text("name,weight,key\nalice,120,alice.pub\nbob,100,bob.pub\ncarol,70,carol.pub\n")
    return said


def begin(say: Say) -> None:
    trustees = " ".join(f"--trustee {t}.pub" for t in ("rita", "sam", "tess"))
    assert say(f"new b.json clerk.key --question Why? --voters voters.csv {trustees} --threshold 2")[0] == 0


def opened(say: Say) -> None:
    begin(say)
    for _ in range(2):
        for name in ("rita", "sam", "tess"):
            assert say(f"key b.json {name}.key")[0] == 0
    assert say("open b.json clerk.key")[0] == 0


def test_an_election(say: Say) -> None:
    opened(say)
    receipts = [say(f"cast b.json {n}.key {c}")[1].split()[-1] for n, c in (("alice", "yes"), ("bob", "no"))]
    assert say("verify b.json")[0] == 4
    assert say("close b.json clerk.key") == (0, "voting is closed, with 2 ballots\n")
    assert say("verify b.json")[0] == 4
    assert say("decrypt b.json tess.key") == (0, "contributed: tess; it takes 2\n")
    assert say("decrypt b.json rita.key") == (0, "yes 120 · no 100 · abstain 0\n")
    code, text = say("verify b.json --jobs 1 " + " ".join(f"--receipt {r}" for r in receipts))
    assert code == 0
    assert "✓ b.json: all 15 posts are right" in text
    assert "yes 120 · no 100 · abstain 0" in text
    for receipt in receipts:
        found = [e for e in read_board(Path("b.json").read_bytes()) if receipt_of(e.post).hex() == receipt]
        assert [e.post.kind for e in found] == ["ballot"]


def test_receipts_and_names_of_elections_are_looked_for(say: Say) -> None:
    Path("b.json").write_bytes(whole().board)
    assert say(f"verify b.json --election {whole().election.id.hex()}")[0] == 0
    code, text = say(f"verify b.json --election {64 * '0'}")
    assert (code, "this is another election" in text) == (1, True)
    for kept in (whole().election.hashes[4], whole().election.head):
        assert say(f"verify b.json --kept {kept.hex()}")[0] == 0
    code, text = say(f"verify b.json --kept {64 * '0'}")
    assert (code, "this does not go on from the board" in text) == (1, True)
    code, text = say(f"verify b.json --receipt {64 * '0'}")
    assert (code, f"no ballot has the receipt {64 * '0'}" in text) == (1, True)


def test_a_changed_board_is_not_as_it_must_be(say: Say) -> None:
    board = whole().board
    Path("b.json").write_bytes(board.replace(b'"yes":120', b'"yes":121'))
    code, text = say("verify b.json")
    assert code == 1
    assert "✗ b.json is NOT as it must be" in text
    assert "line 17: the hash is not that of this post after those before it [chain]" in text
    for command in ("key b.json rita.key", "cast b.json alice.key yes", "decrypt b.json rita.key"):
        assert say(command)[0] == 1
        assert Path("b.json").read_bytes() != board


def test_posts_can_be_made_elsewhere(say: Say) -> None:
    begin(say)
    for name in ("rita", "sam", "tess"):
        assert say(f"key b.json {name}.key -o {name}.post")[0] == 0
    assert say("post b.json rita.post sam.post tess.post") == (0, "3 accepted\n")
    for name in ("rita", "sam"):
        say(f"key b.json {name}.key -o {name}.post")
    assert say("post b.json sam.post rita.post")[0] == 0
    say("open b.json clerk.key")
    text = say("cast b.json alice.key yes -o alice.post")[1]
    assert text.split()[-1] == receipt_of(read_post(Path("alice.post"))).hex()
    say("cast b.json bob.key no -o bob.post")
    before = Path("b.json").read_bytes()
    assert say("post b.json alice.post bob.post alice.post")[0] == 1
    assert Path("b.json").read_bytes() == before, "all of them, or none"
    assert say("post b.json alice.post bob.post")[0] == 0
    say("close b.json clerk.key")
    for name in ("rita", "tess"):
        assert say(f"decrypt b.json {name}.key -o {name}.post") == (0, f"{name} has made a contribution\n")
    assert say("post b.json rita.post tess.post")[0] == 0
    assert say("decrypt b.json sam.key") == (0, "yes 120 · no 100 · abstain 0\n")
    assert say("verify b.json")[0] == 0


REFUSED = {
    "cast b.json mallory.key yes": "mallory.key: nobody on the roll has this key [author]",
    "key b.json alice.key": "alice.key: no trustee of this election has this key [author]",
    "decrypt b.json rita.key": "b.json: the election is open [stage]",
    "open b.json clerk.key": "entry 9 (open of clerk): the election is open [stage]",
    "close b.json mallory.key": "clerk has not signed this [signature]",
    "cast b.json alice.pub yes": "alice.pub, secret: field required [shape]",
    "post b.json voters.csv": "voters.csv: this is not JSON",
}


@pytest.mark.parametrize("command", REFUSED)
def test_refusals(say: Say, command: str) -> None:
    opened(say)
    say("cast b.json bob.key no")
    before = Path("b.json").read_bytes()
    code, text = say(command)
    assert code == 1
    assert text.startswith("refused: ")
    assert REFUSED[command].replace("entry 9", "entry 11") in text
    assert Path("b.json").read_bytes() == before


def test_a_trustee_waits_for_the_others(say: Say) -> None:
    begin(say)
    say("key b.json rita.key")
    assert say("key b.json rita.key") == (0, "rita has nothing to post: 1 have dealt; waiting for sam, tess\n")
    say("key b.json sam.key")
    assert say("key b.json sam.key --no-wait") == (0, "sam holds a share of the key\n")


def test_keys_are_for_their_owners_and_not_overwritten(say: Say) -> None:
    path = Path("alice.key")
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = path.read_bytes()
    code, text = say("keygen alice.key")
    assert (code, "File exists" in text) == (1, True)
    assert path.read_bytes() == before
    assert json.loads(before)["secret"] not in Path("alice.pub").read_text()


def test_an_election_is_not_begun_twice(say: Say) -> None:
    begin(say)
    before = Path("b.json").read_bytes()
    assert say("new b.json clerk.key --question Why? --voters voters.csv --trustee rita.pub --threshold 1")[0] == 2
    assert Path("b.json").read_bytes() == before


ROLLS = {
    "": "nobody may vote",
    "name,weight,key\n": "nobody may vote",
    "name,weight\nalice,1\n": "a table of voters has the columns name, weight, key and no others",
    "name,weight,key\nalice,1\n": "line 2",
    "name,weight,key\nalice,1,alice.pub,more\n": "line 2",
    "name,weight,key\nalice,-1,alice.pub\n": "line 2, weight: a weight is a whole number",
    "name,weight,key\nalice,1.5,alice.pub\n": "[weight]",
    "name,weight,key\nalice,²,alice.pub\n": "[weight]",
    "name,weight,key\nalice," + 5000 * "9" + ",alice.pub\n": "[weight]",
    "name,weight,key\nalice,1,nobody.pub\n": "nobody.pub: there is no such file",
    "name,weight,key\nalice,1,00\n": "sign: it takes 64 hexadecimal digits",
    f"name,weight,key\nalice,1,{64 * '0'}\n": "[point]",
    "name,weight,key\nalice,1,alice.pub\nalice,2,bob.pub\n": "each name once",
    "name,weight,key\nalice,1,alice.pub\nbob,2,alice.pub\n": "the same key",
    "name,weight,key\n../alice,1,alice.pub\n": "name: string should match pattern",
    'name,weight,key\n"alice,1,alice.pub\n': "unexpected end of data",
}


@pytest.mark.parametrize("text", ROLLS, ids=range(len(ROLLS)))
def test_rolls_that_are_none(say: Say, text: str) -> None:
    Path("voters.csv").write_text(text, encoding="utf-8")
    code, said = say("new c.json clerk.key --question Why? --voters voters.csv --trustee rita.pub --threshold 1")
    assert code == 1
    assert ROLLS[text] in said
    assert not Path("c.json").exists()


@pytest.mark.parametrize("threshold", [-1, 0, 2])
def test_thresholds_that_are_none(say: Say, threshold: int) -> None:
    options = "--question Why? --voters voters.csv --trustee rita.pub --threshold"
    code, said = say(f"new c.json clerk.key {options} {threshold}")
    assert (code, f"{threshold} of 1 trustees is no threshold [threshold]" in said) == (1, True)


def test_without_the_library_the_extra_is_named(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [m for m in sys.modules if m.partition(".")[0] in {"nacl", "voting"}]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "nacl", None)
    code, text = say("verify voters.csv")
    assert code == 1
    assert "pip install 'policyctl[election]'" in text


def test_ballots_are_checked_in_processes_as_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faults come in the order of the board, however the work was shared out."""
    monkeypatch.setattr("policyctl.election_processes.CHUNK", 2)
    held = Held().open().cast(dict.fromkeys(CHOICES, Choice.YES))
    casts = list(held.election.ballots.values())
    assert in_parallel(2)(held.election.booth, casts) == []
    other = Held(question="Another?").open().election.booth
    faults = in_parallel(2)(other, casts)
    assert faults == faults_of(other, casts)
    assert [f.place.split()[1] for f in faults] == ["10", "11", "12"]
    assert CHUNK > 2


def test_weights_can_be_scores_and_be_compared_with_them(say: Say) -> None:
    table = {"epoch": 3, "scores": {"alice": 120, "bob": 100, "carol": 70, "erin": 5}}
    Path("scores.json").write_text(json.dumps(table))
    Path("voters.csv").write_text("name,key\nalice,alice.pub\nbob,bob.pub\ncarol,carol.pub\n")
    options = "--voters voters.csv --trustee rita.pub --threshold 1"
    assert say(f"new b.json clerk.key --question Why? {options}")[0] == 1
    assert say(f"new b.json clerk.key --question Why? {options} --scores scores.json")[0] == 0
    code, text = say("verify b.json --scores scores.json")
    assert (code, "3 voters with a weight of 290" in text) == (4, True)
    assert f"the scores of epoch 3, with the root {Scores(table['scores'], 3).root.hex()}" in text  # type: ignore[arg-type]
    for name, score in (("bob", 99), ("carol", 71)):
        Path("scores.json").write_text(json.dumps({**table["scores"], name: score}))  # type: ignore[dict-item]
        code, text = say("verify b.json --scores scores.json")
        assert (code, f"{name} has a weight of" in text, text.count("score of")) == (1, True, 1)
    Path("scores.json").write_text('{"alice": 120, "bob": 100}')
    code, text = say("verify b.json --scores scores.json")
    assert (code, "carol has a weight of 70 on the roll, and a score of 0" in text) == (1, True)
    code, text = say(f"new c.json clerk.key --question Why? {options} --scores scores.json")
    assert (code, "line 4, weight: a weight is a whole number from 1" in text) == (1, True)


def test_every_code_is_explained() -> None:
    text = (Path(__file__).parent.parent / "docs" / "election.md").read_text(encoding="utf-8")
    table = text.partition("| Code | |")[2].partition("\n\n")[0]
    assert [c for c in Code if f"`{c}`" not in table] == []


GOVERNANCE = Path(__file__).parent.parent / "specs" / "mvg" / "governance.policy"


@pytest.mark.parametrize(
    ("options", "code", "stage"),
    [("", 3, "Defeated"), ("--param QUORUM=221", 3, "Defeated"), ("--param QUORUM=220", 0, "Approved")],
)
def test_the_policy_says_what_becomes_of_a_result(say: Say, options: str, code: int, stage: str) -> None:
    Path("b.json").write_bytes(whole().board)
    assert say(f"result b.json {GOVERNANCE} {options}") == (code, f"yes 120 · no 100 · abstain 100: {stage}\n")


def test_a_tie_is_defeated(say: Say) -> None:
    Path("b.json").write_bytes(whole({"bob": Choice.NO, "carol": Choice.YES}).board)
    assert say(f"result b.json {GOVERNANCE} --param QUORUM=1") == (3, "yes 100 · no 100 · abstain 0: Defeated\n")


def test_a_result_is_asked_of_a_board_that_has_one_and_a_policy_that_votes(say: Say) -> None:
    Path("open.json").write_bytes(Held().open().cast(CHOICES).board)
    code, text = say(f"result open.json {GOVERNANCE}")
    assert (code, "there is no result yet [stage]" in text) == (1, True)
    Path("b.json").write_bytes(whole().board.replace(b'"abstain":100', b'"abstain":300'))
    code, text = say(f"result b.json {GOVERNANCE}")
    assert (code, "[chain]" in text) == (1, True)
    Path("b.json").write_bytes(whole().board)
    code, text = say(f"result b.json {GOVERNANCE.parent / 'reputation.policy'}")
    assert (code, "has no action `close_voting`" in text) == (2, True)
    for param in ("QUORUM=0", "QUORUM=x", "QUORUM", "NOTHING=1"):
        assert say(f"result b.json {GOVERNANCE} --param {param}")[0] == 2


@pytest.mark.parametrize("votes", list(itertools.product(("yes", "no", None), repeat=3)), ids=str)
def test_totals_are_judged_as_the_votes_themselves(votes: tuple[str | None, ...]) -> None:
    """A proposal on which everybody votes in the open ends as one whose totals come from an election."""
    program = program_of(str(GOVERNANCE))
    assert program is not None
    weights = {"alice": 120, "bob": 180, "carol": 60}
    held = {("p", b): w for b, w in weights.items()}
    start = [Cell("stage", ("p",), "VotingOpen"), Cell("vote_end", ("p",), 10)]
    state = initial(program.system, {}, [*start, *(Cell("snapshot", k, w) for k, w in held.items())])
    for name, vote in zip(weights, votes):
        if vote is not None:
            inputs = {"principal": name, "proposal": "p", "support": vote == "yes", "now": 5}
            done = step(program.system, state, Request("vote", inputs))
            assert done.decision.effect == "allow"
            state = done.state
    state = step(program.system, state, Request("close_voting", {"proposal": "p", "now": 11})).state
    yes, no = (sum(w for w, v in zip(weights.values(), votes) if v == side) for side in ("yes", "no"))
    assert outcome(program.system, yes, no, {}) == state.read("stage", ("p",))


def test_nobody_overwrites_what_was_posted_meanwhile(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(say)
    say("cast b.json bob.key no -o bob.post")
    before = Path("b.json").read_bytes()
    original, called = cli_election.replayed, []

    def slowly(board: Path, jobs: int = 1) -> tuple[list[Entry], Election]:
        found = original(board, jobs)
        called.append(board)
        if len(called) == 1:
            assert run(["election", "post", str(board), "bob.post"]) == 0
        return found

    monkeypatch.setattr("policyctl.cli_election.replayed", slowly)
    code, text = say("cast b.json alice.key yes")
    assert (code, "somebody else has posted meanwhile; run this again [head]" in text) == (1, True)
    after = read_board(Path("b.json").read_bytes())
    assert [e.post.author for e in after[len(read_board(before)) :]] == ["bob"]
    assert say("cast b.json alice.key yes")[0] == 0
