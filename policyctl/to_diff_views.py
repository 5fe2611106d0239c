"""What the verifier says of two versions of a policy, to words."""

from __future__ import annotations

from policyctl.render_diff import DifferenceView, DiffView, EditView
from policyctl.to_views import trace_view
from policydsl.core.system import System
from verifier.diff import Diff, Difference, Kind, Shown


def diff_view(path: str, old: System, new: System, found: Diff) -> DiffView:
    return DiffView(
        path,
        tuple(EditView(e.what, e.name, e.how, e.detail) for e in found.edits),
        tuple(_difference(d, old, new) for d in found.differences),
        tuple((v.name, v.old, v.new) for v in found.verdicts),
        found.skipped,
        found.same,
    )


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
