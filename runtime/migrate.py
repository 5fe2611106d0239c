"""The state that a store has, to that of the policies which go on from there: the same, or a newer version of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from policydsl.core.from_json import from_json
from policydsl.core.read_json import MalformedError, Reader, parse
from policydsl.core.system import Expected, Origin, Property, PropertyKind, StateVar, System
from policydsl.core.to_json import digest, dumps, to_json
from policydsl.core.types import EnumType, Value
from policydsl.interp import UnfitError
from policydsl.state import EVERYONE_ELSE, Keys
from policydsl.trace import Cell
from runtime.content import Content
from runtime.ledger import Ledger, rows_of
from runtime.policies import Running
from runtime.store import StoreError, Transaction

CORE, PARAMS, ARCHIVE = "core", "params", "archive"
Rows = Sequence[tuple[str, Keys, Value]]


class MigrationError(StoreError):
    """The state that is there is not fit for the policies that are to go on with it."""


@dataclass(frozen=True, slots=True)
class _Version:
    """What a policy was, with its parameters, and the rows that it left."""

    system: System
    params: Mapping[str, Value]
    rows: Rows


def adopt(tx: Transaction, ledger: Ledger, old: Ledger | None, at: int) -> None:
    """Make `ledger` the books from here on: take over what the store has, or `old` in memory, bring it to the newer
    version of a policy where there is one, and begin with what is new. Raises `MigrationError` and `StoreError`."""
    ledger.take_over(tx)
    for policy in ledger.policies.running:
        before = _kept(tx, ledger, old, policy)
        system, params = policy.policy.system, policy.machine.content.params
        policy.machine.content.load(policy.first)
        # Digests, since records name policies by them: what differs in its digest begins anew in the log.
        if before is not None and digest(before.system) == policy.policy.digest and dict(before.params) == params:
            ledger.load(policy, before.rows)
            continue
        if before is None:
            ledger.start(tx, policy, at, policy.cells)
        else:
            _migrate(tx, ledger, policy, before, at)
        tx.put(CORE, policy.name, to_json(system).encode())
        tx.put(PARAMS, policy.name, dumps(params).encode())
    ledger.end(tx)


def _kept(tx: Transaction, ledger: Ledger, old: Ledger | None, policy: Running) -> _Version | None:
    """The version of a policy that was in force before."""
    if not ledger.recording:
        running = old.policies.named(policy.name) if old else None
        if running is None:
            return None
        content = running.machine.content
        return _Version(running.policy.system, content.params, list(content.rows()))
    core, params = tx.get(CORE, policy.name), tx.get(PARAMS, policy.name)
    if core is None or params is None:
        return None
    try:
        r = Reader(parse(params.decode()), "parameters")
        chosen = {name: r[name].any_scalar() for name in r.names()}
        return _Version(from_json(core.decode()), chosen, rows_of(tx, policy.name))
    except (MalformedError, UnicodeDecodeError) as error:
        raise StoreError(f"the policy `{policy.name}` in the store cannot be read: {error}") from error


def _migrate(tx: Transaction, ledger: Ledger, policy: Running, before: _Version, at: int) -> None:
    """What stays keeps its values, what is new starts as it starts, what is gone is put into the archive."""
    system, content = policy.policy.system, policy.machine.content
    try:
        then = Content(before.system, before.params)
    except UnfitError as error:
        raise StoreError(f"the policy `{policy.name}` in the store cannot be read: {error}") from error
    had = {v.name: v for v in before.system.state}
    stays = {v.name for v in system.state if v.name in had and _same(had[v.name], v)}
    rows = [row for v in system.state if v.name in stays for row in _carried(v, before.rows, then, content)]
    ghosts = {v.name for v in before.system.state if v.origin is Origin.GHOST}
    gone = [row for row in before.rows if row[0] not in stays | ghosts]
    content.load([*rows, *(row for row in policy.first if row[0] not in stays)])
    policy.machine.sum_up()
    _check(policy)
    if gone:
        archived = dumps([[var, list(keys), value] for var, keys, value in gone]).encode()
        tx.put(ARCHIVE, f"{policy.name} before record {ledger.size}", archived)
    now = {v.name for v in system.state}
    data = {
        "system": policy.name,
        "new": sorted(now - had.keys()),
        "changed": sorted(v.name for v in system.state if v.name in had.keys() - stays - ghosts),
        "removed": sorted(had.keys() - now),
        "archived": len(gone),
    }
    ledger.note(tx, "migrated", at, data)
    ledger.start(tx, policy, at, _cells(content.rows()))


def _same(was: StateVar, v: StateVar) -> bool:
    """Whether a variable is still the same one. An enumeration may have other cases than it had."""
    types = was.type == v.type or (
        isinstance(was.type, EnumType) and isinstance(v.type, EnumType) and was.type.name == v.type.name
    )
    return types and was.keys == v.keys and was.origin is v.origin and v.origin is not Origin.GHOST


def _carried(v: StateVar, rows: Rows, then: Content, now: Content) -> Iterator[tuple[str, Keys, Value]]:
    """The rows of a variable that stays, in the form that it has now. Raises `MigrationError` when it has none."""
    number, everyone = now.numbers[v.name], (EVERYONE_ELSE,) * len(v.keys)
    own = {keys: value for var, keys, value in rows if var == v.name}
    general = own.pop(everyone, then.first[then.numbers[v.name]])
    if isinstance(v.type, EnumType):
        for value in (general, *own.values()):
            if value not in v.type.cases:
                raise MigrationError(f"`{v.name}` holds `{value}`, which `{v.type.name}` does not have any more")
    if not v.keys or number in now.patterns:
        yield v.name, everyone, general
    elif any(EVERYONE_ELSE in keys for keys in own):
        raise MigrationError(f"`{v.name}` was set for everyone at once, which the policy does not do any more")
    elif general != now.first[number]:
        raise MigrationError(
            f"`{v.name}` is {general!r} for all who were never assigned one, and would be {now.first[number]!r}:"
            " give it its old initial value, or another name"
        )
    yield from ((v.name, keys, value) for keys, value in own.items())


def _cells(rows: Iterable[tuple[str, Keys, Value]]) -> tuple[Cell, ...]:
    general_first = sorted(rows, key=lambda row: -row[1].count(EVERYONE_ELSE))
    return tuple(Cell(*row) for row in general_first)


def _check(policy: Running) -> None:
    # SOUND: proofs start from states in which the invariants hold, and the lemmas that were found beside them; from any
    # other state they say nothing.
    kept = "does not hold of the state that is there, so it is kept as it was"
    for prop in policy.policy.system.properties:
        if _promised(prop) and not policy.machine.holds(prop.expr):
            raise MigrationError(f"`{prop.name}` of `{policy.name}` {kept}")
    for lemma in policy.policy.lemmas:
        if not policy.machine.holds(lemma):
            from policydsl.to_words import words

            raise MigrationError(f"a lemma of the proofs of `{policy.name}`, `{words(lemma)}`, {kept}")


def _promised(prop: Property) -> bool:
    return prop.kind in (PropertyKind.INVARIANT, PropertyKind.LEMMA) and prop.expected is Expected.PROVED
