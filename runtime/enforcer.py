"""The enforcer, as hosts use it: requests to decisions, questions to people, lockdown, and the bundle in force.

Nothing here raises on the way of a request: see NOTE(fail-closed) in `office`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from policydsl.core.types import Value
from runtime import keys, questions
from runtime.bundle import Bundle, BundleError
from runtime.decision import Code, Decision
from runtime.desk import denied, flat_inputs
from runtime.inputs import asked_of_callers, shape
from runtime.lockdown import ENTERED, LIFTED
from runtime.machine import Step
from runtime.office import LOCKDOWN, STATE, Office, about, refusal
from runtime.policies import Policies, Running, SettingsError
from runtime.settings import Settings
from runtime.store import Store, Transaction
from runtime.tickets import Question

T = TypeVar("T")
NOBODY_ANSWERED: Mapping[str, Value] = {}


class Enforcer:
    """Decides requests under the policies of one bundle. Threads may share it.

    Without a store, the state is in memory alone and nothing is recorded. A bundle that may not be enforced, or a
    `BundleError` instead of one, makes an enforcer that denies everything; `fault` says why.
    """

    def __init__(self, bundle: Bundle | BundleError, store: Store | None, settings: Settings) -> None:
        self.settings = settings
        self._office = Office(store, settings)
        self._plain: dict[str, tuple[Running, Step]] = {}
        self._previous: list[Bundle] = []
        try:
            self._office.load(bundle)
        except (BundleError, SettingsError) as error:
            unproved = isinstance(bundle, Bundle) and not bundle.verified
            self._office.fault = (Code.UNPROVED if unproved else Code.BUNDLE, str(error))
        # A store that cannot be opened now is tried again by each request.
        self._office.run(lambda _tx: None, lambda _code, _reason: None)
        self._prepare()

    @property
    def fault(self) -> tuple[Code, str] | None:
        """Why nothing is allowed, if so."""
        return self._office.fault

    @property
    def policies(self) -> Policies | None:
        """What is enforced."""
        return self._office.ledger.policies if self._office.ledger else None

    @property
    def locked(self) -> bool:
        """Whether there is a lockdown."""
        return self._office.lockdown.locked

    # Requests

    def decide(self, action: str, *, key: str = "", **inputs: Any) -> Decision:
        """The answer to a request; see `decide_request`."""
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
        meter.note(action, decision, meter.timer() - begun)
        return decision

    def _decide(self, action: str, inputs: Mapping[str, Any], key: str) -> Decision:
        plain = self._plain.get(action)
        if plain is not None and not key:
            answer = self._decide_plainly(*plain, inputs)
            if answer is not None:
                return answer
        return self.decide_within(action, inputs, key)

    def decide_within(
        self,
        action: str,
        inputs: Mapping[str, Any],
        key: str,
        then: Callable[[Transaction, Decision], None] = lambda _tx, _decision: None,
        before: Callable[[Transaction], Decision | None] = lambda _tx: None,
    ) -> Decision:
        """The same, with notes in the hold in which the answer is kept: `before` may find that it was answered already,
        `then` may put something beside a new answer. Both may be called more than once."""
        office = self._office
        fresh = False

        def work(tx: Transaction) -> Decision:
            nonlocal fresh
            kept = before(tx) or (keys.find(tx, key, action, inputs) if key else None)
            fresh = kept is None
            if isinstance(kept, Decision):
                return kept
            if kept is not None:
                answer = refusal(Code.KEY_REUSED, f"the key `{key}` was used for another request")
                return office.books.refuse(tx, answer, action, self.settings.clock(), "", self.settings.shadow)
            decision = office.decide(tx, action, inputs, key, NOBODY_ANSWERED)
            then(tx, decision)
            keys.keep(tx, key, action, inputs, decision)
            return decision

        decision = office.run(work, lambda code, reason: self._without_store(action, inputs, code, reason))
        return self._shown(self._discharged(decision, key) if fresh else decision)

    def look(self, at: Callable[[Transaction], T], otherwise: T) -> T:
        """What `at` reads in a hold; `otherwise` when nothing can be read."""
        return self._office.run(at, lambda _code, _reason: otherwise)

    def flat(self, action: str, inputs: Mapping[str, Any]) -> dict[str, Value]:
        """The inputs of the core that a request gives. Raises `InputError`, and `KeyError` for no action."""
        routes = self.policies.routes if self.policies else {}
        return flat_inputs(routes[action][1], inputs)

    def _decide_plainly(self, policy: Running, step: Step, inputs: Mapping[str, Any]) -> Decision | None:
        """The answer where there is nothing to record and nothing to do beside; None to take the long way."""
        try:
            with self._office.group.lock:
                decision, assignments, duties = step(inputs, self._office.now(policy), NOBODY_ANSWERED)
                if duties or decision.effect == "approve":
                    return None
                if assignments:
                    policy.machine.content.apply(assignments)
        except Exception as error:  # noqa: BLE001 see NOTE(fail-closed)
            return refusal(Code.INTERNAL, about(error))
        return decision

    def _prepare(self) -> None:
        """Note the actions that are decided plainly."""
        office = self._office
        simple = not (office.recording or office.fault or office.lockdown.locked or self.settings.shadow)
        routes = self.policies.routes if simple and self.policies else {}
        self._plain = {name: (policy, policy.machine.steps[a.name]) for name, (policy, a) in routes.items()}

    def _discharged(self, decision: Decision, key: str) -> Decision:
        """Do what the decision obliges to, as far as there are handlers. What is not done is not allowed."""
        for duty in () if self.settings.shadow else decision.obligations:
            handler = self.settings.handlers.get(duty.name)
            try:
                if handler is not None:
                    handler(*duty.args)
            except Exception as error:  # noqa: BLE001 see NOTE(fail-closed)
                reason = f"the obligation `{duty.name}` was not discharged: {about(error)}"
                if decision.effect == "allow":
                    decision = denied(decision, Code.OBLIGATION, reason)
                self._note_undischarged(decision, key, duty.name, reason)
        return decision

    def _note_undischarged(self, decision: Decision, key: str, duty: str, reason: str) -> None:
        def work(tx: Transaction) -> None:
            data = {"record": decision.serial, "obligation": duty, "reason": reason}
            self._office.books.note(tx, "undischarged", self.settings.clock(), data)
            keys.replace(tx, key, decision)

        self._office.run(work, lambda _code, _reason: None)

    def _without_store(self, action: str, inputs: Mapping[str, Any], code: Code, reason: str) -> Decision:
        """The answer when nothing can be kept: a denial, unless the policy says that it may stay open for reading."""
        office = self._office
        route = self.policies.routes.get(action) if self.policies else None
        if code is Code.STORE and office.opened and not office.fault and not office.lockdown.locked and route:
            policy, known = route
            if known.name in policy.policy.system.fail_open:
                with office.group.lock:
                    decision, _, _ = policy.machine.decide(known.name, inputs, office.now(policy))
                if decision.effect == "allow":
                    return replace(decision, code=Code.FAIL_OPEN, reason=f"it only reads, and {reason}")
        return refusal(code, reason)

    def _shown(self, decision: Decision) -> Decision:
        return replace(decision, shadow=True) if self.settings.shadow else decision

    def inputs_of(self, action: str) -> frozenset[str]:
        """The names under which the inputs of an action are given; none when there is no such action."""
        route = self.policies.routes.get(action) if self.policies else None
        return frozenset(shape(asked_of_callers(route[1]))) if route else frozenset()

    # People

    def questions(self) -> list[Question]:
        """What waits for people, the oldest first; empty as well when it cannot be known."""
        none: list[Question] = []
        return self.look(questions.open_questions, none)

    def answer(self, ticket: str, approved: bool, by: str) -> Decision:
        """Answer the question `ticket`: the request is decided again, now, and if it is allowed it has happened.

        Denied when there is no such question, when it is too late, when `by` is who asks or may not answer, and of
        course when the answer is no. Never raises.
        """
        asked: list[Question] = []
        decision = self._office.run(lambda tx: questions.answer(self._office, tx, ticket, approved, by, asked), refusal)
        for q in asked[-1:]:
            decision = self._discharged(decision, q.key)
        return self._shown(decision)

    def lock_down(self, officer: str) -> Decision:
        """Deny everything but what policies list for lockdowns. Only officers may."""
        return self._change_lockdown(ENTERED, officer, lambda at: self._office.lockdown.enter(officer, at), "")

    def report_fault(self, reason: str) -> Decision:
        """A proof does not hold, or something else on which decisions rest: lockdown, until an officer lifts it."""
        return self._change_lockdown(ENTERED, "", self._office.lockdown.fault, reason)

    def lift_lockdown(self, officer: str) -> Decision:
        """Go on as before. Any officer may, always."""
        return self._change_lockdown(LIFTED, officer, lambda at: self._office.lockdown.lift(officer, at), "")

    def _change_lockdown(self, event: str, by: str, change: Callable[[int], Decision], reason: str) -> Decision:
        office = self._office

        def work(tx: Transaction) -> Decision:
            at = self.settings.clock()
            decision = change(at)
            if decision.effect == "allow":
                tx.put(LOCKDOWN, STATE, office.lockdown.to_bytes())
                office.books.note(tx, event, at, {"by": by, "reason": reason})
            return decision

        def on_fault(code: Code, fault: str) -> Decision:
            # SOUND: a lockdown that cannot be written down holds all the same, here; to lift one, it has to be.
            if event == LIFTED:
                return refusal(code, fault)
            with office.group.lock:
                return replace(change(self.settings.clock()), reason=f"in this enforcer only: {fault}")

        decision = office.run(work, on_fault)
        self._prepare()
        return decision

    # Bundles

    def reload(self, bundle: Bundle | BundleError) -> None:
        """Go on under another bundle, all at once, with the state there is. Raises `BundleError`, `SettingsError` or
        `StoreError`, and changes nothing, unless all it promises is proved and its invariants hold of that state."""
        office = self._office
        policies = office.policies_of(bundle)
        current = self.policies
        if current is None:
            office.load(bundle)
        else:
            # Not `office.run`: a fault here is whoever asks for the reload to know, and no reason to deny requests.
            office.group.run(lambda tx: office.switch(tx, policies), office)
            self._previous.append(current.bundle)
        office.fault = None
        self._prepare()

    def roll_back(self) -> None:
        """Go back to the bundle before the last `reload`. Raises as `reload` does."""
        if not self._previous:
            raise BundleError("there is no bundle to go back to")
        self.reload(self._previous[-1])
        del self._previous[-2:]

    def close(self) -> None:
        """Let go of the store. From now on, everything is denied."""
        with self._office.group.lock:
            self._office.fault = (Code.STORE, "the enforcer is closed")
            self._plain = {}
            self._office.group.store.close()
