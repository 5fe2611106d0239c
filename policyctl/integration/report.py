"""What the integration demonstration has shown, to one page of HTML with its charts in it.

Whatever comes from the run is escaped; the page loads nothing and runs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from policyctl.chain.talk import instant
from policyctl.integration.mirror import Mirrored
from policyctl.integration.plan import METRICS, OPTIMISATION
from policyctl.integration.render import on_chain
from policyctl.integration.run import PhaseSeen, Shown
from simulator.charts import BLUE, CHARTS, GREY, Chart, figure, svg
from simulator.figures import figure as as_text
from simulator.figures import interval
from simulator.metrics import BY_NAME
from simulator.record import Record, write_text
from simulator.report import PAGE, PLOTS
from simulator.report_html import charts, document, figures_table, inline
from simulator.report_words import setting


def write_report(shown: Shown) -> Path:
    """Gives the place of the page."""
    folder = shown.record.path
    for chart in (*CHARTS, decisions(shown)):
        write_text(folder / PLOTS / f"{chart.name}.svg", svg(figure(chart, shown.record)))
    write_text(folder / PAGE, page(shown))
    return folder / PAGE


def page(shown: Shown) -> str:
    record = shown.record
    scenario = record.header.scenario
    latency = decisions(shown)
    parts = [
        f"<h1>{escape(scenario.title)}</h1>",
        f'<p class="soft">seed {scenario.seed} · {record.header.done:,} ticks</p>',
        f"<p>{escape(' '.join(scenario.description.split()))}</p>",
        f'<p class="soft">{escape(setting(scenario))}</p>',
        "<h2>Five figures</h2>",
        _table(("", "", ""), _five(shown)),
        "<h2>What was seen</h2>",
        *(_phase(number, seen, shown) for number, seen in enumerate(shown.phases, 1)),
        f"<figure>{inline(svg(figure(latency, record, (11.2, 2.8))), latency.name)}</figure>",
        *_evidence(shown),
        "<h2>On the chain</h2>",
        "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in on_chain(shown)) + "</ul>",
        f"<p>{_address(shown)}</p>",
        "<h3>Proposals, in the twin and in the contract</h3>",
        _table(
            ("proposal", "by bot", "yes", "no", "in the twin", "number", "yes", "no", "in the contract", "block"),
            map(_mirrored, shown.mirror.mirrored),
        ),
        "<h3>Roots of the decision log</h3>",
        _table(
            ("block", "time on the chain", "ticks", "root"),
            ((str(a.block), instant(a.at), str(a.size), a.root.hex()) for a in shown.checked.anchors),
        ),
        "<h2>All figures of the twin</h2>",
        figures_table({"": record.metrics}),
        "<h2>Charts</h2>",
        charts(record),
    ]
    return document(scenario.title, parts)


def decisions(shown: Shown) -> Chart:
    """How long each decision took, over the whole run, with the phases."""

    def draw(axes: Axes, record: Record) -> None:
        tick = record.header.scenario.tick_ms
        seconds = (record.decided[:, 2] - record.decided[:, 1]) / 1000.0
        axes.plot(record.decided[:, 2] / tick, seconds, "o", color=BLUE, markersize=4)
        for seen in shown.phases:
            axes.axvline(seen.phase.begins, color=GREY, linewidth=0.8, linestyle=":")
            axes.annotate(
                seen.phase.name, xy=(seen.phase.begins, 1), xycoords=("data", "axes fraction"), xytext=(3, -9),
                textcoords="offset points", color=GREY, fontsize=8,
            )  # fmt: skip
        for change in record.header.changes:
            text = ", ".join(f"{name} = {value:,}" for name, value in change.parameters.items())
            axes.annotate(
                text, xy=(change.tick, 0), xycoords=("data", "axes fraction"), xytext=(3, 4),
                textcoords="offset points", color=GREY, fontsize=7,
            )  # fmt: skip
            axes.axvline(change.tick, color=GREY, linewidth=0.8)
        axes.set_xlim(0, max(1, record.header.done))
        axes.set_ylim(0, 1.3 * float(np.max(seconds, initial=1.0)))
        axes.set_xlabel("tick")

    return Chart("decisions", "Decision latency: seconds from submission to execution, of each proposal", draw)


def _five(shown: Shown) -> Iterable[tuple[str, ...]]:
    for title, names in METRICS:
        for n in names:
            metric = BY_NAME[n]
            yield title if n == names[0] else "", metric.title, as_text(metric, shown.record.metrics[n])


def _phase(number: int, seen: PhaseSeen, shown: Shown) -> str:
    head = f"<h3>{number}. {escape(seen.phase.name)}, ticks {seen.phase.begins:,} to {seen.ended - 1:,}</h3>"
    if seen.phase.name == OPTIMISATION:
        rows = [(str(n.tick), n.kind, n.text) for n in shown.story.notes]
        outcome = f"<p>The amendment is <b>{escape(shown.story.outcome)}</b>.</p>"
        return head + _table(("tick", "step", "what"), rows) + outcome
    rows = [
        ("–", one.step.text, "not seen")
        if one.event is None
        else (str(one.event["tick"]), one.step.text, one.event["text"])
        for one in seen.seen
    ]
    return head + _table(("tick", "step", "what"), rows)


def _evidence(shown: Shown) -> list[str]:
    """The runs on which the amendment was tried before it was voted on."""
    story = shown.story
    if story.trial is None:
        return []
    metric = story.trial.rehearsal.measure
    pairs = zip(story.trial.rehearsal.seeds, story.trial.before, story.trial.after, strict=True)
    rows = [(str(seed), as_text(metric, before), as_text(metric, after)) for seed, before, after in pairs]
    said = f"{metric.title}: {interval(metric, story.trial.gain)} from the amendment, seed by seed"
    lines = [
        "<h3>The evidence that was voted on</h3>",
        f"<p>{escape(said)}; promised is {escape(as_text(metric, story.trial.promise))}.</p>",
        _table(("seed", "without", "with the amendment"), rows),
    ]
    if story.evidence:
        lines.append(f'<p class="soft">digest of the evidence: <code>{escape(story.evidence)}</code></p>')
    return lines


def _address(shown: Shown) -> str:
    found = shown.mirror.governance.found
    return (
        f"Contract <code>{escape(found.governance)}</code>, anchors <code>{escape(found.anchor)}</code>, "
        f"chain {found.chain}. {escape(', '.join(shown.mirror.seats))} are the seats of the twin's committee: each "
        "votes as the community has decided, and one that a traitor holds against it."
    )


def _mirrored(m: Mirrored) -> tuple[str, ...]:
    d = m.decision
    there = (str(d.proposal), str(d.proposer), f"{d.yes:,}", f"{d.no:,}", d.outcome)
    return (*there, str(m.number), f"{m.yes:,}", f"{m.no:,}", m.outcome, str(m.block))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    cells = "".join(f"<th>{escape(h)}</th>" for h in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(c)}</td>" for c in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><tr>{cells}</tr>{body}</table></div>'
