"""The state that a store has, to that of the policies which go on from there: the same, or a newer version of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from policydsl.core.from_json import from_json
from policydsl.core.read_json import MalformedError
from policydsl.core.system import Expected, Origin, Property, PropertyKind, System
from policydsl.core.to_json import dumps, to_json
from policydsl.core.types import Value
from policydsl.state import EVERYONE_ELSE, Keys
from policydsl.trace import Cell
from runtime.ledger import Ledger, rows_of
from runtime.policies import Running
from runtime.store import StoreError, Transaction

CORE, ARCHIVE = "core", "archive"


class MigrationError(StoreError):
    """The state that is there is not fit for the policies that are to go on with it."""


def adopt(tx: Transaction, ledger: Ledger, old: Ledger | None, at: int) -> None:
    """Make `ledger` the books from here on: take over what the store has, or `old` in memory, bring it to the newer
    version of a policy where there is one, and begin with what is new. Raises `MigrationError` and `StoreError`."""
    ledger.take_over(tx)
    for policy in ledger.policies.running:
        kept = _kept(tx, ledger, old, policy)
        if kept is None:
            ledger.start(tx, policy, at, policy.cells)
        else:
            before, rows = kept
            if before == policy.policy.system:
                ledger.load(policy, rows)
            else:
                _migrate(tx, ledger, policy, before, rows, at)
        tx.put(CORE, policy.name, to_json(policy.policy.system).encode())
    ledger.end(tx)


Rows = Sequence[tuple[str, Keys, Value]]


def _kept(tx: Transaction, ledger: Ledger, old: Ledger | None, policy: Running) -> tuple[System, Rows] | None:
    """The version of a policy that was in force before, and its rows."""
    if not ledger.recording:
        running = old.policies.named(policy.name) if old else None
        return (running.policy.system, list(running.machine.content.rows())) if running else None
    core = tx.get(CORE, policy.name)
    if core is None:
        return None
    try:
        system = from_json(core.decode())
    except (MalformedError, UnicodeDecodeError) as error:
        raise StoreError(f"the policy `{policy.name}` in the store cannot be read: {error}") from error
    return system, rows_of(tx, policy.name)


def _migrate(tx: Transaction, ledger: Ledger, policy: Running, before: System, rows: Rows, at: int) -> None:
    """What stays keeps its values, what is new starts as it starts, what is gone is put into the archive."""
    system, content = policy.policy.system, policy.machine.content
    had = {v.name: (v.keys, v.type, v.origin) for v in before.state}
    stays = {
        v.name for v in system.state if had.get(v.name) == (v.keys, v.type, v.origin) and v.origin is not Origin.GHOST
    }
    gone = [row for row in rows if row[0] not in stays and before.variable(row[0]).origin is not Origin.GHOST]
    fresh = [row for row in content.rows() if row[0] not in stays]
    content.load([*(row for row in rows if row[0] in stays), *fresh])
    policy.machine.sum_up()
    _check(policy)
    if gone:
        name = f"{policy.name} {policy.policy.digest}"
        tx.put(ARCHIVE, name, dumps([[var, list(keys), value] for var, keys, value in gone]).encode())
    new = sorted(v.name for v in system.state if v.name not in had)
    removed = sorted(had.keys() - {v.name for v in system.state})
    ledger.note(tx, "migrated", at, {"system": policy.name, "new": new, "removed": removed, "archived": len(gone)})
    ledger.start(tx, policy, at, _cells(content.rows()))


def _cells(rows: Iterable[tuple[str, Keys, Value]]) -> tuple[Cell, ...]:
    general_first = sorted(rows, key=lambda row: -row[1].count(EVERYONE_ELSE))
    return tuple(Cell(*row) for row in general_first)


def _check(policy: Running) -> None:
    # SOUND: proofs start from states in which the invariants hold; from any other they say nothing.
    for prop in policy.policy.system.properties:
        if _promised(prop) and not policy.machine.holds(prop.expr):
            text = f"`{prop.name}` of `{policy.name}` does not hold of the state that is there, so it is kept as it was"
            raise MigrationError(text)


def _promised(prop: Property) -> bool:
    return prop.kind in (PropertyKind.INVARIANT, PropertyKind.LEMMA) and prop.expected is Expected.PROVED
