"""What is known of the shape of a part to what is known of the part itself. See NOTE(shapes)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from policydsl.core.expr import Const, Expr
from policydsl.core.to_json import digest
from policydsl.core.types import EntityType, Scalar, Value
from policydsl.interp import Request, run
from policydsl.trace import Cell, Trace
from verifier.parts import alone
from verifier.shapes import Group, Member, Renaming, UntranslatableError
from verifier.verdict import Outcome, Proved, Refuted, Unknown, Vacuity, Verdict, Verification, Witnessed


def carried(group: Group, member: Member, verification: Verification) -> Verification | None:
    """`verification` of the group's system, said of `member`; None if that cannot be said or shown."""
    to = _Carrier(group, member)
    own = {p.name: p for p in member.part.properties}
    try:
        outcomes = tuple(Outcome(own[to.text(o.property.name)], to.verdict(o.verdict)) for o in verification.outcomes)
        vacuities = tuple(Vacuity(to.text(v.subject), to.text(v.text), v.certain) for v in verification.vacuities)
    except (UntranslatableError, _OtherwiseError):
        return None
    return Verification(member.part.name, digest(member.part), outcomes, vacuities)


def runs_of_shape(group: Group, traces: Sequence[Trace]) -> list[Trace]:
    """Runs of the first member as runs of the group's system."""
    part, marking = group.members[0].part, group.marking
    if marking is None:
        return list(traces)
    own = alone(group.system)
    types = {(a.name, i.name): i.type for a in part.actions for i in a.inputs}
    variables = {v.name: v for v in part.state}
    params = {p.name: p.type for p in part.params}

    def value(v: Value, type: Scalar) -> Value:
        const = Const(v, type)
        is_ours = isinstance(type, EntityType) and const not in part.individuals
        return v if is_ours else marking.const(const).value

    found = []
    for t in traces:
        requests = [
            Request(
                marking.name("a", s.action),
                {marking.name("i", n): value(v, types[s.action, n]) for n, v in s.inputs},
            )
            for s in t.steps
        ]
        start = [
            Cell(
                marking.name("v", c.var),
                tuple(str(value(k, sort)) for k, sort in zip(c.keys, variables[c.var].keys, strict=True)),
                value(c.value, variables[c.var].type),
            )
            for c in t.start
        ]
        chosen = {marking.name("p", n): value(v, params[n]) for n, v in t.params}
        found.append(run(own, requests, chosen, start)[0])
    return found


class _OtherwiseError(Exception):
    """The member does not do what its shape does."""


class _Carrier:
    def __init__(self, group: Group, member: Member) -> None:
        self.group = group
        self.part = alone(member.part)
        self.member = member
        self._renaming = Renaming(lambda _, name: self.text(name))

    def text(self, text: str) -> str:
        return self.group.text(self.member, text)

    def texts(self, texts: Sequence[str]) -> tuple[str, ...]:
        return tuple(map(self.text, texts))

    def exprs(self, exprs: Sequence[Expr]) -> tuple[Expr, ...]:
        return tuple(map(self._renaming.expr, exprs))

    def verdict(self, verdict: Verdict) -> Verdict:
        match verdict:
            case Proved(how, uses, lemmas, guards, assumptions):
                return Proved(
                    self.text(how), self.texts(uses), self.exprs(lemmas), self.texts(guards), self.texts(assumptions)
                )
            case Refuted(trace, reason):
                return Refuted(self.trace(trace), self.text(reason))
            case Witnessed(trace):
                return Witnessed(self.trace(trace))
            case Unknown(reason, cti):
                return Unknown(self.text(reason), None if cti is None else self.trace(cti))

    def trace(self, trace: Trace) -> Trace:
        requests = [Request(self.text(s.action), dict(map(self._named, s.inputs))) for s in trace.steps]
        start = [Cell(self.text(c.var), self.texts(c.keys), self._value(c.value)) for c in trace.start]
        again, _ = run(self.part, requests, dict(map(self._named, trace.params)), start)
        if [s.decision.effect for s in again.steps] != [s.decision.effect for s in trace.steps]:
            raise _OtherwiseError
        return replace(again, property=self.text(trace.property))

    def _named(self, item: tuple[str, Value]) -> tuple[str, Value]:
        return self.text(item[0]), self._value(item[1])

    def _value(self, value: Value) -> Value:
        return self.text(value) if isinstance(value, str) else value
