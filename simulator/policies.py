"""The policies of the twin: a bundle goes in, verified policies come out, that of the ecosystem first."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from runtime.bundle import Bundle, BundleError, Policy, read

ECOSYSTEM = "twin.ecosystem"
INCIDENTS = "agents.incidents"
SHIPPED = "twin.bundle"


def shipped() -> Bundle:
    """What `policyctl build` makes of `specs/twin` and `specs/agents/incidents.policy`; it ships with the package."""
    return read(files("simulator").joinpath(SHIPPED).read_bytes())


def bundle_of(path: str) -> Bundle:
    """The bundle in a file, or the one that ships for no path. Raises `BundleError`."""
    if not path:
        return shipped()
    try:
        return read(Path(path).read_bytes())
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
