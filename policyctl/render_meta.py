"""The story of an amendment to text: the proposal, what rehearsal and proof say, the vote, what came of it."""

from __future__ import annotations

from collections.abc import Iterator

from policyctl.paint import Paint
from simulator.figures import change, figure, interval
from simulator.intervals import mean
from simulator.meta_evidence import Evidence
from simulator.meta_proof import Proof
from simulator.meta_trial import Trial
from simulator.meta_twin import Note, Story

_VERBS = {
    "propose": "proposed",
    "simulate": "rehearsed",
    "verify": "proved",
    "vote": "voted on",
    "apply": "in force",
    "watch": "watched",
    "keep": "kept",
    "rollback": "rolled back",
    "refuse": "refused",
}


def render_note(note: Note, paint: Paint) -> str:
    colour = {"keep": "green", "rollback": "yellow", "refuse": "red"}.get(note.kind, "bold")
    return f"{paint('dim', f'tick {note.tick:<5}')} {paint(colour, f'{_VERBS[note.kind]:<12}')} {note.text}"


def render_trial(trial: Trial) -> Iterator[str]:
    """Both means, the difference, and what is promised."""
    metric = trial.rehearsal.measure
    yield f"{metric.title} in {len(trial.before)} pairs of runs, 95 % intervals"
    yield f"  as it is   {interval(metric, mean(trial.before))}"
    yield f"  amended    {interval(metric, mean(trial.after))}"
    yield f"  difference {change(metric, trial.gain)}{'' if trial.better else ': no improvement beyond doubt'}"
    if trial.better:
        least = "at least" if metric.more_is_better else "at most"
        yield f"  promised   {least} {figure(metric, trial.promise)}"


def render_proof(proof: Proof, paint: Paint) -> Iterator[str]:
    if proof.proved:
        yield f"{paint('green', '✓')} {proof.properties} properties proved again with the new numbers"
        return
    for text in proof.open:
        yield f"{paint('red', '✗')} {text}"
    for broken in proof.broken:
        yield f"{paint('red', '✗')} `{broken.property}` of `{broken.policy}` would not hold"
        yield from broken.run


def render_evidence(evidence: Evidence) -> Iterator[str]:
    """What a voter is told."""
    changes = (f"{name} {evidence.before[name]} -> {value}" for name, value in evidence.amendment.items())
    yield f"changes      {', '.join(changes)}"
    yield f"rests on     bundle {evidence.rests_on[:12]}"
    yield f"leads to     bundle {evidence.leads_to[:12]}"
    for name, digest in evidence.policies.items():
        yield f"proved       {name} {digest[:12]}, certificate {evidence.certificates[name][:12]}"
    rehearsal = evidence.trial.rehearsal
    seeds = ", ".join(map(str, rehearsal.seeds))
    ticks = f"ticks {rehearsal.begins} to {rehearsal.scenario.ticks}"
    yield f"rehearsed    {rehearsal.scenario.name}, {ticks}, seeds {seeds}"
    yield from (f"             {line}" for line in render_trial(evidence.trial))


def render_story(story: Story, paint: Paint) -> str:
    """What is to be said at the end, behind the notes."""
    lines: list[str] = []
    if story.trial is not None:
        lines += ["", *render_trial(story.trial)]
    if story.proof is not None and not story.proof.proved:
        lines += ["", *render_proof(story.proof, paint)]
    colour = {"kept": "green", "refused": "red"}.get(story.outcome, "yellow")
    return "\n".join([*lines, "", f"the amendment is {paint(colour, story.outcome)}"]) + "\n"
