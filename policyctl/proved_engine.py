"""The digital twin with its proofs worked through: a scenario goes in, a run under rechecked policies comes out.

This is what `simulate`, `sweep`, `optimize` and `demo` run. The simulator knows no verifier; it is handed in here. What
the second solver says of a certificate is kept on the disk (NOTE(cache-key)), so it is asked once.
"""

from __future__ import annotations

from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from policyctl.cache import DIRECTORY, Cache, digest

if TYPE_CHECKING:
    from simulator.engine import Engine
    from simulator.scenario import Scenario

BEGIN = "policyctl.proved_engine:begin"


def begin(scenario: Scenario, seed: int, run: int = 0) -> Engine:
    """A run from its beginning. Raises `ScenarioError`, also when a proof does not hold."""
    from simulator import engine
    from simulator.proofs import Verifier

    return engine.begin(scenario, seed, run, Verifier(f"cvc5 {metadata.version('cvc5')}", faults))


@cache
def faults(certificate: str) -> tuple[str, ...]:
    """What is wrong with the text of a certificate."""
    kept, key = Cache(Path(DIRECTORY)), f"certificate {digest(certificate)}"
    found = kept.find(key, "recheck")
    if found is None:
        found = {"faults": _rechecked(certificate)}
        kept.keep(key, "recheck", {}, found)
    return tuple(str(fault) for fault in found["faults"])


def _rechecked(text: str) -> list[str]:
    from verifier.certificate import CertificateError, read
    from verifier.recheck import recheck

    try:
        certificate = read(text)
    except CertificateError as error:
        return [f"this is no certificate: {error}"]
    return [f"{r.property}: {r.what}: {r.fault}" for r in recheck(certificate) if r.fault]
