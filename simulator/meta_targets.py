"""What meta-governance can govern: a bundle and its numbers go in, and are in force afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runtime.bundle import read
from runtime.enforcer import Enforcer
from simulator.record import write


@dataclass(frozen=True, slots=True)
class BundleFile:
    """A file from which gateways load their bundle."""

    path: Path

    def put(self, version: str, data: bytes, values: Mapping[str, int]) -> None:
        if not self.path.is_file() or self.path.read_bytes() != data:
            write(self.path, lambda beside: beside.write_bytes(data))


@dataclass(frozen=True, slots=True)
class Live:
    """An enforcer in this process: it goes on under the bundle, all at once, with the state that it has.

    `put` raises as `Enforcer.reload` does. Parameters that were chosen when it was opened win over those of a bundle,
    so open what is to be governed without `params=`.
    """

    enforcer: Enforcer

    def put(self, version: str, data: bytes, values: Mapping[str, int]) -> None:
        policies = self.enforcer.policies
        if policies is None or policies.bundle.digest != version:
            self.enforcer.reload(read(data))
