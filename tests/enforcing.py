"""Enforcers for tests, on policies that are written down there, with a clock that stands still; and what must be true
of a store after anything whatever has happened to an enforcer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

from policydsl.core.system import System
from policydsl.diagnostics import Report
from policydsl.load import load
from runtime.bundle import Bundle, build, read
from runtime.decision import Decision
from runtime.enforcer import Enforcer
from runtime.log_file import verify_records
from runtime.records import Entry, Event, Record, from_bytes
from runtime.settings import Settings
from runtime.store import Store, Transaction
from runtime.store_memory import MemoryStore
from runtime.to_trace import Replayed, replay_records

ROOT = Path(__file__).parent.parent
FRESH = count()
MESSAGING, BUDGETS = "specs/gateway/messaging.policy", "specs/gateway/budgets.policy"

OUTBOX = """
module outbox

entity Bot { stranger, herald }

group Trusted of Bot

enum Kind { Mail, Chat }

pattern api_key = "sk-[a-z]{4,}"

param BUDGET : Int[0..1_000] = 100

state sent  : Bot -> Int = 0
state spent : Bot -> Int = 0
state last  : Bot -> Bot? = none
state muted : Bot -> Bool = false
state held  : Bot -> Int = 0
state asked : Bot -> Time = 0

action send(principal: Bot, to: Bot, kind: Kind, text: String) {
  sent[principal] += 1
  last[principal] := to
}
action look(principal: Bot) {}
action mute_all(principal: Bot) {
  require principal in Trusted else "not trusted"
  for each b: Bot { muted[b] := b != principal }
}
action reserve(principal: Bot, most: Int[1..1_000]) {
  require held[principal] == 0              else "one at a time"
  require spent[principal] + most <= BUDGET else "over budget"
  held[principal] := most
  asked[principal] := now
}
action settle(principal: Bot, cost: Int[0..1_000]) {
  require held[principal] > 0     else "nothing is held"
  require cost <= held[principal] else "too much"
  spent[principal] += cost
  held[principal] := 0
}
action give_up(principal: Bot) {
  require held[principal] > 0 else "nothing is held"
  held[principal] := 0
}
action expire(principal: Bot) {
  require held[principal] > 0           else "nothing is held"
  require now > asked[principal] + 10m  else "it may come back"
  spent[principal] += held[principal]
  held[principal] := 0
}

two phase call: reserve by reserve, commit by settle, abort by give_up, expire by expire
allow look while unavailable
allow mute_all while locked down

permit trusted on send when principal in Trusted
forbid muted on send when muted[principal] because "muted" then notify(principal)
forbid phishing on send when text contains "bit.ly/" because "a hidden link" then quarantine(principal)
approve strangers on send when to == stranger by human within 10m
permit loud on send when principal == herald then alert(to)
redact keys on send when text contains api_key replace with "[key]"
limit rate on send to 3 per 1m for each principal

invariant within_budget: forall b: Bot . spent[b] + held[b] <= BUDGET
invariant something_is_spent_or_not: forall b: Bot . 0 <= spent[b]
invariant holds_are_not_negative: forall b: Bot . 0 <= held[b]
"""


class Clock:
    """A clock that is set by hand; milliseconds."""

    def __init__(self, now: int = 1_000) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


@cache
def system(text: str) -> System:
    """The system of a text, or of a path below the root of the repository."""
    report = Report()
    path = text if text.endswith(".policy") else "m.policy"

    def of(name: str) -> str:
        return (ROOT / name).read_text(encoding="utf-8") if path is text else text

    found = load([path], of, report)
    errors = [d for d in report.sorted() if d.severity.value == "error"]
    assert not errors, [d.text for d in errors]
    return found[-1].system


def bundle(*texts: str | System) -> Bundle:
    """A bundle without proofs."""
    return read(build([(t if isinstance(t, System) else system(t), "") for t in texts]))


def settings(clock: Clock | None = None, **further: Any) -> Settings:
    return Settings(clock or Clock(), lambda: f"fresh {next(FRESH)}", **{"unproved": True, **further})


def enforcer(*texts: str | System, store: Store | None = None, clock: Clock | None = None, **further: Any) -> Enforcer:
    """An enforcer that has no fault."""
    found = Enforcer(bundle(*texts), store, settings(clock, **further))
    assert found.fault is None, found.fault
    return found


TRUSTED: dict[str, Any] = {"outbox": {"Trusted": ["ann", "bob"]}}
ALL = frozenset({"notify", "quarantine", "alert"})


def outbox(store: Store | None = None, clock: Clock | None = None, **further: Any) -> Enforcer:
    return enforcer(OUTBOX, store=store, clock=clock, **{"given": TRUSTED, "promised": ALL, **further})


def mail(text: str = "hello", **other: Any) -> dict[str, Any]:
    return {"principal": "ann", "to": "bob", "kind": "Mail", "text": text, **other}


@contextmanager
def held(store: Store) -> Iterator[Transaction]:
    with store.hold() as tx:
        yield tx


def records(store: Store) -> list[Record]:
    with store.hold() as tx:
        return [from_bytes(r) for r in tx.since(0)]


def entries(store: Store) -> list[Entry]:
    return [r for r in records(store) if isinstance(r, Entry)]


def events(store: Store) -> list[str]:
    return [r.event for r in records(store) if isinstance(r, Event)]


def audit(store: Store, *texts: str | System) -> list[Replayed]:
    """The log verifies, and the interpreter makes every decision of these policies again."""
    with store.hold() as tx:
        raw = list(tx.since(0))
        report = verify_records(raw, tx.get("head", "latest"), tx.get("tree", "frontier"))
    assert report.whole, report.faults
    found = []
    for text in texts:
        replayed = replay_records([from_bytes(r) for r in raw], text if isinstance(text, System) else system(text))
        assert replayed.faults == ()
        found.append(replayed)
    return found


def same_as_store(enforcer: Enforcer, store: Store) -> None:
    """What the enforcer has in memory, after it has caught up, is what is in the store; type and value."""
    assert enforcer.look(lambda _tx: True, False), enforcer.fault
    assert enforcer.policies is not None
    with store.hold() as tx:
        kept = sorted((r.system, r.var, r.keys, repr(r.value)) for r in tx.rows())
        size, frontier = tx.size(), tx.get("tree", "frontier")
    own = [(p.name, *row) for p in enforcer.policies.running for row in p.machine.content.rows()]
    held = sorted((s, var, keys, repr(value)) for s, var, keys, value in own)
    assert held == kept, set(held) ^ set(kept)
    books = enforcer.office.books
    assert (books.size, books.tree.to_bytes()) == (size, frontier)


def kept(store: Store, decision: Decision) -> bool:
    """Whether the record that a decision names says what it says."""
    with store.hold() as tx:
        found = tx.since(0)
        record = from_bytes(found[decision.serial]) if 0 <= decision.serial < len(found) else None
    return isinstance(record, Entry) and (record.effect, record.code) == (decision.effect, decision.code.value)


def all_allowed(decisions: Iterable[Decision]) -> bool:
    return all(d.effect == "allow" for d in decisions)


def memory() -> MemoryStore:
    return MemoryStore(wait=0.2)


def content(enforcer: Enforcer, name: str) -> Mapping[str, object]:
    """What one variable holds, by keys."""
    assert enforcer.policies is not None
    found = [row for p in enforcer.policies.running for row in p.machine.content.rows()]
    return {",".join(keys): value for var, keys, value in found if var == name}
