"""Texts of small policies in which `«a|b|c»` stands for one of several ways to write a place: some right, some wrong.

Each choice of ways is a policy; which of its claims are true then is for the verifier, and for all runs, to say.
"""

# ruff: noqa: E501 - the policies are one declaration a line

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

PLACE = re.compile("«([^»]*)»")


def chosen(text: str, choose: Callable[[list[str]], str]) -> str:
    """`text` with a way chosen for each of its places."""
    return PLACE.sub(lambda found: choose(found[1].split("|")), text)


@st.composite
def policies(draw: Callable[[st.SearchStrategy[Any]], Any], names: tuple[str, ...] = ()) -> tuple[str, str]:
    """The name of a family and one of its policies. The first way of a place is taken half of the time."""
    name = draw(st.sampled_from(names or tuple(FAMILIES)))

    def choose(ways: list[str]) -> str:
        return draw(st.sampled_from([*[ways[0]] * (len(ways) - 1), *ways[1:]])) if ways[1:] else ways[0]

    return name, chosen(FAMILIES[name], choose)


FAMILIES = {
    "sums": """
entity Bot { root }
state bal: Bot -> Int = «0|0|any»
state minted: Int = «0|1»
action mint(principal: Bot, n: Int[0..2]) {
  «|require principal == root|require minted <= 2»
  bal[principal] += n
  minted += «n|1»
}
action pay(principal: Bot, to: Bot, n: Int[«0|-1»..2]) {
  «require bal[principal] >= n|require bal[principal] + 1 >= n|»
  «|require principal != to»
  bal[principal] -= n
  «bal[to] += n|bal[to] += 1|bal[to] := bal[to] + n»
}
action burn(principal: Bot) { «minted -= bal[principal]|» bal[principal] := 0 }
invariant conserved: sum(b: Bot . bal[b]) «==|<=|>=» minted
invariant no_debt: forall b: Bot . bal[b] >= 0
invariant part: forall b: Bot . bal[b] <= sum(c: Bot . bal[c])
invariant two: forall a: Bot, b: Bot . a != b implies bal[a] + bal[b] <= minted
step grows: sum(b: Bot . bal[b]) >= old(sum(b: Bot . bal[b])) «- 2|»
assert rich on pay: allowed implies n <= minted
reachable all: sum(b: Bot . bal[b]) == 3
""",
    "votes": """
entity Bot
entity Prop { first }
enum Ballot { Nobody, Yes, No }
param QUORUM: Int[1..3] = 2
state ballot: (Prop, Bot) -> Ballot = Nobody
state yes: Prop -> Int = 0
state done: Prop -> Bool = false
action vote(principal: Bot, p: Prop, support: Bool) {
  «require ballot[p, principal] == Nobody|require ballot[p, principal] != Yes|»
  «require not done[p]|»
  ballot[p, principal] := if support then Yes else No
  «if support { yes[p] += 1 }|yes[p] += 1|if support { yes[first] += 1 }»
}
action finish(p: Prop) { require yes[p] >= «QUORUM|QUORUM - 1|2»  done[p] := true }
invariant counted: forall p: Prop . yes[p] == count(b: Bot where ballot[p, b] == Yes)
invariant quorum: forall p: Prop . done[p] implies yes[p] >= QUORUM
invariant somebody: forall p: Prop . done[p] implies exists b: Bot . ballot[p, b] == «Yes|No»
invariant both: forall p: Prop, a: Bot, b: Bot .
  a != b and ballot[p, a] == Yes and ballot[p, b] == Yes implies yes[p] >= 2
step kept: forall p: Prop, b: Bot . old(ballot[p, b]) != Nobody implies ballot[p, b] == old(ballot[p, b])
assert again on vote: ballot[p, principal] != Nobody implies denied
reachable won: exists p: Prop . done[p] and p != first
""",
    "options": """
entity Bot { root }
entity Lock
state owner: Lock -> Bot? = «none|root»
state boss: Bot? = none
state takes: Lock -> Int = 0
action take(principal: Bot, l: Lock) {
  «require owner[l] == none|require owner[l] != principal|»
  owner[l] := principal
  takes[l] := «min(takes[l] + 1, 2)|1|takes[l] + 1»
}
action give(principal: Bot, l: Lock, to: Bot?) {
  require owner[l] «==|!=» principal
  «owner[l] := to|if to has t { owner[l] := t }|owner[l] := none»
}
action crown(principal: Bot) {
  «require boss == none|require boss == none or boss == principal|»
  boss := principal
}
invariant few: forall l: Lock . takes[l] <= «2|1»
invariant taken: forall l: Lock . owner[l] != none implies takes[l] >= 1
invariant unowned: forall l: Lock . owner[l] == none or owner[l] != root or takes[l] == 0
step crowned: old(boss) != none implies boss == old(boss)
assert mine on give: allowed implies owner[l] == principal
assert free on take: owner[l] == none implies allowed
reachable two: exists l: Lock . takes[l] == 2 and owner[l] == none
""",
    "time": """
entity Item
enum Stage { Idle, Open, Closed }
state stage: Item -> Stage = Idle
state opened: Item -> Time = 0
action open(i: Item) { «require stage[i] == Idle|»  stage[i] := Open  «opened[i] := now|»}
fair action close(i: Item) {
  require stage[i] == Open
  require now «>=|>|<=» opened[i] + 5ms
  stage[i] := Closed
}
action reopen(i: Item) { require stage[i] == «Closed|Open»  stage[i] := Open  opened[i] := «now|now + 5ms» }
assert early on close: allowed implies now - opened[i] >= 5ms
assert late on close: now >= opened[i] + 6ms and stage[i] == Open implies allowed
step back: forall i: Item . opened[i] >= old(opened[i])
reachable shut: exists i: Item . stage[i] == Closed
""",
    "limits": """
entity Bot
state sent: Bot -> Int = 0
state since_reset: Bot -> Int = 0
action send(principal: Bot) { sent[principal] := min(sent[principal] + 1, 3) }
action other(principal: Bot) {}
limit rate on «send|send, other» to «2|1» per 10ms «for each principal|»
assert twice on send: count(send by principal within 10ms) «>= 2|>= 1|> 2» implies denied
assert fresh on send: count(send within 10ms) == 0 implies allowed
invariant three: forall b: Bot . sent[b] <= «3|2»
reachable thrice: exists b: Bot . sent[b] == 3
""",
    "past": """
entity Skill
enum Kind { Plain, Secret }
state muted: Skill -> Bool = false
action read(principal: Skill, kind: Kind) {}
action send(principal: Skill) {}
action release(principal: Skill) {}
action mute(principal: Skill) { muted[principal] := true }
forbid leak on send when «no release(principal) since read(principal, Secret)|once read(principal, Secret)|once within 5ms read(principal, _)|previously read»
forbid muzzled on send when «muted[principal]|historically muted[principal]|once muted[principal]»
assert safe on send: once read(principal, Secret) implies denied
assert recent on send: previously read(principal, Secret) implies denied
assert silent on send: muted[principal] implies denied
assert open on send: not once read and not once mute implies allowed
assert released on send: (no read(principal, _) since release(principal)) and not once mute implies allowed
""",
    "groups": """
entity Bot { root }
group Staff of Bot
group Admins of Bot in Staff
state trust: Bot -> Int = 0
state hired: Bot -> Bool = false
action hire(principal: Bot, b: Bot) { «require principal in Admins|require principal in Staff|require principal == root» add b to Staff  hired[b] := true }
action fire(principal: Bot, b: Bot) { require principal in Admins  remove b from Staff  «hired[b] := false|» }
action raise_(principal: Bot) { «require principal in Staff|require principal in Admins|require hired[principal]»  trust[principal] := min(trust[principal] + 1, 2) }
invariant hired_in: forall b: Bot . hired[b] implies b in Staff
invariant trusted_in: forall b: Bot . trust[b] > 0 implies b in Staff
invariant low: forall b: Bot . trust[b] <= 2
assert staff on raise_: allowed implies principal in Staff
step admins: forall b: Bot . old(b in Admins) implies b in Admins
step staff_kept: forall b: Bot . old(b in Staff) implies b in Staff
reachable top: exists b: Bot . trust[b] == 2 and b != root
""",
    "bulk": """
entity Bot
entity Item { prize }
state held: (Item, Bot) -> Bool = false
state score: Bot -> Int = 0
state top: Bot? = none
state rounds: Int = 0
action take(principal: Bot, i: Item) {
  «for each b: Bot { held[i, b] := false }|for each b: Bot where b != principal { held[i, b] := false }|»
  held[i, principal] := true
  «score[principal] += 1|score[principal] := 1»
}
action reset(principal: Bot) {
  for each b: Bot «where score[b] > 0|where b != principal|where held[prize, b]|» { score[b] := 0  held[prize, b] := «false|held[prize, principal]» }
  «score[principal] := 1|»
  rounds := min(rounds + 1, 3)
}
invariant one: forall i: Item, a: Bot, b: Bot . held[i, a] and held[i, b] implies a == b
invariant scored: forall i: Item, b: Bot . held[i, b] implies score[b] >= 1
invariant positive: forall b: Bot . score[b] >= 0
invariant exclusive: rounds == 0 or forall a: Bot, b: Bot . score[a] > 0 and score[b] > 0 implies a == b
step down: forall b: Bot . score[b] <= old(score[b]) + 1
reachable swap: exists b: Bot . held[prize, b] and score[b] == 2
""",
    "sets": """
entity Bot
enum Cap { Read, Write, Admin }
state caps: Bot -> Set<Cap> = {}
state grants: Int = 0
action grant(principal: Bot, to: Bot, cap: Cap) {
  require «Admin in caps[principal] or grants == 0|cap in caps[principal] or grants == 0|grants <= 1»
  «require cap != Admin or grants == 0|»
  add cap to caps[to]
  grants := min(grants + 1, 3)
}
action drop(principal: Bot, cap: Cap) { «require cap != Admin|»  remove cap from caps[principal] }
invariant counted: (exists b: Bot . Read in caps[b]) implies grants >= 1
invariant writers: forall b: Bot . Write in caps[b] implies «grants >= 1|Read in caps[b]|grants >= 2»
invariant one_admin: forall a: Bot, b: Bot . Admin in caps[a] and Admin in caps[b] implies a == b
assert admins on grant: allowed and grants > 0 implies «Admin|cap» in caps[principal]
reachable full: exists b: Bot . Admin in caps[b] and Write in caps[b]
""",
    "texts": """
entity Bot
pattern key = "k-[a-c]+"
param domain: String = "home"
state last: String = ""
state note: Bot -> String = "none"
state leaks: Int = 0
action say(principal: Bot, text: String) {
  «require not (text contains key)|require not (text matches key)|»
  «require text != domain|require text starts with "a" or text == domain|»
  last := text
  note[principal] := text
  if text like "*k-a*" { leaks := min(leaks + 1, 2) }
}
action copy(principal: Bot, from: Bot) { note[principal] := «note[from]|last» }
invariant clean: not (last contains key)
invariant notes: forall b: Bot . not (note[b] matches key)
invariant dry: leaks == 0
invariant first: last == "" or last starts with "a" or last == domain
invariant short: last like "??" implies last != "k-a"
reachable ab: exists b: Bot . note[b] like "a*" and note[b] ends with "b" and last == domain
""",
    "rules": """
entity Bot { root }
enum Mood { Calm, Alert }
param MIN: Int[0..3] = 2
state trust: Bot -> Int[0..3] = 0
state mood: Mood = Calm
state spent: Bot -> Int = 0
action spend(principal: Bot, n: Int[0..4])
action earn(principal: Bot, b: Bot) { require principal == root  trust[b] := min(trust[b] + «1|2», «3|4») }
action alarm(principal: Bot) { mood := Alert }
action pay(principal: Bot, n: Int[0..4]) { «require n <= trust[principal]|»  spent[principal] := spent[principal] + n }
permit trusted on spend when trust[principal] >= «MIN|1»
permit owner on spend when principal == root
forbid shut on spend, pay when mood == Alert unless «principal == root and n < 2|principal == root»
approve big on spend when n > «2|3» by human within 5ms
assert alert on spend: mood == Alert and n > 2 implies denied
assert low on spend: allowed implies trust[principal] >= MIN or principal == root
assert human on spend: n > 2 implies not allowed or approved_big
assert wins: forbid shut overrides permit trusted
step calm: old(mood) == Alert implies forall b: Bot . b == root or spent[b] == old(spent[b])
invariant modest: forall b: Bot . spent[b] > 0 implies trust[b] > 0
""",
    "nested": """
entity Bot { root }
entity Item
state boss: Bot -> Bot = root
state level: Bot -> Int = 0
state held: (Item, Bot) -> Bool = false
state keeper: Item -> Bot = root
action obey(principal: Bot, to: Bot) {
  require «level[to] > level[principal] or to == root|principal != root|to != principal»
  boss[principal] := to
  «level[principal] := level[to]|level[boss[principal]] += 1|level[boss[boss[principal]]] += 1»
}
action keep(principal: Bot, i: Item) {
  require «not (exists b: Bot . held[i, b])|forall b: Bot . b == principal or not held[i, b]|not held[i, boss[principal]]»
  held[i, principal] := true
  keeper[i] := «principal|boss[principal]»
}
action leave(i: Item) { held[i, «keeper[i]|boss[keeper[i]]»] := false }
invariant one: forall i: Item, a: Bot, b: Bot . held[i, a] and held[i, b] implies a == b
invariant kept: forall i: Item, b: Bot . held[i, b] implies keeper[i] == b
invariant rooted: forall b: Bot . level[b] > 0 implies level[boss[b]] > 0
invariant low: level[root] <= 1
invariant upward: forall b: Bot . boss[b] == root or boss[b] != b
step moves: forall i: Item . keeper[i] != old(keeper[i]) implies held[i, keeper[i]]
reachable chain: exists b: Bot . boss[boss[b]] != root and boss[b] != b
""",
}  # fmt: skip

NUMBERS = {"time": (0, 5, 6, 11), "limits": (0, 3, 9, 10, 14), "past": (0, 4, 6), "rules": (0, 1, 3, 4)}
