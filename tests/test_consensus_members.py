"""Members by hand: which messages they believe, what new views take over, and that copies go on as the originals."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.consensus.certificates import Committee, missing, valid_change, valid_decided, valid_new_view
from simulator.consensus.elect import elect
from simulator.consensus.events import Events, pop, push
from simulator.consensus.messages import (
    NOTHING,
    Body,
    Checkpoint,
    Commit,
    Decided,
    NewView,
    Prepare,
    Prepared,
    PrePrepare,
    Request,
    Signed,
    State,
    ViewChange,
    as_client,
    digest_of,
    next_state,
)
from simulator.consensus.replica import is_idle, ring, step
from simulator.consensus.signatures import Book, Ed25519Notary, Notary, Signer
from simulator.consensus.state import RESEND, VIEW, Effects, Replica, Send, Settings
from simulator.random_streams import Draw

SETTINGS = Settings(timeout=100, resend=50, interval=2, window=4)
Rule = Callable[[int, Signed], bool]


def always(to: int, message: Signed) -> bool:
    return True


@dataclass
class Table:
    """Members around a table; a rule says which message gets to whom."""

    notary: Notary = field(default_factory=Book)
    members: list[Replica] = field(default_factory=list)
    flying: list[tuple[int, Signed]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.members = [Replica(m, 4, Signer(self.notary, m), SETTINGS) for m in range(4)]

    def ask(self, value: str, number: int = 0, client: int = 9) -> Signed:
        return self.notary.sign(as_client(client), Request(client, number, value))

    def out(self, sender: int, effects: Effects) -> None:
        for e in effects:
            if isinstance(e, Send):
                to = [m for m in range(4) if m != sender] if e.to is None else e.to
                self.flying += [(m, e.message) for m in to]

    def give(self, to: int, message: Signed) -> None:
        self.out(to, step(self.members[to], message))

    def settle(self, passes: Rule = always) -> None:
        while self.flying:
            to, message = self.flying.pop(0)
            if passes(to, message):
                self.give(to, message)

    def ring(self, member: int, kind: str = VIEW) -> None:
        r = self.members[member]
        self.out(member, ring(r, kind, r.tokens[kind]))

    def logs(self) -> list[list[str]]:
        return [[r.value for r in m.history] for m in self.members]


def decided_by_three_alone() -> Table:
    """Member 3 alone got the commits, of a request that the next leader has not even heard of from its client."""
    table = Table()
    request = table.ask("kept")
    table.give(0, request)
    table.settle(lambda to, m: type(m.body) is not Commit or to == 3)
    assert table.logs() == [[], [], [], ["kept"]]
    return table


def others(to: int, message: Signed) -> bool:
    """Member 3 is cut off."""
    return to != 3 and message.sender != 3


def test_a_new_view_takes_over_what_one_member_decided() -> None:
    table = decided_by_three_alone()
    table.give(1, table.ask("new", 1))
    for m in (1, 2, 0):
        table.ring(m)
    table.settle(others)
    assert table.logs() == [["kept", "new"], ["kept", "new"], ["kept", "new"], ["kept"]]
    assert [m.view for m in table.members] == [1, 1, 1, 0]


def test_without_the_certificates_it_would_be_lost() -> None:
    """So the test above can fail: members that keep quiet about what they prepared decide something else."""
    table = decided_by_three_alone()
    table.give(1, table.ask("new", 1))
    for m in (1, 2, 0):
        r = table.members[m]
        r.prepared, r.waiting = {}, {k: v for k, v in r.waiting.items() if k.value == "new"}
        table.out(m, start(r))
    table.settle(others)
    assert table.logs()[1] == ["new"]


def start(r: Replica) -> Effects:
    from simulator.consensus.views import start_change

    out: Effects = []
    start_change(r, r.view + 1, out)
    return out


def test_a_gap_is_filled_with_nothing() -> None:
    table = Table()
    table.give(0, table.ask("lost", 0))
    table.flying.clear()
    table.give(0, table.ask("second", 1))
    table.settle(lambda to, m: to != 0 or type(m.body) is not Commit)
    assert table.logs() == [[], [], [], []]
    assert table.members[1].behind == 2
    for m in (1, 2, 3):
        table.ring(m)
    table.settle()
    assert table.members[1].history[0] == NOTHING
    assert table.logs()[1] == ["", "second"]


def test_nobody_moves_alone() -> None:
    table = Table()
    table.give(1, table.ask("x"))
    table.ring(1)
    assert table.members[1].changing
    # Its clock is not set before 2f+1 are as far.
    assert not table.members[1].armed[VIEW]
    for m in (2, 3):
        table.give(m, table.ask("x"))
        table.ring(m)
        table.settle(lambda to, m: to == 1 and type(m.body) is ViewChange)
        assert table.members[1].armed[VIEW] is (m == 3)


def test_who_is_left_behind_joins_f_plus_one() -> None:
    table = Table()
    for m in (1, 2):
        table.give(m, table.ask("x"))
        table.ring(m)
    assert table.members[3].view == 0
    table.settle(lambda to, m: to == 3)
    assert table.members[3].view == 1
    assert table.members[3].changing


def certificate(sign: Callable[[int, Body], Signed], request: Signed, view: int = 0, seq: int = 1) -> Prepared:
    assert type(request.body) is Request
    digest = digest_of(request.body)
    leader = view % 4
    voters = [m for m in range(4) if m != leader][:2]
    pre = sign(leader, PrePrepare(view, seq, digest, request))
    return Prepared(pre, tuple(sign(m, Prepare(view, seq, digest)) for m in voters))


@pytest.mark.parametrize("make", [Book, lambda: Ed25519Notary(3)])
def test_certificates_that_prove_nothing_are_not_believed(make: Callable[[], Notary]) -> None:
    notary = make()
    c, sign = Committee(4, 4, notary), notary.sign
    request = sign(as_client(9), Request(9, 0, "x"))
    assert type(request.body) is Request
    good = certificate(sign, request)
    pre, (one, two) = good

    def change(*prepared: Prepared, view: int = 1, stable: int = 0, proof: tuple[Signed, ...] = ()) -> bool:
        return valid_change(c, sign(1, ViewChange(view, stable, proof, prepared)))

    assert change()
    assert change(good)
    assert change(good, certificate(sign, request, seq=2))
    assert not change(good, good)
    assert not change(good._replace(prepares=(one,)))
    assert not change(good._replace(prepares=(one, one)))
    assert not change(good._replace(prepares=(one, sign(0, one.body))))
    assert not change(good._replace(prepares=(one, sign(7, one.body))))
    assert not change(good._replace(prepares=(one, Signed(2, one.body, one.signature))))
    assert not change(good._replace(prepares=(one, sign(2, Commit(*two.body)))))
    assert not change(good._replace(prepares=(one, sign(2, Prepare(0, 1, digest_of(NOTHING))))))
    assert not change(good._replace(pre_prepare=sign(2, pre.body)))
    assert not change(good._replace(pre_prepare=Signed(0, pre.body, one.signature)))
    forged = Signed(as_client(9), Request(9, 0, "y"), request.signature)
    assert not change(certificate(sign, forged))
    assert not change(certificate(sign, sign(as_client(8), request.body)))
    assert not change(certificate(sign, request, view=1))
    assert change(certificate(sign, request, view=1), view=2)
    assert not change(certificate(sign, request, seq=5))
    assert not change(certificate(sign, request, seq=0))
    points = tuple(sign(m, Checkpoint(2, b"s")) for m in range(3))
    assert change(stable=2, proof=points)
    assert change(certificate(sign, request, seq=6), stable=2, proof=points)
    assert not change(good, stable=2, proof=points)
    assert not change(stable=4, proof=points)
    assert not change(stable=2)
    assert not change(stable=2, proof=points[:2])
    assert not change(stable=2, proof=(*points[:2], points[0]))
    assert not change(stable=2, proof=(*points[:2], sign(3, Checkpoint(2, b"t"))))
    # A message that is not signed, but bears the signature of a valid one, after that was checked.
    valid = sign(1, ViewChange(1, 0, (), (good,)))
    assert valid_change(c, valid)
    assert not valid_change(c, Signed(1, ViewChange(1, 0, (), ()), valid.signature))
    assert not valid_change(c, Signed(2, valid.body, valid.signature))


@pytest.mark.parametrize("make", [Book, lambda: Ed25519Notary(3)])
def test_new_views_are_checked_against_what_they_must_take_over(make: Callable[[], Notary]) -> None:
    notary = make()
    c, sign = Committee(4, 4, notary), notary.sign
    old, new = (sign(as_client(9), Request(9, i, "x")) for i in (0, 1))
    assert type(old.body) is Request
    assert type(new.body) is Request

    def changes(*prepared: Prepared) -> tuple[Signed, ...]:
        return tuple(sign(m, ViewChange(2, 0, (), prepared if m == 3 else ())) for m in (0, 1, 3))

    def proposal(request: Signed, seq: int = 1, view: int = 2, by: int = 2) -> Signed:
        assert type(request.body) is Request
        return sign(by, PrePrepare(view, seq, digest_of(request.body), request))

    def valid(given: tuple[Signed, ...], *made: Signed, by: int = 2, view: int = 2) -> bool:
        return valid_new_view(c, sign(by, NewView(view, given, made)))

    one = changes(certificate(sign, old))
    assert valid(changes())
    assert valid(one, proposal(old))
    assert not valid(one)
    assert not valid(one, proposal(new))
    assert not valid(one, proposal(old), proposal(new, 2))
    assert not valid(changes(), proposal(new))
    assert not valid(one, proposal(old), by=3)
    assert not valid(one, proposal(old, by=3))
    assert not valid(one, proposal(old, view=6))
    assert not valid(one, proposal(old), view=6)
    assert not valid(one[:2], proposal(old))
    assert not valid((*one[1:], one[1]), proposal(old))
    assert not valid((*one, one[1]), proposal(old))
    assert not valid((*one[1:], Signed(0, one[0].body, one[1].signature)), proposal(old))
    later = changes(certificate(sign, old, view=0), certificate(sign, new, view=1, seq=2))
    nothing = Signed(-1, NOTHING, b"")
    assert valid(later, proposal(old), proposal(new, 2))
    gap = changes(certificate(sign, new, view=1, seq=2))
    assert valid(gap, proposal(nothing), proposal(new, 2))
    assert not valid(gap, proposal(old), proposal(new, 2))
    # The certificate of the latest view counts.
    both = (*changes(certificate(sign, old))[1:], sign(0, ViewChange(2, 0, (), (certificate(sign, new, view=1),))))
    assert valid(both, proposal(new))
    assert not valid(both, proposal(old))


def test_decisions_and_states_prove_themselves() -> None:
    notary = Book()
    c, sign = Committee(4, 4, notary), notary.sign
    request = sign(as_client(9), Request(9, 0, "x"))
    assert type(request.body) is Request
    commits = tuple(sign(m, Commit(0, 1, digest_of(request.body))) for m in range(3))
    assert valid_decided(c, Decided(1, request, commits))
    assert not valid_decided(c, Decided(2, request, commits))
    assert not valid_decided(c, Decided(1, request, commits[:2]))
    assert not valid_decided(c, Decided(1, request, (*commits[:2], commits[0])))
    assert not valid_decided(c, Decided(1, sign(as_client(9), Request(9, 1, "y")), commits))
    mixed = (*commits[:2], sign(3, Commit(1, 1, digest_of(request.body))))
    assert not valid_decided(c, Decided(1, request, mixed))

    log = tuple(Request(9, i, "x") for i in range(4))
    states = [b"0" * 32]
    for r in log:
        states.append(next_state(states[-1], r))
    proof = tuple(sign(m, Checkpoint(4, states[4])) for m in range(3))
    good = State(0, 4, log, proof)
    assert missing(c, good, 0, states[0]) == log
    assert missing(c, good, 3, states[3]) == log[3:]
    assert missing(c, good, 4, states[4]) is None
    assert missing(c, good, 3, states[2]) is None
    assert missing(c, good._replace(requests=log[::-1]), 0, states[0]) is None
    assert missing(c, good._replace(requests=log[1:], after=1), 0, states[0]) is None
    assert missing(c, good._replace(proof=proof[:2]), 0, states[0]) is None
    assert missing(c, good._replace(seq=3, requests=log[:3]), 0, states[0]) is None


def test_a_member_takes_the_first_of_two_proposals_and_ignores_other_leaders() -> None:
    table = Table()
    first, second = table.ask("a"), table.ask("b", 1)
    for by, request, expected in [(2, second, 0), (0, first, 3), (0, second, 0), (0, first, 0)]:
        assert type(request.body) is Request
        proposal = table.notary.sign(by, PrePrepare(0, 1, digest_of(request.body), request))
        table.give(1, proposal)
        assert len(table.flying) == expected
        assert all(m.body == Prepare(0, 1, digest_of(first.body)) for _, m in table.flying)  # type: ignore[arg-type]
        table.flying.clear()


def test_a_copy_of_the_whole_table_goes_on_alike() -> None:
    table = Table()
    for i in range(3):
        for m in range(4):
            table.give(m, table.ask(f"v{i}", i))
    for _ in range(25):
        to, message = table.flying.pop(0)
        table.give(to, message)
    twin = copy.deepcopy(table)
    table.settle()
    assert twin.logs() != table.logs()
    twin.settle()
    assert twin.logs() == table.logs() == [["v0", "v1", "v2"]] * 4
    assert [m.state for m in twin.members] == [m.state for m in table.members]
    assert all(is_idle(m) for m in twin.members)
    assert table.members[0].stable == 2
    assert set(table.members[0].decided) == {3}


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 5)), min_size=1, max_size=60))
def test_events_come_by_time_and_then_in_the_order_they_went_in(plan: list[tuple[int, int]]) -> None:
    """Against the sequence number that a heap would need."""
    events: Events[tuple[int, int]] = Events()
    for i, (time, _) in enumerate(plan[: len(plan) // 2]):
        push(events, time, (time, i))
    got, left, number = [], list(plan[len(plan) // 2 :]), len(plan)
    while events.times:
        for item in pop(events):
            assert item[0] == events.now
            got.append(item)
            if left:
                _, after = left.pop()
                push(events, events.now + after, (events.now + after, number := number + 1))
    assert got == sorted(got)
    assert len(got) == len(set(got))
    with pytest.raises(ValueError, match="too late"):
        push(events, events.now, (0, 0))


def test_reputation_elects_the_committee() -> None:
    bots = np.arange(100, 1100)
    reputation = np.where(bots < 200, 0.0, 1.0)
    reputation[500:520] = 200.0
    members = elect(Draw(1, 0, 7, "committee"), bots, reputation, 5)
    assert len(set(members.tolist())) == 16
    assert members.min() >= 200
    assert sum(600 <= m < 620 for m in members.tolist()) > 8
    assert members.tolist() == elect(Draw(1, 0, 7, "committee"), bots[::-1], reputation[::-1], 5).tolist()
    assert members.tolist() != elect(Draw(1, 0, 8, "committee"), bots, reputation, 5).tolist()
    with pytest.raises(ValueError, match="bears no fault"):
        elect(Draw(1, 0, 7, "committee"), bots, reputation, 0)


def forged(name: int, body: Body, like: Signed) -> Signed:
    return Signed(name, body, like.signature)


def proposal_of(table: Table, request: Signed, view: int = 0, seq: int = 1) -> Signed:
    assert type(request.body) is Request
    return table.notary.sign(view % 4, PrePrepare(view, seq, digest_of(request.body), request))


def test_a_member_of_a_new_view_waits_until_it_has_begun() -> None:
    """Else its leader could propose other than it must."""
    table = Table()
    request = table.ask("x")
    table.give(3, request)
    table.ring(3)
    table.flying.clear()
    table.give(3, proposal_of(table, request, view=1))
    assert table.flying == []
    # What came too early is not lost.
    changes = tuple(table.notary.sign(m, ViewChange(1, 0, (), ())) for m in range(3))
    table.give(3, table.notary.sign(1, NewView(1, changes, ())))
    assert {type(m.body) for _, m in table.flying} == {Prepare}


def test_the_leader_has_one_voice_not_two() -> None:
    table = Table()
    request = table.ask("x")
    assert type(request.body) is Request
    vote = Prepare(0, 1, digest_of(request.body))
    table.give(1, proposal_of(table, request))
    table.give(1, table.notary.sign(0, vote))
    assert not any(type(m.body) is Commit for _, m in table.flying)
    table.give(1, table.notary.sign(2, vote))
    assert any(type(m.body) is Commit for _, m in table.flying)


def test_votes_are_counted_by_what_they_are_for() -> None:
    table = Table()
    request = table.ask("x")
    assert type(request.body) is Request
    good, other = digest_of(request.body), digest_of(NOTHING)
    table.give(1, proposal_of(table, request))
    for body in (Prepare(0, 1, other), Prepare(0, 2, good), Prepare(1, 1, good)):
        for m in (2, 3):
            table.give(1, table.notary.sign(m, body))
    assert not any(type(m.body) is Commit for _, m in table.flying)
    table.give(1, table.notary.sign(2, Prepare(0, 1, good)))
    for vote in (Commit(0, 1, other), Commit(0, 2, good), Commit(1, 1, good)):
        for m in (0, 2, 3):
            table.give(1, table.notary.sign(m, vote))
    table.give(1, table.notary.sign(0, Commit(0, 1, good)))
    table.give(1, table.notary.sign(0, Commit(0, 1, good)))
    assert table.logs()[1] == []
    table.give(1, table.notary.sign(3, Commit(0, 1, good)))
    assert table.logs()[1] == ["x"]


def test_commits_alone_do_not_decide() -> None:
    """Nor may those of a view that was left be counted in it."""
    table = Table()
    request = table.ask("x")
    assert type(request.body) is Request
    table.give(1, proposal_of(table, request))
    vote = Commit(0, 1, digest_of(request.body))
    for m in (0, 2, 3):
        table.give(1, table.notary.sign(m, vote))
    assert table.logs()[1] == []
    table.ring(1)
    for m in (2, 3):
        table.give(1, table.notary.sign(m, Prepare(*vote)))
    assert table.logs()[1] == []
    assert table.members[1].prepared == {}


@pytest.mark.parametrize("make", [Book, lambda: Ed25519Notary(3)])
def test_no_step_believes_what_is_not_proven(make: Callable[[], Notary]) -> None:
    table = Table(make())
    sign, mine = table.notary.sign, table.ask("mine")
    request = Request(9, 5, "forged")
    table.give(3, forged(as_client(9), request, mine))
    table.give(3, sign(2, request))
    assert table.members[3].waiting == {}
    table.give(3, mine)
    table.give(3, proposal_of(table, forged(as_client(9), request, mine)))
    table.give(3, proposal_of(table, Signed(-1, NOTHING, b"")))
    assert table.flying == []
    bad = certificate(lambda m, body: sign(m, body) if m == 0 else forged(m, body, mine), mine)
    for m in (0, 1, 2):
        table.give(3, sign(m, ViewChange(1, 0, (), (bad,))))
    assert table.members[3].view == 0
    changes = tuple(sign(m, ViewChange(1, 0, (), ())) for m in range(3))
    table.give(3, sign(1, NewView(1, changes, (proposal_of(table, mine, view=1),))))
    table.give(3, sign(1, NewView(1, changes[:2], ())))
    table.give(3, sign(2, NewView(1, changes, ())))
    assert table.members[3].view == 0
    assert type(mine.body) is Request
    vote = Commit(0, 1, digest_of(mine.body))
    own = sign(2, vote)
    table.give(3, sign(2, Decided(1, mine, (own, forged(0, vote, own), forged(1, vote, own)))))
    point = Checkpoint(2, next_state(next_state(bytes(32), request), request))
    first = sign(2, point)
    table.give(3, sign(2, State(0, 2, (request, request), (first, forged(0, point, first), forged(1, point, first)))))
    assert table.logs()[3] == []
    table.give(3, sign(1, NewView(1, changes, ())))
    assert table.members[3].view == 1


def test_checkpoints_of_another_state_do_not_settle_ones_own() -> None:
    table = Table()
    for i in range(2):
        table.give(0, table.ask("x", i))
    table.settle(lambda to, m: type(m.body) is not Checkpoint)
    assert table.members[1].states.keys() == {2}
    for m in (0, 2, 3):
        table.give(1, table.notary.sign(m, Checkpoint(2, b"another")))
    assert table.members[1].stable == 0
    for m in (0, 2):
        table.give(1, table.notary.sign(m, Checkpoint(2, table.members[1].state)))
    assert table.members[1].stable == 2


def call_all(table: Table) -> None:
    for m in range(4):
        table.ring(m, RESEND)
    table.settle()


@pytest.mark.parametrize("lost", [PrePrepare, Prepare, Commit])
def test_votes_are_sent_again_in_the_same_view(lost: type) -> None:
    table = Table()
    for m in range(4):
        table.give(m, table.ask("x"))
    table.settle(lambda to, m: type(m.body) is not lost)
    assert table.logs() == [[]] * 4
    for _ in range(3):
        call_all(table)
    assert table.logs() == [["x"]] * 4
    assert {m.view for m in table.members} == {0}


@pytest.mark.parametrize("settled", [0, 1])
def test_checkpoints_are_sent_again_when_the_window_is_full(settled: int) -> None:
    """Found by Hypothesis. With `settled`, one member has forgotten its own checkpoint and sends the proof."""
    table = Table()
    requests = [table.ask("x", i) for i in range(5)]
    for request in requests[:4]:
        table.give(0, request)
    table.settle(lambda to, m: type(m.body) is not Checkpoint or to < settled)
    assert [m.stable for m in table.members] == [4 * (m < settled) for m in range(4)]
    for m in range(4):
        table.give(m, requests[4])
    table.settle(lambda to, m: type(m.body) is not PrePrepare)
    if settled:
        # The others must hear it from member 0.
        for m in table.members[1:]:
            m.checkpoints.clear()
    call_all(table)
    call_all(table)
    assert [len(log) for log in table.logs()] == [5] * 4
    assert [m.stable for m in table.members] == [4] * 4


def test_a_leader_that_decides_earns_patience() -> None:
    table = Table()
    for m in (1, 2, 3):
        table.give(m, table.ask("x"))
        table.ring(m)
        assert table.members[m].patience == 2
    table.settle(lambda to, m: to != 0)
    assert table.logs()[1:] == [["x"]] * 3
    assert [m.patience for m in table.members[1:]] == [1, 1, 1]


def test_checkpoints_of_others_tell_that_one_is_behind() -> None:
    table = Table()
    for i in range(2):
        table.give(0, table.ask("x", i))
    table.settle(lambda to, m: to != 3 or type(m.body) is Checkpoint)
    assert not is_idle(table.members[3])
    assert all(is_idle(m) for m in table.members[:3])
    table.ring(3, RESEND)
    table.settle()
    assert table.logs() == [["x", "x"]] * 4
