"""The one clock of the command line and of the enforcers that it opens."""

from __future__ import annotations

import time


def milliseconds() -> int:
    """The time since 1970."""
    return time.time_ns() // 1_000_000
