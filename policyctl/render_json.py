"""A run of the tool to JSON."""

from __future__ import annotations

import json

from policyctl import __version__
from policyctl.exit_codes import exit_code
from policyctl.results import Run
from policyctl.results_json import file_to_json

FORMAT = 1
"""Raised when a field changes its meaning or goes away; new fields may appear at any time."""


def render_json(run: Run) -> str:
    views = run.properties
    data = {
        "format": FORMAT,
        "tool": {"name": "policyctl", "version": __version__},
        "command": run.command,
        "exit_code": exit_code(run),
        "summary": {
            "proved": sum(p.status == "proved" for p in views),
            "refuted": sum(p.status == "refuted" for p in views),
            "unknown": sum(p.status == "unknown" for p in views),
            "unexpected": sum(not p.as_expected for p in views),
            "cached": sum(p.cached for p in views),
            "tests_passed": sum(t.passed for t in run.tests),
            "tests_failed": sum(not t.passed for t in run.tests),
            "seconds": round(run.seconds, 3),
        },
        "files": [file_to_json(f) for f in run.files],
    }
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
