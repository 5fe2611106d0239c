"""The books of an enforcer: what is written for each decision, and how to go on from what is written already.

NOTE(copy): the machines in memory hold a copy of what the store has. `catch_up` brings it up to date with what others
have decided since; when a hold fails, `back` makes it again what it was before the hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from policydsl.core.read_json import MalformedError
from policydsl.core.system import Action
from policydsl.core.types import Value
from policydsl.regular_find import TooLongError
from policydsl.state import Keys
from policydsl.trace import Cell, Change
from runtime import heads
from runtime.content import Content, Undo
from runtime.decision import Decision
from runtime.desk import Settled, redacted
from runtime.merkle import Frontier
from runtime.policies import Policies, Running, Way
from runtime.records import Entry, Event, Record, Start, entry_bytes, event_bytes, from_bytes, start_bytes, start_of
from runtime.stand_in import REDACTED, conceal
from runtime.store import Row, StoreError, Transaction
from runtime.store_hold import not_kept

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

TREE, FRONTIER = "tree", "frontier"
HEAD, LATEST = "head", "latest"
MOST_SAID = 1_000
"""Characters of a text that no policy has asked for."""
MOST_INPUTS = 100
"""Inputs of a request that is not one of the action's."""


class ReplacedError(StoreError):
    """Another enforcer of the same store goes on under another policy."""


class Ledger:
    """The books about `policies`. Without `recording`, nothing is written but notes, and nobody else can write.

    `signed` is how many records the latest signed head covers.
    """

    def __init__(self, policies: Policies, recording: bool) -> None:
        self.policies = policies
        self.recording = recording
        self.size = 0
        self.tree = Frontier()
        self.signed = 0
        self.events: list[Event] = []
        self._done: list[tuple[Content, Undo]] = []
        self._bulk = {(p.name, a.name) for p in policies.running for a in p.policy.system.actions if _in_bulk(p, a)}
        self._before = (0, self.tree)

    # A hold, from its beginning to its end

    def begin(self, tx: Transaction) -> None:
        """Start a hold: what others have written comes first."""
        self._done = []
        if self.recording:
            self.catch_up(tx)
        self._before = self.size, self.tree.copy()

    def end(self, tx: Transaction) -> None:
        """Write what stands at the end of a hold."""
        if self.recording and self.size != self._before[0]:
            tx.put(TREE, FRONTIER, self.tree.to_bytes())

    def back(self) -> None:
        """The hold has failed, and nothing of it was kept."""
        for content, undo in reversed(self._done):
            content.undo(undo)
        self._done = []
        self.size, tree = self._before
        self.tree = tree.copy()

    def sign(self, tx: Transaction, at: int, key: Ed25519PrivateKey) -> None:
        """Note a signed head of all that is recorded."""
        head = heads.sign(heads.Head(self.size, self.tree.root(), at), key)
        tx.put(HEAD, LATEST, heads.to_text(head).encode("ascii"))
        self.signed = self.size

    # Decisions and events

    def enter(
        self,
        tx: Transaction,
        way: Way,
        settled: Settled,
        given: Mapping[str, Any],
        granted: Mapping[str, Value],
        now: int,
        at: int,
        key: str,
        shadow: bool,
    ) -> Decision:
        """Do what was settled, and write it down. The answer has the number of the record."""
        policy = way.policy
        content = policy.machine.content
        changes: tuple[Change, ...] = ()
        rows: list[Row] = []
        if settled.assignments:
            undo: Undo = []
            self._done.append((content, undo))
            content.apply(settled.assignments, undo)
            if self.recording:
                changes = content.changes(undo)
                rows = [Row(policy.name, var, keys, value) for var, keys, value in content.touched(undo)]
        if not self.recording:
            return settled.decision
        serial = self._append(tx, _entry(self.size, at, way, settled, given, granted, now, changes, key, shadow))
        if rows:
            tx.put_rows(rows)
        return replace(settled.decision, serial=serial)

    def refuse(self, tx: Transaction, decision: Decision, action: object, at: int, key: str, shadow: bool) -> Decision:
        """Write down the denial of a request that belongs to no policy."""
        if not self.recording:
            return decision
        mode = "shadow" if shadow else "enforce"
        code, reason = decision.code.value, decision.reason
        record = entry_bytes(self.size, at, "", "", as_text(action), {}, "deny", code, reason, key=key, mode=mode)
        return replace(decision, serial=self._append(tx, record))

    def note(self, tx: Transaction, event: str, at: int, data: Mapping[str, Any]) -> None:
        """Write down something else that happened."""
        if self.recording:
            self._append(tx, event_bytes(self.size, at, event, data))

    def _append(self, tx: Transaction, record: bytes) -> int:
        tx.append(record)
        self.tree.append(record)
        self.size += 1
        return self.size - 1

    # The beginning, and what others do

    def take_over(self, tx: Transaction) -> None:
        """Go on with the log that the store has. Raises `StoreError` when it is not in order."""
        if not self.recording:
            return
        self.size = tx.size()
        frontier, head = tx.get(TREE, FRONTIER), tx.get(HEAD, LATEST)
        try:
            self.signed = heads.from_text(head.decode("ascii")).size if head is not None else 0
        except (MalformedError, UnicodeDecodeError) as error:
            raise StoreError(f"the head of the log cannot be read: {error}") from error
        try:
            self.tree = Frontier.from_bytes(frontier) if frontier is not None else Frontier()
        except ValueError as error:
            raise StoreError(f"the log has no frontier: {error}") from error
        if self.tree.size != self.size:
            raise StoreError(
                f"the store has {self.size} records, and the frontier of its log is that of {self.tree.size}"
            )
        self._before = self.size, self.tree.copy()

    def start(self, tx: Transaction, policy: Running, at: int, cells: Sequence[Cell]) -> None:
        """Begin with a policy, in the state in which its machine is: the initial one, but for `cells`."""
        if not self.recording:
            return
        params = tuple(sorted(policy.machine.content.params.items()))
        self._append(tx, start_bytes(self.size, at, Start(policy.name, policy.policy.digest, params, tuple(cells))))
        tx.clear_rows(policy.name)
        tx.put_rows([Row(policy.name, *row) for row in policy.machine.content.rows()])

    def load(self, policy: Running, rows: Sequence[tuple[str, Keys, Value]]) -> None:
        """Have exactly these rows. Raises `StoreError` for one that the policy does not know."""
        known = policy.machine.content.numbers
        for var, _, _ in rows:
            if var not in known:
                raise StoreError(f"the store has rows of `{var}`, which `{policy.name}` does not know")
        policy.machine.content.load(rows)

    def catch_up(self, tx: Transaction) -> None:
        """Do what others have recorded since. Raises `StoreError`, and does nothing, when that cannot be followed."""
        if tx.size() == self.size:
            return
        if tx.size() < self.size:
            raise StoreError(f"the store has {tx.size()} records, and had {self.size}")
        texts = tx.since(self.size)
        found = [_read(n, text) for n, text in enumerate(texts, self.size)]
        anew = self._begun_anew(found)
        moves: list[tuple[Content, Change]] = []
        for record in found:
            if isinstance(record, Entry) and record.effect == "allow" and (p := self.policies.named(record.system)):
                content = p.machine.content
                moves += [(content, c) for c in record.changes]
                # SOUND: rows may have come to be that change nothing, and yet have to go with the next bulk write.
                anew |= (p.name, record.action) in self._bulk
                anew |= not all(_followed(content, c) for c in record.changes)
        rows = [(p, rows_of(tx, p.name)) for p in self.policies.running] if anew else []
        tree = self.tree.copy()
        for text in texts:
            tree.append(text)
        # What follows cannot fail half-way, but for rows of unknown variables, which make everything fail from here on.
        for policy, its in rows:
            self.load(policy, its)
        for content, c in () if anew else moves:
            content.set([(c.var, c.keys, c.after)])
        self.events += [record for record in found if isinstance(record, Event)]
        self.tree, self.size = tree, self.size + len(texts)

    def _begun_anew(self, records: Sequence[Record]) -> bool:
        """Whether some policy of ours was begun anew, as it is. Raises `ReplacedError` when it goes on otherwise."""
        starts = [start_of(r) for r in records if isinstance(r, Event)]
        last = {s.system: s for s in starts if s is not None}
        ours = [(p, last[p.name]) for p in self.policies.running if p.name in last]
        for policy, start in ours:
            # SOUND: who goes on under a policy that others have replaced decides by rules that hold no more.
            if start.policy != policy.policy.digest:
                raise ReplacedError(f"the policy `{start.system}` was replaced by another enforcer; load the new one")
            if dict(start.params) != policy.machine.content.params:
                raise ReplacedError(f"another enforcer runs `{start.system}` with other parameters")
        return bool(ours)


def _in_bulk(policy: Running, action: Action) -> bool:
    """Whether an action assigns a variable that some action assigns in bulk."""
    content = policy.machine.content
    return any(content.numbers[w.var] in content.patterns for w in action.writes)


def _read(n: int, text: bytes) -> Record:
    try:
        found = from_bytes(text)
    except MalformedError as error:
        raise StoreError(f"record {n} is not one: {error}") from error
    if found.n != n:
        raise StoreError(f"record {n} says that it is number {found.n}")
    return found


def _followed(content: Content, c: Change) -> bool:
    """Whether a change says all about what became of the rows of its variable."""
    number = content.numbers.get(c.var)
    return number is not None and number not in content.patterns and REDACTED not in (c.before, c.after)


def rows_of(tx: Transaction, name: str) -> list[tuple[str, Keys, Value]]:
    """The rows that a store has of one policy."""
    return [(r.var, r.keys, r.value) for r in tx.rows() if r.system == name and r.value is not None]


def _entry(
    n: int,
    at: int,
    way: Way,
    settled: Settled,
    given: Mapping[str, Any],
    granted: Mapping[str, Value],
    now: int,
    changes: Sequence[Change],
    key: str,
    shadow: bool,
) -> bytes:
    d, policy = settled.decision, way.policy
    obligations: Sequence[tuple[str, tuple[Value, ...]]] = settled.duties
    redactions: Mapping[str, str | None] = {}
    if settled.inputs is None:
        inputs = _readable(way, given)
    else:
        inputs = way.whole(settled.inputs, now, granted)
        if way.redactions and (secrets := _secrets(way, inputs)):
            hidden = conceal(policy.policy.system, way.action, inputs, secrets, obligations, changes)
            inputs, obligations, changes = dict(hidden.inputs), hidden.obligations, hidden.changes
            redactions = hidden.redacted
    return entry_bytes(
        n,
        at,
        policy.name,
        policy.policy.digest,
        way.action.name,
        inputs,
        d.effect,
        d.code.value,
        d.reason,
        [r.name for r in d.rules],
        obligations,
        changes,
        key,
        "shadow" if shadow else "enforce",
        redactions,
    )


def _readable(way: Way, given: object) -> dict[str, Value]:
    """Of inputs that are not those of the action, what can be written down; secrets redacted, wherever they stand."""
    found: dict[str, Value] = {}
    for name, value in islice(given.items(), MOST_INPUTS) if isinstance(given, Mapping) else ():
        if isinstance(name, str) and value.__class__ in (bool, int, str):
            kept = as_text(_without(way, value)) if isinstance(value, str) else value
            if not not_kept(kept):
                found[as_text(name)] = kept
    return found


def _without(way: Way, text: str) -> str:
    try:
        for _, pattern, replacement in way.redactions:
            text = redacted(pattern, text, replacement)
    except TooLongError:
        return REDACTED
    return text


def _secrets(way: Way, inputs: Mapping[str, Value]) -> dict[str, Value]:
    """The inputs that have a part which some rule redacts, and what they are without it, redacted or not."""
    found: dict[str, Value] = {}
    for field, pattern, replacement in way.redactions:
        text = found.get(field, inputs.get(field))
        if isinstance(text, str):
            try:
                told: Value = redacted(pattern, text, replacement)
            except TooLongError:
                told = REDACTED
            if told != text:
                found[field] = told
    return found


def as_text(text: object) -> str:
    """A text as it can be written down, whatever it is; the beginning of a long one."""
    try:
        said = str.__str__(text) if isinstance(text, str) else str(text)
    except Exception:  # noqa: BLE001 whoever asks may hand over anything
        said = f"<{type(text).__name__}>"
    return said[:MOST_SAID].encode("utf-8", "backslashreplace").decode()[:MOST_SAID]
