"""Scenarios: the figures of those that ship, clear errors that name the field, and the published schema."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.agents.base import Name
from simulator.scenario import (
    AGENTS,
    SHIPPED,
    Scenario,
    ScenarioError,
    check_parameters,
    fields_of,
    from_data,
    from_text,
    load,
    schema,
    shipped,
    to_data,
    with_settings,
)

ROOT = Path(__file__).parent.parent
SCHEMA = ROOT / "docs" / "scenario.schema.json"


def faults(*settings: str, base: str = "normal_operation") -> tuple[tuple[str, str], ...]:
    with pytest.raises(ScenarioError) as raised:
        with_settings(load(base), settings)
    return raised.value.faults


@pytest.mark.parametrize(
    ("name", "bots", "rate", "malicious", "latency"),
    [
        ("normal_operation", 1000, 0.1, 0.05, "low"),
        ("stress_test", 10_000, 1.0, 0.20, "high"),
        ("security_attack", 5000, 0.2, 0.30, "high"),
    ],
)
def test_the_figures_of_the_seed(name: str, bots: int, rate: float, malicious: float, latency: str) -> None:
    found = load(name)
    assert (found.name, found.bots, found.proposal_rate, found.malicious) == (name, bots, rate, malicious)
    assert found.network.latency == latency


def test_the_other_figures_of_the_seed() -> None:
    attack, growth = load("security_attack"), load("skill_ecosystem_growth")
    mix = attack.mix.model_dump()
    assert max(mix, key=lambda k: mix[k]) == "byzantine"
    assert attack.network.partitions
    assert (growth.bots, growth.skills.new_per_tick) == (2000, 5.0)
    assert (growth.skills.approval_rate, growth.skills.malicious) == (0.7, 0.1)


@pytest.mark.parametrize("name", SHIPPED)
def test_voting_takes_a_minute_in_what_ships(name: str) -> None:
    assert load(name).parameters["VOTING_PERIOD"] == 60_000
    assert load(name).title


@pytest.mark.parametrize("name", SHIPPED)
def test_a_scenario_survives_json(name: str) -> None:
    found = shipped(name)
    assert from_data(json.loads(json.dumps(to_data(found)))) == found


def test_all_agents_are_on_unless_said_otherwise() -> None:
    assert set(AGENTS) == {n.value for n in Name}
    assert load("normal_operation").agents == AGENTS
    assert with_settings(load("normal_operation"), ["agents=[]"]).agents == ()


@pytest.mark.parametrize(
    ("setting", "field", "says"),
    [
        ("bots=0", "bots", "greater than or equal to 1"),
        ("malicious=-0.1", "malicious", "greater than or equal to 0"),
        ("malicious=1.5", "malicious", "less than or equal to 1"),
        ("proposal_rate=-1", "proposal_rate", "greater than or equal to 0"),
        ("ticks=1.5", "ticks", "integer"),
        ("bots=true", "bots", "integer"),
        ("bots='9'", "bots", "integer"),
        ("network.loss=nan", "network.loss", "finite"),
        ("network.latency=medium", "network.latency", "'low' or 'high'"),
        ("lazy=0.99", "lazy", "more than all"),
        ("bots=5", "committee_faults", "a committee that bears 3 faults has 10 members, and there are 5 bots"),
        ("network.partitions=[{begin=9,end=4,share=0.5}]", "network.partitions.0.end", "ends at tick 4, but begins at"),
        ("network.partitions=[{begin=1,end=4,share=1.0}]", "network.partitions.0.share", "less than 1"),
        ("agents=['hunter']", "agents.0", "threat_hunter"),
        ("agents=['auditor','auditor']", "agents", "named twice"),
        ("channels=[]", "channels", "at least 1"),
        ("QUORUM=many", "parameters.QUORUM", "a whole number, a fraction of one, or a duration"),
        ("DECAY=1.5", "parameters.DECAY", "thousandths"),
        ("parameters.quorum=3", "parameters.quorum", "capitals"),
        ("QUORUM=true", "parameters.QUORUM", "integer"),
    ],
)
def test_a_wrong_value_names_its_field(setting: str, field: str, says: str) -> None:
    [(found, text)] = faults(setting)
    assert found == field
    assert says in text


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("malicous=0.1", "did you mean `malicious`?"),
        ("network.latncy=low", "did you mean `network.latency`?"),
        ("nonsense.field=1", "there is no such field"),
        ("bots.more=1", "there is no such field"),
    ],
)
def test_a_nonsense_field_is_named(setting: str, says: str) -> None:
    [(field, text)] = faults(setting)
    assert field == setting.partition("=")[0]
    assert says in text


def test_a_setting_needs_a_value() -> None:
    [(field, text)] = faults("malicious")
    assert (field, text) == ("malicious", "a setting is `field=value`")


def test_malicious_bots_of_no_kind() -> None:
    nothing = [f"mix.{k}=0" for k in load("normal_operation").mix.model_dump()]
    [(field, _)] = faults(*nothing)
    assert field == "mix"
    assert with_settings(load("normal_operation"), [*nothing, "malicious=0"]).malicious == 0.0


def test_every_fault_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("bots = -3\n[network]\nlos = 0.1\n[[network.partitions]]\nbegin = 1\nend = 2\nshar = 0.5\n")
    with pytest.raises(ScenarioError) as raised:
        load(str(file))
    assert raised.value.where == str(file)
    found = dict(raised.value.faults)
    assert set(found) == {"bots", "network.los", "network.partitions.0.shar", "network.partitions.0.share"}
    assert found["network.los"] == "there is no such field; did you mean `network.loss`?"
    assert found["network.partitions.0.share"] == "this field is missing"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("missing.toml", "there is no such file"),
        ("normal_operatoin", "did you mean `normal_operation`?"),
        ("elsewhere", "and files `*.toml`"),
    ],
)
def test_what_is_not_there(name: str, says: str) -> None:
    with pytest.raises(ScenarioError, match="there is no") as raised:
        load(name)
    assert says in str(raised.value)


@pytest.mark.parametrize("content", [b"bots = ", b"\xff\xfe", b"bots = 1\nbots = 2"])
def test_what_is_no_toml(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_bytes(content)
    with pytest.raises(ScenarioError, match="it is not"):
        load(str(tmp_path / "x.toml"))


def test_a_directory_is_no_scenario(tmp_path: Path) -> None:
    (tmp_path / "x.toml").mkdir()
    with pytest.raises(ScenarioError, match="cannot be read"):
        load(str(tmp_path / "x.toml"))


def test_a_file_is_called_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "2 my scenario.toml"
    file.write_text("bots = 20\n")
    assert load(str(file)).name == "myscenario"
    assert from_text('name = "other"\nbots = 20\n', "x.toml").name == "other"


@pytest.mark.parametrize(
    ("text", "value"), [("60s", 60_000), ("250ms", 250), ("24h", 86_400_000), ("400", 400), ("0.05", 50), ("1.0", 1000)]
)
def test_parameters_are_whole_numbers(text: str, value: int) -> None:
    found = with_settings(load("normal_operation"), [f"DECAY={text}"]).parameters["DECAY"]
    assert type(found) is int
    assert found == value


def test_settings_change_nothing_else() -> None:
    before = load("stress_test")
    after = with_settings(before, ["malicious=0.33", "network.latency=low", "QUORUM=400"])
    changed = {k for k, v in fields_of(after).items() if fields_of(before).get(k) != v}
    assert changed == {"malicious", "network.latency", "QUORUM"}
    assert before == load("stress_test")


@given(st.integers(1, 10_000), st.floats(0, 1), st.integers(0, 2**63 - 1))
def test_numbers_come_back_as_they_are(bots: int, share: float, seed: int) -> None:
    made = Scenario(name="x", bots=bots + 3, malicious=share, lazy=0.0, seed=seed, committee_faults=1)
    assert from_data(json.loads(json.dumps(to_data(made)))) == made


def test_parameters_are_checked_against_the_policy() -> None:
    ranges = {"QUORUM": (1, 600), "DECAY": (0, None)}
    base = Scenario(name="x", bots=10)
    check_parameters(with_settings(base, ["QUORUM=600", "DECAY=99999"]), ranges)
    with pytest.raises(ScenarioError) as raised:
        check_parameters(with_settings(base, ["QUORUM=601", "DECAI=1"]), ranges)
    found = dict(raised.value.faults)
    assert found["parameters.QUORUM"] == "601 is outside the range 1..600 for which the policy was proved"
    assert found["parameters.DECAI"] == "the policy has no such parameter; did you mean `DECAY`?"


def test_faults_travel_between_processes() -> None:
    error = ScenarioError([("bots", "none")], "x.toml")
    again = pickle.loads(pickle.dumps(error))
    assert (again.faults, again.where, str(again)) == (error.faults, error.where, str(error))


def test_the_published_schema_is_that_of_scenarios() -> None:
    assert json.loads(SCHEMA.read_text()) == schema(), "run `policyctl simulate --schema > docs/scenario.schema.json`"


def test_the_schema_says_what_fields_mean() -> None:
    fields = schema()["properties"]
    assert "WHOLE ecosystem" in fields["proposal_rate"]["description"]
    assert schema()["additionalProperties"] is False
