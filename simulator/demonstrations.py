"""The three demonstrations: a scenario goes in, the steps that are to be seen come out, each with when it happened.

Whoever watches a demonstration knows who is malicious, and reads the gateway's answers of every tick; the agents in it
know neither. A step has happened when something of its kind was noted after the step before it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator import engine
from simulator.engine import Engine
from simulator.measures import FIRST_HARM, HINDSIGHT
from simulator.metrics import BY_NAME, Metric, evaluate
from simulator.record import History
from simulator.scenario import SUFFIX, Scenario, from_text, with_settings

Event = Mapping[str, Any]
LATELY, BACK = 20, 0.95
"""Service is back when in so many ticks so much of it is kept as before."""


@dataclass(frozen=True, slots=True)
class Step:
    """Something that has to happen: noted by one of `who`, of one of these kinds, with one of `words` in it."""

    text: str
    who: tuple[str, ...]
    kinds: tuple[str, ...]
    words: tuple[str, ...] = ("",)

    def is_it(self, event: Event) -> bool:
        return event["who"] in self.who and event["kind"] in self.kinds and any(w in event["text"] for w in self.words)


@dataclass(frozen=True, slots=True)
class Demo:
    name: str
    steps: tuple[Step, ...]
    goal: str
    """What the attack is after, in words ..."""
    reached: Callable[[Mapping[str, float]], bool]
    """... and whether it got there, by the metrics of a run."""
    metrics: tuple[str, ...]
    """What to show with and without the agents."""


DEMOS: Mapping[str, Demo] = {
    "phishing": Demo(
        "phishing",
        (
            Step("a phishing link goes through a messaging channel", (HINDSIGHT,), (FIRST_HARM,)),
            Step("the Threat Hunter sees unusual messages", ("threat_hunter",), ("alarm", "detected")),
            Step("the Incident Responder contains it", ("incident_responder",), ("contained",)),
            Step(
                "the Policy Enforcer changes the policy", ("policy_enforcer",), ("policy",), ("tightened", "is blocked")
            ),
            Step("the Reputation Tracker marks the sender down", (HINDSIGHT,), ("marked_down",)),
        ),
        "to take over every fourth bot",
        lambda m: m["taken_over"] >= 25.0,
        ("taken_over", "harm_through", "detection_p50", "response_p50", "false_quarantine"),
    ),
    "byzantine": Demo(
        "byzantine",
        (
            Step("three in ten bots turn Byzantine", (HINDSIGHT,), (FIRST_HARM,)),
            Step("the committee goes on deciding", (HINDSIGHT,), ("decided",)),
            Step("Intelligence sees the pattern", ("intelligence",), ("detected",), ("Byzantine",)),
            Step("the ecosystem works on, with less", (HINDSIGHT,), ("reduced",)),
            Step("service is back by itself", (HINDSIGHT,), ("restored",)),
        ),
        "to keep service below 95 % of what it was",
        lambda m: m["last"] < 95.0,
        ("last", "worst", "recovery", "violations", "consensus_ms", "detection_p50", "false_quarantine"),
    ),
    "skill": Demo(
        "skill",
        (
            Step("a skill with a hole is submitted", (HINDSIGHT,), ("submitted",)),
            Step("the Auditor finds the hole", ("auditor",), ("audit",)),
            Step("the skill is trusted too little to run", (HINDSIGHT,), ("distrusted",)),
            Step("its developer's reputation suffers", (HINDSIGHT,), ("marked_down",)),
            Step(
                "the policy is adapted to more of the kind",
                ("policy_enforcer",),
                ("policy",),
                ("tightened", "is blocked"),
            ),
        ),
        "to be used two hundred times",
        lambda m: m["harm"] >= 200.0,
        ("harm", "leaked", "response_p50"),
    ),
}

EXTRA: Mapping[str, Metric] = {
    "harm": Metric("harm", "uses of vulnerable skills", "", False, "uses that were allowed", "", True),
    "taken_over": Metric("taken_over", "honest bots taken over, at most", "%", False, "of the honest ones", "", True),
    "last": Metric("last", "service in the last 50 ticks", "%", True, "of what it was before", "resilience", True),
}
"""Metrics of demonstrations alone."""


def metric(name: str) -> Metric:
    return EXTRA[name] if name in EXTRA else BY_NAME[name]


@dataclass(frozen=True, slots=True)
class Seen:
    step: Step
    event: Event | None
    after_ms: int = 0
    """Since the first step."""


@dataclass(frozen=True, slots=True)
class Shown:
    demo: Demo
    scenario: Scenario
    seen: tuple[Seen, ...]
    """One for each step, in order."""
    with_agents: Mapping[str, float]
    without: Mapping[str, float]
    """The metrics of the same run with all agents off."""

    @property
    def is_complete(self) -> bool:
        return all(s.event is not None for s in self.seen)

    @property
    def makes_the_difference(self) -> bool:
        """Without the agents the attack gets what it is after; with them it does not."""
        return self.demo.reached(self.without) and not self.demo.reached(self.with_agents)


def scenario_of(name: str) -> Scenario:
    return from_text(files("simulator").joinpath("demos", name + SUFFIX).read_text("utf-8"), name + SUFFIX)


Begin = Callable[[Scenario, int, int], Engine]


def show(
    name: str,
    seed: int | None = None,
    told: Callable[[int, int], bool] = lambda _d, _t: True,
    begin: Begin = engine.begin,
    settings: Sequence[str] = (),
) -> tuple[Shown, History]:
    """Runs a demonstration twice, with and without the agents; `told` says no to stop early."""
    demo, scenario = DEMOS[name], with_settings(scenario_of(name), settings)
    scenario = scenario if seed is None else scenario.model_copy(update={"seed": seed})
    history, figures = _run(begin, scenario, lambda done: told(done, 2 * scenario.ticks))
    off = scenario.model_copy(update={"agents": ()})
    _, without = _run(begin, off, lambda done: told(scenario.ticks + done, 2 * scenario.ticks))
    return Shown(demo, scenario, follow(demo.steps, history.happenings), figures, without), history


def follow(steps: Sequence[Step], events: Sequence[Event]) -> tuple[Seen, ...]:
    """The first event for each step that is not before that of the step before; nothing after one that is missing."""
    found: list[Seen] = []
    ordered = sorted(enumerate(events), key=lambda e: (e[1]["now"], e[0]))
    place, first = 0, None
    for step in steps:
        event = None
        while place < len(ordered) and event is None:
            candidate = ordered[place][1]
            place += 1
            event = candidate if step.is_it(candidate) else None
        first = event if first is None else first
        after = event["now"] - first["now"] if event is not None and first is not None else 0
        found.append(Seen(step, event, after))
    return tuple(found)


def _run(begin: Begin, scenario: Scenario, told: Callable[[int], bool]) -> tuple[History, dict[str, float]]:
    run, history = begin(scenario, scenario.seed, 0), History()
    suspects: set[int] = set()
    lately: deque[tuple[float, float]] = deque(maxlen=LATELY)
    before = np.zeros(2)
    while run.tick < scenario.ticks and told(run.tick):
        ticked = run.step()
        # What was submitted stands before what was noted of it in the same tick, and what came of it behind.
        history.happenings += submitted(run)
        history.add(ticked)
        noted = [asdict(h) for h in ticked.happenings]
        history.happenings += _watch(run, noted, ticked.measures, suspects)
        service = ticked.measures["service_kept"], ticked.measures["service_asked"]
        if run.tick <= scenario.attack_begins:
            before += service
        lately.append(service)
        history.happenings += _restored(run, before, lately)
    figures = evaluate(scenario, history.columns, history.decided, history.happenings)
    honest = scenario.bots - round(scenario.bots * scenario.malicious)
    figures["taken_over"] = 100.0 * figures["compromised"] / honest
    figures["harm"] = float(history.columns["harmful_delivered"].sum())
    figures["last"] = _last(scenario, history)
    return history, figures


def _restored(
    run: Engine, before: NDArray[np.float64], lately: Collection[tuple[float, float]]
) -> list[dict[str, Any]]:
    """Whether as much of the service is kept as before the attack."""
    kept, asked = (sum(column) for column in zip(*lately, strict=True))
    if len(lately) < LATELY or not before.all() or not asked:
        return []
    share = float(kept / asked / (before[0] / before[1]))
    text = f"{100 * share:.0f} % of the service before the attack was kept in the last {LATELY} ticks"
    return [event_of(run, "restored", text)] if share >= BACK else []


def _last(scenario: Scenario, history: History) -> float:
    columns = history.columns
    kept, asked = columns["service_kept"], columns["service_asked"]
    until = scenario.attack_begins
    if not until or not asked[:until].any() or not asked[-50:].any():
        return float("nan")
    before = kept[:until].sum() / asked[:until].sum()
    return float(100.0 * kept[-50:].sum() / asked[-50:].sum() / before)


def event_of(engine: Engine, kind: str, text: str, subject: str = "", number: int = -1) -> dict[str, Any]:
    return {
        "tick": engine.tick - 1,
        "now": engine.gateway.now,
        "who": HINDSIGHT,
        "kind": kind,
        "text": text,
        "incident": -1,
        "subject": subject,
        "number": number,
    }


def submitted(engine: Engine) -> list[dict[str, Any]]:
    """The vulnerable skills that were submitted in the last tick."""
    skills = engine.state.world.skills
    new = np.flatnonzero((skills.submitted == engine.tick - 1) & skills.harmful)
    return [
        event_of(engine, "submitted", f"bot {skills.developer[s]} submits skill {s}, which is vulnerable", "skill", s)
        for s in new.tolist()
    ]


def _watch(
    engine: Engine, noted: Sequence[Event], measures: Mapping[str, float], suspects: set[int]
) -> list[dict[str, Any]]:
    """What is to be seen in a tick that no agent notes, as it is nobody's business or follows from an action."""
    gateway, skills = engine.gateway, engine.state.world.skills
    found: list[dict[str, Any]] = []

    def note(kind: str, text: str, subject: str = "", number: int = -1) -> None:
        found.append(event_of(engine, kind, text, subject, number))

    for event in noted:
        if event["kind"] == "contained" and event["subject"] == "bot":
            suspects.add(event["number"])
        elif event["kind"] == "contained" and event["subject"] == "skill":
            suspects.add(int(skills.developer[event["number"]]))
    least, trust = gateway.parameter("MIN_TRUST"), gateway.read("trust")
    for asked in gateway.of_tick("audit_skill"):
        for skill in asked.column("skill")[asked.answers.allowed].tolist():
            if trust[skill] < least:
                text = f"trust in skill {skill} is {trust[skill]}, and a skill needs {least} to run"
                note("distrusted", text, "skill", skill)
    for asked in gateway.of_tick("score"):
        about, change = asked.column("about"), asked.column("change")
        usual = int(np.median(change))
        for bot, much in zip(about.tolist(), change.tolist(), strict=True):
            # Where all reputations rise, one that rises less has fallen.
            if bot in suspects and (much < usual or much < 0):
                beside = "" if much < 0 else f", where the member in the middle gets {usual:+d}"
                note("marked_down", f"reputation of bot {bot}: {much:+d}{beside}", "bot", bot)
    if measures["consensus_decisions"] and not measures["consensus_violations"]:
        many = int(measures["consensus_decisions"])
        text = f"{many} decided in {measures['consensus_ms'] / many:.0f} ms, all honest members alike"
        note("decided", text)
    if measures["emergency"] and measures["quarantined"] and measures["service_kept"]:
        share = 100 * measures["service_kept"] / max(1.0, measures["service_asked"])
        note("reduced", f"{measures['quarantined']:.0f} bots in quarantine, {min(share, 100):.0f} % of service kept")
    return found
