"""The report of a run as one page: a record goes in, HTML with all its charts in it comes out.

Whatever comes from a scenario or a run is escaped; the page loads nothing and runs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import groupby

from simulator.charts import CHARTS, figure, svg
from simulator.figures import figure as as_text
from simulator.metrics import METRICS
from simulator.record import Record
from simulator.report_compliance import incidents, rows, span
from simulator.report_words import highlights, setting, story
from simulator.scenario import fields_of

INCIDENTS = 12
"""So many are told."""

STYLE = """
:root { color-scheme: light; --ink: #1a1a1a; --soft: #666; --line: #ddd; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: #fff; max-width: 75rem; margin: 2rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: 0; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
.soft, small { color: var(--soft); }
ul.story { font-size: 1.05rem; padding-left: 1.2rem; }
table { border-collapse: collapse; } th { text-align: left; font-weight: 600; }
td, th { padding: .2rem 1rem .2rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(24rem, 1fr)); gap: 1rem; }
figure { margin: 0; } figure svg { width: 100%; height: auto; }
details { margin: .5rem 0; } code { font-size: .9em; }
.scroll { overflow-x: auto; }
"""


def page(record: Record) -> str:
    header = record.header
    scenario = header.scenario
    title = scenario.title or scenario.name
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="soft">{escape(scenario.name)} · seed {header.seed} · tick {header.done:,} / {scenario.ticks:,}</p>',
        f"<p>{escape(' '.join(scenario.description.split()))}</p>",
        f'<p class="soft">{escape(setting(scenario))}</p>',
        _list(story(record), "story"),
        "<h2>Figures</h2>",
        figures_table({"": record.metrics}),
        "<h2>Charts</h2>",
        charts(record),
        "<h2>What happened</h2>",
        _happenings(record),
        *_compliance(record),
        *_incidents(record),
        "<h2>What was simulated</h2>",
        _settings(record),
    ]
    return document(title, parts)


def document(title: str, parts: Iterable[str]) -> str:
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )


def figures_table(runs: Mapping[str, Mapping[str, float]]) -> str:
    """A row for each metric, a column for each of the runs."""
    lines = []
    for group, metrics in groupby(METRICS, key=lambda m: m.group):
        lines.append(f'<tr><th colspan="{len(runs) + 2}">{escape(group)}</th></tr>')
        for m in metrics:
            cells = "".join(f'<td class="n">{escape(as_text(m, figures[m.name]))}</td>' for figures in runs.values())
            note = " (hindsight)" if m.hindsight else ""
            meaning = f"<td><small>{escape(m.meaning)}{note}</small></td>"
            lines.append(f"<tr><td>{escape(m.title)}</td>{cells}{meaning}</tr>")
    head = ""
    if len(runs) > 1:
        head = "<tr><th></th>" + "".join(f"<th>{escape(n)}</th>" for n in runs) + "<th></th></tr>"
    return f'<div class="scroll"><table>{head}{"".join(lines)}</table></div>'


def charts(record: Record) -> str:
    drawn = []
    for chart in CHARTS:
        picture = inline(svg(figure(chart, record)), chart.name)
        drawn.append(f'<figure role="img" aria-label="{escape(chart.title)}">{picture}</figure>')
    return f'<div class="charts">{"".join(drawn)}</div>'


def inline(text: str, prefix: str) -> str:
    """An SVG to stand in a page beside others: without its prologue, and with identifiers of its own."""
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', text)
    return re.sub(r'(href="#|url\(#)', rf"\g<1>{prefix}-", text)


def _list(lines: Sequence[str], kind: str) -> str:
    return f'<ul class="{kind}">' + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def _happenings(record: Record) -> str:
    shown = highlights(record, 80)
    lines = "".join(
        f'<tr><td class="n">{tick:,}</td><td>{escape(who.replace("_", " "))}</td><td>{escape(text)}</td></tr>'
        for tick, who, text in shown
    )
    count = sum(1 for h in record.happenings if h["who"] != "hindsight")
    rest = (
        f'<p class="soft">{count - len(shown):,} more in <code>happenings.jsonl</code></p>'
        if count > len(shown)
        else ""
    )
    if not shown:
        return '<p class="soft">nothing worth a note</p>'
    return f'<div class="scroll"><table><tr><th>tick</th><th>who</th><th>what</th></tr>{lines}</table></div>{rest}'


def _compliance(record: Record) -> list[str]:
    """How the rules were kept, as the Auditor says."""
    found = record.compliance
    if found is None:
        return []
    body = "".join(f"<tr><th>{escape(title)}</th><td>{escape(text)}</td></tr>" for title, text in rows(found))
    why = "".join(
        f'<tr><td class="n">{d.count:,}</td><td><code>{escape(d.action)}</code></td><td>{escape(d.reason)}</td></tr>'
        for d in found.by_reason
    )
    denials = f"<details><summary>every reason to deny</summary><table>{why}</table></details>" if why else ""
    return ["<h2>Compliance</h2>", f'<div class="scroll"><table>{body}</table></div>{denials}']


def _incidents(record: Record) -> list[str]:
    """The longest incidents, each with its forensics."""
    shown = []
    for which, notes in incidents(record, INCIDENTS):
        lines = "".join(
            f'<tr><td class="n">{h.tick:,}</td><td>{escape(h.who.replace("_", " "))}</td>'
            f"<td>{escape(h.kind)}</td><td>{escape(h.text)}</td></tr>"
            for h in notes
        )
        title = f"incident {which}, {span(notes)}: {next(h.text for h in notes if h.incident == which)}"
        shown.append(f"<details><summary>{escape(title)}</summary><table>{lines}</table></details>")
    return ["<h2>The longest incidents</h2>", *shown] if shown else []


def _settings(record: Record) -> str:
    header = record.header
    fields = {k: v for k, v in fields_of(header.scenario).items() if k not in ("title", "description")}
    lines = [f"<tr><td><code>{escape(k)}</code></td><td>{escape(str(v))}</td></tr>" for k, v in fields.items()]
    for change in header.changes:
        text = ", ".join(f"{k} = {v}" for k, v in change.parameters.items())
        lines.append(f"<tr><td>changed at tick {change.tick:,}</td><td>{escape(text)}</td></tr>")
    if header.parent:
        lines.append(f"<tr><td>forked from</td><td>{escape(header.parent)}</td></tr>")
    for name, digest in header.policies.items():
        lines.append(f"<tr><td>policy {escape(name)}</td><td><code>{escape(digest)}</code></td></tr>")
    lines.append(f"<tr><td>hash of the last state</td><td><code>{escape(header.final)}</code></td></tr>")
    return f"<details><summary>every setting</summary><table>{''.join(lines)}</table></details>"
