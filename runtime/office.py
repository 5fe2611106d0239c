"""Where requests are decided and written down: the policies in force, their books, lockdown, holds of the store.

NOTE(fail-closed): whatever answers a request never raises. What goes wrong between a request and its answer becomes a
denial with a code, and nothing of the request is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from policydsl.core.system import Action
from policydsl.core.types import Value
from runtime import tickets
from runtime.bundle import Bundle, BundleError
from runtime.decision import Code, Decision
from runtime.desk import Settled, as_duties, denied, flat_inputs, settle
from runtime.group import Group
from runtime.ledger import Ledger
from runtime.lockdown import ENTERED, LIFTED, Lockdown
from runtime.migrate import MigrationError, adopt
from runtime.policies import Policies, Running, start
from runtime.settings import Settings
from runtime.store import Store, StoreError, Transaction
from runtime.store_memory import MemoryStore

T = TypeVar("T")
LOCKDOWN, STATE = "lockdown", "state"


class Office:
    """The inside of an enforcer. `fault` says why nothing is allowed, if so; `ledger` is there unless there is one."""

    def __init__(self, store: Store | None, settings: Settings) -> None:
        self.settings = settings
        self.recording = store is not None
        self.group = Group(MemoryStore() if store is None else store)
        self.lockdown = Lockdown(settings.officers)
        self.fault: tuple[Code, str] | None = (Code.BUNDLE, "no bundle was loaded")
        self.ledger: Ledger | None = None
        self.opened = False
        self._known = frozenset({*settings.handlers, *settings.promised})
        self._before: tuple[Ledger | None, bool, bytes] = (None, False, b"")

    # Holds of the store

    def run(self, work: Callable[[Transaction], T], on_fault: Callable[[Code, str], T]) -> T:
        """What `work` returns once the hold in which it ran is kept; else what `on_fault` makes of the reason."""
        if self.fault is not None:
            return on_fault(*self.fault)
        try:
            return self.group.run(work, self)
        except MigrationError as error:
            self.fault = (Code.BUNDLE, str(error))
            return on_fault(*self.fault)
        except StoreError as error:
            return on_fault(Code.STORE, str(error))
        except Exception as error:  # noqa: BLE001 see NOTE(fail-closed)
            return on_fault(Code.INTERNAL, about(error))

    def begin(self, tx: Transaction) -> None:
        """Before the work of a hold: see what is there, and what others have done."""
        self._before = self.ledger, self.opened, self.lockdown.to_bytes()
        ledger = self.books
        if not self.opened:
            adopt(tx, ledger, None, self.settings.clock())
            self._read_lockdown(tx)
            self.opened = True
        ledger.begin(tx)
        if any(e.event in (ENTERED, LIFTED) for e in ledger.events):
            self._read_lockdown(tx)
        ledger.events.clear()

    def end(self, tx: Transaction) -> None:
        """After the work of a hold."""
        self.books.end(tx)

    def back(self) -> None:
        """A hold has failed: everything is as it was before."""
        self.ledger, self.opened, locked = self._before
        self.books.back()
        self.lockdown.from_bytes(locked)

    @property
    def books(self) -> Ledger:
        if self.ledger is None:
            raise StoreError("there is nothing to enforce")
        return self.ledger

    def _read_lockdown(self, tx: Transaction) -> None:
        note = tx.get(LOCKDOWN, STATE)
        if note is not None:
            self.lockdown.from_bytes(note)

    # Bundles

    def policies_of(self, bundle: Bundle | BundleError) -> Policies:
        """The policies of a bundle that may be enforced. Raises `BundleError` and `SettingsError`."""
        if isinstance(bundle, BundleError):
            raise bundle
        # SOUND: what is not proved is not enforced as if it were; whoever wants that has to say so.
        if not bundle.verified and not self.settings.unproved:
            missing = [f"{p.system.name}: {', '.join(p.unproved)}" for p in bundle.policies if p.unproved]
            raise BundleError(f"not proved: {'; '.join(missing)}")
        return start(bundle, self.settings)

    def load(self, bundle: Bundle | BundleError) -> None:
        """Begin with a bundle. What the store has is taken over when it is first held."""
        self.ledger = Ledger(self.policies_of(bundle), self.recording)
        self.fault = None

    def switch(self, tx: Transaction, policies: Policies) -> None:
        """Go on under other policies from here on. Raises `MigrationError` when the state is not fit for them."""
        old = self.books
        old.end(tx)
        new = Ledger(policies, self.recording)
        adopt(tx, new, old, self.settings.clock())
        new.begin(tx)
        self.ledger = new

    # Requests

    def now(self, policy: Running) -> int:
        """The time of a request, 0 where there is none. It stands still while the clock is a little behind."""
        if policy.clock is None:
            return 0
        now = self.settings.clock()
        last = policy.clock.get((), 0)
        return last if now < last <= now + self.settings.tolerance else now

    def decide(
        self, tx: Transaction, action: str, inputs: Mapping[str, Any], key: str, granted: Mapping[str, Value]
    ) -> Decision:
        """Decide a request, do what is allowed, and write it down."""
        ledger, at = self.books, self.settings.clock()
        shadow = self.settings.shadow
        route = ledger.policies.routes.get(action)
        if route is None:
            answer = refusal(Code.UNKNOWN_ACTION, f"there is no action `{action}`")
            return ledger.refuse(tx, answer, action, at, key, shadow)
        policy, known = route
        now = self.now(policy)
        settled = self._locked(policy, known, inputs, at) or settle(policy, known, inputs, now, granted, self._known)
        decision = replace(settled.decision, obligations=as_duties(settled.duties))
        if decision.effect == "approve":
            decision = self._ask(tx, policy, known, settled, decision, now, key)
        return ledger.enter(tx, policy, known, replace(settled, decision=decision), granted, now, at, key, shadow)

    def _locked(self, policy: Running, action: Action, inputs: Mapping[str, Any], at: int) -> Settled | None:
        if not self.lockdown.locked:
            return None
        let = self.lockdown.lets(action.name in policy.policy.system.recovery, at)
        if let.effect == "allow":
            return None
        return Settled(
            Decision("deny", Code.LOCKDOWN, let.reason, let.rules, basis=policy.machine.basis), None, (), inputs
        )

    def _ask(
        self, tx: Transaction, policy: Running, action: Action, settled: Settled, decision: Decision, now: int, key: str
    ) -> Decision:
        if not self.settings.approvals:
            return denied(decision, Code.NO_ROUTE, f"{decision.reason}, and there is nobody to ask")
        name, flat = f"{policy.name}.{action.name}", flat_inputs(action, settled.inputs)
        asked = tickets.question(self.settings.fresh(), policy.name, name, flat, settled.duties, now, key)
        tickets.ask(tx, asked)
        return replace(decision, ticket=asked.ticket)


def refusal(code: Code, reason: str) -> Decision:
    """A denial that no policy has a part in."""
    return Decision("deny", code, reason)


def about(error: Exception) -> str:
    """An exception in one line."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
