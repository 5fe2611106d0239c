"""The books of an enforcer: what is written for each decision, and how to go on from what is written already.

NOTE(copy): the machines in memory hold a copy of what the store has. `catch_up` brings it up to date with what others
have decided since; when a hold fails, `back` makes it again what it was before the hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from policydsl.core.read_json import MalformedError
from policydsl.core.system import Action
from policydsl.core.types import Value
from policydsl.regular_find import TooLongError
from policydsl.regular_find import replace as redacted
from policydsl.state import Keys
from policydsl.trace import Cell, Change
from runtime.content import Content, Undo
from runtime.decision import Decision
from runtime.desk import REDACT, Settled, all_inputs
from runtime.merkle import Frontier
from runtime.policies import Policies, Running
from runtime.records import Entry, Event, Start, entry_bytes, event_bytes, from_bytes, start_bytes, start_of
from runtime.stand_in import REDACTED, conceal
from runtime.store import Row, StoreError, Transaction

TREE, FRONTIER = "tree", "frontier"


class Ledger:
    """The books about `policies`. Without `recording`, nothing is written but notes, and nobody else can write."""

    def __init__(self, policies: Policies, recording: bool) -> None:
        self.policies = policies
        self.recording = recording
        self.size = 0
        self.tree = Frontier()
        self.events: list[Event] = []
        self._done: list[tuple[Content, Undo]] = []
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
        self.size, self.tree = self._before

    # Decisions and events

    def enter(
        self,
        tx: Transaction,
        policy: Running,
        action: Action,
        settled: Settled,
        granted: Mapping[str, Value],
        now: int,
        at: int,
        key: str,
        shadow: bool,
    ) -> Decision:
        """Do what was settled, and write it down. The answer has the number of the record."""
        content = policy.machine.content
        changes: tuple[Change, ...] = ()
        rows: list[Row] = []
        if settled.assignments:
            undo = content.apply(settled.assignments)
            self._done.append((content, undo))
            if self.recording:
                changes = content.changes(undo)
                rows = [Row(policy.name, var, keys, value) for var, keys, value in content.touched(undo)]
        if not self.recording:
            return settled.decision
        serial = self._append(tx, _entry(self.size, at, policy, action, settled, granted, now, changes, key, shadow))
        tx.put_rows(rows)
        return replace(settled.decision, serial=serial)

    def refuse(self, tx: Transaction, decision: Decision, action: str, at: int, key: str, shadow: bool) -> Decision:
        """Write down the denial of a request that belongs to no policy."""
        if not self.recording:
            return decision
        mode = "shadow" if shadow else "enforce"
        code, reason = decision.code.value, decision.reason
        record = entry_bytes(self.size, at, "", "", _plain(action), {}, "deny", code, reason, key=key, mode=mode)
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
        frontier = tx.get(TREE, FRONTIER)
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

    def load(self, policy: Running, rows: Iterable[tuple[str, Keys, Value]]) -> None:
        """Have exactly these rows. Raises `StoreError` for one that the policy does not know."""
        try:
            policy.machine.content.load(rows)
        except KeyError as error:
            raise StoreError(f"the store has rows of `{error.args[0]}`, which `{policy.name}` does not know") from error

    def catch_up(self, tx: Transaction) -> None:
        """Do what others have recorded since. Raises `StoreError` when that cannot be followed."""
        if tx.size() == self.size:
            return
        stale = False
        for record in tx.since(self.size):
            try:
                found = from_bytes(record)
            except MalformedError as error:
                raise StoreError(f"record {self.size} is not one: {error}") from error
            stale |= self._follow(found)
            self.tree.append(record)
            self.size += 1
        if stale:
            for policy in self.policies.running:
                self.load(policy, rows_of(tx, policy.name))

    def _follow(self, record: Entry | Event) -> bool:
        """Do what one record says; whether the rows must be read again instead."""
        if isinstance(record, Event):
            start = start_of(record)
            policy = start and self.policies.named(start.system)
            # SOUND: who goes on under a policy that others have replaced decides by rules that hold no more.
            if start and policy and start.policy != policy.policy.digest:
                raise StoreError(f"the policy `{start.system}` was replaced by another enforcer; load the new one")
            self.events.append(record)
            return policy is not None
        policy = self.policies.named(record.system)
        if policy is None or not record.changes:
            return False
        content = policy.machine.content
        if any(
            content.numbers.get(c.var) in content.patterns or REDACTED in (c.before, c.after) for c in record.changes
        ):
            return True
        content.set((c.var, c.keys, c.after) for c in record.changes)
        return False


def rows_of(tx: Transaction, name: str) -> list[tuple[str, Keys, Value]]:
    """The rows that a store has of one policy."""
    return [(r.var, r.keys, r.value) for r in tx.rows() if r.system == name and r.value is not None]


def _entry(
    n: int,
    at: int,
    policy: Running,
    action: Action,
    settled: Settled,
    granted: Mapping[str, Value],
    now: int,
    changes: Sequence[Change],
    key: str,
    shadow: bool,
) -> bytes:
    d = settled.decision
    inputs = all_inputs(action, settled.inputs, now, granted)
    if inputs is None:
        given: Mapping[str, Any] = settled.inputs
        inputs = {_plain(k): _told(v) for k, v in given.items() if isinstance(v, bool | int | str)}
    hidden = conceal(policy.policy.system, action, inputs, _secrets(action, inputs), settled.duties, changes)
    return entry_bytes(
        n,
        at,
        policy.name,
        policy.policy.digest,
        action.name,
        hidden.inputs,
        d.effect,
        d.code.value,
        d.reason,
        [r.name for r in d.rules],
        hidden.obligations,
        hidden.changes,
        key,
        "shadow" if shadow else "enforce",
        hidden.redacted,
    )


def _secrets(action: Action, inputs: Mapping[str, Value]) -> dict[str, Value]:
    """The inputs that have a part which some rule redacts, and what they are without it, redacted or not."""
    found: dict[str, Value] = {}
    for o in action.obligations:
        if o.name == REDACT:
            field, pattern, replacement = (str(getattr(a, "value", "")) for a in o.args)
            text = found.get(field, inputs.get(field))
            if isinstance(text, str):
                try:
                    told: Value = redacted(pattern, text, replacement)
                except TooLongError:
                    told = REDACTED
                if told != text:
                    found[field] = told
    return found


def _plain(text: str) -> str:
    """A text as it can be written down, whatever it is."""
    return str(text).encode("utf-8", "backslashreplace").decode()[:1000]


def _told(value: Value) -> Value:
    return _plain(value) if isinstance(value, str) else value
