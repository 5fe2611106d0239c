"""Two versions of one policy file to what the change means: all that a worker process does for `policyctl diff`."""

from __future__ import annotations

from dataclasses import dataclass

from policyctl.files import read_text
from policyctl.render_diff import DiffView, EditView
from policyctl.to_diff_views import diff_view
from policyctl.verify_one import load_one
from policydsl.core.system import Program
from policydsl.diagnostics import Diagnostic, Report
from verifier.diff import diff
from verifier.verify import verify


@dataclass(frozen=True, slots=True)
class DiffTask:
    """A path is None where a version does not have the file. `verdicts` asks for those that changed too."""

    name: str
    old: str | None
    new: str | None
    verdicts: bool


@dataclass(frozen=True, slots=True)
class Compared:
    """`view` is None when a version has errors, which are `diagnostics` then."""

    view: DiffView | None
    diagnostics: tuple[Diagnostic, ...] = ()


def compare(task: DiffTask) -> Compared:
    if task.old is None or task.new is None:
        how = "added" if task.old is None else "removed"
        return Compared(DiffView(task.name, (EditView("file", task.name, how),)))
    report = Report()
    old, new = _load(task.old, report), _load(task.new, report)
    if old is None or new is None:
        return Compared(None, report.sorted())
    before, after = (verify(p.system) if task.verdicts else None for p in (old, new))
    return Compared(diff_view(task.name, old.system, new.system, diff(old.system, new.system, before, after)))


def _load(path: str, report: Report) -> Program | None:
    own = Report()
    program = load_one(path, read_text, own)
    report.found += own.found
    return program
