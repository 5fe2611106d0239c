"""Elections from their announcement to their result, and everybody who tries to get another one."""

from __future__ import annotations

from typing import Any

import pytest
from elections import CHOICES, TRUSTEES, Held, chance_from, cheated, secret_of, trustee, voter, whole
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.merkle import leaf_hash
from runtime.merkle import root_of as root_of_log
from voting import acts
from voting.ballots import Choice, make_ballot
from voting.decryption import make_share
from voting.election import _WHEN, Stage
from voting.elgamal import Cipher, encrypt
from voting.faults import Code, RefusedError
from voting.group import ORDER, base_times, minus, plus, random_scalar
from voting.posts import (
    Ballot,
    CipherJson,
    Closing,
    Confirmation,
    Envelope,
    Manifest,
    Opening,
    ProofJson,
    Result,
    Roll,
    Sealed,
    Share,
    Voter,
    election_of,
    parsed,
    signed_text,
)
from voting.proofs import prove_bit, prove_equality, prove_knowledge
from voting.roll import root_of, summary
from voting.transcript import canonical, digest_of
from voting.trustees import make_complaint, make_deal
from voting.verify import verify


def refused(held: Held, code: Code, author: str, body: Any) -> str:
    """The place at which `body` is refused with `code`."""
    with pytest.raises(RefusedError) as caught:
        held.say(author, body)
    assert [f.code for f in caught.value.faults] == [code]
    return caught.value.faults[0].place


def test_an_election() -> None:
    held = whole()
    assert held.result == (120, 100, 100)
    assert verify(held.board).decided


@settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.dictionaries(st.sampled_from("abcdefgh"), st.tuples(st.integers(1, 1000), st.sampled_from(Choice)), min_size=1)
)
def test_the_result_is_the_sum_of_the_weights(votes: dict[str, tuple[int, Choice]]) -> None:
    held = Held(weights={name: weight for name, (weight, _) in votes.items()}).open()
    held.cast({name: choice for name, (_, choice) in votes.items()}).close().contribute("rita", "tess").decide()
    sums = [sum(w for w, c in votes.values() if c is choice) for choice in (Choice.YES, Choice.NO, Choice.ABSTAIN)]
    assert list(held.result) == sums
    assert verify(held.board).decided


@pytest.mark.parametrize(("trustees", "threshold"), [(1, 1), (2, 1), (2, 2), (4, 3), (5, 5)])
def test_thresholds(trustees: int, threshold: int) -> None:
    names = tuple(f"t{n}" for n in range(trustees))
    held = Held(trustees=names, threshold=threshold).open().cast(CHOICES).close()
    held.contribute(*names[-threshold:]).decide(names[-1])
    assert held.result == (120, 100, 100)
    assert verify(held.board).decided


def test_more_than_it_takes_may_contribute() -> None:
    held = Held().open().cast(CHOICES).close().contribute(*TRUSTEES).decide("rita")
    assert held.result == (120, 100, 100)
    assert verify(held.board).decided


def test_a_board_that_goes_on_is_right_and_not_decided() -> None:
    held = whole()
    for length in range(len(held.posts)):
        cut = Held()
        cut.put(*held.posts[:length])
        report = verify(cut.board) if length else None
        assert report is None or (report.faults == () and not report.decided)


# Voters


def forged_ballot(held: Held, name: str, yes: int, no: int) -> Ballot:
    """A ballot with these numbers, and the proofs that the honest prover makes for it."""
    chance, booth = chance_from("forged"), held.election.booth
    r, s = random_scalar(chance), random_scalar(chance)
    ciphers = encrypt(booth.key, yes, r), encrypt(booth.key, no, s)
    context = digest_of(
        "ballot",
        booth.election,
        booth.key,
        name,
        secret_of(name).sign_key,
        *(part for c in ciphers for part in (c.nonce, c.masked)),
    )

    def proof(label: str, cipher: Cipher, nonce: int, value: int) -> list[ProofJson]:
        made = prove_bit(chance, label, context, booth.key, cipher, nonce, 1 if value == 1 else 0)
        return [ProofJson.of(p) for p in made]

    return Ballot.model_construct(
        yes=CipherJson.of(ciphers[0]),
        no=CipherJson.of(ciphers[1]),
        yes_proof=proof("yes", ciphers[0], r, yes),
        no_proof=proof("no", ciphers[1], s, no),
        sum_proof=proof("sum", ciphers[0] + ciphers[1], r + s, yes + no),
    )


def test_the_forger_forges_rightly() -> None:
    held = Held().open()
    held.say("alice", forged_ballot(held, "alice", 1, 0))
    held.say("bob", forged_ballot(held, "bob", 0, 0))
    assert list(held.election.ballots) == ["alice", "bob"]


@pytest.mark.parametrize(
    ("yes", "no", "place"),
    [
        (1, 1, "sum"),
        (2, 0, "yes"),
        (0, 2, "no"),
        (-1, 1, "yes"),
        (1, -1, "no"),
        (1000, 0, "yes"),
        (ORDER // 2, 0, "yes"),
    ],
)
def test_ballots_that_count_more_than_once_or_backwards_are_refused(yes: int, no: int, place: str) -> None:
    held = Held().open()
    found = refused(held, Code.PROOF, "alice", forged_ballot(held, "alice", yes, no))
    assert found == f"entry 10 (ballot of alice), {place}_proof"


def test_nobody_votes_twice() -> None:
    held = Held().open().cast({"bob": Choice.NO})
    again = acts.cast(held.chance, held.election, "bob", secret_of("bob"), Choice.YES)
    with pytest.raises(RefusedError, match=r"bob has voted already, in entry 10 \[duplicate\]"):
        held.put(again)


def test_the_same_post_twice_is_refused() -> None:
    held = Held().open().cast({"bob": Choice.NO})
    with pytest.raises(RefusedError, match="duplicate"):
        held.put(held.posts[-1])


def test_strangers_do_not_vote() -> None:
    held = Held().open()
    ballot = make_ballot(held.chance, held.election.booth, "mallory", secret_of("mallory").sign_key, Choice.YES)
    refused(held, Code.AUTHOR, "mallory", ballot)
    refused(held, Code.AUTHOR, "rita", ballot)


def test_nobody_votes_for_somebody_else() -> None:
    held = Held().open()
    ballot = make_ballot(held.chance, held.election.booth, "bob", secret_of("bob").sign_key, Choice.YES)
    post = acts.signed(held.election.id, "bob", secret_of("mallory"), ballot)
    with pytest.raises(RefusedError, match="signature"):
        held.put(post)


def test_a_copied_ballot_is_refused() -> None:
    """Whoever could cast Alice's ballot again would learn from the result how she voted."""
    held = Held().open().cast({"alice": Choice.YES})
    copy = Ballot.model_validate(held.posts[-1].body)
    refused(held, Code.PROOF, "bob", copy)


def test_a_copied_ballot_with_other_nonces_is_refused() -> None:
    held = Held().open().cast({"alice": Choice.YES})
    copy = Ballot.model_validate(held.posts[-1].body)

    def other(c: CipherJson) -> CipherJson:
        return CipherJson.of(c.value + encrypt(held.election.key, 0, 5))

    changed = copy.model_copy(update={"yes": other(copy.yes), "no": other(copy.no)})
    refused(held, Code.PROOF, "bob", changed)


def test_a_ballot_of_another_election_is_refused() -> None:
    first, second = Held().open(), Held(question="Shall we again?", chance=chance_from("another")).open()
    first.cast({"alice": Choice.YES})
    with pytest.raises(RefusedError, match=r"this was made for another election \[election\]"):
        second.put(first.posts[-1])
    refused(second, Code.PROOF, "alice", Ballot.model_validate(first.posts[-1].body))


@pytest.mark.parametrize("number", [1, 2, 5, 8, 9, 12, 13, 15])
def test_a_post_of_another_election_is_not_signed_for_this_one(number: int) -> None:
    post, other = whole().posts[number], Held(question="Shall we again?").announce()
    other.election.stage = _WHEN[post.kind][0]
    with pytest.raises(RefusedError, match="has not signed this"):
        other.put(post.model_copy(update={"election": other.election.id}))


def test_two_elections_about_the_same_are_two() -> None:
    first, second = Held().announce(), Held(chance=chance_from("another")).announce()
    assert first.election.id != second.election.id


@pytest.mark.parametrize("stage", ["announced", "closed"])
def test_ballots_are_cast_while_voting_is_open(stage: str) -> None:
    held = Held().open().cast(CHOICES)
    late = acts.cast(held.chance, held.election, "dave", secret_of("dave"), Choice.YES)
    other = held.close() if stage == "closed" else Held().announce()
    with pytest.raises(RefusedError, match="stage"):
        other.put(late)


# The authority


def test_only_the_authority_opens_and_closes() -> None:
    held = Held().announce().round().round()
    opening = Opening.model_construct(head=held.election.head, key=held.election.key)
    refused(held, Code.AUTHOR, "rita", opening)
    held.say("clerk", opening)
    held.cast(CHOICES)
    refused(held, Code.AUTHOR, "alice", Closing.model_construct(ballots=3, head=held.election.head))
    held.close()
    assert held.election.stage is Stage.CLOSED


def test_the_key_is_that_of_the_trustees() -> None:
    held = Held().announce().round().round()
    refused(held, Code.KEY, "clerk", Opening.model_construct(head=held.election.head, key=base_times(1)))
    refused(held, Code.HEAD, "clerk", Opening.model_construct(head=bytes(32), key=held.election.key))


def test_what_is_closed_is_what_is_on_the_board() -> None:
    held = Held().open().cast(CHOICES)
    refused(held, Code.HEAD, "clerk", Closing.model_construct(ballots=2, head=held.election.head))
    refused(held, Code.HEAD, "clerk", Closing.model_construct(ballots=3, head=bytes(32)))


def test_a_board_on_which_nobody_has_voted_is_not_closed() -> None:
    held = Held().open()
    refused(held, Code.SHAPE, "clerk", Closing.model_construct(ballots=0, head=held.election.head))


@pytest.mark.parametrize("number", [9, 10, 11])
def test_no_ballot_is_dropped_after_closing(number: int) -> None:
    posts = whole().posts
    held = Held()
    with pytest.raises(RefusedError, match="this closes another board"):
        held.put(*posts[:number], *posts[number + 1 :])


def test_ballots_are_not_exchanged_after_closing() -> None:
    posts = whole().posts
    held = Held()
    with pytest.raises(RefusedError, match="this closes another board"):
        held.put(*posts[:9], posts[10], posts[9], *posts[11:])


def test_a_keeper_who_lets_a_bad_ballot_in_is_found_out() -> None:
    held = Held().open().cast({"alice": Choice.YES})
    for name in ("bob", "carol"):
        post = acts.signed(held.election.id, name, secret_of(name), forged_ballot(held, name, 1, 1))
        held.election.accept(acts.entry_after(held.election, post))
        held.posts.append(post)
    faults = verify(held.board).faults
    assert [(f.code, f.place) for f in faults] == [
        (Code.PROOF, "entry 11 (ballot of bob), sum_proof"),
        (Code.PROOF, "entry 12 (ballot of carol), sum_proof"),
    ]
    with pytest.raises(RefusedError, match="bob"):
        held.close()


# The roll


@pytest.mark.parametrize("weight", [0, -1, -(10**30), 2**36 + 1, 10**30, True, 1.0, "5", None])
def test_weights_are_whole_numbers_from_1_to_a_limit(weight: object) -> None:
    with pytest.raises(RefusedError) as caught:
        parsed(Voter, {**voter("alice", 1).model_dump(), "weight": weight}, "line 1")
    assert [(f.code, f.place) for f in caught.value.faults] == [(Code.WEIGHT, "line 1, weight")]


def test_all_weights_together_stay_below_the_limit() -> None:
    assert summary([voter("alice", 2**36 - 1), voter("bob", 1)]).weight == 2**36
    with pytest.raises(RefusedError, match="weight"):
        summary([voter("alice", 2**36), voter("bob", 1)])


@pytest.mark.parametrize(
    ("voters", "why"),
    [
        ([], "nobody may vote"),
        ([voter("bob", 1), voter("alice", 1)], "in order"),
        ([voter("alice", 1), voter("alice", 2)], "each name once"),
        ([voter("alice", 1), voter("alice", 1).model_copy(update={"name": "bob"})], "the same key"),
    ],
)
def test_a_roll_has_each_voter_once(voters: list[Voter], why: str) -> None:
    with pytest.raises(RefusedError, match=why):
        summary(voters)


@pytest.mark.parametrize("change", [{"alice": 121}, {"eve": 1}, {"alice": 119, "bob": 101}])
def test_the_roll_is_the_one_that_was_announced(change: dict[str, int]) -> None:
    held, announced = Held(), Held().announce()
    held.put(announced.posts[0])
    weights = {**held.weights, **change}
    roll = Roll.model_construct(voters=[voter(*v) for v in sorted(weights.items())])
    refused(held, Code.ROLL, "clerk", roll)
    held.put(announced.posts[1])


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 9])
def test_the_root_of_a_roll_is_that_of_other_logs(count: int) -> None:
    voters = [voter(f"v{n}", n + 1) for n in range(count)]
    assert root_of(voters) == root_of_log(leaf_hash(canonical(v.model_dump()).encode()) for v in voters)


# The manifest


def announced(**changes: object) -> Held:
    """An election whose manifest says something else, signed by its authority."""
    body = {**Held().announce().posts[0].body, **changes}
    held = Held()
    election = election_of(body)
    signature = secret_of("clerk").sign(signed_text("manifest", "clerk", election, body))
    held.put(
        Envelope.model_construct(author="clerk", body=body, election=election, kind="manifest", signature=signature)
    )
    return held


@pytest.mark.parametrize("threshold", [0, -1, 4, 10**30])
def test_thresholds_that_are_none(threshold: int) -> None:
    with pytest.raises(RefusedError, match="threshold"):
        announced(threshold=threshold)
    assert announced(threshold=3).election.announced.threshold == 3


def dumped(*names: str, **changes: object) -> list[dict[str, object]]:
    return [{**trustee(n).model_dump(), **changes} for n in names]


@pytest.mark.parametrize(
    "trustees",
    [
        dumped("rita", "rita", "tess"),
        [*dumped("rita", "sam"), *dumped("tess", sign=trustee("rita").sign.hex())],
        [*dumped("rita", "sam"), *dumped("tess", box=trustee("rita").box.hex())],
    ],
)
def test_trustees_are_different_people(trustees: list[dict[str, object]]) -> None:
    with pytest.raises(RefusedError, match="duplicate"):
        announced(trustees=trustees)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"question": ""}, Code.SHAPE),
        ({"question": "clear\x1b[2Jthe screen"}, Code.SHAPE),
        ({"question": 7}, Code.SHAPE),
        ({"protocol": "policyctl-election/2"}, Code.SHAPE),
        ({"trustees": []}, Code.SHAPE),
        ({"trustees": dumped("rita", box="01" + 31 * "00")}, Code.POINT),
        ({"trustees": dumped("rita", sign=32 * "00")}, Code.POINT),
        ({"threshold": True}, Code.SHAPE),
        ({"threshold": 2.0}, Code.SHAPE),
        ({"extra": 1}, Code.SHAPE),
        ({"nonce": "00"}, Code.SHAPE),
        ({"nonce": 32 * "AA"}, Code.SHAPE),
        ({"authority": {"name": "../clerk", "sign": trustee("clerk").sign.hex()}}, Code.SHAPE),
    ],
)
def test_manifests_that_are_none(changes: dict[str, object], code: Code) -> None:
    with pytest.raises(RefusedError) as caught:
        announced(**changes)
    assert {f.code for f in caught.value.faults} == {code}


def test_a_manifest_is_signed_by_the_authority_it_names() -> None:
    held = Held()
    manifest = Held().announce().posts[0]
    for author, key in (("clerk", "mallory"), ("mallory", "mallory")):
        post = manifest.model_copy(update={"author": author})
        text = signed_text("manifest", author, post.election, post.body)
        with pytest.raises(RefusedError):
            held.put(post.model_copy(update={"signature": secret_of(key).sign(text)}))
    with pytest.raises(RefusedError, match="election"):
        held.put(acts.signed(bytes(32), "clerk", secret_of("clerk"), Manifest.model_validate(manifest.body)))


def test_nothing_comes_before_the_manifest_and_nothing_after_the_result() -> None:
    held, posts = Held(), whole().posts
    for post in posts[1:]:
        with pytest.raises(RefusedError, match="stage"):
            held.put(post)
    done = whole()
    for post in posts:
        with pytest.raises(RefusedError, match="stage"):
            done.put(post)


# Trustees


def test_who_deals_a_wrong_share_is_out_and_the_others_go_on() -> None:
    held = Held().announce()
    held.say("rita", cheated(held, "rita", "tess"))
    held.round(["sam", "tess"]).round(["sam"])
    assert held.election.confirmed == {"sam"}
    held.round(["tess"])
    assert held.election.disqualified == {"rita": "tess"}
    assert held.election.confirmed == set()
    held.round()
    assert held.election.confirmed == set(TRUSTEES)
    held.put(acts.open_voting(held.election, secret_of("clerk")))
    # Rita may be out as a dealer; what she was dealt by the others is as good as theirs.
    held.cast(CHOICES).close().contribute("rita", "tess").decide()
    assert held.result == (120, 100, 100)
    assert verify(held.board).decided


def test_a_complaint_about_a_right_share_is_refused() -> None:
    held = Held().announce().round()
    ceremony, deal = held.election.ceremony, held.election.deals["rita"]
    complaint = make_complaint(held.chance, ceremony, "rita", deal, "tess", secret_of("tess"))
    refused(held, Code.COMPLAINT, "tess", complaint)
    refused(held, Code.PROOF, "sam", complaint)


def test_a_complaint_cannot_open_a_share_wrongly() -> None:
    held = Held().announce().round()
    ceremony, deal = held.election.ceremony, held.election.deals["rita"]
    right = make_complaint(held.chance, ceremony, "rita", deal, "tess", secret_of("tess"))
    refused(held, Code.PROOF, "tess", right.model_copy(update={"shared": base_times(5)}))
    other = make_complaint(held.chance, ceremony, "rita", deal, "tess", secret_of("mallory"))
    refused(held, Code.PROOF, "tess", other)


def test_complaints_are_about_those_who_have_dealt_and_once() -> None:
    held = Held().announce()
    held.say("rita", cheated(held, "rita", "tess"))
    ceremony, deal = held.election.ceremony, held.election.deals["rita"]
    complaint = make_complaint(held.chance, ceremony, "rita", deal, "tess", secret_of("tess"))
    refused(held, Code.COMPLAINT, "tess", complaint.model_copy(update={"against": "sam"}))
    held.say("tess", complaint)
    refused(held, Code.DUPLICATE, "tess", complaint)


def test_what_is_opened_by_a_complaint_the_dealer_knew() -> None:
    """A dealer who copies the nonce of somebody else's share would have the victim open that one by complaining."""
    held = Held().announce().round(["rita"])
    honest = held.election.deals["rita"].shares[2]
    deal = make_deal(held.chance, held.election.ceremony, "sam", secret_of("sam"))
    copied = Sealed.model_construct(nonce=honest.nonce, proof=honest.proof, masked=honest.masked)
    place = refused(held, Code.PROOF, "sam", deal.model_copy(update={"shares": [*deal.shares[:2], copied]}))
    assert place == "entry 4 (deal of sam), share for tess"


def test_the_last_dealer_cannot_choose_the_key() -> None:
    held = Held().announce().round(["rita", "sam"])
    wanted = 31337
    others = held.election.key
    rogue = minus(base_times(wanted), others)
    deal = make_deal(held.chance, held.election.ceremony, "tess", secret_of("tess"))
    changed = deal.model_copy(update={"commitments": [rogue, *deal.commitments[1:]]})
    assert plus(others, rogue) == base_times(wanted)
    refused(held, Code.PROOF, "tess", changed)
    forged = prove_knowledge(held.chance, "deal", b"", wanted)
    refused(held, Code.PROOF, "tess", changed.model_copy(update={"proof": ProofJson.of(forged)}))


def test_a_deal_cannot_be_copied() -> None:
    held = Held().announce().round(["rita"])
    refused(held, Code.PROOF, "sam", held.election.deals["rita"])


def test_nobody_deals_what_somebody_else_knows() -> None:
    """A key of which Rita's part is in twice, once in the name of Sam, who does not know it."""
    held = Held().announce().round(["rita"])
    rita = held.election.deals["rita"]
    own = make_deal(held.chance, held.election.ceremony, "sam", secret_of("sam"))
    copied = own.model_copy(update={"commitments": rita.commitments, "proof": rita.proof})
    assert refused(held, Code.PROOF, "sam", copied) == "entry 4 (deal of sam)"


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_deal_has_the_degree_of_the_threshold(count: int) -> None:
    held = Held().announce()
    deal = make_deal(held.chance, held.election.ceremony, "rita", secret_of("rita"))
    commitments = [*deal.commitments, base_times(9)][:count]
    refused(held, Code.THRESHOLD, "rita", deal.model_copy(update={"commitments": commitments}))
    refused(
        held,
        Code.SHAPE,
        "rita",
        deal.model_copy(update={"shares": deal.shares[:count]})
        if count < 3
        else deal.model_copy(update={"shares": [*deal.shares, deal.shares[0]]}),
    )


def test_everybody_deals_once_and_voters_do_not() -> None:
    held = Held().announce().round(["rita"])
    refused(held, Code.DUPLICATE, "rita", held.election.deals["rita"])
    refused(held, Code.AUTHOR, "alice", held.election.deals["rita"])


def test_fewer_dealers_than_the_threshold_make_no_key() -> None:
    held = Held().announce().round(["rita"])
    refused(held, Code.THRESHOLD, "rita", Confirmation.model_construct(head=held.election.dealt))


def test_fewer_than_the_threshold_confirming_open_nothing() -> None:
    held = Held().announce().round().round(["rita"])
    opening = Opening.model_construct(head=held.election.head, key=held.election.key)
    refused(held, Code.THRESHOLD, "clerk", opening)


def test_confirmations_are_about_what_was_dealt() -> None:
    held = Held().announce().round()
    refused(held, Code.HEAD, "rita", Confirmation.model_construct(head=bytes(32)))
    held.round(["rita"])
    refused(held, Code.DUPLICATE, "rita", Confirmation.model_construct(head=held.election.dealt))
    late = make_deal(held.chance, held.election.ceremony, "rita", secret_of("rita"))
    refused(held, Code.STAGE, "rita", late)


def test_a_trustee_that_stays_away_can_be_gone_without() -> None:
    held = Held().announce().round(["rita", "sam"])
    for name in ("rita", "sam"):
        assert acts.next_of_trustee(held.chance, held.election, name, secret_of(name)) == []
    for name in ("rita", "sam"):
        held.put(*acts.next_of_trustee(held.chance, held.election, name, secret_of(name), wait=False))
    held.put(acts.open_voting(held.election, secret_of("clerk")))
    held.cast(CHOICES).close().contribute("sam", "rita").decide()
    assert held.result == (120, 100, 100)
    assert acts.next_of_trustee(held.chance, held.election, "tess", secret_of("tess")) == []


# Decryption


def closed() -> Held:
    return Held().open().cast(CHOICES).close()


def test_a_contribution_is_made_with_the_trustees_own_share() -> None:
    held = closed()
    good = acts.contribute(held.chance, held.election, "rita", secret_of("rita"))
    share = Share.model_validate(good.body)
    refused(held, Code.PROOF, "sam", share)
    for part in ("yes", "no"):
        one = getattr(share, part)
        wrong = one.model_copy(update={"point": plus(one.point, base_times(1))})
        assert refused(held, Code.PROOF, "rita", share.model_copy(update={part: wrong})).endswith(f", {part}")
    swapped = share.model_copy(update={"yes": share.no, "no": share.yes})
    refused(held, Code.PROOF, "rita", swapped)
    refused(held, Code.HEAD, "rita", share.model_copy(update={"closing": bytes(32)}))
    held.put(good)
    refused(held, Code.DUPLICATE, "rita", share)


def test_a_contribution_with_another_secret_is_refused() -> None:
    held = closed()
    refused(held, Code.PROOF, "rita", make_share(held.chance, held.election.counted, "rita", 12345))


def test_a_contribution_that_moves_the_result_is_refused() -> None:
    """Rita would like 20 more for yes, and proves an equality that is true of something else."""
    held = closed()
    totals = held.election.counted
    share = Share.model_validate(acts.contribute(held.chance, held.election, "rita", secret_of("rita")).body)
    moved = minus(share.yes.point, base_times(20))
    proof = prove_equality(held.chance, "share yes", b"", 20, totals.yes.nonce)
    wrong = share.yes.model_copy(update={"point": moved, "proof": ProofJson.of(proof)})
    refused(held, Code.PROOF, "rita", share.model_copy(update={"yes": wrong}))


@pytest.mark.parametrize(
    ("yes", "no", "abstain"), [(121, 99, 100), (121, 100, 99), (119, 100, 101), (120, 101, 99), (100, 120, 100)]
)
def test_the_result_is_what_was_decrypted(yes: int, no: int, abstain: int) -> None:
    held = closed().contribute("rita", "sam")
    refused(held, Code.RESULT, "rita", Result.model_construct(head=held.election.head, yes=yes, no=no, abstain=abstain))


@pytest.mark.parametrize("abstain", [0, 99, 101])
def test_the_result_adds_up(abstain: int) -> None:
    held = closed().contribute("rita", "sam")
    refused(
        held, Code.RESULT, "rita", Result.model_construct(head=held.election.head, yes=120, no=100, abstain=abstain)
    )


def test_the_result_takes_the_threshold() -> None:
    held = closed().contribute("rita")
    refused(held, Code.THRESHOLD, "rita", Result.model_construct(head=held.election.head, yes=120, no=100, abstain=100))
    with pytest.raises(RefusedError, match="1 have contributed, and it takes 2"):
        held.decide()
    held.contribute("sam")
    refused(held, Code.HEAD, "rita", Result.model_construct(head=bytes(32), yes=120, no=100, abstain=100))
