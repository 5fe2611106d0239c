"""Charts of a run: its record goes in, figures come out, and their SVG or PNG.

Colours are those of Okabe and Ito, which the colour-blind tell apart. Lines are named where they end, not in a legend.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from simulator.figures import thin
from simulator.metrics import service
from simulator.record import Record

Floats = NDArray[np.float64]

BLUE, ORANGE, GREEN, RED, PURPLE, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#6E6E6E"
POINTS = 200
"""Points of a line; each is a mean over as many ticks as it takes."""
LATELY = 50
"""Ticks over which tasks are counted, which come up now and then."""
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "policyctl",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#999999",
    "axes.grid": True,
    "grid.color": "#E8E8E8",
    "axes.axisbelow": True,
}


@dataclass(frozen=True, slots=True)
class Line:
    label: str
    values: Floats
    colour: str
    dashed: bool = False
    dots: bool = False
    """Where there is something to measure only now and then, a line would make up the rest."""


@dataclass(frozen=True, slots=True)
class Chart:
    name: str
    title: str
    """What is to be seen, with the unit."""
    draw: Callable[[Axes, Record], None]


def _service(axes: Axes, record: Record) -> None:
    _lines(axes, record, [Line("service kept", 100 * service(record.columns), BLUE)])
    axes.set_ylim(0, 103)


def _harm(axes: Axes, record: Record) -> None:
    c = record.columns
    _lines(axes, record, [Line("denied", c["harmful_denied"], BLUE), Line("allowed", c["harmful_delivered"], RED)])


def _bots(axes: Axes, record: Record) -> None:
    c = record.columns
    lines = [
        Line("malicious, active", c["malicious_active"], RED),
        Line("in quarantine", c["quarantined"], BLUE),
        Line("honest in quarantine", c["quarantined_honest"], ORANGE, dashed=True),
        Line("taken over", c["compromised"], PURPLE, dashed=True),
    ]
    _lines(axes, record, lines)


def _alarms(axes: Axes, record: Record) -> None:
    c = record.columns
    lines = [
        Line("alarms", c["alarms"], BLUE),
        Line("false ones", c["alarms_false"], RED, dashed=True),
        Line("open incidents", c["incidents_open"], ORANGE),
    ]
    _lines(axes, record, lines)


def _reputation(axes: Axes, record: Record) -> None:
    c = record.columns
    lines = [Line("honest", c["reputation_honest"], BLUE), Line("malicious", c["reputation_malicious"], RED)]
    _lines(axes, record, lines)


def _accuracy(axes: Axes, record: Record) -> None:
    _lines(axes, record, [Line("AUC", record.columns["reputation_auc"], BLUE)])
    axes.axhline(0.5, color=GREY, linewidth=0.8, linestyle=":")
    axes.annotate("chance", (0, 0.5), xytext=(2, 2), textcoords="offset points", color=GREY, fontsize=8)
    axes.set_ylim(0, 1.03)


def _proposals(axes: Axes, record: Record) -> None:
    c = record.columns
    lines = [
        Line("submitted", np.cumsum(c["proposals_submitted"]), GREY),
        Line("executed", np.cumsum(c["executed"]), BLUE),
        Line("harmful, executed", np.cumsum(c["bad_executed"]), RED, dashed=True),
        Line("defeated", np.cumsum(c["defeated"]), ORANGE),
    ]
    _lines(axes, record, lines)


def _latency(axes: Axes, record: Record) -> None:
    seconds = np.sort((record.decided[:, 2] - record.decided[:, 1]) / 1000.0)
    if not len(seconds):
        axes.text(0.5, 0.5, "no proposal was executed", ha="center", va="center", color=GREY, transform=axes.transAxes)
        return
    share = 100 * np.arange(1, len(seconds) + 1) / len(seconds)
    axes.step(np.concatenate([[seconds[0]], seconds]), np.concatenate([[0.0], share]), where="post", color=BLUE)
    for level in (50, 90, 99):
        at = float(np.quantile(seconds, level / 100, method="inverted_cdf"))
        axes.plot([at], [level], "o", color=BLUE, markersize=3)
        axes.annotate(f"{level} %: {at:g} s", (at, level), xytext=(5, -9), textcoords="offset points", fontsize=8)
    axes.set_xlabel("seconds from submission to execution")
    axes.set_ylim(0, 103)
    axes.margins(x=0.15)


def _consensus(axes: Axes, record: Record) -> None:
    c = record.columns
    _lines(axes, record, [Line("mean of a tick", _share(c["consensus_ms"], c["consensus_decisions"]), BLUE, dots=True)])
    axes.set_ylim(bottom=0)


def _coordination(axes: Axes, record: Record) -> None:
    served, demand = (np.cumsum(record.columns[n]) for n in ("demand_served", "demand"))
    for sums in (served, demand):
        sums[LATELY:] -= sums[:-LATELY].copy()
    _lines(axes, record, [Line("taken up", 100 * _share(served, demand), GREEN)])
    axes.set_ylim(0, 103)


def _share(part: Floats, whole: Floats) -> Floats:
    """`nan` where there is nothing to have a part of."""
    found: Floats = np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)
    return found


CHARTS: tuple[Chart, ...] = (
    Chart("service", "Service kept, % of what honest bots asked", _service),
    Chart("harm", "Harmful acts per tick (hindsight)", _harm),
    Chart("bots", "Bots (hindsight)", _bots),
    Chart("alarms", "Alarms per tick, and open incidents", _alarms),
    Chart("proposals", "Proposals since the beginning", _proposals),
    Chart("latency", "Decision latency: % of the executed proposals", _latency),
    Chart("reputation", "Mean reputation, points (hindsight)", _reputation),
    Chart("accuracy", "Reputation accuracy, AUC (hindsight)", _accuracy),
    Chart("consensus", "Consensus time, ms", _consensus),
    Chart("coordination", "Coordination: % of the tasks of 50 ticks taken up in time", _coordination),
)


def figure(chart: Chart, record: Record, size: tuple[float, float] = (5.6, 2.6)) -> Figure:
    with mpl.rc_context(STYLE):  # type: ignore[arg-type]
        made = Figure(figsize=size, layout="constrained")
        axes = made.add_subplot()
        axes.set_title(chart.title, loc="left", fontsize=10, pad=13)
        chart.draw(axes, record)
        return made


def sheet(record: Record) -> Figure:
    """All charts on one page."""
    with mpl.rc_context(STYLE):  # type: ignore[arg-type]
        rows = (len(CHARTS) + 1) // 2
        made = Figure(figsize=(11.2, 2.6 * rows), layout="constrained")
        for place, chart in enumerate(CHARTS, 1):
            axes = made.add_subplot(rows, 2, place)
            axes.set_title(chart.title, loc="left", fontsize=10, pad=13)
            chart.draw(axes, record)
        return made


def svg(made: Figure) -> str:
    """The figure as the text of an SVG: the same for the same record."""
    screen = io.StringIO()
    with mpl.rc_context(STYLE):  # type: ignore[arg-type]
        made.savefig(screen, format="svg", metadata={"Date": None})
    return screen.getvalue()


def png(made: Figure) -> bytes:
    screen = io.BytesIO()
    with mpl.rc_context(STYLE):  # type: ignore[arg-type]
        made.savefig(screen, format="png", dpi=150, metadata={"Software": None})
    return screen.getvalue()


def _lines(axes: Axes, record: Record, lines: Sequence[Line]) -> None:
    """Lines over the ticks, with their names at their ends, over what the scenario does to the network."""
    ticks = len(next(iter(record.columns.values())))
    middle = thin(np.arange(ticks, dtype=np.float64), POINTS)
    axes.set_xlim(0, max(1, ticks - 1))
    _background(axes, record, ticks)
    ends = []
    for line in lines:
        values = thin(line.values, POINTS)
        measured = ~np.isnan(values)
        dashes = "" if line.dots else "--" if line.dashed else "-"
        marker = "." if line.dots else ""
        x, y = middle[measured], values[measured]
        axes.plot(x, y, color=line.colour, linewidth=1.3, linestyle=dashes, marker=marker, markersize=4)
        known = values[measured]
        ends.append((float(known[-1]) if known.size else np.nan, line))
    if all(np.nanmin(line.values, initial=0) >= 0 for line in lines):
        axes.set_ylim(bottom=0)
    if not any(np.nanmax(np.abs(line.values), initial=0) for line in lines):
        axes.set_ylim(0, 1)
    if not np.isfinite([e for e, _ in ends]).any():
        axes.text(0.5, 0.5, "nothing to see", ha="center", va="center", color=GREY, transform=axes.transAxes)
        return
    _names(axes, [(y, line) for y, line in ends if np.isfinite(y)])
    axes.set_xlabel("tick")


def _names(axes: Axes, ends: list[tuple[float, Line]]) -> None:
    """The names beside the ends of the lines, moved apart where they would lie upon each other."""
    low, high = axes.get_ylim()
    gap = 0.105 * (high - low)
    placed: list[float] = []
    for y, line in sorted(ends, key=lambda e: e[0]):
        at = max(y, placed[-1] + gap) if placed else y
        placed.append(at)
        axes.annotate(
            line.label, xy=(1, at), xycoords=("axes fraction", "data"), xytext=(4, 0), textcoords="offset points",
            color=line.colour, va="center", fontsize=8.5, annotation_clip=False,
        )  # fmt: skip


def _background(axes: Axes, record: Record, ticks: int) -> None:
    scenario = record.header.scenario
    marks: list[tuple[Any, str]] = []
    for p in scenario.network.partitions:
        if p.begin < ticks:
            axes.axvspan(p.begin, min(p.end, ticks), color="#F0F0F0", linewidth=0, zorder=0)
            marks.append((p.begin, "partition"))
    if scenario.malicious and 0 < scenario.attack_begins < ticks:
        axes.axvline(scenario.attack_begins, color=GREY, linewidth=0.8, linestyle=":")
        marks.append((scenario.attack_begins, "attack"))
    for change in record.header.changes:
        if change.tick < ticks:
            axes.axvline(change.tick, color=GREEN, linewidth=0.8, linestyle=":")
            marks.append((change.tick, "fork" if record.header.parent else "amendment"))
    for at, text in marks:
        axes.annotate(
            text, xy=(at, 1), xycoords=("data", "axes fraction"), xytext=(0, 1), textcoords="offset points",
            color=GREY, fontsize=7, va="bottom",
        )  # fmt: skip
