"""The report of a sweep: what is there of it goes in, a page with each metric over each thing that varies comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import isnan
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from simulator.charts import BLUE, STYLE, svg
from simulator.figures import figure as as_text
from simulator.figures import number
from simulator.metrics import BY_NAME
from simulator.record import write_text
from simulator.report_html import document, inline
from simulator.sensitivity import Influence
from simulator.sweep import Swept, correlations, top

PAGE = "report.html"


def write_page(
    folder: Path, swept: Swept, metrics: Sequence[str], influences: Mapping[str, Sequence[Influence]]
) -> Path:
    """Gives its place."""
    write_text(folder / PAGE, page(swept, metrics, influences))
    return folder / PAGE


def page(swept: Swept, metrics: Sequence[str], influences: Mapping[str, Sequence[Influence]]) -> str:
    plan = swept.plan
    title = f"{plan.scenario.title or plan.scenario.name}: a sweep"
    what = "".join(f"<li>{escape(str(v))}</li>" for v in plan.varied)
    failed = f", {len(swept.failed):,} failed" if swept.failed else ""
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="soft">{len(plan.points):,} points ({escape(plan.method)}), {len(swept.results):,} runs{failed}</p>',
        f"<ul>{what}</ul>",
        "<h2>What matters</h2>",
        _table(swept, metrics, influences),
        "<h2>Each metric over each thing that varies</h2>",
        inline(svg(scatter(swept, metrics)), "sweep"),
        "<h2>Best points</h2>",
        _best(swept, metrics),
    ]
    return document(title, parts)


def scatter(swept: Swept, metrics: Sequence[str]) -> Figure:
    """A small chart for each pair, a dot for each point; infinite times are left out."""
    varied = swept.plan.varied
    with mpl.rc_context(STYLE):  # type: ignore[arg-type]
        size = (2.6 * len(varied) + 1, 2.0 * len(metrics))
        made = Figure(figsize=size, layout="constrained")
        grid = made.subplots(len(metrics), len(varied), sharex="col", sharey="row", squeeze=False)
        for row, name in enumerate(metrics):
            values = np.asarray(swept.values(name))
            metric = BY_NAME[name]
            for column, v in enumerate(varied):
                axes = grid[row][column]
                places = np.array([v.place_of(p[v.name]) for p in swept.plan.points])
                shown = np.isfinite(values)
                axes.plot(places[shown], values[shown], "o", color=BLUE, markersize=3, alpha=0.7)
                if v.kind == "choice":
                    axes.set_xticks(range(len(v.choices)), [str(c) for c in v.choices])
                if column == 0:
                    axes.set_ylabel(f"{metric.title}\n{metric.unit}", fontsize=8)
                if row == len(metrics) - 1:
                    axes.set_xlabel(v.name)
        return made


def _table(swept: Swept, metrics: Sequence[str], influences: Mapping[str, Sequence[Influence]]) -> str:
    names = [v.name for v in swept.plan.varied]
    head = "".join(f"<th>{escape(n)}</th>" for n in names)
    rows = []
    for name in metrics:
        if influences:
            by_name = {i.name: f"{number(i.main)} ± {number(i.spread)}" for i in influences.get(name, ())}
        else:
            by_name = {k: "–" if isnan(v) else f"{v:+.2f}" for k, v in correlations(swept, name).items()}
        cells = "".join(f'<td class="n">{escape(by_name.get(n, "–"))}</td>' for n in names)
        rows.append(f"<tr><td>{escape(BY_NAME[name].title)}</td>{cells}</tr>")
    what = {
        "morris": "mean absolute effect of the whole range",
        "saltelli": "share of the variance that it explains alone",
    }
    says = what.get(swept.plan.method, "rank correlation") if influences else "rank correlation"
    return f'<p class="soft">{says}</p><table><tr><th></th>{head}</tr>{"".join(rows)}</table>'


def _best(swept: Swept, metrics: Sequence[str]) -> str:
    rows = []
    for name in metrics:
        metric = BY_NAME[name]
        best = None if metric.more_is_better is None else top(swept, name, metric.more_is_better)
        if best is not None:
            where = ", ".join(f"{k} = {v}" for k, v in swept.plan.points[best[0]].items())
            value = as_text(metric, best[1])
            rows.append(
                f'<tr><td>{escape(metric.title)}</td><td class="n">{escape(value)}</td><td>{escape(where)}</td></tr>'
            )
    return f"<table>{''.join(rows)}</table>"
