"""What the user chose that a verdict can depend on; part of the key of the cache."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """`rlimit` counts solver steps per obligation, not seconds. `properties` empty means all."""

    rlimit: int | None = None
    deep: bool = False
    properties: tuple[str, ...] = ()
    certificates: bool = False

    def key(self, command: str) -> str:
        return json.dumps([command, asdict(self)], sort_keys=True)
