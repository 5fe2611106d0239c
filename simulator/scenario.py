"""Scenarios: TOML, or the name of a shipped one, goes in; what is to be simulated comes out, checked.

Everything that a run depends on beside the policy is here, so that a record can be run again from it.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from simulator.feeds import Feed, Known

SUFFIX = ".toml"
SHIPPED = ("normal_operation", "stress_test", "security_attack", "skill_ecosystem_growth")

Share = Annotated[float, Field(ge=0, le=1)]
Agent = Literal[
    "intelligence",
    "threat_hunter",
    "incident_responder",
    "coordination",
    "policy_enforcer",
    "reputation_tracker",
    "auditor",
]
AGENTS: tuple[Agent, ...] = (
    "intelligence",
    "threat_hunter",
    "incident_responder",
    "coordination",
    "policy_enforcer",
    "reputation_tracker",
    "auditor",
)
UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
THOUSANDTHS = 1000
"""Policies know whole numbers only: shares are counted in thousandths, as reputation is."""

_DURATION = re.compile(r"(\d+)(ms|s|m|h|d)")
_PARAMETER = re.compile(r"[A-Z][A-Z0-9_]*")


class ScenarioError(ValueError):
    """What is wrong with a scenario: for each fault the field, as one writes it, and what is wrong with it.

    `parameters` are those of the policy in which nothing is wrong as far as one can tell without it.
    """

    def __init__(
        self, faults: Iterable[tuple[str, str]], where: str = "", parameters: Mapping[str, int] | None = None
    ) -> None:
        self.faults = tuple(faults)
        self.where = where
        self.parameters = dict(parameters or {})
        super().__init__("; ".join(f"`{field}`: {text}" if field else text for field, text in self.faults))

    def __reduce__(self) -> Any:
        """It travels between processes."""
        return ScenarioError, (self.faults, self.where, self.parameters)


class Checked(BaseModel):
    """Nothing is guessed: no unknown field, no text for a number, no infinity."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class Mix(Checked):
    """How the malicious bots divide into kinds of attack: weights, of which only the proportion counts."""

    sybil: float = Field(default=1.0, ge=0)
    """Many identities of one owner, which praise and elect each other."""
    colluder: float = Field(default=1.0, ge=0)
    """Members of a ring that pushes its own proposals through."""
    spammer: float = Field(default=1.0, ge=0)
    """Sends far more than others, to everybody."""
    exfiltrator: float = Field(default=1.0, ge=0)
    """Sends secrets out."""
    byzantine: float = Field(default=1.0, ge=0)
    """Lies in consensus, votes for what harms, answers wrongly."""
    poisoner: float = Field(default=1.0, ge=0)
    """Earns reputation slowly, and then spends it on harm."""
    phisher: float = Field(default=1.0, ge=0)
    """Sends links that take over whoever follows them."""


class Stealth(Checked):
    """How attackers keep from being noticed."""

    pace: float = Field(default=1.0, gt=0, le=1)
    """How often they strike with messages, as a share of how often they would otherwise."""
    turnout: Share = 1.0
    """The share of the proposals on which each member of a ring votes, Sybils and colluders, whichever they are."""
    spread: int = Field(default=1, ge=1, le=10_000)
    """Ticks over which the members of a ring spread their votes on a proposal."""


class Mistakes(Checked):
    """How often honest bots complain about what was in order. Mail providers hold up to one in a thousand messages of a
    lawful sender to be usual, and three too many."""

    message: Share = 0.001
    """Complaints about the sender of a message, and the link in it, for each message that does no harm."""
    skill: Share = 0.001
    """Complaints about a skill and its developer, for each use that does no harm."""


class Partition(Checked):
    """For some ticks, a part of the bots is cut off from the rest."""

    begin: int = Field(ge=0)
    """The first tick."""
    end: int = Field(ge=1)
    """The first tick at which it has healed."""
    share: float = Field(gt=0, lt=1)
    """So much of the population is on the smaller side, or at least on the other one."""

    @model_validator(mode="after")
    def _ends_later(self) -> Partition:
        if self.end <= self.begin:
            raise ValueError(f"@end@ends at tick {self.end}, but begins at tick {self.begin}")
        return self


class Network(Checked):
    latency: Literal["low", "high"] = "low"
    """`low`: one region, 95 % of the messages arrive within 17 ms. `high`: around the world, half within 180 ms."""
    loss: Share = 0.0
    """The share of messages that never arrive."""
    duplicates: Share = 0.0
    """The share of messages that arrive twice."""
    partitions: tuple[Partition, ...] = Field(default=(), strict=False)


class Sabotage(Checked):
    """Somebody with access to the machine exchanges what was proved, or audited, for something else."""

    at: int = Field(ge=0)
    """The tick."""
    what: Literal["policy", "skill"] = "policy"
    """The policy that governs, or the skill that is used most, for one that does harm."""
    rule: str = ""
    """The rule that the policy is without from then on."""
    forged: bool = False
    """Whether a certificate comes with it that claims to be its proof; without it, the old one stays."""

    @model_validator(mode="after")
    def _says_which(self) -> Sabotage:
        if (self.what == "policy") != bool(self.rule):
            raise ValueError("@rule@a policy is sabotaged by taking a rule out of it, a skill has none")
        return self


class Skills(Checked):
    initial: int = Field(default=50, ge=1, le=1_000_000)
    """Skills that exist when the run begins."""
    new_per_tick: float = Field(default=0.05, ge=0, le=10_000)
    """Skills submitted per tick in the whole ecosystem, on average."""
    approval_rate: Share = 0.7
    """The share of submitted skills without a fault that pass the review."""
    malicious: Share = 0.02
    """The share of submitted skills that are malicious or vulnerable ..."""
    malicious_begins: int = Field(default=0, ge=0)
    """... from this tick on; before it, none is."""


class Activity(Checked):
    """Chances, per bot and tick. An honest bot that acts does each of these things by itself."""

    act: Share = 0.3
    """That a bot acts at all."""
    message: Share = 0.5
    """That a bot which acts sends a message."""
    skill: Share = 0.3
    """That it uses a skill."""
    signal: Share = 0.05
    """That it gives a signal on a channel."""
    vote: Share = 0.2
    """That it votes on one of the open proposals on which it has not voted yet."""


class Community(Checked):
    good: Share = 0.7
    """The share of honest proposals that would do good; what malicious bots propose does harm."""
    accuracy: Share = 0.8
    """How often an honest voter judges a proposal rightly."""
    delegation: Share = 0.2
    """The share of honest bots that leave their vote to a delegate, until they revoke it."""


class Humans(Checked):
    count: int = Field(default=5, ge=1, le=10_000)
    reaction_ticks: int = Field(default=30, ge=0)
    """So long it takes until a human looks at what was escalated."""
    error: Share = 0.02
    """How often a human decides wrongly."""


class Epoch(Checked):
    """How often things are done that are not done in every tick."""

    election: int = Field(default=50, ge=1)
    """Ticks between elections of the committee."""
    merkle: int = Field(default=50, ge=1)
    """Ticks between Merkle roots over all reputations."""


def _number(value: Any) -> Any:
    """A parameter as the policy knows it: milliseconds of a duration, thousandths of a fraction."""
    match value:
        case str() if found := _DURATION.fullmatch(value):
            return int(found[1]) * UNITS[found[2]]
        case str():
            raise ValueError("a parameter is a whole number, a fraction of one, or a duration such as `60s` or `24h`")
        case float() if 0 <= value <= 1:
            return round(value * THOUSANDTHS)
        case float():
            raise ValueError("policies know whole numbers; fractions count in thousandths, and only from 0 to 1")
        case _:
            return value


Parameter = Annotated[int, BeforeValidator(_number, json_schema_input_type=int | float | str)]


class Scenario(Checked):
    """What is simulated. Rates are for the whole ecosystem, chances are for each bot."""

    name: str = Field(pattern=r"^[A-Za-z][\w-]*$", max_length=80)
    title: str = ""
    description: str = ""
    bots: int = Field(ge=1, le=10_000_000)
    """Members of the ecosystem. The seven agents and the humans come on top."""
    ticks: int = Field(default=1000, ge=1, le=100_000_000)
    tick_ms: int = Field(default=1000, ge=1, le=86_400_000)
    """Simulated milliseconds in a tick."""
    seed: int = Field(default=1, ge=0, lt=1 << 63)
    proposal_rate: float = Field(default=0.1, ge=0, le=1000)
    """Proposals per tick in the WHOLE ecosystem, on average; not per bot."""
    malicious: Share = 0.05
    """The share of the bots that are malicious."""
    mix: Mix = Mix()
    stealth: Stealth = Stealth()
    lazy: Share = 0.1
    """The share of the bots that are honest, but rarely act and follow the majority."""
    attack_begins: int = Field(default=100, ge=0)
    """The first tick at which malicious bots do harm; before it they behave like honest ones."""
    network: Network = Network()
    skills: Skills = Skills()
    activity: Activity = Activity()
    community: Community = Community()
    mistakes: Mistakes = Mistakes()
    humans: Humans = Humans()
    committee_faults: int = Field(default=3, ge=1, le=100)
    """`f`: the committee has 3f + 1 members, and bears f Byzantine ones."""
    epoch: Epoch = Epoch()
    reputation_profile: Literal["strict", "balanced"] = "balanced"
    """How the Reputation Tracker weighs security, participation, quality and community: 70/20/10/0 or 40/30/20/10."""
    agents: tuple[Agent, ...] = Field(default=AGENTS, strict=False)
    """The security agents that are switched on; `[]` for none."""
    feed: Feed = ()
    """What others say is bad: indicators, or the name of a file in TOML or JSON that has a list `indicator` of them."""
    policy: str = ""
    """A bundle with the policies that govern, as `policyctl build` writes it; those that ship if there is none."""
    parameters: dict[str, Parameter] = {}
    """Parameters of the policy by name, such as `QUORUM = 400`, `VOTING_PERIOD = "60s"` or `DECAY = 0.05`."""
    playbooks: str = ""
    """A file with the playbooks of the Incident Responder (TOML); those that ship if there is none."""
    sabotage: tuple[Sabotage, ...] = Field(default=(), strict=False)
    checkpoint_every: int = Field(default=0, ge=0)
    """Ticks between checkpoints; 0 for none but the last."""
    channels: tuple[str, ...] = Field(
        default=("operations", "security", "skills", "governance"), strict=False, min_length=1, max_length=1000
    )
    """The channels for signals."""

    @property
    def committee(self) -> int:
        return 3 * self.committee_faults + 1

    @model_validator(mode="after")
    def _fits_together(self) -> Scenario:
        if self.malicious + self.lazy > 1:
            raise ValueError(f"@lazy@{self.malicious:g} malicious and {self.lazy:g} lazy bots are more than all")
        if self.malicious > 0 and not any(self.mix.model_dump().values()):
            raise ValueError("@mix@there are malicious bots, but every kind of them has weight 0")
        if self.committee > self.bots:
            raise ValueError(
                f"@committee_faults@a committee that bears {self.committee_faults} faults has {self.committee} "
                f"members, and there are {self.bots} bots"
            )
        for field in ("agents", "channels"):
            if len(set(getattr(self, field))) < len(getattr(self, field)):
                raise ValueError(f"@{field}@something is named twice")
        for name in self.parameters:
            if not _PARAMETER.fullmatch(name):
                raise ValueError(f"@parameters.{name}@parameters have names in capitals, such as `QUORUM`")
        return self


def shipped(name: str) -> Scenario:
    """One of the scenarios that ship."""
    return from_text(files("simulator").joinpath("scenarios", name + SUFFIX).read_text("utf-8"), name + SUFFIX)


def load(name_or_path: str) -> Scenario:
    """A shipped scenario by its name, or one in a file. Raises `ScenarioError`."""
    path = Path(name_or_path)
    if name_or_path in SHIPPED:
        return shipped(name_or_path)
    if path.suffix != SUFFIX and not path.is_file():
        close = difflib.get_close_matches(name_or_path, SHIPPED, n=1)
        hint = f"did you mean `{close[0]}`?" if close else f"there are {', '.join(SHIPPED)}, and files `*{SUFFIX}`"
        raise ScenarioError([("", f"there is no scenario `{name_or_path}`; {hint}")])
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ScenarioError([("", "there is no such file")], name_or_path) from None
    except OSError as error:
        raise ScenarioError([("", f"it cannot be read: {error.strerror}")], name_or_path) from None
    except UnicodeDecodeError as error:
        raise ScenarioError([("", f"it is not UTF-8: {error.reason} at byte {error.start}")], name_or_path) from None
    return from_text(text, name_or_path)


def from_text(text: str, where: str = "") -> Scenario:
    """TOML to a scenario. A file may leave out its name: it is then called as the file is."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        fault = str(error)
        raise ScenarioError([("", f"it is not TOML: {fault[:1].lower()}{fault[1:]}")], where) from None
    if "name" not in data and where:
        data["name"] = re.sub(r"^[^A-Za-z]+|[^\w-]", "", Path(where).stem) or "scenario"
    return from_data(data, where)


def from_data(data: Mapping[str, Any], where: str = "") -> Scenario:
    """Plain data, as from TOML or JSON, to a scenario. Raises `ScenarioError`."""
    try:
        return Scenario.model_validate(data)
    except ValidationError as error:
        found = error.errors()
        wrong = {str(e["loc"][1]) for e in found if e["loc"][:1] == ("parameters",) and len(e["loc"]) > 1}
        given = data.get("parameters")
        sound = {n: v for n, v in given.items() if n not in wrong} if isinstance(given, dict) else {}
        parameters = {n: _number(v) for n, v in sound.items() if _PARAMETER.fullmatch(n)}
        raise ScenarioError([_fault(e) for e in found], where, parameters) from None


def to_data(scenario: Scenario) -> dict[str, Any]:
    """Plain data for JSON, from which `from_data` makes an equal scenario."""
    return scenario.model_dump(mode="json")


def to_json(scenario: Scenario) -> str:
    """The same as text, equal exactly for equal scenarios."""
    return json.dumps(to_data(scenario), sort_keys=True)


def schema() -> dict[str, Any]:
    """The JSON schema of a scenario."""
    found = Scenario.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found}


def with_settings(scenario: Scenario, settings: Iterable[str]) -> Scenario:
    """The scenario with `malicious=0.33`, `network.latency=high` or `QUORUM=400` (capitals: a parameter of the policy).

    Values are written as in TOML; a text needs no quotation marks. Raises `ScenarioError`.
    """
    data = to_data(scenario)
    for setting in settings:
        name, given, text = setting.partition("=")
        if not given or not name.strip():
            raise ScenarioError([(setting, "a setting is `field=value`")])
        place(data, name.strip(), value_of(text.strip()))
    return from_data(data)


def place(data: dict[str, Any], name: str, value: Any) -> None:
    """Writes one field, `network.loss` or `QUORUM`, into plain data. Raises `ScenarioError` where there is none."""
    path = ["parameters", name] if _PARAMETER.fullmatch(name) else name.split(".")
    model: Any = Scenario
    for at, part in enumerate(path[:-1]):
        model = model.model_fields[part].annotation if part in model.model_fields else None
        if not isinstance(data.get(part), dict):
            raise ScenarioError([(name, _unknown(path[: at + 1], data))])
        data = data[part]
    if path[-1] not in data and path[0] != "parameters":
        raise ScenarioError([(name, _unknown(path, data))])
    data[path[-1]] = value


def value_of(text: str) -> Any:
    """What is written as in TOML, or else a text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, KeyError):
        return text


def fields_of(scenario: Scenario) -> dict[str, Any]:
    """Every field that has one value, by its dotted name; parameters that are set are among them."""
    found: dict[str, Any] = {}

    def walk(data: Mapping[str, Any], above: str) -> None:
        for name, value in data.items():
            if isinstance(value, dict):
                walk(value, "" if name == "parameters" else f"{above}{name}.")
            else:
                found[above + name] = value

    walk(to_data(scenario), "")
    return found


def check_parameters(scenario: Scenario, ranges: Mapping[str, tuple[int | None, int | None]]) -> None:
    """Raises `ScenarioError` unless every parameter is one of the policy, within its range."""
    faults = faults_of_parameters(scenario.parameters, ranges)
    if faults:
        raise ScenarioError(faults)


def faults_of_parameters(
    parameters: Mapping[str, int], ranges: Mapping[str, tuple[int | None, int | None]]
) -> list[tuple[str, str]]:
    """Each that is none of the policy, or outside its range, and what is wrong with it."""
    faults = []
    for name, value in parameters.items():
        if name not in ranges:
            close = difflib.get_close_matches(name, ranges, n=1)
            hint = f"; did you mean `{close[0]}`?" if close else f"; there are {', '.join(sorted(ranges))}"
            faults.append((f"parameters.{name}", f"the policy has no such parameter{hint}"))
            continue
        low, high = ranges[name]
        if (low is not None and value < low) or (high is not None and value > high):
            text = f"{value} is outside the range {low}..{high} for which the policy was proved"
            faults.append((f"parameters.{name}", text))
    return faults


def _unknown(path: list[str], known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(path[-1], known, n=1)
    return "there is no such field" + (f"; did you mean `{'.'.join([*path[:-1], close[0]])}`?" if close else "")


def _fault(error: Any) -> tuple[str, str]:
    """A message of pydantic as the field and a clause."""
    path = [str(p) for p in error["loc"] if not str(p).startswith("function-")]
    match error["type"]:
        case "extra_forbidden":
            return ".".join(path), _unknown(path, _siblings(path))
        case "missing":
            return ".".join(path), "this field is missing"
        case "value_error":
            text = str(error["ctx"]["error"])
            if text.startswith("@"):
                _, field, text = text.split("@", 2)
                path.append(field)
            return ".".join(path), text
        case "string_pattern_mismatch":
            return ".".join(path), "expected a letter, and then letters, digits, `_` and `-`"
        case _:
            text = error["msg"].removeprefix("Input should be ")
            return ".".join(path), f"expected {text}, not {json.dumps(error['input'], default=str)[:60]}"


def _siblings(path: list[str]) -> dict[str, Any]:
    model: Any = Scenario
    rows = {"partitions": Partition, "sabotage": Sabotage, "feed": Known}
    for part in path[:-1]:
        if part.isdigit():
            continue
        field = getattr(model, "model_fields", {}).get(part)
        model = rows.get(part) or (field.annotation if field is not None else None)
    return dict(getattr(model, "model_fields", {}))
