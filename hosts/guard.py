"""Calls of a host to answers, by an enforcer and a mapping. Nothing here raises: what goes wrong is a denial."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from hosts import requests
from hosts.call import Answer, Call
from hosts.mapping import Mapping
from hosts.paths import AbsentError, replaced
from hosts.requests import Request, UnmappedError
from runtime.decision import Code, Decision, Duty
from runtime.desk import APPROVE
from runtime.enforcer import Enforcer
from runtime.policies import REDACT
from runtime.together import decide_together


class Guard:
    """Stands before the calls of one host. Threads may share it."""

    def __init__(self, enforcer: Enforcer, mapping: Mapping) -> None:
        self.enforcer = enforcer
        self.mapping = mapping

    def before(self, call: Call) -> Answer:
        """Whether `call` may be made, and with which arguments."""
        return self._answer(requests.before, call, "call")

    def after(self, call: Call) -> Answer:
        """Tell the policy what `call` gave back. If that is denied, the result should not be used."""
        return self._answer(requests.after, call, "result")

    def _answer(self, wanted: Callable[[Mapping, Call], list[Request]], call: Call, what: str) -> Answer:
        try:
            asked = wanted(self.mapping, call)
            if not asked:
                return Answer("allow", "mapping.unasked")
            key = _key(self.mapping.host, call, what)
            keyed = [(r.action, r.inputs, f"{key}#{i}" if key else "") for i, r in enumerate(asked)]
            answer = _together(call, asked, decide_together(self.enforcer, keyed))
            return replace(answer, duties=tuple(self._duties(answer.decisions)))
        except UnmappedError as error:
            return Answer("deny", error.code, str(error))
        except Exception as error:  # noqa: BLE001 whatever is wrong with a mapping or a call, nothing is allowed
            return Answer("deny", "mapping.fault", f"{type(error).__name__}: {error}")

    def _duties(self, decisions: Sequence[Decision]) -> Iterator[Duty]:
        """What decisions oblige to, and what is neither in the answer already nor done by the enforcer's handlers."""
        for decision in decisions:
            for duty in () if decision.shadow else decision.obligations:
                if duty.name not in (APPROVE, REDACT) and duty.name not in self.enforcer.settings.handlers:
                    yield duty


def _key(host: str, call: Call, what: str) -> str:
    """A name for the requests of a call, where the host gives it one. Each part says how long it is, so that no two
    calls make the same of different parts."""
    return "|".join(f"{len(part)}:{part}" for part in (host, call.session, call.id, what)) if call.id else ""


def _together(call: Call, asked: Sequence[Request], decisions: Sequence[Decision]) -> Answer:
    said = tuple(decisions)
    # SOUND: one denial is enough, whatever the others say, and then nobody need be asked.
    if refused := [d for d in said if not d.allowed]:
        first = min(refused, key=_rank)
        word = "ask" if first.effect == "approve" else "deny"
        return Answer(word, first.code.value, first.reason, first.ticket, decisions=said)
    arguments: Any = None
    for request, decision in zip(asked, said, strict=True):
        for name, value in () if decision.shadow else decision.transform:
            origin = request.origins.get(name)
            try:
                # SOUND: what has to be rewritten, and is not plainly in the arguments, would go out as it was.
                if origin is None:
                    raise AbsentError(f"`{name}` has to be rewritten, and is not taken as it is from the arguments")
                arguments = replaced(call.arguments if arguments is None else arguments, origin, value)
            except AbsentError as error:
                return Answer("deny", "mapping.rewrite", str(error), decisions=said)
    code = next((d.code.value for d in said if d.code.value != "allowed"), "allowed")
    return Answer("allow", code, said[0].reason, "", arguments, decisions=said)


def _rank(decision: Decision) -> int:
    """What is told first: why it is denied, then whom to ask, and only then that others stand in the way."""
    if decision.effect == "approve":
        return 1
    return 2 if decision.code is Code.TOGETHER else 0
