"""Which guards failed, or which permits hold, to the answer: made once for each case, and then only looked up."""

from __future__ import annotations

from policydsl.core.expr import Ref, Space, le
from policydsl.core.system import CLOCK, NOW, Action, Guard, GuardKind
from policydsl.core.types import INT
from policydsl.source import NOWHERE, Span
from runtime.decision import Basis, Code, Decision, Rule

_CODES = {
    GuardKind.ASSUME: Code.OUT_OF_RANGE,
    GuardKind.REQUIRE: Code.REQUIRED,
    GuardKind.FORBID: Code.FORBIDDEN,
    GuardKind.LIMIT: Code.LIMITED,
    GuardKind.PERMIT: Code.NOT_PERMITTED,
    GuardKind.APPROVE: Code.APPROVAL,
}
MOST = 4_096
"""Answers that are kept of one kind: whoever asks cannot make an enforcer grow without end."""
_TIME_GOES_ON = le(Ref(CLOCK, INT, Space.STATE), Ref(NOW, INT, Space.INPUT))


class Answers(dict[tuple[int, ...], Decision]):
    """The answers of `action` when guards of `kind` are the first to fail, by the numbers of those that do, counted
    among the guards of that kind; for `kind` None, the answers that allow, by the numbers of the permits that hold.

    What they say is what `policydsl.interp.decide` says.
    """

    def __init__(self, basis: Basis | None, action: Action, kind: GuardKind | None) -> None:
        super().__init__()
        self._basis = basis
        self._kind = kind
        self._permits = [Rule(r.rule, place(r.span)) for r in action.rules if r.effect == "permit"]
        self._guards = [g for g in action.guards if g.kind is kind]

    def __missing__(self, which: tuple[int, ...]) -> Decision:
        answer = (
            self._allow(which) if self._kind is None else self._refuse([self._guards[i] for i in which], self._kind)
        )
        if len(self) >= MOST:  # which rules match is for whoever asks to choose
            self.clear()
        self[which] = answer
        return answer

    def _allow(self, which: tuple[int, ...]) -> Decision:
        rules = {r.name: r for r in reversed([self._permits[i] for i in which])}
        return Decision("allow", Code.ALLOWED, "", tuple(reversed(rules.values())), basis=self._basis)

    def _refuse(self, failed: list[Guard], kind: GuardKind) -> Decision:
        code = Code.CLOCK if failed[0].expr is _TIME_GOES_ON else _CODES[kind]
        effect = "approve" if kind is GuardKind.APPROVE else "deny"
        named = [] if kind is GuardKind.PERMIT else [g for g in failed if g.rule]
        rules = {g.rule: Rule(g.rule, place(g.span)) for g in reversed(named)}
        return Decision(effect, code, failed[0].reason, tuple(reversed(rules.values())), basis=self._basis)


def place(span: Span) -> str:
    """Where something stands, as people and editors write it."""
    return "" if span is NOWHERE else f"{span.path}:{span.line}"
