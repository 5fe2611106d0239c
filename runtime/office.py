"""Where requests are decided and written down: the policies in force, their books, lockdown, holds of the store.

NOTE(fail-closed): whatever answers a request never raises. What goes wrong between a request and its answer becomes a
denial with a code, and nothing of the request is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from policydsl.core.types import Value
from runtime import held, locking, tickets
from runtime.bundle import Bundle, BundleError
from runtime.decision import Basis, Code, Decision
from runtime.desk import APPROVE, Settled, as_duties, denied, read_inputs, settle
from runtime.group import Group
from runtime.heads import SigningError, read_private
from runtime.held import NO_PHASE, Phase
from runtime.inputs import InputError
from runtime.ledger import Ledger, ReplacedError, as_text
from runtime.lockdown import ENTERED, LIFTED, Lockdown
from runtime.migrate import MigrationError, adopt
from runtime.policies import Policies, Running, SettingsError, Way, basis_of, start
from runtime.settings import Settings
from runtime.store import Store, StoreError, Transaction
from runtime.store_memory import MemoryStore

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

T = TypeVar("T")
NOBODY: Mapping[str, Value] = {}
"""What people have answered, before anybody was asked."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came. `way` is None for an unknown action, and `flat`, the inputs of the core, for inputs that
    are not those of the action: then `fault` says why."""

    action: str
    given: Mapping[str, Any]
    way: Way | None
    flat: Mapping[str, Value] | None = None
    fault: InputError | None = None


class Office:
    """The inside of an enforcer. `fault` says why nothing is allowed, if so; `ledger` is there unless there is one."""

    def __init__(self, store: Store | None, settings: Settings) -> None:
        self.settings = settings
        self.recording = store is not None
        self.group = Group(MemoryStore() if store is None else store)
        self.lockdown = Lockdown(settings.officers)
        self.fault: tuple[Code, str] | None = (Code.BUNDLE, "no bundle was loaded")
        self.offered: Basis | None = None
        """What the bundle that was opened says it is, for as long as there are no books."""
        self.ledger: Ledger | None = None
        self.opened = False
        self.unsaved: tuple[str, str, str] | None = None
        """A lockdown that holds here and is not yet in the store: event, who, why."""
        self._signer: Ed25519PrivateKey | None = None
        self._known = frozenset({*settings.handlers, *settings.promised})
        self._saved = False
        self._changed_by_others = False
        self._names: frozenset[str] = frozenset()
        self._before: tuple[bool, bytes, int] = (False, b"", 0)

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
        except ReplacedError as error:
            return on_fault(Code.BUNDLE, str(error))
        except StoreError as error:
            return on_fault(Code.STORE, str(error))
        except Exception as error:  # noqa: BLE001 see NOTE(fail-closed)
            return on_fault(Code.INTERNAL, about(error))

    def begin(self, tx: Transaction) -> None:
        """Before the work of a hold: see what is there, and what others have done."""
        ledger = self.books
        if self._saved:  # and there was no `back` since: it was kept
            self.unsaved, self._saved = None, False
        self._before = self.opened, self.lockdown.to_bytes(), ledger.signed
        if not self.opened:
            # Until the hold is kept, `back` goes back to here.
            adopt(tx, ledger, None, self.time())
            self._changed_by_others = True
        ledger.begin(tx)
        # SOUND: until it has been read, in whichever hold, a lockdown by others is not forgotten.
        self._changed_by_others |= any(e.event in (ENTERED, LIFTED) for e in ledger.events)
        ledger.events.clear()
        if self._changed_by_others:
            self.read_lockdown(tx)
        if self.unsaved is not None:
            self.write_lockdown(tx, ledger, *self.unsaved)
            self._saved = True
        self._before = self._before[0], self.lockdown.to_bytes(), ledger.signed
        self._changed_by_others, self.opened = False, True

    def end(self, tx: Transaction) -> None:
        """After the work of a hold."""
        ledger = self.books
        ledger.end(tx)
        if self._signer is not None and ledger.size - ledger.signed >= self.settings.sign_every:
            self.sign(tx)

    def back(self) -> None:
        """A hold has failed: everything is as it was before."""
        self.opened, locked, self.books.signed = self._before
        self._saved = False
        self.books.back()
        self.lockdown.from_bytes(locked)

    def handled(self, decision: Decision) -> bool:
        """Whether there are handlers that have to do something because of a decision."""
        if self.settings.shadow or not decision.obligations:
            return False
        return any(duty.name in self.settings.handlers for duty in decision.obligations)

    @property
    def books(self) -> Ledger:
        if self.ledger is None:
            raise StoreError("there is nothing to enforce")
        return self.ledger

    def sign(self, tx: Transaction) -> None:
        """Note a signed head of the log, if there is a key and something new."""
        ledger = self.books
        if self._signer is not None and ledger.recording and ledger.size != ledger.signed:
            ledger.sign(tx, self.time(), self._signer)

    def read_lockdown(self, tx: Transaction) -> None:
        """Take over what the store says of lockdown, unless a lockdown here has yet to be written there."""
        if self.unsaved is None:
            locking.read(tx, self.lockdown)

    def write_lockdown(self, tx: Transaction, ledger: Ledger, event: str, by: str, reason: str) -> None:
        """Write down that lockdown was entered or lifted."""
        locking.write(tx, ledger, self.lockdown, event, by, reason, self.time())

    # Bundles

    def policies_of(self, bundle: Bundle | BundleError) -> Policies:
        """The policies of a bundle that may be enforced. Raises `BundleError` and `SettingsError`."""
        if isinstance(bundle, BundleError):
            raise bundle
        # SOUND: what is not proved is not enforced as if it were; whoever wants that has to say so.
        if not bundle.verified and not self.settings.unproved:
            missing = [f"{p.system.name}: {', '.join(p.unproved)}" for p in bundle.policies if p.unproved]
            raise BundleError(f"not proved: {'; '.join(missing)}")
        names = self._names | {p.system.name for p in bundle.policies}
        found = start(bundle, self.settings, self._names)
        self._names = names
        return found

    def load(self, bundle: Bundle | BundleError) -> None:
        """Begin with a bundle. What the store has is taken over when it is first held."""
        if self.settings.retention is not None and self.settings.retention <= 0:
            raise SettingsError("`retention` is how long to remember, and that is more than nothing")
        if self.settings.sign is not None:
            try:
                self._signer = read_private(self.settings.sign)
            except SigningError as error:
                raise SettingsError(f"the log cannot be signed: {error}") from error
        if isinstance(bundle, Bundle):
            self.offered = basis_of(bundle)
        self.ledger = Ledger(self.policies_of(bundle), self.recording)
        self.fault = None

    def lock_others(self, reason: str) -> None:
        """A bundle that claims what is not so was to be enforced: lockdown for all who share the store, if anybody has
        decided there. Raises `StoreError`."""
        if self.recording:
            with self.group.store.hold() as tx:
                if tx.size():
                    locking.change(tx, ENTERED, "", reason, self.time())
                    locking.read(tx, self.lockdown)

    def switch(self, policies: Policies, after: Callable[[], None]) -> None:
        """Go on under other policies from here on, all at once, and call `after` before anybody else decides. Raises
        `MigrationError` when the state is not fit for them, and `StoreError`; then nothing has changed."""
        new = Ledger(policies, self.recording)
        self.group.run(lambda tx: adopt(tx, new, self.ledger, self.time()), _Switch(self, new, after))

    # Requests

    def time(self) -> int:
        """What the clock says. Raises `TypeError` when that is no time."""
        at = self.settings.clock()
        if at.__class__ is not int:
            raise TypeError("the clock tells no time")
        return at

    def read(self, action: str, given: Mapping[str, Any]) -> Asked:
        """A request, as far as the policies know it."""
        way = self.books.policies.way(action)
        if way is None:
            return Asked(action, given, None)
        try:
            return Asked(action, given, way, read_inputs(way, given))
        except InputError as error:
            return Asked(action, given, way, None, error)

    def now(self, policy: Running, at: int) -> int:
        """The time of a request made at `at`, 0 where there is none. It stands still while the clock is a little
        behind."""
        if policy.clock is None:
            return 0
        last = policy.clock.get((), 0)
        return last if at < last <= at + self.settings.tolerance else at

    def decide(
        self,
        tx: Transaction,
        asked: Asked,
        key: str = "",
        granted: Mapping[str, Value] = NOBODY,
        phase: Phase = NO_PHASE,
    ) -> Decision:
        """Decide a request, do what is allowed, and write it down."""
        ledger, at, shadow = self.books, self.time(), self.settings.shadow
        way = asked.way
        if way is None:
            answer = self.refusal(Code.UNKNOWN_ACTION, "there is no such action")
            return ledger.refuse(tx, answer, asked.action, at, key, shadow)
        now = self.now(way.policy, at)
        settled = self._settled(way, asked, now, at, granted)
        decision = settled.decision
        if settled.duties:
            decision = replace(decision, obligations=as_duties(settled.duties))
        if decision.effect == "approve" and not shadow:
            decision = self._ask(tx, way, settled, decision, now, key, phase)
        if decision is not settled.decision:
            settled = replace(settled, decision=decision)
        decision = ledger.enter(tx, way, settled, asked.given, granted, now, at, key, shadow)
        if phase is not NO_PHASE and decision.effect == "allow" and settled.inputs is not None:
            held.note(tx, phase, way.policy.policy.system, way.action.name, settled.inputs, decision, at)
        return decision

    def _settled(self, way: Way, asked: Asked, now: int, at: int, granted: Mapping[str, Value]) -> Settled:
        if (let := self.barred(way, at)) is not None:
            return Settled(let, None, (), asked.flat)
        if asked.flat is None:
            code, reason = (asked.fault.code, str(asked.fault)) if asked.fault else (Code.INTERNAL, "it was not read")
            return Settled(Decision("deny", code, reason, basis=way.policy.machine.basis), None, (), None)
        return settle(way, asked.flat, now, granted, self._known)

    def refusal(self, code: Code, reason: str, way: Way | None = None) -> Decision:
        """A denial that no policy has a part in: it rests on the one that would have been asked, or on all."""
        if way is not None:
            return Decision("deny", code, reason, basis=way.policy.machine.basis)
        return Decision("deny", code, reason, basis=self.ledger.policies.basis if self.ledger else self.offered)

    def barred(self, way: Way, at: int) -> Decision | None:
        """The denial of a request in a lockdown, if there is one that concerns it."""
        if not self.lockdown.locked:
            return None
        let = self.lockdown.lets(way.recovery, at)
        if let.effect == "allow":
            return None
        return Decision("deny", Code.LOCKDOWN, let.reason, let.rules, basis=way.policy.machine.basis)

    def _ask(
        self, tx: Transaction, way: Way, settled: Settled, decision: Decision, now: int, key: str, phase: Phase
    ) -> Decision:
        named = any(name == APPROVE for name, _ in settled.duties)
        if not self.settings.approvals or settled.inputs is None or not named:
            return denied(decision, Code.NO_ROUTE, f"{decision.reason}, and there is nobody to ask")
        ticket = self.settings.fresh()
        tickets.ask(tx, tickets.question(ticket, way, settled.inputs, settled.duties, now, key, phase))
        return replace(decision, ticket=ticket)


class _Switch:
    """Around a hold in which `new` takes the place of the books of `office`."""

    def __init__(self, office: Office, new: Ledger, after: Callable[[], None]) -> None:
        self._office = office
        self._new = new
        self._after = after
        self._before = self._now()

    def _now(self) -> tuple[Ledger | None, bool, tuple[Code, str] | None, bytes]:
        office = self._office
        return office.ledger, office.opened, office.fault, office.lockdown.to_bytes()

    def begin(self, tx: Transaction) -> None:
        """What others have done since is not followed: the new books begin with what is there."""
        self._before = self._now()

    def end(self, tx: Transaction) -> None:
        office = self._office
        self._new.end(tx)
        office.ledger, office.opened, office.fault = self._new, True, None
        if office.recording:
            office.read_lockdown(tx)
        self._after()

    def back(self) -> None:
        office = self._office
        office.ledger, office.opened, office.fault, locked = self._before
        office.lockdown.from_bytes(locked)
        self._after()


def about(error: Exception) -> str:
    """An exception in one line."""
    said = as_text(error)
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
