"""What governs a run: a bundle goes in, verified policies come out, that of the ecosystem first; and playbooks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from runtime.bundle import Bundle, BundleError, Policy, read
from simulator.agents.playbooks import PlaybookError, plans
from simulator.scenario import ScenarioError

ECOSYSTEM = "twin.ecosystem"
INCIDENTS = "agents.incidents"
SHIPPED = "twin.bundle"


def shipped() -> Bundle:
    """What `policyctl build` makes of `specs/twin` and `specs/agents/incidents.policy`; it ships with the package."""
    return bundle_of("")


def bundle_of(path: str) -> Bundle:
    """The bundle in a file, or the one that ships for no path. Raises `BundleError`."""
    return read(data_of(path))


def data_of(path: str) -> bytes:
    """The same as it is written."""
    try:
        return Path(path).read_bytes() if path else files("simulator").joinpath(SHIPPED).read_bytes()
    except OSError as error:
        raise BundleError(f"`{path}` cannot be read: {error.strerror}") from None


def governing(bundle: Bundle) -> tuple[Policy, ...]:
    """The policies that govern a run. Raises `BundleError` unless they are there and all they promise is proved."""
    by_name = {p.system.name: p for p in bundle.policies}
    missing = [name for name in (ECOSYSTEM, INCIDENTS) if name not in by_name]
    if missing:
        raise BundleError(f"the policy `{missing[0]}` is missing")
    found = tuple(by_name[name] for name in (ECOSYSTEM, INCIDENTS))
    for policy in found:
        # SOUND: what was not proved does not govern, here no less than in a gateway.
        if policy.unproved:
            raise BundleError(f"`{policy.unproved[0]}` of `{policy.system.name}` is not proved")
    return found


@dataclass(frozen=True, slots=True)
class Playbooks:
    """The text of a file, or None for those that ship."""

    text: str | None = None
    digests: Mapping[str, str] = field(default_factory=dict)
    """Its digest by the name `playbooks`, as those of policies are kept."""


def playbooks_of(path: str) -> Playbooks:
    """The playbooks in a file, or those that ship for no path. Raises `ScenarioError`."""
    if not path:
        return Playbooks()
    try:
        text = Path(path).read_text(encoding="utf-8")
        plans(text)
    except OSError as error:
        raise ScenarioError([("playbooks", f"`{path}` cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError as error:
        raise ScenarioError([("playbooks", f"`{path}` is not UTF-8: {error.reason}")]) from None
    except PlaybookError as error:
        raise ScenarioError([("playbooks", f"{path}: {line}") for line in str(error).splitlines()]) from None
    return Playbooks(text, {"playbooks": sha256(text.encode()).hexdigest()})
