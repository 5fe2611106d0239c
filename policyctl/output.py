"""A run to the format and the place that the user asked for."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from policyctl.files import texts_of, write_atomically
from policyctl.paint import PLAIN, Paint, wants_colour
from policyctl.results import Run

FORMATS = ("text", "json", "sarif", "junit", "github")


def emit(run: Run, format_: str, output: Path | None, verbose: bool, debug: bool = False) -> None:
    """Write the report to `output`, or to standard output. `debug` adds the tracebacks of what failed inside."""
    text = render(run, format_, own_paint() if output is None else PLAIN, verbose)
    if output is None:
        write_out(text)
    else:
        write_atomically(output, text)
        from policyctl.render_text import summary

        sys.stderr.write(f"{summary(run)}\n")
    for file in run.files:
        if file.crash:
            sys.stderr.write(f"policyctl failed on {file.path}: {file.crash.strip().splitlines()[-1]}\n")
            if debug:
                sys.stderr.write(f"{file.crash.rstrip()}\n\n")
    if any(f.crash for f in run.files) and not debug:
        sys.stderr.write("That is a fault of the tool: please report it, with what --debug prints beside.\n")


def own_paint() -> Paint:
    """How to paint what goes to standard output."""
    return Paint(wants_colour(sys.stdout.isatty(), dict(os.environ)))


def render(run: Run, format_: str, paint: Paint = PLAIN, verbose: bool = False) -> str:
    match format_:
        case "text":
            from policyctl.render_text import render_run

            shown = (*run.diagnostics, *(d for t in run.tests for d in t.failures))
            places = [span.path for d in shown for span in (d.span, *(label.span for label in d.labels))]
            return render_run(run, texts_of(places), paint, verbose)
        case "json":
            from policyctl.render_json import render_json

            return render_json(run)
        case "sarif":
            from policyctl.render_sarif import render_sarif

            return render_sarif(run)
        case "junit":
            from policyctl.render_junit import render_junit

            return render_junit(run)
        case _:
            from policyctl.render_github import render_github

            return render_github(run)


def write_out(text: str) -> None:
    """To standard output; what its encoding cannot say becomes a question mark, never a crash."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
    sys.stdout.flush()
