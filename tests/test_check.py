"""The checker: what policies of every kind mean, seen by running them."""

from __future__ import annotations

import pytest
from checked import begin, check, complaints, decide, failures, program

from policydsl.core.expr import Const, Space, conj, implies, le, number, refs, string
from policydsl.core.system import Effect, Expected, GuardKind, Origin, PropertyKind
from policydsl.core.types import INT, STRING, EntityType, EnumType
from policydsl.diagnostics import Report, Severity
from policydsl.load import load

GOVERNANCE = """
/// Reputation-weighted proposals.
module mvg.governance

const MIN_REPUTATION = 0
const MAX_REPUTATION = 1_000
const REWARD         = 10
const QUORUM         = 300

entity Bot
entity Proposal

enum Stage  { Drafted, VotingOpen, Approved, Executing }
enum Ballot { None, Yes, No }

state reputation : Bot -> Int                = 100
state stage      : Proposal -> Stage         = Drafted
state proposer   : Proposal -> Bot?          = none
state vote_end   : Proposal -> Time          = 0
state ballot     : (Proposal, Bot) -> Ballot = None
state yes, no    : Proposal -> Int           = 0

action propose(principal: Bot, proposal: Proposal) {
  require proposer[proposal] == none else "taken"
  proposer[proposal] := principal
  stage[proposal] := VotingOpen
  vote_end[proposal] := now + 24h
}

action vote(principal: Bot, proposal: Proposal, support: Bool) {
  require stage[proposal] == VotingOpen        else "voting is not open"
  require now <= vote_end[proposal]            else "voting has ended"
  require ballot[proposal, principal] == None  else "already voted"
  ballot[proposal, principal] := if support then Yes else No
  if support { yes[proposal] += reputation[principal] }
  else       { no[proposal]  += reputation[principal] }
}

action tally(proposal: Proposal) {
  require stage[proposal] == VotingOpen and now > vote_end[proposal]
  require yes[proposal] > no[proposal] and yes[proposal] + no[proposal] >= QUORUM
  stage[proposal] := Approved
}

action execute(principal: Bot, proposal: Proposal) {
  require stage[proposal] == Approved else "not approved"
  stage[proposal] := Executing
  if proposer[proposal] has author {
    reputation[author] := min(MAX_REPUTATION, reputation[author] + REWARD)
  }
}

invariant bounded_reputation:
  forall b: Bot . MIN_REPUTATION <= reputation[b] and reputation[b] <= MAX_REPUTATION

invariant no_votes_without_ballots:
  forall p: Proposal, b: Bot . ballot[p, b] in {Yes, No} implies yes[p] + no[p] > 0

reachable somebody_wins: exists p: Proposal . stage[p] == Executing

eventually voting_closes:
  forall p: Proposal . stage[p] == VotingOpen leads to stage[p] in {Approved, Executing}

test "a proposal is decided by reputation" {
  given reputation[ann] = 250
  given reputation[root] = 995
  at 1h  propose(root, p1)        expect allow
  propose(ann, p1)                expect deny "taken"
  at 2h  vote(ann, p1, true)      expect allow
  vote(ann, p1, false)            expect deny "already voted"
  vote(bob, p1, false)            expect allow
  expect yes[p1] == 250 and no[p1] == 100 and ballot[p1, ann] == Yes
  at 24h tally(p1)                expect deny
  at 25h vote(eve, p1, true)      expect allow
  at 26h vote(kim, p1, true)      expect deny "voting has ended"
  tally(p1)                       expect allow
  execute(ann, p1)                expect allow
  execute(ann, p1)                expect deny "not approved"
  expect reputation[root] == 1_000 and proposer[p1] == root
  at 1h  propose(ann, p2)         expect deny "the clock went back"
}
"""

GATEWAY = """
entity Bot
entity Skill
entity Address
enum Channel { whatsapp, email }
enum Finding { Shell, Network }

pattern secret = "sk-[a-z0-9]+"

state trust : Skill -> Int = any

action send_message(principal: Skill, channel: Channel, recipient: Address, text: String)
action read_secret(principal: Skill, name: String) { }
action release(by_whom: Bot) { }
action install_skill(principal: Bot, skill: Skill, findings: Set<Finding>) { }
action spend(principal: Bot, amount: Int[0..1_000_000]) { }

permit known_skills on send_message when trust[principal] >= 50

forbid phishing on send_message
  when text like "*bit.ly/*" or text like "*wallet-verify*"
  because "a shortened or look-alike link hides where it leads"
  then quarantine(principal)

forbid exfiltration on send_message
  when once within 1h (read_secret by principal)
  unless release since (read_secret by principal)

approve risky_install on install_skill when trust[skill] < 50 and Shell in findings by human within 10m
redact  keys          on send_message when text contains secret replace with "[redacted]"
limit   message_rate  on send_message to 2 per 1m for each principal
budget  daily_spend   on spend.amount to 10_000 per 24h for each principal

assert never_both: forbid exfiltration overrides permit known_skills

test "a skill that read a secret may not post it" {
  given trust[s1] = 80
  at 0s  read_secret(s1, "api-key")                    expect allow
  at 5m  send_message(s1, whatsapp, bob, "hello")      expect deny by exfiltration
  send_message(s2, whatsapp, bob, "hello")             expect deny
  at 6m  release(root)                                 expect allow
  at 7m  send_message(s1, email, bob, "hello")         expect allow
  at 7m  send_message(s1, email, bob, "x bit.ly/y")    expect deny by phishing
  send_message(s1, email, bob, "again")                expect allow
  send_message(s1, email, bob, "again")                expect deny by message_rate
  at 8m  send_message(s1, email, bob, "again")         expect allow
}

test "installing what is risky waits for a human" {
  given trust[s1] = 80
  install_skill(ann, s1, {Shell})                      expect allow
  install_skill(ann, s2, {Network})                    expect allow
  install_skill(ann, s2, {Shell, Network})             expect pending
}

test "a budget counts what was spent" {
  at 0s  spend(ann, 9_000)  expect allow
  at 1h  spend(ann, 1_001)  expect deny by daily_spend
  at 1h  spend(ann, 1_000)  expect allow
  at 1h  spend(eve, 10_000) expect allow
  at 20h spend(ann, 10_000) expect deny
  at 40h spend(ann, 10_000) expect allow
}
"""


@pytest.mark.parametrize("text", [GOVERNANCE, GATEWAY], ids=["governance", "gateway"])
def test_the_tests_of_a_policy_pass(text: str) -> None:
    assert failures(text) == []


@pytest.mark.parametrize("text", [GOVERNANCE, GATEWAY], ids=["governance", "gateway"])
def test_a_policy_without_mistakes_gets_no_warnings(text: str) -> None:
    assert complaints(text) == []


def test_a_failing_expectation_is_seen() -> None:
    assert failures(GOVERNANCE.replace("yes[p1] == 250", "yes[p1] == 251")) != []


def test_names_and_documentation_arrive_in_the_system() -> None:
    found = program(GOVERNANCE)
    assert (found.path, found.system.name, found.system.doc) == (
        "example.policy",
        "mvg.governance",
        "Reputation-weighted proposals.",
    )
    assert [a.name for a in found.system.actions] == ["propose", "vote", "tally", "execute"]
    assert [(p.name, p.kind) for p in found.system.properties] == [
        ("bounded_reputation", PropertyKind.INVARIANT),
        ("no_votes_without_ballots", PropertyKind.INVARIANT),
        ("somebody_wins", PropertyKind.REACHABLE),
        ("voting_closes", PropertyKind.LEADS_TO),
    ]


def test_an_option_is_a_flag_and_a_value() -> None:
    system = program(GOVERNANCE).system
    has, value = system.variable("proposer.has"), system.variable("proposer.value")
    assert (has.keys, has.init) == ((EntityType("Proposal"),), Const(False, has.type))
    assert (value.type, value.init) == (EntityType("Bot"), Const("", EntityType("Bot")))


def test_time_comes_with_requests_only_where_it_matters() -> None:
    timed = program(GOVERNANCE).system
    assert [i.name for i in timed.action("tally").inputs] == ["proposal", "now"]
    assert timed.variable("clock").origin is Origin.CLOCK
    assert timed.action("tally").guards[0].kind is GuardKind.ASSUME
    assert [w.var for w in timed.action("tally").writes] == ["stage", "clock"]
    timeless = program("state n: Int = 0\naction go() { n += 1 }\ninvariant some: n >= 0\n").system
    assert timeless.action("go").inputs == ()
    assert [v.name for v in timeless.state] == ["n"]


def test_leads_to_keeps_its_individuals_free() -> None:
    found = program(GOVERNANCE).system.claim("voting_closes")
    assert found.goal is not None
    assert refs(found.expr, space=Space.BOUND) == refs(found.goal, space=Space.BOUND)
    assert len(refs(found.expr, space=Space.BOUND)) == 1


def test_obligations_of_rules() -> None:
    found, state = begin(GATEWAY, {("trust", "s1"): 80})
    words: dict[str, str | int] = {"principal": "s1", "channel": "email", "recipient": "bob", "now": 5}
    allowed, _ = decide(found, state, "send_message", **words, text="it is sk-12")
    assert allowed.effect == "allow"
    assert allowed.obligations == (("redact", ("text", "sk-[a-z0-9]+", "[redacted]")),)
    denied, _ = decide(found, state, "send_message", **words, text="sk-12 wallet-verify")
    assert (denied.effect, denied.rules) == ("deny", ("phishing",))
    assert denied.reason == "a shortened or look-alike link hides where it leads"
    assert denied.obligations == (("quarantine", ("s1",)),)


@pytest.mark.parametrize(
    ("approved", "asked", "effect"),
    [
        (False, 0, "pending"),
        (True, 1_000_000, "allow"),
        (True, 400_000, "allow"),
        (True, 399_999, "pending"),
        (True, 1_000_001, "pending"),
    ],
)
def test_an_approval_holds_for_its_time(approved: bool, asked: int, effect: str) -> None:
    found, state = begin(GATEWAY)
    findings: dict[str, bool] = {"findings.Shell": True, "findings.Network": False}
    decision, after = decide(
        found,
        state,
        "install_skill",
        principal="ann",
        skill="s1",
        **findings,
        approved_risky_install=approved,
        asked_risky_install=asked,
        now=1_000_000,
    )
    assert decision.effect == effect
    if effect == "pending":
        assert decision.obligations == (("approve", ("risky_install", "human", 600_000)),)
        assert after == state


def test_every_action_says_which_rules_it_has() -> None:
    action = program(GATEWAY).system.action("send_message")
    assert [(u.rule, u.effect) for u in action.rules] == [
        ("known_skills", "permit"),
        ("phishing", "forbid"),
        ("exfiltration", "forbid"),
        ("keys", "redact"),
        ("message_rate", "limit"),
    ]
    kinds = [g.kind for g in action.guards]
    assert kinds == sorted(kinds, key=list(GuardKind).index)
    assert [o.on for o in action.obligations] == [Effect.DENY, Effect.ALLOW]


PARTS = """
entity Bot { root, ops }
enum Stage { Draft, Open, Closed }
enum Finding { Shell, Net }
record Deal { price: Int[0..100], buyer: Bot?, stage: Stage }
param FEE: Int[1..10] = 2
param BASE: Int[0..10] = 3
group Admins of Bot
group Owners of Bot in Admins
function fee(price: Int, part: Int[1..10]): Int = price / part
function big(b: Bot): Bool = balance[b] >= 10 and b in Admins
state balance : Bot -> Int = 0
state deal    : Bot -> Deal = Deal(1, none, Draft)
state friends : Bot -> Set<Bot> = {}
state marks   : Bot -> Set<Finding> = {Shell}
state tally   : (Bot, Stage) -> Int = 0
state level   : Int[0..10] = BASE
state open    : Bool = true

action pay(principal: Bot, to: Bot, amount: Int[0..100]) {
  require balance[principal] >= amount
  balance[principal] -= amount
  balance[to] += amount - fee(amount, FEE) * 1
}
action sell(principal: Bot, to: Bot?, price: Int[0..100], stage: Stage, found: Set<Finding>) {
  require open and deal[principal].buyer == none
  deal[principal] := Deal(price, to, Open)
  deal[principal].stage := stage
  tally[principal, stage] += 1
  marks[principal] := marks[principal] union found minus {Net}
  if to has buyer { add buyer to friends[principal] }
}
action hire(principal: Bot, who: Bot) {
  require principal in Admins else "no admin"
  add who to Owners
}
action fire(principal: Bot, who: Bot) {
  require principal in Owners
  remove who from Owners
}
action settle() {
  level := min(10, level + 1)
  open := level % 2 == 0
  for each b: Bot where balance[b] > 0 { balance[b] := balance[b] / 2 }
}
invariant prices: forall b: Bot . deal[b].price <= 100 and (Net in marks[b] implies big(b))
invariant few: forall b: Bot, s: Stage . tally[b, s] >= 0
invariant root_is_alone: friends[root] <= friends[root] union {ops}

test "parts" {
  given balance[a] = 50
  given FEE = 5
  given root in Owners
  given deal[c].buyer = a
  given tally[a, Open] = 7
  pay(a, a, 10)                                expect allow
  expect balance[a] == 48
  pay(a, b, 101)                               expect deny
  pay(a, b, 40)                                expect allow
  expect balance[a] == 8 and balance[b] == 32
  sell(a, b, 70, Open, {Net})                  expect allow
  expect deal[a] == Deal(70, b, Open) and tally[a, Open] == 8 and tally[a, Closed] == 0
  expect b in friends[a] and not (a in friends[b]) and marks[a] == {Shell} and friends[a] == {b}
  expect marks[b] <= {Shell, Net} and not ({Net} <= marks[b])
  sell(c, none, 1, Draft, {})                  expect deny
  sell(d, none, 1, Draft, {})                  expect allow
  expect deal[d].buyer == none and deal[d].buyer != a and deal[d].stage == Draft
  hire(a, b)                                   expect deny "no admin"
  hire(root, b)                                expect allow
  hire(b, c)                                   expect allow
  fire(c, b)                                   expect allow
  expect not (b in Admins) and c in Admins and not big(c)
  settle()                                     expect allow
  expect level == 4 and open and balance[b] == 16 and balance[zoe] == 0
  settle()                                     expect allow
  expect not open
}
"""


def test_every_kind_of_state_is_read_and_written() -> None:
    assert failures(PARTS) == []
    assert complaints(PARTS) == []


def test_parts_of_values_have_names_of_their_own() -> None:
    system = program(PARTS).system
    assert [v.name for v in system.state if v.origin is Origin.DECLARED] == [
        "balance", "deal.price", "deal.buyer.has", "deal.buyer.value", "deal.stage", "friends", "marks.Shell",
        "marks.Net", "tally.Draft", "tally.Open", "tally.Closed", "level", "open",
    ]  # fmt: skip
    assert system.variable("friends").keys == (EntityType("Bot"), EntityType("Bot"))
    assert system.variable("Admins").origin is Origin.GROUP
    assert system.variable("Admins").init is None
    assert [(p.name, p.default, p.low, p.high) for p in system.params] == [
        ("FEE", number(2), 1, 10),
        ("BASE", number(3), 0, 10),
    ]
    assert system.variable("level").init is system.params[1].ref
    assert system.individuals == (Const("root", EntityType("Bot")), Const("ops", EntityType("Bot")))


def test_ranges_are_assumed_of_inputs_and_claimed_of_state() -> None:
    system = program(PARTS).system
    assumed = [g for g in system.action("pay").guards if g.kind is GuardKind.ASSUME]
    assert [g.reason for g in assumed] == ["amount must be between 0 and 100"]
    assert [p.name for p in system.properties][:2] == ["range_of_deal_price", "range_of_level"]
    assert {p.kind for p in system.properties} == {PropertyKind.INVARIANT}


def test_what_is_absent_is_in_range() -> None:
    system = program("record R { b: Int[1..5] }\nstate a: R? = none\naction up() { a := R(3) }\n").system
    [p] = system.properties
    has, b = system.variable("a.has").ref, system.variable("a.value.b").ref
    assert (p.name, p.expr) == ("range_of_a_value_b", implies(has, conj(le(number(1), b), le(b, number(5)))))


RANGES_OF_TIME = """
entity Bot
param PATIENCE: Duration[1h..48h] = 4h
state pause : Duration[0s..2h] = 5m
state last  : Bot -> Duration[5m..24h]? = none
action wait(principal: Bot, for_: Duration[1m..1h]) {
  require for_ < PATIENCE
  pause           := for_
  last[principal] := max(for_, 5m)
}
test "within the range" {
  given PATIENCE = 2h
  wait(ann, 20m)  expect allow
  expect pause == 20m and last[ann] == 20m
  wait(ann, 61m)  expect deny "for_ must be between 1m and 1h"
  wait(ann, 59s)  expect deny "for_ must be between 1m and 1h"
}
"""


def test_durations_have_ranges_as_numbers_do() -> None:
    found = program(RANGES_OF_TIME)
    system = found.system
    assert not system.timed
    assert [(p.name, p.default, p.low, p.high) for p in system.params] == [
        ("PATIENCE", number(14_400_000), 3_600_000, 172_800_000)
    ]
    assert [p.name for p in system.properties] == ["range_of_pause", "range_of_last"]
    assert system.spans == {
        (Space.PARAM, "PATIENCE"),
        (Space.STATE, "pause"),
        (Space.STATE, "last.value"),
        (Space.INPUT, "for_"),
    }
    assert system.times == set()
    assert failures(RANGES_OF_TIME) == []


def test_every_binder_has_a_name_of_its_own() -> None:
    system = program(PARTS).system
    bound = [r for p in system.properties for r in refs(p.expr, space=Space.BOUND)]
    assert len({r.name for r in bound}) == len(bound) == 4


def test_a_transfer_to_oneself_changes_nothing() -> None:
    text = """
    entity Bot
    state bal: Bot -> Int = 10
    action transfer(a: Bot, b: Bot, x: Int[0..10]) { bal[a] -= x  bal[b] += x }
    invariant some: forall b: Bot . bal[b] > -100
    """
    found, state = begin(text)
    _, after = decide(found, state, "transfer", a="p", b="p", x=7)
    assert after.read("bal", ["p"]) == 10
    _, after = decide(found, state, "transfer", a="p", b="q", x=7)
    assert (after.read("bal", ["p"]), after.read("bal", ["q"])) == (3, 17)


def test_properties_keep_what_is_said_about_them() -> None:
    text = """
    state n: Int = 0
    action go(k: Int[1..2]) { n += k }
    action stop() { require n > 5 }
    /// It grows.
    expect refuted invariant small because "a reason": n < 3
    lemma positive: n >= 0
    assert sure on stop: allowed iff n > 5
    assert never: not pending
    step grows: n >= old(n)
    step by_k on go: n == old(n) + k
    assume steady on stop because "not so fast": n != 7
    """
    system = program(text).system
    found = {p.name: p for p in system.properties}
    small = found["small"]
    assert (small.expected, small.because, small.doc) == (Expected.REFUTED, "a reason", "It grows.")
    assert found["positive"].kind is PropertyKind.LEMMA
    assert [(p.name, p.action) for p in system.properties if p.kind is PropertyKind.ASSERT] == [
        ("sure", "stop"),
        ("never@go", "go"),
        ("never@stop", "stop"),
    ]
    assert (found["grows"].action, found["by_k"].action) == ("", "go")
    assert {r.space for r in refs(found["by_k"].expr)} == {Space.NEXT, Space.STATE, Space.INPUT}
    assumed = [g for g in system.action("stop").guards if g.kind is GuardKind.ASSUME]
    assert [(g.reason, g.rule) for g in assumed] == [("not so fast", "steady")]


def test_an_assert_about_rules_is_about_the_actions_that_have_them() -> None:
    found = program(GATEWAY).system.claim("never_both")
    assert (found.kind, found.action) == (PropertyKind.ASSERT, "send_message")


def test_cases_of_several_enums_are_told_apart_by_what_is_expected() -> None:
    text = """
    enum A { None, One }
    enum B { None, Two }
    state a: A = None
    state b: B = None
    action go(x: A) { require x == None or None == b  a := if x == One then None else One  b := B.Two }
    invariant all: a in {None, One} and (b == None or b == Two)
    """
    system = program(text).system
    assert system.variable("a").init is Const("None", EnumType("A", ("None", "One")))
    assert system.variable("b").init is Const("None", EnumType("B", ("None", "Two")))


def test_strings_are_predicates() -> None:
    text = """
    const HOST = "evil.com"
    pattern key = "sk-[0-9]+"
    action send(to: String, text: String) {
      require not (to ends with HOST) and not (to == "nobody") else "address"
      require text starts with "hi" or text matches "(ab)*" or text like "a?c*" else "form"
      require not (text contains key) and not (text contains "a.b") else "content"
    }
    """
    found, state = begin(text)

    def reason(to: str, text: str) -> str:
        return decide(found, state, "send", to=to, text=text)[0].reason

    assert reason("x", "hi there") == ""
    assert reason("www.evil.com", "hi") == "address"
    assert reason("nobody", "hi") == "address"
    assert reason("x", "abab") == ""
    assert reason("x", "aba") == "form"
    assert reason("x", "axc\nmore") == ""
    assert reason("x", "hi sk-1") == "content"
    assert reason("x", "hi axb") == ""
    assert reason("x", "hi a.b") == "content"


def test_a_requirement_without_a_reason_says_what_it_requires() -> None:
    found, state = begin("state n: Int = 0\naction go() {\n  require n   > 0\n  n -= 1\n}\n")
    assert decide(found, state, "go")[0].reason == "requires n > 0"


def test_given_values_have_their_types() -> None:
    text = """
    entity Bot
    enum Stage { Open, Shut }
    state stage: Bot -> Stage = any
    state said: Bot -> String = ""
    action say(who: Bot, text: String, ok: Bool, n: Int) { said[who] := text  if ok and n > 0 { stage[who] := Shut } }
    invariant known: forall b: Bot . stage[b] in {Open, Shut} and said[b] != "x"
    test "t" { given stage[a] = Shut  given said[a] = "y"  say(a, "z", true, 3) }
    """
    (test,) = program(text).tests
    assert [(g.var, g.keys, g.value.value) for g in test.given] == [
        ("stage", (Const("a", EntityType("Bot")),), "Shut"),
        ("said", (Const("a", EntityType("Bot")),), "y"),
    ]
    (step,) = test.steps
    assert dict(step.inputs) == {  # type: ignore[union-attr]
        "who": Const("a", EntityType("Bot")),
        "text": string("z"),
        "ok": Const(True, program(text).system.action("say").inputs[2].type),
        "n": Const(3, INT),
    }
    assert dict(step.inputs)["text"].type == STRING  # type: ignore[union-attr]


def test_a_shared_limit_counts_all_its_actions() -> None:
    text = """
    entity Bot
    actions messaging = send, post
    action send(principal: Bot) { }
    action post(principal: Bot) { }
    param RATE: Int[1..3] = 2
    limit rate on messaging to RATE per 1m for each principal
    test "two" {
      send(a) expect allow  post(a) expect allow  send(a) expect deny by rate  post(a) expect deny by rate
      post(b) expect allow
      at 60s send(a) expect allow
    }
    test "one" { given RATE = 1  post(a) expect allow  send(a) expect deny  send(b) expect allow }
    """
    assert failures(text) == []


def test_a_limit_with_a_condition_on_inputs_counts_what_it_is_about() -> None:
    text = """
    entity Bot
    enum Channel { email, chat }
    action send(principal: Bot, channel: Channel) { }
    limit mails on send when channel == email to 1 per 1h for each principal
    test "t" {
      send(a, chat) expect allow  send(a, chat) expect allow
      send(a, email) expect allow  send(a, email) expect deny by mails  send(a, chat) expect allow
    }
    """
    assert failures(text) == []
    assert complaints(text) == []


def test_nothing_is_lowered_after_an_error() -> None:
    found, diagnostics = check("state n: Int = true\n")
    assert found is None
    assert [d.code for d in diagnostics] == ["E201"]


def test_redaction_takes_the_parts_that_are_looked_for() -> None:
    text = """
    pattern key = "sk-[0-9]+"
    action send(text: String, note: String) { }
    redact r on send when text like "*x*" and (text contains key or note contains "a.b") replace with "-"
    """
    found, state = begin(text)
    decision, _ = decide(found, state, "send", text="x sk-1", note="")
    assert decision.obligations == (("redact", ("text", "sk-[0-9]+", "-")), ("redact", ("note", "a\\.b", "-")))
    assert decide(found, state, "send", text="sk-1", note="")[0].obligations == ()


def test_a_loop_may_write_at_keys_of_an_enum_that_depend_on_its_individual() -> None:
    text = """
    entity Bot
    enum Stage { Open, Shut }
    state stage: Bot -> Stage = any
    state tally: (Bot, Stage) -> Int = 0
    action go(p: Bot) { stage[p] := Shut }
    action count_all() { for each b: Bot { tally[b, stage[b]] += 1 } }
    invariant some: forall b: Bot, s: Stage . tally[b, s] >= 0
    test "t" {
      given stage[a] = Shut  given stage[b] = Open
      count_all() expect allow
      expect tally[a, Shut] == 1 and tally[a, Open] == 0 and tally[b, Open] == 1 and tally[b, Shut] == 0
    }
    """
    assert failures(text) == []


@pytest.mark.parametrize("open_", ["max(", "min("])
def test_checking_takes_no_longer_for_what_is_nested(open_: str) -> None:
    """Each level looks at its arguments once; twice would take forever here."""
    depth = 30
    program(f"state x: Int = 0\naction a(n: Int) {{ x := {open_ * depth}n{', 1)' * depth} }}\n")


def test_a_typing_error_of_which_the_meaning_is_plain_hides_nothing() -> None:
    source = """module m
entity Bot
state n: Bot -> Int = 0
action a(principal: Bot) {
  n[principal] = 1
  k[principal] := 2
}
invariant i: forall b: Bto . n[b] >= 0
"""
    report = Report()
    assert load(["m.policy"], lambda _: source, report) == []
    assert [(d.code, d.span.line) for d in report.sorted()] == [("E006", 5), ("E101", 6), ("E102", 8)]


def test_what_was_mended_is_no_program_by_itself() -> None:
    files = {
        "m.policy": "module m\nimport other\nstate x: Int = 0\naction a() { x := 1 }\n",
        "other.policy": "module other\nstate y: Int = 0\naction b() { y = 1 }\n",
    }
    report = Report()
    assert load(["m.policy"], files.__getitem__, report) == []
    assert [d.code for d in report.sorted() if d.severity is Severity.ERROR] == ["E006"]
