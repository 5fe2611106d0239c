"""The enforcer, as hosts use it: requests to decisions, questions to people, lockdown, and the bundle in force.

Nothing here raises on the way of a request: see NOTE(fail-closed) in `office`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from inspect import iscoroutine
from typing import Any, TypeAlias, TypeVar

from runtime import held, keys, questions
from runtime.bundle import Bundle, BundleError, ForgedError
from runtime.decision import Code, Decision
from runtime.desk import UNREADABLE, denied
from runtime.held import NO_PHASE, Phase
from runtime.inputs import InputError
from runtime.ledger import as_text
from runtime.lockdown import ENTERED, LIFTED
from runtime.office import NOBODY, Asked, Office, about
from runtime.policies import Policies, SettingsError, Way
from runtime.settings import Settings, wants_once
from runtime.store import Store, Transaction
from runtime.tickets import Question

T = TypeVar("T")
Plain: TypeAlias = "dict[str, Callable[[Mapping[str, Any]], Decision | None]]"


class Enforcer:
    """Decides requests under the policies of one bundle. Threads may share it.

    Without a store, the state is in memory alone and nothing is recorded. A bundle that may not be enforced, or a
    `BundleError` instead of one, makes an enforcer that denies everything; `fault` says why.
    """

    def __init__(self, bundle: Bundle | BundleError, store: Store | None, settings: Settings) -> None:
        self.settings = settings
        self.office = Office(store, settings)
        self._once = frozenset(name for name, handler in settings.handlers.items() if wants_once(handler))
        self._allow_plainly({})
        self._previous: list[Bundle] = []
        try:
            self.office.load(bundle)
        except (BundleError, SettingsError) as error:
            unproved = isinstance(bundle, Bundle) and not (bundle.verified or settings.unproved)
            self.office.fault = (Code.UNPROVED if unproved else Code.BUNDLE, str(error))
            if isinstance(error, ForgedError):
                self._attempt_to_lock(str(error))
        # A store that cannot be opened now is tried again by each request.
        self.office.run(lambda _tx: None, lambda _code, _reason: None)
        self._prepare()

    def _attempt_to_lock(self, reason: str) -> None:
        try:
            self.office.lock_others(reason)
        except Exception as error:  # noqa: BLE001 it denies everything anyway
            code, why = self.office.fault or (Code.BUNDLE, reason)
            self.office.fault = (code, f"{why}; and others could not be locked down: {about(error)}")

    @property
    def fault(self) -> tuple[Code, str] | None:
        """Why nothing is allowed, if so."""
        return self.office.fault

    @property
    def policies(self) -> Policies | None:
        """What is enforced."""
        return self.office.ledger.policies if self.office.ledger else None

    @property
    def locked(self) -> bool:
        """Whether there is a lockdown."""
        return self.office.lockdown.locked

    # Requests

    def decide(self, action: str = "", *, key: str = "", **inputs: Any) -> Decision:
        """The answer to a request; see `decide_request`."""
        if key == "" and action.__class__ is str and (plain := self._unmeasured.get(action)) is not None:
            answer = plain(inputs)
            if answer is not None:
                return answer
        return self.decide_request(action, inputs, key)

    def decide_request(self, action: str, inputs: Mapping[str, Any], key: str = "") -> Decision:
        """The answer to a request: the action and its inputs, without the time and without answers of people.

        When this returns, an allowed request has changed the state, once and for good. A `key` names a request: asked
        again with the same key, it gets the same answer, and changes nothing. Never raises.
        """
        meter = self.settings.meter
        if meter is None:
            return self._decide(action, inputs, key)
        begun = meter.timer()
        decision = self._decide(action, inputs, key)
        meter.note(self._known(action), decision, meter.timer() - begun)
        return decision

    def decide_many(self, requests: Iterable[tuple[str, Mapping[str, Any], str]]) -> list[Decision]:
        """The answers to requests (action, inputs, key or ""), in order: what `decide_request` would say to each, but
        all are kept together, with one wait for the disk."""
        wanted, meter = list(requests), self.settings.meter
        begun = meter.timer() if meter is not None else 0

        def work(tx: Transaction) -> list[tuple[Decision, bool]]:
            return [self.answer_in(tx, action, inputs, key) for action, inputs, key in wanted]

        answered = self.office.run(work, lambda _code, _reason: None)
        if answered is None:  # the fault of one of them, perhaps
            return [self.decide_request(action, inputs, key) for action, inputs, key in wanted]
        done = zip(wanted, answered, strict=True)
        found = [self.shown(self.discharged(d, key) if new else d) for (_, _, key), (d, new) in done]
        if meter is not None and wanted:
            each = (meter.timer() - begun) // len(wanted)
            for (action, _, _), decision in zip(wanted, found, strict=True):
                meter.note(self._known(action), decision, each)
        return found

    def _known(self, action: object) -> str:
        """The name of an action as it is counted: whoever asks cannot make up names without end."""
        way = self.policies.way(action) if self.policies else None
        return str.__str__(action) if isinstance(action, str) and way else "?"

    def _decide(self, action: str, inputs: Mapping[str, Any], key: str) -> Decision:
        if key.__class__ is str and not key and action.__class__ is str:
            plain = self._plain.get(action)
            answer = plain(inputs) if plain is not None else None
            if answer is not None:
                return answer
        return self.decide_within(action, inputs, key)

    def decide_within(
        self,
        action: str,
        inputs: Mapping[str, Any],
        key: str,
        phase: Phase = NO_PHASE,
        before: Callable[[Transaction], Decision | None] = lambda _tx: None,
    ) -> Decision:
        """The same, for a request that is a phase of a reservation: `before` may find in the hold in which it would be
        decided that it was answered already, and may be called more than once."""

        def work(tx: Transaction) -> tuple[Decision, bool]:
            kept = before(tx)
            return (kept, False) if kept is not None else self.answer_in(tx, action, inputs, key, phase)

        decision, new = self.office.run(
            work, lambda code, reason: (self._without_store(action, inputs, code, reason), False)
        )
        if decision.code is Code.INTERNAL:
            self._note_denial(decision, action)
        return self.shown(self.discharged(decision, key) if new else decision)

    def answer_in(
        self, tx: Transaction, action: str, inputs: Mapping[str, Any], key: str, phase: Phase = NO_PHASE
    ) -> tuple[Decision, bool]:
        """The answer to a request in a hold, and whether what it obliges to is still to be done."""
        office = self.office
        asked = office.read(action, inputs)
        if keys.none(key):
            decision = office.decide(tx, asked, "", NOBODY, phase)
            return decision, bool(decision.obligations)
        if why := keys.fault(key):
            return self._refused(tx, asked, Code.ILL_TYPED, why), False
        digest = keys.digest(asked.way.name, asked.flat) if asked.way and asked.flat else keys.digest(action, inputs)
        kept = keys.find(tx, key)
        if kept is None:
            decision = office.decide(tx, asked, key, NOBODY, phase)
            keys.keep(tx, key, keys.Kept(digest, decision, office.handled(decision), office.time()))
            return decision, bool(decision.obligations)
        if kept.request != digest:
            return self._refused(tx, asked, Code.KEY_REUSED, "the key was used for another request"), False
        decision = kept.decision
        if decision.effect == "approve":
            decision = questions.late(office, tx, decision.ticket) or decision
        return replace(decision, repeated=True), kept.open

    def _refused(self, tx: Transaction, asked: Asked, code: Code, reason: str) -> Decision:
        office = self.office
        answer = office.refusal(code, reason, asked.way)
        return office.books.refuse(tx, answer, asked.action, office.time(), "", self.settings.shadow)

    def write_denial(self, tx: Transaction, decision: Decision, action: str) -> Decision:
        """Record a denial that no policy is to answer for."""
        return self.office.books.refuse(tx, decision, action, self.office.time(), "", self.settings.shadow)

    def _note_denial(self, decision: Decision, action: str) -> None:
        """Record a denial that came of something going wrong, if that goes well."""
        self.office.run(lambda tx: self.write_denial(tx, decision, action), lambda _code, _reason: None)

    def look(self, at: Callable[[Transaction], T], otherwise: T) -> T:
        """What `at` reads in a hold; `otherwise` when nothing can be read."""
        return self.office.run(at, lambda _code, _reason: otherwise)

    def attempt(self, at: Callable[[Transaction], T]) -> T | Decision:
        """What `at` reads in a hold; a denial when nothing can be read."""
        office = self.office

        def read(tx: Transaction) -> T | Decision:
            return at(tx)

        return office.run(read, office.refusal)

    def would_allow(self, action: str, inputs: Mapping[str, Any]) -> bool:
        """Whether a request would be allowed now. Nothing is recorded or changed."""
        office = self.office

        def work(_tx: Transaction) -> bool:
            asked, at = office.read(action, inputs), self.office.time()
            if asked.way is None or asked.flat is None or office.barred(asked.way, at) is not None:
                return False
            running = asked.way.policy
            step = running.machine.steps[asked.way.action.name]
            return step(asked.flat, office.now(running, at), NOBODY)[0].effect == "allow"

        return office.run(work, lambda _code, _reason: False)

    def _prepare(self) -> None:
        """Note the actions that are decided plainly."""
        office = self.office
        with office.group.lock:
            simple = not (office.recording or office.fault or office.lockdown.locked or self.settings.shadow)
            routes = self.policies.routes if simple and self.policies else {}
            found: Plain = {}
            self._allow_plainly(found)
            found |= {name: self._plainly(found, way) for name, way in routes.items()}

    def _allow_plainly(self, table: Plain) -> None:
        self._plain = table
        self._unmeasured = table if self.settings.meter is None else {}

    def _plainly(self, table: Plain, way: Way) -> Callable[[Mapping[str, Any]], Decision | None]:
        """What decides an action where there is nothing to record and nothing to do beside, as long as `table` is in
        force; None to take the long way."""
        office, policy = self.office, way.policy
        step, content = policy.machine.steps[way.action.name], policy.machine.content
        clock, group, lock = policy.clock, office.group, office.group.lock

        acquire, release = lock.acquire, lock.release

        def decide(inputs: Mapping[str, Any]) -> Decision | None:
            acquire()  # bound, and without `with`: this is where the time of a decision goes
            try:
                # SOUND: what was looked up before the lock was had may be of a policy that is in force no more.
                if self._plain is not table or group.leader:
                    return None
                now = 0 if clock is None else office.now(policy, office.time())
                decision, assignments, duties = step(inputs, now, NOBODY)
                if duties:
                    return None
                if decision.effect == "allow":
                    if assignments:
                        content.do(assignments)
                    return decision
                return None if decision.effect == "approve" or decision.code in UNREADABLE else decision
            except Exception as error:  # noqa: BLE001 see NOTE(fail-closed)
                return office.refusal(Code.INTERNAL, about(error), way)
            finally:
                release()

        return decide

    def discharged(self, decision: Decision, key: str) -> Decision:
        """Do what the decision obliges to, as far as there are handlers. What is not done is not allowed."""
        if not self.office.handled(decision):
            return decision
        answer = decision
        # A duty that is discharged again, after a crash, say, is told by the same name.
        named = str(decision.serial) if decision.serial >= 0 else key or self.settings.fresh()
        for number, duty in enumerate(decision.obligations):
            handler = self.settings.handlers.get(duty.name)
            once = {"once": f"{named}.{number}"} if duty.name in self._once else {}
            try:
                if handler is not None and iscoroutine(coroutine := handler(*duty.args, **once)):
                    coroutine.close()
                    raise TypeError("its handler is asynchronous, and nobody would await it")
            except Exception as error:  # noqa: BLE001 see NOTE(fail-closed)
                reason = f"the obligation `{duty.name}` was not discharged: {about(error)}"
                if answer.effect == "allow":
                    answer = denied(answer, Code.OBLIGATION, reason)
                self._note_undischarged(decision.serial, duty.name, reason)
        if key:
            self.office.run(lambda tx: keys.discharged(tx, key, decision, answer), lambda _code, _reason: None)
        return answer

    def _note_undischarged(self, serial: int, duty: str, reason: str) -> None:
        def work(tx: Transaction) -> None:
            data = {"record": serial, "obligation": duty, "reason": reason}
            self.office.books.note(tx, "undischarged", self.office.time(), data)

        self.office.run(work, lambda _code, _reason: None)

    def _without_store(self, action: str, inputs: Mapping[str, Any], code: Code, reason: str) -> Decision:
        """The answer when nothing can be kept: a denial, unless the policy says that it may stay open for reading."""
        office = self.office
        way = self.policies.way(action) if self.policies else None
        open_ = code is Code.STORE and office.opened and not office.fault and way is not None and way.fail_open
        if open_ and way is not None and not office.group.leading:
            try:
                with office.group.lock:
                    at = self.office.time()
                    step = way.policy.machine.steps[way.action.name]
                    decision, _, duties = step(way.flat(inputs), office.now(way.policy, at), NOBODY)
                    if decision.effect == "allow" and not duties and office.barred(way, at) is None:
                        return replace(decision, code=Code.FAIL_OPEN, reason=f"it only reads, and {reason}")
            except InputError as error:
                return office.refusal(error.code, str(error), way)
            except Exception as error:  # noqa: BLE001 see NOTE(fail-closed)
                return office.refusal(Code.INTERNAL, about(error), way)
        return office.refusal(code, reason, way)

    def shown(self, decision: Decision) -> Decision:
        """An answer as it is given out: one that is not enforced says so."""
        return replace(decision, shadow=True) if self.settings.shadow else decision

    def refused(self, code: Code, reason: str) -> Decision:
        """A denial of the enforcer's own."""
        return self.shown(self.office.refusal(code, reason))

    def inputs_of(self, action: str) -> frozenset[str]:
        """The names under which the inputs of an action are given; none when there is no such action."""
        way = self.policies.way(action) if self.policies else None
        return frozenset(way.shape) if way else frozenset()

    # People

    def questions(self) -> list[Question]:
        """What waits for people, the oldest first; empty as well when it cannot be known."""
        none: list[Question] = []
        return self.look(lambda tx: questions.open_questions(self.office, tx), none)

    def close_questions(self) -> None:
        """Deny what nobody has answered in time."""
        self.look(lambda tx: questions.close_late(self.office, tx), None)

    def forget(self) -> int:
        """Remove keys and ended reservations that are older than `settings.retention`; how many keys there were."""
        retention, time = self.settings.retention, self.office.time
        if retention is None:
            return 0
        return self.look(lambda tx: keys.forget(tx, time() - retention, held.forget(tx, time() - retention)), 0)

    def answer(self, ticket: str, approved: bool, by: str) -> Decision:
        """Answer the question `ticket`: the request is decided again, now, and if it is allowed it has happened.

        Denied when there is no such question, when it is too late, when `by` is who asks or may not answer, and of
        course when the answer is not True. Never raises.
        """
        if keys.fault(ticket) or keys.fault(by):
            return self.refused(Code.REFUSED, "a ticket and a name are texts")
        asked: list[Question] = []
        office, yes = self.office, approved is True
        decision = office.run(lambda tx: questions.answer(office, tx, ticket, yes, by, asked), office.refusal)
        for q in asked:
            decision = self.discharged(decision, q.key)
        return self.shown(decision)

    def lock_down(self, officer: str, reason: str = "") -> Decision:
        """Deny everything but what policies list for lockdowns. Only officers may."""
        return self._change_lockdown(
            ENTERED, officer, lambda at: self.office.lockdown.enter(officer, at), as_text(reason)
        )

    def report_fault(self, reason: str) -> Decision:
        """A proof does not hold, or something else on which decisions rest: lockdown, until an officer lifts it."""
        return self._change_lockdown(ENTERED, "", self.office.lockdown.fault, as_text(reason))

    def lift_lockdown(self, officer: str) -> Decision:
        """Go on as before. Any officer may, always."""
        return self._change_lockdown(LIFTED, officer, lambda at: self.office.lockdown.lift(officer, at), "")

    def _change_lockdown(self, event: str, by: str, change: Callable[[int], Decision], reason: str) -> Decision:
        office = self.office

        def work(tx: Transaction) -> Decision:
            self._allow_plainly({})
            decision = change(self.office.time())
            if decision.effect == "allow":
                office.write_lockdown(tx, office.books, event, by, reason)
            return decision

        def on_fault(code: Code, fault: str) -> Decision:
            # SOUND: a lockdown that cannot be written down holds all the same, here, and is written down as soon as
            # that can be done; to lift one, it has to be.
            if event == LIFTED:
                return office.refusal(code, fault)
            try:
                with office.group.lock:
                    decision = change(self.office.time())
                    if decision.effect == "allow":
                        office.unsaved = event, by, reason
                    return replace(decision, reason=f"in this enforcer only: {fault}")
            except Exception as error:  # noqa: BLE001 see NOTE(fail-closed)
                return office.refusal(Code.INTERNAL, about(error))

        decision = office.run(work, on_fault)
        self._prepare()
        return decision

    # Bundles

    def reload(self, bundle: Bundle | BundleError) -> None:
        """Go on under another bundle, all at once, with the state there is. Raises `BundleError`, `SettingsError` or
        `StoreError`, and changes nothing, unless all it promises is proved and its invariants hold of that state.

        One whose certificate or signature is not of what is in it is a fault, and so begins a lockdown.
        """
        office, current = self.office, self.policies
        try:
            policies = office.policies_of(bundle)
        except ForgedError as error:
            self.report_fault(f"reload: {error}")
            raise
        office.switch(policies, self._prepare)
        if current is not None:
            self._previous.append(current.bundle)

    def roll_back(self) -> None:
        """Go back to the bundle before the last `reload`. Raises as `reload` does."""
        if not self._previous:
            raise BundleError("there is no bundle to go back to")
        self.reload(self._previous[-1])
        del self._previous[-2:]

    def close(self) -> None:
        """Let go of the store. From now on, everything is denied."""
        office = self.office
        office.run(office.sign, lambda _code, _reason: None)
        with office.group.lock:
            office.fault = (Code.STORE, "the enforcer is closed")
            self._allow_plainly({})
            office.group.store.close()
