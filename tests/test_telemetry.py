"""What an enforcer tells about itself: counts, a log, and OpenTelemetry."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from policyctl import Enforcer
from policyctl.telemetry import Telemetry, new_meter
from policydsl.diagnostics import Report
from policydsl.load import load
from runtime.bundle import build
from runtime.meter import BOUNDS, Meter, Totals

POLICY = """
module m
entity Bot
action read(principal: Bot)
action write(principal: Bot, text: String)
permit all on read, write
forbid secrets on write when text contains "secret" because "it is a secret"
"""


@pytest.fixture
def enforcer(tmp_path: Path) -> Iterator[Enforcer]:
    [program] = load(["m.policy"], lambda _: POLICY, Report())
    path = tmp_path / "m.bundle"
    path.write_bytes(build([(program.system, "")]))
    opened = Enforcer.open(path, "memory:", unproved=True, meter=new_meter())
    yield opened
    opened.close()


def test_counts_and_log(enforcer: Enforcer, caplog: pytest.LogCaptureFixture) -> None:
    telemetry = Telemetry(enforcer)
    with caplog.at_level(logging.INFO, "policyctl.decisions"):
        for text in ("hello", "a secret", "another secret"):
            enforcer.decide("write", principal="a", text=text)
        enforcer.decide("nope")
        enforcer.decide_request([], {})  # type: ignore[arg-type]
        telemetry.close()
    totals = telemetry.totals
    assert totals.decisions == {
        ("write", "allow", "allowed"): 1,
        ("write", "deny", "denied.forbid"): 2,
        ("?", "deny", "request.unknown_action"): 2,
    }
    assert totals.denials == {("m", "secrets"): 2}
    assert sum(totals.latencies) == 5
    assert totals.nanoseconds > 0
    found = [r for r in caplog.records if r.name == "policyctl.decisions"]
    assert [(r.levelname, r.__dict__["code"], r.__dict__["rules"]) for r in found] == [
        ("INFO", "allowed", ["all"]),
        ("WARNING", "denied.forbid", ["secrets"]),
        ("WARNING", "denied.forbid", ["secrets"]),
        ("WARNING", "request.unknown_action", []),
        ("WARNING", "request.unknown_action", []),
    ]
    assert "it is a secret" in found[1].getMessage()


def test_opentelemetry(enforcer: Enforcer) -> None:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    telemetry = Telemetry(enforcer)
    telemetry.to_opentelemetry(provider)
    enforcer.decide("read", principal="a")
    enforcer.decide("write", principal="a", text="secret")
    found = _points(reader)
    telemetry.close()
    provider.shutdown()
    assert found["policyctl.decisions"] == {
        (("action", "read"), ("code", "allowed"), ("effect", "allow")): 1,
        (("action", "write"), ("code", "denied.forbid"), ("effect", "deny")): 1,
    }
    assert found["policyctl.denials"] == {(("policy", "m"), ("rule", "secrets")): 1}
    assert found["policyctl.decision.duration.bucket"][(("le", "+Inf"),)] == 2
    assert found["policyctl.approvals.open"] == {(): 0}


def _points(reader: Any) -> dict[str, dict[Any, Any]]:
    data = reader.get_metrics_data()
    metrics = [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics]
    return {m.name: {tuple(sorted(p.attributes.items())): p.value for p in m.data.data_points} for m in metrics}


def test_an_enforcer_without_a_meter_is_not_watched(enforcer: Enforcer, tmp_path: Path) -> None:
    plain = Enforcer.open(tmp_path / "m.bundle", "memory:", unproved=True)
    with pytest.raises(ValueError, match="no meter"):
        Telemetry(plain)


def test_notes_that_nobody_reads_do_not_pile_up(enforcer: Enforcer) -> None:
    meter = Meter(lambda: 0, most=10)
    decision = enforcer.decide("read", principal="a")
    for _ in range(100):
        meter.note("read", decision, 1)
    assert len(meter.drain()) == 10


def test_latencies_fall_into_classes(enforcer: Enforcer) -> None:
    totals, decision = Totals(), enforcer.decide("read", principal="a")
    totals.add([("read", decision, took) for took in (1, BOUNDS[0], BOUNDS[0] + 1, BOUNDS[-1] + 1)])
    assert (totals.latencies[0], totals.latencies[1], totals.latencies[-1]) == (2, 1, 1)
