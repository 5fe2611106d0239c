"""Measure `policyctl` as people run it: start, all of `specs/` cold and warm, and growth with the size of a policy.

    python benchmarks/verify.py [--growth [SERIES ...]] [--json FILE] [--plot FILE.svg]
    python benchmarks/verify.py --from FILE --plot FILE.svg

Prints a table; `--json` keeps it; `--plot` draws the growth (needs matplotlib, from the extra `bench`). Each run is a
process of its own, with an empty cache unless it is said to be warm: wall-clock seconds, and CPU seconds of it
and its workers.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from growth import SERIES

ROOT = Path(__file__).parent.parent
AIMS = {"version": 0.15, "cold": 10.0, "warm": 0.7}
"""Seconds, on two cores."""


@dataclass(frozen=True, slots=True)
class Seconds:
    wall: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Size:
    """One policy of a series: `count` is what the series counts."""

    series: str
    count: int
    properties: int
    actions: int
    variables: int
    cold: Seconds
    warm: Seconds


def seconds(arguments: list[str], expected: tuple[int, ...] = (0,)) -> Seconds:
    """One run of the tool in a process of its own."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "policyctl", *arguments], cwd=ROOT, capture_output=True, check=False)
    wall = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in expected:
        sys.exit(f"policyctl {' '.join(arguments)} exited with {done.returncode}:\n{done.stderr.decode()}")
    return Seconds(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def median(runs: Iterable[Seconds]) -> Seconds:
    found = list(runs)
    return Seconds(statistics.median(s.wall for s in found), statistics.median(s.cpu for s in found))


def measure(repeat: int) -> dict[str, Seconds]:
    """Medians; the cold run is measured once, on an empty cache."""
    with tempfile.TemporaryDirectory() as cache:
        verify = ["verify", "specs/", "--cache-dir", cache]
        return {
            "version": median(seconds(["--version"]) for _ in range(repeat)),
            "check": median(seconds(["check", "specs/"]) for _ in range(repeat)),
            "test": median(seconds(["test", "specs/"]) for _ in range(repeat)),
            "cold": seconds(verify),
            "warm": median(seconds(verify) for _ in range(repeat)),
        }


def growth(series: str, count: int, repeat: int) -> Size:
    text = SERIES[series][0](count)
    with tempfile.TemporaryDirectory() as directory:
        policy = Path(directory) / f"{series}.policy"
        policy.write_text(text, encoding="utf-8")
        verify = ["verify", str(policy), "--cache-dir", str(Path(directory) / "cache")]
        cold = seconds(verify)
        warm = median(seconds(verify) for _ in range(repeat))
        said = json.loads(
            subprocess.run(
                [sys.executable, "-m", "policyctl", *verify, "--format", "json"],
                cwd=ROOT,
                capture_output=True,
                check=True,
            ).stdout
        )
    lines = [line.split() for line in text.splitlines()]
    return Size(
        series,
        count,
        sum(len(f["properties"]) for f in said["files"]),
        sum(words[:1] == ["action"] or words[:2] == ["fair", "action"] for words in lines),
        sum(words[:1] in (["state"], ["group"]) for words in lines),
        cold,
        warm,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--growth", nargs="*", choices=sorted(SERIES), help="all series, unless some are named")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--from", type=Path, dest="kept", help="measure nothing: take what `--json` kept")
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    if options.kept:
        found = json.loads(options.kept.read_text(encoding="utf-8"))
    else:
        found = {
            "machine": {"python": platform.python_version(), "cores": os.cpu_count()},
            "seconds": _base(options.repeat),
            "growth": [] if options.growth is None else _sizes(options.growth or list(SERIES), options.repeat),
        }
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if options.plot:
        from plot import draw

        draw(found, options.plot)


def _base(repeat: int) -> dict[str, object]:
    found = measure(repeat)
    for name, value in found.items():
        aim = f"   aim {AIMS[name]:.2f} s" if name in AIMS else ""
        print(f"{name:8} {value.wall:7.3f} s wall {value.cpu:7.2f} s CPU{aim}")
    return {name: asdict(value) for name, value in found.items()}


def _sizes(names: list[str], repeat: int) -> list[dict[str, object]]:
    found = []
    for name in names:
        for count in SERIES[name][1]:
            size = growth(name, count, repeat)
            found.append(asdict(size))
            what = f"{size.properties:5} properties {size.actions:5} actions {size.variables:5} variables"
            cost = f"cold {size.cold.wall:7.2f} s wall {size.cold.cpu:7.2f} s CPU   warm {size.warm.wall:5.2f} s"
            print(f"{name:10} {count:4}  {what}   {cost}", flush=True)
    return found


if __name__ == "__main__":
    main()
