"""Two versions of a system to what the enforcer is told differently: who goes on without the state or in a lockdown,
and what happens in two phases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from policydsl.core.system import Phases, System


@dataclass(frozen=True, slots=True)
class Operation:
    """`kind` is how requests of the action or the two-phase effect `name` are answered now: `newly allowed while
    unavailable`. `detail` says which actions the phases are, or what has changed of that."""

    kind: str
    name: str
    detail: str = ""


def operation(old: System, new: System) -> tuple[Operation, ...]:
    """What is allowed or denied now by these declarations alone; what the policy decides is another matter."""
    return (
        *_lists(old.fail_open, new.fail_open, "while unavailable"),
        *_lists(old.recovery, new.recovery, "while locked down"),
        *_phases({p.name: p for p in old.phases}, {p.name: p for p in new.phases}),
    )


def _lists(old: tuple[str, ...], new: tuple[str, ...], when: str) -> Iterator[Operation]:
    yield from (Operation(f"newly allowed {when}", name) for name in new if name not in old)
    yield from (Operation(f"newly denied {when}", name) for name in old if name not in new)


def _phases(old: dict[str, Phases], new: dict[str, Phases]) -> Iterator[Operation]:
    for name, phases in new.items():
        if name not in old:
            yield Operation("newly allowed in two phases", name, _written(phases))
        elif _parts(old[name]) != _parts(phases):
            was, now = _parts(old[name]), _parts(phases)
            others = [part for part in {**now, **was} if was.get(part) != now.get(part)]
            detail = ", ".join(f"{part}: {was.get(part, 'none')} -> {now.get(part, 'none')}" for part in others)
            yield Operation("otherwise in two phases", name, detail)
    yield from (
        Operation("newly denied in two phases", name, _written(p)) for name, p in old.items() if name not in new
    )


def _parts(phases: Phases) -> dict[str, str]:
    parts = {"reserve": phases.reserve, "commit": phases.commit, "abort": phases.abort, "expire": phases.expire}
    return {part: action for part, action in parts.items() if action}


def _written(phases: Phases) -> str:
    return ", ".join(f"{part} by {action}" for part, action in _parts(phases).items())
