"""Meta-governance, step by step: what the policy denies does not happen, and whoever dies anywhere is followed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from policyctl.main import main
from policyctl.reprove import Reprove
from policydsl.diagnostics import Report
from policydsl.load import load
from runtime import amend
from runtime.bundle import build, read
from runtime.enforcer import Enforcer
from runtime.migrate import MigrationError
from runtime.open_store import open_store
from runtime.settings import Settings
from simulator import meta_loop, record
from simulator.executor import Here
from simulator.meta_books import META, Books, RefusedError, relations, ruling
from simulator.meta_evidence import place_of
from simulator.meta_loop import Loop
from simulator.meta_proof import Broken, Proof
from simulator.meta_targets import BundleFile, Live
from simulator.meta_trial import Rehearsal, Trial
from simulator.scenario import load as scenario
from verifier.certificate import certificate
from verifier.verify import verify_with_proofs

GATEWAY = """
/// Calls are paid for out of a budget.
module gateway
entity Bot
param QUORUM     : Int[100..1_000_000] = 2_000
param SEND_LIMIT : Int[4..1_000] = 60
state sent : Bot -> Int = 0
action send(principal: Bot) {
  require sent[principal] < SEND_LIMIT / 4 else "too many"
  sent[principal] += 1
}
invariant limited: forall b: Bot . 0 <= sent[b] and 4 * sent[b] <= SEND_LIMIT
assert everybody_has_a_voice on send: sent[principal] == 0 implies allowed
"""

HOUR = 3_600_000
NOW = 1_700_000_000_000


@cache
def gateway() -> bytes:
    [program] = load(["gateway.policy"], lambda _: GATEWAY, Report())
    verification, proofs = verify_with_proofs(program.system)
    return build([(program.system, certificate(program.system, verification, proofs).model_dump_json())])


class Cached(Reprove):
    """The same proofs need not be found for each test."""

    def __call__(self, bundle: Any, now: Mapping[str, int], amendment: Mapping[str, int]) -> Proof:
        return _proved(tuple(sorted(now.items())), tuple(sorted(amendment.items())))


@cache
def _proved(now: tuple[tuple[str, int], ...], amendment: tuple[tuple[str, int], ...]) -> Proof:
    return Reprove(relations())(read(gateway()), dict(now), dict(amendment))


PROVE = Cached(relations())


@dataclass
class Place:
    """A directory in which everything is, and a clock that its enforcers read."""

    folder: Path
    now: int = NOW
    figures: tuple[tuple[float, ...], tuple[float, ...]] = ((80.0, 81.0, 82.0, 83.0), (90.0, 91.0, 92.5, 93.0))
    opened: list[Enforcer] = field(default_factory=list)
    outcome: float = 95.0
    """What a run under the amendment comes to."""

    def loop(self) -> Loop:
        given = {"Members": ["ann", "bob", "cy"], "Operators": ["operator"], "Analysts": ["analyst"]}
        given |= {"Auditors": ["auditor"]}
        settings = Settings(
            lambda: self.now, map(str, count()).__next__, approvals=False, given={META: given}, tolerance=0
        )
        self.folder.mkdir(exist_ok=True)
        enforcer = Enforcer(ruling(), open_store(str(self.folder / "governance.db"), "relaxed"), settings)
        self.opened.append(enforcer)
        return Loop(self.folder, Books(enforcer), BundleFile(self.live))

    @property
    def live(self) -> Path:
        return self.folder / "live.bundle"

    def in_force(self) -> dict[str, int]:
        bundle = read(self.live.read_bytes())
        assert bundle.verified
        return {n: x.value for n, x in amend.numbers(bundle.policies).items()}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    found = Place(tmp_path / "governance")

    def rehearse(rehearsal: Rehearsal, *_rest: Any) -> Trial:
        return Trial(rehearsal, *found.figures)

    monkeypatch.setattr(meta_loop, "rehearse", rehearse)
    yield found
    for enforcer in found.opened:
        enforcer.close()


def rehearsal() -> Rehearsal:
    return Rehearsal(scenario("normal_operation"), "resilience", 0, (1, 2, 3, 4))


def until_the_vote(place: Place, loop: Loop, name: str = "a1", value: int = 40) -> str:
    """An amendment is written, tried, proved and put to the vote; the digest of the evidence."""
    loop.propose(name, "ann", {"SEND_LIMIT": value}, rehearsal())
    loop.simulate(name, Here(), place.now)
    _, digest = loop.verify(name, PROVE)
    loop.put_to_vote(name, "ann")
    return digest


def until_approved(place: Place, loop: Loop, name: str = "a1", value: int = 40) -> str:
    digest = until_the_vote(place, loop, name, value)
    for who in ("ann", "bob", "auditor"):
        loop.vote(name, who, True)
    place.now += 25 * HOUR
    assert loop.close(name) == "Approved"
    place.now += 48 * HOUR
    return digest


def begun(place: Place) -> Loop:
    loop = place.loop()
    loop.found(gateway())
    assert place.in_force() == {"QUORUM": 2000, "SEND_LIMIT": 60}
    return loop


def test_an_amendment_is_kept(place: Place) -> None:
    loop = begun(place)
    before = loop.books.version
    until_approved(place, loop)
    assert place.in_force() == {"QUORUM": 2000, "SEND_LIMIT": 60}
    loop.apply("a1")
    assert place.in_force() == {"QUORUM": 2000, "SEND_LIMIT": 40}
    assert loop.books.version == read(place.live.read_bytes()).digest != before
    with pytest.raises(RefusedError, match="hasty"):
        loop.judge("a1", [95.0])
    place.now += 24 * HOUR
    assert loop.judge("a1", [95.0]) is True
    assert place.in_force() == {"QUORUM": 2000, "SEND_LIMIT": 40}
    assert loop.books.standing("a1").stage == "Settled"
    assert loop.books.number("reputation", "ann") == 112


@pytest.mark.parametrize("figures", [[79.0], [], [float("nan")], [95.0, float("nan")], [float("inf")]])
def test_what_was_promised_does_not_come(place: Place, figures: list[float]) -> None:
    loop = begun(place)
    before = place.live.read_bytes()
    until_approved(place, loop)
    loop.apply("a1")
    assert place.live.read_bytes() != before
    place.now += 24 * HOUR
    assert loop.judge("a1", figures) is False
    assert place.live.read_bytes() == before
    assert loop.books.values() == {"QUORUM": 2000, "SEND_LIMIT": 60}
    assert loop.books.number("reputation", "ann") == 78


def test_a_live_enforcer_goes_on_under_the_new_number_and_back(place: Place, tmp_path: Path) -> None:
    loop = begun(place)
    served = Enforcer(
        read(gateway()), open_store(str(tmp_path / "gateway.db"), "relaxed"), Settings(lambda: place.now, str)
    )
    place.opened.append(served)
    loop = replace(loop, target=Live(served))

    def sent(who: str) -> int:
        return sum(served.decide("send", principal=who).allowed for _ in range(20))

    until_approved(place, loop, value=20)
    loop.apply("a1")
    assert sent("w2") == 5
    place.now += 24 * HOUR
    loop.judge("a1", [])
    assert (sent("w2"), sent("w3")) == (10, 15)


def test_a_number_that_the_state_does_not_fit_does_not_come_into_force(place: Place, tmp_path: Path) -> None:
    """Somebody has sent more than the new number allows: the invariant would not hold, so all stays as it was."""
    loop = begun(place)
    store = open_store(str(tmp_path / "gateway.db"), "relaxed")
    served = Enforcer(read(gateway()), store, Settings(lambda: place.now, str))
    place.opened.append(served)
    loop = replace(loop, target=Live(served))
    assert sum(served.decide("send", principal="w1").allowed for _ in range(20)) == 15
    until_approved(place, loop, value=20)
    with pytest.raises(MigrationError, match="does not hold of the state that is there"):
        loop.apply("a1")
    assert sum(served.decide("send", principal="w2").allowed for _ in range(20)) == 15


def test_no_improvement_is_not_put_to_the_vote(place: Place) -> None:
    loop = begun(place)
    place.figures = ((80.0, 81.0, 82.0, 83.0), (81.0, 80.0, 84.0, 82.0))
    loop.propose("a1", "ann", {"SEND_LIMIT": 40}, rehearsal())
    trial, _ = loop.simulate("a1", Here(), place.now)
    assert trial.gain.low < 0 < trial.gain.high
    assert loop.books.standing("a1").trial == "Dropped"
    for step in (lambda: loop.verify("a1", PROVE), lambda: loop.put_to_vote("a1", "ann"), lambda: loop.apply("a1")):
        with pytest.raises(RefusedError):
            step()


def test_a_missing_figure_is_not_put_to_the_vote(place: Place) -> None:
    loop = begun(place)
    place.figures = ((80.0, 81.0, 82.0, 83.0), (90.0, float("nan"), 92.0, 93.0))
    loop.propose("a1", "ann", {"SEND_LIMIT": 40}, rehearsal())
    loop.simulate("a1", Here(), place.now)
    assert loop.books.standing("a1").trial == "Dropped"


@pytest.mark.parametrize(("value", "fits"), [(3, False), (4, True), (1000, True), (1001, False)])
def test_the_edges_of_the_bounds(place: Place, value: int, fits: bool) -> None:
    loop = begun(place)
    if fits:
        until_approved(place, loop, value=value)
        loop.apply("a1")
        assert place.in_force()["SEND_LIMIT"] == value
        return
    with pytest.raises(RefusedError, match="outside its bounds"):
        loop.propose("a1", "ann", {"SEND_LIMIT": value}, rehearsal())
    assert loop.books.standing("a1").trial == "Blank"


def test_what_would_be_broken_outside_the_bounds_is_shown() -> None:
    proof = PROVE(read(gateway()), {"QUORUM": 2000, "SEND_LIMIT": 60}, {"SEND_LIMIT": 3})
    assert not proof.proved
    assert proof.data == b""
    assert proof.open == ("SEND_LIMIT = 3 is outside 4..1000",)
    [broken] = proof.broken
    assert (broken.policy, broken.property) == ("gateway", "everybody_has_a_voice")
    assert "deny: too many" in broken.run[-1]
    assert broken.run[-1].endswith("<- breaks `everybody_has_a_voice`")


def test_a_relation_that_would_be_broken_is_shown(place: Place) -> None:
    now = {"QUORUM": 2000, "SEND_LIMIT": 60}
    assert PROVE.relations(now, {"QUORUM": 1001}) == ()
    [broken] = PROVE.relations(now, {"QUORUM": 1000})
    assert broken.property == "nobody_decides_alone"
    assert broken.run[0].strip() == "start  ceiling = 1000, quorum = 1000"
    # What is broken already is not broken by the amendment.
    assert PROVE.relations({"QUORUM": 300}, {"SEND_LIMIT": 30}) == ()
    loop = begun(place)
    loop.propose("a1", "ann", {"QUORUM": 1000}, rehearsal())
    loop.simulate("a1", Here(), place.now)
    proof, digest = loop.verify("a1", PROVE)
    assert (proof.proved, digest, proof.data) == (False, "", b"")
    assert [b.property for b in proof.broken] == ["nobody_decides_alone"]
    assert loop.books.standing("a1").trial == "Dropped"
    with pytest.raises(RefusedError, match="not verified"):
        loop.books.ask("draft", principal="ann", proposal="a1", what="nothing")


def test_a_proof_that_is_none_leads_nowhere(place: Place) -> None:
    """Whatever a prover says to be broken or open is not put to the vote, even if it hands over a bundle."""

    class Odd(Cached):
        def __call__(self, bundle: Any, now: Mapping[str, int], amendment: Mapping[str, int]) -> Proof:
            return replace(PROVE(bundle, now, amendment), broken=(Broken("gateway", "limited", (), ""),))

    loop = begun(place)
    loop.propose("a1", "ann", {"SEND_LIMIT": 40}, rehearsal())
    loop.simulate("a1", Here(), place.now)
    loop.verify("a1", Odd())
    assert loop.books.standing("a1").trial == "Dropped"


def test_tampered_evidence_is_refused(place: Place) -> None:
    loop = begun(place)
    digest = until_approved(place, loop)
    path = place_of(place.folder, digest)
    whole = path.read_bytes()
    for changed in (whole.replace(b'"SEND_LIMIT": 40', b'"SEND_LIMIT": 50'), whole + b" ", whole[:-1], b"{}"):
        path.write_bytes(changed)
        with pytest.raises(RefusedError, match="digest is another one"):
            loop.apply("a1")
        assert place.in_force()["SEND_LIMIT"] == 60
    path.unlink()
    with pytest.raises(RefusedError, match="cannot be read"):
        loop.apply("a1")
    path.write_bytes(whole)
    loop.apply("a1")
    assert place.in_force()["SEND_LIMIT"] == 40


def test_nobody_votes_on_tampered_evidence(place: Place) -> None:
    loop = begun(place)
    digest = until_the_vote(place, loop)
    path = place_of(place.folder, digest)
    path.write_bytes(path.read_bytes().replace(b"93.0", b"99.0"))
    with pytest.raises(RefusedError, match="digest is another one"):
        loop.vote("a1", "bob", True)
    assert loop.books.standing("a1").yes == 0


def test_another_bundle_than_was_voted_on_is_refused(place: Place) -> None:
    loop = begun(place)
    until_approved(place, loop)
    to = loop.books.standing("a1").leads_to
    path = place.folder / "bundles" / f"{to}.bundle"
    other = PROVE(read(gateway()), {"QUORUM": 2000, "SEND_LIMIT": 60}, {"SEND_LIMIT": 1000}).data
    for data in (other, gateway(), b"", path.read_bytes()[:-1]):
        path.write_bytes(data)
        with pytest.raises(RefusedError):
            loop.apply("a1")
        assert place.in_force()["SEND_LIMIT"] == 60
        assert loop.books.standing("a1").trial == "Verified"


def test_evidence_about_another_amendment_is_refused(place: Place) -> None:
    """An analyst who reports the evidence of one amendment for another gets no further."""
    loop = begun(place)
    digest = until_the_vote(place, loop, "a1", 40)
    loop.propose("a2", "bob", {"SEND_LIMIT": 1000}, rehearsal())
    loop.simulate("a2", Here(), place.now)
    standing = loop.books.standing("a1")
    loop.books.ask(
        "report_proof",
        principal="analyst",
        proposal="a2",
        proved=True,
        basis=standing.rests_on,
        result=standing.leads_to,
        what=digest,
    )
    with pytest.raises(RefusedError, match="about something else"):
        loop.put_to_vote("a2", "bob")


def test_two_at_once_and_evidence_about_another_version(place: Place) -> None:
    loop = begun(place)
    until_the_vote(place, loop, "a1", 40)
    until_the_vote(place, loop, "a2", 30)
    for name in ("a1", "a2"):
        for who in ("ann", "bob", "auditor"):
            loop.vote(name, who, True)
    place.now += 73 * HOUR
    assert loop.close("a1") == loop.close("a2") == "Approved"
    loop.apply("a1")
    with pytest.raises(RefusedError, match="another amendment is on trial"):
        loop.apply("a2")
    assert place.in_force()["SEND_LIMIT"] == 40
    place.now += 24 * HOUR
    assert loop.judge("a1", [95.0]) is True
    with pytest.raises(RefusedError, match="about another version"):
        loop.apply("a2")
    assert place.in_force()["SEND_LIMIT"] == 40


def test_what_was_measured_under_other_numbers_proves_nothing(place: Place) -> None:
    loop = begun(place)
    until_approved(place, loop, "a1", 40)
    loop.propose("a2", "bob", {"QUORUM": 3000}, rehearsal())
    loop.simulate("a2", Here(), place.now)
    loop.apply("a1")
    with pytest.raises(RefusedError, match="measured under other numbers"):
        loop.verify("a2", PROVE)


def test_stale_figures_are_refused(place: Place) -> None:
    loop = begun(place)
    until_approved(place, loop)
    place.now += 8 * 24 * HOUR
    with pytest.raises(RefusedError, match="stale"):
        loop.apply("a1")
    assert place.in_force()["SEND_LIMIT"] == 60


def test_another_waits_for_a_rollback_and_comes_after_it(place: Place) -> None:
    loop = begun(place)
    until_approved(place, loop, "a1", 40)
    loop.apply("a1")
    loop.propose("a2", "cy", {"SEND_LIMIT": 30}, rehearsal())
    place.now += 24 * HOUR
    assert loop.judge("a1", [1.0]) is False
    with pytest.raises(RefusedError, match="not enough standing"):
        until_the_vote(place, loop, "a3", 20)
    loop.simulate("a2", Here(), place.now)
    loop.verify("a2", PROVE)
    loop.put_to_vote("a2", "cy")
    assert place.in_force()["SEND_LIMIT"] == 60


def test_a_vote_that_is_lost_changes_nothing(place: Place) -> None:
    loop = begun(place)
    until_the_vote(place, loop)
    loop.vote("a1", "ann", True)
    with pytest.raises(RefusedError, match="already voted"):
        loop.vote("a1", "ann", True)
    with pytest.raises(RefusedError, match="no weight"):
        loop.vote("a1", "mallory", True)
    with pytest.raises(RefusedError, match="voting has not ended"):
        loop.close("a1")
    place.now += 25 * HOUR
    assert loop.close("a1") == "ReputationUpdate"
    with pytest.raises(RefusedError, match="not approved"):
        loop.apply("a1")
    assert place.in_force()["SEND_LIMIT"] == 60


def test_nobody_judges_and_it_is_rolled_back(place: Place) -> None:
    loop = begun(place)
    until_approved(place, loop)
    loop.apply("a1")
    with pytest.raises(RefusedError, match="nobody says that it fails"):
        loop.give_up("a1")
    place.now += 48 * HOUR
    loop.give_up("a1")
    assert place.in_force()["SEND_LIMIT"] == 60


def test_every_decision_is_in_the_log(place: Place) -> None:
    loop = begun(place)
    until_approved(place, loop)
    loop.apply("a1")
    with pytest.raises(RefusedError):
        loop.books.ask("keep", proposal="a1")
    assert main(["log", "verify", str(place.folder / "governance.db")]) == 0
    assert main(["log", "replay", str(place.folder / "governance.db"), "specs/mvg/meta.policy"]) == 0


# Crashes


class Killed(BaseException):
    """The process dies here."""


@dataclass
class Fate:
    """Lets so many things happen, and dies before, or right after, the next."""

    left: int = 10**9
    after: bool = False
    happened: int = 0

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.happened += 1
            if self.happened <= self.left:
                return function(*args, **kwargs)
            if self.after:
                function(*args, **kwargs)
            raise Killed

        return wrapped


def drive(place: Place, loop: Loop) -> str:
    """What an operator does, whoever was there before: looks where the amendment stands, and goes on."""
    if not loop.books.version:
        loop.found(gateway())
    loop.reconcile()
    standing = loop.books.standing("a1")
    written = loop.books.proposed("a1", ["QUORUM", "SEND_LIMIT"])
    if standing.trial == "Blank" or (standing.trial == "Written" and len(written) < 2):
        loop.propose("a1", "ann", {"SEND_LIMIT": 40, "QUORUM": 3000}, rehearsal())
    if loop.books.standing("a1").trial == "Written":
        loop.simulate("a1", Here(), place.now)
    if loop.books.standing("a1").trial == "Simulated":
        loop.verify("a1", PROVE)
    if loop.books.standing("a1").stage in ("Unwritten", "Drafted", "Submitted"):
        loop.put_to_vote("a1", "ann")
    for who in ("ann", "bob", "auditor"):
        open_ = loop.books.standing("a1").stage == "VotingOpen"
        if open_ and loop.books.read("ballot", "a1", who) == "None":
            loop.vote("a1", who, True)
    place.now += 73 * HOUR
    loop.close("a1")
    if loop.books.standing("a1").stage in ("Approved", "Executing", "Monitoring") and not place_judged(loop):
        loop.apply("a1")
        place.now += 24 * HOUR
    loop.judge("a1", [place.outcome])
    return loop.books.standing("a1").trial


def place_judged(loop: Loop) -> bool:
    return loop.books.standing("a1").trial in ("Kept", "Undone")


@pytest.mark.parametrize(
    ("outcome", "every"),
    [(95.0, 5), (1.0, 7), pytest.param(95.0, 1, marks=pytest.mark.slow), pytest.param(1.0, 1, marks=pytest.mark.slow)],
)
def test_killed_anywhere_it_goes_on_and_nothing_unapproved_is_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outcome: float, every: int
) -> None:
    fate = Fate()
    monkeypatch.setattr(meta_loop, "rehearse", lambda r, *_: Trial(r, *Place(tmp_path).figures))
    decide, put, write = Enforcer.decide_request, BundleFile.put, record.write
    monkeypatch.setattr(Enforcer, "decide_request", fate.wrap(decide))
    monkeypatch.setattr(BundleFile, "put", fate.wrap(put))
    for module in (meta_loop, record):
        monkeypatch.setattr(module, "write", fate.wrap(write))
    old, new = {"QUORUM": 2000, "SEND_LIMIT": 60}, {"QUORUM": 3000, "SEND_LIMIT": 40}

    def check(place: Place) -> None:
        """Whatever is in force was approved, or was there at first."""
        fate.left = 10**9
        loop = place.loop()
        trial = loop.books.standing("a1").trial
        if place.live.exists():
            now = place.in_force()
            # What is in force may lag behind, until somebody looks; it is never ahead.
            assert now == old or (now == new and trial in ("Tried", "Kept", "Undone"))
            if loop.books.version:
                loop.reconcile()
                assert place.in_force() == (new if trial in ("Tried", "Kept") else old)

    steps, seen = 0, set()
    for after in (False, True):
        for left in count(0, every):
            place = Place(tmp_path / f"{after}-{left}", outcome=outcome)
            fate.left, fate.after, fate.happened = left, after, 0
            try:
                drive(place, place.loop())
            except Killed:
                steps += 1
                check(place)
                fate.happened = 0
                loop = place.loop()
                seen.add(loop.books.standing("a1").trial)
                assert drive(place, loop) == ("Kept" if outcome > 50 else "Undone")
            else:
                break
            finally:
                for enforcer in place.opened:
                    enforcer.close()
            assert place.in_force() == (new if outcome > 50 else old)
    assert steps > 60 // every
    if every == 1:
        assert seen == {"Blank", "Written", "Simulated", "Verified", "Tried", "Kept" if outcome > 50 else "Undone"}
