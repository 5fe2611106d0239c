"""Lockdown as a store keeps it: for enforcers, for operators without one, and for who finds no bundle to enforce."""

from __future__ import annotations

from dataclasses import dataclass

from policydsl.core.read_json import Reader, parse
from policydsl.core.to_json import dumps
from runtime.bundle import Bundle
from runtime.decision import Decision
from runtime.ledger import Ledger
from runtime.lockdown import LIFTED, Lockdown
from runtime.policies import Policies
from runtime.store import Transaction

LOCKDOWN, STATE, LATEST = "lockdown", "state", "latest"


@dataclass(frozen=True, slots=True)
class Latest:
    """What a store says of lockdown, and of how it came to that: who (nobody: a fault) said so when, and why."""

    locked: bool = False
    by: str = ""
    reason: str = ""
    at: int = 0


def write(tx: Transaction, ledger: Ledger, lockdown: Lockdown, event: str, by: str, reason: str, at: int) -> None:
    """Write down that lockdown was entered or lifted."""
    tx.put(LOCKDOWN, STATE, lockdown.to_bytes())
    tx.put(LOCKDOWN, LATEST, dumps({"by": by, "reason": reason, "at": at}).encode())
    ledger.note(tx, event, at, {"by": by, "reason": reason})


def read(tx: Transaction, lockdown: Lockdown) -> None:
    """Take over what the store says."""
    note = tx.get(LOCKDOWN, STATE)
    if note is not None:
        lockdown.from_bytes(note)


def latest(tx: Transaction) -> Latest:
    """What the store says."""
    lockdown = Lockdown(())
    read(tx, lockdown)
    note = tx.get(LOCKDOWN, LATEST)
    if note is None:
        return Latest(lockdown.locked)
    r = Reader(parse(note.decode()), "lockdown")
    return Latest(lockdown.locked, r["by"].text(), r["reason"].text(), r["at"].whole())


def change(tx: Transaction, event: str, by: str, reason: str, at: int) -> Decision:
    """Enter or lift lockdown in a store where no enforcer runs, or beside those that run: they follow.

    Whoever may write to the store is an officer there, under whatever name. Without one, it is a fault that enters.
    """
    lockdown = Lockdown((by,) if by else ())
    read(tx, lockdown)
    if event == LIFTED:
        decision = lockdown.lift(by, at)
    else:
        decision = lockdown.enter(by, at) if by else lockdown.fault(at)
    if decision.effect == "allow":
        ledger = Ledger(Policies(Bundle("", ()), (), {}, None), recording=True)
        ledger.take_over(tx)
        write(tx, ledger, lockdown, event, by, reason, at)
        ledger.end(tx)
    return decision
