"""What the integration demonstration has shown, to text for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from policyctl.chain.talk import instant
from policyctl.integration.plan import METRICS, OPTIMISATION
from policyctl.integration.run import HERE, PhaseSeen, Shown
from policyctl.paint import Paint
from simulator.figures import figure
from simulator.metrics import BY_NAME
from simulator.report_words import setting

WIDTH = 100
_TEXT = 94


def render(shown: Shown, paint: Paint) -> str:
    scenario = shown.record.header.scenario
    lines = [
        paint("bold", scenario.title),
        *textwrap.wrap(" ".join(scenario.description.split()), WIDTH),
        *(paint("dim", line) for line in textwrap.wrap(setting(scenario), WIDTH)),
    ]
    for number, seen in enumerate(shown.phases, 1):
        name, span = paint("bold", f"{number}  {seen.phase.name}"), f"ticks {seen.phase.begins} to {seen.ended - 1}"
        lines += ["", f"{name}  {paint('dim', span)}"]
        lines += _amended(shown, paint) if seen.phase.name == OPTIMISATION else _steps(seen, paint)
    lines += ["", paint("bold", "on the chain"), *(f"  {line}" for line in on_chain(shown)), ""]
    lines += [paint("bold", "figures"), *_figures(shown)]
    return "\n".join(lines) + "\n"


def _steps(seen: PhaseSeen, paint: Paint) -> Iterator[str]:
    for one in seen.seen:
        if one.event is None:
            yield f"  {paint('red', '✗')} {one.step.text}: not seen"
        else:
            yield f"  {paint('green', '✓')} {one.step.text}  {paint('dim', _tick(one.event['tick']))}"
            yield from textwrap.wrap(one.event["text"], _TEXT, initial_indent="      ", subsequent_indent="      ")


def _amended(shown: Shown, paint: Paint) -> Iterator[str]:
    for note in shown.story.notes:
        mark = paint("red", "✗") if note.kind == "refuse" else paint("green", "✓")
        yield f"  {mark} {note.text}  {paint('dim', _tick(note.tick))}"
    yield f"  the amendment is {paint('bold', shown.story.outcome)}"


def _tick(number: int) -> str:
    return f"tick {number}"


def on_chain(shown: Shown) -> list[str]:
    """What the chain says to it, in sentences."""
    mirror, checked, forged = shown.mirror, shown.checked, shown.forged
    alike = sum(m.is_alike for m in mirror.mirrored)
    lines = [
        where(shown),
        f"{alike} of {len(mirror.mirrored)} proposals that the twin decided were decided alike by the contract",
        f"{mirror.transactions} transactions, {mirror.gas:,} gas",
    ]
    if checked.is_whole:
        last = checked.anchors[-1]
        lines.append(
            f"{len(checked.anchors)} roots of the twin's decision log are anchored: none of the first {last.size} of "
            f"{checked.size} ticks can have been changed since block {last.block}, {instant(last.at)}"
        )
    else:
        lines.append("the twin's decision log does NOT fit its anchors")
    attack = shown.record.header.scenario.attack_begins
    if forged.changed is not None:
        lines.append(f"with tick {attack} written anew, it no longer fits the root in block {forged.changed.block}")
    else:
        lines.append(f"with tick {attack} written anew, it still fits its anchors, which it must NOT")
    if shown.books.is_whole:
        lines.append(f"the {shown.books.size} records of meta-governance are anchored as well")
    else:
        lines.append("the records of meta-governance do NOT fit their anchor")
    return lines


def where(shown: Shown) -> str:
    url = shown.mirror.governance.found.url
    if url == HERE:
        return "the contract was on an EVM in this process (eth-tester)"
    return f"the contract was on a node of its own, at {url}"


def _figures(shown: Shown) -> Iterator[str]:
    for title, names in METRICS:
        found = ", ".join(f"{BY_NAME[n].title} {figure(BY_NAME[n], shown.record.metrics[n])}" for n in names)
        yield f"  {title:<40}{found}"
