"""What the verifier says of two versions of a policy, to words."""

from __future__ import annotations

from collections.abc import Sequence

from policyctl.render_diff import DifferenceView, DiffView, EditView, OperationView
from policyctl.to_views import trace_view
from policydsl.core.system import System
from verifier.diff import Diff, Difference, Kind, Shown
from verifier.diff_edits import Edit


def diff_view(path: str, old: System, new: System, found: Diff) -> DiffView:
    return DiffView(
        path,
        _edits(found.edits, old, new),
        tuple(_difference(d, old, new) for d in found.differences),
        tuple((v.name, v.old, v.new) for v in found.verdicts),
        found.skipped,
        found.same,
        tuple(OperationView(o.kind, o.name, o.detail) for o in found.operation),
    )


def _edits(edits: Sequence[Edit], old: System, new: System) -> tuple[EditView, ...]:
    """What was written differently: an option is one thing, and the answer of a human comes with its rule."""
    answers = {f"{word}_{r.rule}" for s in (old, new) for a in s.actions for r in a.rules for word in _ANSWERS}
    options = {v.name.removesuffix(".has") for s in (old, new) for v in s.state if v.name.endswith(".has")}
    options |= {i.name.removesuffix(".has") for s in (old, new) for a in s.actions for i in a.inputs}
    found: dict[EditView, None] = {}
    for e in edits:
        if e.what not in ("state", "input", "effect"):
            found[EditView(e.what, e.name, e.how, e.detail)] = None
            continue
        name, at, action = e.name.partition(" on ")
        base, _, part = name.rpartition(".")
        if part in ("has", "value") and base in options:
            name = base
        if e.what != "input" or name not in answers:
            found[EditView(e.what, f"{name}{at}{action}", e.how, e.detail)] = None
    return tuple(found)


_ANSWERS = ("approved", "asked")


def _difference(d: Difference, old: System, new: System) -> DifferenceView:
    before = None if d.old is None else trace_view(old, d.old)
    after = None if d.new is None else trace_view(new, d.new)
    doubt = _doubt(d)
    if d.kind is Kind.EFFECTS and before and after and before.steps[-1].changes == after.steps[-1].changes:
        doubt = f"in what is remembered of the past alone{f', {doubt}' if doubt else ''}"
    return DifferenceView(d.action, d.kind.value, doubt, before, after)


def _doubt(d: Difference) -> str:
    match d.shown:
        case Shown.RUN:
            return ""
        case Shown.STATE:
            return f"from a state that no run of up to {d.depth} requests reaches"
        case Shown.DRIFT:
            return f"perhaps, once the versions are in different states; no run of up to {d.depth} requests shows it"
        case Shown.UNKNOWN:
            return "neither shown nor ruled out"
