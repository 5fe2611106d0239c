"""The compiled step, for replaying traffic: what `columns_replay.replay_table` steps with where columns cannot do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from policydsl.core.system import NOW, System
from policydsl.core.types import Value
from policydsl.interp import Request
from policydsl.state import EVERYONE_ELSE
from policydsl.trace import Cell, Decision
from runtime.columns_replay import Stepper, interpreted
from runtime.inputs import by_enforcer, told_apart
from runtime.machine import Machine


def compiled(system: System, params: Mapping[str, Value], start: Sequence[Cell]) -> Stepper:
    """Steps of the compiled system; those of the reference interpreter for a start that says something of everyone."""
    if start and (system.sums or any(EVERYONE_ELSE in (*c.keys, c.value) for c in start)):
        return interpreted(system, params, start)
    machine = Machine(system, params)
    machine.content.set((c.var, c.keys, c.value) for c in start)
    own = {a.name: by_enforcer(a) for a in system.actions}
    effects = {"approve": "pending"}

    def go(request: Request) -> Decision:
        asked, granted = told_apart(own[request.action], request.inputs)
        now = request.inputs.get(NOW, 0)
        assert isinstance(now, int)
        answer, assignments, duties = machine.decide(request.action, asked, now, granted)
        if answer.effect == "allow":
            machine.content.do(assignments or ())
        effect = effects.get(answer.effect, answer.effect)
        return Decision(effect, tuple(r.name for r in answer.rules), answer.reason, duties)

    return go
