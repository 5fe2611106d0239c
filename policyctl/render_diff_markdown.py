"""What changed between two versions of a policy, to a comment on a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from policyctl.render_diff import OPEN, DifferenceView, DiffView, by_kind, counted, edit_lines, grouped, start
from policyctl.results import StepView

LONGEST = 60_000
"""Characters; GitHub refuses comments that are longer than 65,536."""


def diffs_to_markdown(views: Sequence[DiffView]) -> str:
    """One heading per policy that changed, what is newly allowed first; cut off where a comment has to end."""
    changed = [v for v in views if v.edits or v.differences or v.verdicts or v.skipped or v.operation]
    blocks = [f"## What this change of policy means\n\n**{counted(views)}**\n"]
    left = LONGEST - len(blocks[0])
    for view in changed:
        for block in _blocks(view):
            left -= len(block) + 1
            if left < 0:
                return "\n".join([*blocks, "_The rest is too long for a comment: run `policyctl diff`._\n"])
            blocks.append(block)
    return "\n".join(blocks)


def _blocks(view: DiffView) -> Iterator[str]:
    yield f"### {_code(view.path)}\n"
    if view.edits:
        yield "".join(f"- {_text(line)}\n" for line in edit_lines(view.edits))
    if view.same:
        yield "Every run of requests is answered alike.\n"
    for name in view.skipped:
        yield f"{_code(name)}: its inputs are others now, so its requests cannot be compared.\n"
    for kind, found in by_kind(view.operation):
        names = (f"{_code(o.name)} ({_text(o.detail)})" if o.detail else _code(o.name) for o in found)
        line = f"{kind[0].upper()}{kind[1:]}: {', '.join(names)}"
        yield f"**{line}**\n" if kind.startswith(OPEN) else f"{line}\n"
    if view.verdicts:
        rows = (f"| {_cell(name)} | {old or 'new'} | {_verdict(new)} |\n" for name, old, new in view.verdicts)
        yield "".join(["| property | before | now |\n|---|---|---|\n", *rows])
    for d in sorted(grouped(view.differences), key=lambda d: (d.new is None, d.kind != OPEN)):
        yield _difference(d)


def _verdict(status: str) -> str:
    return status if status == "proved" else f"**{status or 'gone'}**"


def _difference(d: DifferenceView) -> str:
    head = f"{d.kind}: {_code(d.action)}{f' ({_text(d.doubt)})' if d.doubt else ''}"
    body = _fenced(list(_run(d)))
    if d.kind == OPEN or not body:
        return f"**{head[0].upper()}{head[1:]}**\n\n{body}"
    summary = f"{d.kind}: <code>{_html(d.action)}</code>{f' ({_html(d.doubt)})' if d.doubt else ''}"
    return f"<details><summary>{summary[0].upper()}{summary[1:]}</summary>\n\n{body}\n</details>\n"


def _run(d: DifferenceView) -> Iterator[str]:
    if d.old is None or d.new is None:
        return
    if d.old.start != d.new.start:
        yield f"- start  {start(d.old)}"
        yield f"+ start  {start(d.new)}"
    elif d.new.start:
        yield f"  start  {start(d.new)}"
    for number, step in enumerate(d.new.steps[:-1], 1):
        yield f"  {number}  {_step(step)}"
    for sign, trace in (("-", d.old), ("+", d.new)):
        yield f"{sign} {len(trace.steps)}  {_step(trace.steps[-1])}"


def _step(step: StepView) -> str:
    why = f": {step.why}" if step.why else ""
    beside = [f"then {', '.join(step.obligations)}"] if step.obligations else []
    return "   ".join([step.call, f"{step.effect}{why}", *([", ".join(step.changes)] if step.changes else []), *beside])


def _fenced(lines: list[str]) -> str:
    """A block that nothing in it can close."""
    if not lines:
        return ""
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([f"{fence}diff", *(line.replace("\n", " ") for line in lines), fence, ""])


def _code(text: str) -> str:
    """Text as code, whatever backticks there are in it."""
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}".replace("\n", " ")


def _cell(text: str) -> str:
    return _code(text).replace("|", "\\|")


def _text(text: str) -> str:
    """Text that means nothing to Markdown or HTML."""
    return re.sub(r"([\\`*_{}\[\]<>#|~@])", r"\\\1", text).replace("\n", " ")


def _html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
