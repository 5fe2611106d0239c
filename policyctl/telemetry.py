"""An enforcer's numbers and decisions to OpenTelemetry and to the log of its host, by a thread of their own.

Decisions only leave a note behind; everything else happens here, a few times a second.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from runtime.meter import BOUNDS, Meter, Noted, Totals

if TYPE_CHECKING:
    from policyctl.embed import Enforcer

decisions = logging.getLogger("policyctl.decisions")
EVERY = 0.25
"""Seconds between looks at the notes."""


def new_meter() -> Meter:
    """A meter for `Enforcer.open(meter=…)`."""
    return Meter(time.perf_counter_ns)


class Telemetry:
    """Watches an enforcer that has a meter, until it is closed.

    Each decision becomes a record of the logger `policyctl.decisions`: denials at WARNING, others at INFO, with
    `action`, `effect`, `code`, `rules`, `policy` and `microseconds` as attributes. `totals` has the counts.
    """

    def __init__(self, enforcer: Enforcer) -> None:
        meter = enforcer.settings.meter
        if meter is None:
            raise ValueError("the enforcer has no meter: open it with `meter=new_meter()`")
        self.totals = Totals()
        self._enforcer = enforcer
        self._meter = meter
        self._turn = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="policyctl-telemetry", daemon=True)
        self._thread.start()

    def collect(self) -> Totals:
        """The counts, up to now."""
        with self._turn:
            found = self._meter.drain()
            self.totals.add(found)
            for noted in found:
                _log(noted)
            return self.totals

    def close(self) -> None:
        """Count what is left, and stop."""
        self._over.set()
        self._thread.join()
        self.collect()

    def _watch(self) -> None:
        while not self._over.wait(EVERY):
            self.collect()

    def to_opentelemetry(self, provider: Any = None) -> None:
        """Offer the counts to OpenTelemetry (`pip install policyctl[telemetry]`), by the global provider if none is
        given:

        - `policyctl.decisions` {action, effect, code}: counter
        - `policyctl.denials` {policy, rule}: counter
        - `policyctl.decision.duration` (s): a counter of the time, and of decisions by class of latency {le}
        - `policyctl.approvals.open`: gauge
        """
        from opentelemetry import metrics

        meter = (provider or metrics.get_meter_provider()).get_meter("policyctl")
        one = metrics.Observation

        def counted(_: object) -> list[Any]:
            totals = self.collect()
            return [one(n, {"action": a, "effect": e, "code": c}) for (a, e, c), n in totals.decisions.items()]

        def denied(_: object) -> list[Any]:
            return [one(n, {"policy": p, "rule": r}) for (p, r), n in self.collect().denials.items()]

        def lasted(_: object) -> list[Any]:
            return [one(self.collect().nanoseconds / 1e9)]

        def classed(_: object) -> list[Any]:
            bounds = [*(f"{b / 1e9:g}" for b in BOUNDS), "+Inf"]
            running, found = 0, []
            for bound, n in zip(bounds, self.collect().latencies, strict=True):
                running += n
                found.append(one(running, {"le": bound}))
            return found

        def asked(_: object) -> list[Any]:
            return [one(len(self._enforcer.questions()))]

        meter.create_observable_counter("policyctl.decisions", [counted], description="decisions")
        meter.create_observable_counter("policyctl.denials", [denied], description="denials by rule")
        meter.create_observable_counter("policyctl.decision.duration", [lasted], unit="s", description="time to decide")
        meter.create_observable_counter("policyctl.decision.duration.bucket", [classed], description="latencies")
        meter.create_observable_gauge("policyctl.approvals.open", [asked], description="questions that wait for people")


def _log(noted: Noted) -> None:
    action, d, took = noted
    level = logging.WARNING if d.effect == "deny" else logging.INFO
    if decisions.isEnabledFor(level):
        rules = [r.name for r in d.rules]
        extra = {
            "action": action,
            "effect": d.effect,
            "code": d.code.value,
            "rules": rules,
            "policy": d.basis.policy if d.basis else "",
            "microseconds": took / 1000,
        }
        decisions.log(
            level, "%s %s: %s%s", d.effect, action, d.code.value, f" ({d.reason})" if d.reason else "", extra=extra
        )
