"""Recorded calls of hosts to what a bundle would have said to them, counted by what somebody thought of each."""

from __future__ import annotations

import gzip
import json
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from hosts import neutral
from hosts.call import Answer, Call
from hosts.read_json import BadRequestError, a_text, parse
from policyctl.exit_codes import OK
from policyctl.output import write_out
from policyctl.serving import Plan, ServeError, prepare

EFFECTS = ("allow", "deny", "ask")


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """One line. What was `told` had happened already: the result of a call, or what a user wrote. `label` is what
    somebody thought of it, "" when nobody did."""

    line: int
    host: str
    call: Call
    told: bool
    label: str


def read_calls(path: Path) -> Iterator[RecordedCall]:
    """The calls in a file of lines of JSON, perhaps compressed (`.gz`): as `/v1/calls` takes them, with `told` and
    `label` beside. Raises `click.ClickException`."""
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError) as error:
        raise click.ClickException(f"{path}: {error}") from error
    for number, line in enumerate(raw.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            doc = parse(line)
            told, label = (doc.pop("told", False), doc.pop("label", "")) if isinstance(doc, dict) else (False, "")
            if not isinstance(told, bool):
                raise BadRequestError("`told` is neither true nor false")
            yield RecordedCall(number, neutral.host_of(doc), neutral.call_of(doc), told, a_text(label, "`label`"))
        except BadRequestError as error:
            raise click.ClickException(f"{path}: line {number}: {error}") from error


def replay_calls(plan: Plan, path: Path, examples: int) -> int:
    """Print what would have been said. Questions are taken as not answered."""
    try:
        service = prepare(plan, "", watched=False)
    except ServeError as error:
        raise click.ClickException(str(error)) from error
    said: list[tuple[RecordedCall, Answer]] = []
    took: list[int] = []
    for recorded in read_calls(path):
        guard = service.guard(recorded.host)
        begun = time.perf_counter_ns()
        answer = (guard.after if recorded.told else guard.before)(recorded.call)
        took.append(time.perf_counter_ns() - begun)
        said.append((recorded, answer))
    if not said:
        raise click.ClickException(f"{path}: there is no call in it")
    write_out("\n".join(_report(path, plan.bundle, said, took, examples)) + "\n")
    return OK


def _report(
    path: Path, bundle: Path, said: list[tuple[RecordedCall, Answer]], took: list[int], examples: int
) -> Iterator[str]:
    calls = [(r, a) for r, a in said if not r.told]
    sessions = len({(r.host, r.call.session) for r, _ in said})
    yield f"{path}: {len(calls):,} calls in {sessions:,} sessions under {bundle}"
    groups: dict[str, list[Answer]] = defaultdict(list)
    for recorded, answer in calls:
        groups[recorded.label or "the rest" if any(r.label for r, _ in calls) else "all"].append(answer)
    width = max(map(len, groups))
    for label in sorted(groups, key=lambda g: (g == "the rest", g)):
        counts = Counter(a.effect for a in groups[label])
        yield f"  {label:{width}}  " + "  ".join(f"{effect} {counts[effect]:>5,}" for effect in EFFECTS)
    for effect, word in (("deny", "denied"), ("ask", "asked")):
        why = Counter(_why(a) for _, a in calls if a.effect == effect)
        yield from (f"    {word} {count:,}: {reason}" for reason, count in why.most_common(10))
    for recorded, answer in [(r, a) for r, a in calls if a.code.startswith(("mapping.", "request."))][:examples]:
        shown = json.dumps(recorded.call.arguments, ensure_ascii=False)[:100]
        yield f"    line {recorded.line}: {recorded.call.tool} {shown}: {answer.reason}"
    cuts = statistics.quantiles(took, n=100) if len(took) > 1 else [took[0]] * 99
    yield f"  an answer took {cuts[49] / 1000:.0f} µs (median), {cuts[98] / 1000:.0f} µs (99 of 100)"


def _why(answer: Answer) -> str:
    rules = [rule.name for d in answer.decisions if d.effect != "allow" for rule in d.rules]
    return ", ".join(dict.fromkeys(rules)) or answer.reason or answer.code


def traffic_plan(bundle: Path, mappings: tuple[str, ...], given: Any, promised: frozenset[str]) -> Plan:
    """A bundle, proved or not, in memory."""
    return Plan(bundle, mappings, given=given, promised=promised, unproved=True)
