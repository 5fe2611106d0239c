"""A request as it was recorded, to the way a test would write it; what no policy knows is shown as it is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from policydsl.core.system import NOW, System
from policydsl.state import well_typed
from policydsl.to_words import describe_step
from policydsl.trace import Decision, Step


def call_words(action: str, inputs: Mapping[str, Any], systems: Iterable[System]) -> str:
    """`at 5m send(s1, "hello")`; `send(to: [3])` when the inputs are not those of that action in one of `systems`."""
    for system in systems:
        for a in (a for a in system.actions if a.name == action):
            declared = {i.name: i.type for i in a.inputs}
            known = {name: value for name, value in inputs.items() if name != NOW or NOW in declared}
            if all(name in declared and well_typed(value, declared[name]) for name, value in known.items()):
                ordered = tuple((name, known[name]) for name in declared if name in known)
                return describe_step(Step(action, ordered, Decision("allow"), ()), system)
    told = (f"{k}: {json.dumps(v, ensure_ascii=False, default=str)}" for k, v in inputs.items() if k != NOW)
    return f"{action}({', '.join(told)})"
