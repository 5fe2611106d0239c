"""Results to the exit code of the process: the worst of what happened, and unknown is never success."""

from __future__ import annotations

from policyctl.results import Run
from policydsl.diagnostics import Severity

OK = 0
ERRORS = 1
USAGE = 2
REFUTED = 3
UNKNOWN = 4
INTERNAL = 70
INTERRUPTED = 130


def exit_code(run: Run) -> int:
    """70: the tool failed; 1: errors in the policies, or failed tests; 3: an unexpected verdict; 4: unknown; else 0."""
    if any(f.crash for f in run.files):
        return INTERNAL
    if any(d.severity is Severity.ERROR for d in run.diagnostics) or not all(t.passed for t in run.tests):
        return ERRORS
    surprises = {p.status for p in run.properties if not p.as_expected}
    if surprises - {"unknown"}:
        return REFUTED
    return UNKNOWN if surprises else OK
