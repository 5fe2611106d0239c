"""Secret texts to texts that stand for them in the log: other words, of which the policy says exactly the same.

A condition of the policy sees of a text only in which regular languages it is, as long as texts are not compared with
each other or remembered. So a decision on a redacted text is replayed with any text of the same languages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from policydsl.core.expr import Apply, Const, Expr, Op, Ref, Space, subterms
from policydsl.core.system import Action, System
from policydsl.core.types import STRING, Value
from policydsl.regular import classes, member, quote
from policydsl.trace import Change

LIMIT = 5_000
"""Product states beyond which no stand-in is looked for."""
REDACTED = "[redacted]"
"""What is recorded in place of a value that a state variable took from a redacted text."""


@lru_cache(maxsize=256)
def _witnesses(patterns: tuple[str, ...]) -> Mapping[tuple[bool, ...], str] | None:
    found = classes(patterns, LIMIT)
    return None if found is None else {c.membership: c.witness for c in found}


def stand_in(text: str, patterns: Sequence[str]) -> str | None:
    """A text that is in exactly those languages of `patterns` in which `text` is, the same for all such texts.

    None when there are too many ways to be in them. It says no more of `text` than that: when no other text is in the
    same languages, the patterns spell it out already.
    """
    known = tuple(dict.fromkeys(patterns))
    witnesses = _witnesses(known)
    return None if witnesses is None else witnesses[tuple(member(p, text) for p in known)]


@lru_cache(maxsize=1024)
def languages(system: System, action: Action, name: str) -> tuple[str, ...] | None:
    """The patterns that decisions on `action` can ask of its input `name`; None when they can ask more than that,
    because it is compared with other texts or remembered."""
    if flows_into(system, action, frozenset({name})):
        return None
    found: dict[str, None] = {}
    for e in subterms(*_conditions(action)):
        if isinstance(e, Apply) and e.op in (Op.MATCHES, Op.EQ) and e.args[0].type == STRING:
            sides = [tuple(_sources(a)) for a in e.args]
            if not any(
                isinstance(s, Ref) and s.space is Space.INPUT and s.name == name for side in sides for s in side
            ):
                continue
            if e.op is Op.MATCHES:
                pattern = e.args[1]
                assert isinstance(pattern, Const)
                found[str(pattern.value)] = None
            elif all(any(not isinstance(s, Const) for s in side) for side in sides):
                return None
            else:
                found |= dict.fromkeys(quote(str(s.value)) for side in sides for s in side if isinstance(s, Const))
    return tuple(found)


def _conditions(action: Action) -> list[Expr]:
    """All that a decision and its changes rest on."""
    return [
        *(g.expr for g in action.guards),
        *(r.condition for r in action.rules),
        *(e for o in action.obligations for e in (o.condition, *o.args)),
        *(e for w in action.writes for e in (w.value, *w.keys)),
    ]


def _sources(text: Expr) -> Iterable[Expr]:
    """The constants, inputs and cells that a term of type String can be equal to."""
    todo = [text]
    while todo:
        e = todo.pop()
        if isinstance(e, Apply) and e.op is Op.ITE:
            todo += e.args[1:]
        else:
            yield e


def _is_input(source: Expr, name: str) -> bool:
    return isinstance(source, Ref) and source.space is Space.INPUT and source.type == STRING and source.name == name


def _variable(source: Expr) -> str | None:
    map_ = source.args[0] if isinstance(source, Apply) and source.op is Op.SELECT else source
    return map_.name if isinstance(map_, Ref) and map_.space is Space.STATE else None


def flows_into(system: System, action: Action, inputs: frozenset[str]) -> frozenset[str]:
    """The state variables that can come to hold the text of one of these inputs of `action`, now or later."""
    found: set[str] = set()
    for write in action.writes:
        if any(_is_input(s, name) for s in _sources(write.value) for name in inputs):
            found.add(write.var)
    size = -1
    while len(found) != size:
        size = len(found)
        texts = (w for a in system.actions for w in a.writes if w.value.type == STRING)
        found |= {w.var for w in texts if any(_variable(s) in found for s in _sources(w.value))}
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class Concealed:
    """What a record may say of a decision: arguments of `records.entry_bytes`."""

    inputs: Mapping[str, Value]
    obligations: Sequence[tuple[str, tuple[Value, ...]]]
    changes: Sequence[Change]
    redacted: Mapping[str, str | None]


def conceal(
    system: System,
    action: Action,
    inputs: Mapping[str, Value],
    transform: Mapping[str, Value],
    obligations: Sequence[tuple[str, tuple[Value, ...]]],
    changes: Sequence[Change],
) -> Concealed:
    """What to record of a decision when the inputs in `transform` are redacted: they hold the redacted forms.

    Obligations on a redacted text are recorded with what stands for it. A text that the decision goes on to remember
    is not recorded as a change, and such a decision cannot be replayed. It is for the enforcer not to let it come to
    that: a request that is allowed is made with its redacted text, and is decided as such.
    """
    if not transform:
        return Concealed(inputs, obligations, changes, {})
    redacted: dict[str, str | None] = {}
    images: dict[str, Value] = {}
    for name, form in transform.items():
        text = str(inputs[name])
        patterns = languages(system, action, name)
        found = None if patterns is None else stand_in(text, patterns)
        redacted[name] = found
        images[text] = form if found is None else found
    duties = [(o, tuple(images.get(a, a) if isinstance(a, str) else a for a in args)) for o, args in obligations]
    secret = flows_into(system, action, frozenset(transform))
    moved = [Change(c.var, c.keys, REDACTED, REDACTED) if c.var in secret else c for c in changes]
    return Concealed({**inputs, **transform}, duties, moved, redacted)
