"""What each kind of attack is after, as data: the measures of a run go in, how far the attack got comes out.

A goal is stated in words and as a number from which on it is reached, so that a run with the security agents and one
without can be compared: an attack is real if it gets there without them, and contained if it does not with them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files

from simulator.measures import Columns
from simulator.scenario import SUFFIX, Scenario, from_text, with_settings

SKILL = "skill"
"""The attack that needs no attackers: careless developers, whose skills let others in."""
LATELY = 100
"""Governance is judged by the last ticks, since what was submitted before an attack is decided during it."""


@dataclass(frozen=True, slots=True)
class Goal:
    kind: str
    """A weight of `Mix`, or `SKILL`."""
    text: str
    """What the attackers want, in words."""
    reached_at: float
    """They have it from this on ..."""
    unit: str
    far: Callable[[Scenario, Columns], float]
    """... of this number; 0 where it says nothing."""
    settings: tuple[str, ...]
    """The attack by itself, as settings of the scenario `demos/attack.toml`."""

    def is_reached(self, scenario: Scenario, columns: Columns) -> bool:
        return self.far(scenario, columns) >= self.reached_at


def _share(part: float, whole: float) -> float:
    return 100.0 * part / whole if whole > 0 else 0.0


def _since(scenario: Scenario, columns: Columns, name: str) -> float:
    return float(columns[name][scenario.attack_begins :].sum())


def _honest(scenario: Scenario) -> int:
    return scenario.bots - round(scenario.malicious * scenario.bots)


def harmful_share(scenario: Scenario, columns: Columns) -> float:
    """Of all that gets through since the attack began, messages and uses of skills, what does harm."""
    whole = _since(scenario, columns, "delivered") + _since(scenario, columns, "skill_uses")
    return _share(_since(scenario, columns, "harmful_delivered"), whole)


def harmful_uses(scenario: Scenario, columns: Columns) -> float:
    """The share of the uses of skills that are of one that does harm, where no messages do."""
    return _share(_since(scenario, columns, "harmful_delivered"), _since(scenario, columns, "skill_uses"))


def taken_over(scenario: Scenario, columns: Columns) -> float:
    """The largest share of the honest bots that was under control."""
    return _share(float(columns["compromised"].max(initial=0.0)), _honest(scenario))


def secrets(scenario: Scenario, columns: Columns) -> float:
    """Secrets that got out for each hundred honest bots."""
    return _share(_since(scenario, columns, "secrets_leaked"), _honest(scenario))


def harmful_rules(_scenario: Scenario, columns: Columns) -> float:
    """Of the proposals executed lately, those that do harm."""
    bad, good = (float(columns[n][-LATELY:].sum()) for n in ("bad_executed", "good_executed"))
    return _share(bad, bad + good)


def service_lost(scenario: Scenario, columns: Columns) -> float:
    """What the attack took away from the share of services that were kept before."""
    begins = scenario.attack_begins
    kept, asked = (columns[n] for n in ("service_kept", "service_asked"))
    if not asked[:begins].sum() or not asked[begins:].sum():
        return 0.0
    before = float(kept[:begins].sum()) / float(asked[:begins].sum())
    during = float(kept[begins:].sum()) / float(asked[begins:].sum())
    return max(0.0, 100.0 * (1.0 - during / before)) if before else 0.0


def _alone(kind: str, malicious: float) -> tuple[str, ...]:
    return f"mix.{kind}=1.0", f"malicious={malicious}"


GOALS: Mapping[str, Goal] = {
    goal.kind: goal
    for goal in (
        Goal(
            "sybil",
            "that most of what is executed does harm",
            50.0,
            "% of the proposals executed in the last 100 ticks",
            harmful_rules,
            _alone("sybil", 0.3),
        ),
        Goal(
            "colluder",
            "that most of what is executed does harm",
            50.0,
            "% of the proposals executed in the last 100 ticks",
            harmful_rules,
            _alone("colluder", 0.3),
        ),
        Goal(
            "spammer",
            "that a third of what gets through is spam",
            100.0 / 3.0,
            "% of what gets through",
            harmful_share,
            _alone("spammer", 0.1),
        ),
        Goal(
            "exfiltrator",
            "to get out as many secrets as there are honest bots",
            100.0,
            "secrets for 100 honest bots",
            secrets,
            _alone("exfiltrator", 0.05),
        ),
        Goal(
            "byzantine",
            "to take a tenth of their service from the honest",
            10.0,
            "% of the service kept before",
            service_lost,
            _alone("byzantine", 0.3),
        ),
        Goal(
            "poisoner",
            "to take over a quarter of the honest bots, in a good name",
            25.0,
            "% of the honest bots",
            taken_over,
            _alone("poisoner", 0.1),
        ),
        Goal(
            "phisher",
            "to take over a quarter of the honest bots",
            25.0,
            "% of the honest bots",
            taken_over,
            _alone("phisher", 0.02),
        ),
        Goal(
            SKILL,
            "that a tenth of all uses of skills are of one that lets others in",
            10.0,
            "% of the uses of skills",
            harmful_uses,
            ("skills.malicious=0.3", "skills.new_per_tick=0.5", "activity.skill=0.6"),
        ),
    )
}


VARIANTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "thieves": ("exfiltrator", ("malicious=0.25",)),
    "careless": ("colluder", ("malicious=0.38", "stealth.turnout=0.7", "stealth.spread=15")),
}
"""Attacks that are larger, or are gone about in another way: of which kind, and settings beside those of the kind."""


@dataclass(frozen=True, slots=True)
class Outcome:
    goal: Goal
    got: float
    reached: bool


def scenario_of(attack: str, *settings: str, agents: bool = True) -> Scenario:
    """An attack of a kind, or a variant, by itself, with all security agents or none. Raises `ScenarioError`."""
    kind, more = VARIANTS.get(attack, (attack, ()))
    found = from_text(files("simulator").joinpath("demos", "attack" + SUFFIX).read_text("utf-8"), "attack" + SUFFIX)
    off = () if agents else ("agents=[]",)
    return with_settings(found, [*GOALS[kind].settings, *more, *off, *settings])


def outcomes(scenario: Scenario, columns: Columns) -> tuple[Outcome, ...]:
    """How far the attacks got that a scenario has. Where several have one goal, nobody knows whose doing it was; before
    an attack has begun there is nothing to say."""
    if len(columns["delivered"]) <= scenario.attack_begins:
        return ()
    kinds = [k for k, weight in scenario.mix.model_dump().items() if weight > 0 and scenario.malicious > 0]
    if scenario.skills.malicious > 0 and not kinds:
        kinds = [SKILL]
    found = [GOALS[k] for k in kinds]
    return tuple(Outcome(g, g.far(scenario, columns), g.is_reached(scenario, columns)) for g in found)
