"""Runs of the simulator to what a terminal shows: figures, sparklines, and what happened in words."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from itertools import groupby
from math import inf, isnan

import numpy as np

from policyctl.paint import Paint
from simulator.agents.base import Happening
from simulator.compare import Reached, Row
from simulator.figures import change, figure, interval, number, sparkline
from simulator.intervals import Interval, mean, median
from simulator.metrics import METRICS, Metric, service
from simulator.record import Record
from simulator.report_compliance import rows
from simulator.report_words import highlights, setting, story

WIDTH = 100
LINES = 60
"""Bars in a sparkline."""
HAPPENINGS = 14


def render_run(record: Record, paint: Paint) -> str:
    """The report of one run."""
    scenario = record.header.scenario
    lines = [
        f"{paint('bold', scenario.title or scenario.name)}  "
        + paint("dim", f"{scenario.name} · seed {record.header.seed} · {number(record.header.done)} ticks"),
        *_wrapped(setting(scenario), paint, "dim"),
        "",
        *(line for sentence in story(record) for line in _wrapped(sentence, paint, "", "  ")),
        "",
        *figures_lines({"": dict(record.metrics)}, paint),
        "",
        *_curves(record, paint),
    ]
    if record.compliance is not None:
        lines += ["", paint("bold", "compliance"), *_rows(rows(record.compliance))]
    shown = highlights(record, HAPPENINGS)
    if shown:
        lines += ["", paint("bold", "what happened")]
        lines += [f"  {paint('dim', f'tick {tick:>6,}')}  {_short(who, text)}" for tick, who, text in shown]
    return "\n".join(lines) + "\n"


def render_runs(records: Sequence[Record], paint: Paint) -> str:
    """The report of several runs of one scenario, which differ in their seeds."""
    scenario = records[0].header.scenario
    seeds = [r.header.seed for r in records]
    head = f"{scenario.name} · {len(records)} runs, seeds {min(seeds)} to {max(seeds)}"
    lines = [
        f"{paint('bold', scenario.title or scenario.name)}  {paint('dim', head)}",
        *_wrapped(setting(scenario), paint, "dim"),
        "",
        paint("dim", "means (medians where a run never ends), with 95 % intervals over the seeds"),
    ]
    for group, metrics in groupby(METRICS, key=lambda m: m.group):
        lines.append(paint("bold", group))
        for m in metrics:
            values = [r.metrics[m.name] for r in records]
            # A mean that is infinite says nothing of the runs that are not.
            found = median(values) if inf in values else mean(values)
            lines.append(f"  {m.title:<26}{interval(m, found)}")
    return "\n".join(lines) + "\n"


def figures_lines(runs: Mapping[str, Mapping[str, float]], paint: Paint) -> list[str]:
    """The metrics, two groups side by side where there is room."""
    blocks = []
    for group, metrics in groupby(METRICS, key=lambda m: m.group):
        block = [paint("bold", group) + " " * (46 - len(group))]
        for m in metrics:
            text = "".join(f"{figure(m, figures[m.name]):>16}" for figures in runs.values())
            mark = figures_mark(m, next(iter(runs.values()))[m.name])
            line = f"  {m.title:<26}{text}"
            block.append((paint(mark, line) if mark else line) + "  ")
        blocks.append(block)
    return _in_columns(blocks)


def figures_mark(metric: Metric, value: float) -> str:
    """What must not be overlooked is red; what does not apply is dim."""
    if isnan(value):
        return "dim"
    return "bold red" if metric.name == "violations" and value > 0 else ""


def render_comparison(
    names: tuple[str, str],
    found: Sequence[Row],
    paired: int,
    paint: Paint,
    differ: Sequence[str] = (),
    goals: Sequence[Reached] = (),
) -> str:
    """Two sets of runs side by side: for each metric both means, and the difference with its interval."""
    how = f"{paired} pairs with equal seeds" if paired > 1 else "runs with different seeds, not paired"
    if all(not d.known for _, _, _, d in found):
        how = "one run each: a difference may be chance; `--runs` gives intervals"
    lines = [paint("dim", how)]
    if differ:
        lines.append(paint("dim", f"they differ in {', '.join(differ)}"))
    lines.append(f"{'':<28}{names[0][-22:]:>24}{names[1][-22:]:>24}   difference")
    group = ""
    for m, a, b, d in found:
        if m.group != group:
            group = m.group
            lines.append(paint("bold", group))
        text = change(m, d)
        style = ""
        if d.excludes_zero and m.more_is_better is not None:
            style = "green" if (d.value > 0) == m.more_is_better else "red"
        judged = f"   {paint(style, text) if style else text}{_verdict(m, d)}"
        lines.append(f"  {m.title:<26}{figure(m, a.value):>24}{figure(m, b.value):>24}{judged}")
    if goals:
        lines.append(paint("bold", "what the attackers wanted"))
    for g in goals:
        far = "".join(
            f"{f'{number(value)}, ' + ('reached' if runs else 'not reached'):>24}"
            for value, runs in zip(g.far, g.runs, strict=True)
        )
        lines += [f"  {g.goal.text}: {g.goal.unit}", f"{'':28}{far}"]
    return "\n".join(lines) + "\n"


def _verdict(metric: Metric, found: Interval) -> str:
    if not found.excludes_zero or metric.more_is_better is None:
        return ""
    return "  better" if (found.value > 0) == metric.more_is_better else "  worse"


def _curves(record: Record, paint: Paint) -> list[str]:
    c = record.columns
    curves = [
        ("service kept", 100 * service(c), "%"),
        ("harmful, allowed", c["harmful_delivered"], "a tick"),
        ("alarms", c["alarms"], "a tick"),
        ("in quarantine", c["quarantined"], "bots"),
        ("open proposals", c["proposals_open"], ""),
        ("threat level", c["threat_level"], ""),
    ]
    lines = []
    for name, values, unit in curves:
        known = values[~np.isnan(values)]
        if not known.size or not known.any():
            continue
        span = f"{number(float(known.min()))} to {number(float(known.max()))} {unit}".rstrip()
        lines.append(f"  {name:<18}{paint('cyan', sparkline(values, LINES))}  {paint('dim', span)}")
    return [paint("bold", "through the run"), *lines] if lines else []


def _in_columns(blocks: list[list[str]]) -> list[str]:
    """Blocks of lines of equal width, side by side, as even as possible in two columns."""
    total = sum(len(b) for b in blocks)
    left: list[str] = []
    right: list[str] = []
    for block in blocks:
        (left if len(left) + len(block) / 2 <= total / 2 else right).extend(block)
    height = max(len(left), len(right))
    blank = " " * 46
    pairs = zip(left + [blank] * (height - len(left)), right + [""] * (height - len(right)), strict=True)
    return [f"{a}  {b}".rstrip() for a, b in pairs]


def _short(who: str, text: str) -> str:
    return textwrap.shorten(f"{who.replace('_', ' ')}: {text}", WIDTH - 16, placeholder=" …")


def _rows(found: Sequence[tuple[str, str]]) -> list[str]:
    """Titles at the left, and texts beside them."""
    lines = []
    for title, text in found:
        first, *rest = textwrap.wrap(text, WIDTH - 17)
        lines += [f"  {title:<15}{first}", *(f"{'':17}{line}" for line in rest)]
    return lines


def _wrapped(text: str, paint: Paint, style: str, indent: str = "") -> list[str]:
    lines = textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent)
    return [paint(style, line) if style else line for line in lines]


def render_incidents(happenings: Sequence[Happening], paint: Paint) -> str:
    """A line for each incident: when it began and ended, and what it is about."""
    found: dict[int, list[Happening]] = {}
    for h in happenings:
        if h.incident >= 0:
            found.setdefault(h.incident, []).append(h)
    if not found:
        return "no incidents\n"
    lines = []
    for which, notes in sorted(found.items()):
        first, last = notes[0], notes[-1]
        lines.append(f"{which:5}  tick {first.tick:>6} to {last.tick:>6}  {last.kind:<10}  {first.text}")
    return "\n".join([paint("dim", "   no  from and to               at last     what"), *lines]) + "\n"


def render_incident(happenings: Sequence[Happening], paint: Paint) -> str:
    """All that is known of one incident, in order."""
    told = [(f"tick {h.tick:>6}", f"{h.who.replace('_', ' '):<18}", f"{h.kind:<10}", h.text) for h in happenings]
    return "".join(f"{tick}  {paint('dim', who)}  {kind}  {text}\n" for tick, who, kind, text in told)
