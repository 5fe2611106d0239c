"""Sweeps and searches to what a terminal shows: what matters for which metric, and what is best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan

from policyctl.paint import Paint
from simulator.figures import NOTHING, change, figure, interval, number
from simulator.metrics import BY_NAME
from simulator.optimise import Found
from simulator.optimise_within import Within
from simulator.sensitivity import Influence
from simulator.sweep import Swept, correlations, top


def render_sweep(
    swept: Swept, metrics: Sequence[str], influences: Mapping[str, Sequence[Influence]], paint: Paint
) -> str:
    plan = swept.plan
    names = [v.name for v in plan.varied]
    total = len(plan.points) * plan.seeds
    lines = [
        paint("bold", f"{plan.scenario.name}: {len(plan.points)} points, {len(swept.results)} of {total} runs"),
        *(paint("dim", f"  {v}") for v in plan.varied),
        "",
    ]
    if plan.method in ("morris", "saltelli"):
        lines += _influences(plan.method, metrics, influences, paint)
    else:
        lines += _correlations(swept, metrics, names, paint)
    for name in metrics:
        metric = BY_NAME[name]
        if metric.more_is_better is None:
            continue
        best = top(swept, name, metric.more_is_better)
        if best is not None and len({v for v in swept.values(name) if not isnan(v)}) > 1:
            where = ", ".join(
                f"{k} = {number(v) if isinstance(v, int | float) else v}" for k, v in plan.points[best[0]].items()
            )
            lines.append(f"best {metric.title}: {figure(metric, best[1])} at {where}")
    for text in sorted(set(swept.failed.values())):
        count = sum(1 for t in swept.failed.values() if t == text)
        lines.append(paint("red", f"{count} failed: {text}"))
    return "\n".join(lines) + "\n"


def _correlations(swept: Swept, metrics: Sequence[str], names: Sequence[str], paint: Paint) -> list[str]:
    lines = [paint("dim", f"{'':<28}{'over the sweep':>22}   rank correlation with {', '.join(names)}")]
    # Beyond this, chance alone would get one time in twenty.
    doubt = 1.96 / max(1, len(swept.plan.points) - 1) ** 0.5
    for name in metrics:
        metric = BY_NAME[name]
        known = [v for v in swept.values(name) if not isnan(v)]
        span = f"{number(min(known))} to {number(max(known))} {metric.unit}".rstrip() if known else NOTHING
        cells = []
        for value in correlations(swept, name).values():
            text = f"{NOTHING:>8}" if isnan(value) else f"{value:+8.2f}"
            cells.append(paint("bold", text) if abs(value) > doubt else paint("dim", text))
        lines.append(f"{metric.title:<28}{span:>22}   {' '.join(cells)}")
    return [*lines, ""]


def _influences(
    design: str, metrics: Sequence[str], influences: Mapping[str, Sequence[Influence]], paint: Paint
) -> list[str]:
    what = (
        ("mean effect of the whole range", "its deviation: interactions, bends")
        if design == "morris"
        else ("share of the variance, alone", "with interactions")
    )
    lines = [paint("dim", f"{what[0]} (± 95 %), and {what[1]}")]
    for name in metrics:
        metric = BY_NAME[name]
        found = influences.get(name, ())
        lines.append(paint("bold", metric.title))
        if not found:
            lines.append("  nothing to say: runs lack the figure, or all have the same")
        for i in sorted(found, key=lambda i: -i.main):
            unit = f" {metric.unit}".rstrip() if design == "morris" else ""
            lines.append(f"  {i.name:<26}{number(i.main):>10}{unit} ± {number(i.spread)}{number(i.other):>12}")
    return [*lines, ""]


def render_found(found: Found, within: Within, paint: Paint) -> str:
    """What a search came to."""
    metric = BY_NAME[found.metric]
    lines = [f"searched, as `{within.system.name}` allows and is proved for:"]
    lines += [f"  {r.parameter:<20} {r.low:,} to {r.high:,}" for r in within.ranges]
    if within.others:
        lines.append(paint("dim", f"  left alone, as the twin has no such parameter: {', '.join(within.others)}"))
    tried = f"{len(found.trials)} candidates tried"
    if found.refused:
        tried += f", {found.refused:,} refused unseen: an invariant of the policy would not hold"
    lines.append(tried)
    if found.now is not None:
        lines.append(paint("yellow", f"the scenario as it is would not be allowed: {found.now}"))
    if found.best is None:
        return (
            "\n".join(
                [*lines, paint("red", "no candidate has the figure: it does not apply to such runs, or they fail")]
            )
            + "\n"
        )
    lines += ["", paint("bold", f"best {metric.title}: {figure(metric, found.best.value)}")]
    lines += [f"  {name:<20} {value:,}" for name, value in found.best.parameters.items()]
    if found.importance:
        shares = sorted(found.importance.items(), key=lambda i: -i[1])
        lines.append(paint("dim", "  matters: " + ", ".join(f"{n} {100 * v:.0f} %" for n, v in shares)))
    if not isnan(found.before.value):
        lines += [
            "",
            "on fresh seeds",
            f"  as it was    {interval(metric, found.before)}",
            f"  with these   {interval(metric, found.after)}",
            f"  difference   {change(metric, found.gain)}{_verdict(found)}",
        ]
    return "\n".join(lines) + "\n"


def _verdict(found: Found) -> str:
    if not found.gain.excludes_zero:
        return "   which may be chance"
    return "   better" if (found.gain.value > 0) == found.more else "   worse"
