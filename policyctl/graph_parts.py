"""A state machine to what is drawn of it: boxes, and arrows with all their labels; and to Mermaid, DOT and JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from verifier.stages import Edge, StageMachine

START = "[*]"
ASIDE = 3
"""An action that leads from so many stages to one is a way out, and drawn less boldly."""
_MERMAID = frozenset((
    "accdescr", "acctitle", "as", "class", "classdef", "click", "default", "direction",
    "end", "hide", "href", "note", "scale", "state", "style",
))  # fmt: skip
"""Words that mean something else in Mermaid, in capitals too."""


@dataclass(frozen=True, slots=True)
class Arrow:
    """All edges from one box to another. A label is an action, when it leads there, and whether somebody asks."""

    source: str
    target: str
    labels: tuple[tuple[str, str, bool], ...]
    aside: bool = False


@dataclass(frozen=True, slots=True)
class Parts:
    title: str
    boxes: tuple[str, ...]
    final: frozenset[str]
    arrows: tuple[Arrow, ...]


def parts_of(machine: StageMachine) -> Parts:
    """A single first stage to which nothing comes back is where nothing is there yet: drawn as the start."""
    entered = {e.target for e in machine.edges}
    unborn = machine.initial if len(machine.initial) == 1 and machine.initial[0] not in entered else ()
    names = {s: START if s in unborn else s for s in machine.stages}
    given = () if unborn or len(machine.initial) == len(machine.stages) else machine.initial
    arrows = [Arrow(START, s, ()) for s in given]
    pairs: dict[tuple[str, str], list[Edge]] = {}
    for edge in machine.edges:
        pairs.setdefault((edge.source, edge.target), []).append(edge)
    for (source, target), edges in pairs.items():
        labels = tuple((e.action, e.condition, e.asked) for e in edges)
        arrows.append(Arrow(names[source], names[target], labels, all(_way_out(machine, e) for e in edges)))
    boxes = ([START] if given else []) + [names[s] for s in machine.stages]
    # The start comes first, wherever the enum has it.
    boxes.sort(key=lambda name: name != START)
    arrows.sort(key=lambda arrow: boxes.index(arrow.source))
    return Parts(_title(machine), tuple(boxes), frozenset(machine.final), tuple(arrows))


def _title(machine: StageMachine) -> str:
    of = f" of {' and '.join(machine.entities)}" if machine.entities else ""
    return f"{machine.policy}: {machine.variable}{of}"


def _way_out(machine: StageMachine, edge: Edge) -> bool:
    same = {e.source for e in machine.edges if (e.action, e.target) == (edge.action, edge.target)}
    return len(same) >= ASIDE and edge.source != edge.target


def render_mermaid(parts: Parts) -> str:
    """A `stateDiagram-v2`, as GitHub draws it."""
    names = {name: f"s_{name}" if name.lower() in _MERMAID else name for name in parts.boxes}
    lines = ["stateDiagram-v2", *(f'    state "{n}" as {called}' for n, called in names.items() if n != called)]
    for arrow in parts.arrows:
        there = f"    {names[arrow.source]} --> {names[arrow.target]}"
        lines += [f"{there} : {_mermaid(text)}" for text in _texts(arrow)] or [there]
    lines += [f"    {names[name]} --> [*]" for name in parts.boxes if name in parts.final]
    return "\n".join(lines) + "\n"


def _mermaid(text: str) -> str:
    return re.sub("[#;:<]", lambda m: f"#{ord(m[0])};", text)


def render_dot(parts: Parts) -> str:
    """For Graphviz."""
    lines = [f"digraph {json.dumps(parts.title)} {{", '  node [shape=box, style=rounded, fontname="monospace"];']
    lines.append('  edge [fontname="monospace", fontsize=10];')
    for name in parts.boxes:
        start, final = name == START, name in parts.final
        shape = ' [shape=point, width=0.15, label=""]' if start else " [peripheries=2]" if final else ""
        lines.append(f"  {json.dumps(name)}{shape};")
    for arrow in parts.arrows:
        label = json.dumps("\n".join(_texts(arrow)))
        dotted = ", style=dotted" if arrow.aside else ""
        lines.append(f"  {json.dumps(arrow.source)} -> {json.dumps(arrow.target)} [label={label}{dotted}];")
    return "\n".join([*lines, "}"]) + "\n"


def _texts(arrow: Arrow) -> list[str]:
    return [f"{action} [{condition}]" if condition else action for action, condition, _ in arrow.labels]


def render_json(machine: StageMachine) -> str:
    """Every edge, for programs."""
    found = {**asdict(machine), "final": list(machine.final), "edges": list(_edges(machine))}
    return json.dumps(found, indent=2) + "\n"


def _edges(machine: StageMachine) -> Iterator[dict[str, object]]:
    for edge in machine.edges:
        yield {k: v for k, v in asdict(edge).items() if v != ""}
