"""What changed between two versions of a policy, to text and to JSON."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from policyctl import __version__
from policyctl.paint import PLAIN, Paint
from policyctl.render_trace import WIDTH, beside, render_trace, start_lines
from policyctl.results import TraceView
from policyctl.results_json import trace_to_json

OPEN = "newly allowed"
"""What begins so is what a reviewer has to look at."""


@dataclass(frozen=True, slots=True)
class DifferenceView:
    """Requests of `action` that are answered differently, with the same run under either version. `doubt` says what is
    not certain about it, "" when a run from an initial state shows it."""

    action: str
    kind: str
    doubt: str = ""
    old: TraceView | None = None
    new: TraceView | None = None


@dataclass(frozen=True, slots=True)
class EditView:
    """Something that is written differently: `rule`, `trusted on send`, `changed`."""

    what: str
    name: str
    how: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class OperationView:
    """What the enforcer is told differently: `newly allowed while locked down`, `audit`."""

    kind: str
    name: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class DiffView:
    """Two versions of one policy. `edits` are what was written differently, `verdicts` what is proved differently;
    `skipped` are actions that cannot be compared, `operation` is what becomes of requests that the policy alone does
    not decide."""

    path: str
    edits: tuple[EditView, ...] = ()
    differences: tuple[DifferenceView, ...] = ()
    verdicts: tuple[tuple[str, str, str], ...] = ()
    skipped: tuple[str, ...] = ()
    same: bool = False
    operation: tuple[OperationView, ...] = ()


def render_diffs(views: Sequence[DiffView], paint: Paint = PLAIN) -> str:
    lines = [line for view in views for line in _diff(view, paint)]
    return "\n".join([*lines, counted(views)]) + "\n"


def counted(views: Sequence[DiffView]) -> str:
    """`2 newly allowed · 1 newly denied`, and never that nothing differs unless that is certain."""
    counts: dict[str, int] = {}
    for d in (d for view in views for d in view.differences):
        kind = f"perhaps {d.kind}" if d.doubt else d.kind
        kind = kind if d.new is not None else "neither shown nor ruled out"
        counts[kind] = counts.get(kind, 0) + 1
    for o in (o for view in views for o in view.operation):
        counts[o.kind] = counts.get(o.kind, 0) + 1
    verdicts = sum(len(v.verdicts) for v in views)
    parts = [f"{n} {kind}" for kind, n in counts.items()]
    if not counts:
        alike = all(v.same for v in views)
        parts.append(
            "no request is answered differently" if alike else "nothing that can be compared is answered differently"
        )
    return " · ".join(parts + ([f"{verdicts} verdicts changed"] if verdicts else []))


def _diff(view: DiffView, paint: Paint) -> Iterator[str]:
    yield paint("bold", view.path)
    for line in edit_lines(view.edits):
        for part in textwrap.wrap(line, WIDTH - 2, initial_indent="  ", subsequent_indent="      "):
            yield paint("dim", part)
    if view.same:
        yield f"  {paint('green', '=')} every run of requests is answered alike"
    for name in view.skipped:
        yield f"  {paint('yellow', '?')} {name}: its inputs are others now, so its requests cannot be compared"
    for d in grouped(view.differences):
        yield f"  {paint(_style(d.kind), d.kind)}: {d.action}{paint('dim', f'   {d.doubt}') if d.doubt else ''}"
        yield from _witness(d, paint)
    for kind, found in by_kind(view.operation):
        names = (f"{o.name} ({o.detail})" if o.detail else o.name for o in found)
        yield f"  {paint(_style(kind), kind)}: {', '.join(names)}"
    for name, old, new in view.verdicts:
        good = paint("green" if new == "proved" else "bold red", new or "gone")
        yield f"  property {name}: {old or 'new'} -> {good}"


def _style(kind: str) -> str:
    return "bold red" if kind.startswith(OPEN) else "bold yellow" if kind.startswith("newly denied") else "bold cyan"


def by_kind(operation: Sequence[OperationView]) -> list[tuple[str, list[OperationView]]]:
    found: dict[str, list[OperationView]] = {}
    for o in operation:
        found.setdefault(o.kind, []).append(o)
    return list(found.items())


def grouped(differences: Sequence[DifferenceView]) -> list[DifferenceView]:
    """Those with nothing to show are one, if it is the same that is said of them: `newly denied: vote, close`."""
    shown = [d for d in differences if d.new is not None]
    named: dict[tuple[str, str], list[str]] = {}
    for d in differences:
        if d.new is None:
            named.setdefault((d.kind, d.doubt), []).append(d.action)
    return [*shown, *(DifferenceView(", ".join(names), kind, doubt) for (kind, doubt), names in named.items())]


def _witness(d: DifferenceView, paint: Paint) -> Iterator[str]:
    """The run once, and the last answer of each version."""
    if d.old is None or d.new is None:
        return
    sides = (("-", "red", d.old), ("+", "green", d.new))
    apart = d.old.start != d.new.start
    if apart:
        for sign, style, t in sides:
            yield from start_lines(t.start or ("as declared",), f"    {paint(style, sign)} {paint('dim', 'start')}  ")
    yield from render_trace(TraceView(() if apart else d.new.start, d.new.steps[:-1]), paint)
    for sign, style, trace in sides:
        last = trace.steps[-1]
        why = f": {last.why}" if last.why else ""
        told = f"    {sign} {len(trace.steps):>2}  {last.call}   {last.effect}{why}"
        done = [*last.changes, *([f"then {', '.join(last.obligations)}"] if last.obligations else [])]
        first, *more = beside(told, len(told), done)
        yield paint(style, told) + first.removeprefix(told)
        yield from more


def start(trace: TraceView) -> str:
    return ", ".join(trace.start) or "as declared"


def edit_lines(edits: Sequence[EditView]) -> Iterator[str]:
    """One line for each kind of edit; `r on a` and `r on b` are one name there."""
    groups: dict[tuple[str, str], dict[str, list[str]]] = {}
    for e in edits:
        # Names with a colon are those of monitors: made, not written.
        if ":" not in e.name:
            name, _, action = e.name.replace("@", " on ").partition(" on ")
            shown = f"{name}: {e.detail}" if e.detail else name
            groups.setdefault((e.what, e.how), {}).setdefault(shown, []).extend([action] if action else [])
    for (what, how), names in groups.items():
        listed = (f"{name} ({', '.join(actions)})" if actions else name for name, actions in names.items())
        yield f"{what} {how}: {', '.join(listed)}"


def diffs_to_json(views: Sequence[DiffView]) -> str:
    data: dict[str, Any] = {
        "format": 1,
        "tool": {"name": "policyctl", "version": __version__},
        "files": [
            {
                "path": v.path,
                "same": v.same,
                "edits": [asdict(e) for e in v.edits],
                "skipped": list(v.skipped),
                "differences": [
                    {
                        "action": d.action,
                        "kind": d.kind,
                        "doubt": d.doubt,
                        "old": trace_to_json(d.old),
                        "new": trace_to_json(d.new),
                    }
                    for d in v.differences
                ],
                "operation": [asdict(o) for o in v.operation],
                "verdicts": [{"property": name, "old": old, "new": new} for name, old, new in v.verdicts],
            }
            for v in views
        ],
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
