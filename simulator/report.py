"""The report of a run, written beside its record: a page, each chart as SVG, and all charts as one PNG."""

from __future__ import annotations

from pathlib import Path

from simulator.charts import CHARTS, figure, png, sheet, svg
from simulator.record import Record, write, write_text
from simulator.report_html import page

PAGE = "report.html"
PLOTS = "plots"


def write_report(record: Record) -> Path:
    """Gives the place of the page."""
    for chart in CHARTS:
        write_text(record.path / PLOTS / f"{chart.name}.svg", svg(figure(chart, record)))
    picture = png(sheet(record))
    write(record.path / PLOTS / "all.png", lambda beside: beside.write_bytes(picture))
    write_text(record.path / PAGE, page(record))
    return record.path / PAGE
