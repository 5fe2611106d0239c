"""Measure `policyctl` as people run it: start, all of `specs/` cold and warm. Prints a table; `--json` keeps it."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
AIMS = {"version": 0.15, "cold": 10.0, "warm": 0.7}
"""Seconds, on two cores."""


def seconds(arguments: list[str], expected: tuple[int, ...] = (0,)) -> float:
    """Wall-clock time of one run of the tool in a process of its own."""
    begun = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "policyctl", *arguments], cwd=ROOT, capture_output=True, check=False)
    if done.returncode not in expected:
        sys.exit(f"policyctl {' '.join(arguments)} exited with {done.returncode}:\n{done.stderr.decode()}")
    return time.perf_counter() - begun


def measure(repeat: int) -> dict[str, float]:
    """Medians; the cold run is measured once, on an empty cache."""
    with tempfile.TemporaryDirectory() as cache:
        verify = ["verify", "specs/", "--cache-dir", cache]
        return {
            "version": statistics.median(seconds(["--version"]) for _ in range(repeat)),
            "check": statistics.median(seconds(["check", "specs/"]) for _ in range(repeat)),
            "test": statistics.median(seconds(["test", "specs/"]) for _ in range(repeat)),
            "cold": seconds(verify),
            "warm": statistics.median(seconds(verify) for _ in range(repeat)),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = measure(options.repeat)
    for name, value in found.items():
        aim = f"   aim {AIMS[name]:.2f} s" if name in AIMS else ""
        print(f"{name:8} {value:7.3f} s{aim}")
    if options.json:
        machine = {"python": platform.python_version(), "cores": os.cpu_count()}
        options.json.write_text(json.dumps({"machine": machine, "seconds": found}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
