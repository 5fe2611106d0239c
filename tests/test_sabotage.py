"""Sabotage: what was proved is exchanged, is found out by whoever can, and is put right by humans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from policyctl import proved_engine
from policydsl.core.system import GuardKind
from policydsl.core.to_json import digest
from runtime.bundle import build
from runtime.bundle import read as read_bundle
from simulator.agents.base import Happening
from simulator.engine import Engine, begin
from simulator.measures import SABOTAGE
from simulator.policies import shipped
from simulator.proofs import Verifier, certificate, faults
from simulator.sabotage import forged, rules, without
from simulator.scenario import ScenarioError, with_settings
from simulator.second_opinion import difference
from tests.twins import small

ECOSYSTEM = next(p for p in shipped().policies if p.system.name == "twin.ecosystem")
WEAK = without(ECOSYSTEM.system, "quarantine_holds")
FORGED = forged(ECOSYSTEM.proof, ECOSYSTEM.system, WEAK)
VERIFIER = Verifier("the second solver", proved_engine.faults)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the second solver says is kept in the directory in which one works."""
    monkeypatch.chdir(tmp_path)


def sabotage(*acts: str, agents: str = "", ticks: int = 60) -> tuple[str, ...]:
    told = (f"sabotage=[{', '.join(acts)}]", f"ticks={ticks}", "humans.reaction_ticks=5", "attack_begins=10")
    return (*told, f"agents={agents}") if agents else told


@cache
def course(settings: tuple[str, ...], verified: bool) -> tuple[Engine, list[Happening], list[float]]:
    """A run: its engine at the end, what was noted, and whether there was a lockdown in each tick."""
    scenario = small("security_attack", "bots=100", *settings)
    engine = begin(scenario, 1, 0, VERIFIER if verified else None)
    ticks = [engine.step() for _ in range(scenario.ticks)]
    return engine, [h for t in ticks for h in t.happenings], [t.measures["lockdown"] for t in ticks]


def noted(happenings: Sequence[Happening], *words: str) -> list[int]:
    """The ticks in which something with all these words was noted."""
    return [h.tick for h in happenings if all(w in h.text for w in words)]


def test_a_policy_without_a_rule_has_the_same_shape_and_another_digest() -> None:
    assert digest(WEAK) != digest(ECOSYSTEM.system)
    for old, new in zip(ECOSYSTEM.system.actions, WEAK.actions, strict=True):
        assert [(g.kind, g.reason, g.rule) for g in old.guards] == [(g.kind, g.reason, g.rule) for g in new.guards]
        changed = [g.rule for g, h in zip(old.guards, new.guards, strict=True) if g != h]
        assert changed == ["quarantine_holds"] * len(changed)
    assert "quarantine_holds" in rules(ECOSYSTEM.system)
    assert all(g.rule for a in WEAK.actions for g in a.guards if g.kind is GuardKind.FORBID)


def test_a_forged_certificate_fits_by_its_digests_and_not_by_what_is_proved() -> None:
    policy = read_bundle(build([(WEAK, FORGED)])).policies[0]
    assert policy.unproved == ()
    assert faults(WEAK, FORGED, None) == ()
    (fault,) = faults(WEAK, FORGED, VERIFIER)
    assert "the certificate of `twin.ecosystem` does not hold" in fault
    assert "the text is not the one that the core gives" in fault


def test_what_was_proved_passes_both() -> None:
    assert faults(ECOSYSTEM.system, ECOSYSTEM.proof, VERIFIER) == ()
    assert "not one of the policy beside it" in faults(WEAK, ECOSYSTEM.proof, None)[0]
    assert "is not proved" in faults(ECOSYSTEM.system, "", None)[0]


def test_what_the_second_solver_says_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    proved_engine.faults.cache_clear()
    found = proved_engine.faults("{}")
    assert found[0].startswith("this is no certificate: ")
    proved_engine.faults.cache_clear()

    def unwilling(_: str) -> list[str]:
        raise AssertionError("asked again")

    monkeypatch.setattr(proved_engine, "_rechecked", unwilling)
    assert proved_engine.faults("{}") == found
    with pytest.raises(AssertionError, match="asked again"):
        proved_engine.faults("[]")


def test_no_run_begins_under_a_forged_proof(tmp_path: Path) -> None:
    path = tmp_path / "forged.bundle"
    others = [(p.system, p.proof) for p in shipped().policies if p.digest != ECOSYSTEM.digest]
    path.write_bytes(build([(WEAK, FORGED), *others]))
    scenario = small("normal_operation", f"policy={path}", "bots=50")
    with pytest.raises(ScenarioError, match=r"`policy`.*certificate of `twin.ecosystem` does not hold"):
        proved_engine.begin(scenario, 1)
    # Whoever has no second solver believes the digests.
    assert begin(scenario, 1).tick == 0


@pytest.mark.parametrize("is_forged", [False, True])
def test_a_policy_that_is_not_proved_is_locked_down_and_put_right_by_humans(is_forged: bool) -> None:
    act = f'{{at = 20, rule = "quarantine_holds", forged = {str(is_forged).lower()}}}'
    engine, happenings, lockdown = course(sabotage(act), True)
    assert [h.tick for h in happenings if h.kind == SABOTAGE] == [20]
    assert noted(happenings, "locked down, for a proof is invalid") == [20]
    (repaired,) = noted(happenings, "puts the policy that was proved back in force")
    (lifted,) = noted(happenings, "a human lifts the lockdown")
    (valid,) = noted(happenings, "the proofs are valid again")
    assert 20 < repaired == lifted < valid <= repaired + 1
    assert lockdown == [20 <= tick < repaired for tick in range(60)]
    assert engine.gateway.enforcers[0].system == ECOSYSTEM.system
    assert engine.proofs.faults() == ()
    report = engine.compliance()
    assert report is not None
    assert (report.lockdowns, report.verifier) == (1, "the second solver")
    assert report.proof_faults >= 1


def test_without_the_policy_enforcer_it_stays_in_force() -> None:
    engine, happenings, lockdown = course(sabotage('{at = 20, rule = "quarantine_holds"}', agents="[]"), True)
    assert not any(lockdown)
    assert noted(happenings, "proved") == []
    assert engine.gateway.enforcers[0].system == WEAK


def test_without_a_second_solver_the_auditor_sees_what_a_forged_proof_lets_through() -> None:
    """The digests fit, so nobody locks the gateway; but decisions are not those of the policy that was proved."""
    act = '{at = 40, rule = "quarantine_holds", forged = true}'
    engine, happenings, lockdown = course(sabotage(act, ticks=120), False)
    assert not any(lockdown)
    seen = noted(happenings, "was allowed, and by the policy that was proved it is denied (in quarantine)")
    assert seen[0] >= 40
    assert noted(happenings, "puts the policy that was proved back in force")[0] > seen[0]
    assert engine.gateway.enforcers[0].system == ECOSYSTEM.system
    report = engine.compliance()
    assert report is not None
    assert report.alarms >= 1


def test_a_skill_that_is_exchanged_is_audited_anew() -> None:
    engine, happenings, _ = course(sabotage('{at = 25, what = "skill"}'), False)
    (act,) = [h for h in happenings if h.kind == SABOTAGE]
    skill = act.number
    assert noted(happenings, f"skill {skill} is not what was audited") == [30]
    assert noted(happenings, f"skill {skill} fails its audit") == [30]
    assert engine.gateway.read("trust")[skill] < engine.gateway.parameter("MIN_TRUST")
    report = engine.compliance()
    assert report is not None
    assert report.swapped == (skill,)


@pytest.mark.parametrize("at", [20, 21, 40])
def test_a_sabotaged_run_goes_on_from_a_checkpoint_as_if_nothing_had_happened(at: int, tmp_path: Path) -> None:
    settings = sabotage('{at = 20, rule = "quarantine_holds", forged = true}', '{at = 25, what = "skill"}')
    whole, happenings, _ = course(settings, True)
    scenario = small("security_attack", "bots=100", *settings)
    half = begin(scenario, 1, 0, VERIFIER)
    for _ in range(at):
        half.step()
    half.save(tmp_path)
    later = begin(scenario, 1, 0, VERIFIER)
    later.load(tmp_path)
    assert later.proofs.version == half.proofs.version
    found = [h for _ in range(60 - at) for h in later.step().happenings]
    assert found == [h for h in happenings if h.tick >= at]
    assert later.digest() == whole.digest()


def test_decisions_are_made_again_from_what_was_kept_of_them() -> None:
    scenario = small("security_attack", "bots=100", "ticks=60", "attack_begins=10")
    engine = begin(scenario, 1)
    kept = []
    for _ in range(60):
        engine.step()
        kept += engine.gateway.evidence
    assert len({e.action for e in kept}) > 2
    assert {e.allowed for e in kept} == {True, False}
    systems = {p.system.name: p.system for p in shipped().policies}
    assert [difference(systems[e.policy], e) for e in kept] == [""] * len(kept)
    # A policy that allows more, or whose answer was another one, is another opinion.
    denied = next(e for e in kept if not e.allowed)
    said = difference(systems[denied.policy], replace(denied, allowed=True, reason=""))
    assert said == f"`{denied.action}` was allowed, and by the policy that was proved it is denied ({denied.reason})"
    assert "was denied (because)" in difference(systems[denied.policy], replace(denied, reason="because"))


def test_keeping_a_decision_changes_no_answer() -> None:
    """A column that is decided in two parts is decided as in one."""
    scenario = small("security_attack", "bots=100", "ticks=30", "attack_begins=5")
    without_auditor = '["intelligence","incident_responder","coordination","policy_enforcer","reputation_tracker"]'
    plain = begin(with_settings(scenario, [f"agents={without_auditor}"]), 1)
    watched = begin(with_settings(scenario, [f"agents={without_auditor}"]), 1)
    for tick in range(30):
        plain.step()
        watched._sample = lambda tick=tick: (tick % 12, 17 * tick)  # type: ignore[method-assign,misc]
        watched.step()
        assert [a.answers.guard.tolist() for a in plain.gateway.asked] == [
            a.answers.guard.tolist() for a in watched.gateway.asked
        ]
    assert plain.digest() == watched.digest()


@pytest.mark.parametrize(
    ("act", "field", "says"),
    [
        (
            '{at = 5, rule = "quarantine_hold"}',
            "sabotage.0.rule",
            "no policy has such a rule; there are",
        ),
        ("{at = 5}", "sabotage.0.rule", "taking a rule out"),
        ('{at = 5, what = "skill", rule = "leaks"}', "sabotage.0.rule", "a skill has none"),
        ('{at = -1, rule = "leaks"}', "sabotage.0.at", "greater than or equal to 0"),
        ('{at = 5, rul = "leaks"}', "sabotage.0.rul", "did you mean"),
    ],
)
def test_sabotage_that_makes_no_sense_is_refused(act: str, field: str, says: str) -> None:
    with pytest.raises(ScenarioError, match=rf"`{field}`.*{says}"):
        begin(small("normal_operation", f"sabotage=[{act}]"), 1)


def test_a_digest_is_that_of_the_text() -> None:
    assert certificate(ECOSYSTEM.proof).digest == ECOSYSTEM.certificate
