"""An enforcer's numbers in the text format that Prometheus reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST as CONTENT_TYPE
from prometheus_client.exposition import generate_latest

from runtime.enforcer import Enforcer
from runtime.meter import BOUNDS, Totals

__all__ = ["CONTENT_TYPE", "exposition"]


class _Collector:
    def __init__(self, enforcer: Enforcer, totals: Totals | None) -> None:
        self._enforcer = enforcer
        self._totals = totals

    def collect(self) -> Iterator[Any]:
        yield GaugeMetricFamily("policyctl_ready", "1 if decisions are made", float(self._enforcer.fault is None))
        yield GaugeMetricFamily("policyctl_lockdown", "1 in a lockdown", float(self._enforcer.locked))
        yield GaugeMetricFamily("policyctl_shadow", "1 if nothing is enforced", float(self._enforcer.settings.shadow))
        totals = self._totals
        if totals is None:
            return
        made = CounterMetricFamily("policyctl_decisions", "Decisions", labels=("action", "effect", "code"))
        for labels, count in sorted(totals.decisions.items()):
            made.add_metric(labels, count)
        yield made
        denials = CounterMetricFamily(
            "policyctl_denials", "Denials, by the rule behind them", labels=("policy", "rule")
        )
        for rule, count in sorted(totals.denials.items()):
            denials.add_metric(rule, count)
        yield denials
        took = HistogramMetricFamily("policyctl_decision_seconds", "How long decisions took")
        below, buckets = 0, []
        for bound, count in zip((*BOUNDS, None), totals.latencies, strict=True):
            below += count
            buckets.append(("+Inf" if bound is None else str(bound / 1e9), below))
        took.add_metric((), buckets, totals.nanoseconds / 1e9)
        yield took


def exposition(enforcer: Enforcer, totals: Totals | None) -> bytes:
    """What `/metrics` answers."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(enforcer, totals))
    return generate_latest(registry)
