"""What the policy of meta-governance has on record: an enforcer goes in, where each amendment stands comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from policydsl.core.system import System
from policydsl.core.types import Value
from runtime.bundle import Bundle, read
from runtime.decision import Decision
from runtime.enforcer import Enforcer

META = "mvg.meta"
RELATIONS = "mvg.parameters"
SHIPPED = "meta.bundle"


class RefusedError(RuntimeError):
    """What was asked for is not allowed. The text says why, in the words of the policy."""


def shipped() -> Bundle:
    """What `policyctl build` makes of `specs/mvg/meta.policy` and `specs/mvg/parameters.policy`."""
    return read(files("simulator").joinpath(SHIPPED).read_bytes())


def ruling() -> Bundle:
    """The part of it that an enforcer runs: `mvg.parameters` is for proofs about relations between numbers."""
    found = shipped()
    return Bundle(found.digest, tuple(p for p in found.policies if p.system.name == META), found.signer)


def relations() -> System:
    """What numbers have to be to each other, unless a deployment has a policy of its own for that."""
    return next(p.system for p in shipped().policies if p.system.name == RELATIONS)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a proposal stands."""

    trial: str
    stage: str
    evidence: str
    rests_on: str
    leads_to: str
    yes: int
    no: int
    vote_end: int
    ready_at: int


@dataclass(frozen=True, slots=True)
class Books:
    """The enforcer of `mvg.meta`, and its state as it is now, whoever wrote it."""

    enforcer: Enforcer

    def ask(self, action: str, **inputs: Value) -> Decision:
        """Asks for an action. Raises `RefusedError` unless it is allowed, and so has happened, and is in the log."""
        decision = self.enforcer.decide_request(action, inputs)
        # SOUND: whatever is not allowed, a store that is away included, stops the loop here.
        if decision.effect != "allow":
            rules = f" ({', '.join(r.name for r in decision.rules)})" if decision.rules else ""
            raise RefusedError(f"{action}: {decision.reason}{rules}")
        return decision

    def ask_all(self, action: str, rows: Sequence[Mapping[str, Value]]) -> int:
        """Asks for each; how many were allowed."""
        found = self.enforcer.decide_many([(action, row, "") for row in rows])
        return sum(d.effect == "allow" for d in found)

    def read(self, name: str, *keys: str) -> Value:
        """One cell. Raises `RefusedError` when nothing can be read."""
        found = self.enforcer.look(lambda _tx: self._cell(name, *keys), None)
        if found is None:
            fault = self.enforcer.fault
            raise RefusedError(f"nothing can be read: {fault[1] if fault else 'the store is away'}")
        return found

    def _cell(self, name: str, *keys: str) -> Value:
        assert self.enforcer.policies is not None
        running = self.enforcer.policies.named(META)
        assert running is not None
        return running.machine.content.read(name, *keys)

    def maybe(self, name: str, *keys: str) -> str:
        """What an option holds, or ""."""
        return str(self.read(f"{name}.value", *keys)) if self.read(f"{name}.has", *keys) else ""

    def number(self, name: str, *keys: str) -> int:
        found = self.read(name, *keys)
        assert type(found) is int
        return found

    @property
    def version(self) -> str:
        """The digest of the bundle that has to be in force."""
        return self.maybe("version")

    @property
    def on_trial(self) -> str:
        return self.maybe("on_trial")

    def values(self) -> dict[str, int]:
        """The numbers that have to be in force."""

        def all_of() -> dict[str, int]:
            assert self.enforcer.policies is not None
            running = self.enforcer.policies.named(META)
            assert running is not None
            content = running.machine.content
            names = [keys[0] for var, keys, value in content.rows() if var == "declared" and value is True]
            found = {name: content.read("value", name) for name in sorted(names)}
            return {name: value for name, value in found.items() if type(value) is int}

        return self.enforcer.look(lambda _tx: all_of(), {})

    def proposed(self, proposal: str, names: Sequence[str]) -> dict[str, int]:
        """What a proposal amends, among these."""
        return {n: self.number("amount", proposal, n) for n in names if self.read("amends", proposal, n) is True}

    def standing(self, proposal: str) -> Standing:
        return Standing(
            str(self.read("trial", proposal)),
            str(self.read("stage", proposal)),
            self.maybe("evidence", proposal),
            self.maybe("rests_on", proposal),
            self.maybe("leads_to", proposal),
            self.number("yes", proposal),
            self.number("no", proposal),
            self.number("vote_end", proposal),
            self.number("ready_at", proposal),
        )
